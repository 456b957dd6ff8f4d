package status

import (
	"slices"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/projections"
)

// standing is where a case stands, by its landmarks.
type standing struct {
	status, phase string
	institution   events.Institution
	groups        []string // sorted
}

// standingOf reads where a case stands.
func standingOf(c *projections.Case) standing {
	status, phase := casefile.StandingOf(c.Landmarks)
	s := standing{status: string(status), phase: string(phase)}
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
		}
	}
	slices.Sort(s.groups)
	return s
}
