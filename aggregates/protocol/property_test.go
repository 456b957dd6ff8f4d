package protocol

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traga.internal/events"
)

// act of a random case: the actor, what is done, and whether a correction of it can be drawn.
type doing struct {
	by   events.Actor
	data any
}

// anyDoing draws something that may happen in a case.
func anyDoing(t *rapid.T, n int) doing {
	date := func(name string) events.Date {
		return day("2026-03-02") + events.Date(rapid.IntRange(-60, 300).Draw(t, name))
	}
	parties := []events.Actor{csw, police, directorate, {Role: events.Probation, Institution: "mk-prob"}, {Role: events.CSW, Institution: "mk-csw-2"}}
	party := func() events.Actor { return rapid.SampledFrom(parties).Draw(t, "party") }
	id := events.ID(fmt.Sprint("x", n))
	old := events.ID(fmt.Sprint("x", rapid.IntRange(0, max(0, n-1)).Draw(t, "of")))
	obligation := rapid.SampledFrom([]string{"notify-csw", "notify-police", "screening", "open-pre-release", "handover", "first-contact", "renotify/mk-csw",
		"plan-review/1", "acknowledge/" + string(old)}).Draw(t, "obligation")
	switch rapid.IntRange(0, 26).Draw(t, "what") {
	case 0, 1:
		return doing{prison, &events.ExpectedReleaseDateSet{Date: date("date"), Basis: "pardon"}}
	case 2, 3, 4:
		return doing{court, &events.ExpectedReleaseDateChanged{From: date("from"), To: date("to")}}
	case 5, 6, 7:
		subject := rapid.SampledFrom([]string{"planned-release", "planned-release", "date-changed", "released", "date-confirmed", "correction", "consent-withdrawn"}).Draw(t, "subject")
		return doing{prison, notice(string(id), subject, party())}
	case 8:
		return doing{party(), &events.NotificationAcknowledged{Notification: old}}
	case 9:
		return doing{prison, assessed(rapid.SampledFrom([]string{"risk", "needs", "risk-and-needs"}).Draw(t, "kind"), rapid.SampledFrom([]string{"low", "high", ""}).Draw(t, "level"))}
	case 10:
		return doing{prison, adopted()}
	case 11, 12:
		return doing{prison, reviewed()}
	case 13, 14:
		return doing{prison, conference()}
	case 15:
		return doing{prison, &events.PreReleasePlanningOpened{}}
	case 16:
		return doing{prison, &events.PersonReleased{Accommodation: rapid.Bool().Draw(t, "roof")}}
	case 17:
		return doing{csw, &events.FirstContactMade{}}
	case 18:
		return doing{csw, postPenalReview(rapid.SampledFrom([]string{"continue", "end"}).Draw(t, "outcome"))}
	case 19:
		return doing{directorate, waive(obligation)}
	case 20:
		return doing{csw, closed()}
	case 21:
		return doing{csw, reopened()}
	case 22:
		return doing{prison, sentence("2025-03-03", rapid.SampledFrom([]string{"2026-09-02", "2028-09-02"}).Draw(t, "end"))}
	case 23:
		return doing{directorate, &events.DataBreachRecorded{Breach: id, Risk: rapid.SampledFrom([]string{"none", "high"}).Draw(t, "risk")}}
	case 24:
		return doing{prison, &events.ReferralMade{Referral: id, Recipient: party().Party(), Consent: "c"}}
	case 25:
		return doing{prison, &events.ConsentWithdrawn{Consent: "c"}}
	}
	return doing{prison, &events.NeedsMapFinalised{NeedsMap: "m", Version: 1}}
}

