package calendar

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"traga.internal/events"
)

// The dated Bayrams are those that the moon gives: a month begins with the first day (0h UT) that is ten hours or
// more from the new moon, the new moons being computed from the orbit. Every Bayram of the coverage is there, and
// none besides.
func TestBayramsFollowTheMoon(t *testing.T) {
	for feast, on := range map[Feast]struct{ month, day int }{RamadanBayram: {10, 1}, KurbanBayram: {12, 10}} {
		var want []events.Date
		for hijri := 1430; hijri < 1470; hijri++ {
			d := monthBegins(tabular(hijri, on.month)) + events.Date(on.day-1)
			if d >= events.DateOf(FirstYear, time.January, 1) && d <= events.DateOf(LastYear, time.December, 31) {
				want = append(want, d)
			}
		}
		if got := feasts[feast]; !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nthe moon gives\n%s", feast, got, want)
		}
	}
}

// tabular is the first day of a month of the arithmetical Islamic calendar, which is right to a day or two (civil
// epoch, leap years 2, 5, 7, 10, 13, 16, 18, 21, 24, 26 and 29 of 30).
func tabular(year, month int) events.Date {
	days := (year-1)*354 + (3+11*year)/30 // whole years
	days += 29*(month-1) + month/2        // whole months, of 30 and 29 days by turns
	// 1 Muharram 1 is 16 July 622 of the Julian calendar.
	return events.DateOf(622, time.July, 19) + events.Date(days)
}

// monthBegins is the first day of the lunar month that begins about the given date.
func monthBegins(about events.Date) events.Date {
	// Julian day numbers begin at noon; 0h UT of 1 January 2000 is 2451544.5.
	const epoch = 2451544.5
	day := float64(about-events.DateOf(2000, time.January, 1)) + epoch
	// The new moon lies a day and a half or so before the month.
	moon := newMoon(math.Round((day - 1.5 - 2451550.09766) / 29.530588861))
	return events.DateOf(2000, time.January, 1) + events.Date(math.Ceil(moon+10./24-epoch))
}

// newMoon is the Julian day, in universal time, of the k-th new moon since that of 6 January 2000: Meeus, Astronomical
// Algorithms, chapter 49, without its smallest terms; right to about a quarter of an hour.
func newMoon(k float64) float64 {
	sin := func(degrees float64) float64 { return math.Sin(degrees * math.Pi / 180) }
	t := k / 1236.85
	e := 1 - 0.002516*t
	sun := 2.5534 + 29.10535670*k
	moon := 201.5643 + 385.81693528*k
	node := 160.7108 + 390.67050284*k
	const deltaT = 70. / 86400
	return 2451550.09766 + 29.530588861*k + 0.00015437*t*t - deltaT -
		0.40720*sin(moon) + 0.17241*e*sin(sun) + 0.01608*sin(2*moon) + 0.01039*sin(2*node) +
		0.00739*e*sin(moon-sun) - 0.00514*e*sin(moon+sun) + 0.00208*e*e*sin(2*sun)
}

func TestBayramsAreConfirmedUpTo2025(t *testing.T) {
	for _, name := range all {
		c := calendarOf(t, name)
		seen := map[bool]int{}
		for y := FirstYear; y <= LastYear; y++ {
			for _, day := range c.Year(y) {
				if day.Estimated && y <= 2025 {
					t.Errorf("%s %s is past and estimated", name, day.Date)
				}
				seen[day.Estimated]++
			}
		}
		if keepsBayram := name != "RS" && name != "ME"; keepsBayram != (seen[true] > 0) {
			t.Errorf("%s: %d estimated days", name, seen[true])
		}
	}
}

