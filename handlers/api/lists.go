package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/handlers/consult"
	"traga.internal/projections"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/obligations"
	verdicts "traga.internal/projections/safeguards"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

// ListRead is what every list over all cases takes.
type ListRead struct {
	Seen
	At           string `query:"at" doc:"as known then: an instant, or a position; now when left out"`
	Jurisdiction string `query:"jurisdiction" enum:"AL,BA,XK,ME,MK,RS" doc:"only this one"`
}

// Paged is what a list takes that comes in pages.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"how many at most"`
	Cursor string `query:"cursor" doc:"continues after a page before; see its Link: rel=next"`
}

type casesInput struct {
	ListRead
	Paged
	Status string `query:"status" enum:"open,closed" doc:"only these"`
	Phase  string `query:"phase" enum:"intake,treatment,pre-release,released,post-penal,closed" doc:"only those in this phase"`
	Search string `query:"q" doc:"a part of the case number"`
}

type casesOutput struct {
	Link []string `header:"Link"`
	Body []status.Case
}

type alertsInput struct {
	ListRead
	Paged
	State       string `query:"state" enum:"overdue,due-soon,all" default:"all" doc:"only these"`
	Institution string `query:"institution" doc:"the institution that must act"`
}

type alertsOutput struct {
	Link []string `header:"Link"`
	Body []obligations.Alert
}

type matrixOutput struct{ Body []sharing.Flow }

type safeguardsInput struct {
	ListRead
	Paged
	Case      string `query:"case" doc:"only this case, all of it in one page"`
	Safeguard string `query:"safeguard" pattern:"^HR(0[1-9]|1[0-9]|2[0-9])$" doc:"only this one, HR01 to HR29"`
	Verdict   string `query:"verdict" enum:"pass,fail,open,not-applicable" doc:"only these"`
}

type safeguardsOutput struct {
	Link []string `header:"Link"`
	Body []safeguards.Verdict
}

type accessLogInput struct {
	Why
	Paged
	At           string `query:"at" doc:"as known then: an instant, or a position; now when left out"`
	Jurisdiction string `query:"jurisdiction" required:"true" enum:"AL,BA,XK,ME,MK,RS" doc:"of the cases that were looked at"`
	Case         string `query:"case" doc:"only looks at this case"`
	Officer      string `query:"officer" doc:"only looks of this officer"`
	Institution  string `query:"institution" doc:"only looks from this institution"`
	Kind         string `query:"kind" enum:"consulted,denied,exported" doc:"only these"`
	From         string `query:"from" doc:"only looks from this instant on"`
	Until        string `query:"until" doc:"only looks before this instant"`
}

type accessLogOutput struct {
	Link []string `header:"Link"`
	Body []accesslog.Entry
}

type projectionsOutput struct{ Body []projections.Status }

func (a *api) listRoutes(h huma.API) {
	get := func(id, path, summary, description string, errors ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Description: description,
			Tags: []string{"All cases"}, Errors: errors}
	}
	operation(a, h, get("cases", "/v1/cases", "The cases", "By case number."), a.cases)
	operation(a, h, get("alerts", "/v1/alerts", "What is overdue or due soon", "Most urgent first: overdue before due soon, the gravest first, then the longest overdue."), a.alerts)
	operation(a, h, get("sharing-matrix", "/v1/sharing-matrix", "Who shares which categories with whom", "How many disclosures, and in how many cases."),
		func(ctx context.Context, in *ListRead) (*matrixOutput, error) {
			at, err := a.point(ctx, in)
			if err != nil {
				return nil, err
			}
			list, err := a.list(ctx, in, "sharing-matrix")
			if err != nil {
				return nil, err
			}
			cells, err := sharing.Matrix(ctx, a.engine, sharing.Query{AsOf: at, Jurisdiction: events.Jurisdiction(in.Jurisdiction), Only: list.Only})
			return &matrixOutput{Body: cells}, err
		})
	operation(a, h, get("safeguards", "/v1/safeguards", "Whether the safeguards hold", "By case number, then by safeguard; each with the entries that show it and one plain sentence.", 404),
		a.safeguards)
	operation(a, h, get("access-log", "/v1/access", "Who looked at cases, when and why", "Looks at the cases of a jurisdiction and at lists of cases, refused looks and exports, the latest first. "+
		"For those whose mandate it is to ask; it is no statistic of anyone's work."), a.accessLog)
	operation(a, h, get("projections", "/v1/projections", "How far the read models have come", ""),
		func(ctx context.Context, _ *struct{}) (*projectionsOutput, error) {
			list, err := a.engine.List(ctx)
			return &projectionsOutput{Body: list}, err
		})
}

