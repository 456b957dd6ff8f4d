package obligations_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections/internal/testlog"
	"traga.internal/projections/obligations"
)

// The list of alerts over 10,000 open cases of some 40 obligations each, of which about one in a case is due soon
// or overdue at any time: now, and at past instants.
func BenchmarkAlerts(b *testing.B) {
	const cases, perCase = 10_000, 12
	clock := new(testlog.Clock)
	store := memstore.New(clock.Now)
	b.Cleanup(func() { store.Close() })
	ctx := context.Background()
	for n := range perCase {
		for c := range cases {
			clock.Set(testlog.Begin.Add(time.Duration(n*30*24)*time.Hour + time.Duration(c)*4*time.Minute))
			j := events.Jurisdictions()[c%6]
			number := fmt.Sprintf("%s-2024-%05d", j, c)
			p, err := events.Encode(&events.Event{ID: events.DeriveID(number, fmt.Sprint(n)), Type: "SubjectInformed", Case: number, OccurredAt: clock.Now(),
				Actor: events.Actor{Officer: "o", Role: events.CSW, Institution: "i"}, Data: &events.SubjectInformed{Notice: "n", Language: "mk"}})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := store.Append(ctx, events.CaseStream(number), events.Any, p); err != nil {
				b.Fatal(err)
			}
		}
	}
	e := open(b, b.TempDir(), store, invented(manyObligations))
	end := clock.Now()
	for _, at := range []struct {
		name string
		asOf events.AsOf
	}{
		{"now", events.AsOf{}},
		{"past=11months", events.AsOf{Instant: testlog.Begin.AddDate(0, 1, 3)}},
		{"past=6months", events.AsOf{Instant: testlog.Begin.AddDate(0, 6, 3)}},
		{"past=1day", events.AsOf{Instant: end.AddDate(0, 0, -1)}},
		{"position", events.AsOf{Position: events.At(cases * perCase / 2)}},
	} {
		for _, limit := range []int{0, 100} {
			b.Run(fmt.Sprintf("%s/limit=%d", at.name, limit), func(b *testing.B) {
				n := 0
				for b.Loop() {
					list, _, err := obligations.Alerts(ctx, e, obligations.Query{AsOf: at.asOf, Now: end, Limit: limit})
					if err != nil {
						b.Fatal(err)
					}
					n = len(list)
				}
				b.ReportMetric(float64(n), "alerts")
				b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/list")
			})
		}
	}
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			if _, err := obligations.Counts(ctx, e, end); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("loads", func(b *testing.B) {
		for b.Loop() {
			if _, err := obligations.Loads(ctx, e, nil, events.AsOf{}, end); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("watcher", func(b *testing.B) {
		for b.Loop() {
			if _, err := obligations.DueForWatcher(ctx, e, end.AddDate(-2, 0, 0)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// manyObligations: an event activates six of forty obligations and settles those of the events before it, but for
// a few that become alerts.
func manyObligations(e *events.Event) []protocol.Obligation {
	r := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(e.ID[:8]), 1))
	var list []protocol.Obligation
	make := func(revision uint64, n int, outcome protocol.State) {
		due := e.RecordedAt.Add(time.Duration(20+r.IntN(200)) * 24 * time.Hour)
		if outcome == protocol.Pending && r.IntN(40) == 0 {
			due = e.RecordedAt.Add(time.Duration(r.IntN(30)) * 24 * time.Hour)
		}
		o := protocol.Obligation{ID: fmt.Sprintf("rule-%d/%d", n, revision%7), Rule: fmt.Sprintf("rule-%d", n), Severity: protocol.High,
			Duty: events.PrisonTreatment, DutyHolder: "mk-prison-idrizovo", Toward: events.CSW, OverdueFrom: due, WarnFrom: due.AddDate(0, 0, -14), Outcome: outcome}
		o.Due.Date = events.DateIn(due, time.UTC) - 1
		for i := range o.EscalateFrom {
			o.EscalateFrom[i] = due.AddDate(0, 0, 5*i+5)
		}
		list = append(list, o)
	}
	for n := range 6 {
		make(e.Revision, n, protocol.Pending)
		if e.Revision > 0 && r.IntN(24) > 0 {
			make(e.Revision-1, n, protocol.Met)
		}
	}
	return list
}
