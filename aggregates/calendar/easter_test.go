package calendar

import (
	"testing"
	"time"

	"traga.internal/events"
)

func TestEastersOfKnownYears(t *testing.T) {
	for _, x := range []struct{ western, orthodox string }{
		{"1900-04-15", "1900-04-22"},
		{"1954-04-18", "1954-04-25"}, // where Gauss's rule alone would be a week late
		{"1981-04-19", "1981-04-26"}, // likewise
		{"2008-03-23", "2008-04-27"},
		{"2018-04-01", "2018-04-08"},
		{"2019-04-21", "2019-04-28"},
		{"2020-04-12", "2020-04-19"},
		{"2021-04-04", "2021-05-02"},
		{"2022-04-17", "2022-04-24"},
		{"2023-04-09", "2023-04-16"},
		{"2024-03-31", "2024-05-05"},
		{"2025-04-20", "2025-04-20"},
		{"2026-04-05", "2026-04-12"},
		{"2027-03-28", "2027-05-02"},
		{"2035-03-25", "2035-04-29"},
		{"2038-04-25", "2038-04-25"},
		{"2100-03-28", "2100-05-02"}, // the Julian calendar still 13 days behind, in spring 14
	} {
		w, o := date(t, x.western), date(t, x.orthodox)
		year, _, _ := w.Civil()
		if westernEaster(year) != w || orthodoxEaster(year) != o {
			t.Errorf("%d: %s and %s, want %s and %s", year, westernEaster(year), orthodoxEaster(year), w, o)
		}
	}
}

// Easter is the Sunday after the full moon on or after 21 March, the full moon being the fourteenth day of a moon
// laid down by tables. That, worked out day by day from the tables, is another algorithm than Meeus's.
func TestEastersAreTheSundayAfterTheTabularFullMoon(t *testing.T) {
	for year := 1900; year <= 2199; year++ {
		// Julian: the nineteen dates of the full moon, in days after 21 March.
		julianMoon := []int{15, 4, 23, 12, 1, 20, 9, 28, 17, 6, 25, 14, 3, 22, 11, 0, 19, 8, 27}
		lag := 13
		if year >= 2100 {
			lag = 14
		}
		moon := events.DateOf(year, time.March, 21+julianMoon[year%19]+lag)
		if want := sundayAfter(moon); orthodoxEaster(year) != want {
			t.Errorf("%d: Orthodox Easter is %s, want %s", year, orthodoxEaster(year), want)
		}

		// Gregorian: the epact, the moon's age on 1 January, by Clavius's tables of solar and lunar equations.
		epact := (11*(year%19) + 29) % 30 // 1900 to 2199
		days := (53 - epact) % 30         // from 21 March to the fourteenth day of the moon
		if epact == 24 || epact == 25 && year%19 >= 11 {
			days-- // so that no two full moons of a cycle share a date and none is later than 18 April
		}
		moon = events.DateOf(year, time.March, 21+days)
		if want := sundayAfter(moon); westernEaster(year) != want {
			t.Errorf("%d: Western Easter is %s, want %s", year, westernEaster(year), want)
		}

		for _, e := range []events.Date{westernEaster(year), orthodoxEaster(year)} {
			if e.Weekday() != time.Sunday {
				t.Errorf("%s is no Sunday", e)
			}
		}
		if orthodoxEaster(year) < westernEaster(year) {
			t.Errorf("%d: Orthodox Easter is the earlier", year)
		}
	}
}

func sundayAfter(d events.Date) events.Date {
	for d++; d.Weekday() != time.Sunday; d++ {
	}
	return d
}
