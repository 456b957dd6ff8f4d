package esdbstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/internal/treefile"
	"traga.internal/events/ledger"
)

// ErrNoLedger: the store was opened without WithLedger.
var ErrNoLedger = errors.New("this node does not keep the ledger of the cluster")

// HaltError says where the log is not what the ledger says that it must be. The ledger goes no further; nothing after
// that place is sealed. It matches events.ErrDamaged.
type HaltError struct {
	Position events.Position
	Event    uuid.UUID // the event there; nil where none is
	Reason   string
}

func (e *HaltError) Error() string {
	return fmt.Sprintf("the ledger has stopped at position %s, event %s: %s", e.Position, e.Event, e.Reason)
}

// Is makes errors.Is(err, events.ErrDamaged) true.
func (e *HaltError) Is(target error) bool { return target == events.ErrDamaged }

// Ledger is the ledger of a cluster: see package events/ledger. The writers made the leaves; it follows the log, checks
// that each event links to the one before it in its stream, and makes the tree. At the first event that does not fit it
// stops (see Err): then someone wrote to the database who is not traga, or the database lost events.
//
// What is stored and not followed yet is in no tree, so that stored and sealed are told apart: an event is sealed by a
// checkpoint of a tree that has its leaf. The file is not disposable: leaves of heads and checkpoints are nowhere else.
// One node of a cluster keeps it. It is safe for concurrent use.
type Ledger struct {
	store *Store

	following sync.Mutex // held by the one that goes on
	file      *ledgerFile
	verified  bool // the log is the one that the file is of

	mu   sync.Mutex
	halt error
}

// Ledger is the cluster's ledger, if this node keeps it: else ErrNoLedger.
func (s *Store) Ledger() (*Ledger, error) {
	if s.ledger == nil {
		return nil, ErrNoLedger
	}
	return s.ledger, nil
}

// Err is why the ledger has stopped: a *HaltError, or nil. A restart looks again.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.halt
}

// run follows the log until ctx ends or the ledger stops.
func (l *Ledger) run(ctx context.Context) {
	for ctx.Err() == nil {
		at, err := l.catchUp(ctx)
		switch {
		case l.Err() != nil:
			return
		case err != nil:
			pause(ctx, beat)
			continue
		}
		select {
		case <-l.store.Changed(at):
		case <-ctx.Done():
		}
	}
}

// catchUp brings the tree to the log's end.
func (l *Ledger) catchUp(ctx context.Context) (events.Position, error) {
	l.following.Lock()
	defer l.following.Unlock()
	if err := l.Err(); err != nil {
		return events.Start, err
	}
	f := l.file
	if !f.loaded {
		if err := f.load(ctx); err != nil {
			return events.Start, err
		}
	}
	if !l.verified && f.at != events.Start {
		holds, err := l.store.Holds(ctx, f.at, f.there)
		if err != nil {
			return f.at, err
		}
		if !holds {
			return f.at, l.stop(&HaltError{f.at, f.there, "this event is not there any more: the log has lost its end, or is another one"})
		}
	}
	l.verified = true
	for more := true; more; {
		var list []followed
		p, err := l.store.readAll(ctx, f.at, pageEvents, events.Filter{}, func(r *events.Recorded, at link) error {
			list = append(list, followed{*r, at})
			return nil
		})
		if errors.Is(err, events.ErrDamaged) {
			return f.at, l.stop(&HaltError{f.at, f.there, "after it: " + err.Error()})
		}
		if err != nil {
			return f.at, err
		}
		more = p.More
		if p.Scanned == f.at {
			break
		}
		if err := l.take(ctx, list, p); err != nil {
			return f.at, err
		}
	}
	return f.at, l.Err()
}

// followed is an event with its place in the ledger, as the log has it.
type followed struct {
	events.Recorded
	link link
}

