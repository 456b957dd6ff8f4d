package treefile

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events/ledger"
)

// Edge is the right edge of a tree: all that it takes to add a leaf and to know the root. The zero Edge is that of
// the empty tree.
type Edge struct {
	size int64
	full []tlog.Hash // roots of the full subtrees, from left to right, each larger than the next
}

// Size is the number of leaves.
func (e *Edge) Size() int64 { return e.size }

// Place is where the next leaf's hashes are stored, in the order of tlog.StoredHashIndex.
func (e *Edge) Place() int64 { return tlog.StoredHashCount(e.size) }

// Add adds a leaf, and appends to nodes the hashes to be stored for it: its own and those of the subtrees that it
// completes.
func (e *Edge) Add(nodes []byte, leaf tlog.Hash) []byte {
	nodes = append(nodes, leaf[:]...)
	for range bits.TrailingZeros64(^uint64(e.size)) {
		last := len(e.full) - 1
		leaf = tlog.NodeHash(e.full[last], leaf)
		e.full = e.full[:last]
		nodes = append(nodes, leaf[:]...)
	}
	e.full = append(e.full, leaf)
	e.size++
	return nodes
}

// Tree is the tree's size and root.
func (e *Edge) Tree() ledger.Tree {
	if e.size == 0 {
		root, _ := tlog.TreeHash(0, nil) // of the empty tree it asks nothing
		return ledger.Tree{Root: root}
	}
	root := e.full[len(e.full)-1]
	for i := len(e.full) - 2; i >= 0; i-- {
		root = tlog.NodeHash(e.full[i], root)
	}
	return ledger.Tree{Size: e.size, Root: root}
}
