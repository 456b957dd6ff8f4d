package api

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const description = "Audit and case history of violent extremist prisoners: every action is an immutable event; status, alerts and the " +
	"timeline of who shared what with whom are read from them. Every read takes `at`: what was known then.\n\n" +
	"`XK` is Kosovo*. * This designation is without prejudice to positions on status, and is in line with UNSCR 1244 and the " +
	"ICJ Opinion on the Kosovo Declaration of Independence."

// problemResponse describes an answer that is a Problem.
func problemResponse(o *huma.OpenAPI, status int) *huma.Response {
	return &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: o.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")}}}
}

// describeStream adds the live stream, which is no operation of the framework, to the OpenAPI document.
func describeStream(o *huma.OpenAPI) {
	text := func(in, name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: in, Description: doc, Schema: &huma.Schema{Type: "string"}}
	}
	o.Paths["/v1/stream"] = &huma.PathItem{Get: &huma.Operation{
		OperationID: "stream", Summary: "The live stream", Tags: []string{"Events"},
		Description: "Server-sent events: one `recorded` event for each event of the cases, its id the position. A client that reconnects with " +
			"Last-Event-ID misses nothing and sees nothing twice. Without it the stream begins now. It tells of the cases that are open to the one who follows.",
		Parameters: []*huma.Param{
			text("header", "Last-Event-ID", "continue after this position"),
			text("query", "after", "the same, for clients that can't set headers"),
			text("query", "case", "only this case"),
			text("header", "Traga-Justification", "why you look: it is put on record"),
			text("header", "Traga-Purpose", "the purpose that you look for, as the catalogue has it"),
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "a stream without end; the data of each event is a Notice", Content: map[string]*huma.MediaType{
				"text/event-stream": {Schema: o.Components.Schemas.Schema(reflect.TypeFor[Notice](), true, "Notice")}}},
			"400": problemResponse(o, http.StatusBadRequest), "401": problemResponse(o, http.StatusUnauthorized), "500": problemResponse(o, http.StatusInternalServerError),
			"503": problemResponse(o, http.StatusServiceUnavailable),
		},
	}}
}

// describeSignIn says how a caller signs in: see handlers/auth, which stands before the API.
func describeSignIn(o *huma.OpenAPI) {
	o.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "a token of the identity provider or of `traga token issue`"},
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-traga", Description: "the session of a browser that has signed in; without TLS its name is traga"},
	}
	for path, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op != nil && strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/v1/checkpoint") {
				op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
			}
		}
	}
}

// describeService adds what is served beside /v1 to the OpenAPI document: see RegisterService and handlers/metrics.
func describeService(o *huma.OpenAPI) {
	for _, s := range []struct{ path, id, summary, media string }{
		{"/livez", "livez", "Whether traga runs", "text/plain"},
		{"/readyz", "readyz", "Whether traga can do its work now", "text/plain"},
		{"/version", "version", "Which version this is", "application/json"},
		{"/metrics", "metrics", "Metrics for Prometheus", "text/plain"},
		{"/docs", "docs", "The page of this API", "text/html"},
		{"/openapi.json", "openapi-json", "This document", "application/openapi+json"},
		{"/openapi.yaml", "openapi-yaml", "This document, as YAML", "application/openapi+yaml"},
	} {
		op := &huma.Operation{OperationID: s.id, Summary: s.summary, Tags: []string{"Service"}, Responses: map[string]*huma.Response{
			"200": {Description: http.StatusText(http.StatusOK), Content: map[string]*huma.MediaType{s.media: {}}}}}
		if s.id == "readyz" {
			op.Responses["503"] = problemResponse(o, http.StatusServiceUnavailable)
		}
		o.Paths[s.path] = &huma.PathItem{Get: op}
	}
}

// elsewhere answers what no route takes: a method that its address does not know, and an unknown address.
func elsewhere(o *huma.OpenAPI) http.Handler {
	known := http.NewServeMux()
	known.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem("not-found", "There is no such address; /docs lists them."))
	})
	for path, item := range o.Paths {
		allow := "GET, HEAD"
		if item.Post != nil {
			allow = "POST"
		}
		known.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", allow)
			writeProblem(w, problem("method-not-allowed", "It takes "+allow+"."))
		})
	}
	return known
}

// tidy makes the document say exactly what is served, where the framework only comes near it.
func tidy(o *huma.OpenAPI) {
	for path, item := range o.Paths {
		if plain := strings.ReplaceAll(path, "...}", "}"); plain != path { // the router's mark of a parameter with slashes
			delete(o.Paths, path)
			o.Paths[plain] = item
		}
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op == nil {
				continue
			}
			for _, response := range op.Responses {
				for _, media := range response.Content {
					neverNull(media.Schema)
				}
			}
		}
	}
	registry := o.Components.Schemas
	all := registry.Map()
	delete(all, "ErrorModel")
	delete(all, "ErrorDetail")
	for name, s := range all {
		neverNull(s)
		nullWhereAbsent(s, registry.TypeFromRef("#/components/schemas/"+name))
	}
}

// neverNull says of lists that they are [] when they are empty.
func neverNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	neverNull(s.Items)
	for _, p := range s.Properties {
		neverNull(p)
	}
}

// nullWhereAbsent says that what stands behind a pointer may be null.
func nullWhereAbsent(s *huma.Schema, t reflect.Type) {
	if t == nil || t.Kind() != reflect.Struct {
		return
	}
	for _, f := range reflect.VisibleFields(t) {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.Properties[name]
		switch {
		case p == nil || f.Type.Kind() != reflect.Pointer || strings.Contains(rest, "omitempty"):
		case p.Ref != "":
			s.Properties[name] = &huma.Schema{Description: p.Description, AnyOf: []*huma.Schema{{Ref: p.Ref}, {Type: "null"}}}
		default:
			p.Nullable = true
		}
	}
}

// document serves the OpenAPI document in one of its forms.
func document(mediaType string, write func() ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := write()
		if err != nil {
			writeProblem(w, problem("internal", ""))
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // the caller has gone
	}
}
