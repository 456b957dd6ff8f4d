package timeline

import (
	"slices"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Status of a case.
type Status string

// The statuses.
const (
	Open   Status = "open"
	Closed Status = "closed"
)

// Phase is how far a case has come.
type Phase string

// The phases in order. A case is in intake until a treatment plan is adopted, in treatment until the pre-release
// planning is opened, in pre-release until the person is released, released until a post-penal plan is adopted,
// and post-penal until the case is closed (interfaces.md, `case show`).
const (
	Intake      Phase = "intake"
	Treatment   Phase = "treatment"
	PreRelease  Phase = "pre-release"
	Released    Phase = "released"
	PostPenal   Phase = "post-penal"
	PhaseClosed Phase = "closed"
)

// Summary is where a case stands (`case show`).
type Summary struct {
	Case         string              `json:"case"`
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	Status       Status              `json:"status"`
	Phase        Phase               `json:"phase"`
	ReleaseDate  *events.Date        `json:"releaseDate"` // as last decided; null until known
	ReleasedOn   *events.Date        `json:"releasedOn"`
	RiskLevel    *string             `json:"riskLevel"`
	Group        []string            `json:"group"` // the groups that the person belongs to, in order of occurrence
	Revision     uint64              `json:"revision"`
	Position     events.Position     `json:"position"`
	AsOf         time.Time           `json:"asOf"`
	Counts       Counts              `json:"counts"`
	NextDue      *NextDue            `json:"nextDue"`
	Simulated    bool                `json:"simulated"` // the store's times are simulated
}

// Counts are the obligations by state.
type Counts struct {
	Pending   int `json:"pending"`
	DueSoon   int `json:"dueSoon"`
	Overdue   int `json:"overdue"`
	Met       int `json:"met"`
	MetLate   int `json:"metLate"`
	Waived    int `json:"waived"`
	Cancelled int `json:"cancelled"`
	Missed    int `json:"missed"`
}

func (n *Counts) add(s protocol.State) {
	switch s {
	case protocol.Pending:
		n.Pending++
	case protocol.DueSoon:
		n.DueSoon++
	case protocol.Overdue:
		n.Overdue++
	case protocol.Met:
		n.Met++
	case protocol.MetLate:
		n.MetLate++
	case protocol.Waived:
		n.Waived++
	case protocol.Cancelled:
		n.Cancelled++
	case protocol.Missed:
		n.Missed++
	}
}

// NextDue is the earliest due of the pending and due-soon obligations.
type NextDue struct {
	Obligation string       `json:"obligation"`
	Due        string       `json:"due"` // a local date; for a duty due at an instant, the instant
	Toward     *events.Role `json:"toward"`
}

// Show says where the case stands.
func (c *Case) Show() Summary {
	t := c.tracker()
	life := c.life()
	s := Summary{Case: c.number, Jurisdiction: c.jurisdiction, Status: life.status, Phase: life.phase, Group: life.group,
		ReleaseDate: orNull(t.ReleaseDate()), ReleasedOn: orNull(t.ReleasedOn()), RiskLevel: orNull(t.RiskLevel()),
		Revision: c.last().Revision, Position: c.last().Position, AsOf: c.clock, Simulated: c.simulated}
	var next *protocol.Obligation
	obligations := t.Obligations()
	for i := range obligations {
		o := &obligations[i]
		state := o.State(c.clock)
		s.Counts.add(state)
		if (state == protocol.Pending || state == protocol.DueSoon) && (next == nil || o.OverdueFrom.Before(next.OverdueFrom)) {
			next = o
		}
	}
	if next != nil {
		s.NextDue = &NextDue{Obligation: next.ID, Due: next.Due.String(), Toward: orNull(next.Toward)}
	}
	return s
}

// life is what the entries say of the case's course.
type life struct {
	status Status
	phase  Phase
	group  []string
}

// life reads the entries that stand, in the order in which they occurred: a closing that was recorded late does
// not close a case that had been reopened since.
func (c *Case) life() life {
	l := life{status: Open, group: []string{}}
	var plan, preRelease, released, postPenal bool
	for _, entry := range c.history.Occurred() {
		if !entry.Stands() {
			continue
		}
		switch d := entry.Now.(type) {
		case *events.TreatmentPlanAdopted:
			plan = true
		case *events.PreReleasePlanningOpened:
			preRelease = true
		case *events.PersonReleased:
			released = true
		case *events.PostPenalPlanAdopted:
			postPenal = true
		case *events.CaseClosed:
			l.status = Closed
		case *events.CaseReopened:
			l.status = Open
		case *events.SpecificGroupRecorded:
			if !slices.Contains(l.group, d.Group) {
				l.group = append(l.group, d.Group)
			}
		}
	}
	switch {
	case l.status == Closed:
		l.phase = PhaseClosed
	case released && postPenal:
		l.phase = PostPenal
	case released:
		l.phase = Released
	case preRelease:
		l.phase = PreRelease
	case plan:
		l.phase = Treatment
	default:
		l.phase = Intake
	}
	return l
}
