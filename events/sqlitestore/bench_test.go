package sqlitestore

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// The size of realistic events, and the number of cases among which the benchmarks spread them.
const (
	metadataBytes = 300
	dataBytes     = 250
	benchStreams  = 2000
	bulkRows      = 1000 // rows in a transaction of the bare bulk insert
)

// BenchmarkAppend64Writers measures durable appends, one event each, by 64 writers at once.
func BenchmarkAppend64Writers(b *testing.B) {
	b.ReportMetric(appendRate(b, b.N), "events/s")
}

// BenchmarkBareSQLiteBulkInsert measures what SQLite does with the same rows, tables, indexes and pragmas when
// nothing stands between: one prepared statement, one goroutine, 1000 rows in a transaction.
func BenchmarkBareSQLiteBulkInsert(b *testing.B) {
	b.ReportMetric(bulkRate(b, b.N), "rows/s")
}

// BenchmarkAppendRatio measures both in turns, so that whatever else the machine does weighs on both alike, and
// reports the rate of appends over the rate of bare rows.
func BenchmarkAppendRatio(b *testing.B) {
	const rounds, rows = 5, 20_000
	for range b.N {
		var appends, bulk float64
		for range rounds {
			bulk += 1 / bulkRate(b, rows)
			appends += 1 / appendRate(b, rows)
		}
		b.ReportMetric(bulk/appends, "ratio")
		b.ReportMetric(rounds/appends, "events/s")
		b.ReportMetric(rounds/bulk, "rows/s")
	}
}

// BenchmarkReadAll measures reading the whole log in pages.
func BenchmarkReadAll(b *testing.B) {
	const rows = 20_000
	s := mustOpen(b, b.TempDir())
	fill := benchEvents(rows)
	for i := 0; i < rows; i += bulkRows {
		if _, err := s.Append(b.Context(), benchStream(i/bulkRows), events.Any, fill[i:i+bulkRows]...); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		seen := 0
		for after, more := events.Start, true; more; {
			page, err := s.ReadAll(b.Context(), after, 1000, events.Filter{})
			if err != nil {
				b.Fatal(err)
			}
			seen, after, more = seen+len(page.Events), page.Scanned, page.More
		}
		if seen != rows {
			b.Fatalf("read %d events of %d", seen, rows)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "events/s")
}

// appendRate stores n events in an empty store and returns how many a second.
func appendRate(b *testing.B, n int) float64 {
	const writers = 64
	s := mustOpen(b, b.TempDir())
	list := benchEvents(n)
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	b.ResetTimer()
	begin := time.Now()
	for range writers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if _, err := s.Append(context.Background(), benchStream(i), events.Any, list[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	rate := float64(n) / time.Since(begin).Seconds()
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return rate
}

// bulkRate inserts the same n rows straight into an empty log file and returns how many a second.
func bulkRate(b *testing.B, n int) float64 {
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), logFile)
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	must(create(ctx, path))
	db, err := openToWrite(path)
	must(err)
	defer db.Close()
	conn, err := db.Conn(ctx)
	must(err)
	defer conn.Close()
	stream, err := conn.PrepareContext(ctx, insertStreamSQL)
	must(err)
	insert, err := conn.PrepareContext(ctx, insertEventSQL)
	must(err)
	list := benchEvents(n)
	known := map[string]bool{}
	b.ResetTimer()
	begin := time.Now()
	for i := 0; i < n; i += bulkRows {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		must(err)
		for k, p := range list[i:min(i+bulkRows, n)] {
			place := i + k
			if name := benchStream(place); !known[name] {
				known[name] = true
				_, err := stream.ExecContext(ctx, name, make([]byte, 16))
				must(err)
			}
			_, err := insert.ExecContext(ctx, int64(place+1), int64(place%benchStreams+1), int64(place/benchStreams), p.ID[:],
				begin.UnixMicro(), p.Type, []byte(p.Metadata), []byte(p.Data), int64(1<<31))
			must(err)
		}
		_, err = conn.ExecContext(ctx, "COMMIT")
		must(err)
	}
	rate := float64(n) / time.Since(begin).Seconds()
	b.StopTimer()
	return rate
}

func benchStream(i int) string { return fmt.Sprintf("case-MK-2026-%06d", i%benchStreams) }

func benchEvents(n int) []events.Proposed {
	list := make([]events.Proposed, n)
	metadata := fmt.Appendf(nil, `{"schema":1,"case":"MK-2026-0001","occurredAt":"2026-03-02T10:15:00+01:00",
		"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},"lateReason":%q}`, "")
	metadata = bytes.Replace(metadata, []byte(`""}`), append(append([]byte{'"'}, bytes.Repeat([]byte("m"), metadataBytes-len(metadata))...), `"}`...), 1)
	data := append(append([]byte(`{"reason":"`), bytes.Repeat([]byte("d"), dataBytes-13)...), `"}`...)
	for i := range list {
		list[i] = events.Proposed{ID: uuid.New(), Type: "NotificationSent", Metadata: metadata, Data: data}
	}
	return list
}
