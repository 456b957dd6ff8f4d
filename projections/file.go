package projections

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/google/uuid"

	"traga.internal/events"
)

// The files of the projections in a node's directory.
const (
	dbFile   = "projections.db"
	lockFile = "projections.lock"
)

// damageMark is what a reader that met damage leaves beside the file, so that its owner makes it anew.
const damageMark = ".damaged"

// format is the layout of the engine's own tables. A file of any other format is built anew.
const (
	format        = 2
	applicationID = 0x74726770 // "trgp"
)

const engineSchema = `
CREATE TABLE generations (
	generation      INTEGER PRIMARY KEY,
	name            TEXT NOT NULL,
	version         INTEGER NOT NULL,
	live            INTEGER NOT NULL, -- 1: it answers; 0: it is being built
	commit_pos      INTEGER NOT NULL,
	prepare_pos     INTEGER NOT NULL,
	event_id        BLOB,             -- of the event there, whoever's it is; NULL where that is not known
	failed_event    TEXT,
	failed_commit   INTEGER,
	failed_prepare  INTEGER,
	error           TEXT
) STRICT;
CREATE UNIQUE INDEX generations_one_live ON generations (name, live);
`

// generation is one filling of a projection's tables.
type generation struct {
	p       Projection // of this program; for another version's generation only the name is set
	number  int64
	version int
	live    bool
	taken   bool // a call of Rebuild brings it up
	at      events.Position
	id      uuid.UUID // of the event at that position; nil where that is not known
	failed  *FailedError
	names   *strings.Replacer // {table} to the table's name in this generation
}

func (g *generation) setNames() {
	var pairs []string
	for _, t := range g.p.Tables {
		pairs = append(pairs, "{"+t.Name+"}", g.table(t.Name))
	}
	g.names = strings.NewReplacer(pairs...)
}

func (g *generation) table(name string) string {
	return fmt.Sprintf("%s_%s_%d", g.p.Name, name, g.number)
}

// file is the open projections.db.
type file struct {
	path    string
	readers *sql.DB

	// mu guards the one connection that writes, and what was prepared on it.
	mu     sync.Mutex
	writer *sql.DB // nil when read-only
	conn   *sql.Conn
	stmts  map[stmtKey]*sql.Stmt
	execs  map[stmtKey]driver.StmtExecContext
	args   []driver.NamedValue // of the statement at hand
}

type stmtKey struct {
	generation int64
	query      string
}

func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// openFile opens the file, and makes a new one where it is missing, damaged or of another format.
func openFile(ctx context.Context, dir string) (*file, error) {
	path := filepath.Join(dir, dbFile)
	if _, err := os.Stat(path + damageMark); err == nil {
		if err := removeFile(path); err != nil {
			return nil, err
		}
	}
	f, err := openOwned(ctx, path)
	if errors.Is(err, ErrDamaged) || errors.Is(err, errOtherFormat) {
		if err = removeFile(path); err == nil {
			f, err = openOwned(ctx, path)
		}
	}
	return f, err
}

func removeFile(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", damageMark} { // the mark last
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the damaged projections: %w", err)
		}
	}
	return nil
}

var errOtherFormat = errors.New("the projections have another format")

func openOwned(ctx context.Context, path string) (_ *file, err error) {
	f := &file{path: path, stmts: make(map[stmtKey]*sql.Stmt), execs: make(map[stmtKey]driver.StmtExecContext)}
	defer func() {
		if err != nil {
			f.close()
			err = explain("open the projections", err)
		}
	}()
	// In WAL mode with synchronous=NORMAL a power cut may lose the last transactions, never a part of one; they
	// are then built again from the log.
	if f.writer, err = sql.Open("sqlite", dsn(path, "rwc", "page_size(8192)", "journal_mode(wal)", "synchronous(normal)", "cache_size(-65536)",
		"wal_autocheckpoint(16000)", "temp_store(memory)", "secure_delete(1)")); err != nil {
		return nil, err
	}
	f.writer.SetMaxOpenConns(1)
	if f.conn, err = f.writer.Conn(ctx); err != nil {
		return nil, err
	}
	var app, version, tables int
	err = f.conn.QueryRowContext(ctx, `SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id a, pragma_user_version v`).Scan(&app, &version, &tables)
	switch {
	case err != nil:
		return nil, err
	case tables == 0 && version == 0:
		if _, err = f.conn.ExecContext(ctx, fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			engineSchema, applicationID, format)); err != nil {
			return nil, err
		}
	case app != applicationID || version != format:
		return nil, errOtherFormat
	}
	if f.readers, err = openReaders(path); err != nil {
		return nil, err
	}
	return f, nil
}

