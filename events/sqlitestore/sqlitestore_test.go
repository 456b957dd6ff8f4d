package sqlitestore

import (
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/storetest"
)

func TestContract(t *testing.T) {
	features := storetest.Features{GapFree: true, OneClock: true, UniqueIDs: true}
	storetest.Run(t, features, func(t *testing.T, clock func() time.Time) (events.Store, func() events.Store) {
		dir := t.TempDir()
		s := mustOpen(t, dir, WithClock(clock))
		return s, func() events.Store {
			if err := s.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			s = mustOpen(t, dir, WithClock(clock))
			return s
		}
	})
}

// mustOpen opens a store that is closed when the test ends.
func mustOpen(t testing.TB, dir string, opts ...Option) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, opts...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}
