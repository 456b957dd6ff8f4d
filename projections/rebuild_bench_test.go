package projections_test

import (
	"cmp"
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/projections"
	"traga.internal/projections/internal/testlog"
	"traga.internal/projections/obligations"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
)

// all are the read models that traga serves.
func all() []projections.Projection {
	return []projections.Projection{status.Projection(), obligations.Projection(), sharing.Projection()}
}

// Rebuilding all projections, as a ratio to a bare scan that decodes the same events: by the clock, and by the
// processor time of this process, which the load of the machine disturbs less. The log is one on disk, of
// 50,000 events, or as many as TRAGA_BENCH_EVENTS says, kept in the directory TRAGA_BENCH_LOG if
// that is set.
func BenchmarkRebuildRatio(b *testing.B) {
	ctx := context.Background()
	store := benchLog(b)
	scan := func() (n int) {
		for after, more := events.Start, true; more; {
			page, err := store.ReadAll(ctx, after, 1024, events.Filter{})
			if err != nil {
				b.Fatal(err)
			}
			for i := range page.Events {
				if _, err := events.Decode(&page.Events[i]); err != nil {
					b.Fatal(err)
				}
			}
			n += len(page.Events)
			after, more = page.Scanned, page.More
		}
		return n
	}
	n := scan()
	book := protocol.NewBook()
	var bare, full, bareCPU, fullCPU time.Duration
	for b.Loop() {
		begin, cpu := time.Now(), processorTime()
		scan()
		bare += time.Since(begin)
		bareCPU += processorTime() - cpu
		begin, cpu = time.Now(), processorTime()
		e, err := projections.Open(ctx, b.TempDir(), store, book, all())
		if err != nil {
			b.Fatal(err)
		}
		if err := e.CatchUp(ctx, nil); err != nil {
			b.Fatal(err)
		}
		full += time.Since(begin)
		fullCPU += processorTime() - cpu
		e.Close()
	}
	b.ReportMetric(float64(n), "events")
	b.ReportMetric(float64(bare.Nanoseconds())/float64(n)/float64(b.N), "scan-ns/event")
	b.ReportMetric(float64(full.Nanoseconds())/float64(n)/float64(b.N), "rebuild-ns/event")
	b.ReportMetric(float64(bareCPU.Nanoseconds())/float64(n)/float64(b.N), "scan-cpu-ns/event")
	b.ReportMetric(float64(fullCPU.Nanoseconds())/float64(n)/float64(b.N), "rebuild-cpu-ns/event")
	b.ReportMetric(float64(bare)/float64(full), "ratio")
	if fullCPU > 0 {
		b.ReportMetric(float64(bareCPU)/float64(fullCPU), "cpu-ratio")
	}
}

func benchLog(b *testing.B) events.Store {
	ctx := context.Background()
	clock := new(testlog.Clock)
	dir, given := os.LookupEnv("TRAGA_BENCH_LOG")
	if _, err := os.Stat(dir); given && err == nil {
		store, err := sqlitestore.Open(ctx, dir, sqlitestore.ReadOnly())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { store.Close() })
		return store
	}
	n := 50_000
	if s := os.Getenv("TRAGA_BENCH_EVENTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	store, err := sqlitestore.Open(ctx, cmp.Or(dir, b.TempDir()), sqlitestore.WithClock(clock.Now))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	// Cases of some 110 events each, a hundred opened a month.
	cases := max(1, n/110)
	plan := testlog.Plan(1, cases, time.Duration(max(1, cases/100))*30*24*time.Hour)
	if err := testlog.Write(ctx, store, clock, plan[:min(n, len(plan))], 256); err != nil {
		b.Fatal(err)
	}
	return store
}
