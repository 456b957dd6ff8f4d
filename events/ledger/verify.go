package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Trust is what the one who checks brings along: none of it comes from the bundle or from the log.
type Trust struct {
	// Pinned is a checkpoint of the log that was got earlier, by another way. Nil where there is none.
	Pinned *Note
	// Policy says whose signatures are believed. Nil where there is none; then none are.
	Policy *Policy
	// Delay is how much later than an event was recorded a witness may cosign a tree without it: the time that its
	// checkpoints travel. Zero stands for 24 hours.
	Delay time.Duration
}

const (
	defaultDelay = 24 * time.Hour
	// clockSkew is how far the clocks of log and witness may differ.
	clockSkew = 5 * time.Minute
)

// Verify checks a bundle. It believes nothing of it: whatever bytes it is given, it answers a verdict.
//
// The checks come in the order archive, manifest, signature and quorum, consistency with the pinned checkpoint, form of
// the leaves, inclusion, chain of the stream, its end, payloads and commitments, receipts of erasures, time. It names
// all problems of the first check that finds any, and goes no further; only after a file that is not as the manifest
// says it looks on, to name what was altered.
func Verify(bundle []byte, trust Trust) *Verdict {
	v := &verification{trust: trust, verdict: &Verdict{Mode: "bundle", Problems: []Problem{}}}
	v.run(bundle)
	return v.verdict
}

type verification struct {
	trust   Trust
	verdict *Verdict
	bundle  *Bundle
	leaves  []*Leaf
	fields  [][]committed // of each event's data
	seen    []seenAt      // by whom and when the log was seen at some size
}

// seenAt says that witnesses saw a tree of this size between these times.
type seenAt struct {
	size            int64
	earliest, until time.Time
}

func (v *verification) run(bundle []byte) {
	b, altered, err := readBundle(bundle)
	if err != nil {
		v.fail(codeOf(err, CodeFormat), "the bundle", err.Error())
		return
	}
	v.bundle = b
	for _, name := range altered {
		v.fail(CodeFormat, name, "it is not as it was when the bundle was made: something was altered")
	}
	v.verdict.Size, v.verdict.Root = b.Checkpoint.Size, base64.StdEncoding.EncodeToString(b.Checkpoint.Root[:])
	for _, check := range []func(){v.signature, v.consistency, v.parse, v.inclusion, v.chain, v.head, v.payloads, v.receipts, v.times} {
		before := len(v.verdict.Problems)
		check()
		if len(v.verdict.Problems) > before {
			return
		}
	}
	if len(v.verdict.Problems) > 0 {
		return
	}
	v.verdict.Anchored = v.trust.Policy != nil && (v.trust.Pinned != nil || v.verdict.quorum)
	v.verdict.OK = v.verdict.Anchored
}

func (v *verification) fail(code Code, place, meaning string) {
	v.verdict.Problems = append(v.verdict.Problems, Problem{Code: code, Place: place, Meaning: meaning})
}

// signature: the log's signature on the checkpoint, and the quorum of witnesses.
func (v *verification) signature() {
	n := v.bundle.Checkpoint
	if v.trust.Policy == nil {
		return
	}
	e, err := v.trust.Policy.Check(n)
	v.verdict.Of, v.verdict.Cosigned, v.verdict.quorum = e.Witnesses, len(e.Cosigned), e.QuorumMade
	if err != nil {
		v.fail(codeOf(err, CodeSig), "the checkpoint", err.Error())
		return
	}
	v.saw(n.Size, e)
}

// saw keeps between which times witnesses saw the tree. Where witnesses differ, the bounds are those that hold if any
// of them is right.
func (v *verification) saw(size int64, e Endorsed) {
	if len(e.Cosigned) == 0 {
		return
	}
	s := seenAt{size: size, earliest: e.Cosigned[0].At, until: e.Cosigned[0].At}
	for _, c := range e.Cosigned {
		if c.At.Before(s.earliest) {
			s.earliest = c.At
		}
		if c.At.After(s.until) {
			s.until = c.At
		}
	}
	v.seen = append(v.seen, s)
}

