package vault_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/memstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
)

const mk = "MK-2026-0001"

func TestWhatIsProtectedIsNotInTheLogAndReadsBackAsItWas(t *testing.T) {
	w := given(t)
	contested := happens(mk, &events.AssessmentContested{Assessment: "a", Grounds: "MARKER grounds"})
	corrected := happens(mk, &events.EntryCorrected{Target: contested.ID, Replacement: []byte(`{"assessment":"a","grounds":"MARKER corrected"}`), Reason: "typing error"})
	again := happens(mk, &events.EntryCorrected{Target: corrected.ID, Reason: "typing error",
		Replacement: []byte(`{"target":"` + contested.ID.String() + `","replacement":{"assessment":"a","grounds":"MARKER \"twice\" corrected"},"reason":"r"}`)})
	want := []*events.Event{happens(mk, opened("s-1")), happens(mk, level("high")), contested, corrected, again,
		happens(mk, &events.NeedsMapDrafted{NeedsMap: "m", Version: 1, Needs: []events.Need{{Domain: events.Health, Level: "high", Note: "MARKER note"}, {Domain: events.Finance, Level: "some", Note: ""}}}),
		happens(mk, &events.SpecificGroupRecorded{Group: "juvenile", Guardian: "MARKER guardian"}),
		happens(mk, &events.SubjectInformed{Notice: "a note in plain", Language: "mk"})}
	w.append(t, want[:4]...) // the correction with its target
	for _, e := range want[4:] {
		w.append(t, e)
	}
	stored := w.bytes(t, mk)
	for _, secret := range []string{"MARKER", "1990-01-01", `"high"]`, `"to":"high"`, "male"} {
		if strings.Contains(stored, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	if !strings.Contains(stored, "a note in plain") || !strings.Contains(stored, `"domain":"health"`) {
		t.Error("what is not protected is not as it was")
	}
	got := read(t, w, mk)
	for i, e := range got {
		if !reflect.DeepEqual(e.Data, want[i].Data) || e.Withheld != nil {
			t.Errorf("event %d reads as %+v, %v", i, e.Data, e.Withheld)
		}
	}
	page, err := w.ReadAll(t.Context(), events.Start, 100, events.Filter{})
	if err != nil || len(page.Events) != len(want) || !strings.Contains(string(page.Events[2].Data), "MARKER grounds") {
		t.Errorf("the log reads as %d events, %v", len(page.Events), err)
	}
	for i := range got {
		stored, _, _ := w.log.Lookup(t.Context(), want[i].ID)
		concealed, err := vault.Conceal(&stored)
		if err == nil {
			_, err = events.Decode(&concealed)
		}
		if err != nil || strings.Contains(string(concealed.Data), "MARKER") || strings.Contains(string(concealed.Data), "sealed") {
			t.Errorf("without the keys event %d reads as %s, %v", i, concealed.Data, err)
		}
	}
	if there, ok, err := w.Event(t.Context(), events.At(3)); err != nil || !ok || !strings.Contains(string(there.Data), "MARKER grounds") {
		t.Errorf("at position 3: %s, %v", there.Data, err)
	}
	if holds, err := w.Holds(t.Context(), events.At(3), contested.ID); err != nil || !holds {
		t.Errorf("it does not hold the event at position 3: %v", err)
	}
	found, ok, err := w.Lookup(t.Context(), contested.ID)
	if err != nil || !ok || !strings.Contains(string(found.Data), "MARKER grounds") {
		t.Errorf("looked up: %v, %v", ok, err)
	}
}

func TestTheSameValueLooksDifferentEachTime(t *testing.T) {
	w := given(t)
	w.append(t, happens(mk, opened("s")), happens(mk, level("high")), happens(mk, level("high")))
	var boxes []string
	for r := range w.log.ReadStream(t.Context(), events.CaseStream(mk), 1) {
		_, f, _, _, err := ledger.NextSealed(r.Data)
		if err != nil {
			t.Fatal(err)
		}
		boxes = append(boxes, string(f.Box), f.Commitment.String())
	}
	if boxes[0] == boxes[2] || boxes[1] == boxes[3] {
		t.Error("two fields of the same value can be told to be the same")
	}
}

// Each value that a field can have goes through the vault byte for byte.
func TestAnyValueReadsBackByteForByte(t *testing.T) {
	w := given(t)
	w.append(t, happens(mk, opened("s")))
	rapid.Check(t, func(rt *rapid.T) {
		d := &events.InformationDisclosed{Disclosure: "d", Recipient: events.Party{Institution: "i", Role: events.CSW},
			Categories: rapid.SliceOfN(rapid.SampledFrom(events.Categories()), 0, 3).Draw(rt, "categories"), Summary: rapid.String().Draw(rt, "summary")}
		p, err := events.Encode(happens(mk, d))
		if err != nil {
			rt.Skip() // not UTF-8
		}
		if _, err := w.Append(t.Context(), events.CaseStream(mk), events.Any, p); err != nil {
			rt.Fatal(err)
		}
		stored, _, _ := w.log.Lookup(t.Context(), p.ID)
		if size := len(p.Type) + len(stored.Metadata) + len(stored.Data); w.StoredSize(p) != size {
			rt.Fatalf("it takes %d bytes, and was said to take %d", size, w.StoredSize(p))
		}
		r, ok, err := w.Lookup(t.Context(), p.ID)
		if err != nil || !ok || string(r.Data) != string(p.Data) {
			rt.Fatalf("%s reads as %s, %v", p.Data, r.Data, err)
		}
	})
}

func TestACorrectionOfWhatIsNotThereIsRefused(t *testing.T) {
	w := given(t)
	w.append(t, happens(mk, opened("s")))
	p, _ := events.Encode(happens(mk, &events.EntryCorrected{Target: uuid.New(), Replacement: []byte(`{"grounds":"MARKER"}`), Reason: "r"}))
	if _, err := w.Append(t.Context(), events.CaseStream(mk), events.Any, p); !errors.Is(err, events.ErrInvalidAppend) {
		t.Errorf("%v, want it refused: nobody knows what of it is protected", err)
	}
}

func TestABoxOpensAtItsPlaceOnly(t *testing.T) {
	w := given(t)
	a, b := happens(mk, level("high")), happens(mk, level("low"))
	w.append(t, happens(mk, opened("s")), a, b)
	var stored []events.Recorded
	for r := range w.log.ReadStream(t.Context(), events.CaseStream(mk), 1) {
		stored = append(stored, r)
	}
	for name, change := range map[string]func(*events.Recorded){
		"another event's":    func(r *events.Recorded) { r.Data = stored[1].Data },
		"another field's":    func(r *events.Recorded) { r.Data = []byte(strings.Replace(string(r.Data), `"from":`, `"fro":`, 1)) },
		"a flipped bit":      func(r *events.Recorded) { r.Data = []byte(strings.Replace(string(r.Data), `"]},"to"`, `A"]},"to"`, 1)) },
		"another commitment": func(r *events.Recorded) { r.Data = flipCommitment(r.Data) },
		"no protected field": func(r *events.Recorded) { r.Data = []byte(`{"from":{"~sealed":["k"]}}`) },
		"more beside it": func(r *events.Recorded) {
			r.Data = []byte(strings.Replace(string(r.Data), `"]},"to"`, `"],"x":1},"to"`, 1))
		},
		"JSON that ends too soon": func(r *events.Recorded) { r.Data = r.Data[:len(r.Data)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			r := stored[0]
			r.Data = []byte(string(r.Data))
			change(&r)
			if _, err := w.v.Fields(t.Context(), &r); !errors.Is(err, events.ErrDamaged) {
				t.Errorf("opened, %v", err)
			}
		})
	}
	fields, err := w.v.Fields(t.Context(), &stored[0])
	if err != nil || len(fields) != 4 || string(fields[1].Value) != `"high"` || fields[1].Pointer != "/to" || fields[1].Category != events.Risk {
		t.Errorf("the fields are %+v, %v", fields, err)
	}
	if f := fields[1]; ledger.Commit(f.Salt, a.ID, f.Pointer, f.Value) != f.Commitment {
		t.Error("salt and value do not open the commitment")
	}
}

func flipCommitment(data []byte) []byte {
	_, f, after, _, _ := ledger.NextSealed(data)
	f.Commitment[0] ^= 1
	return append(f.Append([]byte(`{"from":`)), after...)
}

func TestAnAppendThatIsTooLargeOnceItIsProtectedIsRefused(t *testing.T) {
	w := given(t)
	w.append(t, happens(mk, opened("s")))
	p, err := events.Encode(happens(mk, &events.AssessmentContested{Assessment: "a", Grounds: strings.Repeat("x", events.MaxAppend-2000)}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Append(t.Context(), events.CaseStream(mk), events.Any, p)
	if !errors.Is(err, events.ErrTooLarge) || len(read(t, w, mk)) != 1 {
		t.Errorf("%v", err)
	}
}

func TestAKeystoreThatIsMissingOrAnothersIsAClearErrorAndNeverAnEmptyValue(t *testing.T) {
	dir, keys := t.TempDir(), t.TempDir()
	log, err := sqlitestore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	appendTo(t, open(t, keys).Wrap(log), happens(mk, opened("s")))
	for name, c := range map[string]struct {
		v    func() (*vault.Vault, error)
		want error
	}{
		"none": {func() (*vault.Vault, error) {
			return vault.Open(t.Context(), filepath.Join(keys, "not"), nil, vault.ReadOnly())
		}, vault.ErrNoKeystore},
		"another's": {func() (*vault.Vault, error) { return vault.Open(t.Context(), t.TempDir(), nil) }, vault.ErrUnknownKey},
		"without its root": {func() (*vault.Vault, error) {
			return vault.Open(t.Context(), copyOf(t, keys, "keys.db", "keys.db-wal"), nil)
		}, vault.ErrWrongRoot},
		"with another root": {func() (*vault.Vault, error) {
			return vault.Open(t.Context(), withRootOf(t, copyOf(t, keys, "keys.db", "keys.db-wal")), nil)
		}, vault.ErrWrongRoot},
		"a file that is none": {func() (*vault.Vault, error) {
			d := copyOf(t, keys, "root.key")
			os.WriteFile(filepath.Join(d, "keys.db"), []byte(strings.Repeat("no database ", 100)), 0o600)
			return vault.Open(t.Context(), d, nil)
		}, vault.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := c.v()
			if err == nil {
				defer v.Close()
				_, err = tryRead(t.Context(), v.Wrap(log), mk)
			}
			if !errors.Is(err, c.want) || strings.Contains(err.Error(), "MARKER") {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// copyOf copies some files of a directory into another one.
func copyOf(t testing.TB, dir string, names ...string) string {
	t.Helper()
	to := t.TempDir()
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, n), b, 0o600)
		}
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return to
}

// withRootOf puts a new keystore's root key beside another one.
func withRootOf(t testing.TB, dir string) string {
	other := t.TempDir()
	v, err := vault.Open(context.Background(), other, nil)
	if err != nil {
		t.Fatal(err)
	}
	v.Close()
	b, err := os.ReadFile(filepath.Join(other, "root.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "root.key"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	v := open(t, dir)
	appendTo(t, v.Wrap(memstore.New(nil)), happens(mk, opened("s")))
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 3 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
}

// A log made before the vault still reads, field by field.
func TestPlainFieldsOfAnOldLogStillRead(t *testing.T) {
	w := given(t)
	appendTo(t, w.log, happens(mk, opened("s")))
	w.append(t, happens(mk, level("high")))
	if got := says(t, w, mk); got != `name "MARKER name of s"; level "high"` {
		t.Error(got)
	}
	plain := 0
	for r, err := range w.log.ReadStream(t.Context(), events.CaseStream(mk), 0) {
		n, counted := vault.Plain(&r, nil)
		if plain += n; errors.Join(err, counted) != nil {
			t.Fatal(err, counted)
		}
	}
	if plain != 3 { // the name, the date of birth and the sex
		t.Errorf("%d fields are said to stand in plain", plain)
	}
}
