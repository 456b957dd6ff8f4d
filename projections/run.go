package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"traga.internal/events"
)

const levelError = slog.LevelError

func attr(key, value string) slog.Attr { return slog.String(key, value) }

// Progress is how far catching up or a rebuild has come.
type Progress struct {
	// Projections are those that are being brought up together.
	Projections []string
	// At is how far they are, Head where the log ended when last asked.
	At, Head events.Position
	// Events is how many were read so far by this call.
	Events int
}

// groups takes the projections that no rebuild has taken and sorts them into groups of equal positions, farthest
// first. Those that have stopped are tried again.
func (e *Engine) groups() []*group {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []*group
	for _, m := range e.members {
		if m.taken {
			continue
		}
		m.failed, m.taken = nil, true
		i := slices.IndexFunc(all, func(g *group) bool { return g.at == m.at })
		if i < 0 {
			all = append(all, e.newGroup(m.at, m))
			continue
		}
		all[i].members = append(all[i].members, m)
	}
	slices.SortFunc(all, func(a, b *group) int { return b.at.Compare(a.at) })
	return all
}

// CatchUp brings all projections up to the log's head as it is now, and returns. Failures at an event are
// returned joined, each a *FailedError, when all others have caught up. While Run is at work it only waits.
// progress, if not nil, is called after every commit, by one goroutine at a time for each group of projections.
func (e *Engine) CatchUp(ctx context.Context, progress func(Progress)) error {
	if e.o.readOnly {
		return ErrReadOnly
	}
	e.mu.Lock()
	active := e.active
	e.mu.Unlock()
	if active {
		head, err := e.store.Head(ctx)
		if err != nil {
			return fmt.Errorf("catch up: %w", err)
		}
		return e.WaitFor(ctx, head)
	}
	for again := false; ; again = true {
		err := e.once(ctx, false, progress)
		if err == nil {
			return e.failures()
		}
		if again || !e.repair(ctx, err) {
			return fmt.Errorf("catch up: %w", err)
		}
	}
}

// failures are the projections that have stopped.
func (e *Engine) failures() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, m := range e.members {
		if m.failed != nil {
			errs = append(errs, m.failed)
		}
	}
	return errors.Join(errs...)
}

// Run follows the log until the context ends, and then returns nil. Trouble with the log or the disk is tried
// again, and shown by List meanwhile.
func (e *Engine) Run(ctx context.Context) error {
	if e.o.readOnly {
		return ErrReadOnly
	}
	e.mu.Lock()
	if e.active {
		e.mu.Unlock()
		return errors.New("follow the log: it is being followed already")
	}
	e.active = true
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.active = false
		e.mu.Unlock()
	}()
	for {
		err := e.once(ctx, true, nil)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrClosed) || errors.Is(err, events.ErrClosed) || errors.Is(err, ErrOvertaken) {
			return fmt.Errorf("follow the log: %w", err)
		}
		e.mu.Lock()
		e.trouble = err
		e.tellLocked()
		e.mu.Unlock()
		e.o.log.LogAttrs(ctx, slog.LevelWarn, "projections wait to try again", attr("error", fmt.Sprint(err)))
		if !e.repair(ctx, err) {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(e.o.retry):
			}
		}
	}
}

// repair builds a damaged file anew, and reports whether it did.
func (e *Engine) repair(ctx context.Context, err error) bool {
	if !isDamage(err) && !errors.Is(err, ErrDamaged) {
		return false
	}
	e.mu.Lock()
	f := e.file
	e.mu.Unlock()
	if errors.Join(f.close(), removeFile(f.path)) != nil {
		return false
	}
	return e.open(ctx) == nil
}

