package memstore

import (
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/storetest"
)

func TestContract(t *testing.T) {
	features := storetest.Features{GapFree: true, OneClock: true, UniqueIDs: true}
	storetest.Run(t, features, func(t *testing.T, clock func() time.Time) (events.Store, func() events.Store) {
		s := New(clock)
		t.Cleanup(func() { s.Close() })
		return s, nil
	})
}
