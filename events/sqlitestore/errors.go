package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"traga.internal/events"
)

// explain wraps an error of SQLite or the file system with what was being done and, where there is one, with
// the error of package events that callers match.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil && !errors.Is(err, kind) {
		return fmt.Errorf("%s: %w: %w", doing, kind, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// explain is for what may have failed only because the caller gave up or the store was closed: SQLite does not
// tell these from other trouble.
func (s *Store) explain(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case s.closed.Load():
		err = events.ErrClosed
	}
	return explain(doing, err)
}

func kindOf(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return events.ErrFull
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	if e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // the index into the journal could not grow
		return events.ErrFull
	}
	switch e.Code() & 0xff { // the primary code; the rest is detail
	case sqlite3.SQLITE_FULL:
		return events.ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_ERROR: // the statements are fixed and right: the file does not have the tables they ask
		return events.ErrDamaged
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return events.ErrUnavailable
	}
	return nil
}

// isConstraint reports whether a row was refused because another one has the same key.
func isConstraint(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// damaged is an error about what a row should have held.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", events.ErrDamaged, fmt.Sprintf(format, args...))
}

// ErrMissing is matched, besides events.ErrDamaged, by the error of an event that is not where its neighbours and the
// ledger say that it was.
var ErrMissing = errors.New("an event is missing")

func missing(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", events.ErrDamaged, ErrMissing, fmt.Sprintf(format, args...))
}
