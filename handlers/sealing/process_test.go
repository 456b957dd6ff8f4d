package sealing_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/sealing"
)

// childVariable makes the test binary a process that appends and seals without end.
const childVariable = "SEALING_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		fmt.Fprintln(os.Stderr, loadAndSeal(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// loadAndSeal appends from many goroutines and seals all the time. It says what was stored, and what was signed.
func loadAndSeal(dir string) error {
	store, err := sqlitestore.Open(context.Background(), filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	l, err := store.Ledger()
	if err != nil {
		return err
	}
	signer, err := sealing.MakeSigner(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	failed := make(chan error)
	var out sync.Mutex // a line is written whole
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				p := events.Proposed{ID: uuid.New(), Type: "SupportProvided", Metadata: []byte(`{}`), Data: fmt.Appendf(nil, `{"n":%d}`, i)}
				stream := "case-" + strconv.Itoa((w+i)%30)
				a, err := store.Append(context.Background(), stream, events.Any, p)
				if err != nil {
					failed <- err
					return
				}
				say("stored %s %s %d %d", p.ID, stream, a.Revision, a.Position.Commit)
			}
		}()
	}
	go func() {
		for sealer := sealing.New(l, signer); ; {
			n, err := sealer.Seal(context.Background())
			if err != nil {
				failed <- err
				return
			}
			if n != nil {
				say("signed %d %s", n.Size, n.Root)
			}
		}
	}()
	return <-failed
}

// TestKill9 kills a process that appends and seals under load, a hundred times on one store. Every acknowledged event is
// there once, in order, where it was said to be; every signed state is the beginning of what is there now; and the
// signer signs on.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	type stored struct {
		id       uuid.UUID
		stream   string
		revision uint64
	}
	var (
		acknowledged = map[uint64]stored{}
		signed       []ledger.Tree
	)
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 10+7*(round%10) { // at another moment each time; what it said until it died counts too
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			var (
				s          stored
				id, root   string
				position   uint64
				tree       ledger.Tree
				kind, rest = lines.Text()[:6], lines.Text()[7:]
			)
			if kind == "signed" {
				if _, err = fmt.Sscanf(rest, "%d %s", &tree.Size, &root); err == nil {
					err = tree.Root.UnmarshalJSON([]byte(strconv.Quote(root)))
				}
				if len(signed) == 0 || signed[len(signed)-1].Size < tree.Size {
					signed = append(signed, tree)
				}
			} else if _, err = fmt.Sscanf(rest, "%s %s %d %d", &id, &s.stream, &s.revision, &position); err == nil {
				s.id, err = uuid.Parse(id)
				acknowledged[position] = s
			}
			if err != nil {
				t.Fatalf("the child said %q: %v", lines.Text(), err)
			}
		}
		_ = cmd.Wait() // it was killed

		if round%25 != 24 && round != rounds-1 {
			continue
		}
		store, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "data"))
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		l, err := store.Ledger()
		if err != nil {
			t.Fatal(err)
		}
		seen, next := 0, map[string]uint64{}
		for after, more := events.Start, true; more; {
			page, err := store.ReadAll(t.Context(), after, 1000, events.Filter{})
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			for _, r := range page.Events {
				if r.Revision != next[r.Stream] {
					t.Fatalf("round %d: %s has revision %d after %d", round, r.Stream, r.Revision, next[r.Stream])
				}
				next[r.Stream]++
				if want, ok := acknowledged[r.Position.Commit]; ok {
					if want != (stored{r.ID, r.Stream, r.Revision}) {
						t.Fatalf("round %d: position %s holds %v of %s, acknowledged was %v", round, r.Position, r.ID, r.Stream, want)
					}
					seen++
				}
			}
			after, more = page.Scanned, page.More
		}
		if seen != len(acknowledged) {
			t.Fatalf("round %d: of %d acknowledged events %d are there", round, len(acknowledged), seen)
		}
		if err := store.Check(t.Context()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		signer, err := sealing.OpenSigner(filepath.Join(dir, "keys"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := sealing.New(l, signer).Seal(t.Context())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, old := range signed {
			is, _, err := n.Tree.ProveExtends(old.Size, l.Hashes(t.Context()))
			if err != nil || is != old {
				t.Fatalf("round %d: the state of %d leaves that was signed is not the beginning of what there is: %v", round, old.Size, err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged events and %d signed states survived %d kills", len(acknowledged), len(signed), rounds)
}

// TestTwoProcessesOneStore: the second is told so, and disturbs nothing.
func TestTwoProcessesOneStore(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the first process did not begin")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if _, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "data")); !errors.Is(err, events.ErrLocked) {
		t.Errorf("a second process got the store: %v", err)
	}
	reader, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "data"), sqlitestore.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	// What is read beside the writer holds together, although it grows all the time.
	l, err := reader.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		n, _, err := sealing.Latest(t.Context(), l)
		if errors.Is(err, ledger.ErrNoCheckpoint) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if tree, err := l.TreeAt(t.Context(), n.Size); err != nil || tree != n.Tree {
			t.Fatalf("the checkpoint of %d leaves: %v, %v", n.Size, tree, err)
		}
		if err := reader.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("nothing was signed")
}
