package esdbstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/esdbtest"
)

func TestEveryCallAsksForTheLeaderByName(t *testing.T) {
	server := start(t, esdbtest.Options{})
	s := open(t, server.URL()+"&connectionName=node%207")
	appendTo(t, s, "case-1", events.NoStream, proposed(2)...)
	readAll(t, s)
	if _, err := read(t.Context(), s, "case-1"); err != nil {
		t.Fatal(err)
	}
	<-s.Changed(events.Start)
	if err := s.Health(t.Context()); err != nil {
		t.Error(err)
	}
	seen := map[string]bool{}
	for _, c := range server.Calls() {
		seen[c.Method] = true
		if c.Method != "Gossip" && c.Method != "Features" && (!c.Leader || c.Connection != "node 7") {
			t.Errorf("%s of %s: leader wanted %v, connection %q", c.Method, c.Stream, c.Leader, c.Connection)
		}
	}
	if !seen["Append"] || !seen["Read"] {
		t.Errorf("the calls were %v", seen)
	}
}

// Aborted, DeadlineExceeded, Unavailable and a broken connection say nothing about what became of an append. Whether it
// was written or not, it is stored exactly once in the end, and the answer is about what is stored.
func TestAnAppendOfUnknownOutcomeIsRepeatedUntilThereIsAnAnswer(t *testing.T) {
	for name, f := range map[string]*esdbtest.Fault{
		"answer lost":              esdbtest.Lost(),
		"not ready":                esdbtest.NotReady(),
		"aborted, not written":     esdbtest.Aborted(),
		"aborted, but written":     {Done: true, Err: esdbtest.Aborted().Err},
		"too late, not written":    {Err: status.Error(codes.DeadlineExceeded, "too late")},
		"too late, but written":    {Done: true, Err: status.Error(codes.DeadlineExceeded, "too late")},
		"no answer":                {Hang: true},
		"no answer, but written":   {Done: true, Hang: true},
		"cancelled by the server":  {Done: true, Err: status.Error(codes.Canceled, "")},
		"a fault of the transport": {Done: true, Err: status.Error(codes.Internal, "the HTTP/2 server didn't respond to a ping")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, esdbtest.Options{})
			s := open(t, server.URL())
			for _, expected := range []events.Expected{events.NoStream, events.Revision(1), events.Any} {
				server.Inject(once(2, f, method("Append")))
				list := proposed(2)
				a := appendTo(t, s, "case-1", expected, list...)
				if a.Repeated {
					t.Error("a call that was sent twice, but made once, is called repeated")
				}
				stored, err := read(t.Context(), s, "case-1")
				if err != nil {
					t.Fatal(err)
				}
				last := stored[len(stored)-1]
				if last.ID != list[1].ID || a.Revision != last.Revision || a.Position != last.Position || !a.RecordedAt.Equal(last.RecordedAt) {
					t.Errorf("answered %+v, stored %+v", a, last)
				}
			}
			if n := server.Log().Revisions("case-1"); n != 6 {
				t.Errorf("6 events were appended, %d are stored", n)
			}
		})
	}
}

// An append that was given up may have been written, or be written later. Repeated at any node it is the same append.
func TestAnAppendThatWasGivenUpIsSafeToRepeat(t *testing.T) {
	server := start(t, esdbtest.Options{})
	var hands atomic.Int64
	hands.Store(time.Now().UnixMicro())
	clock := func() time.Time { return time.UnixMicro(hands.Load()) }
	a := open(t, server.URL(), esdbstore.WithPatience(300*time.Millisecond), esdbstore.WithClock(clock))
	b := open(t, server.URL(), esdbstore.WithClock(clock))
	appendTo(t, a, "case-1", events.NoStream, proposed(1)...)
	list := proposed(2)
	server.Inject(func(c esdbtest.Call) *esdbtest.Fault {
		if c.Method == "Append" {
			return esdbtest.Lost()
		}
		return nil
	})
	if _, err := a.Append(t.Context(), "case-1", events.Revision(0), list...); !errors.Is(err, events.ErrUnavailable) {
		t.Fatalf("an append without an answer: %v", err)
	}
	server.Inject(nil)
	first := clock()
	hands.Add(time.Hour.Microseconds())
	for name, s := range map[string]events.Store{"the same node": a, "another node": b} {
		got := appendTo(t, s, "case-1", events.Revision(0), list...)
		if !got.Repeated || got.Revision != 2 || !got.RecordedAt.Equal(first) {
			t.Errorf("%s: repeated as %+v, first recorded at %v", name, got, first)
		}
	}
	if n := server.Log().Revisions("case-1"); n != 3 {
		t.Errorf("%d events are stored", n)
	}
}

