// Package web is traga's pages: an overview of what is overdue and for whom, the list of cases, one case with its
// duties, its safeguards, the picture of who shared what with whom, and its timeline, and the region: the six
// protocols side by side.
//
// Pages are rendered on the server, HTML and SVG, and are whole without JavaScript; the one small script only says
// that new entries have come. Nothing is loaded from elsewhere, and the Content-Security-Policy holds the browser
// to that. Every page takes ?at= (what was known then) and ?lang= (the language of the interface).
//
// The package decides nothing: a case is read by projections/timeline, what spans cases comes from the read models.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	"traga.internal/projections/registers"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

// Log is what the pages read of the store.
type Log interface {
	timeline.Log
	Head(ctx context.Context) (events.Position, error)
}

// Config is what the pages work with. All fields are required but Recorder, SignIns and Demo.
type Config struct {
	Store Log
	// Book gives the rules and calendars as they are on record now.
	Book   func(context.Context) (*protocol.Book, error)
	Engine *projections.Engine
	Clock  func() time.Time
	Log    *slog.Logger
	// Recorder records what a form says; nil where the pages only show.
	Recorder Recorder
	// SignIns says how people sign in; nil where they need not.
	SignIns SignIns
	// Demo is a notice shown on every page, empty outside the demonstration.
	Demo string
}

// Recorder is the write path: a *record.Recorder.
type Recorder interface {
	Record(ctx context.Context, a *record.Action, c record.Condition) (record.Receipt, error)
}

// lists is what is read across cases.
type lists interface {
	Alerts(ctx context.Context, q obligations.Query) ([]obligations.Alert, string, error)
	Loads(ctx context.Context, asOf events.AsOf, now time.Time) ([]obligations.Load, error)
	Cases(ctx context.Context, q status.Query) ([]status.Case, string, error)
	// OpenCases is how many cases of the jurisdiction, or of all, were open as known then.
	OpenCases(ctx context.Context, j events.Jurisdiction, asOf events.AsOf) (int, error)
	// Clock is the instant to judge by for a read as of then.
	Clock(ctx context.Context, asOf events.AsOf, now time.Time) (time.Time, error)
}

// site is the pages with what they read.
type site struct {
	log       Log
	lists     lists
	compared  compared
	book      func(context.Context) (*protocol.Book, error)
	clock     func() time.Time
	logger    *slog.Logger
	demo      string
	registers *registers.Registers
	recorder  Recorder
	signIns   SignIns
	pages     *pages
	static    map[string]asset
}

// Register adds the pages to the mux: /, /cases, /cases/{n}, /cases/{n}/entries/{id}, /alerts/{id}, /region, /directory, /sign-in, /static/{file}, and a plain
// "not found" page for every address that nothing else on the mux answers.
func Register(mux *http.ServeMux, c Config) {
	s := &site{log: c.Store, lists: readModels{c.Engine}, compared: comparisons{c.Engine}, book: c.Book, clock: c.Clock, logger: c.Log, demo: c.Demo, signIns: c.SignIns, recorder: c.Recorder}
	s.register(mux)
}

// register completes the site and adds its routes.
func (s *site) register(mux *http.ServeMux) {
	s.registers, s.pages, s.static = registers.New(s.log), newPages(), newStatic()
	mux.Handle("GET /{$}", s.page(s.overview))
	mux.Handle("GET /cases", s.page(s.cases))
	mux.Handle("GET /cases/{n}", s.page(s.oneCase))
	mux.Handle("GET /cases/{n}/entries/{id}", s.page(s.entry))
	mux.Handle("GET /alerts/{id}", s.page(s.alert))
	mux.Handle("GET /region", s.page(s.region))
	mux.Handle("GET /directory", s.page(s.whoIsWho))
	if s.recorder != nil {
		mux.Handle("POST /directory/{j}", s.page(s.changeDirectory))
	}
	mux.Handle("GET /sign-in", s.page(s.signIn))
	mux.HandleFunc("GET /static/{file}", s.serveStatic)
	mux.Handle("/", s.page(s.elsewhere))
}

// elsewhere answers what nothing else does.
func (s *site) elsewhere(_ context.Context, p *page) error {
	if p.request.Method != http.MethodGet && p.request.Method != http.MethodHead {
		return &failure{status: http.StatusMethodNotAllowed, message: "error.method"}
	}
	return &failure{status: http.StatusNotFound, message: "error.not-found"}
}

// readModels reads across cases from the engine's projections.
type readModels struct{ engine *projections.Engine }

func (r readModels) Alerts(ctx context.Context, q obligations.Query) ([]obligations.Alert, string, error) {
	return obligations.Alerts(ctx, r.engine, q)
}

func (r readModels) Loads(ctx context.Context, asOf events.AsOf, now time.Time) ([]obligations.Load, error) {
	return obligations.Loads(ctx, r.engine, asOf, now)
}

func (r readModels) Cases(ctx context.Context, q status.Query) ([]status.Case, string, error) {
	return status.List(ctx, r.engine, q)
}

func (r readModels) OpenCases(ctx context.Context, j events.Jurisdiction, asOf events.AsOf) (int, error) {
	if !asOf.IsNow() { // the counts are kept for now only
		list, _, err := status.List(ctx, r.engine, status.Query{Jurisdiction: j, Status: string(timeline.Open), AsOf: asOf})
		return len(list), err
	}
	counts, err := status.Counts(ctx, r.engine)
	n := 0
	for _, c := range counts {
		if c.Status == string(timeline.Open) && (j == "" || j == c.Jurisdiction) {
			n += c.N
		}
	}
	return n, err
}

func (r readModels) Clock(ctx context.Context, asOf events.AsOf, now time.Time) (time.Time, error) {
	return r.engine.Clock(ctx, asOf, now)
}
