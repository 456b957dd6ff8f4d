package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"traga.internal/aggregates/access"
	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/web"
)

// entrance is how people and programs come in: under which names, with or without TLS, and how they sign in.
type entrance struct {
	hosts  hostNames
	secure bool         // browsers come over TLS, be it that a proxy ends it
	tls    *tls.Config  // nil where traga does not end TLS itself
	signIn *auth.Config // nil where whoever comes is the owner
	// policies say what those who come in may see; the shipped ones when nil.
	policies *access.Policies
}

// entranceOf reads from the settings how to come in, and refuses what would let anyone in who should not be.
func (a *app) entranceOf(c *config, log *slog.Logger) (*entrance, error) {
	host, _, err := net.SplitHostPort(c.get("listen"))
	if err != nil {
		return nil, usagef("--listen: expected HOST:PORT, such as 127.0.0.1:8080")
	}
	here := auth.LoopbackHost(host)
	e := &entrance{secure: c.on("behind-proxy")}
	if e.policies, err = loadPolicies(c); err != nil {
		return nil, err
	}
	if e.hosts, err = parseHosts(c.get("hosts"), here); err != nil {
		return nil, err
	}
	if e.tls, err = tlsOf(c); err != nil {
		return nil, err
	}
	if e.tls != nil {
		if e.secure {
			return nil, usagef("--behind-proxy: the proxy ends TLS; --tls-cert and --tls-key are for a traga that browsers reach directly")
		}
		e.secure = true
	}
	if c.on("insecure-no-auth") {
		if !here || e.secure {
			return nil, usagef("--insecure-no-auth: whoever can reach traga then reads everything, so that it must listen on this machine only (127.0.0.1:PORT, [::1]:PORT or localhost:PORT), and behind no proxy")
		}
		return e, nil
	}
	if !here && !e.secure {
		return nil, usagef("--listen: without TLS traga listens on this machine only (127.0.0.1:PORT, [::1]:PORT or localhost:PORT); name --tls-cert and --tls-key, or --behind-proxy where a proxy ends TLS")
	}
	if !here && len(e.hosts.named) == 0 {
		return nil, usagef("--hosts: name the host under which traga is asked, such as traga.example.org")
	}
	e.signIn = &auth.Config{Clock: a.now, Log: log, Refuse: api.WriteProblem, Secure: e.secure, BehindProxy: c.on("behind-proxy"), Metrics: c.get("metrics.token")}
	for setting, into := range map[string]*time.Duration{"session.idle": &e.signIn.Idle, "session.life": &e.signIn.Life} {
		if *into, err = time.ParseDuration(c.get(setting)); err != nil || *into <= 0 {
			return nil, usagef("%s: expected a duration such as 30m or 12h", setting)
		}
	}
	if c.get("oidc.issuer") != "" || c.get("oidc.client-id") != "" {
		e.signIn.Provider, err = auth.NewProvider(auth.ProviderConfig{Issuer: c.get("oidc.issuer"), ClientID: c.get("oidc.client-id"), ClientSecret: c.get("oidc.client-secret"),
			OfficerClaim: c.get("oidc.officer-claim"), Audience: c.get("oidc.audience"), Scopes: strings.Fields(c.get("oidc.scopes")), Clock: a.now})
		if err != nil {
			return nil, err
		}
	}
	e.signIn.Tokens, err = auth.OpenTokens(c.keys(), a.now)
	switch {
	case errors.Is(err, auth.ErrNoKey) && e.signIn.Provider == nil:
		return nil, usagef("serve needs a way to sign in. One of these: make tokens (traga token issue --keys %s --help); connect an identity provider (--oidc-issuer and --oidc-client-id); "+
			"or, to try it out on this machine only, --insecure-no-auth", c.keys())
	case errors.Is(err, auth.ErrNoKey):
	case err != nil:
		return nil, err
	}
	return e, nil
}

// keys is the directory of keys: apart from the store, so that a copy of the one is of no use without the other.
func (c *config) keys() string {
	if dir := c.get("keys"); dir != "" || c.get("data") == "" {
		return dir
	}
	return keysBeside(c.get("data"))
}

// around puts who is asking, and what every answer carries, around the routes.
func (e *entrance) around(mux *http.ServeMux, directory auth.Directory) (http.Handler, web.SignIns) {
	if e.signIn == nil {
		return guard(auth.AsOwner(mux), e), nil
	}
	c := *e.signIn
	c.Directory = directory
	gate := auth.NewGate(c)
	gate.Register(mux)
	return guard(gate.Handler(mux), e), gate
}

// scheme is how traga's own address begins.
func (e *entrance) scheme() string {
	if e.tls != nil {
		return "https"
	}
	return "http"
}

// hostNames are the names that traga answers to.
type hostNames struct {
	named map[string]bool // in lower case
	here  bool            // also this machine's own: it listens there only
}

func parseHosts(list string, here bool) (hostNames, error) {
	h := hostNames{named: map[string]bool{}, here: here}
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if strings.ContainsAny(name, "/:*@") && net.ParseIP(name) == nil {
			return h, usagef("--hosts: expected names such as traga.example.org, with commas between them and without scheme, port or *")
		}
		h.named[strings.ToLower(strings.TrimSuffix(name, "."))] = true
	}
	return h, nil
}

// tlsOf reads the certificate, nil where none is named.
func tlsOf(c *config) (*tls.Config, error) {
	cert, key := c.get("tls.cert"), c.get("tls.key")
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, usagef("--tls-cert and --tls-key: name both, the certificate and its key, in PEM")
	}
	pair := &certificate{cert: cert, key: key}
	if _, err := pair.get(nil); err != nil {
		return nil, usagef("--tls-cert, --tls-key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}, nil
}

// certificate is a certificate and its key in files, read again when they have changed: what renews them need not stop
// traga. While the two don't fit together the pair before counts.
type certificate struct {
	cert, key string
	mu        sync.Mutex
	loaded    *tls.Certificate
	of        [2]time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var of [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		if info, err := os.Stat(path); err == nil {
			of[i] = info.ModTime()
		}
	}
	if c.loaded != nil && of == c.of {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.loaded, c.of = &pair, of
	}
	if c.loaded == nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return c.loaded, nil
}
