package auth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"traga.internal/handlers/auth"
)

// A person signs in with a token, and out again; the cookie is for traga only and out of reach for scripts.
func TestSignInAndOut(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	if a := b.get("/secret"); a.status != 303 || a.header.Get("Location") != "/sign-in?next=%2Fsecret" {
		t.Fatalf("nobody has signed in: %v", a)
	}
	a := b.post("/sign-in/token", "token", h.token(dimova, time.Hour), "next", "/secret")
	if a.status != 303 || a.header.Get("Location") != "/secret" {
		t.Fatalf("sign in: %v", a)
	}
	set := a.header.Get("Set-Cookie")
	for _, part := range []string{"; HttpOnly", "; SameSite=Lax", "; Path=/"} {
		if !strings.Contains(set, part) || strings.Contains(set, "Domain") || strings.Contains(set, "dimova") {
			t.Errorf("the cookie: %s", set)
		}
	}
	if a := b.get("/secret"); a.status != 200 || !strings.Contains(a.body, "for l.dimova csw") {
		t.Errorf("signed in: %v", a)
	}
	cookie := b.cookie()
	if a := b.get("/sign-out"); a.status != 200 || b.cookie() != cookie {
		t.Errorf("a link signs nobody out: %v", a)
	}
	if a := b.post("/sign-out", "next", "/?lang=sq"); a.status != 303 || a.header.Get("Location") != "/sign-in?lang=sq&next=%2F%3Flang%3Dsq&reason=signed-out" || b.cookie() != "" {
		t.Errorf("sign out: %v", a)
	}
	b.plant(cookie)
	if a := b.get("/secret"); a.status != 303 {
		t.Errorf("the old cookie still opens: %v", a)
	}
}

// Whoever puts a cookie into another's browser beforehand gains nothing.
func TestSessionFixation(t *testing.T) {
	h := newHouse(t, nil)
	attacker, victim := h.browser(), h.browser()
	attacker.post("/sign-in/token", "token", h.token(petrova, time.Hour))
	planted := attacker.cookie()
	for name, value := range map[string]string{"a session of the attacker's own": planted, "a made-up one": "AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		victim.plant(value)
		if a := victim.post("/sign-in/token", "token", h.token(dimova, time.Hour)); a.status != 303 {
			t.Fatal(a)
		}
		if victim.cookie() == value || victim.cookie() == "" {
			t.Errorf("%s: the cookie is kept at sign-in", name)
		}
		attacker.plant(value)
		if a := attacker.get("/secret"); a.status != 303 {
			t.Errorf("%s: it opens something: %v", name, a)
		}
		if a := victim.get("/secret"); !strings.Contains(a.body, "l.dimova") {
			t.Errorf("%s: the victim is %v", name, a)
		}
	}
	// Signing in again ends the session before.
	before := victim.cookie()
	victim.post("/sign-in/token", "token", h.token(petrova, time.Hour))
	attacker.plant(before)
	if a := attacker.get("/secret"); a.status != 303 {
		t.Errorf("the session before still opens: %v", a)
	}
}

// A session ends when its person does nothing, whatever scripts of an open page do; and after its whole life.
func TestSessionsEnd(t *testing.T) {
	h := newHouse(t, func(c *auth.Config) { c.Idle, c.Life = 10*time.Minute, time.Hour })
	b := h.browser()
	enter := func() { b.post("/sign-in/token", "token", h.token(dimova, 30*time.Minute)) }
	enter()
	for range 2 {
		h.clock.pass(9 * time.Minute)
		if a := b.get("/secret"); a.status != 200 {
			t.Fatalf("in use: %v", a)
		}
	}
	h.clock.pass(9 * time.Minute)
	if a := b.send(b.client, "GET", "/v1/secret", nil, "Sec-Fetch-Mode", "cors"); a.status != 200 {
		t.Errorf("a script asks: %v", a)
	}
	h.clock.pass(time.Minute)
	if a := b.get("/secret"); a.status != 303 {
		t.Errorf("idle for ten minutes but for a script: %v", a)
	}
	enter()
	for range 3 {
		h.clock.pass(9 * time.Minute)
		b.get("/secret")
	}
	h.clock.pass(3 * time.Minute)
	if a := b.get("/secret"); a.status != 303 {
		t.Errorf("the token's half hour is over: %v", a)
	}
	b.post("/sign-in/token", "token", h.token(dimova, 24*time.Hour))
	for range 6 {
		h.clock.pass(9 * time.Minute)
		if a := b.get("/secret"); a.status != 200 {
			t.Fatalf("within the hour: %v", a)
		}
	}
	h.clock.pass(6 * time.Minute)
	if a := b.get("/secret"); a.status != 303 {
		t.Errorf("after the hour: %v", a)
	}
}

