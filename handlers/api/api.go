// Package api is the HTTP API of traga: /v1, described by its own OpenAPI 3.1 document, with problems as RFC
// 9457 has them, revisions as ETags, cursors for long lists, and a live stream that resumes.
//
// It translates between HTTP and the packages below and decides nothing itself: a record goes through
// handlers/record, a case is read by projections/timeline, and what spans cases comes from the projections.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/record"
	"traga.internal/projections"
)

// Log is what the API reads of the store.
type Log interface {
	events.Store
	// Lookup finds an event by its id.
	Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error)
}

// Config is what the API works with. All fields are required but Version.
type Config struct {
	Store Log
	// Book gives the rules and calendars as they are on record now.
	Book     func(context.Context) (*protocol.Book, error)
	Recorder *record.Recorder
	Engine   *projections.Engine
	Clock    func() time.Time
	Log      *slog.Logger
	Version  string
	// Closing is closed when the service begins to shut down: live streams end then.
	Closing <-chan struct{}
}

type api struct {
	store    Log
	book     func(context.Context) (*protocol.Book, error)
	recorder *record.Recorder
	engine   *projections.Engine
	clock    func() time.Time
	log      *slog.Logger
	version  string
	closing  <-chan struct{}
}

// maxBody is the largest request that is read: an event has at most 1 MiB.
const maxBody = 1 << 20

// Register adds the API's routes to the mux: /v1/…, /openapi.json, /openapi.yaml and /docs.
func Register(mux *http.ServeMux, c Config) {
	a := &api{store: c.Store, book: c.Book, recorder: c.Recorder, engine: c.Engine, clock: c.Clock, log: c.Log,
		version: c.Version, closing: c.Closing}
	h := humago.New(mux, a.describe())
	a.recordRoutes(h)
	a.caseRoutes(h)
	a.listRoutes(h)
	a.eventRoutes(h)
	mux.HandleFunc("GET /v1/stream", a.stream)
	mux.HandleFunc("GET /docs", docs(h.OpenAPI()))
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, problem("not-found", "There is no such address; /docs lists them."))
	})
	a.describeStream(h.OpenAPI())
}

// describe is the frame of the OpenAPI document.
func (a *api) describe() huma.Config {
	c := huma.DefaultConfig("traga", a.version)
	c.Info.Description = "Audit and case history of violent extremist prisoners: every action is an immutable event; status, alerts and the " +
		"timeline of who shared what with whom are read from them. Every read takes `at`: what was known then.\n\n" + kosovoNote
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "/openapi", "", ""
	c.RejectUnknownQueryParameters = true
	c.CreateHooks = nil // no $schema links in answers
	c.Transformers = []huma.Transformer{sameProblems}
	// Times in answers are UTC, texts are not escaped for HTML.
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	c.DefaultFormat = "application/json"
	return c
}

// schemaName names a type in the OpenAPI document after its package too: a Share is another thing in each.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	place := path.Base(t.PkgPath())
	if t.Name() == "" || place == "api" || place == "." {
		return name
	}
	return strings.ToUpper(place[:1]) + place[1:] + name
}

const kosovoNote = "`XK` is Kosovo*. * This designation is without prejudice to positions on status, and is in line with UNSCR 1244 and the " +
	"ICJ Opinion on the Kosovo Declaration of Independence."

// sameProblems gives the errors that the HTTP layer finds by itself (an unknown query parameter, say) the form
// of all others.
func sameProblems(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	kind := "invalid"
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		kind = "too-large"
	case http.StatusInternalServerError:
		kind = "internal"
	case http.StatusServiceUnavailable, http.StatusRequestTimeout:
		kind = "unavailable"
	}
	p := problem(kind, e.Detail)
	p.Status = e.Status
	for _, d := range e.Errors {
		p.Field = strings.TrimPrefix(d.Location, "query.")
		p.Detail = d.Message
	}
	return p, nil
}

// operation registers one operation of the API. Every error becomes a Problem.
func operation[I, O any](a *api, h huma.API, o huma.Operation, handle func(context.Context, *I) (*O, error)) {
	o.MaxBodyBytes = maxBody
	for _, status := range append([]int{http.StatusBadRequest, http.StatusServiceUnavailable}, o.Errors...) {
		if o.Responses == nil {
			o.Responses = map[string]*huma.Response{}
		}
		o.Responses[statusText(status)] = &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: h.OpenAPI().Components.Schemas.Schema(problemType, true, "Problem")}}}
	}
	o.Errors = nil
	huma.Register(h, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.problemOf(ctx, err)
		}
		return out, nil
	})
}

// asOf reads the at parameter.
func asOf(at string) (events.AsOf, error) {
	v, err := events.ParseAsOf(at)
	if err != nil {
		p := problem("invalid", err.Error())
		p.Field = "at"
		return v, p
	}
	return v, nil
}

// upTo waits until the projections have reached the position that a writer wants to read its own write at.
func (a *api) upTo(ctx context.Context, minPosition string) error {
	if minPosition == "" {
		return nil
	}
	p, err := events.ParsePosition(minPosition)
	if err != nil {
		q := problem("invalid", "Traga-Min-Position: "+err.Error())
		q.Field = "Traga-Min-Position"
		return q
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := a.engine.WaitFor(ctx, p); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return problem("unavailable", "The read models have not reached that position yet.")
		}
		return err
	}
	return nil
}