func (a *api) accessLog(ctx context.Context, in *accessLogInput) (*accessLogOutput, error) {
	at, err := asOf("at", in.At)
	if err != nil {
		return nil, err
	}
	reason, err := in.reason()
	if err != nil {
		return nil, err
	}
	q := accesslog.Query{Case: in.Case, Jurisdiction: events.Jurisdiction(in.Jurisdiction), Officer: in.Officer, Institution: events.Institution(in.Institution),
		Kind: accesslog.Kind(in.Kind), AsOf: at, Limit: in.Limit, Cursor: in.Cursor}
	if in.Case != "" {
		if _, err := events.ParseCase(in.Case); err != nil {
			return nil, err
		}
	}
	for name, bound := range map[string]struct {
		text string
		into *time.Time
	}{"from": {in.From, &q.From}, "until": {in.Until, &q.Until}} {
		if bound.text == "" {
			continue
		}
		if *bound.into, err = time.Parse(time.RFC3339Nano, bound.text); err != nil {
			return nil, &events.FieldError{Field: name, Expected: "an instant with its time zone, such as 2026-03-02T10:15:00+01:00"}
		}
	}
	list, next, err := a.desk.AccessLog(ctx, q, reason)
	if errors.Is(err, accesslog.ErrCursor) {
		err = badCursor()
	}
	return &accessLogOutput{Link: nextLink("/v1/access", next, url.Values{"at": {in.At}, "jurisdiction": {in.Jurisdiction}, "case": {in.Case}, "officer": {in.Officer},
		"institution": {in.Institution}, "kind": {in.Kind}, "from": {in.From}, "until": {in.Until}}, in.Limit), Body: list}, err
}

// point is the point of view of a list, once the read models have come as far as the request wants.
func (a *api) point(ctx context.Context, in *ListRead) (events.AsOf, error) {
	at, err := asOf("at", in.At)
	if err != nil {
		return at, err
	}
	return at, a.upTo(ctx, in.Seen)
}

func (a *api) cases(ctx context.Context, in *casesInput) (*casesOutput, error) {
	at, err := a.point(ctx, &in.ListRead)
	if err != nil {
		return nil, err
	}
	look, err := a.list(ctx, &in.ListRead, "cases", "status", in.Status, "phase", in.Phase, "number", about(in.Search))
	if err != nil {
		return nil, err
	}
	list, next, err := status.List(ctx, a.engine, status.Query{AsOf: at, Jurisdiction: events.Jurisdiction(in.Jurisdiction),
		Status: in.Status, Phase: in.Phase, Text: in.Search, Only: look.Only, Limit: in.Limit, Cursor: in.Cursor})
	if errors.Is(err, status.ErrCursor) {
		err = badCursor()
	}
	for i := range list {
		if err := look.Hide(ctx, &list[i]); err != nil {
			return nil, err
		}
	}
	return &casesOutput{Link: nextLink("/v1/cases", next, url.Values{"at": {in.At}, "jurisdiction": {in.Jurisdiction}, "status": {in.Status},
		"phase": {in.Phase}, "q": {in.Search}}, in.Limit), Body: list}, err
}

