package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

func TestARebuildAnswersFromTheOldRowsUntilItIsSwappedIn(t *testing.T) {
	store, n := aLog(t, 8)
	for _, live := range []bool{false, true} {
		t.Run(fmt.Sprintf("following=%v", live), func(t *testing.T) {
			a := &journal{name: "a"}
			e := open(t, t.TempDir(), store, []projections.Projection{a.projection(), (&journal{name: "b"}).projection()}, projections.WithPage(n/4))
			if err := e.CatchUp(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if live {
				follow(t, e)
			}
			during := 0
			err := e.Rebuild(t.Context(), "a", func(p projections.Progress) {
				during++
				if got := lines(t, e, "a"); !slices.Equal(got, upTo(n)) {
					t.Errorf("while it is rebuilt at %s: %d of %d lines", p.At, len(got), n)
				}
				if s := state(t, e, "a"); s.State != projections.Rebuilding || s.Built == nil {
					t.Errorf("while it is rebuilt List shows %+v", s)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if during < 4 {
				t.Errorf("only %d reports of progress", during)
			}
			if got := lines(t, e, "a"); !slices.Equal(got, upTo(n)) {
				t.Errorf("after the rebuild %d of %d", len(got), n)
			}
			if s := state(t, e, "a"); s.State != projections.Live || s.Built != nil {
				t.Errorf("after the rebuild List shows %+v", s)
			}
			if live { // and it goes on with the others
				done, err := store.Append(t.Context(), events.CaseStream("MK-2024-00009"), events.Any, opening(t, 77))
				if err != nil {
					t.Fatal(err)
				}
				if err := e.WaitFor(t.Context(), done.Position, "a", "b"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestAnInterruptedRebuildGoesOnWhereItWas(t *testing.T) {
	store, n := aLog(t, 8)
	dir := t.TempDir()
	a := &journal{name: "a"}
	set := []projections.Projection{a.projection()}
	e := open(t, dir, store, set, projections.WithPage(50))
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := e.Rebuild(ctx, "a", func(p projections.Progress) {
		if p.Events >= n/2 {
			cancel()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	half := *state(t, e, "a").Built
	if half.Commit < uint64(n/2) || half.Commit == uint64(n) {
		t.Fatalf("it was interrupted at %s", half)
	}
	if got := lines(t, e, "a"); !slices.Equal(got, upTo(n)) {
		t.Errorf("meanwhile the old rows are %d of %d", len(got), n)
	}
	e.Close()
	first := events.MaxPosition
	a.collect = func(e *events.Event) error {
		if first.After(e.Position) {
			first = e.Position
		}
		return nil
	}
	e = open(t, dir, store, set)
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if first != events.At(half.Commit+1) {
		t.Errorf("it went on at %s, was at %s", first, half)
	}
	if got, s := lines(t, e, "a"), state(t, e, "a"); !slices.Equal(got, upTo(n)) || s.State != projections.Live {
		t.Errorf("%d of %d, %+v", len(got), n, s)
	}
}

func TestANewVersionIsBuiltBesideTheOldOne(t *testing.T) {
	store, n := aLog(t, 8)
	dir := t.TempDir()
	e := open(t, dir, store, []projections.Projection{(&journal{name: "a"}).projection()})
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	e.Close()
	e = open(t, dir, store, []projections.Projection{(&journal{name: "a", version: 2}).projection()}, projections.WithPage(100))
	if s := state(t, e, "a"); s.Version != 1 || s.State != projections.Rebuilding {
		t.Errorf("before it is built: %+v", s)
	}
	if err := e.CatchUp(t.Context(), func(projections.Progress) {
		if got := lines(t, e, "a"); !slices.Equal(got, upTo(n)) {
			t.Errorf("while version 2 is built, version 1 answers %d of %d", len(got), n)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if got, s := lines(t, e, "a"), state(t, e, "a"); !slices.Equal(got, upTo(n)) || s.Version != 2 || s.State != projections.Live {
		t.Errorf("%d of %d, %+v", len(got), n, s)
	}
	// What can't be read by this program's queries does not answer.
	e.Close()
	next := (&journal{name: "a", version: 3}).projection()
	next.Compatible = 0
	e = open(t, dir, store, []projections.Projection{next})
	if err := e.View(t.Context(), "a", func(*projections.View) error { return nil }); !errors.Is(err, projections.ErrNotBuilt) {
		t.Errorf("View: %v", err)
	}
}

func TestBesideTheOwnerACommandReadsAndWaits(t *testing.T) {
	store, n := aLog(t, 3)
	dir := t.TempDir()
	set := []projections.Projection{(&journal{name: "a"}).projection()}
	owner := open(t, dir, store, set)
	if _, err := projections.Open(t.Context(), dir, store, protocol.NewBook(), set); !errors.Is(err, projections.ErrLocked) {
		t.Fatalf("a second owner: %v", err)
	}
	type result struct {
		e   *projections.Engine
		err error
	}
	latest := make(chan result)
	go func() {
		e, err := projections.Latest(t.Context(), dir, store, protocol.NewBook(), set, nil)
		latest <- result{e, err}
	}()
	follow(t, owner)
	beside := <-latest
	if beside.err != nil {
		t.Fatal(beside.err)
	}
	defer beside.e.Close()
	if got := lines(t, beside.e, "a"); !slices.Equal(got, upTo(n)) {
		t.Errorf("%d of %d", len(got), n)
	}
	if err := beside.e.CatchUp(t.Context(), nil); !errors.Is(err, projections.ErrReadOnly) {
		t.Errorf("CatchUp beside the owner: %v", err)
	}
	if s := state(t, beside.e, "a"); s.State != projections.Live {
		t.Errorf("%+v", s)
	}
}

func TestWithoutAServerACommandCatchesUpByItself(t *testing.T) {
	store, n := aLog(t, 3)
	dir := t.TempDir()
	set := []projections.Projection{(&journal{name: "a"}).projection()}
	for range 2 {
		e, err := projections.Latest(t.Context(), dir, store, protocol.NewBook(), set, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(t, e, "a"); !slices.Equal(got, upTo(n)) {
			t.Errorf("%d of %d", len(got), n)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADamagedOrForeignFileIsBuiltAnew(t *testing.T) {
	store, n := aLog(t, 3)
	set := []projections.Projection{(&journal{name: "a"}).projection()}
	for name, spoil := range map[string]func(path string) error{
		"missing": os.Remove,
		"no database": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("this is no database. ", 1000)), 0o600)
		},
		"cut short": func(path string) error { return os.Truncate(path, 5000) },
		"empty":     func(path string) error { return os.Truncate(path, 0) },
		"another format": func(path string) error {
			db, err := sql.Open("sqlite", "file:"+path)
			if err == nil {
				_, err = db.Exec("PRAGMA user_version = 99")
				err = errors.Join(err, db.Close())
			}
			return err
		},
		"scribbled over": func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			for at := int64(4096); at < 200_000; at += 4096 {
				if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 600)), at); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "projections.db")
			e := open(t, dir, store, set)
			if err := e.CatchUp(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			e.Close()
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			e = open(t, dir, store, set)
			if err := e.CatchUp(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if got := lines(t, e, "a"); !slices.Equal(got, upTo(n)) {
				t.Errorf("%d of %d", len(got), n)
			}
		})
	}
}

func TestDamageMetWhileFollowingIsRepaired(t *testing.T) {
	store, n := aLog(t, 20)
	dir := t.TempDir()
	e := open(t, dir, store, []projections.Projection{(&journal{name: "a"}).projection()})
	follow(t, e)
	if err := e.WaitFor(t.Context(), events.At(uint64(n))); err != nil {
		t.Fatal(err)
	}
	if err := projections.Spoil(e); err != nil {
		t.Fatal(err)
	}
	// A reader meets the damage, and the engine builds all anew.
	count := func() (n int, err error) {
		err = e.View(t.Context(), "a", func(v *projections.View) error {
			rows, err := v.Query(t.Context(), "SELECT position, number FROM {line}")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				n++
			}
			return rows.Err()
		})
		return n, err
	}
	if _, err := count(); !errors.Is(err, projections.ErrDamaged) {
		t.Fatalf("the file is damaged, View says %v", err)
	}
	for {
		changed := e.Changed(events.MaxPosition)
		if got, err := count(); err == nil && got == n {
			break
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("it was not built anew")
		}
	}
}
