package auth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

// users are who the identity provider knows.
type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User { return u[id] }

func (u users) GetUserByUsername(name string) *storage.User {
	for _, user := range u {
		if user.Username == name {
			return user
		}
	}
	return nil
}

func (users) ExampleClientID() string { return "example" }

// jwts makes the access tokens of the provider's clients JWTs, as an API needs them.
type jwts struct{ *storage.Storage }

func (s jwts) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return jwtClient{c}, err
}

type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// provider is a real OpenID provider, zitadel's, on this machine.
type provider struct {
	*httptest.Server
	clients map[string]*storage.Client
	answers atomic.Value // an http.HandlerFunc
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{clients: map[string]*storage.Client{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.answers.Load().(http.HandlerFunc)(w, r) }))
	t.Cleanup(p.Close)
	known := users{}
	for _, u := range []*storage.User{{ID: "l.dimova", Username: "lena", FirstName: "Lena", LastName: "Dimova"}, {ID: "nobody", Username: "nobody"}} {
		u.Password = "right"
		known[u.ID] = u
	}
	p.answers.Store(http.HandlerFunc(exampleop.SetupServer(p.URL, jwts{storage.NewStorageWithClients(known, p.clients)}, nil, false).ServeHTTP))
	return p
}

// atProvider is a house that is connected to the provider, as the client traga with a secret.
func atProvider(t *testing.T, p *provider, change func(*auth.ProviderConfig)) *house {
	t.Helper()
	config := auth.ProviderConfig{Issuer: p.URL, ClientID: "traga", ClientSecret: "hush"}
	if change != nil {
		change(&config)
	}
	h := newHouse(t, func(c *auth.Config) {
		config.Clock = c.Clock
		var err error
		if c.Provider, err = auth.NewProvider(config); err != nil {
			t.Fatal(err)
		}
	})
	h.clock.pass(time.Since(h.clock.Now())) // the provider's is the real time
	p.clients["traga"] = storage.WebClient("traga", "hush", h.server.URL+"/sign-in/callback")
	p.clients["another"] = storage.WebClient("another", "hush", h.server.URL+"/sign-in/callback")
	return h
}

// walk follows redirects from an address, with the browser's cookies everywhere, until one leads to where it may not go
// on: it returns that answer and its address.
func (b *browser) walk(address string, stop func(*url.URL) bool) (*http.Response, *url.URL) {
	b.t.Helper()
	client := &http.Client{Jar: b.jar, CheckRedirect: noRedirects}
	for range 12 {
		u, err := url.Parse(address)
		if err != nil {
			b.t.Fatal(err)
		}
		if stop(u) {
			return nil, u
		}
		res, err := client.Get(address)
		if err != nil {
			b.t.Fatal(err)
		}
		res.Body.Close()
		to, err := res.Location()
		if err != nil {
			return res, u
		}
		address = to.String()
	}
	b.t.Fatal("it leads in circles")
	return nil, nil
}

func never(*url.URL) bool { return false }

// signInAt types name and password at the provider; it returns the address of the callback, not yet visited.
func (b *browser) signInAt(p *provider, start, name string) string {
	b.t.Helper()
	_, form := b.walk(start, never)
	if !strings.HasPrefix(form.Path, "/login/") {
		b.t.Fatalf("no sign-in form: %v", form)
	}
	client := &http.Client{Jar: b.jar, CheckRedirect: noRedirects}
	res, err := client.PostForm(p.URL+"/login/username", url.Values{"username": {name}, "password": {"right"}, "id": {form.Query().Get("authRequestID")}})
	if err != nil {
		b.t.Fatal(err)
	}
	res.Body.Close()
	to, err := res.Location()
	if err != nil {
		b.t.Fatalf("the provider did not take the password: %v", err)
	}
	_, callback := b.walk(to.String(), func(u *url.URL) bool { return u.Path == "/sign-in/callback" })
	return callback.String()
}

func (b *browser) visit(address string) answer {
	b.t.Helper()
	return b.get(strings.TrimPrefix(address, b.server.URL))
}

