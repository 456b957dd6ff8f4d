package web

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/regional"
)

// compared is what the page of the region reads.
type compared interface {
	Matrix(ctx context.Context, book *protocol.Book, q regional.Query) (regional.Comparison, error)
	Tools(ctx context.Context, q regional.Query) ([]regional.Tool, error)
}

// comparisons reads them from the engine's projections.
type comparisons struct{ engine *projections.Engine }

func (c comparisons) Matrix(ctx context.Context, book *protocol.Book, q regional.Query) (regional.Comparison, error) {
	return regional.Matrix(ctx, c.engine, book, q)
}

func (c comparisons) Tools(ctx context.Context, q regional.Query) ([]regional.Tool, error) {
	return regional.Tools(ctx, c.engine, q)
}

// region is the protocols side by side, or one of them over time, and the tools in use.
type region struct {
	Focus  events.Jurisdiction // empty: all six
	Year   string              // empty: all time
	Differ bool                // only the rules in which the protocols differ
	Years  []string            // that can be chosen
	// Unlisted: of the chosen year there are no figures.
	Unlisted  bool
	Protocols []protocolRow
	Columns   []regionColumn
	Rules     []regionRule
	Differing int // how many rules differ
	All       int // how many rules there are
	Tools     []toolGroup
}

// protocolRow is the protocol in force in a jurisdiction.
type protocolRow struct {
	regional.Jurisdiction
	Source       string // empty where it says no more than that it is a default
	Subdivisions string
}

// regionColumn is a jurisdiction, or a period of the one in focus, or the total.
type regionColumn struct {
	Code    events.Jurisdiction
	Name    string
	Version string // of the protocol in force; only where jurisdictions are compared
	Total   bool   // not one of those compared: all that they add up to
}

// regionRule is a row: a rule with what most of the protocols, or the one in focus, ask.
type regionRule struct {
	ID, Title string
	Terms     terms
	Usual     *terms // what most ask, where the one in focus asks something else
	InForce   bool   // anywhere, or where the focus is
	Differs   bool
	Cells     []regionCell
	Empty     bool // no cell has anything to say
}

// regionCell is a rule in a column.
type regionCell struct {
	Column  regionColumn
	InForce bool
	Other   []otherTerm // what it asks that most do not
	Figures figures
}

// terms are what a rule asks.
type terms struct{ Period, Duty, Toward, Severity, Source string }

// otherTerm is a term that is not as in most of the protocols: Kind is by-when, who, toward, severity or source.
type otherTerm struct{ Kind, Value string }

var yearAsked = regexp.MustCompile(`^(?:19|20)\d\d$`)

