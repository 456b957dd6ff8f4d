package regional

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Seven cases opened on Monday 6 January 2025, so that each screening is due on Tuesday 21 January.
func sevenCases(t *testing.T) (*told, []string) {
	w := tell(t).on("2025-01-06")
	cases := w.open("MK", 1, 7)
	return w, cases
}

// Given seven screenings that fell due, when four are done in time, one late, one case is closed without and one is
// overdue, then each is in its share, and the median is of the five that were done.
func TestPerformanceOfOneCell(t *testing.T) {
	w, cases := sevenCases(t)
	w.on("2025-01-11").screen(cases[0], "x", "vera") // 10 days before
	w.on("2025-01-17").screen(cases[1], "x", "vera") // 4 days
	w.on("2025-01-18").screen(cases[2], "x", "vera") // 3 days
	w.on("2025-01-21").screen(cases[3], "x", "vera") // on the day
	w.on("2025-01-24").screen(cases[4], "x", "vera") // 3 days late
	w.on("2025-02-03").say(cases[5], "x", &events.CaseClosed{Reason: "moved"})
	w.on("2025-02-04")
	const want = "7 = 4 + 1 + 1 + 1; shares 0.5714 0.1429 0.2857; median 3; waived null, cancelled null"
	c := w.matrix(Query{Period: Quarters})
	cell := c.row(t, "screening").cell(t, "MK")
	if got := said(cell.Performance); got != want {
		t.Errorf("all time: %s\nexpected: %s", got, want)
	}
	if got := said(c.row(t, "screening").Total); got != want {
		t.Errorf("total: %s", got)
	}
	var periods []string
	for _, p := range cell.ByPeriod {
		periods = append(periods, p.Period+" "+said(p.Performance))
	}
	if want := []string{"2025-Q1 " + want, "2025-Q2 suppressed", "2025-Q3 suppressed", "2025-Q4 suppressed"}; !slices.Equal(periods, want) {
		t.Errorf("by quarter:\n%s\nexpected:\n%s", strings.Join(periods, "\n"), strings.Join(want, "\n"))
	}
	if got := w.matrix(Query{}).row(t, "screening").cell(t, "MK").ByPeriod; len(got) != 1 || got[0].Period != "2025" || said(got[0].Performance) != want {
		t.Errorf("by year: %v", got)
	}
}

// Given seven screenings, when they are asked of before and after the end of the due day, then they count from the
// next local midnight on, and as known earlier they still do not.
func TestCountsFromTheDayAfterTheDueDate(t *testing.T) {
	w, _ := sevenCases(t)
	for at, want := range map[string]string{
		"2025-01-21T23:59:59+01:00": "suppressed",
		"2025-01-22T00:00:00+01:00": "7 = 0 + 0 + 0 + 7; shares 0 0 1; median null; waived null, cancelled null",
	} {
		w.clock = instant(at)
		if got := said(w.matrix(Query{}).row(t, "screening").cell(t, "MK").Performance); got != want {
			t.Errorf("now %s: %s", at, got)
		}
		w.on("2025-06-01")
		if got := said(w.matrix(Query{AsOf: events.AsOf{Instant: instant(at)}}).row(t, "screening").cell(t, "MK").Performance); got != want {
			t.Errorf("as of %s: %s", at, got)
		}
	}
}

// Given seven screenings overdue, when five more are waived and one is done and annulled again, then the waived are
// told apart and in no share, and the annulled one is overdue.
func TestWaivedAndAnnulled(t *testing.T) {
	w, cases := sevenCases(t)
	w.on("2025-01-10")
	for _, number := range w.open("MK", 10, 5) {
		w.say(number, "x", &events.ObligationWaived{Obligation: "screening", Reason: "r", Approver: "y"})
	}
	done := w.screen(cases[0], "x", "vera")
	before := events.AsOf{Instant: w.clock.AddDate(0, 0, 20)}
	w.on("2025-02-10").say(cases[0], "x", &events.EntryAnnulled{Target: done, Reason: "another person's"})
	if got, want := said(w.matrix(Query{}).row(t, "screening").Total), "7 = 0 + 0 + 0 + 7; shares 0 0 1; median null; waived 5, cancelled null"; got != want {
		t.Errorf("now: %s", got)
	}
	if got, want := said(w.matrix(Query{AsOf: before}).row(t, "screening").Total), "7 = 1 + 0 + 0 + 6; shares 0.1429 0 0.8571; median null; waived 5, cancelled null"; got != want {
		t.Errorf("as known before: %s", got)
	}
}

