package memstore

import (
	"testing"
	"time"

	"github.com/google/uuid"

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

func TestLookupAndPositionAt(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	s := New(func() time.Time { return now })
	id := uuid.New()
	for _, p := range []events.Proposed{{ID: uuid.New(), Type: "CaseOpened"}, {ID: id, Type: "CaseClosed"}} {
		if _, err := s.Append(t.Context(), "case-1", events.Any, p); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	begin := now.Add(-2 * time.Hour)
	for after, want := range map[time.Duration]uint64{-1: 0, 0: 1, time.Hour - 1: 1, time.Hour: 2, 99 * time.Hour: 2} {
		if p, err := s.PositionAt(t.Context(), begin.Add(after)); err != nil || p != events.At(want) {
			t.Errorf("%v after the first event: position %v, %v; want %d", after, p, err, want)
		}
	}
	if r, found, err := s.Lookup(t.Context(), id); err != nil || !found || r.Type != "CaseClosed" {
		t.Errorf("lookup: %+v, %v, %v", r, found, err)
	}
	if _, found, err := s.Lookup(t.Context(), uuid.New()); err != nil || found {
		t.Errorf("an id never used was found: %v, %v", found, err)
	}
}
