package caseload

import (
	"time"

	"traga.internal/events"
)

// trouble writes what goes wrong, as far as the other parts have not done so.
func (s *story) trouble() {
	early := s.later(s.on(max(s.dateSetOn, s.opened)), 6) // some day in treatment, traga in use
	pre := s.plan(70, s.between(0, 10))                   // some day in the preparation
	if s.has(unlawfulDisclosure) {
		s.leak(pre)
	}
	if s.has(lateBreachReport) {
		s.loseMap(s.later(pre, 4))
	}
	if s.has(annulment) {
		s.annul(pre)
	}
	if s.has(consentWithdrawn) {
		s.withdraw(pre)
	}
	if s.has(refusal) {
		s.refuse(pre)
	}
	if s.has(complaint) {
		lodged := s.later(early, s.between(5, 20))
		id := s.id("cp")
		s.act(lodged, s.omb, &events.ComplaintLodged{Complaint: id, About: s.treatment.party(), Confidential: true, Grounds: "letters to the court were opened"})
		s.act(s.later(lodged, s.between(18, 26)), s.des, &events.ComplaintDecided{Complaint: id, Outcome: "partly-upheld", Remedy: "a sealed letter box for courts and the ombudsman"})
	}
	if s.has(override) {
		id := s.id("ov")
		s.act(pre, s.des, &events.OverrideAuthorised{Override: id, Approver: s.des.Officer, Necessity: "the household must know how to react to a crisis",
			Categories: []events.Category{events.MentalHealth}, RecipientRole: s.care.Role})
		s.share(s.later(pre, 1), s.treatment, "post-penal-assistance", "vital-interest", &events.InformationDisclosed{Disclosure: s.id("d"), Recipient: s.care.Party,
			Categories: []events.Category{events.MentalHealth}, Justification: "a crisis plan for the first weeks", Override: id, Summary: "signs of a crisis, and whom to call"})
	}
	if s.has(prisonMove) {
		s.move(s.later(early, 15))
	}
	if s.has(waiver) {
		s.act(s.plan(100, 0), s.des, &events.ObligationWaived{Obligation: "notify-education", Reason: "he has finished his schooling and wants no further", Approver: s.des.Officer})
		s.act(s.plan(26, 0), s.treatment, &events.AlertAcknowledged{Obligation: "conference-2", Note: "the police officer is away; the conference follows"})
	}
	if s.has(monitoring) {
		visit := s.later(early, s.between(8, 30))
		s.act(visit, s.omb, &events.MonitoringContactHeld{Contact: s.id("mc")})
		opened := s.later(visit, 3)
		review, finding := s.id("rv"), s.id("fi")
		s.act(opened, s.omb, &events.ReviewOpened{Review: review, Scope: "how the release is prepared"})
		found := s.later(opened, 12)
		f := &events.FindingRecorded{Review: review, Finding: finding, Safeguard: "HR12", Severity: "medium", Recommendation: "hold plan reviews together with the person"}
		f.Events = append(f.Events, s.steps[0].Event.ID)
		s.act(found, s.omb, f)
		s.act(s.later(found, 20), s.omb, &events.FindingClosed{Finding: finding, Measure: "reviews are held in the presence of the person"})
		hold := s.id("lh")
		s.act(s.later(found, 1), s.omb, &events.LegalHoldPlaced{Hold: hold, Reason: "the review is under way"})
		s.act(s.later(found, 25), s.omb, &events.LegalHoldLifted{Hold: hold})
	}
	if s.has(unexplainedLate) {
		happened := s.plan(50, 0)
		e := s.act(happened, s.treatment, &events.IdentityDocumentsSecured{Documents: []string{"health-card"}})
		s.recorded(e, s.later(happened, 9), "")
	}
}

// leak gives clinical data to the employment agency on paper, without consent. It is entered three days later,
// recalled, reported and destroyed.
func (s *story) leak(at time.Time) {
	id, breach := s.id("d"), s.id("b")
	e := s.share(at, s.treatment, "post-penal-assistance", "execution-law", &events.InformationDisclosed{
		Disclosure: id, Recipient: s.employment.Party, Categories: []events.Category{events.Identity, events.Health}, Clinical: true,
		Document: "extract from the medical card", Justification: "the agency asked whether he can do shift work", AfterTheFact: true,
		Summary: "name, date of birth; a treatment"})
	e.AfterTheFact = true
	entered := s.later(at, 3)
	s.recorded(e, entered, "found when the outgoing post was checked")
	s.act(entered.Add(40*time.Minute), s.treatment, &events.DisclosureRecalled{Disclosure: id, Reason: "unlawful"})
	s.act(entered.Add(90*time.Minute), s.des, &events.DataBreachRecorded{Breach: breach, Disclosure: id, Risk: "high", Reason: "clinical data handed to an employment agency"})
	reported := entered.Add(26 * time.Hour)
	if s.has(lateBreachReport) {
		reported = s.later(entered, 5)
	}
	s.act(reported, s.des, &events.BreachReported{Breach: breach, Authority: string(s.dpa.Institution)})
	s.act(reported.Add(2*time.Hour), s.treatment, &events.SubjectInformedOfBreach{Breach: breach})
	s.act(s.later(entered, s.between(3, 6)), s.employment, &events.DisclosureDestructionConfirmed{Disclosure: id})
}

