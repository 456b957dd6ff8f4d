package reactions

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"traga.internal/events"
)

// JournalFile is the name of the journal in a data directory.
const JournalFile = "reactions.db"

//go:embed schema.sql
var schema string

const (
	journalMark    = 0x54524758 // "TRGX", the application id of the file
	journalVersion = 1
	// kept is for how long notices and attempts stay on record.
	kept = 400 * 24 * time.Hour
)

// ErrJournal: the journal's file is damaged, or it is no journal of this version.
var ErrJournal = errors.New("the journal of the reactions can't be used")

// Journal is what the reactions remember, in one SQLite file of their own: checkpoints, attempts, the poison queue.
// It is safe for concurrent use, and a command may open it beside the service.
type Journal struct {
	db    *sql.DB // one connection: whoever writes, writes alone
	clock func() time.Time

	mu      sync.Mutex
	notices chan struct{}            // closed and replaced when there is a new notice
	leases  map[string]chan struct{} // one consumer at a time for each reaction and topic
}

// OpenJournal opens the journal in a data directory, and makes it where there is none. The directory must be there. It
// fails with ErrJournal for a file that is none.
func OpenJournal(ctx context.Context, dir string, clock func() time.Time) (*Journal, error) {
	path := filepath.Join(dir, JournalFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite gives its journals the permissions of the file
	if err != nil {
		return nil, fmt.Errorf("open the journal of the reactions: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open the journal of the reactions: %w", err)
	}
	return openJournal(ctx, path, clock)
}

// FindJournal opens the journal of a data directory; it fails with fs.ErrNotExist where there is none.
func FindJournal(ctx context.Context, dir string, clock func() time.Time) (*Journal, error) {
	path := filepath.Join(dir, JournalFile)
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil, errors.Join(err, fmt.Errorf("the directory has no journal of reactions: %w", fs.ErrNotExist))
	}
	return openJournal(ctx, path, clock)
}

func openJournal(ctx context.Context, path string, clock func() time.Time) (*Journal, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{"mode": {"rw"}, "_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)"}}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	j := &Journal{db: db, clock: clock, notices: make(chan struct{}), leases: map[string]chan struct{}{}}
	if err := j.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal of the reactions: %w", err), db.Close())
	}
	return j, nil
}

