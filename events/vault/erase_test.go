package vault_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/testing/fakekms"

	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/events/vault"
)

const (
	second = "MK-2026-0002" // the same person's second case
	abroad = "RS-2026-0001" // the same subject in another jurisdiction
	other  = "MK-2026-0003" // another person's
)

func guardian() *events.SpecificGroupRecorded {
	return &events.SpecificGroupRecorded{Group: "juvenile", Guardian: "MARKER guardian"}
}

func TestErasureIsAPersonsInAllCasesOfTheJurisdictionAndNobodyElses(t *testing.T) {
	const erased = `name "" /name=erased/identity /dateOfBirth=erased/identity /sex=erased/identity; `
	for whose, want := range map[vault.Whose]map[string]string{
		vault.Everybody: {mk: erased + `level "" /from=erased/risk /to=erased/risk /reasons=erased/risk /indicators=erased/risk; guardian "" /guardian=erased/family`,
			second: erased + `guardian "" /guardian=erased/family`},
		vault.ThePerson: {mk: erased + `level "" /from=erased/risk /to=erased/risk /reasons=erased/risk /indicators=erased/risk; guardian "MARKER guardian"`,
			second: erased + `guardian "MARKER guardian"`},
		vault.Relatives: {mk: `name "MARKER name of s"; level "high"; guardian "" /guardian=erased/family`,
			second: `name "MARKER name of s"; guardian "" /guardian=erased/family`},
	} {
		t.Run(string(whose), func(t *testing.T) {
			w := given(t)
			w.append(t, happens(mk, opened("s")), happens(mk, level("high")), happens(mk, guardian()))
			w.append(t, happens(second, opened("s")), happens(second, guardian()))
			w.append(t, happens(abroad, opened("s")))
			w.append(t, happens(other, opened("t")))
			receipt := uuid.New()
			keys, err := w.Erase(t.Context(), events.CaseStream(second), whose, receipt)
			if err != nil || len(keys) == 0 {
				t.Fatal(keys, err)
			}
			again, err := w.Erase(t.Context(), events.CaseStream(second), whose, receipt)
			if err != nil || !slices.Equal(again, keys) {
				t.Errorf("done again it answers %v, %v, first %v", again, err, keys)
			}
			for number, want := range want {
				if got := says(t, w, number); got != want {
					t.Errorf("%s:\n%s, want\n%s", number, got, want)
				}
			}
			for _, e := range read(t, w, second) {
				for _, f := range e.Withheld {
					if f.Receipt != receipt {
						t.Errorf("%s names the receipt %v, want %v", f.Pointer, f.Receipt, receipt)
					}
				}
			}
			if says(t, w, abroad) != `name "MARKER name of s"` || says(t, w, other) != `name "MARKER name of t"` {
				t.Error("another's fields are gone")
			}
			w.append(t, happens(mk, level("medium")))
			if got := says(t, w, mk); !strings.HasSuffix(got, `; level "medium"`) {
				t.Errorf("what is recorded afterwards reads as %s", got)
			}
		})
	}
}

func TestAnErasedFieldInACorrectionReadsAsErased(t *testing.T) {
	w := given(t)
	a := happens(mk, &events.AssessmentContested{Assessment: "a", Grounds: "g"})
	w.append(t, happens(mk, opened("s")), a, happens(mk, &events.EntryCorrected{Target: a.ID, Replacement: []byte(`{"assessment":"a","grounds":"MARKER"}`), Reason: "r"}))
	if _, err := w.Erase(t.Context(), events.CaseStream(mk), vault.Everybody, uuid.New()); err != nil {
		t.Fatal(err)
	}
	e := read(t, w, mk)[2]
	d, withheld, err := events.ReadReplacement("AssessmentContested", e.Data.(*events.EntryCorrected).Replacement)
	if err != nil || len(withheld) != 1 || d.(*events.AssessmentContested).Grounds != "" || e.Withheld[0].Pointer != "/replacement/grounds" {
		t.Errorf("%+v, %v, %v; %v", d, withheld, err, e.Withheld)
	}
}

