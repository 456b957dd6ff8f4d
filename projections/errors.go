package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"traga.internal/events"
)

// Errors of the engine.
var (
	// ErrLocked: another process owns the directory's projections; open them read-only.
	ErrLocked = errors.New("another process keeps these projections up to date")
	// ErrReadOnly: what was asked for needs the owner of the projections.
	ErrReadOnly = errors.New("the projections are open for reading only")
	// ErrNotBuilt: the projection is being built for the first time and can't answer yet.
	ErrNotBuilt = errors.New("the projection is still being built from the log")
	// ErrRebuilding: the projection is being rebuilt already.
	ErrRebuilding = errors.New("the projection is being rebuilt already")
	// ErrUnknown: there is no projection of that name.
	ErrUnknown = errors.New("no such projection")
	// ErrOvertaken: the checkpoint was moved by someone else; what was to be written is thrown away.
	ErrOvertaken = errors.New("another writer moved the projection's checkpoint")
	// ErrDamaged: the file of the projections can't be read as it was written. Opening it again builds it anew.
	ErrDamaged = errors.New("the file of the projections is damaged")
	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("the projections are closed")
	// ErrFailed is matched by every *FailedError.
	ErrFailed = errors.New("the projection has stopped at an event")
)

// FailedError says that a projection stopped at an event that it could not digest.
type FailedError struct {
	Projection string
	Event      uuid.UUID
	Position   events.Position
	Reason     string
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("projection %s stopped at event %s, position %s: %s", e.Projection, e.Event, e.Position, e.Reason)
}

// Is makes errors.Is(err, ErrFailed) true.
func (e *FailedError) Is(target error) bool { return target == ErrFailed }

// troubleError marks trouble that is not an event's: of the log or of the database. It is tried again.
type troubleError struct{ err error }

func (e *troubleError) Error() string { return e.err.Error() }
func (e *troubleError) Unwrap() error { return e.err }

// isTrouble tells trouble of the machine from what an event made a projection fail with.
func isTrouble(err error) bool {
	var t *troubleError
	if errors.As(err, &t) || errors.Is(err, ErrDamaged) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch sqliteCode(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
		sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

func isDamage(err error) bool {
	code := sqliteCode(err)
	return errors.Is(err, ErrDamaged) || code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// sqliteCode is the primary result code of SQLite, 0 for any other error.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// explain wraps an error of the database with what was being done.
func explain(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case isDamage(err):
		return fmt.Errorf("%s: %w: %w", doing, ErrDamaged, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
