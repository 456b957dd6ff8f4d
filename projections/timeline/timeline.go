// Package timeline is everything that is read of one case: a fold of the case's stream up to the asked instant,
// with no table between the reader and the truth.
//
// Read takes the events of one case as they were known at an instant or a position, and the Case that it returns
// answers from them: where the case stands (Show), what was recorded (Timeline), who shared what with whom
// (Shares), what an institution can know by then (Knows), which duties stand (Obligations), whether the
// safeguards hold (Safeguards), what changed between two instants (Diff), and the picture of it (Lanes). The same
// question at the same instant has the same answer for ever, whatever is recorded later.
//
// The JSON of every answer is a contract (interfaces.md, "JSON that the commands print"): every key is always
// there, null where there is nothing to say and [] for an empty list; instants are RFC 3339 in UTC, dates are
// local dates.
package timeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// ErrNoSuchCase: nothing of that case had been recorded by the asked instant.
var ErrNoSuchCase = errors.New("no such case")

// Log is what is needed of the store.
type Log interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error]
	ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error)
}

// Case is one case as known at an instant. It is read-only for its callers, but some answers are worked out when
// they are first asked for: it is not safe for concurrent use.
type Case struct {
	number       string
	jurisdiction events.Jurisdiction
	asOf         events.AsOf // with which the other streams of the case are read
	clock        time.Time
	log          Log
	book         *protocol.Book
	recorded     []*events.Recorded
	history      history.History
	end          *events.Event    // the last event of the stream as known then, whether the reader may know of it or not
	sight        *access.Decision // what the reader may see; nil for everything
	simulated    bool

	folded *protocol.Tracker    // nil until obligations are asked for
	known  *directory.Directory // nil until ReadTraining
	days   *calendar.Calendar
	shared []*sharing // nil until shares or knowledge are asked for
	called map[events.ID][]*sharing
}

// Read reads the case as known at asOf; now is the clock for a read of what is known now. book holds the rules and
// the calendars with all that was published and decreed so far; what was not known at asOf is left out of it.
//
// It fails with an error that matches ErrNoSuchCase while nothing of the case had been recorded, with a
// *events.FieldError for a number that is no case number, and with the store's own errors: a fault of the store is
// never a short history.
//
// Read shows everything: it is for the owner of the store's files and for traga itself. Whoever answers an officer reads
// through handlers/consult, which uses ReadFor.
func Read(ctx context.Context, log Log, book *protocol.Book, number string, asOf events.AsOf, now time.Time) (*Case, error) {
	return ReadFor(ctx, log, book, number, asOf, now, nil)
}

// ReadFor is Read for a reader who may not see everything. decide is given the whole case, as known now whatever asOf is,
// and says what the reader may see; its error ends the reading and is returned as it is. Nothing that the Case answers
// then holds more: duties and status are worked out from all that the reader may know of, what may not be seen is masked,
// and events of which the reader may not know are left out before anything is worked out.
func ReadFor(ctx context.Context, log Log, book *protocol.Book, number string, asOf events.AsOf, now time.Time, decide func(*history.History) (*access.Decision, error)) (*Case, error) {
	jurisdiction, err := events.ParseCase(number)
	if err != nil {
		return nil, err
	}
	c := &Case{number: number, jurisdiction: jurisdiction, asOf: asOf, log: log, book: book.AsKnown(asOf)}
	upTo := asOf
	if decide != nil { // what may be seen depends on what is known now
		upTo = events.AsOf{}
	}
	decoded, err := readStream(ctx, log, events.CaseStream(number), upTo, &c.recorded)
	if err != nil {
		return nil, fmt.Errorf("read the case: %w", err)
	}
	if len(decoded) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoSuchCase, number)
	}
	for _, e := range decoded {
		c.history.Evolve(e)
	}
	if decide != nil {
		if c.sight, err = decide(&c.history); err != nil {
			return nil, err
		}
	}
	c.keepKnown(decoded)
	if c.history.Len() == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoSuchCase, number)
	}
	if c.clock, err = c.clockOf(ctx, now); err != nil {
		return nil, fmt.Errorf("read the case: %w", err)
	}
	if asOf.IsNow() {
		// What else is read of this case later is read as of the same instant.
		c.asOf = events.AsOf{Instant: c.clock}
	}
	if c.simulated, err = isSimulated(ctx, log); err != nil {
		return nil, fmt.Errorf("read what kind of store this is: %w", err)
	}
	return c, nil
}

