package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Scripts tell what went wrong by the exit code.
func TestExitCodes(t *testing.T) {
	empty, scenario := t.TempDir(), filepath.Join("..", "..", "handlers", "simulate", "testdata", "scenarios", "03-health-to-employment.ndjson")
	store := filepath.Join(t.TempDir(), "store")
	if code, _, errs := run(t, "simulate", scenario, "--data", store); code != exitOK {
		t.Fatal(errs)
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "log.db"), []byte("this is no database, and traga leaves it as it is"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want int
		args []string
	}{
		{exitOK, []string{"case", "list", "--data", store}},
		{exitUsage, []string{"case", "list", "--data", scenario}},
		{exitUsage, []string{"case", "list", "--data", store, "--lang", "fr"}},
		{exitUsage, []string{"case", "show", "nonsense", "--data", store}},
		{exitUsage, []string{"simulate", "exit_test.go"}},
		{exitUsage, []string{"simulate", scenario, "--data", store}}, // it holds a store already
		{exitUsage, []string{"import", "exit_test.go", "--data", store}},
		{exitUsage, []string{"record", "-f", "exit_test.go", "--data", store}},
		{exitUsage, []string{"completion", "csh"}},
		{exitUsage, []string{"serve", "--insecure-no-auth", "--data", store, "--listen", "127.0.0.1:99999"}},
		{exitNotFound, []string{"case", "list", "--data", empty}},
		{exitNotFound, []string{"case", "list", "--data", filepath.Join(empty, "none")}},
		{exitNotFound, []string{"case", "show", "MK-1999-0001", "--data", store}},
		{exitNotFound, []string{"event", "types", "Nothing"}},
		{exitFailure, []string{"case", "list", "--server", "http://127.0.0.1:1"}},
		{exitFailure, []string{"serve", "--insecure-no-auth", "--listen", "127.0.0.1:0", "--data", filepath.Join("/proc", "traga")}}, // no such place to make one
		{exitOK, []string{"projection", "list", "--data", store}},                                                                    // none was built yet
		{exitIntegrity, []string{"case", "list", "--data", damaged}},
		{exitIntegrity, []string{"doctor", "--data", damaged}},
		{exitNotFound, []string{"doctor", "--data", filepath.Join(empty, "none")}},
		{exitFindings, []string{"safeguard", "check", "MK-2026-0003", "--data", store}},
	} {
		if code, out, errs := run(t, c.args...); code != c.want || code != exitOK && code != exitFindings && c.args[0] != "doctor" && (out != "" || errs == "") {
			t.Errorf("%v: exit %d, want %d; printed %q and %q", c.args, code, c.want, out, errs)
		}
	}
}
