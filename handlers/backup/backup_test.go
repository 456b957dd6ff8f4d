package backup_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/backup"
	"traga.internal/handlers/reactions"
	"traga.internal/handlers/record"
)

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// fill records n cases.
func fill(t *testing.T, r *record.Recorder, from, n int) {
	t.Helper()
	for i := range n {
		a, err := record.Parse([]byte(fmt.Sprintf(`{"case":"MK-2026-%04d","type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
			"data":{"subject":"s-1","name":"A Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`, from+i)))
		if err == nil {
			_, err = r.Record(t.Context(), a, record.AnyRevision)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stored is a store in use, with cases in it and a journal beside it.
func stored(t *testing.T, cases int) (dir string, s *sqlitestore.Store) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	s, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	fill(t, record.New(s, protocol.NewBook()), 1, cases)
	j, err := reactions.OpenJournal(t.Context(), dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return dir, s
}

func files(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, f := range list {
		info, err := f.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, mode %v", f.Name(), err, info.Mode())
		}
		all += f.Name() + " "
	}
	return all
}

// A store is copied while it is written to, the copy is whole, and put back it goes on where it was.
func TestABackupOfAStoreInUseIsPutBack(t *testing.T) {
	dir, s := stored(t, 40)
	base := t.TempDir()
	out, into := filepath.Join(base, "backup"), filepath.Join(base, "restored")
	ctx, cancel := context.WithCancel(t.Context())
	writing := make(chan struct{})
	go func() { // somebody goes on recording
		defer close(writing)
		for ctx.Err() == nil {
			p, err := events.Encode(&events.Event{ID: uuid.New(), Type: "StoreSimulated", OccurredAt: now, Actor: events.Actor{Officer: "x", Role: events.System, Institution: "traga"},
				CorrelationID: uuid.New(), Data: &events.StoreSimulated{From: now}})
			if err == nil {
				_, err = s.Append(ctx, events.StoreStream, events.Any, p)
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	}()
	made, err := backup.Create(t.Context(), dir, out, now, nil)
	cancel()
	<-writing
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, out); got != "backup.json log.db reactions.db " {
		t.Errorf("the backup holds %s", got)
	}
	checked, err := backup.Verify(t.Context(), out, nil)
	if err != nil || checked.Head != made.Head || made.Root == "" || made.Head.Commit < 40 {
		t.Fatalf("%v: made %+v, checked %+v", err, made, checked)
	}
	if got := files(t, out); got != "backup.json log.db reactions.db " {
		t.Errorf("after checking, the backup holds %s", got)
	}
	if _, err := backup.Restore(t.Context(), out, into, nil); err != nil {
		t.Fatal(err)
	}
	again, err := sqlitestore.Open(t.Context(), into)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if head, err := again.Head(t.Context()); err != nil || head != made.Head {
		t.Errorf("%v: restored up to %v", err, head)
	}
	fill(t, record.New(again, protocol.NewBook()), 5000, 1)
	if err := again.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Nothing is overwritten, and nothing is made of nothing.
func TestABackupOverwritesNothing(t *testing.T) {
	dir, _ := stored(t, 1)
	base := t.TempDir()
	out := filepath.Join(base, "backup")
	if _, err := backup.Create(t.Context(), dir, out, now, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Create(t.Context(), dir, out, now, nil); !errors.Is(err, backup.ErrExists) {
		t.Errorf("made over another: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "log.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), out, dir, nil); !errors.Is(err, backup.ErrExists) {
		t.Errorf("restored over a store: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "log.db")); err != nil || string(after) != string(before) {
		t.Errorf("%v: the store was touched", err)
	}
	if _, err := backup.Create(t.Context(), base, filepath.Join(base, "none"), now, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made of nothing: %v", err)
	}
	if _, err := backup.Verify(t.Context(), base, nil); !errors.Is(err, backup.ErrNoBackup) {
		t.Errorf("verified: %v", err)
	}
	if got := files(t, base); got != "backup " {
		t.Errorf("left behind: %s", got)
	}
}

// Whatever is changed in a backup is noticed, and what is damaged is not put back.
func TestADamagedBackupIsNotPutBack(t *testing.T) {
	dir, _ := stored(t, 20)
	manifest := func(change func(*backup.Manifest)) func(string) error {
		return func(out string) error {
			var m backup.Manifest
			text, err := os.ReadFile(filepath.Join(out, "backup.json"))
			if err == nil {
				err = json.Unmarshal(text, &m)
			}
			if err != nil {
				return err
			}
			change(&m)
			if text, err = json.Marshal(m); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(out, "backup.json"), text, 0o600)
		}
	}
	flip := func(name string, at int64) func(string) error {
		return func(out string) error {
			f, err := os.OpenFile(filepath.Join(out, name), os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, at); err != nil {
				return err
			}
			b[0] ^= 1
			_, err = f.WriteAt(b, at)
			return err
		}
	}
	for what, damage := range map[string]func(string) error{
		"a bit of the log":         flip("log.db", 9000),
		"a bit of its header":      flip("log.db", 20),
		"a bit of the journal":     flip("reactions.db", 5000),
		"the log cut":              func(out string) error { return os.Truncate(filepath.Join(out, "log.db"), 8192) },
		"the log gone":             func(out string) error { return os.Remove(filepath.Join(out, "log.db")) },
		"the manifest broken":      func(out string) error { return os.WriteFile(filepath.Join(out, "backup.json"), []byte("{"), 0o600) },
		"a head that it has not":   manifest(func(m *backup.Manifest) { m.Head = events.At(7) }),
		"a root that it has not":   manifest(func(m *backup.Manifest) { m.Root = "x" }),
		"a file from somewhere":    manifest(func(m *backup.Manifest) { m.Files[0].Name = "../log.db" }),
		"a format that is to come": manifest(func(m *backup.Manifest) { m.Format = 2 }),
	} {
		base := t.TempDir()
		out, into := filepath.Join(base, "backup"), filepath.Join(base, "restored")
		if _, err := backup.Create(t.Context(), dir, out, now, nil); err != nil {
			t.Fatal(err)
		}
		if err := damage(out); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Restore(t.Context(), out, into, nil); !errors.Is(err, events.ErrDamaged) && !errors.Is(err, events.ErrNewerVersion) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(into); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was put back", what)
		}
	}
}

// A node of a cluster has no log of its own; its journal is kept all the same.
func TestANodeWithoutALogKeepsItsJournal(t *testing.T) {
	dir := t.TempDir()
	j, err := reactions.OpenJournal(t.Context(), dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	out := filepath.Join(t.TempDir(), "backup")
	if _, err := backup.Create(t.Context(), dir, out, now, nil); err != nil {
		t.Fatal(err)
	}
	if m, err := backup.Restore(t.Context(), out, filepath.Join(t.TempDir(), "restored"), nil); err != nil || len(m.Files) != 1 {
		t.Errorf("%v: %+v", err, m)
	}
}

// A backup that is interrupted leaves nothing that passes for one, and the next is made all the same.
func TestAnInterruptedBackupIsNone(t *testing.T) {
	dir, _ := stored(t, 20)
	out := filepath.Join(t.TempDir(), "backup")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := backup.Create(ctx, dir, out, now, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Error("it looks like a backup")
	}
	if err := os.MkdirAll(out+".partial", 0o700); err != nil { // as kill -9 would leave it
		t.Fatal(err)
	}
	if _, err := backup.Create(t.Context(), dir, out, now, nil); err != nil {
		t.Error(err)
	}
}
