package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// document is the OpenAPI document as a client reads it.
type document struct {
	raw    map[string]any
	routes *http.ServeMux // finds the path of a request
}

func (s *service) readDocument() *document {
	s.t.Helper()
	res, err := s.Client().Get(s.URL + "/openapi.json")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	d := &document{routes: http.NewServeMux()}
	b, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(b, &d.raw)
	}
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/openapi+json" {
		s.t.Fatal(res.Status, err)
	}
	for path := range d.paths() {
		d.routes.Handle(strings.Replace(path, "{obligation}", "{obligation...}", 1), http.NotFoundHandler())
	}
	return d
}

func (d *document) paths() map[string]any { return d.raw["paths"].(map[string]any) }

// check holds an answer against what the document says of its path: the status is one that it names, and the body
// is as its schema says.
func (d *document) check(t testing.TB, req *http.Request, a answer) {
	t.Helper()
	if a.header.Get("Content-Type") == "application/problem+json" {
		d.fits(t, a.body, map[string]any{"$ref": "#/components/schemas/Problem"}, req.Method+" "+req.URL.Path)
	} else if strings.Contains(strings.ToLower(a.header.Get("Content-Type")), "problem") {
		t.Errorf("%s %s: %s", req.Method, req.URL.Path, a.header.Get("Content-Type"))
	}
	_, pattern := d.routes.Handler(req)
	item, _ := d.paths()[strings.Replace(pattern, "...", "", 1)].(map[string]any)
	op, _ := item[strings.ToLower(req.Method)].(map[string]any)
	if op == nil || req.Method != strings.ToUpper(req.Method) || a.status/100 == 3 {
		return // GeT is another method than GET, and a path with dots is sent elsewhere by the router
	}
	response, ok := op["responses"].(map[string]any)[strconv.Itoa(a.status)].(map[string]any)
	if !ok {
		t.Errorf("%s %s: the document says nothing of status %d (%s)", req.Method, pattern, a.status, a.body)
		return
	}
	content, _ := response["content"].(map[string]any)
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if of, ok := content[media].(map[string]any); !ok && len(content) > 0 {
		t.Errorf("%s %s: %s instead of one of %v", req.Method, pattern, media, slices.Sorted(maps.Keys(content)))
	} else if schema, ok := of["schema"].(map[string]any); ok && strings.HasSuffix(media, "json") {
		d.fits(t, a.body, schema, req.Method+" "+pattern)
	}
	declared, _ := response["headers"].(map[string]any)
	for _, name := range []string{"Etag", "Link", "Traga-Position", "Location"} {
		documented := slices.ContainsFunc(slices.Collect(maps.Keys(declared)), func(h string) bool { return http.CanonicalHeaderKey(h) == name })
		if a.header.Get(name) != "" && !documented && a.header.Get("Content-Type") != "text/event-stream" && media2xx(a) {
			t.Errorf("%s %s: the document says nothing of %s", req.Method, pattern, name)
		}
	}
}

func media2xx(a answer) bool {
	return a.status/100 == 2 && a.header.Get("Content-Type") == "application/json"
}

func (d *document) fits(t testing.TB, body []byte, schema map[string]any, where string) {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%s: %v: %s", where, err, body)
		return
	}
	if wrong := d.wrong(v, schema, "$"); wrong != "" {
		t.Errorf("%s is not as documented: %s\n%s", where, wrong, body)
	}
}

