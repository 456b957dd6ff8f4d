package ledger

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var update = flag.Bool("update", false, "write the example in testdata anew")

// TestExampleBundle: the example beside the specification is what this package writes, and verifies. Another verifier can
// be tried on it.
func TestExampleBundle(t *testing.T) {
	l := exampleLog(t)
	receipt := l.record(exampleCase, erasure)
	leaf, _, err := ParseLeaf(l.leaves[receipt])
	if err != nil {
		t.Fatal(err)
	}
	l.seal(2)
	b := l.bundle(exampleCase)
	b.Erased = []Erased{{Revision: 0, Pointer: "/f0", Receipt: leaf.ID}}
	b.Opened = b.Opened[2:3] // the name is erased, the date of birth and the day of the release withheld
	b.Opened = append(b.Opened, l.opened[l.streams[exampleCase][3]]...)
	policy := policyWith(l.key, "group G 2 W1 W2 W3\nquorum G\n", l.witnesses...)
	v := Verify(b.Bytes(), Trust{Pinned: l.notes[0], Policy: l.policy(2)})
	var text bytes.Buffer
	if err := v.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"zip": b.Bytes(), "checkpoint": l.notes[0].Bytes(), "policy": []byte(policy), "verdict": text.Bytes()} {
		path := "testdata/example." + name
		if *update {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(golden, content) {
			t.Errorf("%s differs from what is written now", path)
		}
	}
}

func TestVerdicts(t *testing.T) {
	l := exampleLog(t)
	file := l.bundle(exampleCase).Bytes()
	for _, c := range []struct {
		name  string
		trust Trust
		exit  int
		line  string
	}{
		{"pinned and quorum", Trust{Pinned: l.notes[0], Policy: l.policy(2)}, 0, "VERIFIED case=MK-2026-0001 rev 0–3 at size 10; pinned 3; witnesses 2/3; 0 fields erased"},
		{"pinned later", Trust{Pinned: l.notes[1], Policy: l.policy(0)}, 0, "VERIFIED case=MK-2026-0001 rev 0–3 at size 10; pinned 7; witnesses 2/3; 0 fields erased"},
		{"pinned at the same size", Trust{Pinned: l.notes[2], Policy: l.policy(0)}, 0, "VERIFIED case=MK-2026-0001 rev 0–3 at size 10; pinned 10; witnesses 2/3; 0 fields erased"},
		{"quorum alone", Trust{Policy: l.policy(2)}, 0, "VERIFIED case=MK-2026-0001 rev 0–3 at size 10; pinned none; witnesses 2/3; 0 fields erased"},
		{"no pinned checkpoint and no quorum", Trust{Policy: l.policy(0)}, 3, "UNANCHORED case=MK-2026-0001 "},
		{"no policy", Trust{Pinned: l.notes[0]}, 3, "UNANCHORED case=MK-2026-0001 "},
		{"nothing", Trust{}, 3, "UNANCHORED case=MK-2026-0001 "},
		{"a larger quorum", Trust{Pinned: l.notes[0], Policy: l.policy(3)}, 7, "E-QUORUM the checkpoint: "},
		{"another log's policy", Trust{Pinned: l.notes[0], Policy: exampleLogOf(t, 50).policy(2)}, 7, "E-SIG the checkpoint: "},
	} {
		v := Verify(file, c.trust)
		if v.ExitCode() != c.exit || !strings.HasPrefix(v.Line(), c.line) || v.OK != (c.exit == 0) {
			t.Errorf("%s: exit %d, %s\nwant %d, %s", c.name, v.ExitCode(), v.Line(), c.exit, c.line)
		}
	}
}

