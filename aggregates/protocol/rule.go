package protocol

import (
	"fmt"
	"strconv"
	"strings"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

// Rule is one rule of a protocol, as a reader sees it: who must do what by when.
type Rule struct {
	ID string `json:"id"`
	// Titles are by language; "en" is always there. The others are machine-assisted, to be reviewed by native speakers.
	Titles   map[string]string `json:"titles"`
	Severity Severity          `json:"severity"`
	// Duty is the role that must act, or in words the party that must.
	Duty string `json:"duty"`
	// Toward is the counterpart; empty where the rule names none.
	Toward events.Role `json:"toward,omitzero"`
	// Activation, Period and Fulfilment say in plain words what makes the obligation, by when it is due, and what
	// fulfils it.
	Activation string `json:"activation"`
	Period     string `json:"period"`
	Fulfilment string `json:"fulfilment"`
	// Source is where the rule comes from, or that it is a default.
	Source string `json:"source"`
}

// rule is a rule made ready to be evaluated. Series rules (post-penal-review) are one rule for each step.
type rule struct {
	Rule
	order int // place in the table

	activation activation
	duty       events.Role
	party      partyPath // the one named party that has the duty; nil where a role has it
	due        due
	alternates []alternate
	until      string // the type of event that ends it undone
	forGood    bool   // nothing after that event activates or fulfils it

	acts []trigger // what fulfils it
	// step is the part of the id that a series gives it.
	step       string
	nth        int
	together   []*guard
	notBefore  notBefore
	ends       *guard
	precededBy string // the type of event that must have come before the act
	// samePaths of the act and precedingPaths of the event before it must read the same.
	samePaths, precedingPaths []textPath

	warning    warning
	escalation escalation
}

type activation struct {
	releaseDate bool // activated when the release date is known
	triggers    []trigger
	about       []textPath
	match       []textPath
	each        string
	counts      counts
}

// counts says which of several activations of one obligation holds.
type counts string

const (
	countsFirst  counts = "first"  // by occurrence
	countsNewest counts = "newest" // the newest replaces the old
	countsEvery  counts = "every"  // each makes an obligation of its own, numbered by occurrence
)

// The sets that an activation can make one obligation for each of.
const (
	eachToldBefore   = "institution-told-before" // sent a planned-release notification before the event
	eachOfTarget     = "recipient-of-target"     // of what was corrected or annulled
	eachUnderConsent = "recipient-under-consent" // of what was shared on the withdrawn consent
)

// trigger is a type of event with a guard and, for fulfilments, what ties it to an activation.
type trigger struct {
	event string
	when  *guard // nil where every event of the type will do
	match []textPath
}

// notBefore says from when on an act can fulfil a rule.
type notBefore string

const (
	anyTime         notBefore = ""
	afterActivation notBefore = "activation"
	afterRelease    notBefore = "release-day"
)

// unit is what an offset counts.
type unit string

const (
	days        unit = "days"
	workingDays unit = "working days"
	months      unit = "months"
	hours       unit = "hours"
)

// offset is a period such as "3 working days".
type offset struct {
	n    int
	unit unit
}

func parseOffset(s string) (offset, error) {
	number, what, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(number)
	o := offset{n: n}
	switch strings.TrimSuffix(what, "s") {
	case "day":
		o.unit = days
	case "working day":
		o.unit = workingDays
	case "month":
		o.unit = months
	case "year":
		o.unit, o.n = months, 12*n
	case "hour":
		o.unit = hours
	default:
		err = strconv.ErrSyntax
	}
	if err != nil || n < 1 || n > 36500 {
		return offset{}, fmt.Errorf("expected a period such as 3 working days, 15 days, 6 months, 5 years or 72 hours")
	}
	return o, nil
}

// String is the period in words: "3 working days", "1 month", "5 years".
func (o offset) String() string {
	n, u := o.n, string(o.unit)
	if o.unit == months && n%12 == 0 && n > 12 {
		n, u = n/12, "years"
	}
	if n == 1 {
		u = strings.TrimSuffix(u, "s")
	}
	return strconv.Itoa(n) + " " + u
}

// atLeast reports whether the offset is as long as so many calendar days.
func (o offset) atLeast(calendarDays int) bool {
	switch o.unit {
	case days:
		return o.n >= calendarDays
	case months:
		return o.n*30 >= calendarDays
	case hours:
		return o.n >= calendarDays*24
	}
	return o.n*7/5 >= calendarDays
}

// due is how a due date is found: an offset before the release or after the activation.
type due struct {
	offset
	before bool     // before the release
	from   datePath // a date that the activating event names; nil for its own local day
}

// alternate is another offset that holds under a guard.
type alternate struct {
	when *guard
	offset
}

// plain is the due date before compression: the offset counted and rolled to a working day.
func (o offset) plain(cal *calendar.Calendar, base events.Date, before bool) events.Date {
	sign := 1
	if before {
		sign = -1
	}
	var d events.Date
	switch o.unit {
	case workingDays:
		return cal.AddWorkingDays(base, sign*o.n)
	case days:
		d = base + events.Date(sign*o.n)
	case months:
		d = base.AddMonths(sign * o.n)
	}
	if before {
		return cal.PrevWorkingDay(d)
	}
	return cal.NextWorkingDay(d)
}

// warning is how long before the due date an obligation becomes due-soon.
type warning struct {
	long, from, short offset
}

func (w warning) lead(o offset) offset {
	if o.atLeast(w.from.n) {
		return w.long
	}
	return w.short
}

// escalation is whom an overdue obligation is escalated to, after how many working days.
type escalation struct {
	to    [3]events.Role
	after [3]int
}
