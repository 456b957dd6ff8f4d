package safeguards_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	judging "traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/caseload"
	"traga.internal/projections"
	"traga.internal/projections/safeguards"
	"traga.internal/projections/timeline"
)

var today = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// world is a log that grows, with its read model.
type world struct {
	t      testing.TB
	store  *memstore.Store
	engine *projections.Engine

	mu    sync.Mutex
	clock time.Time
}

func newWorld(t testing.TB, opts ...projections.Option) *world {
	w := &world{t: t, clock: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.store = memstore.New(func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.clock
	})
	t.Cleanup(func() { w.store.Close() })
	var err error
	w.engine, err = projections.Open(context.Background(), t.TempDir(), w.store, protocol.NewBook(), []projections.Projection{safeguards.Projection()}, opts...)
	w.must(err)
	t.Cleanup(func() { w.engine.Close() })
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// record appends an event at an instant.
func (w *world) record(at time.Time, stream string, e *events.Event) {
	w.t.Helper()
	w.mu.Lock()
	w.clock = at
	w.mu.Unlock()
	if e.ID == uuid.Nil {
		e.ID = events.DeriveID(stream, at.String(), e.Type)
	}
	if e.CorrelationID == uuid.Nil {
		e.CorrelationID = e.ID
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = at
	}
	p, err := events.Encode(e)
	w.must(err)
	_, err = w.store.Append(context.Background(), stream, events.Any, p)
	w.must(err)
}

func (w *world) catchUp() { w.t.Helper(); w.must(w.engine.CatchUp(context.Background(), nil)) }

// told is what a step of the log is recorded as.
type told struct {
	at     time.Time
	stream string
	event  *events.Event
}

// aCaseload is a caseload with all that can change a verdict beside the cases' own streams: looks at cases, among
// them at contacts with the monitor by a prison, training, and decreed days.
func aCaseload(t testing.TB, seed int64, cases int) []told {
	g, err := caseload.New(seed, today, cases)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(seed), 4))
	var all []told
	var numbers []string
	for s := range g.All() {
		e := *s.Event
		if e.Case == "" {
			all = append(all, told{s.RecordedAt, events.DirectoryStream(e.Jurisdiction), &e})
			continue
		}
		all = append(all, told{s.RecordedAt, events.CaseStream(e.Case), &e})
		if !slices.Contains(numbers, e.Case) {
			numbers = append(numbers, e.Case)
		}
		what, number := r.IntN(40), numbers[r.IntN(len(numbers))]
		if _, ok := e.Data.(*events.MonitoringContactHeld); ok {
			what, number = 0, e.Case
		}
		switch actor := e.Actor; what {
		case 0:
			if r.IntN(2) == 0 {
				actor.Role = events.PrisonTreatment
			}
			view := []string{"timeline", "monitoring-contacts"}[r.IntN(2)]
			justification := []string{"", "supervision", "complaint"}[r.IntN(3)]
			j, _ := events.ParseCase(number)
			all = append(all, told{s.RecordedAt.Add(time.Duration(r.IntN(2)) * time.Microsecond), events.AccessStream(number), &events.Event{Type: "CaseConsulted", Case: number, Jurisdiction: j,
				Actor: actor, Purpose: "oversight", LegalBasis: "execution-law", Data: &events.CaseConsulted{View: view, Justification: justification, Policy: []string{"p"}}}})
		case 1:
			day := events.DateIn(s.RecordedAt, time.UTC) + events.Date(3+r.IntN(20))
			all = append(all, told{s.RecordedAt, events.ProtocolStream(e.Jurisdiction), &events.Event{Type: "NonWorkingDayDecreed", Jurisdiction: e.Jurisdiction, Actor: actor,
				Data: &events.NonWorkingDayDecreed{Date: day, Name: map[string]string{"en": "mourning"}, Act: fmt.Sprint("act ", len(all))}}})
		case 2:
			all = append(all, told{s.RecordedAt, events.DirectoryStream(e.Jurisdiction), &events.Event{Type: "OfficerTrained", Jurisdiction: e.Jurisdiction, Actor: actor,
				ID:   events.DeriveID("trained", fmt.Sprint(len(all))),
				Data: &events.OfficerTrained{Officer: actor.Officer, Tool: "vera-2r", Provider: "p", On: events.DateIn(s.RecordedAt, time.UTC) - 200}}})
		}
	}
	slices.SortStableFunc(all, func(a, b told) int { return a.at.Compare(b.at) })
	return all
}

