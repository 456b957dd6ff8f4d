package safeguards

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

func TestTheListOfSafeguardsIsWhole(t *testing.T) {
	all := All()
	if len(all) != 29 {
		t.Fatalf("%d safeguards", len(all))
	}
	severities := map[string]string{ // safeguards.md
		"critical": "HR01 HR03 HR04 HR07 HR08 HR19 HR21 HR24 HR26",
		"medium":   "HR11 HR12 HR15 HR22 HR27 HR29",
	}
	for _, s := range all {
		want := "high"
		for severity, ids := range severities {
			if strings.Contains(ids, s.ID) {
				want = severity
			}
		}
		if string(s.Severity) != want || s.Title == "" || s.Demands == "" || s.Source == "" {
			t.Errorf("%s: severity %s, expected %s; title, demand and source must be there", s.ID, s.Severity, want)
		}
		if f, ok := Find(s.ID); !ok || f.Title != s.Title {
			t.Errorf("%s is not found by its id", s.ID)
		}
	}
	if _, ok := Find("HR30"); ok {
		t.Error("HR30 is found")
	}
}

func TestAVerdictIsOneSentenceHoweverManyFindings(t *testing.T) {
	to := func(when string) *events.Event { return on(when, prison, disclosed(police, nil, events.Health)) }
	for given, want := range map[int]string{
		1: "Health information was given to mk-police-skopje without a special legal basis, a consent that covers it or an authorised override.",
		2: "Health information was given to mk-police-skopje without a special legal basis, a consent that covers it or an authorised override; this is the first of 2 such findings.",
	} {
		v := told{given: []*events.Event{to("2026-03-02"), to("2026-03-03")}[:given]}.verdict("HR03")
		if v.Explanation != want || len(v.Events) != given {
			t.Errorf("%d events, %q, expected %q", len(v.Events), v.Explanation, want)
		}
	}
	v := told{given: []*events.Event{to("2026-03-03"), on("2026-03-02", nurse, disclosed(csw, nil, events.MentalHealth, events.Family, events.Health), as("earlier"))}}.verdict("HR05")
	if want := "Mental health and health information was given to mk-csw-skopje"; !strings.HasPrefix(v.Explanation, want) || v.Events[0] != labelled("earlier") {
		t.Errorf("%q, expected that it begins with %q, and the earlier event first", v.Explanation, want)
	}
}

func TestAVerdictNamesTheDutyAndWhoHoldsIt(t *testing.T) {
	v := told{duties: duties(duty("notify-csw", "2026-03-02", isLate))}.verdict("HR14")
	if want := "The duty notify-csw of mk-prison-idrizovo was done after its due date."; v.Explanation != want {
		t.Errorf("%q, expected %q", v.Explanation, want)
	}
	v = told{duties: duties(duty("notify-csw", "2026-03-02", isLate, func(o *protocol.Obligation) { o.DutyHolder = "" }))}.verdict("HR14")
	if want := "The duty notify-csw was done after its due date."; v.Explanation != want {
		t.Errorf("%q, expected %q", v.Explanation, want)
	}
}

// What the case's own stream holds comes first, in order of occurrence; then what other streams hold.
func TestTheEventsOfAVerdictAreInOrder(t *testing.T) {
	look := func(label string) *events.Event {
		return on("2026-03-04", prison, &events.CaseConsulted{View: "monitoring", Justification: "x"}, as(label))
	}
	share := func(when, label string) *events.Event {
		return on(when, monitor, disclosed(atPrison, func(d *events.InformationDisclosed) { d.DerivedFrom = "mc-1" }, events.Identity), as(label))
	}
	v := told{given: []*events.Event{on("2026-03-02", monitor, &events.MonitoringContactHeld{Contact: "mc-1"}), share("2026-03-06", "second"), share("2026-03-05", "first")},
		access: []*events.Event{look("third"), look("fourth")}}.verdict("HR24")
	var want []uuid.UUID
	for _, l := range []string{"first", "second", "third", "fourth"} {
		want = append(want, labelled(l))
	}
	if !slices.Equal(v.Events, want) {
		t.Errorf("%v, expected %v", v.Events, want)
	}
}

// Lawyers and social workers read it: no names of fields and types, no personal data.
func TestExplanationsUseNoInternalNamesAndNoPersonalData(t *testing.T) {
	internal := regexp.MustCompile(`[a-z][A-Z]|HR[0-9]|_|a\.petrova|s\.ilievska|angelova`)
	given := []*events.Event{
		on("2026-03-02", nurse, assessed(func(a *events.AssessmentCompleted) { a.ToolVersion = "" })),
		on("2026-03-03", nurse, disclosed(csw, nil, events.MentalHealth)),
		on("2026-03-04", prison, &events.RiskLevelChanged{From: "low", To: "high"}),
		on("2026-03-05", prison, &events.PersonReleased{}),
	}
	for _, s := range All() {
		for _, c := range []told{{}, {given: given}} {
			if v := c.verdict(s.ID); internal.MatchString(v.Explanation) {
				t.Errorf("%s says %q", s.ID, v.Explanation)
			}
		}
		if internal.MatchString(s.Demands) {
			t.Errorf("%s demands %q", s.ID, s.Demands)
		}
	}
}

// The JSON that `safeguard check` prints (interfaces.md), with the title added.
func TestVerdictJSON(t *testing.T) {
	v := told{given: []*events.Event{on("2026-03-02", prison, &events.PersonReleased{Papers: true, Means: true}, as("release"))}}.verdict("HR17")
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"case":"MK-2026-0001","safeguard":"HR17","title":"Papers, roof, means","verdict":"fail","severity":"high","events":["` +
		labelled("release").String() + `"],"explanation":"The person was released without accommodation."}`
	if string(raw) != want {
		t.Errorf("%s\nexpected %s", raw, want)
	}
}
