package events

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func recorded(eventType, data string) *Recorded {
	return &Recorded{ID: uuid.UUID{15: 1}, Stream: "case-x", Type: eventType, RecordedAt: time.UnixMicro(1).UTC(), Data: []byte(data),
		Metadata: []byte(`{"schema":1,"case":"MK-2026-0001","occurredAt":"2026-01-01T00:00:00Z","actor":{"officer":"a","role":"csw","institution":"i"},"correlationId":"00000000-0000-0000-0000-000000000001"}`)}
}

const (
	receipt = "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"
	erased  = `{"withheld":{"reason":"erased","category":"risk","receipt":"` + receipt + `"}}`
	hidden  = `{"withheld":{"reason":"hidden","category":"health","ask":"prison-health"}}`
)

func TestAWithheldFieldHasItsZeroValueAndIsWrittenAgainAsItStood(t *testing.T) {
	for name, c := range map[string]struct {
		eventType, data string
		want            []Withheld
		check           func(any) bool
	}{
		"a text, a list, and an optional field that is left out": {"AssessmentCompleted",
			`{"assessment":"a-1","kind":"risk","tool":"t","toolVersion":"1","assessor":"x","level":` + erased + `,"indicators":` + erased + `,"facts":["f"],"opinions":[],"specialist":true}`,
			[]Withheld{{Pointer: "/level", Category: Risk, Reason: Erased, Receipt: uuid.MustParse(receipt)}, {Pointer: "/indicators", Category: Risk, Reason: Erased, Receipt: uuid.MustParse(receipt)}},
			func(d any) bool {
				a := d.(*AssessmentCompleted)
				return a.Level == "" && a.Indicators == nil && a.Facts[0] == "f" && a.Specialist
			}},
		"a date": {"CaseOpened", `{"subject":"s","name":` + hidden + `,"dateOfBirth":` + hidden + `,"sex":"male","reason":"convicted","institution":"i","admittedOn":"2026-01-01"}`,
			[]Withheld{{Pointer: "/name", Category: Health, Reason: Hidden, Ask: PrisonHealth}, {Pointer: "/dateOfBirth", Category: Health, Reason: Hidden, Ask: PrisonHealth}},
			func(d any) bool { return d.(*CaseOpened).DateOfBirth == 0 && d.(*CaseOpened).Subject == "s" }},
		"a field in a row of a list": {"NeedsMapDrafted", `{"needsMap":"m","version":1,"needs":[{"domain":"health","level":"high","note":"n"},{"domain":"health","level":"some","note":` + hidden + `}]}`,
			[]Withheld{{Pointer: "/needs/1/note", Category: Health, Reason: Hidden, Ask: PrisonHealth}},
			func(d any) bool {
				return d.(*NeedsMapDrafted).Needs[1].Level == "some" && d.(*NeedsMapDrafted).Needs[0].Note == "n"
			}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Decode(recorded(c.eventType, c.data))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(e.Withheld, c.want) || !c.check(e.Data) {
				t.Errorf("read as %+v, withheld %+v", e.Data, e.Withheld)
			}
			again, err := e.Shown()
			if err != nil {
				t.Fatal(err)
			}
			f, err := Decode(recorded(c.eventType, string(again)))
			if err != nil || !reflect.DeepEqual(f.Data, e.Data) || len(f.Withheld) != len(c.want) {
				t.Errorf("written as %s, %v", again, err)
			}
			if c.eventType == "NeedsMapDrafted" && string(again) != c.data {
				t.Errorf("written as\n%s, want\n%s", again, c.data)
			}
		})
	}
}

func TestAWithheldFieldInAReplacementStaysInItAndReadsAsWithheld(t *testing.T) {
	replacement := `{"from":"low","to":` + erased + `,"reasons":["r"],"indicators":[],"decider":"d","automated":false,"reviewBy":"2026-06-01"}`
	data := `{"target":"` + receipt + `","replacement":` + replacement + `,"reason":"typing error"}`
	e, err := Decode(recorded("EntryCorrected", data))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Withheld) != 1 || e.Withheld[0].Pointer != "/replacement/to" || string(e.Data.(*EntryCorrected).Replacement) != replacement {
		t.Errorf("withheld %+v, replacement %s", e.Withheld, e.Data.(*EntryCorrected).Replacement)
	}
	again, err := e.Shown()
	if err != nil || string(again) != data {
		t.Errorf("written as %s, %v", again, err)
	}
	v, list, err := ReadReplacement("RiskLevelChanged", e.Data.(*EntryCorrected).Replacement)
	if err != nil || v.(*RiskLevelChanged).To != "" || v.(*RiskLevelChanged).From != "low" || len(list) != 1 || list[0].Pointer != "/to" {
		t.Errorf("the replacement reads as %+v, withheld %+v, %v", v, list, err)
	}
	var field *FieldError
	if _, err := ParseReplacement("RiskLevelChanged", []byte(replacement)); !errors.As(err, &field) {
		t.Errorf("what is recorded anew may not be withheld: %v", err)
	}
}

