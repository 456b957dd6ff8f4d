package regional

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// Period is by what the performance is told beside all time.
type Period string

// The periods.
const (
	Years    Period = "year"
	Quarters Period = "quarter"
)

// ErrPeriod says that a period is none of those there are.
var ErrPeriod = errors.New("period: expected year or quarter")

// ParsePeriod reads year or quarter; nothing means year.
func ParsePeriod(s string) (Period, error) {
	switch p := Period(s); p {
	case Years, Quarters:
		return p, nil
	case "":
		return Years, nil
	}
	return "", ErrPeriod
}

// Query says what is wanted. Empty fields do not narrow.
type Query struct {
	// AsOf is as known when; Now is the clock when AsOf is now.
	AsOf events.AsOf
	Now  time.Time
	// Period is Years or Quarters; Years if empty.
	Period Period
	// Jurisdiction narrows what is shown, never what is suppressed.
	Jurisdiction events.Jurisdiction
	// Lang is the language tag of the rules' titles; English if empty or unknown.
	Lang string
}

// Comparison is the regional matrix: the JSON of `traga matrix`.
type Comparison struct {
	// AsOf is the instant judged by.
	AsOf          time.Time      `json:"asOf"`
	Jurisdictions []Jurisdiction `json:"jurisdictions"`
	// Rules are in the order of the default protocol's table; rules that only some publish come after the one that
	// they follow there.
	Rules []Rule `json:"rules"`
	// Note says how to read the figures, Footnote belongs to every mention of Kosovo*.
	Note     string `json:"note"`
	Footnote string `json:"footnote"`
}

// Jurisdiction is one of those compared, with the protocol in force there on its local day.
type Jurisdiction struct {
	Code events.Jurisdiction `json:"code"`
	Name string              `json:"name"`
	// Note is what is particular to it, empty where nothing is.
	Note     string   `json:"note"`
	Protocol Protocol `json:"protocol"`
}

// Protocol is a version of a protocol.
type Protocol struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source"`
	Digest  string `json:"digest"`
	// Default: it is the one shipped with traga, and no version published by the jurisdiction is in force. Then
	// EffectiveFrom and PublishedAt are null.
	Default       bool         `json:"default"`
	EffectiveFrom *events.Date `json:"effectiveFrom"`
	PublishedAt   *time.Time   `json:"publishedAt"`
}

// Rule is a row of the matrix.
type Rule struct {
	Rule  string `json:"rule"`
	Title string `json:"title"`
	// Cells are the jurisdictions, in the order of Comparison.Jurisdictions.
	Cells []Cell `json:"cells"`
	// Total is the performance of all six together, over all time.
	Total Performance `json:"total"`
}

// Cell is a rule in a jurisdiction. Where it is not in force, only the performance is told: of what it once
// activated.
type Cell struct {
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	InForce      bool                `json:"inForce"`
	// Duty is the role that must act, or in words the party that must; Toward the counterpart, null where there is none.
	Duty   string       `json:"duty"`
	Toward *events.Role `json:"toward"`
	// Period is by when, in plain English.
	Period   string            `json:"period"`
	Severity protocol.Severity `json:"severity"`
	// Source is where the rule comes from; for a rule of the shipped protocol, that it is a default.
	Source  string `json:"source"`
	Version string `json:"version"`

	Performance Performance         `json:"performance"` // over all time
	ByPeriod    []PeriodPerformance `json:"byPeriod"`
}

// DefaultSource is the source of every rule that a jurisdiction has not published itself.
const DefaultSource = "default, to be replaced by the jurisdiction's SOP"

// note is how to read the figures.
const note = "Shares are of the duties that fell due: met in time, met late, missed (still undone when the case was closed) or overdue. " +
	"Waived and cancelled duties are told apart. The lead time is the days between doing a duty and its due date: positive before it, negative after it. " +
	"Numbers about fewer than 5 duties or fewer than 5 cases, none included, are not shown, nor are those from which they could be found by subtraction. " +
	"Default periods stand until a jurisdiction publishes its own."

// Matrix compares the protocols in force, rule by rule, with how the duties were met: all as known at q.AsOf. book
// holds what was published and decreed so far (its later parts are left out); nil means as the log of e says. It
// needs the projection obligations.
func Matrix(ctx context.Context, e *projections.Engine, book *protocol.Book, q Query) (Comparison, error) {
	at, err := e.Clock(ctx, q.AsOf, q.Now)
	if err != nil {
		return Comparison{}, fmt.Errorf("compare the protocols: %w", err)
	}
	if book == nil {
		if book, err = e.BookAt(ctx, q.AsOf); err != nil {
			return Comparison{}, fmt.Errorf("compare the protocols: %w", err)
		}
	}
	book = book.AsKnown(q.AsOf)
	measured, err := measure(ctx, e, q.AsOf, at)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{AsOf: at.UTC(), Jurisdictions: []Jurisdiction{}, Rules: []Rule{}, Note: note, Footnote: calendar.Footnote}
	var lands []inForce
	for _, j := range events.Jurisdictions() {
		lands = append(lands, inForceIn(book, j, events.DateIn(at, book.Zone(j))))
	}
	shown := slices.DeleteFunc(slices.Clone(lands), func(l inForce) bool { return q.Jurisdiction != "" && q.Jurisdiction != l.Code })
	for i := range shown {
		c.Jurisdictions = append(c.Jurisdictions, shown[i].Jurisdiction)
	}
	for _, id := range order(lands, measured) {
		r := measured.rule(id)
		if r.total.parts == nil { // nothing of it has fallen due
			measured.settle(r)
		}
		row := Rule{Rule: id, Title: title(book, lands, id, q.Lang), Total: r.total.figures()}
		for i := range shown {
			cell := shown[i].cell(id)
			cell.Performance = r.lands[cell.Jurisdiction].total.figures()
			cell.ByPeriod = measured.byPeriod(r.lands[cell.Jurisdiction], q.Period)
			row.Cells = append(row.Cells, cell)
		}
		c.Rules = append(c.Rules, row)
	}
	return c, nil
}

