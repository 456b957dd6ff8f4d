package ledger

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// testLog is a log as a store keeps one: events of several streams, sealed from time to time.
type testLog struct {
	t         testing.TB
	hashes    memTree
	leaves    [][]byte
	streams   map[string][]int // indexes of a stream's leaves
	payloads  map[int]Payload
	opened    map[int][]Opened
	heads     HeadMap
	notes     []*Note
	now       time.Time
	signer    note.Signer
	key       Key
	witnesses []*Cosigner
}

// newTestLog makes an empty log with fixed keys: two with the same seed have the same.
func newTestLog(t testing.TB, seed byte, witnesses int) *testLog {
	l := &testLog{t: t, streams: make(map[string][]int), payloads: make(map[int]Payload), opened: make(map[int][]Opened), now: exampleTime}
	l.signer, l.key = logKeyFrom(t, "traga.example.org/log", bytes.Repeat([]byte{seed}, 32))
	for i := range witnesses {
		l.witnesses = append(l.witnesses, newCosigner(fmt.Sprintf("witness.example.org/%d", i+1), bytes.Repeat([]byte{seed + 1 + byte(i)}, 32)))
	}
	return l
}

// policy asks for a quorum of the witnesses, for none when that is 0.
func (l *testLog) policy(quorum int) *Policy {
	lines := "quorum none"
	if quorum > 0 {
		lines = fmt.Sprintf("group G %d", quorum)
		for i := range l.witnesses {
			lines += fmt.Sprintf(" W%d", i+1)
		}
		lines += "\nquorum G"
	}
	p, err := ParsePolicy([]byte(policyWith(l.key, lines, l.witnesses...)))
	if err != nil {
		l.t.Fatal(err)
	}
	return p
}

func (l *testLog) addLeaf(leaf []byte) int {
	n := len(l.leaves)
	l.hashes.add(l.t, int64(n), tlog.RecordHash(leaf))
	l.leaves = append(l.leaves, leaf)
	return n
}

func tagOf(stream string) (t Tag) {
	h := tlog.RecordHash([]byte(stream))
	copy(t[:], h[:])
	return t
}

// record appends an event of a case; each of protected becomes a protected field /f0, /f1 and so on.
func (l *testLog) record(number, eventType string, protected ...string) int {
	id := uuid.UUID{14: byte(len(l.leaves) >> 8), 15: byte(len(l.leaves) + 1)}
	data := []byte(`{"plain":"text"`)
	for i, value := range protected {
		pointer := fmt.Sprintf("/f%d", i)
		o := Opened{Revision: uint64(len(l.streams[number])), Pointer: pointer, Salt: Salt{byte(i), byte(len(l.leaves))}, Value: []byte(value)}
		s := Sealed{Key: "k", Commitment: Commit(o.Salt, id, pointer, o.Value), Box: []byte("box")}
		data = s.Append(append(data, fmt.Sprintf(`,"f%d":`, i)...))
		l.opened[len(l.leaves)] = append(l.opened[len(l.leaves)], o)
	}
	data = append(data, '}')
	metadata := fmt.Appendf(nil, `{"schema":1,"case":%q,"occurredAt":%q,"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"}}`,
		number, l.now.Add(-time.Hour).Format(time.RFC3339Nano))
	return l.entry(number, Entry{ID: id, Type: eventType, Metadata: metadata, Data: data})
}

func (l *testLog) entry(stream string, e Entry) int {
	l.now = l.now.Add(time.Second)
	e.RecordedAt = l.now
	var previous Hash
	places := l.streams[stream]
	if len(places) > 0 {
		previous = tlog.RecordHash(l.leaves[places[len(places)-1]])
	}
	e.Revision = uint64(len(places))
	leaf, err := NewLeaf(tagOf(stream), previous, e)
	if err != nil {
		l.t.Fatal(err)
	}
	committed, err := CommittedForm(e.Data)
	if err != nil {
		l.t.Fatal(err)
	}
	n := l.addLeaf(leaf.Append(nil))
	l.streams[stream] = append(places, n)
	l.payloads[n] = Payload{Metadata: e.Metadata, Data: committed}
	l.heads.Set(Head{Tag: leaf.Tag, Revision: leaf.Revision, Leaf: leaf.Hash()})
	return n
}

// seal puts a heads leaf and signs; so many witnesses cosign.
func (l *testLog) seal(cosign int) *Note {
	heads := l.heads.Leaf()
	l.addLeaf(heads.Append(nil))
	n, err := Sign(l.hashes.at(l.t, int64(len(l.leaves))), l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, w := range l.witnesses[:cosign] {
		n = n.With(w.Cosign(n.Checkpoint, l.now))
	}
	l.notes = append(l.notes, n)
	return n
}

// bundle is the bundle of a stream at the last seal, with all fields opened.
func (l *testLog) bundle(stream string) *Bundle {
	b := &Bundle{Checkpoint: l.notes[len(l.notes)-1]}
	for _, n := range l.streams[stream] {
		b.Leaves = append(b.Leaves, Placed{Index: int64(n), Leaf: l.leaves[n]})
		b.Payloads = append(b.Payloads, l.payloads[n])
		b.Opened = append(b.Opened, l.opened[n]...)
	}
	last := len(l.leaves) - 1
	b.Heads = Placed{Index: int64(last), Leaf: l.leaves[last]}
	var since []int64
	for _, n := range l.notes[:len(l.notes)-1] {
		since = append(since, n.Size)
		if len(n.Signatures) > 1 {
			b.Witnessed = append(b.Witnessed, n)
		}
	}
	if err := b.Prove(l.hashes, &l.heads, since); err != nil {
		l.t.Fatal(err)
	}
	return b
}

// exampleLog has two cases under three checkpoints, each cosigned by two of three witnesses.
func exampleLog(t testing.TB) *testLog { return exampleLogOf(t, 1) }

func exampleLogOf(t testing.TB, seed byte) *testLog {
	l := newTestLog(t, seed, 3)
	l.record("MK-2026-0001", "CaseOpened", `"A Name"`, `"1990-01-01"`)
	l.record("MK-2026-0002", "CaseOpened", `"Another"`)
	l.seal(2)
	l.record("MK-2026-0001", "RiskLevelChanged", `"high"`)
	l.record("MK-2026-0002", "RiskLevelChanged", `"low"`)
	l.record("MK-2026-0001", "NotificationSent")
	l.seal(2)
	l.record("MK-2026-0001", "PersonReleased", `"2026-03-02"`)
	l.record("MK-2026-0002", "PersonReleased", `"2026-03-02"`)
	l.seal(2)
	return l
}

const exampleCase = "MK-2026-0001"
