package vault

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"traga.internal/events"
)

// Errors of the vault. Those of the log behind it are passed on.
var (
	// ErrNoKeystore: there is no keystore where it should be. Without it nothing protected can be read or written.
	ErrNoKeystore = errors.New("the keystore is missing")
	// ErrUnknownKey: a field is protected under a key that the keystore does not have: it is another log's, or an older copy.
	ErrUnknownKey = errors.New("the keystore does not have the key of a protected field")
	// ErrWrongRoot: the root key does not open the keystore.
	ErrWrongRoot = errors.New("the root key does not open the keystore")
	// ErrDamaged: the keystore can't be read as it was written. It matches events.ErrDamaged too.
	ErrDamaged = fmt.Errorf("the keystore is damaged: %w", events.ErrDamaged)
	// ErrReadOnly: the vault was opened for reading only.
	ErrReadOnly = errors.New("the vault is open for reading only")
	// ErrInUse: another process uses the keystore, or is bringing in a new root key.
	ErrInUse = errors.New("another process is using the keystore")
)

// explain wraps an error of SQLite with what was being done and, where there is one, with the error that callers match.
func explain(doing string, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	var kind error
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		kind = events.ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR:
		kind = ErrDamaged
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		kind = events.ErrUnavailable
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, kind, err)
}
