package outage_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/handlers/outage"
)

func TestAnswersAreMarkedWhileTheStoreIsAway(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var trouble error
	w := outage.New(func(context.Context) error { return trouble }, func() time.Time { return now })
	h := w.Mark(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		since, away := outage.Since(r.Context())
		fmt.Fprint(rw, away, " ", since.Format(time.TimeOnly))
	}))
	for _, c := range []struct {
		trouble      error
		header, body string
	}{
		{nil, "", "false 00:00:00"},
		{fmt.Errorf("ask: %w", events.ErrUnavailable), "2026-03-02T09:01:00Z", "true 09:01:00"},
		{fmt.Errorf("ask: %w", events.ErrUnavailable), "2026-03-02T09:01:00Z", "true 09:01:00"},
		{errors.New("the clocks differ"), "", "false 00:00:00"}, // it is there
		{fmt.Errorf("ask: %w", events.ErrUnavailable), "2026-03-02T09:04:00Z", "true 09:04:00"},
		{nil, "", "false 00:00:00"},
	} {
		trouble = c.trouble
		if err := w.Look(t.Context()); !errors.Is(err, c.trouble) || !errors.Is(w.Trouble(), c.trouble) {
			t.Errorf("%v is told as %v", c.trouble, err)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
		if rec.Header().Get(outage.Header) != c.header || rec.Body.String() != c.body {
			t.Errorf("%v: marked %q, told %q; want %q, %q", c.trouble, rec.Header().Get(outage.Header), rec.Body, c.header, c.body)
		}
		now = now.Add(time.Minute)
	}
}