func (a *api) alerts(ctx context.Context, in *alertsInput) (*alertsOutput, error) {
	at, err := a.point(ctx, &in.ListRead)
	if err != nil {
		return nil, err
	}
	look, err := a.list(ctx, &in.ListRead, "alerts", "state", in.State, "institution", about(in.Institution))
	if err != nil {
		return nil, err
	}
	list, next, err := obligations.Alerts(ctx, a.engine, obligations.Query{State: protocol.State(in.State), Institution: events.Institution(in.Institution),
		Jurisdiction: events.Jurisdiction(in.Jurisdiction), Only: look.Only, AsOf: at, Now: a.clock(), Limit: in.Limit, Cursor: in.Cursor})
	if errors.Is(err, obligations.ErrCursor) {
		err = badCursor()
	}
	return &alertsOutput{Link: nextLink("/v1/alerts", next, url.Values{"at": {in.At}, "jurisdiction": {in.Jurisdiction}, "state": {in.State},
		"institution": {in.Institution}}, in.Limit), Body: list}, err
}

func (a *api) safeguards(ctx context.Context, in *safeguardsInput) (*safeguardsOutput, error) {
	q := verdicts.Query{Jurisdiction: events.Jurisdiction(in.Jurisdiction), Safeguard: in.Safeguard, Verdict: in.Verdict,
		Now: a.clock(), Limit: in.Limit, Cursor: in.Cursor}
	if in.Case != "" { // one case is read straight from the log, and must be there
		c, err := a.readAt(ctx, &CaseRead{Case: in.Case, At: in.At, Seen: in.Seen}, "safeguards")
		if err != nil {
			return nil, err
		}
		all, err := c.Safeguards(ctx)
		return &safeguardsOutput{Body: slices.DeleteFunc(all, func(v safeguards.Verdict) bool { return !q.Wants(&v) })}, err
	}
	at, err := a.point(ctx, &in.ListRead)
	if err != nil {
		return nil, err
	}
	q.AsOf = at
	look, err := a.list(ctx, &in.ListRead, "safeguards", "safeguard", in.Safeguard, "verdict", in.Verdict)
	if err != nil {
		return nil, err
	}
	confidential := look.Confidential()
	if q.Only = look.Only; confidential {
		q.Hidden, q.Known = []string{"HR24"}, look.Known
	}
	list, next, err := a.verdicts.List(ctx, q)
	if errors.Is(err, verdicts.ErrCursor) {
		err = badCursor()
	}
	for i := range list {
		timeline.MaskVerdict(&list[i], !confidential, look.Sight(list[i].Case).Log)
	}
	return &safeguardsOutput{Link: nextLink("/v1/safeguards", next, url.Values{"at": {in.At}, "jurisdiction": {in.Jurisdiction},
		"safeguard": {in.Safeguard}, "verdict": {in.Verdict}}, in.Limit), Body: list}, err
}

// list begins a list over many cases for the one who asks: it is on record by its name and by what it is narrowed by,
// name and value one after the other.
func (a *api) list(ctx context.Context, in *ListRead, name string, by ...string) (*consult.List, error) {
	reason, err := in.reason()
	if err != nil {
		return nil, err
	}
	return a.desk.List(ctx, consult.Query(name, append([]string{"jurisdiction", in.Jurisdiction, "at", in.At}, by...)...), reason)
}

// about stands for a text that the one who asks typed, which may hold anything.
func about(text string) string {
	if text == "" {
		return ""
	}
	return "some"
}

func badCursor() error {
	return &events.FieldError{Field: "cursor", Expected: "the cursor of a page before, as its Link gave it"}
}

// nextLink is the Link header to the next page; none at the end of the list.
func nextLink(path, next string, query url.Values, limit int) []string {
	if next == "" {
		return nil
	}
	for k, v := range query {
		if v[0] == "" {
			query.Del(k)
		}
	}
	query.Set("limit", strconv.Itoa(limit))
	query.Set("cursor", next)
	return []string{linkTo(path, query)}
}

func linkTo(path string, query url.Values) string {
	return "<" + path + "?" + query.Encode() + `>; rel="next"`
}
