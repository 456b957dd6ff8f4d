package regional

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/internal/testlog"
	"traga.internal/projections/obligations"
)

// fewYears is a log of some years, with contested assessments, trainings and decreed days among its events.
func fewYears(seed uint64, cases int) []testlog.Planned {
	plan := testlog.Plan(seed, cases, 200*24*time.Hour)
	all := slices.Clone(plan)
	add := func(at time.Time, e *events.Event) {
		switch e.Data.(type) {
		case *events.OfficerTrained:
			e.Stream, e.Case = events.DirectoryStream(e.Jurisdiction), ""
		case *events.NonWorkingDayDecreed:
			e.Stream, e.Case = events.ProtocolStream(e.Jurisdiction), ""
		}
		e.ID = events.DeriveID("few years", fmt.Sprint(len(all)))
		e.CorrelationID, e.OccurredAt, e.Type = e.ID, at, fmt.Sprintf("%T", e.Data)[len("*events."):]
		all = append(all, testlog.Planned{At: at, Event: e})
	}
	n := 0
	for i, p := range plan {
		d, ok := p.Event.Data.(*events.AssessmentCompleted)
		if !ok {
			continue
		}
		say := func(data any) *events.Event {
			return &events.Event{Case: p.Event.Case, Stream: p.Event.Stream, Jurisdiction: p.Event.Jurisdiction, Actor: p.Event.Actor, Data: data}
		}
		if n%4 > 0 {
			add(p.At.Add(time.Hour), say(&events.AssessmentContested{Assessment: d.Assessment, Grounds: "g"}))
		}
		if n%4 > 1 {
			outcome := []string{"upheld", "changed", "dismissed"}[n%3]
			add(p.At.Add(time.Duration(n%90+1)*24*time.Hour), say(&events.AssessmentContestDecided{Assessment: d.Assessment, Outcome: outcome, Reasons: "r"}))
		}
		if n%5 == 0 {
			add(plan[i/2].At, say(&events.OfficerTrained{Officer: []string{"x", "officer-1"}[n%2], Tool: "vera", Provider: "p", On: events.DateIn(plan[i/2].At, time.UTC)}))
		}
		if n%9 == 0 {
			add(p.At, say(&events.NonWorkingDayDecreed{Date: events.DateIn(p.At, time.UTC) + 20, Name: map[string]string{"en": "day"}, Act: "a"}))
		}
		n++
	}
	slices.SortStableFunc(all, func(a, b testlog.Planned) int { return a.At.Compare(b.At) })
	return all
}

func write(t testing.TB, plan []testlog.Planned) *memstore.Store {
	t.Helper()
	clock := new(testlog.Clock)
	store := memstore.New(clock.Now)
	must(t, testlog.Write(t.Context(), store, clock, plan, 1))
	return store
}

func ask(t testing.TB, e *projections.Engine, asOf events.AsOf, now time.Time) string {
	t.Helper()
	var b strings.Builder
	for _, p := range []Period{Years, Quarters} {
		c, err := Matrix(t.Context(), e, nil, Query{AsOf: asOf, Now: now, Period: p})
		must(t, err)
		b.WriteString(jsonOf(c))
	}
	list, err := Tools(t.Context(), e, Query{AsOf: asOf, Now: now})
	must(t, err)
	b.WriteString(jsonOf(list))
	return b.String()
}

// Asking as of an earlier instant or position gives what was answered then, whatever was recorded after it.
func TestAsKnownThen(t *testing.T) {
	plan := fewYears(3, 30)
	whole := project(t, write(t, plan))
	end := plan[len(plan)-1].At
	for _, percent := range []int{4, 40, 90} {
		n := len(plan) * percent / 100
		for n < len(plan) && plan[n].At.Equal(plan[n-1].At) {
			n++
		}
		at := plan[n-1].At.Truncate(time.Microsecond) // as the store records it
		then := project(t, write(t, plan[:n]))
		want := ask(t, then, events.AsOf{}, at)
		if got := ask(t, whole, events.AsOf{Instant: at}, end); got != want {
			t.Errorf("%d%% of the log: as of %s another answer than then", percent, at)
		}
		if got := ask(t, whole, events.AsOf{Position: events.At(uint64(n))}, end); got != want {
			t.Errorf("%d%% of the log: as of position %d another answer than then", percent, n)
		}
		if want == ask(t, whole, events.AsOf{}, end) {
			t.Errorf("%d%% of the log: the answer never changed, so this shows nothing", percent)
		}
	}
}

