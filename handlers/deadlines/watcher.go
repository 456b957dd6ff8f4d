// Package deadlines is the deadline watcher: it puts on record that a duty was not done in time.
//
// When an obligation becomes overdue the watcher records ObligationOverdue, and for each level of escalation that
// it reaches ObligationEscalated, a level that it finds passed over included. Each due date and each level is
// recorded once, whatever restarts, clocks that jump and second nodes do. Three things see to that:
//
//   - What to record is decided on the case's own stream: the fold of the protocol knows what is on record already.
//   - The events are appended with the exact revision that was decided on. Whoever else wrote in between makes the
//     append fail, and the case is read and decided on anew.
//   - The ids are derived from the case, the obligation, its due date and the level, so that a call whose answer
//     was lost can be repeated.
//
// The watcher never judges a duty done or undone by itself, and its events change no due date: an alert stands
// from 00:00 local time of the day after the due date, recorded or not.
package deadlines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Cases finds the cases that may have something to record: a projection of the obligations.
type Cases interface {
	// DueCases returns the numbers of the cases with an obligation that is overdue, or has reached a level of
	// escalation, at now, and for which that is not on record. It may name more; each is decided on by its stream.
	DueCases(ctx context.Context, now time.Time) ([]string, error)
}

// Watcher records what became overdue. It is safe for concurrent use, and any number of them may work on one log.
type Watcher struct {
	store    events.Store
	rules    Rules
	cases    Cases
	clock    func() time.Time
	interval time.Duration
	log      *slog.Logger
	observe  func(eventType string, took time.Duration)
}

// Option changes how a Watcher works.
type Option func(*Watcher)

// WithClock sets the clock that says what is now; the default is time.Now.
func WithClock(clock func() time.Time) Option { return func(w *Watcher) { w.clock = clock } }

// WithInterval sets how long Run waits between two looks at most; the default is three minutes. A clock that
// jumps is noticed within that time.
func WithInterval(d time.Duration) Option { return func(w *Watcher) { w.interval = d } }

// WithLog sets where Run says what it did; the default is slog.Default. No case is named.
func WithLog(l *slog.Logger) Option { return func(w *Watcher) { w.log = l } }

// WithObserver sets who is told of each event that the watcher stored, with the time that its append took.
func WithObserver(observe func(eventType string, took time.Duration)) Option {
	return func(w *Watcher) { w.observe = observe }
}

// New makes a watcher over a store. rules say by which rules and calendars the cases are judged; cases may be nil
// if only Case is called.
func New(store events.Store, rules Rules, cases Cases, options ...Option) *Watcher {
	w := &Watcher{store: store, rules: rules, cases: cases, clock: time.Now, interval: 3 * time.Minute,
		log: slog.Default(), observe: func(string, time.Duration) {}}
	for _, o := range options {
		o(w)
	}
	return w
}

// Run looks at once, at 00:05 local time of every jurisdiction, and every few minutes, until ctx ends; then it
// returns nil. A look that fails is logged, and tried again at the next.
func (w *Watcher) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		now := w.clock()
		recorded, err := w.Sweep(ctx, now)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			w.log.Error("deadlines: not everything could be looked at; trying again", "recorded", recorded, "error", err)
		case recorded > 0:
			w.log.Info("deadlines: recorded what became overdue", "recorded", recorded)
		}
		wait := w.interval
		if next := nextLook(now).Sub(now); next < wait {
			wait = next
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
	return nil
}

// Sweep treats every case that has something due at now, and returns how many events it stored. A case that fails
// does not keep the others from being treated; all errors are returned, joined.
func (w *Watcher) Sweep(ctx context.Context, now time.Time) (recorded int, err error) {
	numbers, err := w.cases.DueCases(ctx, now)
	if err != nil {
		return 0, fmt.Errorf("find the cases with something due: %w", err)
	}
	if len(numbers) == 0 {
		return 0, nil
	}
	book, err := w.rules(ctx)
	if err != nil {
		return 0, err
	}
	var failed []error
	for _, number := range numbers {
		if err := ctx.Err(); err != nil {
			return recorded, errors.Join(append(failed, err)...)
		}
		n, err := w.treat(ctx, book, number, now)
		recorded += n
		if err != nil {
			failed = append(failed, err)
		}
	}
	return recorded, errors.Join(failed...)
}

// attempts is how often a case is decided on anew because it had moved on.
const attempts = 100

