package safeguards

import (
	"strings"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// The safeguards that rest on obligations. The protocol's tracker has computed when each was due and whether it
// was met; here it is only judged.

// standing of a duty as the safeguards see it.
type standingOfDuty int

const (
	notJudged  standingOfDuty = iota // cancelled, or waived before it was overdue
	running                          // not yet due
	overdue                          // undone after its due date
	met                              //
	metLate                          //
	missed                           // still undone when the case was closed
	waivedLate                       // waived when it was overdue already: the waiver hides nothing
)

// dutyStanding judges one obligation at the record's instant.
func (r *record) dutyStanding(o *protocol.Obligation) standingOfDuty {
	switch o.State(r.now) {
	case protocol.Pending, protocol.DueSoon:
		return running
	case protocol.Overdue:
		return overdue
	case protocol.Met:
		return met
	case protocol.MetLate:
		return metLate
	case protocol.Missed:
		return missed
	case protocol.Waived:
		if r.waivedWhenOverdue(o) {
			return waivedLate
		}
	}
	return notJudged
}

// waivedWhenOverdue: a waiver counts from its recording.
func (r *record) waivedWhenOverdue(o *protocol.Obligation) bool {
	if waiver := r.byID[o.WaivedBy]; waiver != nil {
		return !waiver.RecordedAt.Before(o.OverdueFrom)
	}
	last := len(o.Breaches) - 1
	return last >= 0 && o.Breaches[last].Due == o.Due.Date
}

// duties yields the obligations of the rules that match.
func (r *record) duties(matches func(rule string) bool) func(func(*protocol.Obligation) bool) {
	return func(yield func(*protocol.Obligation) bool) {
		for i := range r.evidence.Obligations {
			if o := &r.evidence.Obligations[i]; matches(o.Rule) && !yield(o) {
				return
			}
		}
	}
}

func rule(name string) func(string) bool { return func(r string) bool { return r == name } }

// of is "The duty notify-csw of mk-prison-idrizovo".
func of(o *protocol.Obligation) string {
	s := "The duty " + o.ID
	if o.DutyHolder != "" {
		s += " of " + string(o.DutyHolder)
	}
	return s
}

// inTime judges duties that must be met by their due date: undone, late and waived too late all break it.
func (r *record) inTime(t *tally, o *protocol.Obligation) {
	switch r.dutyStanding(o) {
	case running:
		t.await(of(o)+" is not due yet", o.ActivatedBy)
	case overdue:
		t.fail(of(o)+" is overdue", o.ActivatedBy)
	case met:
		t.hold(o.FulfilledBy)
	case metLate:
		t.fail(of(o)+" was done after its due date", o.FulfilledBy)
	case missed:
		t.fail(of(o)+" was still undone when the case was closed", o.ActivatedBy)
	case waivedLate:
		t.fail(of(o)+" was waived only when it was overdue already", o.WaivedBy)
	}
}

// HR13, EPR 107.1: open-pre-release met.
func hr13ReleasePreparedInTime(r *record) ruling {
	var t tally
	for o := range r.duties(rule("open-pre-release")) {
		r.inTime(&t, o)
	}
	return t.sum("The preparation of the release was opened in time", "No release date is known, so its preparation is not due")
}

// HR14, SOP: every notify-* obligation met by its due date as known then. A breach that a later postponement
// closed is still one.
func hr14InstitutionsToldInTime(r *record) ruling {
	var t tally
	for o := range r.duties(func(rule string) bool { return strings.HasPrefix(rule, "notify-") }) {
		standing := r.dutyStanding(o)
		if len(o.Breaches) > 0 && o.Outcome != protocol.Cancelled && (standing == running || standing == met || standing == notJudged) {
			t.fail(of(o)+" had been overdue before its due date was moved", o.ActivatedBy)
			continue
		}
		r.inTime(&t, o)
	}
	return t.sum("Every institution was notified of the release in time", "No institution has to be notified of a release")
}

// HR15, SOP: every acknowledge/* met or escalated. Open from overdue to level 1, then it passes; met late passes;
// missed fails unless level 1 was reached.
func hr15NoticesAcknowledged(r *record) ruling {
	var t tally
	for o := range r.duties(rule("acknowledge")) {
		switch standing := r.dutyStanding(o); {
		case standing == running:
			t.await(of(o)+" is not due yet", o.ActivatedBy)
		case standing == overdue && o.Escalation(r.now) == 0:
			t.await(of(o)+" is overdue and not escalated yet", o.ActivatedBy)
		case standing == overdue, standing == missed && o.Escalation(r.now) > 0:
			t.hold(o.ActivatedBy)
		case standing == met, standing == metLate:
			t.hold(o.FulfilledBy)
		case standing == missed:
			t.fail(of(o)+" was neither done nor escalated when the case was closed", o.ActivatedBy)
		case standing == waivedLate:
			t.fail(of(o)+" was waived only when it was overdue already", o.WaivedBy)
		}
	}
	return t.sum("Every notice was acknowledged, or its silence was escalated", "No notice has to be acknowledged")
}

// HR20, LED 16: every propagate-correction/* met.
func hr20CorrectionsReachEveryone(r *record) ruling {
	var t tally
	for o := range r.duties(rule("propagate-correction")) {
		r.inTime(&t, o)
	}
	return t.sum("Everyone who had been given something wrong was told of the correction in time",
		"Nothing that was shared has been corrected or annulled")
}

// HR21, LED 30: every report-breach/* met.
func hr21BreachesReported(r *record) ruling {
	var t tally
	for o := range r.duties(rule("report-breach")) {
		r.inTime(&t, o)
	}
	return t.sum("Every data breach with a risk was reported in time", "No data breach with a risk is on record")
}

// HR23, EPR 70: ComplaintDecided by an institution other than the one complained about, in time. It fails on
// overdue.
func hr23ComplaintsDecidedByAnother(r *record) ruling {
	var t tally
	for n, d := range standing[events.ComplaintLodged](r.Judge) {
		decision, own := r.decisionOn(d)
		o := r.duty("decide-complaint/" + string(d.Complaint))
		switch {
		case own:
			t.fail("A complaint was decided by the very institution that it was about", decision)
		case o != nil:
			r.inTime(&t, o)
		case decision == uuid.Nil:
			t.await("A complaint has not been decided on yet", n.ID)
		default:
			t.hold(decision)
		}
	}
	return t.sum("Every complaint was decided in time and by another institution than the one complained about",
		"No complaint was lodged")
}

// decisionOn is the first decision on a complaint by the institution complained about, with own true, else the
// first by any other; the nil UUID when there is none.
func (r *record) decisionOn(c *events.ComplaintLodged) (decision uuid.UUID, own bool) {
	for n, d := range standing[events.ComplaintDecided](r.Judge) {
		switch {
		case d.Complaint != c.Complaint:
		case n.Actor.Institution == c.About.Institution:
			return n.ID, true
		case decision == uuid.Nil:
			decision = n.ID
		}
	}
	return decision, false
}

func (r *record) duty(id string) *protocol.Obligation {
	for i := range r.evidence.Obligations {
		if o := &r.evidence.Obligations[i]; o.ID == id {
			return o
		}
	}
	return nil
}
