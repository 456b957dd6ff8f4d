package web_test

import (
	"net/http"
	"testing"

	"traga.internal/projections/obligations"
)

// The opaque address of an alert that stands leads to its case, in the reader's language; any other is a page that says so.
func TestAnAlertsAddressLeadsToItsCase(t *testing.T) {
	w := caseloadWorld(t, 8)
	list, _, err := obligations.Alerts(t.Context(), w.engine, obligations.Query{Now: today})
	if err != nil || len(list) == 0 {
		t.Fatalf("%v: %d alerts", err, len(list))
	}
	for _, a := range list[:min(3, len(list))] {
		r := w.get(t, "/alerts/"+obligations.AlertID(a.Case, a.Obligation).String()+"?lang=mk")
		if want := "/cases/" + a.Case + "?lang=mk#duties"; r.Code != http.StatusSeeOther || r.Header().Get("Location") != want || r.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%d to %q, want %q", r.Code, r.Header().Get("Location"), want)
		}
	}
	for _, id := range []string{"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02", "nonsense", list[0].Case, "%00"} {
		if r := w.get(t, "/alerts/"+id); r.Code != http.StatusNotFound || r.Header().Get("Location") != "" {
			t.Errorf("/alerts/%s: %d", id, r.Code)
		}
	}
}
