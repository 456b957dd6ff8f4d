package vault_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/sqlitestore"
)

// The benchmarks spread their events among so many cases, of as many persons.
const benchCases = 500

func benchNumber(i int) string { return fmt.Sprintf("MK-2026-%06d", i%benchCases) }

// benchLog is a log on disk in which the cases are open, and so are their keys.
func benchLog(b *testing.B, protected bool) events.Store {
	log, err := sqlitestore.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { log.Close() })
	var s events.Store = log
	if protected {
		s = open(b, b.TempDir()).Wrap(log)
	}
	var wg sync.WaitGroup
	for i := range benchCases {
		wg.Go(func() {
			appendTo(b, s, happens(benchNumber(i), opened(fmt.Sprint("s-", i))), happens(benchNumber(i), &events.AssessmentContested{Assessment: "a", Grounds: "g"}))
		})
	}
	wg.Wait()
	return s
}

// benchEvents are n events of about 300 bytes of data each; every so many of them has a protected field.
func benchEvents(b *testing.B, n, every int) []events.Proposed {
	text := strings.Repeat("d", 220)
	list := make([]events.Proposed, n)
	for i := range list {
		var data any = &events.SupportProvided{Service: text}
		if i%every == 0 {
			data = &events.AssessmentContested{Assessment: "a", Grounds: text}
		}
		p, err := events.Encode(happens(benchNumber(i), data))
		if err != nil {
			b.Fatal(err)
		}
		list[i] = p
	}
	return list
}

// appendRate stores events by 64 writers at once and returns how many a second.
func appendRate(b *testing.B, s events.Store, list []events.Proposed) float64 {
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	begin := time.Now()
	for range 64 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				if _, err := s.Append(context.Background(), events.CaseStream(benchNumber(i)), events.Any, list[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(len(list)) / time.Since(begin).Seconds()
}

// BenchmarkAppendRatio is the rate of durable appends through the vault over that without it, in turns in one run: where
// every event has a protected field, and where one in three has, as in the caseload of the demo.
func BenchmarkAppendRatio(b *testing.B) {
	for name, every := range map[string]int{"every": 1, "third": 3} {
		b.Run(name, func(b *testing.B) {
			const rounds, n = 4, 10_000
			for b.Loop() {
				var with, without float64
				plain, protected := benchLog(b, false), benchLog(b, true)
				for range rounds {
					without += 1 / appendRate(b, plain, benchEvents(b, n, every))
					with += 1 / appendRate(b, protected, benchEvents(b, n, every))
				}
				b.ReportMetric(without/with, "ratio")
				b.ReportMetric(rounds/with, "events/s")
			}
		})
	}
}

// BenchmarkReadRatio is the rate of reading and decoding the whole log through the vault over that of the same log in
// plain.
func BenchmarkReadRatio(b *testing.B) {
	const n = 20_000
	for name, every := range map[string]int{"every": 1, "third": 3} {
		b.Run(name, func(b *testing.B) {
			plain, protected := benchLog(b, false), benchLog(b, true)
			appendRate(b, plain, benchEvents(b, n, every))
			appendRate(b, protected, benchEvents(b, n, every))
			for b.Loop() {
				var with, without time.Duration
				for range 4 {
					without += readTime(b, plain)
					with += readTime(b, protected)
				}
				b.ReportMetric(without.Seconds()/with.Seconds(), "ratio")
			}
		})
	}
}

func readTime(b *testing.B, s events.Store) time.Duration {
	begin := time.Now()
	for after, more := events.Start, true; more; {
		page, err := s.ReadAll(b.Context(), after, 1000, events.Filter{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range page.Events {
			if _, err := events.Decode(&page.Events[i]); err != nil {
				b.Fatal(err)
			}
		}
		after, more = page.Scanned, page.More
	}
	return time.Since(begin)
}