// take adds a page to the tree, up to the first event that does not fit.
func (l *Ledger) take(ctx context.Context, list []followed, p events.Page) error {
	f := l.file
	var halt *HaltError
	err := f.transact(ctx, func() error {
		last, id := f.at, f.there
		for i := range list {
			r := &list[i].Recorded
			err := f.add(ctx, r, list[i].link)
			var trouble *fileError
			if errors.As(err, &trouble) {
				return err
			}
			if err != nil {
				halt = &HaltError{r.Position, r.ID, err.Error()}
				return f.reach(ctx, last, id)
			}
			last, id = r.Position, r.ID
		}
		return f.reach(ctx, p.Scanned, p.ScannedID)
	})
	if err == nil && halt != nil {
		return l.stop(halt)
	}
	return err
}

func (l *Ledger) stop(err *HaltError) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halt = err
	return err
}

// Tree is the tree of all leaves.
func (l *Ledger) Tree(ctx context.Context) (ledger.Tree, error) {
	size, err := l.file.read.Size(ctx)
	if err != nil {
		return ledger.Tree{}, named("find the end of the ledger", err)
	}
	return l.TreeAt(ctx, size)
}

// TreeAt is the tree of the first leaves, so many of them.
func (l *Ledger) TreeAt(ctx context.Context, size int64) (ledger.Tree, error) {
	root, err := tlog.TreeHash(size, l.Hashes(ctx))
	return ledger.Tree{Size: size, Root: root}, named("read the ledger's root", err)
}

// Hashes reads the tree's hashes, for proofs, within ctx. It is for one goroutine.
func (l *Ledger) Hashes(ctx context.Context) tlog.HashReader { return l.file.read.Hashes(ctx) }

// Place is where the leaf of the event at a position stands. It fails with ledger.ErrNotIncluded for an event that is
// stored but not followed yet.
func (l *Ledger) Place(ctx context.Context, p events.Position) (int64, error) {
	const doing = "find an event in the ledger"
	var number uint64
	err := l.file.db.QueryRowContext(ctx, "SELECT number FROM entries WHERE commit_pos = ? AND prepare_pos = ?", int64(p.Commit), int64(p.Prepare)).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("%s: %w: no leaf is of an event at position %s", doing, ledger.ErrNotIncluded, p)
	}
	if err != nil {
		return 0, named(doing, err)
	}
	place, err := l.file.read.Place(ctx, number)
	return place, named(doing, err)
}

// Leaves yields the leaves from one place up to another, which is not included. It compares nothing: whether the leaf
// that follows from an event is the one in the tree, its reader checks. A yielded error is terminal.
func (l *Ledger) Leaves(ctx context.Context, from, to int64) iter.Seq2[treefile.Leaf, error] {
	return func(yield func(treefile.Leaf, error) bool) {
		if err := l.leaves(ctx, from, to, func(leaf treefile.Leaf) bool { return yield(leaf, nil) }); err != nil {
			yield(treefile.Leaf{}, named("read the ledger", err))
		}
	}
}

func (l *Ledger) leaves(ctx context.Context, from, to int64, yield func(treefile.Leaf) bool) error {
	tables := l.file.read
	size, err := tables.Size(ctx)
	if err != nil {
		return err
	}
	if from < 0 || to > size {
		return fmt.Errorf("%w: leaves %d to %d of %d", ledger.ErrNotIncluded, from, to, size)
	}
	if from >= to {
		return nil
	}
	number := uint64(0) // of the last event before
	if from > 0 {
		if number, err = tables.EventsUpTo(ctx, from-1); err != nil {
			return err
		}
	}
	after, err := l.position(ctx, number)
	if err != nil {
		return err
	}
	hashes := tables.Hashes(ctx)
	heads, leaf, found, err := tables.NextHeads(ctx, from)
	if err != nil {
		return err
	}
	place := from
	// between gives the leaves of heads that stand before the next event's.
	between := func() (bool, error) {
		for found && heads == place && place < to {
			stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, place)})
			if err != nil || !yield(treefile.Leaf{Place: place, Bytes: leaf, Hash: stored[0]}) {
				return false, err
			}
			place++
			if heads, leaf, found, err = tables.NextHeads(ctx, place); err != nil {
				return false, err
			}
		}
		return place < to, nil
	}
	more, err := between()
	for more && err == nil {
		var list []followed
		var p events.Page
		if p, err = l.store.readAll(ctx, after, pageEvents, events.Filter{}, func(r *events.Recorded, at link) error {
			list = append(list, followed{*r, at})
			return nil
		}); err != nil {
			return err
		}
		for i := range list {
			var stored []tlog.Hash
			if stored, err = hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, place)}); err != nil {
				return err
			}
			var one treefile.Leaf
			if one, err = l.leaf(place, stored[0], &list[i]); err != nil || !yield(one) {
				return err
			}
			place++
			if more, err = between(); !more || err != nil {
				return err
			}
		}
		if !p.More && more {
			return damaged(fmt.Errorf("the log ends before the leaf at place %d", place))
		}
		after = p.Scanned
	}
	return err
}

