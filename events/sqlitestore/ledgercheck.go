package sqlitestore

import (
	"bytes"
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events/internal/treefile"
	"traga.internal/events/ledger"
)

// check recomputes the whole ledger from the events: every leaf, every hash of the tree, every leaf of heads, and the
// root of every checkpoint. All events up to the head must be in it.
func (r *ledgerRows) check(ctx context.Context, head uint64) error {
	size, err := r.tables.Size(ctx) // asked after the head: what comes later does not matter
	if err != nil {
		return err
	}
	has, err := r.eventsIn(ctx, size)
	if err != nil {
		return err
	}
	if has < head {
		return damaged("the log has %d events, the ledger the leaves of %d", head, has)
	}
	c := ledgerCheck{rows: r, hashes: r.tables.Hashes(ctx), next: map[ledger.Tag]uint64{}}
	if err := c.findCheckpoint(ctx); err != nil {
		return err
	}
	for leaf, err := range r.leaves(ctx, 0, size) {
		if err == nil {
			err = c.leaf(ctx, &leaf)
		}
		if err != nil {
			return err
		}
	}
	if !c.found {
		return nil
	}
	// It may have come since, with its leaves. It is stored after them, so that they are there if it is.
	if size, err = r.tables.Size(ctx); err == nil && c.checkpoint.Size > size {
		return damaged("a checkpoint was signed of %d leaves, and the ledger has %d: its end is missing", c.checkpoint.Size, size)
	}
	return err
}

// ledgerCheck is what a check knows after some leaves.
type ledgerCheck struct {
	rows     *ledgerRows
	hashes   tlog.HashReader
	edge     treefile.Edge
	nodes    []byte
	heads    ledger.HeadMap
	next     map[ledger.Tag]uint64 // the next revision of each stream
	recorded int64                 // microseconds: the latest that an event was recorded

	checkpoint *ledger.Note // the next to come
	found      bool
}

func (c *ledgerCheck) leaf(ctx context.Context, l *Leaf) error {
	hash := tlog.RecordHash(l.Bytes)
	leaf, heads, err := ledger.ParseLeaf(l.Bytes)
	switch {
	case err != nil:
		return damaged("leaf %d can't be read: %v", l.Place, err)
	case heads != nil:
		if *heads != c.heads.Leaf() {
			return damaged("leaf %d does not have the ends of the streams before it", l.Place)
		}
	default:
		if leaf.RecordedAt < c.recorded {
			return damaged("the time goes back at position %s", l.Event.Position)
		}
		if leaf.Revision != c.next[leaf.Tag] {
			return damaged("at position %s a stream goes on with revision %d, expected %d", l.Event.Position, leaf.Revision, c.next[leaf.Tag])
		}
		c.recorded, c.next[leaf.Tag] = leaf.RecordedAt, leaf.Revision+1
		c.heads.Set(ledger.Head{Tag: leaf.Tag, Revision: leaf.Revision, Leaf: hash})
	}
	return c.node(ctx, l, hash)
}

// node compares the hashes that the leaf completes with those stored, and the tree with a checkpoint of its size.
func (c *ledgerCheck) node(ctx context.Context, l *Leaf, hash ledger.Hash) error {
	begin := c.edge.Place()
	c.nodes = c.edge.Add(c.nodes[:0], hash)
	places := make([]int64, len(c.nodes)/len(hash))
	for i := range places {
		places[i] = begin + int64(i)
	}
	stored, err := c.hashes.ReadHashes(places)
	if err != nil {
		return err
	}
	for i, h := range stored {
		if bytes.Equal(h[:], c.nodes[i*len(h):(i+1)*len(h)]) {
			continue
		}
		if i == 0 && l.Event.Position.Commit > 0 {
			return damaged("the event at position %s is not the one in the ledger (leaf %d)", l.Event.Position, l.Place)
		}
		return damaged("the ledger's tree is not that of its leaves at leaf %d", l.Place)
	}
	if c.found && c.checkpoint.Size == c.edge.Size() {
		if c.checkpoint.Root != c.edge.Tree().Root {
			return damaged("the ledger's tree is not the one of which the checkpoint of %d leaves was signed", c.checkpoint.Size)
		}
		return c.findCheckpoint(ctx)
	}
	return nil
}

// findCheckpoint finds the next checkpoint to compare with.
func (c *ledgerCheck) findCheckpoint(ctx context.Context) error {
	stored, found, err := c.rows.tables.CheckpointFrom(ctx, c.edge.Size()+1, false)
	if c.found = found; err != nil || !found {
		return err
	}
	c.checkpoint, err = ledger.ParseNote(stored.Note)
	if err != nil || c.checkpoint.Size != stored.Size {
		return damaged("the checkpoint of %d leaves can't be read", stored.Size)
	}
	return nil
}
