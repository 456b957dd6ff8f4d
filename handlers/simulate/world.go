// Package simulate runs scenarios: files of action records with the instants at which traga records them
// (interfaces.md, "Scenario files").
//
// A scenario runs in a World: a fresh store on a simulated clock, whose first event, in the stream
// events.StoreStream, says that its times are simulated. Its lines go through the real write path in their order,
// and the deadline watcher looks at 00:05 local time of every simulated day, in each jurisdiction's zone, from the
// first line's day to the last line's; a last line before 00:05 is followed by that day's look. A line recorded at
// 00:05 sharp comes after the look. Several files run as one: their lines are merged by recordedAt, those of the
// same instant in the order of the files.
//
// An event's id is that of its line's "id", or else UUIDv5, in traga's own namespace, of "<file>:<line>": the name
// of the file without its directory, a colon, and the number of the line, counted from 1 and blank lines included
// (01-ordinary-mk.ndjson:7). A run is therefore the same each time.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/caseload"
	"traga.internal/handlers/deadlines"
	"traga.internal/handlers/record"
)

// Clock is the simulated clock that the store and the write path share. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
	run func() time.Time // the real clock, once it has taken over
}

// Now is the simulated instant; after Follow the real clock's.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run != nil {
		if t := c.run(); t.After(c.now) {
			c.now = t
		}
	}
	return c.now
}

// Follow lets a real clock go on from here; it never goes back behind the last simulated instant.
func (c *Clock) Follow(clock func() time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run = clock
}

func (c *Clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}

// ErrNotEmpty: simulated and real times do not mix in one store.
var ErrNotEmpty = errors.New("a simulation needs a new store, and this one holds events already")

// World is a store whose time is simulated. It is not safe for concurrent use.
type World struct {
	store    events.Store
	clock    *Clock
	recorder *record.Recorder
	watcher  *deadlines.Watcher
	agenda   *agenda
	watched  int
}

// Begin makes a world of an empty store that was opened with the clock; recorder writes to that store by the same
// clock, and book holds the shipped rules. It records that the store's times are simulated from that instant on,
// with a note on where they come from. It fails with ErrNotEmpty when the store holds anything.
func Begin(ctx context.Context, store events.Store, clock *Clock, recorder *record.Recorder, book *protocol.Book, from time.Time, note string) (*World, error) {
	head, err := store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin a simulation: %w", err)
	}
	if head != events.Start {
		return nil, ErrNotEmpty
	}
	clock.set(from)
	rules := deadlines.Published(store, book)
	w := &World{store: store, clock: clock, recorder: recorder, agenda: newAgenda(store, rules)}
	w.watcher = deadlines.New(store, rules, w.agenda, deadlines.WithClock(clock.Now))
	_, err = recorder.RecordInternal(ctx, &record.Action{
		Type: "StoreSimulated", ID: events.DeriveID("simulated", from.UTC().Format(time.RFC3339Nano), note),
		Actor: events.Actor{Officer: "simulate", Role: events.System, Institution: "traga"},
		Data:  &events.StoreSimulated{From: from.UTC(), Note: note},
	}, record.AnyRevision)
	if err != nil {
		return nil, fmt.Errorf("begin a simulation: %w", err)
	}
	return w, nil
}

// Watched is how many events the deadline watcher has recorded.
func (w *World) Watched() int { return w.watched }

// Advance lets the time pass up to an instant: the deadline watcher looks at each 00:05 that comes, that instant
// included. Time does not go back.
func (w *World) Advance(ctx context.Context, to time.Time) error {
	for {
		look, ok, err := w.agenda.nextLook(ctx, w.clock.Now())
		if err != nil {
			return err
		}
		if !ok || look.After(to) {
			break
		}
		w.clock.set(look)
		n, err := w.watcher.Sweep(ctx, look)
		w.watched += n
		if err != nil {
			return err
		}
	}
	w.clock.set(to)
	return nil
}

// EndOfDay lets the watcher have its look of the current local day, where it is still to come.
func (w *World) EndOfDay(ctx context.Context) error {
	last := w.clock.Now()
	for {
		look, ok, err := w.agenda.lookOfDay(ctx, last, w.clock.Now())
		if err != nil || !ok {
			return err
		}
		if err := w.Advance(ctx, look); err != nil {
			return err
		}
	}
}

// Record lets the time pass to an instant and records an action then. Of the role system it takes what a case
// holds, and of the officers who looked at a case that they did, as only a simulation does: elsewhere traga says
// both by itself. Its errors are those of record.Recorder.
func (w *World) Record(ctx context.Context, at time.Time, a *record.Action) (record.Receipt, error) {
	if err := w.Advance(ctx, at); err != nil {
		return record.Receipt{}, err
	}
	enter := w.recorder.Record
	kind, known := events.KindOf(a.Type)
	if known && (kind.Family == events.CaseFamily && a.Actor.Role == events.System ||
		kind.Family == events.AccessFamily && a.Actor.Role != events.System) {
		enter = w.recorder.RecordInternal
	}
	receipt, err := enter(ctx, a, record.AnyRevision)
	if err == nil {
		w.agenda.changed(a)
	}
	return receipt, err
}

// Play records the steps of a caseload. Each must be accepted. progress, if not nil, is called after each.
func (w *World) Play(ctx context.Context, steps iter.Seq[caseload.Step], progress func()) error {
	for s := range steps {
		if _, err := w.Record(ctx, s.RecordedAt, Action(s)); err != nil {
			return fmt.Errorf("play the caseload: %w", err)
		}
		if progress != nil {
			progress()
		}
	}
	return nil
}

// Action is the action record of a step.
func Action(s caseload.Step) *record.Action {
	e := s.Event
	a := &record.Action{Case: e.Case, Jurisdiction: e.Jurisdiction, Type: e.Type, ID: e.ID, Actor: e.Actor, Purpose: e.Purpose,
		LegalBasis: e.LegalBasis, LateReason: e.LateReason, CausationID: e.CausationID, AfterTheFact: e.AfterTheFact, Data: e.Data}
	if !e.OccurredAt.Equal(s.RecordedAt) {
		a.OccurredAt = &e.OccurredAt
	}
	return a
}
