package protocol

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// longCase is a case of at least n events: the first scenario, then correspondence until there are enough.
func longCase(t testing.TB, n int) []*events.Event {
	files, _ := filepath.Glob("testdata/scenarios/01-*.ndjson")
	log := readScenario(t, files[0])
	cut := slices.IndexFunc(log, func(e *events.Event) bool { return e.Type == "PersonReleased" })
	tail := log[cut:]
	out := slices.Clone(log[:cut])
	at := log[cut-1].RecordedAt
	for i := 0; len(out)+len(tail) < n; i++ {
		at = at.Add(10 * time.Minute)
		csw := events.Party{Institution: "mk-csw-skopje", Role: events.CSW}
		prison := log[0].Actor
		add := func(typ string, actor events.Actor, data any) {
			e := *log[0]
			e.ID, e.Type, e.Actor, e.Data, e.OccurredAt, e.RecordedAt = uuid.New(), typ, actor, data, at, at
			out = append(out, &e)
			at = at.Add(time.Minute)
		}
		id := events.ID(fmt.Sprint("x-", i))
		add("NotificationSent", prison, &events.NotificationSent{Notification: id, Subject: "risk-changed", Recipient: csw})
		add("NotificationAcknowledged", events.Actor{Role: events.CSW, Institution: "mk-csw-skopje"}, &events.NotificationAcknowledged{Notification: id})
		add("InformationRequested", events.Actor{Role: events.CSW, Institution: "mk-csw-skopje"}, &events.InformationRequested{Request: id, From: prison.Party(), Urgency: "normal"})
		add("InformationProvided", prison, &events.InformationProvided{Request: id, Recipient: csw})
		add("SupportProvided", prison, &events.SupportProvided{Service: "s"})
	}
	return append(out, tail...)
}

// One event evaluated for one case, on the average of a case of 50 and of one of 5000 events: the cost does not
// grow with the case.
func BenchmarkEvent(b *testing.B) {
	for _, n := range []int{50, 500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			log, book := longCase(b, n), NewBook()
			var took []time.Duration
			for b.Loop() {
				tr := NewTracker(book)
				for _, e := range log {
					start := time.Now()
					tr.Evolve(e)
					took = append(took, time.Since(start))
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "ns/event-median")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "ns/event-p99")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A case of 500 events folded.
func BenchmarkFold500(b *testing.B) {
	log, book := longCase(b, 500), NewBook()
	b.ReportAllocs()
	for b.Loop() {
		tr := NewTracker(book)
		for _, e := range log {
			tr.Evolve(e)
		}
	}
}

// BenchmarkMemory is what a case of 50 events keeps while it is followed.
func BenchmarkMemory(b *testing.B) {
	log, book := longCase(b, 50), NewBook()
	var before, after runtime.MemStats
	for b.Loop() {
		kept := make([]*Tracker, 500)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range kept {
			kept[i] = NewTracker(book)
			for _, e := range log {
				kept[i].Evolve(e)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(kept)), "B/case")
		runtime.KeepAlive(kept)
	}
}
