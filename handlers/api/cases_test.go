package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/projections/timeline"
)

// told is a case in which the centre for social work was told of the planned release, and a mistake was put right.
func told(t *testing.T, options ...option) *service {
	s := serve(t, options...)
	s.record(number, opening()) // position 1, 08:00
	s.clock.set(time.Date(2026, 1, 20, 10, 0, 0, 0, time.UTC))
	s.record(number, strings.Replace(notice("n-1"), "{", `{"occurredAt":"2026-01-19T16:30:00+01:00",`, 1))
	s.record(number, strings.Replace(support("mediation"), "{", `{"occurredAt":"2026-01-13T10:00:00+01:00",`, 1))
	return s
}

func TestOneCaseAsItStandsAndAsItWasKnown(t *testing.T) {
	s := told(t)
	a := s.get("/v1/cases/" + number)
	now := decode[timeline.Summary](t, a, http.StatusOK)
	if now.Case != number || now.Status != "open" || now.Phase != "intake" || now.Revision != 2 || a.header.Get("ETag") != `"2"` || now.NextDue == nil {
		t.Errorf("%s", a.body)
	}
	for _, at := range []string{"1", "2026-01-15T09:00:00+01:00", "2026-01-12T08:00:00Z"} {
		a := s.get("/v1/cases/" + number + "?at=" + url.QueryEscape(at))
		then := decode[timeline.Summary](t, a, http.StatusOK)
		if then.Revision != 0 || a.header.Get("ETag") != `"0"` || then.Position != events.At(1) {
			t.Errorf("at %s: %s", at, a.body)
		}
	}
	if later := read[timeline.Summary](s, "/v1/cases/"+number+"?at=99999"); later.Revision != 2 {
		t.Errorf("beyond the head: %+v", later)
	}
	for _, view := range []string{"", "/timeline", "/shares", "/obligations", "/knows?who=mk-csw-skopje", "/diff?from=1", "/obligations/screening"} {
		path, query, _ := strings.Cut("/v1/cases/"+number+view, "?")
		with := func(more string) string { return path + "?" + strings.Trim(query+"&"+more, "&") }
		field := "at"
		if strings.Contains(view, "diff") {
			field = "to"
		}
		for _, bad := range []string{"yesterday", "0", "-1", "2026-02-30T10:00:00Z", "2026-01-15", "1/1", "%00"} {
			problemIs(t, s.get(with(field+"="+bad)), http.StatusBadRequest, "invalid", field)
		}
		problemIs(t, s.get(with("colour=red")), http.StatusBadRequest, "invalid", "colour")
		if field == "at" { // a time before the case, and a case that is not there
			problemIs(t, s.get(with("at=2026-01-12T07:59:59Z")), http.StatusNotFound, "not-found", "")
		}
		problemIs(t, s.get(strings.Replace(with(""), number, "MK-2026-0002", 1)), http.StatusNotFound, "not-found", "")
		problemIs(t, s.get(strings.Replace(with(""), number, "ZZ-1", 1)), http.StatusBadRequest, "invalid", "case")
	}
	if v := s.get("/v1/cases/" + number + "?at="); v.status != http.StatusOK {
		t.Errorf("an empty at is now: %d %s", v.status, v.body)
	}
}