func TestAUsersTextIsNeverTakenForAWithheldField(t *testing.T) {
	for _, text := range []string{erased, `{"withheld":{`} {
		e := &Event{ID: uuid.New(), Type: "AssessmentContested", Case: "MK-2026-0001", Data: &AssessmentContested{Assessment: "a", Grounds: text}}
		p, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(&Recorded{ID: p.ID, Type: p.Type, Metadata: p.Metadata, Data: p.Data})
		if err != nil || got.Withheld != nil || got.Data.(*AssessmentContested).Grounds != text {
			t.Errorf("%s reads as %+v, %v", text, got, err)
		}
	}
}

func TestProtectedFields(t *testing.T) {
	target := uuid.MustParse(receipt)
	for name, c := range map[string]struct {
		eventType, data string
		want            map[string]string // pointer → category, relative, value
	}{
		"by its own tag":              {"AssessmentContested", `{"assessment":"a","grounds":"g"}`, map[string]string{"/grounds": `risk false "g"`}},
		"of a relative":               {"SpecificGroupRecorded", `{"group":"juvenile","guardian":"g"}`, map[string]string{"/guardian": `family true "g"`}},
		"under the first category":    {"InformationProvided", `{"categories":["housing","risk"],"summary":"s"}`, map[string]string{"/summary": `housing false "s"`}},
		"the category comes after it": {"InformationProvided", `{"summary":"s","categories":["housing"]}`, map[string]string{"/summary": `housing false "s"`}},
		"without a category":          {"InformationProvided", `{"summary":"s","categories":[]}`, map[string]string{"/summary": `intelligence false "s"`}},
		"in rows": {"NeedsMapDrafted", `{"needs":[{"domain":"health","note":"a"},{"note":"b","domain":"finance"}]}`,
			map[string]string{"/needs/0/note": `health false "a"`, "/needs/1/note": `finance false "b"`}},
		"a list": {"ConditionsSet", `{"conditions":["a", "b"]}`, map[string]string{"/conditions": `sentence false ["a", "b"]`}},
		"in a correction": {"EntryCorrected", `{"replacement":{"assessment":"a", "grounds": "g" },"target":"` + receipt + `","reason":"r"}`,
			map[string]string{"/replacement/grounds": `risk false "g"`}},
		"in a correction of a correction": {"EntryCorrected", `{"target":"` + uuid.UUID{1}.String() + `","replacement":{"target":"` + receipt + `","replacement":{"grounds":"g"},"reason":"r"},"reason":"r"}`,
			map[string]string{"/replacement/replacement/grounds": `risk false "g"`}},
		"none": {"NotificationSent", `{"notification":"n"}`, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := KindOf(c.eventType)
			list, err := k.ProtectedFields([]byte(c.data), func(id uuid.UUID) (string, error) {
				if id == target {
					return "AssessmentContested", nil
				}
				return "EntryCorrected", nil
			})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, f := range list {
				got[f.Pointer] = string(f.Category) + map[bool]string{true: " true ", false: " false "}[f.Relative] + c.data[f.Start:f.End]
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Whatever fields of whatever type are withheld, the data reads back with these withheld and the others as they were.
func TestWithholdingAnySetOfFields(t *testing.T) {
	k, _ := KindOf("CaseConferenceHeld")
	rapid.Check(t, func(t *rapid.T) {
		day, _ := ParseDate("2026-03-02")
		d := &CaseConferenceHeld{Conference: "c", Attendees: []Party{}, Apologies: []Party{}, Categories: []Category{Risk}}
		for range rapid.IntRange(0, 5).Draw(t, "actions") {
			d.Actions = append(d.Actions, ConferenceAction{Action: "a", Owner: Party{Institution: "i", Role: CSW}, Due: day, Text: rapid.String().Draw(t, "text")})
		}
		p, err := (&Event{Data: d}).Shown()
		if err != nil {
			t.Fatal(err)
		}
		fields, err := k.ProtectedFields(p, nil)
		if err != nil || len(fields) != len(d.Actions) {
			t.Fatalf("%d fields of %d, %v", len(fields), len(d.Actions), err)
		}
		var withheld []Withheld
		for i, f := range fields {
			if rapid.Bool().Draw(t, "withhold") {
				withheld = append(withheld, Withheld{Pointer: f.Pointer, Category: f.Category, Reason: Hidden, Ask: Court})
				d.Actions[i].Text = ""
			}
		}
		shown, err := (&Event{Data: d, Withheld: withheld}).Shown()
		if err != nil {
			t.Fatal(err)
		}
		v, list, err := k.read(shown)
		if err != nil || !reflect.DeepEqual(list, withheld) {
			t.Fatalf("withheld %v, read %v, %v", withheld, list, err)
		}
		if got := v.(*CaseConferenceHeld); len(d.Actions) > 0 && !reflect.DeepEqual(got.Actions, d.Actions) {
			t.Fatalf("read %+v, want %+v", got, d)
		}
	})
}
