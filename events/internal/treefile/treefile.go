// Package treefile keeps a tree of the ledger in tables of a SQLite file: its hashes, its leaves of heads, and the
// checkpoints that were signed of it.
//
// The leaves of events are not kept: they follow from the events. Hashes stand in the order of tlog.StoredHashIndex,
// in rows that each hold those of a run of leaves, as many as were stored together: so an append of many events
// costs one row. A leaf's place counts all leaves from 0; an event's number counts events only, from 1. Between two
// leaves of heads the two differ by a constant.
package treefile

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// Schema makes the tables.
//
//go:embed schema.sql
var Schema string

// Leaf is a leaf of the ledger with what it was made from.
type Leaf struct {
	Place int64
	Bytes []byte          // as they follow from the event, or as they are stored for heads
	Hash  ledger.Hash     // as stored in the tree; that of Bytes, unless something was altered
	Event events.Recorded // as stored; without an id where the leaf is one of heads
	Tag   ledger.Tag      // of the event's stream
}

// Tables reads and extends the tables over one database or connection. Its methods are as safe for concurrent use
// as that is. What they find wrong in the file matches events.ErrDamaged.
type Tables struct {
	insertNodes, insertHeads, insertCheckpoint, insertCosignature     *sql.Stmt
	nodesAt, lastNodes, headsUpTo, headsFrom, headsBefore, countHeads *sql.Stmt
	checkpointTo, checkpointFrom, cosignatures, cosignedAt            *sql.Stmt

	list []*sql.Stmt
}

// Preparer is a *sql.DB, *sql.Conn or *sql.Tx.
type Preparer interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

// Open prepares the statements. Close frees them, before the connection is closed.
func Open(ctx context.Context, on Preparer) (*Tables, error) {
	t := &Tables{}
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&t.insertNodes, `INSERT INTO nodes (place, hashes) VALUES (?, ?)`},
		{&t.insertHeads, `INSERT INTO heads (place, events, leaf) VALUES (?, ?, ?)`},
		{&t.insertCheckpoint, `INSERT INTO checkpoints (size, signed_at, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`},
		{&t.insertCosignature, `INSERT INTO cosignatures (size, witness, signed_at, line) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`},
		{&t.nodesAt, `SELECT place, hashes FROM nodes WHERE place <= ? ORDER BY place DESC LIMIT 1`},
		{&t.lastNodes, `SELECT place, length(hashes) FROM nodes ORDER BY place DESC LIMIT 1`},
		{&t.headsUpTo, `SELECT place, events FROM heads WHERE place <= ? ORDER BY place DESC LIMIT 1`},
		{&t.headsFrom, `SELECT place, leaf FROM heads WHERE place >= ? ORDER BY place LIMIT 1`},
		{&t.headsBefore, `SELECT place, events FROM heads WHERE events < ? ORDER BY events DESC, place DESC LIMIT 1`},
		{&t.countHeads, `SELECT coalesce(max(place - events) + 1, 0), coalesce(max(events), 0) FROM (SELECT place, events FROM heads ORDER BY place DESC LIMIT 1)`},
		{&t.checkpointTo, `SELECT size, signed_at, note FROM checkpoints WHERE size <= ?1
			AND (NOT ?2 OR size IN (SELECT size FROM cosignatures)) ORDER BY size DESC LIMIT 1`},
		{&t.checkpointFrom, `SELECT size, signed_at, note FROM checkpoints WHERE size >= ?1
			AND (NOT ?2 OR size IN (SELECT size FROM cosignatures)) ORDER BY size LIMIT 1`},
		{&t.cosignatures, `SELECT line FROM (SELECT witness, line, min(signed_at) FROM cosignatures WHERE size = ? GROUP BY witness)
			ORDER BY witness`},
		{&t.cosignedAt, `SELECT coalesce(max(signed_at), 0) FROM cosignatures WHERE witness = ?`},
	} {
		stmt, err := on.PrepareContext(ctx, s.text)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		*s.stmt = stmt
		t.list = append(t.list, stmt)
	}
	return t, nil
}

// Close frees the statements.
func (t *Tables) Close() error {
	var err error
	for _, stmt := range t.list {
		err = errors.Join(err, stmt.Close())
	}
	return err
}

// Size is the number of leaves whose hashes are stored.
func (t *Tables) Size(ctx context.Context) (int64, error) {
	var place, length int64
	err := t.lastNodes.QueryRowContext(ctx).Scan(&place, &length)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	// A tree of n leaves has 2n hashes, less one for each bit that is set in n.
	stored := place + length/tlog.HashSize
	for n := stored / 2; n <= stored/2+bits.UintSize; n++ {
		if tlog.StoredHashCount(n) == stored {
			return n, nil
		}
	}
	return 0, damaged("the ledger's tree ends within a leaf's hashes")
}

// Edge is the right edge of the tree of a size that the file has. Each of its hashes must be that of its two halves.
func (t *Tables) Edge(ctx context.Context, size int64) (Edge, error) {
	edge, hashes := Edge{size: size}, t.Hashes(ctx)
	for left := int64(0); left < size; {
		level := bits.Len64(uint64(size-left)) - 1
		n := left >> level
		indexes := []int64{tlog.StoredHashIndex(level, n)}
		if level > 0 {
			indexes = append(indexes, tlog.StoredHashIndex(level-1, 2*n), tlog.StoredHashIndex(level-1, 2*n+1))
		}
		found, err := hashes.ReadHashes(indexes)
		if err != nil {
			return Edge{}, err
		}
		if level > 0 && found[0] != tlog.NodeHash(found[1], found[2]) {
			return Edge{}, damaged("the ledger's tree is not that of its leaves from leaf %d on", left)
		}
		edge.full = append(edge.full, found[0])
		left += 1 << level
	}
	return edge, nil
}

