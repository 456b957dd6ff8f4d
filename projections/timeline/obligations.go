package timeline

import (
	"maps"
	"time"

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

// Explanation says how an obligation came to be what it is: which event laid it, how its due date was computed,
// step by step with the days that were stepped over, and what fulfilled or waived it.
type Explanation struct {
	Obligation
	Title       map[string]string `json:"title"`  // by language
	Source      string            `json:"source"` // of the rule
	Activation  *Cause            `json:"activation"`
	Fulfilment  *Cause            `json:"fulfilment"`
	Waiver      *Cause            `json:"waiver"`
	Steps       []Step            `json:"steps"`
	Explanation string            `json:"explanation"`
}

// Cause is an event of the case that an explanation rests on.
type Cause struct {
	Event      uuid.UUID `json:"event"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurredAt"`
	RecordedAt time.Time `json:"recordedAt"`
}

// Step is one step of the computation of a due date.
type Step struct {
	Text    string       `json:"text"`
	Date    *events.Date `json:"date"`
	Skipped []Skipped    `json:"skipped"`
}

// Skipped is a day that is not worked and was stepped over.
type Skipped struct {
	Date      events.Date `json:"date"`
	Name      string      `json:"name"`
	Estimated bool        `json:"estimated"` // a feast whose date is not decreed yet
}

// Explain explains an obligation of the case; false when the case has none of that id.
func (c *Case) Explain(obligation string) (Explanation, bool) {
	x, ok := c.tracker().Explain(obligation, c.clock)
	if !ok {
		return Explanation{}, false
	}
	e := Explanation{Obligation: c.obligation(&x.Obligation), Title: map[string]string{}, Source: x.Source, Activation: causeOf(&x.ActivatedBy),
		Fulfilment: causeOf(x.FulfilledBy), Waiver: causeOf(x.WaivedBy), Steps: make([]Step, len(x.Steps)), Explanation: x.Text}
	maps.Copy(e.Title, x.Title)
	for i, s := range x.Steps {
		e.Steps[i] = Step{Text: s.Text, Date: orNull(s.Date), Skipped: make([]Skipped, len(s.Skipped))}
		for j, d := range s.Skipped {
			e.Steps[i].Skipped[j] = Skipped{Date: d.Date, Name: d.Name, Estimated: d.Estimated}
		}
	}
	return e, true
}

func causeOf(c *protocol.Cause) *Cause {
	if c == nil || c.Event == uuid.Nil {
		return nil
	}
	return &Cause{Event: c.Event, Type: c.Type, OccurredAt: c.OccurredAt.UTC(), RecordedAt: c.RecordedAt.UTC()}
}
