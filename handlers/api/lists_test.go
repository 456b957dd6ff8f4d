package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	"traga.internal/projections/regional"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
)

// next is the address of the next page, empty at the end.
func next(t *testing.T, a answer) string {
	t.Helper()
	link := a.header.Get("Link")
	if link == "" {
		return ""
	}
	target, rel, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || strings.TrimSpace(rel) != `; rel="next"` {
		t.Fatalf("Link: %s", link)
	}
	return target
}

// walk reads a list page by page to its end; between is called after each page.
func walk[T any](s *service, path string, between func(page int)) []T {
	t := s.t.(*testing.T)
	t.Helper()
	var all []T
	for page := 0; path != ""; page++ {
		a := s.get(path)
		all = append(all, decode[[]T](t, a, http.StatusOK)...)
		path = next(t, a)
		if page > 1000 {
			t.Fatal("the list has no end")
		}
		between(page)
	}
	return all
}

// settled waits until the read models have seen everything.
func (s *service) settled() string {
	s.t.Helper()
	position := fmt.Sprint(s.head())
	s.get("/v1/cases", "Traga-Min-Position", position)
	return position
}

func TestAReaderReadsItsOwnWrite(t *testing.T) {
	s := serve(t)
	for i := range 20 {
		number := fmt.Sprintf("MK-2026-%04d", i+1)
		position := s.post(number, opening()).header.Get("Traga-Position")
		list := read[[]status.Case](s, "/v1/cases?q="+number, "Traga-Min-Position", position)
		if len(list) != 1 || list[0].Case != number {
			t.Fatalf("after %s: %+v", position, list)
		}
	}
}

func TestAReadThatCantSeeItsPositionGivesUp(t *testing.T) {
	s := serve(t, patience(20*time.Millisecond))
	s.record(number, opening())
	for _, path := range []string{"/v1/cases", "/v1/alerts", "/v1/sharing-matrix", "/v1/cases/" + number, "/v1/cases/" + number + "/timeline",
		"/v1/cases/" + number + "/diff?from=1", "/v1/safeguards?case=" + number} {
		problemIs(t, s.get(path, "Traga-Min-Position", "99"), http.StatusServiceUnavailable, "unavailable", "")
		for _, bad := range []string{"soon", "-1", "1/1", "07"} {
			problemIs(t, s.get(path, "Traga-Min-Position", bad), http.StatusBadRequest, "invalid", "Traga-Min-Position")
		}
	}
}

