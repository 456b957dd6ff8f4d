package record

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/directory"
	"traga.internal/events"
)

// fold is what the write path remembers of one stream: everything in it up to some revision. Whoever holds the
// turn may use it; those who write to one case through this process come one after the other, and those who write
// to different cases do not wait for each other.
type fold struct {
	stream string
	turn   chan struct{} // holds one token

	loaded    bool
	next      uint64 // the revision that the stream's next event will have
	state     casefile.State
	judge     Judge                // nil for a stream that is no case's, and in an import
	directory *directory.Directory // nil for a stream that is none's
}

func newFold(stream string, family events.StreamFamily, judge Judge) *fold {
	f := &fold{stream: stream, turn: make(chan struct{}, 1), judge: judge}
	if family == events.DirectoryFamily {
		f.directory = &directory.Directory{}
	}
	f.turn <- struct{}{}
	return f
}

// enter waits for the turn, or for the end of ctx.
func (f *fold) enter(ctx context.Context) error {
	select {
	case <-f.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fold) leave() { f.turn <- struct{}{} }

func (f *fold) evolve(e *events.Event) {
	f.state.Evolve(e)
	if f.judge != nil {
		f.judge.Evolve(e)
	}
	if f.directory != nil {
		f.directory.Evolve(e)
	}
	f.next++
}

// refresh reads what the stream holds beyond what the fold knows. When it fails, what was read so far is kept:
// the fold is then an earlier state of the stream, never a wrong one.
func (f *fold) refresh(ctx context.Context, store events.Store) error {
	for r, err := range store.ReadStream(ctx, f.stream, f.next) {
		if err != nil {
			return err
		}
		if r.Revision != f.next {
			return fmt.Errorf("%w: revision %d where %d was expected", events.ErrDamaged, r.Revision, f.next)
		}
		e, err := events.Decode(&r)
		if err != nil {
			return err
		}
		f.evolve(e)
	}
	f.loaded = true
	return nil
}

// folds keeps the folds that were used last. A fold that is dropped while someone uses it stays good: the
// expected revision of each append keeps two folds of one stream from writing past each other.
type folds struct {
	limit int // how many folds

	mu   sync.Mutex
	used *list.List // of *fold, the one used last in front
	by   map[string]*list.Element
}

func newFolds(limit int) *folds {
	return &folds{limit: limit, used: list.New(), by: make(map[string]*list.Element)}
}

// get returns the fold of a stream, made by fresh if none is kept.
func (c *folds) get(stream string, fresh func() *fold) *fold {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.by[stream]; ok {
		c.used.MoveToFront(el)
		return el.Value.(*fold)
	}
	f := fresh()
	c.by[stream] = c.used.PushFront(f)
	for c.used.Len() > c.limit {
		last := c.used.Back()
		delete(c.by, last.Value.(*fold).stream)
		c.used.Remove(last)
	}
	return f
}

// forget drops a stream's fold; the next use reads the stream anew.
func (c *folds) forget(stream string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.by[stream]; ok {
		delete(c.by, stream)
		c.used.Remove(el)
	}
}
