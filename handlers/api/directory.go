package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"traga.internal/events"
	"traga.internal/projections/registers"
)

type directoryInput struct {
	Jurisdiction string `path:"j" enum:"AL,BA,XK,ME,MK,RS" doc:"the jurisdiction"`
	At           string `query:"at" doc:"as known then: an instant, or a position; now when left out"`
}

type directoryOutput struct {
	ETag string `header:"ETag" doc:"the directory's revision; none while it is empty"`
	Body *registers.View
}

type directoryWrite struct {
	Jurisdiction   string `path:"j" enum:"AL,BA,XK,ME,MK,RS" doc:"the jurisdiction"`
	IfMatch        string `header:"If-Match" doc:"the directory's revision that the writer has seen, as its ETag says, or * for any; required"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"a key of the caller's own: repeating the request with it records nothing twice"`
	RawBody        []byte
}

type directoryCheck struct {
	Jurisdiction string `path:"j" enum:"AL,BA,XK,ME,MK,RS" doc:"the jurisdiction"`
	RawBody      []byte
}

// directoryRoutes are who is who: institutions, officers and their training.
func (a *api) directoryRoutes(h huma.API) {
	operation(a, h, huma.Operation{OperationID: "directory", Method: http.MethodGet, Path: "/v1/directory/{j}", Tags: []string{"Directory"},
		Summary:     "The institutions and officers of a jurisdiction",
		Description: "Institutions with their names in each language, officers with what they act as and their training in assessment tools."},
		func(ctx context.Context, in *directoryInput) (*directoryOutput, error) {
			at, err := asOf("at", in.At)
			if err != nil {
				return nil, err
			}
			j := events.Jurisdiction(in.Jurisdiction)
			known, err := a.registers.At(ctx, j, at)
			if err != nil {
				return nil, err
			}
			clock, err := a.engine.Clock(ctx, at, a.clock())
			if err != nil {
				return nil, err
			}
			out := &directoryOutput{}
			if out.Body, err = registers.ViewOf(j, known, clock); err == nil && out.Body.Revision != nil {
				out.ETag = etag(*out.Body.Revision)
			}
			return out, err
		})
	body := recordBody(events.DirectoryFamily)
	record := huma.Operation{OperationID: "record-directory", Method: http.MethodPost, Path: "/v1/directory/{j}/events", Tags: []string{"Directory"},
		Summary: "Record a change of the directory",
		Description: "An institution registered or closed, an officer appointed, revoked or trained, by an officer of the jurisdiction's directorate. " +
			"A new appointment ends the old one; a revocation holds at once.",
		RequestBody: body, SkipValidateBody: true, DefaultStatus: http.StatusCreated, Errors: []int{403, 409, 412, 413, 428, 429, 507}}
	operation(a, h, record, func(ctx context.Context, in *directoryWrite) (*receiptOutput, error) {
		return a.recordAt(ctx, addressOf{"jurisdiction", in.Jurisdiction, events.DirectoryFamily}, in.IfMatch, in.IdempotencyKey, in.RawBody)
	})
	alsoRepeated(h, record.Path)
	operation(a, h, huma.Operation{OperationID: "check-directory", Method: http.MethodPost, Path: "/v1/directory/{j}/events:check", Tags: []string{"Directory"},
		Summary: "Would this change be recorded?", Description: "Answers as recording it now would, and records nothing.", RequestBody: body, SkipValidateBody: true},
		func(ctx context.Context, in *directoryCheck) (*checkOutput, error) {
			return a.checkAt(ctx, addressOf{"jurisdiction", in.Jurisdiction, events.DirectoryFamily}, in.RawBody)
		})
}
