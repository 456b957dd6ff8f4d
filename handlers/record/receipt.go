package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Condition is what the writer believes of the case: AnyRevision, or AtRevision(n). The zero value is AnyRevision.
type Condition struct {
	exact    bool
	revision uint64
}

// AnyRevision records on whatever state the case is in: If-Match: *.
var AnyRevision = Condition{}

// AtRevision records only if the last event of the case has this revision, counted from 0: If-Match.
func AtRevision(n uint64) Condition { return Condition{exact: true, revision: n} }

// ErrPrecondition is matched by every *PreconditionError.
var ErrPrecondition = errors.New("the case has moved on")

// PreconditionError says that the case was not at the revision that the writer named. Nothing was stored.
type PreconditionError struct {
	Wanted uint64
	// Length is the number of events that the case has; its revision is one less.
	Length uint64
}

func (e *PreconditionError) Error() string {
	if e.Length == 0 {
		return fmt.Sprintf("the case has no events yet, and the action was meant for revision %d", e.Wanted)
	}
	return fmt.Sprintf("the case is at revision %d, and the action was meant for revision %d", e.Length-1, e.Wanted)
}

// Is makes errors.Is(err, ErrPrecondition) true.
func (e *PreconditionError) Is(target error) bool { return target == ErrPrecondition }

// Receipt says where an action was recorded.
type Receipt struct {
	ID         uuid.UUID       `json:"id"`
	Case       string          `json:"case"`
	Type       string          `json:"type"`
	Revision   uint64          `json:"revision"`
	Position   events.Position `json:"position"`
	RecordedAt time.Time       `json:"recordedAt"`
	// Repeated is true when the same action had been recorded before under the same id.
	Repeated bool `json:"repeated"`
}

func receiptOf(e *events.Event, repeated bool) Receipt {
	return Receipt{ID: e.ID, Case: e.Case, Type: e.Type, Revision: e.Revision, Position: e.Position, RecordedAt: e.RecordedAt, Repeated: repeated}
}
