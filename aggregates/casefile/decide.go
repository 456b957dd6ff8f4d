package casefile

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// leeway is how far an act may lie in the future by its actor's clock, and how far in the past and still be live.
const leeway = 5 * time.Minute

// Decide says whether an act may be recorded on the case, at now. e is decoded and not yet recorded: its
// RecordedAt, Revision and Position are not looked at. It returns the events to append, in order, or a *Refusal
// with the one structural reason that counts. It changes nothing.
//
// Whether the act is lawful is not asked here: what happened is recorded, lawful or not. against is what was found where
// the case's own stream does not tell, such as HeldElsewhere.
func Decide(s *State, e *events.Event, now time.Time, against ...*Refusal) ([]*events.Event, error) {
	var v verdict
	checkEnvelope(&v, e, now)
	sensible(&v, e, e.Reported(now))
	k, _ := events.KindOf(e.Type) // unknown types were found by the envelope's check
	if v.invalid == nil && k.Family != events.CaseFamily {
		v.malformed("type", "a type of event that belongs to a case", e.Type)
	}
	if v.invalid == nil {
		s.stands(&v, e, now)
		s.unused(&v, e)
		s.refer(&v, e)
		s.caused(&v, e)
		if _, ok := e.Data.(*events.ErasureRequested); ok && !e.Reported(now) && s.UnderHold() {
			v.clash("data.erasure", "a legal hold forbids erasure while it stands", nil)
		}
	}
	for _, r := range against {
		v.add(r)
	}
	if r := v.refusal(); r != nil {
		return nil, r
	}
	return []*events.Event{e}, nil
}

// caused looks at whether the event that is named as the cause was recorded earlier in the stream.
func (s *State) caused(v *verdict, e *events.Event) {
	if e.CausationID != uuid.Nil && s.Find(e.CausationID) == nil {
		v.clash("causationId", "no event recorded here has that id", nil)
	}
}

// DecideElsewhere is Decide for the streams that are no case's: it checks the envelope, the role and the cause. s
// is the fold of that stream, nil where causes are not checked. against is what the stream's own rules have found,
// such as the directory's: of all reasons the first kind counts.
func DecideElsewhere(s *State, e *events.Event, now time.Time, against ...*Refusal) ([]*events.Event, error) {
	var v verdict
	checkEnvelope(&v, e, now)
	if s != nil {
		s.caused(&v, e)
	}
	for _, r := range against {
		v.add(r)
	}
	if r := v.refusal(); r != nil {
		return nil, r
	}
	return []*events.Event{e}, nil
}

// checkEnvelope looks at what every event has: a known type, a named actor of a role that may record it, an
// instant that is not in the future, and for what shares information the purpose and the legal basis.
func checkEnvelope(v *verdict, e *events.Event, now time.Time) {
	k, ok := events.KindOf(e.Type)
	if !ok {
		v.malformed("type", "a type of the catalogue", "an unknown one")
		return
	}
	if strings.TrimSpace(e.Actor.Officer) == "" {
		v.malformed("actor.officer", "the officer who acts", "an empty text")
	}
	if e.OccurredAt.Sub(now) > leeway {
		v.malformed("occurredAt", "an instant that is not in the future", "a later one")
	}
	if k.Shares && !e.Reported(now) {
		if e.Purpose == "" {
			v.malformed("purpose", "what the information is shared for: one of "+listed(events.Purposes()), "nothing")
		}
		if e.LegalBasis == "" {
			v.malformed("legalBasis", "what law allows it to be shared: one of "+listed(events.LegalBases()), "nothing")
		}
	}
	if !k.Allows(e.Actor.Role) {
		v.forbid("actor.role", "the role "+string(e.Actor.Role)+" does not record "+e.Type+"; "+whoMay(k)+" may")
	}
}

func whoMay(k *events.Kind) string {
	if k.By == nil {
		return "every institution"
	}
	return listed(k.By)
}

func listed[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}

// sensible looks at the values that contradict each other, or say nothing where something must be said.
func sensible(v *verdict, e *events.Event, reported bool) {
	switch d := e.Data.(type) {
	case *events.CaseOpened:
		if d.DateOfBirth > d.AdmittedOn {
			v.malformed("data.dateOfBirth", "a date before the admission", "a later one")
		}
	case *events.SentenceRecorded:
		if d.EndDate < d.StartDate {
			v.malformed("data.endDate", "a date that is not before startDate", "an earlier one")
		}
	case *events.JurisdictionTransferAccepted:
		if j, err := events.ParseCase(d.PreviousCase); err == nil && j != d.From {
			v.malformed("data.previousCase", "the number of a case of the jurisdiction in from", "one of another jurisdiction")
		} else if strings.TrimSpace(d.PreviousCase) == "" {
			v.malformed("data.previousCase", "the number of the case there", "an empty text")
		}
	case *events.CaseConferenceHeld:
		for i, a := range d.Actions {
			if slices.ContainsFunc(d.Actions[:i], func(b events.ConferenceAction) bool { return a.Action == b.Action }) {
				v.malformed("data.actions", "each action under an id of its own", "one id twice")
			}
		}
	case *events.ErasureRequested:
		if !reported && !twoApprove(d.Approvers) {
			v.malformed("data.approvers", "two different approvers", "fewer")
		}
	}
}

// twoApprove reports whether two different persons approve, however their names are written.
func twoApprove(approvers []string) bool {
	first := ""
	for _, a := range approvers {
		a = strings.ToLower(strings.TrimSpace(a))
		if a != "" && first != "" && a != first {
			return true
		}
		if first == "" {
			first = a
		}
	}
	return false
}

