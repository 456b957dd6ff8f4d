package consult

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/involvement"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

// List is a list over many cases for one viewer.
type List struct {
	// Only narrows the query of a read model to the cases that the viewer may open; nil for all.
	Only *projections.Selection

	desk   *Desk
	viewer access.Viewer
	sights map[sightKey]*access.Decision
}

type sightKey struct {
	jurisdiction events.Jurisdiction
	involved     bool
}

// List begins a list over many cases: it commits one look that names the query, to the access log of no one case, and says
// which cases the list may show. query is such as "alerts state=overdue"; never personal data.
func (d *Desk) List(ctx context.Context, query string, r Reason) (*List, error) {
	viewer, err := viewerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	scope := d.policies.Scope(viewer)
	l := &List{desk: d, viewer: viewer, sights: map[sightKey]*access.Decision{}}
	if l.Only, err = d.selection(ctx, viewer, &scope); err != nil {
		return nil, err
	}
	return l, d.recordList(ctx, viewer, query, &scope)
}

func (d *Desk) recordList(ctx context.Context, v access.Viewer, query string, scope *access.Scope) error {
	why := v.Justification
	if why == "" {
		why = "none stated; a list"
	}
	return d.record(ctx, v, "", "CaseConsulted", &events.CaseConsulted{View: query, Justification: why, Policy: scope.Policies})
}

// Query names a list with what it is narrowed by, name and value one after the other, for the access log. Values that are
// empty are left out; none may be personal data.
func Query(name string, by ...string) string {
	for i := 0; i+1 < len(by); i += 2 {
		if by[i+1] != "" {
			name += " " + by[i] + "=" + by[i+1]
		}
	}
	return name
}

// selection are the cases that a viewer of that scope may open.
func (d *Desk) selection(ctx context.Context, v access.Viewer, scope *access.Scope) (*projections.Selection, error) {
	if scope.All() {
		return nil, nil
	}
	s := &projections.Selection{Jurisdictions: scope.Mandate}
	if len(scope.Part) == 0 {
		return s, nil
	}
	cases, err := involvement.Cases(ctx, d.engine, v.Actor.Institution)
	if err != nil {
		return nil, err
	}
	for number := range cases {
		if j, err := events.ParseCase(number); err != nil || !slices.Contains(scope.Part, j) {
			delete(cases, number)
		}
	}
	s.Cases = cases
	return s, nil
}

// Sight is what the list may show of a case that it shows. What rests on a consent is hidden in lists: open the case.
func (l *List) Sight(number string) *access.Decision {
	j, err := events.ParseCase(number)
	if err != nil {
		return &access.Decision{}
	}
	key := sightKey{jurisdiction: j}
	if l.Only != nil {
		_, key.involved = l.Only.Cases[number]
	}
	sight := l.sights[key]
	if sight == nil {
		d := l.desk.policies.ForList(l.viewer, j, key.involved)
		sight = &d
		l.sights[key] = sight
	}
	return sight
}

// Confidential reports whether there is anything that the viewer may not know of at all in some of the list's cases; then
// Known says what of a case it may.
func (l *List) Confidential() bool {
	return slices.ContainsFunc(events.Jurisdictions(), func(j events.Jurisdiction) bool {
		for _, involved := range []bool{false, true} {
			if d := l.desk.policies.ForList(l.viewer, j, involved); d.Open && !d.KnowsOfMonitoring() {
				return true
			}
		}
		return false
	})
}

// Hide hides of a row of the list of cases what the viewer may not see: values, and when the latest entry was recorded, where
// that is one of which it may not know.
func (l *List) Hide(ctx context.Context, c *status.Case) error {
	c.Hide(l.Sight(c.Case).Hidden(c.RiskLevel))
	if l.Sight(c.Case).KnowsOfMonitoring() {
		return nil
	}
	var stream []*events.Event
	for r, err := range l.desk.log.ReadStream(ctx, events.CaseStream(c.Case), 0) {
		if err != nil {
			return err
		}
		e, err := events.Decode(&r)
		if err != nil {
			return err
		}
		stream = append(stream, e)
	}
	for _, e := range l.Known(stream) {
		if e.Revision <= c.Revision {
			c.Position, c.ChangedAt = e.Position, e.RecordedAt
		}
	}
	return nil
}

// Known leaves out of a case's events those of which the viewer may not know.
func (l *List) Known(stream []*events.Event) []*events.Event {
	h := new(history.History)
	for _, e := range stream {
		h.Evolve(e)
	}
	sight := l.desk.policies.Decide(l.viewer, access.CaseOf(h), l.desk.clock())
	return slices.DeleteFunc(slices.Clone(stream), func(e *events.Event) bool { return !sight.Knows(e) })
}

// Follower says of each event of the log whether one viewer may know that it was recorded: for the live stream and the feed.
// It is not safe for concurrent use.
type Follower struct {
	desk   *Desk
	viewer access.Viewer
	scope  access.Scope
	cases  map[string]int64
}

// Follow begins to follow the log. Nothing of it may be shown before Record.
func (d *Desk) Follow(ctx context.Context, r Reason) (*Follower, error) {
	viewer, err := viewerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Follower{desk: d, viewer: viewer, scope: d.policies.Scope(viewer)}, nil
}

