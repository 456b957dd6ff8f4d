package esdbstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver

	"traga.internal/events"
)

// indexFile is the index's name in its directory.
const indexFile = "store-index.db"

// indexFormat is the layout of the index. One of another layout is made anew.
const indexFormat = 1

const indexSchema = `
CREATE TABLE events (
	id          BLOB PRIMARY KEY,
	recorded_at INTEGER NOT NULL, -- microseconds since 1970
	commit_pos  INTEGER NOT NULL,
	prepare_pos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_time ON events (recorded_at, commit_pos);
CREATE TABLE reached (
	one         INTEGER PRIMARY KEY CHECK (one = 1),
	commit_pos  INTEGER NOT NULL,
	prepare_pos INTEGER NOT NULL,
	id          BLOB NOT NULL -- of the event there
) STRICT;
PRAGMA user_version = 1;
`

// index knows where events stand by their ids and times. It follows the log, and holds nothing that the log does not.
type index struct {
	db *sql.DB

	mu      sync.Mutex
	same    bool            // it is of the log that it follows
	at      events.Position // it holds what stands up to there
	changed chan struct{}   // closed and replaced when at changes
}

func openIndex(ctx context.Context, dir string) (*index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, indexFile)
	x, err := openIndexFile(ctx, path)
	if err == nil {
		return x, nil
	}
	if ctx.Err() != nil {
		return nil, err
	}
	// Damaged, or of another layout.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
	}
	return openIndexFile(ctx, path)
}

func openIndexFile(ctx context.Context, path string) (*index, error) {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(normal)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	var version int
	if err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err == nil && version == 0 {
		_, err = db.ExecContext(ctx, indexSchema)
		version = indexFormat
	}
	if err == nil && version != indexFormat {
		err = errors.New("the index has another format")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the index of events: %w", err), db.Close())
	}
	return &index{db: db, changed: make(chan struct{})}, nil
}

func (x *index) close() error { return x.db.Close() }

// run follows the log until ctx ends. What fails is tried again.
func (x *index) run(ctx context.Context, s *Store) {
	for ctx.Err() == nil {
		at, err := x.catchUp(ctx, s)
		if err != nil {
			x.mu.Lock()
			x.same = false // the log may have lost its end: look again
			x.mu.Unlock()
			pause(ctx, beat)
			continue
		}
		select {
		case <-s.Changed(at):
		case <-ctx.Done():
		}
	}
}

// catchUp brings the index to the log's end. An index of another log, or of a log that lost its end, begins anew.
func (x *index) catchUp(ctx context.Context, s *Store) (events.Position, error) {
	at, err := x.resume(ctx, s)
	if err != nil {
		return at, err
	}
	for more := true; more; {
		p, err := s.readAll(ctx, at, pageEvents, events.Filter{}, nil)
		if err != nil {
			return at, err
		}
		if p.Scanned != at {
			if err := x.add(ctx, p); err != nil {
				return at, err
			}
		}
		at, more = p.Scanned, p.More
		x.reached(at)
	}
	return at, nil
}

// reached says how far the index is.
func (x *index) reached(at events.Position) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.same, x.at = true, at
	close(x.changed)
	x.changed = make(chan struct{})
}

// resume finds where to go on.
func (x *index) resume(ctx context.Context, s *Store) (at events.Position, err error) {
	x.mu.Lock()
	same, at := x.same, x.at
	x.mu.Unlock()
	if same {
		return at, nil
	}
	var id []byte
	err = x.db.QueryRowContext(ctx, "SELECT commit_pos, prepare_pos, id FROM reached").Scan(&at.Commit, &at.Prepare, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return events.Start, nil
	}
	if err != nil {
		return at, err
	}
	holds, err := s.Holds(ctx, at, uuid.UUID(id))
	if err != nil || holds {
		return at, err
	}
	_, err = x.db.ExecContext(ctx, "DELETE FROM events; DELETE FROM reached")
	return events.Start, err
}

// add takes up a page. A crash before the commit leaves the index where it was.
func (x *index) add(ctx context.Context, p events.Page) (err error) {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	insert, err := tx.PrepareContext(ctx, "INSERT OR IGNORE INTO events (id, recorded_at, commit_pos, prepare_pos) VALUES (?, ?, ?, ?)")
	if err != nil {
		return err
	}
	for i := range p.Events {
		r := &p.Events[i]
		if _, err := insert.ExecContext(ctx, r.ID[:], r.RecordedAt.UnixMicro(), int64(r.Position.Commit), int64(r.Position.Prepare)); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO reached (one, commit_pos, prepare_pos, id) VALUES (1, ?, ?, ?)",
		int64(p.Scanned.Commit), int64(p.Scanned.Prepare), p.ScannedID[:]); err != nil {
		return err
	}
	return tx.Commit()
}

// ErrNoIndex: the store was opened without WithIndex.
var ErrNoIndex = errors.New("this store has no index of its events")

// caughtUp waits until the index holds all that the log does now.
func (x *index) caughtUp(ctx context.Context, s *Store) error {
	if x == nil {
		return ErrNoIndex
	}
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	for {
		x.mu.Lock()
		there, changed := x.same && !head.After(x.at), x.changed
		x.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-s.cluster.over:
			return events.ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Lookup finds an event by its id.
func (s *Store) Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error) {
	const doing = "look up an event"
	if err := s.usable(ctx); err != nil {
		return events.Recorded{}, false, named(doing, err)
	}
	for range 2 {
		at, found, err := s.index.find(ctx, "SELECT commit_pos, prepare_pos FROM events WHERE id = ?", id[:])
		if err != nil {
			return events.Recorded{}, false, named(doing, err)
		}
		if found {
			r, ok, err := s.Event(ctx, at)
			if err != nil || ok && r.ID == id {
				return r, ok, named(doing, err)
			}
		}
		if err := s.index.caughtUp(ctx, s); err != nil { // it may be newer than the index
			return events.Recorded{}, false, named(doing, err)
		}
	}
	return events.Recorded{}, false, nil
}

// PositionAt is the position of the event that was recorded last at t or before; events.Start when there is none. Nodes
// have clocks of their own, so events near t may stand the other way round in the log.
func (s *Store) PositionAt(ctx context.Context, t time.Time) (events.Position, error) {
	const doing = "find the position of an instant"
	if err := s.usable(ctx); err != nil {
		return events.Start, named(doing, err)
	}
	if err := s.index.caughtUp(ctx, s); err != nil {
		return events.Start, named(doing, err)
	}
	at, _, err := s.index.find(ctx, "SELECT commit_pos, prepare_pos FROM events WHERE recorded_at <= ? ORDER BY recorded_at DESC, commit_pos DESC LIMIT 1", t.UnixMicro())
	return at, named(doing, err)
}

func (x *index) find(ctx context.Context, query string, args ...any) (at events.Position, found bool, err error) {
	if x == nil {
		return at, false, ErrNoIndex
	}
	err = x.db.QueryRowContext(ctx, query, args...).Scan(&at.Commit, &at.Prepare)
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil
	}
	return at, err == nil, err
}
