package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/internal/testlog"
)

// journal is a projection that writes down every event it is given: a skip or a repeat shows at once. What an
// event does to it can be changed while it runs.
type journal struct {
	name    string
	version int
	// collect and write, if set, are asked before each event and each page.
	collect func(e *events.Event) error
	write   func() error
	// unwritable is an event whose line can't be written.
	unwritable events.Position

	mu sync.Mutex
}

type journalPage struct {
	j     *journal
	steps []*events.Event
}

// ask asks collect, once at a time: different cases are collected at the same time.
func (j *journal) ask(e *events.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.collect(e)
}

func (p *journalPage) Collect(s *projections.Step) error {
	if p.j.collect != nil {
		if err := p.j.ask(s.Event); err != nil {
			return err
		}
	}
	p.steps = append(p.steps, s.Event)
	return nil
}

func (p *journalPage) Write(ctx context.Context, tx *projections.Tx) error {
	for _, e := range p.steps {
		if e.Position == p.j.unwritable {
			return errors.New("it can't be written")
		}
		if _, err := tx.Exec(ctx, "INSERT INTO {line} (position, number, revision) VALUES (?, ?, ?)", int64(e.Position.Commit), e.Case, int64(e.Revision)); err != nil {
			return err
		}
	}
	if p.j.write != nil {
		return p.j.write()
	}
	return nil
}

func (j *journal) projection() projections.Projection {
	return projections.Projection{Name: j.name, Version: max(1, j.version), Compatible: 1,
		Tables: []projections.Table{{Name: "line", Columns: "position INTEGER PRIMARY KEY, number TEXT NOT NULL, revision INTEGER NOT NULL",
			Indexes: []projections.Index{{Name: "case", On: "(number)"}}}},
		Collect: func() projections.Collector { return &journalPage{j: j} }}
}

