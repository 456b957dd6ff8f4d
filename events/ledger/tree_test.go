package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/transparency-dev/merkle/compact"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// memTree keeps a tree's hashes in memory.
type memTree []Hash

func (m memTree) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = m[index]
	}
	return hashes, nil
}

func (m *memTree) add(t testing.TB, n int64, leaf Hash) {
	t.Helper()
	hashes, err := tlog.StoredHashesForRecordHash(n, leaf, *m)
	if err != nil {
		t.Fatal(err)
	}
	*m = append(*m, hashes...)
}

func (m memTree) at(t testing.TB, size int64) Tree {
	t.Helper()
	root, err := tlog.TreeHash(size, m)
	if err != nil {
		t.Fatal(err)
	}
	return Tree{Size: size, Root: root}
}

// grown is a tree over n leaves that differ.
func grown(t testing.TB, n int64, salt byte) *memTree {
	t.Helper()
	m := &memTree{}
	for i := range n {
		m.add(t, i, tlog.RecordHash([]byte{salt, byte(i), byte(i >> 8)}))
	}
	return m
}

// inMemory is a signer's record that a test can look into.
type inMemory struct {
	note *Note
	fail error
}

func (r *inMemory) Last(context.Context) (*Note, error) { return r.note, nil }

func (r *inMemory) Keep(_ context.Context, n *Note) error {
	if r.fail == nil {
		r.note = n
	}
	return r.fail
}

// logKey makes a log's key from fresh random bytes.
func logKey(t testing.TB, name string) (note.Signer, Key) {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		t.Fatal(err)
	}
	return logKeyFrom(t, name, seed)
}

func logKeyFrom(t testing.TB, name string, seed []byte) (note.Signer, Key) {
	t.Helper()
	key := Key{name: name, algorithm: algorithmLog, public: [32]byte(ed25519.NewKeyFromSeed(seed)[32:])}
	secret := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, key.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{algorithmLog}, seed...)))
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseKey(key.String()); err != nil || again != key {
		t.Fatalf("the key reads back as %v, %v", again, err)
	}
	return signer, key
}

