package caseload

import (
	"time"

	"traga.internal/events"
)

// Tools in use. VERA-2R and ERG22+ exist; VES-short is invented.
const (
	screeningTool    = "VES-short"
	screeningVersion = "1.2"
)

var assessmentTools = [...][2]string{{"VERA-2R", "2.1"}, {"ERG22+", "3.0"}}

// write is the whole life of a case, up to years from now; the caseload shows what is recorded by its day.
func (s *story) write() []Step {
	s.dates()
	s.intake()
	s.treat()
	s.prepare()
	s.trouble()
	if s.to != nil {
		s.handOver()
		return s.finish()
	}
	s.letGo()
	return s.finish()
}

// dates decides when the release was expected, and when that changed.
func (s *story) dates() {
	s.woman = s.has(noSpecialist) || (!s.has(juvenile) && s.chance(8))
	s.dateSetOn = s.cal.NextWorkingDay(s.admitted + events.Date(s.between(45, 100)))
	s.sentencedFrom = s.admitted - events.Date(s.between(0, 160))
	s.expected = s.release
	switch {
	case s.has(broughtForward):
		s.expected = s.cal.NextWorkingDay(s.release + events.Date(s.between(60, 110)))
		s.changedOn = s.cal.PrevWorkingDay(s.release - events.Date(s.between(18, 26)))
	case s.has(postponed):
		s.expected = s.cal.PrevWorkingDay(s.release - events.Date(s.between(30, 75)))
		s.changedOn = s.cal.PrevWorkingDay(s.expected - events.Date(s.between(8, 25)))
	}
}

// plan is when an act that is due so many days before the release is done, with so many days to spare (too late
// when negative): by the date as known on that day.
func (s *story) plan(days, spare int) time.Time {
	d := s.cal.PrevWorkingDay(s.expected - events.Date(days+spare))
	if s.changedOn != 0 && d >= s.changedOn {
		d = max(s.cal.PrevWorkingDay(s.release-events.Date(days+spare)), s.cal.AddWorkingDays(s.changedOn, pick(s.rng, 1, 1, 1, 2, 3)))
	}
	d = max(d, s.cal.AddWorkingDays(s.dateSetOn, 1))
	return s.on(min(d, s.cal.AddWorkingDays(s.release, -1)))
}

// spare is how many days too early a careful officer is; in a case of late notices, too late.
func (s *story) spare() int {
	if s.has(lateNotices) && s.chance(70) {
		return -s.between(4, 24)
	}
	return s.between(1, 12)
}

func (s *story) intake() {
	first, last := s.person(s.rng, s.woman)
	sex := "male"
	if s.woman {
		sex = "female"
	}
	year, _, _ := s.admitted.Civil()
	age := s.between(21, 48)
	if s.has(juvenile) {
		age = 17
	}
	opened := s.on(s.admitted)
	reason := pick(s.rng, "convicted", "convicted", "convicted", "vulnerable", "returnee")
	if s.from != nil {
		reason = "transferred-in"
	}
	s.act(opened, s.treatment, &events.CaseOpened{
		Subject: "s-" + ascii(s.prefix) + s.number[2:], Name: first + " " + last,
		DateOfBirth: events.DateOf(year-age, time.Month(s.between(1, 12)), s.between(1, 28)), Sex: sex,
		Nationality: s.nationality, Reason: reason, Institution: s.treatment.Institution, AdmittedOn: s.day(opened),
	})
	if s.from != nil {
		s.act(s.later(opened, 1), s.des, &events.JurisdictionTransferAccepted{From: s.from.reg.code, PreviousCase: s.from.number})
	}
	sentence := &events.SentenceRecorded{
		Court: string(s.court.Institution), Offence: pick(s.rng, offences...),
		StartDate: s.sentencedFrom, EndDate: s.expected,
	}
	if s.chance(25) {
		sentence.ConditionalReleaseFrom = s.expected.AddMonths(-3)
	}
	s.act(opened.Add(30*time.Minute), s.treatment, sentence)
	s.act(s.later(opened, s.between(1, 3)), s.treatment, &events.SubjectInformed{
		Notice: "rights-and-record-notice-v2", Language: s.language, Interpreter: s.chance(10)})
	switch {
	case s.has(juvenile):
		s.act(s.later(opened, 3), s.treatment, &events.SpecificGroupRecorded{Group: "juvenile", Guardian: "his aunt, " + s.women[s.rng.IntN(len(s.women))] + " " + last})
	case s.woman:
		s.act(s.later(opened, 3), s.treatment, &events.SpecificGroupRecorded{Group: "female"})
	case reason == "returnee":
		s.act(s.later(opened, 4), s.des, &events.SpecificGroupRecorded{Group: "returnee"})
	case s.chance(30):
		s.act(s.later(opened, 4), s.treatment, &events.SpecificGroupRecorded{Group: "first-time"})
	}
	s.act(s.on(s.admitted+events.Date(s.between(8, 14))), s.treatment, &events.ScreeningCompleted{
		Tool: screeningTool, ToolVersion: screeningVersion, Result: "indicated",
		Facts: []string{"convicted of an offence motivated by extremism"}, Opinions: []string{pick(s.rng, opinions...)}})
}

