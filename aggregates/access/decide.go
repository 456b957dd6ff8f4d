package access

import (
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"

	"traga.internal/events"
)

// Viewer is who wants to see something, and why.
type Viewer struct {
	Actor events.Actor
	// Justification is the need as the viewer states it; empty when none was stated.
	Justification string
	Purpose       events.Purpose
	// Machine says that a system asks, and no person.
	Machine bool
}

// JurisdictionOf is where an institution is, by the first part of its id (mk-csw-skopje); empty where that is none of the
// six. A mandate holds in the jurisdiction of the institution only.
func JurisdictionOf(i events.Institution) events.Jurisdiction {
	code, _, ok := strings.Cut(string(i), "-")
	j := events.Jurisdiction(strings.ToUpper(code))
	if !ok || code != strings.ToLower(code) || !slices.Contains(events.Jurisdictions(), j) {
		return ""
	}
	return j
}

// needStated reports whether the viewer states a need (safeguards.md, settled points).
func (v *Viewer) needStated() bool { return strings.TrimSpace(v.Justification) != "" }

// Owner reports whether it is the owner of an installation without sign-in, who sees everything.
func (v *Viewer) Owner() bool { return v.Actor.Role == events.System }

// The actions and resources that policies speak of.
const (
	actOpen        = "open"
	actKnow        = "know"
	actSee         = "see" // stands for in full and in summary
	actSeeInFull   = "see-in-full"
	actSeeSummary  = "see-summary"
	actSeeEnvelope = "see-envelope"
	actReadLog     = "read-access-log"

	entryOwn          = "own"
	entryConfidential = "confidential-complaint-about-the-reader"
)

// Level is how much of a category is shown.
type Level uint8

// The levels.
const (
	Nothing    Level = iota // that something is hidden, and whom to ask
	Summarised              // values from a closed list; see the package comment
	InFull
)

// Decision is what a viewer may see of one case: what the policies say of it, once. It is made for one answer, and is not safe
// for concurrent use.
type Decision struct {
	// Open says whether the case may be opened at all. Where it is false nothing else is true.
	Open bool
	// Involved says that it may be opened as its institution has a part in the case, and not by a mandate alone.
	Involved bool
	// Policies are the ids of the policies that decided, sorted: for the access log.
	Policies []string
	// Unstated are the categories of which more would be shown for a stated need.
	Unstated []events.Category
	// Log says whether the viewer may read who looked at the case; LogUnstated, that a stated need would allow it.
	Log, LogUnstated bool

	viewer   Viewer
	facts    *Case
	policies *Policies
	levels   [12]Level
	full     bool            // own entries are shown in full
	secret   bool            // confidential complaints about the viewer's institution are hidden
	known    map[string]bool // by type of event, whether it may be known of
}

// question is one question to the policies. Two that are equal have the same answer: it holds all that a policy can see.
type question struct {
	jurisdiction events.Jurisdiction
	actor        events.Actor
	machine      bool
	needStated   bool
	purpose      events.Purpose
	action       string
	kind         cedar.EntityType // of the resource
	name         string
	involved     bool
	consented    bool
}

type answer struct {
	allowed  bool
	policies []string
}

// mostKnown bounds what is remembered of earlier questions.
const mostKnown = 50_000

// ask asks the policies. A policy that can't be evaluated denies: what it would have said is not known.
func (p *Policies) ask(q question) answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a, ok := p.known[q]; ok {
		return a
	}
	a := p.setOf(q.jurisdiction).evaluate(q)
	if len(p.known) >= mostKnown {
		clear(p.known)
	}
	p.known[q] = a
	return a
}

func (s *policySet) evaluate(q question) answer {
	uid := func(kind cedar.EntityType, id string) cedar.EntityUID {
		return cedar.NewEntityUID(kind, cedar.String(id))
	}
	text := func(s string) cedar.Value { return cedar.String(s) }
	principal, action, resource := uid("Officer", q.actor.Officer), uid("Action", q.action), uid(q.kind, q.name)
	entities := cedar.EntityMap{
		principal: {UID: principal, Parents: cedar.NewEntityUIDSet(uid("Role", string(q.actor.Role))), Attributes: cedar.NewRecord(cedar.RecordMap{
			"role": text(string(q.actor.Role)), "institution": text(string(q.actor.Institution)),
			"jurisdiction": text(string(JurisdictionOf(q.actor.Institution))), "machine": cedar.Boolean(q.machine)})},
		resource: {UID: resource, Attributes: cedar.NewRecord(cedar.RecordMap{
			"jurisdiction": text(string(q.jurisdiction)), "involved": cedar.Boolean(q.involved), "consented": cedar.Boolean(q.consented)})},
	}
	for _, part := range []string{actSeeInFull, actSeeSummary} {
		entities[uid("Action", part)] = cedar.Entity{UID: uid("Action", part), Parents: cedar.NewEntityUIDSet(uid("Action", actSee))}
	}
	decision, why := cedar.Authorize(s.policies, entities, cedar.Request{Principal: principal, Action: action, Resource: resource,
		Context: cedar.NewRecord(cedar.RecordMap{"needStated": cedar.Boolean(q.needStated), "purpose": text(string(q.purpose))})})
	a := answer{allowed: bool(decision) && len(why.Errors) == 0}
	for _, r := range why.Reasons {
		a.policies = append(a.policies, string(r.PolicyID))
	}
	for _, e := range why.Errors {
		a.policies = append(a.policies, string(e.PolicyID))
	}
	slices.Sort(a.policies)
	a.policies = slices.Compact(a.policies)
	return a
}