func TestCasesOfAPerson(t *testing.T) {
	w := given(t)
	for number, subject := range map[string]string{mk: "s", second: "s", abroad: "s", other: "t"} {
		w.append(t, happens(number, opened(subject)))
	}
	// Someone tried to open another's number for this person.
	p, _ := events.Encode(happens(other, opened("s")))
	if _, err := w.Append(t.Context(), events.CaseStream(other), events.NoStream, p); !errors.Is(err, events.ErrConflict) {
		t.Fatal(err)
	}
	got, err := w.Cases(t.Context(), events.CaseStream(second))
	if err != nil || len(got) != 2 || got[0] != events.CaseStream(second) || got[1] != events.CaseStream(mk) {
		t.Errorf("%v, %v", got, err)
	}
}

// stands are the wrapped keys as bytes in keys.db.
func wrappedKeys(t *testing.T, dir string) (list [][]byte) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "keys.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT wrapped FROM keys WHERE wrapped IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

// holds reports whether the bytes stand in any file of a directory.
func holds(t testing.TB, dir string, b []byte) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), string(b)) {
			return true
		}
	}
	return false
}

func TestADestroyedKeyIsInNoByteOfTheKeystoreAnyMore(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	s := v.Wrap(memstore.New(nil))
	for _, subject := range []string{"a", "b", "s", "c"} {
		appendTo(t, s, happens("MK-"+strings.ToUpper(subject), opened(subject)), happens("MK-"+strings.ToUpper(subject), level("high")), happens("MK-"+strings.ToUpper(subject), guardian()))
	}
	before := wrappedKeys(t, dir)
	for _, b := range before {
		if !holds(t, dir, b) {
			t.Fatal("the test does not find what it looks for")
		}
	}
	if _, err := s.Erase(t.Context(), events.CaseStream("MK-S"), vault.Everybody, uuid.New()); err != nil {
		t.Fatal(err)
	}
	left := wrappedKeys(t, dir)
	if len(left) != len(before)-3 {
		t.Fatalf("%d of %d keys are left", len(left), len(before))
	}
	for _, b := range before {
		kept := slices.ContainsFunc(left, func(l []byte) bool { return string(l) == string(b) })
		if holds(t, dir, b) != kept {
			t.Errorf("a key that is kept: %v, stands in the files: %v", kept, !kept)
		}
	}
}

