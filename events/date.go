package events

import (
	"errors"
	"fmt"
	"time"
)

// Date is a day of the proleptic Gregorian calendar without a time zone, as the number of days since
// 0000-12-31; the zero value is no date. Days are added and compared as numbers: d+1 is the next day.
// Which instant a date begins at is the jurisdiction's matter: see In.
type Date int32

// The range that traga accepts for a date in an event.
const (
	minYear = 1900
	maxYear = 2199
)

// DateOf makes a date. Like time.Date it accepts months and days out of range and normalizes them.
func DateOf(year int, month time.Month, day int) Date {
	return Date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()/86400 + unixEpoch)
}

// unixEpoch is 1970-01-01 as a Date.
const unixEpoch = 719163

// ErrDate is matched by the error of ParseDate.
var ErrDate = errors.New("expected a date as YYYY-MM-DD")

// ParseDate reads YYYY-MM-DD and refuses days that do not exist, such as 2026-02-30.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || len(s) != len(time.DateOnly) || t.Year() < minYear || t.Year() > maxYear {
		return 0, fmt.Errorf("%w between %d and %d, a day that exists", ErrDate, minYear, maxYear)
	}
	return Date(t.Unix()/86400 + unixEpoch), nil
}

// DateIn is the local date of an instant in a time zone.
func DateIn(t time.Time, zone *time.Location) Date {
	y, m, d := t.In(zone).Date()
	return DateOf(y, m, d)
}

// Civil returns the year, month and day.
func (d Date) Civil() (year int, month time.Month, day int) { return d.utc().Date() }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return time.Weekday(d % 7) }

// In is the instant at which the date begins in a time zone: its first instant, also where midnight does not
// exist on that day.
func (d Date) In(zone *time.Location) time.Time {
	y, m, day := d.Civil()
	t := time.Date(y, m, day, 0, 0, 0, 0, zone)
	// Where summer time begins at midnight, time.Date may answer the last hour of the day before.
	for t.Day() != day {
		t = t.Add(30 * time.Minute)
	}
	return t
}

// AddMonths adds calendar months; a day that the month lacks becomes the month's last (31 March + 1 month is
// 30 April). Negative numbers go back.
func (d Date) AddMonths(n int) Date {
	y, m, day := d.Civil()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return DateOf(first.Year(), first.Month(), min(day, last))
}

func (d Date) utc() time.Time { return time.Unix((int64(d)-unixEpoch)*86400, 0).UTC() }

// String is YYYY-MM-DD, or "" for no date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return d.utc().Format(time.DateOnly)
}

// MarshalText writes YYYY-MM-DD; no date is an empty text.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD, or an empty text as no date.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	v, err := ParseDate(string(b))
	if err == nil {
		*d = v
	}
	return err
}