// loseMap is a breach without a disclosure, reported after more than 72 hours.
func (s *story) loseMap(at time.Time) {
	breach := s.id("b")
	s.act(at, s.des, &events.DataBreachRecorded{Breach: breach, Risk: "risk", Reason: "papers left in a meeting room over the weekend"})
	s.act(s.later(at, 6), s.des, &events.BreachReported{Breach: breach, Authority: string(s.dpa.Institution)})
}

// annul takes back a notice that went into another person's envelope, sends it again, and says so.
func (s *story) annul(at time.Time) {
	wrong := s.share(at, s.treatment, "pre-release-planning", "execution-law", &events.NotificationSent{Notification: s.id("n-hea"),
		Subject: "planned-release", Recipient: s.health.party(), Categories: []events.Category{events.Identity}, Channel: "letter"})
	back := s.later(at, 4)
	s.act(back, s.treatment, &events.EntryAnnulled{Target: wrong.ID, Reason: "the letter was put in another person's envelope and came back"})
	s.tell(s.later(back, 1), "planned-release", s.health, []events.Category{events.Identity}, "")
	s.tell(s.later(back, 2), "correction", s.health, []events.Category{events.Identity}, events.ID(wrong.ID.String()))
}

// withdraw shares family data under a consent that is then withdrawn; the association hears of it late.
func (s *story) withdraw(at time.Time) {
	consent := s.id("c-fam")
	s.act(at, s.treatment, &events.ConsentGiven{Consent: consent, Categories: []events.Category{events.Family},
		RecipientRoles: []events.Role{s.care.Role, events.CivilSociety}, Purpose: "post-penal-assistance", Language: s.language, Informed: true})
	s.share(s.later(at, 2), s.treatment, "post-penal-assistance", "consent", &events.InformationDisclosed{Disclosure: s.id("d"), Recipient: s.care.party(),
		Categories: []events.Category{events.Family}, Justification: "family visits are to be prepared", Consent: consent, Summary: "his sister is willing to take him in"})
	ref := s.id("ref")
	referred := s.later(at, 3)
	s.share(referred, s.treatment, "post-penal-assistance", "consent", &events.ReferralMade{Referral: ref, Recipient: s.ngo.party(),
		Service: "family mediation", Categories: []events.Category{events.Family}, Consent: consent})
	s.act(s.later(referred, 2), s.ngo, &events.ReferralAccepted{Referral: ref})
	withdrawn := s.later(referred, s.between(5, 9))
	s.act(withdrawn, s.treatment, &events.ConsentWithdrawn{Consent: consent})
	s.tell(s.later(withdrawn, 2), "consent-withdrawn", s.care, []events.Category{events.Identity}, consent)
	s.tell(s.later(withdrawn, 8), "consent-withdrawn", s.ngo, []events.Category{events.Identity}, consent)
}

// refuse refuses the police health data; the appeal grants the rest.
func (s *story) refuse(at time.Time) {
	q := question{s.police, []events.Category{events.Identity, events.Sentence, events.Risk}, "risk-management", "preparing the local security assessment"}
	id := s.ask(at, q, append([]events.Category{events.Health}, q.topics...))
	refused := s.later(at, s.between(5, 9))
	s.act(refused, s.treatment, &events.InformationRefused{Request: id, Ground: "health data is not needed for the stated purpose", Remedy: "appeal to the directorate within 15 days"})
	appealed := s.later(refused, 3)
	s.act(appealed, s.police, &events.RefusalAppealed{Request: id, To: s.des.party(), Grounds: "sentence and risk level are needed in any case"})
	decided := s.later(appealed, s.between(10, 19))
	s.act(decided, s.des, &events.RefusalAppealDecided{Request: id, Outcome: "partly-granted", Granted: q.topics, Reasons: "health data stays with clinicians"})
	s.answer(s.later(decided, 1), q, id, q.topics, []events.Category{events.Health})
}

// move brings the person to another prison; what is planned after that day is done there.
func (s *story) move(at time.Time) {
	old := s.treatment
	others := s.all(prison)
	next := others[s.rng.IntN(len(others))]
	for next.id == old.Institution && len(others) > 1 {
		next = others[s.rng.IntN(len(others))]
	}
	if next.id == old.Institution {
		return
	}
	s.act(at, s.des, &events.PrisonTransferred{From: old.Institution, To: next.id})
	here := map[events.Role]desk{}
	for _, d := range next.desks {
		here[d.Role] = d
	}
	for _, st := range s.steps {
		if e := st.Event; e.OccurredAt.After(at) && e.Actor.Institution == old.Institution && !answers(e) {
			e.Actor = here[e.Actor.Role].actor()
		}
	}
	s.enter(next)
}

// answers reports whether only the institution that was asked can record the event.
func answers(e *events.Event) bool {
	switch e.Data.(type) {
	case *events.InformationProvided, *events.InformationRefused:
		return true
	}
	return false
}
