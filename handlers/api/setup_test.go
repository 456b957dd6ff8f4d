package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/deadlines"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/involvement"
	"traga.internal/projections/obligations"
	"traga.internal/projections/regional"
	verdicts "traga.internal/projections/safeguards"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
)

const (
	prison    = `"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"}`
	csw       = `"actor":{"officer":"l.dimova","role":"csw","institution":"mk-csw-skopje"}`
	clinician = `"actor":{"officer":"s.ilievska","role":"prison-health","institution":"mk-prison-idrizovo"}`
	nobody    = "Goran <Nobody> & Sons" // the name in every case: a person's, and awkward in HTML
)

func opening() string {
	return `{"type":"CaseOpened",` + prison + `,"data":{"subject":"s-1","name":"` + nobody + `","dateOfBirth":"1990-01-01","sex":"male",
		"reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`
}

func support(service string) string {
	return `{"type":"SupportProvided",` + csw + `,"data":{"service":"` + service + `"}}`
}

func notice(id string) string {
	return `{"type":"NotificationSent",` + prison + `,"purpose":"pre-release-planning","legalBasis":"execution-law",
		"data":{"notification":"` + id + `","subject":"planned-release","recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter"}}`
}

// unlawful hands health data to an employment agency without consent.
func unlawful() string {
	return `{"type":"HealthSummaryTransferred",` + clinician + `,"purpose":"post-penal-assistance","legalBasis":"special-category","data":{"disclosure":"d-1",
		"recipient":{"institution":"mk-employment-skopje","role":"employment"},"categories":["health"],"summary":"insulin"}}`
}

// watch is a clock that the test sets.
type watch struct{ now atomic.Int64 }

func (w *watch) set(t time.Time)      { w.now.Store(t.UnixMicro()) }
func (w *watch) Now() time.Time       { return time.UnixMicro(w.now.Load()).UTC() }
func (w *watch) pass(d time.Duration) { w.now.Add(d.Microseconds()) }

// store is an event store that fails when it is told to.
type store struct {
	api.Log
	trouble atomic.Pointer[error]
	// readOnly is why appends fail while reads do not.
	readOnly atomic.Pointer[error]
}

func (s *store) fail(err error) { s.trouble.Store(&err) }

func (s *store) failing() error {
	if p := s.trouble.Load(); p != nil {
		return *p
	}
	return nil
}

func (s *store) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	if err := s.failing(); err != nil {
		return events.Appended{}, err
	}
	if p := s.readOnly.Load(); p != nil {
		return events.Appended{}, *p
	}
	return s.Log.Append(ctx, stream, expected, proposed...)
}

func (s *store) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	if err := s.failing(); err != nil {
		return func(yield func(events.Recorded, error) bool) { yield(events.Recorded{}, err) }
	}
	return s.Log.ReadStream(ctx, stream, from)
}

func (s *store) ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error) {
	if err := s.failing(); err != nil {
		return events.Page{}, err
	}
	return s.Log.ReadAll(ctx, after, limit, filter)
}

func (s *store) Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error) {
	if err := s.failing(); err != nil {
		return events.Recorded{}, false, err
	}
	return s.Log.Lookup(ctx, id)
}

func (s *store) Head(ctx context.Context) (events.Position, error) {
	if err := s.failing(); err != nil {
		return events.Start, err
	}
	return s.Log.Head(ctx)
}

// lines is what was logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}
func (l *lines) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }

// service is a running API over a store.
type service struct {
	*httptest.Server
	t       testing.TB
	store   *store
	engine  *projections.Engine
	clock   *watch
	closing chan struct{}
	logged  *lines
	doc     *document
}

type option func(*api.Config, *setting)

// setting is what a test may change beside the Config.
type setting struct {
	embedded bool // the embedded store instead of the one in memory
	still    bool // the read models follow nothing
}

func embedded(_ *api.Config, s *setting) { s.embedded = true }
func still(_ *api.Config, s *setting)    { s.still = true }

func patience(d time.Duration) option  { return func(c *api.Config, _ *setting) { c.Patience = d } }
func heartbeat(d time.Duration) option { return func(c *api.Config, _ *setting) { c.Heartbeat = d } }