func TestADecreeMakesADayOff(t *testing.T) {
	c := calendarOf(t, "MK")
	d := date(t, "2026-10-19")
	with := c.WithDecrees(Decree{Date: d, Names: map[string]string{"en": "Election Day", "mk": "Ден на изборите"}, Act: "Decision 44-1"})
	if !c.IsWorkingDay(d) || with.IsWorkingDay(d) {
		t.Fatal("the decree must make the day off, and only in the new calendar")
	}
	want := Day{Date: d, Reason: Decreed, Names: map[string]string{"en": "Election Day", "mk": "Ден на изборите"}, Source: "Decision 44-1",
		Holidays: []Holiday{{Names: map[string]string{"en": "Election Day", "mk": "Ден на изборите"}, Reason: Decreed, Source: "Decision 44-1"}}}
	if got := with.Day(d); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got := with.AddWorkingDays(d-3, 1); got != d+1 {
		t.Errorf("the Friday's next working day is %s", got)
	}
	if got := with.WorkingDaysBetween(d-7, d+7) - c.WorkingDaysBetween(d-7, d+7); got != -1 {
		t.Errorf("working days changed by %d", got)
	}
	// Decrees add up, and one without names, or on a day off, does no harm.
	more := with.WithDecrees(Decree{Date: d + 1}, Decree{Date: date(t, "2026-01-01")}, Decree{}, Decree{Date: tableLast + 10})
	if more.IsWorkingDay(d) || more.IsWorkingDay(d+1) || more.Day(d+1).Name("mk") != "Decreed day off" {
		t.Error("a second decree forgot the first")
	}
	if got := more.Day(date(t, "2026-01-01")); got.Reason != PublicHoliday || got.Names["en"] != "New Year; Decreed day off" {
		t.Errorf("%+v", got)
	}
	// A decreed Saturday moves nothing.
	if sat := date(t, "2026-10-17"); !calendarOf(t, "AL").WithDecrees(Decree{Date: sat}).IsWorkingDay(sat + 2) {
		t.Error("a decreed day was moved")
	}
	// Only days that were decreed changed, in every year.
	for day := tableFirst; day <= tableLast; day++ {
		if more.IsWorkingDay(day) != (c.IsWorkingDay(day) && day != d && day != d+1) {
			t.Fatalf("%s changed", day)
		}
	}
	// The names given stay the caller's.
	names := map[string]string{"mk": "Изборен ден"}
	named := c.WithDecrees(Decree{Date: d, Names: names})
	names["mk"] = "x"
	if got := named.Day(d); got.Names["mk"] != "Изборен ден" || got.Names["en"] != "Изборен ден" || len(names) != 1 {
		t.Errorf("%v", got.Names)
	}
	got := named.Day(d)
	got.Names["mk"], got.Holidays[0].Names["mk"] = "y", "y"
	if named.Day(d).Names["mk"] == "y" || named.Day(d).Holidays[0].Names["mk"] == "y" || named.Year(2026)[0].Names["mk"] == "y" {
		t.Error("a caller can change the calendar")
	}
}

