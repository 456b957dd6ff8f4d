package sqlitestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"traga.internal/events"
)

// TestKill9 kills a process that appends under load, several times on one store. Whatever it had acknowledged
// is there, once, where it said.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	var all []acked
	for round := range 5 {
		c := start(t, "load", dir)
		for range 300 + 200*round {
			all = append(all, parseAck(t, c.line(t)))
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for c.lines.Scan() { // what it acknowledged before it died counts too
			all = append(all, parseAck(t, c.lines.Text()))
		}
		c.kill()

		s := mustOpen(t, dir)
		history := checkLog(t, s)
		for _, a := range all {
			r := history[a.position-1]
			if r.ID != a.id || r.Stream != a.stream || r.Revision != a.revision {
				t.Fatalf("round %d: position %d holds %v of %s at revision %d, acknowledged was %+v", round, a.position, r.ID, r.Stream, r.Revision, a)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged appends survived 5 kills", len(all))
}

// checkLog reads the whole log, both ways, and fails unless it is one without gaps or repeats.
func checkLog(t *testing.T, s *Store) []events.Recorded {
	t.Helper()
	var history []events.Recorded
	seen, lengths := map[string]bool{}, map[string]uint64{}
	for after, more := events.Start, true; more; {
		page, err := s.ReadAll(t.Context(), after, 500, events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Events {
			if r.Position != events.At(uint64(len(history)+1)) || r.Revision != lengths[r.Stream] || seen[r.ID.String()] {
				t.Fatalf("after %d events of the log and %d of the stream comes %+v", len(history), lengths[r.Stream], r)
			}
			history, seen[r.ID.String()] = append(history, r), true
			lengths[r.Stream]++
		}
		after, more = page.Scanned, page.More
	}
	for stream, length := range lengths {
		next := uint64(0)
		for r, err := range s.ReadStream(t.Context(), stream, 0) {
			if err != nil || r.Revision != next {
				t.Fatalf("%s at revision %d: %+v, %v", stream, next, r, err)
			}
			next++
		}
		if next != length {
			t.Fatalf("%s reads as %d events, the log has %d", stream, next, length)
		}
	}
	return history
}

func TestOneProcessWrites(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "on-order", dir)
	c.line(t)
	if s, err := Open(t.Context(), dir); !errors.Is(err, events.ErrLocked) {
		t.Fatalf("a second process got %v, %v", s, err)
	}
	c.kill()
	s := mustOpen(t, dir) // kill -9 has freed the lock
	if s, err := Open(t.Context(), dir); !errors.Is(err, events.ErrLocked) {
		t.Fatalf("the same process got a second store: %v, %v", s, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir)
}

// TestReaderBesideAWriter follows a log that another process writes.
func TestReaderBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "on-order", dir)
	c.line(t)
	s := mustOpen(t, dir, ReadOnly())
	head := events.Start
	for i := range 5 {
		changed := s.Changed(head)
		select {
		case <-changed:
			t.Fatal("woken without an event")
		default:
		}
		fmt.Fprintf(c.in, "case-%d\n", i%2)
		a := parseAck(t, c.line(t))
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			t.Fatal("not woken by an event of another process")
		}
		page, err := s.ReadAll(t.Context(), head, 10, events.Filter{})
		if err != nil || len(page.Events) != 1 || page.Events[0].ID != a.id || page.More {
			t.Fatalf("after %v: %+v, %v; want event %v", head, page, err, a.id)
		}
		if got, found, err := s.Lookup(t.Context(), a.id); err != nil || !found || got.Revision != a.revision {
			t.Fatalf("lookup: %+v, %v, %v", got, found, err)
		}
		head = page.Scanned
	}
	if _, err := s.Append(t.Context(), "case-1", events.Any, proposed(1)...); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a store open for reading only took an event: %v", err)
	}
	c.kill() // the reader goes on without the writer, over a journal that nobody closed
	if got, err := s.Head(t.Context()); err != nil || got != head {
		t.Errorf("after the writer died the head is %v, %v", got, err)
	}
	if s := mustOpen(t, dir, ReadOnly()); len(checkLog(t, s)) != 5 {
		t.Error("a reader that opens after the writer died reads another log")
	}
}

func TestPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "store")
	s := mustOpen(t, dir)
	if _, err := s.Append(t.Context(), "case-1", events.Any, proposed(1)...); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "log.db": 0o600, "log.db-wal": 0o600, "log.db-shm": 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has permissions %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
}
