package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// count is n bytes that count up from a number.
func count(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// The worked example of the package comment, with the random bytes given. Whatever stands there in hexadecimal is checked.
func TestTheWorkedExample(t *testing.T) {
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w[\w ]*?) {2,}([0-9a-f]+(?:\n//\t {4,}[0-9a-f]+)*)$`).FindAllStringSubmatch(string(comment), -1) {
		written[m[1]] = regexp.MustCompile(`[^0-9a-f]`).ReplaceAllString(strings.ReplaceAll(m[2], "//", ""), "")
	}
	event := uuid.UUID{15: 7}
	root, err := newFileRoot(count(0x00, 32))
	if err != nil {
		t.Fatal(err)
	}
	v := &Vault{root: root, index: count(0x20, 32)}
	who := v.person("person", "MK", "s-1")
	r := row{lot: lot{who, events.Risk, 1}, id: "EBESExQVFhcYGRobHB0eHw"}
	wrapped := root.aead.Seal(count(0x60, 12), count(0x60, 12), count(0x40, 32), r.associated())
	key, err := newAEAD(count(0x40, 32))
	if err != nil {
		t.Fatal(err)
	}
	box, commitment := sealWith(key, count(0x80, 12), ledger.Salt(count(0xa0, 32)), event, "/to", []byte(`"high"`))
	for name, got := range map[string][]byte{"person": who[:], "wrapped": wrapped, "commitment": commitment[:], "box": box} {
		if hex.EncodeToString(got) != written[name] {
			t.Errorf("%s is %x, and the comment says %s", name, got, written[name])
		}
	}
	stored := (&ledger.Sealed{Key: r.id, Commitment: commitment, Box: box}).Append(nil)
	if text := regexp.MustCompile(`\n//\t *`).ReplaceAllString(string(comment), ""); !strings.Contains(text, string(stored)) {
		t.Errorf("the comment does not have the field as it is stored: %s", stored)
	}
	salt, value, err := unseal(key, event, "/to", box)
	if err != nil || string(value) != `"high"` || !bytes.Equal(salt[:], count(0xa0, 32)) {
		t.Errorf("opened as %s, %v", value, err)
	}
}

// Whatever stands in the log, finding its protected fields ends, changes nothing of what is not protected, and fails only as
// damage.
func FuzzSealedFields(f *testing.F) {
	field := (&ledger.Sealed{Key: "k", Box: count(0, 70)}).Append(nil)
	f.Add([]byte(`{"a":` + string(field) + `,"b":[{"c":` + string(field) + `},1.50,"\"~sealed"]}`))
	f.Add([]byte(`{"reason":"{\"~sealed\":[\"k\",\"c\",\"b\"]}"}`))
	f.Add([]byte(`{"a" : ` + string(field) + ` }`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var out []byte
		at := 0
		err := sealedFields(data, func(s sealedField) error {
			if s.start < at || s.end > len(data) || !slices.Equal(s.Append(nil), data[s.start:s.end]) || (s.pointer != "" && s.pointer[0] != '/') {
				t.Fatalf("a field from %d to %d at %q of %q", s.start, s.end, s.pointer, data)
			}
			out = append(append(out, data[at:s.start]...), data[s.start:s.end]...)
			at = s.end
			return nil
		})
		if err != nil {
			if !errors.Is(err, events.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if out = append(out, data[at:]...); !bytes.Equal(out, data) {
			t.Fatalf("%q was put together as %q", data, out)
		}
		if bytes.Contains(data, sealedBegin) != (at > 0) {
			t.Fatalf("the fields of %q were not found", data)
		}
	})
}

// A box opens to what was sealed, and nothing else opens.
func FuzzUnseal(f *testing.F) {
	key, err := newAEAD(count(1, 32))
	if err != nil {
		f.Fatal(err)
	}
	box, _ := sealWith(key, count(0, 12), ledger.Salt(count(9, 32)), uuid.UUID{1}, "/a", []byte(`"x"`))
	f.Add(box, "/a")
	f.Add(box, "/b")
	f.Add(box[:40], "/a")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, b []byte, pointer string) {
		_, value, err := unseal(key, uuid.UUID{1}, pointer, b)
		if opens := pointer == "/a" && bytes.Equal(b, box); opens != (err == nil) || opens && string(value) != `"x"` {
			t.Fatalf("%x at %q opens as %q, %v", b, pointer, value, err)
		}
	})
}

// What stands in the log of a field with few values must not tell which it is, by its length either.
func TestTheLengthOfABoxDoesNotTellTheValue(t *testing.T) {
	key, err := newAEAD(count(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[int]bool{}
	for _, value := range []string{`"low"`, `"medium"`, `"high"`, `"male"`, `"female"`, `[]`, `["religious-practice"]`} {
		box, c := seal(key, uuid.UUID{1}, "/level", []byte(value))
		lengths[len(box)] = true
		salt, opened, err := unseal(key, uuid.UUID{1}, "/level", box)
		if err != nil || string(opened) != value || ledger.Commit(salt, uuid.UUID{1}, "/level", opened) != c {
			t.Errorf("%s is opened as %s, %v", value, opened, err)
		}
	}
	if len(lengths) != 1 {
		t.Errorf("boxes of %d different lengths", len(lengths))
	}
}