// Case records what is due in one case at now, and returns how many events it stored: none when everything is on
// record. After an error the outcome is unknown, and repeating the call is safe. Errors name no case.
func (w *Watcher) Case(ctx context.Context, number string, now time.Time) (recorded int, err error) {
	book, err := w.rules(ctx)
	if err != nil {
		return 0, err
	}
	return w.treat(ctx, book, number, now)
}

func (w *Watcher) treat(ctx context.Context, book *protocol.Book, number string, now time.Time) (recorded int, err error) {
	used := map[uuid.UUID]bool{} // ids that the log holds already
	for range attempts {
		f, err := w.fold(ctx, book, number)
		if err != nil {
			return 0, fmt.Errorf("read a case for its deadlines: %w", err)
		}
		proposed, err := f.alerts(number, now, used)
		if err != nil {
			return 0, err
		}
		if len(proposed) == 0 {
			return 0, nil
		}
		began := time.Now()
		appended, err := w.store.Append(ctx, events.CaseStream(number), events.Revision(f.length-1), proposed...)
		var conflict *events.ConflictError
		switch {
		case errors.As(err, &conflict):
			if conflict.DuplicateID != uuid.Nil {
				used[conflict.DuplicateID] = true
			}
			continue
		case err != nil:
			return 0, fmt.Errorf("record what became overdue: %w", err)
		case appended.Repeated:
			return 0, nil
		}
		for _, p := range proposed {
			w.observe(p.Type, time.Since(began))
		}
		return len(proposed), nil
	}
	return 0, fmt.Errorf("record what became overdue: %w: the case changed %d times meanwhile", events.ErrConflict, attempts)
}

// fold is what a case's stream says.
type fold struct {
	tracker *protocol.Tracker
	length  uint64
	threads map[uuid.UUID]uuid.UUID // the correlation of each event
}

func (w *Watcher) fold(ctx context.Context, book *protocol.Book, number string) (*fold, error) {
	f := &fold{tracker: protocol.NewTracker(book), threads: map[uuid.UUID]uuid.UUID{}}
	for r, err := range w.store.ReadStream(ctx, events.CaseStream(number), 0) {
		if err != nil {
			return nil, err
		}
		e, err := events.Decode(&r)
		if err != nil {
			return nil, err
		}
		f.tracker.Evolve(e)
		f.threads[e.ID] = e.CorrelationID
		f.length++
	}
	return f, nil
}

// system is who acts when traga itself does.
var system = events.Actor{Officer: "deadline-watcher", Role: events.System, Institution: "traga"}

// alerts are the events to record at now, but for those whose ids are used.
func (f *fold) alerts(number string, now time.Time, used map[uuid.UUID]bool) ([]events.Proposed, error) {
	due := f.tracker.Due(now)
	if len(due) == 0 {
		return nil, nil
	}
	activatedBy := map[string]uuid.UUID{}
	for _, o := range f.tracker.Obligations() {
		activatedBy[o.ID] = o.ActivatedBy
	}
	var proposed []events.Proposed
	for _, a := range due {
		cause := activatedBy[a.Obligation]
		e := &events.Event{ID: id(number, a), Case: number, OccurredAt: now.UTC().Truncate(time.Microsecond), Actor: system,
			CausationID: cause, CorrelationID: f.threads[cause]}
		if e.CorrelationID == uuid.Nil {
			e.CorrelationID = e.ID
		}
		if a.Level == 0 {
			e.Type, e.Data = "ObligationOverdue", &events.ObligationOverdue{Obligation: a.Obligation, Rule: a.Rule, Due: a.Due.Date}
		} else {
			e.Type, e.Data = "ObligationEscalated", &events.ObligationEscalated{Obligation: a.Obligation, Level: a.Level, To: a.To}
		}
		if used[e.ID] {
			continue
		}
		p, err := events.Encode(e)
		if err != nil {
			return nil, fmt.Errorf("record what became overdue: %w", err)
		}
		proposed = append(proposed, p)
	}
	return proposed, nil
}

// id is the event id of an alert: the same each time, and another one for another due date or level.
func id(number string, a protocol.Alert) uuid.UUID {
	if a.Level == 0 {
		return events.DeriveID("overdue", number, a.Obligation, a.Due.String())
	}
	return events.DeriveID("escalated", number, a.Obligation, a.Due.String(), strconv.Itoa(a.Level))
}
