package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"traga.internal/events"
)

// TestFailedCommit makes every commit fail. Nothing counts as stored, nobody is woken, the writer forgets what
// it had believed, and all calls can be repeated when the trouble is over.
func TestFailedCommit(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	if _, err := s.Append(t.Context(), "case-0", events.NoStream, proposed(2)...); err != nil {
		t.Fatal(err)
	}
	run := func(statement string) {
		t.Helper()
		if _, err := s.writer.conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	// A reference into nothing, which SQLite looks at when it commits.
	run(`PRAGMA foreign_keys = 1; CREATE TABLE whole (id INTEGER PRIMARY KEY);
		CREATE TABLE broken (id REFERENCES whole DEFERRABLE INITIALLY DEFERRED);
		CREATE TRIGGER fail AFTER INSERT ON events BEGIN INSERT INTO broken VALUES (1); END`)
	changed := s.Changed(events.At(2))
	const callers = 12
	lists := make([][]events.Proposed, callers)
	all := func(check func(caller int, a events.Appended, err error)) {
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				a, err := s.Append(t.Context(), fmt.Sprint("case-", i%4), events.Any, lists[i]...)
				check(i, a, err)
			})
		}
		wg.Wait()
	}
	for i := range lists {
		lists[i] = proposed(1 + i%3)
	}
	all(func(i int, a events.Appended, err error) {
		if err == nil {
			t.Errorf("caller %d was told that its events are stored: %+v", i, a)
		}
	})
	if history := checkLog(t, s); len(history) != 2 {
		t.Errorf("the log holds %d events, want the 2 of before", len(history))
	}
	select {
	case <-changed:
		t.Error("a failed commit wakes readers")
	default:
	}
	run("DROP TRIGGER fail")
	all(func(i int, a events.Appended, err error) {
		if err != nil || a.Repeated {
			t.Errorf("repeated by caller %d: %+v, %v", i, a, err)
		}
	})
	if history := checkLog(t, s); len(history) != 2+24 {
		t.Errorf("the log holds %d events, want 26", len(history))
	}
}

// TestAnotherProgramHoldsTheFile: a program that does not know our lock is waited for, and then told of.
func TestAnotherProgramHoldsTheFile(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 20"); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	list := proposed(1)
	if _, err := s.Append(t.Context(), "case-1", events.Any, list...); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("while another program holds the file: %v", err)
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Append(t.Context(), "case-1", events.NoStream, list...); err != nil || a.Repeated {
		t.Errorf("afterwards: %+v, %v", a, err)
	}
}

// TestCloseUnderLoad closes the store while many append. Each append is either stored and answered so, or told
// that the store is closed.
func TestCloseUnderLoad(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	var (
		mu     sync.Mutex
		stored int
		wg     sync.WaitGroup
	)
	enough := make(chan struct{})
	for w := range 16 {
		wg.Go(func() {
			for {
				_, err := s.Append(t.Context(), fmt.Sprint("case-", w), events.Any, proposed(1)...)
				if err != nil {
					if !errors.Is(err, events.ErrClosed) {
						t.Errorf("while closing: %v", err)
					}
					return
				}
				mu.Lock()
				if stored++; stored == 200 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	<-enough
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if history := checkLog(t, mustOpen(t, dir)); len(history) != stored {
		t.Errorf("the log holds %d events, %d were acknowledged", len(history), stored)
	}
}

// TestCancelledMeansNotStored cancels appends at all moments of their life: one that fails is not in the log.
func TestCancelledMeansNotStored(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			stream := fmt.Sprint("case-", w)
			for i := range 40 {
				list := proposed(1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*10)*time.Microsecond)
				_, err := s.Append(ctx, stream, events.Any, list...)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a cancelled append: %v", err)
				}
				again, againErr := s.Append(t.Context(), stream, events.Any, list...)
				if againErr != nil || again.Repeated == (err != nil) {
					t.Errorf("after %v the repeat is answered %+v, %v", err, again, againErr)
				}
			}
		})
	}
	wg.Wait()
}