func (l *Ledger) leaf(place int64, stored ledger.Hash, e *followed) (treefile.Leaf, error) {
	leaf, err := ledger.NewLeaf(e.link.tag, e.link.previous, ledger.Entry{ID: e.ID, Revision: e.Revision, Type: e.Type, RecordedAt: e.RecordedAt,
		Metadata: e.Metadata, Data: e.Data})
	if err != nil {
		return treefile.Leaf{}, damaged(fmt.Errorf("the event at position %s: %w", e.Position, err))
	}
	return treefile.Leaf{Place: place, Bytes: leaf.Append(nil), Hash: stored, Event: e.Recorded, Tag: e.link.tag}, nil
}

// position is where the event of a number stands.
func (l *Ledger) position(ctx context.Context, number uint64) (p events.Position, err error) {
	if number == 0 {
		return events.Start, nil
	}
	err = l.file.db.QueryRowContext(ctx, "SELECT commit_pos, prepare_pos FROM entries WHERE number = ?", int64(number)).Scan(&p.Commit, &p.Prepare)
	return p, err
}

// StreamLeaves yields the leaves of a stream's events in order, from a revision on, as Leaves does: those that the ledger
// has.
func (l *Ledger) StreamLeaves(ctx context.Context, stream string, from uint64) iter.Seq2[treefile.Leaf, error] {
	return func(yield func(treefile.Leaf, error) bool) {
		hashes := l.file.read.Hashes(ctx)
		ended := false
		one := func(e *followed) (leaf treefile.Leaf, known bool, err error) {
			place, err := l.Place(ctx, e.Position)
			if errors.Is(err, ledger.ErrNotIncluded) {
				return leaf, false, nil // stored, and not followed yet
			}
			if err != nil {
				return leaf, false, err
			}
			stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, place)})
			if err == nil {
				leaf, err = l.leaf(place, stored[0], e)
			}
			return leaf, true, err
		}
		var failed error
		err := l.store.readStream(ctx, stream, from, func(r events.Recorded, at link) bool {
			leaf, known, err := one(&followed{r, at})
			if err != nil || !known {
				failed = err
				return false
			}
			ended = !yield(leaf, nil)
			return !ended
		})
		if err = errors.Join(err, failed); err != nil && !ended {
			yield(treefile.Leaf{}, named("read a stream in the ledger", err))
		}
	}
}

// Heads is the map of the ends of all streams in the first leaves, so many of them. Its cost is that of looking at each
// stream.
func (l *Ledger) Heads(ctx context.Context, size int64) (*ledger.HeadMap, error) {
	m, err := l.headsIn(ctx, size)
	return m, named("read the ends of the streams", err)
}

