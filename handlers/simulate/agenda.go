package simulate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/deadlines"
	"traga.internal/handlers/record"
)

// agenda knows when each case next has something for the watcher, so that the days on which nothing can happen
// are passed over. It follows the store by itself, and names the due cases to the watcher.
type agenda struct {
	store events.Store
	rules deadlines.Rules
	cases map[string]*followed
	order []string // the cases in the order in which they appeared
	stale []string // the cases with events that the agenda has not read
}

// followed is what the agenda knows of a case.
type followed struct {
	zone    *time.Location
	tracker *protocol.Tracker
	next    uint64    // the revision to read on from
	due     time.Time // when there is something to record; zero for never
}

func newAgenda(store events.Store, rules deadlines.Rules) *agenda {
	return &agenda{store: store, rules: rules, cases: map[string]*followed{}}
}

// changed notes that an action was recorded.
func (a *agenda) changed(action *record.Action) {
	switch action.Data.(type) {
	case *events.ProtocolPublished, *events.NonWorkingDayDecreed, *events.InstitutionRegistered:
		// The rules, or the calendar that a case keeps: every case is to be judged anew.
		for _, f := range a.cases {
			f.tracker, f.next = nil, 0
		}
		a.stale = slices.Clone(a.order)
	}
	if action.Case == "" {
		return
	}
	if a.cases[action.Case] == nil {
		c, err := calendar.For(string(action.Jurisdiction), "")
		if err != nil {
			return // an action of no jurisdiction is refused before this
		}
		a.cases[action.Case] = &followed{zone: c.Zone()}
		a.order = append(a.order, action.Case)
	}
	if !slices.Contains(a.stale, action.Case) {
		a.stale = append(a.stale, action.Case)
	}
}

// refresh reads what is new of the stale cases and works out when they are due.
func (a *agenda) refresh(ctx context.Context, now time.Time) error {
	for _, number := range a.stale {
		f := a.cases[number]
		if f.tracker == nil {
			book, err := a.rules(ctx)
			if err != nil {
				return err
			}
			f.tracker = protocol.NewTracker(book)
		}
		for r, err := range a.store.ReadStream(ctx, events.CaseStream(number), f.next) {
			if err != nil {
				return fmt.Errorf("read a case for its deadlines: %w", err)
			}
			e, err := events.Decode(&r)
			if err != nil {
				return fmt.Errorf("read a case for its deadlines: %w", err)
			}
			f.tracker.Evolve(e)
			f.next = r.Revision + 1
		}
		f.due = due(f.tracker, now)
	}
	a.stale = a.stale[:0]
	return nil
}

// due is when the case has something to record: now, or at the first instant at which an obligation becomes
// overdue or reaches a level; zero for never, as things stand.
func due(t *protocol.Tracker, now time.Time) time.Time {
	if len(t.Due(now)) > 0 {
		return now
	}
	var first time.Time
	for _, o := range t.Obligations() {
		if o.Outcome != protocol.Pending {
			continue
		}
		for _, at := range []time.Time{o.OverdueFrom, o.EscalateFrom[0], o.EscalateFrom[1], o.EscalateFrom[2]} {
			if at.After(now) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// nextLook is the next instant, after now, of a look at which the watcher has something to record; false if there
// is none as things stand.
func (a *agenda) nextLook(ctx context.Context, now time.Time) (time.Time, bool, error) {
	if err := a.refresh(ctx, now); err != nil {
		return time.Time{}, false, err
	}
	var first time.Time
	for _, number := range a.order {
		f := a.cases[number]
		if f.due.IsZero() {
			continue
		}
		from := now.Add(time.Nanosecond)
		if f.due.After(from) {
			from = f.due
		}
		if at := deadlines.NextLook(from, f.zone); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first, !first.IsZero(), nil
}

// lookOfDay is nextLook if it belongs to the local day of an instant.
func (a *agenda) lookOfDay(ctx context.Context, day, now time.Time) (time.Time, bool, error) {
	look, ok, err := a.nextLook(ctx, now)
	if err != nil || !ok {
		return time.Time{}, false, err
	}
	for _, number := range a.order {
		zone := a.cases[number].zone
		if deadlines.NextLook(look, zone).Equal(look) && events.DateIn(look, zone) == events.DateIn(day, zone) {
			return look, true, nil
		}
	}
	return time.Time{}, false, nil
}

// DueCases implements deadlines.Cases: the cases whose look it is. A case in another zone waits for its own.
func (a *agenda) DueCases(ctx context.Context, now time.Time) ([]string, error) {
	if err := a.refresh(ctx, now); err != nil {
		return nil, err
	}
	var numbers []string
	for _, number := range a.order {
		f := a.cases[number]
		if !f.due.IsZero() && !f.due.After(now) && deadlines.NextLook(now, f.zone).Equal(now) {
			numbers = append(numbers, number)
		}
	}
	a.stale = append(a.stale, numbers...) // the watcher writes to them
	return numbers, nil
}
