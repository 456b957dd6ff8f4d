package safeguards

import (
	"strings"

	"github.com/google/uuid"

	"traga.internal/events"
)

// religiousPractice is the indicator that may never stand alone (HR08).
const religiousPractice = "religious-practice"

// HR08, ECHR 9 and 14: no RiskLevelChanged or AssessmentCompleted whose only indicator is religious practice.
func hr08ReligionIsNoRiskIndicator(r *record) ruling {
	var t tally
	judge := func(n *entry, indicators []string, what string) {
		id := n.ID
		if n.withheld("/indicators") {
			t.erased(id)
			return
		}
		for _, i := range indicators {
			if strings.TrimSpace(i) != religiousPractice {
				t.hold(id)
				return
			}
		}
		if len(indicators) == 0 {
			t.hold(id)
			return
		}
		t.fail(what+" rests on religious practice alone", id)
	}
	for n, d := range standing[events.AssessmentCompleted](r.Judge) {
		judge(n, d.Indicators, "An assessment")
	}
	for n, d := range standing[events.RiskLevelChanged](r.Judge) {
		judge(n, d.Indicators, "A change of the risk level")
	}
	return t.sum("No assessment and no change of the risk level rests on religious practice alone",
		"There is no assessment and no change of the risk level")
}

// HR09, LED 7: every assessment names tool, version, assessor; facts not empty when opinions are given. Screenings
// are not assessments.
func hr09FactsApartFromOpinions(r *record) ruling {
	var t tally
	for n, d := range standing[events.AssessmentCompleted](r.Judge) {
		var lacks []string
		if blank(d.Tool) {
			lacks = append(lacks, "its tool")
		}
		if blank(d.ToolVersion) {
			lacks = append(lacks, "the tool's version")
		}
		if blank(d.Assessor) {
			lacks = append(lacks, "its assessor")
		}
		switch {
		case lacks != nil:
			t.fail("An assessment does not name "+list(lacks), n.ID)
		case n.withheld("/opinions", "/facts"):
			t.erased(n.ID)
		case said(d.Opinions) && !said(d.Facts):
			t.fail("An assessment gives opinions without any facts", n.ID)
		default:
			t.hold(n.ID)
		}
	}
	return t.sum("Every assessment names tool, version and assessor, and rests its opinions on facts", "There is no assessment")
}

// said reports whether the list holds anything but blanks.
func said(list []string) bool {
	for _, s := range list {
		if !blank(s) {
			return true
		}
	}
	return false
}

// HR10, LED 11: an increase has reasons, a decider, automated = false, reviewBy within 6 months.
func hr10HumanDecidesRiskIncrease(r *record) ruling {
	var t tally
	for n, d := range standing[events.RiskLevelChanged](r.Judge) {
		if n.withheld("/from", "/to", "/reasons") {
			t.erased(n.ID) // nobody can tell whether it was an increase, or on what reasons
			continue
		}
		if rank(d.To) <= rank(d.From) {
			continue
		}
		decided := r.day(n.OccurredAt)
		switch {
		case d.Automated:
			t.fail("The risk level was raised automatically", n.ID)
		case blank(d.Decider):
			t.fail("The risk level was raised without a named decider", n.ID)
		case !said(d.Reasons):
			t.fail("The risk level was raised without reasons", n.ID)
		case d.ReviewBy < decided || d.ReviewBy > decided.AddMonths(6):
			t.fail("The risk level was raised without a review date within six months", n.ID)
		default:
			t.hold(n.ID)
		}
	}
	return t.sum("Every increase of the risk level was decided by a named person, with reasons and a review within six months",
		"The risk level was not raised")
}

// rank orders the risk levels; any other word ranks below them all.
func rank(level string) int {
	switch strings.ToLower(strings.TrimSpace(level)) {
	case "low":
		return 1
	case "medium":
		return 2
	case "high":
		return 3
	}
	return 0
}

// HR11, ECHR 13: SubjectInformed before the first assessment; every AssessmentContested is decided, by a decision
// that came after it. A contest not yet decided is open.
func hr11PersonIsHeard(r *record) ruling {
	var t tally
	if assessed, _ := first[events.AssessmentCompleted](r.Judge); assessed != nil {
		if informed, _ := first[events.SubjectInformed](r.Judge); informed != nil && informed.before(assessed.moment) {
			t.hold(informed.ID, assessed.ID)
		} else {
			t.fail("The first assessment was made before the person was informed of the record and of the rights over it", assessed.ID)
		}
	}
	for n, d := range standing[events.AssessmentContested](r.Judge) {
		decided := false
		for m, e := range standing[events.AssessmentContestDecided](r.Judge) {
			if e.Assessment == d.Assessment && n.before(m.moment) && !decided {
				decided = true
				t.hold(n.ID, m.ID)
			}
		}
		if !decided {
			t.await("A contested assessment has not been decided on yet", n.ID)
		}
	}
	return t.sum("The person was informed before the first assessment, and every contested assessment was decided on",
		"There is no assessment, and none was contested")
}

