package calendar

import (
	"slices"
	"time"

	"traga.internal/events"
)

// law is what one jurisdiction's law says about holidays, as data.
type law struct {
	jurisdiction, subdivision string
	zone                      string
	languages                 []string // its own, the first being the one that a name falls back to
	rules                     []rule
	decreed                   []oneOff
}

// rule is one holiday: its days, when it is in force, and what happens when it falls on a weekend.
type rule struct {
	names  map[string]string
	on     when
	days   int // 1, or the length in days of one that begins on the day above
	moves  move
	from   int // first year in force; 0: before 2018
	until  int // last year in force; 0: still
	source string
}

// when is the first day of a holiday in a year: exactly one of its fields is set.
type when struct {
	month time.Month // with day: a fixed date
	day   int
	// easter is set with the Easter that it hangs on and offset, the days after that Sunday.
	easter func(year int) events.Date
	offset int
	feast  Feast
}

func fixed(m time.Month, day int) when { return when{month: m, day: day} }
func western(offset int) when          { return when{easter: westernEaster, offset: offset} }
func orthodox(offset int) when         { return when{easter: orthodoxEaster, offset: offset} }
func bayram(f Feast) when              { return when{feast: f} }

// move is the rule by which a day of a holiday that falls on a weekend is made up for.
type move int

const (
	// stays: it is not made up for.
	stays move = iota
	// sundayToDayAfter: if a day of the holiday is a Sunday, the first day after the whole holiday is off, be that
	// another holiday or not.
	sundayToDayAfter
	// lastSundayToMonday: the same, but only if the holiday's last day is the Sunday.
	lastSundayToMonday
	// sundayToNextWorking: a Sunday is made up for on the next day that would otherwise be worked.
	sundayToNextWorking
	// weekendToNextWorking: so is a Saturday.
	weekendToNextWorking
)

// oneOff is a day off that a government decreed for one year.
type oneOff struct {
	date   events.Date
	names  map[string]string
	source string
}

// dated is a holiday on its date.
type dated struct {
	Holiday
	date events.Date
}

// names makes a set of names from pairs of language and name.
func names(pairs ...string) map[string]string {
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// year lists the holidays of a year in order of date: those of the law, those moved from weekends, those decreed.
// No holiday that moves lies near enough to the end of a year to be moved into the next.
func (l *law) year(y int, decrees []Decree) []dated {
	var days []dated
	var moving []movingDay
	for _, r := range l.rules {
		if r.from > y || r.until != 0 && r.until < y {
			continue
		}
		for _, first := range l.firstDays(r.on, y, decrees) {
			last := first.date + events.Date(r.days-1)
			for d := first.date; d <= last; d++ {
				h := dated{Holiday{Names: r.names, Reason: PublicHoliday, Estimated: first.estimated, Source: r.source}, d}
				if first.source != "" {
					h.Source += "; " + first.source
				}
				days = append(days, h)
				if r.moves.applies(d, last) {
					moving = append(moving, movingDay{h, r.moves, last})
				}
			}
		}
	}
	days = append(days, substitutes(days, moving)...)
	for _, o := range l.decreed {
		if oy, _, _ := o.date.Civil(); oy == y {
			days = append(days, dated{Holiday{Names: o.names, Reason: Decreed, Source: o.source}, o.date})
		}
	}
	for _, d := range decrees {
		if dy, _, _ := d.Date.Civil(); dy == y && !l.confirms(d, decrees) {
			days = append(days, dated{Holiday{Names: d.Names, Reason: Decreed, Source: d.Act}, d.Date})
		}
	}
	slices.SortStableFunc(days, func(a, b dated) int { return int(a.date - b.date) })
	return days
}

// applies reports whether a day of a holiday is to be made up for.
func (m move) applies(d, last events.Date) bool {
	switch m {
	case sundayToDayAfter, sundayToNextWorking:
		return d.Weekday() == time.Sunday
	case lastSundayToMonday:
		return d.Weekday() == time.Sunday && d == last
	case weekendToNextWorking:
		return !weekday(d)
	}
	return false
}

// movingDay is a day of a holiday that is to be made up for.
type movingDay struct {
	dated
	move move
	last events.Date // of the holiday
}

// substitutes are the days on which holidays that fell on a weekend are made up for. Those whose day is fixed come
// first; the others take the next free days in order of date, so that no two dates share one. Holidays that fall
// on the same date share their substitute.
func substitutes(days []dated, moving []movingDay) []dated {
	off := make(map[events.Date]bool, len(days))
	for _, h := range days {
		off[h.date] = true
	}
	var out []dated
	moved := func(m movingDay, to events.Date) {
		h := m.Holiday
		h.Reason, h.MovedFrom = Substitute, m.date
		out = append(out, dated{h, to})
		off[to] = true
	}
	slices.SortStableFunc(moving, func(a, b movingDay) int { return int(a.date - b.date) })
	to := map[events.Date]events.Date{}
	for _, m := range moving {
		if m.move == sundayToDayAfter || m.move == lastSundayToMonday {
			to[m.date] = m.last + 1
			moved(m, to[m.date])
		}
	}
	for _, m := range moving {
		if m.move != sundayToNextWorking && m.move != weekendToNextWorking {
			continue
		}
		if to[m.date] == 0 {
			d := m.date + 1
			for off[d] || !weekday(d) {
				d++
			}
			to[m.date] = d
		}
		moved(m, to[m.date])
	}
	return out
}

// firstDay is where a holiday begins in a year.
type firstDay struct {
	date      events.Date
	estimated bool
	source    string // the decree that fixed it, if one did
}

func (l *law) firstDays(w when, y int, decrees []Decree) []firstDay {
	switch {
	case w.easter != nil:
		return []firstDay{{date: w.easter(y) + events.Date(w.offset)}}
	case w.feast != "":
		return bayrams(w.feast, y, decrees)
	}
	return []firstDay{{date: events.DateOf(y, w.month, w.day)}}
}

// confirms reports whether a decree only fixes the date of a Bayram that this law keeps.
func (l *law) confirms(d Decree, decrees []Decree) bool {
	if d.feast() == "" || !slices.ContainsFunc(l.rules, func(r rule) bool { return r.on.feast == d.feast() }) {
		return false
	}
	dy, _, _ := d.Date.Civil()
	return slices.ContainsFunc(bayrams(d.feast(), dy, decrees), func(f firstDay) bool { return f.date == d.Date })
}

// laws are all that there are.
func laws() []*law {
	return []*law{albania(), federation(), srpska(), brcko(), kosovo(), montenegro(), northMacedonia(), serbia()}
}
