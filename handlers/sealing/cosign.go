package sealing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"traga.internal/events/ledger"
)

// ErrNotAccepted: none of the cosignatures is one that the log takes.
var ErrNotAccepted = errors.New("no cosignature was accepted")

// Latest is the latest checkpoint with its cosignatures. It fails with ledger.ErrNoCheckpoint.
func Latest(ctx context.Context, l Ledger) (*ledger.Note, time.Time, error) {
	c, found, err := l.CheckpointUpTo(ctx, ledger.MaxSize, false)
	if err != nil {
		return nil, time.Time{}, err
	}
	if !found {
		return nil, time.Time{}, ledger.ErrNoCheckpoint
	}
	n, err := ledger.ParseNote(c.Note)
	return n, c.SignedAt, err
}

// Since is the latest checkpoint with the proof that it continues the first old leaves. It fails with ledger.ErrNoCheckpoint,
// and with ledger.ErrRollback when the checkpoint has fewer leaves.
func Since(ctx context.Context, l Ledger, old int64) (*ledger.Extension, error) {
	n, _, err := Latest(ctx, l)
	if err != nil {
		return nil, err
	}
	if old > n.Size {
		return nil, fmt.Errorf("%w: the latest checkpoint has %d leaves, asked was since %d", ledger.ErrRollback, n.Size, old)
	}
	_, proof, err := n.Tree.ProveExtends(old, l.Hashes(ctx))
	return &ledger.Extension{Old: old, Proof: proof, Note: n}, err
}

// AddCosignatures stores the cosignatures under a note that are by witnesses of the policy, and gives their names. It
// fails with ErrNotAccepted when there is none, with ledger.ErrSignature when one does not hold, and when the log never
// signed this checkpoint.
func AddCosignatures(ctx context.Context, l Ledger, p *ledger.Policy, n *ledger.Note) ([]string, error) {
	if p == nil {
		return nil, fmt.Errorf("%w: no policy names the witnesses (setting policy)", ErrNotAccepted)
	}
	names := []string{}
	type cosignature struct {
		ledger.Signature
		at time.Time
	}
	var list []cosignature
	for _, s := range n.Signatures {
		name, key, known := p.Witness(s)
		if !known {
			continue
		}
		at, _, err := key.Signed(n)
		if err != nil {
			return nil, err
		}
		names, list = append(names, name), append(list, cosignature{s, at})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: none is by a witness that the policy names", ErrNotAccepted)
	}
	for _, c := range list {
		if err := l.AddCosignature(ctx, n.Checkpoint, c.Signature, c.at); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// Status is what is known of the log's seals.
type Status struct {
	Size     int64
	SignedAt time.Time
	Lag      int64                // leaves that the latest checkpoint does not have
	Cosigned map[string]time.Time // when each witness of the policy last cosigned, by its own clock; never: not there
}

// Status is that of now. Of a log that was never sealed Size and SignedAt are zero.
func (s *Sealer) Status(ctx context.Context) (Status, error) {
	n, at, err := Latest(ctx, s.ledger)
	if errors.Is(err, ledger.ErrNoCheckpoint) {
		n, err = &ledger.Note{}, nil
	}
	if err != nil {
		return Status{}, err
	}
	tree, err := s.ledger.Tree(ctx)
	if err != nil {
		return Status{}, err
	}
	status := Status{Size: n.Size, SignedAt: at, Lag: tree.Size - n.Size, Cosigned: map[string]time.Time{}}
	if s.policy == nil {
		return status, nil
	}
	for _, key := range s.policy.Witnesses() {
		at, err := s.ledger.CosignedAt(ctx, key.Name())
		if err != nil {
			return Status{}, err
		}
		if !at.IsZero() {
			status.Cosigned[key.Name()] = at
		}
	}
	return status, nil
}
