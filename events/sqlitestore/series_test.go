package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/sqlitestore"
)

// TestAppendSeries: calls on many streams are stored in their order, each at its own instant of the clock; one that
// conflicts is named, and a series that is given up before it began leaves nothing.
func TestAppendSeries(t *testing.T) {
	began := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	asked := 0
	store, err := sqlitestore.Open(t.Context(), t.TempDir(), sqlitestore.WithClock(func() time.Time {
		asked++
		return began.Add(time.Duration(asked) * time.Second)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	proposed := func(n int) []events.Proposed {
		return []events.Proposed{{ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)), Type: "SupportProvided", Metadata: []byte(`{}`), Data: []byte(`{}`)}}
	}
	var calls []events.Call
	for i := range 100 {
		calls = append(calls, events.Call{Stream: fmt.Sprint("case-", i%7), Expected: events.Any, Proposed: proposed(i)})
	}
	if err := store.AppendSeries(t.Context(), calls...); err != nil {
		t.Fatal(err)
	}
	page, err := store.ReadAll(t.Context(), events.Start, 1000, events.Filter{})
	if err != nil || len(page.Events) != 100 {
		t.Fatalf("%d events, %v", len(page.Events), err)
	}
	for i, r := range page.Events {
		if r.ID != calls[i].Proposed[0].ID || !r.RecordedAt.Equal(began.Add(time.Duration(i+1)*time.Second)) {
			t.Fatalf("event %d is %v at %v", i, r.ID, r.RecordedAt)
		}
	}
	err = store.AppendSeries(t.Context(), events.Call{Stream: "case-0", Expected: events.NoStream, Proposed: proposed(200)})
	if !errors.Is(err, events.ErrConflict) {
		t.Errorf("a conflict: %v", err)
	}
	err = store.AppendSeries(t.Context(), events.Call{Stream: "case-0", Proposed: nil})
	if !errors.Is(err, events.ErrInvalidAppend) {
		t.Errorf("nothing to append: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.AppendSeries(ctx, events.Call{Stream: "case-0", Proposed: proposed(201)}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
