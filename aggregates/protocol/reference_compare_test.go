package protocol_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// TestTheTrackerAgreesWithTheDefinition holds the Tracker against the definition-style evaluator of these files,
// after every event and at every instant at which a state or a level may change until the next.
func TestTheTrackerAgreesWithTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStory(t, rapid.IntRange(4, 22).Draw(t, "length"))
		if diff := compare(s.events); diff != "" {
			t.Fatalf("%s\nafter\n%s", diff, tell(s.events))
		}
	})
}

// compare is the first difference between Tracker and definition, empty when there is none.
func compare(evs []*events.Event) string {
	tracker := protocol.NewTracker(protocol.NewBook())
	ever := map[string]claim{}
	for n, e := range evs {
		tracker.Evolve(e)
		r := read(evs[:n+1])
		want := map[string]verdict{}
		for _, c := range claims(r) {
			want[c.id], ever[c.id] = c.evaluate(r), c
		}
		until := e.RecordedAt.Add(60 * 24 * time.Hour)
		if n+1 < len(evs) {
			until = evs[n+1].RecordedAt
		}
		got := map[string]protocol.Obligation{}
		for _, o := range tracker.Obligations() {
			got[o.ID] = o
		}
		for id := range ever {
			o, known := got[id]
			if !known {
				return fmt.Sprintf("event %d: %s: the tracker has none", n, id)
			}
			w, stands := want[id]
			if !stands {
				if o.Outcome != protocol.Cancelled {
					return fmt.Sprintf("event %d: %s: tracker %s, definition cancelled", n, id, o.Outcome)
				}
				continue
			}
			d := differ(r, w, o, e.RecordedAt, until)
			if d != "" && w.outcome != protocol.Pending {
				// The text does not say from when a duty was known to be settled where an entry counted by an earlier
				// reading and no longer does: from then, or from when what counts today was recorded.
				w.asToday = true
				if differ(r, w.evaluate(r), o, e.RecordedAt, until) == "" {
					d = ""
				}
			}
			if d != "" {
				return fmt.Sprintf("event %d: %s: %s", n, id, d)
			}
		}
		for id := range got {
			if _, known := ever[id]; !known {
				return fmt.Sprintf("event %d: %s: the definition has none", n, id)
			}
		}
	}
	return ""
}

func differ(r *record, w verdict, o protocol.Obligation, from, until time.Time) string {
	var out []string
	say := func(what string, tracker, definition any) {
		if t, d := fmt.Sprint(tracker), fmt.Sprint(definition); t != d {
			out = append(out, fmt.Sprintf("%s: tracker %s, definition %s", what, t, d))
		}
	}
	say("outcome", o.Outcome, w.outcome)
	say("toward", o.Toward, w.toward)
	say("severity", o.Severity, w.severity)
	say("duty", o.Duty, w.role)
	say("rule", o.Rule, w.rule)
	if w.outcome == protocol.Cancelled {
		return strings.Join(out, "; ")
	}
	settled := w.outcome != protocol.Pending && decidedAfterRelease(r)
	if !settled {
		say("dutyHolder", o.DutyHolder, w.holder)
	}
	due := w.due.String()
	if !w.instant.IsZero() {
		due = w.instant.UTC().Format(time.RFC3339Nano)
	}
	say("due", o.Due, due)
	say("compressed", o.Compressed, w.compressed)
	say("activatedBy", num(o.ActivatedBy), num(w.since.ID))
	say("fulfilledBy", num(o.FulfilledBy), num(idOf(w.fulfilledBy)))
	say("waivedBy", num(o.WaivedBy), num(idOf(w.waivedBy)))
	say("metOn", o.MetOn, w.metOn)
	say("recordedLate", o.RecordedLate, w.late)
	if len(o.Breaches)+len(w.breaches) > 0 {
		say("breaches", o.Breaches, w.breaches)
	}
	for _, now := range instants(r, w, from, until) {
		at := now.In(r.cal.Zone()).Format(" at 2006-01-02T15:04:05.999999999")
		say("state"+at, o.State(now), w.stateAt(r, now))
		if !settled {
			say("escalation"+at, o.Escalation(now), w.escalationAt(r, now))
		}
	}
	return strings.Join(out, "; ")
}

// decidedAfterRelease reports whether a decision on the date came after the release: the text does not say from when
// a duty was known that such a decision had seemed to activate before the release was on record.
func decidedAfterRelease(r *record) bool {
	rel := r.released()
	return rel != nil && slices.ContainsFunc(r.live, func(e *entry) bool {
		switch e.data.(type) {
		case *events.ExpectedReleaseDateSet, *events.ExpectedReleaseDateChanged:
			return rel.before(e)
		}
		return false
	})
}

// instants are those between two recordings at which an obligation's state or level may change, and just before.
func instants(r *record, w verdict, from, until time.Time) []time.Time {
	days := map[events.Date]bool{w.due - 14: true, w.due: true, w.due + 1: true, r.cal.AddWorkingDays(w.due, -2): true}
	for _, n := range w.steps() {
		days[r.cal.AddWorkingDays(w.due, n)] = true
		days[r.cal.AddWorkingDays(w.due, n+1)] = true
	}
	at := []time.Time{from, until.Add(-tick), w.instant, w.instant.Add(tick)}
	for _, d := range slices.Sorted(maps.Keys(days)) {
		at = append(at, d.In(r.cal.Zone()), d.In(r.cal.Zone()).Add(-tick))
	}
	return slices.DeleteFunc(at, func(t time.Time) bool { return t.Before(from) || !t.Before(until) })
}

// num is the number of a story's event, as tell shows it.
func num(id uuid.UUID) string {
	if id == uuid.Nil {
		return "-"
	}
	return fmt.Sprint("e", int(id[14])<<8+int(id[15]))
}

// tell writes a story down.
func tell(evs []*events.Event) string {
	var b strings.Builder
	for i, e := range evs {
		data := fmt.Sprintf("%+v", e.Data)
		switch d := e.Data.(type) {
		case *events.EntryAnnulled:
			data = "of " + num(d.Target)
		case *events.EntryCorrected:
			data = "of " + num(d.Target) + " " + string(d.Replacement)
		}
		fmt.Fprintf(&b, "%d %s rec %s occ %s %s@%s %s %s\n", i, num(e.ID), e.RecordedAt.Format("01-02T15:04:05.999999999Z07"), e.OccurredAt.Format("01-02T15:04:05.999999999"),
			e.Actor.Role, e.Actor.Institution, e.Type, data)
	}
	return b.String()
}
