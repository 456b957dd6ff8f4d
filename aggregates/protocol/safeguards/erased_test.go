package safeguards

import (
	"testing"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// erased takes fields out of an entry, as they read once their key was destroyed.
func erased(e *events.Event, pointers ...string) *events.Event {
	for _, p := range pointers {
		e.Withheld = append(e.Withheld, events.Withheld{Pointer: p, Category: events.Risk, Reason: events.Erased, Receipt: labelled("receipt")})
	}
	return e
}

// What was erased makes no finding: a safeguard that hangs on it is not-applicable, and says so. What shows a breach
// without it still does.
func TestWhatWasErasedIsNotJudged(t *testing.T) {
	assessment := func(change func(*events.AssessmentCompleted)) *events.Event {
		return erased(on("2026-03-02", prison, assessed(func(a *events.AssessmentCompleted) {
			a.Level, a.Indicators, a.Facts, a.Opinions = "", nil, nil, nil
			change(a)
		}), as("assessment")), "/level", "/indicators", "/facts", "/opinions")
	}
	gone := assessment(func(*events.AssessmentCompleted) {})
	raised := erased(on("2026-03-03", prison, &events.RiskLevelChanged{Automated: true}, as("level")), "/from", "/to", "/reasons", "/indicators")
	later := on("2026-03-09", prison, &events.RiskLevelChanged{From: "low", To: "high", Indicators: []string{"religious-practice"}, Automated: true}, as("later"))
	young := func(guardian string) *events.Event {
		return on("2026-03-01", prison, &events.SpecificGroupRecorded{Group: "juvenile", Guardian: guardian}, as("young"))
	}
	special := assessment(func(a *events.AssessmentCompleted) { a.Specialist = true })
	plan := &events.TreatmentPlanAdopted{Plan: "p"}
	for safeguard, stories := range map[string]map[string]told{
		"HR08": {
			"the indicators":              {given: []*events.Event{gone, raised}, then: NotApplicable, shownBy: []string{"assessment", "level"}},
			"and a later one that breaks": {given: []*events.Event{gone, later}, then: Fail, shownBy: []string{"later"}},
		},
		"HR09": {
			"facts and opinions":      {given: []*events.Event{gone}, then: NotApplicable, shownBy: []string{"assessment"}},
			"and no tool in any case": {given: []*events.Event{assessment(func(a *events.AssessmentCompleted) { a.Tool = "" })}, then: Fail},
		},
		"HR10": {
			"whether it was an increase":  {given: []*events.Event{raised}, then: NotApplicable, shownBy: []string{"level"}},
			"and a later one that breaks": {given: []*events.Event{raised, later}, then: Fail, shownBy: []string{"later"}},
		},
		"HR12": {
			"the reason":           {given: []*events.Event{erased(on("2026-03-02", prison, plan, as("plan")), "/goals", "/opinion")}, then: NotApplicable, shownBy: []string{"plan"}},
			"there never was one":  {given: []*events.Event{erased(on("2026-03-02", prison, plan, as("plan")), "/goals")}, then: Fail, shownBy: []string{"plan"}},
			"there is another one": {given: []*events.Event{erased(on("2026-03-02", prison, plan, as("plan"), because("ill")), "/goals", "/opinion")}, then: Pass},
			"the person took part": {given: []*events.Event{erased(on("2026-03-02", prison, &events.TreatmentPlanAdopted{Plan: "p", Participated: true}, as("plan")), "/goals")}, then: Pass},
		},
		"HR25": {
			"the guardian":                  {given: []*events.Event{erased(young(""), "/guardian"), special}, then: NotApplicable, shownBy: []string{"young"}},
			"there never was one":           {given: []*events.Event{young(""), special}, then: Fail},
			"the guardian, no specialist":   {given: []*events.Event{erased(young(""), "/guardian"), gone}, then: Fail, shownBy: []string{"assessment"}},
			"all of the assessment, not it": {given: []*events.Event{young("m."), special}, then: Pass},
		},
		"HR28": {
			"with another case of the person": {given: []*events.Event{erased(on("2026-01-10", prison, &events.CaseOpened{Subject: "s", Institution: "mk-prison-idrizovo"}), "/name"),
				on("2026-03-02", des, &events.RetentionReviewed{Outcome: "erase", Reason: "over"}, as("done retention-review"))},
				duties: []protocol.Obligation{duty("retention-review", "2026-03-02", protocol.Met)}, at: "2026-05-02", then: Pass},
		},
	} {
		t.Run(safeguard, func(t *testing.T) { thus(t, safeguard, stories) })
	}
}
