package protocol

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

// Explanation says how an obligation came to be what it is at an instant, for a reader who checks it by hand.
// Texts are in English and name no person.
type Explanation struct {
	Obligation  Obligation
	State       State
	Rule        Rule
	ActivatedBy Cause
	FulfilledBy *Cause // nil while there is none; so for the next
	WaivedBy    *Cause
	// Steps are how the due date was computed.
	Steps []Step
	// Text says it all in plain sentences.
	Text string
}

// Cause is an event that an explanation refers to.
type Cause struct {
	Event      uuid.UUID `json:"event"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurredAt"`
	RecordedAt time.Time `json:"recordedAt"`
	// Correction is the correction by which the event counts, the nil UUID where it did so from the start.
	Correction uuid.UUID `json:"correction,omitzero"`
}

// Step is one step of the computation of a due date.
type Step struct {
	Text    string      `json:"text"`
	Date    events.Date `json:"date,omitzero"` // where the step led
	Skipped []Skipped   `json:"skipped,omitzero"`
}

// Skipped is a day that is not worked and was stepped over.
type Skipped struct {
	Date      events.Date `json:"date"`
	Name      string      `json:"name"`               // of the holiday, in English; else the day of the week
	Estimated bool        `json:"estimated,omitzero"` // a Bayram whose date is not confirmed yet
}

func (s Skipped) String() string {
	text := s.Date.String() + " " + s.Name
	if s.Estimated {
		text += " (estimated)"
	}
	return text
}

// Explain explains an obligation of the case as it stands at now; false when there is none of that id.
func (t *Tracker) Explain(obligation string, now time.Time) (Explanation, bool) {
	s := t.slots[obligation]
	if s == nil || !s.visible {
		return Explanation{}, false
	}
	x := Explanation{Obligation: s.Obligation, State: s.State(now), Rule: s.rule.Rule}
	say := []string{x.Rule.Titles["en"] + ": " + x.Rule.Duty + " must act, " + x.Rule.Period + "."}
	x.ActivatedBy = t.cause(s.ActivatedBy)
	if a := t.activation(s); a != nil {
		x.ActivatedBy.Correction = correction(&a.fact)
		say = append(say, "Activated by "+t.words(x.ActivatedBy)+", under protocol "+s.Protocol+".")
		met, _ := t.fulfilment(a, nil)
		var settled *fact
		switch {
		case s.FulfilledBy != noID && met != nil:
			settled = &met.act.fact
		case s.WaivedBy != noID:
			settled = t.waiver(s, a)
		}
		why := &trace{cal: t.cal}
		t.dates(s, a, settled, nil, why)
		x.Steps = why.steps
		for _, step := range x.Steps {
			say = append(say, step.sentence())
		}
		say = append(say, "Due "+s.Due.String()+".")
		if s.FulfilledBy != noID && met != nil {
			c := t.cause(s.FulfilledBy)
			c.Correction = correction(&met.act.fact)
			x.FulfilledBy = &c
		}
	} else {
		say = append(say, "It was activated by "+t.words(x.ActivatedBy)+", which no longer counts: it was annulled, or does not say so any more.")
	}
	if s.WaivedBy != noID {
		c := t.cause(s.WaivedBy)
		x.WaivedBy = &c
	}
	x.Text = strings.Join(append(say, t.outcome(&x, now)...), " ")
	return x, true
}

// outcome says what became of the duty.
func (t *Tracker) outcome(x *Explanation, now time.Time) []string {
	var say []string
	o := &x.Obligation
	for _, b := range o.Breaches {
		say = append(say, fmt.Sprintf("It was overdue from %s until %s (due %s), and that breach stays on record.", b.From, b.Until, b.Due))
	}
	switch x.State {
	case Met:
		say = append(say, "Met by "+t.words(*x.FulfilledBy)+".")
		if o.RecordedLate {
			say = append(say, "It was done in time but recorded after the due date, so the alert until then was right.")
		}
	case MetLate:
		say = append(say, "Met late, by "+t.words(*x.FulfilledBy)+".")
	case Waived:
		say = append(say, "Waived by "+t.words(*x.WaivedBy)+".")
	case Cancelled:
		say = append(say, "Nothing is due any more.")
	case Missed:
		say = append(say, "It was still undone when the case was closed.")
	case Overdue:
		say = append(say, "Overdue"+t.overdueFor(o, now)+": no act that meets it is on record.")
	default:
		say = append(say, "No act that meets it is on record yet.")
	}
	if level := o.Escalation(now); level > 0 {
		say = append(say, fmt.Sprintf("Escalation level %d, to %s.", level, o.EscalateTo[level-1]))
	}
	return say
}

