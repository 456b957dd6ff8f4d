package projections

import (
	"context"
	"fmt"
	"time"

	"traga.internal/events"
)

// Clock is the instant to judge by for a read as of then: the instant itself, for a position the instant at which
// its event was recorded, else now.
func (e *Engine) Clock(ctx context.Context, asOf events.AsOf, now time.Time) (time.Time, error) {
	if asOf.Position == events.Start {
		return asOf.Clock(now, now), nil
	}
	at := asOf.Position
	for range 2 {
		r, found, err := events.EventAt(ctx, e.store, at)
		if err != nil {
			return time.Time{}, fmt.Errorf("read the log at %s: %w", at, err)
		}
		if found {
			return r.RecordedAt, nil
		}
		// The position is beyond the last event: that one's time it is.
		if at, err = e.store.Head(ctx); err != nil {
			return time.Time{}, fmt.Errorf("read the log's head: %w", err)
		}
		if at == events.Start || at.After(asOf.Position) {
			break
		}
	}
	return now, nil
}
