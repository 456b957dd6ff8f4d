package timeline

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Explanation says how an obligation came to be what it is: which event laid it, how its due date was computed,
// step by step with the days that were stepped over, and what fulfilled or waived it.
type Explanation struct {
	Obligation
	Title       map[string]string `json:"title"`  // by language
	Period      string            `json:"period"` // of the rule, in words
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
	// CorrectedBy is the correction by which the event counts; null where it did so from the start.
	CorrectedBy *uuid.UUID `json:"correctedBy"`
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
	e := Explanation{Obligation: c.obligation(&x.Obligation), Title: map[string]string{}, Period: x.Rule.Period, Source: x.Rule.Source, Activation: causeOf(&x.ActivatedBy),
		Fulfilment: causeOf(x.FulfilledBy), Waiver: causeOf(x.WaivedBy), Steps: make([]Step, len(x.Steps)), Explanation: x.Text}
	maps.Copy(e.Title, x.Rule.Titles)
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
	return &Cause{Event: c.Event, Type: c.Type, OccurredAt: c.OccurredAt.UTC(), RecordedAt: c.RecordedAt.UTC(), CorrectedBy: orNull(c.Correction)}
}
