package safeguards

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// NextChange is the next instant after now at which a verdict may change although nothing is recorded: a duty
// becomes overdue or is escalated, a release date passes, the time for an erasure ends. The zero time means that
// only new events can change a verdict. Nothing changes by the clock alone before the instant that it answers.
func (j *Judge) NextChange(now time.Time, ev Evidence) time.Time {
	r := j.knownAt(now, ev)
	var next time.Time
	at := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for i := range ev.Obligations {
		o := &ev.Obligations[i]
		switch {
		case o.Outcome != protocol.Pending:
		case o.Rule == "acknowledge":
			at(o.OverdueFrom)
			at(o.EscalateFrom[0])
		case o.Rule == "open-pre-release", strings.HasPrefix(o.Rule, "notify-"), o.Rule == "propagate-correction",
			o.Rule == "report-breach", o.Rule == "decide-complaint", o.Rule == "retention-review":
			at(o.OverdueFrom)
		}
	}
	if released, _ := first[events.PersonReleased](r.Judge); released == nil {
		if date, decision := r.releaseDate(nil); decision != uuid.Nil {
			at(r.calendar.EndOfDay(date))
		}
	}
	if review, d := last[events.RetentionReviewed](r.Judge); review != nil && d.Outcome == "erase" {
		_, runsFrom := r.legalHold(review.moment, nil)
		at(r.calendar.EndOfDay(r.day(runsFrom) + erasureWithin))
	}
	return next
}
