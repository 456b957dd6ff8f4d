package auth_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

const bearer = "Authorization"

// A program signs in with a token, and with nothing else.
func TestATokenSaysWhoAsks(t *testing.T) {
	h := newHouse(t, nil)
	raw := h.token(dimova, time.Hour)
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+raw); a.status != 200 || !strings.Contains(a.body, "for l.dimova csw mk-csw-skopje false true") {
		t.Errorf("a good token: %v", a)
	}
	machine, _, err := h.tokens.Issue(petrova, true, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if a := h.do("POST", "/v1/secret", bearer, "bearer "+machine); a.status != 200 || !strings.Contains(a.body, "true true") {
		t.Errorf("a machine's: %v", a)
	}
	for name, header := range map[string][]string{
		"nothing": nil, "no scheme": {bearer, raw}, "basic": {bearer, "Basic " + raw}, "empty": {bearer, "Bearer "}, "two of them": {bearer, "Bearer " + raw, bearer, "Bearer " + raw},
		"as a cookie": {"Cookie", "traga=" + raw}, "nonsense": {bearer, "Bearer nonsense"}, "long": {bearer, "Bearer " + strings.Repeat("a.b.c", 4000)},
	} {
		a := h.do("GET", "/v1/secret", header...)
		if a.status != 401 || a.problem() != "not-signed-in" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer realm="traga"`) || strings.Contains(a.body, "the secret") {
			t.Errorf("%s: %v", name, a)
		}
	}
	for _, query := range []string{"?token=", "?access_token="} {
		if a := h.do("GET", "/v1/secret"+query+raw); a.status != 401 {
			t.Errorf("%s: an address is no place for a token: %v", query, a)
		}
	}
}

// What is not exactly a token that was issued here, and holds, is nothing.
func TestForgedTokensAreRefused(t *testing.T) {
	h := newHouse(t, nil)
	good := h.token(dimova, time.Hour)
	parts := strings.Split(good, ".")
	part := func(i int) map[string]any {
		b, _ := base64.RawURLEncoding.DecodeString(parts[i])
		m := map[string]any{}
		_ = json.Unmarshal(b, &m)
		return m
	}
	write := func(m map[string]any) string {
		b, _ := json.Marshal(m)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	with := func(m map[string]any, k string, v any) map[string]any { m[k] = v; return m }
	id, _ := uuid.Parse(part(1)["jti"].(string))
	sign := func(key any, alg jwa.SignatureAlgorithm, change func(*jwt.Builder)) string {
		now := h.clock.Now()
		b := jwt.NewBuilder().Issuer("urn:traga:token").Audience([]string{"urn:traga"}).JwtID(id.String()).Subject("l.dimova").IssuedAt(now).Expiration(now.Add(time.Hour))
		if change != nil {
			change(b)
		}
		token, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := jwt.Sign(token, jwt.WithKey(alg, key))
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	key := h.key()
	_, another, _ := ed25519.GenerateKey(nil)
	public, _ := x509.MarshalPKIXPublicKey(key.Public())
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+sign(key, jwa.EdDSA(), nil)); a.status != 200 {
		t.Fatalf("the test signs as traga does: %v", a)
	}
	for name, raw := range map[string]string{
		"alg none":                 write(map[string]any{"alg": "none"}) + "." + parts[1] + ".",
		"alg none, signature kept": write(map[string]any{"alg": "none"}) + "." + parts[1] + "." + parts[2],
		"alg None":                 write(map[string]any{"alg": "None", "typ": "JWT"}) + "." + parts[1] + ".",
		"HS256 with the public key as its secret":     sign([]byte(public), jwa.HS256(), nil),
		"HS256 with the raw public key as its secret": sign([]byte(key.Public().(ed25519.PublicKey)), jwa.HS256(), nil),
		"another key":          sign(another, jwa.EdDSA(), nil),
		"another key, our kid": write(part(0)) + "." + strings.SplitN(sign(another, jwa.EdDSA(), nil), ".", 2)[1],
		"its own key beside": write(with(part(0), "jwk", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(another.Public().(ed25519.PublicKey))})) + "." +
			strings.SplitN(sign(another, jwa.EdDSA(), nil), ".", 2)[1],
		"another officer, signature kept": parts[0] + "." + write(with(part(1), "sub", "a.petrova")) + "." + parts[2],
		"later expiry, signature kept":    parts[0] + "." + write(with(part(1), "exp", h.clock.Now().AddDate(1, 0, 0).Unix())) + "." + parts[2],
		"wrong issuer":                    sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.Issuer("https://id.example.org") }),
		"wrong audience":                  sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.Audience([]string{"another"}) }),
		"no audience":                     sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.Audience(nil) }),
		"no expiry":                       sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.Expiration(time.Time{}) }),
		"expired":                         sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.Expiration(h.clock.Now()) }),
		"not yet":                         sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.NotBefore(h.clock.Now().Add(30 * time.Minute)) }),
		"never issued":                    sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.JwtID(uuid.NewString()) }),
		"no id":                           sign(key, jwa.EdDSA(), func(b *jwt.Builder) { b.JwtID("") }),
		"no signature":                    parts[0] + "." + parts[1] + ".",
		"two parts":                       parts[0] + "." + parts[1],
		"as JSON":                         `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
	} {
		a := h.do("GET", "/v1/secret", bearer, "Bearer "+raw)
		if (a.status != 401 && a.status != 429) || strings.Contains(a.body, "the secret") {
			t.Errorf("%s: %v", name, a)
		}
		if a.status == 429 { // too many in a row from one place: let that pass
			h.clock.pass(time.Minute)
			if a = h.do("GET", "/v1/secret", bearer, "Bearer "+raw); a.status != 401 {
				t.Errorf("%s: %v", name, a)
			}
			h.clock.pass(-time.Minute)
		}
	}
	if strings.Contains(h.log.String(), "dimova") || strings.Contains(h.log.String(), parts[2]) {
		t.Errorf("the log holds whose token it was: %s", h.log)
	}
}