func TestReadModelsThatAreNotBuiltYetAreUnavailable(t *testing.T) {
	s := serve(t, still, patience(20*time.Millisecond))
	s.record(number, opening())
	for _, path := range []string{"/v1/cases", "/v1/alerts", "/v1/sharing-matrix"} {
		problemIs(t, s.get(path), http.StatusServiceUnavailable, "unavailable", "")
	}
	// One case is read straight from the log.
	if a := s.get("/v1/cases/" + number); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestTheListsAreWalkedToTheEndWhileEventsAreAppended(t *testing.T) {
	s := serve(t)
	var want []string
	for i := range 11 {
		number := fmt.Sprintf("%s-2026-%04d", []string{"MK", "RS"}[i%2], i+1)
		want = append(want, number)
		s.record(number, opening())
	}
	slices.Sort(want)
	s.clock.set(time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)) // the screening of each is overdue
	s.settled()
	alerts := read[[]obligations.Alert](s, "/v1/alerts")
	if len(alerts) < 11 {
		t.Fatalf("%d alerts", len(alerts))
	}
	s.clock.pass(time.Second) // what follows is recorded after the point of view of the walks
	grown := 0
	grow := func(page int) { // cases that come before, among and after those of the list
		if page > 5 {
			return
		}
		grown++
		for _, j := range []string{"AL", "MK", "XK"} {
			s.record(fmt.Sprintf("%s-2025-%04d", j, grown), opening())
		}
		s.record(want[page], support("mediation"))
		s.settled()
	}
	for _, limit := range []int{1, 3, 1000} {
		var got []string
		for _, c := range walk[status.Case](s, fmt.Sprintf("/v1/cases?limit=%d", limit), grow) {
			if slices.Contains(want, c.Case) {
				got = append(got, c.Case)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d a page: %v", limit, got)
		}
	}
	for _, limit := range []int{1, 4, 1000} {
		// As of the first page: what is appended meanwhile changes nothing.
		at := "2026-06-01T08:00:00Z"
		got := walk[obligations.Alert](s, fmt.Sprintf("/v1/alerts?limit=%d&at=%s", limit, at), grow)
		if len(got) != len(alerts) {
			t.Errorf("%d a page: %d alerts, not %d", limit, len(got), len(alerts))
		}
		for i := range min(len(got), len(alerts)) {
			if got[i].Case != alerts[i].Case || got[i].Obligation != alerts[i].Obligation {
				t.Errorf("%d a page: %s %s at %d, not %s %s", limit, got[i].Case, got[i].Obligation, i, alerts[i].Case, alerts[i].Obligation)
			}
		}
	}
	// A list of now that is walked while events are appended shows everything once, too.
	seen := map[string]int{}
	for _, a := range walk[obligations.Alert](s, "/v1/alerts?limit=2&jurisdiction=RS&state=overdue", grow) {
		seen[a.Case+" "+a.Obligation]++
	}
	for _, a := range alerts {
		if strings.HasPrefix(a.Case, "RS") && a.State == protocol.Overdue && seen[a.Case+" "+a.Obligation] != 1 {
			t.Errorf("%s %s is there %d times", a.Case, a.Obligation, seen[a.Case+" "+a.Obligation])
		}
	}
}

func TestTheListsAreNarrowed(t *testing.T) {
	s := serve(t)
	s.record("MK-2026-0001", opening())
	s.record("RS-2026-0002", opening())
	s.clock.set(time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC))
	s.record("MK-2026-0003", opening())
	s.settled()
	for query, want := range map[string]string{"": "MK-2026-0001 MK-2026-0003 RS-2026-0002", "?jurisdiction=RS": "RS-2026-0002", "?status=closed": "", "?phase=intake&q=0003": "MK-2026-0003",
		"?at=2": "MK-2026-0001 RS-2026-0002", "?at=2026-01-12T09:00:00%2B01:00": "MK-2026-0001", "?q=%27%22%25": ""} {
		var got []string
		for _, c := range read[[]status.Case](s, "/v1/cases"+query) {
			got = append(got, c.Case)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	for _, query := range []string{"?state=overdue&jurisdiction=MK", "?state=due-soon&at=3", "?institution=mk-prison-idrizovo"} {
		for _, a := range read[[]obligations.Alert](s, "/v1/alerts"+query) {
			if strings.Contains(query, "overdue") && (a.State != protocol.Overdue || !strings.HasPrefix(a.Case, "MK")) ||
				strings.Contains(query, "due-soon") && a.State != protocol.DueSoon || strings.Contains(query, "institution") && *a.DutyHolder != "mk-prison-idrizovo" {
				t.Errorf("%s: %+v", query, a)
			}
		}
	}
	if none := s.get("/v1/alerts?jurisdiction=AL"); strings.TrimSpace(string(none.body)) != "[]" {
		t.Errorf("%s", none.body)
	}
	for path, fields := range map[string]string{"/v1/cases": "limit=0 limit=1001 limit=x limit=-1 cursor=x cursor=%00 cursor=eyJhdCI6MX0 jurisdiction=ZZ status=maybe phase=moon at=x colour=red",
		"/v1/alerts":         "limit=0 limit=99999999999999999999 cursor=x cursor=e30 cursor=bnVsbA state=maybe jurisdiction=mk at=0 colour=red",
		"/v1/sharing-matrix": "jurisdiction=x at=x limit=5", "/v1/feed": "limit=0 limit=1001 after=x after=1/1 cursor=1", "/v1/safeguards": "safeguard=HR30 verdict=x cursor=x cursor=e30 case=x limit=0 at=x", "/v1/projections": "at=1", "/v1/matrix": "period=moon at=x jurisdiction=x colour=red", "/v1/tools": "at=x jurisdiction=x lang=en", "/v1/event-types": "x=1"} {
		for _, query := range strings.Fields(fields) {
			name, _, _ := strings.Cut(query, "=")
			problemIs(t, s.get(path+"?"+query), http.StatusBadRequest, "invalid", name)
		}
	}
}

func TestWhoSharesWithWhomOverAllCases(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	s.record(number, notice("n-1"))
	s.settled()
	flows := read[[]sharing.Flow](s, "/v1/sharing-matrix")
	if len(flows) != 1 || flows[0].To.Institution != "mk-csw-skopje" || flows[0].Categories[events.Identity] != 1 || flows[0].Cases != 1 {
		t.Errorf("%+v", flows)
	}
	for _, query := range []string{"?at=1", "?jurisdiction=RS"} {
		if a := s.get("/v1/sharing-matrix" + query); strings.TrimSpace(string(a.body)) != "[]" {
			t.Errorf("%s: %s", query, a.body)
		}
	}
	s.settle()
	list := read[[]projections.Status](s, "/v1/projections")
	if len(list) < 4 || list[0].Name != "status" || list[0].State != projections.Live {
		t.Errorf("%+v", list)
	}
}

func TestTheRegionIsCompared(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	s.record(number, `{"type":"ScreeningCompleted",`+prison+`,"data":{"tool":"VES-short","toolVersion":"1.2","result":"indicated","facts":[],"opinions":[]}}`)
	s.settled()
	for _, query := range []string{"", "?period=quarter&lang=mk", "?jurisdiction=RS", "?at=1", "?at=2026-01-12T08:00:00Z"} {
		if c := read[regional.Comparison](s, "/v1/matrix"+query); len(c.Rules) == 0 {
			t.Errorf("%s: %+v", query, c)
		}
	}
	if tools := read[[]regional.Tool](s, "/v1/tools"); len(tools) != 1 || tools[0].Tool != "VES-short" {
		t.Errorf("%+v", tools)
	}
	if a := s.get("/v1/tools?at=1"); strings.TrimSpace(string(a.body)) != "[]" {
		t.Errorf("%s", a.body)
	}
}

func TestTheFeedIsFollowedPageByPage(t *testing.T) {
	s := serve(t)
	var want []string
	for i := range 7 {
		want = append(want, s.record(fmt.Sprintf("MK-2026-%04d", i+1), opening()).ID.String())
	}
	// What is not of a case is not in the feed, however much of it there is.
	for i := range 50 {
		id := events.DeriveID("test", fmt.Sprint(i))
		p := events.Proposed{ID: id, Type: "Other", Metadata: json.RawMessage(`{}`), Data: json.RawMessage(`{}`)}
		if _, err := s.store.Append(t.Context(), "directory-MK", events.Any, p); err != nil {
			t.Fatal(err)
		}
	}
	want = append(want, s.record(number, support("mediation")).ID.String())
	follow := func(path string) (got []string, end string) {
		for pages := 0; ; pages++ {
			a := s.get(path)
			batch := decode[[]api.CloudEvent](t, a, http.StatusOK)
			if media := a.header.Get("Content-Type"); media != "application/cloudevents-batch+json" {
				t.Fatal(media)
			}
			for _, e := range batch {
				if e.SpecVersion != "1.0" || !strings.HasPrefix(e.Type, "traga.") || e.Subject == "" || e.Data.ID != e.ID || strings.Contains(string(a.body), "Goran") {
					t.Errorf("%s", a.body)
				}
				got = append(got, e.ID.String())
			}
			if path = next(t, a); path == "" || pages > 100 {
				t.Fatal("the feed always has a next page")
			}
			if len(batch) == 0 {
				return got, path
			}
		}
	}
	for _, limit := range []string{"1", "3", "1000"} {
		got, end := follow("/v1/feed?limit=" + limit)
		if !slices.Equal(got, want) {
			t.Errorf("%s a page: %v", limit, got)
		}
		if u, err := url.Parse(end); err != nil || u.Query().Get("limit") != limit {
			t.Errorf("the limit is kept: %s", end)
		}
		want = append(want, s.record(number, support("later")).ID.String())
		if more, _ := follow(end); !slices.Equal(more, want[len(want)-1:]) {
			t.Errorf("what is new since: %v", more)
		}
	}
}