func (s *story) treat() {
	assessed := s.on(s.admitted + events.Date(s.between(28, 52)))
	tool := assessmentTools[0]
	if s.chance(30) {
		tool = assessmentTools[1]
	}
	level := pick(s.rng, "low", "medium", "medium", "high")
	if s.has(highRiskLateContact) {
		level = "medium"
	}
	s.riskAtExit = level
	a := &events.AssessmentCompleted{
		Assessment: s.id("as"), Kind: "risk-and-needs", Tool: tool[0], ToolVersion: tool[1], Assessor: s.assessor, Level: level,
		Indicators: []string{pick(s.rng, "grievance", "need for belonging"), pick(s.rng, "contact-with-network", "justification of violence")},
		Facts:      []string{pick(s.rng, facts...)}, Opinions: []string{pick(s.rng, opinions...)},
		Specialist: s.has(juvenile) || (s.woman && !s.has(noSpecialist)),
	}
	if s.has(religiousIndicator) {
		a.Indicators = []string{"religious-practice"}
	}
	s.act(assessed, s.treatment, a)
	if s.has(contest) {
		contested := s.later(assessed, s.between(4, 8))
		s.act(contested, s.treatment, &events.AssessmentContested{Assessment: a.Assessment, Grounds: "the letters were answers to his mother, not to an associate"})
		s.act(s.later(contested, s.between(10, 20)), s.des, &events.AssessmentContestDecided{Assessment: a.Assessment, Outcome: "changed", Reasons: "the letters are read again; the level is lowered"})
	}
	adopted := s.later(assessed, s.between(6, 16))
	plan := s.id("tp")
	s.act(adopted, s.treatment, &events.TreatmentPlanAdopted{Plan: plan, Goals: []string{pick(s.rng, goals...), pick(s.rng, goals...)}, Participated: true})
	for review := adopted; ; {
		next := s.day(review).AddMonths(6) - events.Date(s.between(2, 18))
		if s.has(silentDuties) {
			next += 45
		}
		if next >= s.release {
			break
		}
		review = s.on(next)
		e := s.act(review, s.treatment, &events.TreatmentPlanReviewed{Plan: plan, Outcome: pick(s.rng, outcomes...), Participated: true})
		if s.chance(8) {
			e.Data.(*events.TreatmentPlanReviewed).Participated = false
			e.LateReason = "he was in hospital and asked that the review be held"
		}
	}
	for from := adopted; ; {
		from = s.later(from, s.between(45, 90))
		if s.day(from) >= s.release {
			break
		}
		s.act(from, s.treatment, &events.ProgrammeOutcomeRecorded{Programme: pick(s.rng, programmes...), Outcome: pick(s.rng, "completed", "ongoing", "ongoing", "left")})
	}
	if s.chance(35) && s.riskAtExit == "high" {
		changed := s.later(adopted, s.between(60, 100))
		if s.day(changed) < s.release {
			s.changeRisk(changed, "high", "medium", "regular counselling, no contact with the network for half a year")
		}
	}
	basis := "sentence-end"
	decider := s.treatment
	if s.chance(25) {
		basis, decider = "conditional-release", s.court
	}
	set := s.on(s.dateSetOn)
	e := s.act(set, decider, &events.ExpectedReleaseDateSet{Date: s.expected, Basis: basis})
	if s.has(correction) { // typed wrongly, corrected two days later
		right := *e.Data.(*events.ExpectedReleaseDateSet)
		e.Data.(*events.ExpectedReleaseDateSet).Date = s.expected - 10
		s.correct(s.later(set, 2), s.treatmentOr(decider), e, &right, "typed ten days too early")
	}
	if s.changedOn != 0 {
		reason := "the appeal court reduced the sentence"
		if s.has(postponed) {
			reason = "days of an interrupted sentence are added"
		}
		s.act(s.on(s.changedOn), s.court, &events.ExpectedReleaseDateChanged{From: s.expected, To: s.release, Reason: reason,
			Decision: "K-" + string(s.id("x"))[2:] + "/" + s.release.String()[2:4]})
	}
}

// treatmentOr is the officer who corrects an entry: the one who made it.
func (s *story) treatmentOr(d desk) desk {
	if d.Institution == s.treatment.Institution {
		return s.treatment
	}
	return d
}

