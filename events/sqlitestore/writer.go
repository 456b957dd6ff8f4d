package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/internal/admission"
	"traga.internal/events/internal/treefile"
	"traga.internal/events/internal/wake"
	"traga.internal/events/ledger"
)

// maxStreams bounds how many streams the writer remembers; past it, it forgets them all and asks the file again.
const maxStreams = 1 << 16

// writer is the one goroutine that changes the file. It decides on requests from what it remembers, and what it
// remembers is what its transaction holds: after a rollback it reads the file again.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	clock func() time.Time
	queue *queue
	bell  *wake.Bell

	statements                                                  prepared
	insertEvent, insertStream, findStream, findEvent, lastEvent *sql.Stmt
	rows                                                        *ledgerRows

	head       uint64    // position of the last event, 0 when there is none
	recordedAt time.Time // of the last event
	streams    map[string]stream
	edge       treefile.Edge   // of the tree, the leaves of this transaction included
	headsAfter uint64          // position of the last event before the last leaf of heads
	heads      *ledger.HeadMap // as of the last leaf of heads, nil until the first is made
	fresh      bool            // these hold what the file holds

	nodesAt int64  // of the first hash in nodes
	nodes   []byte // hashes of the tree that this transaction has yet to store
	buffer  []byte // for hashLeaf
}

// stream is what the writer knows of a stream; the zero value is one that does not exist.
type stream struct {
	id     int64
	length uint64
	tag    ledger.Tag
	leaf   ledger.Hash // of its last event
}

