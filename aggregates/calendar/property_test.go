package calendar

import (
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
	"traga.internal/events"
)

func anyCalendar(t *rapid.T) *Calendar {
	name := rapid.SampledFrom(all).Draw(t, "calendar")
	j, sub := name, ""
	if len(name) > 2 {
		j, sub = "BA", name
	}
	c, err := For(j, sub)
	if err != nil {
		t.Fatal(err)
	}
	if n := rapid.IntRange(0, 3).Draw(t, "decrees"); n > 0 {
		decrees := make([]Decree, n)
		for i := range decrees {
			decrees[i] = Decree{Date: anyDate(t), Confirms: rapid.SampledFrom([]Feast{"", RamadanBayram, KurbanBayram}).Draw(t, "feast")}
		}
		c = c.WithDecrees(decrees...)
	}
	return c
}

// anyDate lies within the coverage, or at or beyond the ends of the table.
func anyDate(t *rapid.T) events.Date {
	return events.Date(rapid.OneOf(
		rapid.Int32Range(int32(events.DateOf(2018, 1, 1)), int32(events.DateOf(2035, 12, 31))),
		rapid.Int32Range(int32(tableFirst)-400, int32(tableLast)+400),
		rapid.Int32Range(int32(tableFirst)-70, int32(tableFirst)+70),
		rapid.Int32Range(int32(tableLast)-70, int32(tableLast)+70),
		rapid.Int32Range(-20, 20),
	).Draw(t, "date"))
}

func TestRollingFindsTheNearestWorkingDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, d := anyCalendar(t), anyDate(t)
		next, prev := c.NextWorkingDay(d), c.PrevWorkingDay(d)
		if !c.IsWorkingDay(next) || !c.IsWorkingDay(prev) || next < d || prev > d {
			t.Fatalf("%d: next %d, previous %d", d, next, prev)
		}
		for x := prev + 1; x < next; x++ {
			if c.IsWorkingDay(x) {
				t.Fatalf("%s lies nearer to %s", x, d)
			}
		}
		if c.IsWorkingDay(d) && (next != d || prev != d) {
			t.Fatalf("%s is a working day itself", d)
		}
		// The longest run of days off is Easter beside Labour Day.
		if next-prev > 12 {
			t.Fatalf("no working day from %s to %s", prev, next)
		}
	})
}

// Counting by the table is counting day by day.
func TestAddWorkingDaysCountsDayByDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, d := anyCalendar(t), anyDate(t)
		n := rapid.IntRange(-600, 600).Draw(t, "n")
		want, step := d, events.Date(1)
		if n < 0 {
			step = -1
		}
		for left := n * int(step); left > 0; {
			want += step
			if c.IsWorkingDay(want) {
				left--
			}
		}
		if got := c.AddWorkingDays(d, n); got != want {
			t.Fatalf("%d + %d working days: %d, want %d", d, n, got, want)
		}
	})
}

func TestWorkingDaysBetweenCountsDayByDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, from := anyCalendar(t), anyDate(t)
		to := from + events.Date(rapid.IntRange(0, 800).Draw(t, "days"))
		want := 0
		for d := from + 1; d <= to; d++ {
			if c.IsWorkingDay(d) {
				want++
			}
		}
		if got := c.WorkingDaysBetween(from, to); got != want {
			t.Fatalf("after %d up to %d: %d, want %d", from, to, got, want)
		}
		if got := c.WorkingDaysBetween(to, from); got != -want {
			t.Fatalf("the other way round: %d", got)
		}
	})
}

// Adding and counting undo each other, over any distance.
func TestAddingAndCountingAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, d := anyCalendar(t), anyDate(t)
		n := rapid.IntRange(1, 200_000).Draw(t, "n")
		later, earlier := c.AddWorkingDays(d, n), c.AddWorkingDays(d, -n)
		if !c.IsWorkingDay(later) || !c.IsWorkingDay(earlier) {
			t.Fatalf("a day off: %s, %s", earlier, later)
		}
		if got := c.WorkingDaysBetween(d, later); got != n {
			t.Fatalf("%d working days later are %d", n, got)
		}
		if got := c.WorkingDaysBetween(earlier-1, d-1); got != n {
			t.Fatalf("%d working days before are %d", n, got)
		}
		if c.IsWorkingDay(d) && (c.AddWorkingDays(later, -n) != d || c.AddWorkingDays(earlier, n) != d) {
			t.Fatalf("%s does not come back over %d", d, n)
		}
		if c.AddWorkingDays(d, 0) != d {
			t.Fatalf("%s moves by nothing", d)
		}
	})
}

