package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
)

// issue makes a token for an officer of social work in Skopje, or for a system there.
func issue(t *testing.T, dir, officer string, more ...string) string {
	t.Helper()
	code, raw, errs := run(t, append([]string{"token", "issue", "--data", dir, "--officer", officer, "--institution", "mk-csw-skopje", "--role", "csw"}, more...)...)
	if code != exitOK {
		t.Fatal(errs)
	}
	return strings.TrimSpace(raw)
}

// enter starts serve and returns its address.
func enter(t *testing.T, dir string, more ...string) string {
	t.Helper()
	errs := watch(`on (https?://\S+)\n`)
	address := start(t, watch("never"), errs, errs, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}, more...)...)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer c.CloseIdleConnections()
	for again := time.NewTicker(5 * time.Millisecond); ; <-again.C { // the read models of a new store take a moment
		res, err := c.Get(address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return address
		}
	}
}

const opening = `{"case":"MK-2026-0001","type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
 "data":{"subject":"s-1","name":"A Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`

// noticed gives the centre for social work a part in the case.
const noticed = `{"case":"MK-2026-0001","type":"NotificationSent","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
 "purpose":"pre-release-planning","legalBasis":"execution-law","data":{"notification":"n-1","subject":"planned-release",
 "recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter"}}`

func support(officer string) string {
	return `{"case":"MK-2026-0001","type":"SupportProvided","actor":{"officer":"` + officer + `","role":"csw","institution":"mk-csw-skopje"},"data":{"service":"books"}}`
}

func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "action.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// begun makes a store with a case in which a prison and a centre for social work have a part.
func begun(t *testing.T, dir string) {
	t.Helper()
	for _, action := range []string{opening, noticed} {
		if code, _, errs := run(t, "record", "--data", dir, "-f", written(t, action)); code != exitOK {
			t.Fatal(errs)
		}
	}
}

// Who signs in with a token reads, records her own acts and nobody else's, until it is revoked.
func TestServeKnowsWhoAsks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	begun(t, dir)
	token, system := issue(t, dir, "l.dimova"), issue(t, dir, "csw-records", "--machine")
	address := enter(t, dir)
	if code, _, errs := run(t, "case", "list", "--server", address); code != exitNotAllowed || !strings.Contains(errs, "Sign in") {
		t.Errorf("without a token: exit %d %s", code, errs)
	}
	for name, c := range map[string]struct {
		token, officer string
		code           int
	}{
		"her own act": {token, "l.dimova", exitOK}, "another's": {token, "m.marku", exitNotAllowed}, "a system, for its officer": {system, "l.dimova", exitOK},
	} {
		code, out, errs := run(t, "record", "--server", address, "--token", c.token, "-f", written(t, support(c.officer)), "--json")
		if code != c.code || code == exitNotAllowed && !strings.Contains(errs, "not-allowed") {
			t.Errorf("%s: exit %d %s", name, code, errs)
		}
		if name == "a system, for its officer" {
			_, after, _ := strings.Cut(out, `"id": "`)
			_, shown, errs := run(t, "event", "show", after[:36], "--data", dir, "--json")
			if !strings.Contains(shown, `"recordedBy": "csw-records"`) {
				t.Errorf("the entry does not name the system: %s %s", shown, errs)
			}
		}
	}
	if code, _, errs := run(t, "check", "--server", address, "--token", token, "-f", written(t, support("m.marku"))); code != exitNotAllowed {
		t.Errorf("asking for another: exit %d %s", code, errs)
	}
	res := ask(t, http.DefaultClient, "POST", address+"/v1/cases/MK-2026-0001/events", strings.NewReader(strings.Repeat("x", 3<<20)), "Authorization", "Bearer "+token, "If-Match", "*")
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge record: %s", res.Status)
	}
	if code, _, errs := run(t, "token", "revoke", "--data", dir, "--officer", "l.dimova"); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := run(t, "record", "--server", address, "--token", token, "-f", written(t, support("l.dimova"))); code != exitNotAllowed || !strings.Contains(errs, "revoked") {
		t.Errorf("revoked: exit %d %s", code, errs)
	}
}

