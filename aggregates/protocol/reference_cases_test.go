package protocol_test

import (
	"fmt"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/casefile"
	"traga.internal/events"
)

// stage is where a random case plays: a jurisdiction, its institutions, and a first day with holidays, Bayrams or
// a clock change nearby.
type stage struct {
	j      events.Jurisdiction
	zone   *time.Location
	prison events.Institution
	day    events.Date
}

var stages = []struct {
	j   events.Jurisdiction
	sub string
}{{"MK", ""}, {"RS", ""}, {"ME", ""}, {"XK", ""}, {"AL", ""}, {"BA", "bih"}, {"BA", "srp"}, {"BA", "brc"}}

var firstDays = []string{
	"2026-03-17", // Ramadan Bayram, the clocks go forward on 29 March
	"2026-03-26", // the clocks go forward; Easter follows
	"2026-05-22", // Kurban Bayram
	"2026-10-20", // the clocks go back on 25 October
	"2026-12-22", // two Christmases and the new year
	"2026-02-11", // Sretenje
	"2027-04-27", // Easter and May
}

func (s stage) actor(role events.Role, n int) events.Actor {
	a := events.Actor{Officer: "o", Role: role}
	switch {
	case role.InPrison():
		a.Institution = s.prison
	default:
		a.Institution = events.Institution(fmt.Sprintf("%s-%s-%d", map[bool]string{true: "ba-srp", false: "xx"}[s.j == "BA"], role, n))
	}
	return a
}

// story draws a case: a few days, dense, and everything in it late, early, corrected, annulled or twice.
type story struct {
	*rapid.T
	stage
	state  casefile.State
	events []*events.Event
	n      int
	now    time.Time
}

func (s *story) n9(label string, n int) int { return rapid.IntRange(0, n-1).Draw(s.T, label) }
func pick[V any](s *story, label string, of ...V) V {
	return of[s.n9(label, len(of))]
}

func drawStory(t *rapid.T, length int) *story {
	s := &story{T: t}
	at := stages[s.n9("stage", len(stages))]
	first, _ := events.ParseDate(pick(s, "day", firstDays...))
	sub := ""
	s.stage = stage{j: at.j, day: first, prison: "xx-prison-a"}
	if at.sub != "" {
		s.prison = events.Institution("ba-" + at.sub + "-prison")
		sub = "BA-" + map[string]string{"bih": "BIH", "srp": "SRP", "brc": "BRC"}[at.sub]
	}
	cal, err := calendar.For(string(at.j), sub)
	if err != nil {
		t.Fatal(err)
	}
	s.zone = cal.Zone()
	s.now = s.day.In(s.zone).Add(time.Duration(8+s.n9("hour", 8)) * time.Hour)
	s.take(s.actor(events.PrisonTreatment, 1), &events.CaseOpened{Subject: "s", Name: "n", DateOfBirth: s.day - 10000, Sex: "m",
		Reason: "convicted", Institution: s.prison, AdmittedOn: s.day - events.Date(pick(s, "admitted", 0, 3, 13, 14, 15, 56, 60))}, s.now)
	only := s.n9("focus", 4)
	for len(s.events) < length && s.n < 4*length {
		s.wait()
		s.next(only)
	}
	return s
}

// wait lets time pass, mostly little.
func (s *story) wait() {
	switch s.n9("wait", 10) {
	case 0, 1:
	case 2, 3, 4:
		s.now = s.now.Add(time.Duration(1+s.n9("hours", 30)) * time.Hour)
	case 5, 6, 7:
		s.now = s.now.Add(time.Duration(1+s.n9("days", 4)) * 24 * time.Hour)
	case 8: // to a local midnight or just before it
		d := events.DateIn(s.now, s.zone) + events.Date(1+s.n9("nights", 4))
		s.now = d.In(s.zone).Add(-tick * time.Duration(s.n9("just", 2)))
	case 9:
		s.now = s.now.Add(time.Duration(5+s.n9("long", 35)) * 24 * time.Hour)
	}
}

// occurred is when what is recorded now happened.
func (s *story) occurred() time.Time {
	switch s.n9("late", 10) {
	case 0, 1, 2:
		return s.now.Add(-time.Duration(s.n9("lateHours", 72)) * time.Hour)
	case 3:
		return s.now.Add(-time.Duration(s.n9("lateDays", 20)) * 24 * time.Hour)
	case 4: // at the same instant as something else
		return s.events[s.n9("same", len(s.events))].OccurredAt
	case 5: // around a local midnight
		return (events.DateIn(s.now, s.zone) - events.Date(s.n9("nights", 5))).In(s.zone).Add(-tick * time.Duration(s.n9("just", 2)))
	}
	return s.now
}