func (s *site) region(ctx context.Context, p *page) error {
	r := &region{Focus: events.Jurisdiction(p.query("jurisdiction")), Year: p.query("period"), Differ: p.query("rules") == "differ"}
	if err := p.checkJurisdiction(r.Focus); err != nil {
		return err
	}
	if r.Year != "" && !yearAsked.MatchString(r.Year) {
		return &failure{status: http.StatusBadRequest, message: "error.period"}
	}
	// All six are always read: only then is it known in which rules the one in focus differs from the others.
	q := regional.Query{AsOf: p.asOf, Now: p.now, Period: regional.Years, Lang: p.Language()}
	m, err := s.compared.Matrix(ctx, p.rules, q)
	if err != nil {
		return err
	}
	r.Years = yearsOf(m)
	if r.Year != "" && !slices.Contains(r.Years, r.Year) {
		r.Unlisted, r.Years = true, append(r.Years, r.Year)
	}
	var quarters regional.Comparison
	if r.Focus != "" && r.Year != "" {
		q.Period, q.Jurisdiction = regional.Quarters, r.Focus
		if quarters, err = s.compared.Matrix(ctx, p.rules, q); err != nil {
			return err
		}
	}
	tools, err := s.compared.Tools(ctx, regional.Query{AsOf: p.asOf, Now: p.now, Jurisdiction: r.Focus})
	if err != nil {
		return err
	}
	r.Tools = p.toolGroups(tools)
	for _, j := range m.Jurisdictions {
		if r.Focus == "" || r.Focus == j.Code {
			r.Protocols = append(r.Protocols, protocolRow{j, p.source(j.Protocol.Source), strings.Join(calendar.Subdivisions(string(j.Code)), ", ")})
		}
	}
	r.Columns = p.regionColumns(r)
	for _, rule := range m.Rules {
		row := p.regionRule(r, rule)
		if r.Focus == "" {
			for i, c := range rule.Cells {
				row.Cells[i].Figures = p.figures(during(c, r.Year))
			}
			if r.Year == "" {
				row.Cells[len(rule.Cells)].Figures = p.figures(rule.Total)
			}
		} else {
			i := slices.IndexFunc(rule.Cells, func(c regional.Cell) bool { return c.Jurisdiction == r.Focus })
			for n, figures := range overTime(rule, rule.Cells[max(0, i)], quarters, r) {
				row.Cells[n].Figures = p.figures(figures)
			}
		}
		row.Empty = !slices.ContainsFunc(row.Cells, func(c regionCell) bool {
			return !c.Figures.Few || len(c.Other) > 0 || !c.InForce && row.InForce
		})
		r.All++
		if row.Differs {
			r.Differing++
		}
		if row.Differs || !r.Differ {
			r.Rules = append(r.Rules, row)
		}
	}
	p.show("region", p.T("region.title"), "region", r)
	return nil
}

// yearsOf are the years of which figures are listed.
func yearsOf(m regional.Comparison) []string {
	var years []string
	for _, r := range m.Rules {
		for _, c := range r.Cells {
			for _, y := range c.ByPeriod {
				years = append(years, y.Period)
			}
		}
	}
	slices.Sort(years)
	return slices.Compact(years)
}

// during is the performance of a cell in a year, or over all time; what is not listed is not shown.
func during(c regional.Cell, period string) regional.Performance {
	if period == "" {
		return c.Performance
	}
	for _, p := range c.ByPeriod {
		if p.Period == period {
			return p.Performance
		}
	}
	return regional.Performance{Suppressed: true}
}

// overTime are the figures of the jurisdiction in focus: over all time and each year, and of all six together; or
// over a year and each of its quarters. They stand in the order of regionColumns.
func overTime(rule regional.Rule, c regional.Cell, quarters regional.Comparison, r *region) []regional.Performance {
	if r.Year == "" {
		list := []regional.Performance{c.Performance}
		for _, y := range r.Years {
			list = append(list, during(c, y))
		}
		return append(list, rule.Total)
	}
	list := []regional.Performance{during(c, r.Year)}
	var parts regional.Cell
	for _, q := range quarters.Rules {
		if q.Rule == rule.Rule && len(q.Cells) > 0 {
			parts = q.Cells[0]
		}
	}
	for _, n := range []string{"1", "2", "3", "4"} {
		list = append(list, during(parts, r.Year+"-Q"+n))
	}
	return list
}

func (p *page) regionColumns(r *region) []regionColumn {
	var list []regionColumn
	switch {
	case r.Focus == "":
		for _, j := range r.Protocols {
			list = append(list, regionColumn{Code: j.Code, Name: p.Jurisdiction(j.Code), Version: j.Protocol.Version})
		}
		if r.Year == "" {
			list = append(list, regionColumn{Name: p.T("region.all-six"), Total: true})
		}
	case r.Year == "":
		list = append(list, regionColumn{Code: r.Focus, Name: p.T("region.all-time")})
		for _, y := range r.Years {
			list = append(list, regionColumn{Code: r.Focus, Name: y})
		}
		list = append(list, regionColumn{Name: p.T("region.all-six-all-time"), Total: true})
	default:
		list = append(list, regionColumn{Code: r.Focus, Name: p.T("region.whole-year", r.Year)})
		for n := range 4 {
			list = append(list, regionColumn{Code: r.Focus, Name: p.T("region.quarter", n+1, r.Year)})
		}
	}
	return list
}