// keepKnown leaves out what was not known at asOf, and that of which the reader may not know.
func (c *Case) keepKnown(all []*events.Event) {
	var known []*events.Event
	for _, e := range all {
		if !c.asOf.Includes(e.RecordedAt, e.Position) {
			break
		}
		c.end = e
		if c.sight == nil || c.sight.Knows(e) {
			known = append(known, e)
		}
	}
	if len(known) == len(all) {
		return
	}
	c.history = history.History{}
	for _, e := range known {
		c.history.Evolve(e)
	}
}

// Sight is what the reader may see of the case; nil for everything.
func (c *Case) Sight() *access.Decision { return c.sight }

// Shown is an event of the case as the reader may see it.
func (c *Case) Shown(e *events.Event) *events.Event {
	if c.sight == nil {
		return e
	}
	return c.sight.Mask(e)
}

// readStream decodes a stream's events as known at asOf; raw, if not nil, gets them as stored.
func readStream(ctx context.Context, log Log, stream string, asOf events.AsOf, raw *[]*events.Recorded) ([]*events.Event, error) {
	var decoded []*events.Event
	for r, err := range log.ReadStream(ctx, stream, 0) {
		if err != nil {
			return nil, err
		}
		if !asOf.Includes(r.RecordedAt, r.Position) {
			break // recordedAt and position never decrease in a stream
		}
		e, err := events.Decode(&r)
		if err != nil {
			return nil, err
		}
		decoded = append(decoded, e)
		if raw != nil {
			*raw = append(*raw, &r)
		}
	}
	return decoded, nil
}

// clockOf is the instant to judge by. For a position it is the time at which the event there was recorded, of
// whichever case that is; where no event stands at that very position, the case's last event gives it. A read of
// now never judges by an instant before the last event: a store's time never goes back.
func (c *Case) clockOf(ctx context.Context, now time.Time) (time.Time, error) {
	last := c.last().RecordedAt
	if p := c.asOf.Position; p != events.Start && p != c.last().Position {
		r, found, err := events.EventAt(ctx, c.log, p)
		if err != nil {
			return time.Time{}, err
		}
		if found {
			last = r.RecordedAt
		}
	}
	if c.asOf.IsNow() && now.Before(last) {
		now = last
	}
	return c.asOf.Clock(last, now).UTC(), nil
}

// isSimulated reports whether the store's first event says that its times are simulated.
func isSimulated(ctx context.Context, log Log) (bool, error) {
	for r, err := range log.ReadStream(ctx, events.StoreStream, 0) {
		return err == nil && r.Type == "StoreSimulated", err
	}
	return false, nil
}

// Number is the case number.
func (c *Case) Number() string { return c.number }

// Jurisdiction is the case's jurisdiction.
func (c *Case) Jurisdiction() events.Jurisdiction { return c.jurisdiction }

// Clock is the instant that the answers are judged by, in UTC.
func (c *Case) Clock() time.Time { return c.clock }

// Revision is that of the last event on record then: what a writer compares with, and the ETag.
func (c *Case) Revision() uint64 { return c.last().Revision }

// History is the case's entries as they stand. It must not be changed.
func (c *Case) History() *history.History { return &c.history }

func (c *Case) last() *events.Event { return c.end }

// tracker is the case folded by the protocol.
func (c *Case) tracker() *protocol.Tracker {
	if c.folded == nil {
		c.folded = protocol.NewTracker(c.book)
		for _, entry := range c.history.Entries() {
			c.folded.Evolve(entry.Event)
		}
	}
	return c.folded
}

// calendar is the case's calendar; nil when the stream does not begin with the opening of the case.
func (c *Case) calendar() *calendar.Calendar {
	if c.days == nil {
		t := c.folded
		if t == nil {
			t = protocol.NewTracker(c.book)
			t.Evolve(c.history.Entries()[0].Event)
		}
		c.days = t.Calendar()
	}
	return c.days
}

// orNull makes a value that JSON shows as null while there is none.
func orNull[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

func instantOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