// Many obligations of one case are about one person: they are a small number.
func TestManyObligationsOfOnePersonAreFew(t *testing.T) {
	r := decided(
		some{"acknowledge", "MK", 1, 30, "2025-02-03", protocol.Met},
		some{"acknowledge", "MK", 2, 1, "2025-02-03", protocol.Met}, some{"acknowledge", "MK", 3, 1, "2025-02-03", protocol.Met},
		some{"acknowledge", "MK", 4, 1, "2025-02-03", protocol.Met})
	if got := said(r.rules["acknowledge"].total.figures()); got != "suppressed" {
		t.Error(got)
	}
	r = decided(some{"acknowledge", "MK", 1, 30, "2025-02-03", protocol.Met}, some{"acknowledge", "MK", 2, 1, "2025-02-03", protocol.Met},
		some{"acknowledge", "MK", 3, 1, "2025-02-03", protocol.Met}, some{"acknowledge", "MK", 4, 1, "2025-02-03", protocol.Met},
		some{"acknowledge", "MK", 5, 1, "2025-02-03", protocol.Overdue})
	if got := said(r.rules["acknowledge"].total.figures()); got != "34 = 33 + 0 + 0 + 1; shares 0.9706 0 0.0294; median null; waived null, cancelled null" {
		t.Error(got)
	}
}

// Where one year of three is small, it could be found by subtraction, so the smallest other is suppressed with it,
// and with that one its quarters.
func TestTheSmallestOtherIsSuppressedToo(t *testing.T) {
	r := decided(many("screening", "MK", 3, "2023-02-06"), many("screening", "MK", 9, "2024-02-05"), many("screening", "MK", 7, "2025-02-03"),
		many("assessment", "MK", 6, "2023-02-06"), // so that 2023 is listed
		many("screening", "MK", 1, "2031-02-03"))  // a year that is not listed
	var got []string
	for _, p := range []Period{Years, Quarters} {
		for _, f := range r.byPeriod(r.rules["screening"].lands["MK"], p) {
			if !f.Suppressed {
				got = append(got, f.Period+" "+jsonOf(f.Due))
			}
		}
	}
	if want := []string{"2024 9\n", "2024-Q1 9\n"}; !slices.Equal(got, want) {
		t.Errorf("shown: %q, expected %q", got, want)
	}
	if total := r.rules["screening"].lands["MK"].total.figures(); *total.Due != 20 {
		t.Errorf("total %d", *total.Due)
	}
	years := r.byPeriod(r.rules["screening"].lands["MK"], Years)
	if first, last := years[0].Period, years[len(years)-1].Period; first != "2023" || last != "2025" {
		t.Errorf("the years listed are %s to %s", first, last)
	}
}