func (s *story) take(by events.Actor, data any, occurred time.Time) bool {
	s.n++
	if occurred.After(s.now) {
		occurred = s.now
	}
	e := &events.Event{ID: uuid.UUID{0: 1, 14: byte(s.n >> 8), 15: byte(s.n)}, Revision: uint64(len(s.events)), Position: events.At(uint64(len(s.events) + 1)),
		RecordedAt: s.now, OccurredAt: occurred, Type: reflect.TypeOf(data).Elem().Name(), Schema: 1, Case: string(s.j) + "-2026-0001",
		Jurisdiction: s.j, Actor: by, Purpose: "oversight", LegalBasis: "execution-law", Data: data}
	if _, err := casefile.Decide(&s.state, e, s.now); err != nil {
		return false
	}
	s.state.Evolve(e)
	s.events = append(s.events, e)
	return true
}

func (s *story) party() events.Party {
	role := pick(s, "to", events.CSW, events.CSW, events.Municipality, events.Police, events.Probation, events.Directorate, events.Coordinator, events.CommunityHealth, events.Employment, events.Education)
	return s.actor(role, 1+s.n9("which", 2)).Party()
}

// release dates that put some due date within the next days.
func (s *story) release() events.Date {
	d := events.DateIn(s.now, s.zone) + events.Date(s.n9("within", 12)-3)
	switch ahead := pick(s, "ahead", 0, 3, 14, 14, 30, 30, 45, 60, 90, 180, -6, -12); {
	case ahead < 0:
		return d.AddMonths(-ahead)
	default:
		return d + events.Date(ahead)
	}
}

// some is an earlier event of one of the types, nil if there is none.
func some[T any](s *story) (*events.Event, T) {
	var of []*events.Event
	for _, e := range s.events {
		if _, ok := e.Data.(T); ok {
			of = append(of, e)
		}
	}
	if len(of) == 0 {
		var none T
		return nil, none
	}
	e := of[s.n9("of", len(of))]
	return e, e.Data.(T)
}

func (s *story) next(focus int) {
	id := events.ID(fmt.Sprint("x", len(s.events)))
	prison := s.actor(events.PrisonTreatment, 1)
	social := pick(s, "worker", events.CSW, events.CSW, events.Probation, events.Municipality)
	worker := s.actor(social, 1+s.n9("office", 2))
	if s.j == "AL" {
		worker = s.actor(events.Municipality, 1)
	}
	court, directorate := s.actor(events.Court, 1), s.actor(events.Directorate, 1+s.n9("seat", 2))
	do := func(by events.Actor, data any) { s.take(by, data, s.occurred()) }
	// Each focus has acts of its own beside those of all.
	what := s.n9("what", 26)
	switch {
	case what < 7: // on what was said before
		s.amend()
		return
	case what < 10:
		s.waive(directorate)
		return
	case what == 10:
		if read(s.events).released() != nil {
			return // released twice: a release entered in error is annulled first
		}
		do(prison, &events.PersonReleased{Kind: "sentence-end", Papers: true, Accommodation: pick(s, "roof", true, false), Means: true})
		return
	case what == 11:
		if pick(s, "close", true, false) {
			do(worker, &events.CaseClosed{Reason: "r"})
		}
		return
	case what == 12:
		do(worker, &events.CaseReopened{Reason: "r"})
		return
	case what == 13:
		do(prison, &events.NotificationSent{Notification: id, Subject: pick(s, "subject", "planned-release", "planned-release", "planned-release", "date-changed", "date-confirmed", "released"), Recipient: s.party(), Categories: []events.Category{"identity"}, Channel: "letter"})
		return
	case what == 14:
		do(prison, &events.RiskLevelChanged{From: "low", To: pick(s, "risk", "low", "high"), Decider: "d", ReviewBy: s.day})
		return
	}
	switch focus {
	case 0, 1:
		s.preparing(id, prison, court, worker, do)
	case 2:
		s.exchanging(id, prison, directorate, worker, do)
	default:
		s.following(id, prison, worker, directorate, do)
	}
}

