// Package sealing has the log's checkpoints signed, soon after new events, and takes the cosignatures of witnesses.
//
// Events count as stored when the store says so; they count as sealed when a signed checkpoint covers them. Sealing ends
// the ledger with a leaf of heads, has the tree signed, and stores the note, in this order: a crash in between leaves a
// leaf of heads that the next sealing uses, or a note that the signer gives again. The signer keeps its own record and
// signs nothing but continuations of it, so that an older copy of the store, put back, is noticed and never signed.
package sealing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// Ledger is what is needed of the store's ledger: a *sqlitestore.Ledger.
type Ledger interface {
	Tree(ctx context.Context) (ledger.Tree, error)
	Hashes(ctx context.Context) tlog.HashReader
	// AppendHeads ends the log with a leaf of heads, unless it ends with one, and says when its last event was recorded.
	AppendHeads(ctx context.Context) (tree ledger.Tree, recorded time.Time, err error)
	AddCheckpoint(ctx context.Context, n *ledger.Note, signedAt time.Time) error
	AddCosignature(ctx context.Context, c ledger.Checkpoint, s ledger.Signature, at time.Time) error
	CheckpointUpTo(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error)
	CosignedAt(ctx context.Context, witness string) (time.Time, error)
}

// Signer signs for a log: a *Signer of this package, or a *Remote that asks one.
type Signer interface {
	// Key is the key that it signs with; its name is the origin of the checkpoints.
	Key(ctx context.Context) (ledger.Key, error)
	// Last is the note that it signed last, nil before the first.
	Last(ctx context.Context) (*ledger.Note, error)
	// Sign signs a tree that continues that of Last, as the proof shows. It fails with a *ledger.ForkError else.
	Sign(ctx context.Context, t ledger.Tree, proof ledger.Proof) (*ledger.Note, error)
}

// Feed tells of new events: an events.Store.
type Feed interface {
	Head(ctx context.Context) (events.Position, error)
	Changed(after events.Position) <-chan struct{}
}

// ErrClock: this machine's clock is behind what was recorded or signed before.
var ErrClock = errors.New("this machine's clock has gone back")

// ErrAnotherKey: the store's checkpoints were signed with another key than the signer's.
var ErrAnotherKey = errors.New("the store's checkpoints were signed with another key")

const (
	// slack is how far the clock may be behind: time servers move it by less.
	slack = time.Second
	// slowest bounds how long a sealing that failed waits for the next attempt.
	slowest = time.Minute
	// lastSeal is how long the sealing at the end of Run may take.
	lastSeal = 10 * time.Second
)

// Option changes a Sealer.
type Option func(*Sealer)

// WithInterval gathers the events of so long into one checkpoint; a second without it.
func WithInterval(d time.Duration) Option { return func(s *Sealer) { s.interval = d } }

// WithClock takes the time from a clock other than time.Now.
func WithClock(now func() time.Time) Option { return func(s *Sealer) { s.now = now } }

// WithLog tells of failures there.
func WithLog(log *slog.Logger) Option { return func(s *Sealer) { s.log = log } }

// WithPolicy takes the cosignatures of the policy's witnesses.
func WithPolicy(p *ledger.Policy) Option { return func(s *Sealer) { s.policy = p } }

// WithSimulatedTimes does not compare the clock with what was recorded: the log's times are simulated.
func WithSimulatedTimes() Option { return func(s *Sealer) { s.simulated = true } }

// Sealer seals one log. It is safe for concurrent use.
type Sealer struct {
	ledger    Ledger
	signer    Signer
	policy    *ledger.Policy
	interval  time.Duration
	now       func() time.Time
	log       *slog.Logger
	simulated bool

	sealing sync.Mutex // one at a time

	mu      sync.Mutex
	trouble error     // of the last sealing
	latest  time.Time // that was recorded or signed, as far as is known
}