func TestTheVerifierTellsTheStoryItself(t *testing.T) {
	l := exampleLog(t)
	b := l.bundle(exampleCase)
	b.Opened = slices.DeleteFunc(b.Opened, func(o Opened) bool { return o.Pointer == "/f1" })
	v := Verify(b.Bytes(), Trust{Pinned: l.notes[0], Policy: l.policy(2)})
	if !v.OK || v.Withheld != 1 || v.Events != 4 {
		t.Fatalf("verdict %+v", v)
	}
	if want := `{"plain":"text","f0":"A Name","f1":{"withheld":{"reason":"hidden"}}}`; string(v.Entries[0].Data) != want {
		t.Errorf("data of revision 0: %s, want %s", v.Entries[0].Data, want)
	}
	var text bytes.Buffer
	if err := v.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"; 1 field withheld\n", "1  RiskLevelChanged  ", `"f0":"high"`, "by a.petrova (prison-treatment, mk-prison-idrizovo)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not hold %q:\n%s", want, &text)
		}
	}
	if _, err := json.Marshal(v); err != nil {
		t.Error(err)
	}
}

// Each of these is what somebody who can write the file, and holds no keys but what the case says, could do: archive and
// manifest are right again afterwards.
func TestEachKindOfTamperingIsNamed(t *testing.T) {
	l := exampleLog(t)
	other := exampleLogOf(t, 50) // another log altogether
	for _, c := range []struct {
		name string
		code Code
		at   string
		do   func(b *Bundle)
	}{
		{"a byte of a leaf", CodeIncl, "revision 1", func(b *Bundle) { b.Leaves[1].Leaf[60] ^= 1 }},
		{"a leaf that is none", CodeFormat, "entry 2", func(b *Bundle) { b.Leaves[1].Leaf[0] ^= 1 }},
		{"a hash of a proof", CodeIncl, "revision 2", func(b *Bundle) { b.Leaves[2].Proof[1][3] ^= 1 }},
		{"another index", CodeIncl, "revision 2", func(b *Bundle) { b.Leaves[2].Index++ }},
		{"a byte of the envelope", CodePayload, "revision 1 (RiskLevelChanged", func(b *Bundle) { b.Payloads[1].Metadata[20] ^= 1 }},
		{"a byte of the data", CodePayload, "revision 2", func(b *Bundle) { b.Payloads[2].Data[10] ^= 1 }},
		{"an opened value", CodePayload, "revision 1 (RiskLevelChanged, recorded 2025-12-31T23:00:03Z) /f0", func(b *Bundle) { b.Opened[2].Value = []byte(`"low"`) }},
		{"a salt", CodePayload, "revision 0", func(b *Bundle) { b.Opened[0].Salt[5] ^= 1 }},
		{"a field under another name", CodePayload, "revision 3", func(b *Bundle) { b.Opened[3].Pointer = "/f9" }},
		{"a field of no entry", CodePayload, "the fields", func(b *Bundle) { b.Opened[3].Revision = 17 }},
		{"an entry left out", CodeGap, "revision 1", func(b *Bundle) {
			b.Leaves, b.Payloads = slices.Delete(b.Leaves, 1, 2), slices.Delete(b.Payloads, 1, 2)
			b.Opened = slices.Delete(b.Opened, 2, 3)
		}},
		{"the last entry left out", CodeTail, "the end", func(b *Bundle) {
			b.Leaves, b.Payloads, b.Opened = b.Leaves[:3], b.Payloads[:3], b.Opened[:3]
		}},
		{"two entries swapped", CodeIncl, "revision 1", func(b *Bundle) {
			b.Leaves[1], b.Leaves[2] = b.Leaves[2], b.Leaves[1]
			b.Payloads[1], b.Payloads[2] = b.Payloads[2], b.Payloads[1]
		}},
		{"two payloads swapped", CodePayload, "revision 1", func(b *Bundle) { b.Payloads[1], b.Payloads[2] = b.Payloads[2], b.Payloads[1] }},
		{"another case's entry", CodeChain, "revision 1", func(b *Bundle) {
			n := l.streams["MK-2026-0002"][1]
			b.Leaves[1] = Placed{Index: int64(n), Leaf: l.leaves[n]}
			b.Leaves[1].Proof, _ = b.Checkpoint.ProveHolds(int64(n), LeafHash(l.leaves[n]), l.hashes)
		}},
		{"another case's end", CodeTail, "the end", func(b *Bundle) { b.Head, _ = l.heads.Prove(tagOf("MK-2026-0002")) }},
		{"an end made up", CodeTail, "the end", func(b *Bundle) { b.Head.Revision-- }},
		{"an older map of heads", CodeTail, "the end", func(b *Bundle) {
			n := l.notes[1].Size - 1
			b.Heads = Placed{Index: n, Leaf: l.leaves[n]}
			b.Heads.Proof, _ = b.Checkpoint.ProveHolds(n, LeafHash(l.leaves[n]), l.hashes)
		}},
		{"the log's signature", CodeSig, "the checkpoint", func(b *Bundle) { b.Checkpoint.Signatures[0].Bytes[9] ^= 1 }},
		{"a cosignature", CodeSig, "the checkpoint", func(b *Bundle) { b.Checkpoint.Signatures[1].Bytes[30] ^= 1 }},
		{"a cosignature left out", CodeQuorum, "the checkpoint", func(b *Bundle) { b.Checkpoint.Signatures = b.Checkpoint.Signatures[:2] }},
		{"a checkpoint made up", CodeSig, "the checkpoint", func(b *Bundle) { b.Checkpoint.Size++ }},
		{"a forger's checkpoint", CodeSig, "the checkpoint", func(b *Bundle) { *b = *other.bundle(exampleCase) }},
		{"a hash of the consistency proof", CodeFork, "the pinned checkpoint", func(b *Bundle) { b.Consistency[0].Proof[0][0] ^= 1 }},
		{"no consistency proof", CodeFormat, "the pinned checkpoint", func(b *Bundle) { b.Consistency = b.Consistency[1:] }},
		{"a witnessed checkpoint's root", CodeSig, "the witnessed checkpoint of 7", func(b *Bundle) { b.Witnessed[1].Root[4] ^= 1 }},
		{"erased without a receipt", CodeWithheld, "revision 1", func(b *Bundle) {
			b.Opened = slices.Delete(b.Opened, 2, 3)
			b.Erased = []Erased{{Revision: 1, Pointer: "/f0", Receipt: uuid.UUID{1}}}
		}},
		{"erased where nothing is protected", CodePayload, "revision 2", func(b *Bundle) {
			b.Erased = []Erased{{Revision: 2, Pointer: "/plain", Receipt: uuid.UUID{1}}}
		}},
		{"a receipt that is none", CodeFormat, "the receipt", func(b *Bundle) { b.Receipts = []Placed{b.Leaves[0]} }},
		{"fields out of order", CodeFormat, "the bundle", func(b *Bundle) { b.Opened[0], b.Opened[1] = b.Opened[1], b.Opened[0] }},
		{"a field twice", CodeFormat, "the bundle", func(b *Bundle) { b.Opened = slices.Insert(b.Opened, 0, b.Opened[0]) }},
		{"no events", CodeFormat, "leaves", func(b *Bundle) { b.Leaves, b.Payloads, b.Opened = nil, nil, nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := l.bundle(exampleCase).Bytes()
			b, altered, err := readBundle(bytes.Clone(file))
			if err != nil || len(altered) > 0 || !bytes.Equal(b.Bytes(), file) {
				t.Fatalf("the bundle does not read back as written: %v, %v", altered, err)
			}
			c.do(b)
			v := Verify(b.Bytes(), Trust{Pinned: l.notes[0], Policy: l.policy(2)})
			if v.OK || v.ExitCode() != 7 || v.Problems[0].Code != c.code || !strings.HasPrefix(v.Problems[0].Place, c.at) {
				t.Errorf("%s, want %s at %s", v.Line(), c.code, c.at)
			}
		})
	}
}

