package esdbstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/internal/treefile"
	"traga.internal/events/ledger"
)

// ledgerName is the ledger's file in its directory.
const ledgerName = "ledger.db"

const (
	ledgerFormat        = 1
	ledgerApplicationID = 0x7472676c // "trgl"
)

// What stands here of events is where their leaves come from. The tree, with the leaves of heads and the checkpoints that
// were signed of it, is in the tables of treefile.
const ledgerSchema = `
CREATE TABLE streams (
	id       INTEGER PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	tag      BLOB NOT NULL UNIQUE CHECK (length(tag) = 16),
	revision INTEGER NOT NULL, -- of the last event
	leaf     BLOB NOT NULL     -- hash of its leaf
) STRICT;
CREATE TABLE entries (
	number      INTEGER PRIMARY KEY, -- of the event in the ledger, from 1
	commit_pos  INTEGER NOT NULL,
	prepare_pos INTEGER NOT NULL,
	stream      INTEGER NOT NULL REFERENCES streams,
	revision    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_by_position ON entries (commit_pos, prepare_pos);
CREATE UNIQUE INDEX entries_by_stream ON entries (stream, revision);
CREATE TABLE reached (
	one         INTEGER PRIMARY KEY CHECK (one = 1),
	commit_pos  INTEGER NOT NULL,
	prepare_pos INTEGER NOT NULL,
	id          BLOB NOT NULL,    -- of the event there, whoever's it is
	recorded_at INTEGER NOT NULL  -- the latest so far
) STRICT;
`

// ledgerFile is the open file. One connection writes; what it knows is what the file holds.
type ledgerFile struct {
	db    *sql.DB
	conn  *sql.Conn
	read  *treefile.Tables
	write *treefile.Tables

	loaded   bool
	number   uint64 // of the last event
	at       events.Position
	there    uuid.UUID // the event at that position
	recorded time.Time // the latest
	streams  map[string]*end
	tags     map[ledger.Tag]bool
	edge     treefile.Edge
	nodes    []byte // to be stored
	nodesAt  int64
	heads    *ledger.HeadMap // nil until it is needed
	sealedAt uint64          // number of the last event before the last leaf of heads
}

// end is the last event of a stream.
type end struct {
	id       int64
	tag      ledger.Tag
	revision uint64
	leaf     ledger.Hash
}

func openLedgerFile(ctx context.Context, dir string) (_ *ledgerFile, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, ledgerName)
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)"}}
	f := &ledgerFile{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the ledger: %w", err), f.close())
		}
	}()
	if f.db, err = sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode()); err != nil {
		return nil, err
	}
	if f.conn, err = f.db.Conn(ctx); err != nil {
		return nil, err
	}
	var app, version, tables int
	err = f.conn.QueryRowContext(ctx, `SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id a, pragma_user_version v`).Scan(&app, &version, &tables)
	switch {
	case err != nil:
		return nil, err
	case tables == 0 && app == 0:
		_, err = f.conn.ExecContext(ctx, fmt.Sprintf("BEGIN IMMEDIATE; %s %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			treefile.Schema, ledgerSchema, ledgerApplicationID, ledgerFormat))
	case app != ledgerApplicationID:
		err = damaged(fmt.Errorf("%s is no ledger of a cluster", ledgerName))
	case version > ledgerFormat:
		err = events.ErrNewerVersion
	}
	if err != nil {
		return nil, err
	}
	if f.write, err = treefile.Open(ctx, f.conn); err != nil {
		return nil, err
	}
	if f.read, err = treefile.Open(ctx, f.db); err != nil {
		return nil, err
	}
	return f, f.load(ctx)
}

func (f *ledgerFile) close() error {
	var err error
	for _, t := range []*treefile.Tables{f.read, f.write} {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
	}
	if f.conn != nil {
		err = errors.Join(err, f.conn.Close())
	}
	if f.db != nil {
		err = errors.Join(err, f.db.Close())
	}
	return err
}

// load reads what the file holds, and checks that the tree's edge is that of its leaves.
func (f *ledgerFile) load(ctx context.Context) error {
	f.loaded, f.nodes, f.heads = false, f.nodes[:0], nil
	f.at, f.there, f.recorded = events.Start, uuid.Nil, time.Time{}
	var there []byte
	var recorded int64
	err := f.conn.QueryRowContext(ctx, "SELECT commit_pos, prepare_pos, id, recorded_at FROM reached").Scan(&f.at.Commit, &f.at.Prepare, &there, &recorded)
	if err == nil {
		copy(f.there[:], there)
		f.recorded = time.UnixMicro(recorded).UTC()
	} else if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := f.conn.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM entries").Scan(&f.number); err != nil {
		return err
	}
	f.streams, f.tags = map[string]*end{}, map[ledger.Tag]bool{}
	rows, err := f.conn.QueryContext(ctx, "SELECT id, name, tag, revision, leaf FROM streams")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var tag, leaf []byte
		e := &end{}
		if err := rows.Scan(&e.id, &name, &tag, &e.revision, &leaf); err != nil || copy(e.leaf[:], leaf) != len(e.leaf) {
			return damaged(errors.New("a row of the ledger does not hold a stream"))
		}
		copy(e.tag[:], tag)
		f.streams[name], f.tags[e.tag] = e, true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	size, err := f.write.Size(ctx)
	if err != nil {
		return err
	}
	count, before, err := f.write.CountHeads(ctx)
	if err != nil {
		return err
	}
	if uint64(size-count) != f.number {
		return damaged(fmt.Errorf("the ledger has the leaves of %d events, and knows %d", size-count, f.number))
	}
	f.sealedAt = before
	if f.edge, err = f.write.Edge(ctx, size); err != nil {
		return err
	}
	f.nodesAt, f.loaded = f.edge.Place(), true
	return nil
}

