package auth

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"traga.internal/events"
)

// MaxTokenLife is the longest that a token may hold.
const MaxTokenLife = 30 * 24 * time.Hour

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 8 << 10

// What the tokens that traga signs say of where they are from and whom they are for.
const (
	tokenIssuer   = "urn:traga:token"
	tokenAudience = "urn:traga"
)

// Errors of a sign-in. Each is a reason that may be told to whoever asks: none says anything about another.
var (
	// ErrNoKey: the directory of keys has no token key yet.
	ErrNoKey = errors.New("there is no token key yet: traga token issue makes it")
	// ErrInvalid: it is no token that this traga takes: not a token at all, forged, from or for someone else.
	ErrInvalid = errors.New("the token is not valid here")
	// ErrExpired: its time is over, or has not begun.
	ErrExpired = errors.New("the token has expired")
	// ErrRevoked: the token was revoked.
	ErrRevoked = errors.New("the token was revoked")
	// ErrNotAppointed: the directory knows of no such appointment: never made, ended, or revoked.
	ErrNotAppointed = errors.New("the directory has no such appointment now")
	// ErrUnavailable: who asks can't be found out now: the register of tokens, the directory or the identity provider
	// can't be read.
	ErrUnavailable = errors.New("signing in is not possible now")
)

// Token is a token as the register has it.
type Token struct {
	ID      uuid.UUID    `json:"id"`
	Actor   events.Actor `json:"actor"`
	Machine bool         `json:"machine"`
	Issued  time.Time    `json:"issued"`
	Expires time.Time    `json:"expires"`
	Revoked time.Time    `json:"revoked,omitzero"`
}

// Tokens issues, verifies and revokes signed tokens: JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), by
// the key token.key in the directory of keys, for machines and for small installations without an identity provider.
//
// A token counts only while the register, the file tokens beside the key, has it as issued and not as revoked. The
// register is looked at each time, so that a revocation by another process holds at once; a token that it does not
// know is refused, and so are all when it can't be read. Safe for concurrent use, also by several processes.
type Tokens struct {
	key      ed25519.PrivateKey
	id       string // of the key: its thumbprint (RFC 7638)
	register *register
	clock    func() time.Time
}

// OpenTokens opens the key and the register in the directory of keys; ErrNoKey when there is none.
func OpenTokens(dir string, clock func() time.Time) (*Tokens, error) {
	path := filepath.Join(dir, "token.key")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("read the token key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read the token key: others on this machine may read token.key (mode %04o), and could sign in as anyone; chmod 600 it, or remove it and issue new tokens", info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the token key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("read the token key: expected an Ed25519 private key in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("read the token key: expected an Ed25519 private key in PKCS #8")
	}
	t := &Tokens{key: key, register: &register{path: filepath.Join(dir, "tokens")}, clock: clock}
	public, err := jwk.Import(key.Public())
	if err != nil {
		return nil, fmt.Errorf("read the token key: %w", err)
	}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("read the token key: %w", err)
	}
	t.id = base64.RawURLEncoding.EncodeToString(thumbprint)
	return t, nil
}

// MakeTokens is OpenTokens that makes the directory and the key where there are none.
func MakeTokens(dir string, clock func() time.Time) (*Tokens, error) {
	t, err := OpenTokens(dir, clock)
	if !errors.Is(err, ErrNoKey) {
		return t, err
	}
	if err := makeKey(dir); err != nil {
		return nil, fmt.Errorf("make the token key: %w", err)
	}
	return OpenTokens(dir, clock)
}