func (l *Ledger) headsIn(ctx context.Context, size int64) (*ledger.HeadMap, error) {
	m := &ledger.HeadMap{}
	if size == 0 {
		return m, nil
	}
	upTo, err := l.file.read.EventsUpTo(ctx, size-1)
	if err != nil {
		return nil, err
	}
	rows, err := l.file.db.QueryContext(ctx, `SELECT s.tag, max(e.revision), max(e.number) FROM entries e JOIN streams s ON s.id = e.stream
		WHERE e.number <= ? GROUP BY e.stream ORDER BY 3`, int64(upTo))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	hashes := l.file.read.Hashes(ctx)
	for rows.Next() {
		var tag []byte
		var h ledger.Head
		var number uint64
		if err := rows.Scan(&tag, &h.Revision, &number); err != nil {
			return nil, err
		}
		copy(h.Tag[:], tag)
		place, err := l.file.read.Place(ctx, number)
		if err != nil {
			return nil, err
		}
		found, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, place)})
		if err != nil {
			return nil, err
		}
		h.Leaf = found[0]
		m.Set(h)
	}
	return m, rows.Err()
}

// NextHeads is the place of the first leaf of heads at a place or after it, and how many events' leaves stand before it.
// found is false when there is none.
func (l *Ledger) NextHeads(ctx context.Context, place int64) (at int64, before uint64, found bool, err error) {
	const doing = "find a leaf of heads"
	at, _, found, err = l.file.read.NextHeads(ctx, place)
	if err == nil && found && at > 0 {
		before, err = l.file.read.EventsUpTo(ctx, at-1)
	}
	return at, before, found, named(doing, err)
}

// Follow follows the log to its end. It fails with the *HaltError of a ledger that has stopped.
func (l *Ledger) Follow(ctx context.Context) error {
	_, err := l.catchUp(ctx)
	return named("follow the log", err)
}

// CheckpointUpTo is the last checkpoint of at most this size, if cosigned of those that a witness has cosigned. Of
// ledger.MaxSize it is the latest. found is false when there is none.
func (l *Ledger) CheckpointUpTo(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error) {
	c, found, err = l.file.read.CheckpointUpTo(ctx, size, cosigned)
	return c, found, named("read a checkpoint", err)
}

// CheckpointFrom is the first checkpoint of at least this size, if cosigned of those that a witness has cosigned.
func (l *Ledger) CheckpointFrom(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error) {
	c, found, err = l.file.read.CheckpointFrom(ctx, size, cosigned)
	return c, found, named("read a checkpoint", err)
}

// CosignedAt is when the witness whose key has this name last cosigned, by its own clock; the zero time if never.
func (l *Ledger) CosignedAt(ctx context.Context, witness string) (time.Time, error) {
	at, err := l.file.read.CosignedAt(ctx, witness)
	return at, named("read a cosignature", err)
}

// AppendHeads follows the log to its end, ends the tree with a leaf of heads, unless it ends with one or has no event, and
// gives the tree. recorded is the latest time at which an event was recorded. It fails with the *HaltError of a ledger
// that has stopped.
func (l *Ledger) AppendHeads(ctx context.Context) (tree ledger.Tree, recorded time.Time, err error) {
	const doing = "end the ledger with its heads"
	if _, err := l.catchUp(ctx); err != nil {
		return tree, recorded, named(doing, err)
	}
	l.following.Lock()
	defer l.following.Unlock()
	err = l.file.transact(ctx, func() error {
		if err := l.file.appendHeads(ctx); err != nil {
			return err
		}
		tree, recorded = l.file.edge.Tree(), l.file.recorded
		return nil
	})
	return tree, recorded, named(doing, err)
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
		return named(doing, err)
	}
	l.following.Lock()
	defer l.following.Unlock()
	return named(doing, l.file.transact(ctx, func() error {
		return l.file.write.AddCheckpoint(ctx, ledger.SignedCheckpoint{Size: n.Size, SignedAt: signedAt, Note: n.Bytes()})
	}))
}

// AddCosignature stores a witness's cosignature, made at a time by its clock, under the checkpoint. Whether it holds, the
// caller has checked. It fails with ledger.ErrNoCheckpoint, and does nothing when it is there already.
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
		return fmt.Errorf("%s: %w", doing, damaged(fmt.Errorf("the checkpoint of %d leaves can't be read", c.Size)))
	} else if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	l.following.Lock()
	defer l.following.Unlock()
	return named(doing, l.file.transact(ctx, func() error {
		return l.file.write.AddCosignature(ctx, c.Size, s.Name, at, []byte(s.Line()))
	}))
}
