package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/internal/treefile"
	"traga.internal/events/ledger"
)

// ErrNoLedger is the error of asking for the ledger of a store that was made before there was one, and has not been
// opened for writing since.
var ErrNoLedger = errors.New("this store has no ledger yet; opening it for writing makes one")

// Ledger is the ledger of a store: see package events/ledger. Places and sizes count leaves, those of heads included,
// places from 0. The tree always has the leaves of all events in the log. It is safe for concurrent use, and usable
// until the store is closed.
type Ledger struct {
	store *Store
	rows  *ledgerRows
}

// Leaf is a leaf of the ledger with what it was made from.
type Leaf = treefile.Leaf

// Ledger is the store's ledger, or fails with ErrNoLedger.
func (s *Store) Ledger() (*Ledger, error) {
	if s.reader.ledger == nil {
		return nil, ErrNoLedger
	}
	return &Ledger{store: s, rows: s.reader.ledger}, nil
}

// Tree is the tree of all leaves.
func (l *Ledger) Tree(ctx context.Context) (ledger.Tree, error) {
	size, err := l.rows.tables.Size(ctx)
	if err != nil {
		return ledger.Tree{}, l.store.explain(ctx, "find the end of the ledger", err)
	}
	return l.TreeAt(ctx, size)
}

// TreeAt is the tree of the first leaves, so many of them.
func (l *Ledger) TreeAt(ctx context.Context, size int64) (ledger.Tree, error) {
	root, err := tlog.TreeHash(size, l.Hashes(ctx))
	return ledger.Tree{Size: size, Root: root}, l.store.explain(ctx, "read the ledger's root", err)
}

// Hashes reads the tree's hashes, for proofs, within ctx. It is for one goroutine.
func (l *Ledger) Hashes(ctx context.Context) tlog.HashReader { return l.rows.tables.Hashes(ctx) }

// Place is where the leaf of the event at a position stands.
func (l *Ledger) Place(ctx context.Context, p events.Position) (int64, error) {
	place, err := l.rows.tables.Place(ctx, p.Commit)
	return place, l.store.explain(ctx, "find an event in the ledger", err)
}

// Leaves yields the leaves from one place up to another, which is not included. It compares nothing: whether the leaf
// that follows from an event is the one in the tree, its reader checks. A yielded error is terminal.
func (l *Ledger) Leaves(ctx context.Context, from, to int64) iter.Seq2[Leaf, error] {
	return l.explained(ctx, "read the ledger", l.rows.leaves(ctx, from, to))
}

// Originals yields the log's events in order, after a position. A yielded error is terminal.
func (s *Store) Originals(ctx context.Context, after events.Position) iter.Seq2[events.Original, error] {
	return func(yield func(events.Original, error) bool) {
		l, err := s.Ledger()
		var from int64
		if err == nil && after != events.Start {
			from, err = l.Place(ctx, after)
			from++
		}
		var tree ledger.Tree
		if err == nil {
			tree, err = l.Tree(ctx)
		}
		if err != nil {
			yield(events.Original{}, err)
			return
		}
		for leaf, err := range l.Leaves(ctx, from, tree.Size) {
			if err == nil && leaf.Event.ID == uuid.Nil {
				continue // heads
			}
			if !yield(events.Original{Recorded: leaf.Event, Tag: leaf.Tag}, err) || err != nil {
				return
			}
		}
	}
}

// StreamLeaves yields the leaves of a stream's events in order, from a revision on, as Leaves does.
func (l *Ledger) StreamLeaves(ctx context.Context, stream string, from uint64) iter.Seq2[Leaf, error] {
	return l.explained(ctx, "read a stream in the ledger", l.rows.streamLeaves(ctx, stream, from))
}

func (l *Ledger) explained(ctx context.Context, doing string, leaves iter.Seq2[Leaf, error]) iter.Seq2[Leaf, error] {
	return func(yield func(Leaf, error) bool) {
		for leaf, err := range leaves {
			if err == nil {
				err = context.Cause(ctx)
			}
			if !yield(leaf, l.store.explain(ctx, doing, err)) || err != nil {
				return
			}
		}
	}
}

// Heads is the map of the ends of all streams in the first leaves, so many of them. Its cost is that of looking at
// each stream.
func (l *Ledger) Heads(ctx context.Context, size int64) (*ledger.HeadMap, error) {
	upTo, err := l.rows.eventsIn(ctx, size)
	if err != nil {
		return nil, l.store.explain(ctx, "read the ends of the streams", err)
	}
	m, err := l.rows.heads(ctx, upTo)
	return m, l.store.explain(ctx, "read the ends of the streams", err)
}

// NextHeads is the place of the first leaf of heads at a place or after it, and how many events' leaves stand before it.
// found is false when there is none.
func (l *Ledger) NextHeads(ctx context.Context, place int64) (at int64, before uint64, found bool, err error) {
	const doing = "find a leaf of heads"
	at, _, found, err = l.rows.tables.NextHeads(ctx, place)
	if err == nil && found {
		before, err = l.rows.eventsIn(ctx, at)
	}
	return at, before, found, l.store.explain(ctx, doing, err)
}