// Under TLS the cookie goes over TLS only, and only this host can have set it.
func TestCookieUnderTLS(t *testing.T) {
	h := newHouse(t, func(c *auth.Config) { c.Secure = true })
	set := h.browser().post("/sign-in/token", "token", h.token(dimova, time.Hour)).header.Get("Set-Cookie")
	if !strings.HasPrefix(set, "__Host-traga=") || !strings.Contains(set, "; Secure") || !strings.Contains(set, "; Path=/") || strings.Contains(set, "Domain") {
		t.Errorf("the cookie: %s", set)
	}
}

// A sign-in leads on to pages of traga only.
func TestNobodyIsLedElsewhere(t *testing.T) {
	h := newHouse(t, nil)
	raw := h.token(dimova, time.Hour)
	for next, want := range map[string]string{
		"/cases/MK-2026-0001?at=12&lang=mk": "/cases/MK-2026-0001?at=12&lang=mk", "/": "/", "": "/",
		"https://evil.example/": "/", "//evil.example/": "/", "/\\evil.example": "/", "\\\\evil.example": "/", "/\tevil": "/", "/%2fevil.example": "/", "javascript:alert(1)": "/", "evil": "/",
		" //evil.example": "/", "/\n/evil.example": "/", "http:evil.example": "/", "///evil.example": "/", "/sign-out": "/", "/sign-in": "/", "/./sign-out": "/", "/cases/../sign-out": "/", "/cases/": "/",
	} {
		if a := h.browser().post("/sign-in/token", "token", raw, "next", next); a.header.Get("Location") != want {
			t.Errorf("next=%q leads to %q, want %q", next, a.header.Get("Location"), want)
		}
		h.clock.pass(2 * time.Second)
	}
}

func FuzzInside(f *testing.F) {
	for _, s := range []string{"/", "/cases?x=1", "//evil", "/\\evil", "/%5cevil", "/%2f%2fevil", "https://evil", "/a/../../b", "/;//evil", "/@evil"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to := auth.Inside(s)
		base, _ := http.NewRequest("GET", "https://traga.example/sign-in", nil)
		u, err := base.URL.Parse(to)
		if err != nil || u.Host != "traga.example" || u.Scheme != "https" || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(to, "//") {
			t.Errorf("%q leads to %q", s, to)
		}
		if again := auth.Inside(to); again != to {
			t.Errorf("%q, then %q", to, again)
		}
	})
}

// The demo's sign-ins are for this machine, and for the officers that it offers.
func TestDemoSignIns(t *testing.T) {
	officer := auth.Identity{Actor: dimova, Name: "l.dimova"}
	h := newHouse(t, func(c *auth.Config) { c.Demo = []auth.Identity{officer} })
	b := h.browser()
	if a := b.post("/sign-in/demo", "officer", "a.petrova"); !strings.Contains(a.header.Get("Location"), "reason=invalid") {
		t.Errorf("an officer that is not offered: %v", a)
	}
	if a := b.post("/sign-in/demo", "officer", "l.dimova", "next", "/secret"); a.header.Get("Location") != "/secret" {
		t.Errorf("one that is: %v", a)
	}
	if a := b.get("/secret"); !strings.Contains(a.body, "l.dimova csw mk-csw-skopje") {
		t.Errorf("signed in: %v", a)
	}
	if a := newHouse(t, nil).browser().post("/sign-in/demo", "officer", "l.dimova"); !strings.Contains(a.header.Get("Location"), "reason=invalid") {
		t.Errorf("outside a demonstration: %v", a)
	}
	h = newHouse(t, func(c *auth.Config) { c.Demo, c.BehindProxy = []auth.Identity{officer}, true })
	if a := h.browser().post("/sign-in/demo", "officer", "l.dimova"); !strings.Contains(a.header.Get("Location"), "reason=invalid") {
		t.Errorf("through a proxy: %v", a)
	}
}

// No one signs in with a novel.
func TestHugeForms(t *testing.T) {
	h := newHouse(t, nil)
	for name, body := range map[string]io.Reader{
		"one field": strings.NewReader("token=" + strings.Repeat("x", 1<<20)), "without a length": io.MultiReader(strings.NewReader("token="), strings.NewReader(strings.Repeat("x", 1<<20))),
	} {
		a := h.send(&http.Client{CheckRedirect: noRedirects}, "POST", "/sign-in/token", body, "Content-Type", "application/x-www-form-urlencoded")
		if a.status != 413 || a.problem() != "too-large" {
			t.Errorf("%s: %v", name, a)
		}
	}
}
