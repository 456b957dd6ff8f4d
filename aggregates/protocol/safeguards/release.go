package safeguards

import (
	"github.com/google/uuid"

	"traga.internal/events"
)

// The safeguards of the release. Where a person was released more than once, HR16 and HR19 look at the first.

// HR16, SOP: share-needs-map met before release, be it after its due date; open until one or the other; not
// applicable when the case closes without release or map.
func hr16NeedsMapReachesSocialWork(r *record) ruling {
	const none = "No map of needs has to be shared"
	var t tally
	released, _ := first[events.PersonReleased](r.Judge)
	for o := range r.duties(rule("share-needs-map")) {
		standing := r.dutyStanding(o)
		shared := r.byID[o.FulfilledBy]
		switch {
		case standing == notJudged:
		case standing == waivedLate:
			t.fail(of(o)+" was waived only when it was overdue already", o.WaivedBy)
		case (standing == met || standing == metLate) && (released == nil || shared == nil || shared.before(released.moment)):
			t.hold(o.FulfilledBy)
		case released != nil:
			t.fail("The person was released before the map of needs had reached social work", released.ID)
		case r.closed():
			return notApplicable("The case was closed without a release and without a map of needs")
		default:
			t.await("The map of needs has not reached social work yet, and the person is not released", o.ActivatedBy)
		}
	}
	return t.sum("The map of needs reached social work before the release", none)
}

// closed reports whether the case stands closed, by the last closing or reopening that occurred.
func (r *record) closed() bool {
	var last *entry
	for n := range standing[events.CaseClosed](r.Judge) {
		last = n
	}
	for n := range standing[events.CaseReopened](r.Judge) {
		if last != nil && last.before(n.moment) {
			return false
		}
	}
	return last != nil
}

// HR17, EPR 33: PersonReleased with papers, accommodation and means. Not applicable before the release.
func hr17PapersRoofMeans(r *record) ruling {
	var t tally
	for n, d := range standing[events.PersonReleased](r.Judge) {
		var lacks []string
		if !d.Papers {
			lacks = append(lacks, "papers")
		}
		if !d.Accommodation {
			lacks = append(lacks, "accommodation")
		}
		if !d.Means {
			lacks = append(lacks, "means")
		}
		if lacks != nil {
			t.fail("The person was released without "+list(lacks), n.ID)
		} else {
			t.hold(n.ID)
		}
	}
	return t.sum("The person was released with papers, accommodation and means", "The person is not released")
}

// HR18, EPR 33.5: MedicalExaminationOffered before PersonReleased. Not applicable before the release.
func hr18MedicalExaminationOffered(r *record) ruling {
	var t tally
	offered, _ := first[events.MedicalExaminationOffered](r.Judge)
	for n := range standing[events.PersonReleased](r.Judge) {
		if offered != nil && offered.before(n.moment) {
			t.hold(offered.ID, n.ID)
		} else {
			t.fail("The person was released without having been offered a medical examination", n.ID)
		}
	}
	return t.sum("A medical examination was offered before the release", "The person is not released")
}

// HR19, EPR 33.1, ECHR 5: released no later than the release date as last decided before the release. Not
// applicable before the release, but it fails once the last decided date has passed without one.
func hr19NotHeldPastTheLawfulDate(r *record) ruling {
	released, _ := first[events.PersonReleased](r.Judge)
	date, decision := r.releaseDate(released)
	var t tally
	switch {
	case decision == uuid.Nil:
		return notApplicable("No release date has been decided")
	case released == nil && r.day(r.now) > date:
		t.fail("The release date last decided has passed, and no release is on record", decision)
	case released == nil:
		return notApplicable("The person is not released, and the release date last decided has not passed")
	case r.day(released.OccurredAt) > date:
		t.fail("The person was released after the release date last decided", released.ID)
	default:
		t.hold(released.ID)
	}
	return t.sum("The person was released no later than on the date last decided", "")
}

// releaseDate is the release date decided last, by occurrence; a decision taken after the release moves nothing.
func (r *record) releaseDate(released *entry) (date events.Date, decision uuid.UUID) {
	var last *entry
	decide := func(n *entry, d events.Date) {
		if (released == nil || n.before(released.moment)) && (last == nil || last.before(n.moment)) {
			last, date, decision = n, d, n.ID
		}
	}
	for n, d := range standing[events.ExpectedReleaseDateSet](r.Judge) {
		decide(n, d.Date)
	}
	for n, d := range standing[events.ExpectedReleaseDateChanged](r.Judge) {
		decide(n, d.To)
	}
	return date, decision
}
