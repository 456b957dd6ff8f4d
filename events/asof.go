package events

import (
	"fmt"
	"time"
)

// AsOf is the point of view of a read: what was known at an instant or at a position. The zero value is
// everything that is known now.
type AsOf struct {
	// Instant, if set: the events recorded by then, and this instant as the clock.
	Instant time.Time
	// Position, if set: the events up to and including it, and its event's RecordedAt as the clock.
	Position Position
}

// ParseAsOf reads an instant such as 2026-03-02T10:15:00+01:00, or a position such as 1042.
func ParseAsOf(s string) (AsOf, error) {
	if s == "" {
		return AsOf{}, nil
	}
	if parseInstant(s) {
		t, err := time.Parse(time.RFC3339Nano, s)
		return AsOf{Instant: t}, err
	}
	if p, err := ParsePosition(s); err == nil && p != Start {
		return AsOf{Position: p}, nil
	}
	return AsOf{}, fmt.Errorf("at: expected an instant with its time zone, such as 2026-03-02T10:15:00+01:00, or a position such as 1042")
}

// IsNow reports whether everything known is asked for.
func (a AsOf) IsNow() bool { return a.Instant.IsZero() && a.Position == Start }

// Includes reports whether an event recorded then, at that position, was known.
func (a AsOf) Includes(recordedAt time.Time, position Position) bool {
	if a.Position != Start {
		return !position.After(a.Position)
	}
	return a.Instant.IsZero() || !recordedAt.After(a.Instant)
}

// Clock is the instant to judge by: the asked instant, else the last event's for a position, else now.
func (a AsOf) Clock(last, now time.Time) time.Time {
	switch {
	case a.Position != Start:
		return last
	case !a.Instant.IsZero():
		return a.Instant
	}
	return now
}
