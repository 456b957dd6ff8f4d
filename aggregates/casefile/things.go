package casefile

import (
	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// thing is what an id names: ids are unique within their case and kind.
type thing struct {
	kind kind
	id   events.ID
}

type kind string

const (
	assessment    kind = "assessment"
	treatmentPlan kind = "treatment plan"
	postPenalPlan kind = "post-penal plan"
	needsMap      kind = "map of needs"
	finishedMap   kind = "finalised map of needs"
	conference    kind = "conference"
	referral      kind = "referral"
	report        kind = "report"
	notification  kind = "notification"
	request       kind = "request"
	answer        kind = "answer to a request"
	appeal        kind = "appeal"
	disclosure    kind = "disclosure"
	override      kind = "override"
	consent       kind = "consent"
	complaint     kind = "complaint"
	contact       kind = "monitoring contact"
	review        kind = "review"
	finding       kind = "finding"
	breach        kind = "data breach"
	hold          kind = "legal hold"
	erasure       kind = "request for erasure"
)

// kinds are those that an id in NotificationSent.about may belong to.
var kinds = [...]kind{assessment, treatmentPlan, postPenalPlan, needsMap, conference, referral, report, notification,
	request, disclosure, override, consent, complaint, contact, review, finding, breach, hold, erasure}

// sharings are the kinds of what hands information over, by which a later event can name it
// (events.Disclosure.Reference). A disclosure is looked for first.
var sharings = [...]kind{disclosure, notification, answer, referral, report, conference}

// introduced is the thing that an event brings into the case: later events refer to it by its id.
func introduced(data any) (thing, bool) {
	switch d := data.(type) {
	case *events.AssessmentCompleted:
		return thing{assessment, d.Assessment}, true
	case *events.TreatmentPlanAdopted:
		return thing{treatmentPlan, d.Plan}, true
	case *events.PostPenalPlanAdopted:
		return thing{postPenalPlan, d.Plan}, true
	case *events.NeedsMapDrafted:
		return thing{needsMap, d.NeedsMap}, true
	case *events.NeedsMapFinalised:
		return thing{finishedMap, d.NeedsMap}, true
	case *events.CaseConferenceHeld:
		return thing{conference, d.Conference}, true
	case *events.ReferralMade:
		return thing{referral, d.Referral}, true
	case *events.ReleaseReportIssued:
		return thing{report, d.Report}, true
	case *events.NotificationSent:
		return thing{notification, d.Notification}, true
	case *events.InformationRequested:
		return thing{request, d.Request}, true
	case *events.InformationProvided:
		return thing{answer, d.Request}, true
	case *events.RefusalAppealed:
		return thing{appeal, d.Request}, true
	case *events.InformationDisclosed:
		return thing{disclosure, d.Disclosure}, true
	case *events.NeedsMapShared:
		return thing{disclosure, d.Disclosure}, true
	case *events.HealthSummaryTransferred:
		return thing{disclosure, d.Disclosure}, true
	case *events.OverrideAuthorised:
		return thing{override, d.Override}, true
	case *events.ConsentGiven:
		return thing{consent, d.Consent}, true
	case *events.ConsentRefused:
		return thing{consent, d.Consent}, true
	case *events.ComplaintLodged:
		return thing{complaint, d.Complaint}, true
	case *events.MonitoringContactHeld:
		return thing{contact, d.Contact}, true
	case *events.ReviewOpened:
		return thing{review, d.Review}, true
	case *events.FindingRecorded:
		return thing{finding, d.Finding}, true
	case *events.DataBreachRecorded:
		return thing{breach, d.Breach}, true
	case *events.LegalHoldPlaced:
		return thing{hold, d.Hold}, true
	case *events.ErasureRequested:
		return thing{erasure, d.Erasure}, true
	}
	return thing{}, false
}

// edition is the version that an id is used again for, 0 for what has none: a map of needs and a report come in
// versions under one id.
func edition(data any) int {
	switch d := data.(type) {
	case *events.NeedsMapDrafted:
		return d.Version
	case *events.NeedsMapFinalised:
		return d.Version
	case *events.ReleaseReportIssued:
		return d.Version
	}
	return 0
}

// again reports whether the same id names the same thing several times by its nature: a request may be answered
// in parts, and a refusal appealed from one body to the next.
func (k kind) again() bool { return k == answer || k == appeal }

// taken reports whether an id is already used for what the data would bring into the case.
func (s *State) taken(t thing, data any) bool {
	if t.kind.again() {
		return false
	}
	for _, e := range s.things[t] {
		if edition(e.Now) == edition(data) {
			return true
		}
	}
	return false
}

// named is the first entry recorded under an id, nil if there is none. An annulled entry still counts: it was
// recorded, and what is said about it must find its place.
func (s *State) named(k kind, id events.ID) *history.Entry {
	if all := s.things[thing{k, id}]; len(all) > 0 {
		return all[0]
	}
	return nil
}

// shared is the sharing event that an id names, whatever its kind; nil if there is none.
func (s *State) shared(id events.ID) []*history.Entry {
	for _, k := range sharings {
		if all := s.things[thing{k, id}]; len(all) > 0 {
			return all
		}
	}
	return nil
}

// anything reports whether an id names something of the case, or is the id of one of its events.
func (s *State) anything(id events.ID) bool {
	if s.event(id) != nil {
		return true
	}
	for _, k := range kinds {
		if s.named(k, id) != nil {
			return true
		}
	}
	return false
}

// event is the entry that a text names by its event id, nil if there is none.
func (s *State) event(id events.ID) *history.Entry {
	u, err := uuid.Parse(string(id))
	if err != nil {
		return nil
	}
	return s.Find(u)
}
