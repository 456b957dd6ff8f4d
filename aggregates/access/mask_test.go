package access_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

func typeOfPointer(data any) reflect.Type { return reflect.TypeOf(data).Elem() }

// planted fills every text of an event's data with a mark of its own, and says which category protects it; "" is free text.
func planted(k *events.Kind) (data any, marks map[string]events.Category) {
	marks = map[string]events.Category{}
	v := reflect.New(k.DataType())
	plant(v.Elem(), k.Type, marks)
	return v.Interface(), marks
}

func plant(v reflect.Value, at string, marks map[string]events.Category) {
	for i := range v.NumField() {
		f, tag := v.Field(i), v.Type().Field(i).Tag
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		mark := "MARK-" + at + "-" + name
		category := events.Category(tag.Get("protect"))
		switch category {
		case "@categories":
			category = events.Health
		case "@domain":
			category = events.MentalHealth
		}
		switch {
		case f.Type() == reflect.TypeFor[[]events.Category]():
			f.Set(reflect.ValueOf([]events.Category{events.Health}))
		case f.Type() == reflect.TypeFor[events.Category]():
			f.Set(reflect.ValueOf(events.MentalHealth))
		case f.Kind() == reflect.String && tag.Get("enum") == "":
			f.SetString(mark)
			if f.Type() == reflect.TypeFor[string]() && category != "" {
				marks[mark] = category
			}
		case f.Type() == reflect.TypeFor[[]string]():
			f.Set(reflect.ValueOf([]string{mark}))
			if category != "" {
				marks[mark] = category
			}
		case f.Type() == reflect.TypeFor[events.Date]() && category != "":
			d := events.Date(3000 + len(marks))
			f.Set(reflect.ValueOf(d))
			marks[d.String()] = category
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			f.Set(reflect.MakeSlice(f.Type(), 2, 2))
			for n := range 2 {
				plant(f.Index(n), fmt.Sprint(at, "-", name, n), marks)
			}
		case f.Kind() == reflect.Struct:
			plant(f, at+"-"+name, marks)
		}
	}
}

