package esdbstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/internal/admission"
	"traga.internal/events/ledger"
)

// Append implements events.Store. An append of which the database does not say what became is sent again until it does,
// or until there was no answer for as long as the store's patience: then it fails with events.ErrUnavailable, its
// outcome is unknown, and repeating the call is safe. The size that counts is that of the events as they are stored,
// which is some 150 bytes an event more than events.MaxAppend counts.
func (s *Store) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	if err := admission.Check(stream, expected, proposed); err != nil {
		return events.Appended{}, err
	}
	if strings.HasPrefix(s.prefix+stream, "$") {
		return events.Appended{}, fmt.Errorf("%w: a stream whose name begins with $ belongs to the database", events.ErrInvalidAppend)
	}
	a, err := s.append(ctx, &events.Call{Stream: stream, Expected: expected, Proposed: proposed})
	return a, named("append", err)
}

// AppendSeries appends one call after the other; see events.Call for copies. It ends at the first that fails.
func (s *Store) AppendSeries(ctx context.Context, calls ...events.Call) error {
	for i := range calls {
		c := &calls[i]
		err := admission.Check(c.Stream, c.Expected, c.Proposed)
		if err == nil {
			_, err = s.append(ctx, c)
		}
		if err != nil {
			return named("append", err)
		}
	}
	return nil
}

func (s *Store) append(ctx context.Context, c *events.Call) (events.Appended, error) {
	stream, expected, proposed := c.Stream, c.Expected, c.Proposed
	if err := s.usable(ctx); err != nil {
		return events.Appended{}, err
	}
	st, err := s.streams.enter(ctx, stream)
	if err != nil {
		return events.Appended{}, err
	}
	defer s.streams.leave(st)
	fresh := false // what is known of the stream was read in this call
	for {
		if !st.loaded {
			if err := s.refresh(ctx, st); err != nil {
				return events.Appended{}, err
			}
			fresh = true
		}
		earlier, known, err := admission.Known(stream, expected, st.length, proposed, func(id uuid.UUID) (admission.Place, bool, error) {
			revision, ok := st.ids[id]
			return admission.Place{Stream: stream, Revision: revision}, ok, nil
		})
		if known {
			return s.repeated(ctx, st, earlier)
		}
		if err == nil && !expected.Holds(st.length) {
			err = &events.ConflictError{Stream: stream, Expected: expected, Length: st.length}
		}
		if err != nil && fresh {
			return events.Appended{}, err
		}
		if err != nil { // look again before saying no: another node may have written
			if err := s.refresh(ctx, st); err != nil {
				return events.Appended{}, err
			}
			fresh = true
			continue
		}
		a, is, err := s.write(ctx, st, c)
		if is == moved && err != nil { // another node was faster
			before := st.length
			if err := s.refresh(ctx, st); err != nil {
				return events.Appended{}, err
			}
			if st.length == before { // it is not longer than was known, so it is shorter
				st.forget()
				return events.Appended{}, damaged(errLost)
			}
			fresh = true
			continue
		}
		return a, err
	}
}

// repeated answers a call whose events the stream holds already.
func (s *Store) repeated(ctx context.Context, st *stream, a events.Appended) (events.Appended, error) {
	r, _, err := s.one(ctx, st.name, a.Revision)
	if err != nil {
		return events.Appended{}, err
	}
	a.Position, a.RecordedAt = r.Position, r.RecordedAt
	return a, nil
}

// one reads one event of a stream that is known to be there.
func (s *Store) one(ctx context.Context, stream string, revision uint64) (events.Recorded, link, error) {
	list, is, err := retried(ctx, s, "read an event", callPatience, func(ctx context.Context, at *session) ([]*esdb.RecordedEvent, error) {
		return page(at.client.ReadStream(ctx, s.prefix+stream, esdb.ReadStreamOptions{From: esdb.Revision(revision)}, 1))
	})
	if err != nil && is == missing {
		return events.Recorded{}, link{}, damaged(errLost)
	}
	if err != nil {
		return events.Recorded{}, link{}, err
	}
	if len(list) != 1 || list[0].EventNumber != revision {
		return events.Recorded{}, link{}, damaged(fmt.Errorf("revision %d of a stream is missing", revision))
	}
	r, l, ours := s.recorded(list[0])
	if !ours {
		return r, l, damaged(errStranger)
	}
	return r, l, nil
}

// refresh learns what a stream holds beyond what is known of it.
func (s *Store) refresh(ctx context.Context, st *stream) error {
	var (
		last events.Recorded
		at   link
		more bool
	)
	err := s.readStream(ctx, st.name, st.length, func(r events.Recorded, l link) bool {
		st.learn(r.ID, r.RecordedAt)
		last, at, more = r, l, true
		return true
	})
	if err == nil && more {
		st.tag = at.tag
		st.head, err = leafOf(at, &last)
	}
	if err == nil && more {
		s.bell.Ring(last.Position)
	}
	if err != nil {
		st.forget()
		return err
	}
	st.loaded = true
	return nil
}

// sent is an append on its way.
type sent struct {
	expected esdb.ExpectedRevision
	list     []esdb.EventData
	recorded []events.Recorded
	tag      ledger.Tag
	last     link        // of the last event
	head     ledger.Hash // of the last event's leaf
}

