package events

import "context"

// EventAt reads the event at a position. It answers false when none begins there, or another's on a shared database.
//
// A store whose positions have gaps says so itself, by a method Event; one without such a method is asked for the page
// after the position before, which then must be the number before.
func EventAt(ctx context.Context, store interface {
	ReadAll(ctx context.Context, after Position, limit int, filter Filter) (Page, error)
}, at Position) (Recorded, bool, error) {
	if s, ok := store.(interface {
		Event(ctx context.Context, at Position) (Recorded, bool, error)
	}); ok {
		return s.Event(ctx, at)
	}
	if at == Start || at != At(at.Commit) {
		return Recorded{}, false, nil
	}
	page, err := store.ReadAll(ctx, At(at.Commit-1), 1, Filter{})
	if err != nil || len(page.Events) == 0 || page.Events[0].Position != at {
		return Recorded{}, false, err
	}
	return page.Events[0], true, nil
}