// Two nodes that record the same duty at the same moment use the same ids. One is first, and both are told the time
// that is on record.
func TestTwoNodesWithTheSameIDs(t *testing.T) {
	server := start(t, esdbtest.Options{})
	var stores []*esdbstore.Store
	for i := range 4 {
		stores = append(stores, open(t, server.URL(), esdbstore.WithClock(func() time.Time { return time.Now().Add(time.Duration(i) * time.Minute) })))
	}
	expected := events.NoStream
	for round := range 20 {
		p := proposed(1)
		p[0].ID = events.DeriveID("overdue", fmt.Sprint(round))
		answers := make([]events.Appended, len(stores))
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() {
				var err error
				if answers[i], err = s.Append(t.Context(), "case-1", expected, p...); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		first := 0
		for _, a := range answers {
			if !a.Repeated {
				first++
			}
			if a.Position != answers[0].Position || !a.RecordedAt.Equal(answers[0].RecordedAt) {
				t.Fatalf("round %d: told %+v and %+v", round, a, answers[0])
			}
		}
		if first != 1 {
			t.Fatalf("round %d: %d were first", round, first)
		}
		expected = events.Revision(uint64(round))
	}
	list, err := read(t.Context(), stores[0], "case-1")
	if err != nil || len(list) != 20 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for i := 1; i < len(list); i++ {
		if list[i].RecordedAt.Before(list[i-1].RecordedAt) {
			t.Errorf("revision %d was recorded before the one before it", i)
		}
	}
}

// trio is a cluster of three nodes on one database; lead says which leads, and gossip tells it.
type trio struct {
	nodes []*esdbtest.Server
	log   *esdbtest.Log
}

func cluster(t *testing.T) *trio {
	t.Helper()
	c := &trio{log: esdbtest.NewLog(nil)}
	for range 3 {
		c.nodes = append(c.nodes, start(t, esdbtest.Options{Log: c.log}))
	}
	c.lead(0, true)
	return c
}

func (c *trio) lead(leader int, alive bool) {
	members := func() []esdbtest.Member {
		var list []esdbtest.Member
		for i, n := range c.nodes {
			m := esdbtest.Member{Address: n.Address(), State: gossip.MemberInfo_Follower, Alive: true, Time: time.Now()}
			if i == leader {
				m.State, m.Alive = gossip.MemberInfo_Leader, alive
			}
			list = append(list, m)
		}
		return list
	}
	for i, n := range c.nodes {
		n.Gossip(members)
		n.SetLeader("")
		if i != leader {
			n.SetLeader(c.nodes[leader].Address())
		}
	}
}

func (c *trio) address() string {
	return fmt.Sprintf("esdb://%s,%s,%s?tls=false", c.nodes[0].Address(), c.nodes[1].Address(), c.nodes[2].Address())
}

// A killed leader is called alive for a moment, then dead but leader still; the others lead to it all the while. Then
// another one leads. Writers go on by themselves, and nothing is lost or twice.
func TestAWriterSurvivesTheLeadersDeath(t *testing.T) {
	c := cluster(t)
	s := open(t, c.address(), esdbstore.WithPatience(20*time.Second))
	var wg sync.WaitGroup
	written := make([]events.Appended, 8)
	killed := make(chan struct{})
	for w := range written {
		wg.Go(func() {
			expected := events.NoStream
			for i := range 40 {
				a, err := s.Append(t.Context(), fmt.Sprint("case-", w), expected, proposed(1)...)
				if err != nil {
					t.Errorf("writer %d, append %d: %v", w, i, err)
					return
				}
				if i == 10 && w == 0 {
					close(killed)
				}
				written[w], expected = a, events.Revision(a.Revision)
			}
		})
	}
	<-killed
	c.nodes[0].Stop() // gossip says that it lives
	time.AfterFunc(300*time.Millisecond, func() { c.lead(0, false) })
	time.AfterFunc(800*time.Millisecond, func() { c.lead(1, true) })
	wg.Wait()
	for w, a := range written {
		list, err := read(t.Context(), s, fmt.Sprint("case-", w))
		if err != nil || len(list) != 40 || list[39].Position != a.Position {
			t.Errorf("writer %d: %d events, %v, the last acknowledged at %v", w, len(list), err, a.Position)
		}
	}
}

// A node that knows no leader is alive sends its callers to a dead one for as long as it is alone. Whoever only follows
// would go round for ever; the store fails in its time, and goes on when there is a leader.
func TestADeadLeaderIsNotFollowedForEver(t *testing.T) {
	c := cluster(t)
	s := open(t, c.address(), esdbstore.WithPatience(500*time.Millisecond))
	appendTo(t, s, "case-1", events.NoStream, proposed(1)...)
	c.nodes[0].Stop()
	c.nodes[1].Stop()
	c.lead(0, false)
	began := time.Now()
	if _, err := s.Append(t.Context(), "case-1", events.Revision(0), proposed(1)...); !errors.Is(err, events.ErrUnavailable) {
		t.Fatalf("without a leader: %v", err)
	}
	if _, err := read(t.Context(), s, "case-1"); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("a read without a leader, which a follower would answer: %v", err)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	c.lead(2, true)
	wait(t, func() error {
		_, err := s.Append(t.Context(), "case-1", events.Revision(0), proposed(1)...)
		return err
	})
}

func TestAFollowersAddressLeadsToTheLeader(t *testing.T) {
	c := cluster(t)
	c.lead(2, true)
	for _, address := range []string{c.nodes[0].URL(), "esdb+discover://" + c.nodes[1].Address() + "?tls=false"} {
		s := open(t, address)
		appendTo(t, s, "case-"+uuid.NewString(), events.NoStream, proposed(1)...)
	}
	for i, n := range c.nodes {
		for _, call := range n.Calls() {
			if call.Method == "Append" && i == 1 {
				t.Error("a node that gossip knows as a follower was asked to append")
			}
		}
	}
}

// A node that returns serves, for some seconds, events that were never acknowledged and then vanish; one that lags has
// no more to show. The store shows neither.
func TestAVanishingTailIsNeverSeen(t *testing.T) {
	c := cluster(t)
	s := open(t, c.address())
	first := appendTo(t, s, "case-1", events.NoStream, proposed(3)...)
	tail := c.log.Fork()
	c.nodes[2].Serve(tail)
	other := start(t, esdbtest.Options{Log: tail})
	appendTo(t, open(t, other.URL()), "case-1", events.Revision(2), proposed(5)...)
	// The client's connection to the leader breaks, and node 2 is the first to be there again.
	c.nodes[0].Stop()
	c.nodes[1].Stop()
	if _, err := open(t, c.address(), esdbstore.WithPatience(300*time.Millisecond)).ReadAll(t.Context(), events.Start, 100, events.Filter{}); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("with only a node that is not the leader: %v", err)
	}
	if err := c.nodes[0].Restart(); err != nil {
		t.Fatal(err)
	}
	list := readAll(t, s)
	if len(list) != 3 || list[2].Position != first.Position {
		t.Errorf("%d events are read, 3 are in the log", len(list))
	}
	select {
	case <-s.Changed(first.Position):
		t.Error("woken for events that are not in the log")
	default:
	}
}

