package main

import (
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
		{exitUsage, []string{"serve", "--data", store, "--listen", "127.0.0.1:99999"}},
		{exitNotFound, []string{"case", "list", "--data", empty}},
		{exitNotFound, []string{"case", "list", "--data", filepath.Join(empty, "none")}},
		{exitNotFound, []string{"case", "show", "MK-1999-0001", "--data", store}},
		{exitNotFound, []string{"event", "types", "Nothing"}},
		{exitFailure, []string{"case", "list", "--server", "http://127.0.0.1:1"}},
		{exitFailure, []string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join("/proc", "traga")}}, // no such place to make one
		{exitFindings, []string{"safeguard", "check", "MK-2026-0003", "--data", store}},
	} {
		if code, out, errs := run(t, c.args...); code != c.want || code != exitOK && code != exitFindings && (out != "" || errs == "") {
			t.Errorf("%v: exit %d, want %d; printed %q and %q", c.args, code, c.want, out, errs)
		}
	}
}
