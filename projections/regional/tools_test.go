package regional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

func (w *told) assess(number, assessor, tool, version string) uuid.UUID {
	return w.say(number, "x", &events.AssessmentCompleted{Assessment: "a-1", Kind: "risk-and-needs", Tool: tool, ToolVersion: version, Assessor: assessor,
		Level: "low", Indicators: []string{"i"}, Facts: []string{"f"}, Opinions: []string{}})
}

func (w *told) contest(number string) {
	w.say(number, "x", &events.AssessmentContested{Assessment: "a-1", Grounds: "g"})
}

func (w *told) decide(number, outcome string) {
	w.say(number, "x", &events.AssessmentContestDecided{Assessment: "a-1", Outcome: outcome, Reasons: "r"})
}

// lines are the tools, one a line.
func lines(list []Tool) string {
	var b strings.Builder
	text := func(n *int) string { return strings.TrimSpace(jsonOf(n)) }
	for _, t := range list {
		fmt.Fprintf(&b, "%s %s %s %s: ", t.Jurisdiction, t.Kind, t.Tool, t.Version)
		if t.Suppressed {
			b.WriteString("suppressed ")
		}
		fmt.Fprintf(&b, "uses %s contested %s (upheld %s changed %s dismissed %s open %s) trained %s untrained %s hold %s\n", text(t.Uses), text(t.Contested),
			text(t.Outcomes.Upheld), text(t.Outcomes.Changed), text(t.Outcomes.Dismissed), text(t.Outcomes.Open), text(t.TrainedOfficers), text(t.UntrainedOfficers), text(t.HoldTraining))
	}
	return b.String()
}

func expect(t *testing.T, what string, list []Tool, want ...string) {
	t.Helper()
	if got := lines(list); got != strings.Join(want, "\n")+"\n" {
		t.Errorf("%s:\n%sexpected:\n%s", what, got, strings.Join(want, "\n"))
	}
}

// Given twelve assessments of which ten are contested, when six of these are decided, then the outcomes are counted
// as the last decision after the last contest says, and the small ones are found by no subtraction.
func TestContestedAssessments(t *testing.T) {
	w := tell(t).on("2025-01-06")
	cases := w.open("MK", 1, 12)
	w.on("2025-02-03")
	for _, c := range cases {
		w.assess(c, "assessor", "vera", "2")
	}
	w.on("2025-02-10")
	for _, c := range cases[:10] {
		w.contest(c)
	}
	w.decide(cases[11], "upheld") // though nobody contested it
	const before = "MK assessment vera 2: uses 12 contested 10 (upheld null changed null dismissed null open 10) trained null untrained null hold null"
	expect(t, "all open", w.tools(Query{}), before)
	known := events.AsOf{Instant: w.clock}
	w.on("2025-03-03")
	for _, c := range cases[:6] {
		w.decide(c, "dismissed")
	}
	w.decide(cases[0], "upheld")
	w.on("2025-03-10").contest(cases[0]) // once more: open again
	// 5 dismissed, 5 open.
	expect(t, "half decided", w.tools(Query{}), "MK assessment vera 2: uses 12 contested 10 (upheld null changed null dismissed 5 open 5) trained null untrained null hold null")
	expect(t, "as known before", w.tools(Query{AsOf: known}), before)
	w.on("2025-03-17").decide(cases[0], "changed")
	// 5 dismissed, 1 changed, 4 open: what is left of 10 without the dismissed is 5 of two parts.
	expect(t, "one changed", w.tools(Query{}), "MK assessment vera 2: uses 12 contested 10 (upheld null changed null dismissed 5 open null) trained null untrained null hold null")
	w.decide(cases[6], "dismissed")
	// 6 dismissed, 1 changed, 3 open: now 4 would be left, so the dismissed are suppressed too.
	expect(t, "one more dismissed", w.tools(Query{}), "MK assessment vera 2: uses 12 contested 10 (upheld null changed null dismissed null open null) trained null untrained null hold null")
}

