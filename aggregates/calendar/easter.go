package calendar

import (
	"time"

	"traga.internal/events"
)

// westernEaster is the Easter Sunday of the Gregorian calendar, by the arithmetic of the 1582 reform (Meeus,
// Astronomical Algorithms, chapter 8).
func westernEaster(year int) events.Date {
	golden := year % 19
	century, ofCentury := year/100, year%100
	// The lunar correction moves the full moon by 8 days in 25 centuries.
	lunar := (century - (century+8)/25 + 1) / 3
	moon := (19*golden + century - century/4 - lunar + 15) % 30
	// Days from the full moon to its Sunday.
	sunday := (32 + 2*(century%4) + 2*(ofCentury/4) - moon - ofCentury%4) % 7
	late := (golden + 11*moon + 22*sunday) / 451
	days := moon + sunday - 7*late + 114
	return events.DateOf(year, time.Month(days/31), days%31+1)
}

// orthodoxEaster is the Easter Sunday of the Julian calendar, as a Gregorian date.
func orthodoxEaster(year int) events.Date {
	moon := (19*(year%19) + 15) % 30
	sunday := (2*(year%4) + 4*(year%7) - moon + 34) % 7
	days := moon + sunday + 114
	julian := events.DateOf(year, time.Month(days/31), days%31+1)
	// How far the Julian calendar lags in spring: 13 days from 1900 to 2099, 14 in the century after.
	return julian + events.Date(year/100-year/400-2)
}