func (s *story) preparing(id events.ID, prison, court, worker events.Actor, do func(events.Actor, any)) {
	switch s.n9("prepare", 18) {
	case 0, 1:
		do(prison, &events.ExpectedReleaseDateSet{Date: s.release(), Basis: "sentence-end"})
	case 2, 3, 4, 5, 6:
		do(court, &events.ExpectedReleaseDateChanged{From: s.day, To: s.release(), Reason: "r"})
	case 7:
		do(prison, &events.PreReleasePlanningOpened{Manager: "m"})
	case 8:
		do(prison, &events.NeedsMapDrafted{NeedsMap: pick(s, "map", events.ID("m1"), "m2"), Version: 1 + s.n9("v", 2)})
	case 9:
		do(prison, &events.NeedsMapFinalised{NeedsMap: pick(s, "map", events.ID("m1"), "m2"), Version: 1 + s.n9("v", 2)})
	case 10, 11:
		do(prison, &events.NeedsMapShared{Disclosure: id, NeedsMap: pick(s, "map", events.ID("m1"), "m2"), Version: 1 + s.n9("v", 2), Recipient: s.party(), Categories: []events.Category{"identity"}})
	case 12, 13:
		attendees := []events.Party{s.party(), s.party()}
		do(pick(s, "host", prison, worker), &events.CaseConferenceHeld{Conference: id, Attendees: attendees, Categories: []events.Category{"risk"}})
	case 14:
		do(prison, &events.ReleaseReportIssued{Report: "r", Version: len(s.events), Recipients: []events.Party{s.party(), s.party()}, Categories: []events.Category{"risk"}})
	case 15:
		do(worker, &events.HandoverAccepted{Officer: "o"})
	case 16:
		health := s.actor(events.PrisonHealth, 1)
		if pick(s, "refused", true, false) {
			do(health, &events.ConsentRefused{Consent: id, Categories: []events.Category{pick(s, "cat", events.Category("health"), "mental-health")}})
			return
		}
		do(health, &events.HealthSummaryTransferred{Disclosure: id, Recipient: s.party(), Categories: []events.Category{"health"}, Summary: "x"})
	case 17:
		do(court, &events.SentenceRecorded{Court: "c", Offence: "o", StartDate: s.day - 300, EndDate: (s.day - 300).AddMonths(pick(s, "months", 12, 24, 25, 36)) + events.Date(pick(s, "and", 0, 1, 20))})
	}
}

func (s *story) exchanging(id events.ID, prison, directorate, worker events.Actor, do func(events.Actor, any)) {
	switch s.n9("exchange", 16) {
	case 0:
		do(prison, &events.InformationRequested{Request: id, From: s.party(), Categories: []events.Category{"housing"}, Urgency: pick(s, "urgency", "normal", "urgent"), Reason: "r"})
	case 1, 2:
		if _, q := some[*events.InformationRequested](s); q != nil {
			by := events.Actor{Officer: "o", Role: q.From.Role, Institution: q.From.Institution}
			if pick(s, "refuse", true, false) {
				do(by, &events.InformationRefused{Request: q.Request, Ground: "g", Remedy: "r"})
			} else {
				do(by, &events.InformationProvided{Request: q.Request, Recipient: prison.Party(), Categories: []events.Category{"housing"}, Summary: "s"})
			}
		}
	case 3, 4:
		if e, q := some[*events.InformationRequested](s); q != nil {
			do(e.Actor, &events.RefusalAppealed{Request: q.Request, To: pick(s, "body", directorate, s.actor(events.Court, 1)).Party(), Grounds: "g"})
		}
	case 5, 6:
		if _, q := some[*events.RefusalAppealed](s); q != nil {
			do(events.Actor{Officer: "o", Role: q.To.Role, Institution: q.To.Institution}, &events.RefusalAppealDecided{Request: q.Request, Outcome: "granted", Reasons: "r"})
		}
	case 7:
		do(s.actor(events.Ombudsman, 1), &events.ComplaintLodged{Complaint: id, About: prison.Party(), Grounds: "g"})
	case 8:
		if _, q := some[*events.ComplaintLodged](s); q != nil {
			do(directorate, &events.ComplaintDecided{Complaint: q.Complaint, Outcome: "upheld"})
		}
	case 9:
		do(worker, &events.DataBreachRecorded{Breach: id, Risk: pick(s, "risk", "none", "high", "risk"), Reason: "r"})
	case 10:
		if _, q := some[*events.DataBreachRecorded](s); q != nil {
			do(directorate, &events.BreachReported{Breach: q.Breach, Authority: "a"})
		}
	case 11:
		do(worker, &events.ConsentGiven{Consent: id, Categories: []events.Category{"health"}, Purpose: "p", Language: "l", Informed: true})
	case 12, 13:
		if _, q := some[*events.ConsentGiven](s); q != nil {
			if pick(s, "withdraw", true, false, false) {
				do(worker, &events.ConsentWithdrawn{Consent: q.Consent})
			} else {
				do(pick(s, "sender", prison, worker), &events.InformationDisclosed{Disclosure: id, Recipient: s.party(), Categories: []events.Category{"health"}, Consent: q.Consent, Summary: "s"})
			}
		}
	case 14:
		if _, q := some[*events.NotificationSent](s); q != nil {
			do(events.Actor{Officer: "o", Role: q.Recipient.Role, Institution: q.Recipient.Institution}, &events.NotificationAcknowledged{Notification: q.Notification})
		}
	case 15:
		s.tell(id, prison, do)
	}
}