// What is counted is what each case's own fold says, at any instant: every obligation once, with its state, the
// quarter of its due date and its lead; every use of a tool once, with what became of its contest.
func TestCountsAreThoseOfTheFolds(t *testing.T) {
	plan := fewYears(11, 12)
	store := write(t, plan)
	e := project(t, store)
	rapid.Check(t, func(r *rapid.T) {
		at := plan[rapid.IntRange(0, len(plan)-1).Draw(r, "event")].At.Add(time.Duration(rapid.IntRange(-48, 2000).Draw(r, "hours")) * time.Hour)
		asOf := events.AsOf{Instant: at}
		book, err := e.BookAt(t.Context(), asOf)
		must(t, err)
		want, got := map[string]int{}, map[string]int{}
		uses, gotUses := map[string]int{}, map[string]int{}
		trackers, histories := map[string]*protocol.Tracker{}, map[string]*history.History{}
		page, err := store.ReadAll(t.Context(), events.Start, 1<<20, events.Filter{StreamPrefixes: []string{"case-"}})
		must(t, err)
		for i := range page.Events {
			if !asOf.Includes(page.Events[i].RecordedAt, page.Events[i].Position) {
				break
			}
			event, err := events.Decode(&page.Events[i])
			must(t, err)
			if trackers[event.Case] == nil {
				trackers[event.Case], histories[event.Case] = protocol.NewTracker(book), new(history.History)
			}
			trackers[event.Case].Evolve(event)
			histories[event.Case].Evolve(event)
		}
		for number, tracker := range trackers {
			for _, o := range tracker.Obligations() {
				if s := o.State(at); s != protocol.Pending && s != protocol.DueSoon {
					want[fmt.Sprint(number[:2], " ", o.Rule, " ", o.Due.Date, " ", s, " ", o.MetOn)]++
				}
			}
			for _, entry := range histories[number].Entries() {
				if !entry.Stands() {
					continue
				}
				switch d := entry.Now.(type) {
				case *events.ScreeningCompleted:
					uses[fmt.Sprint(number[:2], " screening ", d.Tool, d.ToolVersion, entry.OccurredAt.UnixMicro(), " ")]++
				case *events.AssessmentCompleted:
					contest := ""
					for _, later := range histories[number].Entries() { // the plan records these in the order of occurrence
						switch c := later.Now.(type) {
						case *events.AssessmentContested:
							contest = "open"
						case *events.AssessmentContestDecided:
							contest = c.Outcome
						}
					}
					uses[fmt.Sprint(number[:2], " assessment ", d.Tool, d.ToolVersion, entry.OccurredAt.UnixMicro(), " ", contest)]++
				}
			}
		}
		must(t, obligations.EachDecided(t.Context(), e, asOf, at, func(d obligations.Decided) error {
			got[fmt.Sprint(d.Jurisdiction, " ", d.Rule, " ", d.Due, " ", d.State, " ", d.MetOn)]++
			return nil
		}))
		must(t, eachUse(t.Context(), e, Query{AsOf: asOf}, at, func(u *use) error {
			gotUses[fmt.Sprint(u.jurisdiction, " ", u.kind, " ", u.tool, u.version, u.occurredAt.UnixMicro(), " ", u.contest)]++
			return nil
		}))
		if !maps.Equal(got, want) {
			r.Fatalf("as of %s: %d kinds of obligations, the folds have %d", at, len(got), len(want))
		}
		if !maps.Equal(gotUses, uses) {
			r.Fatalf("as of %s: uses %v, the folds have %v", at, gotUses, uses)
		}
	})
}

// Asking for one jurisdiction gives exactly its part of the whole answer, so that nothing is found by asking for
// another part; and a book of the caller's own that knows later events changes nothing.
func TestAPartIsOfTheWhole(t *testing.T) {
	plan := fewYears(5, 50)
	e := project(t, write(t, plan))
	q := Query{AsOf: events.AsOf{Instant: plan[len(plan)*2/3].At}, Period: Quarters}
	later, err := e.BookAt(t.Context(), events.AsOf{})
	must(t, err)
	whole, err := Matrix(t.Context(), e, nil, q)
	must(t, err)
	tools, err := Tools(t.Context(), e, q)
	must(t, err)
	suppressed := 0
	for i, j := range events.Jurisdictions() {
		q.Jurisdiction = j
		part, err := Matrix(t.Context(), e, later, q)
		must(t, err)
		want := whole
		want.Jurisdictions, want.Rules = whole.Jurisdictions[i:i+1], nil
		for _, r := range whole.Rules {
			if r.Cells[i].Performance.Suppressed {
				suppressed++
			}
			r.Cells = r.Cells[i : i+1]
			want.Rules = append(want.Rules, r)
		}
		if jsonOf(part) != jsonOf(want) {
			t.Errorf("%s alone is not its part of the whole", j)
		}
		some, err := Tools(t.Context(), e, q)
		must(t, err)
		if jsonOf(some) != jsonOf(slices.DeleteFunc(slices.Clone(tools), func(t Tool) bool { return t.Jurisdiction != j })) {
			t.Errorf("the tools of %s alone are not their part of the whole", j)
		}
	}
	if suppressed == 0 || suppressed == 6*len(whole.Rules) {
		t.Errorf("%d cells are suppressed, so this shows nothing", suppressed)
	}
}

// The JSON of both answers, over a log of some years; of the matrix a few rules.
func TestGolden(t *testing.T) {
	plan := fewYears(7, 60)
	e := project(t, write(t, plan))
	now := plan[len(plan)-1].At
	c, err := Matrix(t.Context(), e, nil, Query{Now: now})
	must(t, err)
	c.Rules = slices.DeleteFunc(c.Rules, func(r Rule) bool {
		return !slices.Contains([]string{"screening", "notify-probation", "post-penal-review"}, r.Rule)
	})
	for i := range c.Jurisdictions { // the protocols' own tests hold these
		c.Jurisdictions[i].Protocol.Digest = "sha256:..."
	}
	golden(t, "matrix", c)
	one, err := Matrix(t.Context(), e, nil, Query{Now: now, Jurisdiction: "XK", Period: Quarters, Lang: "sq"})
	must(t, err)
	one.Rules = one.Rules[:1]
	one.Jurisdictions[0].Protocol.Digest = "sha256:..."
	golden(t, "matrix-one-by-quarter", one)
	list, err := Tools(t.Context(), e, Query{Now: now})
	must(t, err)
	golden(t, "tools", list)
}
