package sqlitestore

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"traga.internal/events"
)

// written makes a closed store with some events in several streams and returns its directory and the history.
func written(t *testing.T) (dir string, history []events.Recorded) {
	t.Helper()
	dir = t.TempDir()
	s := mustOpen(t, dir)
	for i := range 60 {
		if _, err := s.Append(t.Context(), fmt.Sprint("case-", i%7), events.Any, proposed(1+i%20)...); err != nil {
			t.Fatal(err)
		}
	}
	history = checkLog(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, history
}

// TestFlippedBits flips single bits all over the file. Whatever is hit, the log reads as before or the damage is
// named: it never reads otherwise.
func TestFlippedBits(t *testing.T) {
	dir, history := written(t)
	whole, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	named := 0
	for range 200 {
		at, bit := random.IntN(len(whole)), byte(1)<<random.IntN(8)
		if random.IntN(4) == 0 {
			at %= 100 // the file's header
		}
		flipped := bytes.Clone(whole)
		flipped[at] ^= bit
		if readsSameOrNamed(t, flipped, history, fmt.Sprintf("bit %#x of byte %d flipped", bit, at)) {
			named++
		}
	}
	t.Logf("of 200 flips %d were named, the others hit nothing that is read", named)
}

// TestCutFiles cuts the file at many lengths.
func TestCutFiles(t *testing.T) {
	dir, history := written(t)
	whole, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		n := random.IntN(len(whole))
		readsSameOrNamed(t, whole[:n], history, fmt.Sprintf("cut after %d of %d bytes", n, len(whole)))
	}
	readsSameOrNamed(t, whole[:len(whole)-1], history, "cut by a byte")
}

// readsSameOrNamed fails the test when a damaged file reads otherwise than the history it held, and reports
// whether its damage was named.
func readsSameOrNamed(t *testing.T, file []byte, history []events.Recorded, damage string) (named bool) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, logFile), file, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readBroken(t, dir)
	switch {
	case errors.Is(err, events.ErrDamaged) || errors.Is(err, events.ErrNewerVersion):
		return true
	case err != nil:
		t.Errorf("%s: %v", damage, err)
	case !reflect.DeepEqual(got, history):
		t.Errorf("%s: the log reads as %d events instead of %d, without an error", damage, len(got), len(history))
	default:
		return streamsDiffer(t, dir, history, damage)
	}
	return false
}

