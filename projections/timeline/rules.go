package timeline

import (
	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Rules makes the folds by which a case is judged.
type Rules interface {
	Track() Tracker
}

// Tracker is one case's fold by the protocol.
type Tracker interface {
	Evolve(e *events.Event)
	Obligations() []protocol.Obligation
	Calendar() *calendar.Calendar
	ReleaseDate() events.Date
	ReleasedOn() events.Date
	RiskLevel() string
}
