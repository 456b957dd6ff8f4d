package ledger

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

// Bundle is one stream's history with all that is needed to check it without its log. The package comment says how it is
// written.
type Bundle struct {
	Checkpoint *Note
	// Consistency shows that Checkpoint continues older trees, by ascending size.
	Consistency []Continuation
	// Leaves are the stream's events, revision 0 to its last.
	Leaves []Placed
	// Heads is the heads leaf, the last of the tree, and Head the stream's end in it.
	Heads Placed
	Head  HeadProof
	// Receipts are the leaves of PersonalDataErased events that Erased names and that stand in other streams.
	Receipts []Placed
	// Payloads belong to Leaves, one each.
	Payloads []Payload
	// Opened and Erased are protected fields, by revision and pointer. Those that are in neither are withheld.
	Opened []Opened
	Erased []Erased
	// Witnessed are cosigned checkpoints from between the events, by ascending size: they tell when the events were
	// recorded. Consistency holds a proof for each.
	Witnessed []*Note
}

// Continuation shows that a tree continues its own first Size leaves.
type Continuation struct {
	Size  int64
	Proof Proof
}

// Placed is a leaf with its place in the tree.
type Placed struct {
	Index int64
	Leaf  []byte // as it was hashed
	Proof Proof  // of its inclusion
}

// Payload is what an event says: its metadata as stored, and its data in committed form.
type Payload struct {
	Metadata []byte
	Data     []byte // nil where it is withheld as a whole
}

// Opened is a protected field with what opens its commitment.
type Opened struct {
	Revision uint64
	Pointer  string // JSON pointer in the data
	Salt     Salt
	Value    []byte // JSON
}

// Erased is a protected field whose key was destroyed.
type Erased struct {
	Revision uint64
	Pointer  string
	Receipt  uuid.UUID // id of the PersonalDataErased event
}

// The files of a bundle, in their order.
const (
	fileManifest    = "MANIFEST"
	fileCheckpoint  = "checkpoint"
	fileConsistency = "consistency"
	fileLeaves      = "leaves"
	fileInclusion   = "inclusion"
	fileHead        = "head"
	fileReceipts    = "receipts"
	filePayloads    = "payloads"
	fileOpened      = "opened"
	fileWitnessed   = "witnessed"

	manifestTitle = "traga bundle 1\n"

	// What is believed of counts before memory is spent on them.
	maxLeaves       = 200_000
	maxFields       = 1_000_000
	maxContinuation = 10_000
)

func fileNames() []string {
	return []string{fileManifest, fileCheckpoint, fileConsistency, fileLeaves, fileInclusion, fileHead, fileReceipts, filePayloads, fileOpened, fileWitnessed}
}

// Prove fills in all proofs, and checks each: those of the leaves, whose bytes and places are there already, in the tree
// of Checkpoint, that of the stream's end in the map of heads, and those of the checkpoint continuing the trees of the
// sizes since and of the witnessed checkpoints. heads is the map as it was when the heads leaf was made.
func (b *Bundle) Prove(hashes tlog.HashReader, heads *HeadMap, since []int64) error {
	tree := b.Checkpoint.Tree
	prove := func(p *Placed) (err error) {
		p.Proof, err = tree.ProveHolds(p.Index, tlog.RecordHash(p.Leaf), hashes)
		return err
	}
	for _, list := range [][]Placed{b.Leaves, b.Receipts} {
		for i := range list {
			if err := prove(&list[i]); err != nil {
				return err
			}
		}
	}
	if err := prove(&b.Heads); err != nil {
		return err
	}
	if len(b.Leaves) == 0 {
		return fmt.Errorf("%w: a bundle without events", ErrFormat)
	}
	first, _, err := ParseLeaf(b.Leaves[0].Leaf)
	if err != nil || first == nil {
		return cmp.Or(err, fmt.Errorf("%w: the leaf of no event", ErrFormat))
	}
	if b.Head, err = heads.Prove(first.Tag); err != nil {
		return err
	}
	sizes := slices.Clone(since)
	for _, n := range b.Witnessed {
		sizes = append(sizes, n.Size)
	}
	slices.Sort(sizes)
	b.Consistency = nil
	for _, size := range slices.Compact(sizes) {
		if size <= 0 || size >= tree.Size {
			continue
		}
		_, proof, err := tree.ProveExtends(size, hashes)
		if err != nil {
			return err
		}
		b.Consistency = append(b.Consistency, Continuation{Size: size, Proof: proof})
	}
	return nil
}

