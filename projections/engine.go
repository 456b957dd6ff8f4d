package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Engine keeps a set of projections of one log, in one directory. Make it with Open. All methods are safe for
// concurrent use.
type Engine struct {
	dir   string
	store events.Store
	book  *protocol.Book
	set   []Projection
	o     options
	lock  *flock.Flock // nil when read-only
	rules ruleLog

	// joining guards main, the group of projections that follow the log's head; see run.go.
	joining sync.Mutex
	main    *group

	mu      sync.Mutex // guards what follows
	file    *file
	users   sync.WaitGroup // of file
	members []*generation  // the generations of this program, as committed
	changed chan struct{}  // closed and replaced whenever members changed
	closed  bool
	trouble error // why the last attempt failed, nil after a success
	active  bool  // Run follows the log

	damage chan struct{} // told by a reader that met damage
	purges atomic.Int64  // how often personal data was taken out
}

// Option changes how Open opens the projections.
type Option func(*options)

type options struct {
	readOnly bool
	log      *slog.Logger
	page     int
	memory   int
	shards   int
	poll     time.Duration
	retry    time.Duration
}

// ReadOnly opens projections that another process keeps up to date, for reading only.
func ReadOnly() Option { return func(o *options) { o.readOnly = true } }

// WithLogger says where failures are told; by default nowhere but in List.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// WithPage sets how many events are committed at once while catching up; 65,536 by default: the more, the fewer rows are
// written twice.
func WithPage(n int) Option { return func(o *options) { o.page = max(1, n) } }

// WithMemory sets how many events of folded cases are kept in memory; 400,000 by default, about a gigabyte
// when they are all in use. Fewer cost time, never correctness.
func WithMemory(n int) Option { return func(o *options) { o.memory = max(1, n) } }

// Open opens the projections in a directory, made if it is missing. The owner, which writes, is one process at a
// time: Open fails with ErrLocked while there is another, and then Open with ReadOnly works beside it. A file
// that is missing, damaged or of another format is made anew; a projection of another version is built anew
// beside the old one. Nothing is read from the log before CatchUp or Run.
//
// book holds the rules as shipped; the engine adds what the log says was published and decreed.
func Open(ctx context.Context, dir string, store events.Store, book *protocol.Book, set []Projection, opts ...Option) (*Engine, error) {
	o := options{log: slog.New(slog.DiscardHandler), page: 65536, memory: 400_000, shards: min(4, runtime.NumCPU()),
		poll: 20 * time.Millisecond, retry: time.Second}
	for _, opt := range opts {
		opt(&o)
	}
	e := &Engine{dir: dir, store: store, book: book, set: slices.Clone(set), o: o, changed: make(chan struct{}), damage: make(chan struct{}, 1),
		rules: ruleLog{store: store}}
	if o.readOnly {
		f, err := openBeside(ctx, dir)
		if err != nil {
			return nil, err
		}
		e.file = f
		return e, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the projections: %w", err)
	}
	e.lock = flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := e.lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock the projections: %w", err)
	case !locked:
		return nil, fmt.Errorf("open the projections: %w", ErrLocked)
	}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.lock.Unlock())
	}
	return e, nil
}

// Latest opens the projections for a command that only asks: up to date with the log as it is now. It becomes
// the owner and catches up; where another process is the owner, it waits until that one has.
func Latest(ctx context.Context, dir string, store events.Store, book *protocol.Book, set []Projection, progress func(Progress), opts ...Option) (*Engine, error) {
	e, err := Open(ctx, dir, store, book, set, opts...)
	if errors.Is(err, ErrLocked) {
		if e, err = Open(ctx, dir, store, book, set, append(slices.Clone(opts), ReadOnly())...); err != nil {
			return nil, err
		}
		var head events.Position
		if head, err = store.Head(ctx); err == nil {
			err = e.WaitFor(ctx, head)
		}
	} else if err == nil {
		err = e.CatchUp(ctx, progress)
	}
	if err != nil && !errors.Is(err, ErrFailed) {
		if e != nil {
			err = errors.Join(err, e.Close())
		}
		return nil, err
	}
	return e, err
}

