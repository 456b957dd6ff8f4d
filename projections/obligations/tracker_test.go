package obligations_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
)

// The table and a case's own fold say the same of every past instant: alerts at T are those that one finds by
// folding each case's events recorded by T with a tracker, and asking it at T.
func TestAlertsAreThoseOfEachCaseFoldedUpToTheInstant(t *testing.T) {
	for seed := range uint64(3) {
		store, log := aLog(t, 20+seed, 10)
		// Little memory, so that cases are folded again from their streams all the time; and small pages.
		e := open(t, t.TempDir(), store, obligations.Projection(), projections.WithMemory(200), projections.WithPage(30))
		r := rand.New(rand.NewPCG(seed, 4))
		seen := 0
		for range 40 {
			at := log[r.IntN(len(log))].RecordedAt.Add(time.Duration(r.IntN(3)) * 37 * time.Hour)
			want := foldedAlerts(t, log, events.AsOf{Instant: at}, at)
			got, _, err := obligations.Alerts(t.Context(), e, obligations.Query{AsOf: events.AsOf{Instant: at}})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d at %s:\n got %s\nwant %s", seed, at, text(got), text(want))
			}
			seen += len(want)
		}
		if seen < 200 {
			t.Errorf("seed %d: only %d alerts were compared", seed, seen)
		}
	}
}

// foldedAlerts folds every case's events with the book as known then, and asks each tracker.
func foldedAlerts(t testing.TB, log []*events.Event, asOf events.AsOf, at time.Time) []obligations.Alert {
	t.Helper()
	book := protocol.NewBook()
	for _, e := range log {
		if asOf.Includes(e.RecordedAt, e.Position) {
			next, err := book.With(e)
			if err != nil {
				t.Fatal(err)
			}
			book = next
		}
	}
	trackers := make(map[string]*protocol.Tracker)
	for _, e := range log {
		if e.Case == "" || !asOf.Includes(e.RecordedAt, e.Position) {
			continue
		}
		if trackers[e.Case] == nil {
			trackers[e.Case] = protocol.NewTracker(book)
		}
		trackers[e.Case].Evolve(e)
	}
	k := make(known)
	for number, tracker := range trackers {
		k.take(number, tracker.Obligations())
	}
	list := k.alerts(t, at, obligations.Query{})
	for i := range list { // by the case's own calendar
		if list[i].State == protocol.Overdue {
			o := k[list[i].Case][list[i].Obligation]
			cal := trackers[list[i].Case].Calendar()
			list[i].WorkingDaysOverdue = max(0, cal.WorkingDaysBetween(o.Due.Date, events.DateIn(at, cal.Zone())))
		}
	}
	return list
}