// Bytes writes the bundle. The same bundle always gives the same bytes. It checks nothing: Verify does.
func (b *Bundle) Bytes() []byte {
	var consistency, leaves, inclusion, head, receipts, payloads, opened, witnessed []byte
	consistency = appendCount(consistency, len(b.Consistency))
	for _, c := range b.Consistency {
		consistency = binary.BigEndian.AppendUint64(consistency, uint64(c.Size))
		consistency = appendProof(consistency, c.Proof)
	}
	leaves, inclusion = appendCount(leaves, len(b.Leaves)), appendCount(inclusion, len(b.Leaves))
	for _, l := range b.Leaves {
		leaves = appendBytes(binary.BigEndian.AppendUint64(leaves, uint64(l.Index)), l.Leaf)
		inclusion = appendProof(inclusion, l.Proof)
	}
	head = appendPlaced(head, b.Heads)
	head = append(head, b.Head.Tag[:]...)
	head = binary.BigEndian.AppendUint64(head, b.Head.Revision)
	head = append(head, b.Head.Leaf[:]...)
	head = binary.BigEndian.AppendUint64(head, uint64(b.Head.Index))
	head = appendProof(head, b.Head.Proof)
	receipts = appendCount(receipts, len(b.Erased))
	for _, e := range b.Erased {
		receipts = appendBytes(binary.BigEndian.AppendUint64(receipts, e.Revision), []byte(e.Pointer))
		receipts = append(receipts, e.Receipt[:]...)
	}
	receipts = appendCount(receipts, len(b.Receipts))
	for _, r := range b.Receipts {
		receipts = appendPlaced(receipts, r)
	}
	payloads = appendCount(payloads, len(b.Payloads))
	for _, p := range b.Payloads {
		payloads = appendBytes(payloads, p.Metadata)
		payloads = append(payloads, presence(p.Data != nil))
		payloads = appendBytes(payloads, p.Data)
	}
	opened = appendCount(opened, len(b.Opened))
	for _, o := range b.Opened {
		opened = appendBytes(binary.BigEndian.AppendUint64(opened, o.Revision), []byte(o.Pointer))
		opened = appendBytes(append(opened, o.Salt[:]...), o.Value)
	}
	witnessed = appendCount(witnessed, len(b.Witnessed))
	for _, n := range b.Witnessed {
		witnessed = appendBytes(witnessed, n.Bytes())
	}
	files := []file{{fileManifest, nil}, {fileCheckpoint, b.Checkpoint.Bytes()}, {fileConsistency, consistency}, {fileLeaves, leaves},
		{fileInclusion, inclusion}, {fileHead, head}, {fileReceipts, receipts}, {filePayloads, payloads}, {fileOpened, opened}, {fileWitnessed, witnessed}}
	files[0].data = manifest(files[1:])
	return appendArchive(nil, files)
}

// manifest lists the files with their SHA-256 and size.
func manifest(files []file) []byte {
	b := []byte(manifestTitle)
	for _, f := range files {
		sum := sha256.Sum256(f.data)
		b = append(b, hex.EncodeToString(sum[:])+" "+strconv.Itoa(len(f.data))+" "+f.name+"\n"...)
	}
	return b
}

// ReadBundle reads what Bytes wrote, and believes it: to check it, see Verify. It fails with ErrFormat, also when it is not
// as its manifest says, and with ErrLimit.
func ReadBundle(b []byte) (*Bundle, error) {
	bundle, altered, err := readBundle(b)
	if err == nil && len(altered) > 0 {
		return nil, fmt.Errorf("%w: its %s was altered", ErrFormat, altered[0])
	}
	return bundle, err
}

