package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"traga.internal/aggregates/directory"
	"traga.internal/events"
	"traga.internal/handlers/auth"
	"traga.internal/projections/registers"
)

// as sends a request of someone who is signed in.
func (w *world) as(t *testing.T, who events.Actor, method, address string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r, q := httptest.NewRecorder(), httptest.NewRequestWithContext(auth.WithIdentity(t.Context(), auth.Identity{Actor: who}), method, address, strings.NewReader(form.Encode()))
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w.mux.ServeHTTP(r, q)
	return r
}

func (w *world) directory(t *testing.T, j events.Jurisdiction) *directory.Directory {
	t.Helper()
	d, err := registers.New(w.store).At(t.Context(), j, events.AsOf{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// officer is someone who acts in the role.
func (w *world) officer(t *testing.T, j events.Jurisdiction, r events.Role) events.Actor {
	t.Helper()
	for _, o := range w.directory(t, j).Officers() {
		if o.Stands && o.Role == r {
			return o.Actor()
		}
	}
	t.Fatalf("nobody acts as %s in %s", r, j)
	return events.Actor{}
}

// form is the page's form that does something: where it is sent, and what is hidden in it.
func form(doc *html.Node, do string) (to string, hidden url.Values) {
	for n := range doc.Descendants() {
		if n.Data != "form" {
			continue
		}
		hidden = url.Values{}
		for f := range n.Descendants() {
			if kind, _ := attribute(f, "type"); f.Data == "input" && kind == "hidden" {
				name, _ := attribute(f, "name")
				value, _ := attribute(f, "value")
				hidden.Set(name, value)
			}
		}
		if hidden.Get("do") == do {
			to, _ = attribute(n, "action")
			return to, hidden
		}
	}
	return "", nil
}

func TestTheDirectoratesOfficersKeepTheDirectoryWithForms(t *testing.T) {
	w := caseloadWorld(t, 4)
	des := w.officer(t, "MK", events.Directorate)
	look := func(who events.Actor, address string) *html.Node {
		t.Helper()
		r := w.as(t, who, http.MethodGet, address, nil)
		doc, err := html.Parse(strings.NewReader(r.Body.String()))
		if err != nil || r.Code != http.StatusOK {
			t.Fatalf("%s: %d, %v", address, r.Code, err)
		}
		check(t, address, doc)
		return doc
	}
	// send fills in a form of the page as it is now, and sends it twice: it is recorded once.
	send := func(lang, do string, fields ...string) *html.Node {
		t.Helper()
		to, filled := form(look(des, "/directory?lang="+lang), do)
		for i := 0; i+1 < len(fields); i += 2 {
			filled.Set(fields[i], fields[i+1])
		}
		before := w.directory(t, "MK").Len()
		var r *httptest.ResponseRecorder
		for range 2 {
			if r = w.as(t, des, http.MethodPost, to, filled); r.Code != http.StatusSeeOther {
				t.Fatalf("%s: %d %s", do, r.Code, words(first(parse(t, r), "main")))
			}
		}
		if n := w.directory(t, "MK").Len() - before; n != 1 {
			t.Errorf("%s: %d events", do, n)
		}
		return look(des, r.Header().Get("Location"))
	}
	says := func(doc *html.Node, what string) {
		t.Helper()
		if content := words(first(doc, "main")); !strings.Contains(content, what) {
			t.Errorf("the page does not say %q", what)
		}
	}
	says(send("mk", "office", "kind", "csw", "place", "Ohrid", "place-mk", "Охрид"), "Центар за социјална работа Охрид")
	says(send("en", "institution", "institution", "mk-ngo-most", "name-en", "Association Bridge", "name-sq", "Shoqata Ura", "role", "civil-society", "place", "Skopje"), "Association Bridge")
	says(send("sq", "appoint", "officer", "n.nova", "post", "mk-ngo-most civil-society"), "Shoqata Ura")
	says(send("sr-Cyrl", "train", "officer", "n.nova", "tool", "VERA-2R", "tool-version", "2", "provider", "academy", "on", "2025-06-01", "until", "2026-01-31"), "престала да важи")
	says(send("bs", "revoke", "officer", "n.nova"), "opozvan")
	says(send("sr-Latn", "close", "institution", "mk-ngo-most"), "Zabeleženo je.")
	if o, _ := w.directory(t, "MK").Officer("n.nova"); !o.Revoked || o.Stands || len(o.Training) != 1 {
		t.Errorf("%+v", o)
	}
	if i, _ := w.directory(t, "MK").Institution("mk-csw-ohrid"); i.Names["sq"] != "Qendra për Punë Sociale Ohrid" || !i.Open {
		t.Errorf("%+v", i)
	}

	// What is refused is not recorded, and the page says why and keeps what was written.
	before := w.directory(t, "MK").Len()
	to, filled := form(look(des, "/directory"), "train")
	refused := func(who events.Actor, status int, says string, fields ...string) *html.Node {
		t.Helper()
		sent := url.Values{}
		for k, v := range filled {
			sent[k] = v
		}
		for i := 0; i+1 < len(fields); i += 2 {
			sent.Set(fields[i], fields[i+1])
		}
		r := w.as(t, who, http.MethodPost, to, sent)
		doc := parse(t, r)
		if content := words(first(doc, "main")); r.Code != status || !strings.Contains(content, says) {
			t.Errorf("%d, expected %d and %q", r.Code, status, says)
		}
		return doc
	}
	doc := refused(des, http.StatusBadRequest, "expected the day on which the training was held", "officer", "x.y", "tool", "<b>SQAT", "on", "2026-02-30")
	check(t, "a refusal", doc)
	kept := false
	for n := range doc.Descendants() {
		if id, _ := attribute(n, "id"); id == "train-tool" {
			value, _ := attribute(n, "value")
			kept = value == "<b>SQAT"
		}
	}
	if !kept {
		t.Error("what was written is lost")
	}
	refused(des, http.StatusBadRequest, "expected one of the forms", "do", "drop")
	refused(des, http.StatusBadRequest, "expected the id that the page gave", "id", "1")
	refused(des, http.StatusConflict, "no such officer was appointed", "do", "revoke", "officer", "nobody")
	csw := w.officer(t, "MK", events.CSW)
	refused(csw, http.StatusForbidden, "does not record", "do", "revoke", "officer", des.Officer)
	refused(w.officer(t, "RS", events.Directorate), http.StatusForbidden, "only the directorate of MK records this", "do", "revoke", "officer", des.Officer)
	r := httptest.NewRecorder()
	if w.mux.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodPost, to, nil)); r.Code != http.StatusForbidden {
		t.Errorf("nobody: %d", r.Code)
	}
	if r := w.as(t, des, http.MethodPost, "/directory/XX", filled); r.Code != http.StatusNotFound {
		t.Errorf("XX: %d", r.Code)
	}
	if r := w.as(t, des, http.MethodPost, to, url.Values{"tool": {strings.Repeat("x", 70<<10)}}); r.Code != http.StatusBadRequest {
		t.Errorf("a huge form: %d", r.Code)
	}
	if n := w.directory(t, "MK").Len(); n != before {
		t.Errorf("%d events of what was refused", n-before)
	}
	for address, who := range map[string]events.Actor{"/directory": csw, "/directory?at=2026-03-02": des, "/directory?jurisdiction=RS": des} {
		if to, _ := form(look(who, address), "revoke"); to != "" {
			t.Errorf("%s: %s sees the forms", address, who.Role)
		}
	}
}

func parse(t *testing.T, r *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(r.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Beside an assessment stands whether the assessor was trained in its tool (HR29), on the case's page and the entry's.
func TestTrainingIsShownBesideAssessments(t *testing.T) {
	w := caseloadWorld(t, 16)
	found := map[string]bool{}
	for after, more := events.Start, true; more; {
		page, err := w.store.ReadAll(t.Context(), after, 1000, events.Filter{Types: []string{"AssessmentCompleted"}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Events {
			e, err := events.Decode(&page.Events[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, address := range []string{"/cases/" + e.Case, "/cases/" + e.Case + "/entries/" + e.ID.String()} {
				content := words(first(w.page(t, address, http.StatusOK), "main"))
				says := false
				for _, s := range []string{"The assessor held valid training in this tool.", "No valid training of the assessor in this tool is on record."} {
					if strings.Contains(content, s) {
						says, found[s] = true, true
					}
				}
				if !says {
					t.Errorf("%s says nothing of training", address)
				}
			}
		}
		after, more = page.Scanned, page.More
	}
	if len(found) != 2 {
		t.Errorf("only %v was found", found)
	}
}
