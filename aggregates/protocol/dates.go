package protocol

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

var noID uuid.UUID

// resolution is that of the log's clock.
const resolution = time.Microsecond

// dates is a due date and how it came about.
type dates struct {
	due        Due
	compressed bool
	breaches   []Breach
	offset     offset // the one that counted
}

// dates computes the due date of an activation. settled is the act or waiver that settled it, nil while there is
// none: date changes after it, by occurrence, leave the due date as it is. known, where given, says which date
// changes are to be counted; while there is none, there is no due date. why, where given, is told each step.
func (t *Tracker) dates(s *slot, a *active, settled *fact, known func(*fact) bool, why *trace) dates {
	r := a.rule
	if r.due.before {
		return t.beforeRelease(s, a, settled, known, why)
	}
	if r.due.unit == hours {
		at := a.entry.OccurredAt.Add(time.Duration(r.due.n) * time.Hour)
		why.add(0, "%s after it occurred, to the minute", r.due.offset)
		return dates{due: Due{Date: t.day(at), Instant: at}, offset: r.due.offset}
	}
	o := t.alternate(a, a.offset, &a.fact, a.from, false)
	d := dates{offset: o}
	why.count(a.from, o, false)
	d.set(t, o.plain(t.cal, a.from, false), t.day(a.entry.RecordedAt), why)
	return d
}

// alternate is the offset that holds for an activation, judged by the state of the case as known when a step was
// recorded; the sentence as on record by the end of that day, so that the order within an import changes nothing. Where the
// risk level was erased, it is the offset that gives the latest date, of those that any level would give: nobody is found
// late by what nobody can read. date is what it is counted from, or before which.
func (t *Tracker) alternate(a *active, plain offset, step *fact, date events.Date, before bool) offset {
	state := caseState{RiskLevel: lastKnown(t.risks, int(step.entry.Revision)+1), SentenceMonths: t.sentenceAt(step)}
	if !strings.HasPrefix(state.RiskLevel, unknown) {
		return t.alternateIn(a, plain, state)
	}
	var latest offset
	for i, level := range []string{"", "low", "medium", "high"} {
		state.RiskLevel = level
		if o := t.alternateIn(a, plain, state); i == 0 || o.plain(t.cal, date, before) > latest.plain(t.cal, date, before) {
			latest = o
		}
	}
	return latest
}

// alternateIn is the offset that holds in a state of the case.
func (t *Tracker) alternateIn(a *active, plain offset, state caseState) offset {
	for _, alt := range a.rule.alternates[:len(a.rule.alternates)-a.passed] {
		if !alt.when.stateful {
			continue // judged when the activation was read
		}
		b := binding{event: a.data, toward: string(a.rule.Toward), actor: actor{string(a.entry.Actor.Role), string(a.entry.Actor.Institution)}, state: state}
		if alt.when.holds(&b) {
			return alt.offset
		}
	}
	return plain
}

// set makes a plain due date the due date, compressed if it lies before the next working day after the recorded
// date: then that working day is the due date.
func (d *dates) set(t *Tracker, plain, recorded events.Date, why *trace) {
	next := t.cal.AddWorkingDays(recorded, 1)
	d.due, d.compressed = Due{Date: plain}, plain < next
	if d.compressed {
		why.compressed(plain, recorded, next)
		d.due.Date = next
	}
}

// dateStep is something that sets a before-release due date or moves it.
type dateStep struct {
	*fact
	date events.Date // none for a sentence, which leaves the date as it is
}

// dateSteps are the date decisions that took effect and, for rules whose offset hangs on the sentence, what was
// recorded of it later, in order of recording.
func (t *Tracker) dateSteps(a *active) []dateStep {
	steps := make([]dateStep, 0, len(t.chain)+1)
	for _, d := range t.chain {
		steps = append(steps, dateStep{&d.fact, d.date})
	}
	if len(a.rule.alternates) == 0 || len(steps) == 0 {
		return steps
	}
	release := t.release()
	for _, s := range t.sentences {
		if !s.stands() || t.onRecord(&s.fact, steps[0].fact) || release != nil && release.at().before(s.at()) {
			continue
		}
		i := len(steps)
		for i > 1 && (t.onRecord(&s.fact, steps[i-1].fact)) {
			i--
		}
		steps = slices.Insert(steps, i, dateStep{fact: &s.fact})
	}
	return steps
}

// onRecord reports whether a fact was known on the day on which a step was recorded: it had come about by then, and
// was on record by the end of that day. A correction acts as if the entry had been right from the start.
func (t *Tracker) onRecord(f, step *fact) bool {
	return t.day(f.entry.RecordedAt) <= t.day(step.entry.RecordedAt) && !f.entry.OccurredAt.After(step.entry.RecordedAt)
}

// sentenceAt is the length of the sentence in months as on record on the day of a step; 0 while there was none.
func (t *Tracker) sentenceAt(step *fact) int {
	for _, s := range slices.Backward(t.sentences) {
		if s.stands() && t.onRecord(&s.fact, step) {
			return s.value
		}
	}
	return 0
}