// inForce is a jurisdiction with the rules in force there.
type inForce struct {
	Jurisdiction
	source string
	rules  []protocol.Rule
}

func inForceIn(book *protocol.Book, j events.Jurisdiction, on events.Date) inForce {
	set := book.InForce(j, on)
	l := inForce{source: set.Source, rules: set.Rules(), Jurisdiction: Jurisdiction{Code: j, Name: nameOf(j), Note: noteOn(j),
		Protocol: Protocol{Name: set.Protocol, Version: set.Version, Source: set.Source, Digest: set.Digest, Default: true}}}
	for _, e := range book.Editions(j) {
		if e.RuleSet == set && !e.PublishedAt.IsZero() {
			l.Protocol.Default, l.Protocol.EffectiveFrom, l.Protocol.PublishedAt = false, &e.From, &e.PublishedAt
		}
	}
	return l
}

// nameOf a jurisdiction. Kosovo* always has its asterisk, and the answer its footnote.
func nameOf(j events.Jurisdiction) string {
	switch j {
	case "AL":
		return "Albania"
	case "BA":
		return "Bosnia and Herzegovina"
	case "ME":
		return "Montenegro"
	case "MK":
		return "North Macedonia"
	case "RS":
		return "Serbia"
	case "XK":
		return "Kosovo*"
	}
	return string(j)
}

func noteOn(j events.Jurisdiction) string {
	if subs := calendar.Subdivisions(string(j)); len(subs) > 0 {
		return "One protocol for all subdivisions (" + strings.Join(subs, ", ") + "); their working days differ, so the same period may end on another day."
	}
	return ""
}

// cell is a rule as it is in force there; the performance is left to the caller.
func (l *inForce) cell(id string) Cell {
	c := Cell{Jurisdiction: l.Code}
	steps := l.steps(id)
	if len(steps) == 0 {
		return c
	}
	r := steps[0]
	c.InForce, c.Duty, c.Period, c.Severity, c.Source, c.Version = true, r.Duty, periodInWords(steps), r.Severity, r.Source, l.Protocol.Version
	if r.Toward != "" {
		c.Toward = &r.Toward
	}
	if l.Protocol.Default && (r.Source == "" || r.Source == l.source) {
		c.Source = DefaultSource
	}
	return c
}

// steps are the rules of that id: of a series there is one for each step.
func (l *inForce) steps(id string) []protocol.Rule {
	var steps []protocol.Rule
	for i := range l.rules {
		if l.rules[i].ID == id {
			steps = append(steps, l.rules[i])
		}
	}
	return steps
}

// order is the ids of all rules that are in force anywhere or once were and activated something: each after the
// rule that it follows where it first is met; those that are in force nowhere at the end.
func order(lands []inForce, measured *record) []string {
	var ids []string
	for i := range lands {
		place := 0
		for _, r := range lands[i].rules {
			if have := slices.Index(ids, r.ID); have >= 0 {
				place = have + 1
				continue
			}
			ids = slices.Insert(ids, place, r.ID)
			place++
		}
	}
	var former []string
	for id := range measured.rules {
		if !slices.Contains(ids, id) {
			former = append(former, id)
		}
	}
	slices.Sort(former)
	return append(ids, former...)
}

// title is that of the rule in the first jurisdiction that has it, now or in an earlier version.
func title(book *protocol.Book, lands []inForce, id, lang string) string {
	for i := range lands {
		if steps := lands[i].steps(id); len(steps) > 0 {
			return inLanguage(steps[0].Titles, lang)
		}
	}
	for i := range lands {
		for _, e := range slices.Backward(book.Editions(lands[i].Code)) {
			for _, r := range e.Rules() {
				if r.ID == id {
					return inLanguage(r.Titles, lang)
				}
			}
		}
	}
	return id
}

func inLanguage(titles map[string]string, lang string) string {
	base, _, _ := strings.Cut(lang, "-")
	for _, tag := range []string{lang, base} {
		if t := titles[tag]; t != "" {
			return t
		}
	}
	return titles["en"]
}
