package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// example is the bundle that stands beside the specification, see package ledger.
const example = "../../events/ledger/testdata/example"

func TestVerdictsAndExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bundle, err := os.ReadFile(example + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Replace(bundle, []byte(`"high"`), []byte(`"low?"`), 1)
	for _, c := range []struct {
		name   string
		args   []string
		exit   int
		stdout string // how it begins
		stderr string // what it holds
	}{
		{"verified", []string{example + ".zip", "--pinned", example + ".checkpoint", "--policy", example + ".policy"}, 0,
			"VERIFIED case=MK-2026-0001 rev 0–4 at size 12; pinned 3; witnesses 2/3; 1 field erased; 1 field withheld\n", ""},
		{"flags first", []string{"--policy", example + ".policy", example + ".zip"}, 0, "VERIFIED case=MK-2026-0001 rev 0–4 at size 12; pinned none; ", ""},
		{"unanchored", []string{example + ".zip"}, 3, "UNANCHORED case=MK-2026-0001 ", ""},
		{"altered", []string{file("altered.zip", altered), "--pinned", example + ".checkpoint", "--policy", example + ".policy"}, 7, "E-FORMAT opened: ", ""},
		{"cut", []string{file("cut.zip", bundle[:1000]), "--policy", example + ".policy"}, 7, "E-FORMAT ", ""},
		{"no such file", []string{filepath.Join(dir, "none")}, 2, "", "none"},
		{"no file", nil, 2, "", "expected one FILE"},
		{"two files", []string{"a", "b"}, 2, "", "expected one FILE"},
		{"unknown flag", []string{"--trust", "me"}, 2, "", "-trust"},
		{"a policy that is none", []string{example + ".zip", "--policy", file("policy", []byte("quorum W"))}, 2, "", "line 1"},
		{"a checkpoint that is none", []string{example + ".zip", "--pinned", file("pinned", []byte("x"))}, 2, "", "--pinned"},
	} {
		var stdout, stderr bytes.Buffer
		if got := run(c.args, &stdout, &stderr); got != c.exit || !strings.HasPrefix(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit %d, want %d\n%s%s", c.name, got, c.exit, &stdout, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if got := run([]string{"--json", example + ".zip"}, &stdout, &stderr); got != 3 || !json.Valid(stdout.Bytes()) {
		t.Errorf("--json: exit %d\n%s", got, &stdout)
	}
	// A naive alteration is named where it was done, too.
	stdout.Reset()
	run([]string{filepath.Join(dir, "altered.zip"), "--policy", example + ".policy"}, &stdout, &stderr)
	if !strings.Contains(stdout.String(), "E-PAYLOAD revision 1 (RiskLevelChanged, ") {
		t.Errorf("the altered entry is not named:\n%s", &stdout)
	}
}

// TestItStaysSmall: whoever audits the verifier reads one package of ours, x/mod's notes and trees, and uuid.
func TestItStaysSmall(t *testing.T) {
	deps, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"traga.internal/cmd/traga-verify": true, "traga.internal/events/ledger": true, "github.com/google/uuid": true,
		"golang.org/x/mod/sumdb/note": true, "golang.org/x/mod/sumdb/tlog": true, "golang.org/x/mod/internal/lazyregexp": true}
	for _, path := range strings.Fields(string(deps)) {
		if !allowed[path] {
			t.Errorf("the verifier imports %s", path)
		}
	}
	if runtime.GOOS != "linux" {
		t.Skip("the rest looks at an ELF file")
	}
	binary := filepath.Join(t.TempDir(), "traga-verify")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 5 << 20
	if info.Size() > limit {
		t.Errorf("the binary has %d bytes, at most %d were meant", info.Size(), limit)
	}
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 || f.Section(".interp") != nil {
		t.Errorf("the binary is not static: %v, %v", libraries, err)
	}
	// It reads nothing but what it is given: no home, no environment, no network.
	command := exec.Command(binary, example+".zip", "--pinned", example+".checkpoint", "--policy", example+".policy")
	command.Env = []string{}
	out, err := command.Output()
	if err != nil || !strings.HasPrefix(string(out), "VERIFIED case=MK-2026-0001 ") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(example + ".zip"); errors.Is(err, fs.ErrNotExist) {
		t.Error("the example is gone")
	}
}
