package timeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/events"
	"traga.internal/events/memstore"
)

var actors = []events.Actor{prison, clinic, csw, ngo, police}

// drawHistory records a case of random sharing, answers, corrections, annulments and decisions.
func drawHistory(t *rapid.T, tb testing.TB) *teller {
	w := tell(tb)
	var told []uuid.UUID
	shared := []events.ID{""}
	for i := range rapid.IntRange(1, 25).Draw(t, "entries") {
		w.clock = w.clock.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "hours later")) * time.Hour)
		actor := rapid.SampledFrom(actors).Draw(t, "actor")
		recipient := rapid.SampledFrom(actors).Draw(t, "recipient")
		categories := rapid.SliceOfNDistinct(rapid.SampledFrom(events.Categories()), 1, 3, rapid.ID).Draw(t, "categories")
		id := events.ID(fmt.Sprint("x-", i))
		some := func() uuid.UUID { return rapid.SampledFrom(told).Draw(t, "target") }
		one := func() events.ID { return rapid.SampledFrom(shared).Draw(t, "of what") }
		var data any
		switch n := rapid.IntRange(0, 11).Draw(t, "what"); {
		case n <= 2:
			d := disclosure(id, recipient, categories...)
			d.DerivedFrom = one()
			data, shared = d, append(shared, id)
		case n == 3:
			data, shared = notice(id, recipient), append(shared, id)
		case n == 4:
			data = &events.CaseConferenceHeld{Conference: id, Attendees: []events.Party{to(actor), to(recipient), to(csw)}, Apologies: []events.Party{},
				Categories: categories, Actions: []events.ConferenceAction{}}
		case n == 5:
			data = &events.NotificationAcknowledged{Notification: one()}
		case n == 6:
			data = &events.DisclosureRecalled{Disclosure: one(), Reason: "unlawful"}
		case n == 7:
			data = &events.ExpectedReleaseDateSet{Date: events.DateOf(2026, 6, 1) + events.Date(rapid.IntRange(0, 300).Draw(t, "days")), Basis: "sentence-end"}
		case n == 8:
			data = &events.TreatmentPlanAdopted{Plan: id, Goals: []string{}, Participated: true}
		case n == 9 && len(told) > 0:
			data = &events.EntryAnnulled{Target: some(), Reason: "wrong"}
		case n == 10 && len(told) > 0:
			replacement, err := json.Marshal(disclosure("x-corrected", recipient, categories...))
			must(tb, err)
			data = &events.EntryCorrected{Target: some(), Replacement: replacement, Reason: "wrong"}
		default:
			data = &events.SupportProvided{Service: "advice"}
		}
		back := time.Duration(rapid.IntRange(0, 3).Draw(t, "days earlier")) * 72 * time.Hour
		told = append(told, w.say(actor, data, func(e *events.Event) { e.OccurredAt = e.OccurredAt.Add(-back) }))
	}
	return w
}

// views are all answers of a case, as JSON.
func views(t testing.TB, c *Case) string {
	verdicts, err := c.Safeguards(context.Background())
	must(t, err)
	all := []any{c.Show(), c.Timeline("en", Occurred), c.Timeline("mk", Recorded), c.Shares(), c.Obligations(), verdicts, c.Lanes(verdicts)}
	for _, i := range c.Institutions() {
		all = append(all, c.Knows(i))
	}
	b, err := json.MarshalIndent(all, "", " ")
	must(t, err)
	return string(b)
}

// Asking at T, or at a position, gives the same answers whatever was recorded after it.
func TestThePastDoesNotChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawHistory(rt, t)
		page, err := w.store.ReadAll(context.Background(), events.Start, 1000, events.Filter{})
		must(t, err)
		cut := rapid.IntRange(0, len(page.Events)-1).Draw(rt, "cut")
		at := page.Events[cut]
		// A store in which nothing was recorded after that event.
		short := &teller{t: t, number: w.number, clock: w.clock}
		var clock time.Time
		short.store = memstore.New(func() time.Time { return clock })
		for _, r := range page.Events {
			if !r.RecordedAt.After(at.RecordedAt) {
				clock = r.RecordedAt
				_, err := short.store.Append(context.Background(), r.Stream, events.Any, events.Proposed{ID: r.ID, Type: r.Type, Metadata: r.Metadata, Data: r.Data})
				must(t, err)
			}
		}
		asOf := events.AsOf{Instant: at.RecordedAt.Add(time.Duration(rapid.IntRange(0, 3600).Draw(rt, "seconds")) * time.Second)}
		if cut+1 < len(page.Events) && !page.Events[cut+1].RecordedAt.Equal(at.RecordedAt) && !asOf.Instant.Before(page.Events[cut+1].RecordedAt) {
			asOf.Instant = at.RecordedAt
		}
		if before, after := views(t, short.read(asOf)), views(t, w.read(asOf)); before != after {
			rt.Fatalf("as of %s, before:\n%s\nafter:\n%s", asOf.Instant, before, after)
		}
		position := events.AsOf{Position: at.Position}
		if before, after := views(t, short.read(position)), views(t, w.read(position)); before != after {
			rt.Fatalf("as of position %s, before:\n%s\nafter:\n%s", at.Position, before, after)
		}
	})
}

