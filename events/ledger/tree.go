package ledger

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize is the largest number of leaves that is believed: the arithmetic of tlog does not end on absurd ones.
const MaxSize = 1 << 40

// Tree is a state of the log: how many leaves it has, and the root over them.
type Tree struct {
	Size int64
	Root Hash
}

// Proof is a path of hashes in a tree: of one leaf's inclusion, or of a tree being the beginning of another.
type Proof []Hash

// maxProof is the length of the longest proof in a tree of MaxSize.
const maxProof = 64

// Errors of comparing two states of one log.
var (
	// ErrRollback: the state is shorter than one that was seen before.
	ErrRollback = errors.New("the log is shorter than it was")
	// ErrFork: the state does not continue one that was seen before.
	ErrFork = errors.New("the log does not continue what it was")
)

// Extends checks that t continues old: the proof shows that old's leaves are the first leaves of t. It fails with
// ErrRollback when t is shorter, with ErrFork when it is another log or the proof does not show it.
func (t Tree) Extends(old Tree, proof Proof) error {
	switch {
	case t.Size < 0 || t.Size > MaxSize || old.Size < 0 || old.Size > MaxSize:
		return fmt.Errorf("%w: a tree of %d leaves", ErrFormat, max(t.Size, old.Size))
	case t.Size < old.Size:
		return fmt.Errorf("%w: %d leaves now, %d before", ErrRollback, t.Size, old.Size)
	case t.Size == old.Size && t.Root != old.Root:
		return fmt.Errorf("%w: two roots over the same %d leaves", ErrFork, t.Size)
	case old.Size == 0 || t.Size == old.Size:
		if len(proof) != 0 {
			return fmt.Errorf("%w: a proof where none is needed", ErrFormat)
		}
		return nil
	}
	if err := tlog.CheckTree(tlog.TreeProof(proof), t.Size, t.Root, old.Size, old.Root); err != nil {
		return fmt.Errorf("%w: the first %d of its %d leaves are not shown to be the same", ErrFork, old.Size, t.Size)
	}
	return nil
}

// ErrNotIncluded is matched by the error of a leaf that is not shown to be in a tree.
var ErrNotIncluded = errors.New("not shown to be in the tree")

// Holds checks that the leaf with this hash stands at this index in t, counted from 0.
func (t Tree) Holds(index int64, leaf Hash, proof Proof) error {
	if t.Size < 0 || t.Size > MaxSize || index < 0 || index >= t.Size {
		return fmt.Errorf("%w: leaf %d of %d", ErrNotIncluded, index, t.Size)
	}
	if err := tlog.CheckRecord(tlog.RecordProof(proof), t.Size, t.Root, index, leaf); err != nil {
		return fmt.Errorf("%w: leaf %d of %d", ErrNotIncluded, index, t.Size)
	}
	return nil
}

// ProveExtends makes the proof that t continues its own first size leaves, and checks it before it is handed out.
// old is the state that it starts from.
func (t Tree) ProveExtends(size int64, r tlog.HashReader) (old Tree, proof Proof, err error) {
	if size < 0 || size > t.Size || t.Size > MaxSize {
		return Tree{}, nil, fmt.Errorf("%w: the first %d of %d leaves", ErrFormat, size, t.Size)
	}
	root, err := tlog.TreeHash(size, r)
	if err != nil {
		return Tree{}, nil, err
	}
	old = Tree{Size: size, Root: root}
	if size > 0 && size < t.Size {
		p, err := tlog.ProveTree(t.Size, size, r)
		if err != nil {
			return Tree{}, nil, err
		}
		proof = Proof(p)
	}
	return old, proof, t.Extends(old, proof)
}

// Began checks that t was once old: that its own first leaves have that root. It fails with ErrFork when they have another.
func (t Tree) Began(old Tree, r tlog.HashReader) error {
	was, _, err := t.ProveExtends(old.Size, r)
	if err == nil && was.Root != old.Root {
		err = ErrFork
	}
	return err
}

// ProveHolds makes the proof that the leaf with this hash stands at this index in t, and checks it before it is
// handed out.
func (t Tree) ProveHolds(index int64, leaf Hash, r tlog.HashReader) (Proof, error) {
	if index < 0 || index >= t.Size || t.Size > MaxSize {
		return nil, fmt.Errorf("%w: leaf %d of %d", ErrNotIncluded, index, t.Size)
	}
	p, err := tlog.ProveRecord(t.Size, index, r)
	if err != nil {
		return nil, err
	}
	return Proof(p), t.Holds(index, leaf, Proof(p))
}
