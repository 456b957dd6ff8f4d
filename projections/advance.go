package projections

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"traga.internal/events"
)

// readLimit is how many events are asked of the log at once; a store may give fewer.
const readLimit = 1024

// projected are the streams that projections read.
var projected = events.Filter{StreamPrefixes: []string{casePrefix, protocolPrefix, directoryPrefix, accessPrefix}}

// group is the projections that stand at the same position and go on together: each event is read, decoded and
// folded once for all of them. It belongs to one goroutine at a time.
type group struct {
	e       *Engine
	members []*generation
	at      events.Position
	folder  *folder // nil after a failure: it is made anew at the checkpoint
	limit   int     // events a transaction
	// kept is what the members know of their tables, as of the last commit.
	kept map[*generation]*any
	// purged is how often personal data had been taken out when the folder was made.
	purged int64
}

func (e *Engine) newGroup(at events.Position, members ...*generation) *group {
	return &group{e: e, members: members, at: at, limit: e.o.page}
}

// batch is how many events go from reading to folding at once.
const batch = 4096

// page is a part of the log on its way through reading, folding and writing. It is read in batches, which folding puts
// together.
type page struct {
	events []*events.Event // those of the last batch
	n      int             // events in all
	to     events.Position
	id     uuid.UUID // of the event at to; nil where that is not known
	more   bool
	// broken is the event after these that can't be read, and why.
	broken *events.Recorded
	err    error

	work []*work // for each of the group's members, once it is folded
}

// work is what one projection makes of one page.
type work struct {
	g          *generation
	collectors []Collector // one for each shard
	errs       []error
}

// failed reports whether a member could not digest the page.
func (p *page) failed() bool {
	return slices.ContainsFunc(p.work, func(w *work) bool { return errors.Join(w.errs...) != nil })
}

// lost says which members could not digest a page, and where it ended. They are tried again event by event, so
// that the one event is found, and all before it are kept.
type lost struct {
	g   *generation
	to  events.Position
	why error
}

// advance goes on until the log's head, or a position where one is given, and returns the members that failed on
// the way. Any error is trouble that is not an event's: then the group stands at its last checkpoint.
func (g *group) advance(ctx context.Context, upTo events.Position, progress func(events.Position, int)) (failed []lost, err error) {
	if n := g.e.purges.Load(); n != g.purged {
		g.folder, g.kept, g.purged = nil, nil, n // they may hold what was erased
	}
	if g.folder == nil {
		g.folder = newFolder(g.e.store, g.e.book, g.at, g.e.o.shards, g.e.o.memory)
	}
	defer func() {
		if err != nil || len(g.members) == 0 {
			g.folder = nil // it may have run ahead of what was committed
		}
	}()
	read := make(chan *page, 2)
	foldedPages := make(chan *page, 1)
	members := slices.Clone(g.members)
	run, ctx := errgroup.WithContext(ctx)
	run.Go(func() error {
		defer close(read)
		return g.read(ctx, upTo, read)
	})
	run.Go(func() error {
		defer close(foldedPages)
		return g.foldAll(ctx, read, foldedPages, members)
	})
	run.Go(func() error {
		for p := range foldedPages {
			now, err := g.write(ctx, p)
			if err != nil {
				return err
			}
			failed = append(failed, now...)
			if progress != nil {
				progress(p.to, p.n)
			}
			if p.err != nil {
				return g.stopAll(ctx, p.broken, p.err)
			}
			if len(g.members) == 0 {
				return errNoneLeft
			}
		}
		return nil
	})
	if err = run.Wait(); errors.Is(err, errNoneLeft) {
		err = nil
	}
	return failed, err
}

// errNoneLeft ends an advance of which no projection is left.
var errNoneLeft = errors.New("no projection of the group goes on")

