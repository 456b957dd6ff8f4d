package sqlitestore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/internal/treefile"
	"traga.internal/events/ledger"
)

// tagged is an event with what its leaf needs besides.
type tagged struct {
	events.Recorded
	stream int64
	tag    ledger.Tag

	// leaf, once makeLeaves has made it, lacks the link to the leaf before it. err is why there is none.
	leaf ledger.Leaf
	err  error
}

// taggedColumns are those that scanTagged reads, from events e and streams s.
const taggedColumns = columns + `, s.id, s.tag`

func scanTagged(row *sql.Rows) (e tagged, err error) {
	var tag []byte
	if e.Recorded, err = scan(row, &e.stream, &tag); err != nil {
		return tagged{}, err
	}
	if copy(e.tag[:], tag) != len(e.tag) || len(tag) != len(e.tag) {
		return tagged{}, damaged("a stream has no tag")
	}
	return e, nil
}

// ledgerRows reads the ledger over one database or connection.
type ledgerRows struct {
	tables *treefile.Tables

	statements                                prepared
	logPage, streamPage, position, streamEnds *sql.Stmt
}

func newLedgerRows(ctx context.Context, on treefile.Preparer) (_ *ledgerRows, err error) {
	r := &ledgerRows{statements: prepared{on: on}}
	if r.tables, err = treefile.Open(ctx, on); err != nil {
		return nil, err
	}
	r.logPage = r.statements.prepare(ctx, `SELECT `+taggedColumns+` FROM events e CROSS JOIN streams s ON s.id = e.stream
		WHERE e.position > ? ORDER BY e.position LIMIT ?`)
	r.streamPage = r.statements.prepare(ctx, `SELECT `+taggedColumns+` FROM streams s CROSS JOIN events e ON e.stream = s.id
		WHERE s.name = ? AND e.revision >= ? ORDER BY e.revision LIMIT ?`)
	r.position = r.statements.prepare(ctx, `SELECT position FROM events WHERE stream = ? AND revision = ?`)
	r.streamEnds = r.statements.prepare(ctx, `SELECT s.tag, e.revision, e.position FROM streams s JOIN events e ON e.position =
		(SELECT position FROM events WHERE stream = s.id AND position <= ? ORDER BY revision DESC LIMIT 1)
		ORDER BY e.position`)
	if r.statements.err != nil {
		return nil, errors.Join(r.statements.err, r.close())
	}
	return r, nil
}

func (r *ledgerRows) close() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.statements.close(), r.tables.Close())
}

