package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What an oversight body does: it keeps a checkpoint, gets a bundle of a running traga later, and checks it on a machine
// of its own with the small verifier, which knows neither store nor server.
func TestEvidenceOfARunningServerIsCheckedElsewhere(t *testing.T) {
	dir, away := filepath.Join(t.TempDir(), "store"), t.TempDir()
	errs := watch(`on (http://\S+)\n`)
	address := start(t, watch("never"), errs, errs, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--insecure-no-auth", "--seal-interval", "20ms")
	record := func(text string) {
		t.Helper()
		file := filepath.Join(away, "action.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := run(t, "record", "--server", address, "-f", file); code != exitOK {
			t.Fatal(errs)
		}
	}
	const actor = `"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"}`
	record(`{"case":"MK-2026-0001","type":"CaseOpened",` + actor + `,"data":{"subject":"s-1","name":"A Fictional Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`)
	keep := func(name, text string) string {
		t.Helper()
		path := filepath.Join(away, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pinned := keep("pinned", waitFor(t, address+"/v1/checkpoint", "\n— "))
	_, key, _ := run(t, "keys", "verifier", "--data", dir)
	policy := keep("policy", "log "+strings.TrimSpace(key)+"\nquorum none\n")

	record(`{"case":"MK-2026-0001","type":"SubjectInformed",` + actor + `,"data":{"notice":"n-1","language":"mk","interpreter":false}}`)
	waitFor(t, address+"/v1/cases/MK-2026-0001/proof", `"revision":1,`)
	bundle := filepath.Join(away, "bundle.zip")
	if code, _, errs := run(t, "export", "MK-2026-0001", "--bundle", "--open", "identity", "--out", bundle, "--server", address, "--for", "the ombudsman", "--why", "a complaint"); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := run(t, "export", "MK-2026-0001", "--bundle", "--out", bundle+"2", "--server", address); code != exitOK {
		t.Errorf("an export for oneself: exit %d %s", code, errs)
	}

	verifier := filepath.Join(away, "traga-verify")
	build := exec.Command("go", "build", "-o", verifier, "../traga-verify")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	check := exec.Command(verifier, bundle, "--pinned", pinned, "--policy", policy)
	check.Env, check.Dir = []string{}, away
	out, err := check.Output()
	if err != nil || !strings.HasPrefix(string(out), "VERIFIED case=MK-2026-0001 rev 0–1 at size ") || !strings.Contains(string(out), "A Fictional Name") {
		t.Errorf("the verifier: %v\n%s", err, out)
	}
	// The whole log verifies beside the server that writes to it.
	if code, out, errs := run(t, "verify", "--data", dir, "--pinned", pinned, "--policy", policy); code != exitOK {
		t.Errorf("verify --data: exit %d %s%s", code, out, errs)
	}
}

// waitFor waits until the answer holds a text, and returns it.
func waitFor(t *testing.T, address, text string) string {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		res, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == http.StatusOK && strings.Contains(string(b), text) {
			return string(b)
		}
		select {
		case <-late:
			t.Fatalf("%s does not come to hold %q: %d %s", address, text, res.StatusCode, b)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
