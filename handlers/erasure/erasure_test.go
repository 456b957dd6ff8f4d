package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/erasure"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	verdicts "traga.internal/projections/safeguards"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

const (
	mk     = "MK-2026-0001"
	second = "MK-2026-0002" // of the same person
	other  = "MK-2026-0003"
	// marker stands in every protected text of the person.
	marker = "MARKER-7f3a"
)

// node is what a traga holds of a directory.
type node struct {
	store    *vault.Store
	recorder *record.Recorder
	engine   *projections.Engine
	runner   *erasure.Runner
	close    func() error
}

func open(ctx context.Context, dir string, options ...erasure.Option) (*node, error) {
	file, err := sqlitestore.Open(ctx, filepath.Join(dir, "store"))
	if err != nil {
		return nil, err
	}
	keys, err := vault.Open(ctx, filepath.Join(dir, "keys"), nil)
	if err != nil {
		return nil, err
	}
	n := &node{store: keys.Wrap(file)}
	book := protocol.NewBook()
	n.engine, err = projections.Open(ctx, filepath.Join(dir, "store"), n.store, book,
		[]projections.Projection{status.Projection(), obligations.Projection(), verdicts.Projection()})
	if err != nil {
		return nil, err
	}
	n.recorder = record.New(n.store, book, record.WithHolds(func(ctx context.Context, stream string) (bool, error) { return n.runner.Held(ctx, stream) }))
	n.runner = erasure.New(n.store, n.recorder, func(ctx context.Context, numbers []string) error {
		for _, number := range numbers {
			n.recorder.Forget(number)
		}
		return n.engine.Purge(ctx, numbers)
	}, options...)
	n.close = func() error { return errors.Join(n.engine.Close(), file.Close(), keys.Close()) }
	return n, nil
}