// For every type of event, role and category: what the matrix does not give in full is not in what is shown, and in its
// place stands that it is hidden, with category and whom to ask. What it gives is there. The event itself stays as it was.
func TestEveryProtectedFieldIsMaskedByItsCell(t *testing.T) {
	policies, matrix := access.Shipped(), safeguards.Matrix()
	checked := 0
	for _, k := range events.Standard().Kinds() {
		if k.Family != events.CaseFamily {
			continue
		}
		data, marks := planted(k)
		before, err := json.Marshal(data, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range matrix.Roles() {
			e := entry(events.Actor{Officer: "y", Role: events.Directorate, Institution: "mk-other"}, data)
			h := given(told(role, "mk-office"), e)
			d := policies.Decide(access.Viewer{Actor: officer(role)}, access.CaseOf(h), opened)
			masked := d.Mask(e)
			if masked == nil {
				if k.Type != "MonitoringContactHeld" || !role.InPrison() {
					t.Errorf("%s is not shown to %s at all", k.Type, role)
				}
				continue
			}
			shown, err := masked.Shown()
			if err != nil {
				t.Fatal(err)
			}
			for mark, category := range marks {
				checked++
				cell := matrix.Cell(role, category)
				if visible := strings.Contains(string(shown), `"`+mark+`"`); visible != (cell == safeguards.Full) {
					t.Errorf("%s for %s: %s (%s, cell %s) is shown: %t\n%s", k.Type, role, mark, category, cell, visible, shown)
				}
				if cell != safeguards.Full && !slices.ContainsFunc(masked.Withheld, func(w events.Withheld) bool {
					return w.Category == category && w.Reason == events.Hidden && w.Ask != ""
				}) {
					t.Errorf("%s for %s: nothing says that %s is hidden: %v", k.Type, role, category, masked.Withheld)
				}
			}
		}
		after, err := json.Marshal(data, json.Deterministic(true))
		if err != nil || string(after) != string(before) {
			t.Errorf("masking changed the %s itself", k.Type)
		}
	}
	if checked < 17*30 {
		t.Errorf("only %d fields were looked at", checked)
	}
}

func mask(t *testing.T, v access.Viewer, e *events.Event, more ...*events.Event) string {
	t.Helper()
	h := given(append(more, e)...)
	d := access.Shipped().Decide(v, access.CaseOf(h), opened)
	masked := d.Mask(e)
	if masked == nil {
		return "nothing"
	}
	shown, err := masked.Shown()
	if err != nil {
		t.Fatal(err)
	}
	return string(shown)
}

// What a summary tells: values from closed lists. What is free text is under the categories that the entry names.
func TestWhatIsShownOfAField(t *testing.T) {
	cswViewer := access.Viewer{Actor: csw}
	toCSW := told(events.CSW, csw.Institution)
	police := access.Viewer{Actor: events.Actor{Officer: "p", Role: events.Police, Institution: "mk-police-skopje"}}
	toPolice := told(events.Police, "mk-police-skopje")
	assessment := &events.AssessmentCompleted{Assessment: "a", Kind: "risk", Tool: "VERA", ToolVersion: "2", Assessor: "x", Level: "high", Facts: []string{"f"}, Opinions: []string{}, Indicators: []string{}}
	for _, c := range []struct {
		rule string
		got  string
		want string
	}{
		{"a summary of risk is its level", mask(t, cswViewer, entry(prison, assessment), toCSW),
			`{"assessment":"a","kind":"risk","tool":"VERA","toolVersion":"2","assessor":"x","level":"high","indicators":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}},` +
				`"facts":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}},"opinions":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}},"specialist":false}`},
		{"a level that is none is free text", mask(t, cswViewer, entry(prison, &events.RiskLevelChanged{From: "low", To: "High, he said so", Reasons: []string{"x"}, Decider: "y"}), toCSW),
			`{"from":"low","to":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}},"reasons":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}},"indicators":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}},"decider":"y","automated":false,"reviewBy":""}`},
		{"the level of a need is under its domain", mask(t, police, entry(prison, &events.NeedsMapFinalised{NeedsMap: "m", Version: 1, Needs: []events.Need{{Domain: events.MentalHealth, Level: "high", Note: "n"}}}), toPolice),
			`{"needsMap":"m","version":1,"needs":[{"domain":"mental-health","level":{"withheld":{"reason":"hidden","category":"mental-health","ask":"prison-treatment"}},"note":{"withheld":{"reason":"hidden","category":"mental-health","ask":"prison-treatment"}}}]}`},
		{"which group it is, is not told by hiding one", mask(t, police, entry(prison, &events.SpecificGroupRecorded{Group: "female"}), toPolice),
			`{"group":{"withheld":{"reason":"hidden","category":"health","ask":"prison-treatment"}}}`},
		{"nor by hiding another", mask(t, police, entry(prison, &events.SpecificGroupRecorded{Group: "disability"}), toPolice),
			`{"group":{"withheld":{"reason":"hidden","category":"health","ask":"prison-treatment"}}}`},
		{"a pointer to security information is intelligence", mask(t, cswViewer, entry(prison, &events.SecurityInformationReferenced{Pointer: "x-7"}), toCSW),
			`{"pointer":{"withheld":{"reason":"hidden","category":"intelligence","ask":"prison-treatment"}}}`},
		{"free text is under all categories that the entry names", mask(t, police, entry(prison, &events.InformationRequested{Request: "r", From: events.Party{Institution: "i", Role: events.CSW},
			Categories: []events.Category{events.Identity, events.Health}, Urgency: "normal", Reason: "his illness"}), toPolice),
			`{"request":"r","from":{"institution":"i","role":"csw"},"categories":["identity","health"],"urgency":"normal","reason":{"withheld":{"reason":"hidden","category":"health","ask":"prison-treatment"}}}`},
		{"free text of an entry without categories is under identity", mask(t, access.Viewer{Actor: events.Actor{Officer: "d", Role: events.DataProtection, Institution: "mk-dpa"}},
			entry(prison, &events.CaseClosed{Reason: "moved away"})), `{"reason":{"withheld":{"reason":"hidden","category":"identity","ask":"prison-treatment"}}}`},
		{"what is not recorded is not hidden", mask(t, police, entry(prison, &events.AccommodationArranged{Kind: "own"}), toPolice),
			`{"kind":{"withheld":{"reason":"hidden","category":"housing","ask":"prison-treatment"}}}`},
		{"a stated need shows what N hides", mask(t, access.Viewer{Actor: police.Actor, Justification: "a threat"}, entry(prison, &events.AccommodationArranged{Kind: "own", Address: "Street 1"}), toPolice),
			`{"kind":"own","address":"Street 1"}`},
		{"an office sees what it recorded itself", mask(t, cswViewer, entry(csw, &events.HealthSummaryTransferred{Disclosure: "d", Recipient: events.Party{Institution: "i", Role: events.CommunityHealth}, Categories: []events.Category{events.Health}, Summary: "s"})),
			`{"disclosure":"d","recipient":{"institution":"i","role":"community-health"},"categories":["health"],"summary":"s"}`},
		{"another role of the same institution does not", mask(t, access.Viewer{Actor: events.Actor{Officer: "g", Role: events.PrisonSecurity, Institution: prison.Institution}},
			entry(events.Actor{Officer: "h", Role: events.PrisonHealth, Institution: prison.Institution}, &events.HealthSummaryTransferred{Disclosure: "d", Categories: []events.Category{events.Health}, Summary: "s"})),
			`{"disclosure":"d","recipient":{"institution":"","role":""},"categories":["health"],"summary":{"withheld":{"reason":"hidden","category":"health","ask":"prison-health"}}}`},
		{"a confidential complaint is hidden from whom it is about", mask(t, access.Viewer{Actor: prison},
			entry(events.Actor{Officer: "o", Role: events.Ombudsman, Institution: "mk-ombudsman"}, &events.ComplaintLodged{Complaint: "c", About: prison.Party(), Confidential: true, Grounds: "g"})),
			`{"complaint":"c","about":{"institution":"mk-prison-idrizovo","role":"prison-treatment","officer":"a.petrova"},"confidential":true,"grounds":{"withheld":{"reason":"hidden","category":"identity","ask":"ombudsman"}}}`},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.rule, c.got, c.want)
		}
	}
}

