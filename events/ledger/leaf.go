package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 hash: of a leaf, of a node of the tree, of bytes.
type Hash = tlog.Hash

// Tag stands for a stream in the ledger.
type Tag [16]byte

// ErrFormat is matched by the error of reading something that does not have the form that this package writes.
var ErrFormat = errors.New("not of the form that the ledger writes")

const (
	magic     = "TRGL"
	version   = 1
	kindEvent = 1
	kindHeads = 2

	// maxType is the longest type of event, in bytes.
	maxType = 256
)

// Entry is what the ledger sees of an event: as it is stored, protected fields sealed.
type Entry struct {
	ID         uuid.UUID
	Revision   uint64
	Type       string
	RecordedAt time.Time
	Metadata   []byte
	Data       []byte
}

// Leaf is an event in the ledger. The zero Previous is that of a stream's first event.
type Leaf struct {
	ID           uuid.UUID
	Tag          Tag
	Revision     uint64
	Previous     Hash
	Type         string
	Schema       uint32
	RecordedAt   int64 // microseconds since 1970
	OccurredAt   int64 // microseconds since 1970
	MetadataHash Hash
	DataHash     Hash
}

// NewLeaf makes the leaf of an event whose stream has this tag, and whose previous leaf has this hash. It fails with
// ErrFormat when the data holds a protected field that is not written as it should be.
func NewLeaf(tag Tag, previous Hash, e Entry) (Leaf, error) {
	committed, err := CommittedForm(e.Data)
	if err != nil {
		return Leaf{}, err
	}
	if len(e.Type) > maxType {
		return Leaf{}, fmt.Errorf("%w: a type of %d bytes", ErrFormat, len(e.Type))
	}
	schema, occurredAt := envelope(e.Metadata)
	return Leaf{ID: e.ID, Tag: tag, Revision: e.Revision, Previous: previous, Type: e.Type, Schema: schema,
		RecordedAt: e.RecordedAt.UnixMicro(), OccurredAt: occurredAt, MetadataHash: sha256.Sum256(e.Metadata), DataHash: sha256.Sum256(committed)}, nil
}

// Append appends the leaf's bytes to b.
func (l *Leaf) Append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, version, kindEvent)
	b = append(b, l.ID[:]...)
	b = append(b, l.Tag[:]...)
	b = binary.BigEndian.AppendUint64(b, l.Revision)
	b = append(b, l.Previous[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(l.Type)))
	b = append(b, l.Type...)
	b = binary.BigEndian.AppendUint32(b, l.Schema)
	b = binary.BigEndian.AppendUint64(b, uint64(l.RecordedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(l.OccurredAt))
	b = append(b, l.MetadataHash[:]...)
	return append(b, l.DataHash[:]...)
}

// Hash is the leaf's hash in the tree.
func (l *Leaf) Hash() Hash { return tlog.RecordHash(l.Append(nil)) }

// Heads is a leaf that commits to the end of every stream.
type Heads struct {
	Streams uint64
	Root    Hash
}

// Append appends the leaf's bytes to b.
func (h *Heads) Append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, version, kindHeads)
	b = binary.BigEndian.AppendUint64(b, h.Streams)
	return append(b, h.Root[:]...)
}

// ParseLeaf reads a leaf: exactly one of the results is set. Writing the result again gives the same bytes.
func ParseLeaf(b []byte) (*Leaf, *Heads, error) {
	if len(b) < 6 || string(b[:4]) != magic {
		return nil, nil, fmt.Errorf("%w: a leaf begins with %s", ErrFormat, magic)
	}
	if b[4] != version {
		return nil, nil, fmt.Errorf("%w: a leaf of version %d", ErrFormat, b[4])
	}
	kind, r := b[5], reader{b[6:]}
	switch kind {
	case kindEvent:
		l := &Leaf{}
		copy(l.ID[:], r.take(16))
		copy(l.Tag[:], r.take(16))
		l.Revision = r.number(8)
		copy(l.Previous[:], r.take(32))
		n := int(r.number(2))
		if n > maxType {
			return nil, nil, fmt.Errorf("%w: a type of %d bytes", ErrFormat, n)
		}
		l.Type = string(r.take(n))
		l.Schema = uint32(r.number(4))
		l.RecordedAt = int64(r.number(8))
		l.OccurredAt = int64(r.number(8))
		copy(l.MetadataHash[:], r.take(32))
		copy(l.DataHash[:], r.take(32))
		return l, nil, r.end("a leaf")
	case kindHeads:
		h := &Heads{Streams: r.number(8)}
		copy(h.Root[:], r.take(32))
		return nil, h, r.end("a leaf of heads")
	}
	return nil, nil, fmt.Errorf("%w: a leaf of kind %d", ErrFormat, kind)
}

// reader takes fields off a record of fixed layout. After it has run short it gives zeros, and end tells.
type reader struct{ left []byte }

func (r *reader) take(n int) []byte {
	if r.left == nil || n > len(r.left) {
		r.left = nil
		return make([]byte, n)
	}
	taken := r.left[:n:n]
	r.left = r.left[n:]
	return taken
}

func (r *reader) number(size int) uint64 {
	var n uint64
	for _, b := range r.take(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

func (r *reader) end(what string) error {
	switch {
	case r.left == nil:
		return fmt.Errorf("%w: %s ends too early", ErrFormat, what)
	case len(r.left) > 0:
		return fmt.Errorf("%w: %d bytes after the end of %s", ErrFormat, len(r.left), what)
	}
	return nil
}
