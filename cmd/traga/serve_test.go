package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"traga.internal/handlers/sealing"
)

// lineWatcher collects what a running command prints and tells when a pattern has appeared in it.
type lineWatcher struct {
	mu    sync.Mutex
	text  bytes.Buffer
	want  *regexp.Regexp
	found chan string
	once  sync.Once
}

func watch(pattern string) *lineWatcher {
	return &lineWatcher{want: regexp.MustCompile(pattern), found: make(chan string, 1)}
}

func (w *lineWatcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if m := w.want.FindSubmatch(w.text.Bytes()); m != nil {
		w.once.Do(func() { w.found <- string(m[1]) })
	}
	return len(p), nil
}

func (w *lineWatcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// start runs a command that serves until the test ends, and returns its address.
func start(t *testing.T, out, errs *lineWatcher, seen *lineWatcher, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- Main(ctx, args, Streams{In: strings.NewReader(""), Out: out, Err: errs}) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("%s: exit %d after it was stopped: %s", args[0], code, errs)
		}
	})
	select {
	case address := <-seen.found:
		return address
	case code := <-ended:
		ended <- code
		t.Fatalf("%s: exit %d: %s", args[0], code, errs)
		return ""
	}
}

func serve(t *testing.T, dir string) string {
	t.Helper()
	errs := watch(`on (http://\S+)\n`)
	return start(t, watch("never"), errs, errs, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--insecure-no-auth")
}

// What a server answers and what is read from its files is the same, to the letter.
func TestTheServerAnswersAsItsFilesDo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	files, _ := filepath.Glob("../../handlers/simulate/testdata/scenarios/0[1358]*.ndjson")
	if code, _, errs := run(t, append([]string{"simulate", "--data", dir}, files...)...); code != exitOK {
		t.Fatal(errs)
	}
	address := serve(t, dir)
	const at = "2026-05-20T12:00:00+02:00"
	for _, args := range [][]string{
		{"case", "list"}, {"case", "list", "--jurisdiction", "MK"}, {"case", "show", "MK-2026-0003"}, {"case", "timeline", "MK-2026-0003"},
		{"case", "timeline", "MK-2026-0003", "--order", "recorded", "--lang", "mk"}, {"case", "shares", "MK-2026-0003"},
		{"case", "knows", "MK-2026-0003", "--who", "mk-employment-skopje"}, {"case", "obligations", "MK-2026-0003"},
		{"case", "obligations", "MK-2026-0003", "--explain", "report-breach/b-1"},
		{"alert", "list"}, {"alert", "list", "--state", "overdue"}, {"safeguard", "check", "MK-2026-0003"}, {"safeguard", "check"},
		{"matrix"}, {"matrix", "--period", "quarter", "--jurisdiction", "RS"}, {"tools"},
		{"safeguard", "check", "--failing", "--jurisdiction", "MK"}, {"safeguard", "check", "--safeguard", "HR14"}, {"safeguard", "check", "MK-2026-0003", "--failing"},
	} {
		args = append(args, "--json", "--at", at)
		codeFiles, fromFiles, errs := run(t, append(args, "--data", dir)...)
		codeServer, fromServer, errsServer := run(t, append(args, "--server", address)...)
		if codeFiles != codeServer || fromFiles != fromServer || (codeFiles != exitOK && codeFiles != exitFindings) {
			t.Errorf("%s: from the files: exit %d %s\n%s\nfrom the server: exit %d %s\n%s", strings.Join(args, " "), codeFiles, errs, fromFiles, codeServer, errsServer, fromServer)
		}
	}
	diff := []string{"case", "diff", "MK-2026-0003", "--from", "2026-05-01T00:00:00Z", "--to", "2026-05-20T00:00:00Z", "--json"}
	_, fromFiles, _ := run(t, append(diff, "--data", dir)...)
	_, fromServer, _ := run(t, append(diff, "--server", address)...)
	if fromFiles != fromServer || fromFiles == "" {
		t.Errorf("diff: %s\n%s", fromFiles, fromServer)
	}
	for _, args := range [][]string{{"case", "show", "MK-1999-0001"}, {"case", "show", "nonsense"}, {"case", "knows", "MK-2026-0003", "--who", ""}, {"event", "show", "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a09"}} {
		codeFiles, _, _ := run(t, append(args, "--data", dir)...)
		codeServer, _, _ := run(t, append(args, "--server", address)...)
		if codeFiles != codeServer || codeFiles == exitOK {
			t.Errorf("%s: exit %d from the files, %d from the server", strings.Join(args, " "), codeFiles, codeServer)
		}
	}
}

