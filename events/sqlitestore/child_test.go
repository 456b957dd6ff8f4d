package sqlitestore

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Some promises are about processes: a kill, a lock, a reader beside a writer. For those the test binary runs itself again
// as a child, in one of the roles below, told by this variable.
const roleVariable = "SQLITESTORE_TEST_ROLE"

func TestMain(m *testing.M) {
	roles := map[string]func(dir string, in io.Reader, out io.Writer) error{
		"load":     appendUnderLoad,
		"on-order": appendOnOrder,
		"upgrade":  upgradeAndDie,
	}
	if role, ok := roles[os.Getenv(roleVariable)]; ok {
		if err := role(os.Args[1], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child is a process of this test binary in one of the roles.
type child struct {
	*exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner // of its output
}

func command(role, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

// start runs a child that is killed when the test ends, if it still lives.
func start(t *testing.T, role, dir string) *child {
	t.Helper()
	c := &child{Cmd: command(role, dir)}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.lines = in, bufio.NewScanner(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	return c
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.Process.Kill() // it may have ended by itself
	_ = c.Wait()
}

// line waits for the child's next line.
func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the child ended: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// ack is the line that a child writes after the store has answered an append: the id and place of its last event.
func ack(id uuid.UUID, stream string, a events.Appended) string {
	return fmt.Sprintf("%s %s %d %d\n", id, stream, a.Revision, a.Position.Commit)
}

type acked struct {
	id                 uuid.UUID
	stream             string
	revision, position uint64
}

func parseAck(t *testing.T, line string) acked {
	t.Helper()
	var (
		a  acked
		id string
	)
	if _, err := fmt.Sscanf(line, "%s %s %d %d", &id, &a.stream, &a.revision, &a.position); err != nil {
		t.Fatalf("the child wrote %q: %v", line, err)
	}
	a.id = uuid.MustParse(id)
	return a
}

// appendUnderLoad appends without end from many goroutines and acknowledges what was stored.
func appendUnderLoad(dir string, _ io.Reader, out io.Writer) error {
	s, err := Open(context.Background(), dir)
	if err != nil {
		return err
	}
	var (
		mu sync.Mutex // a line is written whole
		wg sync.WaitGroup
	)
	failed := make(chan error, 24)
	for w := range cap(failed) {
		wg.Go(func() {
			for i := 0; ; i++ {
				list := proposed(1 + i%3)
				stream := "case-" + strconv.Itoa((w+i)%40)
				a, err := s.Append(context.Background(), stream, events.Any, list...)
				if err != nil {
					failed <- err
					return
				}
				mu.Lock()
				_, err = io.WriteString(out, ack(list[len(list)-1].ID, stream, a))
				mu.Unlock()
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	return <-failed
}

// appendOnOrder opens the store, says so, and then appends one event for each line that it reads.
func appendOnOrder(dir string, in io.Reader, out io.Writer) error {
	s, err := Open(context.Background(), dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "open")
	for orders := bufio.NewScanner(in); orders.Scan(); {
		list := proposed(1)
		a, err := s.Append(context.Background(), orders.Text(), events.Any, list...)
		if err != nil {
			return err
		}
		io.WriteString(out, ack(list[0].ID, orders.Text(), a))
	}
	return s.Close()
}

// proposed makes n events with new ids.
func proposed(n int) []events.Proposed {
	list := make([]events.Proposed, n)
	for i := range list {
		id := uuid.New()
		list[i] = events.Proposed{
			ID: id, Type: "NotificationSent",
			Metadata: fmt.Appendf(nil, `{"actor":{"officer":"a.petrova","role":"prison-treatment"},"id":%q}`, id),
			Data:     fmt.Appendf(nil, `{"notification":"n-%s","subject":"planned-release","channel":"letter"}`, id),
		}
	}
	return list
}