func (s *story) changeRisk(at time.Time, from, to, reason string) {
	s.act(at, s.treatment, &events.RiskLevelChanged{From: from, To: to, Reasons: []string{reason},
		Indicators: []string{"contact-with-network"}, Decider: s.treatment.Officer, ReviewBy: s.day(at).AddMonths(5)})
	s.riskAtExit = to
}

// letGo is the release and what follows it, up to the closing of the case.
func (s *story) letGo() {
	day := s.release
	if s.has(heldTooLong) {
		day = s.cal.AddWorkingDays(day, 2)
	}
	if s.has(highRiskLateContact) {
		s.changeRisk(s.plan(20, 0), s.riskAtExit, "high", "visited twice by a former associate")
		s.tell(s.plan(18, 0), "risk-changed", s.police, []events.Category{events.Identity, events.Risk}, "")
	}
	out := s.cal.Start(day).Add(8*time.Hour + 30*time.Minute)
	good := !s.has(noPapers)
	s.act(out, s.treatment, &events.PersonReleased{Kind: "sentence-end", Papers: good, Accommodation: good, Means: good || s.chance(50)})
	if !s.has(silentDuties) {
		notice := out.Add(time.Duration(s.between(30, 180)) * time.Minute)
		if s.has(lateNotices) {
			notice = s.later(out, 3)
		}
		s.tell(notice, "released", s.care, s.planned, "")
	}
	wait := s.between(1, 3)
	urgent := s.riskAtExit == "high" || !good
	switch {
	case s.has(highRiskLateContact), s.has(noPapers):
		wait = s.between(3, 6)
		s.act(s.later(out, 2), s.care.asContact(s), &events.ContactAttemptFailed{Mode: "home-visit", Reason: "nobody at the address given"})
	case urgent:
		wait = 1
	}
	met := s.later(out, wait)
	s.act(met, s.care, &events.FirstContactMade{Mode: pick(s.rng, "home-visit", "office", "office", "phone")})
	adopted := s.on(max(day+events.Date(s.between(8, 14)), s.day(met)+1))
	if s.day(adopted) <= s.day(met) {
		adopted = s.later(met, 1)
	}
	s.act(adopted, s.care, &events.PostPenalPlanAdopted{Plan: s.id("pp"), Goals: []string{pick(s.rng, afterGoals...), pick(s.rng, afterGoals...)}, Participated: true})
	ends := pick(s.rng, 1, 2, 2, 2, 3) // the review at which the assistance ends, counted from 0
	if s.has(reopening) {
		ends = 1
	}
	var last time.Time
	for i, days := range []events.Date{30, 90, 180, 365} {
		outcome := "continue"
		if i == ends {
			outcome = "end"
		}
		last = s.on(day + days - events.Date(s.between(0, 6)))
		s.act(last, s.care, &events.PostPenalReviewHeld{Outcome: outcome})
		if i == ends {
			break
		}
	}
	for at := adopted; ; {
		at = s.later(at, s.between(12, 35))
		if !at.Before(last) {
			break
		}
		by := pick(s.rng, s.care, s.ngo, s.employment)
		s.act(at, by, &events.SupportProvided{Service: pick(s.rng, services...)})
	}
	closed := s.later(last, s.between(4, 15))
	s.act(closed, s.care, &events.CaseClosed{Reason: "goals reached, no further assistance needed"})
	if s.has(reopening) {
		again := s.later(closed, s.between(5, 10))
		s.act(again, s.care, &events.CaseReopened{Reason: "he lost his lodging and asked for help"})
		s.act(s.later(again, 2), s.care, &events.SupportProvided{Service: "temporary accommodation"})
	}
}

// asContact is who knocks at the door: a municipality's visits are made by the probation service or an association.
func (d desk) asContact(s *story) desk {
	switch {
	case d.Role != events.Municipality:
		return d
	case s.probation.Officer != "":
		return s.probation
	}
	return s.ngo
}

// handOver gives the case to another jurisdiction and closes it here.
func (s *story) handOver() {
	at := s.on(s.to.on)
	s.cut(at.Add(-time.Minute))
	abroad := s.to.reg.near(directorate, "")
	s.share(at, s.des, "supervision", "execution-law", &events.JurisdictionTransferInitiated{
		To: s.to.reg.code, Recipient: abroad.Party, Instrument: "Convention on the Transfer of Sentenced Persons (ETS 112)",
		Ground:     "the person asked to serve the rest of the sentence where his family lives",
		Categories: []events.Category{events.Identity, events.Sentence, events.Risk}})
	s.act(s.later(at, s.between(6, 12)), s.des, &events.CaseClosed{Reason: "transferred to another jurisdiction"})
}
