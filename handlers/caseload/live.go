package caseload

import (
	"iter"
	"time"

	"traga.internal/events"
)

// Live goes on from an instant after the caseload's day: an endless series of plausible acts on the open cases, a
// few seconds apart: acknowledgements, answers, notices, reviews, support. Each is acceptable to the write path at
// the moment at which it is recorded, if those before it were recorded and nobody else changed the case. Where
// others act too, as visitors of a demonstration do, an act may be refused; the series goes on all the same.
// Live may be called once.
func (g *Generator) Live(from time.Time) iter.Seq[Step] {
	scenes := g.scenes()
	return func(yield func(Step) bool) {
		at := from
		for idle := 0; idle < 10*len(scenes)+10; {
			s := pick(g.rng, scenes...)
			act := s.choose()
			if act == nil {
				idle++
				continue
			}
			idle = 0
			at = at.Add(time.Duration(2000+g.rng.IntN(7000)) * time.Millisecond)
			act(at)
			step := s.steps[len(s.steps)-1]
			s.observe(step.Event)
			if !yield(step) {
				return
			}
		}
	}
}

// scene is an open case as it stands: what waits for somebody.
type scene struct {
	*story
	today events.Date

	unread     []pending // notices to acknowledge
	unanswered []pending // requests
	referred   []pending // referrals to accept
	accepted   []pending // referrals to complete
	tasks      []task
	closed     bool
	plan       events.ID // of treatment
	reviewed   events.Date
	maps       map[events.ID]string // drafted, finalised, shared
	needs      map[events.ID][]events.Need
	done       map[string]int // how often each type of event happened
	notified   map[events.Institution]bool
}

// pending is something that a party is to do.
type pending struct {
	id events.ID
	by desk
	of question
}

type task struct {
	conference, action events.ID
	owner              desk
}

// scenes are the cases open on the caseload's day.
func (g *Generator) scenes() []*scene {
	known := map[string]*scene{}
	var scenes []*scene
	for _, s := range g.stories {
		sc := &scene{story: s, today: g.day(s.register), maps: map[events.ID]string{}, needs: map[events.ID][]events.Need{},
			done: map[string]int{}, notified: map[events.Institution]bool{}}
		known[s.number] = sc
		scenes = append(scenes, sc)
	}
	for _, st := range g.steps {
		if sc := known[st.Event.Case]; sc != nil {
			sc.observe(st.Event)
		}
	}
	var begun []*scene
	for _, sc := range scenes {
		if sc.done["CaseOpened"] > 0 {
			begun = append(begun, sc)
		}
	}
	return begun
}

// desk is who sits at an institution in a role; false for an institution of another land.
func (r *register) desk(p events.Party) (desk, bool) {
	for _, h := range r.houses {
		if h.id != p.Institution {
			continue
		}
		for _, d := range h.desks {
			if d.Role == p.Role {
				return d, true
			}
		}
	}
	return desk{}, false
}

// observe keeps the scene up to date.
func (s *scene) observe(e *events.Event) {
	s.done[e.Type]++
	switch d := e.Data.(type) {
	case *events.CaseOpened:
		s.move(d.Institution)
	case *events.PrisonTransferred:
		s.move(d.To)
	case *events.CaseClosed:
		s.closed = true
	case *events.CaseReopened:
		s.closed = false
	case *events.TreatmentPlanAdopted:
		s.plan, s.reviewed = d.Plan, s.day(e.OccurredAt)
	case *events.TreatmentPlanReviewed:
		s.reviewed = s.day(e.OccurredAt)
	case *events.NotificationSent:
		if d.Subject == "planned-release" {
			s.notified[d.Recipient.Institution] = true
		}
		s.wait(&s.unread, d.Notification, d.Recipient, question{})
	case *events.NotificationAcknowledged:
		drop(&s.unread, d.Notification)
	case *events.InformationRequested:
		by := desk{events.Party{Institution: e.Actor.Institution, Role: e.Actor.Role, Officer: e.Actor.Officer}}
		q := question{by: by, topics: d.Categories, purpose: "post-penal-assistance"}
		for _, known := range s.questions() {
			if known.by.Institution == by.Institution {
				q.topics, q.purpose = known.topics, known.purpose
			}
		}
		s.wait(&s.unanswered, d.Request, d.From, q)
	case *events.InformationProvided:
		drop(&s.unanswered, d.Request)
	case *events.InformationRefused:
		drop(&s.unanswered, d.Request)
	case *events.ReferralMade:
		s.wait(&s.referred, d.Referral, d.Recipient, question{})
	case *events.ReferralAccepted:
		for _, p := range s.referred {
			if p.id == d.Referral {
				s.accepted = append(s.accepted, p)
			}
		}
		drop(&s.referred, d.Referral)
	case *events.ReferralDeclined:
		drop(&s.referred, d.Referral)
	case *events.ReferralCompleted:
		drop(&s.accepted, d.Referral)
	case *events.NeedsMapDrafted:
		s.maps[d.NeedsMap], s.needs[d.NeedsMap] = "drafted", d.Needs
	case *events.NeedsMapFinalised:
		s.maps[d.NeedsMap] = "finalised"
	case *events.NeedsMapShared:
		s.maps[d.NeedsMap] = "shared"
	case *events.CaseConferenceHeld:
		for _, a := range d.Actions {
			if owner, ok := s.desk(a.Owner); ok {
				s.tasks = append(s.tasks, task{d.Conference, a.Action, owner})
			}
		}
	case *events.ConferenceActionCompleted:
		for i, t := range s.tasks {
			if t.conference == d.Conference && t.action == d.Action {
				s.tasks = append(s.tasks[:i:i], s.tasks[i+1:]...)
				break
			}
		}
	}
}

