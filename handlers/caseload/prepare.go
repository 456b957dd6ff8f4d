package caseload

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"traga.internal/events"
)

// prepare is the pre-release work: notices, needs map, conferences, health, report, handover.
func (s *story) prepare() {
	lead := 367 // twelve months before the release, six for sentences of up to two years
	if s.expected <= s.sentencedFrom.AddMonths(24) {
		lead = 185
	}
	s.act(s.plan(lead, s.spare()), s.treatment, &events.PreReleasePlanningOpened{Manager: s.treatment.Officer})
	undone := s.has(silentDuties)

	s.notice(s.plan(180, s.spare()), s.des, []events.Category{events.Identity, events.Sentence})
	s.notice(s.plan(180, s.spare()), s.coord, []events.Category{events.Identity, events.Sentence})
	s.notice(s.plan(90, s.spare()), s.care, s.planned)
	s.notice(s.plan(90, s.spare()), s.probation, []events.Category{events.Identity, events.Sentence})
	if !undone {
		s.notice(s.plan(90, s.spare()), s.employment, []events.Category{events.Identity})
		if !s.has(waiver) {
			s.notice(s.plan(90, s.spare()), s.education, []events.Category{events.Identity})
		}
	}
	s.needsMap()
	s.conference(s.plan(60, s.between(1, 8)))
	s.healthCare()
	if !undone {
		s.notice(s.plan(30, s.spare()), s.police, []events.Category{events.Identity, events.Sentence})
		spare := s.between(0, 4)
		if s.has(waiver) { // and acknowledged as late
			spare = -12
		}
		s.conference(s.plan(30, spare))
	}
	s.act(s.plan(25, s.between(0, 15)), pick(s.rng, s.treatment, s.care), &events.AccommodationArranged{
		Kind: pick(s.rng, "family", "own", "shelter", "supported"), Address: "an invented street 7"})
	s.act(s.plan(22, s.between(0, 15)), s.treatment, &events.IdentityDocumentsSecured{Documents: []string{"identity-card"}})
	if s.chance(60) {
		s.refer()
	}
	recipients := []events.Party{s.care.party()}
	if s.probation.Officer != "" {
		recipients = append(recipients, s.probation.party())
	}
	report := s.share(s.plan(14, s.between(1, 5)), s.treatment, "pre-release-planning", "execution-law",
		&events.ReleaseReportIssued{Report: s.id("rr"), Version: 1, Recipients: recipients, Categories: s.reportTopics})
	if s.has(correction) {
		s.correctReport(report)
	}
	s.request()
	if s.changedOn != 0 {
		for _, d := range slices.Clone(s.told) { // within a working day, but for those that are late
			at := s.on(s.cal.AddWorkingDays(s.changedOn, 1))
			if s.has(lateNotices) || s.chance(15) {
				at = s.on(s.cal.AddWorkingDays(s.changedOn, s.between(3, 6)))
			}
			categories := []events.Category{events.Identity}
			s.tell(at, "date-changed", d, categories, "")
		}
	}
	if !undone {
		s.tell(s.plan(5, s.between(1, 3)), "date-confirmed", s.care, s.planned, "")
		s.act(s.plan(4, s.between(1, 2)), s.care, &events.HandoverAccepted{Officer: s.care.Officer})
	}
	if s.chance(30) && s.probation.Officer != "" {
		s.act(s.plan(10, s.between(0, 4)), s.court, &events.ConditionsSet{Conditions: []string{"report to the officer once a week", "no contact with named persons"}})
	}
}

// notice sends a planned-release; the institution is told again when the date changes.
func (s *story) notice(at time.Time, to desk, categories []events.Category) {
	if to.Institution == "" { // BA has no probation service
		return
	}
	s.tell(at, "planned-release", to, categories, "")
	if s.changedOn == 0 || s.day(at) <= s.changedOn {
		s.told = append(s.told, to)
	}
}

