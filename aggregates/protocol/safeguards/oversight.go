package safeguards

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// HR02, LED 25, ECHR 8: every CaseConsulted and ExportProduced has a justification.
func hr02EveryConsultationJustified(r *record) ruling {
	var t tally
	for _, e := range r.looks() {
		var why, what string
		switch d := e.Data.(type) {
		case *events.CaseConsulted:
			why, what = d.Justification, "The case was consulted by "
		case *events.ExportProduced:
			why, what = d.Justification, "The case was exported by "
		default:
			continue
		}
		if blank(why) {
			t.fail(what+name(e.Actor.Party())+" without a justification", e.ID)
		} else {
			t.hold(e.ID)
		}
	}
	return t.sum("Every consultation and every export has a justification", "Nobody has consulted or exported the case")
}

// looks are the entries of the case's access log known at the instant.
func (r *record) looks() []*events.Event {
	var known []*events.Event
	for _, e := range r.evidence.Access {
		if e.Case == r.number && !e.RecordedAt.After(r.now) {
			known = append(known, e)
		}
	}
	return known
}

// HR22, ECHR 13: every InformationRefused has a ground and a remedy.
func hr22RefusalsReasoned(r *record) ruling {
	var t tally
	for n, d := range standing[events.InformationRefused](r.Judge) {
		var lacks []string
		if blank(d.Ground) {
			lacks = append(lacks, "a ground")
		}
		if blank(d.Remedy) {
			lacks = append(lacks, "a remedy")
		}
		if lacks != nil {
			t.fail("Information was refused by "+name(n.Actor.Party())+" without "+list(lacks), n.ID)
		} else {
			t.hold(n.ID)
		}
	}
	return t.sum("Every refusal of information has a ground and names a remedy", "No information was refused")
}

// HR24, OPCAT 21: no one in a prison role was shown a MonitoringContactHeld. It was shown to whoever consulted or
// exported a view that names it (by its event id, its own id, or its kind), and to whoever was given something
// that was about it or derived from it. Other views never contain it for a prison role (need to know).
func hr24MonitoringContactConfidential(r *record) ruling {
	const why = "A contact with the monitor was shown to "
	var t tally
	for n, d := range standing[events.MonitoringContactHeld](r.Judge) {
		t.hold(n.ID)
		for _, e := range r.looks() {
			var view string
			switch l := e.Data.(type) {
			case *events.CaseConsulted:
				view = l.View
			case *events.ExportProduced:
				view = l.Format
			}
			if e.Actor.Role.InPrison() && namesContact(view, n.ID, d.Contact) {
				t.fail(why+name(e.Actor.Party())+", which acts for a prison", e.ID)
			}
		}
		for i := range r.acts {
			a := &r.acts[i]
			prison := slices.IndexFunc(a.Recipients, func(p events.Party) bool { return p.Role.InPrison() })
			if prison >= 0 && aboutContact(a, n.ID, d.Contact) {
				t.fail(why+name(a.Recipients[prison])+", which acts for a prison", a.ID)
			}
		}
	}
	return t.sum("No contact with the monitor was shown to anyone in a prison role", "No contact with the monitor is on record")
}

func namesContact(view string, event uuid.UUID, contact events.ID) bool {
	words := strings.FieldsFunc(strings.ToLower(view), func(c rune) bool { return strings.ContainsRune("/ ?&=,:;", c) })
	return slices.ContainsFunc(words, func(w string) bool {
		return w == event.String() || w == strings.ToLower(string(contact)) || strings.HasPrefix(w, "monitoring")
	})
}

func aboutContact(a *act, event uuid.UUID, contact events.ID) bool {
	is := func(id events.ID) bool { return id == contact || string(id) == event.String() }
	if n, ok := a.data.(*events.NotificationSent); ok && is(n.About) {
		return true
	}
	return is(a.DerivedFrom) || a.CausationID == event
}

// lateAfter is the number of working days after which an entry is late (interfaces.md, `late`).
const lateAfter = 3

// mayBeLate is shorter than any span that holds the ends of four working days, summer time included.
const mayBeLate = 70 * time.Hour