// consistency: with the pinned checkpoint, and with those that were cosigned between the events.
func (v *verification) consistency() {
	if pinned := v.trust.Pinned; pinned != nil {
		v.verdict.Pinned = &pinned.Size
		if v.trust.Policy != nil {
			e, err := v.trust.Policy.Check(pinned)
			if err != nil && !errors.Is(err, ErrQuorum) {
				v.fail(CodeSig, "the pinned checkpoint", err.Error())
				return
			}
			v.saw(pinned.Size, e)
		}
		v.continues(pinned, "the pinned checkpoint")
	}
	for _, n := range v.bundle.Witnessed {
		place := fmt.Sprintf("the witnessed checkpoint of %d leaves", n.Size)
		if v.trust.Policy != nil {
			e, err := v.trust.Policy.Check(n)
			if err != nil && !errors.Is(err, ErrQuorum) {
				v.fail(CodeSig, place, err.Error())
				continue
			}
			if err == nil {
				v.saw(n.Size, e)
			}
		}
		v.continues(n, place)
	}
}

func (v *verification) continues(old *Note, place string) {
	now := v.bundle.Checkpoint
	if old.Origin != now.Origin {
		v.fail(CodeSig, place, fmt.Sprintf("it is of the log %s, the bundle of %s", printable(old.Origin), printable(now.Origin)))
		return
	}
	var proof Proof
	found := old.Size == 0 || old.Size >= now.Size
	for _, c := range v.bundle.Consistency {
		if c.Size == old.Size && !found {
			proof, found = c.Proof, true
		}
	}
	if !found {
		v.fail(CodeFormat, place, fmt.Sprintf("the bundle has no proof from %d leaves on: ask for one that is made for this checkpoint", old.Size))
		return
	}
	switch err := now.Extends(old.Tree, proof); {
	case errors.Is(err, ErrRollback):
		v.fail(CodeRollback, place, "the log is shorter than it was: what came later was taken away. "+err.Error())
		v.verdict.Notes = []string{string(old.Bytes()), string(now.Bytes())}
	case err != nil:
		v.fail(CodeFork, place, "the log signed two histories that can't both be true, or was not shown to continue the first. "+err.Error())
		v.verdict.Notes = []string{string(old.Bytes()), string(now.Bytes())}
	}
}

// parse: the form of the leaves.
func (v *verification) parse() {
	if len(v.bundle.Leaves) == 0 {
		v.fail(CodeFormat, fileLeaves, "there is no event")
	}
	for i, p := range v.bundle.Leaves {
		leaf, _, err := ParseLeaf(p.Leaf)
		switch {
		case err != nil:
			v.fail(CodeFormat, place(i, nil), err.Error())
		case leaf == nil:
			v.fail(CodeFormat, place(i, nil), "a leaf of heads, expected an event")
		default:
			v.leaves = append(v.leaves, leaf)
		}
	}
}

// inclusion: each leaf stands in the tree, in the order of the stream.
func (v *verification) inclusion() {
	tree := v.bundle.Checkpoint.Tree
	for i, p := range v.bundle.Leaves {
		if err := tree.Holds(p.Index, LeafHash(p.Leaf), p.Proof); err != nil {
			v.fail(CodeIncl, place(i, v.leaves[i]), "the log that was signed does not hold this entry: "+err.Error())
		} else if i > 0 && p.Index <= v.bundle.Leaves[i-1].Index {
			v.fail(CodeIncl, place(i, v.leaves[i]), "it stands before the entry that it follows")
		}
	}
	for _, p := range v.bundle.Receipts {
		if err := tree.Holds(p.Index, LeafHash(p.Leaf), p.Proof); err != nil {
			v.fail(CodeIncl, fmt.Sprintf("the receipt at leaf %d", p.Index), err.Error())
		}
	}
	if err := tree.Holds(v.bundle.Heads.Index, LeafHash(v.bundle.Heads.Leaf), v.bundle.Heads.Proof); err != nil {
		v.fail(CodeIncl, "the leaf of heads", err.Error())
	}
}

// chain: revisions without a gap, one stream, each leaf naming the one before it.
func (v *verification) chain() {
	ids := make(map[uuid.UUID]bool)
	for i, l := range v.leaves {
		previous := Hash{}
		if i > 0 {
			previous = LeafHash(v.bundle.Leaves[i-1].Leaf)
		}
		switch {
		case l.Revision > uint64(i):
			v.fail(CodeGap, fmt.Sprintf("revision %d", i), fmt.Sprintf("it is missing: revision %d follows", l.Revision))
			return
		case l.Revision < uint64(i) || l.Tag != v.leaves[0].Tag:
			v.fail(CodeChain, place(i, l), "it is not the next entry of this case")
		case l.Previous != previous:
			v.fail(CodeChain, place(i, l), "it was written after another entry than the one that stands before it")
		case ids[l.ID]:
			v.fail(CodeChain, place(i, l), "its id stands twice")
		}
		ids[l.ID] = true
	}
}