func witnessKey(t testing.TB, name string) *Cosigner {
	t.Helper()
	c, text, err := GenerateCosigner(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseCosigner(text)
	if err != nil || again.Key() != c.Key() {
		t.Fatalf("the key reads back as %v, %v", again, err)
	}
	return c
}

func TestATreeExtendsItsOwnBeginningsOnly(t *testing.T) {
	const n = 70
	m, other := grown(t, n, 1), grown(t, n, 2)
	for size := range int64(n + 1) {
		now := m.at(t, size)
		for before := range size + 1 {
			old, proof, err := now.ProveExtends(before, m)
			if err != nil {
				t.Fatalf("%d of %d: %v", before, size, err)
			}
			if old != m.at(t, before) {
				t.Fatalf("%d of %d: the proof starts from another tree", before, size)
			}
			if before == 0 {
				continue
			}
			forked := other.at(t, before)
			if err := now.Extends(forked, proof); !errors.Is(err, ErrFork) {
				t.Fatalf("%d of %d, another log: %v, want ErrFork", before, size, err)
			}
			for i := range proof {
				proof[i][7] ^= 1
				if err := now.Extends(old, proof); !errors.Is(err, ErrFork) {
					t.Fatalf("%d of %d, hash %d of the proof altered: %v", before, size, i, err)
				}
				proof[i][7] ^= 1
			}
			if before < size {
				if err := old.Extends(now, proof); !errors.Is(err, ErrRollback) {
					t.Fatalf("%d after %d: %v, want ErrRollback", before, size, err)
				}
			}
		}
	}
}

func TestAbsurdSizesAreRefusedAtOnce(t *testing.T) {
	for _, size := range []int64{-1, MaxSize + 1, 1<<63 - 1} {
		if err := (Tree{Size: size}).Extends(Tree{Size: 1}, nil); !errors.Is(err, ErrFormat) {
			t.Errorf("size %d: %v", size, err)
		}
		if err := (Tree{Size: size}).Holds(0, Hash{}, nil); !errors.Is(err, ErrNotIncluded) {
			t.Errorf("size %d: %v", size, err)
		}
		p := HeadProof{}
		if err := p.Check(Heads{Streams: uint64(size)}); err == nil {
			t.Errorf("a map of %d heads was believed", uint64(size))
		}
	}
}

func TestTheSignerSignsContinuationsOnly(t *testing.T) {
	ctx := t.Context()
	signer, key := logKey(t, "example.org/log")
	m, other := grown(t, 40, 1), grown(t, 40, 2)
	record := &inMemory{}
	s := NewSigner(signer, record)

	first, err := s.Sign(ctx, m.at(t, 10), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, signed, err := key.Signed(first); err != nil || !signed {
		t.Fatalf("signed: %v, %v", signed, err)
	}
	now := m.at(t, 20)
	_, proof, err := now.ProveExtends(10, m)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Sign(ctx, now, proof)
	if err != nil {
		t.Fatal(err)
	}

	// A signer started anew from the same record.
	s = NewSigner(signer, record)
	if again, err := s.Sign(ctx, now, nil); err != nil || again != second {
		t.Errorf("the same tree again: %v, %v", again, err)
	}
	if _, err := s.Sign(ctx, m.at(t, 10), nil); !errors.Is(err, ErrRollback) {
		t.Errorf("a database put back: %v, want ErrRollback", err)
	}
	fork := other.at(t, 30)
	_, forkProof, err := fork.ProveExtends(20, other)
	if err != nil {
		t.Fatal(err)
	}
	var accusation *ForkError
	if _, err := s.Sign(ctx, fork, forkProof); !errors.Is(err, ErrFork) || !errors.As(err, &accusation) || accusation.Before != second {
		t.Errorf("another history: %v, want ErrFork with the note before", err)
	}
	if record.note != second {
		t.Error("the record moved although nothing was signed")
	}

	// What can't be remembered is not handed out.
	record.fail = errors.New("disk full")
	longer := m.at(t, 30)
	_, proof, _ = longer.ProveExtends(20, m)
	if n, err := s.Sign(ctx, longer, proof); n != nil || !errors.Is(err, record.fail) {
		t.Errorf("a full disk: %v, %v", n, err)
	}
}

func TestTheWitnessCosignsContinuationsOnly(t *testing.T) {
	ctx := t.Context()
	signer, key := logKey(t, "example.org/log")
	cosigner := witnessKey(t, "witness.example.org")
	m, other := grown(t, 40, 1), grown(t, 40, 2)
	record := &inMemory{}
	w := NewWitness(key, cosigner, record)
	sign := func(tr Tree) *Note {
		n, err := Sign(tr, signer)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	first, err := w.Cosign(ctx, sign(m.at(t, 10)), nil, exampleTime)
	if err != nil {
		t.Fatal(err)
	}
	if at, ok, err := cosigner.Key().Signed(first); err != nil || !ok || !at.Equal(exampleTime) {
		t.Fatalf("cosigned at %v, %v, %v", at, ok, err)
	}
	if _, ok, err := key.Signed(first); err != nil || !ok {
		t.Fatalf("the log's signature is gone: %v, %v", ok, err)
	}
	// A split view: the same size for another reader, and a longer one that continues it.
	var accusation *ForkError
	asked := sign(other.at(t, 10))
	if _, err := w.Cosign(ctx, asked, nil, exampleTime); !errors.As(err, &accusation) || accusation.Before != first || accusation.Note != asked {
		t.Errorf("a split view: %v, want both notes", err)
	}
	longer := other.at(t, 20)
	_, proof, _ := longer.ProveExtends(10, other)
	if _, err := w.Cosign(ctx, sign(longer), proof, exampleTime); !errors.Is(err, ErrFork) {
		t.Errorf("a split view grown longer: %v, want ErrFork", err)
	}
	if _, err := w.Cosign(ctx, sign(m.at(t, 5)), nil, exampleTime); !errors.Is(err, ErrRollback) {
		t.Errorf("shorter: %v, want ErrRollback", err)
	}
	stranger, _ := logKey(t, "example.org/log")
	forged, err := Sign(m.at(t, 20), stranger)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Cosign(ctx, forged, nil, exampleTime); !errors.Is(err, ErrSignature) {
		t.Errorf("a stranger's signature: %v, want ErrSignature", err)
	}
	if record.note != first {
		t.Error("the record moved although nothing was cosigned")
	}
}

func TestHeadMapIsTheTreeOverTheSortedHeads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m HeadMap
		model := make(map[Tag]Head)
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			for range rapid.IntRange(0, 9).Draw(t, "sets") {
				h := Head{Tag: Tag{rapid.Byte().Draw(t, "tag") % 40}, Revision: rapid.Uint64().Draw(t, "revision"), Leaf: Hash{rapid.Byte().Draw(t, "leaf")}}
				m.Set(h)
				model[h.Tag] = h
			}
			got := m.Leaf()
			var hashes memTree
			n := int64(0)
			for tag := range 40 { // in order
				if h, ok := model[Tag{byte(tag)}]; ok {
					stored, err := tlog.StoredHashesForRecordHash(n, h.Hash(), hashes)
					if err != nil {
						t.Fatal(err)
					}
					hashes = append(hashes, stored...)
					n++
				}
			}
			want, err := tlog.TreeHash(n, hashes)
			if err != nil {
				t.Fatal(err)
			}
			if got != (Heads{Streams: uint64(n), Root: want}) {
				t.Fatalf("the map's leaf is %+v, want %d heads under %v", got, n, want)
			}
			for tag, h := range model {
				p, err := m.Prove(tag)
				if err != nil || p.Head != h {
					t.Fatalf("proof of %v: %+v, %v", tag, p.Head, err)
				}
				p.Revision++
				if err := p.Check(got); !errors.Is(err, ErrNotIncluded) {
					t.Fatalf("another revision: %v, want ErrNotIncluded", err)
				}
			}
			if _, err := m.Prove(Tag{99}); !errors.Is(err, ErrNotIncluded) {
				t.Fatalf("a stream that is not there: %v", err)
			}
		}
	})
}

