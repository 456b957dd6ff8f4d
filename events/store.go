package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Store is the log: streams of immutable events and the one order over all of them.
//
// It is the port between the product and the place where events are kept. Every implementation passes the
// contract suite of events/storetest. All methods are safe for concurrent use.
type Store interface {
	// Append stores all events at the end of the stream, or none. When it returns without error the events are
	// durable: a crash right after loses nothing. It fails with a *ConflictError when the stream is not as
	// expected. Repeating the same ids with the same Expected returns the first result; under Any a repeat of ids
	// that the stream already holds does so too. An id that was used before with anything else than that exact
	// call is a *ConflictError with DuplicateID set. Only ids are compared: protecting the same fields twice gives
	// different bytes. A store may check ids on the stream alone, and not on all others.
	//
	// A call that no store would accept fails with ErrInvalidAppend or a *TooLargeError (see MaxAppend).
	//
	// The store gives every event its RecordedAt from its own clock, never less than that of the event before
	// it in the log (on a cluster: in the stream), and the same to all events of one call. After a cancelled
	// context or ErrUnavailable the outcome is unknown, and repeating the call is safe.
	Append(ctx context.Context, stream string, expected Expected, proposed ...Proposed) (Appended, error)

	// ReadStream yields a stream's events in order from a revision on (inclusive). A yielded error is terminal:
	// what came before it may be a part of the stream only. A stream that does not exist yields nothing.
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[Recorded, error]

	// ReadAll returns up to limit events strictly after a position, in order, and how far it scanned. Once a
	// reader is past a position, no event ever appears behind it. A page may hold fewer events than there are:
	// More tells.
	ReadAll(ctx context.Context, after Position, limit int, filter Filter) (Page, error)

	// Head is the position of the last event, Start when there is none.
	Head(ctx context.Context) (Position, error)

	// Changed returns a channel that is closed as soon as the log holds an event after the position. It only
	// means "look again". It is closed too when the store is closed.
	Changed(after Position) <-chan struct{}

	io.Closer
}

// Position is a place in the order over all streams. The zero value is before the first event. Positions of
// one store are comparable; on the embedded store Commit and Prepare are equal and have no gaps, on
// EventStoreDB they are the log positions of the transaction and have gaps.
type Position struct {
	Commit, Prepare uint64
}

// Start is the position before the first event.
var Start = Position{}

// At makes the position of an embedded store's n-th event, counting from 1.
func At(n uint64) Position { return Position{Commit: n, Prepare: n} }

// Compare orders positions: negative when p comes before q.
func (p Position) Compare(q Position) int {
	switch {
	case p.Commit < q.Commit:
		return -1
	case p.Commit > q.Commit:
		return 1
	case p.Prepare < q.Prepare:
		return -1
	case p.Prepare > q.Prepare:
		return 1
	}
	return 0
}

// After reports whether p comes after q.
func (p Position) After(q Position) bool { return p.Compare(q) > 0 }

// String is "17" where commit and prepare are equal, else "17/12". ParsePosition reads both.
func (p Position) String() string {
	if p.Commit == p.Prepare {
		return strconv.FormatUint(p.Commit, 10)
	}
	return strconv.FormatUint(p.Commit, 10) + "/" + strconv.FormatUint(p.Prepare, 10)
}

// ParsePosition reads what String wrote.
func ParsePosition(s string) (Position, error) {
	c, p, two := strings.Cut(s, "/")
	commit, err := parseDigits(c)
	if err != nil {
		return Start, fmt.Errorf("position %q: expected a number such as 1042, or commit/prepare", s)
	}
	if !two {
		return At(commit), nil
	}
	prepare, err := parseDigits(p)
	if err != nil || prepare == commit {
		return Start, fmt.Errorf("position %q: expected a number such as 1042, or commit/prepare", s)
	}
	return Position{Commit: commit, Prepare: prepare}, nil
}

