package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/handlers/outage"
)

// process is a program of its own, that can be killed as a machine's failure does.
type process struct {
	cmd  *exec.Cmd
	text *lineWatcher
}

// run starts a program and waits for the line in which it says where it is.
func begin(t *testing.T, pattern, name string, args ...string) (p *process, address string) {
	t.Helper()
	p = &process{cmd: exec.Command(name, args...), text: watch(pattern)}
	p.cmd.Stdout, p.cmd.Stderr = p.text, p.text
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	select {
	case address = <-p.text.found:
	case <-time.After(60 * time.Second):
		t.Fatalf("%s does not come up: %s", name, p.text)
	}
	return p, address
}

// kill ends it at once, without a chance to finish anything.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	_ = p.cmd.Wait()
}

func beginStore(t *testing.T, listen, file string) (*process, string) {
	t.Helper()
	return begin(t, `on (\S+)\n`, "esdbserver", "--listen", listen, "--file", file)
}

func beginNode(t *testing.T, store, data, keys string, more ...string) (*process, string) {
	t.Helper()
	return begin(t, `on (http://\S+)\n`, "traga", append([]string{"serve", "--store", "esdb://" + store + "?tls=false", "--data", data, "--keys", keys,
		"--listen", "127.0.0.1:0", "--insecure-no-auth"}, more...)...)
}

