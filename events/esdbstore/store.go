package esdbstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/internal/wake"
)

const (
	// callPatience is how long one call may take.
	callPatience = 5 * time.Second
	// closePatience is how long calls that nobody waits for any more may go on when the store closes.
	closePatience = time.Second
	// appendPatience is how long an append may take before it is sent again. A node of the cluster waits as long for
	// the others before it gives up.
	appendPatience = 3 * time.Second
)

// Store is a log in an EventStoreDB cluster. Make it with Open.
type Store struct {
	clock    func() time.Time
	patience time.Duration
	prefix   string
	cluster  *cluster
	bell     wake.Bell
	streams  *memory
	skew     skew
	index    *index  // nil without one
	ledger   *Ledger // nil where another node keeps it, or none

	closed  atomic.Bool
	closing context.CancelFunc // ends what runs until the store closes
	ctx     context.Context    // ends with closing
	running sync.WaitGroup
	once    sync.Once
}

var _ events.Store = (*Store)(nil)

// Option changes how Open opens a store.
type Option func(*options)

type options struct {
	clock    func() time.Time
	patience time.Duration
	index    string
	ledger   string
}

// WithClock takes the times at which events are recorded from a clock other than time.Now.
func WithClock(clock func() time.Time) Option { return func(o *options) { o.clock = clock } }

// WithPatience sets how long a call tries to get an answer from a cluster that does not answer, before it fails with
// events.ErrUnavailable; 10 seconds by default. A cluster that elects a leader answers again within about three.
func WithPatience(d time.Duration) Option { return func(o *options) { o.patience = d } }

// WithIndex keeps an index of event ids and times in a file of that directory, for Lookup and PositionAt. It is
// disposable, and belongs to one process at a time.
func WithIndex(dir string) Option { return func(o *options) { o.index = dir } }

// WithLedger lets this node keep the cluster's ledger in a file of that directory: see Ledger. One node of a cluster does.
func WithLedger(dir string) Option { return func(o *options) { o.ledger = dir } }

// Open opens the log of a cluster by its connection string: esdb://HOST:PORT for one node, esdb://HOST:PORT,HOST:PORT or
// esdb+discover://HOST:PORT for a cluster, with a user before the host (esdb://USER:PASSWORD@HOST:PORT) and settings
// behind a question mark, as EventStoreDB documents them: tls, tlsCaFile, tlsVerifyCert, userCertFile, userKeyFile,
// keepAliveInterval, keepAliveTimeout, gossipTimeout, connectionName; and streamPrefix, which sets this installation
// apart from others in the same database.
//
// It fails with ErrAddress when the string can't be used and with an error of the index's file; a cluster that does not
// answer is no error: the store connects when it can, and its calls fail with events.ErrUnavailable until then.
func Open(ctx context.Context, address string, opts ...Option) (*Store, error) {
	o := options{clock: time.Now, patience: 10 * time.Second}
	for _, opt := range opts {
		opt(&o)
	}
	a, err := parseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s := &Store{clock: o.clock, patience: o.patience, prefix: a.prefix, cluster: &cluster{address: a, jobs: make(chan func()), over: make(chan struct{})}, streams: newMemory(maxRemembered)}
	if o.index != "" {
		if s.index, err = openIndex(ctx, o.index); err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
	}
	if o.ledger != "" {
		f, err := openLedgerFile(ctx, o.ledger)
		if err != nil {
			if s.index != nil {
				err = errors.Join(err, s.index.close())
			}
			return nil, fmt.Errorf("open the store: %w", err)
		}
		s.ledger = &Ledger{store: s, file: f}
	}
	s.ctx, s.closing = context.WithCancel(context.Background())
	s.running.Go(func() { s.follow(s.ctx) })
	if s.index != nil {
		s.running.Go(func() { s.index.run(s.ctx, s) })
	}
	if s.ledger != nil {
		s.running.Go(func() { s.ledger.run(s.ctx) })
	}
	return s, nil
}

// Changed implements events.Store. It also wakes when something is written to the database that is not traga's.
func (s *Store) Changed(after events.Position) <-chan struct{} { return s.bell.After(after) }

// Close implements io.Closer. Calls under way end with events.ErrClosed.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		s.closed.Store(true)
		close(s.cluster.over)
		s.closing()
		s.running.Wait()
		s.bell.Close()
		s.cluster.close()
		if s.index != nil {
			err = s.index.close()
		}
		if s.ledger != nil {
			err = errors.Join(err, s.ledger.file.close())
		}
	})
	return err
}

// usable says why a call need not begin. One that is under way when the store closes ends with events.ErrClosed.
func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return events.ErrClosed
	}
	return context.Cause(ctx)
}

// Head implements events.Store. It is the position of the last event of anyone in the database.
func (s *Store) Head(ctx context.Context) (events.Position, error) {
	const doing = "find the end of the log"
	if err := s.usable(ctx); err != nil {
		return events.Start, fmt.Errorf("%s: %w", doing, err)
	}
	list, _, err := retried(ctx, s, doing, callPatience, func(ctx context.Context, at *session) ([]*esdb.RecordedEvent, error) {
		return page(at.client.ReadAll(ctx, esdb.ReadAllOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1))
	})
	if err != nil || len(list) == 0 {
		return events.Start, named(doing, err)
	}
	return positionOf(list[0]), nil
}

// page reads what a call of the library gives to its end.
func page(r *esdb.ReadStream, err error) ([]*esdb.RecordedEvent, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var list []*esdb.RecordedEvent
	for {
		e, err := r.Recv()
		if isEnd(err) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if e.Event != nil {
			list = append(list, e.Event)
		}
	}
}

// named says what was being done, once.
func named(doing string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), doing) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Event is what stands at a position: false when no event of traga's, or nobody's, begins there.
func (s *Store) Event(ctx context.Context, at events.Position) (events.Recorded, bool, error) {
	e, found, err := s.at(ctx, at)
	if err != nil || !found {
		return events.Recorded{}, false, err
	}
	r, _, ours := s.recorded(e)
	return r, ours, nil
}

// Holds reports whether the event with this id, of anyone, stands at this position.
func (s *Store) Holds(ctx context.Context, at events.Position, id uuid.UUID) (bool, error) {
	e, found, err := s.at(ctx, at)
	return found && e.EventID == id, err
}

func (s *Store) at(ctx context.Context, at events.Position) (*esdb.RecordedEvent, bool, error) {
	const doing = "read an event"
	if err := s.usable(ctx); err != nil {
		return nil, false, fmt.Errorf("%s: %w", doing, err)
	}
	list, is, err := retried(ctx, s, doing, callPatience, func(ctx context.Context, x *session) ([]*esdb.RecordedEvent, error) {
		return page(x.client.ReadAll(ctx, esdb.ReadAllOptions{From: esdb.Position{Commit: at.Commit, Prepare: at.Prepare}}, 1))
	})
	if is == nowhere && err != nil {
		return nil, false, nil
	}
	if err != nil || len(list) == 0 || positionOf(list[0]) != at {
		return nil, false, named(doing, err)
	}
	return list[0], true, nil
}

// errLost: events that were once acknowledged are gone.
var errLost = errors.New("a stream has lost events")

// errStranger: an event of traga's stream that traga did not write.
var errStranger = errors.New("a stream of traga's holds an event that traga did not write")

func damaged(err error) error { return fmt.Errorf("%w: %w", events.ErrDamaged, err) }
