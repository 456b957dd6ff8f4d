package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Replayed is a leaf of a log as its store has it: what follows from the event, and what the store keeps beside it.
type Replayed struct {
	Leaf   []byte // made anew from the event; as stored for a leaf of heads
	Stored Hash   // the hash that the store's tree has for it
	Stream string // name of the stream, "" for heads
	// Metadata is the event's as stored, nil for heads.
	Metadata []byte
}

// Replay checks a whole log, leaf by leaf from the first, against itself, against every checkpoint that was signed of it,
// and against what the one who checks brings along. It is for one goroutine.
//
// It finds what a bundle can't show: a map of heads that leaves a stream out, a case that is kept in two streams, and a
// time that goes back between streams.
type Replay struct {
	trust    Trust
	hashes   tlog.HashReader
	next     func(size int64) (*Note, error) // the first checkpoint of at least this size, nil when there is none
	verdict  *Verdict
	size     int64
	subtrees []Hash // roots of the full subtrees, from left to right
	heads    HeadMap
	streams  map[Tag]*replayedStream
	tags     map[string]Tag // by stream, and by case
	recorded int64
	note     *Note  // the next checkpoint to come
	signed   Tree   // the last that a log of the policy signed
	quorum   Tree   // the last that a quorum cosigned
	pending  []Hash // hashes of the tree that are not yet compared with the stored ones
	from     int64  // place of the first of them
}

type replayedStream struct {
	name   string
	number string // the case
	next   uint64
	last   Hash
	broken bool // it was named already; what follows from that is not
}

// comparedAtOnce is how many hashes of the tree are read and compared at a time.
const comparedAtOnce = 4096

// maxProblems bounds the list of a verdict. One is enough to know.
const maxProblems = 100

// NewReplay begins. hashes is the store's tree; next finds the store's checkpoints by size.
func NewReplay(trust Trust, hashes tlog.HashReader, next func(size int64) (*Note, error)) (*Replay, error) {
	r := &Replay{trust: trust, hashes: hashes, next: next, verdict: &Verdict{Mode: "log", Problems: []Problem{}},
		streams: make(map[Tag]*replayedStream), tags: make(map[string]Tag)}
	if trust.Pinned != nil {
		r.verdict.Pinned = &trust.Pinned.Size
		if trust.Policy != nil {
			if _, err := trust.Policy.Check(trust.Pinned); err != nil && !errors.Is(err, ErrQuorum) {
				r.Problem(CodeSig, "the pinned checkpoint", err.Error())
			}
		}
	}
	return r, r.find()
}

// Problem adds what the one who reads the store found.
func (r *Replay) Problem(code Code, place, meaning string) {
	if len(r.verdict.Problems) < maxProblems {
		r.verdict.Problems = append(r.verdict.Problems, Problem{Code: code, Place: place, Meaning: meaning})
	}
}

// Erased adds to the number of fields that were found erased.
func (r *Replay) Erased(fields int) { r.verdict.Erased += fields }

// find finds the next checkpoint to come.
func (r *Replay) find() (err error) {
	r.note, err = r.next(r.size + 1)
	return err
}

// Add takes the next leaf. An error is of reading the store; what is wrong with the log is in the verdict.
func (r *Replay) Add(l *Replayed) error {
	leaf, heads, err := ParseLeaf(l.Leaf)
	switch {
	case err != nil:
		r.Problem(CodeFormat, fmt.Sprintf("leaf %d", r.size), err.Error())
	case heads != nil:
		if *heads != r.heads.Leaf() {
			r.Problem(CodeTail, fmt.Sprintf("the leaf of heads at %d", r.size), "it does not name the ends of the streams as they were before it")
		}
		if LeafHash(l.Leaf) != l.Stored {
			r.Problem(CodeIncl, fmt.Sprintf("the leaf of heads at %d", r.size), "it is not the one in the tree")
		}
	default:
		r.event(leaf, l)
	}
	return r.grow(l.Stored)
}

func (r *Replay) event(leaf *Leaf, l *Replayed) {
	r.verdict.Events++
	s := r.streams[leaf.Tag]
	at := func() string {
		return fmt.Sprintf("leaf %d, revision %d of the stream %s (%s)", r.size, leaf.Revision, printable(l.Stream), printable(leaf.Type))
	}
	if s == nil {
		s = &replayedStream{name: l.Stream}
		r.streams[leaf.Tag] = s
		if _, twice := r.tags[l.Stream]; twice {
			r.Problem(CodeChain, at(), "the stream has two tags")
		}
		r.tags[l.Stream] = leaf.Tag
		r.caseOf(s, leaf, l, at)
	}
	hash := LeafHash(l.Leaf)
	if !s.broken {
		was := len(r.verdict.Problems)
		switch {
		case s.name != l.Stream:
			r.Problem(CodeChain, at(), "two streams have one tag")
		case leaf.Revision > s.next:
			r.Problem(CodeGap, at(), fmt.Sprintf("revision %d is missing before it", s.next))
		case leaf.Revision < s.next:
			r.Problem(CodeChain, at(), fmt.Sprintf("revision %d was expected", s.next))
		case hash != l.Stored:
			r.Problem(CodePayload, at(), "the event is not the one that the ledger has: one of the two was altered")
		case leaf.Previous != s.last:
			r.Problem(CodeChain, at(), "it was written after another entry than the one that stands before it")
		}
		if s.number != "" && !bytes.Contains(l.Metadata, []byte(`"case":"`+s.number+`"`)) {
			r.Problem(CodeChain, at(), "it is an entry of another case than the stream")
		}
		s.broken = len(r.verdict.Problems) > was
	}
	if leaf.RecordedAt < r.recorded {
		r.Problem(CodeTime, at(), "it says that it was recorded before the entry that stands before it in the log")
	}
	r.recorded = max(r.recorded, leaf.RecordedAt)
	s.next, s.last = leaf.Revision+1, l.Stored
	r.heads.Set(Head{Tag: leaf.Tag, Revision: leaf.Revision, Leaf: l.Stored})
}