// read reads and decodes pages until the log's head.
func (g *group) read(ctx context.Context, upTo events.Position, out chan<- *page) error {
	filter := projected
	for after, more := g.at, true; more; {
		p := &page{to: after, events: make([]*events.Event, 0, min(g.limit, batch))}
		for len(p.events) < min(g.limit, batch) && p.err == nil {
			got, err := g.e.store.ReadAll(ctx, p.to, min(readLimit, g.limit-len(p.events)), filter)
			if err != nil {
				return &troubleError{fmt.Errorf("read the log after %s: %w", p.to, err)}
			}
			p.more = got.More
			for i := range got.Events {
				r := &got.Events[i]
				if upTo != events.Start && r.Position.After(upTo) {
					got.Scanned, got.ScannedID, p.more = upTo, uuid.Nil, false
					break
				}
				e, err := events.Decode(r)
				if err != nil {
					p.broken, p.err, p.more = r, err, false
					break
				}
				p.events = append(p.events, e)
				p.to, p.id = r.Position, r.ID
			}
			if p.err == nil {
				if upTo != events.Start && !upTo.After(got.Scanned) {
					p.more = false
					if upTo != got.Scanned {
						got.Scanned, got.ScannedID = upTo, uuid.Nil
					}
				}
				if got.Scanned != p.to {
					p.to, p.id = got.Scanned, got.ScannedID
				}
			}
			if !p.more {
				break
			}
		}
		if p.to == after && p.err == nil {
			return nil // nothing new
		}
		after, more = p.to, p.more
		select {
		case out <- p:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// foldAll folds batches and puts them together to pages.
func (g *group) foldAll(ctx context.Context, read <-chan *page, out chan<- *page, members []*generation) error {
	var whole *page // all batches so far of a page that is not full
	for more := true; more; {
		var p *page
		if p, more = <-read; more {
			if whole != nil {
				p.n, p.work = whole.n, whole.work
			}
			whole = p
			if err := g.fold(ctx, p, members); err != nil {
				return err
			}
			if p.more && p.n < g.limit && !p.failed() {
				continue
			}
		}
		if whole == nil {
			continue
		}
		select {
		case out <- whole:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		whole = nil
	}
	return nil
}

// fold folds a batch and lets every member collect from it.
func (g *group) fold(ctx context.Context, p *page, members []*generation) error {
	p.n += len(p.events)
	for _, m := range members {
		if len(p.work) == len(members) {
			break // not the page's first batch
		}
		w := &work{g: m, errs: make([]error, len(g.folder.shards))}
		for range g.folder.shards {
			w.collectors = append(w.collectors, m.p.Collect())
		}
		p.work = append(p.work, w)
	}
	err := g.folder.page(ctx, p.events, func(shard int, s *Step) {
		for _, w := range p.work {
			if w.errs[shard] == nil {
				w.errs[shard] = guard(func() error { return w.collectors[shard].Collect(s) })
			}
		}
	})
	if err != nil && !isTrouble(err) {
		for _, w := range p.work { // what can't be folded stops all
			w.errs[0] = errors.Join(w.errs[0], err)
		}
		return nil
	}
	g.folder.at = p.to
	return err
}

// guard turns a panic into an error, so that one projection's fault stops that projection only.
func guard(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the program failed on it")
			if fault, ok := r.(runtime.Error); ok {
				err = fmt.Errorf("the program failed on it: %w", fault)
			}
		}
	}()
	return fn()
}

// write commits a page: each member's rows and its checkpoint, all in one transaction. When a member fails, the
// transaction is undone and done again without it. A crash before the commit leaves rows and checkpoints as they
// were; after it both have moved.
func (g *group) write(ctx context.Context, p *page) (failed []lost, err error) {
	f, release, err := g.e.use()
	if err != nil {
		return nil, &troubleError{err}
	}
	defer release()
	for {
		var left []*generation
		var bad *lost
		err = f.transact(ctx, func() error {
			if g.e.purges.Load() != g.purged {
				return errPurged
			}
			for _, m := range g.members {
				there, err := f.holds(ctx, m)
				if err != nil {
					return err
				}
				if !there {
					continue // a rebuilt generation has taken its place
				}
				i := slices.IndexFunc(p.work, func(w *work) bool { return w.g == m })
				if err := writeOne(ctx, f, p.work[i], g.keptOf(m)); err != nil {
					if !isTrouble(err) {
						bad = &lost{m, p.to, err}
					}
					return err
				}
				if err := f.checkpoint(ctx, m, p.to, p.id); err != nil {
					return err
				}
				left = append(left, m)
			}
			return nil
		})
		if err != nil {
			g.kept = nil // it may know more than was committed
		}
		switch {
		case err == nil:
			g.e.moved(left, p.to, p.id)
			g.members, g.at = left, p.to
			return failed, nil
		case bad == nil:
			return nil, &troubleError{fmt.Errorf("commit the projections at %s: %w", p.to, err)}
		}
		failed = append(failed, *bad)
		g.members = slices.DeleteFunc(g.members, func(m *generation) bool { return m == bad.g })
	}
}

// keptOf is what a member keeps between its writes.
func (g *group) keptOf(m *generation) *any {
	if g.kept == nil {
		g.kept = make(map[*generation]*any)
	}
	if g.kept[m] == nil {
		g.kept[m] = new(any)
	}
	return g.kept[m]
}

// writeOne writes one member's rows.
func writeOne(ctx context.Context, f *file, w *work, kept *any) error {
	if err := errors.Join(w.errs...); err != nil {
		return err
	}
	tx := &Tx{f: f, g: w.g, kept: kept}
	for _, c := range w.collectors {
		if err := guard(func() error { return c.Write(ctx, tx) }); err != nil {
			return err
		}
	}
	return nil
}

// moved makes committed checkpoints known.
func (e *Engine) moved(members []*generation, to events.Position, id uuid.UUID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range members {
		m.at, m.id, m.failed = to, id, nil
	}
	e.trouble = nil
	e.tellLocked()
}

// stopAll stops every member at an event that can't be read.
func (g *group) stopAll(ctx context.Context, at *events.Recorded, reason error) error {
	for _, m := range g.members {
		if err := g.e.stop(ctx, m, &FailedError{Projection: m.p.Name, Event: at.ID, Position: at.Position, Reason: reason.Error()}); err != nil {
			return err
		}
	}
	g.members = nil
	return errNoneLeft
}

// stop records that a projection has stopped at an event, and says so.
func (e *Engine) stop(ctx context.Context, m *generation, failed *FailedError) error {
	f, release, err := e.use()
	if err != nil {
		return &troubleError{err}
	}
	defer release()
	if err := f.stop(ctx, m, failed); err != nil {
		return &troubleError{err}
	}
	e.mu.Lock()
	m.failed = failed
	e.tellLocked()
	e.mu.Unlock()
	e.o.log.LogAttrs(ctx, levelError, "projection stopped", attr("projection", failed.Projection), attr("event", failed.Event.String()),
		attr("position", failed.Position.String()), attr("error", failed.Reason))
	return nil
}
