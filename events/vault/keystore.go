package vault

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"traga.internal/events"
)

const (
	keysFile      = "keys.db"
	lockFile      = "lock"
	format        = 1
	applicationID = 0x5452474b // "TRGK"
)

const schema = `
CREATE TABLE keystore (
	one            INTEGER PRIMARY KEY CHECK (one = 1),
	index_key      BLOB    NOT NULL, -- wrapped
	epoch          INTEGER NOT NULL, -- of the keys that are made from now on
	changes        INTEGER NOT NULL, -- counts what makes it wrong to go on with what is remembered: an erasure, a new epoch
	settled_commit INTEGER NOT NULL, -- how far the log was looked through
	settled_prepare INTEGER NOT NULL,
	settled_id      BLOB              -- of the event there, by which the log is known again; NULL where nothing stands there
) STRICT;
CREATE TABLE keys (
	id           TEXT    NOT NULL UNIQUE,
	person       BLOB    NOT NULL CHECK (length(person) = 16),
	category     TEXT    NOT NULL,
	epoch        INTEGER NOT NULL,
	wrapped      BLOB,               -- NULL once it is destroyed
	receipt      BLOB,               -- of a destroyed key: the id of the PersonalDataErased
	destroyed_at INTEGER,            -- microseconds since 1970
	CHECK ((wrapped IS NULL) = (receipt IS NOT NULL)),
	CHECK (receipt IS NULL OR length(receipt) = 16)
) STRICT;
CREATE UNIQUE INDEX keys_in_use ON keys (person, category, epoch) WHERE wrapped IS NOT NULL;
CREATE INDEX keys_by_person ON keys (person);
CREATE INDEX keys_by_receipt ON keys (receipt) WHERE receipt IS NOT NULL;
CREATE TABLE cases (                 -- the streams of each person's cases
	person BLOB NOT NULL,
	stream TEXT NOT NULL,
	PRIMARY KEY (person, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE requests (              -- requests for erasure that were not carried out yet
	event   BLOB PRIMARY KEY CHECK (length(event) = 16),
	stream  TEXT NOT NULL,
	erasure TEXT NOT NULL            -- its id in the case
) STRICT, WITHOUT ROWID;
`

// keystore is the open keys.db.
type keystore struct {
	writes  *sql.DB // one connection; nil when read-only
	reads   *sql.DB
	version *sql.Conn // asks whether something changed; by one at a time
	asking  sync.Mutex
	byID    *sql.Stmt

	making sync.Mutex // held by the one that makes keys, for all that wait
	queue  sync.Mutex
	wanted []*order // those that wait
}

// person names a person, see the package comment.
type person [16]byte

// lot is what a data key is for.
type lot struct {
	person   person
	category events.Category
	epoch    int
}

// row is a data key as it is kept.
type row struct {
	lot
	id      string
	wrapped []byte
	receipt uuid.UUID // of a destroyed key
	at      time.Time // when it was destroyed
}

// associated is the associated data under which the key is wrapped.
func (r *row) associated() []byte {
	b := []byte("traga.internal/key/v1\n")
	for _, s := range []string{r.id, hex.EncodeToString(r.person[:]), string(r.category), strconv.Itoa(r.epoch)} {
		b = append(append(b, s...), 0)
	}
	return b
}

var indexData = []byte("traga.internal/index/v1\n")

func openDB(path, mode string, pragmas ...string) (*sql.DB, error) {
	if path == "" { // in memory, over one connection
		return sql.Open("sqlite", ":memory:")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"mode": {mode}, "_pragma": append(pragmas, "busy_timeout(10000)", "trusted_schema(0)")}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	return sql.Open("sqlite", dsn.String())
}

