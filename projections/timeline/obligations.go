package timeline

import (
	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Obligation is a duty in the case and how it stands at the asked instant (`case obligations`).
type Obligation struct {
	Obligation   string              `json:"obligation"`
	Rule         string              `json:"rule"`
	Duty         events.Role         `json:"duty"`
	DutyHolder   *events.Institution `json:"dutyHolder"`
	Toward       *events.Role        `json:"toward"`
	Due          string              `json:"due"` // a local date; for report-breach an instant
	State        protocol.State      `json:"state"`
	ActivatedBy  *uuid.UUID          `json:"activatedBy"`
	FulfilledBy  *uuid.UUID          `json:"fulfilledBy"`
	MetOn        *events.Date        `json:"metOn"`
	Compressed   bool                `json:"compressed"`
	RecordedLate bool                `json:"recordedLate"`
	Breaches     []protocol.Breach   `json:"breaches"`
	Escalation   int                 `json:"escalation"`
	WaivedBy     *uuid.UUID          `json:"waivedBy"`
	Severity     protocol.Severity   `json:"severity"`
	// Beyond interfaces.md: who took note of the alert, and the version of the rules by which the duty was laid.
	AcknowledgedBy *uuid.UUID `json:"acknowledgedBy"`
	Protocol       string     `json:"protocol"`
}

// Obligations lists the duties in the case so far, in the order in which they were activated.
func (c *Case) Obligations() []Obligation {
	all := c.tracker().Obligations()
	rows := make([]Obligation, len(all))
	for i := range all {
		rows[i] = c.obligation(&all[i])
	}
	return rows
}

func (c *Case) obligation(o *protocol.Obligation) Obligation {
	return Obligation{Obligation: o.ID, Rule: o.Rule, Duty: o.Duty, DutyHolder: orNull(o.DutyHolder), Toward: orNull(o.Toward),
		Due: o.Due.String(), State: o.State(c.clock), ActivatedBy: orNull(o.ActivatedBy), FulfilledBy: orNull(o.FulfilledBy),
		MetOn: orNull(o.MetOn), Compressed: o.Compressed, RecordedLate: o.RecordedLate,
		Breaches: append([]protocol.Breach{}, o.Breaches...), Escalation: o.Escalation(c.clock), WaivedBy: orNull(o.WaivedBy),
		Severity: o.Severity, AcknowledgedBy: orNull(o.AcknowledgedBy), Protocol: o.Protocol}
}
