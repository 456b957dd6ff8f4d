package sqlitestore

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"traga.internal/events"
)

// fillUp appends from several goroutines until there is no room, checks that nothing was lost or half stored,
// makes room, and checks that the refused appends can be repeated.
func fillUp(t *testing.T, s *Store, makeRoom func()) {
	t.Helper()
	type call struct {
		stream string
		list   []events.Proposed
	}
	var (
		mu      sync.Mutex
		stored  = map[uuid.UUID]bool{}
		refused []call
		wg      sync.WaitGroup
	)
	for w := range 8 {
		wg.Go(func() {
			for i := range 100_000 {
				c := call{fmt.Sprint("case-", w), proposed(1 + i%3)}
				_, err := s.Append(t.Context(), c.stream, events.Any, c.list...)
				mu.Lock()
				if err != nil {
					if !errors.Is(err, events.ErrFull) {
						t.Errorf("out of room: %v", err)
					}
					refused = append(refused, c)
					mu.Unlock()
					return
				}
				for _, p := range c.list {
					stored[p.ID] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(refused) != 8 || len(stored) < 100 {
		t.Fatalf("%d writers ran out of room, after %d events", len(refused), len(stored))
	}
	history := checkLog(t, s)
	for _, r := range history {
		if !stored[r.ID] {
			t.Errorf("position %v holds an event that was refused", r.Position)
		}
	}
	if len(history) != len(stored) {
		t.Errorf("the log holds %d events, acknowledged were %d", len(history), len(stored))
	}
	makeRoom()
	for _, c := range refused {
		if a, err := s.Append(t.Context(), c.stream, events.Any, c.list...); err != nil || a.Repeated {
			t.Errorf("with room again: %+v, %v", a, err)
		}
	}
	if err := s.Check(t.Context()); err != nil { // the ledger has what the log has, no more and no less
		t.Error(err)
	}
	t.Logf("%d events fitted", len(stored))
}

// TestFullFile runs into SQLite's own bound on the size of a file, which every system has.
func TestFullFile(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	limit := func(pages int) {
		var got int
		if err := s.writer.conn.QueryRowContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)).Scan(&got); err != nil || got != pages {
			t.Fatalf("max_page_count is %d, %v", got, err)
		}
	}
	limit(200)
	fillUp(t, s, func() { limit(1 << 30) })
	checkLog(t, s)
}