// Hashes reads stored hashes, within ctx; it is for one goroutine at a time.
func (t *Tables) Hashes(ctx context.Context) tlog.HashReader {
	var (
		begin int64
		row   []byte // the last that was read: neighbours are often asked for together
	)
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index < begin || index >= begin+int64(len(row)/tlog.HashSize) {
				err := t.nodesAt.QueryRowContext(ctx, index).Scan(&begin, &row)
				if err != nil && !errors.Is(err, sql.ErrNoRows) {
					return nil, err
				}
				if err != nil || len(row)%tlog.HashSize != 0 || index >= begin+int64(len(row)/tlog.HashSize) {
					return nil, damaged("the ledger's tree has no hash at place %d", index)
				}
			}
			copy(hashes[i][:], row[(index-begin)*tlog.HashSize:])
		}
		return hashes, nil
	})
}

// maxRow bounds the bytes of hashes in a row: what has to be read for one of them.
const maxRow = 256 * tlog.HashSize

// AddNodes stores hashes that Edge.Add gave, the first of them at this place.
func (t *Tables) AddNodes(ctx context.Context, place int64, hashes []byte) error {
	for len(hashes) > 0 {
		n := min(len(hashes), maxRow)
		if _, err := t.insertNodes.ExecContext(ctx, place, hashes[:n]); err != nil {
			return err
		}
		place, hashes = place+int64(n/tlog.HashSize), hashes[n:]
	}
	return nil
}

// AddHeads stores a leaf of heads, which has this place in the tree and so many events before it.
func (t *Tables) AddHeads(ctx context.Context, place int64, before uint64, leaf []byte) error {
	_, err := t.insertHeads.ExecContext(ctx, place, int64(before), leaf)
	return err
}

// CountHeads is the number of leaves of heads, and how many events stand before the last of them.
func (t *Tables) CountHeads(ctx context.Context) (count int64, before uint64, err error) {
	err = t.countHeads.QueryRowContext(ctx).Scan(&count, &before)
	return count, before, err
}

// Place is where the leaf of an event of this number stands.
func (t *Tables) Place(ctx context.Context, number uint64) (int64, error) {
	var place, before int64
	err := t.headsBefore.QueryRowContext(ctx, int64(number)).Scan(&place, &before)
	if errors.Is(err, sql.ErrNoRows) {
		return int64(number) - 1, nil
	}
	return int64(number) + place - before, err
}

// EventsUpTo is how many events' leaves stand up to this place, itself included.
func (t *Tables) EventsUpTo(ctx context.Context, place int64) (uint64, error) {
	var at, before int64
	err := t.headsUpTo.QueryRowContext(ctx, place).Scan(&at, &before)
	if errors.Is(err, sql.ErrNoRows) {
		return uint64(place) + 1, nil
	}
	return uint64(place - at + before), err
}

// NextHeads is the first leaf of heads at a place or after it; found is false when there is none.
func (t *Tables) NextHeads(ctx context.Context, place int64) (at int64, leaf []byte, found bool, err error) {
	err = t.headsFrom.QueryRowContext(ctx, place).Scan(&at, &leaf)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, false, nil
	}
	return at, leaf, err == nil, err
}

// AddCheckpoint stores a checkpoint, unless there is one of this size.
func (t *Tables) AddCheckpoint(ctx context.Context, c ledger.SignedCheckpoint) error {
	_, err := t.insertCheckpoint.ExecContext(ctx, c.Size, c.SignedAt.UnixMicro(), c.Note)
	return err
}

// AddCosignature stores a witness's line below the checkpoint of a size, unless it is there.
func (t *Tables) AddCosignature(ctx context.Context, size int64, witness string, at time.Time, line []byte) error {
	_, err := t.insertCosignature.ExecContext(ctx, size, witness, at.Unix(), line)
	return err
}

// CosignedAt is when a witness last cosigned, by its clock; the zero time when it never did.
func (t *Tables) CosignedAt(ctx context.Context, witness string) (time.Time, error) {
	var at int64
	if err := t.cosignedAt.QueryRowContext(ctx, witness).Scan(&at); err != nil || at == 0 {
		return time.Time{}, err
	}
	return time.Unix(at, 0).UTC(), nil
}

// CheckpointUpTo is the largest checkpoint of at most this size, CheckpointFrom the smallest of at least this size;
// if cosigned, of those that a witness has cosigned. found is false when there is none.
func (t *Tables) CheckpointUpTo(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error) {
	return t.oneCheckpoint(ctx, t.checkpointTo, size, cosigned)
}

// CheckpointFrom: see CheckpointUpTo.
func (t *Tables) CheckpointFrom(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error) {
	return t.oneCheckpoint(ctx, t.checkpointFrom, size, cosigned)
}

func (t *Tables) oneCheckpoint(ctx context.Context, query *sql.Stmt, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error) {
	var signedAt int64
	err = query.QueryRowContext(ctx, size, cosigned).Scan(&c.Size, &signedAt, &c.Note)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	c.SignedAt = time.UnixMicro(signedAt).UTC()
	rows, err := t.cosignatures.QueryContext(ctx, c.Size)
	if err != nil {
		return c, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var line []byte
		if err := rows.Scan(&line); err != nil {
			return c, false, err
		}
		c.Note = append(c.Note, line...)
	}
	return c, true, rows.Err()
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", events.ErrDamaged, fmt.Sprintf(format, args...))
}
