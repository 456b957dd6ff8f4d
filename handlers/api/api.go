// Package api is the HTTP API of traga: /v1, described by its own OpenAPI 3.1 document, with problems as RFC
// 9457 has them, revisions as ETags, cursors for long lists, and a live stream that resumes.
//
// It translates between HTTP and the packages below and decides nothing itself: a record goes through
// handlers/record, a case is read by projections/timeline, and what spans cases comes from the projections.
package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/record"
	"traga.internal/handlers/sealing"
	"traga.internal/projections"
	"traga.internal/projections/registers"
	verdicts "traga.internal/projections/safeguards"
)

// Log is what the API reads of the store.
type Log interface {
	events.Store
	// Lookup finds an event by its id.
	Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error)
}

// Config is what the API works with. All fields are required, but for those that say what they are by default.
type Config struct {
	Store Log
	// Book gives the rules and calendars as they are on record now.
	Book     func(context.Context) (*protocol.Book, error)
	Recorder *record.Recorder
	Engine   *projections.Engine
	// Desk is where cases are read; one with the shipped policies when nil.
	Desk *consult.Desk
	// Verdicts answers which safeguards hold over all cases; a reader of the API's own when nil.
	Verdicts *verdicts.Reader
	// Ledger is that of the store, nil where it has none; Policy names the witnesses whose cosignatures are taken, nil for
	// none.
	Ledger sealing.Ledger
	Policy *ledger.Policy
	// Evidence makes proofs and exports; one that has no ledger when nil.
	Evidence *evidence.Exporter
	Clock    func() time.Time
	Log      *slog.Logger
	// Version is what the OpenAPI document says it is of.
	Version string
	// Closing is closed when the service begins to shut down: live streams end then.
	Closing <-chan struct{}
	// Patience is how long a read waits for its Traga-Min-Position; 10 seconds when 0.
	Patience time.Duration
	// Heartbeat is how often an idle live stream gives a sign of life, which keeps it open through proxies; 15
	// seconds when 0.
	Heartbeat time.Duration
}

type api struct {
	store     Log
	book      func(context.Context) (*protocol.Book, error)
	recorder  *record.Recorder
	engine    *projections.Engine
	verdicts  *verdicts.Reader
	desk      *consult.Desk
	registers *registers.Registers
	ledger    sealing.Ledger
	policy    *ledger.Policy
	exports   *evidence.Exporter
	clock     func() time.Time
	log       *slog.Logger
	closing   <-chan struct{}
	patience  time.Duration
	heartbeat time.Duration
}

// maxBody is how much of a request is read: the longest action record that is taken, and one byte to tell a longer
// one by.
const maxBody = record.MaxAction + 1

// Register adds the API's routes to the mux: /v1/…, /openapi.json, /openapi.yaml and /docs. What is asked of /v1
// beyond them is answered with a problem, and so is a wrong method. The mux must have no catch-all of one method
// (GET /), which would contradict that; GET /{$} or / is fine.
func Register(mux *http.ServeMux, c Config) {
	a := &api{store: c.Store, book: c.Book, recorder: c.Recorder, engine: c.Engine, registers: registers.New(c.Store),
		ledger: c.Ledger, policy: c.Policy, clock: c.Clock, log: c.Log, closing: c.Closing,
		patience: cmp.Or(c.Patience, 10*time.Second), heartbeat: cmp.Or(c.Heartbeat, 15*time.Second)}
	if a.verdicts = c.Verdicts; a.verdicts == nil {
		a.verdicts = verdicts.New(c.Engine)
	}
	if a.desk = c.Desk; a.desk == nil {
		a.desk = consult.New(consult.Config{Store: c.Store, Book: c.Book, Recorder: c.Recorder, Engine: c.Engine, Clock: c.Clock})
	}
	a.exports = &evidence.Exporter{}
	if c.Evidence != nil {
		*a.exports = *c.Evidence
	}
	a.exports.Desk = a.desk
	h := humago.New(mux, frameOf(c.Version))
	h.UseMiddleware(a.framed)
	a.recordRoutes(h)
	a.caseRoutes(h)
	a.listRoutes(h)
	a.eventRoutes(h)
	a.regionalRoutes(h)
	a.directoryRoutes(h)
	a.evidenceRoutes(h)
	mux.HandleFunc("GET /v1/stream", a.stream)
	a.checkpointRoutes(mux)
	o := h.OpenAPI()
	describeStream(o)
	describeCheckpoint(o)
	describeService(o)
	describeSignIn(o)
	others := elsewhere(o)
	mux.Handle("/v1/", others)
	for path := range o.Paths {
		if !strings.HasPrefix(path, "/v1/") {
			mux.Handle(path, others)
		}
	}
	tidy(o)
	mux.HandleFunc("GET /docs", docs(o))
	mux.HandleFunc("GET /openapi.json", document("application/openapi+json", sync.OnceValues(o.MarshalJSON)))
	mux.HandleFunc("GET /openapi.yaml", document("application/openapi+yaml", sync.OnceValues(o.YAML)))
}

// operation registers one operation of the API. Every error becomes a Problem.
func operation[I, O any](a *api, h huma.API, o huma.Operation, handle func(context.Context, *I) (*O, error)) {
	o.MaxBodyBytes = cmp.Or(o.MaxBodyBytes, maxBody)
	if o.Responses == nil {
		o.Responses = map[string]*huma.Response{}
	}
	for _, status := range append([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError, http.StatusServiceUnavailable}, o.Errors...) {
		o.Responses[strconv.Itoa(status)] = problemResponse(h.OpenAPI(), status)
	}
	o.Errors = nil
	huma.Register(h, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, a.problemOf(ctx, o.OperationID, err)
		}
		return out, nil
	})
}

// asOf reads a point of view from the parameter of that name.
func asOf(parameter, text string) (events.AsOf, error) {
	at, err := events.ParseAsOf(text)
	if err != nil {
		return at, &events.FieldError{Field: parameter, Expected: "an instant with its time zone, such as 2026-03-02T10:15:00+01:00, or a position such as 1042"}
	}
	return at, nil
}

// Why is what every read takes of a case, or of many: why one looks. It is exported, as Seen, CaseRead, ListRead and Paged
// are, because the framework finds parameters in exported structs only.
type Why struct {
	Justification string `header:"Traga-Justification" doc:"why you look, in your words: it is put on record, and some information is shown only for a stated need. UTF-8, or its form by RFC 8187"`
	Purpose       string `header:"Traga-Purpose" doc:"the purpose that you look for, as the catalogue has it, such as supervision"`
}

func (w *Why) reason() (consult.Reason, error) {
	return consult.ParseReason(w.Justification, w.Purpose)
}

// Seen is what every read takes that may have to wait for a write.
type Seen struct {
	Why
	MinPosition string `header:"Traga-Min-Position" doc:"wait until this position can be read: the Traga-Position that a write was answered with"`
}

// upTo waits until the read models have reached the position that a writer wants to read its own write at.
func (a *api) upTo(ctx context.Context, s Seen) error {
	if s.MinPosition == "" {
		return nil
	}
	position, err := events.ParsePosition(s.MinPosition)
	if err != nil {
		return &events.FieldError{Field: "Traga-Min-Position", Expected: "the Traga-Position that a write was answered with"}
	}
	ctx, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	err = a.engine.WaitFor(ctx, position)
	if errors.Is(err, context.DeadlineExceeded) {
		return problem("unavailable", "The read models have not reached that position yet.")
	}
	return err
}