// readBundle reads what Bytes wrote. altered names what is not as the manifest says, though it can be read; then the
// bundle is there for finding out what was altered, and is not to be believed.
func readBundle(b []byte) (bundle *Bundle, altered []string, err error) {
	files, exact, err := readArchive(b, fileNames())
	if err != nil {
		return nil, nil, err
	}
	if !strings.HasPrefix(string(files[0].data), manifestTitle) {
		return nil, nil, fmt.Errorf("%w: its %s does not begin with %q", ErrFormat, fileManifest, strings.TrimSpace(manifestTitle))
	}
	for _, f := range files[1:] {
		line := manifest([]file{f})[len(manifestTitle):]
		if !bytes.Contains(files[0].data, line) {
			altered = append(altered, f.name)
		}
	}
	if len(altered) == 0 && !bytes.Equal(files[0].data, manifest(files[1:])) {
		altered = append(altered, fileManifest)
	}
	if len(altered) == 0 && !exact {
		altered = append(altered, "the archive itself")
	}
	bundle, err = parseBundle(files)
	return bundle, altered, err
}

func parseBundle(files []file) (*Bundle, error) {
	b := &Bundle{}
	at := func(name string) *reader {
		i := slices.IndexFunc(files, func(f file) bool { return f.name == name })
		return &reader{files[i].data}
	}
	var err error
	if b.Checkpoint, err = ParseNote(at(fileCheckpoint).left); err != nil {
		return nil, err
	}

	r := at(fileConsistency)
	for range r.count(maxContinuation) {
		b.Consistency = append(b.Consistency, Continuation{Size: r.index(), Proof: r.proof()})
	}
	if err := r.end(fileConsistency); err != nil {
		return nil, err
	}
	if !slices.IsSortedFunc(b.Consistency, func(x, y Continuation) int { return ascending(cmp.Compare(x.Size, y.Size)) }) {
		return nil, fmt.Errorf("%w: %s is not in order", ErrFormat, fileConsistency)
	}

	r, proofs := at(fileLeaves), at(fileInclusion)
	n := r.count(maxLeaves)
	if proofs.count(maxLeaves) != n {
		return nil, fmt.Errorf("%w: %s and %s are not of the same events", ErrFormat, fileLeaves, fileInclusion)
	}
	for range n {
		b.Leaves = append(b.Leaves, Placed{Index: r.index(), Leaf: r.bytes(), Proof: proofs.proof()})
	}
	if err := cmp.Or(r.end(fileLeaves), proofs.end(fileInclusion)); err != nil {
		return nil, err
	}

	r = at(fileHead)
	b.Heads = r.placed()
	b.Head.Tag = Tag(r.take(16))
	b.Head.Revision = r.number(8)
	b.Head.Leaf = Hash(r.take(32))
	b.Head.Index = r.index()
	b.Head.Proof = r.proof()
	if err := r.end(fileHead); err != nil {
		return nil, err
	}

	r = at(fileReceipts)
	for range r.count(maxFields) {
		b.Erased = append(b.Erased, Erased{Revision: r.number(8), Pointer: string(r.bytes()), Receipt: uuid.UUID(r.take(16))})
	}
	for range r.count(maxLeaves) {
		b.Receipts = append(b.Receipts, r.placed())
	}
	if err := r.end(fileReceipts); err != nil {
		return nil, err
	}

	r = at(filePayloads)
	if r.count(maxLeaves) != n {
		return nil, fmt.Errorf("%w: %s and %s are not of the same events", ErrFormat, fileLeaves, filePayloads)
	}
	for range n {
		p := Payload{Metadata: r.bytes()}
		there := r.number(1)
		p.Data = r.bytes()
		switch {
		case there > 1 || there == 0 && len(p.Data) > 0:
			return nil, fmt.Errorf("%w: %s", ErrFormat, filePayloads)
		case there == 0:
			p.Data = nil
		}
		b.Payloads = append(b.Payloads, p)
	}
	if err := r.end(filePayloads); err != nil {
		return nil, err
	}

	r = at(fileOpened)
	for range r.count(maxFields) {
		b.Opened = append(b.Opened, Opened{Revision: r.number(8), Pointer: string(r.bytes()), Salt: Salt(r.take(32)), Value: r.bytes()})
	}
	if err := r.end(fileOpened); err != nil {
		return nil, err
	}

	r = at(fileWitnessed)
	for range r.count(maxContinuation) {
		note, err := ParseNote(r.bytes())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", fileWitnessed, err)
		}
		b.Witnessed = append(b.Witnessed, note)
	}
	if err := r.end(fileWitnessed); err != nil {
		return nil, err
	}
	return b, b.ordered()
}

