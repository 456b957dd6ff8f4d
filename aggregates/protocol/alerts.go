package protocol

import (
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

// Alert is an ObligationOverdue (Level 0) or ObligationEscalated (1 to 3) that is due to be recorded.
type Alert struct {
	Obligation string
	Rule       string
	Level      int
	To         events.Role // whom an escalation is to; empty for Level 0
	Due        Due
}

// alert is what was recorded about one due date of an obligation.
type alert struct {
	due    events.Date
	levels uint8 // bit 0: overdue; bit n: level n
}

// alerted notes that an alert is on record.
func (t *Tracker) alerted(obligation string, due events.Date, level int) {
	if t.alerts == nil {
		t.alerts = map[string][]alert{}
	}
	if level < 0 || level > 3 {
		return
	}
	list := t.alerts[obligation]
	for i := range list {
		if list[i].due == due {
			list[i].levels |= 1 << level
			return
		}
	}
	t.alerts[obligation] = append(list, alert{due, 1 << level})
}

// Due is what the watcher has to record at now: for each obligation overdue by then, its due date and each level
// reached or passed over, unless that is on record already, in the order of Obligations and of the levels.
func (t *Tracker) Due(now time.Time) []Alert {
	var out []Alert
	for _, s := range t.visible {
		if s.Outcome != Pending || now.Before(s.OverdueFrom) {
			continue
		}
		var on uint8
		for _, a := range t.alerts[s.ID] {
			if a.due == s.Due.Date {
				on = a.levels
			}
		}
		for level := 0; level <= s.Escalation(now); level++ {
			if on&(1<<level) != 0 {
				continue
			}
			a := Alert{Obligation: s.ID, Rule: s.Rule, Level: level, Due: s.Due}
			if level > 0 {
				a.To = s.EscalateTo[level-1]
			}
			out = append(out, a)
		}
	}
	return out
}

// WorkingDaysOverdue counts the working days after the due date, up to and including today; 0 when it is not
// overdue.
func (o *Obligation) WorkingDaysOverdue(cal *calendar.Calendar, now time.Time) int {
	if o.State(now) != Overdue {
		return 0
	}
	return cal.WorkingDaysBetween(o.Due.Date, events.DateIn(now, cal.Zone()))
}