// makeKey writes a new key, whole or not at all; of two processes that do so the first wins.
func makeKey(dir string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "token.key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has its own name by then
	err = errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), filepath.Join(dir, "token.key"))
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return errors.Join(err, syncDirectory(dir))
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Issue makes a token for an officer, or a system, that holds for so long. The register has it on disk before Issue
// returns it.
func (t *Tokens) Issue(who events.Actor, machine bool, life time.Duration) (string, Token, error) {
	if err := issuable(who, life); err != nil {
		return "", Token{}, err
	}
	now := t.clock().UTC().Truncate(time.Second)
	id, err := uuid.NewRandom()
	if err != nil {
		return "", Token{}, err
	}
	token := Token{ID: id, Actor: who, Machine: machine, Issued: now, Expires: now.Add(life)}
	claims, err := jwt.NewBuilder().Issuer(tokenIssuer).Audience([]string{tokenAudience}).JwtID(id.String()).Subject(who.Officer).
		IssuedAt(now).NotBefore(now).Expiration(token.Expires).Build()
	if err != nil {
		return "", Token{}, fmt.Errorf("make a token: %w", err)
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.KeyIDKey, t.id); err != nil {
		return "", Token{}, fmt.Errorf("make a token: %w", err)
	}
	signed, err := jwt.Sign(claims, jwt.WithKey(jwa.EdDSA(), t.key, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", Token{}, fmt.Errorf("make a token: %w", err)
	}
	if err := t.register.append(entry{Issued: &token}); err != nil {
		return "", Token{}, fmt.Errorf("register a token: %w", err)
	}
	return string(signed), token, nil
}

func issuable(who events.Actor, life time.Duration) error {
	switch {
	case strings.TrimSpace(who.Officer) == "" || len(who.Officer) > 200:
		return &events.FieldError{Field: "officer", Expected: "the officer's id, such as a.petrova, of at most 200 characters"}
	case strings.TrimSpace(string(who.Institution)) == "" || len(who.Institution) > 200:
		return &events.FieldError{Field: "institution", Expected: "the institution's id, such as mk-csw-skopje, of at most 200 characters"}
	case who.Role == events.System || !slices.Contains(events.Roles(), who.Role):
		return &events.FieldError{Field: "role", Expected: "a role that an officer can have, such as csw"}
	case life < time.Second || life > MaxTokenLife:
		return &events.FieldError{Field: "for", Expected: fmt.Sprintf("how long it holds, from 1s to %dh", int(MaxTokenLife.Hours()))}
	}
	return nil
}

// Revoke ends every token for which which returns true, and that had not ended, at once, and says how many. The
// register has it on disk before Revoke returns.
func (t *Tokens) Revoke(which func(Token) bool) (int, error) {
	now := t.clock().UTC().Truncate(time.Second)
	var entries []entry
	list, err := t.List()
	if err != nil {
		return 0, err
	}
	for _, token := range list {
		if token.Revoked.IsZero() && now.Before(token.Expires) && which(token) {
			entries = append(entries, entry{Revoked: &revocation{token.ID, now}})
		}
	}
	if err := t.register.append(entries...); err != nil {
		return 0, fmt.Errorf("revoke: %w", err)
	}
	return len(entries), nil
}

// List is every token that was ever issued, in the order of issuing.
func (t *Tokens) List() ([]Token, error) {
	list, err := t.register.list()
	if err != nil {
		return nil, fmt.Errorf("read the register of tokens: %w", err)
	}
	return list, nil
}

// own reports whether a token says that it is signed with this key. It proves nothing.
func (t *Tokens) own(raw string) bool {
	header, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	return err == nil && bytes.Contains(text, []byte(`"`+t.id+`"`))
}

// verify checks a token's signature, issuer, audience and time, and that the register has it as issued and not
// revoked. Who it is for, the register says.
func (t *Tokens) verify(raw string) (Token, error) {
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 {
		return Token{}, ErrInvalid
	}
	// The algorithm is the key's, whatever the token asks for.
	claims, err := jwt.Parse([]byte(raw), jwt.WithKey(jwa.EdDSA(), t.key.Public()), jwt.WithIssuer(tokenIssuer), jwt.WithAudience(tokenAudience),
		jwt.WithClock(jwt.ClockFunc(t.clock)), jwt.WithRequiredClaim(jwt.ExpirationKey), jwt.WithRequiredClaim(jwt.JwtIDKey))
	switch {
	case errors.Is(err, jwt.TokenExpiredError()), errors.Is(err, jwt.TokenNotYetValidError()), errors.Is(err, jwt.InvalidIssuedAtError()):
		return Token{}, ErrExpired
	case err != nil:
		return Token{}, ErrInvalid
	}
	named, _ := claims.JwtID()
	id, err := uuid.Parse(named)
	if err != nil {
		return Token{}, ErrInvalid
	}
	return t.standing(id)
}

// standing is a token that was verified before, as the register has it now.
func (t *Tokens) standing(id uuid.UUID) (Token, error) {
	token, ok, err := t.register.find(id)
	switch {
	case err != nil:
		return Token{}, fmt.Errorf("%w: the register of tokens can't be read: %w", ErrUnavailable, err)
	case !ok:
		return Token{}, ErrInvalid
	case !token.Revoked.IsZero():
		return Token{}, ErrRevoked
	case !t.clock().Before(token.Expires):
		return Token{}, ErrExpired
	}
	return token, nil
}