func TestFarBeyondAnyDateNothingBreaks(t *testing.T) {
	c := calendarOf(t, "MK")
	if d := c.AddWorkingDays(tableLast, math.MaxInt32); d != math.MaxInt32 {
		t.Errorf("%d", d)
	}
	if d := c.AddWorkingDays(tableFirst, -math.MaxInt32); d != math.MinInt32 {
		t.Errorf("%d", d)
	}
	if c.Year(1899) != nil || c.Year(2200) != nil || c.Year(1900) == nil || c.Year(2199) == nil {
		t.Error("the years listed are not 1900 to 2199")
	}
	for d, want := range map[string]bool{"2017-12-31": false, "2018-01-01": true, "2035-12-31": true, "2036-01-01": false} {
		if c.Covered(date(t, d)) != want {
			t.Errorf("%s: covered is not %v", d, want)
		}
	}
}

// The table, Day and Year tell the same story.
func TestDayAndYearAgreeWithTheTable(t *testing.T) {
	for _, name := range all {
		c := calendarOf(t, name)
		for y := 2016; y <= 2037; y++ {
			listed, entry := map[events.Date]bool{}, map[events.Date]Day{}
			var last events.Date
			for _, day := range c.Year(y) {
				if day.Date <= last {
					t.Fatalf("%s %d: out of order at %s", name, y, day.Date)
				}
				last = day.Date
				listed[day.Date], entry[day.Date] = true, day
				if c.IsWorkingDay(day.Date) || day.Working || day.Names["en"] == "" || day.Source == "" || day.Reason == "" || day.Reason == Weekend {
					t.Errorf("%s %+v", name, day)
				}
				if day.Substitute && (weekday(day.MovedFrom) || day.MovedFrom >= day.Date || !weekday(day.Date)) {
					t.Errorf("%s: a substitute %+v", name, day)
				}
				for _, l := range c.law.languages {
					if day.Names[l] == "" && l != "sr-Latn" && day.Reason != Decreed {
						t.Errorf("%s %s: no name in %s", name, day.Date, l)
					}
				}
			}
			for d := events.DateOf(y, 1, 1); d <= events.DateOf(y, 12, 31); d++ {
				day := c.Day(d)
				if day.Date != d || day.Working != c.IsWorkingDay(d) || day.Working != (day.Reason == "") {
					t.Fatalf("%s %s: %+v", name, d, day)
				}
				if listed[d] && !reflect.DeepEqual(day, entry[d]) {
					t.Fatalf("%s %s: %+v\nand in the year %+v", name, d, day, entry[d])
				}
				if off := listed[d] || !weekday(d); off == day.Working {
					t.Fatalf("%s %s: working is %v", name, d, day.Working)
				}
				if !listed[d] && !weekday(d) && day.Reason != Weekend {
					t.Fatalf("%s %s: %s", name, d, day.Reason)
				}
			}
		}
	}
}

func BenchmarkIsWorkingDay(b *testing.B) {
	c, d := calendarOf(b, "MK"), date(b, "2026-03-19")
	for i := 0; b.Loop(); i++ {
		c.IsWorkingDay(d + events.Date(i&255))
	}
}

func BenchmarkAddWorkingDays(b *testing.B) {
	c, d := calendarOf(b, "MK"), date(b, "2026-03-19")
	for i := 0; b.Loop(); i++ {
		c.AddWorkingDays(d, i&63-32)
	}
}

func BenchmarkWorkingDaysBetween(b *testing.B) {
	c, d := calendarOf(b, "MK"), date(b, "2026-03-19")
	for i := 0; b.Loop(); i++ {
		c.WorkingDaysBetween(d, d+events.Date(i&255))
	}
}

func BenchmarkDay(b *testing.B) {
	c, d := calendarOf(b, "AL"), date(b, "2026-03-19")
	for i := 0; b.Loop(); i++ {
		c.Day(d + events.Date(i&15))
	}
}

func BenchmarkWithDecrees(b *testing.B) {
	c, d := calendarOf(b, "AL"), date(b, "2026-10-19")
	for b.Loop() {
		c.WithDecrees(Decree{Date: d})
	}
}

func BenchmarkBuild(b *testing.B) {
	c := calendarOf(b, "AL")
	for b.Loop() {
		if _, err := build(c.law); err != nil {
			b.Fatal(err)
		}
	}
}