// wrong says where a value is not as its schema says; empty when it fits. Every field of an answer must be in its
// schema, and instants are in UTC.
func (d *document) wrong(v any, schema map[string]any, at string) string {
	if ref, ok := schema["$ref"].(string); ok {
		return d.wrong(v, d.resolve(ref), at)
	}
	if either, ok := schema["anyOf"].([]any); ok {
		var all []string
		for _, one := range either {
			w := d.wrong(v, one.(map[string]any), at)
			if w == "" {
				return ""
			}
			all = append(all, w)
		}
		return strings.Join(all, "; ")
	}
	types := []any{}
	switch t := schema["type"].(type) {
	case string:
		types = append(types, t)
	case []any:
		types = t
	case nil:
		return "" // anything
	}
	kind := map[bool]string{true: "integer", false: "number"}[v == any(float64(asInt(v)))]
	switch v.(type) {
	case nil:
		kind = "null"
	case bool:
		kind = "boolean"
	case string:
		kind = "string"
	case []any:
		kind = "array"
	case map[string]any:
		kind = "object"
	}
	if !slices.Contains(types, any(kind)) && (kind != "integer" || !slices.Contains(types, any("number"))) {
		return fmt.Sprintf("%s is of type %s, not %v", at, kind, types)
	}
	switch v := v.(type) {
	case string:
		if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, any(v)) {
			return at + " is none of the values named"
		}
		switch schema["format"] {
		case "date-time":
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil || !strings.HasSuffix(v, "Z") {
				return at + " is no instant in UTC: " + v
			}
		case "date":
			if _, err := time.Parse(time.DateOnly, v); err != nil {
				return at + " is no date: " + v
			}
		case "uuid":
			if _, err := uuid.Parse(v); err != nil {
				return at + " is no UUID: " + v
			}
		}
		// Whatever the schema says: an instant of another zone would pass for a local one.
		if elsewhere.MatchString(v) {
			return at + " is an instant that is not in UTC: " + v
		}
	case []any:
		for i, one := range v {
			if w := d.wrong(one, schema["items"].(map[string]any), fmt.Sprintf("%s[%d]", at, i)); w != "" {
				return w
			}
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, one := range v {
			of, ok := properties[name].(map[string]any)
			if !ok {
				if of, ok = schema["additionalProperties"].(map[string]any); !ok {
					if properties == nil {
						continue // an object of any kind
					}
					return at + "." + name + " is not documented"
				}
			}
			if w := d.wrong(one, of, at+"."+name); w != "" {
				return w
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return at + "." + name.(string) + " is missing"
			}
		}
	}
	return ""
}

var elsewhere = regexp.MustCompile(`^\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d$`)

func asInt(v any) int64 {
	f, _ := v.(float64)
	return int64(f)
}

func (d *document) resolve(ref string) map[string]any {
	var at any = d.raw
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(map[string]any)
		at = m[step]
	}
	m, _ := at.(map[string]any)
	return m
}

func TestTheDocumentIsOpenAPI31(t *testing.T) {
	s := serve(t)
	raw := s.doc.raw
	info := raw["info"].(map[string]any)
	if !strings.HasPrefix(raw["openapi"].(string), "3.1.") || info["title"] != "traga" || info["version"] != "1.2.3" {
		t.Errorf("%v %v", raw["openapi"], info)
	}
	// Every $ref leads somewhere, and every schema is one.
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && s.doc.resolve(ref) == nil {
				t.Errorf("%s: %s leads nowhere", at, ref)
			}
			for k, one := range v {
				walk(one, at+"/"+k)
			}
		case []any:
			for _, one := range v {
				walk(one, at)
			}
		}
	}
	walk(raw, "")
	ids := map[any]bool{}
	parameter := regexp.MustCompile(`\{([^}]*)\}`)
	for path, item := range s.doc.paths() {
		for method, of := range item.(map[string]any) {
			op := of.(map[string]any)
			where := method + " " + path
			if id := op["operationId"]; id == nil || ids[id] {
				t.Errorf("%s: the operation id %v is missing or used twice", where, id)
			}
			ids[op["operationId"]] = true
			responses, _ := op["responses"].(map[string]any)
			good := false
			for code, response := range responses {
				good = good || code[0] == '2'
				if response.(map[string]any)["description"] == "" {
					t.Errorf("%s: %s has no description", where, code)
				}
				if content := response.(map[string]any)["content"].(map[string]any); code[0] != '2' && content["application/problem+json"] == nil {
					t.Errorf("%s: %s is no problem", where, code)
				}
			}
			if !good || op["summary"] == "" {
				t.Errorf("%s has no good answer or no summary", where)
			}
			inPath := map[string]bool{}
			parameters, _ := op["parameters"].([]any)
			for _, p := range parameters {
				p := p.(map[string]any)
				if p["schema"] == nil || p["description"] == nil {
					t.Errorf("%s: %s has no schema or description", where, p["name"])
				}
				if p["in"] == "path" {
					inPath[p["name"].(string)] = true
				}
			}
			for _, name := range parameter.FindAllStringSubmatch(path, -1) {
				if !inPath[name[1]] {
					t.Errorf("%s: %s is not described", where, name[1])
				}
				delete(inPath, name[1])
			}
			if len(inPath) > 0 {
				t.Errorf("%s: not in the path: %v", where, inPath)
			}
		}
	}
	schemas := raw["components"].(map[string]any)["schemas"].(map[string]any)
	if schemas["ErrorModel"] != nil {
		t.Error("the framework's own form of an error is described, and never sent")
	}
	post := s.doc.paths()["/v1/cases/{n}/events"].(map[string]any)["post"].(map[string]any)
	action := post["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
	if action["additionalProperties"] != false || fmt.Sprint(action["required"]) != "[type actor data]" {
		t.Errorf("the action record: %v", action)
	}
	var example any
	for _, text := range []string{opening(), notice("n-1"), unlawful()} {
		if err := json.Unmarshal([]byte(text), &example); err != nil {
			t.Fatal(err)
		}
		if w := s.doc.wrong(example, action, "$"); w != "" {
			t.Error(w)
		}
	}
}

