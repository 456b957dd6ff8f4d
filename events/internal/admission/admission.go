// Package admission holds the decisions that every store takes in the same way before it writes: whether a call
// to Append can be accepted at all, and what it means that an event id is already in the log.
package admission

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"traga.internal/events"
)

// maxName is the largest length of a stream name or an event type, in bytes.
const maxName = 256

// Check refuses a call that no store accepts, with an error that matches events.ErrInvalidAppend,
// events.ErrTooLarge or, for an id that occurs twice in the call, events.ErrConflict.
func Check(stream string, expected events.Expected, proposed []events.Proposed) error {
	if err := checkName(stream); err != nil {
		return fmt.Errorf("%w: the stream name %w", events.ErrInvalidAppend, err)
	}
	if len(proposed) == 0 {
		return fmt.Errorf("%w: it holds no events", events.ErrInvalidAppend)
	}
	size := 0
	for i, p := range proposed {
		if p.ID == uuid.Nil {
			return fmt.Errorf("%w: event %d has no id", events.ErrInvalidAppend, i+1)
		}
		if err := checkName(p.Type); err != nil {
			return fmt.Errorf("%w: the type of event %d %w", events.ErrInvalidAppend, i+1, err)
		}
		size += len(p.Type) + len(p.Metadata) + len(p.Data)
	}
	if size > events.MaxAppend {
		return &events.TooLargeError{Size: size, Limit: events.MaxAppend}
	}
	if id, twice := repeatedID(proposed); twice {
		return &events.ConflictError{Stream: stream, Expected: expected, DuplicateID: id}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("is empty")
	case len(name) > maxName:
		return fmt.Errorf("is longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("is not valid UTF-8")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("holds a control character")
		}
	}
	return nil
}

func repeatedID(proposed []events.Proposed) (uuid.UUID, bool) {
	if len(proposed) < 2 {
		return uuid.Nil, false
	}
	seen := make(map[uuid.UUID]struct{}, len(proposed))
	for _, p := range proposed {
		if _, twice := seen[p.ID]; twice {
			return p.ID, true
		}
		seen[p.ID] = struct{}{}
	}
	return uuid.Nil, false
}

// Place is where an event id stands in the log.
type Place struct {
	Stream     string
	Revision   uint64
	Position   events.Position
	RecordedAt time.Time
}

// Known answers a call whose ids are, wholly or in part, in the log already.
//
// The call is a repeat when all its ids stand one after the other on its stream, beginning where its Expected
// held: then the answer is that of the first call. If none of the ids is known, Known answers false and the
// caller goes on. Everything else is a *events.ConflictError that names an id used before.
//
// Only ids are compared, as EventStoreDB does: the bytes of a repeated event may differ, since protecting the
// same fields twice gives different ciphertexts.
func Known(stream string, expected events.Expected, length uint64, proposed []events.Proposed,
	find func(uuid.UUID) (Place, bool, error)) (events.Appended, bool, error) {
	var (
		known uuid.UUID // the first of the ids that is in the log
		first uint64    // the revision of the first event of the call
		last  Place
		same  = true
	)
	for i, p := range proposed {
		place, found, err := find(p.ID)
		if err != nil {
			return events.Appended{}, false, err
		}
		if found && known == uuid.Nil {
			known = p.ID
		}
		if i == 0 {
			first = place.Revision
		}
		same = same && found && place.Stream == stream && place.Revision == first+uint64(i)
		last = place
	}
	switch {
	case known == uuid.Nil:
		return events.Appended{}, false, nil
	case same && expected.Holds(first):
		return events.Appended{
			Revision: last.Revision, Position: last.Position, RecordedAt: last.RecordedAt, Repeated: true,
		}, true, nil
	}
	return events.Appended{}, false, &events.ConflictError{Stream: stream, Expected: expected, Length: length, DuplicateID: known}
}