// ofTheTimelines are the verdicts of all cases, each worked out by its timeline.
func (w *world) ofTheTimelines(asOf events.AsOf, now time.Time, numbers []string) []judging.Verdict {
	w.t.Helper()
	ctx := context.Background()
	book, err := w.engine.BookAt(ctx, events.AsOf{})
	w.must(err)
	all := []judging.Verdict{}
	for _, n := range numbers {
		c, err := timeline.Read(ctx, w.store, book, n, asOf, now)
		if errors.Is(err, timeline.ErrNoSuchCase) {
			continue
		}
		w.must(err)
		verdicts, err := c.Safeguards(ctx)
		w.must(err)
		all = append(all, verdicts...)
	}
	return all
}

func (w *world) list(r *safeguards.Reader, q safeguards.Query) []judging.Verdict {
	w.t.Helper()
	list, next, err := r.List(context.Background(), q)
	w.must(err)
	if next != "" && q.Limit == 0 {
		w.t.Error("a list without a limit goes on")
	}
	return list
}

func compare(t testing.TB, what string, got, want []judging.Verdict) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d verdicts, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s:\n got %+v\nwant %+v", what, got[i], want[i])
		}
	}
}

func numbersOf(log []told) []string {
	var numbers []string
	for _, e := range log {
		if e.event.Case != "" {
			numbers = append(numbers, e.event.Case)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// instants on, just before and just after events and local midnights, in no order.
func instants(t testing.TB, log []told, n int, seed uint64) []time.Time {
	r := rand.New(rand.NewPCG(seed, 5))
	var all []time.Time
	for range n {
		e := log[r.IntN(len(log))]
		at := e.at
		if r.IntN(2) == 0 { // a day ends
			cal, err := calendar.For(string(e.event.Jurisdiction), "")
			if e.event.Jurisdiction == "" {
				cal, err = calendar.For(e.event.Case[:2], "")
			}
			if err != nil {
				t.Fatal(err)
			}
			at = cal.EndOfDay(events.DateIn(at, cal.Zone()) + events.Date(r.IntN(40)))
		}
		all = append(all, at.Add(time.Duration(r.IntN(3)-1)*time.Microsecond))
	}
	return append(all, log[0].at.Add(-time.Hour), log[len(log)-1].at.AddDate(3, 0, 0))
}

// The list over all cases says at every instant what each case's timeline says, whatever was asked before.
func TestTheListSaysWhatTheTimelineOfEachCaseSays(t *testing.T) {
	log := aCaseload(t, 1, 48)
	w := newWorld(t, projections.WithPage(500))
	for _, e := range log {
		w.record(e.at, e.stream, e.event)
	}
	w.catchUp()
	numbers, reader := numbersOf(log), safeguards.New(w.engine)
	seen := map[string]map[string]bool{}
	for i, at := range instants(t, log, 12, 1) {
		want := w.ofTheTimelines(events.AsOf{Instant: at}, today, numbers)
		compare(t, at.Format(time.RFC3339Nano), w.list(reader, safeguards.Query{AsOf: events.AsOf{Instant: at}, Now: today}), want)
		// Asked again, and of something else, it says the same although it remembers.
		if i%4 == 0 {
			id, verdict := fmt.Sprintf("HR%02d", i%29+1), []string{judging.Fail, judging.Open, judging.Pass, judging.NotApplicable}[i/4%4]
			some := slices.DeleteFunc(slices.Clone(want), func(v judging.Verdict) bool { return v.Safeguard != id || v.Verdict != verdict })
			compare(t, "filtered", w.list(reader, safeguards.Query{AsOf: events.AsOf{Instant: at}, Safeguard: id, Verdict: verdict}), some)
		}
		for _, v := range want {
			if seen[v.Safeguard] == nil {
				seen[v.Safeguard] = map[string]bool{}
			}
			seen[v.Safeguard][v.Verdict] = true
		}
	}
	for _, of := range []string{"HR02", "HR14", "HR24", "HR29"} { // else the test would prove little
		if !seen[of][judging.Fail] || !seen[of][judging.Pass] {
			t.Errorf("%s was never seen to fail, or never to pass: %v", of, seen[of])
		}
	}
	r := rand.New(rand.NewPCG(1, 7))
	for range 4 {
		at := events.AsOf{Position: events.At(uint64(1 + r.IntN(len(log))))}
		compare(t, at.Position.String(), w.list(reader, safeguards.Query{AsOf: at, Now: today}), w.ofTheTimelines(at, today, numbers))
	}
}

// Bare verdicts that are remembered are given up as soon as an event, of the case or of what concerns it, or the
// clock changes one: the filtered list and the counts are right while the log grows and the days pass.
func TestWhatIsRememberedIsGivenUpInTime(t *testing.T) {
	log := aCaseload(t, 2, 12)
	w := newWorld(t)
	numbers, reader := numbersOf(log), safeguards.New(w.engine)
	r := rand.New(rand.NewPCG(2, 2))
	// The first half at once; then a few events at a time, and some time without any.
	next := len(log) / 2
	for _, e := range log[:next] {
		w.record(e.at, e.stream, e.event)
	}
	for round := 0; next < len(log) && round < 15; round++ {
		w.catchUp()
		now := log[next-1].at
		if gap := log[next].at.Sub(now); gap > 0 {
			now = now.Add(time.Duration(r.Int64N(int64(gap))))
		}
		want := w.ofTheTimelines(events.AsOf{}, now, numbers)
		failing := slices.DeleteFunc(slices.Clone(want), func(v judging.Verdict) bool { return v.Verdict != judging.Fail })
		compare(t, now.String(), w.list(reader, safeguards.Query{Now: now, Verdict: judging.Fail}), failing)
		counts, err := reader.Counts(t.Context(), now)
		w.must(err)
		checkCounts(t, counts, failing)
		past := log[r.IntN(next)].at
		compare(t, "the past", w.list(reader, safeguards.Query{AsOf: events.AsOf{Instant: past}, Verdict: judging.Fail}),
			slices.DeleteFunc(w.ofTheTimelines(events.AsOf{Instant: past}, now, numbers), func(v judging.Verdict) bool { return v.Verdict != judging.Fail }))
		for range 1 + r.IntN(2*(len(log)-len(log)/2)/15) {
			if next < len(log) {
				w.record(log[next].at, log[next].stream, log[next].event)
				next++
			}
		}
	}
	// Nothing is recorded any more, and years pass.
	for next < len(log) {
		w.record(log[next].at, log[next].stream, log[next].event)
		next++
	}
	w.catchUp()
	for now := log[len(log)-1].at; now.Before(today.AddDate(2, 0, 0)); now = now.AddDate(0, 2, 0) {
		want := slices.DeleteFunc(w.ofTheTimelines(events.AsOf{}, now, numbers), func(v judging.Verdict) bool { return v.Verdict != judging.Fail })
		counts, err := reader.Counts(t.Context(), now)
		w.must(err)
		checkCounts(t, counts, want)
	}
}

func checkCounts(t *testing.T, counts []safeguards.Count, failing []judging.Verdict) {
	t.Helper()
	want := map[string]int{}
	for _, v := range failing {
		want[v.Case[:2]+v.Safeguard]++
	}
	for _, c := range counts {
		key := string(c.Jurisdiction) + c.Safeguard
		if c.Failures != want[key] {
			t.Fatalf("%s fails in %d cases of %s, want %d", c.Safeguard, c.Failures, c.Jurisdiction, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Fatalf("not counted: %v", want)
	}
}

func TestPagesOfTheListMakeUpTheList(t *testing.T) {
	log := aCaseload(t, 3, 10)
	w := newWorld(t)
	for _, e := range log {
		w.record(e.at, e.stream, e.event)
	}
	w.catchUp()
	reader := safeguards.New(w.engine)
	last := log[len(log)-1]
	for _, q := range []safeguards.Query{
		{Now: today}, {Now: today, Verdict: judging.Fail}, {Now: today, Jurisdiction: "MK", Safeguard: "HR14"},
		{AsOf: events.AsOf{Instant: today.AddDate(0, -6, 0)}}, {AsOf: events.AsOf{Position: events.At(uint64(len(log) / 2))}},
	} {
		whole := w.list(reader, q)
		if len(whole) == 0 {
			t.Fatalf("%+v: nothing", q)
		}
		for _, limit := range []int{1, 7, 29, 1000} {
			if len(whole) > 60*limit { // many pages say no more
				continue
			}
			paged := []judging.Verdict{}
			for page := q; ; {
				page.Limit = limit
				list, next, err := reader.List(t.Context(), page)
				w.must(err)
				if len(list) > limit || len(list) < limit && next != "" {
					t.Fatalf("a page of %d, of at most %d, next %q", len(list), limit, next)
				}
				paged = append(paged, list...)
				if next == "" {
					break
				}
				// What the clock says meanwhile is not asked.
				page.Cursor, page.Now = next, last.at.AddDate(10, 0, 0)
			}
			compare(t, fmt.Sprint("pages of ", limit), paged, whole)
		}
	}
	if _, _, err := reader.List(t.Context(), safeguards.Query{Cursor: "nonsense"}); !errors.Is(err, safeguards.ErrCursor) {
		t.Errorf("got %v", err)
	}
}

// A count that is cut short is gone on with by the next one.
func TestACountThatIsCutShortIsNotLost(t *testing.T) {
	log := aCaseload(t, 4, 10)
	w := newWorld(t)
	for _, e := range log {
		w.record(e.at, e.stream, e.event)
	}
	w.catchUp()
	reader := safeguards.New(w.engine)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reader.Counts(over, today); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	counts, err := reader.Counts(t.Context(), today)
	w.must(err)
	checkCounts(t, counts, w.list(reader, safeguards.Query{Now: today, Verdict: judging.Fail}))
}
