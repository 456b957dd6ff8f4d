package sqlitestore

import (
	"context"
	"database/sql"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// upgradeBatch is how many events' leaves one transaction of an upgrade stores.
const upgradeBatch = 8192

// buildLedger adds the leaves of events that were stored before there was a ledger. A crash leaves the leaves of some,
// and the next opening goes on from there; until the step of ledgerComplete is done, nothing else is written.
func buildLedger(ctx context.Context, db *sql.DB, progress func(done, total uint64)) error {
	var total uint64
	if err := scanOne(db.QueryRowContext(ctx, `SELECT coalesce(max(position), 0) FROM events`), &total); err != nil {
		return err
	}
	streams := map[int64]ledger.Hash{}
	for done, more := uint64(0), true; more; {
		var err error
		if done, more, err = buildBatch(ctx, db, streams); err != nil {
			return err
		}
		if progress != nil && total > 0 {
			progress(done, total)
		}
	}
	return nil
}

// buildBatch adds the leaves of the next events, and says of how many there are now.
func buildBatch(ctx context.Context, db *sql.DB, streams map[int64]ledger.Hash) (done uint64, more bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, false, err
	}
	defer tx.Rollback() // does nothing after the commit
	rows, err := newLedgerRows(ctx, tx)
	if err != nil {
		return 0, false, err
	}
	defer rows.close()
	size, err := rows.tables.Size(ctx)
	if err != nil {
		return 0, false, err
	}
	edge, err := rows.tables.Edge(ctx, size)
	if err != nil {
		return 0, false, err
	}
	var (
		batch  []tagged
		leaves []byte
		nodes  []byte
		bytes  int
	)
	place := edge.Place()
	err = rows.page(ctx, rows.logPage, func(e *tagged) (bool, error) {
		if e.Position != events.At(uint64(size)+uint64(len(batch))+1) {
			return false, damaged("the event at position %d is missing", uint64(size)+uint64(len(batch))+1)
		}
		batch = append(batch, *e)
		bytes += len(e.Metadata) + len(e.Data)
		return bytes < maxGroup, nil
	}, size, upgradeBatch)
	if err != nil {
		return 0, false, err
	}
	makeLeaves(batch)
	for i := range batch {
		e := &batch[i]
		if e.err != nil {
			return 0, false, e.err
		}
		previous, seen := streams[e.stream]
		if !seen && e.Revision > 0 {
			if previous, err = rows.previous(ctx, e); err != nil {
				return 0, false, err
			}
		}
		e.leaf.Previous = previous
		leaves, previous = hashLeaf(leaves, &e.leaf)
		streams[e.stream] = previous
		nodes = edge.Add(nodes, previous)
	}
	if err := rows.tables.AddNodes(ctx, place, nodes); err != nil {
		return 0, false, err
	}
	return uint64(edge.Size()), len(batch) > 0, tx.Commit()
}
