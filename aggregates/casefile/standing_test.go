package casefile

import (
	"testing"

	"traga.internal/events"
)

func TestThePhaseIsTheFurthestThatTheReleaseAllows(t *testing.T) {
	plan := does(csw, &events.PostPenalPlanAdopted{Plan: "pp-1"})
	released := does(prison, &events.PersonReleased{Kind: "sentence-end"})
	for name, c := range map[string]struct {
		given  []*events.Event
		status Status
		phase  Phase
	}{
		"a post-penal plan before the release moves nothing": {past(opened(), plan), Open, Intake},
		"it counts once the person is released":              {past(opened(), plan, released), Open, PostPenal},
		"released without a plan":                            {past(opened(), released), Open, Released},
		"a reopened case is again where it was":              {past(opened(), released, closed(), does(csw, &events.CaseReopened{Reason: "r"})), Open, Released},
	} {
		s := given(c.given...)
		if status, phase := StandingOf(s.Entries()); status != c.status || phase != c.phase || s.Phase() != c.phase {
			t.Errorf("%s: %s, %s", name, status, phase)
		}
	}
}
