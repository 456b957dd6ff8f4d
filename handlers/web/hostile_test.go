package web_test

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"traga.internal/events"
)

const script = `"><script>alert(1)</script><b onclick='x'>'`

// TestContentIsNeverMarkup records a case in which everything that a writer may choose freely is markup, and finds it
// as plain words on every page.
func TestContentIsNeverMarkup(t *testing.T) {
	const number = "MK-2026-0666"
	prison, social := events.Institution("mk-prison-"+script), events.Institution("mk-csw-"+script)
	w := newWorld(t, func(ctx context.Context, w *world) {
		at := time.Date(2025, 1, 8, 9, 0, 0, 0, time.UTC)
		w.clock.Follow(func() time.Time { return at })
		n := 0
		say := func(stream string, role events.Role, who events.Institution, data any) {
			n++
			at = at.Add(time.Hour)
			e := &events.Event{ID: events.DeriveID("hostile", strconv.Itoa(n)), Type: reflect.TypeOf(data).Elem().Name(), OccurredAt: at.AddDate(0, 0, -20),
				Actor: events.Actor{Officer: script, Role: role, Institution: who}, Data: data, LateReason: script, Jurisdiction: "MK"}
			if strings.HasPrefix(stream, "case-") {
				e.Case = number
			}
			if k, ok := events.KindOf(e.Type); ok && k.Shares {
				e.Purpose, e.LegalBasis = "pre-release-planning", "execution-law"
			}
			p, err := events.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.store.Append(ctx, stream, events.Any, p); err != nil {
				t.Fatal(err)
			}
		}
		say(events.DirectoryStream("MK"), events.Directorate, "mk-des", &events.InstitutionRegistered{Institution: social,
			Name: map[string]string{"en": "Social work " + script}, Role: []events.Role{events.CSW}, Place: script})
		file := events.CaseStream(number)
		say(file, events.PrisonTreatment, prison, &events.CaseOpened{Subject: script, Name: script, DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male",
			Reason: "convicted", Institution: prison, AdmittedOn: events.DateOf(2025, 1, 7)})
		say(file, events.PrisonTreatment, prison, &events.ExpectedReleaseDateSet{Date: events.DateOf(2025, 9, 1), Basis: "sentence-end"})
		say(file, events.PrisonTreatment, prison, &events.ScreeningCompleted{Tool: script, ToolVersion: script, Result: "indicated", Facts: []string{script}})
		say(file, events.PrisonTreatment, prison, &events.NotificationSent{Notification: events.ID(script), Subject: "planned-release",
			Recipient: events.Party{Institution: social, Role: events.CSW, Officer: script}, Categories: []events.Category{events.Identity, events.Health}, Channel: "letter"})
		say(file, events.PrisonTreatment, prison, &events.InformationDisclosed{Disclosure: events.ID(script), Recipient: events.Party{Institution: social, Role: events.CSW},
			Categories: []events.Category{events.Health}, Justification: script, Summary: script})
		at = today
	})
	addresses := []string{"/", "/cases", "/cases/" + number, "/cases/" + number + "?order=recorded", "/?institution=" + url.QueryEscape(string(social)),
		"/cases?q=" + url.QueryEscape(script), "/region", "/cases/" + url.PathEscape(script), "/" + url.PathEscape(script)}
	for n := range 4 {
		addresses = append(addresses, "/cases/"+number+"/entries/"+events.DeriveID("hostile", strconv.Itoa(n+2)).String())
	}
	found := 0
	for _, address := range addresses {
		r := w.get(t, address)
		doc, err := html.Parse(strings.NewReader(r.Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		if r.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s: no policy", address)
		}
		for n := range doc.Descendants() {
			if src, _ := attribute(n, "src"); n.Data == "script" && (src != "/static/traga.js" || n.FirstChild != nil) {
				t.Errorf("%s: a script came in: %s", address, words(n))
			}
			if _, ok := attribute(n, "onclick"); ok || n.Data == "b" {
				t.Errorf("%s: markup came in: <%s>", address, n.Data)
			}
		}
		found += strings.Count(words(doc), "<script>alert(1)</script>")
	}
	if found < 30 {
		t.Errorf("the hostile words stand on the pages %d times as words; the pages show less than they should", found)
	}
}

// TestWhatCannotBeShown asks for pages that there are not: each has a page that says so, and tells nothing else.
func TestWhatCannotBeShown(t *testing.T) {
	w := caseloadWorld(t, 6)
	for address, want := range map[string]int{
		"/nothing":                  http.StatusNotFound,
		"/cases/MK-1999-0001":       http.StatusNotFound,
		"/cases/../../etc/passwd":   http.StatusTemporaryRedirect,
		"/cases/NN-1":               http.StatusNotFound,
		"/static/none.css":          http.StatusNotFound,
		"/?at=yesterday":            http.StatusBadRequest,
		"/?at=0":                    http.StatusBadRequest,
		"/?jurisdiction=DE":         http.StatusBadRequest,
		"/?cursor=xyz":              http.StatusBadRequest,
		"/cases?cursor=xyz":         http.StatusBadRequest,
		"/cases?jurisdiction=../..": http.StatusBadRequest,
		"/region?jurisdiction=DE":   http.StatusBadRequest,
		"/region?period=soon":       http.StatusBadRequest,
		"/region?at=yesterday":      http.StatusBadRequest,
	} {
		if want == http.StatusTemporaryRedirect {
			if r := w.get(t, address); r.Code/100 != 3 && r.Code != http.StatusNotFound {
				t.Errorf("%s: %d", address, r.Code)
			}
			continue
		}
		doc := w.page(t, address, want)
		if h := first(doc, "h1"); h == nil || words(h) == "" {
			t.Errorf("%s: the page says nothing", address)
		}
		if strings.Contains(address, "/static/") {
			continue
		}
		for n := range doc.Descendants() {
			if href, _ := attribute(n, "href"); n.Data == "a" && strings.Contains(href, "at=") && !strings.Contains(href, "lang=") {
				t.Errorf("%s: offers a way on with the same mistake: %s", address, href)
			}
		}
	}
	for _, address := range []string{"/v1/cases", "/docs", "/metrics", "/livez"} {
		if r := w.get(t, address); !strings.HasPrefix(r.Body.String(), "other ") {
			t.Errorf("%s is answered by the pages", address)
		}
	}
	r := w.do(t, http.MethodPost, "/cases")
	if r.Code != http.StatusMethodNotAllowed || r.Header().Get("Allow") == "" {
		t.Errorf("POST /cases: %d, Allow %q", r.Code, r.Header().Get("Allow"))
	}
}

// TestStatic asks for the files that pages load, and again with the tag that came with them.
func TestStatic(t *testing.T) {
	w := newWorld(t, func(context.Context, *world) {})
	for _, name := range []string{"traga.css", "traga.js", "icon.svg"} {
		r := w.get(t, "/static/"+name)
		tag := r.Header().Get("ETag")
		if r.Code != http.StatusOK || tag == "" || r.Body.Len() == 0 {
			t.Fatalf("%s: %d, tag %q, %d bytes", name, r.Code, tag, r.Body.Len())
		}
		if body := r.Body.String(); strings.Contains(body, "//") && strings.Contains(body, "url(") || strings.Contains(body, "@import") {
			t.Errorf("%s loads something", name)
		}
		if again := w.do(t, http.MethodGet, "/static/"+name, "If-None-Match", tag); again.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", name, again.Code)
		}
	}
}