// tell sends an action record, and says how it was answered.
func tell(t *testing.T, node, number, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, node+"/v1/cases/"+number+"/events", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("If-Match", "*")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

func told(t *testing.T, node, number, body string) {
	t.Helper()
	if code, text := tell(t, node, number, body); code != http.StatusCreated {
		t.Fatalf("record in %s: %d %s", number, code, text)
	}
}

// get reads an answer of the API into v, and returns its header.
func get(t *testing.T, address string, v any) (int, http.Header) {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if v != nil && res.StatusCode == http.StatusOK {
		if err := json.NewDecoder(bytes.NewReader(b)).Decode(v); err != nil {
			t.Fatalf("%s: %v", address, err)
		}
	}
	return res.StatusCode, res.Header
}

// text is what a page says.
func text(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

// eventually tries again until it is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	end := time.Now().Add(60 * time.Second)
	for !is() {
		if time.Now().After(end) {
			t.Fatalf("in vain for a minute: %s", what)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}

func opened(number string, on time.Time) string {
	return fmt.Sprintf(`{"case":%q,"type":"CaseOpened","occurredAt":%q,"lateReason":"system-outage",
		"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
		"data":{"subject":"s-%s","name":"A Fictional Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted",
		"institution":"mk-prison-idrizovo","admittedOn":%q}}`, number, on.Format(time.RFC3339), number, on.Format(time.DateOnly))
}

// breach is known so late that the 72 hours for its report are over.
func breach(on time.Time) string {
	return fmt.Sprintf(`{"type":"DataBreachRecorded","occurredAt":%q,"lateReason":"system-outage","actor":{"officer":"v.trajkovska","role":"directorate","institution":"mk-des"},
		"data":{"breach":"b-late","risk":"high","reason":"a letter to the wrong address"}}`, on.Format(time.RFC3339))
}

// overdue counts what is on record as overdue or escalated, each by case and content.
func overdue(t *testing.T, store string) map[string]int {
	t.Helper()
	s, err := esdbstore.Open(t.Context(), "esdb://"+store+"?tls=false")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found := map[string]int{}
	for after, more := events.Start, true; more; {
		p, err := s.ReadAll(t.Context(), after, 1000, events.Filter{Types: []string{"ObligationOverdue", "ObligationEscalated"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Events {
			found[r.Stream+" "+r.Type+" "+string(r.Data)]++
		}
		after, more = p.Scanned, p.More
	}
	return found
}

// Two nodes serve one log, both follow it, and what is overdue is recorded once, however they race. A node that was
// killed catches up from where it was. Without the store, what needs no entry in the access log is answered from the
// read models and marked; nothing is recorded; and when the store is back, so is everything, without a hand.
func TestTwoNodesOnOneCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts seven processes")
	}
	dir := t.TempDir()
	file, keys := filepath.Join(dir, "log"), filepath.Join(dir, "keys")
	data := []string{filepath.Join(dir, "1"), filepath.Join(dir, "2")}
	server, store := beginStore(t, "127.0.0.1:0", file)
	first, one := beginNode(t, store, data[0], keys, "--ledger")
	second, two := beginNode(t, store, data[1], keys)

	const cases = 12
	for i := range cases {
		number := fmt.Sprint("MK-2026-000", 100+i)
		told(t, []string{one, two}[i%2], number, opened(number, time.Now().AddDate(0, 0, -40)))
		told(t, []string{two, one}[i%2], number, breach(time.Now().AddDate(0, 0, -20)))
	}
	for _, node := range []string{one, two} {
		eventually(t, "every node shows every case", func() bool {
			var list []struct{ Case string }
			get(t, node+"/v1/cases", &list)
			return len(list) == cases
		})
	}

	// Both nodes come up at the same moment, and look for what is overdue.
	first.kill()
	second.kill()
	var up sync.WaitGroup
	up.Go(func() { first, one = beginNode(t, store, data[0], keys, "--ledger") })
	up.Go(func() { second, two = beginNode(t, store, data[1], keys) })
	up.Wait()
	var alerts []struct{ Case, Obligation string }
	code, _ := get(t, one+"/v1/alerts?state=overdue", &alerts)
	if len(alerts) < cases {
		t.Fatalf("%d duties are overdue in %d cases: %d", len(alerts), cases, code)
	}
	eventually(t, "every overdue duty is on record", func() bool {
		n := 0
		for what := range overdue(t, store) {
			if strings.Contains(what, "ObligationOverdue") {
				n++
			}
		}
		return n >= len(alerts)
	})
	for what, times := range overdue(t, store) {
		if times != 1 {
			t.Errorf("recorded %d times: %s", times, what)
		}
	}

	// Both nodes write to one case at the same time. Whoever comes second decides anew.
	var writing sync.WaitGroup
	const each = 15
	for n, node := range []string{one, two} {
		writing.Go(func() {
			for i := range each {
				code, text := tell(t, node, "MK-2026-000100", fmt.Sprintf(`{"type":"NotificationSent","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
					"purpose":"pre-release-planning","legalBasis":"execution-law","data":{"notification":"n-%d-%d","subject":"planned-release",
					"recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity","sentence"],"channel":"letter"}}`, n, i))
				if code != http.StatusCreated {
					t.Errorf("node %d, record %d: %d %s", n+1, i, code, text)
				}
			}
		})
	}
	writing.Wait()
	var timeline []struct{ Type string }
	code, _ = get(t, two+"/v1/cases/MK-2026-000100/timeline", &timeline)
	sent := 0
	for _, e := range timeline {
		if e.Type == "NotificationSent" {
			sent++
		}
	}
	if sent != 2*each {
		t.Errorf("%d notices are in the case, %d were sent: %d, %d entries", sent, 2*each, code, len(timeline))
	}

	// A node that was killed goes on where its read models were.
	second.kill()
	for i := range 10 {
		number := fmt.Sprint("MK-2026-000", 200+i)
		told(t, one, number, opened(number, time.Now().AddDate(0, 0, -1)))
	}
	second, two = beginNode(t, store, data[1], keys)
	shows := func(node string, n int) func() bool {
		return func() bool {
			var list []struct{ Case string }
			get(t, node+"/v1/cases?limit=1000", &list)
			return len(list) == n
		}
	}
	eventually(t, "the node that was away shows what was recorded meanwhile", shows(two, cases+10))
	if strings.Contains(second.text.String(), "built anew") {
		t.Errorf("it built its read models anew: %s", second.text)
	}

	eventually(t, "the node that keeps the ledger has what is recorded sealed", func() bool {
		code, _ := get(t, one+"/v1/checkpoint", nil)
		return code == http.StatusOK
	})
	if code, _ := get(t, two+"/v1/checkpoint", nil); code == http.StatusOK {
		t.Error("the other node has a checkpoint, too")
	}

	proven(t, dir, keys, one, "MK-2026-000100")

	// The store goes away.
	server.kill()
	for _, node := range []string{one, two} {
		eventually(t, "answers are marked as stale", func() bool {
			code, header := get(t, node+"/v1/matrix", nil)
			return code == http.StatusOK && header.Get(outage.Header) != ""
		})
		if page := text(t, node+"/region?lang=en"); !strings.Contains(page, "The record cannot be reached since <strong><time") {
			t.Errorf("the page of the region does not say that it may be old: %.200s", page)
		}
		if code, text := tell(t, node, "MK-2026-000100", opened("MK-2026-000100", time.Now())); code != http.StatusServiceUnavailable {
			t.Errorf("a record without a store: %d %s", code, text)
		}
		if code, _ := get(t, node+"/v1/cases/MK-2026-000100", nil); code != http.StatusServiceUnavailable {
			t.Errorf("a look that can't be put on record: %d", code)
		}
		if code, _ := get(t, node+"/readyz", nil); code != http.StatusServiceUnavailable {
			t.Errorf("readyz without a store: %d", code)
		}
	}
	beginStore(t, store, file)
	for _, node := range []string{one, two} {
		eventually(t, "a node is ready again", func() bool { code, _ := get(t, node+"/readyz", nil); return code == http.StatusOK })
		if _, header := get(t, node+"/v1/matrix", nil); header.Get(outage.Header) != "" {
			eventually(t, "answers are not marked any more", func() bool { _, h := get(t, node+"/v1/matrix", nil); return h.Get(outage.Header) == "" })
		}
	}
	told(t, two, "MK-2026-000300", opened("MK-2026-000300", time.Now().AddDate(0, 0, -1)))
	eventually(t, "the other node shows what was recorded after that", shows(one, cases+11))
}

// proven exports a case of a node and lets the verifier check it, by a checkpoint that was there before.
func proven(t *testing.T, dir, keys, node, number string) {
	t.Helper()
	file := func(name string) string { return filepath.Join(dir, name) }
	code, key, errs := run(t, "keys", "verifier", "--keys", keys)
	if code != exitOK {
		t.Fatal(errs)
	}
	if err := os.WriteFile(file("policy"), []byte("log "+strings.TrimSpace(key)+"\nquorum none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"checkpoint", "--out", file("pinned")},
		{"export", number, "--bundle", "--out", file("bundle"), "--for", "the court", "--why", "it was asked for"}} {
		if code, _, errs := run(t, append(args, "--server", node)...); code != exitOK {
			t.Fatalf("%v: exit %d %s", args, code, errs)
		}
	}
	code, out, errs := run(t, "verify", file("bundle"), "--pinned", file("pinned"), "--policy", file("policy"))
	if code != exitOK || !strings.HasPrefix(out, "VERIFIED case="+number) {
		t.Errorf("the verifier: exit %d %s%s", code, out, errs)
	}
}

// A log moves from the directory to a cluster and back. What is served from the copy is what the first store says, to the
// letter, and a copy onto another log is refused.
func TestStoreCopy(t *testing.T) {
	dir := t.TempDir()
	first, back, keys := filepath.Join(dir, "first"), filepath.Join(dir, "back"), filepath.Join(dir, "first.keys")
	files, _ := filepath.Glob("../../handlers/simulate/testdata/scenarios/0[135]*.ndjson")
	if code, _, errs := run(t, append([]string{"simulate", "--data", first}, files...)...); code != exitOK {
		t.Fatal(errs)
	}
	_, store := beginStore(t, "127.0.0.1:0", filepath.Join(dir, "log"))
	address := filepath.Join(dir, "address")
	if err := os.WriteFile(address, []byte("esdb://"+store+"?tls=false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var entries int
	nodeDir := filepath.Join(dir, "node")
	for i, way := range [][]string{{first, "@" + address}, {first, "@" + address}, {"@" + address, back}} {
		code, out, errs := run(t, "store", "copy", "--from", way[0], "--to", way[1], "--ledger", nodeDir, "--json")
		var result copyResult
		if err := json.Unmarshal([]byte(out), &result); code != exitOK || err != nil {
			t.Fatalf("copy %d: exit %d %s %v", i, code, errs, err)
		}
		if i == 0 {
			entries = result.Copied
		}
		if want := []int{entries, 0, entries}[i]; result.Copied != want || result.Entries != entries || entries == 0 || !result.Sealed {
			t.Errorf("copy %d: %+v, want %d of %d", i, result, want, entries)
		}
	}
	pinned, policy := filepath.Join(dir, "pinned"), filepath.Join(dir, "policy")
	if code, _, errs := run(t, "checkpoint", "--out", pinned, "--data", first); code != exitOK {
		t.Fatal(errs)
	}
	_, node := beginNode(t, store, nodeDir, keys, "--ledger")
	for _, args := range [][]string{{"case", "obligations", "MK-2026-0003"}, {"case", "knows", "MK-2026-0003", "--who", "mk-employment-skopje"}, {"case", "shares", "MK-2026-0003"}, {"alert", "list"}, {"matrix"}} {
		args = append(args, "--json", "--at", "2026-05-20T12:00:00+02:00")
		code, want, errs := run(t, append(args, "--data", first)...)
		if code != exitOK {
			t.Fatal(errs)
		}
		for name, from := range map[string][]string{"the cluster": {"--server", node}, "the copy of the copy": {"--data", back, "--keys", keys}} {
			if code, got, errs := run(t, append(slices.Clone(args), from...)...); code != exitOK || got != want {
				t.Errorf("%s from %s: exit %d %s\n%s\nfirst it was\n%s", strings.Join(args, " "), name, code, errs, got, want)
			}
		}
	}
	// What the first store signed holds in the copy, and the signer goes on there.
	told(t, node, "MK-2026-0003", breach(time.Now().AddDate(0, 0, -1)))
	eventually(t, "the copy is sealed on", func() bool {
		later := filepath.Join(dir, "later")
		code, _, _ := run(t, "checkpoint", "--out", later, "--server", node)
		a, _ := os.ReadFile(pinned)
		b, _ := os.ReadFile(later)
		return code == exitOK && !bytes.Equal(a, b)
	})
	_, key, _ := run(t, "keys", "verifier", "--keys", keys)
	if err := os.WriteFile(policy, []byte("log "+strings.TrimSpace(key)+"\nquorum none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(dir, "bundle")
	if code, _, errs := run(t, "export", "MK-2026-0003", "--bundle", "--out", bundle, "--for", "the court", "--why", "it was asked for", "--server", node, "--pinned", pinned); code != exitOK {
		t.Fatal(errs)
	}
	if code, out, errs := run(t, "verify", bundle, "--pinned", pinned, "--policy", policy); code != exitOK {
		t.Errorf("the copy, held against a checkpoint of the first store: exit %d %s%s", code, out, errs)
	}
	for code, args := range map[int][]string{
		exitUsage:    {"--from", first},
		exitNotFound: {"--from", filepath.Join(dir, "nowhere"), "--to", back},
		exitConflict: {"--from", back, "--to", other(t)},
	} {
		if got, _, errs := run(t, append([]string{"store", "copy"}, args...)...); got != code {
			t.Errorf("store copy %v: exit %d, want %d: %s", args, got, code, errs)
		}
	}
	if code, _, errs := run(t, "store", "copy", "--from", first, "--to", "esdb://u:s3cret@h?nope=1"); code != exitUsage || strings.Contains(errs, "s3cret") {
		t.Errorf("a wrong address: exit %d %s", code, errs)
	}
}

// other is a store that holds another log.
func other(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	files, _ := filepath.Glob("../../handlers/simulate/testdata/scenarios/04*.ndjson")
	if code, _, errs := run(t, append([]string{"simulate", "--data", dir}, files...)...); code != exitOK {
		t.Fatal(errs)
	}
	return dir
}