// A person signs in at a real provider; for whom she acts the directory says.
func TestSignInAtAProvider(t *testing.T) {
	p := newProvider(t)
	for name, claim := range map[string]string{"the claim is in the ID token": "sub", "the provider keeps it for UserInfo": "preferred_username"} {
		t.Run(name, func(t *testing.T) {
			h := atProvider(t, p, func(c *auth.ProviderConfig) { c.OfficerClaim = claim })
			officer := dimova
			if claim != "sub" {
				officer.Officer = "lena"
			}
			h.appoint(officer)
			b := h.browser()
			callback := b.signInAt(p, h.server.URL+"/sign-in/provider?next=/secret", "lena")
			a := b.visit(callback)
			if a.status != 303 || a.header.Get("Location") != "/secret" {
				t.Fatalf("back from the provider: %v\n%s", a, h.log)
			}
			if a := b.get("/secret"); a.status != 200 || !strings.Contains(a.body, "for "+officer.Officer+" csw mk-csw-skopje false true") {
				t.Errorf("signed in: %v", a)
			}
			if a := b.visit(callback); !strings.Contains(a.header.Get("Location"), "reason=invalid") {
				t.Errorf("the callback again: %v", a)
			}
			h.record(&events.OfficerRevoked{Officer: officer.Officer})
			if a := b.get("/secret"); a.status != 303 || !strings.Contains(a.header.Get("Location"), "reason=not-appointed") {
				t.Errorf("revoked: %v", a)
			}
		})
	}
	t.Run("without a secret, by PKCE alone", func(t *testing.T) {
		h := atProvider(t, p, func(c *auth.ProviderConfig) { c.ClientID, c.ClientSecret = "public", "" })
		p.clients["public"] = storage.NativeClient("public", h.server.URL+"/sign-in/callback")
		h.appoint(dimova)
		b := h.browser()
		start, _ := url.Parse(b.get("/sign-in/provider").header.Get("Location"))
		if q := start.Query(); q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("nonce") == "" || len(q.Get("state")) < 22 {
			t.Errorf("what the provider is asked: %v", q)
		}
		if a := b.visit(b.signInAt(p, h.server.URL+"/sign-in/provider", "lena")); a.header.Get("Location") != "/" {
			t.Errorf("back from the provider: %v\n%s", a, h.log)
		}
	})
}

// Only the browser that began the sign-in ends it, only with what the provider gave for it, and only as an officer whom
// the directory knows.
func TestAProvidersCodeIsForOneBrowserOnly(t *testing.T) {
	p := newProvider(t)
	h := atProvider(t, p, nil)
	h.appoint(dimova)
	refused := func(what, reason string, a answer, b *browser) {
		t.Helper()
		if a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/sign-in?") || !strings.Contains(a.header.Get("Location"), "reason="+reason) || b.cookie() != "" {
			t.Errorf("%s: %v %s", what, a, h.log)
		}
	}
	attacker, victim := h.browser(), h.browser()
	refused("without having begun", "invalid", victim.visit(attacker.signInAt(p, h.server.URL+"/sign-in/provider", "lena")), victim)
	mine, _ := url.Parse(attacker.signInAt(p, h.server.URL+"/sign-in/provider", "lena"))
	begun, _ := url.Parse(victim.get("/sign-in/provider").header.Get("Location"))
	swapped := url.Values{"code": {mine.Query().Get("code")}, "state": {begun.Query().Get("state")}}
	refused("the attacker's code with the victim's state", "invalid", victim.get("/sign-in/callback?"+swapped.Encode()), victim)
	victim.get("/sign-in/provider")
	refused("another state", "invalid", victim.get("/sign-in/callback?code=x&state=y"), victim)
	begun, _ = url.Parse(victim.get("/sign-in/provider").header.Get("Location"))
	refused("the person declined", "provider", victim.get("/sign-in/callback?error=access_denied&state="+begun.Query().Get("state")), victim)
	begun, _ = url.Parse(victim.get("/sign-in/provider").header.Get("Location"))
	refused("a made-up code", "invalid", victim.get("/sign-in/callback?code=made-up&state="+begun.Query().Get("state")), victim)
	late := victim.signInAt(p, h.server.URL+"/sign-in/provider", "lena")
	h.clock.pass(11 * time.Minute)
	refused("too late", "invalid", victim.visit(late), victim)
	h.clock.pass(-11 * time.Minute)
	refused("nobody that the directory knows", "not-appointed", victim.visit(victim.signInAt(p, h.server.URL+"/sign-in/provider", "nobody")), victim)
}