// The operator, who holds the log's own key, rewrites history.
func TestWhoHoldsTheKeyCanNotRewriteEither(t *testing.T) {
	l := exampleLog(t)
	pinned := l.notes[1]
	rewritten := func(do func(*testLog)) *testLog {
		n := newTestLog(t, 1, 3)
		do(n)
		return n
	}
	trust := Trust{Pinned: pinned, Policy: l.policy(0)}
	check := func(name string, b *Bundle, want Code) *Verdict {
		t.Helper()
		v := Verify(b.Bytes(), trust)
		if v.OK || len(v.Problems) == 0 || v.Problems[0].Code != want {
			t.Errorf("%s: %s, want %s", name, v.Line(), want)
		}
		return v
	}

	// A back-dated event is put in, and the whole tree built again.
	inserted := rewritten(func(n *testLog) {
		n.record(exampleCase, "CaseOpened", `"A Name"`, `"1990-01-01"`)
		n.record("MK-2026-0002", "CaseOpened", `"Another"`)
		n.record(exampleCase, "NotificationSent") // the one that had been forgotten
		n.seal(0)
		for range 6 {
			n.record(exampleCase, "RiskLevelChanged", `"high"`)
		}
		n.seal(0)
	})
	b := inserted.bundle(exampleCase)
	if err := b.Prove(inserted.hashes, &inserted.heads, []int64{pinned.Size}); err != nil {
		t.Fatal(err)
	}
	v := check("inserted", b, CodeFork)
	if len(v.Notes) != 2 || v.Notes[0] != string(pinned.Bytes()) || v.Notes[1] != string(b.Checkpoint.Bytes()) {
		t.Errorf("a fork accuses with both notes, got %q", v.Notes)
	}
	for _, text := range v.Notes {
		if n, err := ParseNote([]byte(text)); err != nil {
			t.Error(err)
		} else if _, signed, err := l.key.Signed(n); !signed || err != nil {
			t.Errorf("a note of the accusation is not signed: %v", err)
		}
	}

	// A split view of the same size.
	split := rewritten(func(n *testLog) {
		for range 6 {
			n.record(exampleCase, "CaseOpened")
		}
		n.seal(0)
	})
	check("split view", split.bundle(exampleCase), CodeFork)

	// Last week's database.
	short := rewritten(func(n *testLog) {
		n.record(exampleCase, "CaseOpened", `"A Name"`, `"1990-01-01"`)
		n.record("MK-2026-0002", "CaseOpened", `"Another"`)
		n.seal(0)
	})
	check("restored", short.bundle(exampleCase), CodeRollback)

	// A stream that ends earlier in the map of heads than in the log: the tail is in the tree, and nobody shows it. What
	// the map says can't be found wrong from one bundle; whoever replays all leaves does (see Replay).
	// A clock that was put back by two days.
	backdated := exampleLog(t)
	backdated.now = backdated.now.Add(-48 * time.Hour)
	backdated.record("MK-2026-0002", "NotificationSent")
	backdated.seal(0)
	v = Verify(backdated.bundle("MK-2026-0002").Bytes(), Trust{Pinned: backdated.notes[0], Policy: backdated.policy(0)})
	if v.OK || v.Problems[0].Code != CodeTime {
		t.Errorf("back-dated: %s, want E-TIME", v.Line())
	}
	// The same for a case's first event, which follows none: the witnesses know.
	first := exampleLog(t)
	first.now = first.now.Add(-48 * time.Hour)
	first.record("MK-2026-0003", "CaseOpened")
	first.seal(0)
	v = Verify(first.bundle("MK-2026-0003").Bytes(), Trust{Pinned: first.notes[0], Policy: first.policy(0)})
	if v.OK || v.Problems[0].Code != CodeTime {
		t.Errorf("a back-dated first entry: %s, want E-TIME", v.Line())
	}
	// A clock that ran ahead.
	ahead := exampleLog(t)
	ahead.now = ahead.now.Add(48 * time.Hour)
	ahead.record("MK-2026-0003", "CaseOpened")
	ahead.now = ahead.now.Add(-48 * time.Hour)
	ahead.seal(2)
	v = Verify(ahead.bundle("MK-2026-0003").Bytes(), Trust{Policy: ahead.policy(2)})
	if v.OK || v.Problems[0].Code != CodeTime {
		t.Errorf("post-dated: %s, want E-TIME", v.Line())
	}
}