// prepare makes what is sent for events that follow what is known of the stream.
func (s *Store) prepare(st *stream, c *events.Call) (*sent, error) {
	x := &sent{expected: esdb.NoStream{}, tag: st.tag, head: st.head}
	now := s.clock().UTC().Truncate(time.Microsecond)
	if st.length > 0 {
		x.expected = esdb.Revision(st.length - 1)
	} else if x.tag = c.Tag; x.tag == (ledger.Tag{}) {
		rand.Read(x.tag[:])
	}
	if now.Before(st.recordedAt) {
		now = st.recordedAt // the clock went back, or another node's is ahead; the stream does not go back
	}
	if !c.RecordedAt.IsZero() {
		now = c.RecordedAt
	}
	size := 0
	var id [8]byte
	rand.Read(id[:])
	for i, p := range c.Proposed {
		r := events.Recorded{ID: p.ID, Stream: st.name, Revision: st.length + uint64(i), RecordedAt: now, Type: p.Type, Metadata: p.Metadata, Data: p.Data}
		l := link{tag: x.tag, previous: x.head, call: id}
		x.last = l
		var err error
		if x.head, err = leafOf(l, &r); err != nil {
			return nil, fmt.Errorf("%w: %w", events.ErrInvalidAppend, err)
		}
		e := esdb.EventData{EventID: p.ID, EventType: p.Type, ContentType: esdb.ContentTypeJson, Data: p.Data, Metadata: wrap(s.prefix, r.RecordedAt, l, p.Metadata)}
		size += len(e.EventType) + len(e.Data) + len(e.Metadata)
		x.list, x.recorded = append(x.list, e), append(x.recorded, r)
	}
	if size > events.MaxAppend {
		return nil, &events.TooLargeError{Size: size, Limit: events.MaxAppend}
	}
	return x, nil
}

// write sends events to the end of a stream as it is known, until the database says what became of them: nil, or moved
// when the stream is at another revision.
func (s *Store) write(ctx context.Context, st *stream, c *events.Call) (events.Appended, verdict, error) {
	x, err := s.prepare(st, c)
	if err != nil {
		return events.Appended{}, final, err
	}
	head := s.bell.Head() // whatever is written from here on stands after it
	began := time.Now()
	for {
		res, is, err := call(ctx, s.cluster, appendPatience, func(ctx context.Context, at *session) (*esdb.WriteResult, error) {
			return at.client.AppendToStream(ctx, s.prefix+st.name, esdb.AppendToStreamOptions{ExpectedRevision: x.expected}, x.list...)
		})
		switch {
		case err == nil:
			return s.written(ctx, st, x, res, head)
		case is == large:
			return events.Appended{}, final, &events.TooLargeError{Size: events.MaxAppend + 1, Limit: events.MaxAppend}
		case is == moved:
			st.suspect = false // whatever is still on its way has the same expectation, and can't be written any more
			return events.Appended{}, is, err
		case is != again && is != unsaid:
			return events.Appended{}, is, err
		}
		// The outcome is unknown. If it was written, the same ids after the same revision are answered as then.
		st.suspect = true
		switch {
		case s.closed.Load():
			return events.Appended{}, final, events.ErrClosed
		case ctx.Err() != nil:
			return events.Appended{}, final, context.Cause(ctx)
		case time.Since(began) >= s.patience || s.cluster.away() >= s.patience:
			return events.Appended{}, final, unavailable("append", err)
		case is == unsaid:
			// Refused while it was being sent, which hides the reason; a read of the same stream tells it.
			if _, why, err := call(ctx, s.cluster, callPatience, func(ctx context.Context, at *session) ([]*esdb.RecordedEvent, error) {
				return page(at.client.ReadStream(ctx, s.prefix+st.name, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}}, 1))
			}); err != nil && (why == deleted || why == final) {
				return events.Appended{}, why, err
			}
		}
	}
}

// written takes up the database's answer to an append.
func (s *Store) written(ctx context.Context, st *stream, x *sent, res *esdb.WriteResult, head events.Position) (events.Appended, verdict, error) {
	last := &x.recorded[len(x.recorded)-1]
	position := events.Position{Commit: res.CommitPosition, Prepare: res.PreparePosition}
	if position == events.Start || res.NextExpectedVersion != last.Revision {
		// The stream was deleted and seems new: then old ids are answered with success and nothing is written, and new
		// events continue where the deleted ones ended.
		st.forget()
		return events.Appended{}, final, damaged(errors.New("the event store answered an append as if events of the stream had been deleted"))
	}
	// Ids that are derived from what they stand for may be written by two nodes at once, and any id may have been by an
	// attempt that was not answered. Then the answer is about that event, and its time counts.
	if st.suspect || last.ID.Version() == 5 || !position.After(head) {
		stored, l, err := s.one(ctx, st.name, last.Revision)
		if err != nil {
			return events.Appended{}, final, err
		}
		if stored.ID != last.ID {
			st.forget()
			return events.Appended{}, final, damaged(errors.New("an acknowledged event is not where it should be"))
		}
		if l != x.last {
			st.forget() // the next call reads all of the events that another wrote
			s.bell.Ring(stored.Position)
			return events.Appended{Revision: stored.Revision, Position: stored.Position, RecordedAt: stored.RecordedAt, Repeated: true}, again, nil
		}
		position = stored.Position
	}
	st.suspect = false
	for _, r := range x.recorded {
		st.learn(r.ID, r.RecordedAt)
	}
	st.tag, st.head = x.tag, x.head
	s.bell.Ring(position)
	return events.Appended{Revision: last.Revision, Position: position, RecordedAt: last.RecordedAt}, again, nil
}
