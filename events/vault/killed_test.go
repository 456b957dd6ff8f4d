package vault_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
)

// child is set, to a directory, in the environment of a process that is started to be killed.
const child = "TRAGA_TEST_VAULT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(child); dir != "" {
		fmt.Println(load(dir))
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// load opens cases of new persons, by 8 writers at once, and tells of each that was acknowledged.
func load(dir string) error {
	ctx := context.Background()
	log, err := sqlitestore.Open(ctx, filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	v, err := vault.Open(ctx, filepath.Join(dir, "keys"), nil)
	if err != nil {
		return err
	}
	s := v.Wrap(log)
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				number := fmt.Sprintf("MK-%d-%d-%d", head.Commit, w, i)
				p, err := events.Encode(happens(number, opened(number)))
				if err == nil {
					_, err = s.Append(ctx, events.CaseStream(number), events.NoStream, p)
				}
				if err != nil {
					failed <- err
					return
				}
				fmt.Println(number)
			}
		}()
	}
	return <-failed
}

// A process is killed while it makes keys and appends under them: whatever it acknowledged can be read, and its keys with it.
func TestAfterAKillWhateverWasAcknowledgedCanBeRead(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []string
	for round := range 8 {
		p := exec.Command(os.Args[0], "-test.run=^$")
		p.Env = append(os.Environ(), child+"="+dir)
		out, err := p.StdoutPipe()
		if err == nil {
			err = p.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var kill *time.Timer
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if kill == nil { // after the first one, at any moment
				kill = time.AfterFunc(time.Duration(1+round*7)*time.Millisecond, func() { _ = p.Process.Kill() })
			}
			if number := lines.Text(); strings.HasPrefix(number, "MK-") {
				acknowledged = append(acknowledged, number)
			} else {
				t.Fatal(number)
			}
		}
		_ = p.Wait()
	}
	log, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := open(t, filepath.Join(dir, "keys")).Wrap(log)
	for i, number := range acknowledged {
		if i == len(acknowledged)-1 && !strings.HasSuffix(says(t, s, number), `"`) {
			continue // its line was cut by the kill
		}
		if got := says(t, s, number); got != fmt.Sprintf("name %q", "MARKER name of "+number) {
			t.Errorf("%s reads as %s", number, got)
		}
	}
	if len(acknowledged) < 8 {
		t.Errorf("only %d were acknowledged", len(acknowledged))
	}
	for after, more := events.Start, true; more; { // and what was not acknowledged opens as well, where it is there
		page, err := s.ReadAll(t.Context(), after, 1000, events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		after, more = page.Scanned, page.More
	}
}
