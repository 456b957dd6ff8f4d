package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"traga.internal/events"
	"traga.internal/events/internal/treefile"
)

// applicationID marks a SQLite file as a log of traga ("TRGA").
const applicationID = 0x54524741

//go:embed schema/*.sql
var schemaFiles embed.FS

// migrations are the steps from an empty file to the present schema. A file's PRAGMA user_version says how many
// of them it has had. Steps that were released are never edited.
func migrations() ([]string, error) {
	names, err := fs.Glob(schemaFiles, "schema/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	steps := make([]string, len(names))
	for i, name := range names {
		step, err := schemaFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps[i] = string(step)
	}
	steps[ledgerBegun-1] += treefile.Schema
	return steps, nil
}

// Formats of the file. Up to ledgerBegun it has no ledger; at ledgerBegun the ledger is being built from the events of
// before; from ledgerComplete on it has them all.
const (
	ledgerBegun    = 2
	ledgerComplete = 3
)

// pragmas are what every connection needs. recursive_triggers lets the triggers see the rows that an INSERT OR
// REPLACE would delete.
var pragmas = []string{"busy_timeout(5000)", "synchronous(FULL)", "recursive_triggers(1)", "trusted_schema(0)"}

// still is the mode in which a file is opened that nobody writes to.
const still = "still"

// open opens the file for reading ("ro"), for reading and writing ("rw"), or still; it does not create it. It touches
// the file only with the first statement.
func open(path, mode string, extra ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"mode": {mode}, "_pragma": append(extra, pragmas...)}
	if mode == still { // SQLite then needs no lock and no shared memory
		query.Set("mode", "ro")
		query.Set("immutable", "1")
	}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	return sql.Open("sqlite", dsn.String())
}

// create makes an empty log. It is built under another name, so that a crash in between leaves either nothing
// that counts or a whole log, and log.db is never seen half made.
func create(ctx context.Context, path string) (err error) {
	draft := path + ".new"
	for _, leftover := range []string{draft, draft + "-journal", draft + "-wal", draft + "-shm"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// SQLite gives its journals the permissions of the file.
	file, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := fill(ctx, draft); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func fill(ctx context.Context, draft string) (err error) {
	db, err := open(draft, "rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "PRAGMA application_id = "+strconv.Itoa(applicationID)); err != nil {
		return err
	}
	if err := migrate(ctx, db, nil); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
	return err
}

func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

// version checks that the file is a log, and says how many migrations it has had.
func version(ctx context.Context, db *sql.DB) (int, error) {
	var id, version int
	if err := scanOne(db.QueryRowContext(ctx, "PRAGMA application_id"), &id); err != nil {
		return 0, err
	}
	if id != applicationID {
		return 0, damaged("the file is not a log of traga")
	}
	if err := scanOne(db.QueryRowContext(ctx, "PRAGMA user_version"), &version); err != nil {
		return 0, err
	}
	steps, err := migrations()
	if err != nil {
		return 0, err
	}
	if version > len(steps) {
		return 0, fmt.Errorf("%w: its format is %d, this version knows up to %d", events.ErrNewerVersion, version, len(steps))
	}
	return version, nil
}

// migrate brings the file to the present schema, one transaction for each step. A crash in between leaves a file of
// an earlier format, from which the next opening goes on.
func migrate(ctx context.Context, db *sql.DB, progress func(done, total uint64)) error {
	done, err := version(ctx, db)
	if err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	for i := done; i < len(steps); i++ {
		if i+1 == ledgerComplete {
			if err := buildLedger(ctx, db, progress); err != nil {
				return fmt.Errorf("build the ledger of the events: %w", err)
			}
		}
		if err := step(ctx, db, steps[i], i+1); err != nil {
			return fmt.Errorf("bring the log to format %d: %w", i+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, db *sql.DB, statements string, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, statements); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.Itoa(version)); err != nil {
		return err
	}
	return tx.Commit()
}