// tell sends a notification and has it acknowledged: most in a few days, some late, a few never.
func (s *story) tell(at time.Time, subject string, to desk, categories []events.Category, about events.ID) *events.Event {
	if to.Institution == "" {
		return nil
	}
	purpose, basis := events.Purpose("pre-release-planning"), events.LegalBasis("execution-law")
	switch subject {
	case "released":
		purpose = "post-penal-assistance"
	case "risk-changed":
		purpose = "risk-management"
	case "correction", "consent-withdrawn":
		purpose, basis = "data-protection", "accountability"
	}
	e := s.share(at, s.treatment, purpose, basis, &events.NotificationSent{
		Notification: s.id("n-" + short[to.Role]), Subject: subject, Recipient: to.party(), Categories: categories,
		Channel: pick(s.rng, "letter", "letter", "secure-mail"), About: about})
	id := e.Data.(*events.NotificationSent).Notification
	wait := s.between(1, 4)
	switch {
	case s.has(lateAcknowledgement) && s.chance(60):
		wait = s.between(7, 22)
	case s.has(silentDuties) && s.chance(50), s.chance(3):
		return e
	case s.chance(4):
		wait = s.between(6, 9)
	}
	s.act(s.later(at, wait), to, &events.NotificationAcknowledged{Notification: id})
	return e
}

// short is a role in the id of a notification.
var short = map[events.Role]string{
	events.Directorate: "des", events.Coordinator: "coord", events.CSW: "csw", events.Municipality: "mun", events.Probation: "prob",
	events.Employment: "emp", events.Education: "edu", events.Police: "pol", events.CommunityHealth: "hea", events.CivilSociety: "ngo",
}

func (s *story) needsMap() {
	id := s.id("nm")
	needs := []events.Need{
		{Domain: events.Housing, Level: pick(s.rng, "none", "some", "high"), Note: pick(s.rng, housingNotes...)},
		{Domain: events.EmploymentInfo, Level: pick(s.rng, "some", "high"), Note: pick(s.rng, workNotes...)},
		{Domain: events.EducationInfo, Level: pick(s.rng, "none", "some"), Note: pick(s.rng, schoolNotes...)},
		{Domain: events.Family, Level: pick(s.rng, "none", "some", "high"), Note: pick(s.rng, familyNotes...)},
	}
	drafted := s.plan(90, s.between(1, 10))
	s.act(drafted, s.treatment, &events.NeedsMapDrafted{NeedsMap: id, Version: 1, Needs: needs})
	if s.has(silentDuties) {
		return
	}
	final := maxTime(s.plan(60, s.between(0, 10)), s.later(drafted, 1))
	s.act(final, s.treatment, &events.NeedsMapFinalised{NeedsMap: id, Version: 1, Needs: needs})
	spare := s.between(1, 8)
	if s.has(lateNeedsMap) {
		spare = -s.between(6, 24)
	}
	shared := maxTime(s.plan(45, spare), s.later(final, 1))
	s.share(shared, s.treatment, "pre-release-planning", "execution-law", &events.NeedsMapShared{
		Disclosure: s.id("d-nm"), NeedsMap: id, Version: 1, Recipient: s.care.party(), Categories: s.careNeeds})
}

func (s *story) conference(at time.Time) {
	attendees := []events.Party{s.care.Party}
	if s.probation.Officer != "" {
		attendees = append(attendees, s.probation.Party)
	}
	if s.care.Role == events.CSW {
		attendees = append(attendees, s.police.Party)
	}
	due := s.day(s.later(at, 20))
	cc := &events.CaseConferenceHeld{Conference: s.id("cc"), Attendees: attendees, Apologies: []events.Party{},
		Categories: s.conferenceTopics, Actions: []events.ConferenceAction{{Action: "a-1", Owner: s.care.party(), Due: due, Text: pick(s.rng, tasks...)}}}
	if s.chance(30) {
		cc.Apologies = append(cc.Apologies, s.employment.Party)
	}
	s.share(at, s.treatment, "pre-release-planning", "execution-law", cc)
	if s.chance(75) {
		s.act(s.later(at, s.between(6, 24)), s.care, &events.ConferenceActionCompleted{Conference: cc.Conference, Action: "a-1"})
	}
}

func (s *story) healthCare() {
	asked := s.plan(44, s.between(0, 6))
	offered := s.later(asked, 1)
	if s.has(healthRefused) {
		s.act(asked, s.nurse, &events.ConsentRefused{Consent: s.id("c-health"), Categories: []events.Category{events.Health}, RecipientRoles: []events.Role{events.CommunityHealth}})
		s.act(offered, s.nurse, &events.MedicalExaminationOffered{Accepted: false})
		return
	}
	consent := s.id("c-health")
	s.act(asked, s.nurse, &events.ConsentGiven{Consent: consent, Categories: []events.Category{events.Health},
		RecipientRoles: []events.Role{events.CommunityHealth}, Purpose: "health-care", Language: s.language, Informed: true, Expires: s.day(asked).AddMonths(12)})
	if s.has(silentDuties) {
		return
	}
	s.act(offered, s.nurse, &events.MedicalExaminationOffered{Accepted: true})
	s.share(maxTime(s.plan(30, s.between(1, 5)), s.later(offered, 1)), s.nurse, "health-care", "special-category", &events.HealthSummaryTransferred{
		Disclosure: s.id("d-hs"), Recipient: s.health.party(), Categories: []events.Category{events.Health}, Consent: consent, Summary: pick(s.rng, healthNotes...)})
}

