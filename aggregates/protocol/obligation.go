// Package protocol is the deadline evaluator: what must happen in a case, by when, and who answers for it.
//
// Rules are data (rules/*.yaml, or published as an event), with guards in CEL that are compiled and checked when they
// are loaded. A Book holds the rules and the calendars of the six jurisdictions over time. A Tracker folds one case's
// events and tells its Obligations as known so far; those hold no clock, and State and Escalation take the instant to
// judge by. So "as known at T" is: a Tracker over Book.AsKnown(T), given the events recorded by T, asked at T.
// Everything here is pure.
//
// The source is protocol.md; its sentences are the names of the tests.
package protocol

import (
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Severity says how grave it is when a duty is not done, or a safeguard does not hold.
type Severity string

// The severities, gravest last.
const (
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// State of an obligation at an instant (protocol.md, "Obligations").
type State string

// The states. Pending, DueSoon and Overdue depend on the clock; the others on what was recorded.
const (
	Pending   State = "pending"
	DueSoon   State = "due-soon"
	Overdue   State = "overdue"
	Met       State = "met"
	MetLate   State = "met-late"
	Waived    State = "waived"
	Cancelled State = "cancelled"
	Missed    State = "missed"
)

// Open reports whether the duty still stands undone.
func (s State) Open() bool { return s == Pending || s == DueSoon || s == Overdue }

// Breach is a time in which an obligation was overdue, closed by a postponement or a waiver.
type Breach struct {
	Due   events.Date `json:"due"`
	From  events.Date `json:"from"`
	Until events.Date `json:"until"`
}

// Due is when an obligation falls due: at the end of a local day, or (report-breach) at an instant.
type Due struct {
	Date    events.Date // the local day; for an instant, the local day that it lies in
	Instant time.Time   // zero, but for a duty due at an instant
}

// String is the date as YYYY-MM-DD, or the instant in UTC as RFC 3339.
func (d Due) String() string {
	if d.Instant.IsZero() {
		return d.Date.String()
	}
	return d.Instant.UTC().Format(time.RFC3339Nano)
}

// Obligation is one duty that a rule laid on someone in a case, as known after the events folded so far. It
// holds no clock: State and Escalation take the instant to judge by.
type Obligation struct {
	ID    string // <rule> or <rule>/<what it is about>
	Rule  string
	About string

	Severity   Severity
	Duty       events.Role        // the role that must act
	DutyHolder events.Institution // the institution that must act; empty while there is none
	Toward     events.Role        // the counterpart; empty where the rule names none

	Due        Due
	Compressed bool
	// WarnFrom and OverdueFrom are when an undone obligation becomes due-soon and overdue.
	WarnFrom, OverdueFrom time.Time
	// EscalateFrom are when an undone obligation reaches level 1, 2, 3, and EscalateTo the roles told.
	EscalateFrom [3]time.Time
	EscalateTo   [3]events.Role

	// Outcome is Pending while the duty stands undone, else Met, MetLate, Waived, Cancelled or Missed.
	Outcome State

	ActivatedBy    uuid.UUID
	FulfilledBy    uuid.UUID // the nil UUID while there is none; so for the next two
	WaivedBy       uuid.UUID
	AcknowledgedBy uuid.UUID // the latest AlertAcknowledged
	MetOn          events.Date
	RecordedLate   bool
	Breaches       []Breach
	// Reached is the escalation level that had been reached when the duty was met, waived or missed.
	Reached int
	// Protocol is the version of the rules by which it was activated.
	Protocol string
}

// State of the obligation at an instant, given what had been recorded by then.
func (o *Obligation) State(now time.Time) State {
	switch {
	case o.Outcome != Pending:
		return o.Outcome
	case !now.Before(o.OverdueFrom):
		return Overdue
	case !now.Before(o.WarnFrom):
		return DueSoon
	}
	return Pending
}

// Escalation is the level that the obligation has reached at an instant: 0 when none.
func (o *Obligation) Escalation(now time.Time) int {
	if o.Outcome != Pending {
		return o.Reached
	}
	level := 0
	for i, from := range o.EscalateFrom {
		if !from.IsZero() && !now.Before(from) {
			level = i + 1
		}
	}
	return level
}
