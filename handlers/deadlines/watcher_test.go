package deadlines_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/deadlines"
)

const number = "MK-2026-0100"

var (
	skopje = mustZone("Europe/Skopje")
	prison = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	quiet  = deadlines.WithLog(slog.New(slog.NewTextHandler(io.Discard, nil)))
)

func mustZone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return z
}

func local(month time.Month, day, hour, minute int) time.Time {
	return time.Date(2026, month, day, hour, minute, 0, 0, skopje)
}

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
	return t
}

// cases names the same cases each time.
type cases []string

func (c cases) DueCases(context.Context, time.Time) ([]string, error) { return c, nil }

// opened is a store with one case, opened on 12 January 2026: its screening is due on 27 January.
func opened(t *testing.T) (*memstore.Store, *clock) {
	t.Helper()
	c := &clock{now: local(time.January, 12, 9, 0)}
	store := memstore.New(c.Now)
	t.Cleanup(func() { store.Close() })
	add(t, store, &events.CaseOpened{Subject: "s-1", Name: "Nobody", DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted",
		Institution: prison.Institution, AdmittedOn: events.DateOf(2026, time.January, 12)}, "CaseOpened", c.Now())
	return store, c
}

func add(t *testing.T, store events.Store, data any, eventType string, at time.Time) {
	t.Helper()
	id := events.DeriveID("test", eventType, at.String())
	p, err := events.Encode(&events.Event{ID: id, CorrelationID: id, Type: eventType, Case: number, OccurredAt: at, Actor: prison, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Append(t.Context(), events.CaseStream(number), events.Any, p); err != nil {
		t.Fatal(err)
	}
}

func newWatcher(store events.Store, options ...deadlines.Option) *deadlines.Watcher {
	return deadlines.New(store, deadlines.Published(store, protocol.NewBook()), cases{number}, append(options, quiet)...)
}

func sweep(t *testing.T, w *deadlines.Watcher, now time.Time) int {
	t.Helper()
	n, err := w.Sweep(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// alerts are what the watcher recorded, in order, and fails if anything is there twice.
func alerts(t *testing.T, store events.Store) []string {
	t.Helper()
	var all []string
	seen, known := map[string]bool{}, map[uuid.UUID]bool{}
	for r, err := range store.ReadStream(t.Context(), events.CaseStream(number), 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := events.Decode(&r)
		if err != nil {
			t.Fatal(err)
		}
		known[e.ID] = true
		var what string
		switch d := e.Data.(type) {
		case *events.ObligationOverdue:
			what = fmt.Sprintf("%s overdue since %s", d.Obligation, d.Due)
		case *events.ObligationEscalated:
			what = fmt.Sprintf("%s level %d to %s", d.Obligation, d.Level, d.To)
		default:
			continue
		}
		if seen[what] {
			t.Errorf("twice on record: %s", what)
		}
		seen[what] = true
		if e.Actor.Role != events.System || e.Actor.Institution != "traga" || e.Reported(e.RecordedAt) {
			t.Errorf("%s: recorded by %v, reported: %v", what, e.Actor, e.Reported(e.RecordedAt))
		}
		if !known[e.CausationID] {
			t.Errorf("%s: caused by nothing on record", what)
		}
		all = append(all, what)
	}
	return all
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("on record: %q\nwant: %q", got, want)
	}
}

// The screening of the case: due on Tuesday 27 January. The levels follow after 3, 7 and 15 working days.
var screening = []string{"screening overdue since 2026-01-27", "screening level 1 to directorate", "screening level 2 to coordinator", "screening level 3 to ombudsman"}

// TestRecordsOnTheDay: nothing on the due day, the breach on the next, each level on the day after its last.
func TestRecordsOnTheDay(t *testing.T) {
	store, c := opened(t)
	w := newWatcher(store)
	for _, step := range []struct {
		at    time.Time
		known int
	}{
		{local(time.January, 27, 23, 59), 0}, {local(time.January, 28, 0, 5), 1}, {local(time.January, 30, 23, 59), 1},
		{local(time.February, 2, 0, 5), 2}, {local(time.February, 5, 23, 59), 2}, {local(time.February, 6, 0, 5), 3},
		{local(time.February, 17, 23, 59), 3}, {local(time.February, 18, 0, 5), 4}, {local(time.March, 10, 0, 5), 4},
	} {
		sweep(t, w, c.set(step.at))
		if got := alerts(t, store); len(got) != step.known {
			t.Errorf("at %v on record: %q, want %d of them", step.at, got, step.known)
		}
	}
	equal(t, alerts(t, store), screening...)
}

// TestOnceWhateverRestarts: a watcher that starts anew, on the same instant or later, repeats nothing.
func TestOnceWhateverRestarts(t *testing.T) {
	store, c := opened(t)
	now := c.set(local(time.February, 3, 10, 0))
	if n := sweep(t, newWatcher(store), now); n != 2 {
		t.Errorf("%d events, want the breach and the level that was passed over", n)
	}
	for range 3 {
		if n := sweep(t, newWatcher(store), now); n != 0 {
			t.Errorf("%d events after a restart", n)
		}
	}
	equal(t, alerts(t, store), screening[:2]...)
}

// TestOnceWhateverTheClockDoes: forward by weeks, back, and forward again.
func TestOnceWhateverTheClockDoes(t *testing.T) {
	store, c := opened(t)
	w := newWatcher(store)
	for _, at := range []time.Time{local(time.January, 28, 0, 5), local(time.March, 2, 3, 0), local(time.January, 20, 0, 5),
		local(time.January, 28, 0, 5), local(time.February, 3, 0, 5), local(time.March, 2, 3, 0)} {
		sweep(t, w, c.set(at))
	}
	equal(t, alerts(t, store), screening...)
}

// TestOnceWithManyWatchers: watchers that work on one log at the same time record everything once between them.
func TestOnceWithManyWatchers(t *testing.T) {
	store, c := opened(t)
	now := c.set(local(time.February, 20, 0, 5))
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int
	)
	for range 8 {
		wg.Go(func() {
			n, err := newWatcher(store).Sweep(t.Context(), now)
			mu.Lock()
			defer mu.Unlock()
			if total += n; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if total != 4 {
		t.Errorf("the watchers say that they recorded %d events, want 4", total)
	}
	equal(t, alerts(t, store), screening...)
}

// TestOnceProperty: whatever the order of looks, restarts and acts, nothing is on record twice, and after the last
// look nothing is missing.
func TestOnceProperty(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		store, c := opened(t)
		w := newWatcher(store)
		latest := c.Now()
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"look", "look", "look", "restart", "screen", "assess"}).Draw(r, "step") {
			case "restart":
				w = newWatcher(store)
			case "screen":
				add(t, store, &events.ScreeningCompleted{Tool: "VES-short", ToolVersion: "1", Result: "indicated", Facts: []string{"f"}, Opinions: []string{}},
					"ScreeningCompleted", latest)
			case "assess":
				add(t, store, &events.AssessmentCompleted{Assessment: "as-1", Kind: "risk-and-needs", Tool: "VERA-2R", ToolVersion: "2.1", Assessor: "p",
					Indicators: []string{}, Facts: []string{"f"}, Opinions: []string{}}, "AssessmentCompleted", latest)
			default: // anywhere in the year, back as well as forward
				now := c.set(local(time.January, 12, 10, 0).Add(time.Duration(rapid.IntRange(0, 300*24).Draw(r, "hours")) * time.Hour))
				if now.After(latest) {
					latest = now
				}
				sweep(t, w, now)
			}
		}
		c.set(latest)
		sweep(t, w, latest)
		if n := sweep(t, newWatcher(store), latest); n != 0 {
			r.Errorf("%d events were still missing", n)
		}
		alerts(t, store)
		if t.Failed() {
			r.FailNow()
		}
	})
}