func TestExampleMap(t *testing.T) {
	var m HeadMap
	m.Set(Head{Tag: Tag{15: 9}, Revision: 0, Leaf: Hash{31: 1}})
	const entry = "00000000000000000000000000000009" + "0000000000000000" + "0000000000000000000000000000000000000000000000000000000000000001"
	raw, err := hex.DecodeString("00" + entry)
	if err != nil {
		t.Fatal(err)
	}
	leaf := m.Leaf()
	if root := Hash(sha256.Sum256(raw)); leaf.Root != root {
		t.Errorf("the root over one entry is %v, want %v", leaf.Root, root)
	}
	const want = "5452474c0102" + "0000000000000001" + "644030410b265905831de1fc936d11e7878e4db7e9d51204b7883d62ea6cb182"
	if got := hex.EncodeToString(leaf.Append(nil)); got != want {
		t.Errorf("the heads leaf is %s, want %s", got, want)
	}
	inSpecification(t, entry, want)
}

// inSpecification checks that the package comment shows these hexadecimal numbers.
func inSpecification(t *testing.T, numbers ...string) {
	t.Helper()
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.Join(strings.FieldsFunc(string(comment), func(r rune) bool { return unicode.IsSpace(r) || r == '/' }), "")
	for _, n := range numbers {
		if !strings.Contains(joined, n) {
			t.Errorf("the package comment does not show %s", n)
		}
	}
}

// TestArithmeticIsThatOfMerkle: the trees of transparency-dev/merkle have the same roots, and take our proofs.
func TestArithmeticIsThatOfMerkle(t *testing.T) {
	const n = 130
	theirs := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := theirs.NewEmptyRange(0)
	ours := &memTree{}
	var leaves [][]byte
	for i := range int64(n) {
		leaf := []byte{byte(i), 7}
		leaves = append(leaves, leaf)
		ours.add(t, i, LeafHash(leaf))
		if err := r.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil); err != nil {
			t.Fatal(err)
		}
		root, err := r.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		now := ours.at(t, i+1)
		if !bytes.Equal(now.Root[:], root) {
			t.Fatalf("root over %d leaves: %x, merkle has %x", i+1, now.Root, root)
		}
		for j := range i + 1 {
			proof, err := now.ProveHolds(j, LeafHash(leaves[j]), ours)
			if err != nil {
				t.Fatal(err)
			}
			if err := merkle.VerifyInclusion(rfc6962.DefaultHasher, uint64(j), uint64(i+1), rfc6962.DefaultHasher.HashLeaf(leaves[j]), slicesOf(proof), root); err != nil {
				t.Fatalf("merkle does not take the proof of leaf %d of %d: %v", j, i+1, err)
			}
			old, proof, err := now.ProveExtends(j+1, ours)
			if err != nil {
				t.Fatal(err)
			}
			if err := merkle.VerifyConsistency(rfc6962.DefaultHasher, uint64(j+1), uint64(i+1), slicesOf(proof), old.Root[:], root); err != nil {
				t.Fatalf("merkle does not take the proof from %d to %d leaves: %v", j+1, i+1, err)
			}
		}
	}
}

func slicesOf(p Proof) [][]byte {
	list := make([][]byte, len(p))
	for i := range p {
		list[i] = p[i][:]
	}
	return list
}

func BenchmarkHeadMap(b *testing.B) {
	const streams = 100_000
	tag := func(i int) (t Tag) {
		h := tlog.RecordHash([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
		return Tag(h[:16])
	}
	var full HeadMap
	for i := range streams {
		full.Set(Head{Tag: tag(i)})
	}
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			var m HeadMap
			for i := range streams {
				m.Set(Head{Tag: tag(i)})
			}
			m.Leaf()
		}
	})
	b.Run("change100", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			for j := range 100 {
				full.Set(Head{Tag: tag((i*100 + j) % streams), Revision: uint64(i)})
			}
			full.Leaf()
		}
	})
	b.Run("add1", func(b *testing.B) {
		for i := streams; b.Loop(); i++ {
			full.Set(Head{Tag: tag(i)})
			full.Leaf()
		}
	})
}
