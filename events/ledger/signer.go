package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Record is where a signer or a witness remembers the last note that it signed, apart from the log.
type Record interface {
	// Last is the note that was kept last, nil when there is none yet. A record that can't be read is an error,
	// never nil.
	Last(ctx context.Context) (*Note, error)
	// Keep replaces the note. When it returns without error the note is durable.
	Keep(ctx context.Context, n *Note) error
}

// ForkError says that two signed or asked-for states of one log can't both be true. It matches ErrFork, or ErrRollback
// when the second is only shorter. With the notes of both it accuses by itself: whoever has the log's key can check it.
type ForkError struct {
	Before *Note      // what was signed before
	Asked  Checkpoint // what should be signed now
	Note   *Note      // Asked as the log signed it, nil where it is not signed
	Reason error
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("%s: signed before: %d leaves, root %v; now: %d leaves, root %v", e.Reason, e.Before.Size, e.Before.Root, e.Asked.Size, e.Asked.Root)
}

// Unwrap makes the error match ErrFork or ErrRollback.
func (e *ForkError) Unwrap() error { return e.Reason }

// Signer signs a log's checkpoints, each a continuation of the last one in its own record, so that no fork of the log
// can ever get a signature: not from a restored older database either. Its methods are safe for concurrent use.
type Signer struct {
	mu     sync.Mutex
	key    note.Signer
	record Record
}

// NewSigner makes a signer of a log's private key (note.NewSigner reads it) and its record. The key's name is the
// origin of the checkpoints.
func NewSigner(key note.Signer, record Record) *Signer { return &Signer{key: key, record: record} }

// Last is the note that it signed last, nil before the first.
func (s *Signer) Last(ctx context.Context) (*Note, error) { return s.record.Last(ctx) }

// Sign signs the tree. The proof shows that it continues the tree of Last. Signing the same tree again gives the same
// note. A tree that is no continuation is a *ForkError, and nothing is signed.
func (s *Signer) Sign(ctx context.Context, t Tree, proof Proof) (*Note, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.record.Last(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what was signed last: %w", err)
	}
	asked := Checkpoint{Origin: s.key.Name(), Tree: t}
	if last != nil {
		if last.Origin != asked.Origin {
			return nil, fmt.Errorf("%w: the record is of %s, the key of %s", ErrFormat, last.Origin, asked.Origin)
		}
		if err := t.Extends(last.Tree, proof); err != nil {
			return nil, &ForkError{Before: last, Asked: asked, Reason: err}
		}
		if t == last.Tree {
			return last, nil
		}
	}
	n, err := Sign(t, s.key)
	if err != nil {
		return nil, err
	}
	// A crash after this line leaves a note that nobody has seen; the next Sign starts from it, or gives it again.
	if err := s.record.Keep(ctx, n); err != nil {
		return nil, fmt.Errorf("keep what was signed: %w", err)
	}
	return n, nil
}

// Witness cosigns one log's checkpoints, each a continuation of the last one in its own record. Its methods are safe
// for concurrent use.
type Witness struct {
	mu     sync.Mutex
	log    Key
	key    *Cosigner
	record Record
}

// NewWitness makes a witness of the log that signs with this key.
func NewWitness(log Key, key *Cosigner, record Record) *Witness {
	return &Witness{log: log, key: key, record: record}
}

// Last is the note that it cosigned last, nil before the first: a proof starts from there.
func (w *Witness) Last(ctx context.Context) (*Note, error) { return w.record.Last(ctx) }

// Cosign checks that the note is signed by the log and continues the last one, keeps it, and adds the cosignature.
// Cosigning the same tree again gives a new time. It fails with ErrSignature, or with a *ForkError that holds both
// notes; then nothing is signed.
func (w *Witness) Cosign(ctx context.Context, n *Note, proof Proof, now time.Time) (*Note, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.Origin != w.log.Name() {
		return nil, fmt.Errorf("%w: it is of %s, expected %s", ErrSignature, n.Origin, w.log.Name())
	}
	if _, signed, err := w.log.Signed(n); err != nil || !signed {
		return nil, fmt.Errorf("%w: it is not signed by %s", ErrSignature, w.log.Name())
	}
	last, err := w.record.Last(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what was cosigned last: %w", err)
	}
	if last != nil {
		if err := n.Extends(last.Tree, proof); err != nil {
			return nil, &ForkError{Before: last, Asked: n.Checkpoint, Note: n, Reason: err}
		}
	}
	cosigned := n.With(w.key.Cosign(n.Checkpoint, now))
	// A crash after this line leaves a cosignature that nobody has seen; the next one starts from the same tree.
	if err := w.record.Keep(ctx, cosigned); err != nil {
		return nil, fmt.Errorf("keep what was cosigned: %w", err)
	}
	return cosigned, nil
}
