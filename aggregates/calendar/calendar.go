// Package calendar says which days are working days in the six jurisdictions, by their own laws.
//
// A due date is a local date, and many are counted in working days or rolled to one; so a calendar that is wrong
// by one day makes an alert wrong by one day. Each jurisdiction's law is data in the file named after it: the
// weekend, the fixed holidays with the years in which they are in force, the days that hang on Western or Orthodox
// Easter (computed), the two Bayrams (dated, see bayram.go), what happens when a holiday falls on a weekend, and
// the days off that a government decreed for one year. Days that free the members of a community or faith but not
// the institutions (MK, ME) are left out: they suspend nothing.
//
// Coverage is 2018 to 2035. Outside those years a calendar still answers, from weekends, fixed holidays and both
// Easters under the law as it stands in the data, but it knows no Bayram and no decreed day; outside 1900 to 2199
// it knows weekends only. Covered tells the difference.
//
// Days decreed later come as events (NonWorkingDayDecreed) and are added with WithDecrees.
//
// A Calendar never changes and is safe for concurrent use. Everything here is pure.
package calendar

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones must be there on a machine without a zone database

	"traga.internal/events"
)

// The years for which Bayrams and decreed days are known.
const (
	FirstYear = 2018
	LastYear  = 2035
)

// Calendar is the working-day calendar of one jurisdiction or, for BA, of one subdivision.
type Calendar struct {
	law     *law
	zone    *time.Location
	decrees []Decree // in order of date
	days    *table
	listed  []Day // what Year answers for the covered years, in order of date
}

// Reason says why a day is not worked.
type Reason string

// Why a day is not worked. A holiday on a Saturday or Sunday is a holiday; a working day has no reason.
const (
	Weekend       Reason = "weekend"
	PublicHoliday Reason = "holiday"
	Substitute    Reason = "substitute" // only because a holiday that fell on a weekend was moved here
	Decreed       Reason = "decreed"    // a day off for this one year, by an act of government
)

// Holiday is one holiday on one date. Several can share a date.
type Holiday struct {
	Names     map[string]string // by language tag; "en" is always there
	Reason    Reason            // PublicHoliday, Substitute or Decreed
	Estimated bool              // a Bayram whose date is not confirmed yet
	MovedFrom events.Date       // for Reason Substitute: the weekend day it replaces
	Source    string            // the law or act
}

// Day is what the calendar knows about one date.
type Day struct {
	Date       events.Date
	Working    bool
	Reason     Reason            // empty on a working day
	Names      map[string]string // by language tag, several holidays joined by "; "; nil on plain days
	Estimated  bool              // one of its holidays is a Bayram whose date is not confirmed yet
	Substitute bool              // one of its holidays was moved here from a weekend
	MovedFrom  events.Date       // if Substitute: the weekend day (the first, of several)
	Source     string            // the laws or acts, joined by "; "
	Holidays   []Holiday         // one by one, in the order of the law
}

// Name is the day's name in a language, or else in the jurisdiction's own, or else in English.
func (d Day) Name(lang string, fallback ...string) string {
	for _, l := range append([]string{lang}, fallback...) {
		if n := d.Names[l]; n != "" {
			return n
		}
	}
	return d.Names["en"]
}

// UnknownError says that there is no calendar of that name, and which names there are.
type UnknownError struct {
	Jurisdiction, Subdivision string
	Expected                  []string
}

// Error names what was given and what was expected.
func (e *UnknownError) Error() string {
	expected := "expected none"
	if len(e.Expected) > 0 {
		expected = "expected one of " + strings.Join(e.Expected, ", ")
	}
	if e.Subdivision != "" {
		return fmt.Sprintf("no calendar for subdivision %q of %s: %s", e.Subdivision, e.Jurisdiction, expected)
	}
	return fmt.Sprintf("no calendar for jurisdiction %q: %s", e.Jurisdiction, expected)
}