// New makes a sealer of a log. It writes nothing yet.
func New(l Ledger, signer Signer, opts ...Option) *Sealer {
	s := &Sealer{ledger: l, signer: signer, interval: time.Second, now: time.Now, log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// Run seals soon after new events until ctx ends, and then once more. What fails is tried again, and Health tells.
func (s *Sealer) Run(ctx context.Context, feed Feed) error {
	for wait := s.interval; ; {
		head, err := feed.Head(ctx) // before sealing: what comes later wakes
		if err == nil {
			_, err = s.Seal(ctx)
		}
		if ctx.Err() != nil {
			break
		}
		if err == nil {
			wait = s.interval
			select {
			case <-feed.Changed(head):
			case <-ctx.Done():
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			wait = min(2*wait, slowest)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSeal)
	defer cancel()
	_, err := s.Seal(ctx)
	return err
}

// Health is why the log can't be sealed now, nil when it can.
func (s *Sealer) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.trouble, s.behind())
}

// behind compares the clock with what was seen. Its caller holds mu.
func (s *Sealer) behind() error {
	if now := s.now(); !s.simulated && now.Add(slack).Before(s.latest) {
		return fmt.Errorf("%w: it says %s, and at %s something was recorded or signed already; nothing is signed until it is right",
			ErrClock, now.UTC().Format(time.RFC3339), s.latest.UTC().Format(time.RFC3339))
	}
	return nil
}

// seen remembers a time that was recorded or signed, and compares the clock with it.
func (s *Sealer) seen(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.After(s.latest) {
		s.latest = at
	}
	return s.behind()
}

// Seal has a checkpoint signed of all that is in the log, and stores it. It gives the latest checkpoint, nil of a log
// without events. It fails with ErrClock, with ErrAnotherKey, and with what matches ledger.ErrFork or ledger.ErrRollback
// when the log does not continue what the signer signed; then nothing was signed.
func (s *Sealer) Seal(ctx context.Context) (*ledger.Note, error) {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	n, err := s.seal(ctx)
	if err != nil {
		err = fmt.Errorf("seal the log: %w", err)
	}
	s.mu.Lock()
	before := s.trouble
	s.trouble = err
	s.mu.Unlock()
	switch {
	case err != nil && ctx.Err() == nil && (before == nil || before.Error() != err.Error()):
		s.log.ErrorContext(ctx, "the log is not sealed", "error", err)
	case err == nil && before != nil:
		s.log.InfoContext(ctx, "the log is sealed again")
	}
	return n, err
}

func (s *Sealer) seal(ctx context.Context) (*ledger.Note, error) {
	key, last, stored, err := s.check(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.seen(time.Time{}); err != nil {
		return nil, err // before a leaf of heads is added for nothing
	}
	// A crash after this line leaves a leaf of heads without a checkpoint; the next sealing has the same tree signed.
	tree, recorded, err := s.ledger.AppendHeads(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.seen(recorded); err != nil {
		return nil, err
	}
	if tree.Size == 0 || stored != nil && stored.Size == tree.Size {
		return stored, nil
	}
	var proof ledger.Proof
	if last != nil {
		if _, proof, err = tree.ProveExtends(last.Size, s.ledger.Hashes(ctx)); err != nil {
			return nil, err
		}
	}
	n, err := s.signer.Sign(ctx, tree, proof)
	if err != nil {
		return nil, err
	}
	if err := signedBy(n, key); err != nil {
		return nil, err
	}
	// A crash before this line leaves a note that only the signer has. It gives it again, or one of a continuation.
	now := s.now()
	if err := s.ledger.AddCheckpoint(ctx, n, now); err != nil {
		return nil, err
	}
	return n, s.seen(now)
}

// BeginAnew has the log signed by a new signer, whose first checkpoint this is. It is for a log whose signer will never sign
// it again, because the newest copy of the store is lost for good. Nobody who kept a checkpoint of before can be shown that
// the log continues it: witnesses and policies get the new key, and must be told why.
func BeginAnew(ctx context.Context, l interface {
	Ledger
	RepeatHeads(ctx context.Context) (tree ledger.Tree, recorded time.Time, err error)
}, signer Signer, now time.Time) (*ledger.Note, error) {
	const doing = "begin anew with another signer"
	if last, err := signer.Last(ctx); err != nil || last != nil {
		if err == nil {
			err = fmt.Errorf("the signer has signed %d leaves before, expected a new one", last.Size)
		}
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	tree, _, err := l.RepeatHeads(ctx)
	if err == nil && tree.Size == 0 {
		err = errors.New("the log is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	n, err := signer.Sign(ctx, tree, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	// A crash before this line leaves a signer that has signed: another new one is then needed.
	return n, l.AddCheckpoint(ctx, n, now)
}

// Check says whether the log continues what the signer signed, and writes nothing.
func (s *Sealer) Check(ctx context.Context) error {
	_, _, _, err := s.check(ctx)
	return err
}

// check compares the log with the signer's record and the signer's key with the stored checkpoints.
func (s *Sealer) check(ctx context.Context) (key ledger.Key, last, stored *ledger.Note, err error) {
	if key, err = s.signer.Key(ctx); err != nil {
		return key, nil, nil, err
	}
	if last, err = s.signer.Last(ctx); err != nil {
		return key, nil, nil, err
	}
	if last != nil {
		if err := s.continues(ctx, last); err != nil {
			return key, nil, nil, err
		}
	}
	kept, found, err := s.ledger.CheckpointUpTo(ctx, ledger.MaxSize, false)
	if err != nil || !found {
		return key, last, nil, err
	}
	if stored, err = ledger.ParseNote(kept.Note); err != nil {
		return key, nil, nil, fmt.Errorf("read the last checkpoint: %w", err)
	}
	if err := signedBy(stored, key); err != nil {
		return key, nil, nil, fmt.Errorf("%w (%s), the signer's is %s: the directory of keys is not the one that belongs to this store", ErrAnotherKey, stored.Origin, key.Name())
	}
	if last == nil || last.Size < stored.Size {
		return key, nil, nil, fmt.Errorf("%w: the store has a checkpoint of %d leaves, the signer's record ends before: the directory of keys is an older copy",
			ledger.ErrRollback, stored.Size)
	}
	return key, last, stored, s.seen(kept.SignedAt)
}

// continues checks that the log begins with the tree that was signed last.
func (s *Sealer) continues(ctx context.Context, last *ledger.Note) error {
	tree, err := s.ledger.Tree(ctx)
	if err != nil {
		return err
	}
	const why = "an older copy of the store was put back, or another store uses these keys. Put the newest copy back; nothing is signed until then"
	if tree.Size < last.Size {
		return &ledger.ForkError{Before: last, Asked: ledger.Checkpoint{Origin: last.Origin, Tree: tree}, Reason: fmt.Errorf("%w: %s", ledger.ErrRollback, why)}
	}
	old, _, err := tree.ProveExtends(last.Size, s.ledger.Hashes(ctx))
	if err != nil {
		return err
	}
	if old.Root != last.Root {
		return &ledger.ForkError{Before: last, Asked: ledger.Checkpoint{Origin: last.Origin, Tree: old}, Reason: fmt.Errorf("%w: %s", ledger.ErrFork, why)}
	}
	return nil
}

func signedBy(n *ledger.Note, key ledger.Key) error {
	_, signed, err := key.Signed(n)
	if err == nil && (!signed || n.Origin != key.Name()) {
		err = fmt.Errorf("%w: it is not by %s", ledger.ErrSignature, key.Name())
	}
	return err
}
