package calendar

import (
	"maps"
	"slices"
	"strings"
	"time"

	"traga.internal/events"
)

// Feast names one of the two Bayrams.
type Feast string

// The two Bayrams.
const (
	RamadanBayram Feast = "ramadan-bayram" // Eid al-Fitr, 1 Shawwal
	KurbanBayram  Feast = "kurban-bayram"  // Eid al-Adha, 10 Dhu al-Hijja
)

// Decree is a day off for this one year, as in the event NonWorkingDayDecreed.
type Decree struct {
	Date  events.Date
	Names map[string]string // by language tag
	Act   string            // the act, as it is cited
	// Confirms says that the date is the first day of that Bayram. If it is empty, the names decide: a decree
	// whose name is that of a Bayram, in any of the region's languages, and not of its second or a later day.
	Confirms Feast
}

// WithDecrees returns a calendar that knows these days too, beside those it knew; the receiver is unchanged.
//
// A decree that names a Bayram fixes it: if the calendar has the feast as estimated no more than three days
// away, it is moved to the decreed date, with its second day and any substitute, and counts as confirmed; of
// several decrees on one feast, the earliest date is its first day. Any other decree makes its one day a day off.
// Decreed days are not moved when they fall on a weekend. A decree without a date is ignored.
func (c *Calendar) WithDecrees(d ...Decree) *Calendar {
	n := &Calendar{law: c.law, zone: c.zone, decrees: slices.Clone(c.decrees), days: c.days.clone()}
	years := map[int]struct{}{}
	for _, x := range d {
		if x.Date == 0 {
			continue
		}
		given := x.Names
		x.Names = map[string]string{"en": anyName(given)}
		maps.Copy(x.Names, given)
		n.decrees = append(n.decrees, x)
		// A Bayram can be moved across the turn of a year.
		y, _, _ := x.Date.Civil()
		for touched := y - 1; touched <= y+1; touched++ {
			years[touched] = struct{}{}
		}
	}
	slices.SortStableFunc(n.decrees, func(a, b Decree) int { return int(a.Date) - int(b.Date) })
	for y := range years {
		n.days.reset(events.DateOf(y, time.January, 1), events.DateOf(y, time.December, 31))
		n.layOut(y)
	}
	n.days.count()
	n.list()
	return n
}

// anyName is the name to show where there is none in English.
func anyName(m map[string]string) string {
	first := ""
	for _, n := range m {
		if first == "" || n < first {
			first = n
		}
	}
	if first == "" {
		return "Decreed day off"
	}
	return first
}

// feast is the Bayram that a decree is about, if any.
func (d Decree) feast() Feast {
	if d.Confirms != "" {
		return d.Confirms
	}
	for _, n := range d.Names {
		n = strings.ToLower(n)
		has := func(words ...string) bool {
			return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(n, w) })
		}
		switch {
		case has("second", "third", "2nd", "3rd", "2. d", "3. d", "drugi", "treći", "други", "трети", "dita e dytë", "dita e tretë"):
		case has("eid al-fitr", "fitr") || has("bajram", "bayram", "бајрам") && has("ramazan", "ramadan", "fiter", "fitër", "madh", "рамазан", "рамадан"):
			return RamadanBayram
		case has("eid al-adha", "adha") || has("bajram", "bayram", "бајрам") && has("kurban", "vogël", "курбан"):
			return KurbanBayram
		}
	}
	return ""
}

// bayrams are the days in a year on which a feast begins: one as a rule, two in a year such as 2033, none outside
// the coverage. decrees are in order of date.
func bayrams(f Feast, year int, decrees []Decree) []firstDay {
	var days []firstDay
	for _, d := range feasts[f] {
		first := firstDay{date: d, estimated: d > confirmedUntil}
		if first.estimated {
			for _, x := range decrees {
				if x.Date >= d-decreeReach && x.Date <= d+decreeReach && x.feast() == f {
					first = firstDay{date: x.Date, source: x.Act}
					break
				}
			}
		}
		if y, _, _ := first.date.Civil(); y == year {
			days = append(days, first)
		}
	}
	return days
}

// decreeReach is how far from the estimate a decree may place a Bayram: the sighting of the moon moves it by a day
// or two.
const decreeReach = 3

// confirmedUntil is the last day of which it is known that the Bayrams up to it were kept as dated below.
var confirmedUntil = events.DateOf(2025, time.December, 31)

// feasts are the first days of the Bayrams, by the computed calendar that the Islamic communities of the region
// share (that of the Diyanet). Those up to confirmedUntil were kept on these days in all six jurisdictions.
var feasts = map[Feast][]events.Date{
	RamadanBayram: {
		events.DateOf(2018, time.June, 15), events.DateOf(2019, time.June, 4), events.DateOf(2020, time.May, 24),
		events.DateOf(2021, time.May, 13), events.DateOf(2022, time.May, 2), events.DateOf(2023, time.April, 21),
		events.DateOf(2024, time.April, 10), events.DateOf(2025, time.March, 30), events.DateOf(2026, time.March, 20),
		events.DateOf(2027, time.March, 9), events.DateOf(2028, time.February, 26), events.DateOf(2029, time.February, 14),
		events.DateOf(2030, time.February, 4), events.DateOf(2031, time.January, 24), events.DateOf(2032, time.January, 14),
		events.DateOf(2033, time.January, 2), events.DateOf(2033, time.December, 23), events.DateOf(2034, time.December, 12),
		events.DateOf(2035, time.December, 1),
	},
	KurbanBayram: {
		events.DateOf(2018, time.August, 21), events.DateOf(2019, time.August, 11), events.DateOf(2020, time.July, 31),
		events.DateOf(2021, time.July, 20), events.DateOf(2022, time.July, 9), events.DateOf(2023, time.June, 28),
		events.DateOf(2024, time.June, 16), events.DateOf(2025, time.June, 6), events.DateOf(2026, time.May, 27),
		events.DateOf(2027, time.May, 16), events.DateOf(2028, time.May, 5), events.DateOf(2029, time.April, 24),
		events.DateOf(2030, time.April, 13), events.DateOf(2031, time.April, 2), events.DateOf(2032, time.March, 22),
		events.DateOf(2033, time.March, 11), events.DateOf(2034, time.March, 1), events.DateOf(2035, time.February, 18),
	},
}
