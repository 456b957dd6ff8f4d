package obligations_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/internal/testlog"
	"traga.internal/projections/obligations"
)

// aLog is a log of cases that run for years, with all that it holds.
func aLog(t testing.TB, seed uint64, cases int) (*memstore.Store, []*events.Event) {
	t.Helper()
	clock := new(testlog.Clock)
	store := memstore.New(clock.Now)
	t.Cleanup(func() { store.Close() })
	if err := testlog.Write(context.Background(), store, clock, testlog.Plan(seed, cases, 300*24*time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	return store, read(t, store)
}

func read(t testing.TB, store events.Store) []*events.Event {
	t.Helper()
	var all []*events.Event
	for after, more := events.Start, true; more; {
		page, err := store.ReadAll(context.Background(), after, 1000, events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Events {
			e, err := events.Decode(&page.Events[i])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
		after, more = page.Scanned, page.More
	}
	return all
}

// known is what obligations there are by case, in a plain map.
type known map[string]map[string]protocol.Obligation

func (k known) take(number string, list []protocol.Obligation) {
	if k[number] == nil {
		k[number] = make(map[string]protocol.Obligation)
	}
	for _, o := range list {
		k[number][o.ID] = o
	}
}

// alerts are those that stand at an instant, most urgent first, worked out one by one.
func (k known) alerts(t testing.TB, at time.Time, q obligations.Query) []obligations.Alert {
	list := []obligations.Alert{}
	rank := map[protocol.Severity]int{protocol.Critical: 0, protocol.High: 1, protocol.Medium: 2}
	for number, byID := range k {
		j, err := events.ParseCase(number)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range byID {
			s := o.State(at)
			if s != protocol.Overdue && s != protocol.DueSoon || q.State != "" && q.State != s ||
				q.Institution != "" && q.Institution != o.DutyHolder || q.Jurisdiction != "" && q.Jurisdiction != j {
				continue
			}
			a := obligations.Alert{Case: number, Obligation: o.ID, Rule: o.Rule, Duty: o.Duty, Due: o.Due.String(), State: s, Severity: o.Severity,
				Escalation: o.Escalation(at), Jurisdiction: j, OverdueFrom: o.OverdueFrom.UTC()}
			if o.DutyHolder != "" {
				a.DutyHolder = &o.DutyHolder
			}
			if o.Toward != "" {
				a.Toward = &o.Toward
			}
			if o.AcknowledgedBy != [16]byte{} {
				a.AcknowledgedBy = &o.AcknowledgedBy
			}
			if s == protocol.Overdue {
				cal, err := calendar.For(string(j), "")
				if err != nil {
					t.Fatal(err)
				}
				a.WorkingDaysOverdue = max(0, cal.WorkingDaysBetween(o.Due.Date, events.DateIn(at, cal.Zone())))
			}
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b obligations.Alert) int {
		late := func(a obligations.Alert) int {
			if a.State == protocol.Overdue {
				return 0
			}
			return 1
		}
		return cmp.Or(late(a)-late(b), rank[a.Severity]-rank[b.Severity], a.OverdueFrom.Compare(b.OverdueFrom), cmp.Compare(a.Case, b.Case), cmp.Compare(a.Obligation, b.Obligation))
	})
	return list
}

// Alerts at any instant or position are those that one finds by keeping all obligations in a map up to there.
func TestAlertsOfThePastAreThoseThatStoodThen(t *testing.T) {
	for seed := range uint64(3) {
		store, log := aLog(t, seed, 12)
		e := open(t, t.TempDir(), store, invented(randomObligations), projections.WithPage(100))
		r := rand.New(rand.NewPCG(seed, 9))
		seen := 0
		for range 150 {
			n := r.IntN(len(log))
			q := obligations.Query{Now: log[len(log)-1].RecordedAt.Add(time.Duration(r.IntN(60*24)) * time.Hour)}
			var at time.Time
			include := func(e *events.Event) bool { return true }
			switch r.IntN(4) {
			case 0:
				at = q.Now
			case 1: // at a position, between others recorded at the same instant
				q.AsOf.Position, at = log[n].Position, log[n].RecordedAt
				include = func(e *events.Event) bool { return !e.Position.After(log[n].Position) }
			default: // at an instant: that of an event, one before, or between
				at = log[n].RecordedAt.Add(time.Duration(r.IntN(3)-1) * time.Microsecond)
				if r.IntN(2) == 0 {
					at = at.Add(time.Duration(r.IntN(20*24*60)) * time.Minute)
				}
				q.AsOf.Instant = at
				include = func(e *events.Event) bool { return !e.RecordedAt.After(at) }
			}
			switch r.IntN(6) {
			case 0:
				q.State = protocol.Overdue
			case 1:
				q.State = protocol.DueSoon
			case 2:
				q.Institution = "prison-1"
			case 3:
				q.Jurisdiction = "MK"
			}
			k := make(known)
			for _, e := range log {
				if include(e) {
					k.take(e.Case, randomObligations(e))
				}
			}
			want := k.alerts(t, at, q)
			got, next, err := obligations.Alerts(t.Context(), e, q)
			if err != nil || next != "" {
				t.Fatal(next, err)
			}
			seen += len(want)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, %+v:\n got %s\nwant %s", seed, q, text(got), text(want))
			}
			if q.Limit = 1 + r.IntN(7); r.IntN(5) == 0 {
				checkPages(t, e, q, want)
			}
		}
		if seen < 1000 {
			t.Errorf("only %d alerts were compared", seen)
		}
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// checkPages reads a list page by page while the clock goes on: it is the list of the first page's instant.
func checkPages(t *testing.T, e *projections.Engine, q obligations.Query, want []obligations.Alert) {
	t.Helper()
	got := []obligations.Alert{}
	for {
		list, next, err := obligations.Alerts(t.Context(), e, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > q.Limit || next != "" && len(list) < q.Limit {
			t.Fatalf("a page of %d, limit %d, next %q", len(list), q.Limit, next)
		}
		got = append(got, list...)
		if q.Cursor = next; next == "" {
			break
		}
		q.Now = q.Now.Add(1000 * time.Hour)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("by pages of %d: got %s\nwant %s", q.Limit, text(got), text(want))
	}
}

func TestACursorOfAnotherListIsRefused(t *testing.T) {
	store, _ := aLog(t, 1, 1)
	e := open(t, t.TempDir(), store, obligations.Projection())
	for _, c := range []string{"x", "e30", "!!"} {
		if _, _, err := obligations.Alerts(t.Context(), e, obligations.Query{Now: testlog.Begin, Cursor: c}); !errors.Is(err, obligations.ErrCursor) {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// Every obligation of the plain map is counted once.
func TestCountsAddUp(t *testing.T) {
	store, log := aLog(t, 5, 12)
	e := open(t, t.TempDir(), store, invented(randomObligations))
	k := make(known)
	for _, e := range log {
		k.take(e.Case, randomObligations(e))
	}
	at := log[len(log)/2].RecordedAt
	want := make(map[obligations.Count]int)
	loads := make(map[obligations.Load]*obligations.Load)
	for number, byID := range k {
		j, _ := events.ParseCase(number)
		for _, o := range byID {
			s := o.State(at)
			want[obligations.Count{Jurisdiction: j, Rule: o.Rule, State: s}]++
			key := obligations.Load{Institution: o.DutyHolder, Jurisdiction: j}
			if loads[key] == nil && (s == protocol.Overdue || s == protocol.DueSoon) {
				l := key
				loads[key] = &l
			}
			switch {
			case s == protocol.DueSoon:
				loads[key].DueSoon++
			case s == protocol.Overdue:
				loads[key].Overdue++
				if o.Severity == protocol.Critical {
					loads[key].Critical++
				}
			}
		}
	}
	counts, err := obligations.Counts(t.Context(), e, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		n := c.N
		c.N = 0
		if want[c] != n {
			t.Errorf("%+v: %d, want %d", c, n, want[c])
		}
		delete(want, c)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}
	list, err := obligations.Loads(t.Context(), e, nil, events.AsOf{}, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		key := obligations.Load{Institution: l.Institution, Jurisdiction: l.Jurisdiction}
		if loads[key] == nil || *loads[key] != l {
			t.Errorf("%+v, want %+v", l, loads[key])
		}
		delete(loads, key)
	}
	if len(loads) > 0 {
		t.Errorf("institutions not listed: %v", loads)
	}
}