// move puts the person where the case now is; the script may already have moved on.
func (s *scene) move(to events.Institution) {
	for _, h := range s.houses {
		if h.id == to {
			s.enter(h)
		}
	}
}

func (s *scene) wait(list *[]pending, id events.ID, p events.Party, q question) {
	if by, ok := s.desk(p); ok {
		*list = append(*list, pending{id, by, q})
	}
}

func drop(list *[]pending, id events.ID) {
	var rest []pending
	for _, p := range *list {
		if p.id != id {
			rest = append(rest, p)
		}
	}
	*list = rest
}

// option is something that may happen next, and how likely it is beside the others.
type option struct {
	weight int
	act    func(at time.Time)
}

// choose is what happens next in the case; nil if nothing can.
func (s *scene) choose() func(at time.Time) {
	if s.closed {
		return nil
	}
	options := s.waiting()
	switch {
	case s.done["PersonReleased"] > 0:
		options = append(options, s.afterRelease()...)
	case s.done["PreReleasePlanningOpened"] > 0:
		options = append(options, s.beforeRelease()...)
	default:
		options = append(options, s.inTreatment()...)
	}
	all := 0
	for _, o := range options {
		all += o.weight
	}
	if all == 0 {
		return nil
	}
	n := s.rng.IntN(all)
	for _, o := range options {
		if n -= o.weight; n < 0 {
			return o.act
		}
	}
	return nil
}

// waiting is what somebody has been asked to do.
func (s *scene) waiting() []option {
	var options []option
	for _, p := range s.unread {
		options = append(options, option{4, func(at time.Time) { s.act(at, p.by, &events.NotificationAcknowledged{Notification: p.id}) }})
	}
	for _, p := range s.unanswered {
		options = append(options, option{4, func(at time.Time) {
			s.share(at, p.by, p.of.purpose, "execution-law", &events.InformationProvided{Request: p.id, Recipient: p.of.by.party(),
				Categories: p.of.topics, Withheld: []events.Category{}, Summary: "what the file says on it"})
		}})
	}
	for _, p := range s.referred {
		options = append(options, option{4, func(at time.Time) { s.act(at, p.by, &events.ReferralAccepted{Referral: p.id}) }})
	}
	for _, p := range s.accepted {
		options = append(options, option{2, func(at time.Time) {
			s.act(at, p.by, &events.ReferralCompleted{Referral: p.id, Outcome: "a place was found"})
		}})
	}
	for _, t := range s.tasks {
		options = append(options, option{2, func(at time.Time) {
			s.act(at, t.owner, &events.ConferenceActionCompleted{Conference: t.conference, Action: t.action})
		}})
	}
	return options
}

func (s *scene) inTreatment() []option {
	switch {
	case s.done["SubjectInformed"] == 0:
		return []option{{3, func(at time.Time) {
			s.act(at, s.treatment, &events.SubjectInformed{Notice: "rights-and-record-notice-v2", Language: s.language})
		}}}
	case s.plan == "":
		return []option{{1, func(at time.Time) {
			s.act(at, s.treatment, &events.ProgrammeOutcomeRecorded{Programme: "introduction to the house", Outcome: "ongoing"})
		}}}
	}
	options := []option{{2, func(at time.Time) {
		s.act(at, s.treatment, &events.ProgrammeOutcomeRecorded{Programme: pick(s.rng, programmes...), Outcome: pick(s.rng, "completed", "ongoing")})
	}}}
	if s.today-s.reviewed > 150 {
		options = append(options, option{3, func(at time.Time) {
			s.act(at, s.treatment, &events.TreatmentPlanReviewed{Plan: s.plan, Outcome: pick(s.rng, outcomes...), Participated: true})
		}})
	}
	return append(options, s.inquiry()...)
}