// meddling is a store in which something happens at an append.
type meddling struct {
	events.Store
	before func() // once, before the append is stored
	lost   bool   // the answer of the next append is lost
}

func (m *meddling) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	if f := m.before; f != nil {
		m.before = nil
		f()
	}
	a, err := m.Store.Append(ctx, stream, expected, proposed...)
	if m.lost {
		m.lost = false
		return events.Appended{}, events.ErrUnavailable
	}
	return a, err
}

// TestDecidesAnewAfterAConflict: the screening is recorded while the watcher is about to say that it is missing.
func TestDecidesAnewAfterAConflict(t *testing.T) {
	store, c := opened(t)
	now := c.set(local(time.January, 28, 0, 5))
	m := &meddling{Store: store, before: func() {
		add(t, store, &events.ScreeningCompleted{Tool: "VES-short", ToolVersion: "1", Result: "indicated", Facts: []string{"f"}, Opinions: []string{}},
			"ScreeningCompleted", local(time.January, 27, 15, 0))
	}}
	if n := sweep(t, newWatcher(m), now); n != 0 {
		t.Errorf("%d events, though the act was done in time and is on record", n)
	}
	equal(t, alerts(t, store))
}

// TestALostAnswer: the append happened, its answer did not arrive; the next look finds it on record.
func TestALostAnswer(t *testing.T) {
	store, c := opened(t)
	now := c.set(local(time.January, 28, 0, 5))
	w := newWatcher(&meddling{Store: store, lost: true})
	if _, err := w.Sweep(t.Context(), now); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("the lost answer: %v", err)
	}
	if n := sweep(t, w, now); n != 0 {
		t.Errorf("%d events at the next look", n)
	}
	equal(t, alerts(t, store), screening[0])
}

