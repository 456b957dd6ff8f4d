package auth

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Directory says for whom officers act: an *Officers.
type Directory interface {
	// Appointed is for which institution and in which role the officer acts now.
	Appointed(ctx context.Context, officer string) (events.Actor, error)
	// Confirm checks an appointment that a token names.
	Confirm(ctx context.Context, who events.Actor) (events.Actor, error)
}

// Config is what a Gate works with. Directory, Refuse, Clock and Log are required, and one way to sign in.
type Config struct {
	// Tokens are those that this traga signs itself; nil when there is no key.
	Tokens *Tokens
	// Provider is the identity provider; nil when there is none.
	Provider *Provider
	// Demo are the ready sign-ins of a demonstration. Only this machine may use them.
	Demo      []Identity
	Directory Directory
	// Refuse answers with a problem of a kind that handlers/api knows: not-signed-in, too-many, too-large, unavailable.
	Refuse func(w http.ResponseWriter, kind, detail string)
	Clock  func() time.Time
	Log    *slog.Logger
	// Secure says that browsers come over TLS, also where a proxy ends it: cookies are then sent over TLS only.
	Secure bool
	// BehindProxy says that requests come from a proxy, whose X-Forwarded-For is believed.
	BehindProxy bool
	// Metrics lets whoever bears it read /metrics; empty lets only this machine and who has signed in.
	Metrics string
	// Idle is how long a session lasts when its person does nothing, 30 minutes when 0; Life how long in all, 12 hours
	// when 0.
	Idle, Life time.Duration
}

const (
	// maxSessions and maxFlows bound the memory that sessions, and sign-ins that have begun, take.
	maxSessions = 10_000
	maxFlows    = 1_000
	// flowLife is how long a sign-in at the provider may take.
	flowLife = 10 * time.Minute
	// again is how often it is looked whether who reads a live stream still may.
	again = 2 * time.Second
)

// Gate finds out who asks, and lets no one else through. What its sessions are is known to this process only, and ends
// with it. Safe for concurrent use.
type Gate struct {
	Config
	sessions                       *kept[session]
	flows                          *kept[flow]
	signIns, failures, acts, feeds *limits
}

// session is a sign-in of a browser.
type session struct {
	credential
	ends time.Time // at the latest
}

// credential is what someone showed to sign in, once it was verified. Whether it still counts is looked up each time.
type credential struct {
	actor   events.Actor // as it says; without institution and role where the directory says them
	name    string
	machine bool
	token   uuid.UUID // of the register; nil where it is none of traga's own
	expires time.Time // zero when the session says it
}

// NewGate makes a gate.
func NewGate(c Config) *Gate {
	if c.Idle == 0 {
		c.Idle = 30 * time.Minute
	}
	if c.Life == 0 {
		c.Life = 12 * time.Hour
	}
	return &Gate{Config: c, sessions: newKept[session](maxSessions), flows: newKept[flow](maxFlows),
		signIns: newLimits(0.5, 20), failures: newLimits(0.5, 20), acts: newLimits(10, 100), feeds: newLimits(200, 1000)}
}

// open are the routes that anyone may ask: they say nothing of a case.
var open = map[string]bool{
	"GET /livez": true, "GET /readyz": true, "GET /static/{file}": true, "GET /docs": true, "GET /openapi.json": true, "GET /openapi.yaml": true,
	"GET /sign-in": true, "GET /sign-in/provider": true, "GET /sign-in/callback": true, "POST /sign-in/token": true, "POST /sign-in/demo": true,
	"POST /sign-out":     true,
	"GET /v1/checkpoint": true, "POST /v1/checkpoint/cosignatures": true, // hashes and signatures only
}

