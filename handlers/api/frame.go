package api

import (
	"fmt"
	"net/http"
	"path"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"traga.internal/handlers/record"
)

// frameOf sets up the framework that reads requests, writes answers and describes both.
func frameOf(version string) huma.Config {
	c := huma.DefaultConfig("traga", version)
	c.Info.Description = description
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // see describe.go and docs.go
	c.RejectUnknownQueryParameters = true
	c.CreateHooks = nil // no $schema links in answers
	c.Transformers = []huma.Transformer{sameProblems}
	c.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat} // does not escape HTML
	c.DefaultFormat = "application/json"
	c.Components = &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName)}
	return c
}

// schemaName names the schema of a type: with its package, where that is another, for two rooms may use one name.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	room := path.Base(t.PkgPath())
	if t.PkgPath() == "" || room == "api" {
		return name
	}
	return strings.ToUpper(room[:1]) + room[1:] + name
}

// framework is a request as the framework sees it; under its own name it can't be embedded, having a method of it.
type framework = huma.Context

// frame is around each request to an operation, so that what the framework finds by itself is answered like all
// else.
type frame struct {
	framework
	status int // answers with this status, whatever the framework says; 0 leaves it
}

func (f *frame) SetStatus(status int) {
	if f.status != 0 {
		status = f.status
	}
	f.framework.SetStatus(status)
}

// framed puts the frame around a request. An operation that panics is an internal problem like any other.
func (a *api) framed(ctx huma.Context, next func(huma.Context)) {
	f := &frame{framework: ctx}
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v)
		}
		// The value of the panic is left out: it may hold what a record says of a person.
		a.log.ErrorContext(ctx.Context(), "a request panicked", "operation", ctx.Operation().OperationID, "stack", string(debug.Stack()))
		if f.Status() != 0 {
			panic(http.ErrAbortHandler) // half an answer is out: the caller must not take it for the whole
		}
		_, w := humago.Unwrap(ctx)
		writeProblem(w, problem("internal", ""))
	}()
	next(f)
}

// sameProblems gives the errors that the framework finds by itself (an unknown query parameter, say) the form and
// the status of all others.
func sameProblems(ctx huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problem("invalid", e.Detail)
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		p = problem("too-large", fmt.Sprintf("An action record has at most %d bytes.", record.MaxAction))
	case http.StatusRequestTimeout:
		p = problem("too-slow", "")
	case http.StatusInternalServerError: // the only one is a body whose transfer is broken
		p.Detail = "The body of the request can't be read to its end."
	}
	if len(e.Errors) > 0 {
		_, p.Field, _ = strings.Cut(e.Errors[0].Location, ".") // such as query.limit
		p.Detail = e.Errors[0].Message
	}
	if f, ok := ctx.(*frame); ok {
		f.status = p.Status
	}
	return p, nil
}