// lines are the positions that a journal holds, checked to be as far as its checkpoint says.
func lines(t *testing.T, e *projections.Engine, name string) []int64 {
	t.Helper()
	var list []int64
	err := e.View(t.Context(), name, func(v *projections.View) error {
		rows, err := v.Query(t.Context(), "SELECT position FROM {line} ORDER BY position")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n int64
			if err := rows.Scan(&n); err != nil {
				return err
			}
			list = append(list, n)
		}
		if n := len(list); n > 0 && uint64(list[n-1]) > v.Position.Commit {
			t.Errorf("%s: rows up to %d, checkpoint at %s", name, list[n-1], v.Position)
		}
		if uint64(len(list)) != v.Position.Commit {
			t.Errorf("%s: %d rows, checkpoint at %s", name, len(list), v.Position)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// upTo is 1, 2, ... n.
func upTo(n int) []int64 {
	var list []int64
	for i := range n {
		list = append(list, int64(i+1))
	}
	return list
}

// aLog is a log with the events of some cases.
func aLog(t *testing.T, cases int) (*memstore.Store, int) {
	t.Helper()
	clock := new(testlog.Clock)
	store := memstore.New(clock.Now)
	plan := testlog.Plan(1, cases, 200*24*time.Hour)
	if err := testlog.Write(t.Context(), store, clock, plan, 1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store, len(plan)
}

func open(t *testing.T, dir string, store events.Store, set []projections.Projection, opts ...projections.Option) *projections.Engine {
	t.Helper()
	e, err := projections.Open(t.Context(), dir, store, protocol.NewBook(), set, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func state(t *testing.T, e *projections.Engine, name string) projections.Status {
	t.Helper()
	list, err := e.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(s projections.Status) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("List does not name %s", name)
	}
	return list[i]
}

func TestCatchUpTakesEveryEventOnceInOrder(t *testing.T) {
	store, n := aLog(t, 10)
	for _, page := range []int{1, 7, 1000, 100000} {
		e := open(t, t.TempDir(), store, []projections.Projection{(&journal{name: "a"}).projection(), (&journal{name: "b"}).projection()},
			projections.WithPage(page))
		var last projections.Progress
		if err := e.CatchUp(t.Context(), func(p projections.Progress) { last = p }); err != nil {
			t.Fatal(err)
		}
		if last.At != last.Head || last.Events != n || !slices.Equal(last.Projections, []string{"a", "b"}) {
			t.Errorf("the last progress was %+v, the log has %d events", last, n)
		}
		for _, name := range []string{"a", "b"} {
			if got := lines(t, e, name); !slices.Equal(got, upTo(n)) {
				t.Errorf("page %d: %s has %d lines of %d", page, name, len(got), n)
			}
			if s := state(t, e, name); s.State != projections.Live || s.Lag != 0 || s.Position != events.At(uint64(n)) {
				t.Errorf("page %d: %+v", page, s)
			}
		}
	}
}

func TestAFailingEventStopsItsProjectionAloneAndIsNamed(t *testing.T) {
	store, n := aLog(t, 6)
	for _, where := range []string{"collect", "panic", "write"} {
		t.Run(where, func(t *testing.T) {
			dir, bad := t.TempDir(), events.At(uint64(n/2))
			fails := &journal{name: "fails"}
			switch where {
			case "collect":
				fails.collect = func(e *events.Event) error {
					if e.Position == bad {
						return errors.New("it can't be digested")
					}
					return nil
				}
			case "panic":
				fails.collect = func(e *events.Event) error {
					if e.Position == bad {
						var none []int
						_ = none[len(e.Case)]
					}
					return nil
				}
			case "write":
				fails.unwritable = bad
			}
			set := []projections.Projection{(&journal{name: "before"}).projection(), fails.projection(), (&journal{name: "works"}).projection()}
			e := open(t, dir, store, set, projections.WithPage(50))
			err := e.CatchUp(t.Context(), nil)
			var failed *projections.FailedError
			if !errors.As(err, &failed) || !errors.Is(err, projections.ErrFailed) {
				t.Fatalf("CatchUp: %v", err)
			}
			page, _ := store.ReadAll(t.Context(), events.At(bad.Commit-1), 1, events.Filter{})
			if failed.Projection != "fails" || failed.Position != bad || failed.Event != page.Events[0].ID {
				t.Errorf("the failure names %+v, want position %s, event %s", failed, bad, page.Events[0].ID)
			}
			for _, name := range []string{"before", "works"} {
				if got := lines(t, e, name); !slices.Equal(got, upTo(n)) {
					t.Errorf("%s stands at %d of %d", name, len(got), n)
				}
				if err := e.WaitFor(t.Context(), events.At(uint64(n)), name); err != nil {
					t.Error(err)
				}
			}
			s := state(t, e, "fails")
			if s.State != projections.Failed || s.Event != failed.Event.String() || s.Error == "" {
				t.Errorf("List shows %+v", s)
			}
			if err := e.WaitFor(t.Context(), events.At(uint64(n)), "fails"); !errors.Is(err, projections.ErrFailed) {
				t.Errorf("WaitFor: %v", err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			// A fixed program resumes at the event, with everything before it kept.
			fixed := &journal{name: "fails"}
			first := events.Start
			fixed.collect = func(e *events.Event) error {
				if first == events.Start || first.After(e.Position) {
					first = e.Position
				}
				return nil
			}
			set[1] = fixed.projection()
			e = open(t, dir, store, set)
			if err := e.CatchUp(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if first != bad {
				t.Errorf("the fixed program began at %s, want %s", first, bad)
			}
			if got := lines(t, e, "fails"); !slices.Equal(got, upTo(n)) {
				t.Errorf("the fixed program has %d of %d", len(got), n)
			}
		})
	}
}

func TestAnEventThatCannotBeReadStopsAll(t *testing.T) {
	store, n := aLog(t, 2)
	broken, err := store.Append(t.Context(), events.CaseStream("MK-2024-99999"), events.NoStream,
		events.Proposed{ID: events.DeriveID("broken"), Type: "FromTheFuture", Metadata: []byte(`{}`), Data: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, t.TempDir(), store, []projections.Projection{(&journal{name: "a"}).projection(), (&journal{name: "b"}).projection()})
	if err := e.CatchUp(t.Context(), nil); !errors.Is(err, projections.ErrFailed) {
		t.Fatalf("CatchUp: %v", err)
	}
	for _, name := range []string{"a", "b"} {
		s := state(t, e, name)
		if s.State != projections.Failed || s.Event != events.DeriveID("broken").String() || s.Built == nil || s.Built.Commit != uint64(n) {
			t.Errorf("%s: %+v, want it stopped at %s with all before it", name, s, broken.Position)
		}
	}
}

// failingStore breaks off after a number of reads.
type failingStore struct {
	events.Store
	left atomic.Int64
	err  error
}

func (s *failingStore) ReadAll(ctx context.Context, after events.Position, limit int, f events.Filter) (events.Page, error) {
	if s.left.Add(-1) < 0 {
		return events.Page{}, s.err
	}
	return s.Store.ReadAll(ctx, after, limit, f)
}

func TestCutOffAnywhereRowsAndCheckpointAgree(t *testing.T) {
	inner, n := aLog(t, 10)
	dir := t.TempDir()
	a := &journal{name: "a"}
	set := []projections.Projection{a.projection(), (&journal{name: "b"}).projection()}
	writes := 0
	for round := 0; ; round++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		store := &failingStore{Store: inner, err: errors.New("the log is away")}
		store.left.Store(int64(2 + round%5))
		a.write = nil
		if round%2 == 1 { // killed in the middle of a transaction
			store.left.Store(1 << 30)
			stopAt := writes + 1 + round%3
			a.write = func() error {
				if writes++; writes == stopAt {
					cancel(errors.New("killed"))
				}
				return nil
			}
		}
		e, err := projections.Open(t.Context(), dir, store, protocol.NewBook(), set, projections.WithPage(100))
		if err != nil {
			t.Fatal(err)
		}
		err = e.CatchUp(ctx, nil)
		cancel(nil)
		list, listErr := e.List(t.Context())
		if listErr != nil {
			t.Fatal(listErr)
		}
		for _, s := range list {
			if s.State == projections.Failed {
				t.Fatalf("a disturbance was taken for an event's fault: %+v", s)
			}
		}
		checkRows(t, dir, "a", "b")
		if err == nil {
			if got := lines(t, e, "a"); !slices.Equal(got, upTo(n)) {
				t.Fatalf("%d of %d", len(got), n)
			}
			e.Close()
			if round < 3 {
				t.Fatalf("only %d rounds: nothing was cut off", round)
			}
			return
		}
		e.Close()
	}
}

// checkRows compares rows and checkpoints in the file itself, whichever generation.
func checkRows(t *testing.T, dir string, names ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "projections.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, name := range names {
		var generation, at int64
		if err := db.QueryRow("SELECT generation, commit_pos FROM generations WHERE name = ? ORDER BY live", name).Scan(&generation, &at); err != nil {
			t.Fatal(err)
		}
		var rows, last int64
		if err := db.QueryRow(fmt.Sprintf("SELECT count(*), coalesce(max(position), 0) FROM %s_line_%d", name, generation)).Scan(&rows, &last); err != nil {
			t.Fatal(err)
		}
		if rows != at || last != at {
			t.Fatalf("%s: %d rows up to %d, checkpoint at %d", name, rows, last, at)
		}
	}
}

// follow runs the engine until the test ends or stop is called.
func follow(t *testing.T, e *projections.Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestFollowingConcurrentWritersSkipsAndRepeatsNothing(t *testing.T) {
	store, n := aLog(t, 2)
	e := open(t, t.TempDir(), store, []projections.Projection{(&journal{name: "a"}).projection(), (&journal{name: "b"}).projection()}, projections.WithPage(64))
	follow(t, e)
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for _, p := range testlog.Plan(uint64(w+10), 2, time.Hour) {
				p.Event.Case = fmt.Sprintf("%s-%d", p.Event.Case, w)
				proposed, err := events.Encode(p.Event)
				if err != nil {
					t.Error(err)
					return
				}
				proposed.ID = events.DeriveID(fmt.Sprint(w), proposed.ID.String())
				done, err := store.Append(t.Context(), events.CaseStream(p.Event.Case), events.Any, proposed)
				if err != nil {
					t.Error(err)
					return
				}
				if w == 0 { // a writer reads its own write
					if err := e.WaitFor(t.Context(), done.Position); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writers.Wait()
	head, err := store.Head(t.Context())
	if err != nil || head.Commit <= uint64(n) {
		t.Fatal(head, err)
	}
	if err := e.WaitFor(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if got := lines(t, e, name); !slices.Equal(got, upTo(int(head.Commit))) {
			t.Errorf("%s has %d of %d", name, len(got), head.Commit)
		}
	}
}

func TestChangedTellsOfNewRows(t *testing.T) {
	store, n := aLog(t, 1)
	e := open(t, t.TempDir(), store, []projections.Projection{(&journal{name: "a"}).projection()})
	follow(t, e)
	if err := e.WaitFor(t.Context(), events.At(uint64(n))); err != nil {
		t.Fatal(err)
	}
	<-e.Changed(events.Start) // at once
	for i := range 3 {
		at := events.At(uint64(n + i))
		changed := e.Changed(at)
		if _, err := store.Append(t.Context(), events.CaseStream("MK-2024-00009"), events.Any, opening(t, i)); err != nil {
			t.Fatal(err)
		}
		for e.WaitFor(t.Context(), events.At(at.Commit+1)) != nil {
		}
		<-changed
	}
	changed := e.Changed(events.MaxPosition)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	<-changed // closing tells too
}

func opening(t *testing.T, n int) events.Proposed {
	t.Helper()
	p, err := events.Encode(&events.Event{ID: events.DeriveID("opening", fmt.Sprint(n)), Type: "SubjectInformed", Case: "MK-2024-00009", OccurredAt: testlog.Begin,
		Actor: events.Actor{Officer: "o", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}, Data: &events.SubjectInformed{Notice: "record", Language: "mk"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