// openKeystore opens keys.db for writing, or for reading only beside those who write. An empty path is a keystore in
// memory. index wraps a new index key, for a file that is made.
func openKeystore(ctx context.Context, path string, readOnly bool, index func() ([]byte, error)) (_ *keystore, err error) {
	k := &keystore{}
	defer func() {
		if err != nil {
			err = errors.Join(explain("open the keystore", err), k.close())
		}
	}()
	if path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && readOnly {
			return nil, ErrNoKeystore
		}
	}
	if !readOnly {
		if path != "" { // SQLite gives its journals the permissions of the file
			f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				return nil, err
			}
		}
		if k.writes, err = openDB(path, "rwc", "synchronous(full)", "secure_delete(1)", "journal_mode(wal)"); err != nil {
			return nil, err
		}
		k.writes.SetMaxOpenConns(1)
		if err := k.create(ctx, index); err != nil {
			return nil, err
		}
	}
	if k.reads = k.writes; path != "" {
		if k.reads, err = openDB(path, "ro", "query_only(1)"); err != nil {
			return nil, err
		}
		k.reads.SetMaxOpenConns(max(4, 2*runtime.NumCPU()))
		k.reads.SetMaxIdleConns(max(4, 2*runtime.NumCPU()))
	}
	var app, version int
	if err := k.reads.QueryRowContext(ctx, "SELECT a.application_id, v.user_version FROM pragma_application_id a, pragma_user_version v").Scan(&app, &version); err != nil {
		return nil, err
	}
	switch {
	case app != applicationID:
		return nil, fmt.Errorf("%w: %s is no keystore of traga", ErrDamaged, keysFile)
	case version > format:
		return nil, fmt.Errorf("%w: the keystore's format is %d, this version knows up to %d", events.ErrNewerVersion, version, format)
	}
	if path != "" {
		if k.version, err = k.reads.Conn(ctx); err != nil {
			return nil, err
		}
	}
	k.byID, err = k.reads.PrepareContext(ctx, `SELECT `+columns+` FROM keys WHERE id = ?`)
	return k, err
}

// create fills an empty file. It is one transaction: a crash leaves an empty file or a whole keystore.
func (k *keystore) create(ctx context.Context, index func() ([]byte, error)) error {
	return k.transact(ctx, func(tx *sql.Tx) error {
		var tables int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil || tables > 0 {
			return err
		}
		wrapped, err := index()
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", schema, applicationID, format)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO keystore VALUES (1, ?, 1, 0, 0, 0, NULL)", wrapped)
		return err
	})
}

