package ledger

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// exampleExtension is a log of seven leaves that continues one of three.
func exampleExtension(t testing.TB) (*Extension, Tree) {
	t.Helper()
	secret, _, err := note.GenerateKey(nil, "log.example")
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	var stored []Hash
	hashes := tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		list := make([]Hash, len(indexes))
		for i, at := range indexes {
			list[i] = stored[at]
		}
		return list, nil
	})
	for i := range int64(7) {
		added, err := tlog.StoredHashes(i, []byte{byte(i)}, hashes)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, added...)
	}
	root, err := tlog.TreeHash(7, hashes)
	if err != nil {
		t.Fatal(err)
	}
	tree := Tree{Size: 7, Root: root}
	old, proof, err := tree.ProveExtends(3, hashes)
	if err != nil {
		t.Fatal(err)
	}
	n, err := Sign(tree, key)
	if err != nil {
		t.Fatal(err)
	}
	return &Extension{Old: 3, Proof: proof, Note: n}, old
}

func TestExtension(t *testing.T) {
	e, old := exampleExtension(t)
	text := e.Bytes()
	got, err := ParseExtension(text)
	if err != nil || got.Old != 3 || !bytes.Equal(got.Bytes(), text) || got.Note.Extends(old, got.Proof) != nil {
		t.Fatalf("read %+v, %v", got, err)
	}
	alone, err := ParseExtension(e.Note.Bytes())
	if err != nil || alone.Old != 0 || alone.Proof != nil || alone.Note.Checkpoint != e.Note.Checkpoint {
		t.Fatalf("a note alone: %+v, %v", alone, err)
	}
	s := string(text)
	hash := strings.SplitN(s, "\n", 3)[1]
	for name, bad := range map[string]string{
		"nothing":              "",
		"no note":              "old 3\n\n",
		"a zero before":        strings.Replace(s, "old 3", "old 03", 1),
		"a sign":               strings.Replace(s, "old 3", "old +3", 1),
		"a space":              strings.Replace(s, "old 3", "old  3", 1),
		"too large":            strings.Replace(s, "old 3", "old 1099511627777", 1),
		"CR":                   strings.ReplaceAll(s, "\n", "\r\n"),
		"another base64":       strings.Replace(s, hash, hash[:42]+"9=", 1),
		"a short hash":         strings.Replace(s, hash, hash[:40], 1),
		"no empty line":        strings.Replace(s, "\n\n", "\n", 1),
		"two empty lines":      strings.Replace(s, "\n\n", "\n\n\n", 1),
		"more hashes than are": strings.Replace(s, "\n", "\n"+strings.Repeat(hash+"\n", 65), 1),
		"cut":                  s[:len(s)-1],
	} {
		if got, err := ParseExtension([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: read %+v, %v", name, got, err)
		}
	}
}

func FuzzParseExtension(f *testing.F) {
	e, _ := exampleExtension(f)
	f.Add(e.Bytes())
	f.Add(e.Note.Bytes())
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseExtension(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again := e.Bytes()
		if !bytes.HasPrefix(b, []byte("old ")) {
			again = e.Note.Bytes()
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%q was read, and is written as %q", b, again)
		}
	})
}
