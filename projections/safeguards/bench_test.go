package safeguards_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	judging "traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/simulate"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	"traga.internal/projections/safeguards"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
)

// A log of 100,000 events, some 2,000 cases: what the read model adds to a rebuild of all others, and what lists
// and counts cost when nothing is remembered yet and when it is.
func BenchmarkSafeguards(b *testing.B) {
	ctx := context.Background()
	dir := b.TempDir()
	if err := simulate.Generate(ctx, dir, "", 100_000, 1, nil); err != nil {
		b.Fatal(err)
	}
	store, err := sqlitestore.Open(ctx, dir, sqlitestore.ReadOnly())
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	others := []projections.Projection{status.Projection(), obligations.Projection(), sharing.Projection()}
	build := func(b *testing.B, set []projections.Projection) *projections.Engine {
		e, err := projections.Open(ctx, b.TempDir(), store, protocol.NewBook(), set)
		if err != nil {
			b.Fatal(err)
		}
		if err := e.CatchUp(ctx, nil); err != nil {
			b.Fatal(err)
		}
		return e
	}
	b.Run("rebuild", func(b *testing.B) {
		var took [2]time.Duration // without, and with
		for n := 0; b.Loop(); n++ {
			for i := range took {
				i = (i + n) % 2 // whoever comes second pays for the first one's garbage
				begin := time.Now()
				build(b, append(slices.Clone(others), safeguards.Projection())[:len(others)+i]).Close()
				took[i] += time.Since(begin)
			}
		}
		b.ReportMetric(took[0].Seconds()/float64(b.N), "s-without")
		b.ReportMetric(took[1].Seconds()/float64(b.N), "s-with")
	})
	e := build(b, []projections.Projection{safeguards.Projection()})
	defer e.Close()
	end := time.Date(2023, 9, 1, 0, 0, 0, 0, time.UTC)
	list := func(b *testing.B, r *safeguards.Reader, q safeguards.Query) {
		if _, _, err := r.List(ctx, q); err != nil {
			b.Fatal(err)
		}
	}
	past := events.AsOf{Instant: end.AddDate(0, -6, 0)}
	b.Run("count/first", func(b *testing.B) {
		for b.Loop() {
			counts, err := safeguards.New(e).Counts(ctx, end)
			if err != nil || len(counts) == 0 {
				b.Fatal(err)
			}
		}
	})
	for name, q := range map[string]safeguards.Query{
		"all": {Now: end}, "page": {Now: end, Limit: 100}, "failing": {Now: end, Verdict: judging.Fail, Limit: 100},
		"rare": {Now: end, Safeguard: "HR26", Verdict: judging.Fail}, "past": {AsOf: past}, "past-failing": {AsOf: past, Verdict: judging.Fail, Limit: 100},
	} {
		b.Run("list/"+name+"/first", func(b *testing.B) {
			for b.Loop() {
				list(b, safeguards.New(e), q)
			}
		})
		b.Run("list/"+name+"/again", func(b *testing.B) {
			r := safeguards.New(e)
			if _, err := r.Counts(ctx, end); err != nil {
				b.Fatal(err)
			}
			list(b, r, q)
			for b.Loop() {
				list(b, r, q)
			}
		})
	}
	b.Run("count/again", func(b *testing.B) {
		r := safeguards.New(e)
		if _, err := r.Counts(ctx, end); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := r.Counts(ctx, end); err != nil {
				b.Fatal(err)
			}
		}
	})
}