// A token ends when its time does, and at once when it is revoked: by another process, in a running service, also for
// the session that was made of it and for a live stream that it opened.
func TestRevokedMeansRevokedAtOnce(t *testing.T) {
	h := newHouse(t, nil)
	first, second := h.token(dimova, time.Hour), h.token(dimova, time.Hour)
	b := h.browser()
	if a := b.post("/sign-in/token", "token", " "+first+"\n"); a.status != 303 || a.header.Get("Location") != "/" {
		t.Fatalf("sign in: %v", a)
	}
	stream, err := net.Dial("tcp", strings.TrimPrefix(h.server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	fmt.Fprintf(stream, "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", first)
	live, err := http.ReadResponse(bufio.NewReader(stream), nil)
	if err != nil || live.StatusCode != 200 {
		t.Fatalf("the stream did not open: %v %v", live, err)
	}
	other, err := auth.OpenTokens(h.keys, h.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := other.List()
	if n, err := other.Revoke(func(token auth.Token) bool { return token.ID == list[0].ID }); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+first); a.status != 401 || !strings.Contains(a.body, "The token was revoked.") {
		t.Errorf("revoked: %v", a)
	}
	if a := b.get("/secret?x=1"); a.status != 303 || a.header.Get("Location") != "/sign-in?next=%2Fsecret%3Fx%3D1&reason=revoked" {
		t.Errorf("its session: %v", a)
	}
	if a := b.post("/sign-in/token", "token", first); a.header.Get("Location") != "/sign-in?reason=revoked" {
		t.Errorf("signing in with it: %v", a)
	}
	_ = stream.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.Copy(io.Discard, live.Body); err != nil {
		t.Errorf("its live stream stays open: %v", err)
	}
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+second); a.status != 200 {
		t.Errorf("the other one: %v", a)
	}
	h.clock.pass(time.Hour)
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+second); a.status != 401 || !strings.Contains(a.body, "The token has expired.") {
		t.Errorf("its time is over: %v", a)
	}
	if a := b.post("/sign-in/token", "token", second, "next", "/cases?lang=mk"); a.header.Get("Location") != "/sign-in?lang=mk&next=%2Fcases%3Flang%3Dmk&reason=expired" {
		t.Errorf("signing in with it: %v", a)
	}
}