// Whatever the API or the pages offer, nobody has it without signing in; only what says nothing of a case is open.
func TestNothingIsOpenButWhatMustBe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	issue(t, dir, "l.dimova")
	address := enter(t, dir)
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.NewDecoder(ask(t, c, "GET", address+"/openapi.json", nil).Body).Decode(&document); err != nil || len(document.Paths) < 20 {
		t.Fatalf("%d paths: %v", len(document.Paths), err)
	}
	open := map[string]bool{"/livez": true, "/readyz": true, "/docs": true, "/openapi.json": true, "/openapi.yaml": true, "/metrics": true, "/version": true, // the last two on this machine
		"/v1/checkpoint": true, "/v1/checkpoint/cosignatures": true} // hashes and signatures
	places := regexp.MustCompile(`\{[^}]*\}`)
	for path, methods := range document.Paths {
		for method := range methods {
			res := ask(t, c, strings.ToUpper(method), address+places.ReplaceAllString(path, "MK"), nil)
			if want := http.StatusUnauthorized; !open[path] && (res.StatusCode != want || res.Header.Get("WWW-Authenticate") == "") || open[path] && res.StatusCode == want {
				t.Errorf("%s %s: %s", method, path, res.Status)
			}
		}
	}
	for _, path := range []string{"/", "/cases", "/cases/MK-2026-0001", "/cases/MK-2026-0001/access", "/cases/MK-2026-0001/proof", "/cases/MK-2026-0001/entries/x", "/alerts/x", "/proof", "/region", "/directory", "/nowhere"} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			if res := ask(t, c, method, address+path, nil); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/sign-in") {
				t.Errorf("%s %s: %s %s", method, path, res.Status, res.Header.Get("Location"))
			}
		}
	}
}

// ask sends a request and reads the answer to its end; its body can be read once more.
func ask(t *testing.T, c *http.Client, method, address string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	return res
}

// Another site's page can't use the session of who has traga open.
func TestAnotherSiteCannotUseASession(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	begun(t, dir)
	token := issue(t, dir, "l.dimova")
	address := enter(t, dir)
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"token": {token}}.Encode()
	in := func(header ...string) *http.Response {
		return ask(t, c, "POST", address+"/sign-in/token", strings.NewReader(form), append(header, "Content-Type", "application/x-www-form-urlencoded")...)
	}
	if res := in("Origin", "https://evil.example"); res.StatusCode != http.StatusForbidden || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("another site signs its reader in: %s", res.Status)
	}
	if res := in("Origin", address, "Sec-Fetch-Site", "same-origin"); res.StatusCode != http.StatusSeeOther {
		t.Fatal(res.Status)
	}
	record := func(header ...string) *http.Response {
		return ask(t, c, "POST", address+"/v1/cases/MK-2026-0001/events", strings.NewReader(support("l.dimova")), append(header, "If-Match", "*", "Content-Type", "text/plain")...)
	}
	for name, header := range map[string][]string{"a form": {"Sec-Fetch-Site", "cross-site"}, "an old browser": {"Origin", "https://evil.example"}, "a frame": {"Origin", "null"}} {
		if res := record(header...); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s writes: %s", name, res.Status)
		}
		if res := ask(t, c, "POST", address+"/sign-out", nil, header...); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s signs out: %s", name, res.Status)
		}
	}
	if _, list, _ := run(t, "case", "timeline", "MK-2026-0001", "--data", dir, "--json"); strings.Contains(list, "SupportProvided") {
		t.Error("it was recorded")
	}
	if res := record("Origin", address, "Sec-Fetch-Site", "same-origin"); res.StatusCode != http.StatusCreated {
		t.Errorf("traga's own page writes: %s", res.Status)
	}
}

// certify writes a certificate for this machine, and its key; it returns who vouches for it.
func certify(t *testing.T, cert, key string, number int64) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "traga"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"traga.example.org"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return pool
}

// Over TLS the cookie is for TLS only, browsers are told to stay there, and a renewed certificate counts without a restart.
func TestServeOverTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := certify(t, cert, key, 1)
	token := issue(t, filepath.Join(dir, "store"), "l.dimova")
	address := enter(t, filepath.Join(dir, "store"), "--tls-cert", cert, "--tls-key", key, "--hosts", "traga.example.org")
	client := func(pool *x509.CertPool) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	res := ask(t, client(pool), "POST", address+"/sign-in/token", strings.NewReader("token="+token), "Host", "traga.example.org", "Content-Type", "application/x-www-form-urlencoded")
	if set := res.Header.Get("Set-Cookie"); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(set, "__Host-traga=") || !strings.Contains(set, "; Secure") || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("signing in: %s %v", res.Status, res.Header)
	}
	if res := ask(t, client(pool), "GET", address+"/v1/cases", nil, "Host", "evil.example", "Authorization", "Bearer "+token); res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("by a foreign name: %s", res.Status)
	}
	if res := ask(t, http.DefaultClient, "GET", strings.Replace(address, "https:", "http:", 1)+"/v1/cases", nil, "Authorization", "Bearer "+token); res.StatusCode == http.StatusOK {
		t.Error("it answers without TLS")
	}
	renewed := certify(t, cert, key, 2)
	later := time.Now().Add(time.Minute) // whatever the file system's clock tells apart
	if err := errors.Join(os.Chtimes(cert, later, later), os.Chtimes(key, later, later)); err != nil {
		t.Fatal(err)
	}
	if res := ask(t, client(renewed), "GET", address+"/v1/cases", nil, "Authorization", "Bearer "+token); res.StatusCode != http.StatusOK {
		t.Errorf("with the renewed certificate: %s", res.Status)
	}
	if err := os.WriteFile(cert, []byte("half a certi"), 0o600); err != nil {
		t.Fatal(err)
	}
	if res := ask(t, client(renewed), "GET", address+"/livez", nil); res.StatusCode != http.StatusOK {
		t.Errorf("while the next one is being written: %s", res.Status)
	}
}

