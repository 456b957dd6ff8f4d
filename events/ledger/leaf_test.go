package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// The worked example: a stream's first event, with one protected field.
func exampleEntry() Entry {
	sealed := Sealed{Key: "k1", Commitment: Commit(Salt{31: 1}, uuid.UUID{15: 7}, "/level", []byte(`"high"`)), Box: []byte("box")}
	data := sealed.Append([]byte(`{"assessment":"a-1","level":`))
	return Entry{ID: uuid.UUID{15: 7}, Type: "AssessmentCompleted", RecordedAt: time.UnixMicro(1_767_222_000_000_001).UTC(),
		Metadata: []byte(`{"schema":1,"occurredAt":"2026-01-01T00:00:00+01:00"}`), Data: append(data, '}')}
}

func TestExample(t *testing.T) {
	l, err := NewLeaf(Tag{15: 9}, Hash{}, exampleEntry())
	if err != nil {
		t.Fatal(err)
	}
	committed, err := CommittedForm(exampleEntry().Data)
	if err != nil {
		t.Fatal(err)
	}
	const wantCommitted = `{"assessment":"a-1","level":{"~commit":"_H0FdFi6V05S1At5CQ1fEpNWksGwtgN-YJe5paqmMrc"}}`
	if string(committed) != wantCommitted {
		t.Errorf("committed form:\n%s, want\n%s", committed, wantCommitted)
	}
	const want = "5452474c010100000000000000000000000000000007000000000000000000000000000000090000000000000000000000000000000000000000000000000000000000000000000000000000000000134173736573736d656e74436f6d706c6574656400000001000647476f8c9c01000647476f8c9c004b93bce608f5951ac0e1337b875349a63c8a5e0544ccb218398e538f06004e60abc90d1e960cf12c49fc63f4dced9ddbcd8f5798380c23ec52e62dedc9ea4cbf"
	if got := hex.EncodeToString(l.Append(nil)); got != want {
		t.Errorf("leaf:\n%s, want\n%s", got, want)
	}
	const wantHash = "58c6d8450b065ddb0ed718bf446eacf15d54c4cbb20a6955fd4824a2c601b037"
	if h := l.Hash(); hex.EncodeToString(h[:]) != wantHash {
		t.Errorf("hash %x, want %s", h[:], wantHash)
	}
	inSpecification(t, want, wantHash)
}

func TestLeafReadsBackAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 154, 154).Draw(t, "b")
		l := Leaf{ID: uuid.UUID(b[:16]), Tag: Tag(b[16:32]), Revision: rapid.Uint64().Draw(t, "revision"), Previous: Hash(b[32:64]),
			Type: rapid.StringMatching(`[A-Za-z]{0,256}`).Draw(t, "type"), Schema: rapid.Uint32().Draw(t, "schema"),
			RecordedAt: rapid.Int64().Draw(t, "recorded"), OccurredAt: rapid.Int64().Draw(t, "occurred"), MetadataHash: Hash(b[64:96]), DataHash: Hash(b[96:128])}
		got, heads, err := ParseLeaf(l.Append(nil))
		if err != nil || heads != nil || *got != l {
			t.Fatalf("read %+v, %v, want %+v", got, err, l)
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	l, _ := NewLeaf(Tag{1}, Hash{2}, exampleEntry())
	f.Add(l.Append(nil))
	f.Add((&Heads{Streams: 3, Root: Hash{4}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		leaf, heads, err := ParseLeaf(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v", err)
			}
			return
		}
		var again []byte
		if leaf != nil {
			again = leaf.Append(nil)
		} else {
			again = heads.Append(nil)
		}
		if !bytes.Equal(b, again) {
			t.Fatalf("%x was read, and is written as %x", b, again)
		}
	})
}

func TestTextIsNeverTakenForAProtectedField(t *testing.T) {
	for _, data := range []string{
		`{"reason":"{\"~sealed\":[\"k\",\"c\",\"b\"]}"}`,
		`{"reason":"{","other":"~sealed"}`,
	} {
		got, err := CommittedForm([]byte(data))
		if err != nil || string(got) != data {
			t.Errorf("committed form of %s: %s, %v", data, got, err)
		}
	}
}
