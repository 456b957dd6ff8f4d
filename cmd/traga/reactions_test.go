package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver is the other end of the webhook and of the feed.
type receiver struct {
	mu     sync.Mutex
	status int
	alerts []struct{ ID, State, Rule, Page string }
	events []string
	took   chan struct{} // closed and replaced with each request
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { close(r.took); r.took = make(chan struct{}) }()
	if q.URL.Path == "/feed" {
		var e struct{ ID string }
		_ = json.Unmarshal(body, &e)
		r.events = append(r.events, e.ID)
		return
	}
	if r.status == http.StatusOK {
		var m struct {
			Data struct {
				Alerts []struct{ ID, State, Rule, Page string }
			}
		}
		_ = json.Unmarshal(body, &m)
		r.alerts = append(r.alerts, m.Data.Alerts...)
	}
	w.WriteHeader(r.status)
}

// until waits until something holds of what was received.
func (r *receiver) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		r.mu.Lock()
		ok, took := holds(), r.took
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-took:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// A served store tells others what stands and what was recorded, each once: through a refusal and its replay, a restart,
// and read models that were built anew. The link of an alert leads to its case.
func TestServeTellsOthers(t *testing.T) {
	r := &receiver{status: http.StatusBadRequest, took: make(chan struct{})}
	peer := httptest.NewServer(r)
	defer peer.Close()
	base := t.TempDir()
	dir, secret, config := filepath.Join(base, "store"), filepath.Join(base, "secret"), filepath.Join(base, "config.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	write(config, fmt.Sprintf("listen: 127.0.0.1:0\nreactions:\n  page: https://traga.example.org\n  webhooks: [{name: hook, url: '%s/alerts', secret-file: %s}]\n  feeds: [{name: feed, url: '%s/feed'}]\n", peer.URL, secret, peer.URL))
	record := func(lines string, args ...string) {
		t.Helper()
		file := filepath.Join(base, "actions.ndjson")
		write(file, lines)
		if code, _, errs := run(t, append([]string{"import", "--data", dir, file}, args...)...); code != exitOK {
			t.Fatal(errs)
		}
	}
	const actor = `"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"}`
	record(`{"case":"MK-2026-0001","type":"CaseOpened","occurredAt":"2026-01-12T09:00:00+01:00","afterTheFact":true,"lateReason":"kept on paper before",` + actor + `,"data":{"subject":"s-1","name":"A Fictional Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}` + "\n")
	serve := func() (address string, stop func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		errs, ended := watch(`on (http://\S+)\n`), make(chan int, 1)
		go func() {
			ended <- Main(ctx, []string{"serve", "--data", dir, "--config", config, "--insecure-no-auth"}, Streams{In: strings.NewReader(""), Out: io.Discard, Err: errs})
		}()
		stop = sync.OnceFunc(func() {
			cancel()
			if code := <-ended; code != exitOK {
				t.Errorf("exit %d: %s", code, errs)
			}
			if strings.Contains(errs.String(), "Fictional Name") || strings.Contains(errs.String(), "MK-2026-0001") {
				t.Errorf("the log tells: %s", errs)
			}
		})
		t.Cleanup(stop)
		select {
		case address = <-errs.found:
		case code := <-ended:
			t.Fatalf("exit %d: %s", code, errs)
		}
		return address, stop
	}
	parked := func() (shown deliveries) {
		t.Helper()
		code, out, errs := run(t, "delivery", "list", "--data", dir, "--json")
		if code != exitOK || json.Unmarshal([]byte(out), &shown) != nil {
			t.Fatalf("exit %d: %s%s", code, out, errs)
		}
		return shown
	}
	address, stop := serve()
	r.until(t, "the event is fed", func() bool { return len(r.events) >= 1 })
	for len(parked().Parked) == 0 { // the receiver refused it; each look opens the file anew
		if t.Context().Err() != nil {
			t.Fatal("nothing is parked")
		}
	}
	if code, out, _ := run(t, "delivery", "list", "--data", dir); code != exitOK || !strings.Contains(out, "the peer answered 400 Bad Request") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, out, _ := run(t, "doctor", "--data", dir); !strings.Contains(out, "1 could not be told to others") {
		t.Errorf("doctor: %s", out)
	}
	r.mu.Lock()
	r.status = http.StatusOK
	r.mu.Unlock()
	if code, _, errs := run(t, "delivery", "replay", "--all", "--data", dir); code != exitOK {
		t.Fatal(errs)
	}
	r.until(t, "the alerts are told", func() bool { return len(r.alerts) >= 2 })
	told := len(r.alerts)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for id, want := range map[string]int{r.alerts[0].ID: http.StatusSeeOther, "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02": http.StatusNotFound} {
		res, err := client.Get(address + "/alerts/" + id)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || want == http.StatusSeeOther && res.Header.Get("Location") != "/cases/MK-2026-0001#duties" {
			t.Errorf("/alerts/%s: %s, to %s", id, res.Status, res.Header.Get("Location"))
		}
	}
	res, err := http.Get(address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics, _ := io.ReadAll(res.Body)
	res.Body.Close()
	for _, line := range []string{`traga_deliveries_total{channel="webhook",outcome="delivered"} 1`, `traga_deliveries_total{channel="webhook",outcome="parked"} 1`, `traga_deliveries_total{channel="feed",outcome="delivered"}`} {
		if !strings.Contains(string(metrics), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	stop()
	record(`{"case":"MK-2026-0001","type":"ScreeningCompleted","occurredAt":"2026-01-20T09:00:00+01:00","afterTheFact":true,"lateReason":"kept on paper before",` + actor + `,"data":{"tool":"VES-short","toolVersion":"1.2","result":"indicated","facts":["one"],"opinions":["two"]}}` + "\n")
	if code, _, errs := run(t, "projection", "rebuild", "--all", "--data", dir); code != exitOK {
		t.Fatal(errs)
	}
	_, stop = serve()
	r.until(t, "the end of the screening's alert is told", func() bool { return len(r.alerts) > told })
	stop()
	if last := r.alerts[len(r.alerts)-1]; len(r.alerts) != told+1 || last.State != "resolved" || last.Rule != "screening" {
		t.Errorf("told %d, then %+v", told, r.alerts[told:])
	}
	if seen := map[string]bool{}; true {
		for _, id := range r.events {
			if seen[id] {
				t.Errorf("the event %s was fed twice", id)
			}
			seen[id] = true
		}
	}
	if shown := parked(); len(shown.Parked) != 0 || len(shown.Attempts) < 3 {
		t.Errorf("at the end: %+v", shown)
	}
	for _, args := range [][]string{{"delivery", "replay", "7", "--data", dir}, {"delivery", "list", "--data", filepath.Join(base, "nowhere")}} {
		if code, _, _ := run(t, args...); code != exitNotFound {
			t.Errorf("%v: exit %d", args, code)
		}
	}
	for _, args := range [][]string{{"delivery", "replay", "--data", dir}, {"delivery", "replay", "x", "--data", dir}, {"delivery", "list"}, {"delivery", "list", "--limit", "0", "--data", dir}} {
		if code, _, _ := run(t, args...); code != exitUsage {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}

// Killed while it tells others, again and again, traga leaves no event out: each comes at least once, the cases' own order
// kept, and a repeat only of what the checkpoint had not reached.
func TestAKilledServeLeavesNothingOut(t *testing.T) {
	r := &receiver{status: http.StatusOK, took: make(chan struct{})}
	peer := httptest.NewServer(r)
	defer peer.Close()
	base := t.TempDir()
	dir, config := filepath.Join(base, "store"), filepath.Join(base, "config.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf("listen: 127.0.0.1:0\nreactions:\n  feeds: [{name: feed, url: '%s/feed'}]\n", peer.URL)), 0o600); err != nil {
		t.Fatal(err)
	}
	var recorded []string // ids in the order of the log
	for round := range 5 {
		errs := watch(`on (http://\S+)\n`)
		c := exec.CommandContext(t.Context(), "traga", "serve", "--data", dir, "--config", config, "--insecure-no-auth")
		c.Stderr = errs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		address := <-errs.found
		for i := range 12 {
			action := filepath.Join(base, "action.json")
			line := fmt.Sprintf(`{"case":"MK-2026-%04d","type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
				"data":{"subject":"s-1","name":"A Fictional Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`, 100*round+i)
			if err := os.WriteFile(action, []byte(line), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, problem := run(t, "record", "--server", address, "-f", action, "--json")
			var receipt struct{ ID string }
			if code != exitOK || json.Unmarshal([]byte(out), &receipt) != nil {
				t.Fatalf("exit %d: %s%s", code, out, problem)
			}
			recorded = append(recorded, receipt.ID)
		}
		if round == 4 {
			r.until(t, "all is fed", func() bool { return slices.Contains(r.events, recorded[len(recorded)-1]) })
		}
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var first []string
	repeats := 0
	for _, id := range r.events {
		switch {
		case slices.Contains(first, id):
			repeats++
		case slices.Contains(recorded, id): // not one of the deadline watcher's
			first = append(first, id)
		}
	}
	if !slices.Equal(first, recorded) {
		t.Errorf("%d were recorded, %d fed, in this order: %v", len(recorded), len(first), first)
	}
	if repeats > len(recorded) {
		t.Errorf("%d of %d events were repeated", repeats, len(recorded))
	}
}
