package storecopy

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"traga.internal/events/ledger"
)

// Ledger is what is copied of a store's ledger beside the leaves of events, which follow from the log.
type Ledger interface {
	Tree(ctx context.Context) (ledger.Tree, error)
	TreeAt(ctx context.Context, size int64) (ledger.Tree, error)
	// NextHeads is the first leaf of heads at a place or after it, and how many events stand before it.
	NextHeads(ctx context.Context, place int64) (at int64, before uint64, found bool, err error)
	AppendHeads(ctx context.Context) (tree ledger.Tree, recorded time.Time, err error)
	CheckpointFrom(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error)
	AddCheckpoint(ctx context.Context, n *ledger.Note, signedAt time.Time) error
	AddCosignature(ctx context.Context, c ledger.Checkpoint, s ledger.Signature, at time.Time) error
}

// Seals are the ledgers of the two stores.
type Seals struct {
	From, To Ledger
}

// headsCopy puts leaves of heads where they stand in the source. A nil one puts none.
type headsCopy struct {
	seals  *Seals
	place  int64 // of the next in the source
	before int   // events before it
	found  bool
}

// begin finds the first leaf of heads that the target lacks.
func (s *Seals) begin(ctx context.Context) (*headsCopy, error) {
	if s == nil {
		return nil, nil
	}
	h := &headsCopy{seals: s}
	for {
		at, _, found, err := s.To.NextHeads(ctx, h.place)
		if err != nil {
			return nil, fmt.Errorf("read the ledger that is copied to: %w", err)
		}
		if !found {
			return h, h.next(ctx)
		}
		h.place = at + 1
	}
}

func (h *headsCopy) next(ctx context.Context) error {
	at, before, found, err := h.seals.From.NextHeads(ctx, h.place)
	if err != nil {
		return fmt.Errorf("read the ledger that is copied: %w", err)
	}
	h.place, h.before, h.found = at, int(before), found
	return nil
}

// due reports whether a leaf of heads stands after so many events.
func (h *headsCopy) due(events int) bool { return h != nil && h.found && h.before == events }

// add puts it there. It follows from the events before it, so that a tree of another size is another log's.
func (h *headsCopy) add(ctx context.Context) error {
	tree, _, err := h.seals.To.AppendHeads(ctx)
	if err != nil {
		return fmt.Errorf("copy the ledger: %w", err)
	}
	if tree.Size != h.place+1 {
		return &DifferenceError{Event: h.before, What: "place in the ledger"}
	}
	h.place++
	return h.next(ctx)
}

// finish copies the checkpoints, when the trees are the same.
func (s *Seals) finish(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if f, ok := s.To.(interface{ Follow(context.Context) error }); ok {
		if err := f.Follow(ctx); err != nil {
			return err
		}
	}
	want, err := s.From.Tree(ctx)
	if err != nil {
		return err
	}
	got, err := s.To.Tree(ctx)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%w: of %d leaves the one ledger has another root than the other, which has %d", ErrDiffers, got.Size, want.Size)
	}
	for size := int64(1); ; {
		c, found, err := s.From.CheckpointFrom(ctx, size, false)
		if err != nil || !found {
			return err
		}
		size = c.Size + 1
		n, err := ledger.ParseNote(c.Note)
		if err != nil {
			return fmt.Errorf("read the checkpoint of %d leaves: %w", c.Size, err)
		}
		signed := *n
		signed.Signatures = slices.DeleteFunc(slices.Clone(n.Signatures), func(g ledger.Signature) bool { return g.Name != n.Origin })
		if err := s.To.AddCheckpoint(ctx, &signed, c.SignedAt); err != nil {
			return err
		}
		for _, g := range n.Signatures {
			if g.Name == n.Origin || len(g.Bytes) < 8 {
				continue
			}
			// C2SP tlog-cosignature: the time of the witness, in seconds, stands before the signature.
			at := time.Unix(int64(binary.BigEndian.Uint64(g.Bytes)), 0)
			if err := s.To.AddCosignature(ctx, n.Checkpoint, g, at); err != nil {
				return err
			}
		}
	}
}
