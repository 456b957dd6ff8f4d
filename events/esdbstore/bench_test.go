package esdbstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/esdbtest"
)

var (
	benchMetadata = []byte(`{"schema":1,"case":"MK-2026-0001","occurredAt":"2026-03-02T09:15:00Z","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"}}`)
	benchData     = []byte(`{"notification":"n-csw-1","subject":"planned-release","recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity","sentence"],"channel":"letter"}`)
)

// bare is the library alone, connected to a server.
func bare(b *testing.B, address string) *esdb.Client {
	b.Helper()
	conf, err := esdb.ParseConnectionString(address)
	if err != nil {
		b.Fatal(err)
	}
	conf.Logger = nil
	c, err := esdb.NewClient(conf)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return c
}

// took lets writers work side by side and says how long they took.
func took(writers, calls int, do func(writer, call int)) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range calls {
				do(w, i)
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// BenchmarkAppendRatio lets 64 writers append to streams of their own, with the library alone and through the store, in
// turns and against the same server, and reports the store's rate as a part of the library's.
func BenchmarkAppendRatio(b *testing.B) {
	server := start(b, esdbtest.Options{})
	client, s := bare(b, server.URL()), open(b, server.URL())
	const writers, calls = 64, 50
	var alone, through time.Duration
	for n := 0; b.Loop(); n++ {
		alone += took(writers, calls, func(w, i int) {
			expected := esdb.ExpectedRevision(esdb.NoStream{})
			if i > 0 {
				expected = esdb.Revision(uint64(i - 1))
			}
			_, err := client.AppendToStream(context.Background(), fmt.Sprintf("bare-%d-%d", n, w), esdb.AppendToStreamOptions{ExpectedRevision: expected},
				esdb.EventData{EventID: uuid.New(), EventType: "NotificationSent", ContentType: esdb.ContentTypeJson, Data: benchData, Metadata: benchMetadata})
			if err != nil {
				b.Error(err)
			}
		})
		through += took(writers, calls, func(w, i int) {
			expected := events.NoStream
			if i > 0 {
				expected = events.Revision(uint64(i - 1))
			}
			_, err := s.Append(context.Background(), fmt.Sprintf("case-%d-%d", n, w), expected,
				events.Proposed{ID: uuid.New(), Type: "NotificationSent", Data: benchData, Metadata: benchMetadata})
			if err != nil {
				b.Error(err)
			}
		})
	}
	b.ReportMetric(alone.Seconds()/through.Seconds(), "of-the-client")
	b.ReportMetric(float64(b.N*writers*calls)/through.Seconds(), "appends/s")
}

// fillBench puts so many events of traga's into a server, in streams of 500.
func fillBench(b *testing.B, s *esdbstore.Store, n int) {
	b.Helper()
	for i := 0; i < n; i += 500 {
		list := make([]events.Proposed, 500)
		for j := range list {
			list[j] = events.Proposed{ID: uuid.New(), Type: "NotificationSent", Data: benchData, Metadata: benchMetadata}
		}
		if _, err := s.Append(b.Context(), fmt.Sprint("case-", i/500), events.NoStream, list...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadRatio reads streams of 500 events with the library alone and through the store, in turns.
func BenchmarkReadRatio(b *testing.B) {
	server := start(b, esdbtest.Options{})
	client, s := bare(b, server.URL()), open(b, server.URL())
	fillBench(b, s, 10_000)
	var alone, through time.Duration
	for b.Loop() {
		alone += took(4, 40, func(w, i int) {
			r, err := client.ReadStream(context.Background(), fmt.Sprint("case-", (w*5+i)%20), esdb.ReadStreamOptions{From: esdb.Start{}}, 1000)
			if err != nil {
				b.Error(err)
				return
			}
			defer r.Close()
			n := 0
			for ; ; n++ {
				if _, err := r.Recv(); err != nil {
					break
				}
			}
			if n != 500 {
				b.Errorf("%d events", n)
			}
		})
		through += took(4, 40, func(w, i int) {
			list, err := read(context.Background(), s, fmt.Sprint("case-", (w*5+i)%20))
			if err != nil || len(list) != 500 {
				b.Errorf("%d events, %v", len(list), err)
			}
		})
	}
	b.ReportMetric(alone.Seconds()/through.Seconds(), "of-the-client")
	b.ReportMetric(float64(b.N*4*40*500)/through.Seconds(), "events/s")
}

// BenchmarkCatchUpRatio reads a log of 100,000 events from its beginning, with the library alone in one call and through
// the store in pages, in turns.
func BenchmarkCatchUpRatio(b *testing.B) {
	const n = 100_000
	server := start(b, esdbtest.Options{})
	client, s := bare(b, server.URL()), open(b, server.URL())
	fillBench(b, s, n)
	var alone, through time.Duration
	for b.Loop() {
		began := time.Now()
		r, err := client.ReadAll(context.Background(), esdb.ReadAllOptions{From: esdb.Start{}}, 1<<40)
		if err != nil {
			b.Fatal(err)
		}
		got := 0
		for ; ; got++ {
			if _, err := r.Recv(); err != nil {
				break
			}
		}
		r.Close()
		alone += time.Since(began)
		if got < n {
			b.Fatalf("%d events", got)
		}
		began, got = time.Now(), 0
		for after, more := events.Start, true; more; {
			p, err := s.ReadAll(context.Background(), after, 1024, events.Filter{})
			if err != nil {
				b.Fatal(err)
			}
			got += len(p.Events)
			after, more = p.Scanned, p.More
		}
		through += time.Since(began)
		if got != n {
			b.Fatalf("%d events", got)
		}
	}
	b.ReportMetric(alone.Seconds()/through.Seconds(), "of-the-client")
	b.ReportMetric(n*float64(b.N)/through.Seconds(), "events/s")
}
