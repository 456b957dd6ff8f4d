package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
)

var (
	dimova   = events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "mk-csw-skopje"}
	petrova  = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	registry = events.Actor{Officer: "d.stojanova", Role: events.Directorate, Institution: "mk-des"}
)

// clock is a clock that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// house is a small service behind a gate: /v1/secret and the page /secret say who asks, /v1/stream stays open.
type house struct {
	t      *testing.T
	clock  *clock
	keys   string
	tokens *auth.Tokens
	store  *memstore.Store
	log    *lines
	server *httptest.Server
}

// newHouse builds it; change adapts the gate's configuration.
func newHouse(t *testing.T, change func(*auth.Config)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{now: time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC)}, keys: filepath.Join(t.TempDir(), "keys"), log: &lines{}}
	var err error
	if h.tokens, err = auth.MakeTokens(h.keys, h.clock.Now); err != nil {
		t.Fatal(err)
	}
	h.store = memstore.New(h.clock.Now)
	h.server = httptest.NewServer(h.gated(change))
	t.Cleanup(h.server.Close)
	return h
}

func (h *house) gated(change func(*auth.Config)) http.Handler {
	c := auth.Config{Tokens: h.tokens, Directory: auth.NewOfficers(h.store), Refuse: api.WriteProblem, Clock: h.clock.Now, Log: slog.New(slog.NewTextHandler(h.log, nil))}
	if change != nil {
		change(&c)
	}
	gate, mux := auth.NewGate(c), http.NewServeMux()
	gate.Register(mux)
	for _, route := range []string{"/v1/secret", "GET /secret", "GET /secret/{rest...}", "GET /version", "GET /metrics", "/"} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			who, ok := auth.IdentityOf(r.Context())
			_, _ = fmt.Fprintf(w, "the secret, for %s %s %s %v %v", who.Actor.Officer, who.Actor.Role, who.Actor.Institution, who.Machine, ok)
		})
	}
	mux.HandleFunc("GET /v1/stream", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("the secret\n"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for _, route := range []string{"GET /livez", "GET /readyz", "GET /sign-in", "GET /static/{file}", "GET /docs", "GET /openapi.json"} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("open")) })
	}
	return gate.Handler(mux)
}

// record puts something into the directory.
func (h *house) record(data any) {
	h.t.Helper()
	kind := strings.TrimPrefix(fmt.Sprintf("%T", data), "*events.")
	id := uuid.New()
	e, err := events.Encode(&events.Event{ID: id, CorrelationID: id, Type: kind, Schema: 1, Jurisdiction: "MK", OccurredAt: h.clock.Now(), Actor: registry, Data: data})
	if err == nil {
		_, err = h.store.Append(h.t.Context(), events.DirectoryStream("MK"), events.Any, e)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// appoint registers the institution and appoints the officer to it.
func (h *house) appoint(who events.Actor) {
	h.t.Helper()
	h.record(&events.InstitutionRegistered{Institution: who.Institution, Name: map[string]string{"en": string(who.Institution)}, Role: []events.Role{who.Role}})
	h.record(&events.OfficerAppointed{Officer: who.Officer, Institution: who.Institution, Role: who.Role})
}

func (h *house) token(who events.Actor, life time.Duration) string {
	h.t.Helper()
	raw, _, err := h.tokens.Issue(who, false, life)
	if err != nil {
		h.t.Fatal(err)
	}
	return raw
}

// key is the key of the tokens, as whoever steals the file has it.
func (h *house) key() ed25519.PrivateKey {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.keys, "token.key"))
	if err != nil {
		h.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		h.t.Fatal(err)
	}
	return key.(ed25519.PrivateKey)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (h *house) do(method, path string, header ...string) answer {
	h.t.Helper()
	return h.send(&http.Client{CheckRedirect: noRedirects}, method, path, nil, header...)
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (h *house) send(c *http.Client, method, path string, body io.Reader, header ...string) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(text)}
}

// problem is the kind of problem that the answer holds.
func (a answer) problem() string {
	var p struct{ Type string }
	_ = json.Unmarshal([]byte(a.body), &p)
	return strings.TrimPrefix(p.Type, "urn:traga:problem:")
}

func (a answer) String() string { return fmt.Sprintf("%d %v %s", a.status, a.header, a.body) }

// browser keeps cookies, follows no redirect, and says of itself what browsers do.
type browser struct {
	*house
	jar    *cookiejar.Jar
	client *http.Client
}

func (h *house) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{h, jar, &http.Client{Jar: jar, CheckRedirect: noRedirects}}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.send(b.client, http.MethodGet, path, nil, "Sec-Fetch-Mode", "navigate", "Accept", "text/html")
}

func (b *browser) post(path string, form ...string) answer {
	b.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		q.Set(form[i], form[i+1])
	}
	return b.send(b.client, http.MethodPost, path, strings.NewReader(q.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Mode", "navigate")
}

func (b *browser) cookie() string {
	u, _ := url.Parse(b.server.URL)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == "traga" {
			return c.Value
		}
	}
	return ""
}

func (b *browser) plant(value string) {
	u, _ := url.Parse(b.server.URL)
	b.jar.SetCookies(u, []*http.Cookie{{Name: "traga", Value: value, Path: "/"}})
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

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// broken is a log that can't be read.
type broken struct{}

func (broken) ReadAll(context.Context, events.Position, int, events.Filter) (events.Page, error) {
	return events.Page{}, events.ErrUnavailable
}

func (broken) Changed(events.Position) <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
