package auth_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

// Several processes issue and revoke beside each other; nothing is lost, and each sees what the others did.
func TestTheRegisterIsShared(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "keys"), func() time.Time { return time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC) }
	const writers, each = 8, 20
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			tokens, err := auth.MakeTokens(dir, now) // of those who make the key at once, one does
			if err != nil {
				t.Error(err)
				return
			}
			for range each {
				if _, _, err := tokens.Issue(events.Actor{Officer: fmt.Sprint("o", w), Role: events.CSW, Institution: "i"}, false, time.Hour); err != nil {
					t.Error(err)
				}
			}
			if n, err := tokens.Revoke(func(t auth.Token) bool { return t.Actor.Officer == fmt.Sprint("o", w) }); n != each || err != nil {
				t.Errorf("writer %d revoked %d: %v", w, n, err)
			}
		})
	}
	work.Wait()
	tokens, err := auth.OpenTokens(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	list, err := tokens.List()
	if err != nil || len(list) != writers*each {
		t.Fatalf("%d tokens: %v", len(list), err)
	}
	for _, token := range list {
		if token.Revoked.IsZero() {
			t.Errorf("the revocation of %s is lost", token.ID)
		}
	}
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if info, _ := f.Info(); info.Mode().Perm() != 0o600 || f.Name() != "token.key" && f.Name() != "tokens" {
			t.Errorf("%s has mode %04o", f.Name(), info.Mode().Perm())
		}
	}
}

// A crash while a line is written leaves a part of it, which counts for nothing and spoils nothing: cut anywhere, the
// whole lines before are there, and the next line is whole.
func TestATornLineCountsForNothing(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "keys"), func() time.Time { return time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC) }
	tokens, err := auth.MakeTokens(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, officer := range []string{"one", "two"} {
		if _, _, err := tokens.Issue(events.Actor{Officer: officer, Role: events.CSW, Institution: "i"}, false, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "tokens")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.IndexByte(string(whole), '\n') + 1
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		want := 0
		if cut >= first {
			want++
		}
		if cut == len(whole) {
			want++
		}
		again, err := auth.OpenTokens(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		if list, err := again.List(); err != nil || len(list) != want {
			t.Fatalf("cut at %d: %d tokens, want %d: %v", cut, len(list), want, err)
		}
		if _, _, err := again.Issue(events.Actor{Officer: "three", Role: events.CSW, Institution: "i"}, false, time.Hour); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		for _, reader := range []*auth.Tokens{again, tokens} { // tokens has seen longer files in its place
			if list, err := reader.List(); err != nil || len(list) != want+1 || list[len(list)-1].Actor.Officer != "three" {
				t.Fatalf("cut at %d, then one more: %v %v", cut, list, err)
			}
		}
	}
}

// What was seen to be revoked stays so, even if someone puts an older register back.
func TestAnOlderRegisterBringsNoTokenBack(t *testing.T) {
	h := newHouse(t, nil)
	raw := h.token(dimova, time.Hour)
	path := filepath.Join(h.keys, "tokens")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.tokens.Revoke(func(auth.Token) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+raw); a.status != 401 {
		t.Fatal(a)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path, before, 0o600)); err != nil {
		t.Fatal(err)
	}
	if a := h.do("GET", "/v1/secret", bearer, "Bearer "+raw); a.status != 401 || !strings.Contains(a.body, "revoked") {
		t.Errorf("it holds again: %v", a)
	}
}

// A key that others can read, or that is none, is no key.
func TestTheTokenKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := auth.OpenTokens(dir, time.Now); !errors.Is(err, auth.ErrNoKey) {
		t.Errorf("where there is none: %v", err)
	}
	if _, err := auth.MakeTokens(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "token.key")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.OpenTokens(dir, time.Now); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("one that others can read: %v", err)
	}
	for _, content := range []string{"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := auth.MakeTokens(dir, time.Now); err == nil {
			t.Errorf("%q is taken for a key, or overwritten", content)
		}
	}
}

// What no officer can be is refused with what was expected.
func TestWhatCanBeIssued(t *testing.T) {
	h := newHouse(t, nil)
	for field, c := range map[string]struct {
		who  events.Actor
		life time.Duration
	}{
		"officer": {events.Actor{Role: events.CSW, Institution: "i"}, time.Hour}, "role": {events.Actor{Officer: "o", Role: "warden", Institution: "i"}, time.Hour},
		"role:": {events.Actor{Officer: "o", Role: events.System, Institution: "i"}, time.Hour}, "institution": {events.Actor{Officer: "o", Role: events.CSW}, time.Hour},
		"for": {dimova, 31 * 24 * time.Hour}, "for:": {dimova, 0},
	} {
		var wrong *events.FieldError
		if _, _, err := h.tokens.Issue(c.who, false, c.life); !errors.As(err, &wrong) || wrong.Field != strings.TrimSuffix(field, ":") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if list, err := h.tokens.List(); len(list) != 0 || err != nil {
		t.Errorf("registered: %v %v", list, err)
	}
}

// Whatever is in the register's file, it is read or named as unreadable; what was issued since is there or nothing is.
func FuzzRegister(f *testing.F) {
	const issued = `{"issued":{"id":"e284cbdb-fa1d-4c38-b3c5-16160ad868dd","actor":{"officer":"o","role":"csw","institution":"i"},"machine":false,"issued":"2026-06-17T12:00:00Z","expires":"2026-06-17T13:00:00Z"}}` + "\n"
	for _, s := range []string{"", "\n", issued, issued + issued, issued + `{"revoked":{"id":"e284cbdb-fa1d-4c38-b3c5-16160ad868dd","at":"2026-06-17T12:30:00Z"}}` + "\n", issued[:40], `{}` + "\n", "null\n", `{"issued":null}` + "\n", "\x00\xff\n"} {
		f.Add([]byte(s))
	}
	dir, now := filepath.Join(f.TempDir(), "keys"), func() time.Time { return time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC) }
	if _, err := auth.MakeTokens(dir, now); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "tokens"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		tokens, err := auth.OpenTokens(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		before, err := tokens.List()
		if _, _, err := tokens.Issue(dimova, false, time.Hour); err != nil {
			t.Fatal(err)
		}
		after, again := tokens.List()
		if (err == nil) != (again == nil) || err == nil && len(after) != len(before)+1 {
			t.Errorf("%d tokens (%v), then %d (%v)", len(before), err, len(after), again)
		}
	})
}