// openBeside opens the file for reading only, beside its owner.
func openBeside(ctx context.Context, dir string) (*file, error) {
	f := &file{path: filepath.Join(dir, dbFile)}
	var err error
	if f.readers, err = openReaders(f.path); err != nil {
		return nil, explain("open the projections", err)
	}
	var version int
	if err := f.readers.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return nil, errors.Join(explain("open the projections", err), f.close())
	}
	if version != format {
		return nil, errors.Join(explain("open the projections", errOtherFormat), f.close())
	}
	return f, nil
}

func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "ro", "query_only(1)", "cache_size(-16384)"))
	if err != nil {
		return nil, err
	}
	n := max(4, 2*runtime.NumCPU())
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

func (f *file) close() error {
	var errs []error
	if f.readers != nil {
		errs = append(errs, f.readers.Close())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.stmts {
		s.Close()
	}
	f.closeExecs(func(stmtKey) bool { return true })
	if f.conn != nil {
		errs = append(errs, f.conn.Close())
	}
	if f.writer != nil {
		errs = append(errs, f.writer.Close())
	}
	return errors.Join(errs...)
}

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// generations reads what is on record, without the projections' descriptions.
func generations(ctx context.Context, q querier) ([]*generation, error) {
	rows, err := q.QueryContext(ctx, `SELECT generation, name, version, live, commit_pos, prepare_pos, event_id, failed_event,
		coalesce(failed_commit, 0), coalesce(failed_prepare, 0), coalesce(error, '') FROM generations ORDER BY name, live DESC`)
	if err != nil {
		return nil, explain("read the checkpoints", err)
	}
	defer rows.Close()
	var all []*generation
	for rows.Next() {
		g := &generation{}
		var event sql.NullString
		var failed FailedError
		var id []byte
		if err := rows.Scan(&g.number, &g.p.Name, &g.version, &g.live, &g.at.Commit, &g.at.Prepare, &id, &event,
			&failed.Position.Commit, &failed.Position.Prepare, &failed.Reason); err != nil {
			return nil, explain("read the checkpoints", err)
		}
		copy(g.id[:], id)
		if event.Valid {
			failed.Projection = g.p.Name
			if failed.Event, err = uuid.Parse(event.String); err != nil {
				return nil, fmt.Errorf("read the checkpoints: %w: %w", ErrDamaged, err)
			}
			g.failed = &failed
		}
		all = append(all, g)
	}
	return all, explain("read the checkpoints", rows.Err())
}

// transact runs fn in one transaction of the writer.
func (f *file) transact(ctx context.Context, fn func() error) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.transactLocked(ctx, fn)
}

func (f *file) transactLocked(ctx context.Context, fn func() error) (err error) {
	if _, err := f.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return explain("begin", err)
	}
	done := false
	defer func() {
		if !done {
			// Also when the context is over: the connection must be free for the next one.
			_, rollback := f.exec(context.WithoutCancel(ctx), "ROLLBACK")
			if rollback != nil && sqliteCode(rollback) != 1 { // 1: SQLite had rolled back by itself
				err = errors.Join(err, explain("roll back", rollback))
			}
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := f.exec(context.WithoutCancel(ctx), "COMMIT"); err != nil {
		return explain("commit", err)
	}
	done = true
	return nil
}

// exec runs a statement on the writer's connection. The caller holds mu.
func (f *file) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return f.conn.ExecContext(ctx, query, args...)
}

