package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/handlers/sealing"
)

// maxCheckpoint is the longest note that is taken, in bytes.
const maxCheckpoint = 64 << 10

// Accepted are the witnesses whose cosignatures were taken.
type Accepted struct {
	Accepted []string `json:"accepted" doc:"the witnesses whose cosignatures the log has now, by their names in its policy"`
}

// checkpointRoutes adds what witnesses ask. Nothing in it is of a case, so that nobody has to sign in: a checkpoint is made
// to be seen, and a cosignature shows by itself whose it is.
func (a *api) checkpointRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/checkpoint", a.checkpoint)
	mux.HandleFunc("POST /v1/checkpoint/cosignatures", a.cosignatures)
}

// checkpoint answers with the latest checkpoint as a signed note, or with ?old= as C2SP tlog-witness has it, with the proof
// that it continues the tree of that size.
func (a *api) checkpoint(w http.ResponseWriter, r *http.Request) {
	b, err := a.readCheckpoint(r)
	if err != nil {
		writeProblem(w, a.problemOf(r.Context(), "checkpoint", err))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // the caller has gone
}

func (a *api) readCheckpoint(r *http.Request) ([]byte, error) {
	query := r.URL.Query()
	for name := range query {
		if name != "old" {
			return nil, &events.FieldError{Field: name, Expected: "old", Got: "an unknown query parameter"}
		}
	}
	var old int64
	if query.Has("old") {
		n, err := strconv.ParseUint(query.Get("old"), 10, 63)
		if err != nil || n > ledger.MaxSize {
			return nil, &events.FieldError{Field: "old", Expected: "the size of an older checkpoint, such as 1042"}
		}
		old = int64(n)
	}
	if a.ledger == nil {
		return nil, problem("not-found", "This store has no ledger.")
	}
	e, err := sealing.Since(r.Context(), a.ledger, old)
	switch {
	case errors.Is(err, ledger.ErrNoCheckpoint):
		return nil, problem("not-found", "Nothing is sealed yet.")
	case errors.Is(err, ledger.ErrRollback):
		return nil, problem("conflict", "The latest checkpoint is older than that one.")
	case err != nil:
		return nil, err
	case query.Has("old"):
		return e.Bytes(), nil
	}
	return e.Note.Bytes(), nil
}

// cosignatures takes in a checkpoint with the cosignatures of witnesses.
func (a *api) cosignatures(w http.ResponseWriter, r *http.Request) {
	names, err := a.takeCosignatures(w, r)
	if err != nil {
		writeProblem(w, a.problemOf(r.Context(), "add-cosignatures", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(Accepted{names}) // the caller has gone
}

func (a *api) takeCosignatures(w http.ResponseWriter, r *http.Request) ([]string, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCheckpoint))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, problem("too-large", "A checkpoint is shorter.")
	case err != nil:
		return nil, problem("invalid", "The request did not come whole.")
	case a.ledger == nil:
		return nil, problem("not-found", "This store has no ledger.")
	}
	n, err := ledger.ParseNote(b)
	if err != nil {
		return nil, problem("invalid", "Expected a signed checkpoint with cosignatures: "+err.Error())
	}
	names, err := sealing.AddCosignatures(r.Context(), a.ledger, a.policy, n)
	switch {
	case errors.Is(err, sealing.ErrNotAccepted), errors.Is(err, ledger.ErrSignature):
		return nil, problem("invalid", err.Error())
	case errors.Is(err, ledger.ErrNoCheckpoint):
		return nil, problem("conflict", "The log has signed no such checkpoint.")
	}
	return names, err
}

// describeCheckpoint adds these routes, which are no operations of the framework, to the OpenAPI document.
func describeCheckpoint(o *huma.OpenAPI) {
	note := map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: "string"}}}
	failures := func(op *huma.Operation, statuses ...int) {
		for _, status := range append(statuses, http.StatusBadRequest, http.StatusInternalServerError, http.StatusServiceUnavailable) {
			op.Responses[strconv.Itoa(status)] = problemResponse(o, status)
		}
	}
	get := &huma.Operation{OperationID: "checkpoint", Summary: "The latest signed checkpoint", Tags: []string{"Proof"},
		Description: "The checkpoint with its cosignatures, a signed note (C2SP tlog-checkpoint). With ?old= the proof that it continues the tree of that size stands before it (C2SP tlog-witness). Nobody has to sign in.",
		Parameters:  []*huma.Param{{Name: "old", In: "query", Description: "the size of an older checkpoint", Schema: &huma.Schema{Type: "integer"}}},
		Responses:   map[string]*huma.Response{"200": {Description: "the note", Content: note}}}
	failures(get, http.StatusNotFound, http.StatusConflict)
	o.Paths["/v1/checkpoint"] = &huma.PathItem{Get: get}
	post := &huma.Operation{OperationID: "add-cosignatures", Summary: "Bring a witness's cosignature", Tags: []string{"Proof"},
		Description: "Takes a checkpoint of this log with cosignatures of witnesses that its policy names. Nobody has to sign in.",
		RequestBody: &huma.RequestBody{Required: true, Content: note},
		Responses: map[string]*huma.Response{"200": {Description: "whose cosignatures were taken", Content: map[string]*huma.MediaType{
			"application/json": {Schema: o.Components.Schemas.Schema(reflect.TypeFor[Accepted](), true, "Accepted")}}}}}
	failures(post, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge)
	o.Paths["/v1/checkpoint/cosignatures"] = &huma.PathItem{Post: post}
}