// A decreed day moves due dates in every case of its jurisdiction, as known from the decree on and not before.
func TestADecreeChangesAlertsFromItsRecordingOn(t *testing.T) {
	store, log := aLog(t, 31, 12)
	e := open(t, t.TempDir(), store, obligations.Projection())
	before, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := log[len(log)-1].RecordedAt
	// Every day on which an open duty of a case in MK falls due is decreed, one after the other.
	var days []events.Date
	for _, o := range openDuties(log, "MK") {
		if !slices.Contains(days, o.Due.Date) {
			days = append(days, o.Due.Date)
		}
	}
	if len(days) == 0 {
		t.Fatal("no open duty in MK: choose another seed")
	}
	for i, d := range days[:min(5, len(days))] {
		p, err := events.Encode(&events.Event{ID: events.DeriveID("decree", d.String()), Type: "NonWorkingDayDecreed", Jurisdiction: "MK", OccurredAt: last,
			Actor: events.Actor{Officer: "o", Role: events.Directorate, Institution: "mk-directorate"},
			Data:  &events.NonWorkingDayDecreed{Date: d, Name: map[string]string{"en": "A day of mourning"}, Act: "1"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Append(t.Context(), events.ProtocolStream("MK"), events.Any, p); err != nil {
			t.Fatal(i, err)
		}
	}
	// The live projection, one rebuilt from the start, and one that began in the middle say the same.
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	log = read(t, store)
	rebuilt := open(t, t.TempDir(), store, obligations.Projection())
	head := log[len(log)-1].Position
	for _, at := range []events.AsOf{{Position: before}, {Position: head}, {Instant: log[0].RecordedAt.AddDate(0, 8, 0)}} {
		clock, err := e.Clock(t.Context(), at, last)
		if err != nil {
			t.Fatal(err)
		}
		want := foldedAlerts(t, log, at, clock)
		for name, e := range map[string]*projections.Engine{"live": e, "rebuilt": rebuilt} {
			got, _, err := obligations.Alerts(t.Context(), e, obligations.Query{AsOf: at})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, as of %+v:\n got %s\nwant %s", name, at, text(got), text(want))
			}
		}
	}
}

func openDuties(log []*events.Event, j events.Jurisdiction) []protocol.Obligation {
	trackers := make(map[string]*protocol.Tracker)
	var numbers []string
	for _, e := range log {
		if e.Case == "" || e.Jurisdiction != j {
			continue
		}
		if trackers[e.Case] == nil {
			trackers[e.Case] = protocol.NewTracker(protocol.NewBook())
			numbers = append(numbers, e.Case)
		}
		trackers[e.Case].Evolve(e)
	}
	var open []protocol.Obligation
	for _, n := range numbers {
		for _, o := range trackers[n].Obligations() {
			if o.Outcome == protocol.Pending {
				open = append(open, o)
			}
		}
	}
	return open
}

// The watcher is shown every case in which its tracker has something to record, and once all is recorded, none.
func TestTheWatcherIsShownWhatIsNotOnRecord(t *testing.T) {
	store, log := aLog(t, 41, 10)
	e := open(t, t.TempDir(), store, obligations.Projection())
	ctx := context.Background()
	trackers := make(map[string]*protocol.Tracker)
	for _, e := range log {
		if trackers[e.Case] == nil {
			trackers[e.Case] = protocol.NewTracker(protocol.NewBook())
		}
		trackers[e.Case].Evolve(e)
	}
	last := log[len(log)-1].RecordedAt
	recorded := 0
	for round := range 12 {
		now := last.AddDate(0, 0, (round-8)*10)
		shown, err := obligations.DueForWatcher(ctx, e, now)
		if err != nil {
			t.Fatal(err)
		}
		for number, tracker := range trackers {
			due := tracker.Due(now)
			if (len(due) > 0) != slices.Contains(shown, number) {
				t.Errorf("at %s the tracker of %s has %v, the watcher is shown %v", now, number, due, shown)
			}
			for _, a := range due {
				var data any = &events.ObligationOverdue{Obligation: a.Obligation, Rule: a.Rule, Due: a.Due.Date}
				name := "ObligationOverdue"
				if a.Level > 0 {
					name, data = "ObligationEscalated", &events.ObligationEscalated{Obligation: a.Obligation, Level: a.Level, To: a.To}
				}
				p, err := events.Encode(&events.Event{ID: events.DeriveID("watcher", number, a.Obligation, a.Due.String(), name, string(rune('0'+a.Level))), Type: name, Case: number,
					OccurredAt: now, Actor: events.Actor{Officer: "traga", Role: events.System, Institution: "traga"}, Data: data})
				if err != nil {
					t.Fatal(err)
				}
				done, err := store.Append(ctx, events.CaseStream(number), events.Any, p)
				if err != nil {
					t.Fatal(err)
				}
				page, err := store.ReadAll(ctx, events.At(done.Position.Commit-1), 1, events.Filter{})
				if err != nil {
					t.Fatal(err)
				}
				event, err := events.Decode(&page.Events[0])
				if err != nil {
					t.Fatal(err)
				}
				tracker.Evolve(event)
				recorded++
			}
		}
		if err := e.CatchUp(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if shown, err = obligations.DueForWatcher(ctx, e, now); err != nil || len(shown) > 0 {
			t.Fatalf("all is on record, and still shown are %v, %v", shown, err)
		}
		if next, err := obligations.NextForWatcher(ctx, e); err != nil || !next.IsZero() && !next.After(now) {
			t.Errorf("next at %s, now is %s, %v", next, now, err)
		}
	}
	if recorded < 50 {
		t.Errorf("only %d were recorded", recorded)
	}
}