// Record commits one look that names the query, as List does: once for a stream, and for a feed once for each page that
// holds something.
func (f *Follower) Record(ctx context.Context, query string) error {
	return f.desk.recordList(ctx, f.viewer, query, &f.scope)
}

// Known are those of a page's events of which the viewer may know. upTo is how far the page goes: who has a part in which
// case is known up to there.
func (f *Follower) Known(ctx context.Context, page []*events.Event, upTo events.Position) ([]*events.Event, error) {
	if f.viewer.Owner() || len(page) == 0 {
		return page, nil
	}
	if !f.scope.All() && len(f.scope.Part) > 0 {
		if err := f.desk.engine.WaitFor(ctx, upTo, involvement.Name); err != nil {
			return nil, fmt.Errorf("follow the log: %w", err)
		}
		s, err := f.desk.selection(ctx, f.viewer, &f.scope)
		if err != nil {
			return nil, err
		}
		f.cases = s.Cases
	}
	only := &projections.Selection{Jurisdictions: f.scope.Mandate, Cases: f.cases}
	var known []*events.Event
	sights := map[string]*access.Decision{} // by case, while the page lasts
	for _, e := range page {
		if !only.Has([]byte(e.Case)) {
			continue
		}
		sight := sights[e.Case]
		if sight == nil {
			var err error
			if sight, err = f.sight(ctx, e); err != nil {
				return nil, err
			}
			sights[e.Case] = sight
		}
		if sight.Knows(e) {
			known = append(known, e)
		}
	}
	return known, nil
}

// sight is what the viewer may know of the case of an event. Only where something may not be known at all the case has to
// be read for that.
func (f *Follower) sight(ctx context.Context, e *events.Event) (*access.Decision, error) {
	_, involved := f.cases[e.Case]
	sight := f.desk.policies.ForList(f.viewer, e.Jurisdiction, involved)
	if sight.KnowsOfMonitoring() {
		return &sight, nil
	}
	h := new(history.History)
	for r, err := range f.desk.log.ReadStream(ctx, e.Stream, 0) {
		if err != nil {
			return nil, err
		}
		d, err := events.Decode(&r)
		if err != nil {
			return nil, err
		}
		h.Evolve(d)
	}
	sight = f.desk.policies.Decide(f.viewer, access.CaseOf(h), f.desk.clock())
	return &sight, nil
}

// WhoLooked reads the access log of a case for one whose mandate that is, the latest look first, and commits the look at it.
// It fails as Case does; where only a stated need is missing the *DeniedError says so.
func (d *Desk) WhoLooked(ctx context.Context, l Look) ([]accesslog.Entry, error) {
	c, err := d.openLog(ctx, l)
	if err != nil {
		return nil, err
	}
	list, err := accesslog.OfCase(ctx, d.log, l.Case, l.AsOf)
	if err != nil {
		return nil, err
	}
	if !c.Sight().KnowsOfMonitoring() { // HR24, also where a jurisdiction lets a prison read the log
		list = slices.DeleteFunc(list, ofMonitoring)
	}
	return list, nil
}

// AccessLog lists who looked at the cases of a jurisdiction, and at lists of cases from one of its institutions, for one whose
// mandate that is, the latest look first. It commits the look at it, or the refusal, as List does. q names the jurisdiction.
func (d *Desk) AccessLog(ctx context.Context, q accesslog.Query, r Reason) (list []accesslog.Entry, next string, err error) {
	viewer, err := viewerOf(ctx, r)
	if err != nil {
		return nil, "", err
	}
	may, policies, forNeed := d.policies.MayReadLog(viewer, q.Jurisdiction)
	view := Query("access", "jurisdiction", string(q.Jurisdiction), "case", q.Case, "officer", someOf(q.Officer), "institution", someOf(string(q.Institution)), "kind", string(q.Kind))
	if !may {
		if err := d.record(ctx, viewer, "", "AccessDenied", &events.AccessDenied{View: view, Policy: policies}); err != nil {
			return nil, "", err
		}
		return nil, "", &DeniedError{Policies: policies, NeedsReason: forNeed}
	}
	if err := d.recordList(ctx, viewer, view, &access.Scope{Policies: policies}); err != nil {
		return nil, "", err
	}
	if list, next, err = accesslog.List(ctx, d.engine, q); err != nil {
		return nil, "", err
	}
	if sight := d.policies.ForList(viewer, q.Jurisdiction, false); !sight.KnowsOfMonitoring() {
		list = slices.DeleteFunc(list, ofMonitoring)
	}
	return list, next, nil
}

// someOf stands for a text that the one who asks typed, which may hold anything.
func someOf(text string) string {
	if text == "" {
		return ""
	}
	return "some"
}

// ofMonitoring reports whether a look was at a contact with the monitor.
func ofMonitoring(e accesslog.Entry) bool { return strings.HasPrefix(e.View, "monitoring") }

// openLog opens a case for one who may read who looked at it.
func (d *Desk) openLog(ctx context.Context, l Look) (*timeline.Case, error) {
	c, _, err := d.open(ctx, l, func(c *timeline.Case, _ *Look) error {
		if s := c.Sight(); !s.Log {
			return &DeniedError{Policies: s.LogPolicies(), NeedsReason: s.LogUnstated}
		}
		return nil
	})
	return c, err
}