// Handler lets requests through to the mux with their Identity. What may pass without one is decided by the route that
// will answer, not by how the address is written: only a few routes may, and /metrics and /version for this machine.
func (g *Gate) Handler(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, route := mux.Handler(r)
		if open[route] || g.serviceOf(route, r) {
			if writes(r) && !g.acts.allow(client(r, g.BehindProxy), g.Clock()) {
				g.tooMany(w)
				return
			}
			mux.ServeHTTP(w, r)
			return
		}
		check, err := g.ask(r)
		var who Identity
		if err == nil {
			who, err = check(r.Context())
		}
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		if writes(r) && !g.mayWrite(who) {
			g.tooMany(w)
			return
		}
		ctx := r.Context()
		if route == "GET /v1/stream" {
			var stop context.CancelFunc
			ctx, stop = context.WithCancel(ctx)
			defer stop()
			go func() {
				for tick := time.NewTicker(again); ; {
					select {
					case <-ctx.Done():
						tick.Stop()
						return
					case <-tick.C:
						if now, err := check(ctx); err != nil || now != who {
							stop()
						}
					}
				}
			}()
		}
		serveAs(ctx, who, mux, w, r)
	})
}

// serviceOf reports whether the request asks for what those who run traga read, and may.
func (g *Gate) serviceOf(route string, r *http.Request) bool {
	switch route {
	case "GET /metrics":
		token, shown := bearerOf(r)
		return g.fromHere(r) && !shown || shown && g.Metrics != "" && same(token, g.Metrics)
	case "GET /version":
		return g.fromHere(r)
	}
	return false
}

// fromHere reports whether this machine asks. Behind a proxy all requests seem to come from it, and none is believed.
func (g *Gate) fromHere(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && !g.BehindProxy
}

func writes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

func (g *Gate) tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	g.Refuse(w, "too-many", "Too many writes in a short time; wait a little and repeat it.")
}

func (g *Gate) mayWrite(who Identity) bool {
	l := g.acts
	if who.Machine {
		l = g.feeds
	}
	return l.allow(string(who.Actor.Institution)+"\x00"+who.Actor.Officer, g.Clock())
}

// errNobody: nothing was shown to sign in with.
var errNobody = errors.New("nobody has signed in")

// errTooMany: too many failed before from there.
var errTooMany = errors.New("too many sign-ins failed")

// ask finds what the request shows to sign in with: a token, or else the cookie of a session. The check that it returns
// says whether that counts now, and as whom.
func (g *Gate) ask(r *http.Request) (check func(context.Context) (Identity, error), err error) {
	if len(r.Header.Values("Authorization")) > 0 {
		raw, ok := bearerOf(r)
		if !ok {
			return nil, ErrInvalid
		}
		c, err := g.verify(r, raw)
		return func(ctx context.Context) (Identity, error) { return g.standing(ctx, c) }, err
	}
	cookie, err := r.Cookie(g.cookieName())
	if err != nil {
		return nil, errNobody
	}
	var prolong func(session) time.Time
	if acted(r) {
		prolong = func(s session) time.Time { return earliest(s.ends, g.Clock().Add(g.Idle)) }
	}
	if _, ok := g.sessions.get(cookie.Value, g.Clock(), prolong); !ok {
		return nil, errNobody
	}
	return func(ctx context.Context) (Identity, error) {
		s, ok := g.sessions.get(cookie.Value, g.Clock(), nil)
		if !ok {
			return Identity{}, errNobody
		}
		return g.standing(ctx, s.credential)
	}, nil
}

