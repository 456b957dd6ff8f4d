package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traga.internal/events/esdbstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
)

// place is where a node's log is: in the directory, or at the address, and then the directory holds what is built from
// it. keys is the directory of its keys; nodes of one cluster need the same keys. ledger says that this node keeps the
// ledger of the cluster, in the directory too.
type place struct {
	dir, address, keys string
	ledger             bool
}

// open opens the log for writing. clock gives the times at which events are recorded.
func (p place) open(ctx context.Context, clock func() time.Time, more ...sqlitestore.Option) (*protectedLog, error) {
	if p.address == "" {
		return openForWriting(ctx, p.dir, p.keys, clock, more...)
	}
	options := []esdbstore.Option{esdbstore.WithClock(clock), esdbstore.WithIndex(p.dir)}
	if p.ledger {
		options = append(options, esdbstore.WithLedger(p.dir))
	}
	s, err := esdbstore.Open(ctx, p.address, options...)
	switch {
	case errors.Is(err, esdbstore.ErrAddress):
		return nil, &usageError{fmt.Errorf("--store: %w", err)}
	case err != nil:
		return nil, err
	}
	return protect(ctx, s, p.keys, vault.WithClock(clock))
}