func (v *Viewer) question(j events.Jurisdiction, involved bool, action string, kind cedar.EntityType, name string) question {
	return question{jurisdiction: j, actor: v.Actor, machine: v.Machine, needStated: v.needStated(), purpose: v.Purpose, action: action,
		kind: kind, name: name, involved: involved}
}

// Decide says what the viewer may see of the case at an instant: now, whatever the point of view of the read. Consents
// are those that stand then.
func (p *Policies) Decide(v Viewer, c *Case, at time.Time) Decision {
	d := Decision{viewer: v, facts: c, policies: p, known: map[string]bool{}}
	involved := c.Involves(v.Actor.Institution)
	open := p.ask(v.question(c.Jurisdiction, involved, actOpen, "Case", ""))
	d.Open, d.Involved, d.Policies = open.allowed, involved, slices.Clone(open.policies)
	if !d.Open {
		if len(d.Policies) == 0 {
			d.Policies = []string{NoPolicy}
		}
		return d
	}
	for i, category := range events.Categories() {
		q := v.question(c.Jurisdiction, involved, actSeeInFull, "Category", string(category))
		q.consented = c.consented(v.Actor.Role, category, at)
		var by []string
		if d.levels[i], by = p.level(q); d.levels[i] == Nothing && len(by) == 0 {
			q.action = actSeeEnvelope
			by = p.ask(q).policies
		}
		d.Policies = append(d.Policies, by...)
		if !q.needStated {
			q.action, q.needStated = actSeeInFull, true
			if more, _ := p.level(q); more > d.levels[i] {
				d.Unstated = append(d.Unstated, category)
			}
		}
	}
	slices.Sort(d.Policies)
	d.Policies = slices.Compact(d.Policies)
	d.full = p.ask(v.question(c.Jurisdiction, involved, actSeeInFull, "Entry", entryOwn)).allowed
	confidential := p.ask(v.question(c.Jurisdiction, involved, actSeeInFull, "Entry", entryConfidential))
	d.secret = !confidential.allowed && len(confidential.policies) > 0
	q := v.question(c.Jurisdiction, involved, actReadLog, "Case", "")
	d.Log = p.ask(q).allowed
	q.needStated = true
	d.LogUnstated = !d.Log && p.ask(q).allowed
	return d
}

// NoPolicy stands in the access log where no policy allowed the look.
const NoPolicy = "no-policy-allows-it"

// level is how much the policies show, and which said so.
func (p *Policies) level(q question) (Level, []string) {
	full := p.ask(q)
	if full.allowed {
		return InFull, full.policies
	}
	q.action = actSeeSummary
	summary := p.ask(q)
	if summary.allowed {
		return Summarised, summary.policies
	}
	return Nothing, append(slices.Clone(full.policies), summary.policies...)
}

// MayReadLog says whether the viewer may read who looked at the cases of a jurisdiction, by which policies, and whether a
// stated need would allow it where none was stated.
func (p *Policies) MayReadLog(v Viewer, j events.Jurisdiction) (may bool, policies []string, forNeed bool) {
	q := v.question(j, false, actReadLog, "Case", "")
	a := p.ask(q)
	q.needStated = true
	policies = slices.Clone(a.policies)
	if len(policies) == 0 {
		policies = []string{NoPolicy}
	}
	return a.allowed, policies, !a.allowed && p.ask(q).allowed
}

// LogPolicies are the ids of the policies by which the viewer may, or may not, read who looked at the case.
func (d *Decision) LogPolicies() []string {
	by := d.policies.ask(d.viewer.question(d.facts.Jurisdiction, d.Involved, actReadLog, "Case", "")).policies
	if len(by) == 0 {
		return []string{NoPolicy}
	}
	return slices.Clone(by)
}

// Level is how much of the category the viewer may see in this case.
func (d *Decision) Level(c events.Category) Level {
	i := slices.Index(events.Categories(), c)
	if i < 0 || !d.Open {
		return Nothing
	}
	return d.levels[i]
}

// Scope says which cases a viewer may open: what a list over many cases shows.
type Scope struct {
	// Mandate are the jurisdictions whose cases it may open without a part in them, Part those whose cases it may open
	// where its institution has a part in them. Both are sorted.
	Mandate, Part []events.Jurisdiction
	// Policies are the ids of the policies that decided, sorted.
	Policies []string
}

// Scope says which cases the viewer may open.
func (p *Policies) Scope(v Viewer) Scope {
	var s Scope
	for _, j := range events.Jurisdictions() {
		mandate := p.ask(v.question(j, false, actOpen, "Case", ""))
		part := p.ask(v.question(j, true, actOpen, "Case", ""))
		if mandate.allowed {
			s.Mandate = append(s.Mandate, j)
			s.Policies = append(s.Policies, mandate.policies...)
		} else if part.allowed {
			s.Part = append(s.Part, j)
			s.Policies = append(s.Policies, part.policies...)
		}
	}
	slices.Sort(s.Policies)
	s.Policies = slices.Compact(s.Policies)
	if len(s.Policies) == 0 {
		s.Policies = []string{NoPolicy}
	}
	return s
}

// All reports whether every case may be opened.
func (s *Scope) All() bool { return len(s.Mandate) == len(events.Jurisdictions()) }

// ForList decides what a list shows of a case that is in the viewer's scope: consents are not looked at there, so that what
// rests on one is hidden until the case itself is opened.
func (p *Policies) ForList(v Viewer, j events.Jurisdiction, involved bool) Decision {
	c := &Case{Jurisdiction: j, involved: map[events.Institution]bool{v.Actor.Institution: involved}}
	return p.Decide(v, c, time.Time{})
}