// once brings every group to the head; following, it stays there until there is trouble or the context ends.
func (e *Engine) once(ctx context.Context, follow bool, progress func(Progress)) error {
	if err := e.verify(ctx); err != nil {
		return err
	}
	groups := e.groups()
	defer e.release(groups)
	e.joining.Lock()
	e.main = nil
	if len(groups) > 0 {
		e.main = groups[0]
		e.main.members = slices.Clone(e.main.members)
	}
	e.joining.Unlock()
	if len(groups) == 0 {
		if follow {
			<-ctx.Done()
		}
		return nil
	}
	run, ctx := errgroup.WithContext(ctx)
	for _, g := range groups[1:] {
		run.Go(func() error { return e.bringUp(ctx, run, g, progress) })
	}
	run.Go(func() error {
		for {
			at, some, changed, err := e.lead(ctx, run, progress)
			if err != nil || !follow {
				return err
			}
			if some {
				changed = e.store.Changed(at)
			}
			select {
			case <-changed:
			case <-e.damage:
				return ErrDamaged
			case <-ctx.Done():
				return nil
			}
		}
	})
	return run.Wait()
}

// release gives up what groups took.
func (e *Engine) release(groups []*group) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, g := range groups {
		for _, m := range g.members {
			m.taken = false
		}
	}
}

// lead brings the main group to the head. While it has no member, changed tells when it may have one.
func (e *Engine) lead(ctx context.Context, run *errgroup.Group, progress func(Progress)) (at events.Position, some bool, changed <-chan struct{}, err error) {
	e.joining.Lock()
	defer e.joining.Unlock()
	e.mu.Lock()
	changed = e.changed
	e.mu.Unlock()
	if err = e.step(ctx, run, e.main, events.Start, progress); err == nil {
		err = e.settleIn(ctx, e.main)
	}
	return e.main.at, len(e.main.members) > 0, changed, err
}

// step advances a group; members that failed go their own way, event by event.
func (e *Engine) step(ctx context.Context, run *errgroup.Group, g *group, upTo events.Position, progress func(Progress)) error {
	if len(g.members) == 0 {
		return nil
	}
	for {
		failed, err := g.advance(ctx, upTo, e.reporter(ctx, g, progress))
		for _, l := range failed {
			run.Go(func() error { return e.search(ctx, run, l) })
		}
		if !errors.Is(err, errPurged) {
			return err
		}
	}
}

// search finds the event that a projection could not digest: it goes on with transactions of one event. Should
// none fail this time, the projection joins the others again.
func (e *Engine) search(ctx context.Context, run *errgroup.Group, l lost) error {
	g := e.newGroup(l.g.at, l.g)
	g.limit = 1
	for l.to.After(g.at) {
		from := g.at
		next, err := e.next(ctx, from)
		if err != nil {
			return err
		}
		if next == nil {
			break
		}
		failed, err := g.advance(ctx, next.Position, nil)
		if err != nil {
			return err
		}
		if len(failed) > 0 {
			return e.stop(ctx, l.g, &FailedError{Projection: l.g.p.Name, Event: next.ID, Position: next.Position, Reason: failed[0].why.Error()})
		}
		if len(g.members) == 0 { // it was stopped at an event that can't be read
			return nil
		}
	}
	g.limit = e.o.page
	return e.bringUp(ctx, run, g, nil)
}

// next is the first event after a position that projections read.
func (e *Engine) next(ctx context.Context, after events.Position) (*events.Recorded, error) {
	filter := projected
	for {
		page, err := e.store.ReadAll(ctx, after, 1, filter)
		switch {
		case err != nil:
			return nil, &troubleError{fmt.Errorf("read the log after %s: %w", after, err)}
		case len(page.Events) > 0:
			return &page.Events[0], nil
		case !page.More:
			return nil, nil
		}
		after = page.Scanned
	}
}

