package web

import (
	"context"
	"slices"

	"traga.internal/events"
	"traga.internal/handlers/consult"
	"traga.internal/projections/status"
)

// casesPage is how many cases one page of the list shows.
const casesPage = 50

// caseList is the list of cases with what it is filtered by.
type caseList struct {
	Query    status.Query
	Statuses []string
	Phases   []string
	Rows     []caseRow
	Next     string
}

type caseRow struct {
	status.Case
	Name string // of the institution
}

// some stands for a text that the reader typed, which may hold anything.
func some(typed string) string {
	if typed == "" {
		return ""
	}
	return "some"
}

func (s *site) cases(ctx context.Context, p *page) error {
	q := status.Query{Jurisdiction: events.Jurisdiction(p.query("jurisdiction")), Status: p.query("status"), Phase: p.query("phase"),
		Text: p.query("q"), AsOf: p.asOf, Limit: casesPage, Cursor: p.query("cursor")}
	if err := p.checkJurisdiction(q.Jurisdiction); err != nil {
		return err
	}
	l := &caseList{Query: q, Statuses: []string{"open", "closed"},
		Phases: []string{"intake", "treatment", "pre-release", "released", "post-penal", "closed"}}
	if !slices.Contains(l.Statuses, q.Status) {
		q.Status = ""
	}
	if !slices.Contains(l.Phases, q.Phase) {
		q.Phase = ""
	}
	l.Query = q
	known, err := s.names(ctx, p.asOf)
	if err != nil {
		return err
	}
	look, err := s.desk.List(ctx, consult.Query("cases", "jurisdiction", string(q.Jurisdiction), "status", q.Status, "phase", q.Phase, "number", some(q.Text), "at", p.At()), consult.Reason{})
	if err != nil {
		return err
	}
	q.Only = look.Only
	rows, next, err := s.lists.Cases(ctx, q)
	if err != nil {
		return err
	}
	for _, c := range rows {
		if err := look.Hide(ctx, &c); err != nil {
			return err
		}
		l.Rows = append(l.Rows, caseRow{c, known.of(c.Institution, p.Language())})
	}
	l.Next = next
	p.show("cases", p.T("cases.title"), "cases", l)
	if !p.Past() {
		p.Live = "/v1/stream"
	}
	return nil
}
