package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"traga.internal/events"
)

// errPurged ends the writing of a page that was folded before personal data was erased: it may hold what is gone.
var errPurged = errors.New("personal data was erased while this was worked out")

// Purge takes what was erased out of the read models: the rows of these cases, by each projection's own Purge, and all that
// is remembered of any case. When it returns, no byte of it is left in the files, and what is worked out from now on is
// worked out from the log as it reads now. Doing it again, also after a crash, does the same.
func (e *Engine) Purge(ctx context.Context, numbers []string) error {
	if e.o.readOnly {
		return ErrReadOnly
	}
	f, release, err := e.use()
	if err != nil {
		return err
	}
	defer release()
	e.mu.Lock()
	members := slices.Clone(e.members)
	e.mu.Unlock()
	err = f.transact(ctx, func() error {
		all, err := generations(ctx, f.conn)
		if err != nil {
			return err
		}
		for _, g := range all {
			i := slices.IndexFunc(members, func(m *generation) bool { return m.number == g.number })
			if i < 0 { // another version's rows, which nobody here can read: they are being built anew
				if err := f.drop(ctx, g); err != nil {
					return err
				}
				continue
			}
			if purge := members[i].p.Purge; purge != nil {
				if err := purge(ctx, &Tx{f: f, g: members[i], kept: new(any)}, numbers); err != nil {
					return fmt.Errorf("purge %s: %w", g.p.Name, err)
				}
			}
		}
		// What was folded until now is written no more: see group.write. Should the commit fail, it is worked out anew
		// for nothing.
		e.purges.Add(1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("purge the read models: %w", err)
	}
	// A crash before this line leaves the old rows in the journal; whoever purges does it again then.
	return f.truncate(ctx)
}

// truncate moves the journal into the file and empties it.
func (f *file) truncate(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var busy, pages, moved int
	if err := f.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return explain("empty the journal of the read models", err)
	}
	if busy != 0 {
		return fmt.Errorf("empty the journal of the read models: %w: someone is reading them", events.ErrUnavailable)
	}
	return nil
}
