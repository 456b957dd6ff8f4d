package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"sort"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// A page of a read ends at the first of these bounds, so that no read transaction lasts long: one that does
// keeps the journal from being emptied.
const (
	pageEvents = 1024
	pageBytes  = 4 << 20
)

// reader reads the log over connections that can't write.
type reader struct {
	db *sql.DB
	// head is the last position that is known to be committed.
	head func(context.Context) (events.Position, error)

	ledger                                                        *ledgerRows // nil where the file has none
	statements                                                    prepared
	streamPage, logPage, byID, byStream, recordedAt, lastPosition *sql.Stmt
}

// newReader opens the log for reading; without a head to ask, it asks the file.
func newReader(ctx context.Context, path, mode string, head func(context.Context) (events.Position, error)) (_ *reader, err error) {
	r := &reader{head: head}
	if head == nil {
		r.head = r.last
	}
	if r.db, err = open(path, mode, "query_only(1)"); err != nil {
		return nil, err
	}
	n := max(4, 2*runtime.NumCPU())
	r.db.SetMaxOpenConns(n)
	r.db.SetMaxIdleConns(n)
	format, err := version(ctx, r.db)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	if format >= ledgerComplete {
		if r.ledger, err = newLedgerRows(ctx, r.db); err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	r.statements.on = r.db
	r.streamPage = r.statements.prepare(ctx, `SELECT `+columns+` FROM streams s CROSS JOIN events e ON e.stream = s.id
		WHERE s.id = ? AND e.revision >= ? ORDER BY e.revision LIMIT ?`)
	r.logPage = r.statements.prepare(ctx, `SELECT `+columns+` FROM events e CROSS JOIN streams s ON s.id = e.stream
		WHERE e.position > ? ORDER BY e.position LIMIT ?`)
	r.byID = r.statements.prepare(ctx, `SELECT `+columns+` FROM events e JOIN streams s ON s.id = e.stream WHERE e.id = ?`)
	r.byStream = r.statements.prepare(ctx, `SELECT id FROM streams WHERE name = ?`)
	r.recordedAt = r.statements.prepare(ctx, `SELECT recorded_at FROM events WHERE position = ?`)
	r.lastPosition = r.statements.prepare(ctx, `SELECT coalesce(max(position), 0) FROM events`)
	if r.statements.err != nil {
		return nil, errors.Join(r.statements.err, r.close())
	}
	return r, nil
}

func (r *reader) close() error {
	return errors.Join(r.statements.close(), r.ledger.close(), r.db.Close())
}

// last asks the file for its last position.
func (r *reader) last(ctx context.Context) (events.Position, error) {
	var n uint64
	err := scanOne(r.lastPosition.QueryRowContext(ctx), &n)
	return events.At(n), err
}

// page runs a query for columns and hands its rows to keep, until keep has had enough.
func (r *reader) page(ctx context.Context, query *sql.Stmt, keep func(events.Recorded) (more bool, err error), args ...any) (err error) {
	rows, err := query.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		event, err := scan(rows)
		if err != nil {
			return err
		}
		if more, err := keep(event); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// ReadStream implements events.Store. No lock and no transaction is held while the caller looks at an event.
func (s *Store) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		err := s.usable(ctx)
		if err == nil {
			err = s.reader.stream(ctx, stream, from, func(r events.Recorded) bool { return yield(r, nil) })
		}
		if err != nil {
			yield(events.Recorded{}, s.explain(ctx, "read stream", err))
		}
	}
}

