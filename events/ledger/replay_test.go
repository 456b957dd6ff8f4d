package ledger

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// replayed verifies the whole log, as who has all leaves does.
func (l *testLog) replayed(trust Trust) *Verdict {
	l.t.Helper()
	next := func(size int64) (*Note, error) {
		for _, n := range l.notes {
			if n.Size >= size {
				return n, nil
			}
		}
		return nil, nil
	}
	r, err := NewReplay(trust, l.hashes, next)
	if err != nil {
		l.t.Fatal(err)
	}
	of := make(map[int]string)
	for stream, places := range l.streams {
		for _, n := range places {
			of[n] = stream
		}
	}
	for i, leaf := range l.leaves {
		if err := r.Add(&Replayed{Leaf: leaf, Stored: LeafHash(leaf), Stream: of[i], Metadata: l.payloads[i].Metadata}); err != nil {
			l.t.Fatal(err)
		}
	}
	v, err := r.Done(false)
	if err != nil {
		l.t.Fatal(err)
	}
	return v
}

// TestWhoReplaysAllFindsWhatABundleCanNotShow: operator and signer work together, and name an earlier end of a case in the
// map of heads. A bundle that leaves out its last entry then verifies; that is a limit, and this is who finds it.
func TestWhoReplaysAllFindsWhatABundleCanNotShow(t *testing.T) {
	l := exampleLog(t)
	if v := l.replayed(Trust{Pinned: l.notes[0], Policy: l.policy(2)}); !v.OK || v.Events != 7 || v.Cases != 2 || v.Size != 10 {
		t.Fatalf("%s", v.Line())
	}
	l.record(exampleCase, "NotificationSent")
	places := l.streams[exampleCase]
	before := places[len(places)-2]
	hidden := l.heads
	l.heads.Set(Head{Tag: tagOf(exampleCase), Revision: uint64(len(places) - 2), Leaf: LeafHash(l.leaves[before])})
	l.seal(2)
	l.streams[exampleCase] = places[:len(places)-1]
	b := l.bundle(exampleCase)
	l.streams[exampleCase], l.heads = places, hidden
	if v := Verify(b.Bytes(), Trust{Pinned: l.notes[0], Policy: l.policy(2)}); !v.OK {
		t.Errorf("the limit that the specification names is none: %s", v.Line())
	}
	if v := l.replayed(Trust{Pinned: l.notes[0], Policy: l.policy(2)}); v.OK || v.Problems[0].Code != CodeTail || !strings.HasPrefix(v.Problems[0].Place, "the leaf of heads at 11") {
		t.Errorf("the replay says %s", v.Line())
	}

	// A case that goes on in a second stream, and an entry that stands in another case's stream.
	l = exampleLog(t)
	l.entry("another stream", Entry{ID: uuid.UUID{99}, Type: "CaseOpened", Metadata: l.payloads[0].Metadata, Data: []byte(`{}`)})
	l.seal(2)
	if v := l.replayed(Trust{Policy: l.policy(2)}); v.OK || v.Problems[0].Code != CodeChain || !strings.Contains(v.Problems[0].Meaning, "two streams") {
		t.Errorf("a case in two streams: %s", v.Line())
	}
	l = exampleLog(t)
	l.entry("MK-2026-0002", Entry{ID: uuid.UUID{99}, Type: "NotificationSent", Metadata: l.payloads[0].Metadata, Data: []byte(`{}`)})
	l.seal(2)
	if v := l.replayed(Trust{Policy: l.policy(2)}); v.OK || v.Problems[0].Code != CodeChain || !strings.Contains(v.Problems[0].Meaning, "another case") {
		t.Errorf("an entry in another case's stream: %s", v.Line())
	}
}