// failing is a store that can't read one stream.
type failing struct {
	events.Store
	stream string
}

func (f failing) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	if stream == f.stream {
		return func(yield func(events.Recorded, error) bool) { yield(events.Recorded{}, events.ErrDamaged) }
	}
	return f.Store.ReadStream(ctx, stream, from)
}

// TestOneBadCaseDoesNotHideTheOthers: its error is returned, and the others are treated.
func TestOneBadCaseDoesNotHideTheOthers(t *testing.T) {
	store, c := opened(t)
	now := c.set(local(time.January, 28, 0, 5))
	bad := failing{store, events.CaseStream("MK-2026-0666")}
	w := deadlines.New(bad, deadlines.Shipped(protocol.NewBook()), cases{"MK-2026-0666", number})
	n, err := w.Sweep(t.Context(), now)
	if n != 1 || !errors.Is(err, events.ErrDamaged) {
		t.Errorf("%d events, %v", n, err)
	}
	equal(t, alerts(t, store), screening[0])
}

// looks notes when it is asked.
type looks struct {
	at   []time.Time
	fail bool
}

func (l *looks) DueCases(_ context.Context, now time.Time) ([]string, error) {
	l.at = append(l.at, now)
	if l.fail {
		return nil, events.ErrUnavailable
	}
	return nil, nil
}

// TestRun: it looks at once, at 00:05 local time and every few minutes, goes on after an error, and ends with ctx.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now() // midnight UTC, 1 January 2000: 01:00 in the six jurisdictions
		l := &looks{fail: true}
		store := memstore.New(time.Now)
		defer store.Close()
		w := deadlines.New(store, deadlines.Shipped(protocol.NewBook()), l, deadlines.WithInterval(7*time.Minute), quiet)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(24 * time.Hour)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !l.at[0].Equal(begun) {
			t.Errorf("the first look at %v, want at once", l.at[0])
		}
		at0005 := 0
		for i, at := range l.at {
			if i > 0 && at.Sub(l.at[i-1]) > 7*time.Minute {
				t.Errorf("%v between two looks", at.Sub(l.at[i-1]))
			}
			if at.In(skopje).Format("15:04:05") == "00:05:00" {
				at0005++
			}
		}
		if at0005 != 1 {
			t.Errorf("%d looks at 00:05, want 1", at0005)
		}
	})
}

// TestLook: 00:05 also on the odd days, and the next one is never in the past.
func TestLook(t *testing.T) {
	for _, tt := range []struct{ from, want time.Time }{
		{local(time.March, 28, 0, 5), local(time.March, 28, 0, 5)},
		{local(time.March, 28, 0, 6), local(time.March, 29, 0, 5)}, // summer time begins at 02:00
		{local(time.March, 29, 12, 0), local(time.March, 30, 0, 5)},
		{local(time.October, 25, 0, 6), local(time.October, 26, 0, 5)}, // a day of 25 hours
		{local(time.December, 31, 23, 59), local(time.December, 31, 23, 59).Add(6 * time.Minute)},
	} {
		if got := deadlines.NextLook(tt.from, skopje); !got.Equal(tt.want) {
			t.Errorf("after %v comes %v, want %v", tt.from, got, tt.want)
		}
	}
}