func (k *keystore) transact(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := k.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (k *keystore) close() error {
	var errs []error
	if k.byID != nil {
		errs = append(errs, k.byID.Close())
	}
	if k.version != nil {
		errs = append(errs, k.version.Close())
	}
	if k.reads != nil {
		errs = append(errs, k.reads.Close())
	}
	if k.writes != nil && k.writes != k.reads {
		errs = append(errs, k.writes.Close())
	}
	return errors.Join(errs...)
}

const columns = `id, person, category, epoch, wrapped, receipt, destroyed_at`

func scanRow(scan func(...any) error) (*row, error) {
	var (
		r           row
		who, proven []byte
		at          sql.NullInt64
	)
	if err := scan(&r.id, &who, &r.category, &r.epoch, &r.wrapped, &proven, &at); err != nil {
		return nil, err
	}
	copy(r.person[:], who)
	copy(r.receipt[:], proven)
	if at.Valid {
		r.at = time.UnixMicro(at.Int64).UTC()
	}
	return &r, nil
}

// find reads a key; nil if there is none.
func (k *keystore) find(ctx context.Context, id string) (*row, error) {
	r, err := scanRow(k.byID.QueryRowContext(context.WithoutCancel(ctx), id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// knows reports whether a stream is noted as a case of a person.
func (k *keystore) knows(ctx context.Context, who person, stream string) (known bool, err error) {
	err = k.reads.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM cases WHERE person = ? AND stream = ?)", who[:], stream).Scan(&known)
	return known, explain("read the keystore", err)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func selectRows(ctx context.Context, q querier, where string, args ...any) (list []*row, err error) {
	rows, err := q.QueryContext(ctx, "SELECT "+columns+" FROM keys WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRow(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

func texts(ctx context.Context, q querier, query string, args ...any) (list []string, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// state is the keystore's one row, without what is secret.
type state struct {
	epoch   int
	changes int64
	settled events.Position
	there   uuid.UUID // the event at settled; nil where that is not known
}

func (k *keystore) state(ctx context.Context) (s state, index []byte, err error) {
	var there []byte
	err = k.reads.QueryRowContext(ctx, "SELECT index_key, epoch, changes, settled_commit, settled_prepare, settled_id FROM keystore").
		Scan(&index, &s.epoch, &s.changes, &s.settled.Commit, &s.settled.Prepare, &there)
	copy(s.there[:], there)
	return s, index, err
}

// dataVersion changes whenever another connection has written. In memory nobody else can.
func (k *keystore) dataVersion(ctx context.Context) (v int64, err error) {
	if k.version == nil {
		return 0, nil
	}
	k.asking.Lock()
	defer k.asking.Unlock()
	// One caller who gives up must not cost all others the connection.
	err = k.version.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA data_version").Scan(&v)
	return v, err
}

// order is what a writer needs before it can append: keys, and that the case is known as the person's. The rows are
// proposals; after make they are the keys in use.
type order struct {
	rows []*row
	told []ownership
	done bool
	err  error
}

// make carries an order out, in one transaction with all others that wait at the time: each costs a write to the disk.
// When it returns the keys are durable.
func (k *keystore) make(o *order) error {
	k.queue.Lock()
	k.wanted = append(k.wanted, o)
	k.queue.Unlock()
	k.making.Lock()
	defer k.making.Unlock()
	if o.done { // someone did it while we waited
		return o.err
	}
	k.queue.Lock()
	group := k.wanted
	k.wanted = nil
	k.queue.Unlock()
	ctx := context.Background() // the group is not any one caller's to cancel
	err := k.transact(ctx, func(tx *sql.Tx) error {
		for _, o := range group {
			if err := o.carryOut(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	for _, o := range group {
		o.done, o.err = true, explain("make keys", err)
	}
	return o.err
}

func (o *order) carryOut(ctx context.Context, tx *sql.Tx) error {
	for _, t := range o.told {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO cases (person, stream) VALUES (?, ?)", t.of.person[:], t.stream); err != nil {
			return err
		}
	}
	for i, r := range o.rows {
		_, err := tx.ExecContext(ctx, `INSERT INTO keys (id, person, category, epoch, wrapped) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (person, category, epoch) WHERE wrapped IS NOT NULL DO NOTHING`, r.id, r.person[:], string(r.category), r.epoch, r.wrapped)
		if err != nil {
			return err
		}
		there, err := selectRows(ctx, tx, "person = ? AND category = ? AND epoch = ? AND wrapped IS NOT NULL", r.person[:], string(r.category), r.epoch)
		if err != nil {
			return err
		}
		o.rows[i] = there[0] // another's, where it was quicker
	}
	return nil
}

// destroy leaves of keys their tombstones, and returns the ids of all that this receipt stands for. Doing it again
// changes nothing. which selects keys.
func (k *keystore) destroy(ctx context.Context, receipt uuid.UUID, at time.Time, which string, args ...any) (ids []string, err error) {
	err = k.transact(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE keys SET wrapped = NULL, receipt = ?, destroyed_at = ? WHERE wrapped IS NOT NULL AND ("+which+")",
			append([]any{receipt[:], at.UnixMicro()}, args...)...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			if _, more := tx.ExecContext(ctx, "UPDATE keystore SET changes = changes + 1"); err != nil || more != nil {
				return errors.Join(err, more)
			}
		}
		ids, err = texts(ctx, tx, "SELECT id FROM keys WHERE receipt = ? ORDER BY id", receipt[:])
		return err
	})
	if err == nil {
		err = k.truncate(ctx)
	}
	return ids, explain("destroy keys", err)
}

// truncate moves the journal into keys.db and empties it: what was overwritten there stands nowhere any more.
func (k *keystore) truncate(ctx context.Context) error {
	var busy, pages, moved int
	if err := k.writes.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return fmt.Errorf("%w: another process is reading the keystore, so its journal can't be emptied", events.ErrUnavailable)
	}
	return nil
}
