package sharing_test

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/internal/testlog"
	"traga.internal/projections/sharing"
)

// folded is the matrix worked out from each case's entries as they stood then.
func folded(log []*events.Event, q sharing.Query) []sharing.Flow {
	cases := make(map[string]*history.History)
	for _, e := range log {
		if !q.AsOf.Includes(e.RecordedAt, e.Position) {
			continue
		}
		if cases[e.Case] == nil {
			cases[e.Case] = new(history.History)
		}
		cases[e.Case].Evolve(e)
	}
	type pair struct{ from, to sharing.Office }
	flows := make(map[pair]*sharing.Flow)
	for _, h := range cases {
		in := make(map[pair]bool)
		for _, e := range h.Entries() {
			d, ok := events.DisclosureOf(e.Now)
			if !ok || !e.Stands() || q.Jurisdiction != "" && e.Jurisdiction != q.Jurisdiction ||
				!q.From.IsZero() && e.OccurredAt.Before(q.From) || !q.To.IsZero() && !e.OccurredAt.Before(q.To) {
				continue
			}
			for _, to := range d.Recipients {
				p := pair{sharing.Office{Institution: e.Actor.Institution, Role: e.Actor.Role}, sharing.Office{Institution: to.Institution, Role: to.Role}}
				if q.Institution != "" && q.Institution != p.from.Institution && q.Institution != p.to.Institution {
					continue
				}
				if flows[p] == nil {
					flows[p] = &sharing.Flow{From: p.from, To: p.to, Categories: make(map[events.Category]int)}
				}
				flows[p].Events++
				if !in[p] {
					in[p] = true
					flows[p].Cases++
				}
				for _, c := range d.Categories {
					flows[p].Categories[c]++
				}
			}
		}
	}
	list := []sharing.Flow{}
	for _, f := range flows {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b sharing.Flow) int {
		return cmp.Or(cmp.Compare(a.From.Institution, b.From.Institution), cmp.Compare(a.From.Role, b.From.Role),
			cmp.Compare(a.To.Institution, b.To.Institution), cmp.Compare(a.To.Role, b.To.Role))
	})
	return list
}

// The matrix counts every disclosure as it stands at the asked point: corrected as corrected, annulled not at all.
func TestTheMatrixIsThatOfEachCasesEntriesAsTheyStand(t *testing.T) {
	clock := new(testlog.Clock)
	store := memstore.New(clock.Now)
	defer store.Close()
	if err := testlog.Write(t.Context(), store, clock, testlog.Plan(8, 15, 300*24*time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	// An annulled disclosure, and a correction that is itself annulled.
	var log []*events.Event
	reload := func() {
		log = nil
		for after, more := events.Start, true; more; {
			page, err := store.ReadAll(t.Context(), after, 1000, events.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Events {
				e, err := events.Decode(&page.Events[i])
				if err != nil {
					t.Fatal(err)
				}
				log = append(log, e)
			}
			after, more = page.Scanned, page.More
		}
	}
	reload()
	annulled := map[string]int{}
	for _, e := range log {
		if (e.Type == "EntryCorrected" || e.Type == "NotificationSent") && annulled[e.Type] < 6 {
			annulled[e.Type]++
			clock.Set(clock.Now().Add(time.Hour))
			p, err := events.Encode(&events.Event{ID: events.DeriveID("annul", e.ID.String()), Type: "EntryAnnulled", Case: e.Case, OccurredAt: clock.Now(), Actor: e.Actor,
				Data: &events.EntryAnnulled{Target: e.ID, Reason: "r"}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Append(t.Context(), e.Stream, events.Any, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if annulled["EntryCorrected"] == 0 || annulled["NotificationSent"] == 0 {
		t.Fatal("nothing was annulled: choose another seed")
	}
	reload()
	e, err := projections.Open(context.Background(), t.TempDir(), store, protocol.NewBook(), []projections.Projection{sharing.Projection()}, projections.WithPage(200))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	n := len(log)
	year := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, q := range []sharing.Query{{}, {Jurisdiction: "MK"}, {From: year}, {To: year}, {Institution: "mk-csw-1"},
		{AsOf: events.AsOf{Position: log[n/3].Position}}, {AsOf: events.AsOf{Position: log[n-7].Position}}, {AsOf: events.AsOf{Position: log[n-2].Position}},
		{AsOf: events.AsOf{Instant: log[n/2].RecordedAt}}, {AsOf: events.AsOf{Instant: log[n-5].RecordedAt}, From: year}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			want := folded(log, q)
			got, err := sharing.Matrix(t.Context(), e, q)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 && q.Institution == "" {
				t.Error("nothing to compare")
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}
