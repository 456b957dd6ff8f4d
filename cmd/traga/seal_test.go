package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// until asks again and again for what an answer must show, and fails the test when it does not come.
func until(t *testing.T, address string, status int, pattern string) string {
	t.Helper()
	want, deadline, tick := regexp.MustCompile(pattern), time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		res, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil && res.StatusCode == status && want.Match(body) {
			return string(body)
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: %s\n%s\nwanted %d and %s", address, res.Status, body, status, pattern)
		}
	}
}

// startSigner runs traga sign until stop is called.
func startSigner(t *testing.T, keys, at string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	errs, ended := watch(`traga signs for (\S+) on`), make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"sign", "--keys", keys, "--at", at}, Streams{In: strings.NewReader(""), Out: io.Discard, Err: errs})
	}()
	stop = func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("sign: exit %d: %s", code, errs)
		}
		ended <- exitOK
	}
	t.Cleanup(stop)
	select {
	case <-errs.found:
	case code := <-ended:
		ended <- code
		t.Fatalf("sign: exit %d: %s", code, errs)
	}
	return stop
}

// Events come in through serve, a signer apart from it signs, a witness cosigns, and what is wrong shows in /readyz.
func TestServeSealsWithASignerAndAWitness(t *testing.T) {
	dir := t.TempDir()
	short, err := os.MkdirTemp("", "traga-seal-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	store, signing, at, policy := filepath.Join(dir, "store"), filepath.Join(dir, "signing"), "unix:"+filepath.Join(short, "s"), filepath.Join(dir, "policy")
	stop := startSigner(t, signing, at)
	_, logKey, _ := run(t, "keys", "verifier", "--signer", at)
	_, witnessKey, _ := run(t, "witness", "key", "--dir", filepath.Join(dir, "witness"), "--name", "ombudsman.example/witness")
	text := "log " + logKey + "witness ombudsman " + witnessKey + "quorum ombudsman\n"
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	errs := watch(`on (http://\S+)\n`)
	address := start(t, watch("never"), errs, errs, "serve", "--data", store, "--listen", "127.0.0.1:0", "--insecure-no-auth",
		"--signer", at, "--policy", policy, "--seal-interval", "100ms")
	until(t, address+"/v1/checkpoint", http.StatusNotFound, "Nothing is sealed yet")
	action := written(t, `{"case":"MK-2026-0001","type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
		"data":{"subject":"s-1","name":"A Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`)
	record := func(file string) {
		t.Helper()
		if code, _, problem := run(t, "record", "--server", address, "-f", file); code != exitOK {
			t.Fatalf("record: exit %d, %s", code, problem)
		}
	}
	record(action)
	first := until(t, address+"/v1/checkpoint", http.StatusOK, `^traga-[0-9a-f]{16}\n[1-9]\d*\n`)
	if !strings.HasPrefix(logKey, first[:strings.Index(first, "\n")]+"+") {
		t.Errorf("signed by another than %s:\n%s", logKey, first)
	}
	if entries, _ := filepath.Glob(store + ".keys/sign*"); len(entries) > 0 {
		t.Errorf("with a signer of its own, serve has keys too: %v", entries)
	}

	code, _, problem := run(t, "witness", "--dir", filepath.Join(dir, "witness"), "--log", strings.TrimSpace(logKey), "--server", address, "--once")
	if code != exitOK {
		t.Errorf("witness: exit %d, %s", code, problem)
	}
	until(t, address+"/v1/checkpoint", http.StatusOK, `(?m)^— ombudsman.example/witness `)
	until(t, address+"/metrics", http.StatusOK, `(?s)traga_checkpoint_timestamp_seconds 1\.\d+e\+09.*traga_witness_cosigned_timestamp_seconds\{witness="ombudsman.example/witness"\} 1\.\d+e\+09`)
	until(t, address+"/readyz", http.StatusOK, "ready")

	// The signer goes away: what is recorded is stored, the health turns red, and it is sealed when the signer is back.
	stop()
	informed := written(t, `{"case":"MK-2026-0001","type":"SubjectInformed","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
		"data":{"notice":"n-v2","language":"mk","interpreter":false}}`)
	record(informed)
	until(t, address+"/readyz", http.StatusServiceUnavailable, "the signer does not answer")
	startSigner(t, signing, at)
	until(t, address+"/readyz", http.StatusOK, "ready")
	proof := until(t, address+"/v1/checkpoint?old=2", http.StatusOK, `^old 2\n`)
	if len(proof) <= len(first) {
		t.Errorf("the checkpoint with its proof:\n%s", proof)
	}
	for query, status := range map[string]int{"?old=x": http.StatusBadRequest, "?old=-1": http.StatusBadRequest, "?old=1000000": http.StatusConflict, "?size=2": http.StatusBadRequest} {
		until(t, address+"/v1/checkpoint"+query, status, "problem")
	}
	res, err := http.Post(address+"/v1/checkpoint/cosignatures", "text/plain", strings.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "no cosignature was accepted") {
		t.Errorf("a checkpoint without cosignatures was taken: %s %s", res.Status, body)
	}
}