// What was waived in a suppressed cell is not shown, and is not found by subtracting the waived of the other years.
func TestWaivedInASuppressedCell(t *testing.T) {
	waived := func(n int, due string) some { return some{"screening", "MK", 0, n, due, protocol.Waived} }
	r := decided(many("screening", "MK", 4, "2023-02-06"), many("screening", "MK", 3, "2024-02-05"), many("screening", "MK", 9, "2025-02-03"),
		many("assessment", "MK", 6, "2023-02-06"), waived(6, "2024-02-05"), waived(7, "2025-02-03"))
	l := r.rules["screening"].lands["MK"]
	if got := said(l.total.figures()); got != "16 = 16 + 0 + 0 + 0; shares 1 0 0; median 0; waived 13, cancelled null" {
		t.Error(got)
	}
	var got []string
	for _, f := range r.byPeriod(l, Years) {
		got = append(got, f.Period+" "+said(f.Performance))
	}
	if want := []string{"2023 suppressed", "2024 suppressed", "2025 9 = 9 + 0 + 0 + 0; shares 1 0 0; median 0; waived null, cancelled null"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		days []int32
		want float64
	}{{[]int32{4}, 4}, {[]int32{7, -3}, 2}, {[]int32{5, 2}, 3.5}, {[]int32{-9, 30, 1}, 1}, {[]int32{-4, -1, -2, -3}, -2.5}} {
		if got := median(slices.Clone(c.days)); got != c.want {
			t.Errorf("median of %v: %v, expected %v", c.days, got, c.want)
		}
	}
}

// The shipped protocols side by side: what is off somewhere, who has the duty, and that the periods are defaults.
func TestProtocolsSideBySide(t *testing.T) {
	c := tell(t).matrix(Query{Lang: "mk"})
	var codes []string
	for _, j := range c.Jurisdictions {
		codes = append(codes, string(j.Code)+" "+j.Name)
		if !j.Protocol.Default || j.Protocol.PublishedAt != nil || j.Protocol.Source == "" {
			t.Errorf("%s: %+v", j.Code, j.Protocol)
		}
		if (j.Note != "") != (j.Code == "BA") {
			t.Errorf("%s: note %q", j.Code, j.Note)
		}
	}
	if want := "AL Albania, BA Bosnia and Herzegovina, ME Montenegro, MK North Macedonia, RS Serbia, XK Kosovo*"; strings.Join(codes, ", ") != want {
		t.Error(codes)
	}
	if c.Footnote != calendar.Footnote || !strings.Contains(c.Jurisdictions[1].Note, "BA-SRP") {
		t.Error("the footnote or the subdivisions are missing")
	}
	if got := c.row(t, "screening").Title; got != "Извршен скрининг" {
		t.Errorf("title: %s", got)
	}
	probation := c.row(t, "notify-probation")
	for _, cell := range probation.Cells {
		if cell.InForce != (cell.Jurisdiction != "BA") || said(cell.Performance) != "suppressed" || cell.ByPeriod == nil {
			t.Errorf("notify-probation: %+v", cell)
		}
	}
	if cell := c.row(t, "notify-csw").cell(t, "AL"); *cell.Toward != "municipality" || cell.Source != DefaultSource || cell.Version != "sop-al-1" || cell.Severity != protocol.High {
		t.Errorf("AL: %+v", cell)
	}
	if cell := c.row(t, "treatment-plan").cell(t, "RS"); cell.Toward != nil {
		t.Errorf("a rule without a counterpart: %+v", cell)
	}
	// One row for each rule of the table, in its order.
	var ids, want []string
	for _, r := range c.Rules {
		ids = append(ids, r.Rule)
	}
	for _, r := range protocol.NewBook().Rules("MK", events.DateOf(2026, 1, 1)) {
		if !slices.Contains(want, r.ID) {
			want = append(want, r.ID)
		}
	}
	if !slices.Equal(ids, want) {
		t.Errorf("rows %v, expected %v", ids, want)
	}
}

func TestPeriodsInPlainWords(t *testing.T) {
	c := tell(t).matrix(Query{})
	for rule, want := range map[string]string{
		"notify-csw":           "90 days before release",
		"confirm-date":         "3 working days before release",
		"open-pre-release":     "12 months before release; 6 months before release if sentence months more than 0 and sentence months at most 24",
		"screening":            "15 days after the admission",
		"treatment-plan":       "30 days after assessment completed",
		"plan-review":          "6 months after treatment plan adopted or treatment plan reviewed",
		"first-contact":        "3 working days after person released; 1 working day after person released if risk level is high or no accommodation",
		"post-penal-review":    "30 days, 90 days, 180 days and 365 days after person released",
		"acknowledge":          "5 working days after notification sent",
		"answer-request":       "10 working days after information requested; 2 working days after information requested if urgency is urgent",
		"report-breach":        "72 hours after data breach recorded",
		"propagate-correction": "5 working days after entry corrected or entry annulled",
		"retention-review":     "5 years after case closed",
	} {
		if got := c.row(t, rule).cell(t, "MK").Period; got != want {
			t.Errorf("%s: %q, expected %q", rule, got, want)
		}
	}
}

