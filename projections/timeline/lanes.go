package timeline

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

// Picture is who shared what with whom over time, ready to be drawn: a lane for each institution and an arrow for
// each share. It is data only; coordinates and colours are the drawer's.
type Picture struct {
	Case string `json:"case"`
	// From and To are when the first and the last arrow occurred; both are null while there is none.
	From *time.Time `json:"from"`
	To   *time.Time `json:"to"`
	// Lanes are the institutions that share or are told, by first appearance.
	Lanes []Lane `json:"lanes"`
	// Arrows are the shares, by occurrence.
	Arrows []Arrow `json:"arrows"`
}

// Lane is one institution.
type Lane struct {
	Institution events.Institution `json:"institution"`
	Roles       []events.Role      `json:"roles"` // in which it takes part, by first appearance
}

// Arrow is one share: from lane to lane, both indexes of Picture.Lanes. They are equal where one role of an
// institution told another.
type Arrow struct {
	Event          uuid.UUID         `json:"event"`
	Type           string            `json:"type"`
	At             time.Time         `json:"at"`
	RecordedAt     time.Time         `json:"recordedAt"`
	From           int               `json:"from"`
	To             int               `json:"to"`
	FromRole       events.Role       `json:"fromRole"`
	ToRole         events.Role       `json:"toRole"`
	Categories     []events.Category `json:"categories"`
	Late           bool              `json:"late"` // recorded more than 3 working days after it occurred
	Corrected      bool              `json:"corrected"`
	AcknowledgedAt *time.Time        `json:"acknowledgedAt"`
	RecalledAt     *time.Time        `json:"recalledAt"`
	DestroyedAt    *time.Time        `json:"destroyedAt"`
	// Failing are the safeguards that fail and name this event as showing it.
	Failing []string `json:"failing"`
}

// Lanes makes the picture of a case. verdicts are those of Safeguards at the same instant; without them no arrow
// is shown as failing.
func (c *Case) Lanes(verdicts []safeguards.Verdict) Picture {
	failing := map[uuid.UUID][]string{}
	for _, v := range verdicts {
		if v.Verdict == safeguards.Fail {
			for _, id := range v.Events {
				failing[id] = append(failing[id], v.Safeguard)
			}
		}
	}
	p := Picture{Case: c.number, Lanes: []Lane{}, Arrows: []Arrow{}}
	for _, s := range c.Shares() {
		entry := c.history.Find(s.Event)
		p.Arrows = append(p.Arrows, Arrow{Event: s.Event, Type: s.Type, At: s.At, RecordedAt: s.RecordedAt,
			From: p.lane(s.From.Institution, s.From.Role), To: p.lane(s.To.Institution, s.To.Role), FromRole: s.From.Role, ToRole: s.To.Role,
			Categories: s.Categories, Late: c.late(entry.Event), Corrected: entry.Correction != nil,
			AcknowledgedAt: s.AcknowledgedAt, RecalledAt: s.RecalledAt, DestroyedAt: s.DestroyedAt,
			Failing: append([]string{}, failing[s.Event]...)})
	}
	if n := len(p.Arrows); n > 0 {
		p.From, p.To = &p.Arrows[0].At, &p.Arrows[n-1].At
	}
	return p
}

// lane finds the institution's lane, or adds it below the others.
func (p *Picture) lane(institution events.Institution, role events.Role) int {
	i := slices.IndexFunc(p.Lanes, func(l Lane) bool { return l.Institution == institution })
	if i < 0 {
		i = len(p.Lanes)
		p.Lanes = append(p.Lanes, Lane{Institution: institution})
	}
	if !slices.Contains(p.Lanes[i].Roles, role) {
		p.Lanes[i].Roles = append(p.Lanes[i].Roles, role)
	}
	return i
}
