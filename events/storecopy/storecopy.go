// Package storecopy copies a log from one store to another, as it is stored: protected fields stay protected. The copy
// has the same events in the same order, with their ids, revisions and times. Positions are the new store's own. Where both
// keep a ledger, the copy has the same tree, leaf by leaf, with its checkpoints and cosignatures: whoever holds an old one
// holds one of the copy, and the signer goes on.
package storecopy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"traga.internal/events"
)

// Log is a store that can be copied from.
type Log interface {
	// Originals yields the log's events in order, after a position. A yielded error is terminal.
	Originals(ctx context.Context, after events.Position) iter.Seq2[events.Original, error]
}

// Target is a store that can be copied to.
type Target interface {
	Log
	AppendSeries(ctx context.Context, calls ...events.Call) error
}

// ErrDiffers is matched by a *DifferenceError.
var ErrDiffers = errors.New("the two stores hold different logs")

// DifferenceError says where a target holds something else than its source.
type DifferenceError struct {
	Event int    // counting from 1, in the order of the log
	What  string // what differs
}

func (e *DifferenceError) Error() string {
	return fmt.Sprintf("the two stores hold different logs: event %d has another %s in the store that is copied to", e.Event, e.What)
}

// Is makes errors.Is(err, ErrDiffers) true.
func (e *DifferenceError) Is(target error) bool { return target == ErrDiffers }

// Progress is how far a copy has come.
type Progress struct {
	Compared, Copied int
}

// batch is how many events are handed over at once.
const batch = 512

// Copy makes the target hold what the source does, and with seals its ledger too; seals is nil where one of the two keeps
// none. What the target holds already must be the beginning of it, so that a
// copy that was interrupted goes on when it is called again. In the end both are read once more and compared, event by
// event. Nobody may write to either meanwhile. It fails with ErrDiffers and the stores' own errors; what was copied until
// then stays.
func Copy(ctx context.Context, from Log, to Target, seals *Seals, progress func(Progress)) (copied int, err error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	there, err := compare(ctx, from, to, func(n int) { progress(Progress{Compared: n}) })
	if err != nil {
		return 0, err
	}
	n := 0
	heads, err := seals.begin(ctx)
	if err != nil {
		return 0, err
	}
	var calls []events.Call
	flush := func() error {
		if err := to.AppendSeries(ctx, calls...); err != nil {
			return fmt.Errorf("copy events %d to %d: %w", n-len(calls)+1, n, err)
		}
		copied += len(calls)
		calls = calls[:0]
		progress(Progress{Compared: there, Copied: copied})
		return nil
	}
	for r, err := range from.Originals(ctx, events.Start) {
		if err != nil {
			return copied, fmt.Errorf("read the store that is copied: %w", err)
		}
		if heads.due(n) {
			if n < there { // it can't be put there any more
				return copied, &DifferenceError{Event: n + 1, What: "place in the ledger"}
			}
			if err := flush(); err != nil {
				return copied, err
			}
			if err := heads.add(ctx); err != nil {
				return copied, err
			}
		}
		if n++; n <= there {
			continue
		}
		expected := events.NoStream
		if r.Revision > 0 {
			expected = events.Revision(r.Revision - 1)
		}
		calls = append(calls, events.Call{Stream: r.Stream, Expected: expected, RecordedAt: r.RecordedAt, Tag: r.Tag,
			Proposed: []events.Proposed{{ID: r.ID, Type: r.Type, Metadata: r.Metadata, Data: r.Data}}})
		if len(calls) == batch {
			if err := flush(); err != nil {
				return copied, err
			}
		}
	}
	if err := flush(); err != nil {
		return copied, err
	}
	if heads.due(n) {
		if err := heads.add(ctx); err != nil {
			return copied, err
		}
	}
	if err := seals.finish(ctx); err != nil {
		return copied, err
	}
	held, err := compare(ctx, from, to, func(n int) { progress(Progress{Compared: n, Copied: copied}) })
	if err == nil && held < n {
		err = &DifferenceError{Event: held + 1, What: "place: it is missing"}
	}
	return copied, err
}

// compare reads both logs until the target's ends, and says how many events it holds.
func compare(ctx context.Context, from, to Log, told func(int)) (n int, err error) {
	next, stop := iter.Pull2(from.Originals(ctx, events.Start))
	defer stop()
	for have, err := range to.Originals(ctx, events.Start) {
		if err != nil {
			return n, fmt.Errorf("read the store that is copied to: %w", err)
		}
		want, err, more := next()
		if err != nil {
			return n, fmt.Errorf("read the store that is copied: %w", err)
		}
		n++
		if !more {
			return n, &DifferenceError{Event: n, What: "place: the store that is copied has no such event"}
		}
		for what, same := range map[string]bool{"id": have.ID == want.ID, "stream": have.Stream == want.Stream, "revision": have.Revision == want.Revision,
			"time": have.RecordedAt.Equal(want.RecordedAt), "type": have.Type == want.Type, "metadata": bytes.Equal(have.Metadata, want.Metadata),
			"data": bytes.Equal(have.Data, want.Data), "tag of its stream in the ledger": have.Tag == want.Tag} {
			if !same {
				return n, &DifferenceError{Event: n, What: what}
			}
		}
		if n%batch == 0 {
			told(n)
		}
	}
	told(n)
	return n, nil
}
