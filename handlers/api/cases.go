package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"traga.internal/events"
	"traga.internal/handlers/consult"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/timeline"
)

// CaseRead is what every read of one case takes.
type CaseRead struct {
	Seen
	Case string `path:"n" doc:"the case number" example:"MK-2026-0001"`
	At   string `query:"at" doc:"as known then: an instant, or a position; now when left out"`
}

type caseOutput struct {
	ETag string `header:"ETag" doc:"the case's revision, for If-Match"`
	Body timeline.Summary
}

type timelineInput struct {
	CaseRead
	Order string `query:"order" enum:"occurred,recorded" default:"occurred" doc:"by when it occurred, or by when it was recorded"`
	Lang  string `query:"lang" default:"en" doc:"the language of the sentences"`
}

type timelineOutput struct {
	ETag string `header:"ETag"`
	Body []timeline.Entry
}

type sharesOutput struct {
	ETag string `header:"ETag"`
	Body []timeline.Share
}

type obligationsOutput struct {
	ETag string `header:"ETag"`
	Body []timeline.Obligation
}

type knowsInput struct {
	CaseRead
	Who string `query:"who" required:"true" doc:"the institution's id" example:"mk-csw-skopje"`
}

type knowsOutput struct{ Body []timeline.Knowledge }

type diffInput struct {
	Seen
	Case string `path:"n" doc:"the case number"`
	From string `query:"from" required:"true" doc:"an instant or a position"`
	To   string `query:"to" doc:"an instant or a position; now when left out"`
	Lang string `query:"lang" default:"en" doc:"the language of the sentences"`
}

type explainInput struct {
	CaseRead
	Obligation string `path:"obligation" doc:"the duty, such as acknowledge/n-csw-1"`
}

type explainOutput struct{ Body timeline.Explanation }

type accessOutput struct{ Body []accesslog.Entry }

type diffOutput struct{ Body timeline.Difference }

func (a *api) caseRoutes(h huma.API) {
	get := func(id, path, summary, description string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: "/v1/cases/{n}" + path, Summary: summary,
			Description: description, Tags: []string{"One case"}, Errors: []int{404}}
	}
	operation(a, h, get("case", "", "Where a case stands", "Status, phase, release date, and how many duties are pending, due soon, overdue and done."),
		func(ctx context.Context, in *CaseRead) (*caseOutput, error) {
			c, err := a.readAt(ctx, in, "case")
			if err != nil {
				return nil, err
			}
			s := c.Show()
			return &caseOutput{ETag: etag(s.Revision), Body: s}, nil
		})
	operation(a, h, get("case-timeline", "/timeline", "What happened", "Every entry as it was first recorded, with what corrected or annulled it."),
		func(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
			c, err := a.readAt(ctx, &in.CaseRead, "timeline")
			if err == nil {
				err = c.ReadTraining(ctx)
			}
			if err != nil {
				return nil, err
			}
			return &timelineOutput{ETag: etag(c.Revision()), Body: c.Timeline(in.Lang, timeline.Order(in.Order))}, nil
		})
	operation(a, h, get("case-shares", "/shares", "Who shared what with whom", "One row for each recipient, as corrected by then; annulled entries are left out."),
		func(ctx context.Context, in *CaseRead) (*sharesOutput, error) {
			c, err := a.readAt(ctx, in, "shares")
			if err != nil {
				return nil, err
			}
			return &sharesOutput{ETag: etag(c.Revision()), Body: c.Shares()}, nil
		})
	operation(a, h, get("case-obligations", "/obligations", "Who must do what by when", "Every duty that the protocol laid on someone in this case."),
		func(ctx context.Context, in *CaseRead) (*obligationsOutput, error) {
			c, err := a.readAt(ctx, in, "obligations")
			if err != nil {
				return nil, err
			}
			return &obligationsOutput{ETag: etag(c.Revision()), Body: c.Obligations()}, nil
		})
	operation(a, h, get("case-knows", "/knows", "What an institution can know", "By direct sharing or onward sharing; what was known stays known after a recall."),
		func(ctx context.Context, in *knowsInput) (*knowsOutput, error) {
			c, err := a.readAt(ctx, &in.CaseRead, "knows")
			if err != nil {
				return nil, err
			}
			return &knowsOutput{Body: c.Knows(events.Institution(in.Who))}, nil
		})
	operation(a, h, get("case-obligation", "/obligations/{obligation...}", "Why a duty is due when it is", "Which entry activated it, how the due date was computed, and what fulfilled it."),
		func(ctx context.Context, in *explainInput) (*explainOutput, error) {
			c, err := a.readAt(ctx, &in.CaseRead, "obligation")
			if err != nil {
				return nil, err
			}
			why, ok := c.Explain(in.Obligation)
			if !ok {
				return nil, problem("not-found", "The case has no such duty.")
			}
			return &explainOutput{Body: why}, nil
		})
	operation(a, h, get("case-access", "/access", "Who looked at the case, when and why", "The latest look first, with refused looks and exports. For those whose mandate it is to ask: "+
		"the ombudsman, the data protection authority, the court and, for a stated need, the directorate. It is no statistic of anyone's work."),
		func(ctx context.Context, in *CaseRead) (*accessOutput, error) {
			at, err := asOf("at", in.At)
			if err != nil {
				return nil, err
			}
			look, err := a.look(ctx, in.Case, "access", at, &in.Seen)
			if err != nil {
				return nil, err
			}
			list, err := a.desk.WhoLooked(ctx, look)
			return &accessOutput{Body: list}, err
		})
	operation(a, h, get("case-diff", "/diff", "What changed between two points of view", "In state, duties and knowledge."),
		func(ctx context.Context, in *diffInput) (*diffOutput, error) {
			from, err := asOf("from", in.From)
			if err != nil {
				return nil, err
			}
			to, err := asOf("to", in.To)
			if err != nil {
				return nil, err
			}
			look, err := a.look(ctx, in.Case, "diff", to, &in.Seen)
			if err != nil {
				return nil, err
			}
			before, after, err := a.desk.Between(ctx, look, from)
			if err != nil {
				return nil, err
			}
			return &diffOutput{Body: after.Diff(before, in.Lang)}, nil
		})
}

// readAt folds the case for the one who asks, as it was known at the point of view that the request names.
func (a *api) readAt(ctx context.Context, in *CaseRead, view string) (*timeline.Case, error) {
	at, err := asOf("at", in.At)
	if err != nil {
		return nil, err
	}
	look, err := a.look(ctx, in.Case, view, at, &in.Seen)
	if err != nil {
		return nil, err
	}
	return a.desk.Case(ctx, look)
}

// look is the look at a case that a request asks for, once what it waits for can be read.
func (a *api) look(ctx context.Context, number, view string, at events.AsOf, s *Seen) (consult.Look, error) {
	if _, err := events.ParseCase(number); err != nil {
		return consult.Look{}, err
	}
	reason, err := s.reason()
	if err != nil {
		return consult.Look{}, err
	}
	return consult.Look{Case: number, View: view, AsOf: at, Reason: reason}, a.upTo(ctx, *s)
}