// refer finds work or training.
func (s *story) refer() {
	at := s.plan(40, s.between(0, 15))
	id := s.id("ref")
	s.share(at, s.treatment, "post-penal-assistance", "execution-law", &events.ReferralMade{Referral: id, Recipient: s.employment.party(),
		Service: "vocational placement", Categories: []events.Category{events.Identity, events.EmploymentInfo, events.EducationInfo}})
	answered := s.later(at, s.between(2, 8))
	if s.chance(15) {
		s.act(answered, s.employment, &events.ReferralDeclined{Referral: id, Reason: "no place before autumn"})
		return
	}
	s.act(answered, s.employment, &events.ReferralAccepted{Referral: id})
	s.act(s.later(answered, s.between(15, 40)), s.employment, &events.ReferralCompleted{Referral: id, Outcome: "a place in a workshop from the day of release"})
}

// question is what an institution may ask the prison, and why.
type question struct {
	by      desk
	topics  []events.Category
	purpose events.Purpose
	reason  string
}

func (s *story) questions() []question {
	q := []question{
		{s.care, s.requestTopics, "post-penal-assistance", "preparing the family for his return"},
		{s.employment, []events.Category{events.EducationInfo, events.EmploymentInfo}, "post-penal-assistance", "vocational placement"},
		{s.police, []events.Category{events.Identity, events.Sentence, events.Risk}, "risk-management", "preparing the local security assessment"},
	}
	if s.probation.Officer != "" {
		q = append(q, question{s.probation, []events.Category{events.Sentence, events.Risk}, "supervision", "supervision plan"})
	}
	return q
}

// request has an institution or two ask the prison, which answers.
func (s *story) request() {
	for range s.between(1, 2) {
		q := pick(s.rng, s.questions()...)
		at := s.plan(s.between(30, 120), 0)
		id := s.ask(at, q, q.topics)
		if s.has(silence) {
			continue // no answer ever comes
		}
		wait := s.between(2, 9)
		if s.chance(12) {
			wait = s.between(12, 20)
		}
		s.answer(s.later(at, wait), q, id, q.topics, nil)
	}
}

func (s *story) ask(at time.Time, q question, topics []events.Category) events.ID {
	id := s.id("r-" + short[q.by.Role])
	s.act(at, q.by, &events.InformationRequested{Request: id, From: s.treatment.party(), Categories: topics, Urgency: "normal", Reason: q.reason})
	return id
}

func (s *story) answer(at time.Time, q question, id events.ID, topics, withheld []events.Category) {
	s.share(at, s.treatment, q.purpose, "execution-law", &events.InformationProvided{Request: id, Recipient: q.by.party(), Categories: topics,
		Withheld: withheld, Partial: len(withheld) > 0, Summary: "what the file says on it"})
}

// correct records what an entry should have said.
func (s *story) correct(at time.Time, by desk, e *events.Event, replacement any, reason string) *events.Event {
	raw, err := json.Marshal(replacement, json.Deterministic(true))
	if err != nil {
		s.err = err
	}
	return s.act(at, by, &events.EntryCorrected{Target: e.ID, Replacement: raw, Reason: reason})
}

// correctReport corrects the version of the release report, and tells its readers: the last one late.
func (s *story) correctReport(report *events.Event) {
	right := *report.Data.(*events.ReleaseReportIssued)
	right.Version = 2
	at := s.later(report.OccurredAt, 2)
	s.correct(at, s.treatment, report, &right, "the signed copy was version 2")
	for i, p := range right.Recipients {
		to := s.care
		if p.Role == events.Probation {
			to = s.probation
		}
		wait := 2
		if i == len(right.Recipients)-1 {
			wait = 8
		}
		s.tell(s.later(at, wait), "correction", to, []events.Category{events.Identity}, events.ID(report.ID.String()))
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