func TestTheTimelineInItsOrdersAndLanguages(t *testing.T) {
	s := told(t)
	types := func(query string) string {
		var all []string
		for _, e := range read[[]timeline.Entry](s, "/v1/cases/"+number+"/timeline"+query) {
			all = append(all, e.Type)
		}
		return strings.Join(all, " ")
	}
	const occurred, recorded = "CaseOpened SupportProvided NotificationSent", "CaseOpened NotificationSent SupportProvided"
	for query, want := range map[string]string{"": occurred, "?order=occurred": occurred, "?order=recorded": recorded, "?at=2": "CaseOpened NotificationSent",
		"?order=recorded&at=1&lang=mk": "CaseOpened"} {
		if got := types(query); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
	problemIs(t, s.get("/v1/cases/"+number+"/timeline?order=backwards"), http.StatusBadRequest, "invalid", "order")
	english := read[[]timeline.Entry](s, "/v1/cases/"+number+"/timeline")[0].Summary
	seen := map[string]bool{}
	for _, l := range timeline.Languages() {
		seen[read[[]timeline.Entry](s, "/v1/cases/"+number+"/timeline?lang="+l.Tag)[0].Summary] = true
	}
	if len(seen) < 4 || !seen[english] { // the three written in Latin script may say the same
		t.Errorf("%d sentences in %d languages", len(seen), len(timeline.Languages()))
	}
	// A language that traga does not speak is told in English.
	if got := read[[]timeline.Entry](s, "/v1/cases/"+number+"/timeline?lang=fr")[0].Summary; got != english {
		t.Error(got)
	}
}

func TestWhoSharedWhatAndWhoKnowsIt(t *testing.T) {
	s := told(t)
	a := s.get("/v1/cases/" + number + "/shares")
	shares := decode[[]timeline.Share](t, a, http.StatusOK)
	if len(shares) != 1 || shares[0].Type != "NotificationSent" || shares[0].To.Institution != "mk-csw-skopje" || a.header.Get("ETag") != `"2"` {
		t.Errorf("%s", a.body)
	}
	if !shares[0].At.Equal(time.Date(2026, 1, 19, 15, 30, 0, 0, time.UTC)) || !strings.Contains(string(a.body), `"at":"2026-01-19T15:30:00Z"`) {
		t.Errorf("times are in UTC: %s", a.body)
	}
	if none := s.get("/v1/cases/" + number + "/shares?at=1"); strings.TrimSpace(string(none.body)) != "[]" {
		t.Errorf("%s", none.body)
	}
	knows := read[[]timeline.Knowledge](s, "/v1/cases/"+number+"/knows?who=mk-csw-skopje")
	if len(knows) != 1 || knows[0].Category != events.Identity || !slices.Equal(knows[0].Through, append(knows[0].Through[:0:0], shares[0].Event)) {
		t.Errorf("%+v", knows)
	}
	if none := s.get("/v1/cases/" + number + "/knows?who=mk-nobody"); strings.TrimSpace(string(none.body)) != "[]" {
		t.Errorf("%s", none.body)
	}
	problemIs(t, s.get("/v1/cases/"+number+"/knows"), http.StatusBadRequest, "invalid", "who")
	problemIs(t, s.get("/v1/cases/"+number+"/knows?who="), http.StatusBadRequest, "invalid", "who")
}

func TestTheDutiesAndWhyEachIsDue(t *testing.T) {
	s := told(t)
	all := read[[]timeline.Obligation](s, "/v1/cases/"+number+"/obligations")
	slashes := 0
	for _, o := range all {
		path := "/v1/cases/" + number + "/obligations/"
		if why := read[timeline.Explanation](s, path+o.Obligation); why.Obligation.Obligation != o.Obligation || why.Due != o.Due || why.Activation == nil || len(why.Steps) == 0 {
			t.Errorf("%s: %+v", o.Obligation, why)
		}
		if strings.Contains(o.Obligation, "/") {
			slashes++
			if why := read[timeline.Explanation](s, path+url.PathEscape(o.Obligation)); why.Obligation.Obligation != o.Obligation {
				t.Errorf("escaped: %+v", why)
			}
		}
	}
	if len(all) < 2 || slashes == 0 {
		t.Errorf("%+v", all)
	}
	problemIs(t, s.get("/v1/cases/"+number+"/obligations/acknowledge/n-9"), http.StatusNotFound, "not-found", "")
	problemIs(t, s.get("/v1/cases/"+number+"/obligations/"), http.StatusBadRequest, "invalid", "obligation")
}

func TestWhatChangedBetweenTwoPointsOfView(t *testing.T) {
	s := told(t)
	path := "/v1/cases/" + number + "/diff"
	d := read[timeline.Difference](s, path+"?from=1")
	if len(d.Recorded) != 2 || len(d.Knowledge) == 0 {
		t.Errorf("%+v", d)
	}
	if d := read[timeline.Difference](s, path+"?from=1&to=2"); len(d.Recorded) != 1 {
		t.Errorf("%+v", d)
	}
	if same := read[timeline.Difference](s, path+"?from=2&to=2&lang=mk"); len(same.Recorded)+len(same.Knowledge)+len(same.Obligations) != 0 {
		t.Errorf("%+v", same)
	}
	problemIs(t, s.get(path), http.StatusBadRequest, "invalid", "from")
	problemIs(t, s.get(path+"?from=soon"), http.StatusBadRequest, "invalid", "from")
	// Since before there was the case, everything is new.
	if d := read[timeline.Difference](s, path+"?from=2026-01-01T00:00:00Z"); len(d.Recorded) != 3 || d.From != nil || len(d.State) == 0 {
		t.Errorf("%+v", d)
	}
	problemIs(t, s.get(path+"?from=1&to=2026-01-01T00:00:00Z"), http.StatusNotFound, "not-found", "")
}

func TestEventsAndWhatCausedThem(t *testing.T) {
	s := serve(t)
	first := s.record(number, opening())
	second := s.record(number, strings.Replace(support("mediation"), "{", `{"causationId":"`+first.ID.String()+`",`, 1))
	chain := read[[]api.Record](s, "/v1/events/"+second.ID.String()+"/causes")
	if len(chain) != 2 || chain[0].ID != second.ID || chain[1].ID != first.ID || *chain[0].CausationID != first.ID || chain[0].CorrelationID != first.ID {
		t.Errorf("%+v", chain)
	}
	a := s.get("/v1/events/" + first.ID.String())
	if !strings.Contains(string(a.body), `"name":"`+nobody+`"`) {
		t.Errorf("text is not escaped for HTML: %s", a.body)
	}
	for _, path := range []string{"", "/causes"} {
		problemIs(t, s.get("/v1/events/5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"+path), http.StatusNotFound, "not-found", "")
		problemIs(t, s.get("/v1/events/the-first"+path), http.StatusBadRequest, "invalid", "id")
	}
}

func TestTheSafeguardsOfACase(t *testing.T) {
	s := told(t)
	a := s.get("/v1/safeguards?case=" + number)
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"safeguard":"HR07"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	problemIs(t, s.get("/v1/safeguards?case=x"), http.StatusBadRequest, "invalid", "case")
	problemIs(t, s.get("/v1/safeguards?case=MK-2026-0002"), http.StatusNotFound, "not-found", "")
	problemIs(t, s.get("/v1/safeguards?at=never&case="+number), http.StatusBadRequest, "invalid", "at")
}

func TestTheCatalogueAndItsSchemas(t *testing.T) {
	s := serve(t)
	all := read[[]api.EventType](s, "/v1/event-types")
	if len(all) != len(events.Standard().Kinds()) {
		t.Errorf("%d types", len(all))
	}
	for _, one := range all {
		a := s.get("/v1/event-types/" + one.Type + "/schema")
		schema := decode[map[string]any](t, a, http.StatusOK)
		if schema["title"] != one.Type || a.header.Get("Content-Type") != "application/schema+json" {
			t.Errorf("%s: %s %s", one.Type, a.header.Get("Content-Type"), a.body)
		}
	}
	problemIs(t, s.get("/v1/event-types/Nothing/schema"), http.StatusNotFound, "not-found", "")
}