// anyStory draws a case: mostly recorded at once, some of it late, with corrections and annulments.
func anyStory(t *rapid.T, length int) *story {
	s := newStory(t, "MK")
	at := s.instant("2025-12-01")
	for n := range rapid.IntRange(1, length).Draw(t, "length") {
		at = at.Add(time.Duration(rapid.IntRange(1, 24*14).Draw(t, "hours")) * time.Hour)
		occurred := at
		if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
			occurred = at.Add(-time.Duration(rapid.IntRange(1, 24*60).Draw(t, "by hours")) * time.Hour)
		}
		if n > 2 && rapid.IntRange(0, 6).Draw(t, "amended") == 0 {
			target := s.log[rapid.IntRange(1, len(s.log)-1).Draw(t, "target")]
			kind := rapid.IntRange(0, 1).Draw(t, "how")
			if _, is := target.Data.(*events.EntryCorrected); kind == 0 || is {
				s.add(prison, at, occurred, &events.EntryAnnulled{Target: target.ID})
				continue
			}
			for range 20 { // look for something of the same type
				if d := anyDoing(t, n); fmt.Sprintf("%T", d.data) == fmt.Sprintf("%T", target.Data) {
					s.add(prison, at, occurred, corrected(target.ID, d.data))
					break
				}
			}
			continue
		}
		d := anyDoing(t, n)
		s.add(d.by, at, occurred, d.data)
	}
	return s
}

// Folding event by event equals computing everything at once from the facts; what Changed tells is the difference;
// and what was told before stays as it was told.
func TestFoldingEventByEventEqualsFoldingAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStory(t, 40)
		tr := NewTracker(s.book)
		var last []Obligation
		for i, e := range s.log {
			tr.Evolve(e)
			now, changed := tr.Obligations(), tr.Changed()
			var want []string
			for k, o := range now {
				if k >= len(last) || !same(&last[k], &o) {
					want = append(want, o.ID)
				}
			}
			var got []string
			for _, o := range changed {
				got = append(got, o.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("event %d changed %v, told %v", i, want, got)
			}
			for k := range last {
				if now[k].ID != last[k].ID {
					t.Fatalf("event %d: %s has the place of %s", i, now[k].ID, last[k].ID)
				}
			}
			last = now
			audit(t, tr)
		}
	})
}

// Every obligation of any case, at any moment, keeps these promises.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStory(t, 40)
		tr := NewTracker(s.book)
		for _, e := range s.log {
			tr.Evolve(e)
			for _, o := range tr.Changed() {
				checkPromises(t, tr, &o, e.RecordedAt)
			}
		}
	})
}

func checkPromises(t *rapid.T, tr *Tracker, o *Obligation, now time.Time) {
	cal := tr.Calendar()
	if !cal.IsWorkingDay(o.Due.Date) && o.Due.Instant.IsZero() && o.Due.Date != tr.ReleasedOn() && o.Outcome != Cancelled {
		t.Fatalf("%s is due on %s, no working day", o.ID, o.Due)
	}
	if o.Compressed && !o.Due.Instant.IsZero() {
		t.Fatalf("%s is compressed", o.ID)
	}
	if o.Compressed {
		fits := slices.ContainsFunc(tr.records, func(r record) bool { return cal.AddWorkingDays(tr.day(r.entry.RecordedAt), 1) == o.Due.Date })
		if !fits {
			t.Fatalf("%s is compressed to %s, one working day after nothing", o.ID, o.Due)
		}
	}
	if o.Outcome == Met && o.Due.Instant.IsZero() && o.MetOn > o.Due.Date || o.Outcome == MetLate && o.Due.Instant.IsZero() && o.MetOn <= o.Due.Date {
		t.Fatalf("%s due %s is %s on %s", o.ID, o.Due, o.Outcome, o.MetOn)
	}
	if (o.Outcome == Met || o.Outcome == MetLate) != (o.FulfilledBy != noID) || (o.Outcome == Waived) != (o.WaivedBy != noID) {
		t.Fatalf("%s is %s, fulfilled by %s, waived by %s", o.ID, o.Outcome, o.FulfilledBy, o.WaivedBy)
	}
	if o.RecordedLate && o.Outcome != Met {
		t.Fatalf("%s is %s and recorded late", o.ID, o.Outcome)
	}
	for _, b := range o.Breaches {
		if b.From != b.Due+1 || b.Until < b.From {
			t.Fatalf("%s has the breach %v", o.ID, b)
		}
	}
	if !o.WarnFrom.Before(o.OverdueFrom) || !o.OverdueFrom.Before(o.EscalateFrom[0]) || !o.EscalateFrom[0].Before(o.EscalateFrom[1]) {
		t.Fatalf("%s: clocks %v %v %v", o.ID, o.WarnFrom, o.OverdueFrom, o.EscalateFrom)
	}
	x, ok := tr.Explain(o.ID, now)
	if !ok || x.State != o.State(now) || x.ActivatedBy.Event != o.ActivatedBy || x.Text == "" {
		t.Fatalf("%s is explained as %+v", o.ID, x)
	}
	if (x.State == Met || x.State == MetLate) && x.FulfilledBy.Event != o.FulfilledBy {
		t.Fatalf("%s is explained as met by %+v", o.ID, x.FulfilledBy)
	}
	if n := len(x.Steps); n > 0 && o.Outcome != Cancelled && o.Due.Instant.IsZero() && x.Steps[n-1].Date != o.Due.Date && !slices.ContainsFunc(x.Steps, func(s Step) bool { return s.Date == o.Due.Date }) {
		t.Fatalf("%s due %s: no step leads there: %v", o.ID, o.Due, x.Steps)
	}
}

