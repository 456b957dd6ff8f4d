package esdbstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/esdbtest"
)

func proposed(n int) []events.Proposed {
	list := make([]events.Proposed, n)
	for i := range list {
		list[i] = events.Proposed{ID: uuid.New(), Type: "NotificationSent", Metadata: []byte(`{"a":1}`), Data: fmt.Appendf(nil, `{"n":%d}`, i)}
	}
	return list
}

func appendTo(t *testing.T, s events.Store, stream string, expected events.Expected, list ...events.Proposed) events.Appended {
	t.Helper()
	a, err := s.Append(t.Context(), stream, expected, list...)
	if err != nil {
		t.Fatalf("append to %s, expecting %v: %v", stream, expected, err)
	}
	return a
}

func read(ctx context.Context, s events.Store, stream string) ([]events.Recorded, error) {
	var list []events.Recorded
	for r, err := range s.ReadStream(ctx, stream, 0) {
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

// readAll reads the whole log in pages.
func readAll(t *testing.T, s events.Store) []events.Recorded {
	t.Helper()
	var list []events.Recorded
	for after, more := events.Start, true; more; {
		p, err := s.ReadAll(t.Context(), after, 100, events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p.Events...)
		after, more = p.Scanned, p.More
	}
	return list
}

// library is a client of someone who is not traga.
func library(t *testing.T, address string) *esdb.Client {
	t.Helper()
	conf, err := esdb.ParseConnectionString(address)
	if err != nil {
		t.Fatal(err)
	}
	conf.Logger = nil
	c, err := esdb.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// once gives a fault to the first so many calls that match.
func once(times int, f *esdbtest.Fault, is func(esdbtest.Call) bool) func(esdbtest.Call) *esdbtest.Fault {
	var n atomic.Int64
	return func(c esdbtest.Call) *esdbtest.Fault {
		if is(c) && n.Add(1) <= int64(times) {
			return f
		}
		return nil
	}
}

func method(name string) func(esdbtest.Call) bool {
	return func(c esdbtest.Call) bool { return c.Method == name }
}

// The library says that it asks for the leader, and does not. The server must be asked all the same.
// wait tries until it works.
func wait(t *testing.T, try func() error) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// The address of one node is enough: when that is not the leader, the leader is found.