// forget closes what was prepared for a generation. The caller holds mu.
func (f *file) forget(generation int64) {
	for k, s := range f.stmts {
		if k.generation == generation {
			s.Close()
			delete(f.stmts, k)
		}
	}
	f.closeExecs(func(k stmtKey) bool { return k.generation == generation })
}

// closeExecs closes some of the driver's statements. The caller holds mu.
func (f *file) closeExecs(which func(stmtKey) bool) {
	if len(f.execs) == 0 || f.conn == nil {
		return
	}
	_ = f.conn.Raw(func(any) error { // a connection that is gone has closed them
		for k, s := range f.execs {
			if which(k) {
				s.(driver.Stmt).Close()
				delete(f.execs, k)
			}
		}
		return nil
	})
}

// Tx is the transaction in which a projection's rows and its checkpoint are committed. It must not be kept.
type Tx struct {
	f    *file
	g    *generation
	kept *any
}

// Kept is a place for what Write wants to know of its tables next time without asking them: what was put there is
// there at the next Write if this transaction was committed, and every one since. Otherwise it holds nil.
func (t *Tx) Kept() *any { return t.kept }

func (t *Tx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	key := stmtKey{t.g.number, query}
	s, ok := t.f.stmts[key]
	if !ok {
		var err error
		if s, err = t.f.conn.PrepareContext(ctx, t.g.names.Replace(query)); err != nil {
			return nil, err
		}
		t.f.stmts[key] = s
	}
	return s, nil
}

// Exec runs a statement, prepared once, in which {name} stands for the generation's table of that name, and says
// how many rows it changed. It is never interrupted half way. Of byte slices among the arguments it keeps nothing.
//
// It speaks to the driver itself: what database/sql does around a statement takes longer than writing a small row.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	f := t.f
	f.args = f.args[:0]
	for i, v := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(v)
		if err != nil {
			return 0, err
		}
		f.args = append(f.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	err = f.conn.Raw(func(conn any) error {
		key := stmtKey{t.g.number, query}
		s, ok := f.execs[key]
		if !ok {
			prepared, err := conn.(driver.ConnPrepareContext).PrepareContext(ctx, t.g.names.Replace(query))
			if err != nil {
				return err
			}
			s = prepared.(driver.StmtExecContext)
			f.execs[key] = s
		}
		// context.Background: a context that can end costs each statement a goroutine.
		result, err := s.ExecContext(context.Background(), f.args)
		if err == nil {
			changed, err = result.RowsAffected()
		}
		return err
	})
	return changed, err
}

// Query runs a query, prepared once, in the transaction. Close its rows before the next statement.
func (t *Tx) Query(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := t.prepare(context.Background(), query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...)
}

// create makes a generation's tables, at the log's start. The caller is in a transaction.
func (f *file) create(ctx context.Context, p Projection) (*generation, error) {
	res, err := f.exec(ctx, `INSERT INTO generations (generation, name, version, live, commit_pos, prepare_pos)
		VALUES ((SELECT coalesce(max(generation), 0) + 1 FROM generations), ?, ?, 0, 0, 0)`, p.Name, p.Version)
	if err != nil {
		return nil, explain("begin a generation of "+p.Name, err)
	}
	g := &generation{p: p, version: p.Version}
	if g.number, err = res.LastInsertId(); err != nil {
		return nil, err
	}
	g.setNames()
	for _, t := range p.Tables {
		options := t.Options
		if options == "" {
			options = "STRICT"
		}
		if _, err := f.exec(ctx, "DROP TABLE IF EXISTS "+g.table(t.Name)); err != nil {
			return nil, explain("make the tables of "+p.Name, err)
		}
		if _, err := f.exec(ctx, fmt.Sprintf("CREATE TABLE %s (%s\n) %s", g.table(t.Name), t.Columns, options)); err != nil {
			return nil, explain("make the tables of "+p.Name, err)
		}
	}
	return g, nil
}