func TestAReaderBesideSeesNewKeysAndTombstones(t *testing.T) {
	dir, log := t.TempDir(), memstore.New(nil)
	s := open(t, dir).Wrap(log)
	appendTo(t, s, happens(mk, opened("s")))
	beside := open(t, dir, vault.ReadOnly()).Wrap(log)
	if got := says(t, beside, mk); got != `name "MARKER name of s"` {
		t.Fatal(got)
	}
	appendTo(t, s, happens(mk, level("high")))
	if got := says(t, beside, mk); !strings.HasSuffix(got, `level "high"`) {
		t.Error(got)
	}
	if _, err := s.Erase(t.Context(), events.CaseStream(mk), vault.Everybody, uuid.New()); err != nil {
		t.Fatal(err)
	}
	if got := says(t, beside, mk); strings.Contains(got, "MARKER") || strings.Contains(got, "high") {
		t.Errorf("after the erasure it still reads %s", got)
	}
	if _, err := beside.Append(t.Context(), events.CaseStream(mk), events.Any, must(events.Encode(happens(mk, level("low"))))); !errors.Is(err, vault.ErrReadOnly) {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A keystore from a backup made before an erasure gives nothing back, once it has looked at the log; also where it may not
// change the keystore. A scenario's PersonalDataErased names no keys: it means all that the case had.
func TestARestoredKeystoreDestroysAgainWhatTheLogSaysWasErased(t *testing.T) {
	for name, named := range map[string]bool{"the receipt names the keys": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			dir, log := t.TempDir(), memstore.New(nil)
			v := open(t, dir)
			s := v.Wrap(log)
			opening := happens(mk, opened("s"))
			appendTo(t, s, opening, happens(mk, level("high")))
			appendTo(t, s, happens(other, opened("t")))
			backup := filepath.Join(t.TempDir(), "keys.db")
			if err := v.Backup(t.Context(), backup); err != nil {
				t.Fatal(err)
			}
			request := happens(mk, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"x", "y"}, Grounds: "g"})
			appendTo(t, s, request)
			receipt := happens(mk, &events.PersonalDataErased{Erasure: "e-1"})
			receipt.Actor.Role, receipt.ID = events.System, vault.ReceiptOf(request.ID)
			if named {
				keys, err := s.Erase(t.Context(), events.CaseStream(mk), vault.Everybody, receipt.ID)
				if err != nil {
					t.Fatal(err)
				}
				receipt.Data = &events.PersonalDataErased{Erasure: "e-1", Keys: len(keys), KeyIDs: keys}
			}
			appendTo(t, s, receipt)
			appendTo(t, s, happens(mk, level("medium")))

			restored := copyOf(t, dir, "root.key")
			content, err := os.ReadFile(backup)
			if err == nil {
				err = os.WriteFile(filepath.Join(restored, "keys.db"), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			check := func(opts ...vault.Option) {
				r := open(t, restored, opts...).Wrap(log)
				if _, err := r.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
				got, _, err := r.Lookup(t.Context(), opening.ID)
				if err != nil || strings.Contains(string(got.Data), "MARKER") || !strings.Contains(string(got.Data), receipt.ID.String()) {
					t.Errorf("it reads %s, %v", got.Data, err)
				}
				if got := says(t, r, other); got != `name "MARKER name of t"` {
					t.Errorf("another's reads as %s", got)
				}
				if waiting, err := r.Requests(t.Context()); err != nil || len(waiting) > 0 {
					t.Errorf("%v wait, %v", waiting, err)
				}
			}
			check(vault.ReadOnly())
			check()
		})
	}
}

func TestRequestsWaitUntilTheyAreCarriedOut(t *testing.T) {
	w := given(t)
	request := happens(mk, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"x", "y"}, Grounds: "g"})
	w.append(t, happens(mk, opened("s")), request)
	settle := func() []vault.Request {
		if _, err := w.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := w.Requests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := settle(); len(got) != 1 || got[0] != (vault.Request{Event: request.ID, Stream: events.CaseStream(mk)}) {
		t.Errorf("%v wait", got)
	}
	w.append(t, happens(mk, &events.PersonalDataErased{Erasure: "e-1", KeyIDs: []string{"none"}}))
	if got := settle(); len(got) != 0 {
		t.Errorf("%v wait", got)
	}
}

func TestANewEpochHasNewKeysAndTheOldOnesStillOpen(t *testing.T) {
	w := given(t)
	w.append(t, happens(mk, opened("s")), happens(mk, level("high")))
	if epoch, err := w.v.Rotate(t.Context()); err != nil || epoch != 2 {
		t.Fatal(epoch, err)
	}
	w.append(t, happens(mk, level("low")))
	if got := says(t, w, mk); got != `name "MARKER name of s"; level "high"; level "low"` {
		t.Error(got)
	}
	keys, err := w.v.Keys(t.Context())
	if err != nil || len(keys) != 3 {
		t.Fatal(keys, err)
	}
	if _, err := w.Erase(t.Context(), events.CaseStream(mk), vault.Everybody, uuid.New()); err != nil {
		t.Fatal(err)
	}
	if got := says(t, w, mk); strings.Contains(got, "high") || strings.Contains(got, `"low"`) {
		t.Errorf("keys of an old epoch outlived the erasure: %s", got)
	}
}

