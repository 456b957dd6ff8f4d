package deadlines

import (
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

// LookAt is the local time at which the watcher looks each day, after midnight: what was due on the day before
// is overdue from 00:00.
const LookAt = 5 * time.Minute

// Look is the instant at which the watcher looks on a day in a time zone: 00:05, or five minutes after the day
// begins where summer time takes that hour.
func Look(day events.Date, zone *time.Location) time.Time { return day.In(zone).Add(LookAt) }

// NextLook is the first look in a time zone that is not before an instant.
func NextLook(t time.Time, zone *time.Location) time.Time {
	day := events.DateIn(t, zone)
	if at := Look(day, zone); !at.Before(t) {
		return at
	}
	return Look(day+1, zone)
}

// nextLook is the first one after an instant in any jurisdiction.
func nextLook(t time.Time) time.Time {
	var first time.Time
	for _, j := range calendar.Jurisdictions() {
		c, err := calendar.For(j, "")
		if err != nil {
			continue // each of Jurisdictions has a calendar
		}
		if at := NextLook(t.Add(time.Nanosecond), c.Zone()); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
