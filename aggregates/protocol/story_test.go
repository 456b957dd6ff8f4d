package protocol

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"traga.internal/events"
)

// teller is a test, or a case of a property test.
type teller interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
}

// story is one case as a test tells it: what was recorded, in that order, and what is then due.
type story struct {
	t            teller
	jurisdiction events.Jurisdiction
	book         *Book
	log          []*events.Event
	actor        events.Actor
	clock        map[string]int // how much was recorded on a day already
}

var (
	prison      = events.Actor{Role: events.PrisonTreatment, Institution: "mk-prison"}
	health      = events.Actor{Role: events.PrisonHealth, Institution: "mk-prison"}
	csw         = events.Actor{Role: events.CSW, Institution: "mk-csw"}
	directorate = events.Actor{Role: events.Directorate, Institution: "mk-des"}
	police      = events.Actor{Role: events.Police, Institution: "mk-police"}
	court       = events.Actor{Role: events.Court, Institution: "mk-court"}
)

// newStory begins with a case opened on admission, 3 March 2025 (a Monday).
func newStory(t teller, j events.Jurisdiction) *story {
	s := &story{t: t, jurisdiction: j, book: NewBook(), clock: map[string]int{}}
	s.by(prison).on("2025-03-03", &events.CaseOpened{Institution: "mk-prison", AdmittedOn: day("2025-03-03")})
	return s
}

