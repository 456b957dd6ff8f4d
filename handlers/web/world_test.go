package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/caseload"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/deadlines"
	"traga.internal/handlers/record"
	"traga.internal/handlers/simulate"
	"traga.internal/handlers/web"
	"traga.internal/projections"
	"traga.internal/projections/involvement"
	"traga.internal/projections/obligations"
	"traga.internal/projections/regional"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
)

var today = time.Date(2026, 6, 17, 12, 30, 0, 0, time.UTC)

// world is a store on a simulated clock with read models over it, and the pages that show it.
type world struct {
	store  *memstore.Store
	clock  *simulate.Clock
	book   *protocol.Book
	engine *projections.Engine
	mux    *http.ServeMux
	who    auth.Identity // who asks; the owner unless a test says otherwise
	full   bool          // the access log takes no more
}

// looks is the access log's recorder, which fails when the world is full.
type looks struct {
	*record.Recorder
	w *world
}

func (l looks) RecordInternal(ctx context.Context, a *record.Action, c record.Condition) (record.Receipt, error) {
	if l.w.full {
		return record.Receipt{}, events.ErrFull
	}
	return l.Recorder.RecordInternal(ctx, a, c)
}

// newWorld serves what fill puts into an empty store.
func newWorld(t *testing.T, fill func(context.Context, *world)) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{who: auth.Owner(), clock: &simulate.Clock{}, book: protocol.NewBook(), mux: http.NewServeMux()}
	w.store = memstore.New(w.clock.Now)
	fill(ctx, w)
	var err error
	w.engine, err = projections.Open(ctx, t.TempDir(), w.store, w.book, []projections.Projection{status.Projection(), obligations.Projection(), sharing.Projection(), regional.Projection(), involvement.Projection()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.engine.Close()
		_ = w.store.Close()
	})
	if err := w.engine.CatchUp(ctx, nil); err != nil {
		t.Fatal(err)
	}
	// What else the service has on its mux: the pages must get along with it.
	for _, pattern := range []string{"/v1/", "GET /docs", "GET /openapi.json", "GET /metrics", "GET /livez", "GET /readyz", "GET /version"} {
		w.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("other " + r.Pattern)) })
	}
	w.mux.HandleFunc("GET /v1/stream", w.stream)
	book := deadlines.Published(w.store, w.book)
	recorder := record.New(w.store, w.book, record.WithClock(w.clock.Now))
	desk := consult.New(consult.Config{Store: w.store, Book: book, Recorder: looks{recorder, w}, Engine: w.engine, Clock: w.clock.Now})
	web.Register(w.mux, web.Config{Store: w.store, Book: book, Engine: w.engine, Desk: desk, Clock: w.clock.Now,
		Recorder: recorder, Log: slog.New(slog.DiscardHandler), Demo: "All of this is invented."})
	return w
}

// caseloadWorld plays the made-up caseload up to today.
func caseloadWorld(t *testing.T, cases int) *world {
	return newWorld(t, func(ctx context.Context, w *world) {
		load, err := caseload.New(1, today, cases)
		if err != nil {
			t.Fatal(err)
		}
		var first time.Time
		for s := range load.All() {
			first = s.RecordedAt
			break
		}
		recorder := record.New(w.store, w.book, record.WithClock(w.clock.Now))
		past, err := simulate.Begin(ctx, w.store, w.clock, recorder, w.book, first, "a made-up caseload")
		if err == nil {
			err = past.Play(ctx, load.All(), nil)
		}
		if err == nil {
			err = past.Advance(ctx, today)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// stream is a live stream that says one thing and stays open.
func (w *world) stream(out http.ResponseWriter, r *http.Request) {
	out.Header().Set("Content-Type", "text/event-stream")
	_, _ = out.Write([]byte("id: 1\nevent: recorded\ndata: {}\n\n"))
	_ = http.NewResponseController(out).Flush()
	<-r.Context().Done()
}

func (w *world) get(t *testing.T, address string) *httptest.ResponseRecorder {
	t.Helper()
	return w.do(t, http.MethodGet, address)
}

func (w *world) do(t *testing.T, method, address string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r, q := httptest.NewRecorder(), httptest.NewRequestWithContext(auth.WithIdentity(t.Context(), w.who), method, address, nil)
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w.mux.ServeHTTP(r, q)
	return r
}