const (
	insertStreamSQL = `INSERT INTO streams (name, tag) VALUES (?, ?)`
	insertEventSQL  = `INSERT INTO events (position, stream, revision, id, recorded_at, type, metadata, data, checksum)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// openToWrite opens the file for the writer's one connection. A large cache keeps the index of ids, whose pages
// are hit at random, out of the file system; a long journal gathers many changes of a page into one.
func openToWrite(path string) (*sql.DB, error) {
	db, err := open(path, "rw", "cache_size(-32768)", "wal_autocheckpoint(4000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func newWriter(ctx context.Context, path string, o *options, bell *wake.Bell) (_ *writer, err error) {
	w := &writer{clock: o.clock, queue: newQueue(), bell: bell}
	if w.db, err = openToWrite(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err := migrate(ctx, w.db, o.progress); err != nil {
		return nil, err
	}
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, err
	}
	w.statements.on = w.conn
	w.insertEvent = w.statements.prepare(ctx, insertEventSQL)
	w.insertStream = w.statements.prepare(ctx, insertStreamSQL)
	w.findStream = w.statements.prepare(ctx, `SELECT s.id, s.tag, coalesce(e.revision + 1, 0), coalesce(e.position, 0) FROM streams s
		LEFT JOIN events e ON e.position = (SELECT position FROM events WHERE stream = s.id ORDER BY revision DESC LIMIT 1)
		WHERE s.name = ?`)
	w.findEvent = w.statements.prepare(ctx, `SELECT `+columns+` FROM events e JOIN streams s ON s.id = e.stream WHERE e.id = ?`)
	w.lastEvent = w.statements.prepare(ctx, `SELECT `+columns+` FROM events e LEFT JOIN streams s ON s.id = e.stream
		ORDER BY e.position DESC LIMIT 1`)
	if w.statements.err != nil {
		return nil, w.statements.err
	}
	if w.rows, err = newLedgerRows(ctx, w.conn); err != nil {
		return nil, err
	}
	if err := w.refresh(ctx); err != nil {
		return nil, err
	}
	return w, w.rows.checkEdge(ctx, w.edge.Size())
}

// close frees the connection. Closing the last one moves the journal into log.db.
func (w *writer) close() error {
	err := errors.Join(w.statements.close(), w.rows.close())
	if w.conn != nil {
		err = errors.Join(err, w.conn.Close())
	}
	return errors.Join(err, w.db.Close())
}

// refresh forgets what the writer remembers and reads the end of the log. A damaged end is not built upon.
func (w *writer) refresh(ctx context.Context) error {
	last, found, err := one(w.lastEvent.QueryContext(ctx))
	if err != nil {
		return err
	}
	w.head, w.recordedAt, w.streams = 0, time.Time{}, map[string]stream{}
	if found {
		w.head, w.recordedAt = last.Position.Commit, last.RecordedAt
	}
	if w.edge, w.headsAfter, err = w.rows.edge(ctx, w.head); err != nil {
		return err
	}
	w.heads, w.nodesAt, w.nodes = nil, w.edge.Place(), w.nodes[:0]
	w.fresh = true
	w.bell.Ring(events.At(w.head))
	return nil
}

// run answers requests until the queue is closed and empty.
func (w *writer) run() {
	for {
		group, ok := w.queue.take()
		if !ok {
			return
		}
		answers := make([]answer, len(group))
		if err := w.store(group, answers); err != nil {
			for i := range answers {
				answers[i] = answer{err: err}
			}
		}
		w.bell.Ring(events.At(w.head))
		for i, r := range group {
			r.answer <- answers[i]
		}
	}
}

// ask hands a request to the writer and waits for the answer, or for the caller to give up before the writer began.
func (w *writer) ask(ctx context.Context, doing string, r *request) (events.Appended, error) {
	if err := w.queue.put(r); err != nil {
		return events.Appended{}, fmt.Errorf("%s: %w", doing, err)
	}
	select {
	case a := <-r.answer:
		return a.appended, a.err
	case <-ctx.Done():
	}
	if r.claim() {
		return events.Appended{}, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	a := <-r.answer
	return a.appended, a.err
}

// store decides on every request of the group and stores what they add in one transaction. On an error nothing
// of it counts as stored, and every request gets that error: a verdict may rest on another request of the group.
func (w *writer) store(group []*request, answers []answer) error {
	ctx := context.Background() // the group is not any one caller's to cancel
	if !w.fresh {
		if err := w.refresh(ctx); err != nil {
			return explain("append", err)
		}
	}
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return explain("append", err)
	}
	for i, r := range group {
		if !r.claim() {
			continue // its caller has gone
		}
		if r.task != nil {
			if err := r.task(ctx); err != nil {
				return w.rollback(ctx, err)
			}
			continue
		}
		appended, err := w.place(ctx, r)
		if err != nil && !errors.Is(err, events.ErrConflict) {
			return w.rollback(ctx, explain("append", err))
		}
		answers[i] = answer{appended, err}
	}
	if err := w.storeNodes(ctx); err != nil {
		return w.rollback(ctx, explain("append", err))
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		// The group may yet turn out to be on disk, if the machine stops now: whoever repeats the ids learns it.
		return w.rollback(ctx, explain("append: the outcome is unknown, repeating the call is safe", err))
	}
	return nil
}

// rollback gives up the group for a reason, which it returns.
func (w *writer) rollback(ctx context.Context, reason error) error {
	w.fresh = false
	w.head = w.bell.Head().Commit
	// SQLite may have rolled back by itself, for instance on a full disk; then this fails and changes nothing.
	_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
	return reason
}

// place decides on one request and inserts its events. After an error other than a conflict the transaction
// must be rolled back.
func (w *writer) place(ctx context.Context, r *request) (events.Appended, error) {
	s, err := w.stream(ctx, r.stream)
	if err != nil {
		return events.Appended{}, err
	}
	holds := r.expected.Holds(s.length)
	find := func(id uuid.UUID) (admission.Place, bool, error) { return w.find(ctx, id) }

	// One event on a stream that is as expected, by far the most common call, is tried at once: the index tells
	// if its id is known, and a row refused changes nothing. In the other cases a refusal would come too late.
	tryAtOnce := holds && s.length > 0 && len(r.proposed) == 1
	if !tryAtOnce {
		earlier, known, err := admission.Known(r.stream, r.expected, s.length, r.proposed, find)
		if err != nil || known {
			return earlier, err
		}
		if !holds {
			return events.Appended{}, &events.ConflictError{Stream: r.stream, Expected: r.expected, Length: s.length}
		}
	}
	appended, err := w.insert(ctx, s, r)
	if tryAtOnce && isConstraint(err) {
		earlier, known, knownErr := admission.Known(r.stream, r.expected, s.length, r.proposed, find)
		if knownErr != nil || known {
			return earlier, knownErr
		}
	}
	if isConstraint(err) {
		return events.Appended{}, damaged("the end of the log or of a stream is not where it should be: %v", err)
	}
	return appended, err
}

// insert stores the events of a request at the end of their stream and of the log.
func (w *writer) insert(ctx context.Context, s stream, r *request) (events.Appended, error) {
	if s.id == 0 {
		if r.copied != nil && r.copied.Tag != (ledger.Tag{}) {
			s.tag = r.copied.Tag
		} else {
			rand.Read(s.tag[:])
		}
		result, err := w.insertStream.ExecContext(ctx, r.stream, s.tag[:])
		if err != nil {
			return events.Appended{}, err
		}
		if s.id, err = result.LastInsertId(); err != nil {
			return events.Appended{}, err
		}
	}
	now := w.clock().UTC().Truncate(time.Microsecond)
	if now.Before(w.recordedAt) {
		now = w.recordedAt // the clock went back; the log does not
	}
	if r.copied != nil {
		now = r.copied.RecordedAt
	}
	row := events.Recorded{Stream: r.stream, RecordedAt: now}
	for i, p := range r.proposed {
		row.Position = events.At(w.head + 1)
		row.Revision = s.length
		row.ID, row.Type, row.Metadata, row.Data = p.ID, p.Type, bytesOf(p.Metadata), bytesOf(p.Data)
		_, err := w.insertEvent.ExecContext(ctx, int64(row.Position.Commit), s.id, int64(row.Revision), r.proposed[i].ID[:],
			now.UnixMicro(), row.Type, []byte(row.Metadata), []byte(row.Data), int64(checksum(&row)))
		if err != nil {
			return events.Appended{}, err
		}
		w.head++
		s.length++
		s.leaf = w.addLeaf(&r.leaves[i], s, &row)
	}
	w.recordedAt = now
	w.streams[r.stream] = s
	return events.Appended{Revision: row.Revision, Position: row.Position, RecordedAt: now}, nil
}

// addLeaf adds the leaf of an event of the stream to the tree, and returns its hash.
func (w *writer) addLeaf(leaf *ledger.Leaf, s stream, event *events.Recorded) ledger.Hash {
	leaf.Tag, leaf.Previous, leaf.Revision, leaf.RecordedAt = s.tag, s.leaf, event.Revision, event.RecordedAt.UnixMicro()
	var hash ledger.Hash
	w.buffer, hash = hashLeaf(w.buffer, leaf)
	w.nodes = w.edge.Add(w.nodes, hash)
	if w.heads != nil {
		w.heads.Set(ledger.Head{Tag: s.tag, Revision: event.Revision, Leaf: hash})
	}
	return hash
}

// storeNodes stores the hashes of the tree that the transaction has gathered.
func (w *writer) storeNodes(ctx context.Context) error {
	err := w.rows.tables.AddNodes(ctx, w.nodesAt, w.nodes)
	w.nodesAt, w.nodes = w.edge.Place(), w.nodes[:0]
	return err
}

// bytesOf is b, and empty where there is none: the driver would store NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// stream returns what is known of a stream in this transaction.
func (w *writer) stream(ctx context.Context, name string) (stream, error) {
	if s, ok := w.streams[name]; ok {
		return s, nil
	}
	var (
		s    stream
		last uint64
		tag  []byte
	)
	err := scanOne(w.findStream.QueryRowContext(ctx, name), &s.id, &tag, &s.length, &last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return stream{}, nil
	case err != nil:
		return stream{}, err
	case copy(s.tag[:], tag) != len(s.tag):
		return stream{}, damaged("a stream has no tag")
	}
	if last > 0 {
		if s.leaf, err = w.rows.leafHash(ctx, last); err != nil {
			return stream{}, err
		}
	}
	if len(w.streams) >= maxStreams {
		clear(w.streams)
	}
	w.streams[name] = s
	return s, nil
}

// find looks up an event id in this transaction.
func (w *writer) find(ctx context.Context, id uuid.UUID) (admission.Place, bool, error) {
	r, found, err := one(w.findEvent.QueryContext(ctx, id[:]))
	return admission.Place{Stream: r.Stream, Revision: r.Revision, Position: r.Position, RecordedAt: r.RecordedAt}, found, err
}