func TestADecreeThatNamesABayramConfirmsIt(t *testing.T) {
	for _, x := range []struct {
		what, calendar string
		decrees        []Decree
		// off and worked are days of the calendar with the decrees.
		off, worked []string
		estimated   []string
	}{
		{"as estimated", "MK", []Decree{{Date: date(t, "2027-03-09"), Names: names("mk", "Рамазан Бајрам")}},
			[]string{"2027-03-09"}, []string{"2027-03-08", "2027-03-10"}, nil},
		{"a day later", "MK", []Decree{{Date: date(t, "2027-03-10"), Names: names("sq", "Bajrami i Madh")}},
			[]string{"2027-03-10"}, []string{"2027-03-09"}, nil},
		{"a day earlier, away from the weekend: the substitute goes", "AL", []Decree{{Date: date(t, "2028-02-25"), Confirms: RamadanBayram}},
			[]string{"2028-02-25"}, []string{"2028-02-28"}, nil},
		{"onto a weekend: a substitute comes", "XK", []Decree{{Date: date(t, "2028-05-06"), Names: names("sq", "Bajrami i Vogël, dita e parë")}},
			[]string{"2028-05-06", "2028-05-08"}, []string{"2028-05-05"}, nil},
		{"two days in the Federation move together", "BA-BIH", []Decree{{Date: date(t, "2029-02-15"), Names: names("bs", "Ramazanski bajram")}},
			[]string{"2029-02-15", "2029-02-16"}, []string{"2029-02-14"}, nil},
		{"of two decrees the earlier is the first day", "BA-BIH", []Decree{{Date: date(t, "2029-02-15"), Names: names("bs", "Ramazanski bajram")}, {Date: date(t, "2029-02-14"), Names: names("bs", "Ramazanski bajram")}},
			[]string{"2029-02-14", "2029-02-15"}, []string{"2029-02-16"}, nil},
		{"its second day alone confirms nothing", "BA-BRC", []Decree{{Date: date(t, "2029-02-15"), Names: names("bs", "Ramazanski bajram, drugi dan")}},
			[]string{"2029-02-14", "2029-02-15"}, []string{"2029-02-16"}, []string{"2029-02-14"}},
		{"too far away is a day of its own", "MK", []Decree{{Date: date(t, "2029-02-19"), Names: names("mk", "Рамазан Бајрам")}},
			[]string{"2029-02-14", "2029-02-19"}, nil, []string{"2029-02-14"}},
		{"four days away is too far", "MK", []Decree{{Date: date(t, "2030-02-08"), Confirms: RamadanBayram}},
			[]string{"2030-02-04", "2030-02-08"}, nil, []string{"2030-02-04"}},
		{"three days earlier", "MK", []Decree{{Date: date(t, "2032-01-11"), Confirms: RamadanBayram}, {Date: date(t, "2031-01-21"), Confirms: RamadanBayram}},
			[]string{"2031-01-21", "2032-01-11", "2032-01-12"}, []string{"2031-01-24", "2032-01-14"}, nil},
		{"three days away is the farthest", "MK", []Decree{{Date: date(t, "2030-02-07"), Confirms: RamadanBayram}},
			[]string{"2030-02-07"}, []string{"2030-02-04"}, nil},
		{"the other Bayram is left alone", "AL", []Decree{{Date: date(t, "2029-02-14"), Names: names("sq", "Dita e Kurban Bajramit")}},
			[]string{"2029-02-14"}, nil, []string{"2029-02-14", "2029-04-24"}},
		{"where it is not kept it is a day of its own", "RS", []Decree{{Date: date(t, "2029-02-14"), Confirms: RamadanBayram}},
			[]string{"2029-02-14"}, []string{"2029-02-13"}, nil},
		{"Kurban Bayram frees nobody's institution in MK unless decreed", "MK", []Decree{{Date: date(t, "2029-04-25"), Confirms: KurbanBayram}},
			[]string{"2029-04-25"}, []string{"2029-04-24"}, nil},
		{"a past one is not moved", "MK", []Decree{{Date: date(t, "2024-04-11"), Confirms: RamadanBayram}},
			[]string{"2024-04-10", "2024-04-11"}, nil, nil},
		{"across the turn of the year", "MK", []Decree{{Date: date(t, "2032-12-31"), Confirms: RamadanBayram}},
			[]string{"2032-12-31"}, []string{"2033-01-03"}, nil},
	} {
		base := calendarOf(t, x.calendar)
		c := base.WithDecrees(x.decrees...)
		for _, s := range x.off {
			if c.IsWorkingDay(date(t, s)) {
				t.Errorf("%s: %s is worked", x.what, s)
			}
		}
		for _, s := range x.worked {
			if !c.IsWorkingDay(date(t, s)) {
				t.Errorf("%s: %s is not worked", x.what, s)
			}
		}
		for _, s := range slices.Concat(x.off, x.estimated) {
			if got, want := c.Day(date(t, s)).Estimated, slices.Contains(x.estimated, s); got != want {
				t.Errorf("%s: %s estimated is %v", x.what, s, got)
			}
		}
		// One decree after another is the same as all at once.
		step := base
		for _, d := range slices.Backward(x.decrees) {
			step = step.WithDecrees(d)
		}
		for d := date(t, "2018-01-01"); d <= date(t, "2035-12-31"); d++ {
			if step.IsWorkingDay(d) != c.IsWorkingDay(d) {
				t.Errorf("%s: step by step %s differs", x.what, d)
			}
		}
	}
}

// A Bayram is recognised by its names in the region's languages.
func TestBayramsAreRecognisedByName(t *testing.T) {
	for name, want := range map[string]Feast{
		"Ramadan Bayram": RamadanBayram, "Eid al-Fitr": RamadanBayram, "Рамазан Бајрам": RamadanBayram, "Bajrami i Madh, dita e parë": RamadanBayram,
		"Dita e Bajramit të Madh": RamadanBayram, "Ramazanski bajram": RamadanBayram, "Fiter Bajram, prvi dan": RamadanBayram, "Рамазански бајрам": RamadanBayram,
		"Kurban Bayram": KurbanBayram, "Eid al-Adha": KurbanBayram, "Курбан Бајрам": KurbanBayram, "Bajrami i Vogël": KurbanBayram,
		"Dita e Kurban Bajramit": KurbanBayram, "Kurban-bajram": KurbanBayram,
		"Kurban Bayram, second day": "", "Ramazanski bajram, drugi dan": "", "Bajrami i Madh, dita e dytë": "", "Election Day": "", "Bajram Curri Day": "", "": "",
	} {
		if got := (Decree{Names: map[string]string{"xx": name}}).feast(); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for _, name := range all {
		for _, r := range calendarOf(t, name).law.rules {
			for _, n := range slices.Collect(maps.Values(r.names)) {
				if got := (Decree{Names: map[string]string{"xx": n}}).feast(); got != r.on.feast {
					t.Errorf("%s: %q is taken for %q", name, n, got)
				}
			}
		}
	}
}
