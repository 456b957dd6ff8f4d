package protocol

import (
	"fmt"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

// trace notes how a due date was computed. A nil trace notes nothing.
type trace struct{ steps []Step }

// Step is one step of the computation of a due date.
type Step struct {
	Text    string      `json:"text"`
	Date    events.Date `json:"date,omitzero"`
	Skipped []Skipped   `json:"skipped,omitzero"`
}

// Skipped is a day that is not worked and was stepped over.
type Skipped struct {
	Date      events.Date `json:"date"`
	Name      string      `json:"name"`
	Estimated bool        `json:"estimated,omitzero"`
}

func (w *trace) add(date events.Date, format string, args ...any) {
	if w != nil {
		w.steps = append(w.steps, Step{Text: fmt.Sprintf(format, args...), Date: date})
	}
}
func (w *trace) count(cal *calendar.Calendar, base events.Date, o offset, before bool) {}
func (w *trace) compressed(cal *calendar.Calendar, plain, recorded, next events.Date)  {}
func (w *trace) decided(step dateStep, o offset)                                       {}