// HeldElsewhere refuses a request for erasure because of a legal hold on another case of the same person.
func HeldElsewhere() *Refusal {
	return &Refusal{Because: []string{Conflict}, Field: "data.erasure", Message: "a legal hold on another case of this person forbids erasure while it stands"}
}

// Obstacle is why a request for erasure can't be carried out.
type Obstacle string

// The obstacles, of one request on its own case.
const (
	Unobstructed Obstacle = ""
	Withdrawn    Obstacle = "the request was annulled"
	OneApproval  Obstacle = "two different approvers are needed"
	UnderHold    Obstacle = "a legal hold stands"
	CarriedOut   Obstacle = "it was carried out"
)

// Obstruction says what stands in the way of a request for erasure of this case, by the id of the ErasureRequested, and
// returns the request as it now reads. A request that was reported after the fact is recorded as it was made, lawful or
// not: it is carried out only if it could have been made through traga.
func (s *State) Obstruction(request uuid.UUID) (*events.ErasureRequested, Obstacle) {
	e := s.Find(request)
	if e == nil {
		return nil, Withdrawn
	}
	d, ok := e.Now.(*events.ErasureRequested)
	switch {
	case !ok || !e.Stands():
		return nil, Withdrawn
	case s.completed(d.Erasure):
		return d, CarriedOut
	case !twoApprove(d.Approvers):
		return d, OneApproval
	case s.UnderHold():
		return d, UnderHold
	}
	return d, Unobstructed
}

// completed reports whether an erasure is on record as done. That can't be annulled: the keys are gone.
func (s *State) completed(erasure events.ID) bool {
	for _, e := range s.Entries() {
		if d, ok := e.Event.Data.(*events.PersonalDataErased); ok && d.Erasure == erasure {
			return true
		}
	}
	return false
}

// stands looks at whether the case is there and open for this act.
func (s *State) stands(v *verdict, e *events.Event, now time.Time) {
	if _, ok := e.Data.(*events.CaseOpened); ok {
		if s.Opened() != nil {
			v.clash("case", "this case was opened before", nil)
		}
		return
	}
	switch s.Status() {
	case "":
		if s.Len() == 0 || !acceptedWhenClosed(s, e) {
			v.clash("case", ErrNoSuchCase.Error(), ErrNoSuchCase)
		}
	case Closed:
		if !acceptedWhenClosed(s, e) && !e.OccurredAt.Before(s.closing().OccurredAt) {
			v.clash("case", "the case is closed; it must be reopened before this can be recorded", nil)
		}
	case Open:
		// A reopening reported later may stand in a file before the closing that it ends.
		if _, ok := e.Data.(*events.CaseReopened); ok && !e.Reported(now) {
			v.clash("case", "the case is open", nil)
		}
	}
}

// acceptedWhenClosed lists what a closed case still accepts (safeguards.md, "Record, then judge"), whenever it
// occurred. What traga itself finds is accepted too: duties of a closed case fall due like others.
func acceptedWhenClosed(s *State, e *events.Event) bool {
	if e.Actor.Role == events.System {
		return true
	}
	switch d := e.Data.(type) {
	case *events.CaseReopened,
		// Oversight.
		*events.ComplaintLodged, *events.ComplaintDecided, *events.MonitoringContactHeld, *events.ReviewOpened,
		*events.FindingRecorded, *events.FindingClosed,
		// Data protection, corrections and annulments.
		*events.EntryCorrected, *events.EntryAnnulled, *events.DataBreachRecorded, *events.BreachReported,
		*events.SubjectInformedOfBreach, *events.RetentionReviewed, *events.LegalHoldPlaced, *events.LegalHoldLifted,
		*events.ErasureRequested,
		// Acknowledgements, withdrawals of consent, recalls and confirmed destruction, waivers.
		*events.NotificationAcknowledged, *events.AlertAcknowledged, *events.ConsentWithdrawn, *events.DisclosureRecalled,
		*events.DisclosureDestructionConfirmed, *events.ObligationWaived:
		return true
	case *events.NotificationSent:
		return lateNotice(d)
	case *events.NotificationDelivered:
		return s.lateNoticeNamed(d.Notification)
	case *events.NotificationFailed:
		return s.lateNoticeNamed(d.Notification)
	}
	return false
}

// lateNotice reports whether a notice is one of those that are due after the closing too.
func lateNotice(d *events.NotificationSent) bool {
	return d.Subject == "correction" || d.Subject == "consent-withdrawn"
}

func (s *State) lateNoticeNamed(id events.ID) bool {
	e := s.named(notification, id)
	return e != nil && lateNotice(e.Now.(*events.NotificationSent))
}

// unused looks at whether the id that the event brings in is still free.
func (s *State) unused(v *verdict, e *events.Event) {
	if t, ok := introduced(e.Data); ok && s.taken(t, e.Data) {
		v.clash(idField(t.kind), "a "+string(t.kind)+" with this id was recorded before in this case", nil)
	}
}

func idField(k kind) string {
	switch k {
	case treatmentPlan, postPenalPlan:
		return "data.plan"
	case needsMap, finishedMap:
		return "data.needsMap"
	case breach:
		return "data.breach"
	case hold:
		return "data.hold"
	case erasure:
		return "data.erasure"
	case contact:
		return "data.contact"
	}
	return "data." + string(k)
}