// Given a protocol that Serbia publishes, when it is in force, then its rules, periods and source are shown; before,
// or as known before, the default ones; and a rule that it dropped keeps the performance that it had.
func TestPublishedProtocol(t *testing.T) {
	w := tell(t).on("2025-01-06")
	w.open("RS", 1, 6)
	w.on("2025-03-03")
	before := events.AsOf{Instant: w.clock.Add(-1)}
	set, err := protocol.ParseRules("rs.yaml", []byte(`
protocol: sop-rs
version: sop-rs-2
extends: sop-default
jurisdiction: RS
source: Rulebook 7/2025
off: {screening: replaced}
rules:
  - id: first-interview
    title: {en: First interview held}
    severity: high
    duty: prison-treatment
    activation: {event: CaseOpened}
    due: {after: 3 working days}
    fulfilment: {event: SubjectInformed}
  - id: notify-csw
    title: {en: Centre for social work informed}
    severity: critical
    duty: prison-treatment
    toward: csw
    activation: {release-date: known}
    due: {before-release: 120 days}
    fulfilment: {event: NotificationSent}
    source: Rulebook 7/2025, Article 12
`))
	must(t, err)
	w.record(&events.Event{Jurisdiction: "RS", Data: &events.ProtocolPublished{Version: "sop-rs-2", EffectiveFrom: events.DateOf(2025, 4, 1),
		Rules: set.JSON, Digest: set.Digest}}, events.ProtocolStream("RS"))
	for _, at := range []events.AsOf{before, {}} {
		w.on("2025-03-31")
		c := w.matrix(Query{AsOf: at})
		if cell := c.row(t, "notify-csw").cell(t, "RS"); cell.Period != "90 days before release" || cell.Source != DefaultSource || cell.Version != "sop-rs-1" {
			t.Errorf("before it is in force: %+v", cell)
		}
	}
	w.on("2025-04-01")
	c := w.matrix(Query{Jurisdiction: "RS"})
	if p := c.Jurisdictions[0].Protocol; len(c.Jurisdictions) != 1 || p.Default || p.Version != "sop-rs-2" || p.Source != "Rulebook 7/2025" || p.EffectiveFrom.String() != "2025-04-01" {
		t.Errorf("%+v", c.Jurisdictions)
	}
	if cell := c.row(t, "notify-csw").cell(t, "RS"); cell.Period != "120 days before release" || cell.Source != "Rulebook 7/2025, Article 12" || cell.Severity != protocol.Critical {
		t.Errorf("%+v", cell)
	}
	if cell := c.row(t, "assessment").cell(t, "RS"); cell.Source != "Rulebook 7/2025" {
		t.Errorf("an inherited rule: %+v", cell)
	}
	if cell := c.row(t, "screening").cell(t, "RS"); cell.InForce || *cell.Performance.Overdue != 6 {
		t.Errorf("the dropped rule: %+v", cell)
	}
	if r := c.row(t, "first-interview"); r.Title != "First interview held" || !r.cell(t, "RS").InForce {
		t.Errorf("the new rule: %+v", r)
	}
	if cell := w.matrix(Query{}).row(t, "first-interview").cell(t, "MK"); cell.InForce {
		t.Errorf("the new rule elsewhere: %+v", cell)
	}
}

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]Period{"": Years, "year": Years, "quarter": Quarters} {
		if got, err := ParsePeriod(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParsePeriod("month"); !errors.Is(err, ErrPeriod) {
		t.Error(err)
	}
}
