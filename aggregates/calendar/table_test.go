package calendar

import (
	"testing"
	"time"

	"traga.internal/events"
)

// At the ends of the table, 1 January 1900 and 31 December 2199, days are as good as anywhere within.
func TestTheEndsOfTheTable(t *testing.T) {
	c, err := For("RS", "")
	if err != nil {
		t.Fatal(err)
	}
	first, last := events.DateOf(1900, time.January, 1), events.DateOf(2199, time.December, 31) // a Monday and a Tuesday
	if c.IsWorkingDay(first) || !c.IsWorkingDay(last) {
		t.Error("New Year's Day of 1900 is no working day, New Year's Eve of 2199 is one")
	}
	if n := c.WorkingDaysBetween(first-1, first); n != 0 {
		t.Errorf("%d working days on New Year's Day", n)
	}
	if got := c.AddWorkingDays(first+2, -1); got != first-3 {
		t.Errorf("the working day before the holidays of 1900: %s", got)
	}
	if got := c.AddWorkingDays(last, 5); got != last+7 {
		t.Errorf("five working days after the last day: %s", got)
	}
	if got := c.AddWorkingDays(last+7, -5); got != last {
		t.Errorf("and back: %s", got)
	}
	off := c.WithDecrees(Decree{Date: last, Act: "a"})
	if off.IsWorkingDay(last) || !off.IsWorkingDay(last-1) {
		t.Error("a decree makes the last day a day off")
	}
	if got := off.AddWorkingDays(last-2, 1); got != last-1 {
		t.Errorf("the last working day: %s", got)
	}
	if got := off.AddWorkingDays(last-1, 1); got != last+1 {
		t.Errorf("the first working day after the table: %s", got)
	}
}

// A working day more or less is the nearest one, from every day of some years, across each word of the table.
func TestOneWorkingDayBackAndForth(t *testing.T) {
	c, err := For("MK", "")
	if err != nil {
		t.Fatal(err)
	}
	for d := events.DateOf(2025, time.January, 1); d < events.DateOf(2028, time.January, 1); d++ {
		if got, want := c.AddWorkingDays(d, -1), c.PrevWorkingDay(d-1); got != want {
			t.Fatalf("before %s: %s, expected %s", d, got, want)
		}
		if got, want := c.AddWorkingDays(d, 1), c.NextWorkingDay(d+1); got != want {
			t.Fatalf("after %s: %s, expected %s", d, got, want)
		}
	}
}

// A day decreed off is left out when working days are counted, be it long before.
func TestADecreedDayIsNotCounted(t *testing.T) {
	c, err := For("MK", "")
	if err != nil {
		t.Fatal(err)
	}
	day := events.DateOf(2026, time.February, 4)
	from, to := events.DateOf(2026, time.January, 19), events.DateOf(2027, time.January, 20)
	n := c.WorkingDaysBetween(from, to)
	off := c.WithDecrees(Decree{Date: day, Act: "a"})
	if got := off.WorkingDaysBetween(from, to); got != n-1 {
		t.Errorf("%d working days, expected %d", got, n-1)
	}
	if got := off.AddWorkingDays(from, n-1); got != to {
		t.Errorf("%s, expected %s", got, to)
	}
	if got := c.WorkingDaysBetween(from, to); got != n {
		t.Errorf("the calendar without the decree has %d working days now, expected %d", got, n)
	}
}

// What Year and Day give is the caller's: changing it changes no calendar.
func TestAYearIsTheCallers(t *testing.T) {
	c, err := For("MK", "")
	if err != nil {
		t.Fatal(err)
	}
	year := c.Year(2026)
	want := year[0].Holidays[0].Names["en"]
	year[0].Names["en"], year[0].Holidays[0].Names["en"] = "changed", "changed"
	if got := c.Year(2026)[0]; got.Names["en"] != want || got.Holidays[0].Names["en"] != want {
		t.Errorf("the year's first holiday is now %q, %q", got.Names["en"], got.Holidays[0].Names["en"])
	}
}

// No law has one and the same holiday twice on a day, in any year covered.
func TestNoHolidayIsListedTwice(t *testing.T) {
	for _, l := range laws() {
		c, err := For(l.jurisdiction, l.subdivision)
		if err != nil {
			t.Fatal(err)
		}
		for y := FirstYear; y <= LastYear; y++ {
			for _, d := range c.Year(y) {
				seen := map[string]bool{}
				for _, h := range d.Holidays {
					key := string(h.Reason) + h.Names["en"] + h.MovedFrom.String()
					if seen[key] {
						t.Errorf("%s %s: %s twice", l.jurisdiction, d.Date, h.Names["en"])
					}
					seen[key] = true
				}
			}
		}
	}
}

// With a public holiday on the same day, what was moved there is not all that there is to say of it.
func TestAHolidayOnASubstituteDayIsAHoliday(t *testing.T) {
	d := Day{Reason: Substitute, Names: map[string]string{"en": "One"}, Source: "a"}
	d.join(Holiday{Reason: PublicHoliday, Names: map[string]string{"en": "Two"}, Source: "b"})
	if d.Reason != PublicHoliday || d.Names["en"] != "One; Two" || d.Source != "a; b" {
		t.Errorf("%+v", d)
	}
}

func TestTheOnlyNameExpectedIsNamed(t *testing.T) {
	e := &UnknownError{Jurisdiction: "BA", Subdivision: "BA-XYZ", Expected: []string{"BA-BIH"}}
	if got := e.Error(); got != `no calendar for subdivision "BA-XYZ" of BA: expected one of BA-BIH` {
		t.Error(got)
	}
}