func TestAfterANewRootKeyTheOldOneOpensNothing(t *testing.T) {
	dir, log := t.TempDir(), memstore.New(nil)
	v, err := vault.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, v.Wrap(log), happens(mk, opened("s")))
	beside, err := vault.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Rewrap(t.Context(), nil); !errors.Is(err, vault.ErrInUse) {
		t.Errorf("beside another that writes: %v", err)
	}
	v.Close()
	beside.Close()
	old := copyOf(t, dir, "root.key")
	wrapped := wrappedKeys(t, dir)
	v = open(t, dir)
	if err := v.Rewrap(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	appendTo(t, v.Wrap(log), happens(mk, level("high")))
	const want = `name "MARKER name of s"; level "high"`
	if got := says(t, v.Wrap(log), mk); got != want {
		t.Error(got)
	}
	for _, b := range wrapped {
		if holds(t, dir, b) {
			t.Error("a key wrapped under the old root key is still in the files")
		}
	}
	v.Close()
	if got := says(t, open(t, dir).Wrap(log), mk); got != want {
		t.Errorf("opened anew: %s", got)
	}
	withOld := copyOf(t, dir, "keys.db")
	content, _ := os.ReadFile(filepath.Join(old, "root.key"))
	os.WriteFile(filepath.Join(withOld, "root.key"), content, 0o600)
	if _, err := vault.Open(t.Context(), withOld, nil); !errors.Is(err, vault.ErrWrongRoot) {
		t.Errorf("with the old root key: %v", err)
	}
}

// A crash while a new root key comes in, at each of its three steps.
func TestANewRootKeyInterrupted(t *testing.T) {
	dir, log := t.TempDir(), memstore.New(nil)
	v, err := vault.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, v.Wrap(log), happens(mk, opened("s")))
	v.Close()
	old, _ := os.ReadFile(filepath.Join(dir, "root.key"))
	for name, crash := range map[string]func(dir string){
		"the new key is there, nothing is under it": func(dir string) {
			content, _ := os.ReadFile(filepath.Join(withRootOf(t, t.TempDir()), "root.key"))
			os.WriteFile(filepath.Join(dir, "root.key.new"), content, 0o600)
		},
		"all is under it, and its file has not its name": func(dir string) {
			v, err := vault.Open(context.Background(), dir, nil)
			if err == nil {
				err = v.Rewrap(context.Background(), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			v.Close()
			os.Rename(filepath.Join(dir, "root.key"), filepath.Join(dir, "root.key.new"))
			os.WriteFile(filepath.Join(dir, "root.key"), old, 0o600)
		},
		"a draft of the new key": func(dir string) {
			os.WriteFile(filepath.Join(dir, "root.key.new.draft"), []byte("half"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, dir, "root.key", "keys.db")
			crash(dir)
			for _, opts := range [][]vault.Option{{vault.ReadOnly()}, nil, {vault.ReadOnly()}} {
				v, err := vault.Open(t.Context(), dir, nil, opts...)
				if err != nil {
					t.Fatal(err)
				}
				if got := says(t, v.Wrap(log), mk); got != `name "MARKER name of s"` {
					t.Error(got)
				}
				v.Close()
			}
			if _, err := os.Stat(filepath.Join(dir, "root.key.new")); !os.IsNotExist(err) {
				t.Error("root.key.new is still there")
			}
			v := open(t, dir)
			if err := v.Rewrap(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheRootKeyMayLiveInAKMS(t *testing.T) {
	uri, err := fakekms.NewKeyURI()
	if err != nil {
		t.Fatal(err)
	}
	client, err := fakekms.NewClient(uri)
	if err != nil {
		t.Fatal(err)
	}
	root, err := client.GetAEAD(uri)
	if err != nil {
		t.Fatal(err)
	}
	dir, log := t.TempDir(), memstore.New(nil)
	v, err := vault.Open(t.Context(), dir, nil) // it begins with a file
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, v.Wrap(log), happens(mk, opened("s")))
	if err := v.Rewrap(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	appendTo(t, v.Wrap(log), happens(mk, level("high")))
	v.Close()
	if _, err := os.Stat(filepath.Join(dir, "root.key")); !os.IsNotExist(err) {
		t.Error("the root key's file is still there")
	}
	v, err = vault.Open(t.Context(), dir, root)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if got := says(t, v.Wrap(log), mk); got != `name "MARKER name of s"; level "high"` {
		t.Error(got)
	}
	if _, err := vault.Open(t.Context(), dir, nil); !errors.Is(err, vault.ErrWrongRoot) {
		t.Errorf("without the KMS: %v", err)
	}
}