func day(s string) events.Date {
	d, err := events.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func (s *story) by(a events.Actor) *story { s.actor = a; return s }

// instant reads "2026-03-02" as 9 o'clock local time, or "2026-03-02 14:30".
func (s *story) instant(text string) time.Time {
	zone := s.book.Zone(s.jurisdiction)
	if len(text) == len("2006-01-02") {
		text += " 09:00"
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

// on records what happened at once; events of one day follow each other by a second.
func (s *story) on(when string, data any) uuid.UUID { return s.late(when, when, data) }

// late records on a day what occurred earlier.
func (s *story) late(recorded, occurred string, data any) uuid.UUID {
	at := s.instant(recorded).Add(time.Duration(s.clock[recorded]) * time.Second)
	s.clock[recorded]++
	did := s.instant(occurred)
	if recorded == occurred {
		did = at
	}
	return s.add(s.actor, at, did, data)
}

// add records an act of an actor.
func (s *story) add(by events.Actor, at, did time.Time, data any) uuid.UUID {
	e := &events.Event{ID: events.DeriveID(fmt.Sprint(len(s.log))), Type: strings.TrimPrefix(fmt.Sprintf("%T", data), "*events."), Case: string(s.jurisdiction) + "-2025-1",
		Jurisdiction: s.jurisdiction, Actor: by, OccurredAt: did, RecordedAt: at, Data: data, Revision: uint64(len(s.log))}
	if n := len(s.log); n > 0 && s.log[n-1].RecordedAt.After(at) {
		s.t.Fatalf("%s is recorded before the event before it", at)
	}
	s.log = append(s.log, e)
	return e.ID
}

func (s *story) correct(when string, target uuid.UUID, data any) uuid.UUID {
	return s.on(when, corrected(target, data))
}

func corrected(target uuid.UUID, data any) any {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return &events.EntryCorrected{Target: target, Replacement: raw, Reason: "mistyped"}
}

func (s *story) annul(when string, target uuid.UUID) uuid.UUID {
	return s.on(when, &events.EntryAnnulled{Target: target, Reason: "entered in error"})
}

// known is the fold as known at an instant.
func (s *story) known(at time.Time) *Tracker {
	tr := NewTracker(s.book)
	for _, e := range s.log {
		if !e.RecordedAt.After(at) {
			tr.Evolve(e)
			audit(s.t, tr)
		}
	}
	return tr
}

// audit computes everything anew from the facts: nothing may come out differently.
func audit(t teller, tr *Tracker) {
	before := tr.Obligations()
	tr.chain = tr.effectiveDecisions()
	tr.markAll()
	for _, s := range tr.changed {
		s.moved = false
	}
	tr.changed = nil
	tr.recompute()
	after := tr.Obligations()
	if len(tr.changed) > 0 || len(before) != len(after) {
		for i := range before {
			if i < len(after) && !same(&before[i], &after[i]) {
				t.Errorf("kept %+v\n anew %+v", before[i], after[i])
			}
		}
		t.Fatalf("the fold kept %d obligations, computed anew there are %d", len(before), len(after))
	}
}

// find is an obligation as known at an instant.
func (s *story) find(at, id string) *Obligation {
	obligations := s.known(s.instant(at)).Obligations()
	i := slices.IndexFunc(obligations, func(o Obligation) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return &obligations[i]
}

// want holds an obligation, as known at an instant, against a line such as
// "2026-06-04 met on 2026-05-28 compressed recorded-late breach 2026-02-09 until 2026-04-10", or "none".
func (s *story) want(at, id, line string) {
	s.t.Helper()
	if got := s.line(at, id); got != line {
		s.t.Errorf("%s at %s: %s, expected %s", id, at, got, line)
	}
}

func (s *story) line(at, id string) string {
	o := s.find(at, id)
	if o == nil {
		return "none"
	}
	line := o.Due.String() + " " + string(o.State(s.instant(at)))
	if o.MetOn != 0 {
		line += " on " + o.MetOn.String()
	}
	if o.Compressed {
		line += " compressed"
	}
	if o.RecordedLate {
		line += " recorded-late"
	}
	for _, b := range o.Breaches {
		line += " breach " + b.Due.String() + " until " + b.Until.String()
		if b.From != b.Due+1 {
			s.t.Errorf("a breach of what was due on %s from %s", b.Due, b.From)
		}
	}
	return line
}

// The events that stories are made of.

func set(date string) any {
	return &events.ExpectedReleaseDateSet{Date: day(date), Basis: "sentence-end"}
}

func change(from, to string) any {
	return &events.ExpectedReleaseDateChanged{From: day(from), To: day(to)}
}

func notice(id, subject string, to events.Actor) any {
	return &events.NotificationSent{Notification: events.ID(id), Subject: subject, Recipient: to.Party(), Channel: "letter",
		Categories: []events.Category{"identity"}}
}

func about(id, subject string, to events.Actor, what string) any {
	n := notice(id, subject, to).(*events.NotificationSent)
	n.About = events.ID(what)
	return n
}

func planned(id string, to events.Actor) any { return notice(id, "planned-release", to) }

func assessed(kind, level string) any {
	return &events.AssessmentCompleted{Assessment: "a", Kind: kind, Level: level, Tool: "t", Indicators: []string{}, Facts: []string{}, Opinions: []string{}}
}

func adopted() any  { return &events.TreatmentPlanAdopted{Plan: "p", Goals: []string{}} }
func reviewed() any { return &events.TreatmentPlanReviewed{Plan: "p"} }
func freed() any {
	return &events.PersonReleased{Kind: "sentence-end", Papers: true, Accommodation: true, Means: true}
}
func conference() any {
	return &events.CaseConferenceHeld{Conference: "c", Attendees: []events.Party{csw.Party(), police.Party()}}
}
func waive(obligation string) any {
	return &events.ObligationWaived{Obligation: obligation, Reason: "r", Approver: "a"}
}
func closed() any   { return &events.CaseClosed{Reason: "r"} }
func reopened() any { return &events.CaseReopened{Reason: "r"} }
func postPenalReview(outcome string) any {
	return &events.PostPenalReviewHeld{Outcome: outcome}
}
func requested(id, urgency string) any {
	return &events.InformationRequested{Request: events.ID(id), From: prison.Party(), Urgency: urgency}
}
func sentence(start, end string) any {
	return &events.SentenceRecorded{StartDate: day(start), EndDate: day(end)}
}
