package obligations_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
)

// invent is what an event changes in a case's obligations, by a rule of this test's own: a projection must keep
// whatever versions it is told, not only those that the protocol makes. It depends on the event alone.
type invent func(e *events.Event) []protocol.Obligation

// invented is the projection with obligations that a test makes up.
func invented(with invent) projections.Projection {
	p := obligations.Projection()
	collect := p.Collect
	p.Collect = func() projections.Collector { return &inventing{collect(), with} }
	return p
}

type inventing struct {
	projections.Collector
	with invent
}

func (c *inventing) Collect(s *projections.Step) error {
	own := *s
	own.Obligations, own.Added = c.with(s.Event), 0
	return c.Collector.Collect(&own)
}

// randomObligations changes up to three obligations out of eight in any way.
func randomObligations(e *events.Event) []protocol.Obligation {
	h := fnv.New64a()
	h.Write(e.ID[:])
	r := rand.New(rand.NewPCG(h.Sum64(), 3))
	var list []protocol.Obligation
	for range r.IntN(4) {
		list = append(list, anObligation(r, e.RecordedAt, r.IntN(8), e.ID))
	}
	return list
}

var rules = []string{"screening", "assessment", "notify-csw", "acknowledge", "handover", "first-contact", "share-needs-map", "plan-review"}

func anObligation(r *rand.Rand, at time.Time, n int, id uuid.UUID) protocol.Obligation {
	due := at.Add(time.Duration(r.IntN(120*24)-40*24) * time.Hour).Truncate(time.Hour)
	o := protocol.Obligation{ID: fmt.Sprintf("%s/%d", rules[n], n), Rule: rules[n], Severity: []protocol.Severity{protocol.Medium, protocol.High, protocol.Critical}[r.IntN(3)],
		Duty: events.PrisonTreatment, DutyHolder: events.Institution(fmt.Sprintf("prison-%d", r.IntN(4))), OverdueFrom: due, Outcome: protocol.Pending,
		WarnFrom: due.Add(-time.Duration(r.IntN(15*24)) * time.Hour), ActivatedBy: id, Protocol: "1"}
	o.Due.Date = events.DateIn(due, time.UTC) - 1
	if r.IntN(3) > 0 {
		o.Toward = events.CSW
	}
	if r.IntN(10) == 0 {
		o.DutyHolder = ""
	}
	for i := range o.EscalateFrom {
		o.EscalateFrom[i] = due.Add(time.Duration(i+1) * 100 * time.Hour)
	}
	if r.IntN(3) == 0 {
		o.Outcome = []protocol.State{protocol.Met, protocol.MetLate, protocol.Waived, protocol.Cancelled, protocol.Missed}[r.IntN(5)]
	}
	if r.IntN(6) == 0 {
		o.AcknowledgedBy = id
	}
	return o
}

func open(t testing.TB, dir string, store events.Store, p projections.Projection, opts ...projections.Option) *projections.Engine {
	t.Helper()
	e, err := projections.Open(context.Background(), dir, store, protocol.NewBook(), []projections.Projection{p}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.CatchUp(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return e
}
