package deadlines_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/deadlines"
)

// away is a store that can be out of reach.
type away struct {
	events.Store
	out bool
}

func (a *away) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	if !a.out {
		return a.Store.ReadStream(ctx, stream, from)
	}
	return func(yield func(events.Recorded, error) bool) {
		yield(events.Recorded{}, fmt.Errorf("read stream: %w", events.ErrUnavailable))
	}
}

// Without the store the rules are those that were last known; when nothing was known yet, there are none.
func TestRulesStayKnownWithoutTheStore(t *testing.T) {
	store := &away{Store: memstore.New(nil), out: true}
	rules := deadlines.Published(store, protocol.NewBook())
	if _, err := rules(t.Context()); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("before the first reading: %v", err)
	}
	store.out = false
	known, err := rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store.out = true
	if again, err := rules(t.Context()); err != nil || again != known {
		t.Errorf("afterwards: %v", err)
	}
}
