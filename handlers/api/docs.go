package api

import (
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// docGroup is a part of the page: the operations of one tag.
type docGroup struct {
	Tag        string
	ID         string
	Operations []docOperation
}

type docOperation struct {
	Method, Path, Summary, Description string
	Parameters                         []docParameter
}

type docParameter struct{ Name, In, Doc string }

// docs is a page that lists the API's operations from its OpenAPI document, with nothing from outside and no
// script. It uses the style sheet of the pages.
func docs(o *huma.OpenAPI) http.HandlerFunc {
	groups := []docGroup{{Tag: "Record"}, {Tag: "One case"}, {Tag: "All cases"}, {Tag: "Events"}, {Tag: "The region"}, {Tag: "Directory"}, {Tag: "Proof"}, {Tag: "Service"}}
	for i := range groups {
		groups[i].ID = strings.ReplaceAll(strings.ToLower(groups[i].Tag), " ", "-")
		groups[i].Operations = operationsOf(o, groups[i].Tag)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		_ = docsPage.Execute(w, groups) // the reader has gone
	}
}

// operationsOf are the operations of a tag, by path.
func operationsOf(o *huma.OpenAPI, tag string) []docOperation {
	var list []docOperation
	for _, path := range slices.Sorted(maps.Keys(o.Paths)) {
		item := o.Paths[path]
		for _, m := range []struct {
			method string
			op     *huma.Operation
		}{{"GET", item.Get}, {"POST", item.Post}} {
			if m.op == nil || !slices.Contains(m.op.Tags, tag) {
				continue
			}
			one := docOperation{Method: m.method, Path: path, Summary: m.op.Summary, Description: m.op.Description}
			for _, p := range m.op.Parameters {
				one.Parameters = append(one.Parameters, docParameter{p.Name, p.In, strings.TrimSuffix(p.Description, ".")})
			}
			list = append(list, one)
		}
	}
	return list
}

var docsPage = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The HTTP API · traga</title><link rel="stylesheet" href="/static/traga.css"><link rel="icon" href="/static/icon.svg" type="image/svg+xml"></head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="wide bar"><a class="brand" href="/"><span>traga</span></a>
<nav aria-label="Pages"><ul><li><a href="/">Overview</a></li><li><a href="/cases">Cases</a></li></ul></nav></div></header>
<main id="main" class="wide" tabindex="-1">
<h1>The HTTP API</h1>
<p>The whole description, for programs, is in <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Errors are problems as RFC 9457
has them; long lists have a <code>Link</code> to the next page; every read takes <code>at</code>, an instant or a position, to
answer with what was known then.</p>
<ul>{{range .}}<li><a href="#{{.ID}}">{{.Tag}}</a></li>{{end}}</ul>
{{range .}}<section aria-labelledby="{{.ID}}">
<h2 id="{{.ID}}">{{.Tag}}</h2>
{{range .Operations}}<h3><code>{{.Method}} {{.Path}}</code></h3>
<p><strong>{{.Summary}}</strong>{{with .Description}}<br>{{.}}{{end}}</p>
{{with .Parameters}}<table><thead><tr><th scope="col">Parameter</th><th scope="col">In</th><th scope="col">Meaning</th></tr></thead><tbody>
{{range .}}<tr><td><code>{{.Name}}</code></td><td>{{.In}}</td><td>{{.Doc}}</td></tr>
{{end}}</tbody></table>{{end}}
{{end}}</section>
{{end}}</main></body></html>
`))