// HR12, EPR 104: plans adopted or reviewed with participated = true, else a reason: the entry's lateReason or the
// plan's opinion.
func hr12PersonTakesPart(r *record) ruling {
	var t tally
	judge := func(n *entry, participated bool, opinion string) {
		switch {
		case participated || !blank(n.LateReason) || !blank(opinion):
			t.hold(n.ID)
		case n.withheld("/opinion"):
			t.erased(n.ID)
		default:
			t.fail("A plan was adopted or reviewed without the person, and no reason was given", n.ID)
		}
	}
	for n, d := range standing[events.TreatmentPlanAdopted](r.Judge) {
		judge(n, d.Participated, d.Opinion)
	}
	for n, d := range standing[events.TreatmentPlanReviewed](r.Judge) {
		judge(n, d.Participated, d.Opinion)
	}
	for n, d := range standing[events.PostPenalPlanAdopted](r.Judge) {
		judge(n, d.Participated, d.Opinion)
	}
	return t.sum("The person took part in every plan and every review of it, or a reason is on record", "There is no plan yet")
}

// HR25, Rec(2008)11, Bangkok Rules: group juvenile or female ⇒ an assessment with specialist = true; juvenile ⇒ a
// guardian. Open while there is no assessment.
func hr25YoungPeopleAndWomen(r *record) ruling {
	const none = "No young person's or woman's case"
	var t tally
	var groups, young []uuid.UUID
	guardian, erased := false, false
	for n, d := range standing[events.SpecificGroupRecorded](r.Judge) {
		switch d.Group {
		case "juvenile":
			young = append(young, n.ID)
			guardian = guardian || !blank(d.Guardian)
			erased = erased || n.withheld("/guardian")
			groups = append(groups, n.ID)
		case "female":
			groups = append(groups, n.ID)
		}
	}
	if groups == nil {
		return notApplicable(none)
	}
	var others []uuid.UUID
	specialist := false
	for n, d := range standing[events.AssessmentCompleted](r.Judge) {
		specialist = specialist || d.Specialist
		if d.Specialist {
			t.hold(n.ID)
		} else {
			others = append(others, n.ID)
		}
	}
	switch {
	case !specialist && others == nil:
		t.await("There is no assessment yet, so it can't be said whether a specialist for young people or women took part", groups...)
		return t.sum("", none)
	case !specialist:
		t.fail("No assessment was made with a specialist, although the person is young or a woman", others...)
	}
	switch {
	case young == nil || guardian:
	case erased:
		t.erased(young...)
	default:
		t.fail("No guardian is named, although the person is a juvenile", young...)
	}
	t.hold(groups...)
	return t.sum("A specialist took part in the assessment, and a juvenile has a guardian", none)
}

// HR29, CoE 2016, EPR 81: the assessor of each ScreeningCompleted and AssessmentCompleted (its actor's officer
// where no assessor is named) held a valid OfficerTrained for that tool when it was made. Not applicable while the
// jurisdiction's directory records no training at all.
func hr29AssessorTrained(r *record) ruling {
	known := r.evidence.Directory
	if !known.RecordsTraining(r.now) {
		return notApplicable("The directory of the jurisdiction records no training in assessment tools")
	}
	var t tally
	judge := func(n *entry, assessor, tool string) {
		if blank(assessor) {
			assessor = n.Actor.Officer
		}
		if known.Trained(assessor, tool, r.day(n.OccurredAt), r.now) {
			t.hold(n.ID)
			return
		}
		t.fail("A screening or an assessment was made by someone without a valid training in its tool on record", n.ID)
	}
	for n, d := range standing[events.ScreeningCompleted](r.Judge) {
		judge(n, "", d.Tool)
	}
	for n, d := range standing[events.AssessmentCompleted](r.Judge) {
		judge(n, d.Assessor, d.Tool)
	}
	return t.sum("Whoever made a screening or an assessment held a valid training in its tool", "There is no screening and no assessment")
}
