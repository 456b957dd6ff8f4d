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

func TestLookupAndPositionAt(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	begin := now
	s := mustOpen(t, t.TempDir(), WithClock(func() time.Time { return now }))
	if p, err := s.PositionAt(t.Context(), now); err != nil || p != events.Start {
		t.Errorf("in an empty log: %v, %v", p, err)
	}
	list := proposed(10)
	for i, p := range list {
		now = begin.Add(time.Duration(i/2) * time.Hour) // two events an hour
		if _, err := s.Append(t.Context(), "case-1", events.Any, p); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[time.Duration]uint64{
		-1: 0, 0: 2, 1: 2, time.Hour - 1: 2, time.Hour: 4, 4 * time.Hour: 10, 1000 * time.Hour: 10,
	} {
		if p, err := s.PositionAt(t.Context(), begin.Add(after)); err != nil || p != events.At(want) {
			t.Errorf("%v after the first event: position %v, %v; want %d", after, p, err, want)
		}
	}
	for i, p := range list {
		r, found, err := s.Lookup(t.Context(), p.ID)
		if err != nil || !found || r.ID != p.ID || r.Revision != uint64(i) || string(r.Data) != string(p.Data) {
			t.Errorf("lookup of event %d: %+v, %v, %v", i, r, found, err)
		}
	}
	if r, found, err := s.Lookup(t.Context(), proposed(1)[0].ID); err != nil || found {
		t.Errorf("lookup of an id never used: %+v, %v, %v", r, found, err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if size, err := s.Size(t.Context()); err != nil || size < 10*400 {
		t.Errorf("the size is %d, %v", size, err)
	}
}
