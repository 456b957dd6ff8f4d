package timeline

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/events/sqlitestore"
)

// longCase tells a case of n events, of the kinds and in the proportions of a real one.
func longCase(tb testing.TB, w *teller, n int) {
	w.say(prison, &events.ExpectedReleaseDateSet{Date: events.DateOf(2027, 3, 1), Basis: "sentence-end"})
	for i := w.n; i < n; i++ {
		w.clock = w.clock.Add(13 * time.Hour)
		id := events.ID(fmt.Sprint("x-", i))
		recipient := actors[1+i%4]
		switch i % 8 {
		case 0, 4:
			w.say(prison, notice(id, recipient))
		case 1, 5:
			w.say(recipient, &events.NotificationAcknowledged{Notification: events.ID(fmt.Sprint("x-", i-1))})
		case 2:
			d := disclosure(id, recipient, events.Identity, events.Family)
			d.DerivedFrom = events.ID(fmt.Sprint("x-", i-8))
			w.say(prison, d)
		case 3:
			w.say(recipient, &events.InformationRequested{Request: id, From: to(prison), Categories: []events.Category{events.Housing}, Urgency: "normal", Reason: "planning"})
		case 6:
			w.say(csw, &events.SupportProvided{Service: "advice"})
		case 7:
			w.say(prison, &events.TreatmentPlanReviewed{Plan: "tp-1", Outcome: "kept", Participated: true})
		}
	}
}

// A case of 500 events, read, decoded and folded into all its answers, within a log of many other events.
func BenchmarkCase500(b *testing.B) {
	for _, others := range []int{0, 20_000} {
		w := tell(b)
		longCase(b, w, 500)
		fillWith(b, w.store, others)
		b.Run(fmt.Sprintf("memory/log of %d more", others), func(b *testing.B) { benchmarkCase(b, w.store, w) })

		db, err := sqlitestore.Open(context.Background(), b.TempDir())
		must(b, err)
		copyAll(b, w.store, db)
		b.Run(fmt.Sprintf("sqlite/log of %d more", others), func(b *testing.B) { benchmarkCase(b, db, w) })
		must(b, db.Close())
	}
}

func benchmarkCase(b *testing.B, store Log, w *teller) {
	ctx, book := context.Background(), protocol.NewBook()
	read := func() *Case {
		c, err := Read(ctx, store, book, w.number, events.AsOf{}, w.clock)
		must(b, err)
		return c
	}
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			read()
		}
	})
	b.Run("show", func(b *testing.B) {
		for b.Loop() {
			read().Show()
		}
	})
	b.Run("timeline", func(b *testing.B) {
		for b.Loop() {
			read().Timeline("mk", Occurred)
		}
	})
	b.Run("shares", func(b *testing.B) {
		for b.Loop() {
			read().Shares()
		}
	})
	b.Run("everything", func(b *testing.B) {
		for b.Loop() {
			c := read()
			c.Show()
			c.Obligations()
			c.Timeline("en", Occurred)
			c.Shares()
			c.Knows(csw.Institution)
			if _, err := c.Safeguards(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func fillWith(b *testing.B, store *memstore.Store, n int) {
	var batch []events.Proposed
	for i := range n {
		number := fmt.Sprintf("RS-2026-%04d", i/100)
		data, err := json.Marshal(events.SupportProvided{Service: "advice"})
		must(b, err)
		p, err := events.Encode(&events.Event{ID: events.DeriveID("other", fmt.Sprint(i)), Type: "SupportProvided", Case: number, Actor: csw,
			OccurredAt: time.Unix(0, 0), Data: &events.SupportProvided{Service: string(data)}})
		must(b, err)
		if batch = append(batch, p); len(batch) == 100 {
			_, err := store.Append(context.Background(), events.CaseStream(number), events.Any, batch...)
			must(b, err)
			batch = nil
		}
	}
}

func copyAll(b *testing.B, from *memstore.Store, into events.Store) {
	for after := events.Start; ; {
		page, err := from.ReadAll(context.Background(), after, 1000, events.Filter{})
		must(b, err)
		batches := map[string][]events.Proposed{}
		for _, r := range page.Events {
			batches[r.Stream] = append(batches[r.Stream], events.Proposed{ID: r.ID, Type: r.Type, Metadata: r.Metadata, Data: r.Data})
		}
		for stream, batch := range batches {
			_, err := into.Append(context.Background(), stream, events.Any, batch...)
			must(b, err)
		}
		if after = page.Scanned; !page.More {
			return
		}
	}
}
