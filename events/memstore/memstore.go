// Package memstore keeps a log in memory. It makes the promises of the Store port except that events outlive
// the process: for tests, trials and simulations that nobody needs to read later.
package memstore

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/internal/admission"
	"traga.internal/events/internal/wake"
)

// Store is a log in memory. Make it with New.
type Store struct {
	clock func() time.Time
	bell  wake.Bell

	mu      sync.RWMutex
	closed  bool
	log     []events.Recorded // the n-th event, from 1, has position n and stands at n-1
	streams map[string][]int  // places in log, by revision
	ids     map[uuid.UUID]int // places in log
}

var _ events.Store = (*Store)(nil)

// New makes an empty log whose events are recorded at the times of the clock; nil is time.Now.
func New(clock func() time.Time) *Store {
	if clock == nil {
		clock = time.Now
	}
	return &Store{clock: clock, streams: map[string][]int{}, ids: map[uuid.UUID]int{}}
}

// Append implements events.Store. It never leaves the outcome unknown.
func (s *Store) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	if err := admission.Check(stream, expected, proposed); err != nil {
		return events.Appended{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return events.Appended{}, fmt.Errorf("append: %w", err)
	}
	length := uint64(len(s.streams[stream]))
	earlier, known, err := admission.Known(stream, expected, length, proposed, s.find)
	if err != nil || known {
		return earlier, err
	}
	if !expected.Holds(length) {
		return events.Appended{}, &events.ConflictError{Stream: stream, Expected: expected, Length: length}
	}
	now := s.clock().UTC().Truncate(time.Microsecond)
	if n := len(s.log); n > 0 && now.Before(s.log[n-1].RecordedAt) {
		now = s.log[n-1].RecordedAt
	}
	for i, p := range proposed {
		s.ids[p.ID] = len(s.log)
		s.streams[stream] = append(s.streams[stream], len(s.log))
		s.log = append(s.log, events.Recorded{
			ID: p.ID, Stream: stream, Revision: length + uint64(i), Position: events.At(uint64(len(s.log) + 1)),
			RecordedAt: now, Type: p.Type, Metadata: slices.Clone(p.Metadata), Data: slices.Clone(p.Data),
		})
	}
	last := s.log[len(s.log)-1]
	s.bell.Ring(last.Position)
	return events.Appended{Revision: last.Revision, Position: last.Position, RecordedAt: last.RecordedAt}, nil
}

func (s *Store) find(id uuid.UUID) (admission.Place, bool, error) {
	i, ok := s.ids[id]
	if !ok {
		return admission.Place{}, false, nil
	}
	r := s.log[i]
	return admission.Place{Stream: r.Stream, Revision: r.Revision, Position: r.Position, RecordedAt: r.RecordedAt}, true, nil
}

// ReadStream implements events.Store.
func (s *Store) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		for revision := from; ; revision++ {
			r, ok, err := s.at(ctx, stream, revision)
			if err != nil {
				yield(events.Recorded{}, fmt.Errorf("read stream: %w", err))
				return
			}
			if !ok || !yield(r, nil) {
				return
			}
		}
	}
}

func (s *Store) at(ctx context.Context, stream string, revision uint64) (events.Recorded, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return events.Recorded{}, false, err
	}
	places := s.streams[stream]
	if revision >= uint64(len(places)) {
		return events.Recorded{}, false, nil
	}
	return copied(s.log[places[revision]]), true, nil
}

// ReadAll implements events.Store.
func (s *Store) ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error) {
	if limit < 1 {
		return events.Page{}, fmt.Errorf("read log: a page of %d events makes no sense", limit)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return events.Page{}, fmt.Errorf("read log: %w", err)
	}
	page := events.Page{Scanned: after}
	for n := after.Commit; n < uint64(len(s.log)) && len(page.Events) < limit; n++ {
		r := s.log[n]
		page.Scanned, page.ScannedID = r.Position, r.ID
		if filter.Passes(r.Stream, r.Type) {
			page.Events = append(page.Events, copied(r))
		}
	}
	page.More = page.Scanned.Commit < uint64(len(s.log))
	return page, nil
}

// Head implements events.Store.
func (s *Store) Head(ctx context.Context) (events.Position, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return events.Start, fmt.Errorf("find the end of the log: %w", err)
	}
	return events.At(uint64(len(s.log))), nil
}

// Changed implements events.Store.
func (s *Store) Changed(after events.Position) <-chan struct{} { return s.bell.After(after) }

// Lookup finds an event by its id.
func (s *Store) Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return events.Recorded{}, false, fmt.Errorf("look up an event: %w", err)
	}
	i, ok := s.ids[id]
	if !ok {
		return events.Recorded{}, false, nil
	}
	return copied(s.log[i]), true, nil
}

// Holds reports whether the event with this id stands at this position.
func (s *Store) Holds(ctx context.Context, at events.Position, id uuid.UUID) (bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return false, fmt.Errorf("look for an event: %w", err)
	}
	i, ok := s.ids[id]
	return ok && s.log[i].Position == at, nil
}

// PositionAt is the position of the last event recorded at t or before; Start when there is none.
func (s *Store) PositionAt(ctx context.Context, t time.Time) (events.Position, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(ctx); err != nil {
		return events.Start, fmt.Errorf("find the position of an instant: %w", err)
	}
	n := sort.Search(len(s.log), func(i int) bool { return s.log[i].RecordedAt.After(t) })
	return events.At(uint64(n)), nil
}

// Close implements io.Closer. The events are gone with it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.bell.Close()
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed {
		return events.ErrClosed
	}
	return ctx.Err()
}

// copied is an event whose bytes the reader may change without changing the log.
func copied(r events.Recorded) events.Recorded {
	r.Metadata, r.Data = slices.Clone(r.Metadata), slices.Clone(r.Data)
	return r
}