// caseOf reads which case a stream is of, from its first event.
func (r *Replay) caseOf(s *replayedStream, leaf *Leaf, l *Replayed, at func() string) {
	var m struct {
		Case string `json:"case"`
	}
	if leaf.Type != "CaseOpened" || json.Unmarshal(l.Metadata, &m) != nil || !isCase(m.Case) {
		return
	}
	s.number = m.Case
	r.verdict.Cases++
	key := "case " + m.Case
	if _, twice := r.tags[key]; twice {
		r.Problem(CodeChain, at(), "the case "+m.Case+" has two streams")
	}
	r.tags[key] = leaf.Tag
}

// grow adds a leaf to the tree, and compares it with a checkpoint of its size.
func (r *Replay) grow(leaf Hash) error {
	r.pending = append(r.pending, leaf)
	for range bits.TrailingZeros64(^uint64(r.size)) {
		last := len(r.subtrees) - 1
		leaf = tlog.NodeHash(r.subtrees[last], leaf)
		r.subtrees = r.subtrees[:last]
		r.pending = append(r.pending, leaf)
	}
	r.subtrees = append(r.subtrees, leaf)
	r.size++
	if len(r.pending) >= comparedAtOnce {
		if err := r.compare(); err != nil {
			return err
		}
	}
	if pinned := r.trust.Pinned; pinned != nil && pinned.Size == r.size && pinned.Root != r.root() {
		r.Problem(CodeFork, "the pinned checkpoint", "the log is not the one of which it was signed")
		r.verdict.Notes = []string{string(pinned.Bytes())}
		if r.note != nil && r.note.Size == r.size {
			r.verdict.Notes = append(r.verdict.Notes, string(r.note.Bytes()))
		}
	}
	for r.note != nil && r.note.Size == r.size {
		r.checkpoint(r.note)
		if err := r.find(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replay) root() Hash {
	if r.size == 0 {
		root, _ := tlog.TreeHash(0, nil) // of the empty tree it asks nothing
		return root
	}
	root := r.subtrees[len(r.subtrees)-1]
	for i := len(r.subtrees) - 2; i >= 0; i-- {
		root = tlog.NodeHash(r.subtrees[i], root)
	}
	return root
}

func (r *Replay) checkpoint(n *Note) {
	place := fmt.Sprintf("the checkpoint of %d leaves", n.Size)
	if n.Root != r.root() {
		r.Problem(CodeFork, place, "the tree is not the one of which it was signed: what stands before it was altered")
		r.verdict.Notes = []string{string(n.Bytes())}
		return
	}
	if r.trust.Pinned != nil && n.Origin != r.trust.Pinned.Origin {
		r.Problem(CodeSig, place, "it is of another log than the pinned checkpoint")
	}
	if r.trust.Policy == nil {
		return
	}
	e, err := r.trust.Policy.Check(n)
	if err != nil && !errors.Is(err, ErrQuorum) {
		r.Problem(CodeSig, place, err.Error())
		return
	}
	r.signed = n.Tree
	if e.QuorumMade {
		r.quorum = n.Tree
	}
	r.verdict.Of = e.Witnesses
	if len(e.Cosigned) > 0 {
		r.verdict.Cosigned = len(e.Cosigned)
	}
}

// compare holds the tree's hashes against those that the store keeps.
func (r *Replay) compare() error {
	places := make([]int64, len(r.pending))
	for i := range places {
		places[i] = r.from + int64(i)
	}
	stored, err := r.hashes.ReadHashes(places)
	if err != nil {
		return err
	}
	for i, h := range r.pending {
		if stored[i] != h {
			level, n := tlog.SplitStoredHashIndex(places[i])
			r.Problem(CodeIncl, fmt.Sprintf("the tree over the leaves %d to %d", n<<level, (n+1)<<level-1), "its stored hash is not that of these leaves")
		}
	}
	r.from += int64(len(r.pending))
	r.pending = r.pending[:0]
	return nil
}

// Done ends the replay. broken says that the store could not be read to its end, for a reason that Problem was told.
func (r *Replay) Done(broken bool) (*Verdict, error) {
	if err := r.compare(); err != nil {
		return nil, err
	}
	v := r.verdict
	if !broken {
		if r.note != nil {
			r.Problem(CodeTail, "the end of the log", fmt.Sprintf("a checkpoint was signed of %d leaves, and there are %d: the end is missing", r.note.Size, r.size))
		}
		if pinned := r.trust.Pinned; pinned != nil && pinned.Size > r.size {
			r.Problem(CodeRollback, "the pinned checkpoint", fmt.Sprintf("the log is shorter than it was: it had %d leaves, and has %d", pinned.Size, r.size))
			v.Notes = []string{string(pinned.Bytes())}
		}
	}
	// What is vouched for: from the pinned checkpoint on what the log signed; without one what a quorum cosigned.
	believed := r.quorum
	if r.trust.Pinned != nil {
		believed = r.signed
	}
	v.Anchored = believed.Size > 0
	if believed.Size == 0 {
		believed = Tree{Size: r.size, Root: r.root()}
	}
	v.Size, v.Root, v.Unsigned = believed.Size, base64.StdEncoding.EncodeToString(believed.Root[:]), r.size-believed.Size
	v.OK = v.Anchored && len(v.Problems) == 0
	return v, nil
}

// Size is how many leaves were taken.
func (r *Replay) Size() int64 { return r.size }