// page runs a query for taggedColumns and hands its rows to keep, until keep has had enough.
func (r *ledgerRows) page(ctx context.Context, query *sql.Stmt, keep func(*tagged) (more bool, err error), args ...any) (err error) {
	rows, err := query.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		e, err := scanTagged(rows)
		if err != nil {
			return err
		}
		if more, err := keep(&e); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// edge is the right edge of the tree, which must have the leaves of so many events. headsAfter is the position of the
// last event before the last leaf of heads.
func (r *ledgerRows) edge(ctx context.Context, head uint64) (edge treefile.Edge, headsAfter uint64, err error) {
	size, err := r.tables.Size(ctx)
	if err != nil {
		return treefile.Edge{}, 0, err
	}
	heads, headsAfter, err := r.tables.CountHeads(ctx)
	if err != nil {
		return treefile.Edge{}, 0, err
	}
	if uint64(size-heads) != head || headsAfter > head {
		return treefile.Edge{}, 0, damaged("the log has %d events, the ledger the leaves of %d", head, size-heads)
	}
	edge, err = r.tables.Edge(ctx, size)
	return edge, headsAfter, err
}

// leafHash is the stored hash of the leaf of the event at a position.
func (r *ledgerRows) leafHash(ctx context.Context, position uint64) (ledger.Hash, error) {
	place, err := r.tables.Place(ctx, position)
	if err != nil {
		return ledger.Hash{}, err
	}
	return r.hashAt(ctx, place)
}

// hashAt is the stored hash of the leaf at a place of the tree.
func (r *ledgerRows) hashAt(ctx context.Context, place int64) (ledger.Hash, error) {
	hashes, err := r.tables.Hashes(ctx).ReadHashes([]int64{tlog.StoredHashIndex(0, place)})
	if err != nil {
		return ledger.Hash{}, err
	}
	return hashes[0], nil
}

// heads is the map of the ends of all streams in the log up to a position.
func (r *ledgerRows) heads(ctx context.Context, upTo uint64) (*ledger.HeadMap, error) {
	var (
		list      []ledger.Head
		positions []uint64
	)
	rows, err := r.streamEnds.QueryContext(ctx, int64(upTo))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			tag      []byte
			h        ledger.Head
			position uint64
		)
		if err := rows.Scan(&tag, &h.Revision, &position); err != nil || len(tag) != len(h.Tag) {
			return nil, damaged("a row does not hold the end of a stream")
		}
		h.Tag = ledger.Tag(tag)
		list, positions = append(list, h), append(positions, position)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	m := &ledger.HeadMap{}
	hashes := r.tables.Hashes(ctx)
	for i, h := range list {
		place, err := r.tables.Place(ctx, positions[i])
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
	return m, nil
}

// checkEdge compares the end of the tree with the end of the log, and the tree with the last checkpoint.
func (r *ledgerRows) checkEdge(ctx context.Context, size int64) error {
	if size == 0 {
		return nil
	}
	hash, err := r.hashAt(ctx, size-1)
	if err != nil {
		return err
	}
	for l, err := range r.leaves(ctx, size-1, size) {
		if err != nil {
			return err
		}
		if tlog.RecordHash(l.Bytes) != hash {
			return damaged("the end of the log is not what the ledger has")
		}
	}
	return r.checkCheckpoint(ctx, size)
}

// checkCheckpoint compares the tree with the last checkpoint that was signed of it.
func (r *ledgerRows) checkCheckpoint(ctx context.Context, size int64) error {
	c, found, err := r.tables.CheckpointUpTo(ctx, ledger.MaxSize, false)
	if err != nil || !found {
		return err
	}
	n, err := ledger.ParseNote(c.Note)
	if err != nil || n.Size != c.Size {
		return damaged("the last signed checkpoint can't be read")
	}
	if n.Size > size {
		return damaged("a checkpoint was signed of %d leaves, and the ledger has %d: its end is missing", n.Size, size)
	}
	root, err := tlog.TreeHash(size, r.tables.Hashes(ctx))
	if err != nil {
		return err
	}
	old, _, err := ledger.Tree{Size: size, Root: root}.ProveExtends(n.Size, r.tables.Hashes(ctx))
	if err != nil || old.Root != n.Root {
		return damaged("the ledger's tree is not the one of which the checkpoint of %d leaves was signed", n.Size)
	}
	return nil
}

// eventsIn is how many of the first leaves, so many of them, are of events.
func (r *ledgerRows) eventsIn(ctx context.Context, size int64) (uint64, error) {
	if size == 0 {
		return 0, nil
	}
	return r.tables.EventsUpTo(ctx, size-1)
}

// leaves yields a part of the tree.
func (r *ledgerRows) leaves(ctx context.Context, from, to int64) iter.Seq2[Leaf, error] {
	return func(yield func(Leaf, error) bool) {
		if err := r.eachLeaf(ctx, from, to, func(l Leaf) bool { return yield(l, nil) }); err != nil {
			yield(Leaf{}, err)
		}
	}
}

func (r *ledgerRows) eachLeaf(ctx context.Context, from, to int64, yield func(Leaf) bool) error {
	size, err := r.tables.Size(ctx)
	if err != nil {
		return err
	}
	if from < 0 || to > size {
		return fmt.Errorf("%w: leaves %d to %d of %d", ledger.ErrNotIncluded, from, to, size)
	}
	c := newChain(ctx, r)
	for place := from; place < to; {
		next, heads, found, err := r.tables.NextHeads(ctx, place)
		if err != nil {
			return err
		}
		if found && next == place {
			hash, err := r.hashAt(ctx, place)
			if err != nil || !yield(Leaf{Place: place, Bytes: heads, Hash: hash}) {
				return err
			}
			place++
			continue
		}
		end := to
		if found {
			end = min(to, next)
		}
		more, err := r.eventLeaves(ctx, c, place, end, yield)
		if err != nil || !more {
			return err
		}
		place = end
	}
	return nil
}

// eventLeaves yields leaves between which there is none of heads.
func (r *ledgerRows) eventLeaves(ctx context.Context, c *chain, from, to int64, yield func(Leaf) bool) (more bool, err error) {
	number, err := r.tables.EventsUpTo(ctx, from)
	if err != nil {
		return false, err
	}
	for place := from; place < to; {
		page := make([]tagged, 0, min(to-place, pageEvents))
		size := 0
		err := r.page(ctx, r.logPage, func(e *tagged) (bool, error) {
			if e.Position != events.At(number) {
				return false, missing("the event at position %d", number)
			}
			page = append(page, *e)
			size += len(e.Metadata) + len(e.Data)
			number++
			return size < pageBytes, nil
		}, int64(number-1), cap(page))
		makeLeaves(page)
		for i := range page { // those before a damaged one, too: so it is known where it stands
			l, err := c.leaf(ctx, place, &page[i])
			if err != nil || !yield(l) {
				return false, err
			}
			place++
		}
		if err != nil {
			return false, err
		}
		if len(page) == 0 {
			return false, missing("the event at position %d", number)
		}
	}
	return true, nil
}

// streamLeaves yields the leaves of a stream's events.
func (r *ledgerRows) streamLeaves(ctx context.Context, name string, from uint64) iter.Seq2[Leaf, error] {
	return func(yield func(Leaf, error) bool) {
		c := newChain(ctx, r)
		for next := from; ; {
			var page []tagged
			size := 0
			err := r.page(ctx, r.streamPage, func(e *tagged) (bool, error) {
				if e.Revision != next {
					return false, missing("revision %d of a stream", next)
				}
				page = append(page, *e)
				size += len(e.Metadata) + len(e.Data)
				next++
				return size < pageBytes, nil
			}, name, int64(next), pageEvents)
			makeLeaves(page)
			for i := 0; i < len(page) && err == nil; i++ {
				var (
					place int64
					l     Leaf
				)
				if place, err = r.tables.Place(ctx, page[i].Position.Commit); err == nil {
					l, err = c.leaf(ctx, place, &page[i])
				}
				if err == nil && !yield(l, nil) {
					return
				}
			}
			if err != nil {
				yield(Leaf{}, err)
				return
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// chain makes the leaves of events, each from the one before it in its stream.
type chain struct {
	rows   *ledgerRows
	hashes tlog.HashReader
	last   map[int64]ledger.Hash // of the streams' events that it saw
}

func newChain(ctx context.Context, rows *ledgerRows) *chain {
	return &chain{rows: rows, hashes: rows.tables.Hashes(ctx), last: map[int64]ledger.Hash{}}
}

// leaf is the event's leaf at a place of the tree. The link to the stream's previous event is what was computed of it,
// if the chain saw it, and else what is stored.
func (c *chain) leaf(ctx context.Context, place int64, e *tagged) (Leaf, error) {
	if e.err != nil {
		return Leaf{}, e.err
	}
	previous, seen := c.last[e.stream]
	if !seen && e.Revision > 0 {
		var err error
		if previous, err = c.rows.previous(ctx, e); err != nil {
			return Leaf{}, err
		}
	}
	stored, err := c.hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, place)})
	if err != nil {
		return Leaf{}, err
	}
	e.leaf.Previous = previous
	buffer, hash := hashLeaf(make([]byte, 0, leafRoom), &e.leaf)
	c.last[e.stream] = hash
	return Leaf{Place: place, Bytes: buffer[1:], Hash: stored[0], Event: e.Recorded, Tag: e.tag}, nil
}

// previous is the stored hash of the leaf before the event's in its stream.
func (r *ledgerRows) previous(ctx context.Context, e *tagged) (ledger.Hash, error) {
	var position uint64
	err := scanOne(r.position.QueryRowContext(ctx, e.stream, int64(e.Revision)-1), &position)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Hash{}, missing("revision %d of a stream", e.Revision-1)
	}
	if err != nil {
		return ledger.Hash{}, err
	}
	return r.leafHash(ctx, position)
}

// makeLeaves makes the leaves of events, but for their links, on all processors.
func makeLeaves(list []tagged) {
	var work sync.WaitGroup
	n := runtime.GOMAXPROCS(0)
	for part := range n {
		work.Go(func() {
			for i := part; i < len(list); i += n {
				e := &list[i]
				e.leaf, e.err = ledger.NewLeaf(e.tag, ledger.Hash{}, ledger.Entry{ID: e.ID, Revision: e.Revision, Type: e.Type, RecordedAt: e.RecordedAt,
					Metadata: e.Metadata, Data: e.Data})
				if e.err != nil {
					e.err = damaged("the event at position %s: %v", e.Position, e.err)
				}
			}
		})
	}
	work.Wait()
}

// leafRoom is room for a leaf whose type has a usual length.
const leafRoom = 256

// hashLeaf is a leaf's hash. The buffer holds what was hashed, a zero byte and the leaf, in place of what it held.
func hashLeaf(buffer []byte, l *ledger.Leaf) ([]byte, ledger.Hash) {
	buffer = l.Append(append(buffer[:0], 0))
	return buffer, sha256.Sum256(buffer)
}