func mustOpen(t *testing.T, dir string, options ...erasure.Option) *node {
	t.Helper()
	n, err := open(t.Context(), dir, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

var (
	prison      = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	directorate = events.Actor{Officer: "v.trajkovska", Role: events.Directorate, Institution: "mk-des"}
	ombudsman   = events.Actor{Officer: "o.ombudsman", Role: events.Ombudsman, Institution: "mk-ombudsman"}
)

func (n *node) does(ctx context.Context, number string, who events.Actor, data any, before ...time.Duration) (record.Receipt, error) {
	a := &record.Action{Case: number, Type: reflect.TypeOf(data).Elem().Name(), Actor: who, Data: data}
	if len(before) > 0 {
		at := time.Now().Add(-before[0])
		a.OccurredAt = &at
	}
	return n.recorder.Record(ctx, a, record.AnyRevision)
}

func (n *node) must(t *testing.T, number string, who events.Actor, data any, before ...time.Duration) record.Receipt {
	t.Helper()
	r, err := n.does(t.Context(), number, who, data, before...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (n *node) opens(t *testing.T, number, subject, name string) {
	n.must(t, number, prison, &events.CaseOpened{Subject: subject, Name: name, DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted", Institution: "mk-prison-idrizovo", AdmittedOn: events.DateOf(2026, 1, 12)})
}

// fill records two cases of one person and one of another, and lets the read models see them.
func (n *node) fill(t *testing.T) {
	n.opens(t, mk, "s-1", marker+" name")
	n.opens(t, second, "s-1", marker+" name")
	n.opens(t, other, "s-2", "another's name")
	for _, level := range []string{marker + " level", "low", marker + " again"} {
		n.must(t, mk, prison, &events.RiskLevelChanged{From: "low", To: level, Reasons: []string{marker}, Indicators: []string{}, Decider: "d", ReviewBy: events.DateOf(2027, 1, 1)})
	}
	n.must(t, mk, prison, &events.SpecificGroupRecorded{Group: "juvenile", Guardian: marker + " guardian"})
	n.must(t, other, prison, &events.RiskLevelChanged{From: "low", To: "medium", Reasons: []string{"r"}, Indicators: []string{}, Decider: "d", ReviewBy: events.DateOf(2027, 1, 1)})
	if err := n.engine.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func request() *events.ErasureRequested {
	return &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"m.first", "n.second"}, Grounds: "retention ended"}
}

// holds names the files below dir in which the marker stands.
func holds(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), marker) {
			list = append(list, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// risks is what the read model of status says of each case's risk level, now and before.
func (n *node) risks(t *testing.T) string {
	t.Helper()
	if err := n.engine.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, number := range []string{mk, second, other} {
		for _, table := range []string{"past", "current"} {
			err := n.engine.View(t.Context(), status.Name, func(v *projections.View) error {
				rows, err := v.Query(t.Context(), "SELECT risk FROM {"+table+"} WHERE number = ?", number)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					var risk string
					if err := rows.Scan(&risk); err != nil {
						return err
					}
					if risk != "" && !strings.HasPrefix(risk, "erased:") {
						out = append(out, number+"="+risk)
					}
				}
				return rows.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return strings.Join(out, " ")
}

// erased checks that everything is as an erasure leaves it, and that it is on record once.
func (n *node) erased(t *testing.T, asked record.Receipt) {
	t.Helper()
	completions := 0
	for _, number := range []string{mk, second} {
		for r, err := range n.store.ReadStream(t.Context(), events.CaseStream(number), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(r.Data), marker) {
				t.Errorf("%s still reads %s", r.Type, r.Data)
			}
			e, err := events.Decode(&r)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range e.Withheld {
				if w.Receipt != vault.ReceiptOf(asked.ID) {
					t.Errorf("%s names the receipt %v", w.Pointer, w.Receipt)
				}
			}
			if d, ok := e.Data.(*events.PersonalDataErased); ok {
				completions++
				if e.ID != vault.ReceiptOf(asked.ID) || e.CausationID != asked.ID || d.Keys != 3 || len(d.KeyIDs) != 3 {
					t.Errorf("completed by %+v", e)
				}
			}
		}
	}
	if completions != 1 {
		t.Errorf("it is on record as completed %d times", completions)
	}
	if left, err := n.store.Requests(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("%v still wait, %v", left, err)
	}
	if got, want := n.risks(t), other+"=medium"; got != want {
		t.Errorf("the read model says %q, want %q", got, want)
	}
	list, _, err := status.List(t.Context(), n.engine, status.Query{Text: mk})
	if err != nil || len(list) != 1 || list[0].RiskLevel != nil || len(list[0].Withheld) != 1 || list[0].Withheld[0].Reason != events.Erased {
		t.Errorf("the list of cases says %+v, %v", list, err)
	}
}

func TestAnErasureLeavesNothingInAnyFile(t *testing.T) {
	dir := t.TempDir()
	n := mustOpen(t, dir)
	n.fill(t)
	if got := holds(t, dir); len(got) == 0 || strings.Contains(strings.Join(got, " "), "log.db") {
		t.Fatalf("before it, the marker stands in %v: the read model, and never the log", got)
	}
	hashes := func() (list []string) {
		for r, err := range n.store.ReadStream(t.Context(), events.CaseStream(mk), 0) {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, timeline.Hash(&r))
		}
		return list
	}
	before := hashes()
	asked := n.must(t, second, directorate, request())
	list, err := n.runner.Once(t.Context())
	if after := hashes(); !slices.Equal(before, after) {
		t.Errorf("the hashes of the entries are other ones: %v, before %v", after, before)
	}
	if err != nil || len(list) != 1 || !list[0].Done || list[0].Case != second || list[0].Keys != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	if got := holds(t, dir); len(got) > 0 {
		t.Errorf("the marker still stands in %v", got)
	}
	n.erased(t, asked)
	// What comes afterwards is worked out of the case as it now reads.
	n.must(t, mk, prison, &events.SupportProvided{Service: "books"})
	n.erased(t, asked)
	n.must(t, mk, prison, &events.RiskLevelChanged{From: "low", To: "high", Reasons: []string{"r"}, Indicators: []string{}, Decider: "d", ReviewBy: events.DateOf(2027, 1, 1)})
	if got := n.risks(t); got != mk+"=high "+other+"=medium" {
		t.Errorf("what is recorded afterwards reads as %q", got)
	}
	if err := n.engine.Rebuild(t.Context(), status.Name, nil); err != nil {
		t.Fatal(err)
	}
	if got := holds(t, dir); len(got) > 0 {
		t.Errorf("after a rebuild the marker stands in %v", got)
	}
	if again, err := n.runner.Once(t.Context()); err != nil || len(again) > 0 {
		t.Errorf("done again: %+v, %v", again, err)
	}
}

func TestARequestWaitsWhileSomethingIsInItsWay(t *testing.T) {
	n := mustOpen(t, t.TempDir())
	n.fill(t)
	waits := func() casefile.Obstacle {
		t.Helper()
		list, err := n.runner.Once(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].Waits
	}
	// A hold on the other case of the person.
	n.must(t, second, ombudsman, &events.LegalHoldPlaced{Hold: "h-1", Reason: "inquiry"})
	var refused *casefile.Refusal
	if _, err := n.does(t.Context(), mk, directorate, request()); !errors.As(err, &refused) || refused.Field != "data.erasure" || refused.Because[0] != casefile.Conflict {
		t.Fatalf("a request against a hold: %v", err)
	}
	// Reported after the fact it is on record, and is not carried out.
	reported := request()
	reported.Approvers = []string{"m.first", " M.First"}
	asked := n.must(t, mk, directorate, reported, time.Hour)
	if got := waits(); got != casefile.OneApproval {
		t.Errorf("with one approver it waits for %q", got)
	}
	approved := request()
	n.must(t, mk, directorate, &events.EntryCorrected{Target: asked.ID, Reason: "the second one was left out", Replacement: []byte(`{"erasure":"e-1","approvers":["m.first","n.second"],"grounds":"` + approved.Grounds + `"}`)})
	if got := waits(); got != casefile.UnderHold {
		t.Errorf("against a hold it waits for %q", got)
	}
	n.must(t, second, ombudsman, &events.LegalHoldLifted{Hold: "h-1"})
	withdrawn := n.must(t, mk, directorate, &events.EntryAnnulled{Target: asked.ID, Reason: "a mistake"})
	if got := waits(); got != casefile.Withdrawn {
		t.Errorf("annulled it waits for %q", got)
	}
	n.must(t, mk, directorate, &events.EntryAnnulled{Target: withdrawn.ID, Reason: "no mistake"})
	if got := waits(); got != casefile.Unobstructed {
		t.Errorf("with nothing in its way it waits for %q", got)
	}
	n.erased(t, asked)
}

func TestTwoCasesOfOnePersonAskedForErasure(t *testing.T) {
	n := mustOpen(t, t.TempDir())
	n.fill(t)
	n.must(t, mk, directorate, request())
	n.must(t, second, directorate, request())
	list, err := n.runner.Once(t.Context())
	if err != nil || len(list) != 2 || !list[0].Done || !list[1].Done || list[0].Keys+list[1].Keys != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

// The runner follows the log by itself.
func TestRunCarriesOutWhatIsAskedForMeanwhile(t *testing.T) {
	done := make(chan struct{})
	n := mustOpen(t, t.TempDir(), erasure.WithSteps(func(step string) {
		if step == "done" {
			close(done)
		}
	}))
	n.fill(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- n.runner.Run(ctx) }()
	n.must(t, mk, directorate, request())
	<-done
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// child is set in the environment of a process that the tests start to be killed: the directory, and the step.
const child = "TRAGA_TEST_ERASURE"

func TestMain(m *testing.M) {
	if dir, step, ok := strings.Cut(os.Getenv(child), "|"); ok {
		n, err := open(context.Background(), dir, erasure.WithSteps(func(s string) {
			if s == step {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // until it arrives
			}
		}))
		if err == nil {
			err = n.engine.CatchUp(context.Background(), nil) // the cases are in memory, and in the rows
		}
		if err == nil {
			fmt.Println("ready")
			_, err = n.runner.Once(context.Background())
		}
		fmt.Println(err)
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// A real process is killed before each step, and at any moment between; starting again comes to one completion.
func TestAKilledProcessComesToOneCompletion(t *testing.T) {
	for _, c := range []struct {
		step  string
		after time.Duration // killed from outside so long after it was ready; 0 is by itself at the step
	}{{"destroy", 0}, {"purge", 0}, {"record", 0}, {"done", 0}, {"never", time.Millisecond}, {"never", 2 * time.Millisecond}, {"never", 4 * time.Millisecond}, {"never", 8 * time.Millisecond}, {"never", 16 * time.Millisecond}} {
		t.Run(fmt.Sprint(c.step, c.after), func(t *testing.T) {
			dir := t.TempDir()
			n, err := open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			n.fill(t)
			asked := n.must(t, mk, directorate, request())
			if err := n.close(); err != nil {
				t.Fatal(err)
			}
			p := exec.Command(os.Args[0], "-test.run=^$")
			p.Env = append(os.Environ(), child+"="+dir+"|"+c.step)
			out, err := p.StdoutPipe()
			if err == nil {
				err = p.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.after > 0 {
				buf := make([]byte, 6)
				if _, err := out.Read(buf); err != nil {
					t.Fatal(err)
				}
				<-time.After(c.after)
				_ = p.Process.Kill()
			}
			err = p.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || (c.after == 0 && exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
				t.Fatalf("the process ended with %v", err)
			}
			n = mustOpen(t, dir)
			if _, err := n.runner.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			n.erased(t, asked)
			if got := holds(t, dir); len(got) > 0 {
				t.Errorf("the marker still stands in %v", got)
			}
		})
	}
}

// While the read models follow the log, entries of the very case come in all the time: what was folded before the erasure is
// not written after it.
func TestAnErasureWhileTheReadModelsFollow(t *testing.T) {
	dir := t.TempDir()
	n := mustOpen(t, dir)
	n.fill(t)
	asked := n.must(t, mk, directorate, request())
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		if err := n.engine.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	busy, begun := make(chan struct{}), make(chan struct{})
	work.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-busy:
				return
			default:
			}
			if _, err := n.does(t.Context(), mk, prison, &events.SupportProvided{Service: fmt.Sprint("books ", i)}); err != nil {
				t.Error(err)
				return
			}
			if i == 20 {
				close(begun)
			}
		}
	})
	<-begun
	if list, err := n.runner.Once(t.Context()); err != nil || len(list) != 1 || !list[0].Done {
		t.Errorf("%+v, %v", list, err)
	}
	close(busy)
	// The case's row moves into the past, as the read model remembers it.
	n.must(t, mk, prison, &events.TreatmentPlanAdopted{Plan: "p-1", Goals: []string{"g"}, Participated: true})
	n.erased(t, asked) // waits until the read models have seen everything
	stop()
	work.Wait()
	if got := holds(t, dir); len(got) > 0 {
		t.Errorf("the marker stands in %v", got)
	}
}
