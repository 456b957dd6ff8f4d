package simulate_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/simulate"
)

// TestGenerate: the log has exactly the events asked for, keeps the structural rules, and its times do not go back.
func TestGenerate(t *testing.T) {
	const n = 20_000
	logOf := func(dir string, seed int64) []*events.Event {
		t.Helper()
		var stored int64
		if err := simulate.Generate(t.Context(), dir, "", n, seed, func(s int64) { stored = s }); err != nil {
			t.Fatal(err)
		}
		if stored != n {
			t.Errorf("progress says %d events, want %d", stored, n)
		}
		store, err := sqlitestore.Open(t.Context(), dir, sqlitestore.ReadOnly())
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		return all(t, store)
	}
	dir := filepath.Join(t.TempDir(), "a")
	log := logOf(dir, 1)
	if len(log) != n || log[0].Type != "StoreSimulated" || log[0].Stream != events.StoreStream {
		t.Fatalf("%d events, the first a %s in %s", len(log), log[0].Type, log[0].Stream)
	}
	cases := map[string]*casefile.State{}
	for i, e := range log {
		if i > 0 && e.RecordedAt.Before(log[i-1].RecordedAt) {
			t.Fatalf("event %d goes back in time", i)
		}
		if e.Case == "" {
			continue
		}
		if cases[e.Case] == nil {
			cases[e.Case] = &casefile.State{}
		}
		if _, err := casefile.Decide(cases[e.Case], e, e.RecordedAt); err != nil {
			t.Fatalf("event %d, %s of %s: %v", i, e.Type, e.Case, err)
		}
		cases[e.Case].Evolve(e)
	}
	if len(cases) < n/100 {
		t.Errorf("only %d cases", len(cases))
	}
	again := logOf(filepath.Join(t.TempDir(), "b"), 1)
	for i := range log {
		if log[i].ID != again[i].ID || !log[i].RecordedAt.Equal(again[i].RecordedAt) || log[i].Stream != again[i].Stream {
			t.Fatalf("event %d differs in a second run of the same seed", i)
		}
	}
	if err := simulate.Generate(t.Context(), dir, "", 10, 1, nil); !errors.Is(err, simulate.ErrNotEmpty) {
		t.Errorf("into a store that is not empty: %v", err)
	}
	small := t.TempDir()
	if err := simulate.Generate(t.Context(), small, "", 1, 1, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(small, "log.db")); err != nil {
		t.Error(err)
	}
}

// BenchmarkGenerate measures generating and storing a log.
func BenchmarkGenerate(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		if err := simulate.Generate(b.Context(), filepath.Join(b.TempDir(), "log"), "", n, 1, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
