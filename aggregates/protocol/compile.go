package protocol

import (
	"fmt"
	"slices"
	"strings"

	"traga.internal/events"
)

// ruleCompiler checks a rule part by part and remembers the first problem.
type ruleCompiler struct {
	s       sourced
	guards  map[guardKey]*guard
	problem string
}

func (c *ruleCompiler) check(ok bool, problem string) {
	if !ok && c.problem == "" {
		c.problem = problem
	}
}

func (c *ruleCompiler) err(part string, err error) {
	if err != nil {
		c.check(false, part+": "+err.Error())
	}
}

func (c *ruleCompiler) event(name string) {
	k, ok := events.KindOf(name)
	c.check(ok && k.Family == events.CaseFamily, "there is no event "+name+" in a case")
}

func (c *ruleCompiler) guard(part, source, event string) *guard {
	if source == "" || c.problem != "" {
		return nil
	}
	key := guardKey{source, event}
	if g, ok := c.guards[key]; ok {
		return g
	}
	g, err := compileGuard(source, event)
	c.err(part, err)
	if err == nil {
		c.guards[key] = g
	}
	return g
}

func (c *ruleCompiler) paths(part string, sources words, event string) []textPath {
	var paths []textPath
	for _, source := range sources {
		p, err := compileTextPath(source, event)
		c.err(part, err)
		paths = append(paths, p)
	}
	return paths
}

func (c *ruleCompiler) activation(r *rule, d activationDoc) {
	a := &r.activation
	a.each, a.counts = d.Each, d.Counts
	if a.counts == "" {
		a.counts = countsFirst
	}
	c.check(slices.Contains([]counts{countsFirst, countsNewest, countsEvery}, a.counts), "activation: counts is first, newest or every")
	c.check(slices.Contains([]string{"", eachToldBefore, eachOfTarget, eachUnderConsent}, a.each),
		"activation: each is "+eachToldBefore+", "+eachOfTarget+" or "+eachUnderConsent)
	a.releaseDate = d.ReleaseDate != ""
	c.check(!a.releaseDate || d.ReleaseDate == "known" && len(d.Event) == 0, "activation: release-date: known stands alone")
	c.check(a.releaseDate || len(d.Event) > 0, "activation: an event is needed, or release-date: known")
	for _, event := range d.Event {
		c.event(event)
		if c.problem != "" {
			return
		}
		a.triggers = append(a.triggers, trigger{event: event, when: c.guard("activation", d.When, event)})
		a.about = c.paths("activation: about", d.About, event)
		match := d.Match
		if match == nil {
			match = d.About
		}
		a.match = c.paths("activation: match", match, event)
	}
	c.check(len(d.About) == 0 || len(d.Event) == 1, "activation: about needs one single event")
}

func (c *ruleCompiler) duty(r *rule, d dutyDoc, a activationDoc) {
	role := d.Role
	r.duty = role
	switch {
	case d.Party == "":
		c.check(slices.Contains(events.Roles(), role), "duty: there is no such role")
		r.Duty = string(role)
	case d.Party == "sender":
		c.check(a.Each == eachOfTarget || a.Each == eachUnderConsent, "duty: sender needs an activation for each recipient")
		r.Duty = "the institution that shared it"
	default:
		c.check(len(a.Event) > 0, "duty: a party needs an activating event")
		if c.problem != "" {
			return
		}
		var err error
		r.party, err = compilePartyPath(d.Party, a.Event[0])
		c.err("duty", err)
		r.Duty = map[string]string{"event.recipient": "the recipient", "event.from": "the institution asked",
			"event.to": "the body appealed to", "actor": "the institution that did it"}[d.Party]
		if r.Duty == "" {
			r.Duty = "the party named as " + strings.TrimPrefix(d.Party, "event.")
		}
	}
}

func (c *ruleCompiler) due(r *rule, d *dueDoc, a activationDoc) {
	r.due = due{before: d.BeforeRelease != ""}
	text := d.After
	if r.due.before {
		text = d.BeforeRelease
		c.check(d.After == "" && d.From == "", "due: before-release or after, not both")
	}
	c.check(r.due.before == r.activation.releaseDate, "due: before-release goes with release-date: known, after with an event")
	var err error
	r.due.offset, err = parseOffset(text)
	c.err("due", err)
	c.check(r.due.unit != hours || len(d.If) == 0 && d.From == "", "due: hours stand alone")
	event := ""
	if len(a.Event) > 0 && a.Each == "" { // else no one event says by itself how long there is
		event = a.Event[0]
	}
	if d.From != "" && c.problem == "" {
		r.due.from, err = compileDatePath(d.From, event)
		c.err("due: from", err)
	}
	r.alternates = nil
	for _, alt := range d.If {
		o, err := parseOffset(alt.Then)
		c.err("due: if", err)
		c.check(alt.When != "" && o.unit != hours, "due: if: when and then are needed, and no hours")
		when := c.guard("due: if", alt.When, event)
		c.check(event != "" || when == nil || when.stateful, "due: if: the guard must read the state of the case")
		r.alternates = append(r.alternates, alternate{when: when, offset: o})
	}
}

