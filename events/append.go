package events

import (
	"errors"
	"strconv"
)

// MaxAppend is the largest size of one Append in bytes: types, metadata and data of all its events together. It
// is EventStoreDB's default, so that whatever one store accepts the other accepts too.
const MaxAppend = 1 << 20

// Errors of an Append that no store would accept; nothing of it was stored, and repeating it is useless.
var (
	// ErrInvalidAppend: the call itself is wrong: no events, no stream name, an event without id or type.
	ErrInvalidAppend = errors.New("this can't be appended")
	// ErrTooLarge is matched by every *TooLargeError.
	ErrTooLarge = errors.New("too large to append")
)

// TooLargeError says that an append exceeds MaxAppend.
type TooLargeError struct {
	Size  int // bytes
	Limit int // bytes
}

func (e *TooLargeError) Error() string {
	return "the events are too large to append: " + strconv.Itoa(e.Size) + " bytes, at most " + strconv.Itoa(e.Limit) + " are allowed"
}

// Is makes errors.Is(err, ErrTooLarge) true.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }
