package calendar

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
	"traga.internal/events"
)

func date(t testing.TB, s string) events.Date {
	t.Helper()
	d, err := events.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// calendarOf takes "MK" or "BA-SRP".
func calendarOf(t testing.TB, name string) *Calendar {
	t.Helper()
	j, sub := name, ""
	if strings.HasPrefix(name, "BA-") {
		j, sub = "BA", name
	}
	c, err := For(j, sub)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var all = []string{"AL", "BA-BIH", "BA-SRP", "BA-BRC", "XK", "ME", "MK", "RS"}

// The due dates of the scenarios, where they follow from a release date or an event and protocol.md's offsets.
func TestDueDatesOfTheScenarios(t *testing.T) {
	before := func(days int) func(*Calendar, events.Date) events.Date {
		return func(c *Calendar, d events.Date) events.Date { return c.PrevWorkingDay(d - events.Date(days)) }
	}
	after := func(days int) func(*Calendar, events.Date) events.Date {
		return func(c *Calendar, d events.Date) events.Date { return c.NextWorkingDay(d + events.Date(days)) }
	}
	months := func(n int) func(*Calendar, events.Date) events.Date {
		return func(c *Calendar, d events.Date) events.Date { return c.PrevWorkingDay(d.AddMonths(-n)) }
	}
	working := func(n int) func(*Calendar, events.Date) events.Date {
		return func(c *Calendar, d events.Date) events.Date { return c.AddWorkingDays(d, n) }
	}
	for _, x := range []struct {
		what, jurisdiction, from string
		offset                   func(*Calendar, events.Date) events.Date
		due                      string
	}{
		{"01 notify-csw", "MK", "2026-09-02", before(90), "2026-06-04"},
		{"01 open-pre-release: 6 months back is 2 March", "MK", "2026-09-02", months(6), "2026-03-02"},
		{"01 notify-police: 3 August is the substitute of Ilinden", "MK", "2026-09-02", before(30), "2026-07-31"},
		{"01 confirm-date", "MK", "2026-09-02", working(-3), "2026-08-28"},
		{"01 first-contact", "MK", "2026-09-02", working(3), "2026-09-07"},
		{"01 acknowledge", "MK", "2026-07-29", working(5), "2026-08-06"},
		{"02 renotify over Easter Monday", "MK", "2026-04-11", working(1), "2026-04-14"},
		{"02 notify-police", "MK", "2026-08-08", before(30), "2026-07-09"},
		{"02 notify-coordinator", "MK", "2026-08-08", before(180), "2026-02-09"},
		{"02 release-report after the change", "MK", "2026-04-30", before(14), "2026-04-16"},
		{"02 first-contact over Labour Day", "MK", "2026-04-30", working(3), "2026-05-06"},
		{"04 acknowledge", "MK", "2026-10-02", working(5), "2026-10-09"},
		{"05 withdrawal-notice over Ramadan Bayram", "MK", "2026-03-18", working(5), "2026-03-26"},
		{"06 answer-request over Easter Monday", "MK", "2026-04-01", working(10), "2026-04-16"},
		{"06 decide-appeal over Labour Day", "MK", "2026-04-20", working(15), "2026-05-12"},
		{"07 notify-police over Sretenje", "RS", "2026-03-19", before(30), "2026-02-13"},
		{"07 open-pre-release", "RS", "2026-03-19", months(6), "2025-09-19"},
		{"07 notify-directorate: 180 days back is 20 September, a Saturday", "RS", "2026-03-19", before(180), "2025-09-19"},
		{"07 conference-1: 60 days back is a Sunday", "RS", "2026-03-19", before(60), "2026-01-16"},
		{"07 notify-employment", "RS", "2026-03-19", before(90), "2025-12-19"},
		{"07 confirm-date", "RS", "2026-03-19", working(-3), "2026-03-16"},
		{"07 release-notice", "RS", "2026-03-19", working(1), "2026-03-20"},
		{"07 acknowledge over Easter", "RS", "2026-04-08", working(5), "2026-04-17"},
		{"07 post-penal-review/30d", "RS", "2026-03-19", after(30), "2026-04-20"},
	} {
		if got := x.offset(calendarOf(t, x.jurisdiction), date(t, x.from)); got.String() != x.due {
			t.Errorf("%s: %s, want %s", x.what, got, x.due)
		}
	}
}

// What the laws' own texts and the governments' published calendars say of single days.
func TestLaws(t *testing.T) {
	for _, x := range []struct{ calendar, day, what string }{
		{"AL", "2025-04-21", "both Easters on one Sunday have one substitute"},
		{"AL", "2026-12-01", "28 and 29 November on a weekend take Monday and Tuesday"},
		{"AL", "2022-05-03", "1 May, a Sunday before a Bayram on Monday, takes Tuesday"},
		{"AL", "2020-01-03", "decreed"},
		{"AL", "2022-03-21", "decreed"},
		{"AL", "2023-11-27", "decreed"},
		{"AL", "2024-03-15", "decreed"},
		{"AL", "2023-11-22", "-not yet Alphabet Day"},
		{"AL", "2024-11-22", "Alphabet Day, since 2024"},
		{"AL", "2018-09-05", "Saint Teresa"},
		{"BA-BIH", "2023-01-03", "1 January was a Sunday: the first day after the two"},
		{"BA-BIH", "2022-01-03", "2 January was a Sunday: the first day after the two"},
		{"BA-BIH", "2021-05-03", "2 May was a Sunday"},
		{"BA-SRP", "2022-01-03", "the second day was a Sunday"},
		{"BA-SRP", "2021-11-22", "-21 November is a Sunday and not made up for"},
		{"BA-SRP", "2023-01-03", "-the first day was a Sunday"},
		{"BA-BIH", "2021-05-04", "-3 May was off, though it was Orthodox Easter Monday too"},
		{"BA-BIH", "2018-08-22", "Kurban Bayram, second day"},
		{"BA-BRC", "2018-08-22", "-one day only in Brčko"},
		{"BA-BRC", "2026-03-09", "8 March was a Sunday"},
		{"BA-BRC", "2022-12-26", "25 December was a Sunday"},
		{"BA-BRC", "2019-08-12", "-Kurban Bayram was a Sunday, and is not made up for"},
		{"BA-BRC", "2025-03-31", "-so was Ramadan Bayram"},
		{"XK", "2018-04-09", "Orthodox Easter Monday and Constitution Day"},
		{"XK", "2018-04-10", "-they took one day off together"},
		{"XK", "2023-04-10", "Constitution Day and Easter on one Sunday"},
		{"XK", "2023-04-11", "-they share Monday"},
		{"XK", "2021-05-03", "Orthodox Easter Monday"},
		{"XK", "2021-05-04", "1 May was a Saturday, and Monday Easter's"},
		{"XK", "2018-01-08", "Orthodox Christmas was a Sunday"},
		{"XK", "2019-08-12", "Kurban Bayram was a Sunday"},
		{"XK", "2019-11-28", "decreed"},
		{"XK", "2022-01-04", "1 and 2 January were a weekend"},
		{"XK", "2022-05-03", "1 May and a Bayram"},
		{"XK", "2022-04-11", "9 April was a Saturday"},
		{"XK", "2024-06-17", "Kurban Bayram was a Sunday"},
		{"ME", "2025-07-15", "13 July was a Sunday: two days after it"},
		{"ME", "2022-11-14", "-a single day in its first year, not moved"},
		{"ME", "2020-11-13", "-not yet a holiday"},
		{"ME", "2023-11-14", "two days since 2023"},
		{"ME", "2025-11-14", "two days since 2023"},
		{"ME", "2025-01-07", "-Orthodox Christmas frees believers only"},
		{"MK", "2018-01-08", "Christmas was a Sunday"},
		{"MK", "2020-07-15", "election"},
		{"MK", "2024-04-24", "election"},
		{"MK", "2024-05-08", "election"},
		{"MK", "2022-10-24", "23 October was a Sunday"},
		{"MK", "2022-05-03", "-1 May, a Sunday, and the Bayram shared Monday 2 May: the next day, not the next free one"},
		{"MK", "2026-05-27", "-Kurban Bayram frees believers only"},
		{"RS", "2026-02-17", "15 February was a Sunday"},
		{"RS", "2021-05-04", "2 May was Easter Sunday: the next working day"},
		{"RS", "2024-01-08", "-Christmas was a Sunday, and days of the faith are not moved"},
		{"RS", "2022-01-03", "2 January was a Sunday"},
		{"RS", "2025-05-09", "-Victory Day is worked"},
	} {
		d, working := date(t, x.day), strings.HasPrefix(x.what, "-")
		if got := calendarOf(t, x.calendar).IsWorkingDay(d); got != working {
			t.Errorf("%s %s (%s): working is %v", x.calendar, x.day, x.what, got)
		}
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	for _, x := range []struct{ j, sub, message string }{
		{"HR", "", `no calendar for jurisdiction "HR": expected one of AL, BA, XK, ME, MK, RS`},
		{"", "", `no calendar for jurisdiction "": expected one of AL, BA, XK, ME, MK, RS`},
		{"mk", "", `no calendar for jurisdiction "mk": expected one of AL, BA, XK, ME, MK, RS`},
		{"BA", "BA-RS", `no calendar for subdivision "BA-RS" of BA: expected one of BA-BIH, BA-SRP, BA-BRC`},
		{"MK", "BA-BIH", `no calendar for subdivision "BA-BIH" of MK: expected none`},
		{"BA-BIH", "", `no calendar for jurisdiction "BA-BIH": expected one of AL, BA, XK, ME, MK, RS`},
	} {
		c, err := For(x.j, x.sub)
		var unknown *UnknownError
		if c != nil || !errors.As(err, &unknown) || err.Error() != x.message {
			t.Errorf("For(%q, %q): %v, want %s", x.j, x.sub, err, x.message)
		}
	}
	for _, j := range Jurisdictions() {
		c, err := For(j, "")
		if err != nil || c.Jurisdiction() != j {
			t.Errorf("%s: %v", j, err)
		}
		for _, s := range Subdivisions(j) {
			if c, err := For(j, s); err != nil || c.Subdivision() != s {
				t.Errorf("%s: %v", s, err)
			}
		}
	}
	if calendarOf(t, "BA") != calendarOf(t, "BA-BIH") {
		t.Error("BA without a subdivision is not BA-BIH")
	}
}

// A due day ends at local midnight, also on the nights of 23 and 25 hours.
func TestDaysBeginAndEndAtLocalMidnight(t *testing.T) {
	for _, name := range all {
		c := calendarOf(t, name)
		for _, x := range []struct {
			day, ends string
			hours     int
		}{
			{"2026-03-28", "2026-03-28T23:00:00Z", 24},
			{"2026-03-29", "2026-03-29T22:00:00Z", 23},
			{"2026-03-30", "2026-03-30T22:00:00Z", 24},
			{"2026-10-24", "2026-10-24T22:00:00Z", 24},
			{"2026-10-25", "2026-10-25T23:00:00Z", 25},
			{"2026-10-09", "2026-10-09T22:00:00Z", 24}, // scenario 04
			{"2026-12-31", "2026-12-31T23:00:00Z", 24},
		} {
			d := date(t, x.day)
			if end := c.EndOfDay(d); end.UTC().Format(time.RFC3339) != x.ends || !end.Equal(c.Start(d+1)) {
				t.Errorf("%s: %s ends at %s, want %s", name, x.day, end.UTC(), x.ends)
			}
			if h := c.EndOfDay(d).Sub(c.Start(d)); h != time.Duration(x.hours)*time.Hour {
				t.Errorf("%s: %s lasts %s", name, x.day, h)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c := anyCalendar(t)
		d := anyDate(t)
		start := c.Start(d)
		if events.DateIn(start, c.Zone()) != d || events.DateIn(start.Add(-1), c.Zone()) != d-1 {
			t.Fatalf("%s does not begin at %s", d, start)
		}
	})
}

func TestZones(t *testing.T) {
	want := map[string]string{"AL": "Europe/Tirane", "XK": "Europe/Belgrade", "ME": "Europe/Podgorica", "MK": "Europe/Skopje",
		"RS": "Europe/Belgrade", "BA-BIH": "Europe/Sarajevo", "BA-SRP": "Europe/Sarajevo", "BA-BRC": "Europe/Sarajevo"}
	for _, name := range all {
		if got := calendarOf(t, name).Zone().String(); got != want[name] {
			t.Errorf("%s: %s", name, got)
		}
	}
}