// regionRule is a row without its figures.
func (p *page) regionRule(r *region, rule regional.Rule) regionRule {
	all := make([]terms, len(rule.Cells))
	for i, c := range rule.Cells {
		all[i] = terms{Period: c.Period, Duty: c.Duty, Severity: string(c.Severity), Source: p.source(c.Source)}
		if c.Toward != nil {
			all[i].Toward = string(*c.Toward)
		}
	}
	usual := func(of func(terms) string) string { // what most of those ask in which the rule is in force, of equal ones the first
		best, most := "", 0
		for i := range all {
			n := 0
			for k := range all {
				if rule.Cells[i].InForce && rule.Cells[k].InForce && of(all[i]) == of(all[k]) {
					n++
				}
			}
			if n > most {
				best, most = of(all[i]), n
			}
		}
		return best
	}
	row := regionRule{ID: rule.Rule, Title: directory.Starred(rule.Title), Terms: terms{
		Period: usual(func(t terms) string { return t.Period }), Duty: usual(func(t terms) string { return t.Duty }),
		Toward: usual(func(t terms) string { return t.Toward }), Severity: usual(func(t terms) string { return t.Severity }),
		Source: usual(func(t terms) string { return t.Source })}}
	anywhere := false
	for i, c := range rule.Cells {
		other := difference(row.Terms, all[i])
		anywhere = anywhere || c.InForce
		row.Differs = row.Differs || !c.InForce || len(other) > 0
		if r.Focus == "" {
			cell := regionCell{Column: r.Columns[i], InForce: c.InForce}
			if c.InForce {
				cell.Other = other
			}
			row.Cells = append(row.Cells, cell)
		}
	}
	if row.InForce = anywhere; r.Focus == "" {
		if r.Year == "" {
			row.Cells = append(row.Cells, regionCell{Column: r.Columns[len(r.Columns)-1], InForce: anywhere})
		}
		row.Differs = row.Differs && anywhere
		return row
	}
	for i, c := range rule.Cells {
		if c.Jurisdiction != r.Focus {
			continue
		}
		own, usual := all[i], row.Terms
		row.InForce, row.Differs = c.InForce, anywhere && !c.InForce
		if c.InForce {
			row.Terms = own
			if own != usual {
				row.Usual, row.Differs = &usual, true
			}
		}
	}
	for _, c := range r.Columns {
		row.Cells = append(row.Cells, regionCell{Column: c, InForce: row.InForce || c.Total})
	}
	return row
}

// difference is what a protocol asks that most do not.
func difference(usual, own terms) []otherTerm {
	var list []otherTerm
	for _, t := range []struct{ kind, usual, own string }{{"by-when", usual.Period, own.Period}, {"who", usual.Duty, own.Duty},
		{"toward", usual.Toward, own.Toward}, {"severity", usual.Severity, own.Severity}, {"source", usual.Source, own.Source}} {
		if t.usual != t.own {
			list = append(list, otherTerm{t.kind, t.own})
		}
	}
	return list
}

// source is where a rule or a protocol comes from; empty for a default.
func (p *page) source(s string) string {
	if s == regional.DefaultSource {
		return ""
	}
	return directory.Starred(s)
}

// toolGroup is a version of a tool, with where it is used.
type toolGroup struct {
	Tool, Version, Kind string
	Rows                []regional.Tool
}

func (p *page) toolGroups(tools []regional.Tool) []toolGroup {
	var list []toolGroup
	for _, t := range tools {
		g := toolGroup{Tool: directory.Starred(t.Tool), Version: directory.Starred(t.Version), Kind: t.Kind}
		if n := len(list); n == 0 || list[n-1].Tool != g.Tool || list[n-1].Version != g.Version || list[n-1].Kind != g.Kind {
			list = append(list, g)
		}
		list[len(list)-1].Rows = append(list[len(list)-1].Rows, t)
	}
	return list
}