// When the log ends earlier than was once told, nobody is woken again and again for what is gone; and readers that go on
// from a position that is gone are told so.
func TestALogThatLostItsEnd(t *testing.T) {
	server := start(t, esdbtest.Options{})
	s := open(t, server.URL())
	kept := appendTo(t, s, "case-1", events.NoStream, proposed(1)...)
	gone := appendTo(t, s, "case-2", events.NoStream, proposed(3)...)
	server.Log().Cut(3)
	server.Stop()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if p, err := s.ReadAll(t.Context(), gone.Position, 10, events.Filter{}); err != nil || len(p.Events) > 0 || p.Scanned != gone.Position || p.More {
		t.Errorf("after the lost end: %+v, %v", p, err)
	}
	wait(t, func() error {
		select {
		case <-s.Changed(kept.Position):
			return errors.New("still awake for events that are gone")
		default:
			return nil
		}
	})
	if held, err := s.Holds(t.Context(), gone.Position, uuid.New()); err != nil || held {
		t.Errorf("the lost position holds an event: %v, %v", held, err)
	}
	// Other events come where those were, at other places.
	appendTo(t, s, "case-3", events.NoStream, events.Proposed{ID: uuid.New(), Type: "CaseOpened", Data: make([]byte, 1000)})
	appendTo(t, s, "case-3", events.Any, proposed(2)...)
	if _, err := s.ReadAll(t.Context(), gone.Position, 10, events.Filter{}); !errors.Is(err, events.ErrDamaged) {
		t.Errorf("going on from a position that is none any more: %v", err)
	}
	// What was written to the lost stream is gone; the store notices before it writes on.
	if _, err := s.Append(t.Context(), "case-2", events.Revision(2), proposed(1)...); err == nil {
		t.Error("an append after events that are gone succeeded")
	}
}

