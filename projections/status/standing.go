package status

import (
	"slices"

	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/projections"
)

// standing is where a case stands, by its landmarks.
type standing struct {
	status, phase string
	institution   events.Institution
	groups        []string // sorted
}

// standingOf reads where a case stands (interfaces.md, `case show`): the phase is intake until a treatment plan,
// treatment until PreReleasePlanningOpened, pre-release until PersonReleased, released until PostPenalPlanAdopted,
// post-penal until CaseClosed. A reopened case is again where it was. Annulled entries count for nothing, and
// corrected ones as corrected.
func standingOf(c *projections.Case) standing {
	s := standing{status: "open", phase: "intake"}
	level := 0
	reach := func(l int, phase string) {
		if l > level {
			level, s.phase = l, phase
		}
	}
	var ended *history.Entry // the closing or reopening that occurred last
	for _, e := range c.Landmarks {
		if !e.Stands() {
			continue
		}
		switch d := e.Now.(type) {
		case *events.CaseOpened:
			s.institution = d.Institution
		case *events.SpecificGroupRecorded:
			if !slices.Contains(s.groups, d.Group) {
				s.groups = append(s.groups, d.Group)
			}
		case *events.TreatmentPlanAdopted:
			reach(1, "treatment")
		case *events.PreReleasePlanningOpened:
			reach(2, "pre-release")
		case *events.PersonReleased:
			reach(3, "released")
		case *events.PostPenalPlanAdopted:
			reach(4, "post-penal")
		case *events.CaseClosed, *events.CaseReopened:
			if ended == nil || !e.OccurredAt.Before(ended.OccurredAt) {
				ended = e
			}
		}
	}
	slices.Sort(s.groups)
	if ended != nil {
		if _, closed := ended.Now.(*events.CaseClosed); closed {
			s.status, s.phase = "closed", "closed"
		}
	}
	return s
}
