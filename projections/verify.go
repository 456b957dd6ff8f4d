package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Holder is what a log may offer beyond the Store port: telling whether an event still stands where it stood.
type Holder interface {
	// Holds reports whether the event with this id, of anyone, stands at this position.
	Holds(ctx context.Context, at events.Position, id uuid.UUID) (bool, error)
}

// verify looks, before projections go on from where they are, whether the log is still the one that they were built
// from: the event at each checkpoint is where it was. A projection of which that is not so tells what is not on record.
// It is dropped and built anew, and answers nothing meanwhile.
func (e *Engine) verify(ctx context.Context) error {
	log, ok := e.store.(Holder)
	if !ok {
		return nil
	}
	type place struct {
		at events.Position
		id uuid.UUID
	}
	e.mu.Lock()
	members := slices.Clone(e.members)
	e.mu.Unlock()
	known := map[place]bool{}
	for _, m := range members {
		e.mu.Lock()
		at, taken := place{m.at, m.id}, m.taken
		e.mu.Unlock()
		if taken || at.id == uuid.Nil {
			continue
		}
		holds, asked := known[at]
		if !asked {
			var err error
			holds, err = log.Holds(ctx, at.at, at.id)
			if errors.Is(err, errors.ErrUnsupported) {
				return nil // a log behind the vault that can't tell
			}
			if err != nil {
				return &troubleError{fmt.Errorf("look whether the log is still the same: %w", err)}
			}
			known[at] = holds
		}
		if holds {
			continue
		}
		e.o.log.LogAttrs(ctx, levelError, "the log is not the one that a projection was built from; it is built anew",
			attr("projection", m.p.Name), attr("position", at.at.String()), attr("event", at.id.String()))
		if err := e.anew(ctx, m); err != nil {
			return &troubleError{fmt.Errorf("begin %s anew: %w", m.p.Name, err)}
		}
	}
	return nil
}

// anew puts an empty generation in the place of one.
func (e *Engine) anew(ctx context.Context, old *generation) error {
	f, release, err := e.use()
	if err != nil {
		return err
	}
	defer release()
	var fresh *generation
	err = f.transact(ctx, func() (err error) {
		if err = f.drop(ctx, old); err == nil {
			fresh, err = f.create(ctx, old.p)
		}
		return err
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(e.members, old); i >= 0 {
		e.members[i] = fresh
	}
	e.tellLocked()
	return nil
}
