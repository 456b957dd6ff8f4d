package protocol_test

import (
	"slices"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// dueDate follows the due date through the date changes; act and waiver are what settled the duty.
func (c claim) dueDate(r *record, act, waiver *entry) (due events.Date, compressed bool, breaches []protocol.Breach) {
	due, compressed, breaches = c.through(r, act, waiver, func(*entry) bool { return true })
	if waiver != nil {
		// Waived after it was overdue: when the day of the waiver began, by what was on record before; of several
		// waivers by the one recorded first.
		w := slices.MinFunc(c.waivers(r), func(a, b *entry) int { return a.pos - b.pos })
		day := r.day(w.RecordedAt)
		then, _, _ := c.through(r, act, w, func(step *entry) bool { return r.day(step.RecordedAt) < day })
		listed := slices.ContainsFunc(breaches, func(b protocol.Breach) bool { return b.Due == then })
		if then != 0 && day > then && !listed && c.met(r.byDay(then)) == nil {
			breaches = append(breaches, protocol.Breach{Due: then, From: then + 1, Until: day})
		}
	}
	return due, compressed, breaches
}

func (c claim) through(r *record, act, waiver *entry, seen func(step *entry) bool) (due events.Date, compressed bool, breaches []protocol.Breach) {
	if !c.instant.IsZero() {
		return r.day(c.instant), false, nil
	}
	overdue := func(e *entry) bool {
		known := r.thatDay(e)
		return r.day(e.RecordedAt) > due && c.met(known) == nil && c.waived(known) == nil
	}
	set := func(plain events.Date, by *entry) {
		due, compressed = plain, false
		if next := r.cal.AddWorkingDays(r.day(by.RecordedAt), 1); plain < next {
			due, compressed = next, true
		}
	}
	if c.release == nil {
		set(c.plain, c.since)
		return due, compressed, nil
	}
	settled := func(e *entry) bool { // met or waived when the date changed, by occurrence
		return act != nil && act.before(e) || waiver != nil && waiver.before(e)
	}
	var date, plain events.Date
	for _, step := range c.dateSteps(r) {
		if !seen(step.entry) {
			continue
		}
		if step.date == 0 { // a sentence
			step.date = date
		}
		was := plain
		plain = c.release(r.thatDay(step.entry), step.date)
		moved := step.date != date
		forward := moved && step.date < date || !moved && plain < was
		switch {
		case date == 0: // the activation
			set(plain, step.entry)
		case settled(step.entry):
			plain = was
			continue
		case !moved && plain == was:
		case overdue(step.entry) && forward: // no amnesty
		default:
			if overdue(step.entry) {
				breaches = append(breaches, protocol.Breach{Due: due, From: due + 1, Until: r.day(step.RecordedAt)})
			}
			set(plain, step.entry)
		}
		date = step.date
	}
	if rel := r.released(); rel != nil && seen(rel) {
		if day := r.day(rel.OccurredAt); day < date && !settled(rel) && !overdue(rel) {
			due, compressed = day, false
		}
	}
	return due, compressed, breaches
}

// dateSteps are the decisions on the date in the order of recording and, where the offset hangs on the sentence,
// the sentences recorded later: the text is silent on them, and they are taken like changes of the date.
func (c claim) dateSteps(r *record) []decision {
	steps, _ := r.decisions()
	slices.SortFunc(steps, func(a, b decision) int { return a.pos - b.pos })
	if !c.sentenced {
		return steps
	}
	rel := r.released()
	for _, s := range all[*events.SentenceRecorded](r) {
		if r.onRecord(s, steps[0].entry) || rel != nil && rel.before(s) {
			continue
		}
		i := len(steps)
		for i > 1 && r.onRecord(s, steps[i-1].entry) {
			i--
		}
		steps = slices.Insert(steps, i, decision{entry: s})
	}
	return steps
}