// built holds each calendar, made when first asked for and never changed afterwards.
var built = func() map[string]func() (*Calendar, error) {
	m := map[string]func() (*Calendar, error){}
	for _, l := range laws() {
		m[l.jurisdiction+"/"+l.subdivision] = sync.OnceValues(func() (*Calendar, error) { return build(l) })
	}
	return m
}()

// For returns the calendar of a jurisdiction: AL, BA, XK, ME, MK or RS. Only BA has subdivisions: BA-BIH (the
// Federation), BA-SRP and BA-BRC. Bosnia and Herzegovina has no state law on holidays; its state institutions sit
// in Sarajevo and keep the Federation's days, so BA without a subdivision is BA-BIH.
// The same calendar is returned each time; any other name is an *UnknownError.
func For(jurisdiction, subdivision string) (*Calendar, error) {
	if !slices.Contains(Jurisdictions(), jurisdiction) {
		return nil, &UnknownError{Jurisdiction: jurisdiction, Expected: Jurisdictions()}
	}
	if jurisdiction == "BA" && subdivision == "" {
		subdivision = "BA-BIH"
	}
	get, ok := built[jurisdiction+"/"+subdivision]
	if !ok {
		return nil, &UnknownError{jurisdiction, subdivision, Subdivisions(jurisdiction)}
	}
	return get()
}

// Jurisdictions are the jurisdictions that have a calendar.
func Jurisdictions() []string { return []string{"AL", "BA", "XK", "ME", "MK", "RS"} }

// Subdivisions are those of a jurisdiction that have a calendar of their own; none but for BA.
func Subdivisions(jurisdiction string) []string {
	if jurisdiction != "BA" {
		return nil
	}
	return []string{"BA-BIH", "BA-SRP", "BA-BRC"}
}

// build lays out the law as a table. It fails only without the zone, and the zone database is embedded.
func build(l *law) (*Calendar, error) {
	zone, err := time.LoadLocation(l.zone)
	if err != nil {
		return nil, fmt.Errorf("loading the time zone of %s: %w", l.jurisdiction, err)
	}
	c := &Calendar{law: l, zone: zone, days: newTable()}
	for y := tableFirstYear; y <= tableLastYear; y++ {
		c.layOut(y)
	}
	c.days.count()
	c.list()
	return c, nil
}

// layOut takes the year's holidays out of the working days. The table's counts are stale afterwards.
func (c *Calendar) layOut(year int) {
	for _, h := range c.law.year(year, c.decrees) {
		c.days.setOff(h.date)
	}
}

// list keeps the holidays of the covered years ready, so that Day is quick.
func (c *Calendar) list() {
	for y := FirstYear; y <= LastYear; y++ {
		c.listed = append(c.listed, c.merged(y)...)
	}
}

// Jurisdiction is the two-letter code.
func (c *Calendar) Jurisdiction() string { return c.law.jurisdiction }

// Subdivision is the code of the subdivision, BA-BIH for instance, or empty.
func (c *Calendar) Subdivision() string { return c.law.subdivision }

// Zone is the time zone of the jurisdiction.
func (c *Calendar) Zone() *time.Location { return c.zone }

// Covered reports whether the calendar knows the Bayrams and decreed days of the date's year.
func (c *Calendar) Covered(d events.Date) bool {
	return d >= events.DateOf(FirstYear, time.January, 1) && d <= events.DateOf(LastYear, time.December, 31)
}

// IsWorkingDay reports whether institutions work on the day.
func (c *Calendar) IsWorkingDay(d events.Date) bool { return c.days.working(d) }

// NextWorkingDay is d itself if it is a working day, or else the first one after it.
func (c *Calendar) NextWorkingDay(d events.Date) events.Date {
	for !c.days.working(d) {
		d++
	}
	return d
}

// PrevWorkingDay is d itself if it is a working day, or else the last one before it.
func (c *Calendar) PrevWorkingDay(d events.Date) events.Date {
	for !c.days.working(d) {
		d--
	}
	return d
}