// head: the stream ends where the tree's last leaf says.
func (v *verification) head() {
	const what = "the end of the case"
	b := v.bundle
	_, heads, err := ParseLeaf(b.Heads.Leaf)
	switch last := len(v.leaves) - 1; {
	case err != nil || heads == nil:
		v.fail(CodeFormat, "the leaf of heads", "it is not one")
	case b.Heads.Index != b.Checkpoint.Size-1:
		v.fail(CodeTail, what, "the leaf of heads is not the last of the tree: what comes behind it is not shown")
	case b.Head.Tag != v.leaves[0].Tag:
		v.fail(CodeTail, what, "the end that is shown is another stream's")
	case b.Head.Check(*heads) != nil:
		v.fail(CodeTail, what, "the end that is shown is not in the map of heads")
	case b.Head.Revision > uint64(last):
		v.fail(CodeTail, what, fmt.Sprintf("the case goes on to revision %d, and the bundle ends at revision %d: entries are missing at its end", b.Head.Revision, last))
	case b.Head.Revision != uint64(last) || b.Head.Leaf != LeafHash(b.Leaves[last].Leaf):
		v.fail(CodeTail, what, "its last entry is not the one that the log names")
	}
}

// payloads: what the events say is what was hashed, and what is opened is what was committed to.
func (v *verification) payloads() {
	opened, erased := v.bundle.Opened, v.bundle.Erased
	for i, l := range v.leaves {
		p := v.bundle.Payloads[i]
		told := v.payload(i, l, p)
		var fields []committed
		if p.Data != nil && told.caseNumber != "" {
			var err error
			if fields, err = committedFields(p.Data); err != nil {
				v.fail(CodePayload, place(i, l), "its data can't be read: "+err.Error())
			}
		}
		v.fields = append(v.fields, fields)
		byPointer := make(map[string]committed, len(fields))
		for _, f := range fields {
			byPointer[f.pointer] = f
		}
		shown := make(map[string][]byte)
		for ; len(opened) > 0 && opened[0].Revision == uint64(i); opened = opened[1:] {
			o := opened[0]
			f, ok := byPointer[o.Pointer]
			if !ok || f.commitment != Commit(o.Salt, l.ID, o.Pointer, o.Value) || !json.Valid(o.Value) {
				v.fail(CodePayload, place(i, l)+" "+printable(o.Pointer), "the value that is shown is not the one that was recorded")
			}
			shown[o.Pointer] = o.Value
		}
		for ; len(erased) > 0 && erased[0].Revision == uint64(i); erased = erased[1:] {
			e := erased[0]
			_, ok := byPointer[e.Pointer]
			if _, twice := shown[e.Pointer]; !ok || twice {
				v.fail(CodePayload, place(i, l)+" "+printable(e.Pointer), "there is no protected field that could have been erased")
			}
			shown[e.Pointer] = erasedMark(e.Receipt)
			v.verdict.Erased++
		}
		v.verdict.Withheld += len(fields) - len(shown)
		if p.Data == nil {
			v.verdict.Closed++
		}
		told.Data = showFields(p.Data, fields, shown)
		v.verdict.Entries = append(v.verdict.Entries, told)
	}
	if len(opened) > 0 || len(erased) > 0 {
		v.fail(CodePayload, "the fields", "some belong to no entry")
	}
	v.verdict.Events, v.verdict.Cases = len(v.leaves), 1
}

func (v *verification) payload(i int, l *Leaf, p Payload) Told {
	told := Told{Revision: l.Revision, Index: v.bundle.Leaves[i].Index, ID: l.ID, Type: printable(l.Type),
		RecordedAt: time.UnixMicro(l.RecordedAt).UTC(), OccurredAt: time.UnixMicro(l.OccurredAt).UTC(), Metadata: p.Metadata}
	if sha256.Sum256(p.Metadata) != l.MetadataHash {
		v.fail(CodePayload, place(i, l), "its envelope is not the one that was recorded")
		return told
	}
	if p.Data != nil && sha256.Sum256(p.Data) != l.DataHash {
		v.fail(CodePayload, place(i, l), "its data is not what was recorded")
		return told
	}
	var m struct {
		Case string `json:"case"`
	}
	if _, err := committedFields(p.Metadata); err != nil || json.Unmarshal(p.Metadata, &m) != nil || !isCase(m.Case) {
		v.fail(CodePayload, place(i, l), "its envelope can't be read, or names no case")
		return told
	}
	if schema, occurredAt := envelope(p.Metadata); schema != l.Schema || occurredAt != l.OccurredAt {
		v.fail(CodePayload, place(i, l), "its leaf says other than its envelope when it happened, or in what form it is")
		return told
	}
	if v.verdict.Case == "" && i == 0 {
		v.verdict.Case = m.Case
		if strings.HasPrefix(m.Case, "XK-") {
			v.verdict.Note = footnote
		}
	}
	if m.Case != v.verdict.Case {
		v.fail(CodePayload, place(i, l), "it is an entry of another case")
		return told
	}
	told.caseNumber = m.Case
	return told
}

