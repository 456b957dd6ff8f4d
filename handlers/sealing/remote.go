package sealing

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"traga.internal/events/ledger"
)

// The signer's own small protocol, for a signer that is a process of its own: where those who run the log and those who
// keep its key are not the same. It is spoken over a Unix socket, which only its owner can open, or on this machine's own
// addresses with a secret that both know.
//
//	GET  /key     the public key
//	GET  /signed  the note that was signed last; nothing (204) before the first
//	POST /sign    {"size", "root", "proof": []}: the note; 409 with the note signed last when it is no continuation

const (
	maxMessage = 64 << 10
	patience   = 30 * time.Second
)

// signRequest asks for a signature. Hashes are in base64.
type signRequest struct {
	Size  int64        `json:"size"`
	Root  ledger.Hash  `json:"root"`
	Proof ledger.Proof `json:"proof"`
}

// Handler answers for a signer. With a secret, only who knows it is answered.
func Handler(s Signer, secret string, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		log.ErrorContext(r.Context(), "the signer can't answer", "error", err)
		http.Error(w, "the signer can't read or write its record", http.StatusInternalServerError)
	}
	mux.HandleFunc("GET /key", func(w http.ResponseWriter, r *http.Request) {
		key, err := s.Key(r.Context())
		if err != nil {
			fail(w, r, err)
			return
		}
		fmt.Fprintln(w, key)
	})
	mux.HandleFunc("GET /signed", func(w http.ResponseWriter, r *http.Request) {
		n, err := s.Last(r.Context())
		switch {
		case err != nil:
			fail(w, r, err)
		case n == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = w.Write(n.Bytes()) // the caller has gone
		}
	})
	mux.HandleFunc("POST /sign", func(w http.ResponseWriter, r *http.Request) {
		var asked signRequest
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMessage))
		d.DisallowUnknownFields()
		if err := d.Decode(&asked); err != nil {
			http.Error(w, "expected size, root and proof as JSON", http.StatusBadRequest)
			return
		}
		n, err := s.Sign(r.Context(), ledger.Tree{Size: asked.Size, Root: asked.Root}, asked.Proof)
		var fork *ledger.ForkError
		switch {
		case errors.As(err, &fork):
			log.ErrorContext(r.Context(), "refused to sign what does not continue the log", "error", err)
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write(fork.Before.Bytes())
		case errors.Is(err, ledger.ErrFormat):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			fail(w, r, err)
		default:
			log.InfoContext(r.Context(), "signed", "size", n.Size)
			_, _ = w.Write(n.Bytes())
		}
	})
	if secret == "" {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+secret)) != 1 {
			http.Error(w, "the signer answers only who knows its secret", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ErrUnreachable: the signer's process does not answer.
var ErrUnreachable = errors.New("the signer does not answer")

// Remote asks a signer in another process. It is safe for concurrent use.
type Remote struct {
	base   string
	secret string
	client *http.Client
}

// NewRemote asks the signer at an address, unix:/path or http://127.0.0.1:PORT.
func NewRemote(address, secret string) (*Remote, error) {
	r := &Remote{secret: secret, client: &http.Client{Timeout: patience}}
	if path, ok := strings.CutPrefix(address, "unix:"); ok && path != "" {
		r.base = "http://signer"
		r.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}
		return r, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Port() == "" || u.Path != "" {
		return nil, errors.New("expected the signer's address as unix:/path or http://127.0.0.1:PORT")
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("the signer is asked on this machine only: unix:/path or http://127.0.0.1:PORT")
	}
	if secret == "" {
		return nil, errors.New("a signer at a port needs the secret that it was started with")
	}
	r.base = address
	return r, nil
}

func (r *Remote) ask(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if r.secret != "" {
		req.Header.Set("Authorization", "Bearer "+r.secret)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrUnreachable, errors.Unwrap(err))
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxMessage))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	case res.StatusCode >= 300 && res.StatusCode != http.StatusConflict:
		return 0, nil, fmt.Errorf("the signer answered: %s", strings.TrimSpace(string(answer)))
	}
	return res.StatusCode, answer, nil
}

// Key implements Signer.
func (r *Remote) Key(ctx context.Context) (ledger.Key, error) {
	_, b, err := r.ask(ctx, http.MethodGet, "/key", nil)
	if err != nil {
		return ledger.Key{}, err
	}
	return ledger.ParseKey(strings.TrimSpace(string(b)))
}

// Last implements Signer.
func (r *Remote) Last(ctx context.Context) (*ledger.Note, error) {
	status, b, err := r.ask(ctx, http.MethodGet, "/signed", nil)
	if err != nil || status == http.StatusNoContent {
		return nil, err
	}
	return ledger.ParseNote(b)
}

// Sign implements Signer.
func (r *Remote) Sign(ctx context.Context, t ledger.Tree, proof ledger.Proof) (*ledger.Note, error) {
	body, err := json.Marshal(signRequest{Size: t.Size, Root: t.Root, Proof: proof})
	if err != nil {
		return nil, err
	}
	status, b, err := r.ask(ctx, http.MethodPost, "/sign", body)
	if err != nil {
		return nil, err
	}
	n, err := ledger.ParseNote(b)
	if err != nil {
		return nil, fmt.Errorf("read the signer's answer: %w", err)
	}
	if status != http.StatusConflict {
		return n, nil
	}
	reason := ledger.ErrFork
	if t.Size < n.Size {
		reason = ledger.ErrRollback
	}
	return nil, &ledger.ForkError{Before: n, Asked: ledger.Checkpoint{Origin: n.Origin, Tree: t}, Reason: reason}
}
