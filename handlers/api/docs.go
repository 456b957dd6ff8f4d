package api

import (
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// docs is a page that lists the API's operations from its OpenAPI document, with nothing from outside and no script.
func docs(o *huma.OpenAPI) http.HandlerFunc {
	type parameter struct{ Name, In, Doc string }
	type row struct {
		Method, Path, Summary, Description string
		Parameters                         []parameter
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var rows []row
		for _, path := range slices.Sorted(maps.Keys(o.Paths)) {
			item := o.Paths[path]
			for _, m := range []struct {
				method string
				op     *huma.Operation
			}{{"GET", item.Get}, {"POST", item.Post}} {
				if m.op == nil {
					continue
				}
				one := row{Method: m.method, Path: path, Summary: m.op.Summary, Description: m.op.Description}
				for _, p := range m.op.Parameters {
					one.Parameters = append(one.Parameters, parameter{p.Name, p.In, strings.TrimSuffix(p.Description, ".")})
				}
				rows = append(rows, one)
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		_ = docsPage.Execute(w, rows) // the reader has gone
	}
}

var docsPage = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>traga: the HTTP API</title><link rel="stylesheet" href="/static/traga.css"></head>
<body><main>
<h1>The HTTP API of traga</h1>
<p>The whole description is in <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Errors are
problems as RFC 9457 has them; long lists have a <code>Link</code> to the next page; every read takes <code>at</code>: an
instant or a position, to see what was known then.</p>
{{range .}}<section>
<h2><code>{{.Method}} {{.Path}}</code></h2>
<p><strong>{{.Summary}}</strong>{{with .Description}}<br>{{.}}{{end}}</p>
{{with .Parameters}}<table><thead><tr><th scope="col">Parameter</th><th scope="col">In</th><th scope="col">Meaning</th></tr></thead><tbody>
{{range .}}<tr><td><code>{{.Name}}</code></td><td>{{.In}}</td><td>{{.Doc}}</td></tr>{{end}}</tbody></table>{{end}}
</section>{{end}}
</main></body></html>
`))