// serve runs the API as traga serves it, at 09:00 on 12 January 2026 in Skopje.
func serve(t testing.TB, options ...option) *service {
	t.Helper()
	s := &service{t: t, clock: &watch{}, closing: make(chan struct{}), logged: &lines{}}
	s.clock.set(time.Date(2026, 1, 12, 8, 0, 0, 0, time.UTC))
	c := api.Config{Clock: s.clock.Now, Closing: s.closing, Version: "1.2.3", Log: slog.New(slog.NewJSONHandler(s.logged, nil))}
	var set setting
	for _, o := range options {
		o(&c, &set)
	}
	dir := t.TempDir()
	s.store = &store{Log: memstore.New(s.clock.Now)}
	if set.embedded {
		log, err := sqlitestore.Open(t.Context(), dir, sqlitestore.WithClock(s.clock.Now))
		if err != nil {
			t.Fatal(err)
		}
		s.store.Log = log
	}
	book := protocol.NewBook()
	engine, err := projections.Open(t.Context(), dir, s.store, book, []projections.Projection{status.Projection(), obligations.Projection(), sharing.Projection(), regional.Projection(), verdicts.Projection(), involvement.Projection(), accesslog.Projection()})
	if err != nil {
		t.Fatal(err)
	}
	s.engine = engine
	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	if !set.still {
		work.Go(func() {
			if err := engine.Run(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	c.Store, c.Book, c.Engine = s.store, deadlines.Published(s.store, book), engine
	c.Recorder = record.New(s.store, book, record.WithClock(s.clock.Now))
	mux := http.NewServeMux()
	api.Register(mux, c)
	api.RegisterService(mux, map[string]string{"version": "1.2.3"}, func(context.Context) error {
		if s.store.failing() != nil {
			return errors.New("the store does not answer")
		}
		return nil
	})
	s.Server = httptest.NewServer(asTheTestSays(mux))
	t.Cleanup(func() {
		select {
		case <-s.closing:
		default:
			close(s.closing)
		}
		s.Server.Close()
		stop()
		work.Wait()
		if err := errors.Join(engine.Close(), s.store.Close()); err != nil {
			t.Error(err)
		}
	})
	s.doc = s.readDocument()
	return s
}

// asTheTestSays signs a request in as the actor that its header names (officer role institution), and else as the owner.
func asTheTestSays(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := auth.Owner()
		if name := strings.Fields(r.Header.Get("Test-Actor")); len(name) == 3 {
			who = auth.Identity{Actor: events.Actor{Officer: name[0], Role: events.Role(name[1]), Institution: events.Institution(name[2])}}
		}
		next.ServeHTTP(w, r.WithContext(auth.WithIdentity(r.Context(), who)))
	})
}

// as are the headers of a request by that actor.
func as(a events.Actor, header ...string) []string {
	return append([]string{"Test-Actor", a.Officer + " " + string(a.Role) + " " + string(a.Institution)}, header...)
}

// answer is what came back, read to its end and held against the OpenAPI document.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request. header is name, value, name, value.
func (s *service) ask(method, path, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{res.StatusCode, res.Header, all}
	s.doc.check(s.t, req, a)
	return a
}

func (s *service) get(path string, header ...string) answer {
	s.t.Helper()
	return s.ask(http.MethodGet, path, "", header...)
}

// read reads what is there.
func read[T any](s *service, path string, header ...string) T {
	s.t.Helper()
	a := s.get(path, header...)
	return decode[T](s.t, a, http.StatusOK)
}

func decode[T any](t testing.TB, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status {
		t.Fatalf("%d instead of %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// post records an action on the case whatever its revision.
func (s *service) post(number, body string, header ...string) answer {
	s.t.Helper()
	return s.ask(http.MethodPost, "/v1/cases/"+number+"/events", body, append([]string{"If-Match", "*"}, header...)...)
}

// record records an action, and waits until it can be read everywhere.
func (s *service) record(number, body string) record.Receipt {
	s.t.Helper()
	a := s.post(number, body)
	receipt := decode[record.Receipt](s.t, a, http.StatusCreated)
	s.clock.pass(time.Second)
	return receipt
}

// problemIs expects a problem of a kind, and returns it.
func problemIs(t testing.TB, a answer, status int, kind, field string) api.Problem {
	t.Helper()
	if media := a.header.Get("Content-Type"); media != "application/problem+json" {
		t.Fatalf("%d as %s: %s", a.status, media, a.body)
	}
	p := decode[api.Problem](t, a, status)
	if p.Type != "urn:traga:problem:"+kind || p.Status != status || p.Field != field || p.Title == "" {
		t.Errorf("expected %d %s %q, got %s", status, kind, field, a.body)
	}
	return p
}

func (s *service) head() uint64 {
	s.t.Helper()
	head, err := s.store.Log.Head(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return head.Commit
}

// stored is how many events there are, without those that say who looked.
func (s *service) stored() int {
	s.t.Helper()
	page, err := s.store.Log.ReadAll(s.t.Context(), events.Start, 1<<20, events.Filter{StreamPrefixes: []string{"case-", "directory-", "protocol-", "store"}})
	if err != nil || page.More {
		s.t.Fatalf("%v %v", err, page.More)
	}
	return len(page.Events)
}

// unchanged runs do, and expects that nothing of it was stored.
func (s *service) unchanged(do func()) {
	s.t.Helper()
	before := s.head()
	do()
	if after := s.head(); after != before {
		s.t.Errorf("%d events were stored", after-before)
	}
}
