package sqlitestore

import (
	"context"
	"fmt"

	"traga.internal/events"
	"traga.internal/events/internal/admission"
)

// AppendSeries does what as many calls of Append would, one after the other, in few transactions: for those who
// write large logs. Each call is stored whole or not at all, and the store's clock is asked once for each that is
// stored, in their order. It returns when all are answered, with the error of the first that failed; those after
// it may be stored. When ctx ends, calls that the store has not begun with are not stored. The times of copies need not
// grow in the log, since other stores promise it of streams only; PositionAt is then as exact as their clocks agreed.
func (s *Store) AppendSeries(ctx context.Context, calls ...events.Call) error {
	if s.writer == nil {
		return fmt.Errorf("append: %w", ErrReadOnly)
	}
	waiting := make([]*request, len(calls))
	for i := range calls {
		c := &calls[i]
		if err := admission.Check(c.Stream, c.Expected, c.Proposed); err != nil {
			return err
		}
		var err error
		if waiting[i], err = newRequest(c.Stream, c.Expected, c.Proposed); err != nil {
			return err
		}
		if !c.RecordedAt.IsZero() {
			waiting[i].copied = c
		}
	}
	var first error
	for i, r := range waiting {
		if err := s.writer.queue.put(r); err != nil {
			first, waiting = fmt.Errorf("append: %w", err), waiting[:i]
			break
		}
	}
	for _, r := range waiting {
		select {
		case a := <-r.answer:
			if first == nil {
				first = a.err
			}
			continue
		case <-ctx.Done():
		}
		if r.claim() {
			if first == nil {
				first = fmt.Errorf("append: %w", context.Cause(ctx))
			}
			continue
		}
		if a := <-r.answer; first == nil {
			first = a.err
		}
	}
	return first
}