// open opens the file and settles which generations there are. A file in which that fails is made anew.
func (e *Engine) open(ctx context.Context) error {
	f, err := openFile(ctx, e.dir)
	if err != nil {
		return err
	}
	members, err := e.settle(ctx, f)
	if err != nil && (isDamage(err) || errors.Is(err, ErrDamaged)) {
		err = errors.Join(f.close(), removeFile(f.path))
		if err == nil {
			if f, err = openFile(ctx, e.dir); err == nil {
				members, err = e.settle(ctx, f)
			}
		}
	}
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.close())
		}
		return err
	}
	e.mu.Lock()
	e.file, e.members = f, members
	e.mu.Unlock()
	return nil
}

// settle reads the generations on record, begins the missing ones and drops those that nobody wants.
func (e *Engine) settle(ctx context.Context, f *file) ([]*generation, error) {
	var members []*generation
	err := f.transact(ctx, func() error {
		all, err := generations(ctx, f.conn)
		if err != nil {
			return err
		}
		have := make(map[string]bool)
		for _, g := range all {
			p, known := e.byName(g.p.Name)
			switch {
			case known && g.version == p.Version:
				g.p, g.failed = p, nil // it is tried again: the program may be a fixed one
				g.setNames()
				members = append(members, g)
				have[p.Name] = true
			case known && g.live && p.reads(g.version): // it answers until the new version is built
			default:
				if err := f.drop(ctx, g); err != nil {
					return err
				}
			}
		}
		for _, p := range e.set {
			if !have[p.Name] {
				g, err := f.create(ctx, p)
				if err != nil {
					return err
				}
				members = append(members, g)
			}
		}
		return nil
	})
	return members, err
}

// Close ends the use of the projections. End Run first.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	f := e.file
	e.tellLocked()
	e.mu.Unlock()
	e.users.Wait()
	err := f.close()
	if e.lock != nil {
		err = errors.Join(err, e.lock.Unlock())
	}
	if err != nil {
		return fmt.Errorf("close the projections: %w", err)
	}
	return nil
}

// use lends the file until release is called.
func (e *Engine) use() (f *file, release func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, ErrClosed
	}
	e.users.Add(1)
	return e.file, e.users.Done, nil
}

func (e *Engine) byName(name string) (Projection, bool) {
	for _, p := range e.set {
		if p.Name == name {
			return p, true
		}
	}
	return Projection{}, false
}

// Store is the log that the projections are of.
func (e *Engine) Store() events.Store { return e.store }

// BookAt is the rules and the calendars as known then: the shipped ones and what was published and decreed.
func (e *Engine) BookAt(ctx context.Context, asOf events.AsOf) (*protocol.Book, error) {
	return bookAt(ctx, &e.rules, e.book, asOf, true)
}

// DecreesAt is BookAt without what the directory says of single institutions: enough for calendars, and quick.
func (e *Engine) DecreesAt(ctx context.Context, asOf events.AsOf) (*protocol.Book, error) {
	return bookAt(ctx, &e.rules, e.book, asOf, false)
}

// tell wakes all that wait. tellLocked is for callers that hold mu.
func (e *Engine) tellLocked() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// State of a projection, as shown by `projection list`.
type State string

// The states.
const (
	Live       State = "live"
	CatchingUp State = "catching-up"
	Rebuilding State = "rebuilding"
	Failed     State = "failed"
)

// Status is how a projection stands.
type Status struct {
	Name     string          `json:"name"`
	Version  int             `json:"version"`
	Position events.Position `json:"position"`
	// Lag is the distance to the log's head: events on the embedded store, bytes of the log on EventStoreDB.
	Lag   uint64 `json:"lag"`
	State State  `json:"state"`
	Error string `json:"error,omitempty"`
	// Event is the id of the event at which a failed projection stopped.
	Event string `json:"event,omitempty"`
	// Built is how far the generation is that will replace this one, while there is one.
	Built *events.Position `json:"built,omitempty"`
}