func (r *reader) stream(ctx context.Context, name string, from uint64, yield func(events.Recorded) bool) error {
	if from > math.MaxInt64 {
		return nil
	}
	var id int64
	err := scanOne(r.byStream.QueryRowContext(ctx, name), &id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	for next := from; ; {
		page, full, err := r.streamEvents(ctx, id, next)
		if err != nil {
			return err
		}
		for _, event := range page {
			if event.Revision != next {
				return damaged("revision %d of a stream is missing", next)
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if !yield(event) {
				return nil
			}
			next++
		}
		if !full {
			if next == 0 {
				return damaged("a stream has lost its events")
			}
			return nil
		}
	}
}

// streamEvents reads a page of a stream, and says whether there may be more.
func (r *reader) streamEvents(ctx context.Context, id int64, from uint64) (page []events.Recorded, full bool, err error) {
	size := 0
	err = r.page(ctx, r.streamPage, func(event events.Recorded) (bool, error) {
		page = append(page, event)
		size += len(event.Metadata) + len(event.Data)
		full = len(page) == pageEvents || size >= pageBytes
		return !full, nil
	}, id, int64(from), pageEvents)
	return page, full, err
}

// ReadAll implements events.Store. A page holds at most 1024 events, whatever the limit; with a filter it may
// hold fewer than there are, or none, and Scanned says how far it looked.
func (s *Store) ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error) {
	var page events.Page
	err := s.usable(ctx)
	if err == nil {
		page, err = s.reader.log(ctx, after, limit, filter)
	}
	return page, s.explain(ctx, "read log", err)
}

// log reads all events of a part of the log and lets the filter pick from them, although the file could pick
// faster: so every event on the way is checked, and none can be missing from the page unnoticed.
func (r *reader) log(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error) {
	if limit < 1 {
		return events.Page{}, fmt.Errorf("a page of %d events makes no sense", limit)
	}
	head, err := r.head(ctx)
	if err != nil {
		return events.Page{}, err
	}
	page := events.Page{Scanned: after}
	if !head.After(after) {
		return page, nil
	}
	limit = min(limit, pageEvents)
	page.Events = make([]events.Recorded, 0, limit)
	rows, size := 0, 0
	err = r.page(ctx, r.logPage, func(event events.Recorded) (bool, error) {
		if event.Position.Commit != page.Scanned.Commit+1 {
			return false, damaged("the event at position %d is missing", page.Scanned.Commit+1)
		}
		page.Scanned, page.ScannedID = event.Position, event.ID
		rows++
		if filter.Passes(event.Stream, event.Type) {
			page.Events = append(page.Events, event)
			size += len(event.Metadata) + len(event.Data)
		}
		return len(page.Events) < limit && size < pageBytes, nil
	}, int64(after.Commit), pageEvents)
	if err != nil {
		return events.Page{}, err
	}
	page.More = head.After(page.Scanned)
	if ended := rows < pageEvents && len(page.Events) < limit && size < pageBytes; ended && page.More {
		return events.Page{}, damaged("the event at position %d is missing", page.Scanned.Commit+1)
	}
	return page, nil
}

// Head implements events.Store.
func (s *Store) Head(ctx context.Context) (events.Position, error) {
	var head events.Position
	err := s.usable(ctx)
	if err == nil {
		head, err = s.reader.head(ctx)
	}
	return head, s.explain(ctx, "find the end of the log", err)
}

// usable tells at once what a read answered from memory would not notice.
func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return events.ErrClosed
	}
	return context.Cause(ctx)
}

// Lookup finds an event by its id.
func (s *Store) Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error) {
	err := s.usable(ctx)
	if err != nil {
		return events.Recorded{}, false, s.explain(ctx, "look up an event", err)
	}
	event, found, err := one(s.reader.byID.QueryContext(ctx, id[:]))
	return event, found, s.explain(ctx, "look up an event", err)
}

// Holds reports whether the event with this id stands at this position.
func (s *Store) Holds(ctx context.Context, at events.Position, id uuid.UUID) (bool, error) {
	event, found, err := s.Lookup(ctx, id)
	return found && event.Position == at, err
}

// PositionAt is the position of the last event recorded at t or before; events.Start when there is none. Since
// recordedAt never decreases it takes about as many steps as the log's length has binary digits.
func (s *Store) PositionAt(ctx context.Context, t time.Time) (events.Position, error) {
	position, err := s.reader.positionAt(ctx, t)
	return position, s.explain(ctx, "find the position of an instant", err)
}

func (r *reader) positionAt(ctx context.Context, t time.Time) (events.Position, error) {
	head, err := r.head(ctx)
	if err != nil {
		return events.Start, err
	}
	n := sort.Search(int(head.Commit), func(i int) bool {
		if err != nil {
			return true
		}
		var recordedAt int64
		err = scanOne(r.recordedAt.QueryRowContext(ctx, i+1), &recordedAt)
		return time.UnixMicro(recordedAt).After(t)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = damaged("an event is missing")
	}
	if err != nil {
		return events.Start, err
	}
	return events.At(uint64(n)), nil
}

// Check reads the whole file and fails with events.ErrDamaged unless everything in it is as it was written. It
// finds more than reading does: damage to an index could cut the end off a stream, which only a comparison with
// the table shows, and the ledger is computed anew from the events. It takes time in proportion to the log, for a part
// of which the journal can't be emptied.
func (s *Store) Check(ctx context.Context) error {
	err := s.usable(ctx)
	if err == nil {
		err = s.reader.check(ctx)
	}
	return s.explain(ctx, "check the store", err)
}

func (r *reader) check(ctx context.Context) error {
	var verdict string
	if err := scanOne(r.db.QueryRowContext(ctx, "PRAGMA integrity_check(1)"), &verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return damaged("%s", verdict)
	}
	if r.ledger != nil {
		head, err := r.head(ctx)
		if err != nil {
			return err
		}
		return r.ledger.check(ctx, head.Commit)
	}
	for after, more := events.Start, true; more; {
		page, err := r.log(ctx, after, pageEvents, events.Filter{})
		if err != nil {
			return err
		}
		after, more = page.Scanned, page.More
	}
	return nil
}