// Behind a proxy traga answers to its public name, and what the proxy says of the address counts; nothing is open to
// whoever comes through it.
func TestServeBehindAProxy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	token := issue(t, dir, "l.dimova")
	t.Setenv("TRAGA_METRICS_TOKEN", "scrape")
	address := enter(t, dir, "--behind-proxy", "--hosts", "traga.example.org")
	inner, _ := url.Parse(address)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	t.Cleanup(proxy.Close)
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for wait := time.NewTicker(10 * time.Millisecond); ask(t, c, "GET", address+"/readyz", nil).StatusCode != http.StatusOK; { // the read models are being built
		<-wait.C
	}
	for _, o := range []struct {
		path, host, token string
		want              int
	}{
		{"/v1/cases", "traga.example.org", token, 200}, {"/v1/cases", "TRAGA.example.org:443", token, 200}, {"/v1/cases", "evil.example", token, 421}, {"/v1/cases", "traga.example.org", "", 401},
		{"/metrics", "traga.example.org", "", 401}, {"/metrics", "traga.example.org", "scrape", 200}, {"/version", "traga.example.org", "", 401}, {"/livez", "10.0.0.7:8080", "", 200},
	} {
		header := []string{"Host", o.host}
		if o.token != "" {
			header = append(header, "Authorization", "Bearer "+o.token)
		}
		if res := ask(t, c, "GET", proxy.URL+o.path, nil, header...); res.StatusCode != o.want {
			t.Errorf("%s of %s: %s, want %d", o.path, o.host, res.Status, o.want)
		}
	}
	res := ask(t, c, "POST", proxy.URL+"/sign-in/token", strings.NewReader("token="+token), "Host", "traga.example.org", "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://traga.example.org")
	if set := res.Header.Get("Set-Cookie"); res.StatusCode != http.StatusSeeOther || !strings.Contains(set, "; Secure") {
		t.Errorf("signing in: %s %s", res.Status, set)
	}
}

// Clients that send or take nothing hold nobody up, and are cut off.
func TestSlowClients(t *testing.T) {
	a := &app{Streams: Streams{Out: io.Discard, Err: io.Discard}, now: time.Now}
	dir := t.TempDir()
	tokens, err := auth.MakeTokens(filepath.Join(dir, "keys"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	e := &entrance{hosts: hostNames{here: true}, signIn: &auth.Config{Tokens: tokens, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Refuse: api.WriteProblem}}
	n, err := a.openNode(t.Context(), place{dir: filepath.Join(dir, "store")}, slog.New(slog.DiscardHandler), time.Now, "", e, testSeals(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.close() })
	server := n.server()
	if server.ReadHeaderTimeout <= 0 || server.ReadHeaderTimeout > 10*time.Second || server.ReadTimeout <= 0 || server.ReadTimeout > time.Minute || server.WriteTimeout <= 0 || server.IdleTimeout <= 0 {
		t.Errorf("a slow client is waited for too long: %v %v %v %v", server.ReadHeaderTimeout, server.ReadTimeout, server.WriteTimeout, server.IdleTimeout)
	}
	server.ReadHeaderTimeout, server.ReadTimeout = 300*time.Millisecond, 600*time.Millisecond // the same, sooner
	listener, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	address := listener.Addr().String()
	var slow []net.Conn
	for i := range 100 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		head := "POST /sign-in/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		if i%2 == 0 {
			head += "Content-Length: 1000\r\n\r\ntoken=" // and then nothing
		}
		fmt.Fprint(conn, head)
		slow = append(slow, conn)
	}
	if res := ask(t, http.DefaultClient, "GET", "http://"+address+"/livez", nil); res.StatusCode != http.StatusOK {
		t.Errorf("the others: %s", res.Status)
	}
	for i, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, bufio.NewReader(conn)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("slow client %d is still served", i)
		}
	}
}