// The demo is what a newcomer sees first: it comes up by itself, with trouble to look at, and keeps moving.
func TestTheDemoComesUpAndStaysAlive(t *testing.T) {
	out, errs := watch(`on (http://\S+)\n`), watch("never")
	address := start(t, out, errs, out, "demo", "--listen", "127.0.0.1:0")
	token := regexp.MustCompile(`TRAGA_TOKEN_FILE=(\S+) `).FindStringSubmatch(out.String())
	if token == nil {
		t.Fatalf("the demo names no token to ask it with: %s", out)
	}
	if code, _, problem := run(t, "alert", "list", "--server", address); code != exitNotAllowed {
		t.Errorf("without a token: exit %d, %s", code, problem)
	}
	t.Run("in a browser", func(t *testing.T) {
		signInAndOut(t, address, regexp.MustCompile(`/cases/[A-Z]{2}-\d+-\d+`).FindString(out.String()))
	})
	t.Setenv("TRAGA_TOKEN_FILE", token[1])
	code, alerts, problem := run(t, "alert", "list", "--state", "overdue", "--server", address)
	if code != exitOK || !strings.Contains(alerts, "overdue") || regexp.MustCompile(`\b(AL|BA|ME|RS|XK)-20`).MatchString(alerts) { // the ombudsman's mandate ends at the border
		t.Errorf("exit %d, %s%s", code, alerts, problem)
	}
	if code, tail, problem := run(t, "event", "tail", "--limit", "1", "--server", address); code != exitOK || tail == "" {
		t.Errorf("no new event: exit %d, %s%s", code, tail, problem)
	}
	if code, _, _ := run(t, "safeguard", "check", "--server", address); code != exitFindings {
		t.Errorf("the demo's trouble should show in the safeguards: exit %d", code)
	}
	for _, path := range []string{"/readyz", "/metrics", "/openapi.json", "/docs", "/version"} {
		res, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
		if path == "/metrics" && !regexp.MustCompile(`traga_safeguard_failures\{jurisdiction="[A-Z]{2}",safeguard="HR14"\} [1-9]`).Match(body) {
			t.Error("the metrics don't say in how many cases a safeguard fails")
		}
	}
}

// testSeals has things signed with a key of the test's own.
func testSeals(t *testing.T) *seals {
	t.Helper()
	signer, err := sealing.MakeSigner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &seals{signer: signer, interval: time.Second}
}

// A part of the service that ends by itself, even with an error that looks like a shutdown, ends the service loudly.
func TestAPartThatEndsEndsTheServiceLoudly(t *testing.T) {
	a := &app{Streams: Streams{Out: io.Discard, Err: io.Discard}, now: time.Now}
	n, err := a.openNode(t.Context(), place{dir: t.TempDir(), keys: t.TempDir()}, slog.New(slog.DiscardHandler), time.Now, "", &entrance{hosts: hostNames{here: true}}, testSeals(t))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	err = n.serve(t.Context(), listener, func(context.Context) error { return fmt.Errorf("a query: %w", context.Canceled) })
	if err == nil || !strings.Contains(err.Error(), "ended by itself: a query") || exitCode(err) != exitFailure {
		t.Errorf("the service ended with %v", err)
	}
}