// List says how each projection stands, in the order given to Open.
func (e *Engine) List(ctx context.Context) ([]Status, error) {
	f, release, err := e.use()
	if err != nil {
		return nil, err
	}
	defer release()
	head, headErr := e.store.Head(ctx)
	all, err := generations(ctx, f.readers)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	trouble := e.trouble
	e.mu.Unlock()
	list := make([]Status, 0, len(e.set))
	for _, p := range e.set {
		s := Status{Name: p.Name, Version: p.Version, State: Rebuilding}
		for _, g := range all { // the one that answers comes first
			switch {
			case g.p.Name != p.Name:
				continue
			case !g.live:
				at := g.at
				s.Built = &at
				s.State = Rebuilding
			default:
				s.Version, s.Position, s.State = g.version, g.at, Live
				if head.After(g.at) {
					s.State = CatchingUp
				}
			}
			if g.failed != nil {
				s.State, s.Error, s.Event = Failed, g.failed.Reason, g.failed.Event.String()
			}
		}
		if head.After(s.Position) {
			s.Lag = head.Commit - s.Position.Commit
		}
		if s.Error == "" {
			if err := errors.Join(trouble, headErr); err != nil {
				s.Error = err.Error()
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// WaitFor waits until the named projections, or all if none is named, answer with everything up to a position. It
// fails with a *FailedError when one of them has stopped before it, and with the context's error.
func (e *Engine) WaitFor(ctx context.Context, pos events.Position, names ...string) error {
	if len(names) == 0 {
		for _, p := range e.set {
			names = append(names, p.Name)
		}
	}
	for {
		e.mu.Lock()
		changed, members, closed := e.changed, slices.Clone(e.members), e.closed
		var snapshot []generation
		for _, m := range members {
			snapshot = append(snapshot, *m)
		}
		e.mu.Unlock()
		if closed {
			return ErrClosed
		}
		if e.o.readOnly {
			var err error
			if snapshot, err = e.onRecord(ctx); err != nil {
				return err
			}
		}
		reached, err := reached(snapshot, pos, names)
		if reached || err != nil {
			return err
		}
		if err := e.wait(ctx, changed); err != nil {
			return fmt.Errorf("wait for position %s: %w", pos, err)
		}
	}
}

// onRecord reads the generations from the file.
func (e *Engine) onRecord(ctx context.Context) ([]generation, error) {
	f, release, err := e.use()
	if err != nil {
		return nil, err
	}
	defer release()
	all, err := generations(ctx, f.readers)
	if err != nil {
		return nil, err
	}
	var snapshot []generation
	for _, g := range all {
		snapshot = append(snapshot, *g)
	}
	return snapshot, nil
}

// wait returns when something may have changed: at once told by the owner, beside it after a short while.
func (e *Engine) wait(ctx context.Context, changed <-chan struct{}) error {
	var tick <-chan time.Time
	if e.o.readOnly {
		t := time.NewTimer(e.o.poll)
		defer t.Stop()
		tick = t.C
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-changed:
	case <-tick:
	}
	return nil
}

// reached reports whether all the named projections answer up to pos.
func reached(members []generation, pos events.Position, names []string) (bool, error) {
	for _, name := range names {
		found := false
		for i := range members {
			g := &members[i]
			if g.p.Name != name {
				continue
			}
			if g.failed != nil && pos.After(g.at) {
				return false, g.failed
			}
			found = found || g.live && !pos.After(g.at)
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

// Changed returns a channel that is closed when all projections that have not stopped answer with something
// after the position, and it may be closed earlier: it only means "look again". It is closed too when the engine
// is closed. On an engine that was opened read-only it is closed after a short while in any case.
func (e *Engine) Changed(after events.Position) <-chan struct{} {
	if e.o.readOnly || e.pastAll(after) {
		told := make(chan struct{})
		if e.o.readOnly {
			time.AfterFunc(e.o.poll, func() { close(told) })
		} else {
			close(told)
		}
		return told
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		told := make(chan struct{})
		close(told)
		return told
	}
	return e.changed
}

// pastAll reports whether every projection that goes on has passed a position, and there is one.
func (e *Engine) pastAll(after events.Position) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	some := false
	for _, g := range e.members {
		if !g.live || g.failed != nil {
			continue
		}
		if !g.at.After(after) {
			return false
		}
		some = true
	}
	return some
}