// tell sends notices that corrections and withdrawn consents ask for.
func (s *story) tell(id events.ID, by events.Actor, do func(events.Actor, any)) {
	n := &events.NotificationSent{Notification: id, Subject: "correction", Recipient: s.party(), Categories: []events.Category{"identity"}, Channel: "letter"}
	if _, q := some[*events.EntryCorrected](s); q != nil && pick(s, "tell", true, false) {
		n.About = events.ID(q.Target.String())
	} else if _, q := some[*events.EntryAnnulled](s); q != nil && pick(s, "tell", true, false) {
		n.About = events.ID(q.Target.String())
	} else if _, q := some[*events.ConsentWithdrawn](s); q != nil {
		n.Subject, n.About = "consent-withdrawn", q.Consent
	}
	if n.About != "" {
		for _, e := range s.events {
			if d, ok := events.DisclosureOf(e.Data); ok && (e.ID.String() == string(n.About) || d.Consent == n.About) {
				n.Recipient = d.Recipients[0]
			}
		}
	}
	do(by, n)
}

func (s *story) following(id events.ID, prison, worker, directorate events.Actor, do func(events.Actor, any)) {
	switch s.n9("follow", 16) {
	case 0, 1:
		do(prison, &events.AssessmentCompleted{Assessment: id, Kind: pick(s, "kind", "risk", "needs", "risk-and-needs"), Tool: "t", ToolVersion: "1", Level: pick(s, "level", "", "low", "high")})
	case 2:
		do(prison, &events.ScreeningCompleted{Tool: "t", ToolVersion: "1", Result: "indicated"})
	case 3, 4:
		do(prison, &events.TreatmentPlanAdopted{Plan: id, Participated: true})
	case 5, 6, 7:
		if _, q := some[*events.TreatmentPlanAdopted](s); q != nil {
			do(prison, &events.TreatmentPlanReviewed{Plan: q.Plan, Participated: true})
		}
	case 8, 9:
		do(worker, &events.FirstContactMade{Mode: "office"})
	case 10:
		do(worker, &events.PostPenalPlanAdopted{Plan: id})
	case 11, 12:
		do(worker, &events.PostPenalReviewHeld{Outcome: pick(s, "outcome", "continue", "continue", "end")})
	case 13:
		do(directorate, &events.PrisonTransferred{From: s.prison, To: pick(s, "prison", events.Institution("xx-prison-a"), "xx-prison-b")})
	case 14:
		do(directorate, &events.RetentionReviewed{Outcome: "keep", Reason: "r"})
	case 15:
		do(prison, &events.ExpectedReleaseDateSet{Date: s.release(), Basis: "sentence-end"})
	}
}

// waive waives an obligation of the case, most often one that may exist.
func (s *story) waive(by events.Actor) {
	ids := []string{"notify-csw", "notify-police", "conference-1", "open-pre-release", "handover", "confirm-date", "release-report", "screening", "first-contact",
		"plan-review/1", "plan-review/2", "post-penal-review/30d", "retention-review", "release-notice", "health-continuity"}
	for _, e := range s.events {
		switch d := e.Data.(type) {
		case *events.DataBreachRecorded:
			ids = append(ids, "report-breach/"+string(d.Breach))
		case *events.InformationRequested:
			ids = append(ids, "answer-request/"+string(d.Request))
		case *events.NotificationSent:
			ids = append(ids, "acknowledge/"+string(d.Notification), "renotify/"+string(d.Recipient.Institution))
		case *events.EntryCorrected:
			ids = append(ids, s.propagated(d.Target)...)
		case *events.EntryAnnulled:
			ids = append(ids, s.propagated(d.Target)...)
		case *events.InformationDisclosed:
			ids = append(ids, "withdrawal-notice/"+string(d.Consent)+"/"+string(d.Recipient.Institution))
		}
	}
	s.take(by, &events.ObligationWaived{Obligation: ids[s.n9("waive", len(ids))], Reason: "r", Approver: "a"}, s.occurred())
}

