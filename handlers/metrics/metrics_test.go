package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	return string(b)
}

func TestTheMetricsHaveTheNamesThatDashboardsRelyOn(t *testing.T) {
	m := New(Sources{
		LogSize: func(context.Context) (uint64, error) { return 42, nil },
		Lags:    func(context.Context) ([]Lag, error) { return []Lag{{"status", 40, 2}}, nil },
		Obligations: func(context.Context) ([]Count, error) {
			return []Count{{"MK", "notify-csw", "overdue", 3}}, nil
		},
		Failures: func(context.Context) ([]Failure, error) { return []Failure{{"HR14", "MK", 2}, {"HR26", "MK", 0}}, nil },
	})
	m.Appended("NotificationSent", 3*time.Millisecond)
	m.Conflict()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/cases/{n}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	m.Observe(mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/cases/MK-2026-0001", nil))
	got := scrape(t, m)
	for _, want := range []string{
		`traga_events_appended_total{type="NotificationSent"} 1`, `traga_append_duration_seconds_count 1`, `traga_append_conflicts_total 1`,
		`traga_projection_lag_events{projection="status"} 2`, `traga_projection_position{projection="status"} 40`,
		`traga_obligations{jurisdiction="MK",rule="notify-csw",state="overdue"} 3`,
		`traga_safeguard_failures{jurisdiction="MK",safeguard="HR14"} 2`, `traga_safeguard_failures{jurisdiction="MK",safeguard="HR26"} 0`, `traga_log_size 42`,
		`traga_http_request_duration_seconds_count{code="404",route="GET /v1/cases/{n}"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(got, "MK-2026-0001") {
		t.Error("a case number is in the metrics")
	}
}

func TestASourceThatFailsLeavesOnlyItsOwnMetricsOut(t *testing.T) {
	m := New(Sources{
		LogSize: func(context.Context) (uint64, error) { return 0, errors.New("away") },
		Lags:    func(context.Context) ([]Lag, error) { return []Lag{{"status", 40, 2}}, nil },
	})
	got := scrape(t, m)
	if strings.Contains(got, "traga_log_size") || !strings.Contains(got, "traga_projection_position") {
		t.Errorf("got %s", got)
	}
}
