package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/handlers/evidence"
)

type proofInput struct {
	Seen
	Case string `path:"n" doc:"the case number"`
}

type proofOutput struct{ Body *evidence.Proof }

type exportInput struct {
	Why
	Body evidence.Order
}

type exportOutput struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

// maxBundle is the longest bundle that is checked here, and one byte to tell a longer one by. A longer one goes to
// traga-verify.
const maxBundle = 32<<20 + 1

type bundleInput struct {
	RawBody []byte `contentType:"application/zip"`
}

type verdictOutput struct{ Body *ledger.Verdict }

// evidenceRoutes are the proof of a case, and exports.
func (a *api) evidenceRoutes(h huma.API) {
	operation(a, h, huma.Operation{OperationID: "case-proof", Method: http.MethodGet, Path: "/v1/cases/{n}/proof", Tags: []string{"Proof"}, Errors: []int{404},
		Summary: "The proof of a case", Description: "Where each of its entries stands in the tree that was signed, and that the last is the last. It tells nothing of what they say. " +
			"It is for offices that may know of every entry."},
		func(ctx context.Context, in *proofInput) (*proofOutput, error) {
			look, err := a.look(ctx, in.Case, "proof", events.AsOf{}, &in.Seen)
			if err != nil {
				return nil, err
			}
			if a.exports.Source == nil {
				return nil, ledger.ErrNoCheckpoint
			}
			c, err := a.desk.Case(ctx, look)
			if err != nil {
				return nil, err
			}
			p, err := a.exports.Source.Prove(ctx, in.Case, c.Sight())
			return &proofOutput{Body: p}, err
		})
	operation(a, h, huma.Operation{OperationID: "export", Method: http.MethodPost, Path: "/v1/exports", Tags: []string{"Proof"}, Errors: []int{404, 413},
		Summary: "Export a case", Description: "As an evidence bundle, which proves the history of the case offline to someone who trusts nobody here, or as JSON. " +
			"It holds only what the one who asks may see, and is put on record (ExportProduced) before it leaves.",
		Responses: map[string]*huma.Response{"200": {Description: "the file", Content: map[string]*huma.MediaType{
			"application/zip": {Schema: &huma.Schema{Type: "string", Format: "binary"}}, "application/json": {Schema: &huma.Schema{Type: "object"}},
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}},
		func(ctx context.Context, in *exportInput) (*exportOutput, error) {
			reason, err := in.reason()
			if err != nil {
				return nil, err
			}
			f, err := a.exports.Export(ctx, in.Body, reason)
			if err != nil {
				return nil, err
			}
			return &exportOutput{ContentType: f.MediaType, ContentDisposition: `attachment; filename="` + f.Name + `"`, Body: f.Content}, nil
		})
	operation(a, h, huma.Operation{OperationID: "check-bundle", Method: http.MethodPost, Path: "/v1/bundles:check", Tags: []string{"Proof"}, Errors: []int{413}, MaxBodyBytes: maxBundle,
		Summary: "Check an evidence bundle", Description: "By this log's own key, and held against its own record of checkpoints; nothing of the bundle is kept. Whoever wants to " +
			"trust not even this server uses traga-verify."},
		func(ctx context.Context, in *bundleInput) (*verdictOutput, error) {
			checked, err := a.exports.Check(ctx, in.RawBody, ledger.Trust{})
			if err != nil {
				return nil, err
			}
			return &verdictOutput{Body: checked.Verdict}, nil
		})
}

// evidenceProblem says what an error of evidence means to a caller; nil for another error.
func evidenceProblem(err error) *Problem {
	switch {
	case errors.Is(err, ledger.ErrNoCheckpoint):
		return problem("not-found", "Nothing is sealed yet.")
	case errors.Is(err, evidence.ErrNoSuchCase):
		return problem("not-found", "Nothing of this case is sealed yet.")
	case errors.Is(err, evidence.ErrNotWhole):
		return problem("denied", "A proof shows that a case is complete, and your office may not know of all that can be in a case. The look is on record.")
	}
	return nil
}
