package esdbstore

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"traga.internal/events/ledger"
)

// maxRemembered bounds how many ids of events are remembered, over all streams: some 50 MB.
const maxRemembered = 1 << 20

// memory remembers streams that were written to, the most recent ones.
type memory struct {
	mu     sync.Mutex
	budget int
	ids    int
	byName map[string]*list.Element // of *stream
	recent list.List                // most recently used first
}

func newMemory(budget int) *memory {
	return &memory{budget: budget, byName: map[string]*list.Element{}}
}

// stream is what is known of one stream: never more than the database holds, and sometimes less. Whoever holds the
// lock may use it.
type stream struct {
	name string
	lock chan struct{} // holds one token while it is free
	held int           // ids counted in the memory

	loaded     bool
	length     uint64
	recordedAt time.Time // of the last event
	tag        ledger.Tag
	head       ledger.Hash // of the last event's leaf
	ids        map[uuid.UUID]uint64
	// suspect is set when an append to the stream ended without an answer: it may have been written, or still be.
	suspect bool
}

// enter returns a stream that belongs to the caller until leave.
func (s *memory) enter(ctx context.Context, name string) (*stream, error) {
	s.mu.Lock()
	e, ok := s.byName[name]
	if !ok {
		st := &stream{name: name, lock: make(chan struct{}, 1)}
		st.lock <- struct{}{}
		e = s.recent.PushFront(st)
		s.byName[name] = e
	} else {
		s.recent.MoveToFront(e)
	}
	s.mu.Unlock()
	st := e.Value.(*stream)
	select {
	case <-st.lock:
		return st, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// leave gives a stream back, and forgets those that were not used for long. A stream that is forgotten while someone
// has it is read again by the next.
func (s *memory) leave(st *stream) {
	s.mu.Lock()
	if e, ok := s.byName[st.name]; ok && e.Value == st {
		s.ids += len(st.ids) + 1 - st.held
		st.held = len(st.ids) + 1
		for s.ids > s.budget && s.recent.Back() != e {
			old := s.recent.Remove(s.recent.Back()).(*stream)
			delete(s.byName, old.name)
			s.ids -= old.held
		}
	}
	s.mu.Unlock()
	st.lock <- struct{}{}
}

// forget lets the stream be read anew.
func (st *stream) forget() {
	*st = stream{name: st.name, lock: st.lock, held: st.held, suspect: st.suspect}
}

// learn adds the stream's next event.
func (st *stream) learn(id uuid.UUID, recordedAt time.Time) {
	if st.ids == nil {
		st.ids = map[uuid.UUID]uint64{}
	}
	st.ids[id] = st.length
	st.length++
	st.recordedAt = recordedAt
}
