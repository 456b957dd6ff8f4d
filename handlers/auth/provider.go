package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"traga.internal/events"
)

// ProviderConfig says which identity provider is asked, and how (OpenID Connect Core 1.0).
type ProviderConfig struct {
	// Issuer is the provider's address, below which /.well-known/openid-configuration is.
	Issuer string
	// ClientID and ClientSecret are what the provider knows traga by; without a secret traga is a public client, and
	// PKCE (RFC 7636) alone, which is always used, ties the code to it.
	ClientID, ClientSecret string
	// OfficerClaim is the claim that names the officer by the id that the directory has; sub when empty.
	OfficerClaim string
	// Audience is whom tokens for the API are for, as their aud says; ClientID when empty.
	Audience string
	// Scopes are asked for beside openid; profile when nil.
	Scopes []string
	Clock  func() time.Time
}

// Provider is the identity provider that vouches for officers. It is asked who is who and nothing else: for whom an
// officer acts, the directory says. Its configuration and keys are fetched when they are first needed, and again after
// a failure, so that traga starts and goes on without it. Safe for concurrent use.
type Provider struct {
	config ProviderConfig
	client *http.Client
	mu     sync.Mutex
	found  *oidc.Provider
}

// NewProvider checks the configuration; it asks nothing of the provider yet.
func NewProvider(c ProviderConfig) (*Provider, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, &events.FieldError{Field: "oidc.issuer", Expected: "the address of the identity provider, such as https://id.example.org"}
	}
	ip := net.ParseIP(u.Hostname())
	if here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback(); u.Scheme != "https" && (u.Scheme != "http" || !here) {
		return nil, &events.FieldError{Field: "oidc.issuer", Expected: "an https address: over http anyone on the way could sign in as anyone"}
	}
	if c.ClientID == "" {
		return nil, &events.FieldError{Field: "oidc.client-id", Expected: "the id under which the identity provider knows traga"}
	}
	if c.OfficerClaim == "" {
		c.OfficerClaim = "sub"
	}
	if c.Audience == "" {
		c.Audience = c.ClientID
	}
	if c.Scopes == nil {
		c.Scopes = []string{"profile"}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Provider{config: c, client: &http.Client{Timeout: 10 * time.Second}}, nil
}

// discover is the provider's configuration.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		// What is found keeps the context, to fetch keys with later: it must outlive this request.
		found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.config.Issuer)
		if err != nil {
			return nil, fmt.Errorf("%w: the identity provider does not answer as expected: %w", ErrUnavailable, err)
		}
		p.found = found
	}
	return p.found, nil
}

// flow is a sign-in that has begun at the provider.
type flow struct {
	state, nonce, verifier, next, redirect string
}

func (p *Provider) oauth(found *oidc.Provider, redirect string) *oauth2.Config {
	return &oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: redirect,
		Scopes: slices.Concat([]string{oidc.ScopeOpenID}, p.config.Scopes)}
}

// begin is where the browser must go to sign in.
func (p *Provider) begin(ctx context.Context, f flow) (string, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	return p.oauth(found, f.redirect).AuthCodeURL(f.state, oidc.Nonce(f.nonce), oauth2.S256ChallengeOption(f.verifier)), nil
}

// finish turns the code that the browser came back with into who it was given for.
func (p *Provider) finish(ctx context.Context, f flow, code string) (credential, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return credential{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	tokens, err := p.oauth(found, f.redirect).Exchange(ctx, code, oauth2.VerifierOption(f.verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) && refused.Response.StatusCode < 500 {
			return credential{}, fmt.Errorf("%w: the identity provider refused the code (%s)", ErrInvalid, refused.ErrorCode)
		}
		return credential{}, fmt.Errorf("%w: the identity provider can't be asked", ErrUnavailable)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return credential{}, fmt.Errorf("%w: the identity provider gave no ID token", ErrInvalid)
	}
	id, err := found.Verifier(&oidc.Config{ClientID: p.config.ClientID, Now: p.config.Clock}).Verify(ctx, raw)
	if err != nil {
		return credential{}, refusal(err)
	}
	if id.Nonce != f.nonce {
		return credential{}, fmt.Errorf("%w: its nonce is another", ErrInvalid)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
			return credential{}, fmt.Errorf("%w: its access token is another", ErrInvalid)
		}
	}
	c, err := p.officer(id)
	if !errors.Is(err, errNoClaim) {
		return c, err
	}
	// OpenID Connect lets a provider keep the claims of a scope for its UserInfo endpoint (Core 1.0, 5.4).
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return credential{}, fmt.Errorf("%w: the identity provider did not say who signed in", ErrUnavailable)
	}
	if info.Subject != id.Subject {
		return credential{}, fmt.Errorf("%w: the UserInfo is another's", ErrInvalid)
	}
	return p.officer(info)
}

// bearer checks a token that a program shows: a JWT that the provider signed for traga's audience.
func (p *Provider) bearer(ctx context.Context, raw string) (credential, error) {
	found, err := p.discover(ctx)
	if err != nil {
		return credential{}, err
	}
	token, err := found.Verifier(&oidc.Config{ClientID: p.config.Audience, Now: p.config.Clock}).Verify(ctx, raw)
	if err != nil {
		return credential{}, refusal(err)
	}
	c, err := p.officer(token)
	c.expires = token.Expiry
	return c, err
}

// errNoClaim: the claim that names the officer is not there.
var errNoClaim = errors.New("it does not name the officer")

// officer reads whom the claims are about.
func (p *Provider) officer(from interface{ Claims(any) error }) (credential, error) {
	var claims map[string]any
	if err := from.Claims(&claims); err != nil {
		return credential{}, fmt.Errorf("%w: its claims can't be read", ErrInvalid)
	}
	officer, _ := claims[p.config.OfficerClaim].(string)
	if officer == "" {
		return credential{}, fmt.Errorf("%w: %w", ErrInvalid, errNoClaim)
	}
	name, _ := claims["name"].(string)
	return credential{actor: events.Actor{Officer: officer}, name: name}, nil
}

// refusal says what is wrong with a token that the provider's keys don't vouch for, without its content.
func refusal(err error) error {
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return ErrExpired
	case strings.Contains(err.Error(), "fetching keys"): // the library keeps no more of that error than its text
		return fmt.Errorf("%w: the identity provider's keys can't be fetched", ErrUnavailable)
	}
	return ErrInvalid
}