// transact runs fn in one transaction. A crash before the commit leaves the ledger where it was; after a failure it is
// read anew.
func (f *ledgerFile) transact(ctx context.Context, fn func() error) error {
	if !f.loaded {
		if err := f.load(ctx); err != nil {
			return err
		}
	}
	if _, err := f.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = f.write.AddNodes(ctx, f.nodesAt, f.nodes)
	}
	if err == nil {
		_, err = f.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT")
	}
	if err != nil {
		f.loaded = false
		_, _ = f.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // it may have been rolled back
		return err
	}
	f.nodesAt, f.nodes = f.edge.Place(), f.nodes[:0]
	return nil
}

// add adds an event's leaf, if it is the one that must come.
func (f *ledgerFile) add(ctx context.Context, r *events.Recorded, l link) error {
	s := f.streams[r.Stream]
	switch {
	case s == nil && r.Revision != 0:
		return fmt.Errorf("it is revision %d of a stream that the ledger does not know", r.Revision)
	case s == nil && l.previous != (ledger.Hash{}):
		return errors.New("it is the first of its stream, and names one before it")
	case s == nil && f.tags[l.tag]:
		return errors.New("its stream's tag is that of another stream")
	case s != nil && r.Revision != s.revision+1:
		return fmt.Errorf("it is revision %d of its stream, after revision %d", r.Revision, s.revision)
	case s != nil && l.tag != s.tag:
		return errors.New("its stream had another tag")
	case s != nil && l.previous != s.leaf:
		return errors.New("it was written after another event than the one that stands before it")
	}
	leaf, err := leafOf(l, r)
	if err != nil {
		return err
	}
	if s == nil {
		res, err := f.conn.ExecContext(ctx, "INSERT INTO streams (name, tag, revision, leaf) VALUES (?, ?, 0, ?)", r.Stream, l.tag[:], leaf[:])
		if err != nil {
			return &fileError{err}
		}
		s = &end{tag: l.tag}
		if s.id, err = res.LastInsertId(); err != nil {
			return &fileError{err}
		}
		f.streams[r.Stream], f.tags[l.tag] = s, true
	} else if _, err := f.conn.ExecContext(ctx, "UPDATE streams SET revision = ?, leaf = ? WHERE id = ?", int64(r.Revision), leaf[:], s.id); err != nil {
		return &fileError{err}
	}
	s.revision, s.leaf = r.Revision, leaf
	f.number++
	if _, err := f.conn.ExecContext(ctx, "INSERT INTO entries (number, commit_pos, prepare_pos, stream, revision) VALUES (?, ?, ?, ?, ?)", int64(f.number),
		int64(r.Position.Commit), int64(r.Position.Prepare), s.id, int64(r.Revision)); err != nil {
		return &fileError{err}
	}
	f.nodes = f.edge.Add(f.nodes, leaf)
	if f.heads != nil {
		f.heads.Set(ledger.Head{Tag: s.tag, Revision: s.revision, Leaf: leaf})
	}
	if r.RecordedAt.After(f.recorded) {
		f.recorded = r.RecordedAt
	}
	return nil
}

// fileError is trouble with the file, not with the log.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// reach moves on to a place in the log.
func (f *ledgerFile) reach(ctx context.Context, at events.Position, id uuid.UUID) error {
	f.at, f.there = at, id
	_, err := f.conn.ExecContext(ctx, "INSERT OR REPLACE INTO reached (one, commit_pos, prepare_pos, id, recorded_at) VALUES (1, ?, ?, ?, ?)",
		int64(at.Commit), int64(at.Prepare), id[:], f.recorded.UnixMicro())
	return err
}

// appendHeads adds a leaf of heads, unless no event came since the last.
func (f *ledgerFile) appendHeads(ctx context.Context) error {
	if f.number == f.sealedAt {
		return nil
	}
	if f.heads == nil {
		f.heads = &ledger.HeadMap{}
		for _, s := range f.streams {
			f.heads.Set(ledger.Head{Tag: s.tag, Revision: s.revision, Leaf: s.leaf})
		}
	}
	leaf := f.heads.Leaf()
	b := leaf.Append(nil)
	if err := f.write.AddHeads(ctx, f.edge.Size(), f.number, b); err != nil {
		return err
	}
	f.nodes = f.edge.Add(f.nodes, tlog.RecordHash(b))
	f.sealedAt = f.number
	return nil
}
