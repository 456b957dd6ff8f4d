package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"
)

// maxForm is the longest form that signing in takes, in bytes.
const maxForm = 16 << 10

// Ways are the ways to sign in that the sign-in page offers.
type Ways struct {
	Provider, Token bool
	Demo            []Identity
}

// Ways says how people can sign in here.
func (g *Gate) Ways() Ways {
	return Ways{Provider: g.Provider != nil, Token: g.Tokens != nil && len(g.Demo) == 0, Demo: g.Demo}
}

// Register adds the routes that the sign-in page leads to: POST /sign-in/token and /sign-in/demo, GET /sign-in/provider
// and /sign-in/callback, and POST /sign-out. The page itself, GET /sign-in, is handlers/web's; it is told with ?reason=
// why a sign-in failed (invalid, expired, revoked, not-appointed, unavailable, too-many, provider) or signed-out, and
// with ?next= where to go on to.
func (g *Gate) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /sign-in/token", g.signInByToken)
	mux.HandleFunc("POST /sign-in/demo", g.signInToDemo)
	mux.HandleFunc("GET /sign-in/provider", g.signInByProvider)
	mux.HandleFunc("GET /sign-in/callback", g.cameBack)
	mux.HandleFunc("POST /sign-out", g.signOut)
}

// form reads a form of the sign-in page, if there may be another attempt from there; else it has answered.
func (g *Gate) form(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		g.Refuse(w, "too-large", "A sign-in is shorter.")
		return nil, false
	case err != nil:
		g.toSignIn(w, r, "invalid", "")
		return nil, false
	}
	return r.PostForm, g.mayTry(w, r, r.PostForm.Get("next"))
}

func (g *Gate) mayTry(w http.ResponseWriter, r *http.Request, next string) bool {
	if g.signIns.allow(client(r, g.BehindProxy), g.Clock()) {
		return true
	}
	w.Header().Set("Retry-After", "10")
	g.toSignIn(w, r, "too-many", next)
	return false
}

// signInByToken makes a session of a token that a person pasted.
func (g *Gate) signInByToken(w http.ResponseWriter, r *http.Request) {
	form, ok := g.form(w, r)
	if !ok {
		return
	}
	err := ErrInvalid
	if g.Tokens != nil {
		var token Token
		if token, err = g.Tokens.verify(strings.TrimSpace(form.Get("token"))); err == nil {
			g.enter(w, r, credential{actor: token.Actor, name: token.Actor.Officer, machine: token.Machine, token: token.ID, expires: token.Expires}, form.Get("next"))
			return
		}
	}
	g.denied(w, r, err, form.Get("next"))
}

// signInToDemo makes a session of a choice among the ready sign-ins.
func (g *Gate) signInToDemo(w http.ResponseWriter, r *http.Request) {
	form, ok := g.form(w, r)
	if !ok {
		return
	}
	for _, who := range g.Demo {
		if who.Actor.Officer == form.Get("officer") && g.fromHere(r) {
			g.enter(w, r, credential{actor: who.Actor, name: who.Name}, form.Get("next"))
			return
		}
	}
	g.denied(w, r, ErrInvalid, form.Get("next"))
}

// signInByProvider sends the browser to the identity provider.
func (g *Gate) signInByProvider(w http.ResponseWriter, r *http.Request) {
	next := Inside(r.URL.Query().Get("next"))
	if g.Provider == nil {
		g.toSignIn(w, r, "invalid", next)
		return
	}
	if !g.mayTry(w, r, next) {
		return
	}
	scheme := "http"
	if g.Secure {
		scheme = "https"
	}
	f := flow{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), next: next, redirect: scheme + "://" + r.Host + "/sign-in/callback"}
	address, err := g.Provider.begin(r.Context(), f)
	if err != nil {
		g.denied(w, r, err, next)
		return
	}
	now := g.Clock()
	g.setCookie(w, g.cookieName()+"-flow", g.flows.put(f, now, now.Add(flowLife)), int(flowLife.Seconds()))
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// cameBack takes a browser back from the identity provider. Only the browser that was sent there is: another's code, or
// state, is nothing here.
func (g *Gate) cameBack(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(g.cookieName() + "-flow")
	if err != nil || g.Provider == nil {
		g.toSignIn(w, r, "invalid", "")
		return
	}
	g.setCookie(w, cookie.Name, "", -1)
	f, ok := g.flows.take(cookie.Value, g.Clock())
	q := r.URL.Query()
	switch {
	case !ok || !same(q.Get("state"), f.state):
		g.toSignIn(w, r, "invalid", "")
		return
	case q.Get("error") != "" || q.Get("code") == "":
		g.toSignIn(w, r, "provider", f.next)
		return
	}
	c, err := g.Provider.finish(r.Context(), f, q.Get("code"))
	if err != nil {
		g.denied(w, r, err, f.next)
		return
	}
	g.enter(w, r, c, f.next)
}

// enter begins a session, always under a new secret: what the browser brought along is ended, whoever put it there.
func (g *Gate) enter(w http.ResponseWriter, r *http.Request, c credential, next string) {
	who, err := g.standing(r.Context(), c)
	if err != nil {
		g.denied(w, r, err, next)
		return
	}
	g.leave(r)
	now := g.Clock()
	s := session{credential: c, ends: now.Add(g.Life)}
	if !c.expires.IsZero() {
		s.ends = earliest(s.ends, c.expires)
	}
	g.setCookie(w, g.cookieName(), g.sessions.put(s, now, earliest(s.ends, now.Add(g.Idle))), 0)
	g.Log.InfoContext(r.Context(), "a sign-in", "role", string(who.Actor.Role), "machine", who.Machine)
	http.Redirect(w, r, Inside(next), http.StatusSeeOther)
}

func (g *Gate) denied(w http.ResponseWriter, r *http.Request, err error, next string) {
	reason := reasonOf(err)
	if reason == "unavailable" {
		g.Log.ErrorContext(r.Context(), "a sign-in failed", "error", err)
	} else {
		g.Log.InfoContext(r.Context(), "a sign-in was refused", "reason", reason)
	}
	g.toSignIn(w, r, reason, next)
}

// signOut ends the session.
func (g *Gate) signOut(w http.ResponseWriter, r *http.Request) {
	g.leave(r)
	g.setCookie(w, g.cookieName(), "", -1)
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	g.toSignIn(w, r, "signed-out", r.PostFormValue("next"))
}

func (g *Gate) leave(r *http.Request) {
	for _, cookie := range r.CookiesNamed(g.cookieName()) {
		g.sessions.take(cookie.Value, g.Clock())
	}
}

// cookieName begins, over TLS, with what makes browsers refuse the cookie from anyone but this very host.
func (g *Gate) cookieName() string {
	if g.Secure {
		return "__Host-traga"
	}
	return "traga"
}

// setCookie sets a cookie that no script can read and no other site's form sends along; seconds of 0 ends it with the
// browser, less than 0 at once. Lax, not Strict: Strict would keep it back on the way from the identity provider.
func (g *Gate) setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: g.Secure, SameSite: http.SameSiteLaxMode})
}

// same compares secrets in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
