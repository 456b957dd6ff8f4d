package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/handlers/backup"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/record"
	"traga.internal/handlers/simulate"
	"traga.internal/projections"
	"traga.internal/projections/timeline"
)

// The exit codes of interfaces.md.
const (
	exitOK         = 0
	exitFailure    = 1
	exitUsage      = 2 // usage or bad input
	exitUnanchored = 3 // verify: consistent but unanchored
	exitNotAllowed = 4 // not signed in or not allowed
	exitNotFound   = 5
	exitConflict   = 6
	exitIntegrity  = 7 // integrity broken
	exitFindings   = 8 // safeguard check: findings present
)

// usageError is a mistake in how a command was called, or bad input.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// codedError ends the program with a code of its own; with no error inside it prints nothing more.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e *codedError) Unwrap() error { return e.err }

// exitCode is the code for an error, by what it is, not by where it came from.
func exitCode(err error) int {
	var (
		coded   *codedError
		usage   *usageError
		field   *events.FieldError
		refusal *casefile.Refusal
		bad     *record.ImportError
		script  *simulate.InputError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage), errors.As(err, &field), errors.Is(err, events.ErrUnknownType):
		return exitUsage
	case errors.Is(err, timeline.ErrNoSuchCase), errors.Is(err, errNotFound), errors.Is(err, evidence.ErrNoSuchCase), errors.Is(err, ledger.ErrNoCheckpoint), errors.Is(err, backup.ErrNoBackup):
		return exitNotFound
	case errors.As(err, &bad), errors.As(err, &script):
		return exitUsage
	case errors.As(err, &refusal):
		return refusalCode(refusal.Because)
	case errors.Is(err, events.ErrConflict), errors.Is(err, record.ErrPrecondition), errors.Is(err, backup.ErrExists):
		return exitConflict
	case errors.Is(err, events.ErrDamaged), errors.Is(err, evidence.ErrOtherLog), isBroken(err):
		return exitIntegrity
	}
	return exitFailure
}

// refusalCode: what may not be done exits 4, what contradicts the record 6, what is malformed 2.
func refusalCode(because []string) int {
	for _, b := range because {
		switch b {
		case "invalid":
			return exitUsage
		case "conflict":
			return exitConflict
		}
	}
	return exitNotAllowed
}

// errNotFound: what was asked for is not there.
var errNotFound = errors.New("not found")

// complain prints an error for a reader: what went wrong and, where there is one, what to do.
func complain(w io.Writer, err error) {
	text := err.Error()
	if text == "" {
		return
	}
	fmt.Fprintln(w, "traga: "+strings.TrimSpace(text))
	switch {
	case errors.Is(err, events.ErrLocked), errors.Is(err, projections.ErrLocked):
		fmt.Fprintln(w, "Another traga serves this directory. Ask it with --server URL, or stop it first.")
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "It was interrupted; what was recorded before stays.")
	case errors.Is(err, events.ErrFull):
		fmt.Fprintln(w, "Nothing of this was stored. Free some space and try again.")
	case errors.Is(err, events.ErrNewerVersion), errors.Is(err, events.ErrNewerSchema):
		fmt.Fprintln(w, "Use the newer version of traga; this one leaves the store untouched.")
	}
}
