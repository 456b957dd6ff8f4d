package projections

import (
	"context"
	"errors"
	"iter"
	"sync"

	"traga.internal/events"
)

// streamReader is the part of a store that streams are read from.
type streamReader interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error]
}

// ruleLog reads what was published, decreed and registered, and remembers it: so that reads of the read models, which
// need the rules, still have them while the store is away. It gives out only what concerns the rules.
type ruleLog struct {
	store events.Store

	mu    sync.Mutex
	known map[string]*ruleStream
}

type ruleStream struct {
	mu     sync.Mutex
	next   uint64
	whole  bool // it was read to its end once
	events []events.Recorded
}

// ReadStream gives what concerns the rules in a stream, from its beginning.
func (l *ruleLog) ReadStream(ctx context.Context, stream string, _ uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		list, err := l.stream(stream).read(ctx, l.store, stream)
		if err != nil {
			yield(events.Recorded{}, err)
			return
		}
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l *ruleLog) stream(name string) *ruleStream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = map[string]*ruleStream{}
	}
	s := l.known[name]
	if s == nil {
		s = &ruleStream{}
		l.known[name] = s
	}
	return s
}

func (s *ruleStream) read(ctx context.Context, store events.Store, name string) ([]events.Recorded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, err := range store.ReadStream(ctx, name, s.next) {
		if errors.Is(err, events.ErrUnavailable) && s.whole {
			break
		}
		if err != nil {
			return nil, err
		}
		switch r.Type {
		case "ProtocolPublished", "NonWorkingDayDecreed", "InstitutionRegistered":
			s.events = append(s.events, r)
		}
		s.next = r.Revision + 1
	}
	s.whole = true
	return s.events[:len(s.events):len(s.events)], nil
}
