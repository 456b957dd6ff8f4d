package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"traga.internal/aggregates/access/accesstest"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/handlers/auth"
	"traga.internal/projections/accesslog"
)

const planted = "MK-2026-0001"

// plantedWorld holds one case with a mark in every field that someone may not see.
func plantedWorld(t *testing.T) (w *world, marks []accesstest.Mark) {
	w = newWorld(t, func(ctx context.Context, w *world) {
		w.clock.Follow(func() time.Time { return today.AddDate(0, -3, 0) })
		var stream []*events.Event
		stream, marks = accesstest.Stream(planted, today.AddDate(0, -3, 0), false)
		for _, e := range stream {
			p, err := events.Encode(e)
			if err == nil {
				_, err = w.store.Append(ctx, e.Stream, events.Any, p)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		w.clock.Follow(func() time.Time { return today })
	})
	return w, marks
}

// asOfficer asks for a page, with a cookie if one is given.
func (w *world) asOfficer(t *testing.T, who events.Actor, address string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	t.Helper()
	r, q := httptest.NewRecorder(), httptest.NewRequestWithContext(auth.WithIdentity(t.Context(), auth.Identity{Actor: who, Name: who.Officer}), http.MethodGet, address, nil)
	for _, c := range cookies {
		q.AddCookie(c)
	}
	w.mux.ServeHTTP(r, q)
	return r
}

var born = regexp.MustCompile(`(?:\D)193[34](?:\D|$)`)

// finds are the marks on a page. A date is written out on pages; hashes and ids may hold any number.
func finds(page string, marks []accesstest.Mark) (found []accesstest.Mark) {
	for _, m := range marks {
		if strings.HasPrefix(m.Text, "193") && born.MatchString(page) || strings.Contains(page, m.Text) {
			found = append(found, m)
		}
	}
	return found
}

// A crawl of the pages from link to link, as an officer of every role: no page holds a mark of a category that the role may
// not see in full, and no prison role finds a trace of a contact with the monitor.
func TestNoPageHoldsWhatTheReaderMayNotSee(t *testing.T) {
	w, marks := plantedWorld(t)
	matrix := safeguards.Matrix()
	for i, role := range matrix.Roles() {
		full := func(c events.Category) bool { return matrix.Cell(role, c) == safeguards.Full }
		queue, seen, asked, pages, shown := []string{"/", "/cases", "/cases/" + planted, "/cases/" + planted + "?order=recorded&lang=mk", "/cases/" + planted + "?at=60", "/cases/" + planted + "/access"}, map[string]bool{}, map[string]bool{}, 0, 0
		for _, a := range queue {
			asked[a] = true
		}
		for len(queue) > 0 {
			address := queue[0]
			queue = queue[1:]
			path, _, _ := strings.Cut(address, "?")
			if seen[path] && !asked[address] || strings.HasPrefix(path, "/directory") || strings.HasPrefix(path, "/region") {
				continue
			}
			seen[path], asked[address] = true, false
			if strings.Contains(path, "/entries/") && (int(path[len(path)-1])+i)%3 != 0 { // each entry is looked at by every third role
				continue
			}
			r := w.asOfficer(t, accesstest.Office(role), address)
			if r.Code != http.StatusOK && (r.Code != http.StatusForbidden || !strings.Contains(address, "/access")) {
				t.Fatalf("%s for %s: %d", address, role, r.Code)
			}
			pages++
			body := r.Body.String()
			for _, m := range finds(body, marks) {
				if shown++; m.Forbids(role, full) {
					t.Errorf("%s: %s finds %s (%v)", address, role, m.Text, m.Categories)
				}
			}
			doc := parse(t, r)
			queue = append(queue, check(t, address, doc)...)
			if t.Failed() {
				t.FailNow()
			}
		}
		if pages < 25 || shown == 0 && role != events.DataProtection {
			t.Errorf("%s was shown %d marks on %d pages", role, shown, pages)
		}
	}
}

// What is hidden is shown as hidden, with the kind of information and whom to ask; what a prison may not know is not.
func TestWhatIsHiddenIsSaid(t *testing.T) {
	w, _ := plantedWorld(t)
	var assessment string
	for r, err := range w.store.ReadStream(t.Context(), events.CaseStream(planted), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == "AssessmentCompleted" {
			assessment = r.ID.String()
		}
	}
	says := func(role events.Role, address string, want ...string) {
		t.Helper()
		content := words(first(parse(t, w.asOfficer(t, accesstest.Office(role), address)), "main"))
		for _, what := range want {
			if absent := strings.TrimPrefix(what, "not: "); strings.Contains(content, absent) != (absent == what) {
				t.Errorf("%s for %s: %q", address, role, what)
			}
		}
	}
	entry := "/cases/" + planted + "/entries/" + assessment
	says(events.CSW, entry, "Hidden: risk. Ask: directorate.", "low", "not: MARK-AssessmentCompleted-facts")
	says(events.Employment, "/cases/"+planted, "hidden; ask: prison, treatment", "not: Entries that the law keeps confidential")
	says(events.PrisonHealth, "/cases/"+planted, "Entries that the law keeps confidential from prisons are not shown here", "confidential Monitoring contact confidential HR24")
	says(events.Police, "/cases/"+planted, "More is shown for a stated need: security information, housing, family")
	says(events.Ombudsman, "/cases/"+planted, "Who looked at this case, when and why")
	says(events.CSW, "/cases/"+planted, "not: Who looked at this case")
}

// Who would open a case by mandate alone says first why; then the reason goes with every look at that case by that officer,
// and is on record with it.
func TestAReaderSaysFirstWhy(t *testing.T) {
	w, marks := plantedWorld(t)
	ombudsman := events.Actor{Officer: "n.n", Role: events.Ombudsman, Institution: "mk-npm"}
	entries := func() []accesslog.Entry {
		list, err := accesslog.OfCase(t.Context(), w.store, planted, events.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	address := "/cases/" + planted + "?order=recorded"
	r := w.asOfficer(t, ombudsman, address)
	if r.Code != http.StatusOK || len(finds(r.Body.String(), marks)) != 0 || strings.Contains(r.Body.String(), "mk-recorder") || len(entries()) != 0 {
		t.Fatalf("%d before the reason is said: %s", r.Code, r.Body)
	}
	doc := parse(t, r)
	check(t, address, doc)
	to, filled := form(first(doc, "main"), "")
	filled.Set("justification", "Годишен преглед")
	filled.Set("purpose", "oversight")
	r = w.as(t, ombudsman, http.MethodPost, to, filled)
	set := r.Result().Cookies()
	if r.Code != http.StatusSeeOther || r.Header().Get("Location") != address || len(set) != 1 || !set[0].HttpOnly || set[0].SameSite != http.SameSiteStrictMode || set[0].Path != "/cases/"+planted {
		t.Fatalf("%d %v", r.Code, r.Header())
	}
	r = w.asOfficer(t, ombudsman, address, set[0])
	if len(finds(r.Body.String(), marks)) == 0 && !strings.Contains(r.Body.String(), "mk-recorder") {
		t.Errorf("the case is not shown: %s", r.Body)
	}
	if list := entries(); len(list) != 1 || list[0].Justification != "Годишен преглед" || list[0].Purpose != "oversight" || list[0].View != "case" || list[0].Actor != ombudsman {
		t.Errorf("on record: %+v", list)
	}
	// The next officer at the same browser says their own reason.
	if other := w.asOfficer(t, events.Actor{Officer: "m.m", Role: events.Ombudsman, Institution: "mk-npm"}, address, set[0]); strings.Contains(other.Body.String(), "mk-recorder") || len(entries()) != 1 {
		t.Errorf("another officer looks by the first one's reason")
	}
	r = w.asOfficer(t, ombudsman, "/cases/"+planted+"/access", set[0])
	content := words(first(parse(t, r), "main"))
	if !strings.Contains(content, "Годишен преглед") || !strings.Contains(content, "looked at case") || !strings.Contains(content, "looked at access") {
		t.Errorf("who looked: %s", content)
	}
	for what, v := range map[string]url.Values{"no reason": {"justification": {"  "}}, "two lines": {"justification": {"a\nb"}}, "no such purpose": {"justification": {"a"}, "purpose": {"curiosity"}},
		"too long": {"justification": {strings.Repeat("x", 501)}}, "far too long": {"justification": {strings.Repeat("x", 1<<20)}}} {
		if r := w.as(t, ombudsman, http.MethodPost, to, v); r.Code != http.StatusBadRequest || len(r.Result().Cookies()) != 0 {
			t.Errorf("%s: %d", what, r.Code)
		}
	}
	for _, next := range []string{"https://evil.example/", "//evil.example", "/cases/" + planted + "/../../x\\", "/cases/MK-2026-0002", ""} {
		r := w.as(t, ombudsman, http.MethodPost, to, url.Values{"justification": {"a"}, "next": {next}})
		if got := r.Header().Get("Location"); got != "/cases/"+planted {
			t.Errorf("next %q leads to %s", next, got)
		}
	}
	if r := w.as(t, ombudsman, http.MethodPost, "/cases/nonsense/why", url.Values{"justification": {"a"}}); r.Code != http.StatusBadRequest {
		t.Errorf("nonsense: %d", r.Code)
	}
}

// Who has no part in a case and no mandate is told so, and that it is on record; and where nothing can be recorded, nothing
// is shown.
func TestNoPageIsShownThatIsNotOnRecord(t *testing.T) {
	w, marks := plantedWorld(t)
	outside := events.Actor{Officer: "x.y", Role: events.CSW, Institution: "mk-csw-bitola"}
	r := w.asOfficer(t, outside, "/cases/"+planted)
	if r.Code != http.StatusForbidden || !strings.Contains(r.Body.String(), "This case is not open to you") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	list, err := accesslog.OfCase(t.Context(), w.store, planted, events.AsOf{})
	if err != nil || len(list) != 1 || list[0].Kind != accesslog.Denied {
		t.Errorf("%v %+v", err, list)
	}
	if r := w.asOfficer(t, outside, "/cases"); strings.Contains(r.Body.String(), "/cases/"+planted) {
		t.Error("the list shows a case that is not open")
	}
	w.full = true
	var entry string
	for r, err := range w.store.ReadStream(t.Context(), events.CaseStream(planted), 0) {
		if err != nil {
			t.Fatal(err)
		}
		entry = r.ID.String()
	}
	for _, who := range []events.Actor{auth.Owner().Actor, accesstest.Office(events.Ombudsman), outside} {
		for _, path := range []string{"/", "/cases", "/cases/" + planted, "/cases/" + planted + "/entries/" + entry, "/cases/" + planted + "/access"} {
			r := w.asOfficer(t, who, path)
			if body := r.Body.String(); r.Code != http.StatusServiceUnavailable || len(finds(body, marks)) != 0 || strings.Contains(body, "mk-recorder") || !strings.Contains(body, "could not be put on record") {
				t.Errorf("%s for %s: %d %s", path, who.Role, r.Code, body)
			}
		}
	}
}
