package esdbstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/esdbtest"
)

func TestAStreamThatSomeoneDeleted(t *testing.T) {
	server := start(t, esdbtest.Options{})
	other := library(t, server.URL())
	var s *esdbstore.Store
	list := proposed(3)
	deleted := map[string]func(string) error{
		"softly": func(stream string) error {
			_, err := other.DeleteStream(t.Context(), stream, esdb.DeleteStreamOptions{})
			return err
		},
		"for good": func(stream string) error {
			_, err := other.TombstoneStream(t.Context(), stream, esdb.TombstoneStreamOptions{})
			return err
		},
		"in part": func(stream string) error {
			m := esdb.StreamMetadata{}
			m.SetMaxCount(1)
			_, err := other.SetStreamMetadata(t.Context(), stream, esdb.AppendToStreamOptions{}, m)
			return err
		},
	}
	for how, del := range deleted {
		stream := "case-" + how
		s = open(t, server.URL())
		appendTo(t, s, stream, events.NoStream, list...)
		if err := del(stream); err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*esdbstore.Store{"which wrote it": s, "which never saw it": open(t, server.URL())} {
			for what, p := range map[string][]events.Proposed{"the same again": list, "its first again": list[:1]} {
				a, err := s.Append(t.Context(), stream, events.NoStream, p...)
				if err == nil && !a.Repeated || err != nil && !errors.Is(err, events.ErrDamaged) {
					t.Errorf("deleted %s, by a store %s, %s: %+v, %v", how, name, what, a, err)
				}
			}
			a, err := s.Append(t.Context(), stream, events.Any, proposed(1)...)
			if how == "for good" && !errors.Is(err, events.ErrDamaged) {
				t.Errorf("deleted %s, by a store %s: an append was answered %+v, %v", how, name, a, err)
			}
			if _, err := read(t.Context(), s, stream); how != "softly" && !errors.Is(err, events.ErrDamaged) {
				t.Errorf("deleted %s, by a store %s: reading gives %v", how, name, err)
			}
		}
	}
	// An answer without a position is none, however friendly.
	server.Inject(once(1, &esdbtest.Fault{Nowhere: true}, method("Append")))
	if a, err := s.Append(t.Context(), "case-new", events.NoStream, proposed(1)...); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("a success without a position: %+v, %v", a, err)
	}
}

// What others keep in the same database is neither shown nor in the way, also with names like traga's under another
// prefix; but what someone writes into a stream of traga's is not passed over.
func TestOthersAreLeftAlone(t *testing.T) {
	server := start(t, esdbtest.Options{})
	stranger := library(t, server.URL())
	write := func(stream, typ string, n int) {
		t.Helper()
		var list []esdb.EventData
		for range n {
			list = append(list, esdb.EventData{EventID: uuid.New(), EventType: typ, ContentType: esdb.ContentTypeJson, Data: []byte("{}"), Metadata: []byte(`{"x":1}`)})
		}
		if _, err := stranger.AppendToStream(t.Context(), stream, esdb.AppendToStreamOptions{}, list...); err != nil {
			t.Fatal(err)
		}
	}
	write("orders-1", "Ordered", 3000)
	a, b := open(t, server.URL()), open(t, server.URL()+"&streamPrefix=b.")
	mine := appendTo(t, a, "case-1", events.NoStream, proposed(2)...)
	write("$$$settings", "$x", 3)
	write("orders-2", "Ordered", 5000)
	appendTo(t, b, "case-1", events.NoStream, proposed(4)...)
	write("accounts", "Opened", 1)
	for name, c := range map[string]struct {
		s *esdbstore.Store
		n int
	}{"without a prefix": {a, 2}, "under a prefix": {b, 4}} {
		if list := readAll(t, c.s); len(list) != c.n || list[0].Stream != "case-1" {
			t.Errorf("%s: %d events, want %d", name, len(list), c.n)
		}
		if list, err := read(t.Context(), c.s, "case-1"); err != nil || len(list) != c.n {
			t.Errorf("%s: %d events in the stream, %v", name, len(list), err)
		}
	}
	if _, err := a.Append(t.Context(), "$settings", events.Any, proposed(1)...); !errors.Is(err, events.ErrInvalidAppend) {
		t.Errorf("an append to a system stream: %v", err)
	}
	write("case-1", "Forged", 1)
	if _, err := a.ReadAll(t.Context(), mine.Position, 1000, events.Filter{}); err != nil {
		t.Errorf("a page before the forged event: %v", err)
	}
	_, streamErr := read(t.Context(), a, "case-1")
	_, appendErr := a.Append(t.Context(), "case-1", events.Any, proposed(1)...)
	var allErr error
	for after, more := mine.Position, true; more && allErr == nil; {
		var p events.Page
		p, allErr = a.ReadAll(t.Context(), after, 1000, events.Filter{})
		after, more = p.Scanned, p.More
	}
	for what, err := range map[string]error{"the stream": streamErr, "an append": appendErr, "the log": allErr} {
		if !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s with a forged event: %v", what, err)
		}
	}
}

// What the database would refuse for its size is refused before it is sent, also when only the wrapping makes it so.
func TestTooLargeIsRefusedBeforeItIsSent(t *testing.T) {
	server := start(t, esdbtest.Options{})
	s := open(t, server.URL())
	p := proposed(1)
	p[0].Metadata = nil
	p[0].Data = make([]byte, events.MaxAppend-len(p[0].Type)-20) // within what other stores take
	_, err := s.Append(t.Context(), "case-1", events.NoStream, p...)
	var large *events.TooLargeError
	if !errors.As(err, &large) || large.Size <= large.Limit {
		t.Errorf("got %v", err)
	}
	p[0].Data = p[0].Data[:len(p[0].Data)-200]
	for _, c := range server.Calls() {
		if c.Method == "Append" {
			t.Error("it was sent")
		}
	}
	appendTo(t, s, "case-1", events.NoStream, p...)
	// A server may be set to take less. Its refusal has no code, and comes while the call is being sent.
	server.Inject(once(1, &esdbtest.Fault{Err: status.Error(codes.InvalidArgument, "Maximum Append Size of 1000 Exceeded.")}, method("Append")))
	if _, err := s.Append(t.Context(), "case-1", events.Revision(0), proposed(1)...); !errors.Is(err, events.ErrTooLarge) {
		t.Errorf("a server that takes less: %v", err)
	}
}

// The server tells its time in whole seconds. Two clocks that agree are never reported, and one that is off is.
func TestClocksAreCompared(t *testing.T) {
	for off, report := range map[time.Duration]bool{0: false, 300 * time.Millisecond: false, 5 * time.Second: true, -5 * time.Second: true} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			server := start(t, esdbtest.Options{})
			s := open(t, server.URL(), esdbstore.WithClock(func() time.Time { return time.Now().Add(off) }))
			var clock *esdbstore.ClockError
			for range 20 {
				err := s.Health(t.Context())
				if errors.As(err, &clock) != report || err != nil && !report {
					t.Fatalf("off by %v: %v", off, err)
				}
			}
			if report && (clock.Off > 0) != (off > 0) {
				t.Errorf("off by %v: %v", off, clock)
			}
		})
	}
}
