package calendar

import (
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
	all := slices.Concat(c.decrees, d)
	all = slices.DeleteFunc(all, func(d Decree) bool { return d.Date == 0 })
	for i := range all {
		if all[i].Names["en"] == "" {
			all[i].Names = with(all[i].Names, "en", anyName(all[i].Names))
		}
	}
	slices.SortStableFunc(all, func(a, b Decree) int { return int(a.Date - b.Date) })
	return build(c.law, all)
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
		case has("second", "third", "drugi", "treći", "други", "трети", "dita e dytë", "dita e tretë"):
		case has("eid al-fitr", "fitr") || has("bajram", "bayram", "бајрам") && has("ramazan", "ramadan", "fiter", "madh", "рамазан", "рамадан"):
			return RamadanBayram
		case has("eid al-adha", "adha") || has("bajram", "bayram", "бајрам") && has("kurban", "vogël", "курбан"):
			return KurbanBayram
		}
	}
	return ""
}

// bayrams are the days in a year on which a feast begins: one as a rule, two in a year such as 2033, none outside
// the coverage.
func bayrams(f Feast, year int, decrees []Decree) []firstDay {
	var days []firstDay
	for _, d := range feasts()[f] {
		if y, _, _ := d.Civil(); y != year {
			continue
		}
		first := firstDay{date: d, estimated: d > confirmedUntil}
		if i := slices.IndexFunc(decrees, func(x Decree) bool {
			return x.feast() == f && x.Date >= d-decreeReach && x.Date <= d+decreeReach
		}); first.estimated && i >= 0 {
			first = firstDay{date: decrees[i].Date, source: decrees[i].Act}
		}
		days = append(days, first)
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
func feasts() map[Feast][]events.Date {
	date := events.DateOf
	return map[Feast][]events.Date{
		RamadanBayram: {
			date(2018, time.June, 15), date(2019, time.June, 4), date(2020, time.May, 24),
			date(2021, time.May, 13), date(2022, time.May, 2), date(2023, time.April, 21),
			date(2024, time.April, 10), date(2025, time.March, 30), date(2026, time.March, 20),
			date(2027, time.March, 9), date(2028, time.February, 26), date(2029, time.February, 14),
			date(2030, time.February, 4), date(2031, time.January, 24), date(2032, time.January, 14),
			date(2033, time.January, 2), date(2033, time.December, 23), date(2034, time.December, 12),
			date(2035, time.December, 1),
		},
		KurbanBayram: {
			date(2018, time.August, 21), date(2019, time.August, 11), date(2020, time.July, 31),
			date(2021, time.July, 20), date(2022, time.July, 9), date(2023, time.June, 28),
			date(2024, time.June, 16), date(2025, time.June, 6), date(2026, time.May, 27),
			date(2027, time.May, 16), date(2028, time.May, 5), date(2029, time.April, 24),
			date(2030, time.April, 13), date(2031, time.April, 2), date(2032, time.March, 22),
			date(2033, time.March, 11), date(2034, time.March, 1), date(2035, time.February, 18),
		},
	}
}
