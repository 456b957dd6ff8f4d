package esdbstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"traga.internal/events"
)

// ErrDenied: the database does not let this user do that. A follower of the whole log needs an administrator or an
// access list on $all.
var ErrDenied = errors.New("the event store refuses these credentials")

// ClockError says that this node's clock and the server's differ by more than a second.
type ClockError struct {
	// Off is how much later this node's clock is than the server's, at least; negative when it is earlier.
	Off time.Duration
}

func (e *ClockError) Error() string {
	direction := "after"
	off := e.Off
	if off < 0 {
		direction, off = "before", -off
	}
	return fmt.Sprintf("this machine's clock is at least %s %s the event store's; it must not be off by more than a second", off.Round(10*time.Millisecond), direction)
}

// verdict is what a failed call means.
type verdict int

const (
	again   verdict = iota // nothing is known; another try may work
	final                  // trying again is useless
	missing                // there is no such stream
	deleted                // the stream was deleted for good
	nowhere                // no record begins at that position
	large                  // more than the database takes at once
	moved                  // an append found the stream at another revision
	unsaid                 // the call was ended without a reason while it was being sent
)

// errPanic is a panic of the client library.
var errPanic = errors.New("the client library failed")

// judge says what an error of the client library means. The library wraps some of its errors and not others, keeps no
// code of its own for much of what can happen, and loses the reason when a call is refused while it is being sent.
func judge(err error) (verdict, error) {
	var e *esdb.Error
	inner := err
	if errors.As(err, &e) {
		switch e.Code() {
		case esdb.ErrorCodeWrongExpectedVersion:
			return moved, err
		case esdb.ErrorCodeStreamDeleted:
			return deleted, fmt.Errorf("%w: the stream was deleted in the event store", events.ErrDamaged)
		case esdb.ErrorCodeAccessDenied, esdb.ErrorCodeUnauthenticated:
			return final, ErrDenied
		case esdb.ErrorCodeNotLeader, esdb.ErrorUnavailable, esdb.ErrorCodeDeadlineExceeded, esdb.ErrorAborted, esdb.ErrorCodeConnectionClosed:
			return again, err
		}
		inner = e.Err()
	}
	if errors.Is(err, io.EOF) {
		return unsaid, err
	}
	if errors.Is(err, errPanic) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return again, err
	}
	s, ok := status.FromError(inner)
	if !ok || inner == nil {
		if e != nil && e.Code() == esdb.ErrorCodeResourceNotFound {
			return missing, err
		}
		return again, err
	}
	switch s.Code() {
	case codes.PermissionDenied, codes.Unauthenticated:
		return final, ErrDenied
	case codes.InvalidArgument:
		if strings.Contains(s.Message(), "Maximum Append Size") {
			return large, err
		}
		return final, err
	case codes.ResourceExhausted:
		if strings.Contains(s.Message(), "essage") { // a message larger than the server takes
			return large, err
		}
	case codes.Unknown:
		if strings.Contains(s.Message(), "ReadAllResult") {
			return nowhere, err
		}
		return final, err
	case codes.Unimplemented, codes.FailedPrecondition, codes.OutOfRange:
		return final, err
	}
	return again, err
}

// unavailable is the error of what was tried until there was no more time for it.
func unavailable(doing string, cause error) error {
	// The database's words may name a stream; they are of use to the operator, and streams reveal no case.
	return fmt.Errorf("%s: %w: %w", doing, events.ErrUnavailable, cause)
}