// Given screenings by officers with and without training, when trainings begin, run out and are recorded late, then
// each use is judged by its own day and by what was on record.
func TestTrainedOfficers(t *testing.T) {
	w := tell(t).on("2025-01-06")
	cases := w.open("XK", 1, 20)
	day := func(s string) events.Date { d, err := events.ParseDate(s); must(t, err); return d }
	w.on("2025-01-13")
	for i, c := range cases[:12] {
		w.screen(c, fmt.Sprintf("officer-%d", i), "VERA")
	}
	expect(t, "no training on record", w.tools(Query{}), "XK screening VERA 2: uses 12 contested null (upheld null changed null dismissed null open null) trained null untrained null hold null")
	if got := w.tools(Query{})[0]; got.TrainingRecorded || got.Footnote != calendar.Footnote || got.Name != "Kosovo*" {
		t.Errorf("%+v", got)
	}
	w.on("2025-01-20")
	untouched := events.AsOf{Instant: w.clock.Add(-1)}
	for i := range 5 {
		w.train("XK", fmt.Sprintf(" Officer-%d", i), "vera", day("2024-01-01"), day("2025-01-13")) // valid on the day of the use, no more today
		w.train("XK", fmt.Sprintf("officer-%d", i+5), "vera", day("2025-01-14"), 0)                // from the day after the use on
		w.train("XK", fmt.Sprintf("officer-%d", i+10), "another", day("2024-01-01"), 0)
		w.train("MK", fmt.Sprintf("officer-%d", i+5), "vera", day("2024-01-01"), 0) // of another directory
	}
	const known = "XK screening VERA 2: uses 12 contested null (upheld null changed null dismissed null open null) trained 5 untrained 7 hold 5"
	expect(t, "training on record", w.tools(Query{}), known)
	expect(t, "before it was recorded", w.tools(Query{AsOf: untouched}), "XK screening VERA 2: uses 12 contested null (upheld null changed null dismissed null open null) trained null untrained null hold null")
	for i := range 3 {
		w.screen(cases[12+i], fmt.Sprintf("officer-%d", i+5), " vera ") // trained by now; another spelling
	}
	expect(t, "later uses", w.tools(Query{}), "XK screening VERA 2: uses 15 contested null (upheld null changed null dismissed null open null) trained 8 untrained 7 hold 5")
	revoke := func(officer string) {
		w.record(&events.Event{Jurisdiction: "XK", Data: &events.OfficerRevoked{Officer: officer}}, events.DirectoryStream("XK"))
	}
	w.train("XK", "officer-30", "VERA", day("2024-01-01"), 0)
	revoke("officer-30")
	revoke("officer-31")
	expect(t, "one more is trained and leaves", w.tools(Query{}), "XK screening VERA 2: uses 15 contested null (upheld null changed null dismissed null open null) trained 8 untrained 7 hold 5")
	w.record(&events.Event{Jurisdiction: "XK", Data: &events.OfficerAppointed{Officer: "officer-30", Institution: "xk-prison-dubrave", Role: events.PrisonTreatment}}, events.DirectoryStream("XK"))
	expect(t, "and comes back", w.tools(Query{}), "XK screening VERA 2: uses 15 contested null (upheld null changed null dismissed null open null) trained 8 untrained 7 hold 6")
	if got := w.tools(Query{Jurisdiction: "MK"}); got == nil || len(got) != 0 {
		t.Errorf("elsewhere: %v", got)
	}
}

// Given six screenings, when one is annulled and one corrected to another tool, then four are left: too few to be
// shown. When the correction is annulled, five are left. As known before, all six.
func TestCorrectedAndAnnulledUses(t *testing.T) {
	w := tell(t).on("2025-01-06")
	cases := w.open("MK", 1, 6)
	w.on("2025-01-13")
	var ids []uuid.UUID
	for _, c := range cases {
		ids = append(ids, w.screen(c, "x", "vera"))
	}
	none := " contested null (upheld null changed null dismissed null open null) trained null untrained null hold null"
	first := events.AsOf{Instant: w.clock}
	w.on("2025-01-20").say(cases[0], "x", &events.EntryAnnulled{Target: ids[0], Reason: "r"})
	correction := w.say(cases[1], "x", &events.EntryCorrected{Target: ids[1], Reason: "r",
		Replacement: []byte(`{"tool":"ern","toolVersion":"1","result":"indicated","facts":["f"],"opinions":[]}`)})
	second := events.AsOf{Instant: w.clock}
	expect(t, "corrected", w.tools(Query{}), "MK screening ern 1: suppressed uses null"+none, "MK screening vera 2: suppressed uses null"+none)
	w.on("2025-01-27").say(cases[1], "x", &events.EntryAnnulled{Target: correction, Reason: "r"})
	expect(t, "the correction annulled", w.tools(Query{}), "MK screening vera 2: uses 5"+none)
	expect(t, "as known first", w.tools(Query{AsOf: first}), "MK screening vera 2: uses 6"+none)
	expect(t, "as known second", w.tools(Query{AsOf: second}), "MK screening ern 1: suppressed uses null"+none, "MK screening vera 2: suppressed uses null"+none)
	expect(t, "as known at a position", w.tools(Query{AsOf: events.AsOf{Position: events.At(12)}}), "MK screening vera 2: uses 6"+none)
	expect(t, "one position later", w.tools(Query{AsOf: events.AsOf{Position: events.At(13)}}), "MK screening vera 2: uses 5"+none)
}
