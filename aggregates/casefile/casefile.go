// Package casefile decides whether an act may be recorded on a case: the structural rules, which hold always,
// lawful act or not (safeguards.md, "Record, then judge"). The case exists and is open, a role records what the
// catalogue lets it record, nobody acts for another party, references point at something recorded earlier in
// the case, and ids are not reused.
//
// State is the fold of a case's stream; Decide judges one more event against it. Both are pure: time is a
// parameter and there is no I/O. Which safeguards an act would break is decided beside this package, in
// handlers/record, and only when the structural rules hold.
package casefile

import (
	"slices"

	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// Status of a case. The zero value is a case that was never opened, or whose opening was annulled.
type Status string

// The statuses.
const (
	Open   Status = "open"
	Closed Status = "closed"
)

// Phase of a case (interfaces.md, `case show`).
type Phase string

// The phases, in their order.
const (
	Intake      Phase = "intake"      // until a treatment plan
	Treatment   Phase = "treatment"   // until PreReleasePlanningOpened
	PreRelease  Phase = "pre-release" // until PersonReleased
	Released    Phase = "released"    // until PostPenalPlanAdopted
	PostPenal   Phase = "post-penal"  // until CaseClosed
	PhaseClosed Phase = "closed"      // until CaseReopened
)

// State is what the structural rules need to know of a case: the fold of its stream. The zero value is a case of
// which nothing was recorded. It is not safe for concurrent use, and keeps the events that it is given.
type State struct {
	history history.History
	things  map[thing][]*history.Entry  // what was recorded under an id, in order of recording
	marks   map[string][]*history.Entry // the entries of the few types that move the case, in order of recording
}

// Evolve adds the stream's next event. Its cost does not grow with the case.
func (s *State) Evolve(e *events.Event) {
	if s.things == nil {
		s.things = make(map[thing][]*history.Entry)
		s.marks = make(map[string][]*history.Entry)
	}
	entry := s.history.Evolve(e)[0]
	if t, ok := introduced(e.Data); ok {
		s.things[t] = append(s.things[t], entry)
	}
	switch e.Data.(type) {
	case *events.CaseOpened, *events.CaseClosed, *events.CaseReopened, *events.TreatmentPlanAdopted, *events.PreReleasePlanningOpened,
		*events.PersonReleased, *events.PostPenalPlanAdopted, *events.PrisonTransferred, *events.LegalHoldPlaced, *events.LegalHoldLifted:
		s.marks[e.Type] = append(s.marks[e.Type], entry)
	}
}

// Len is the number of events; the case's revision is one less.
func (s *State) Len() int { return s.history.Len() }

// Entries are all entries in order of recording, as they stand. The slice must not be changed.
func (s *State) Entries() []*history.Entry { return s.history.Entries() }

// Find returns the entry of that event id, nil if the case has none.
func (s *State) Find(id uuid.UUID) *history.Entry { return s.history.Find(id) }

// Opened is the opening as it now reads; nil while there is none that stands.
func (s *State) Opened() *events.CaseOpened {
	if e := s.latest("CaseOpened"); e != nil {
		return e.Now.(*events.CaseOpened)
	}
	return nil
}

// Status is whether the case is open: of its closings and reopenings the one that occurred last counts.
func (s *State) Status() Status {
	switch {
	case s.latest("CaseOpened") == nil:
		return ""
	case s.closing() != nil:
		return Closed
	}
	return Open
}

// Phase is how far the case has come; empty for a case that was never opened.
func (s *State) Phase() Phase {
	if s.Status() == "" {
		return ""
	}
	_, phase := StandingOf(s.history.Entries())
	return phase
}

// Institution is where the person is or was last held: that of the opening, or of the latest transfer.
func (s *State) Institution() events.Institution {
	if e := s.latest("PrisonTransferred"); e != nil {
		return e.Now.(*events.PrisonTransferred).To
	}
	if o := s.Opened(); o != nil {
		return o.Institution
	}
	return ""
}

// latest is, of the entries of a type that stand, the one that occurred last; nil if there is none.
func (s *State) latest(eventType string) *history.Entry {
	var last *history.Entry
	for _, e := range s.marks[eventType] {
		if e.Stands() && (last == nil || !e.OccurredAt.Before(last.OccurredAt)) {
			last = e
		}
	}
	return last
}

// UnderHold reports whether a legal hold stands that was not lifted.
func (s *State) UnderHold() bool {
	return slices.ContainsFunc(s.marks["LegalHoldPlaced"], func(placed *history.Entry) bool {
		id := placed.Now.(*events.LegalHoldPlaced).Hold
		return placed.Stands() && !slices.ContainsFunc(s.marks["LegalHoldLifted"], func(lifted *history.Entry) bool {
			return lifted.Stands() && lifted.Now.(*events.LegalHoldLifted).Hold == id
		})
	})
}

// closing is the closing that the case stands under, nil while it is open.
func (s *State) closing() *history.Entry {
	closed, reopened := s.latest("CaseClosed"), s.latest("CaseReopened")
	if closed == nil || (reopened != nil && after(reopened, closed)) {
		return nil
	}
	return closed
}

// after reports whether a occurred after b; of two at the same instant, whether it was recorded after it.
func after(a, b *history.Entry) bool {
	if a.OccurredAt.Equal(b.OccurredAt) {
		return a.Revision > b.Revision
	}
	return a.OccurredAt.After(b.OccurredAt)
}