// ordered checks that nothing stands twice and everything in its order, so that there is one way to write it.
func (b *Bundle) ordered() error {
	switch {
	case !slices.IsSortedFunc(b.Opened, func(x, y Opened) int {
		return ascending(cmp.Or(cmp.Compare(x.Revision, y.Revision), cmp.Compare(x.Pointer, y.Pointer)))
	}):
		return fmt.Errorf("%w: %s is not in order", ErrFormat, fileOpened)
	case !slices.IsSortedFunc(b.Erased, func(x, y Erased) int {
		return ascending(cmp.Or(cmp.Compare(x.Revision, y.Revision), cmp.Compare(x.Pointer, y.Pointer)))
	}):
		return fmt.Errorf("%w: %s is not in order", ErrFormat, fileReceipts)
	case !slices.IsSortedFunc(b.Receipts, func(x, y Placed) int { return ascending(cmp.Compare(x.Index, y.Index)) }):
		return fmt.Errorf("%w: %s is not in order", ErrFormat, fileReceipts)
	case !slices.IsSortedFunc(b.Witnessed, func(x, y *Note) int { return ascending(cmp.Compare(x.Size, y.Size)) }):
		return fmt.Errorf("%w: %s is not in order", ErrFormat, fileWitnessed)
	}
	return nil
}

// ascending makes of a comparison one by which equal neighbours are out of order too. slices.IsSortedFunc asks whether
// any element is less than the one before it.
func ascending(order int) int {
	if order == 0 {
		return -1
	}
	return order
}

func appendCount(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) }

func appendBytes(b, what []byte) []byte { return append(appendCount(b, len(what)), what...) }

func appendProof(b []byte, p Proof) []byte {
	b = append(b, byte(len(p)))
	for _, h := range p {
		b = append(b, h[:]...)
	}
	return b
}

func appendPlaced(b []byte, p Placed) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(p.Index))
	return appendProof(appendBytes(b, p.Leaf), p.Proof)
}

func presence(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// count reads a number of things; one beyond the limit, or beyond what the bytes left could hold, ends the reading.
func (r *reader) count(limit int) int {
	n := r.number(4)
	if n > uint64(limit) || n > uint64(len(r.left)) {
		r.left = nil
		return 0
	}
	return int(n)
}

func (r *reader) index() int64 {
	n := r.number(8)
	if n > MaxSize {
		r.left = nil
		return 0
	}
	return int64(n)
}

func (r *reader) bytes() []byte {
	n := r.number(4)
	if n > uint64(len(r.left)) {
		r.left = nil
		return nil
	}
	return r.take(int(n))
}

func (r *reader) proof() Proof {
	n := int(r.number(1))
	if n > maxProof || n*len(Hash{}) > len(r.left) {
		r.left = nil
		return nil
	}
	var p Proof
	for range n {
		p = append(p, Hash(r.take(32)))
	}
	return p
}

func (r *reader) placed() Placed {
	return Placed{Index: r.index(), Leaf: r.bytes(), Proof: r.proof()}
}