// What corrects a hidden field is hidden as the field is, also where a correction is itself corrected.
func TestACorrectionIsMaskedAsWhatItCorrects(t *testing.T) {
	police := access.Viewer{Actor: events.Actor{Officer: "p", Role: events.Police, Institution: "mk-police-skopje"}}
	held := entry(prison, &events.AccommodationArranged{Kind: "own", Address: "Street 1"})
	first := entry(prison, &events.EntryCorrected{Target: held.ID, Replacement: []byte(`{"kind":"own","address":"Street 2"}`), Reason: "typed wrong"})
	second := entry(prison, &events.EntryCorrected{Target: first.ID, Replacement: []byte(`{"target":"` + held.ID.String() + `","replacement":{"kind":"family","address":"Street 3"},"reason":"r"}`), Reason: "again"})
	more := []*events.Event{told(events.Police, "mk-police-skopje"), held}
	for _, got := range []string{mask(t, police, first, more...), mask(t, police, second, append(more, first)...)} {
		if strings.Contains(got, "Street") || strings.Count(got, `"category":"housing"`) != 2 {
			t.Errorf("%s", got)
		}
	}
	unknown := entry(prison, &events.EntryCorrected{Target: uuid.New(), Replacement: []byte(`{"secret":"Street 4"}`), Reason: "r"})
	if got := mask(t, police, unknown, more...); strings.Contains(got, "Street") {
		t.Errorf("what can't be read is shown: %s", got)
	}
}

// HR24: a prison role knows neither of a contact with the monitor nor of what is said of it; all others do.
func TestMonitoringContactsAreUnknownToPrisonRoles(t *testing.T) {
	monitor := events.Actor{Officer: "o", Role: events.Ombudsman, Institution: "mk-ombudsman"}
	contact := entry(monitor, &events.MonitoringContactHeld{Contact: "m-1"})
	correction := entry(monitor, &events.EntryCorrected{Target: contact.ID, Replacement: []byte(`{"contact":"m-2"}`), Reason: "r"})
	annulled := entry(monitor, &events.EntryAnnulled{Target: correction.ID, Reason: "r"})
	notice := entry(monitor, &events.NotificationSent{Notification: "n", Subject: "correction", Channel: "letter", About: "m-1", Recipient: events.Party{Institution: "mk-court", Role: events.Court}})
	led := entry(monitor, &events.ReviewOpened{Review: "r"})
	led.CausationID = contact.ID
	finding := entry(monitor, &events.FindingRecorded{Review: "r", Finding: "f", Safeguard: "HR09", Severity: "high", Events: []uuid.UUID{contact.ID, uuid.Max}})
	h := given(contact, correction, annulled, notice, led, finding)
	for _, role := range events.Roles() {
		d := access.Shipped().Decide(access.Viewer{Actor: events.Actor{Officer: "x", Role: role, Institution: prison.Institution}}, access.CaseOf(h), opened)
		for _, e := range []*events.Event{contact, correction, annulled, notice, led} {
			if d.Knows(e) == role.InPrison() {
				t.Errorf("%s knows of the %s: %t", role, e.Type, d.Knows(e))
			}
		}
		if f, ok := d.Mask(finding).Data.(*events.FindingRecorded); !ok || len(f.Events) == 2 == role.InPrison() {
			t.Errorf("%s is shown the finding's events %v", role, f.Events)
		}
	}
}