// accessToken gets a token for a program from the provider: by the same code flow, as another client of it.
func (p *provider) accessToken(t *testing.T, h *house, clientID string) string {
	t.Helper()
	b := h.browser()
	q := url.Values{"client_id": {clientID}, "response_type": {"code"}, "scope": {"openid profile"}, "state": {"s"}, "redirect_uri": {h.server.URL + "/sign-in/callback"}}
	callback, _ := url.Parse(b.signInAt(p, p.URL+"/auth?"+q.Encode(), "lena"))
	form := url.Values{"grant_type": {"authorization_code"}, "code": {callback.Query().Get("code")}, "redirect_uri": {h.server.URL + "/sign-in/callback"}}
	r, _ := http.NewRequestWithContext(t.Context(), "POST", p.URL+"/oauth/token", strings.NewReader(form.Encode()))
	r.SetBasicAuth(clientID, "hush")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
		t.Fatalf("the provider gives no token: %v %s", err, tokens.Error)
	}
	return tokens.AccessToken
}

// A program shows a token of the provider: one for traga, of this provider, while it holds.
func TestBearerTokensOfAProvider(t *testing.T) {
	p, other := newProvider(t), newProvider(t)
	h := atProvider(t, p, nil)
	h.appoint(dimova)
	good, forAnother := p.accessToken(t, h, "traga"), p.accessToken(t, h, "another")
	other.clients["traga"] = p.clients["traga"]
	ofOther := other.accessToken(t, h, "traga")
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+good); a.status != 200 || !strings.Contains(a.body, "for l.dimova csw mk-csw-skopje false true") {
		t.Fatalf("a good token: %v %s", a, h.log)
	}
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	for name, raw := range map[string]string{
		"for another audience": forAnother, "of another issuer": ofOther, "alg none": none + "." + parts[1] + ".", "alg none, signature kept": none + "." + parts[1] + "." + parts[2],
		"signature of another": parts[0] + "." + parts[1] + "." + strings.Split(forAnother, ".")[2], "not signed": parts[0] + "." + parts[1] + ".",
	} {
		if a := h.do("GET", "/v1/secret", bearer, "Bearer "+raw); a.status != 401 || strings.Contains(a.body, "the secret") {
			t.Errorf("%s: %v", name, a)
		}
	}
	// Both kinds side by side.
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+h.token(petrova, time.Hour)); a.status != 200 || !strings.Contains(a.body, "for a.petrova") {
		t.Errorf("one of traga's own: %v", a)
	}
	h.clock.pass(6 * time.Minute)
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+good); a.status != 401 || !strings.Contains(a.body, "expired") {
		t.Errorf("its time is over: %v", a)
	}
}

// When the provider is away, nobody new gets in, and who is in stays; when it is back, so is the sign-in.
func TestTheProviderGoesAway(t *testing.T) {
	p := newProvider(t)
	h := atProvider(t, p, nil)
	h.appoint(dimova)
	service := p.answers.Load()
	b := h.browser()
	p.answers.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	if a := b.get("/sign-in/provider?next=/secret"); a.header.Get("Location") != "/sign-in?next=%2Fsecret&reason=unavailable" {
		t.Errorf("away: %v", a)
	}
	if a := h.do("GET", "/v1/secret", bearer, "Bearer a.b.c"); a.status != 503 {
		t.Errorf("a program: %v", a)
	}
	p.answers.Store(service)
	if a := b.visit(b.signInAt(p, h.server.URL+"/sign-in/provider?next=/secret", "lena")); a.header.Get("Location") != "/secret" {
		t.Fatalf("back: %v", a)
	}
	p.Close()
	if a := b.get("/secret"); a.status != 200 {
		t.Errorf("who is in stays: %v", a)
	}
	if a := h.browser().get("/sign-in/callback?code=x&state=y"); !strings.Contains(a.header.Get("Location"), "reason=invalid") {
		t.Errorf("nobody new: %v", a)
	}
}

// What can't be an identity provider is refused at the start.
func TestProviderSettings(t *testing.T) {
	for issuer, ok := range map[string]bool{"https://id.example.org": true, "https://id.example.org/realms/x": true, "http://localhost:8080": true, "http://127.0.0.1:1": true,
		"http://id.example.org": false, "id.example.org": false, "": false, "ftp://id.example.org": false, "https://u:p@id.example.org": false, "https://id.example.org?x=1": false} {
		if _, err := auth.NewProvider(auth.ProviderConfig{Issuer: issuer, ClientID: "traga"}); (err == nil) != ok {
			t.Errorf("%q: %v", issuer, err)
		}
	}
	if _, err := auth.NewProvider(auth.ProviderConfig{Issuer: "https://id.example.org"}); err == nil {
		t.Error("without a client id")
	}
}
