package sealing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/sealing"
)

// given is a real store and a real signer in directories of a test.
type given struct {
	*testing.T
	data, keys string
	store      *sqlitestore.Store
	ledger     *sqlitestore.Ledger
	signer     *sealing.LocalSigner
	now        time.Time
}

func newGiven(t *testing.T) *given {
	g := &given{T: t, data: filepath.Join(t.TempDir(), "data"), keys: filepath.Join(t.TempDir(), "keys"), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	g.open()
	t.Cleanup(func() { _ = g.store.Close() })
	return g
}

func (g *given) open() {
	g.Helper()
	var err error
	if g.store, err = sqlitestore.Open(g.Context(), g.data, sqlitestore.WithClock(func() time.Time { return g.now })); err != nil {
		g.Fatal(err)
	}
	if g.ledger, err = g.store.Ledger(); err != nil {
		g.Fatal(err)
	}
	if g.signer, err = sealing.MakeSigner(g.keys); err != nil {
		g.Fatal(err)
	}
}

func (g *given) close() {
	g.Helper()
	if err := g.store.Close(); err != nil {
		g.Fatal(err)
	}
}

func (g *given) sealer(opts ...sealing.Option) *sealing.Sealer {
	return sealing.New(g.ledger, g.signer, append([]sealing.Option{sealing.WithClock(func() time.Time { return g.now })}, opts...)...)
}

// record appends so many events.
func (g *given) record(n int) {
	g.Helper()
	for i := range n {
		p := events.Proposed{ID: uuid.New(), Type: "SupportProvided", Metadata: []byte(`{}`), Data: fmt.Appendf(nil, `{"n":%d}`, i)}
		if _, err := g.store.Append(g.Context(), fmt.Sprint("case-", i%3), events.Any, p); err != nil {
			g.Fatal(err)
		}
	}
}

func (g *given) seal() *ledger.Note {
	g.Helper()
	n, err := g.sealer().Seal(g.Context())
	if err != nil {
		g.Fatal(err)
	}
	return n
}

// copyDir copies a closed store.
func (g *given) copyDir(from string) (to string) {
	g.Helper()
	to = filepath.Join(g.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		g.Fatal(err)
	}
	return to
}

func (g *given) key() ledger.Key {
	g.Helper()
	key, err := g.signer.Key(g.Context())
	if err != nil {
		g.Fatal(err)
	}
	return key
}

func TestEachCheckpointContinuesTheOneBefore(t *testing.T) {
	g := newGiven(t)
	if n, err := g.sealer().Seal(t.Context()); n != nil || err != nil {
		t.Fatalf("an empty log: %v, %v", n, err)
	}
	var before *ledger.Note
	for i := range 5 {
		g.record(i + 1)
		n := g.seal()
		if _, signed, err := g.key().Signed(n); err != nil || !signed || n.Origin != g.key().Name() {
			t.Fatalf("signed by %s: %v, %v", g.key().Name(), signed, err)
		}
		if again := g.seal(); again.Checkpoint != n.Checkpoint {
			t.Errorf("sealed again without an event: %d leaves, before %d", again.Size, n.Size)
		}
		if before != nil {
			e, err := sealing.Since(t.Context(), g.ledger, before.Size)
			if err != nil || e.Note.Extends(before.Tree, e.Proof) != nil {
				t.Errorf("since %d: %v", before.Size, err)
			}
		}
		before = n
		if i == 2 {
			g.close()
			g.open()
		}
	}
	if err := g.store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCrashesConverge stops a sealing at each of its steps, as a crash would, and seals again after a restart, with and
// without an event in between. There is one history of checkpoints.
func TestCrashesConverge(t *testing.T) {
	for _, step := range []string{"heads", "sign", "store"} {
		for _, more := range []int{0, 2} {
			t.Run(fmt.Sprint(step, more), func(t *testing.T) {
				g := newGiven(t)
				g.record(3)
				first := g.seal()
				g.record(2)
				dying := sealing.New(dyingLedger{g.ledger, step}, dyingSigner{g.signer, step}, sealing.WithClock(func() time.Time { return g.now }))
				if _, err := dying.Seal(t.Context()); !errors.Is(err, errDead) {
					t.Fatalf("died of %v", err)
				}
				if dying.Health() == nil {
					t.Error("a sealing that failed leaves the health good")
				}
				g.close()
				g.open()
				g.record(more)
				n := g.seal()
				if want := first.Size + 3; more == 0 && n.Size != want {
					t.Errorf("%d leaves, want %d: one of heads", n.Size, want)
				}
				e, err := sealing.Since(t.Context(), g.ledger, first.Size)
				if err != nil || e.Note.Checkpoint != n.Checkpoint || n.Extends(first.Tree, e.Proof) != nil {
					t.Errorf("%v", err)
				}
				if last, err := g.signer.Last(t.Context()); err != nil || last.Checkpoint != n.Checkpoint {
					t.Errorf("the signer's record has %v, %v", last, err)
				}
				if err := g.store.Check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

var errDead = errors.New("dead")

type dyingLedger struct {
	*sqlitestore.Ledger
	step string
}

func (d dyingLedger) AppendHeads(ctx context.Context) (ledger.Tree, time.Time, error) {
	tree, at, err := d.Ledger.AppendHeads(ctx)
	if d.step == "heads" {
		err = errDead
	}
	return tree, at, err
}

func (d dyingLedger) AddCheckpoint(ctx context.Context, n *ledger.Note, at time.Time) error {
	if d.step == "store" {
		return errDead
	}
	return d.Ledger.AddCheckpoint(ctx, n, at)
}

type dyingSigner struct {
	sealing.Signer
	step string
}

func (d dyingSigner) Sign(ctx context.Context, t ledger.Tree, p ledger.Proof) (*ledger.Note, error) {
	n, err := d.Signer.Sign(ctx, t, p)
	if d.step == "sign" {
		err = errDead
	}
	return n, err
}

// TestAnOlderCopyIsNeverSigned: last week's database put back, with less in it, and then with other events in place of
// those that are missing; and the copy of a second machine that signs with the same keys.
func TestAnOlderCopyIsNeverSigned(t *testing.T) {
	g := newGiven(t)
	g.record(4)
	g.seal()
	g.close()
	lastWeek := g.copyDir(g.data)
	g.open()
	g.record(3)
	today := g.seal()
	g.close()

	refused := func(what string, reason error) {
		t.Helper()
		before, err := g.ledger.Tree(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := g.sealer()
		_, err = s.Seal(t.Context())
		var fork *ledger.ForkError
		if !errors.As(err, &fork) || !errors.Is(err, reason) || fork.Before.Checkpoint != today.Checkpoint || !strings.Contains(err.Error(), "an older copy of the store was put back") {
			t.Errorf("%s: %v", what, err)
		}
		if s.Health() == nil {
			t.Errorf("%s: the health is good", what)
		}
		if after, err := g.ledger.Tree(t.Context()); err != nil || after != before {
			t.Errorf("%s: a refused sealing wrote to the log: %v, %v, before %v", what, after, err, before)
		}
		if last, err := g.signer.Last(t.Context()); err != nil || last.Checkpoint != today.Checkpoint {
			t.Errorf("%s: the signer's record has %v, %v", what, last, err)
		}
	}
	newest := g.data
	g.data = lastWeek
	g.open()
	refused("an older copy", ledger.ErrRollback)
	g.record(8)
	refused("an older copy with other events", ledger.ErrFork)
	g.close()

	g.data = newest
	g.open()
	g.record(1)
	if n := g.seal(); n.Size != today.Size+2 {
		t.Errorf("with the newest copy back: %d leaves", n.Size)
	}
}

// TestBeginAnew: a log whose signer will never sign it again gets a new one, also without a new event, and only a new one.
func TestBeginAnew(t *testing.T) {
	g := newGiven(t)
	g.record(2)
	first := g.seal()
	if _, err := sealing.BeginAnew(t.Context(), g.ledger, g.signer, g.now); err == nil || !strings.Contains(err.Error(), "expected a new one") {
		t.Errorf("with the signer of before: %v", err)
	}
	old := g.key()
	// A crash after the record was put aside leaves a key that never signs; retiring goes on.
	if err := os.Rename(filepath.Join(g.keys, "signed"), filepath.Join(g.keys, "signed."+old.Name())); err != nil {
		t.Fatal(err)
	}
	if _, err := sealing.MakeSigner(g.keys); err == nil {
		t.Error("a key without its record was opened")
	}
	for range 2 {
		if err := sealing.RetireSigner(g.keys); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if g.signer, err = sealing.MakeSigner(g.keys); err != nil {
		t.Fatal(err)
	}
	n, err := sealing.BeginAnew(t.Context(), g.ledger, g.signer, g.now)
	if err != nil || n.Origin == old.Name() || n.Size != first.Size+1 {
		t.Fatalf("%+v, %v", n, err)
	}
	g.record(1)
	if next := g.seal(); next.Size != n.Size+2 || next.Origin != n.Origin {
		t.Errorf("and then: %+v", next)
	}
	if err := g.store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"signed.", "signer.key."} {
		if _, err := os.Stat(filepath.Join(g.keys, name+old.Name())); err != nil {
			t.Error(err)
		}
	}
	if _, err := sealing.BeginAnew(t.Context(), newGiven(t).ledger, newGiven(t).signer, g.now); err == nil {
		t.Error("an empty log has begun anew")
	}
}

func TestTheSignersFilesMustBelongTogether(t *testing.T) {
	g := newGiven(t)
	g.record(1)
	g.seal()
	signed := filepath.Join(g.keys, "signed")
	old, err := os.ReadFile(signed)
	if err != nil {
		t.Fatal(err)
	}
	g.record(1)
	g.seal()
	for name, c := range map[string]struct {
		content []byte // nil: gone
		fails   string
	}{
		"the record is gone":        {nil, "put it back"},
		"the record is empty":       {[]byte{}, "the directory of keys is an older copy"},
		"the record is an older":    {old, "the directory of keys is an older copy"},
		"the record can't be read":  {[]byte("nothing\n"), "not of the form"},
		"the record is of half way": {old[:len(old)/2], "not of the form"},
	} {
		if err := os.Remove(signed); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if c.content != nil {
			if err := os.WriteFile(signed, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := g.sealer().Seal(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(signed, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(g.keys, "signer.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := sealing.MakeSigner(g.keys); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("the key is gone: %v", err)
	}
	if g.signer, err = sealing.MakeSigner(filepath.Join(t.TempDir(), "others")); err != nil {
		t.Fatal(err)
	}
	if _, err := g.sealer().Seal(t.Context()); !errors.Is(err, sealing.ErrAnotherKey) {
		t.Errorf("with another key: %v", err)
	}
	for _, file := range []string{"signed", "signer.lock"} {
		if info, err := os.Stat(filepath.Join(g.keys, file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}

// TestAClockThatJumpsBack: events are still stored, never before the one before them, and nothing is signed.
func TestAClockThatJumpsBack(t *testing.T) {
	g := newGiven(t)
	g.record(2)
	s := g.sealer()
	before, err := s.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.now = g.now.Add(-500 * time.Millisecond) // as a time server may move it
	g.record(1)
	if _, err := s.Seal(t.Context()); err != nil || s.Health() != nil {
		t.Errorf("half a second: %v, health %v", err, s.Health())
	}
	g.now = g.now.Add(-time.Hour)
	if err := s.Health(); !errors.Is(err, sealing.ErrClock) {
		t.Errorf("an hour, before anyone seals: %v", err)
	}
	g.record(1)
	for name, s := range map[string]*sealing.Sealer{"running": s, "restarted": g.sealer()} {
		if _, err := s.Seal(t.Context()); !errors.Is(err, sealing.ErrClock) || !errors.Is(s.Health(), sealing.ErrClock) {
			t.Errorf("%s: %v, health %v", name, err, s.Health())
		}
	}
	if n, _, err := sealing.Latest(t.Context(), g.ledger); err != nil || n.Size > before.Size+2 {
		t.Errorf("%d leaves were signed, %v", n.Size, err)
	}
	if _, err := g.sealer(sealing.WithSimulatedTimes()).Seal(t.Context()); err != nil {
		t.Errorf("a log whose times are simulated: %v", err)
	}
	g.now = g.now.Add(2 * time.Hour)
	if _, err := s.Seal(t.Context()); err != nil || s.Health() != nil {
		t.Errorf("the clock is right again: %v, health %v", err, s.Health())
	}
	if err := g.store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRunSealsSoonAfter: within the interval after an event, and at the end; a signer that fails is tried again.
func TestRunSealsSoonAfter(t *testing.T) {
	signer := newFlaky(t)
	synctest.Test(t, func(t *testing.T) {
		l, feed := &fakeLedger{}, newFakeFeed()
		var told strings.Builder
		s := sealing.New(l, signer, sealing.WithLog(slog.New(slog.NewTextHandler(&told, nil))), sealing.WithInterval(time.Second))
		signed := func(what string, want int) {
			t.Helper()
			synctest.Wait()
			if got, _ := signer.counts(); got != want {
				t.Errorf("%s: %d checkpoints, want %d", what, got, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, feed) }()
		signed("an empty log", 0)
		for range 3 {
			feed.grow(l)
		}
		signed("events, and others may come", 0)
		<-time.After(time.Second)
		signed("a second after three events", 1)
		signer.fail(true)
		feed.grow(l)
		<-time.After(5 * time.Minute)
		signed("a signer that fails", 1)
		if _, asked := signer.counts(); s.Health() == nil || strings.Count(told.String(), "the log is not sealed") != 1 || asked > 20 {
			t.Errorf("a signer that fails: health %v, asked %d times, told:\n%s", s.Health(), asked, told.String())
		}
		signer.fail(false)
		<-time.After(time.Minute)
		signed("the signer is well again", 2)
		if s.Health() != nil {
			t.Errorf("the signer is well again: health %v", s.Health())
		}
		feed.grow(l)
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		signed("at the end", 3)
	})
}

// fakeLedger is a ledger in memory, and fakeFeed and flaky what goes with it, for the test of times.
type fakeLedger struct {
	mu     sync.Mutex
	size   int64
	latest *ledger.Note
}

func (f *fakeLedger) tree() ledger.Tree {
	return ledger.Tree{Size: f.size, Root: ledger.Hash{byte(f.size)}}
}

func (f *fakeLedger) Tree(context.Context) (ledger.Tree, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tree(), nil
}

func (f *fakeLedger) Hashes(context.Context) tlog.HashReader { return nil }

func (f *fakeLedger) AppendHeads(context.Context) (ledger.Tree, time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tree(), time.Time{}, nil
}

func (f *fakeLedger) AddCheckpoint(_ context.Context, n *ledger.Note, _ time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = n
	return nil
}

func (f *fakeLedger) AddCosignature(context.Context, ledger.Checkpoint, ledger.Signature, time.Time) error {
	return nil
}

func (f *fakeLedger) CheckpointUpTo(context.Context, int64, bool) (ledger.SignedCheckpoint, bool, error) {
	return ledger.SignedCheckpoint{}, false, nil
}

func (f *fakeLedger) CosignedAt(context.Context, string) (time.Time, error) { return time.Time{}, nil }

type fakeFeed struct {
	mu      sync.Mutex
	head    uint64
	changed chan struct{}
}

func newFakeFeed() *fakeFeed { return &fakeFeed{changed: make(chan struct{})} }

func (f *fakeFeed) grow(l *fakeLedger) {
	l.mu.Lock()
	l.size++
	l.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.head++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeFeed) Head(context.Context) (events.Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return events.At(f.head), nil
}

func (f *fakeFeed) Changed(after events.Position) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if events.At(f.head).After(after) {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	return f.changed
}

// flaky signs whatever it is asked to, or fails.
type flaky struct {
	mu            sync.Mutex
	failing       bool
	key           note.Signer
	public        ledger.Key
	signed, asked int
}

func newFlaky(t *testing.T) *flaky {
	t.Helper()
	secret, public, err := note.GenerateKey(nil, "test.example/log")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{}
	if f.key, err = note.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	if f.public, err = ledger.ParseKey(public); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flaky) fail(failing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = failing
}

func (f *flaky) counts() (signed, asked int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signed, f.asked
}

func (f *flaky) Key(context.Context) (ledger.Key, error)    { return f.public, nil }
func (f *flaky) Last(context.Context) (*ledger.Note, error) { return nil, nil }

func (f *flaky) Sign(_ context.Context, t ledger.Tree, _ ledger.Proof) (*ledger.Note, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked++; f.failing {
		return nil, sealing.ErrUnreachable
	}
	f.signed++
	return ledger.Sign(t, f.key)
}