// HR27, accountability: recorded more than 3 working days after it occurred ⇒ lateReason. Without a late entry it
// is not applicable.
func hr27LateEntriesExplained(r *record) ruling {
	var t tally
	for _, n := range r.delayed {
		if !n.Stands() || r.calendar.WorkingDaysBetween(r.day(n.OccurredAt), r.day(n.RecordedAt)) <= lateAfter {
			continue
		}
		if blank(n.LateReason) {
			t.fail("An entry was recorded more than three working days after it occurred, and no reason is given", n.ID)
		} else {
			t.hold(n.ID)
		}
	}
	return t.sum("Every entry that was recorded late says why", "Nothing was recorded late")
}

// erasureWithin is how long after the review that ordered it an erasure may take, in calendar days (HR28).
const erasureWithin = 30

// HR28, LED 5: retention-review met; the latest review's outcome erase ⇒ erased within 30 days of the review, or
// of the lifting of the last hold, if later (open until then), or a legal hold stands.
func hr28KeptNoLongerThanNeeded(r *record) ruling {
	var t tally
	for o := range r.duties(rule("retention-review")) {
		switch r.dutyStanding(o) {
		case running:
			t.await("The review of whether the record is still needed is not due yet", o.ActivatedBy)
		case overdue:
			t.fail("The review of whether the record is still needed is overdue", o.ActivatedBy)
		case met, metLate:
			t.hold(o.FulfilledBy)
		case missed:
			t.fail("The review of whether the record is still needed was not held", o.ActivatedBy)
		case waivedLate:
			t.fail("The review of whether the record is still needed was waived only when it was overdue already", o.WaivedBy)
		}
	}
	if review, d := last[events.RetentionReviewed](r.Judge); review != nil {
		if d.Outcome == "erase" {
			r.judgeErasure(&t, review)
		} else {
			t.hold(review.ID)
		}
	}
	return t.sum("The need to keep the record was reviewed, and what was to be erased was erased in time or stands under a legal hold",
		"The case is not closed, so there is nothing to review")
}

// erasedWithAnother reports whether the person's data had been erased by then with that of another case of the same person: the keys are
// the person's, and the completion is on record where it was asked for.
func (r *record) erasedWithAnother() bool {
	own, _ := first[events.PersonalDataErased](r.Judge)
	opened, _ := first[events.CaseOpened](r.Judge)
	return own == nil && opened != nil && slices.ContainsFunc(opened.Withheld, func(w events.Withheld) bool {
		return w.Pointer == "/name" && w.Reason == events.Erased && !w.At.After(r.now)
	})
}

func (r *record) judgeErasure(t *tally, review *entry) {
	var erased *entry
	for n := range standing[events.PersonalDataErased](r.Judge) {
		if erased == nil && review.before(n.moment) {
			erased = n
		}
	}
	hold, runsFrom := r.legalHold(review.moment, erased)
	if erased != nil {
		if hold == nil && r.day(erased.OccurredAt) > r.day(runsFrom)+erasureWithin {
			t.fail("The personal data was erased more than 30 days after the decision to erase it", erased.ID)
		} else {
			t.hold(erased.ID)
		}
		return
	}
	switch {
	case hold != nil:
		t.hold(hold.ID)
	case r.erasedWithAnother():
		t.hold(review.ID)
	case r.day(r.now) > r.day(runsFrom)+erasureWithin:
		t.fail("The personal data was not erased within 30 days of the decision to erase it", review.ID)
	default:
		t.await("The personal data is to be erased within 30 days of the decision", review.ID)
	}
}

// legalHold is a hold that stands, nil if none does, and the instant from which the 30 days run: the review, or
// the lifting of the last hold, if later. Once the data is erased, what was said of holds afterwards does not count.
func (r *record) legalHold(review moment, erased *entry) (stands *entry, runsFrom time.Time) {
	runsFrom = review.at
	counts := func(n *entry) bool { return erased == nil || n.before(erased.moment) }
	lifted := make(map[events.ID]bool)
	for n, d := range standing[events.LegalHoldLifted](r.Judge) {
		if counts(n) {
			lifted[d.Hold] = true
			if n.at.After(runsFrom) {
				runsFrom = n.at
			}
		}
	}
	for n, d := range standing[events.LegalHoldPlaced](r.Judge) {
		if counts(n) && !lifted[d.Hold] && stands == nil {
			stands = n
		}
	}
	return stands, runsFrom
}

// last is the last entry of one kind that stands, by occurrence.
func last[T any](j *Judge) (*entry, *T) {
	var n *entry
	var d *T
	for m, e := range standing[T](j) {
		n, d = m, e
	}
	return n, d
}
