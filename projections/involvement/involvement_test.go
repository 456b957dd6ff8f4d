package involvement_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/involvement"
)

// Whatever is recorded, corrected, annulled and recalled, and in whatever pages it is read: the table says of every
// institution and case what access.Parts says of the case's history.
func TestTheTableSaysWhoHasAPart(t *testing.T) {
	dir, run := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		ctx := context.Background()
		store := memstore.New(func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) })
		defer store.Close()
		engine, err := projections.Open(ctx, fmt.Sprintf("%s/%d", dir, run), store, protocol.NewBook(), []projections.Projection{involvement.Projection()})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		numbers := []string{"MK-2026-0001", "RS-2026-0001"}
		offices := []events.Institution{"mk-a", "mk-b", "rs-c", "mk-d"}
		histories := map[string]*history.History{}
		for _, n := range numbers {
			histories[n] = new(history.History)
		}
		office := func() events.Party {
			return events.Party{Institution: rapid.SampledFrom(offices).Draw(t, "office"), Role: events.CSW}
		}
		for i := range rapid.IntRange(1, 30).Draw(t, "events") {
			number := rapid.SampledFrom(numbers).Draw(t, "case")
			h := histories[number]
			id := events.ID(rapid.SampledFrom([]string{"d-1", "d-2"}).Draw(t, "id"))
			var data any
			switch kind := rapid.IntRange(0, 7).Draw(t, "kind"); {
			case h.Len() == 0:
				data = &events.CaseOpened{Institution: "mk-prison"}
			case kind == 0:
				data = &events.NotificationSent{Notification: id, Recipient: office(), Categories: []events.Category{events.Identity}}
			case kind == 1:
				data = &events.InformationDisclosed{Disclosure: id, Recipient: office(), Categories: []events.Category{events.Risk}}
			case kind == 2:
				data = &events.DisclosureRecalled{Disclosure: id, Reason: rapid.SampledFrom([]string{"wrong-recipient", "inaccurate"}).Draw(t, "reason")}
			case kind == 3:
				data = &events.InformationRequested{Request: id, From: office(), Categories: []events.Category{events.Risk}}
			case kind == 4:
				data = &events.SupportProvided{Service: "x"}
			default:
				target := h.Entries()[rapid.IntRange(0, h.Len()-1).Draw(t, "target")]
				if target.Type == "EntryAnnulled" {
					data = &events.NotificationAcknowledged{Notification: id}
				} else {
					data = &events.EntryAnnulled{Target: target.ID, Reason: "r"}
				}
			}
			e := &events.Event{ID: events.DeriveID(number, fmt.Sprint(i)), Case: number, OccurredAt: time.Date(2026, 3, 2, 8, i, 0, 0, time.UTC),
				Actor: events.Actor{Officer: "o", Role: events.CSW, Institution: office().Institution}, Data: data}
			e.Type = fmt.Sprintf("%T", data)[len("*events."):]
			p, err := events.Encode(e)
			if err == nil {
				_, err = store.Append(ctx, events.CaseStream(number), events.Any, p)
			}
			if err != nil {
				t.Fatal(err)
			}
			e.Jurisdiction = events.Jurisdiction(number[:2])
			h.Evolve(e)
			if rapid.Bool().Draw(t, "read now") {
				if err := engine.CatchUp(ctx, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := engine.CatchUp(ctx, nil); err != nil {
			t.Fatal(err)
		}
		for _, i := range append(offices, "mk-prison", "mk-nobody") {
			cases, err := involvement.Cases(ctx, engine, i)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range numbers {
				if _, got := cases[n]; got != slices.Contains(access.Parts(histories[n]), i) {
					t.Errorf("%s has a part in %s: %t", i, n, got)
				}
			}
		}
	})
}