// beforeRelease follows the release date as it was decided, step by step.
func (t *Tracker) beforeRelease(s *slot, a *active, settled *fact, known func(*fact) bool, why *trace) dates {
	var d dates
	var last dateStep
	var lastPlain events.Date
	for _, step := range t.dateSteps(a) {
		if known != nil && !known(step.fact) {
			continue
		}
		if step.date == 0 {
			step.date = last.date
		}
		o := t.alternate(a, a.rule.due.offset, step.fact, step.date, true)
		plain := o.plain(t.cal, step.date, true)
		recorded := t.day(step.entry.RecordedAt)
		if last.fact == nil {
			why.decided(step, o)
			why.count(step.date, o, true)
			d.set(t, plain, recorded, why)
			d.offset, last, lastPlain = o, step, plain
			continue
		}
		if settled != nil && settled.at().before(step.at()) {
			if step.date != last.date {
				why.add(step.date, "The date was changed to %s when this was done or waived already: the due date stays.", step.date)
			}
			continue // not break: a sentence recorded later may have been passed before
		}
		if step.date == last.date && o == d.offset {
			continue
		}
		earlier := plain < lastPlain
		if step.date != last.date {
			earlier = step.date < last.date
		}
		overdue := t.wasOverdue(s, a, d.due.Date, step.fact)
		d.offset, last, lastPlain = o, step, plain
		why.decided(step, o)
		if overdue && earlier {
			why.add(d.due.Date, "It was overdue already when that was recorded on %s: the old due date stays (no amnesty).", recorded)
			continue
		}
		if overdue {
			d.breaches = append(d.breaches, Breach{Due: d.due.Date, From: d.due.Date + 1, Until: recorded})
			why.add(d.due.Date, "It was overdue until that was recorded on %s; the breach stays listed.", recorded)
		}
		why.count(step.date, o, true)
		d.set(t, plain, recorded, why)
	}
	release := t.release()
	if release == nil || known != nil && !known(&release.fact) || release.day >= last.date || settled != nil && settled.at().before(release.at()) {
		return d
	}
	if t.wasOverdue(s, a, d.due.Date, &release.fact) {
		why.add(d.due.Date, "The person was released on %s, before the expected date, when this was overdue already: the due date stays.", release.day)
		return d
	}
	why.add(release.day, "The person was released on %s, before the expected date: due on that day.", release.day)
	d.due, d.compressed = Due{Date: release.day}, false
	return d
}

// wasOverdue reports whether an obligation due on a date was overdue on the day on which a step was recorded, by
// what was recorded that day: nothing that meets or waives it had been done by then and was on record by the end
// of that day. Going by the day and not by the order within it, an import gives the same in any order.
func (t *Tracker) wasOverdue(s *slot, a *active, due events.Date, step *fact) bool {
	recorded := t.day(step.entry.RecordedAt)
	if due >= recorded {
		return false
	}
	byThen := func(f *fact) bool { return t.onRecord(f, step) }
	if met, _ := t.fulfilment(a, byThen); met != nil {
		return false
	}
	for w := range t.waiversOf(s, a) {
		if byThen(w) {
			return false
		}
	}
	return true
}

// waivedLate is the breach of an obligation that was waived after it was overdue: of several waivers, by the one
// recorded first. It was overdue if it was so, by what was on record, when the day of the waiver began: a decision
// or a release recorded later neither takes the breach away nor makes one. closed are the breaches that a
// postponement closed already.
func (t *Tracker) waivedLate(s *slot, a *active, closed []Breach) (b Breach, overdue bool) {
	var waiver *fact
	for w := range t.waiversOf(s, a) {
		if waiver == nil || w.entry.Revision < waiver.entry.Revision {
			waiver = w
		}
	}
	until := t.day(waiver.entry.RecordedAt)
	due := t.dates(s, a, waiver, func(f *fact) bool { return t.day(f.entry.RecordedAt) < until }, nil).due.Date
	if due == 0 || until <= due || slices.ContainsFunc(closed, func(c Breach) bool { return c.Due == due }) {
		return b, false
	}
	inTime, _ := t.fulfilment(a, func(f *fact) bool { return t.day(f.entry.RecordedAt) <= due })
	return Breach{Due: due, From: due + 1, Until: until}, inTime == nil
}

// clocks sets the instants at which an undone obligation changes its state.
func (t *Tracker) clocks(o *Obligation, s *slot, r *rule, used offset) {
	made := clockwork{o.Due, t.cal, r, used}
	before := &s.Obligation
	if s.made == made {
		o.WarnFrom, o.OverdueFrom, o.EscalateFrom = before.WarnFrom, before.OverdueFrom, before.EscalateFrom
		return
	}
	s.made = made
	lead := r.warning.lead(used)
	warn := o.Due.Date
	switch lead.unit {
	case workingDays:
		warn = t.cal.AddWorkingDays(warn, -lead.n)
	case months:
		warn = warn.AddMonths(-lead.n)
	default:
		warn -= events.Date(lead.n)
	}
	o.WarnFrom = t.cal.Start(warn)
	o.OverdueFrom = t.cal.Start(o.Due.Date + 1)
	if !o.Due.Instant.IsZero() {
		o.OverdueFrom = o.Due.Instant.Add(resolution)
	}
	for i, after := range r.escalation.after {
		o.EscalateFrom[i] = t.cal.Start(t.cal.AddWorkingDays(o.Due.Date, after+1))
	}
}

// clockwork is what those instants hang on.
type clockwork struct {
	due  Due
	cal  *calendar.Calendar
	rule *rule
	used offset
}