func parseDigits(s string) (uint64, error) {
	if s == "" || s[0] == '+' || (len(s) > 1 && s[0] == '0') {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(s, 10, 63)
}

// MarshalText writes the form of String, so that positions are strings in JSON: they can exceed what a
// JavaScript number holds.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the form of String.
func (p *Position) UnmarshalText(b []byte) error {
	q, err := ParsePosition(string(b))
	if err == nil {
		*p = q
	}
	return err
}

// Expected is what the writer believes of a stream before its append: Any, NoStream, StreamExists or
// Revision(n). The zero value is Any.
type Expected struct {
	kind expectedKind
	rev  uint64
}

type expectedKind uint8

const (
	expectAny expectedKind = iota
	expectNoStream
	expectExists
	expectRevision
)

// The three expectations that carry no number.
var (
	Any          = Expected{kind: expectAny}
	NoStream     = Expected{kind: expectNoStream}
	StreamExists = Expected{kind: expectExists}
)

// Revision expects the stream's last event to have this revision, counted from 0.
func Revision(n uint64) Expected { return Expected{kind: expectRevision, rev: n} }

// Holds reports whether a stream with so many events is as expected.
func (e Expected) Holds(length uint64) bool {
	switch e.kind {
	case expectNoStream:
		return length == 0
	case expectExists:
		return length > 0
	case expectRevision:
		return length > 0 && length-1 == e.rev
	}
	return true
}

// IsAny reports whether nothing is expected of the stream.
func (e Expected) IsAny() bool { return e.kind == expectAny }

// Exact returns the revision of an expectation made by Revision.
func (e Expected) Exact() (revision uint64, ok bool) { return e.rev, e.kind == expectRevision }

func (e Expected) String() string {
	switch e.kind {
	case expectNoStream:
		return "no stream"
	case expectExists:
		return "an existing stream"
	case expectRevision:
		return "revision " + strconv.FormatUint(e.rev, 10)
	}
	return "any"
}

// Proposed is an event that a writer wants stored. Metadata and Data are JSON objects written by this
// package's codec; a store keeps their bytes as they are.
type Proposed struct {
	ID       uuid.UUID
	Type     string
	Metadata json.RawMessage
	Data     json.RawMessage
}

// Call is one call of Append, for stores that take many at once.
type Call struct {
	Stream   string
	Expected Expected
	Proposed []Proposed
	// RecordedAt, if set, is when the events were recorded elsewhere: they are copies, and their time is kept as it is.
	RecordedAt time.Time
	// Tag, if set, stands for the stream in the ledger elsewhere; a stream that the call begins keeps it.
	Tag [16]byte
}

// Original is an event as another store may take it over: with what stands for its stream in the ledger.
type Original struct {
	Recorded
	Tag [16]byte
}

// Recorded is an event as the store holds it.
type Recorded struct {
	ID         uuid.UUID
	Stream     string
	Revision   uint64 // place in the stream, from 0
	Position   Position
	RecordedAt time.Time // UTC, microseconds; never decreasing in the log's order
	Type       string
	Metadata   json.RawMessage
	Data       json.RawMessage
	// Stored is the data as it is kept, where that is another form than Data: with its protected fields as package vault
	// writes them. It is nil otherwise.
	Stored json.RawMessage
}

// Appended says where the events of an Append went: the last of them.
type Appended struct {
	Revision   uint64
	Position   Position
	RecordedAt time.Time
	// Repeated is true when the events had been stored by an earlier call with the same ids.
	Repeated bool
}

// Page is a part of the log.
type Page struct {
	Events []Recorded
	// Scanned is how far the log was looked through: continue after it, also when Events is empty.
	Scanned Position
	// ScannedID is the id of the event at Scanned, whether it passed the filter or not; nil when the page went over no
	// event. With it a reader that resumes can tell whether it is still the same log.
	ScannedID uuid.UUID
	// More is true when the log holds more events after Scanned than fitted.
	More bool
}

// Filter narrows ReadAll. The zero value lets every event through. An event passes when its stream begins
// with one of StreamPrefixes (if any are named) and its type is one of Types (if any are named).
type Filter struct {
	StreamPrefixes []string
	Types          []string
}

// Passes reports whether an event of that stream and type passes the filter.
func (f Filter) Passes(stream, eventType string) bool {
	ok := len(f.StreamPrefixes) == 0
	for _, p := range f.StreamPrefixes {
		ok = ok || strings.HasPrefix(stream, p)
	}
	if !ok || len(f.Types) == 0 {
		return ok
	}
	for _, t := range f.Types {
		if t == eventType {
			return true
		}
	}
	return false
}

// ErrConflict is matched by every *ConflictError.
var ErrConflict = errors.New("the stream is not as expected")

// ConflictError says that an append was refused because the stream was not as expected, or because an event
// id had been used before.
type ConflictError struct {
	Stream   string
	Expected Expected
	// Length is the number of events in the stream when the append was refused; the actual revision is one less.
	Length uint64
	// DuplicateID is the id that was used before, or the nil UUID.
	DuplicateID uuid.UUID
}

func (e *ConflictError) Error() string {
	if e.DuplicateID != uuid.Nil {
		return "event id " + e.DuplicateID.String() + " was used before for another event"
	}
	actual := "no stream"
	if e.Length > 0 {
		actual = "revision " + strconv.FormatUint(e.Length-1, 10)
	}
	return "stream " + e.Stream + ": expected " + e.Expected.String() + ", found " + actual
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Errors that every store gives for the same trouble.
var (
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrLocked: another process has the store open for writing.
	ErrLocked = errors.New("another process is writing to this store")
	// ErrFull: there is no room left for the append; nothing of it was stored.
	ErrFull = errors.New("no space left to store the event")
	// ErrDamaged: the stored log can't be read as it was written.
	ErrDamaged = errors.New("the stored log is damaged")
	// ErrNewerVersion: a newer version of traga wrote the store.
	ErrNewerVersion = errors.New("a newer version of traga wrote this store")
	// ErrUnavailable: the store can't be reached now; trying again later is safe.
	ErrUnavailable = errors.New("the store is not available now")
)

// MaxPosition is after every event: reading a case "as known now" reads up to it.
var MaxPosition = Position{Commit: math.MaxInt64, Prepare: math.MaxInt64}
