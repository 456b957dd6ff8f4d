package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"traga.internal/events/internal/wake"
)

// pollInterval is how often a read-only store looks whether another process has written.
const pollInterval = 50 * time.Millisecond

// watcher rings the bell of a read-only store. It holds one connection, because SQLite's data_version only
// tells that something changed since the same connection asked before.
type watcher struct {
	reader  *reader
	conn    *sql.Conn
	bell    *wake.Bell
	version int64
}

func newWatcher(ctx context.Context, r *reader, bell *wake.Bell) (*watcher, error) {
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &watcher{reader: r, conn: conn, bell: bell}
	if err := w.look(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return w, nil
}

// run looks again and again until the context ends. What fails is tried again: whoever reads gets the error.
func (w *watcher) run(ctx context.Context) {
	defer w.conn.Close()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = w.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) look(ctx context.Context) error {
	var version int64
	if err := scanOne(w.conn.QueryRowContext(ctx, "PRAGMA data_version"), &version); err != nil {
		return err
	}
	if version == w.version {
		return nil
	}
	head, err := w.reader.last(ctx)
	if err != nil {
		return err
	}
	w.version = version
	w.bell.Ring(head)
	return nil
}