// drop removes a generation with its tables. The caller is in a transaction.
func (f *file) drop(ctx context.Context, g *generation) error {
	f.forget(g.number)
	prefix := g.p.Name + "_"
	suffix := fmt.Sprintf("_%d", g.number)
	rows, err := f.conn.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, ?) = ? AND substr(name, -?) = ?`,
		len(prefix), prefix, len(suffix), suffix)
	if err != nil {
		return explain("drop a generation of "+g.p.Name, err)
	}
	var tables []string
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			rows.Close()
			return err
		}
		tables = append(tables, t)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return explain("drop a generation of "+g.p.Name, err)
	}
	for _, t := range tables {
		if _, err := f.exec(ctx, "DROP TABLE "+t); err != nil {
			return explain("drop a generation of "+g.p.Name, err)
		}
	}
	_, err = f.exec(ctx, "DELETE FROM generations WHERE generation = ?", g.number)
	return explain("drop a generation of "+g.p.Name, err)
}

// swap makes a filled generation the one that answers: its indexes are made, and the old one goes, in one
// transaction. The caller is in it.
func (f *file) swap(ctx context.Context, g *generation) error {
	f.forget(g.number)
	for _, t := range g.p.Tables {
		for _, i := range t.Indexes {
			if _, err := f.exec(ctx, fmt.Sprintf("CREATE INDEX %s_%s ON %s %s", g.table(t.Name), i.Name, g.table(t.Name), i.On)); err != nil {
				return explain("make the indexes of "+g.p.Name, err)
			}
		}
	}
	all, err := generations(ctx, f.conn)
	if err != nil {
		return err
	}
	for _, old := range all {
		if old.p.Name == g.p.Name && old.number != g.number {
			if err := f.drop(ctx, old); err != nil {
				return err
			}
		}
	}
	_, err = f.exec(ctx, "UPDATE generations SET live = 1 WHERE generation = ?", g.number)
	return explain("swap in "+g.p.Name, err)
}

// checkpoint moves a generation's checkpoint, if it is where the caller believes. The caller is in a transaction.
func (f *file) checkpoint(ctx context.Context, g *generation, to events.Position, id uuid.UUID) error {
	var there any
	if id != uuid.Nil {
		there = id[:]
	}
	res, err := f.exec(ctx, `UPDATE generations SET commit_pos = ?, prepare_pos = ?, event_id = ?, failed_event = NULL, failed_commit = NULL,
		failed_prepare = NULL, error = NULL WHERE generation = ? AND name = ? AND version = ? AND commit_pos = ? AND prepare_pos = ?`,
		int64(to.Commit), int64(to.Prepare), there, g.number, g.p.Name, g.version, int64(g.at.Commit), int64(g.at.Prepare))
	if err != nil {
		return explain("move the checkpoint of "+g.p.Name, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("projection %s at position %s: %w", g.p.Name, g.at, ErrOvertaken), err)
	}
	return nil
}

// holds reports whether a generation is still on record.
func (f *file) holds(ctx context.Context, g *generation) (bool, error) {
	var n int
	err := f.conn.QueryRowContext(ctx, "SELECT count(*) FROM generations WHERE generation = ?", g.number).Scan(&n)
	if err != nil {
		return false, &troubleError{explain("look for the checkpoint of "+g.p.Name, err)}
	}
	return n == 1, nil
}

// stop puts a failure on record.
func (f *file) stop(ctx context.Context, g *generation, failed *FailedError) error {
	return f.transact(ctx, func() error {
		_, err := f.exec(ctx, `UPDATE generations SET failed_event = ?, failed_commit = ?, failed_prepare = ?, error = ? WHERE generation = ?`,
			failed.Event.String(), int64(failed.Position.Commit), int64(failed.Position.Prepare), failed.Reason, g.number)
		return explain("record the failure of "+g.p.Name, err)
	})
}
