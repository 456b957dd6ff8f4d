package obligations

import (
	"context"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// Decided is an obligation of which it is known what became of it, or that is overdue.
type Decided struct {
	// Case tells cases apart. It is no case number.
	Case         int64
	Jurisdiction events.Jurisdiction
	Rule         string
	// Due is the local day on which it fell due, for a duty due at an instant the day of that instant.
	Due events.Date
	// State is overdue, met, met-late, missed, waived or cancelled.
	State protocol.State
	// MetOn is the local day on which it was done; no date where it was not.
	MetOn events.Date
}

// EachDecided gives fn every obligation of all cases that was decided or overdue, as known at asOf; now is the
// clock when asOf is now. The order is none in particular. An error of fn ends it and is returned, wrapped.
func EachDecided(ctx context.Context, e *projections.Engine, asOf events.AsOf, now time.Time, fn func(Decided) error) error {
	at, err := e.Clock(ctx, asOf, now)
	if err != nil {
		return err
	}
	take := func(r *row, _ []byte) error {
		if !r.known.includedIn(asOf) {
			return nil
		}
		d := Decided{Case: r.caseID, Jurisdiction: events.Jurisdiction(r.jurisdiction), Rule: string(r.rule), Due: events.Date(r.due), State: r.outcome,
			MetOn: events.Date(r.metOn)}
		if r.outcome == protocol.Pending {
			if d.State = r.stateAt(at); d.State != protocol.Overdue {
				return nil
			}
		}
		return fn(d)
	}
	return e.View(ctx, Name, func(v *projections.View) error {
		if err := each(ctx, v, false, `SELECT body FROM {current}`, take); err != nil || asOf.IsNow() {
			return err
		}
		return each(ctx, v, true, `SELECT body FROM {past} WHERE until_at >= ?`, func(r *row, body []byte) error {
			if r.until.includedIn(asOf) {
				return nil
			}
			return take(r, body)
		}, at.UnixMicro())
	})
}