// bringUp brings a group to the head and lets it join the main group there.
func (e *Engine) bringUp(ctx context.Context, run *errgroup.Group, g *group, progress func(Progress)) error {
	if err := e.step(ctx, run, g, events.Start, progress); err != nil {
		return err
	}
	e.joining.Lock()
	defer e.joining.Unlock()
	if err := e.settleIn(ctx, g); err != nil || len(g.members) == 0 {
		return err
	}
	if m := e.main; m != nil && len(m.members) > 0 {
		var err error
		if m.at.After(g.at) {
			err = e.step(ctx, run, g, m.at, progress)
		} else if g.at.After(m.at) {
			err = e.step(ctx, run, m, g.at, progress)
		}
		if err != nil {
			return err
		}
		if len(m.members) > 0 {
			m.members = append(m.members, g.members...)
			return nil
		}
	}
	e.main = g
	e.mu.Lock()
	e.tellLocked()
	e.mu.Unlock()
	return nil
}

// settleIn swaps in the members of a group that were being built: they have reached the head. The caller holds
// joining, so that the generations that go are not at work.
func (e *Engine) settleIn(ctx context.Context, g *group) error {
	for _, m := range g.members {
		if m.live {
			continue
		}
		f, release, err := e.use()
		if err != nil {
			return &troubleError{err}
		}
		err = f.transact(ctx, func() error { return f.swap(ctx, m) })
		release()
		if err != nil {
			return &troubleError{fmt.Errorf("swap in %s: %w", m.p.Name, err)}
		}
		old := func(o *generation) bool { return o.p.Name == m.p.Name && o != m }
		if e.main != nil {
			e.main.members = slices.DeleteFunc(e.main.members, old)
		}
		e.mu.Lock()
		m.live = true
		e.members = slices.DeleteFunc(e.members, old)
		e.tellLocked()
		e.mu.Unlock()
	}
	return nil
}

// reporter turns commits into reports of progress.
func (e *Engine) reporter(ctx context.Context, g *group, progress func(Progress)) func(events.Position, int) {
	if progress == nil {
		return nil
	}
	p := Progress{}
	for _, m := range g.members {
		p.Projections = append(p.Projections, m.p.Name)
	}
	if head, err := e.store.Head(ctx); err == nil {
		p.Head = head
	}
	return func(at events.Position, n int) {
		p.At = at
		p.Events += n
		if p.At.After(p.Head) {
			p.Head = p.At
		}
		progress(p)
	}
}

// Rebuild builds a projection anew beside the old one, which answers until the new one has reached the log's head
// and takes its place. When it is interrupted, calling it again goes on where it was, and so does CatchUp or Run
// when it is next called. It works while Run does, or without.
func (e *Engine) Rebuild(ctx context.Context, name string, progress func(Progress)) error {
	if e.o.readOnly {
		return ErrReadOnly
	}
	p, ok := e.byName(name)
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	m, err := e.take(ctx, p)
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", name, err)
	}
	defer func() {
		e.mu.Lock()
		m.taken = false
		e.mu.Unlock()
	}()
	run, ctx := errgroup.WithContext(ctx)
	run.Go(func() error { return e.bringUp(ctx, run, e.newGroup(m.at, m), progress) })
	if err := run.Wait(); err != nil {
		return fmt.Errorf("rebuild %s: %w", name, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.failed != nil {
		return m.failed
	}
	return nil
}

// take returns the generation that a rebuild fills: one that was begun, or a new one.
func (e *Engine) take(ctx context.Context, p Projection) (*generation, error) {
	f, release, err := e.use()
	if err != nil {
		return nil, err
	}
	defer release()
	e.mu.Lock()
	for _, m := range e.members {
		if m.p.Name == p.Name && !m.live {
			defer e.mu.Unlock()
			if m.taken && m.failed == nil {
				return nil, ErrRebuilding
			}
			m.taken, m.failed = true, nil
			return m, nil
		}
	}
	e.mu.Unlock()
	var m *generation
	if err := f.transact(ctx, func() (err error) { m, err = f.create(ctx, p); return err }); err != nil {
		return nil, err
	}
	m.taken = true
	e.mu.Lock()
	e.members = append(e.members, m)
	e.mu.Unlock()
	return m, nil
}