func TestErasedFieldsStandOnTheirReceipt(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		l := exampleLog(t)
		stream := exampleCase
		if foreign {
			stream = "MK-2026-0002"
		}
		receipt := l.record(stream, erasure)
		leaf, _, err := ParseLeaf(l.leaves[receipt])
		if err != nil {
			t.Fatal(err)
		}
		l.seal(2)
		b := l.bundle(exampleCase)
		b.Opened = slices.Delete(b.Opened, 0, 1)
		b.Erased = []Erased{{Revision: 0, Pointer: "/f0", Receipt: leaf.ID}}
		if foreign {
			b.Receipts = []Placed{{Index: int64(receipt), Leaf: l.leaves[receipt]}}
		}
		if err := b.Prove(l.hashes, &l.heads, []int64{l.notes[0].Size}); err != nil {
			t.Fatal(err)
		}
		trust := Trust{Pinned: l.notes[0], Policy: l.policy(2)}
		v := Verify(b.Bytes(), trust)
		if !v.OK || v.Erased != 1 || !strings.Contains(v.Line(), "; 1 field erased") {
			t.Fatalf("foreign %v: %s", foreign, v.Line())
		}
		if want := `"f0":{"withheld":{"reason":"erased","receipt":"` + leaf.ID.String() + `"}}`; !strings.Contains(string(v.Entries[0].Data), want) {
			t.Errorf("data: %s", v.Entries[0].Data)
		}
		if !foreign {
			continue
		}
		b.Receipts = nil
		if v := Verify(b.Bytes(), trust); v.OK || v.Problems[0].Code != CodeWithheld {
			t.Errorf("without the receipt: %s, want E-WITHHELD", v.Line())
		}
	}
}

