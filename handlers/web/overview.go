package web

import (
	"context"
	"net/http"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/consult"
	"traga.internal/projections/obligations"
)

const (
	// overduePage is how many overdue duties one page of the overview shows, and soonPage how many due soon.
	overduePage = 200
	soonPage    = 60
)

// overview is what is overdue and due soon over all cases.
type overview struct {
	Filter      alertFilter
	Overdue     int
	Critical    int
	DueSoon     int
	Open        int
	LastEntry   time.Time // zero where it is not shown
	Groups      []group   // of the overdue
	Shown       int
	Next        string
	Soon        []alertRow
	SoonGoesOn  bool
	Institution string // the one that is filtered by, in words
}

type alertFilter struct {
	Jurisdiction events.Jurisdiction
	Institution  events.Institution
}

// group is what is overdue at one institution.
type group struct {
	Institution  events.Institution // empty where nobody holds the duty yet
	Name         string
	Jurisdiction events.Jurisdiction
	Overdue      int
	Critical     int
	Rows         []alertRow
}

// alertRow is one alert in words.
type alertRow struct {
	obligations.Alert
	Title  string
	About  string
	Holder string
}

func (s *site) overview(ctx context.Context, p *page) error {
	f := alertFilter{events.Jurisdiction(p.query("jurisdiction")), events.Institution(p.query("institution"))}
	if err := p.checkJurisdiction(f.Jurisdiction); err != nil {
		return err
	}
	known, err := s.names(ctx, p.asOf)
	if err != nil {
		return err
	}
	o := &overview{Filter: f}
	if f.Institution != "" {
		o.Institution = known.of(f.Institution, p.Language())
	}
	look, err := s.desk.List(ctx, consult.Query("overview", "jurisdiction", string(f.Jurisdiction), "institution", some(string(f.Institution)), "at", p.At()), consult.Reason{})
	if err != nil {
		return err
	}
	loads, err := s.lists.Loads(ctx, look.Only, p.asOf, p.now)
	if err != nil {
		return err
	}
	byHolder := map[holder]obligations.Load{}
	for _, l := range loads {
		if f.Jurisdiction != "" && l.Jurisdiction != f.Jurisdiction || f.Institution != "" && l.Institution != f.Institution {
			continue
		}
		byHolder[holder{l.Institution, l.Jurisdiction}] = l
		o.Overdue, o.Critical, o.DueSoon = o.Overdue+l.Overdue, o.Critical+l.Critical, o.DueSoon+l.DueSoon
	}
	if o.Open, err = s.lists.OpenCases(ctx, look.Only, f.Jurisdiction, p.asOf); err != nil {
		return err
	}
	if !p.Past() && !look.Confidential() { // the latest may be one of which the reader may not know
		if o.LastEntry, err = s.lists.LastEntry(ctx, look.Only); err != nil {
			return err
		}
	}
	q := obligations.Query{State: protocol.Overdue, Jurisdiction: f.Jurisdiction, Institution: f.Institution, AsOf: p.asOf, Now: p.now,
		Only: look.Only, Limit: overduePage, Cursor: p.query("cursor")}
	overdue, next, err := s.lists.Alerts(ctx, q)
	if err != nil {
		return err
	}
	o.Groups, o.Shown, o.Next = p.groups(overdue, known, byHolder), len(overdue), next
	q.State, q.Limit, q.Cursor = protocol.DueSoon, soonPage, ""
	soon, more, err := s.lists.Alerts(ctx, q)
	if err != nil {
		return err
	}
	for _, a := range soon {
		o.Soon = append(o.Soon, p.alertRow(a, known))
	}
	o.SoonGoesOn = more != ""
	p.show("overview", p.T("overview.title"), "overview", o)
	if !p.Past() && q.Cursor == "" && p.query("cursor") == "" {
		p.Live = "/v1/stream"
	}
	return nil
}

type holder struct {
	institution  events.Institution
	jurisdiction events.Jurisdiction
}

// groups puts alerts together by who must act. The list comes most urgent first, and so the group with the most
// urgent alert comes first.
func (p *page) groups(alerts []obligations.Alert, known names, loads map[holder]obligations.Load) []group {
	var groups []group
	at := map[holder]int{}
	for _, a := range alerts {
		h := holder{jurisdiction: a.Jurisdiction}
		if a.DutyHolder != nil {
			h.institution = *a.DutyHolder
		}
		i, ok := at[h]
		if !ok {
			i = len(groups)
			at[h] = i
			l := loads[h]
			groups = append(groups, group{Institution: h.institution, Jurisdiction: h.jurisdiction, Overdue: l.Overdue, Critical: l.Critical,
				Name: p.holder(h.institution, known)})
		}
		groups[i].Rows = append(groups[i].Rows, p.alertRow(a, known))
	}
	return groups
}

func (p *page) holder(i events.Institution, known names) string {
	if i == "" {
		return p.T("holder.none")
	}
	return known.of(i, p.Language())
}

func (p *page) alertRow(a obligations.Alert, known names) alertRow {
	r := alertRow{Alert: a, Title: p.ruleTitle(a.Jurisdiction, a.Rule), About: p.about(a.Obligation, known)}
	if a.DutyHolder != nil {
		r.Holder = p.holder(*a.DutyHolder, known)
	} else {
		r.Holder = p.Role(a.Duty)
	}
	return r
}

// checkJurisdiction refuses a filter that is none of the six.
func (p *page) checkJurisdiction(j events.Jurisdiction) error {
	if j != "" {
		if _, err := events.ParseCase(string(j) + "-0"); err != nil {
			return &failure{status: http.StatusBadRequest, message: "error.jurisdiction"}
		}
	}
	return nil
}