// AddWorkingDays is the n-th working day after d, or before it if n is negative. d is not counted, whether it is
// a working day or not. With n = 0 it is d itself.
func (c *Calendar) AddWorkingDays(d events.Date, n int) events.Date {
	switch {
	case n > 0:
		return c.days.nth(c.days.rank(d)+int64(n), d, n)
	case n < 0:
		return c.days.nth(c.days.rank(d-1)+int64(n)+1, d, n)
	}
	return d
}

// WorkingDaysBetween counts the working days after from, up to and including to. If to lies before from it is
// the negative of the count the other way round.
func (c *Calendar) WorkingDaysBetween(from, to events.Date) int {
	return int(c.days.rank(to) - c.days.rank(from))
}

// Start is the first instant of the local day. Days of 23 and 25 hours begin at local midnight like any other.
func (c *Calendar) Start(d events.Date) time.Time { return d.In(c.zone) }

// EndOfDay is the first instant after the local day: what is due on d is overdue from then on.
func (c *Calendar) EndOfDay(d events.Date) time.Time { return (d + 1).In(c.zone) }

// Day tells what the calendar knows about a date, with names and sources.
func (c *Calendar) Day(d events.Date) Day {
	if c.days.working(d) {
		return Day{Date: d, Working: true}
	}
	listed := c.listed
	if !c.Covered(d) {
		y, _, _ := d.Civil()
		listed = c.merged(y)
	}
	if i, ok := slices.BinarySearchFunc(listed, d, func(day Day, d events.Date) int { return int(day.Date) - int(d) }); ok {
		return listed[i].clone()
	}
	return Day{Date: d, Reason: Weekend}
}

// Year is every day of the year that has a holiday, weekends included, and every day to which one was moved, in
// order of date. Plain weekends are not listed. Outside 1900 to 2199 there is none.
func (c *Calendar) Year(y int) []Day {
	days := c.merged(y)
	for i := range days {
		days[i] = days[i].clone()
	}
	return days
}

// merged is the year with one entry for each date. The names are shared with the law.
func (c *Calendar) merged(y int) []Day {
	if y < tableFirstYear || y > tableLastYear {
		return nil
	}
	var days []Day
	for _, h := range c.law.year(y, c.decrees) {
		if n := len(days); n > 0 && days[n-1].Date == h.date {
			days[n-1].join(h.Holiday)
			continue
		}
		days = append(days, Day{Date: h.date, Reason: h.Reason, Names: maps.Clone(h.Names), Source: h.Source,
			Estimated: h.Estimated, Substitute: h.MovedFrom != 0, MovedFrom: h.MovedFrom, Holidays: []Holiday{h.Holiday}})
	}
	return days
}

// clone shares nothing with d that a caller could change.
func (d Day) clone() Day {
	d.Names = maps.Clone(d.Names)
	d.Holidays = slices.Clone(d.Holidays)
	for i := range d.Holidays {
		d.Holidays[i].Names = maps.Clone(d.Holidays[i].Names)
	}
	return d
}

// join adds a second holiday that falls on the same date.
func (d *Day) join(h Holiday) {
	d.Holidays = append(d.Holidays, h)
	d.Estimated = d.Estimated || h.Estimated
	if h.MovedFrom != 0 && !d.Substitute {
		d.Substitute, d.MovedFrom = true, h.MovedFrom
	}
	if h.Reason == PublicHoliday {
		d.Reason = PublicHoliday
	}
	if !slices.Contains(strings.Split(d.Source, "; "), h.Source) {
		d.Source += "; " + h.Source
	}
	for lang, name := range h.Names {
		if have, ok := d.Names[lang]; ok && !slices.Contains(strings.Split(have, "; "), name) {
			d.Names[lang] = have + "; " + name
		}
	}
	// A language in which only some of the names are known would hide the others.
	for lang := range d.Names {
		if h.Names[lang] == "" {
			delete(d.Names, lang)
		}
	}
}