func (s *story) propagated(target uuid.UUID) (ids []string) {
	for _, e := range s.events {
		if d, ok := events.DisclosureOf(e.Data); ok && e.ID == target {
			ids = append(ids, "propagate-correction/"+target.String()+"/"+string(d.Recipients[0].Institution))
		}
	}
	return ids
}

// amend corrects or annuls an earlier entry, a correction or annulment too.
func (s *story) amend() {
	of := s.events[s.n9("amend", len(s.events))]
	by := s.actor(events.Directorate, 1)
	if _, opened := of.Data.(*events.CaseOpened); opened && s.n9("opened", 3) > 0 {
		return
	}
	if pick(s, "annul", true, false) {
		s.take(by, &events.EntryAnnulled{Target: of.ID, Reason: "r"}, s.occurred())
		return
	}
	if data := s.otherwise(of.Data); data != nil {
		raw, err := json.Marshal(data)
		if err != nil {
			s.Fatal(err)
		}
		s.take(by, &events.EntryCorrected{Target: of.ID, Replacement: raw, Reason: "r"}, s.occurred())
	}
}

// otherwise is what an entry may be corrected to; nil where nothing in it matters to a rule.
func (s *story) otherwise(data any) any {
	switch d := data.(type) {
	case *events.CaseOpened:
		c := *d
		c.AdmittedOn = s.day - events.Date(s.n9("admitted", 20))
		c.Institution = "xx-prison-d"
		if s.j == "BA" { // another subdivision's calendar
			c.Institution = pick(s, "sub", events.Institution("ba-bih-prison"), "ba-srp-prison", "ba-brc-prison")
		}
		return &c
	case *events.ExpectedReleaseDateSet:
		c := *d
		c.Date = s.release()
		return &c
	case *events.ExpectedReleaseDateChanged:
		c := *d
		c.To = s.release()
		return &c
	case *events.NotificationSent:
		c := *d
		c.Recipient = s.party()
		c.Subject = pick(s, "subject", "planned-release", "date-changed", "date-confirmed", "released")
		return &c
	case *events.AssessmentCompleted:
		// One only: what was met through several corrections of several assessments the text leaves open.
		if _, c := some[*events.EntryCorrected](s); c != nil {
			return nil
		}
		c := *d
		c.Kind = pick(s, "kind", "risk", "needs", "risk-and-needs")
		return &c
	case *events.PersonReleased:
		c := *d
		c.Accommodation = !c.Accommodation
		return &c
	case *events.RiskLevelChanged:
		c := *d
		c.To = pick(s, "risk", "low", "high")
		return &c
	case *events.DataBreachRecorded:
		c := *d
		c.Risk = pick(s, "risk", "none", "high")
		return &c
	case *events.PostPenalReviewHeld:
		c := *d
		c.Outcome = pick(s, "outcome", "continue", "end")
		return &c
	case *events.InformationRequested:
		c := *d
		c.Urgency = pick(s, "urgency", "normal", "urgent")
		return &c
	case *events.NeedsMapShared:
		c := *d
		c.Recipient = s.party()
		return &c
	case *events.ReleaseReportIssued:
		c := *d
		c.Recipients = []events.Party{s.party()}
		return &c
	case *events.ConsentRefused:
		c := *d
		c.Categories = []events.Category{pick(s, "cat", events.Category("health"), "risk")}
		return &c
	case *events.ObligationWaived:
		c := *d
		c.Obligation = pick(s, "other", "notify-csw", "notify-police", "handover")
		return &c
	case *events.SentenceRecorded:
		c := *d
		c.EndDate = c.StartDate.AddMonths(pick(s, "months", 12, 36))
		return &c
	case *events.PrisonTransferred:
		c := *d
		c.To = pick(s, "prison", events.Institution("xx-prison-c"), "xx-prison-b")
		return &c
	case *events.CaseConferenceHeld:
		c := *d
		c.Attendees = []events.Party{s.party()}
		return &c
	case *events.InformationDisclosed:
		c := *d
		c.Recipient = s.party()
		return &c
	}
	return nil
}
