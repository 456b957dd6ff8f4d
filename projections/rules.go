package projections

import (
	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Tracker is the fold of one case that says which obligations there are.
type Tracker interface {
	Evolve(e *events.Event)
	Obligations() []protocol.Obligation
	Changed() []protocol.Obligation
	Calendar() *calendar.Calendar
	ReleaseDate() events.Date
	ReleasedOn() events.Date
	RiskLevel() string
}

// Book is which rules and which calendar apply where and when.
type Book interface {
	With(e *events.Event) (Book, error)
	NewTracker() Tracker
}
