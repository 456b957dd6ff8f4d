package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"traga.internal/events"
	"traga.internal/projections/regional"
)

type comparisonInput struct {
	ListRead
	Period string `query:"period" enum:"year,quarter" default:"year" doc:"by which periods the performance is told beside all time"`
	Lang   string `query:"lang" default:"en" doc:"the language of the rules' titles"`
}

type comparisonOutput struct{ Body regional.Comparison }

type toolsOutput struct{ Body []regional.Tool }

// regionalRoutes are what the region is compared by.
func (a *api) regionalRoutes(h huma.API) {
	operation(a, h, huma.Operation{OperationID: "matrix", Method: http.MethodGet, Path: "/v1/matrix", Tags: []string{"The region"},
		Summary:     "The six protocols side by side",
		Description: "Rule by rule: in force or not, period, source, and how the duties were met. Small numbers are not shown, so that no one can be recognised."},
		func(ctx context.Context, in *comparisonInput) (*comparisonOutput, error) {
			at, err := a.point(ctx, &in.ListRead)
			if err != nil {
				return nil, err
			}
			c, err := regional.Matrix(ctx, a.engine, nil, regional.Query{AsOf: at, Now: a.clock(), Period: regional.Period(in.Period),
				Jurisdiction: events.Jurisdiction(in.Jurisdiction), Lang: in.Lang})
			return &comparisonOutput{Body: c}, err
		})
	operation(a, h, huma.Operation{OperationID: "tools", Method: http.MethodGet, Path: "/v1/tools", Tags: []string{"The region"},
		Summary:     "The screening and assessment tools in use",
		Description: "In which versions, where, how often contested and with what outcome, and by how many trained officers. Small numbers are not shown."},
		func(ctx context.Context, in *ListRead) (*toolsOutput, error) {
			at, err := a.point(ctx, in)
			if err != nil {
				return nil, err
			}
			tools, err := regional.Tools(ctx, a.engine, regional.Query{AsOf: at, Now: a.clock(), Jurisdiction: events.Jurisdiction(in.Jurisdiction)})
			return &toolsOutput{Body: tools}, err
		})
}
