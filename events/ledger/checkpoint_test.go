package ledger

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

var exampleTime = time.Unix(1_767_222_000, 0).UTC()

// The checkpoint that C2SP tlog-cosignature gives as its example, with its cosignature.
const publishedNote = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`

func TestPublishedCheckpointReads(t *testing.T) {
	n, err := ParseNote([]byte(publishedNote))
	if err != nil {
		t.Fatal(err)
	}
	if n.Origin != "example.com/behind-the-sofa" || n.Size != 20852163 || len(n.Signatures) != 2 {
		t.Errorf("read %+v", n)
	}
	if got := string(n.Bytes()); got != publishedNote {
		t.Errorf("written again:\n%s", got)
	}
}

// The note and key that C2SP signed-note gives as its example.
func TestPublishedKeyReads(t *testing.T) {
	const text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
	k, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	if k.String() != text {
		t.Errorf("written again: %s", k)
	}
	const signed = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
	if _, err := note.Open([]byte(signed), note.VerifierList(k)); err != nil {
		t.Errorf("x/mod's note, with this key: %v", err)
	}
}

func TestOddCheckpointsAreRefused(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(publishedNote, old, new, 1) }
	signature := publishedNote[strings.Index(publishedNote, "— witness"):]
	for name, text := range map[string]string{
		"empty":                 "",
		"CRLF":                  strings.ReplaceAll(publishedNote, "\n", "\r\n"),
		"CR in base64":          replace("Az3g", "Az3g\r"),
		"leading zero":          replace("20852163", "020852163"),
		"plus sign":             replace("20852163", "+20852163"),
		"negative":              replace("20852163", "-1"),
		"absurd":                replace("20852163", "9223372036854775807"),
		"just beyond":           replace("20852163", "1099511627777"),
		"empty origin":          replace("example.com/behind-the-sofa\n", "\n"),
		"space in origin":       replace("behind-the-sofa\n", "behind the sofa\n"),
		"extension line":        replace("q2I=\n", "q2I=\nextension\n"),
		"short root":            replace("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw=="),
		"root not canonical":    replace("q2I=", "q2J="),
		"base64url":             replace("qom/Xajj7h", "qom_Xajj7h"),
		"signature not canon.":  replace("OAYQ8=", "OAYQ9="),
		"no final newline":      strings.TrimSuffix(publishedNote, "\n"),
		"blank line at the end": publishedNote + "\n",
		"no signatures":         publishedNote[:strings.Index(publishedNote, "— ")],
		"signature twice":       publishedNote + signature,
		"two by one key":        publishedNote + strings.Replace(signature, "fZ+qnA==", "fZ+qnQ==", 1),
		"a hyphen for a dash":   replace("— witness", "- witness"),
		"too short a signature": replace("jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==", "jWbPPw=="),
		"too many":              publishedNote + strings.Repeat("x", maxNote),
	} {
		if _, err := ParseNote([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

func TestNotesAreThoseOfXMod(t *testing.T) {
	signer, key := logKey(t, "example.org/log")
	witness := witnessKey(t, "witness.example.org/ÿ")
	n, err := Sign(Tree{Size: 3, Root: Hash{1}}, signer)
	if err != nil {
		t.Fatal(err)
	}
	n = n.With(witness.Cosign(n.Checkpoint, exampleTime))
	opened, err := note.Open(n.Bytes(), note.VerifierList(key, witness.Key()))
	if err != nil {
		t.Fatal(err)
	}
	if opened.Text != n.Text() || len(opened.Sigs) != 2 {
		t.Errorf("x/mod opened %+v", opened)
	}
	theirs, err := note.Sign(&note.Note{Text: n.Text()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if ours := (&Note{Checkpoint: n.Checkpoint, Signatures: n.Signatures[:1]}).Bytes(); !bytes.Equal(ours, theirs) {
		t.Errorf("x/mod signs\n%s\nand we\n%s", theirs, ours)
	}
	verifier, err := note.NewVerifier(key.String())
	if err != nil || verifier.KeyHash() != key.KeyHash() {
		t.Errorf("x/mod reads the key as %v, %v", verifier, err)
	}
}

func TestACosignatureHoldsForItsTimeAndTreeOnly(t *testing.T) {
	witness := witnessKey(t, "w")
	p := Checkpoint{Origin: "example.org/log", Tree: Tree{Size: 3, Root: Hash{1}}}
	s := witness.Cosign(p, exampleTime)
	holds := func(p Checkpoint, s Signature) bool {
		_, ok, err := witness.Key().Signed(&Note{Checkpoint: p, Signatures: []Signature{s}})
		return ok && err == nil
	}
	if !holds(p, s) {
		t.Fatal("it does not hold")
	}
	for i := range s.Bytes {
		altered := s
		altered.Bytes = bytes.Clone(s.Bytes)
		altered.Bytes[i] ^= 0x40
		if holds(p, altered) {
			t.Errorf("holds with byte %d altered", i)
		}
	}
	for _, other := range []Checkpoint{{"example.org/log2", p.Tree}, {p.Origin, Tree{4, p.Root}}, {p.Origin, Tree{3, Hash{2}}}} {
		if holds(other, s) {
			t.Errorf("holds for %+v", other)
		}
	}
}

func FuzzParseNote(f *testing.F) {
	f.Add([]byte(publishedNote))
	f.Add([]byte("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— a AAAAAQA=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNote(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if !bytes.Equal(n.Bytes(), b) {
			t.Fatalf("%q was read, and is written as %q", b, n.Bytes())
		}
		// What we read, x/mod reads as the same text, signed by nobody that it knows.
		_, err = note.Open(b, nil)
		var unverified *note.UnverifiedNoteError
		if !errors.As(err, &unverified) || unverified.Note.Text != n.Text() {
			t.Fatalf("x/mod reads %q otherwise: %v", b, err)
		}
	})
}