// CheckpointUpTo is the last checkpoint of at most this size, if cosigned of those that a witness has cosigned. Of
// ledger.MaxSize it is the latest. found is false when there is none.
func (l *Ledger) CheckpointUpTo(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error) {
	c, found, err = l.rows.tables.CheckpointUpTo(ctx, size, cosigned)
	return c, found, l.store.explain(ctx, "read a checkpoint", err)
}

// CheckpointFrom is the first checkpoint of at least this size, if cosigned of those that a witness has cosigned.
func (l *Ledger) CheckpointFrom(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error) {
	c, found, err = l.rows.tables.CheckpointFrom(ctx, size, cosigned)
	return c, found, l.store.explain(ctx, "read a checkpoint", err)
}

// CosignedAt is when the witness whose key has this name last cosigned, by its own clock; the zero time if never.
func (l *Ledger) CosignedAt(ctx context.Context, witness string) (time.Time, error) {
	at, err := l.rows.tables.CosignedAt(ctx, witness)
	return at, l.store.explain(ctx, "read a cosignature", err)
}

// AppendHeads ends the log with a leaf of heads, unless it ends with one or has no event, and gives the tree. recorded
// is when the last event was recorded.
func (l *Ledger) AppendHeads(ctx context.Context) (tree ledger.Tree, recorded time.Time, err error) {
	return l.appendHeads(ctx, false)
}

// RepeatHeads does so even where the log ends with a leaf of heads: a checkpoint by another key needs a size of its own.
func (l *Ledger) RepeatHeads(ctx context.Context) (tree ledger.Tree, recorded time.Time, err error) {
	return l.appendHeads(ctx, true)
}

func (l *Ledger) appendHeads(ctx context.Context, again bool) (tree ledger.Tree, recorded time.Time, err error) {
	err = l.write(ctx, "end the ledger with its heads", func(ctx context.Context, w *writer) error {
		if w.head > w.headsAfter || again && w.head > 0 {
			if err := w.appendHeads(ctx); err != nil {
				return err
			}
		}
		tree, recorded = w.edge.Tree(), w.recordedAt
		return nil
	})
	return tree, recorded, err
}

// AddCheckpoint stores a signed checkpoint of the tree or of its beginning. It fails with ledger.ErrFork when it is of
// another tree, and does nothing when there is one of its size.
func (l *Ledger) AddCheckpoint(ctx context.Context, n *ledger.Note, signedAt time.Time) error {
	const doing = "store a checkpoint"
	tree, err := l.Tree(ctx)
	if err != nil {
		return err
	}
	if err := tree.Began(n.Tree, l.Hashes(ctx)); err != nil {
		return l.store.explain(ctx, doing, err)
	}
	return l.write(ctx, doing, func(ctx context.Context, w *writer) error {
		return w.rows.tables.AddCheckpoint(ctx, ledger.SignedCheckpoint{Size: n.Size, SignedAt: signedAt, Note: n.Bytes()})
	})
}

// AddCosignature stores a witness's cosignature, made at a time by its clock, under the checkpoint. Whether it holds,
// the caller has checked. It fails with ledger.ErrNoCheckpoint, and does nothing when it is there already.
func (l *Ledger) AddCosignature(ctx context.Context, c ledger.Checkpoint, s ledger.Signature, at time.Time) error {
	const doing = "store a cosignature"
	stored, found, err := l.CheckpointUpTo(ctx, c.Size, false)
	if err != nil {
		return err
	}
	if !found || stored.Size != c.Size {
		return fmt.Errorf("%s: %w: of %d leaves", doing, ledger.ErrNoCheckpoint, c.Size)
	}
	if err := stored.Holds(c); errors.Is(err, ledger.ErrFormat) {
		return fmt.Errorf("%s: %w", doing, damaged("the checkpoint of %d leaves can't be read", c.Size))
	} else if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return l.write(ctx, doing, func(ctx context.Context, w *writer) error {
		return w.rows.tables.AddCosignature(ctx, c.Size, s.Name, at, []byte(s.Line()))
	})
}

// write runs a task in the writer's next transaction. It returns when that is on disk.
func (l *Ledger) write(ctx context.Context, doing string, run func(context.Context, *writer) error) error {
	w := l.store.writer
	if w == nil {
		return fmt.Errorf("%s: %w", doing, ErrReadOnly)
	}
	_, err := w.ask(ctx, doing, newTask(func(ctx context.Context) error { return explain(doing, run(ctx, w)) }))
	return err
}

// appendHeads adds a leaf of heads to the tree.
func (w *writer) appendHeads(ctx context.Context) error {
	if w.heads == nil {
		if err := w.storeNodes(ctx); err != nil { // the streams' last leaves may be among them
			return err
		}
		heads, err := w.rows.heads(ctx, w.head)
		if err != nil {
			return err
		}
		w.heads = heads
	}
	leaf := w.heads.Leaf()
	b := leaf.Append(nil)
	if err := w.rows.tables.AddHeads(ctx, w.edge.Size(), w.head, b); err != nil {
		return err
	}
	w.nodes = w.edge.Add(w.nodes, tlog.RecordHash(b))
	w.headsAfter = w.head
	return nil
}