// Every share points at an entry of the timeline that stands and was recorded then; what an institution knows was
// shared, first when it says, and by shares that carried the category; and the picture has an arrow for each share.
func TestViewsAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := drawHistory(rt, t).now()
		entries := map[uuid.UUID]Entry{}
		for _, e := range c.Timeline("en", Occurred) {
			entries[e.ID] = e
		}
		shares := c.Shares()
		for _, s := range shares {
			e, ok := entries[s.Event]
			if !ok || e.AnnulledBy != nil || e.From == nil || *e.From != s.From || !e.RecordedAt.Equal(s.RecordedAt) || !e.OccurredAt.Equal(s.At) || e.Type != s.Type {
				rt.Fatalf("%+v is not what the timeline says: %+v", s, e)
			}
			if e.CorrectedBy == nil && (!slices.Contains(e.To, s.To) && s.To.Officer == nil || !slices.Equal(e.Categories, s.Categories)) {
				rt.Fatalf("%+v is not what the timeline says: %+v", s, e)
			}
			if s.To.Institution == s.From.Institution && s.To.Role == s.From.Role {
				rt.Fatalf("%s discloses to itself", s.From.Institution)
			}
		}
		for _, who := range c.Institutions() {
			told := map[events.Category]*Share{}
			for i := range shares {
				for _, category := range shares[i].Categories {
					if shares[i].To.Institution == who && told[category] == nil {
						told[category] = &shares[i]
					}
				}
			}
			known := c.Knows(who)
			if len(known) != len(told) {
				rt.Fatalf("%s was told of %v and knows %v", who, told, known)
			}
			for _, k := range known {
				if first := told[k.Category]; first == nil || !first.At.Equal(k.Since) || !slices.Contains(k.Through, first.Event) {
					rt.Fatalf("%s knows %v, first told by %+v", who, k, first)
				}
				for _, id := range k.Through {
					if !slices.ContainsFunc(shares, func(s Share) bool { return s.Event == id && slices.Contains(s.Categories, k.Category) }) {
						rt.Fatalf("%s knows %s through %s, which did not share it", who, k.Category, id)
					}
				}
			}
		}
		picture := c.Lanes(nil)
		if len(picture.Arrows) != len(shares) {
			rt.Fatalf("%d arrows for %d shares", len(picture.Arrows), len(shares))
		}
		for i, a := range picture.Arrows {
			if picture.Lanes[a.From].Institution != shares[i].From.Institution || picture.Lanes[a.To].Institution != shares[i].To.Institution {
				rt.Fatalf("%+v is drawn as %+v", shares[i], a)
			}
		}
	})
}

// What changed between two instants is all that changed: no difference between a case and itself, and one whose
// obligations and knowledge lead from the earlier to the later answers.
func TestDiffIsComplete(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := drawHistory(rt, t)
		entries := w.now().History().Entries()
		i := rapid.IntRange(0, len(entries)-1).Draw(rt, "earlier")
		earlier, later := w.read(events.AsOf{Instant: entries[i].RecordedAt}), w.now()
		if d := earlier.Diff(earlier, "en"); len(d.Recorded)+len(d.State)+len(d.Obligations)+len(d.Knowledge) != 0 {
			rt.Fatalf("a case differs from itself: %+v", d)
		}
		d := later.Diff(earlier, "en")
		if len(d.Recorded) != later.History().Len()-earlier.History().Len() {
			rt.Fatalf("%d recorded in between", len(d.Recorded))
		}
		changed := map[string]bool{}
		for _, o := range d.Obligations {
			changed[o.Obligation] = true
		}
		was := map[string]Obligation{}
		for _, o := range earlier.Obligations() {
			was[o.Obligation] = o
		}
		for _, o := range later.Obligations() {
			if old, ok := was[o.Obligation]; changed[o.Obligation] == (ok && old.State == o.State && old.Due == o.Due && same(old.DutyHolder, o.DutyHolder) &&
				old.Escalation == o.Escalation && same(old.MetOn, o.MetOn) && old.Compressed == o.Compressed && old.RecordedLate == o.RecordedLate && slices.Equal(old.Breaches, o.Breaches)) {
				rt.Fatalf("%s: before %+v, now %+v, in the difference: %v", o.Obligation, old, o, changed[o.Obligation])
			}
		}
		for _, who := range later.Institutions() {
			known := earlier.standings(who)
			for _, k := range d.Knowledge {
				if k.Institution != who {
					continue
				}
				if known[k.Category] = k.After; k.After == nil {
					delete(known, k.Category)
				}
			}
			if now := later.standings(who); fmt.Sprint(flat(known)) != fmt.Sprint(flat(now)) {
				rt.Fatalf("%s knew %v and knows %v", who, flat(known), flat(now))
			}
		}
	})
}

func flat(all map[events.Category]*KnowledgeStanding) map[events.Category]KnowledgeStanding {
	m := map[events.Category]KnowledgeStanding{}
	for c, k := range all {
		m[c] = *k
	}
	return m
}

// A case as known to nobody yet differs from the opened one by everything in it.
func TestDiffFromNothing(t *testing.T) {
	w := tell(t)
	w.say(prison, notice("n-1", csw))
	d := w.now().Diff(nil, "en")
	if len(d.Recorded) != 2 || len(d.Knowledge) != 1 || d.Knowledge[0].Before != nil || len(d.State) != 2 || d.State[0].Before != nil ||
		len(d.Obligations) != len(w.now().Obligations()) || d.From != nil {
		t.Errorf("%+v", d)
	}
}