// isCase is a case number as it can stand in a line that a person reads.
func isCase(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return text != "" && len(text) <= 64
}

// erasure is the type of the event that is the receipt of an erasure.
const erasure = "PersonalDataErased"

// receipts: whatever is said to be erased has a receipt later in the log.
func (v *verification) receipts() {
	at := make(map[uuid.UUID]int64)
	for i, l := range v.leaves {
		if l.Type == erasure {
			at[l.ID] = v.bundle.Leaves[i].Index
		}
	}
	foreign := make(map[uuid.UUID]bool)
	for _, p := range v.bundle.Receipts {
		l, _, err := ParseLeaf(p.Leaf)
		if _, known := at[uuidOf(l)]; err != nil || l == nil || l.Type != erasure || known {
			v.fail(CodeFormat, fmt.Sprintf("the receipt at leaf %d", p.Index), "it is not the leaf of an erasure, or stands twice")
			continue
		}
		at[l.ID], foreign[l.ID] = p.Index, true
	}
	for _, e := range v.bundle.Erased {
		index, ok := at[e.Receipt]
		i := int(e.Revision) // below the number of leaves: payloads looked
		switch {
		case !ok:
			v.fail(CodeWithheld, place(i, v.leaves[i])+" "+printable(e.Pointer), "it is said to be erased, and the log holds no receipt of that")
		case index <= v.bundle.Leaves[i].Index:
			v.fail(CodeWithheld, place(i, v.leaves[i])+" "+printable(e.Pointer), "it is said to have been erased before it was recorded")
		}
		delete(foreign, e.Receipt)
	}
	for id := range foreign {
		v.fail(CodeFormat, fmt.Sprintf("the receipt %s", id), "no field is said to be erased by it")
	}
}

func uuidOf(l *Leaf) uuid.UUID {
	if l == nil {
		return uuid.Nil
	}
	return l.ID
}

// times: recordedAt never goes back, and lies between what witnesses saw before and after.
func (v *verification) times() {
	delay := v.trust.Delay
	if delay == 0 {
		delay = defaultDelay
	}
	slices.SortFunc(v.seen, func(a, b seenAt) int { return cmp.Compare(a.size, b.size) })
	// until[i] is the earliest time by which a tree of at least v.seen[i].size leaves had been seen.
	until := make([]time.Time, len(v.seen))
	for i := len(v.seen) - 1; i >= 0; i-- {
		until[i] = v.seen[i].until
		if i+1 < len(v.seen) && until[i+1].Before(until[i]) {
			until[i] = until[i+1]
		}
	}
	var before time.Time // the latest time at which a tree without the event was seen
	next := 0            // of v.seen
	for i, l := range v.leaves {
		at, index := time.UnixMicro(l.RecordedAt), v.bundle.Leaves[i].Index
		for ; next < len(v.seen) && v.seen[next].size <= index; next++ {
			if v.seen[next].earliest.After(before) {
				before = v.seen[next].earliest
			}
		}
		switch {
		case i > 0 && l.RecordedAt < v.leaves[i-1].RecordedAt:
			v.fail(CodeTime, place(i, l), "it says that it was recorded before the entry that it follows")
		case next < len(v.seen) && at.After(until[next].Add(clockSkew)):
			v.fail(CodeTime, place(i, l), fmt.Sprintf("it says that it was recorded at %s, and witnesses had seen it by %s", stamp(at), stamp(until[next])))
		case !before.IsZero() && at.Before(before.Add(-delay)):
			v.fail(CodeTime, place(i, l), fmt.Sprintf("it says that it was recorded at %s, and was not in the log yet when witnesses saw it at %s", stamp(at), stamp(before)))
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// place names an event to a reader.
func place(i int, l *Leaf) string {
	if l == nil {
		return fmt.Sprintf("entry %d", i+1)
	}
	return fmt.Sprintf("revision %d (%s, recorded %s)", l.Revision, printable(l.Type), stamp(time.UnixMicro(l.RecordedAt)))
}
