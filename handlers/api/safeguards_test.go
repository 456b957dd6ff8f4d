package api_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

// Over all cases the safeguards are those of each case, narrowed and in pages.
func TestTheSafeguardsOfAllCases(t *testing.T) {
	s := serve(t)
	numbers := []string{"AL-2026-0001", "MK-2026-0001", "MK-2026-0002"}
	for _, n := range numbers {
		s.record(n, opening())
		s.record(n, notice("n-"+strings.ToLower(n)))
	}
	lawful := s.clock.Now()
	s.clock.pass(time.Hour)
	late := strings.TrimSuffix(unlawful(), "}") + `,"afterTheFact":true,"occurredAt":"2026-01-12T07:30:00Z"}`
	s.record("MK-2026-0002", late)
	if err := s.engine.WaitFor(t.Context(), events.At(s.head())); err != nil {
		t.Fatal(err)
	}
	var each []safeguards.Verdict
	for _, n := range numbers {
		s.get("/v1/cases/" + n)
	}
	s.clock.pass(time.Second)
	if err := s.engine.WaitFor(t.Context(), events.At(s.head())); err != nil {
		t.Fatal(err)
	}
	withoutLooks := func(list []safeguards.Verdict) []safeguards.Verdict { // each look at a case is one more entry that HR02 names
		for i := range list {
			if list[i].Safeguard == "HR02" {
				list[i].Events = nil
			}
		}
		return list
	}
	for _, n := range numbers {
		each = append(each, withoutLooks(read[[]safeguards.Verdict](s, "/v1/safeguards?case="+n))...)
	}
	if len(each) != 3*29 {
		t.Fatalf("%d verdicts", len(each))
	}
	only := func(keep func(v safeguards.Verdict) bool) []safeguards.Verdict {
		return slices.DeleteFunc(slices.Clone(each), func(v safeguards.Verdict) bool { return !keep(v) })
	}
	for query, want := range map[string][]safeguards.Verdict{
		"":                                  each,
		"?verdict=fail":                     only(func(v safeguards.Verdict) bool { return v.Verdict == "fail" }),
		"?jurisdiction=AL":                  each[:29],
		"?safeguard=HR04&verdict=fail":      only(func(v safeguards.Verdict) bool { return v.Verdict == "fail" && v.Safeguard == "HR04" }),
		"?case=MK-2026-0002&safeguard=HR04": only(func(v safeguards.Verdict) bool { return v.Case == "MK-2026-0002" && v.Safeguard == "HR04" }),
	} {
		if got := withoutLooks(read[[]safeguards.Verdict](s, "/v1/safeguards"+query)); len(got) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", query, got, want)
		}
	}
	// As known before the unlawful act was recorded, nothing had failed.
	if got := read[[]safeguards.Verdict](s, "/v1/safeguards?safeguard=HR04&verdict=fail&at="+lawful.Format(time.RFC3339)); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	var walked []safeguards.Verdict
	for path, pages := "/v1/safeguards?limit=10", 0; path != ""; pages++ {
		a := s.get(path)
		walked = append(walked, decode[[]safeguards.Verdict](t, a, http.StatusOK)...)
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
		if pages > 10 {
			t.Fatal("the pages don't end")
		}
		s.clock.pass(24 * time.Hour) // the pages are of one instant
	}
	if !reflect.DeepEqual(withoutLooks(walked), each) {
		t.Errorf("the pages hold %d verdicts, not the %d", len(walked), len(each))
	}
	problemIs(t, s.get("/v1/safeguards?safeguard=HR30"), http.StatusBadRequest, "invalid", "safeguard")
	problemIs(t, s.get("/v1/safeguards?verdict=guilty"), http.StatusBadRequest, "invalid", "verdict")
	problemIs(t, s.get("/v1/safeguards?cursor=x"), http.StatusBadRequest, "invalid", "cursor")
}
