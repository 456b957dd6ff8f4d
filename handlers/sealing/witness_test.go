package sealing_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"traga.internal/events/ledger"
	"traga.internal/handlers/api"
	"traga.internal/handlers/sealing"
)

// A signer in another process, over a socket and over a port.
func TestRemoteSigner(t *testing.T) {
	g := newGiven(t)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: sealing.Handler(g.signer, "", slog.New(slog.DiscardHandler))}
	go func() { _ = server.Serve(l) }()
	port := httptest.NewServer(sealing.Handler(g.signer, "s3cret", slog.New(slog.DiscardHandler)))
	defer port.Close()
	for address, secret := range map[string]string{"unix:" + socket: "", port.URL: "s3cret"} {
		remote, err := sealing.NewRemote(address, secret)
		if err != nil {
			t.Fatal(err)
		}
		g.record(2)
		s := sealing.New(g.ledger, remote, sealing.WithClock(func() time.Time { return g.now }))
		n, err := s.Seal(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		if key, err := remote.Key(t.Context()); err != nil || key != g.key() {
			t.Errorf("%s: %v, %v", address, key, err)
		}
		_, err = remote.Sign(t.Context(), ledger.Tree{Size: n.Size + 1, Root: ledger.Hash{1}}, nil)
		var fork *ledger.ForkError
		if !errors.As(err, &fork) || !errors.Is(err, ledger.ErrFork) || fork.Before.Checkpoint != n.Checkpoint {
			t.Errorf("%s signed a fork: %v", address, err)
		}
		if _, err = remote.Sign(t.Context(), ledger.Tree{Size: n.Size - 1, Root: ledger.Hash{1}}, nil); !errors.Is(err, ledger.ErrRollback) {
			t.Errorf("%s signed a shorter log: %v", address, err)
		}
	}
	wrong, err := sealing.NewRemote(port.URL, "guessed")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Last(t.Context()); err == nil {
		t.Error("a wrong secret was answered")
	}
	for _, address := range []string{"", "unix:", "http://signer.example:80", "https://127.0.0.1:80", "http://127.0.0.1", "http://127.0.0.1:80/x"} {
		if _, err := sealing.NewRemote(address, "s"); err == nil {
			t.Errorf("the address %q was taken", address)
		}
	}
	if _, err := sealing.NewRemote("http://127.0.0.1:80", ""); err == nil {
		t.Error("a port without a secret was taken")
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	gone, err := sealing.NewRemote("unix:"+socket, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Last(t.Context()); !errors.Is(err, sealing.ErrUnreachable) {
		t.Errorf("a signer that has gone: %v", err)
	}
}

// A witness over HTTP: it cosigns what continues, and a log that contradicts itself gets nothing.
func TestWitness(t *testing.T) {
	g := newGiven(t)
	g.record(2)
	first := g.seal()
	dir := filepath.Join(t.TempDir(), "witness")
	w, err := sealing.OpenWitness(dir, "ombudsman.example/witness", func() time.Time { return g.now })
	if err != nil {
		t.Fatal(err)
	}
	policy, err := ledger.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness ombudsman %s\nquorum ombudsman\n", g.key(), w.Key()))
	if err != nil {
		t.Fatal(err)
	}
	server := newLogServer(t, g, policy)
	n, err := w.Pull(t.Context(), g.key(), server.source())
	if err != nil || n.Checkpoint != first.Checkpoint {
		t.Fatalf("the first: %v, %v", n, err)
	}
	latest, _, err := sealing.Latest(t.Context(), g.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := policy.Check(latest); err != nil || !e.QuorumMade {
		t.Errorf("the cosignature came back as %+v, %v", e, err)
	}
	g.now = g.now.Add(time.Minute)
	if again, err := w.Pull(t.Context(), g.key(), server.source()); err != nil || string(again.Bytes()) != string(n.Bytes()) {
		t.Errorf("a minute later the same is cosigned anew: %v", err)
	}
	g.now = g.now.Add(2 * time.Hour)
	if _, err := w.Pull(t.Context(), g.key(), server.source()); err != nil {
		t.Error(err)
	}
	status, err := g.sealer(sealing.WithPolicy(policy)).Status(t.Context())
	if err != nil || !status.Cosigned[w.Key().Name()].Equal(g.now) {
		t.Errorf("two hours later it is the same log, seen at %+v, %v; want %v", status, err, g.now)
	}
	g.record(3)
	second := g.seal()
	reopened, err := sealing.OpenWitness(dir, "", func() time.Time { return g.now })
	if err != nil {
		t.Fatal(err)
	}
	if n, err := reopened.Pull(t.Context(), g.key(), server.source()); err != nil || n.Checkpoint != second.Checkpoint {
		t.Errorf("after a restart: %v, %v", n, err)
	}
	rec := httptest.NewRecorder()
	reopened.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/checkpoint", nil))
	if given, err := ledger.ParseNote(rec.Body.Bytes()); err != nil || given.Checkpoint != second.Checkpoint {
		t.Errorf("it gives %q, %v", rec.Body, err)
	}

	// The same key signs another history: a split view.
	other := newGiven(t)
	other.keys = other.copyDir(g.keys)
	if err := os.WriteFile(filepath.Join(other.keys, "signed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if other.signer, err = sealing.OpenSigner(other.keys); err != nil {
		t.Fatal(err)
	}
	other.record(20)
	forked := other.seal()
	server.serve(other)
	_, err = reopened.Pull(t.Context(), g.key(), server.source())
	var fork *ledger.ForkError
	if !errors.As(err, &fork) || !errors.Is(err, ledger.ErrFork) {
		t.Fatalf("a fork: %v", err)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "fork-*"))
	if err != nil || len(kept) != 1 || !strings.Contains(errText(reopened.Pull(t.Context(), g.key(), server.source())), kept[0]) {
		t.Fatalf("kept: %v, %v", kept, err)
	}
	b, err := os.ReadFile(kept[0])
	if err != nil || !strings.Contains(string(b), second.Text()) || !strings.Contains(string(b), forked.Text()) {
		t.Errorf("kept:\n%s\n%v", b, err)
	}
	if last, err := reopened.Last(t.Context()); err != nil || last.Checkpoint != second.Checkpoint {
		t.Errorf("its record has moved to %v, %v", last, err)
	}

	// A shorter log is a rollback, told as such.
	shorter := newGiven(t)
	shorter.keys, shorter.signer = other.keys, other.signer
	if err := os.WriteFile(filepath.Join(other.keys, "signed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shorter.record(1)
	shorter.seal()
	server.serve(shorter)
	if _, err := reopened.Pull(t.Context(), g.key(), server.source()); !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("a shorter log: %v", err)
	}
	// One that another key signed is not this log at all.
	stranger := newGiven(t)
	stranger.record(9)
	stranger.seal()
	server.serve(stranger)
	if _, err := reopened.Pull(t.Context(), g.key(), server.source()); !errors.Is(err, ledger.ErrSignature) {
		t.Errorf("another log: %v", err)
	}
}

func errText(_ *ledger.Note, err error) string { return fmt.Sprint(err) }

// TestWitnessWithoutANetwork carries files. A proof from elsewhere accuses nobody.
func TestWitnessWithoutANetwork(t *testing.T) {
	g := newGiven(t)
	w, err := sealing.OpenWitness(t.TempDir(), "court.example/witness", func() time.Time { return g.now })
	if err != nil {
		t.Fatal(err)
	}
	carry := func(old int64) (*ledger.Note, error) {
		e, err := sealing.Since(t.Context(), g.ledger, old)
		if err != nil {
			t.Fatal(err)
		}
		if e, err = ledger.ParseExtension(e.Bytes()); err != nil {
			t.Fatal(err)
		}
		return w.Cosign(t.Context(), g.key(), e)
	}
	g.record(2)
	g.seal()
	first, err := carry(0)
	if err != nil {
		t.Fatal(err)
	}
	g.record(2)
	g.seal()
	for _, old := range []int64{0, 1, 4} {
		if _, err := carry(old); !errors.Is(err, sealing.ErrProofFrom) {
			t.Errorf("a proof from %d: %v", old, err)
		}
	}
	second, err := carry(first.Size)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := ledger.ParsePolicy(fmt.Appendf(nil, "log %s\nwitness court %s\nquorum court\n", g.key(), w.Key()))
	if err != nil {
		t.Fatal(err)
	}
	if names, err := sealing.AddCosignatures(t.Context(), g.ledger, policy, second); err != nil || len(names) != 1 || names[0] != "court" {
		t.Errorf("brought back: %v, %v", names, err)
	}
	if _, err := sealing.AddCosignatures(t.Context(), g.ledger, nil, second); !errors.Is(err, sealing.ErrNotAccepted) {
		t.Errorf("without a policy: %v", err)
	}
	broken, err := ledger.ParseNote(second.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	broken.Signatures[1].Bytes[20] ^= 1
	if _, err := sealing.AddCosignatures(t.Context(), g.ledger, policy, broken); !errors.Is(err, ledger.ErrSignature) {
		t.Errorf("a cosignature that does not hold: %v", err)
	}
}

// logServer is the API of one log or another.
type logServer struct {
	*httptest.Server
	*testing.T
	api    atomic.Pointer[http.ServeMux]
	policy *ledger.Policy
}

func newLogServer(t *testing.T, g *given, policy *ledger.Policy) *logServer {
	s := &logServer{T: t, policy: policy}
	s.serve(g)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.api.Load().ServeHTTP(w, r) }))
	t.Cleanup(s.Server.Close)
	return s
}

func (s *logServer) serve(g *given) {
	mux := http.NewServeMux()
	api.Register(mux, api.Config{Store: g.store, Ledger: g.ledger, Policy: s.policy, Clock: time.Now, Log: slog.New(slog.NewTextHandler(s.Output(), nil))})
	s.api.Store(mux)
}

func (s *logServer) source() sealing.Source {
	u, _ := url.Parse(s.URL)
	return sealing.Source{Server: u, Client: s.Client()}
}