// No amnesty: a decision recorded at once never makes an overdue obligation due earlier or later, unless it
// postpones the release; then the breach is listed.
func TestNoAmnesty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStory(t, 30)
		tr := NewTracker(s.book)
		for _, e := range s.log {
			tr.Evolve(e)
		}
		before, date := tr.Obligations(), tr.ReleaseDate()
		at := s.log[len(s.log)-1].RecordedAt.Add(time.Hour)
		to := day("2026-03-02") + events.Date(rapid.IntRange(-60, 300).Draw(t, "new date"))
		s.add(court, at, at, &events.ExpectedReleaseDateChanged{From: date, To: to})
		tr.Evolve(s.log[len(s.log)-1])
		after := tr.Obligations()
		for i, o := range before {
			if o.State(at) != Overdue || o.Rule == "renotify" {
				continue
			}
			postponed := after[i].Due != o.Due
			breach := slices.ContainsFunc(after[i].Breaches, func(b Breach) bool { return b.Due == o.Due.Date && b.Until == tr.day(at) })
			if postponed != breach || postponed && to <= date {
				t.Fatalf("%s was due %s, release %s moved to %s: now %+v", o.ID, o.Due, date, to, after[i])
			}
		}
	})
}

// Files of past actions may be imported in any order without changing which event counts, nor met or met-late.
func TestImportOrderChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyStory(t, 15)
		start := s.log[len(s.log)-1].RecordedAt.Add(24 * time.Hour)
		start = s.instant(events.DateIn(start, s.book.Zone("MK")).String())
		type past struct {
			doing
			at time.Time
		}
		var file []past
		for n := range rapid.IntRange(2, 10).Draw(t, "lines") {
			back := time.Duration(rapid.IntRange(24*12, 24*120).Draw(t, "hours ago"))*time.Hour + time.Duration(n)*time.Second
			file = append(file, past{anyDoing(t, 100+n), start.Add(-back)})
		}
		result := func(order []past) map[string]string {
			tr := NewTracker(s.book)
			for _, e := range s.log {
				tr.Evolve(e)
			}
			c := *s
			c.log = slices.Clone(s.log)
			for i, p := range order {
				c.add(p.by, start.Add(time.Duration(i)*time.Second), p.at, p.data)
				e := c.log[len(c.log)-1]
				e.ID = events.DeriveID(p.at.String())
				tr.Evolve(e)
			}
			out := map[string]string{}
			for _, o := range tr.Obligations() {
				if o.Outcome == Cancelled {
					continue
				}
				line := fmt.Sprint(o.Outcome, o.FulfilledBy, o.ActivatedBy, o.WaivedBy, o.RecordedLate, o.Breaches)
				if o.Outcome == Pending && o.Rule != "first-contact" {
					line += o.Due.String()
				}
				out[o.ID] = line
			}
			return out
		}
		one, other := result(file), result(rapid.Permutation(file).Draw(t, "order"))
		if !maps.Equal(one, other) {
			for id := range one {
				if one[id] != other[id] {
					t.Errorf("%s: %s or %s", id, one[id], other[id])
				}
			}
			t.Fatalf("%d or %d obligations", len(one), len(other))
		}
	})
}
