package ledger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Head is the end of a stream.
type Head struct {
	Tag      Tag
	Revision uint64 // of its last event
	Leaf     Hash   // of its last event's leaf
}

// Hash is the head's hash in the map of heads: that of a leaf of RFC 6962, over tag, revision and leaf hash.
func (h Head) Hash() Hash {
	b := append(make([]byte, 0, 56), h.Tag[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Revision)
	return tlog.RecordHash(append(b, h.Leaf[:]...))
}

// HeadMap is the map of heads, ordered by tag, under a Merkle tree. Changing a stream that it has costs the logarithm
// of its size; a new one costs hashing what comes behind it. It is not safe for concurrent use.
type HeadMap struct {
	heads   []Head
	pending map[Tag]Head
	levels  [][]Hash // levels[l][i] is the root over 2^l heads from i·2^l on, where there are as many
}

// Set puts the end of a stream into the map, in place of an earlier one of the same tag.
func (m *HeadMap) Set(h Head) {
	if m.pending == nil {
		m.pending = make(map[Tag]Head)
	}
	m.pending[h.Tag] = h
}

// Leaf is the leaf that commits to the map as it is.
func (m *HeadMap) Leaf() Heads {
	m.settle()
	root, err := tlog.TreeHash(int64(len(m.heads)), m)
	if err != nil {
		panic(err) // ReadHashes below does not fail
	}
	return Heads{Streams: uint64(len(m.heads)), Root: root}
}

// HeadProof shows one stream's end in a map of heads.
type HeadProof struct {
	Head
	Index int64 // its place in the map, from 0
	Proof Proof
}

// Prove shows a stream's end in the map as it is. It fails with ErrNotIncluded for a tag that the map does not have.
func (m *HeadMap) Prove(tag Tag) (HeadProof, error) {
	leaf := m.Leaf()
	i, found := m.find(tag)
	if !found {
		return HeadProof{}, fmt.Errorf("%w: a stream that the map of heads does not have", ErrNotIncluded)
	}
	p, err := tlog.ProveRecord(int64(len(m.heads)), int64(i), m)
	if err != nil {
		return HeadProof{}, err
	}
	proof := HeadProof{Head: m.heads[i], Index: int64(i), Proof: Proof(p)}
	return proof, proof.Check(leaf)
}

// Check checks the proof against the leaf that commits to the map.
func (p *HeadProof) Check(leaf Heads) error {
	if leaf.Streams > MaxSize {
		return fmt.Errorf("%w: a map of %d heads", ErrFormat, leaf.Streams)
	}
	return Tree{Size: int64(leaf.Streams), Root: leaf.Root}.Holds(p.Index, p.Hash(), p.Proof)
}

func (m *HeadMap) find(tag Tag) (int, bool) {
	return slices.BinarySearchFunc(m.heads, tag, func(h Head, t Tag) int { return bytes.Compare(h.Tag[:], t[:]) })
}

// settle merges what is pending, and computes anew the hashes over what changed.
func (m *HeadMap) settle() {
	if len(m.pending) == 0 {
		return
	}
	var changed []int // places of heads that were there before
	var added []Head
	for tag, h := range m.pending {
		if i, found := m.find(tag); found {
			m.heads[i] = h
			changed = append(changed, i)
		} else {
			added = append(added, h)
		}
	}
	m.pending = nil
	moved := len(m.heads) // from here on, all places are new
	if len(added) > 0 {
		slices.SortFunc(added, func(a, b Head) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
		moved, _ = m.find(added[0].Tag)
		m.heads = merge(m.heads, added, moved)
	}
	changed = slices.DeleteFunc(changed, func(i int) bool { return i >= moved })
	slices.Sort(changed)
	m.rehash(changed, moved)
}

// merge merges two ordered lists into a; before the place from, none of b belongs.
func merge(a, b []Head, from int) []Head {
	behind := slices.Clone(a[from:])
	a = a[:from]
	for len(behind) > 0 && len(b) > 0 {
		if bytes.Compare(behind[0].Tag[:], b[0].Tag[:]) < 0 {
			a, behind = append(a, behind[0]), behind[1:]
		} else {
			a, b = append(a, b[0]), b[1:]
		}
	}
	return append(append(a, behind...), b...)
}

// rehash computes the hashes over the changed places, and over all places from moved on.
func (m *HeadMap) rehash(changed []int, moved int) {
	for level := 0; len(m.heads)>>level > 0; level++ {
		if level == len(m.levels) {
			m.levels = append(m.levels, nil)
		}
		hashes := m.levels[level][:min(moved>>level, len(m.levels[level]))]
		compute := func(i int) Hash {
			if level == 0 {
				return m.heads[i].Hash()
			}
			return tlog.NodeHash(m.levels[level-1][2*i], m.levels[level-1][2*i+1])
		}
		last := -1
		for _, place := range changed {
			if i := place >> level; i != last && i < len(hashes) {
				hashes[i] = compute(i)
				last = i
			}
		}
		for i := len(hashes); i < len(m.heads)>>level; i++ {
			hashes = append(hashes, compute(i))
		}
		m.levels[level] = hashes
	}
}

// ReadHashes makes the map a tlog.HashReader.
func (m *HeadMap) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		hashes[i] = m.levels[level][n]
	}
	return hashes, nil
}