// Where the directory knows better, it counts: at once, for tokens and sessions alike.
func TestTheDirectoryMustAgree(t *testing.T) {
	h := newHouse(t, nil)
	raw := h.token(dimova, 24*time.Hour)
	b := h.browser()
	stands := func(what string, want bool) {
		t.Helper()
		a, page := h.do("GET", "/v1/secret", bearer, "Bearer "+raw), b.get("/secret")
		if (a.status == 200) != want || (page.status == 200) != want {
			t.Errorf("%s: %v\n%v", what, a, page)
		}
		if !want && (!strings.Contains(a.body, "no such appointment") || !strings.Contains(page.header.Get("Location"), "reason=not-appointed")) {
			t.Errorf("%s: %v\n%v", what, a, page)
		}
		if !want {
			if a := b.post("/sign-in/token", "token", raw); !strings.Contains(a.header.Get("Location"), "reason=not-appointed") {
				t.Errorf("%s: signing in: %v", what, a)
			}
		}
		h.clock.pass(time.Minute)
	}
	b.post("/sign-in/token", "token", raw)
	stands("an officer that no directory knows", true)
	h.appoint(dimova)
	stands("appointed", true)
	h.record(&events.OfficerRevoked{Officer: "l.dimova"})
	stands("revoked", false)
	h.record(&events.OfficerAppointed{Officer: "l.dimova", Institution: dimova.Institution, Role: dimova.Role})
	stands("appointed again", true)
	h.record(&events.InstitutionRegistered{Institution: "mk-police", Name: map[string]string{"en": "Police"}, Role: []events.Role{events.Police}})
	h.record(&events.OfficerAppointed{Officer: "l.dimova", Institution: "mk-police", Role: events.Police})
	stands("appointed elsewhere", false)
	h.record(&events.OfficerAppointed{Officer: "l.dimova", Institution: dimova.Institution, Role: dimova.Role})
	stands("back", true)
	h.record(&events.InstitutionClosed{Institution: dimova.Institution})
	stands("the institution closed", false)
}