// prepare makes the tables in an empty file, and refuses one that is no journal of this version. What is older than it
// needs to be is dropped.
func (j *Journal) prepare(ctx context.Context) error {
	return j.transact(ctx, func(tx *sql.Tx) error {
		var mark, version, tables int
		for pragma, v := range map[string]*int{"SELECT * FROM pragma_application_id": &mark, "SELECT * FROM pragma_user_version": &version, "SELECT count(*) FROM sqlite_schema": &tables} {
			if err := tx.QueryRowContext(ctx, pragma).Scan(v); err != nil {
				return fmt.Errorf("%w (moved away, a new one is made, and the alerts that stand are told again): %w", ErrJournal, err)
			}
		}
		switch {
		case mark == 0 && tables == 0:
			_, err := tx.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", schema, journalMark, journalVersion))
			return err
		case mark != journalMark:
			return fmt.Errorf("%w: the file %s is none; moved away, a new one is made, and the alerts that stand are told again", ErrJournal, JournalFile)
		case version != journalVersion:
			return fmt.Errorf("%w: its format is %d, this version knows %d", ErrJournal, version, journalVersion)
		}
		old := j.clock().Add(-kept).UnixMicro()
		for _, drop := range []string{"DELETE FROM attempts WHERE began < ?", "DELETE FROM notices WHERE at < ?"} {
			if _, err := tx.ExecContext(ctx, drop, old); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close closes the file.
func (j *Journal) Close() error { return j.db.Close() }

func (j *Journal) transact(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after the commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (j *Journal) now() int64 { return j.clock().UnixMicro() }

// lease waits until nobody else of this process consumes the topic for the reaction; only one does, so that order holds
// and nothing is told twice. The result gives it back.
func (j *Journal) lease(ctx context.Context, reaction, topic string) (release func(), err error) {
	name := reaction + "\x00" + topic
	j.mu.Lock()
	c := j.leases[name]
	if c == nil {
		c = make(chan struct{}, 1)
		j.leases[name] = c
	}
	j.mu.Unlock()
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// checkpoint is how far a reaction has come: it is done with all up to position, and event was the last of it.
type checkpoint struct {
	position events.Position
	event    uuid.UUID
}

func (j *Journal) checkpoint(ctx context.Context, reaction, topic string) (c checkpoint, found bool, err error) {
	var position string
	var event []byte
	err = j.db.QueryRowContext(ctx, "SELECT position, event FROM checkpoints WHERE reaction = ? AND topic = ?", reaction, topic).Scan(&position, &event)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err == nil {
		c.position, err = events.ParsePosition(position)
	}
	if err == nil {
		c.event, err = uuid.FromBytes(event)
	}
	return c, err == nil, err
}

const saveCheckpoint = "INSERT INTO checkpoints (reaction, topic, position, event) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position, event = excluded.event"

func (j *Journal) save(ctx context.Context, reaction, topic string, c checkpoint) error {
	_, err := j.db.ExecContext(ctx, saveCheckpoint, reaction, topic, c.position.String(), c.event[:])
	return err
}

// begin puts an attempt on record before it is made.
func (j *Journal) begin(ctx context.Context, reaction, channel, message string) (attempt int64, err error) {
	r, err := j.db.ExecContext(ctx, "INSERT INTO attempts (reaction, channel, message, began, outcome, detail) VALUES (?, ?, ?, ?, 'begun', '')", reaction, channel, message, j.now())
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

func (j *Journal) end(ctx context.Context, attempt int64, outcome, detail string) error {
	_, err := j.db.ExecContext(ctx, "UPDATE attempts SET ended = ?, outcome = ?, detail = ? WHERE n = ?", j.now(), outcome, detail, attempt)
	return err
}

// told reports whether a message was delivered before.
func (j *Journal) told(ctx context.Context, reaction, message string) (bool, error) {
	return j.exists(ctx, "SELECT 1 FROM attempts WHERE reaction = ? AND message = ? AND outcome = 'delivered'", reaction, message)
}

// behind reports whether a message is parked with the key, or, for a replay of the parked message n, one before it.
func (j *Journal) behind(ctx context.Context, reaction, key string, n int64) (bool, error) {
	return j.exists(ctx, "SELECT 1 FROM parked WHERE reaction = ? AND key = ? AND done IS NULL AND (? = 0 OR n < ?)", reaction, key, n, n)
}

func (j *Journal) exists(ctx context.Context, query string, args ...any) (bool, error) {
	var one int
	err := j.db.QueryRowContext(ctx, query+" LIMIT 1", args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// park puts a message into the poison queue; one that is in it, because a replay failed, gets the new reason.
func (j *Journal) park(ctx context.Context, p Parked, key string, made time.Time, payload []byte) error {
	_, err := j.db.ExecContext(ctx, `INSERT INTO parked (reaction, channel, message, key, made, at, reason, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET at = excluded.at, reason = excluded.reason`, p.Reaction, p.Channel, p.Message, key, made.UnixMicro(), j.now(), p.Reason, payload)
	return err
}

func (j *Journal) unpark(ctx context.Context, n int64) error {
	_, err := j.db.ExecContext(ctx, "UPDATE parked SET done = ? WHERE n = ?", j.now(), n)
	return err
}

// Parked is a message in the poison queue.
type Parked struct {
	Number   int64     `json:"number"`
	Reaction string    `json:"reaction"`
	Channel  string    `json:"channel"`
	Message  string    `json:"message"` // its id
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
	// Replay: someone asked for it to be sent again, and that has not been tried yet.
	Replay bool `json:"replay"`
}

// Parked lists what is in the poison queue, in the order in which it got there; of one reaction, or of all.
func (j *Journal) Parked(ctx context.Context, reaction string) ([]Parked, error) {
	rows, err := j.db.QueryContext(ctx, `SELECT n, reaction, channel, message, at, reason,
			EXISTS (SELECT 1 FROM replays r WHERE r.parked = p.n AND r.n > coalesce((SELECT CAST(position AS INTEGER) FROM checkpoints c WHERE c.reaction = p.reaction AND c.topic = ?), 0))
		FROM parked p WHERE done IS NULL AND (? = '' OR reaction = ?) ORDER BY n`, replayTopic, reaction, reaction)
	if err != nil {
		return nil, fmt.Errorf("list what is parked: %w", err)
	}
	defer rows.Close()
	list := []Parked{}
	for rows.Next() {
		var p Parked
		var at int64
		if err := rows.Scan(&p.Number, &p.Reaction, &p.Channel, &p.Message, &at, &p.Reason, &p.Replay); err != nil {
			return nil, fmt.Errorf("list what is parked: %w", err)
		}
		p.At = time.UnixMicro(at).UTC()
		list = append(list, p)
	}
	return list, rows.Err()
}

// Replay asks that parked messages be sent again, in their order. The running service does it within seconds; else the
// next one that is started.
func (j *Journal) Replay(ctx context.Context, numbers ...int64) error {
	err := j.transact(ctx, func(tx *sql.Tx) error {
		for _, n := range numbers {
			if _, err := tx.ExecContext(ctx, "INSERT INTO replays (parked, at) SELECT n, ? FROM parked WHERE n = ? AND done IS NULL", j.now(), n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ask for a replay: %w", err)
	}
	return nil
}

// Attempt is one attempt to tell something.
type Attempt struct {
	Reaction string     `json:"reaction"`
	Channel  string     `json:"channel"`
	Message  string     `json:"message"` // its id
	Began    time.Time  `json:"began"`
	Ended    *time.Time `json:"ended"`
	// Outcome is delivered, failed, refreshed (an Alertmanager was told again), nothing (all of it had changed since),
	// interrupted (traga stopped meanwhile), or begun (traga was killed meanwhile).
	Outcome string `json:"outcome"`
	Detail  string `json:"detail"`
}

// Attempts lists the latest attempts, newest first; of one reaction, or of all.
func (j *Journal) Attempts(ctx context.Context, reaction string, limit int) ([]Attempt, error) {
	rows, err := j.db.QueryContext(ctx, `SELECT reaction, channel, message, began, ended, outcome, detail FROM attempts
		WHERE ? = '' OR reaction = ? ORDER BY n DESC LIMIT ?`, reaction, reaction, limit)
	if err != nil {
		return nil, fmt.Errorf("list the attempts: %w", err)
	}
	defer rows.Close()
	list := []Attempt{}
	for rows.Next() {
		var a Attempt
		var began int64
		var ended sql.NullInt64
		if err := rows.Scan(&a.Reaction, &a.Channel, &a.Message, &began, &ended, &a.Outcome, &a.Detail); err != nil {
			return nil, fmt.Errorf("list the attempts: %w", err)
		}
		a.Began = time.UnixMicro(began).UTC()
		if ended.Valid {
			t := time.UnixMicro(ended.Int64).UTC()
			a.Ended = &t
		}
		list = append(list, a)
	}
	return list, rows.Err()
}

// standing are the alerts that stand as last told.
func (j *Journal) standing(ctx context.Context) (map[uuid.UUID]Alert, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT body FROM standing")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[uuid.UUID]Alert{}
	for rows.Next() {
		var body []byte
		var a Alert
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &a); err != nil {
			return nil, err
		}
		all[a.ID] = a
	}
	return all, rows.Err()
}

// notify puts down what changed, and with it what now stands: a crash leaves both or neither.
func (j *Journal) notify(ctx context.Context, n notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	err = j.transact(ctx, func(tx *sql.Tx) error {
		for i := range n.Changes {
			a := &n.Changes[i].Alert
			if a.State == Resolved {
				_, err = tx.ExecContext(ctx, "DELETE FROM standing WHERE id = ?", a.ID[:])
			} else {
				var alert []byte
				if alert, err = json.Marshal(a); err == nil {
					_, err = tx.ExecContext(ctx, "INSERT INTO standing (id, body) VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body", a.ID[:], string(alert))
				}
			}
			if err != nil {
				return err
			}
		}
		return insertNotice(ctx, tx, n, "", body)
	})
	if err == nil {
		j.mu.Lock()
		close(j.notices)
		j.notices = make(chan struct{})
		j.mu.Unlock()
	}
	return err
}

func insertNotice(ctx context.Context, tx *sql.Tx, n notice, reaction string, body []byte) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO notices (id, at, reaction, body) VALUES (?, ?, ?, ?)", n.ID[:], n.At.UnixMicro(), reaction, string(body))
	return err
}

// enrol lets a reaction that is new begin after the notices so far, with one of its own that tells all that stands.
func (j *Journal) enrol(ctx context.Context, reaction string, at time.Time) error {
	if _, found, err := j.checkpoint(ctx, reaction, noticeTopic); found || err != nil {
		return err
	}
	all, err := j.standing(ctx)
	if err != nil {
		return err
	}
	n, err := newNotice(at)
	if err != nil {
		return err
	}
	for _, a := range all {
		n.Changes = append(n.Changes, change{Alert: a})
	}
	n.sort()
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return j.transact(ctx, func(tx *sql.Tx) error {
		var last uint64
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(n), 0) FROM notices").Scan(&last); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, saveCheckpoint, reaction, noticeTopic, events.At(last).String(), uuid.Nil[:]); err != nil {
			return err
		}
		if len(n.Changes) == 0 {
			return nil
		}
		return insertNotice(ctx, tx, n, reaction, body)
	})
}

// pending reports whether a reaction has notices that it is not done with.
func (j *Journal) pending(ctx context.Context, reaction string) (bool, error) {
	c, _, err := j.checkpoint(ctx, reaction, noticeTopic)
	if err != nil {
		return false, err
	}
	return j.exists(ctx, "SELECT 1 FROM notices WHERE n > ? AND reaction IN ('', ?)", int64(c.position.Commit), reaction)
}