// The routes of interfaces.md that exist by now, and no other.
func TestTheDocumentListsEveryRoute(t *testing.T) {
	s := serve(t)
	want := strings.Fields(`post:/v1/cases/{n}/events post:/v1/cases/{n}/events:check get:/v1/cases get:/v1/cases/{n}
		get:/v1/cases/{n}/timeline get:/v1/cases/{n}/shares get:/v1/cases/{n}/obligations get:/v1/cases/{n}/obligations/{obligation}
		get:/v1/cases/{n}/knows get:/v1/cases/{n}/diff get:/v1/cases/{n}/access get:/v1/access get:/v1/cases/{n}/proof post:/v1/exports post:/v1/bundles:check get:/v1/checkpoint post:/v1/checkpoint/cosignatures get:/v1/alerts get:/v1/sharing-matrix get:/v1/safeguards get:/v1/events/{id}
		get:/v1/events/{id}/causes get:/v1/stream get:/v1/feed get:/v1/event-types get:/v1/event-types/{t}/schema get:/v1/projections get:/v1/matrix get:/v1/tools get:/v1/directory/{j} post:/v1/directory/{j}/events post:/v1/directory/{j}/events:check
		get:/livez get:/readyz get:/version get:/metrics get:/docs get:/openapi.json get:/openapi.yaml`)
	var got []string
	for path, item := range s.doc.paths() {
		for method := range item.(map[string]any) {
			got = append(got, method+":"+path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("listed:\n%s\nexpected:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	page := string(s.get("/docs").body)
	for _, route := range want {
		method, path, _ := strings.Cut(route, ":")
		if !strings.Contains(page, "<code>"+strings.ToUpper(method)+" "+path+"</code>") {
			t.Errorf("the page lacks %s", route)
		}
	}
}

func TestThePageOfTheDocumentNeedsNothingFromOutside(t *testing.T) {
	s := serve(t)
	a := s.get("/docs")
	page := strings.ToLower(string(a.body))
	if a.status != http.StatusOK || !strings.Contains(page, "</html>") {
		t.Fatalf("%d %s", a.status, page)
	}
	for _, bad := range []string{"<script", "javascript:", "onclick", "http://", "https://", `="//`} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("its policy: %s", policy)
	}
	if yaml := s.get("/openapi.yaml"); !strings.Contains(string(yaml.body), "openapi: 3.1") {
		t.Errorf("%d %.100s", yaml.status, yaml.body)
	}
}

// The checker itself finds what is wrong.
func TestTheCheckerOfAnswersIsAwake(t *testing.T) {
	d := &document{}
	object := map[string]any{"type": "object", "required": []any{"at"}, "properties": map[string]any{
		"at": map[string]any{"type": "string", "format": "date-time"}, "list": map[string]any{"type": "array", "items": map[string]any{"type": "integer"}}}}
	for text, ok := range map[string]bool{`{"at":"2026-01-12T08:00:00Z","list":[1]}`: true, `{}`: false, `{"at":"2026-01-12T08:00:00+01:00"}`: false,
		`{"at":"2026-01-12T08:00:00Z","list":null}`: false, `{"at":"2026-01-12T08:00:00Z","list":[1.5]}`: false, `{"at":"2026-01-12T08:00:00Z","more":1}`: false} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if w := d.wrong(v, object, "$"); (w == "") != ok {
			t.Errorf("%s: %q", text, w)
		}
	}
}