// When who asks can't be found out, nobody gets in.
func TestWithoutRegisterOrDirectoryNobodyGetsIn(t *testing.T) {
	h := newHouse(t, nil)
	raw := h.token(dimova, time.Hour)
	path := filepath.Join(h.keys, "tokens")
	for _, trouble := range []struct {
		name   string
		spoil  func() error
		status int
	}{
		{"a line that is none", func() error { return appendTo(path, "{\"issued\":\n") }, 503},
		{"no register", func() error { return os.Remove(path) }, 401},
		{"a directory in its place", func() error { return os.Mkdir(path, 0o700) }, 503},
	} {
		if err := trouble.spoil(); err != nil {
			t.Fatal(err)
		}
		if a := h.do("GET", "/v1/secret", bearer, "Bearer "+raw); a.status != trouble.status || strings.Contains(a.body, "the secret") {
			t.Errorf("%s: %v", trouble.name, a)
		}
	}
	h = newHouse(t, func(c *auth.Config) { c.Directory = auth.NewOfficers(broken{}) })
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+h.token(dimova, time.Hour)); a.status != 503 || strings.Contains(a.body, "the secret") {
		t.Errorf("no directory: %v", a)
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// However an address is written, what is not open stays shut.
func TestNoPathLeadsAroundTheGate(t *testing.T) {
	h := newHouse(t, func(c *auth.Config) { c.BehindProxy = true })
	for _, path := range []string{
		"/v1/secret", "/secret", "/metrics", "/version", "/", "/v1/stream", "//v1/secret", "/./v1/secret", "/x/../v1/secret", "/static/../v1/secret", "/static/%2e%2e/v1/secret",
		"/static/..%2fv1%2fsecret", "/livez/../secret", "/livez/secret", "/livez/", "/LIVEZ", "/%76%31/secret", "/v1%2fsecret", "/v1/secret/", "/v1/secret?x=/livez", "/v1/secret#/livez",
		"/sign-in/../secret", "/sign-in/", "/sign-in/secret", "/docs/../secret", "/docs/secret", "/static/a/b", "/static//secret", "/secret/%2e%2e/livez", "/secret/..;/livez", "/secret;/livez",
		"/livez%00", "/livez%2f", "/livez\\..\\secret", "/openapi.json/../secret", "*",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "GET/x"} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(h.server.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			// X-Original-URL and its like are for other servers; the method override too.
			fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Original-URL: /livez\r\nX-Rewrite-URL: /livez\r\nX-HTTP-Method-Override: GET\r\nX-Forwarded-For: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", method, path)
			res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			body := make([]byte, 4096)
			n, _ := res.Body.Read(body)
			// A file's route is open, whatever the file is called; OPTIONS * the server itself answers.
			if strings.Contains(string(body[:n]), "the secret") || res.StatusCode == 200 && !strings.HasPrefix(path, "/static/") && path != "*" {
				t.Errorf("%s %s: %d %s", method, path, res.StatusCode, body[:n])
			}
			conn.Close()
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/static/x.css", "/sign-in", "/docs", "/openapi.json"} {
		if a := h.do("GET", path); a.status != 200 || a.body != "open" {
			t.Errorf("%s: %v", path, a)
		}
	}
}

// /metrics and /version are for this machine; from elsewhere, or through a proxy, for who bears the token for them.
func TestMetricsAreOpenHereOnly(t *testing.T) {
	h := newHouse(t, func(c *auth.Config) { c.Metrics = "scrape" })
	for _, path := range []string{"/metrics", "/version"} {
		if a := h.do("GET", path); a.status != 200 {
			t.Errorf("%s from here: %v", path, a)
		}
	}
	if a := h.do("GET", "/metrics", bearer, "Bearer wrong"); a.status != 401 {
		t.Errorf("with a wrong token: %v", a)
	}
	h = newHouse(t, func(c *auth.Config) { c.Metrics, c.BehindProxy = "scrape", true })
	for _, path := range []string{"/metrics", "/version"} {
		if a := h.do("GET", path, "X-Forwarded-For", "127.0.0.1"); a.status != 401 {
			t.Errorf("%s through a proxy: %v", path, a)
		}
	}
	if a := h.do("GET", "/metrics", bearer, "Bearer scrape"); a.status != 200 {
		t.Errorf("with the token: %v", a)
	}
	if a := h.do("GET", "/v1/secret", bearer, "Bearer scrape"); a.status != 401 {
		t.Errorf("the token for metrics opens more: %v", a)
	}
	if a := h.do("GET", "/metrics", bearer, "Bearer "+h.token(dimova, time.Hour)); a.status != 200 {
		t.Errorf("who has signed in: %v", a)
	}
}

// Too many tries, or writes, in a short time from one place are put off; other places are not.
func TestLimits(t *testing.T) {
	h := newHouse(t, func(c *auth.Config) { c.BehindProxy = true })
	from := func(address string) []string { return []string{"X-Forwarded-For", "9.9.9.9, " + address} }
	last := answer{}
	for range 21 {
		last = h.do("GET", "/v1/secret", append(from("192.0.2.1"), bearer, "Bearer x.y.z")...)
	}
	if last.status != 429 || last.problem() != "too-many" || last.header.Get("Retry-After") == "" {
		t.Errorf("the 21st wrong token: %v", last)
	}
	if a := h.do("GET", "/v1/secret", append(from("192.0.2.2"), bearer, "Bearer x.y.z")...); a.status != 401 {
		t.Errorf("from elsewhere: %v", a)
	}
	for range 101 {
		last = h.do("POST", "/sign-out", from("192.0.2.3")...)
	}
	if last.status != 429 {
		t.Errorf("the 101st write that anyone may: %v", last)
	}
	raw := h.token(dimova, time.Hour)
	if a := h.do("GET", "/v1/secret", append(from("192.0.2.1"), bearer, "Bearer "+raw)...); a.status != 200 {
		t.Errorf("a good one from there is not kept out by the others: %v", a)
	}
	for i := range 21 {
		last = h.do("POST", "/sign-in/token", from(fmt.Sprintf("2001:db8::%d", i))...) // one network
	}
	if last.status != 303 || last.header.Get("Location") != "/sign-in?reason=too-many" || last.header.Get("Retry-After") == "" {
		t.Errorf("the 21st sign-in: %v", last)
	}
	if a := h.do("POST", "/sign-in/token", from("2001:db8:1::1")...); a.header.Get("Location") != "/sign-in?reason=invalid" {
		t.Errorf("from another network: %v", a)
	}
	for range 101 {
		last = h.do("POST", "/v1/secret", bearer, "Bearer "+raw)
	}
	if last.status != 429 || strings.Contains(last.body, "the secret") {
		t.Errorf("the 101st write: %v", last)
	}
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+raw); a.status != 200 {
		t.Errorf("reading goes on: %v", a)
	}
	if a := h.do("POST", "/v1/secret", bearer, "Bearer "+h.token(petrova, time.Hour)); a.status != 200 {
		t.Errorf("another officer's write: %v", a)
	}
	h.clock.pass(time.Second)
	if a := h.do("POST", "/v1/secret", bearer, "Bearer "+raw); a.status != 200 {
		t.Errorf("a second later: %v", a)
	}
}