func TestKosovoHasItsFootnote(t *testing.T) {
	l := newTestLog(t, 1, 0)
	l.record("XK-2026-0001", "CaseOpened")
	l.seal(0)
	v := Verify(l.bundle("XK-2026-0001").Bytes(), Trust{})
	var text bytes.Buffer
	if err := v.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if v.Note != footnote || !strings.HasSuffix(text.String(), footnote+"\n") {
		t.Errorf("the verdict on a case of XK has no footnote:\n%s", &text)
	}
}

// smallLog is the least with all parts: a case, an older checkpoint, a witness, an erasure whose receipt is elsewhere.
func smallLog(t testing.TB) (file []byte, trust Trust) {
	l := newTestLog(t, 1, 1)
	l.record(exampleCase, "CaseOpened", `"A Name"`, `"1990-01-01"`)
	l.seal(1)
	receipt := l.record("MK-2026-0002", erasure)
	leaf, _, err := ParseLeaf(l.leaves[receipt])
	if err != nil {
		t.Fatal(err)
	}
	l.record(exampleCase, "PersonReleased")
	l.seal(1)
	b := l.bundle(exampleCase)
	b.Opened = b.Opened[:1]
	b.Erased = []Erased{{Revision: 0, Pointer: "/f1", Receipt: leaf.ID}}
	b.Receipts = []Placed{{Index: int64(receipt), Leaf: l.leaves[receipt]}}
	if err := b.Prove(l.hashes, &l.heads, nil); err != nil {
		t.Fatal(err)
	}
	file = b.Bytes()
	if v := Verify(file, Trust{Pinned: l.notes[0], Policy: l.policy(1)}); !v.OK {
		t.Fatal(v.Line())
	}
	// The tests that alter it everywhere believe the log alone: each signature that is checked costs them as much as all else.
	policy, err := ParsePolicy([]byte("log " + l.key.String() + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	return file, Trust{Pinned: l.notes[0], Policy: policy}
}

func TestNoAlteredByteVerifies(t *testing.T) {
	file, trust := smallLog(t)
	for i := range file {
		mask := byte(1) << (i % 8)
		file[i] ^= mask
		if v := Verify(file, trust); v.OK || v.ExitCode() != 7 {
			t.Fatalf("byte %d ^ %#x: %s", i, mask, v.Line())
		}
		file[i] ^= mask
	}
}

func TestNoCutBundleVerifies(t *testing.T) {
	file, trust := smallLog(t)
	for i := range file {
		if v := Verify(file[:i], trust); v.OK || v.ExitCode() != 7 {
			t.Fatalf("cut at %d: %s", i, v.Line())
		}
	}
	if v := Verify(append(slices.Clone(file), 0), trust); v.OK || v.ExitCode() != 7 {
		t.Errorf("a byte behind the end: %s", v.Line())
	}
}

func TestBundlesAreOrdinaryZips(t *testing.T) {
	file := exampleLog(t).bundle(exampleCase).Bytes()
	r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if !slices.Equal(names, fileNames()) {
		t.Errorf("files %v", names)
	}
}

func TestDangerousArchivesAreRefused(t *testing.T) {
	archive := func(do func(w *zip.Writer)) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		do(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	stored := func(w *zip.Writer, name string, data []byte) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	honest := exampleLog(t).bundle(exampleCase).Bytes()
	files, _, err := readArchive(honest, fileNames())
	if err != nil {
		t.Fatal(err)
	}
	large := slices.Clone(honest)
	copy(large[18:], []byte{0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfe}) // 4 GB are announced
	for name, c := range map[string]struct {
		file []byte
		code Code
	}{
		"nothing":      {nil, CodeFormat},
		"a text":       {[]byte("VERIFIED case=MK-2026-0001"), CodeFormat},
		"an empty zip": {archive(func(*zip.Writer) {}), CodeFormat},
		"a bomb": {archive(func(w *zip.Writer) {
			f, err := w.Create(fileManifest)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(f, io.LimitReader(zeros{}, 4<<20)); err != nil {
				t.Fatal(err)
			}
		}), CodeFormat},
		"a path escape":      {archive(func(w *zip.Writer) { stored(w, "../../etc/passwd", []byte("x")) }), CodeFormat},
		"a file twice":       {appendArchive(nil, slices.Insert(slices.Clone(files), 2, files[1])), CodeFormat},
		"another order":      {appendArchive(nil, []file{files[1], files[0]}), CodeFormat},
		"one file more":      {appendArchive(nil, append(slices.Clone(files), file{"story", []byte("all was well")})), CodeFormat},
		"one file less":      {appendArchive(nil, files[:len(files)-1]), CodeFormat},
		"something before":   {append([]byte("#!/bin/sh\n"), honest...), CodeFormat},
		"an absurd size":     {large, CodeLimit},
		"as others write it": {archive(func(w *zip.Writer) { stored(w, fileManifest, files[0].data) }), CodeFormat},
	} {
		v := Verify(c.file, Trust{})
		if v.OK || v.ExitCode() != 7 || v.Problems[0].Code != c.code {
			t.Errorf("%s: %s, want %s", name, v.Line(), c.code)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func FuzzVerify(f *testing.F) {
	l := exampleLog(f)
	trust := Trust{Policy: l.policy(0)}
	file := l.bundle(exampleCase).Bytes()
	files, _, err := readArchive(file, fileNames())
	if err != nil {
		f.Fatal(err)
	}
	for i, part := range files[1:] {
		f.Add(uint8(i+1), part.data)
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		// The archive and the manifest are put right, so that the fuzzer gets behind them.
		altered := slices.Clone(files)
		if which == 0 || int(which) >= len(files) {
			Verify(data, trust)
			return
		}
		same := bytes.Equal(altered[which].data, data)
		altered[which].data = data
		altered[0].data = manifest(altered[1:])
		v := Verify(appendArchive(nil, altered), trust)
		switch name := files[which].name; name {
		case fileLeaves, fileInclusion, fileHead, fileReceipts, filePayloads:
			if !same && v.ExitCode() != 7 {
				t.Fatalf("file %s altered: %s", name, v.Line())
			}
		default: // fewer cosignatures, proofs or opened fields make another bundle of the same log
		}
		if b, _, err := readBundle(appendArchive(nil, altered)); err == nil {
			if !bytes.Equal(b.Bytes(), appendArchive(nil, altered)) {
				t.Fatal("it was read, and is written otherwise")
			}
		} else if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
			t.Fatalf("error %v", err)
		}
	})
}

func BenchmarkVerify500(b *testing.B) {
	l := newTestLog(b, 1, 3)
	for i := range 500 {
		l.record(exampleCase, "NotificationSent", `"a value of some length, as a reason has it"`, `"another"`)
		for j := range 20 {
			l.record(fmt.Sprintf("MK-2026-1%03d", i*20+j), "CaseOpened")
		}
		if i%10 == 0 {
			l.seal(2)
		}
	}
	l.seal(2)
	file := l.bundle(exampleCase).Bytes()
	trust := Trust{Pinned: l.notes[0], Policy: l.policy(2)}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if v := Verify(file, trust); !v.OK {
			b.Fatal(v.Line())
		}
	}
}
