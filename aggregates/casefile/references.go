package casefile

import (
	"regexp"
	"slices"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// refer looks at what the event refers to: it must have been recorded earlier in this case, and what only one
// party can say must be said by that party.
func (s *State) refer(v *verdict, e *events.Event) {
	switch d := e.Data.(type) {
	case *events.AssessmentContested:
		s.need(v, assessment, d.Assessment)
	case *events.AssessmentContestDecided:
		s.need(v, assessment, d.Assessment)
	case *events.TreatmentPlanReviewed:
		s.need(v, treatmentPlan, d.Plan)
	case *events.NeedsMapFinalised:
		// Finalising keeps the drafted version number.
		s.needEdition(v, d.NeedsMap, d.Version, needsMap)
	case *events.NeedsMapShared:
		s.needEdition(v, d.NeedsMap, d.Version, needsMap, finishedMap)
		s.ground(v, d.Consent, d.Override)
	case *events.ConferenceActionCompleted:
		s.actionCompleted(v, e, d)
	case *events.ReferralMade:
		s.ground(v, d.Consent, "")
	case *events.ReferralAccepted:
		s.byRecipient(v, e, referral, d.Referral)
	case *events.ReferralDeclined:
		s.byRecipient(v, e, referral, d.Referral)
	case *events.ReferralCompleted:
		// How it ended both sides know: the service, and who referred the person to it.
		if made := s.need(v, referral, d.Referral); made != nil && made.Actor.Institution != e.Actor.Institution {
			s.byRecipient(v, e, referral, d.Referral)
		}
	case *events.NotificationSent:
		s.aboutSomething(v, d)
	case *events.NotificationDelivered:
		s.need(v, notification, d.Notification)
	case *events.NotificationFailed:
		s.need(v, notification, d.Notification)
	case *events.NotificationAcknowledged:
		s.byRecipient(v, e, notification, d.Notification)
	case *events.InformationProvided:
		s.byAsked(v, e, d.Request)
		s.ground(v, d.Consent, d.Override)
	case *events.InformationRefused:
		s.byAsked(v, e, d.Request)
	case *events.RefusalAppealed:
		if asked := s.need(v, request, d.Request); asked != nil {
			by(v, e, "appeals", asked.Actor.Party())
		}
	case *events.RefusalAppealDecided:
		s.appealDecided(v, e, d)
	case *events.InformationDisclosed:
		s.ground(v, d.Consent, d.Override)
		if d.DerivedFrom != "" && s.shared(d.DerivedFrom) == nil {
			v.clash("data.derivedFrom", "nothing shared in this case has that id", nil)
		}
	case *events.HealthSummaryTransferred:
		s.ground(v, d.Consent, d.Override)
	case *events.DisclosureRecalled:
		if of := s.needShared(v, d.Disclosure); of != nil {
			by(v, e, "recalls", senders(of)...)
		}
	case *events.DisclosureDestructionConfirmed:
		if of := s.needShared(v, d.Disclosure); of != nil {
			by(v, e, "confirms the destruction of", recipients(of)...)
		}
	case *events.ConsentWithdrawn:
		s.need(v, consent, d.Consent)
	case *events.ComplaintDecided:
		// Also by the one complained about: that is recorded, and HR23 says what it is.
		s.need(v, complaint, d.Complaint)
	case *events.FindingRecorded:
		s.need(v, review, d.Review)
		for _, id := range d.Events {
			if s.Find(id) == nil {
				v.clash("data.events", "no event of this case has that id", nil)
			}
		}
	case *events.FindingClosed:
		s.need(v, finding, d.Finding)
	case *events.ObligationOverdue:
		obligation(v, d.Obligation)
	case *events.ObligationEscalated:
		obligation(v, d.Obligation)
	case *events.ObligationWaived:
		obligation(v, d.Obligation)
	case *events.AlertAcknowledged:
		obligation(v, d.Obligation)
	case *events.EntryCorrected:
		s.corrected(v, e, d)
	case *events.EntryAnnulled:
		if target := s.needEvent(v, d.Target); target != nil {
			mayChange(v, e, target)
		}
	case *events.DataBreachRecorded:
		if d.Disclosure != "" {
			s.needShared(v, d.Disclosure)
		}
	case *events.BreachReported:
		s.need(v, breach, d.Breach)
	case *events.SubjectInformedOfBreach:
		s.need(v, breach, d.Breach)
	case *events.LegalHoldLifted:
		s.need(v, hold, d.Hold)
	case *events.PersonalDataErased:
		s.need(v, erasure, d.Erasure)
	}
}

// need is the entry recorded under an id; nil, with the fault noted, if there is none.
func (s *State) need(v *verdict, k kind, id events.ID) *history.Entry {
	e := s.named(k, id)
	if e == nil {
		v.clash(idField(k), "no "+string(k)+" with this id was recorded in this case", nil)
	}
	return e
}

func (s *State) needEdition(v *verdict, id events.ID, version int, of ...kind) {
	for _, k := range of {
		for _, e := range s.things[thing{k, id}] {
			if edition(e.Now) == version {
				return
			}
		}
	}
	v.clash("data.needsMap", "no map of needs with this id and version was recorded in this case", nil)
}

// ground looks at the consent and the override that a sharing names. Whether they cover it is no structural
// question.
func (s *State) ground(v *verdict, c, o events.ID) {
	if c != "" {
		s.need(v, consent, c)
	}
	if o != "" {
		s.need(v, override, o)
	}
}

func (s *State) needShared(v *verdict, id events.ID) []*history.Entry {
	of := s.shared(id)
	if of == nil {
		v.clash("data.disclosure", "nothing shared in this case has that id", nil)
	}
	return of
}

func (s *State) needEvent(v *verdict, id [16]byte) *history.Entry {
	e := s.Find(id)
	if e == nil {
		v.clash("data.target", "no entry of this case has that id", nil)
	}
	return e
}

// by looks at whether the actor's institution is one of the parties. The institution alone counts, not the role:
// one institution may hold several, and in one jurisdiction the municipality does the work of social work.
func by(v *verdict, e *events.Event, does string, parties ...events.Party) {
	if !slices.ContainsFunc(parties, func(p events.Party) bool { return p.Institution == e.Actor.Institution }) {
		v.forbid("actor.institution", "one party does not act for another: this institution is not the one that "+does+" it")
	}
}

func (s *State) byRecipient(v *verdict, e *events.Event, k kind, id events.ID) {
	if sent := s.need(v, k, id); sent != nil {
		by(v, e, "received", recipients([]*history.Entry{sent})...)
	}
}

func recipients(of []*history.Entry) []events.Party {
	var parties []events.Party
	for _, e := range of {
		if d, ok := events.DisclosureOf(e.Now); ok {
			parties = append(parties, d.Recipients...)
		}
	}
	return parties
}

func senders(of []*history.Entry) []events.Party {
	var parties []events.Party
	for _, e := range of {
		parties = append(parties, e.Actor.Party())
	}
	return parties
}

func (s *State) byAsked(v *verdict, e *events.Event, id events.ID) {
	if asked := s.need(v, request, id); asked != nil {
		by(v, e, "was asked for", asked.Now.(*events.InformationRequested).From)
	}
}

func (s *State) appealDecided(v *verdict, e *events.Event, d *events.RefusalAppealDecided) {
	var to []events.Party
	for _, a := range s.things[thing{appeal, d.Request}] {
		to = append(to, a.Now.(*events.RefusalAppealed).To)
	}
	if to == nil {
		v.clash("data.request", "no appeal about this request was recorded in this case", nil)
		return
	}
	by(v, e, "was asked to decide", to...)
}

func (s *State) actionCompleted(v *verdict, e *events.Event, d *events.ConferenceActionCompleted) {
	held := s.need(v, conference, d.Conference)
	if held == nil {
		return
	}
	for _, a := range held.Now.(*events.CaseConferenceHeld).Actions {
		if a.Action == d.Action {
			by(v, e, "was to do", a.Owner)
			return
		}
	}
	v.clash("data.action", "that conference agreed on no action with this id", nil)
}

// aboutSomething looks at what a notice is about: of a correction the corrected event, of a withdrawal the
// consent, of other notices anything of the case.
func (s *State) aboutSomething(v *verdict, d *events.NotificationSent) {
	ok := true
	switch {
	case d.About == "":
	case d.Subject == "correction":
		ok = s.event(d.About) != nil
	case d.Subject == "consent-withdrawn":
		ok = s.named(consent, d.About) != nil
	default:
		ok = s.anything(d.About)
	}
	if !ok {
		v.clash("data.about", "what the notice is about was not recorded in this case", nil)
	}
}

// obligationID is the form of an obligation's id: the rule, and what it is about, which may be any id of the case.
var obligationID = regexp.MustCompile(`^[a-z][a-z0-9-]*(/.+)?$`)

func obligation(v *verdict, id string) {
	if !obligationID.MatchString(id) {
		v.clash("data.obligation", "no obligation has an id of this form; expected one such as notify-csw or acknowledge/n-1", nil)
	}
}

// corrected looks at a correction: the replacement must be what the target could have been from the start.
func (s *State) corrected(v *verdict, e *events.Event, d *events.EntryCorrected) {
	target := s.needEvent(v, d.Target)
	if target == nil {
		return
	}
	mayChange(v, e, target)
	data, err := events.ParseReplacement(target.Type, d.Replacement)
	if err != nil {
		if v.invalid == nil {
			v.invalid = Malformed(err)
		}
		return
	}
	was, _ := introduced(target.Event.Data)
	now, _ := introduced(data)
	switch {
	case was != now:
		v.clash("data.replacement", "a correction keeps the id of the entry; annul it and record it anew to change that", nil)
	case edition(data) != edition(target.Now) && s.taken(now, data):
		v.clash("data.replacement.version", "another entry has this version", nil)
	}
	switch r := data.(type) {
	case *events.EntryCorrected:
		if r.Target != target.Event.Data.(*events.EntryCorrected).Target {
			v.clash("data.replacement.target", "a correction keeps its target", nil)
			return
		}
	case *events.EntryAnnulled:
		if r.Target != target.Event.Data.(*events.EntryAnnulled).Target {
			v.clash("data.replacement.target", "an annulment keeps its target", nil)
			return
		}
	}
	right := *target.Event
	right.Data = data
	var inner verdict
	sensible(&inner, &right, right.Reported(right.RecordedAt))
	s.refer(&inner, &right)
	v.adopt(&inner)
}

// mayChange looks at whether the actor may correct or annul an entry: who may record such an entry may, and so
// may the institution that recorded it and those who oversee the record. Else a correction would be a way
// around the catalogue.
func mayChange(v *verdict, e *events.Event, target *history.Entry) {
	switch e.Actor.Role {
	case events.Directorate, events.Court, events.Ombudsman, events.DataProtection:
		return
	}
	k, ok := events.KindOf(target.Type)
	if e.Actor.Institution == target.Actor.Institution || (ok && k.Allows(e.Actor.Role)) {
		return
	}
	v.forbid("actor.role", "the role "+string(e.Actor.Role)+" neither recorded this "+target.Type+" nor may record one")
}