func (t *Tracker) overdueFor(o *Obligation, now time.Time) string {
	if !o.Due.Instant.IsZero() {
		return " since " + o.Due.String()
	}
	text := fmt.Sprintf(" since %s", o.Due.Date+1)
	switch n := o.WorkingDaysOverdue(t.cal, now); n {
	case 0:
	case 1:
		text += ", for 1 working day"
	default:
		text += fmt.Sprintf(", for %d working days", n)
	}
	return text
}

func correction(f *fact) uuid.UUID {
	if f.since.ID != f.entry.ID {
		return f.since.ID
	}
	return noID
}

func (t *Tracker) cause(id uuid.UUID) Cause {
	e := t.history.Find(id)
	if e == nil {
		return Cause{Event: id}
	}
	return Cause{Event: id, Type: e.Type, OccurredAt: e.OccurredAt, RecordedAt: e.RecordedAt}
}

func (t *Tracker) words(c Cause) string {
	text := fmt.Sprintf("%s of %s", c.Type, t.day(c.OccurredAt))
	if recorded := t.day(c.RecordedAt); recorded != t.day(c.OccurredAt) {
		text += fmt.Sprintf(" (recorded %s)", recorded)
	}
	if c.Correction != noID {
		text += " as corrected"
	}
	return text
}

func (s Step) sentence() string {
	if len(s.Skipped) == 0 {
		return s.Text
	}
	var skipped []string
	for _, d := range s.Skipped {
		skipped = append(skipped, d.String())
	}
	return strings.TrimSuffix(s.Text, ".") + " (not worked: " + strings.Join(skipped, "; ") + ")."
}

// trace notes how a due date is computed. A nil trace notes nothing.
type trace struct {
	cal   *calendar.Calendar
	steps []Step
}

func (w *trace) add(date events.Date, format string, args ...any) {
	if w != nil {
		w.steps = append(w.steps, Step{Text: fmt.Sprintf(format, args...), Date: date})
	}
}

// decided notes the decision, or the sentence, that sets or moves the date.
func (w *trace) decided(step dateStep, o offset) {
	if w == nil {
		return
	}
	recorded := events.DateIn(step.entry.RecordedAt, w.cal.Zone())
	if step.entry.Type == "SentenceRecorded" {
		w.add(step.date, "The sentence recorded on %s makes it %s before release.", recorded, o)
		return
	}
	w.add(step.date, "The release date is %s, as recorded on %s.", step.date, recorded)
}

// count notes how an offset is counted and rolled to a working day.
func (w *trace) count(base events.Date, o offset, before bool) {
	if w == nil {
		return
	}
	sign, side := 1, "after"
	if before {
		sign, side = -1, "before"
	}
	if o.unit == workingDays {
		to := o.plain(w.cal, base, before)
		w.steps = append(w.steps, Step{Text: fmt.Sprintf("%s %s %s, that day not counted, is %s.", o, side, base, to), Date: to,
			Skipped: w.skipped(base, to, false)})
		return
	}
	d := base + events.Date(sign*o.n)
	if o.unit == months {
		d = base.AddMonths(sign * o.n)
	}
	w.add(d, "%s %s %s is %s.", o, side, base, d)
	if to := o.plain(w.cal, base, before); to != d {
		way := map[bool]string{true: "back", false: "forward"}[before]
		w.steps = append(w.steps, Step{Text: fmt.Sprintf("That is no working day: %s to the nearest one, %s.", way, to), Date: to,
			Skipped: append(w.skipped(d, d, true), w.skipped(d, to, true)...)})
	}
}

// compressed notes that too little time was left.
func (w *trace) compressed(plain, recorded, next events.Date) {
	if w != nil {
		w.steps = append(w.steps, Step{Text: fmt.Sprintf("That leaves less than one working day, as it was recorded on %s: due one working day after that, %s (compressed).",
			recorded, next), Date: next, Skipped: w.skipped(recorded, next, false)})
	}
}

// skipped are the days between two dates (both left out, but for from == to) that are not worked: holidays and, if
// asked for, weekends.
func (w *trace) skipped(from, to events.Date, weekends bool) []Skipped {
	var out []Skipped
	see := func(d events.Date) {
		if w.cal.IsWorkingDay(d) {
			return
		}
		day := w.cal.Day(d)
		weekend := d.Weekday() == time.Saturday || d.Weekday() == time.Sunday
		name := day.Name("en")
		if name == "" {
			name = d.Weekday().String()
		}
		if !weekend || weekends {
			out = append(out, Skipped{Date: d, Name: name, Estimated: day.Estimated})
		}
	}
	if from == to {
		see(from)
	}
	for d := from + 1; d < to; d++ {
		see(d)
	}
	for d := from - 1; d > to; d-- {
		see(d)
	}
	return out
}
