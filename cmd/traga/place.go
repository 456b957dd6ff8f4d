package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/sqlitestore"
)

// store is the log that a node works on, wherever it is.
type store interface {
	events.Store
	// Lookup finds an event by its id.
	Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error)
	// PositionAt is the position of the last event recorded at t or before.
	PositionAt(ctx context.Context, t time.Time) (events.Position, error)
}

// place is where a node's log is: in the directory, or at the address, and then the directory holds what is built from
// it.
type place struct {
	dir, address string
}

// open opens the log for writing. clock gives the times at which events are recorded.
func (p place) open(ctx context.Context, clock func() time.Time) (store, error) {
	if p.address == "" {
		s, err := sqlitestore.Open(ctx, p.dir, sqlitestore.WithClock(clock))
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := esdbstore.Open(ctx, p.address, esdbstore.WithClock(clock), esdbstore.WithIndex(p.dir))
	switch {
	case errors.Is(err, esdbstore.ErrAddress):
		return nil, &usageError{fmt.Errorf("--store: %w", err)}
	case err != nil:
		return nil, err
	}
	return s, nil
}
