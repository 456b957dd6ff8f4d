package esdbstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"traga.internal/events"
)

// beat is about how often the store looks where the log ends, besides being told.
const beat = time.Second

// follow rings the bell whenever the log has grown, until ctx ends. It is told by a subscription; and since one that is
// open stays so, silent, when its node is no longer the leader, it also looks by itself now and then.
func (s *Store) follow(ctx context.Context) {
	for ctx.Err() == nil {
		s.listen(ctx)
		pause(ctx, shortestWait)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// listen follows one session until there is trouble with it.
func (s *Store) listen(ctx context.Context) {
	at, release, err := s.cluster.use(ctx)
	if err != nil {
		return
	}
	defer release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	told := make(chan events.Position, 64)
	at.users.Add(1)
	go func() {
		defer at.users.Done()
		ended <- s.subscribe(ctx, at, told)
	}()
	tick := time.NewTimer(0) // what came before the subscription began is found by looking
	defer tick.Stop()
	silent := false // the log had grown, and the subscription did not tell
	var heard events.Position
	for {
		select {
		case p := <-told:
			if p.After(heard) { // a subscription may go back; the log does not
				heard = p
			}
			s.bell.Ring(p)
		case err := <-ended:
			if is, _ := judge(err); is == again && ctx.Err() == nil && !isSlow(err) {
				s.cluster.drop(at, err)
			}
			return
		case <-tick.C:
			before := s.bell.Head()
			head, err := s.look(ctx, at)
			if err != nil {
				if is, _ := judge(err); is == again && ctx.Err() == nil {
					s.cluster.drop(at, err)
				}
				return
			}
			s.cluster.works(at)
			missed := head.After(heard) && heard != events.Start
			if missed && silent {
				return // subscribe again
			}
			silent = missed && len(told) == 0
			if heard == events.Start {
				heard = head
			}
			if head.After(before) {
				s.bell.Ring(head)
			} else {
				s.bell.Rebase(before, head)
			}
			// Not in step with the seconds, by which the server tells its time.
			tick.Reset(beat/2 + rand.N(beat))
		case <-ctx.Done():
			return
		}
	}
}

// isSlow is the end of a subscription that was read too slowly: nothing is wrong with its node.
func isSlow(err error) bool {
	return err != nil && status.Convert(err).Code().String() == "Aborted"
}

// subscribe tells the positions of events as they are written, until the subscription ends.
func (s *Store) subscribe(ctx context.Context, at *session, told chan<- events.Position) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errPanic
		}
	}()
	options := esdb.SubscribeToAllOptions{From: esdb.End{}, Filter: esdb.ExcludeSystemEventsFilter(), MaxSearchWindow: pageEvents, CheckpointInterval: 1}
	inner, cancel := context.WithCancel(s.cluster.outgoing(context.WithoutCancel(ctx))) // see call
	defer cancel()
	late := time.AfterFunc(callPatience, cancel)
	sub, err := at.client.SubscribeToAll(inner, options)
	if !late.Stop() || err != nil {
		return errors.Join(err, errors.New("the subscription did not begin"))
	}
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	for {
		e := sub.Recv()
		switch {
		case e.SubscriptionDropped != nil:
			return errors.Join(e.SubscriptionDropped.Error, errors.New("the subscription ended"))
		case e.EventAppeared != nil && e.EventAppeared.Event != nil:
			// Checkpoints are passed over: while catching up they lag and lack their second half.
			select {
			case told <- positionOf(e.EventAppeared.Event):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// look asks the leader where the log ends, and what time it is there.
func (s *Store) look(ctx context.Context, at *session) (events.Position, error) {
	ctx, cancel := context.WithTimeout(s.cluster.authorized(s.cluster.outgoing(ctx)), connectPatience)
	defer cancel()
	none := &shared.Empty{}
	req := &streams.ReadReq{Options: &streams.ReadReq_Options{ReadDirection: streams.ReadReq_Options_Backwards,
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_End{End: none}}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 1}, FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: none},
		UuidOption: &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: none}}}}
	sent := s.clock()
	var header metadata.MD
	stream, err := streams.NewStreamsClient(at.conn).Read(ctx, req, grpc.Header(&header))
	if err != nil {
		return events.Start, err
	}
	head := events.Start
	for {
		m, err := stream.Recv()
		if isEnd(err) {
			break
		}
		if err != nil {
			return events.Start, err
		}
		if e := m.GetEvent().GetEvent(); e != nil {
			head = events.Position{Commit: e.CommitPosition, Prepare: e.PreparePosition}
		}
	}
	if date := header.Get("date"); len(date) > 0 {
		if t, err := time.Parse(time.RFC1123, date[0]); err == nil {
			s.skew.sample(t, sent, s.clock())
		}
	}
	return head, nil
}

// skew is how far this node's clock is from the server's. The server tells its time in whole seconds, so that one
// answer bounds the difference to a second and the way; several, at different moments of a second, bound it closely.
type skew struct {
	mu     sync.Mutex
	bounds [16]struct{ low, high time.Duration } // of server minus node
	n      int
}

// sample takes up a time that the server told between two readings of this node's clock.
func (k *skew) sample(server, sent, received time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b := &k.bounds[k.n%len(k.bounds)]
	b.low, b.high = server.Sub(received), server.Add(time.Second).Sub(sent)
	k.n++
}

// off is by how much this node's clock is surely ahead of the server's, negative when it is behind.
func (k *skew) off() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(k.n, len(k.bounds))
	if n == 0 {
		return 0
	}
	last := (k.n - 1) % len(k.bounds)
	low, high := k.bounds[last].low, k.bounds[last].high
	for i := range n { // newest first: a clock that was set makes the older ones wrong
		b := k.bounds[(last-i+len(k.bounds))%len(k.bounds)]
		if b.low > high || b.high < low {
			break
		}
		low, high = max(low, b.low), min(high, b.high)
	}
	switch {
	case low > 0:
		return -low
	case high < 0:
		return -high
	}
	return 0
}

// maxSkew is how far apart the clocks may be.
const maxSkew = time.Second

// Health is nil while the cluster answers, the clocks agree, and the ledger, if this node keeps it, has not stopped. It
// fails with events.ErrUnavailable, ErrDenied, a *ClockError or a *HaltError.
func (s *Store) Health(ctx context.Context) error {
	const doing = "ask the event store"
	if err := s.usable(ctx); err != nil {
		return named(doing, err)
	}
	_, is, err := call(ctx, s.cluster, connectPatience, func(ctx context.Context, at *session) (events.Position, error) { return s.look(ctx, at) })
	switch {
	case err != nil && is == again:
		return unavailable(doing, err)
	case err != nil:
		return named(doing, err)
	}
	if s.ledger != nil {
		if err := s.ledger.Err(); err != nil {
			return named(doing, err)
		}
	}
	if off := s.skew.off(); off > maxSkew || off < -maxSkew {
		return &ClockError{Off: off}
	}
	return nil
}
