// Package web is traga's pages: an overview of what is overdue and for whom, the list of cases, one case with its
// duties, its safeguards, the picture of who shared what with whom, and its timeline, and the region: the six
// protocols side by side.
//
// Pages are rendered on the server, HTML and SVG, and are whole without JavaScript; the one small script only says
// that new entries have come. Nothing is loaded from elsewhere, and the Content-Security-Policy holds the browser
// to that. Every page takes ?at= (what was known then) and ?lang= (the language of the interface).
//
// The package decides nothing: a case is read through handlers/consult, what spans cases comes from the read models,
// narrowed to what the reader may see.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/accesslog"
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

// Config is what the pages work with. All fields are required but Recorder, Evidence, SignIns, Secure and Demo.
type Config struct {
	Store Log
	// Book gives the rules and calendars as they are on record now.
	Book   func(context.Context) (*protocol.Book, error)
	Engine *projections.Engine
	// Desk is where cases are read.
	Desk  *consult.Desk
	Clock func() time.Time
	Log   *slog.Logger
	// Recorder records what a form says; nil where the pages only show.
	Recorder Recorder
	// Evidence makes proofs and exports; nil, or without a source, where the store has no ledger.
	Evidence *evidence.Exporter
	// SignIns says how people sign in; nil where they need not.
	SignIns SignIns
	// Secure says that the pages are reached over TLS only.
	Secure bool
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
	Loads(ctx context.Context, only *projections.Selection, asOf events.AsOf, now time.Time) ([]obligations.Load, error)
	Cases(ctx context.Context, q status.Query) ([]status.Case, string, error)
	// OpenCases is how many of the cases of the jurisdiction, or of all, were open as known then.
	OpenCases(ctx context.Context, only *projections.Selection, j events.Jurisdiction, asOf events.AsOf) (int, error)
	// LastEntry is when the latest entry of the cases was recorded; zero while there is none.
	LastEntry(ctx context.Context, only *projections.Selection) (time.Time, error)
	// Clock is the instant to judge by for a read as of then.
	Clock(ctx context.Context, asOf events.AsOf, now time.Time) (time.Time, error)
}

// desk is where cases are read: a *consult.Desk.
type desk interface {
	Case(ctx context.Context, l consult.Look) (*timeline.Case, error)
	Entry(ctx context.Context, l consult.Look, id uuid.UUID) (*timeline.Case, error)
	List(ctx context.Context, query string, r consult.Reason) (*consult.List, error)
	WhoLooked(ctx context.Context, l consult.Look) ([]accesslog.Entry, error)
}

// site is the pages with what they read.
type site struct {
	log       Log
	lists     lists
	desk      desk
	compared  compared
	book      func(context.Context) (*protocol.Book, error)
	clock     func() time.Time
	logger    *slog.Logger
	demo      string
	registers *registers.Registers
	recorder  Recorder
	exports   *evidence.Exporter
	signIns   SignIns
	secure    bool
	pages     *pages
	static    map[string]asset
}

// Register adds the pages to the mux: /, /cases, /cases/{n}, /cases/{n}/entries/{id}, /cases/{n}/access, /cases/{n}/proof, /proof, /alerts/{id}, /region, /directory, /sign-in, /static/{file}, and a plain
// "not found" page for every address that nothing else on the mux answers.
func Register(mux *http.ServeMux, c Config) {
	s := &site{log: c.Store, desk: c.Desk, lists: readModels{c.Engine}, compared: comparisons{c.Engine}, book: c.Book, clock: c.Clock, logger: c.Log, demo: c.Demo, signIns: c.SignIns, secure: c.Secure, recorder: c.Recorder, exports: c.Evidence}
	s.register(mux)
}

// register completes the site and adds its routes.
func (s *site) register(mux *http.ServeMux) {
	s.registers, s.pages, s.static = registers.New(s.log), newPages(), newStatic()
	mux.Handle("GET /{$}", s.page(s.overview))
	mux.Handle("GET /cases", s.page(s.cases))
	mux.Handle("GET /cases/{n}", s.page(s.oneCase))
	mux.Handle("GET /cases/{n}/entries/{id}", s.page(s.entry))
	mux.Handle("GET /cases/{n}/access", s.page(s.access))
	mux.HandleFunc("POST /cases/{n}/why", s.why)
	mux.Handle("GET /cases/{n}/proof", s.page(s.caseProof))
	mux.Handle("POST /cases/{n}/export", s.page(s.export))
	mux.Handle("POST /cases/{n}/tamper", s.page(s.tamper))
	mux.Handle("GET /proof", s.page(s.proof))
	mux.Handle("POST /proof", s.page(s.checkBundle))
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

func (r readModels) Loads(ctx context.Context, only *projections.Selection, asOf events.AsOf, now time.Time) ([]obligations.Load, error) {
	return obligations.Loads(ctx, r.engine, only, asOf, now)
}

func (r readModels) LastEntry(ctx context.Context, only *projections.Selection) (time.Time, error) {
	return status.LastEntry(ctx, r.engine, only)
}

func (r readModels) Cases(ctx context.Context, q status.Query) ([]status.Case, string, error) {
	return status.List(ctx, r.engine, q)
}

func (r readModels) OpenCases(ctx context.Context, only *projections.Selection, j events.Jurisdiction, asOf events.AsOf) (int, error) {
	if !asOf.IsNow() || only != nil { // the counts are kept for now and for all cases only
		list, _, err := status.List(ctx, r.engine, status.Query{Jurisdiction: j, Status: string(timeline.Open), Only: only, AsOf: asOf})
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