// A subscription that is cut off, or open and silent, costs no wake-up.
func TestChangedSurvivesItsSubscription(t *testing.T) {
	for name, f := range map[string]*esdbtest.Fault{
		"cut off, since its reader was too slow": {After: 3, Err: esdbtest.TooSlow().Err},
		"open, but silent":                       {After: 2, Hang: true},
		"refused":                                esdbtest.NotReady(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, esdbtest.Options{})
			server.Inject(func(c esdbtest.Call) *esdbtest.Fault {
				if c.Method == "Subscribe" {
					return f
				}
				return nil
			})
			reader, writer := open(t, server.URL()), open(t, server.URL())
			after := events.Start
			for range 4 {
				a := appendTo(t, writer, "case-1", events.Any, proposed(2)...)
				for a.Position.After(after) {
					select {
					case <-reader.Changed(after):
					case <-time.After(10 * time.Second):
						t.Fatal("the reader sleeps on")
					}
					p, err := reader.ReadAll(t.Context(), after, 100, events.Filter{})
					if err != nil {
						t.Fatal(err)
					}
					after = p.Scanned
				}
			}
		})
	}
}

// Neither a library that hangs or panics nor a server that takes connections and says nothing keeps a caller.
func TestNoHangAndNoPanicReachesTheCaller(t *testing.T) {
	t.Run("a message that the library does not know", func(t *testing.T) {
		t.Parallel()
		server := start(t, esdbtest.Options{})
		s := open(t, server.URL(), esdbstore.WithPatience(300*time.Millisecond))
		appendTo(t, s, "case-1", events.NoStream, proposed(1)...)
		server.Inject(func(c esdbtest.Call) *esdbtest.Fault {
			return &esdbtest.Fault{Foreign: c.Method == "Read" && c.Stream == "case-1"}
		})
		if _, err := read(t.Context(), s, "case-1"); !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		server.Inject(nil)
		if list, err := read(t.Context(), s, "case-1"); err != nil || len(list) != 1 {
			t.Errorf("afterwards: %d events, %v", len(list), err)
		}
	})
	t.Run("a server that says nothing", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s := open(t, "esdb://"+l.Addr().String()+"?tls=false")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, appendErr := s.Append(ctx, "case-1", events.NoStream, proposed(1)...)
		_, readErr := s.Head(ctx)
		if !errors.Is(appendErr, context.DeadlineExceeded) || !errors.Is(readErr, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("after %v: %v, %v", time.Since(began), appendErr, readErr)
		}
	})
	t.Run("a call that is never answered", func(t *testing.T) {
		t.Parallel()
		server := start(t, esdbtest.Options{})
		s := open(t, server.URL())
		server.Inject(func(c esdbtest.Call) *esdbtest.Fault {
			return &esdbtest.Fault{Hang: c.Method == "Read" || c.Method == "Append"}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := read(ctx, s, "case-1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read: %v", err)
		}
	})
	t.Run("no server at all", func(t *testing.T) {
		t.Parallel()
		server := start(t, esdbtest.Options{})
		s := open(t, server.URL(), esdbstore.WithPatience(300*time.Millisecond))
		server.Stop()
		for range 3 {
			if _, err := s.Append(t.Context(), "case-1", events.NoStream, proposed(1)...); !errors.Is(err, events.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
			if err := s.Health(t.Context()); !errors.Is(err, events.ErrUnavailable) {
				t.Errorf("health: %v", err)
			}
		}
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		wait(t, func() error { return s.Health(t.Context()) })
		appendTo(t, s, "case-1", events.NoStream, proposed(1)...)
	})
}

// A server that finds its client's pings too many breaks the connection. The store goes on.
func TestTooManyPings(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for three pings, 10 seconds apart")
	}
	t.Parallel()
	server := start(t, esdbtest.Options{MinPing: time.Hour})
	s := open(t, server.URL()+"&keepAliveInterval=10000")
	appendTo(t, s, "case-1", events.NoStream, proposed(1)...)
	end := time.Now().Add(45 * time.Second)
	for n := uint64(0); time.Now().Before(end); n++ {
		appendTo(t, s, "case-1", events.Revision(n), proposed(1)...)
		select {
		case <-t.Context().Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}
