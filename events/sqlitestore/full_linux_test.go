package sqlitestore

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"traga.internal/events"
)

// diskVariable tells the test, run again in a mount namespace of its own, where to mount a small disk.
const diskVariable = "SQLITESTORE_TEST_DISK"

// TestFullDisk fills a real file system of 4 MiB. It needs no rights where a user may make namespaces.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(diskVariable); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
			t.Skipf("no small disk can be mounted here: %v", err)
		}
		testFullDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), diskVariable+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("no namespace can be made here: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Log(out.String())
	if strings.Contains(out.String(), "--- SKIP") {
		t.SkipNow()
	}
}

func testFullDisk(t *testing.T, disk string) {
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(disk, "store")
	s := mustOpen(t, dir)
	fillUp(t, s, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
	before := checkLog(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := checkLog(t, mustOpen(t, dir)); len(after) != len(before) {
		t.Errorf("reopened, the log has %d events, before %d", len(after), len(before))
	}

	for free := true; free; { // to the last byte, as the size of what is left is not known
		free = os.WriteFile(ballast+uuid.NewString(), make([]byte, 4096), 0o600) == nil
	}
	if s, err := Open(t.Context(), filepath.Join(disk, "another")); !errors.Is(err, events.ErrFull) {
		t.Errorf("creating a store without room: %v, %v", s, err)
	}
}
