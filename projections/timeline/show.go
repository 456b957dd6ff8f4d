package timeline

import (
	"slices"
	"time"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Status and Phase are those of aggregates/casefile: where a case stands, and how far it has come.
type (
	Status = casefile.Status
	Phase  = casefile.Phase
)

// The statuses and phases, under the names of this package's answers.
const (
	Open        = casefile.Open
	Closed      = casefile.Closed
	Intake      = casefile.Intake
	Treatment   = casefile.Treatment
	PreRelease  = casefile.PreRelease
	Released    = casefile.Released
	PostPenal   = casefile.PostPenal
	PhaseClosed = casefile.PhaseClosed
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
	// Withheld are riskLevel and group where the reader may not see them, or where they were erased; left out where nothing
	// is withheld.
	Withheld []access.Hidden `json:"withheld,omitempty"`
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
		Revision: c.last().Revision, Position: c.history.Entries()[c.history.Len()-1].Position, AsOf: c.clock, Simulated: c.simulated}
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
	s.Withheld = c.sight.Hidden(s.RiskLevel)
	for _, w := range s.Withheld {
		if w.Field == "riskLevel" {
			s.RiskLevel = nil
		} else {
			s.Group = []string{}
		}
	}
	hidden := slices.ContainsFunc(s.Withheld, func(h access.Hidden) bool { return h.Field == "riskLevel" })
	if receipt, erased := t.RiskLevelErased(); erased && !hidden {
		s.Withheld = append(s.Withheld, access.ErasedLevel(receipt))
	}
	if next != nil {
		s.NextDue = &NextDue{Obligation: next.ID, Due: next.Due.String(), Toward: orNull(next.Toward)}
	}
	return s
}

// life is what the entries say of the case's course; group are the groups that the person belongs to, in order of
// occurrence.
type life struct {
	status Status
	phase  Phase
	group  []string
}

func (c *Case) life() life {
	l := life{group: []string{}}
	l.status, l.phase = casefile.StandingOf(c.history.Occurred())
	for _, entry := range c.history.Occurred() {
		if d, ok := entry.Now.(*events.SpecificGroupRecorded); ok && entry.Stands() && !slices.Contains(l.group, d.Group) {
			l.group = append(l.group, d.Group)
		}
	}
	return l
}
