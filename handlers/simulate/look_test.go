package simulate_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/caseload"
	"traga.internal/handlers/deadlines"
	"traga.internal/handlers/simulate"
)

// watched is what the watcher recorded, and when.
func watched(log []*events.Event) []string {
	var all []string
	for _, e := range log {
		switch d := e.Data.(type) {
		case *events.ObligationOverdue:
			all = append(all, fmt.Sprintf("%s %s %s due %s", e.RecordedAt.Format(time.RFC3339), e.Case, d.Obligation, d.Due))
		case *events.ObligationEscalated:
			all = append(all, fmt.Sprintf("%s %s %s level %d", e.RecordedAt.Format(time.RFC3339), e.Case, d.Obligation, d.Level))
		}
	}
	slices.Sort(all)
	return all
}

// everyDay is what a watcher that looks at every case on every day records, in another store with the same lines.
func everyDay(t *testing.T, lines []*events.Event) []string {
	t.Helper()
	var now time.Time
	store := memstore.New(func() time.Time { return now })
	defer store.Close()
	w := deadlines.New(store, deadlines.Published(store, protocol.NewBook()), nil)
	zone := protocol.NewBook().Zone("MK") // the six zones have the same offsets
	var cases []string
	look := func(at time.Time) {
		now = at
		for _, number := range cases {
			if _, err := w.Case(t.Context(), number, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := deadlines.NextLook(lines[0].RecordedAt, zone)
	for _, e := range lines {
		for ; !next.After(e.RecordedAt); next = deadlines.NextLook(next.Add(time.Minute), zone) {
			look(next)
		}
		now = e.RecordedAt
		p, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Append(t.Context(), e.Stream, events.Any, p); err != nil {
			t.Fatal(err)
		}
		if e.Case != "" && !slices.Contains(cases, e.Case) {
			cases = append(cases, e.Case)
		}
	}
	last := lines[len(lines)-1].RecordedAt
	if events.DateIn(next, zone) == events.DateIn(last, zone) {
		look(next)
	}
	return watched(all(t, store))
}

func ofLines(log []*events.Event) []*events.Event {
	return slices.DeleteFunc(slices.Clone(log), func(e *events.Event) bool {
		return e.Stream == events.StoreStream || (e.Actor.Role == events.System && e.Type != "PersonalDataErased")
	})
}

// TestNoLookIsMissed: passing over the days on which nothing can happen records the same, on the same days, as
// looking at every case every day.
func TestNoLookIsMissed(t *testing.T) {
	for _, path := range scenarioFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var store events.Store
			if _, err := simulate.Run(t.Context(), setup(&store), open(t, path)); err != nil {
				t.Fatal(err)
			}
			log := all(t, store)
			same(t, watched(log), everyDay(t, ofLines(log)))
		})
	}
	t.Run("a caseload", func(t *testing.T) {
		log := all(t, played(t, 12))
		if n := len(watched(log)); n < 50 {
			t.Errorf("only %d alerts in twelve cases with trouble", n)
		}
		same(t, watched(log), everyDay(t, ofLines(log)))
	})
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("recorded, but not by looking every day: %s", g)
		}
		if at := g[len("2026-01-01T"):][:len("15:04:05")]; at != "23:05:00" && at != "22:05:00" {
			t.Errorf("not recorded at 00:05 local time: %s", g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("missed: %s", w)
		}
	}
}

// played is the log of a caseload that went through a world.
func played(t *testing.T, cases int) events.Store {
	t.Helper()
	today := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	g, err := caseload.New(3, today, cases)
	if err != nil {
		t.Fatal(err)
	}
	clock := &simulate.Clock{}
	store := memstore.New(clock.Now)
	t.Cleanup(func() { store.Close() })
	w, err := simulate.Begin(t.Context(), store, clock, newRecorder(store, clock.Now), protocol.NewBook(), g.From(), "a caseload")
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	if err := w.Play(t.Context(), g.All(), func() { steps++ }); err != nil {
		t.Fatal(err)
	}
	if steps != g.Len() {
		t.Errorf("%d steps played, want %d", steps, g.Len())
	}
	return store
}

// TestTheLastDay: a last line before 00:05 is followed by that day's look, a later one by none.
func TestTheLastDay(t *testing.T) {
	informed := `{"notice":"n","language":"mk","interpreter":false}`
	// The screening is due on 27 January: overdue from the 28th.
	for _, tt := range []struct {
		last string
		want int
	}{
		{"2026-01-27T23:59:00+01:00", 0}, {"2026-01-28T00:01:00+01:00", 1}, {"2026-01-28T00:05:00+01:00", 1}, {"2026-01-28T09:00:00+01:00", 1},
		{"2026-02-01T23:59:59+01:00", 1}, {"2026-02-02T00:00:00+01:00", 2},
	} {
		var store events.Store
		result, err := simulate.Run(t.Context(), setup(&store), read(t, "f.ndjson", opened+"}\n"+action("SubjectInformed", tt.last, "", informed)))
		if err != nil || !result.OK() {
			t.Fatal(result, err)
		}
		if got := watched(all(t, store)); len(got) != tt.want || result.Watched != tt.want {
			t.Errorf("last line at %s: %q (%d), want %d alerts", tt.last, got, result.Watched, tt.want)
		}
	}
}

// TestADecreeMovesTheLook: a day decreed free after the case was opened moves the due date, and with it the look.
func TestADecreeMovesTheLook(t *testing.T) {
	decree := `{"jurisdiction":"MK","type":"NonWorkingDayDecreed","recordedAt":"2026-01-20T09:00:00+01:00","actor":{"officer":"v.trajkovska","role":"directorate","institution":"mk-des"},"data":{"date":"2026-01-27","name":{"en":"a day of mourning"},"act":"decision 1/26"}}` + "\n"
	last := action("SubjectInformed", "2026-01-29T09:00:00+01:00", "", `{"notice":"n","language":"mk","interpreter":false}`)
	for lines, want := range map[string]string{
		opened + "}\n" + last:          "2026-01-27T23:05:00Z MK-2026-0900 screening due 2026-01-27",
		opened + "}\n" + decree + last: "2026-01-28T23:05:00Z MK-2026-0900 screening due 2026-01-28",
	} {
		var store events.Store
		result, err := simulate.Run(t.Context(), setup(&store), read(t, "f.ndjson", lines))
		if err != nil || !result.OK() {
			t.Fatal(result, err)
		}
		if got := watched(all(t, store)); len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// BenchmarkPlay measures the demonstration's caseload going through the write path into an embedded store.
func BenchmarkPlay(b *testing.B) {
	g, err := caseload.New(1, time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC), 48)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		clock := &simulate.Clock{}
		store, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "log"), sqlitestore.WithClock(clock.Now))
		if err != nil {
			b.Fatal(err)
		}
		w, err := simulate.Begin(b.Context(), store, clock, newRecorder(store, clock.Now), protocol.NewBook(), g.From(), "a caseload")
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Play(b.Context(), g.All(), nil); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(g.Len()), "steps")
		b.ReportMetric(float64(w.Watched()), "alerts")
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
