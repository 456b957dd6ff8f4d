package safeguards

import (
	"context"
	"fmt"
	"sync"
	"time"

	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

// court is what one question needs to judge any case: everything but the case itself, as known at the asked
// instant. It is safe for concurrent use.
type court struct {
	store events.Store
	book  *protocol.Book
	asOf  events.AsOf
	clock time.Time
	// upTo is how far the tables went when the question was put. Nothing after it is read, so that what is
	// remembered is of exactly those events that the tables know.
	upTo events.Position

	mu        sync.Mutex
	directory map[events.Jurisdiction]*register
}

// register is the directory of a jurisdiction, read once for all its cases, by the first that needs it.
type register struct {
	once  sync.Once
	known *directory.Directory
	err   error
}

func (c *court) directoryOf(ctx context.Context, j events.Jurisdiction) (*directory.Directory, error) {
	c.mu.Lock()
	d := c.directory[j]
	if d == nil {
		d = new(register)
		put(&c.directory, j, d)
	}
	c.mu.Unlock()
	d.once.Do(func() {
		list, err := c.read(ctx, events.DirectoryStream(j))
		d.known, d.err = directory.Fold(list), err
	})
	return d.known, d.err
}

// span is from when, and before when, verdicts are good as long as nothing is recorded; none if that is not known.
type span struct {
	since, next time.Time // next is zero for no end
}

func (s *span) holds(at time.Time) bool {
	return !s.since.IsZero() && !at.Before(s.since) && (s.next.IsZero() || at.Before(s.next))
}

// judge folds a case and judges it: what the timeline of the case says. Of a case that was not on record yet there
// is no verdict. seen, if not nil, leaves events out.
func (c *court) judge(ctx context.Context, of *row, seen func([]*events.Event) []*events.Event) (verdicts []safeguards.Verdict, good span, err error) {
	doing := func(err error) error { return fmt.Errorf("judge case %s: %w", of.number, err) }
	stream, err := c.read(ctx, events.CaseStream(of.number))
	if err != nil {
		return nil, good, doing(err)
	}
	if seen != nil && len(stream) > 0 {
		stream = seen(stream)
	}
	if len(stream) == 0 {
		return nil, good, nil
	}
	access, err := c.read(ctx, events.AccessStream(of.number))
	if err != nil {
		return nil, good, doing(err)
	}
	known, err := c.directoryOf(ctx, of.jurisdiction)
	if err != nil {
		return nil, good, doing(err)
	}
	tracker, judge := protocol.NewTracker(c.book), safeguards.NewJudge(c.book)
	for _, e := range stream {
		tracker.Evolve(e)
		judge.Evolve(e)
	}
	evidence := safeguards.Evidence{Obligations: tracker.Obligations(), Access: access, Directory: known}
	verdicts = judge.Verdicts(c.clock, evidence)
	if c.asOf.Position != events.Start || of.last.at.After(c.clock) || of.last.commit > c.upTo.Commit {
		return verdicts, good, nil // the case has a past before the mark, of which the tables do not say how long it lasted
	}
	for good.since = of.last.at; ; good.since = good.next {
		if good.next = judge.NextChange(good.since, evidence); good.next.IsZero() || good.next.After(c.clock) {
			return verdicts, good, nil
		}
	}
}

// read decodes a stream as known at the asked instant.
func (c *court) read(ctx context.Context, stream string) ([]*events.Event, error) {
	var list []*events.Event
	for r, err := range c.store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return nil, err
		}
		if !c.asOf.Includes(r.RecordedAt, r.Position) || r.Position.After(c.upTo) {
			break // recordedAt and position never decrease in a stream
		}
		e, err := events.Decode(&r)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}