func (c *ruleCompiler) fulfilment(r *rule, d *fulfilmentDoc) {
	acts := d.Any
	if len(d.Event) > 0 {
		c.check(len(acts) == 0, "fulfilment: event or any, not both")
		acts = []actDoc{{Event: d.Event, When: d.When, Match: d.Match}}
	}
	c.check(len(acts) > 0, "fulfilment: an event is needed")
	for _, act := range acts {
		c.check(len(act.Event) > 0, "fulfilment: an event is needed")
		for _, event := range act.Event {
			c.event(event)
			if c.problem != "" {
				return
			}
			t := trigger{event: event, when: c.guard("fulfilment", act.When, event), match: c.paths("fulfilment: match", act.Match, event)}
			c.check(len(t.match) == r.activation.matches(), fmt.Sprintf("fulfilment: match: expected %d fields, as in the activation", r.activation.matches()))
			c.check(t.when == nil || !t.when.stateful, "fulfilment: the guard can't read the state of the case")
			r.acts = append(r.acts, t)
		}
	}
	if c.problem != "" {
		return
	}
	one := len(r.acts) == 1
	c.check(one || d.Together == nil && d.Ends == "" && d.PrecededBy.Event == "", "fulfilment: together, ends and preceded-by need one single event")
	for _, source := range d.Together {
		r.together = append(r.together, c.guard("fulfilment: together", source, r.acts[0].event))
	}
	c.check(len(d.Together) <= 8 && (d.Together == nil || d.Nth == 0), "fulfilment: together: at most 8 guards, and no nth")
	r.ends = c.guard("fulfilment: ends", d.Ends, r.acts[0].event)
	c.check(slices.Contains([]notBefore{anyTime, afterActivation, afterRelease}, d.NotBefore), "fulfilment: not-before is activation or release-day")
	if d.PrecededBy.Event != "" {
		c.event(d.PrecededBy.Event)
		c.check(len(d.PrecededBy.Same) > 0, "fulfilment: preceded-by: same is needed")
		r.precededBy = d.PrecededBy.Event
		r.samePaths = c.paths("fulfilment: preceded-by", d.PrecededBy.Same, r.acts[0].event)
		r.precedingPaths = c.paths("fulfilment: preceded-by", d.PrecededBy.Same, r.precededBy)
	}
}

// matches is how many fields tie an act to the activation.
func (a *activation) matches() int {
	switch a.each {
	case eachToldBefore:
		return 1 // the institution
	case eachOfTarget, eachUnderConsent:
		return 2 // what it is about, and the institution
	}
	return len(a.match)
}

// describe says the rule in words.
func (c *ruleCompiler) describe(r *rule, d *ruleDoc) {
	since := "the event"
	if d.Due.From != "" {
		since = map[string]string{"event.admittedOn": "the admission"}[d.Due.From]
		if since == "" {
			since = "the day named as " + strings.TrimPrefix(d.Due.From, "event.")
		}
	}
	period := func(o offset) string {
		if r.due.before {
			return o.String() + " before release"
		}
		return o.String() + " after " + since
	}
	r.Period = period(r.due.offset)
	for i, alt := range r.alternates {
		r.Period += "; " + period(alt.offset) + " if " + d.Due.If[i].When
	}
	r.Activation = "release date known"
	if !r.activation.releaseDate {
		r.Activation = strings.Join(d.Activation.Event, " or ")
		if d.Activation.When != "" {
			r.Activation += " if " + d.Activation.When
		}
		switch r.activation.each {
		case eachToldBefore:
			r.Activation += ", one for each institution sent planned-release before"
		case eachOfTarget:
			r.Activation += " of an event that shares, one for each recipient"
		case eachUnderConsent:
			r.Activation += ", one for each recipient under that consent"
		}
	}
	if r.until != "" {
		r.Activation += ", until " + r.until
	}
	var acts []string
	for _, t := range r.acts {
		text := t.event
		if t.when != nil {
			text += " if " + t.when.source
		}
		acts = append(acts, text)
	}
	r.Fulfilment = strings.Join(acts, " or ")
	if r.nth > 1 {
		r.Fulfilment = fmt.Sprintf("number %d of %s", r.nth, r.Fulfilment)
	}
	for i, g := range r.together {
		r.Fulfilment += map[bool]string{true: " once each of: ", false: "; "}[i == 0] + g.source
	}
	if r.precededBy != "" {
		r.Fulfilment += ", after its " + r.precededBy
	}
	if r.ends != nil {
		r.Fulfilment += "; none remain after " + r.ends.source
	}
}