// streamsDiffer reads all streams of a log that reads as it should, and reports whether one was named as damaged.
// A stream that is read otherwise without an error must at least be found by Check.
func streamsDiffer(t *testing.T, dir string, history []events.Recorded, damage string) (named bool) {
	t.Helper()
	streams := map[string][]events.Recorded{}
	for _, r := range history {
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range streams {
		var got []events.Recorded
		for r, err := range s.ReadStream(t.Context(), name, 0) {
			if err != nil {
				if !errors.Is(err, events.ErrDamaged) {
					t.Errorf("%s: %v", damage, err)
				}
				return true
			}
			got = append(got, r)
		}
		if !reflect.DeepEqual(got, want) {
			if err := s.Check(t.Context()); !errors.Is(err, events.ErrDamaged) {
				t.Errorf("%s: %s reads as %d events instead of %d, and the check says: %v", damage, name, len(got), len(want), err)
			}
			return true
		}
	}
	return false
}

// readBroken reads a log to the end or to the first error.
func readBroken(t *testing.T, dir string) ([]events.Recorded, error) {
	s, err := Open(t.Context(), dir)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var list []events.Recorded
	for after, more := events.Start, true; more; {
		page, err := s.ReadAll(t.Context(), after, 100, events.Filter{})
		if err != nil {
			return list, err
		}
		list, after, more = append(list, page.Events...), page.Scanned, page.More
	}
	return list, nil
}

func TestDamagedFilesAreNamed(t *testing.T) {
	whole, _ := written(t)
	log, err := os.ReadFile(filepath.Join(whole, logFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(dir string) error{
		"no database":         func(dir string) error { return os.WriteFile(filepath.Join(dir, logFile), []byte("not a log\n"), 0o600) },
		"empty":               func(dir string) error { return os.WriteFile(filepath.Join(dir, logFile), nil, 0o600) },
		"cut in the middle":   func(dir string) error { return os.WriteFile(filepath.Join(dir, logFile), log[:len(log)/2], 0o600) },
		"cut by a page":       func(dir string) error { return os.WriteFile(filepath.Join(dir, logFile), log[:len(log)-4096], 0o600) },
		"gone, journal stays": func(dir string) error { return os.WriteFile(filepath.Join(dir, logFile+"-wal"), []byte("x"), 0o600) },
		"of another program": func(dir string) error {
			return raw(t, filepath.Join(dir, logFile), "CREATE TABLE t (a)")
		},
	} {
		dir := t.TempDir()
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := readBroken(t, dir); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "gone") {
			continue
		}
		s, err := Open(t.Context(), dir, ReadOnly())
		if err == nil {
			_, err = s.ReadAll(t.Context(), events.Start, 10000, events.Filter{})
			s.Close()
		}
		if !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s, read only: %v", name, err)
		}
	}
}

func TestMissingEventsAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ sql, stream string }{
		"in the middle of the log": {"DELETE FROM events WHERE position = 100", ""},
		"at the start of the log":  {"DELETE FROM events WHERE position = 1", ""},
		"in a stream":              {"DELETE FROM events WHERE stream = 1 AND revision = 3", "case-0"},
		"a whole stream":           {"DELETE FROM events WHERE stream = 1", "case-0"},
		"the name of a stream":     {"DELETE FROM streams WHERE id = 1", ""},
		"a changed name":           {"UPDATE streams SET name = 'case-x' WHERE id = 1", ""},
		"a changed time":           {"UPDATE events SET recorded_at = recorded_at - 1 WHERE position = 50", ""},
		"changed data":             {"UPDATE events SET data = x'7b7d' WHERE position = 50", ""},
		"exchanged events": {"UPDATE events SET position = -1 WHERE position = 8; UPDATE events SET position = 8 WHERE position = 9;" +
			"UPDATE events SET position = 9 WHERE position = -1", ""},
	} {
		dir, _ := written(t)
		// Someone with the file in her hands can remove the triggers too.
		err := raw(t, filepath.Join(dir, logFile), "DROP TRIGGER events_never_go; DROP TRIGGER events_never_change;"+
			"DROP TRIGGER streams_never_go; DROP TRIGGER streams_never_change;"+c.sql)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readBroken(t, dir); !errors.Is(err, events.ErrDamaged) {
			t.Errorf("%s: the log reads without its events: %v", name, err)
		}
		if c.stream == "" {
			continue
		}
		s := mustOpen(t, dir)
		var last error
		for _, err := range s.ReadStream(t.Context(), c.stream, 0) {
			last = err
		}
		if !errors.Is(last, events.ErrDamaged) {
			t.Errorf("%s: the stream reads without its events: %v", name, last)
		}
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	dir, _ := written(t)
	if err := raw(t, filepath.Join(dir, logFile), "PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	for _, opts := range [][]Option{nil, {ReadOnly()}} {
		if s, err := Open(t.Context(), dir, opts...); !errors.Is(err, events.ErrNewerVersion) {
			t.Errorf("got %v, %v", s, err)
		}
	}
	if err := raw(t, filepath.Join(dir, logFile), fmt.Sprint("PRAGMA user_version = ", ledgerComplete)); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir) // the refusals left nothing locked
}

func TestReadOnlyNeedsAStore(t *testing.T) {
	dir := t.TempDir()
	if s, err := Open(t.Context(), dir, ReadOnly()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, %v", s, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("looking for a store left %v, %v", entries, err)
	}
}

func TestTheLogIsAppendOnly(t *testing.T) {
	dir, history := written(t)
	path := filepath.Join(dir, logFile)
	for _, statement := range []string{
		"UPDATE events SET data = x'7b7d' WHERE position = 1",
		"UPDATE events SET recorded_at = 0",
		"UPDATE streams SET name = 'x' WHERE id = 1",
		"DELETE FROM events WHERE position = 5",
		"DELETE FROM events",
		"DELETE FROM streams",
		"INSERT INTO events SELECT * FROM events WHERE position = 1",
		"INSERT INTO events SELECT 100000, stream, 100000, id, recorded_at, type, metadata, data, checksum FROM events WHERE position = 1",
		"INSERT INTO events (position, stream, revision, id, recorded_at, type, metadata, data, checksum) VALUES (-1, 1, 9999, x'00', 0, '', '', '', 0)",
		"PRAGMA recursive_triggers = 1; INSERT OR REPLACE INTO events SELECT position, stream, revision, id, 0, type, metadata, data, checksum FROM events WHERE position = 1",
	} {
		if err := raw(t, path, statement); err == nil {
			t.Errorf("SQLite accepted: %s", statement)
		}
	}
	if got := checkLog(t, mustOpen(t, dir)); !reflect.DeepEqual(got, history) {
		t.Error("the log has changed")
	}
}

// raw runs SQL on a file as any other program could.
func raw(t *testing.T, path, statement string) error {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), statement)
	return err
}