// inquiry is a question to the prison, while no other waits for its answer.
func (s *scene) inquiry() []option {
	if len(s.unanswered) > 0 {
		return nil
	}
	return []option{{1, func(at time.Time) {
		q := pick(s.rng, s.questions()...)
		s.ask(at, q, q.topics)
	}}}
}

func (s *scene) beforeRelease() []option {
	options := s.inquiry()
	for _, to := range []desk{s.des, s.coord, s.care, s.probation, s.employment, s.education, s.police} {
		if to.Institution == "" || s.notified[to.Institution] {
			continue
		}
		categories := []events.Category{events.Identity}
		if to.Role != events.Municipality && to.Role != events.Employment && to.Role != events.Education {
			categories = append(categories, events.Sentence)
		}
		options = append(options, option{2, func(at time.Time) {
			s.share(at, s.treatment, "pre-release-planning", "execution-law", &events.NotificationSent{Notification: s.id("n-" + short[to.Role]),
				Subject: "planned-release", Recipient: to.party(), Categories: categories, Channel: "secure-mail"})
		}})
	}
	once := func(eventType string, act func(at time.Time)) {
		if s.done[eventType] == 0 {
			options = append(options, option{2, act})
		}
	}
	once("MedicalExaminationOffered", func(at time.Time) { s.act(at, s.nurse, &events.MedicalExaminationOffered{Accepted: true}) })
	once("IdentityDocumentsSecured", func(at time.Time) {
		s.act(at, s.treatment, &events.IdentityDocumentsSecured{Documents: []string{"identity-card"}})
	})
	once("AccommodationArranged", func(at time.Time) { s.act(at, s.care, &events.AccommodationArranged{Kind: "family"}) })
	once("NeedsMapDrafted", func(at time.Time) {
		s.act(at, s.treatment, &events.NeedsMapDrafted{NeedsMap: s.id("nm"), Version: 1,
			Needs: []events.Need{{Domain: events.Housing, Level: "some", Note: pick(s.rng, housingNotes...)}}})
	})
	once("ReferralMade", func(at time.Time) {
		s.share(at, s.treatment, "post-penal-assistance", "execution-law", &events.ReferralMade{Referral: s.id("ref"), Recipient: s.employment.party(),
			Service: "vocational placement", Categories: []events.Category{events.Identity, events.EmploymentInfo, events.EducationInfo}})
	})
	for id, state := range s.maps { // one at most
		switch state {
		case "drafted":
			options = append(options, option{2, func(at time.Time) {
				s.act(at, s.treatment, &events.NeedsMapFinalised{NeedsMap: id, Version: 1, Needs: s.needs[id]})
			}})
		case "finalised":
			options = append(options, option{3, func(at time.Time) {
				s.share(at, s.treatment, "pre-release-planning", "execution-law", &events.NeedsMapShared{Disclosure: s.id("d-nm"), NeedsMap: id,
					Version: 1, Recipient: s.care.party(), Categories: s.careNeeds})
			}})
		}
	}
	if s.done["CaseConferenceHeld"] < 2 {
		options = append(options, option{1, s.conferenceNow})
	}
	return options
}

// conferenceNow is a conference without what the script would let follow.
func (s *scene) conferenceNow(at time.Time) {
	attendees := []events.Party{s.care.Party}
	if s.care.Role == events.CSW {
		attendees = append(attendees, s.police.Party)
	}
	s.share(at, s.treatment, "pre-release-planning", "execution-law", &events.CaseConferenceHeld{Conference: s.id("cc"), Attendees: attendees,
		Apologies: []events.Party{}, Categories: s.conferenceTopics,
		Actions: []events.ConferenceAction{{Action: "a-1", Owner: s.care.party(), Due: s.day(at) + 28, Text: pick(s.rng, tasks...)}}})
}

func (s *scene) afterRelease() []option {
	options := []option{{1, func(at time.Time) {
		s.act(at, pick(s.rng, s.care, s.ngo, s.employment), &events.SupportProvided{Service: pick(s.rng, services...)})
	}}}
	switch {
	case s.done["FirstContactMade"] == 0:
		options = append(options, option{4, func(at time.Time) { s.act(at, s.care, &events.FirstContactMade{Mode: "office"}) }})
	case s.done["PostPenalPlanAdopted"] == 0:
		options = append(options, option{3, func(at time.Time) {
			s.act(at, s.care, &events.PostPenalPlanAdopted{Plan: s.id("pp"), Goals: []string{pick(s.rng, afterGoals...)}, Participated: true})
		}})
	}
	return options
}