// acted reports whether a person did something, and not the script of a page that lies open.
func acted(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode == "" || mode == "navigate" || writes(r)
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// bearerOf is the token of an Authorization header (RFC 6750).
func bearerOf(r *http.Request) (string, bool) {
	list := r.Header.Values("Authorization")
	if len(list) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(list[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// verify checks a token of either kind. Who fails too often from one place is not listened to for a while.
func (g *Gate) verify(r *http.Request, raw string) (credential, error) {
	from := client(r, g.BehindProxy)
	c, err := g.verified(r.Context(), raw)
	if err != nil && !errors.Is(err, ErrUnavailable) && !g.failures.allow(from, g.Clock()) {
		return credential{}, errTooMany
	}
	return c, err
}

func (g *Gate) verified(ctx context.Context, raw string) (credential, error) {
	switch {
	case len(raw) > maxToken:
		return credential{}, ErrInvalid
	case g.Tokens != nil && (g.Provider == nil || g.Tokens.own(raw)):
		token, err := g.Tokens.verify(raw)
		return credential{actor: token.Actor, name: token.Actor.Officer, machine: token.Machine, token: token.ID, expires: token.Expires}, err
	case g.Provider != nil:
		return g.Provider.bearer(ctx, raw)
	}
	return credential{}, ErrInvalid
}

// standing is whom a credential stands for now: it may have been revoked or have ended, and so may the appointment.
func (g *Gate) standing(ctx context.Context, c credential) (Identity, error) {
	if c.token != uuid.Nil {
		if _, err := g.Tokens.standing(c.token); err != nil {
			return Identity{}, err
		}
	}
	if !c.expires.IsZero() && !g.Clock().Before(c.expires) {
		return Identity{}, ErrExpired
	}
	who := Identity{Name: c.name, Machine: c.machine}
	var err error
	if c.actor.Institution == "" {
		who.Actor, err = g.Directory.Appointed(ctx, c.actor.Officer)
	} else {
		who.Actor, err = g.Directory.Confirm(ctx, c.actor)
	}
	if who.Name == "" {
		who.Name = who.Actor.Officer
	}
	return who, err
}

// refuse sends a person to sign in, and tells a program to.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, err error) {
	reason := reasonOf(err)
	if reason == "unavailable" {
		g.Log.ErrorContext(r.Context(), "a request was refused: who asks can't be found out", "error", err)
		g.Refuse(w, "unavailable", "Who asks can't be found out now.")
		return
	}
	if reason == "too-many" {
		w.Header().Set("Retry-After", "10")
		g.Refuse(w, "too-many", "Too many tokens from there were not valid; wait a little.")
		return
	}
	page := !strings.HasPrefix(r.URL.Path, "/v1/") && r.URL.Path != "/metrics" && r.URL.Path != "/version" && len(r.Header.Values("Authorization")) == 0
	if page {
		next := ""
		if !writes(r) {
			next = r.URL.RequestURI()
		}
		g.toSignIn(w, r, reason, next)
		return
	}
	challenge := `Bearer realm="traga"`
	detail := "Sign in: send a token as Authorization: Bearer."
	if !errors.Is(err, errNobody) {
		challenge += `, error="invalid_token"`
		detail = sentence(err)
	}
	w.Header().Set("WWW-Authenticate", challenge)
	g.Refuse(w, "not-signed-in", detail)
}

// reasonOf names why a sign-in failed, as the sign-in page knows it: never whose it was.
func reasonOf(err error) string {
	for reason, e := range map[string]error{"expired": ErrExpired, "revoked": ErrRevoked, "not-appointed": ErrNotAppointed, "invalid": ErrInvalid,
		"too-many": errTooMany, "nobody": errNobody} {
		if errors.Is(err, e) {
			return reason
		}
	}
	return "unavailable"
}

// sentence is the part of the error that may be told.
func sentence(err error) string {
	for _, e := range []error{ErrExpired, ErrRevoked, ErrNotAppointed, ErrInvalid} {
		if errors.Is(err, e) {
			text := e.Error()
			return strings.ToUpper(text[:1]) + text[1:] + "."
		}
	}
	return ""
}

// toSignIn sends a browser to the sign-in page, which says the reason and leads on to next.
func (g *Gate) toSignIn(w http.ResponseWriter, r *http.Request, reason, next string) {
	q := url.Values{}
	if reason != "" && reason != "nobody" {
		q.Set("reason", reason)
	}
	if next = Inside(next); next != "/" {
		q.Set("next", next)
	}
	if u, err := url.Parse(next); err == nil && u.Query().Get("lang") != "" {
		q.Set("lang", u.Query().Get("lang"))
	}
	address := "/sign-in"
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// Inside is an address on this site to go on to after signing in: the given one if it is that, else the first page.
// Browsers take a backslash for a slash and drop control characters, so that neither may be in it.
func Inside(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") ||
		path.Clean(u.Path) != u.Path || strings.HasPrefix(u.Path, "/sign-") ||
		strings.ContainsFunc(address, func(c rune) bool { return c == '\\' || c <= ' ' || c == 0x7f }) {
		return "/"
	}
	return address
}

// LoopbackHost reports whether the name or address is this machine's own to itself.
func LoopbackHost(name string) bool {
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}
