package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"traga.internal/events/ledger"
)

// Alteration says what was altered in a copy.
type Alteration struct {
	Revision      uint64
	Type          string
	Before, After time.Time // when the entry says that it happened
}

// errNothingToAlter: no entry of the bundle says when it happened.
var errNothingToAlter = errors.New("no entry of the bundle says when it happened")

// Tamper makes a copy of a bundle in which the last entry after the first says that it happened a day earlier, as a forger
// would want who was late and knows how bundles are written: everything else fits again. It is for showing that a verifier
// finds it.
func Tamper(bundle []byte) ([]byte, Alteration, error) {
	b, err := ledger.ReadBundle(bundle)
	if err != nil {
		return nil, Alteration{}, fmt.Errorf("alter a copy: %w", err)
	}
	for i := len(b.Payloads) - 1; i >= 0; i-- {
		leaf, _, err := ledger.ParseLeaf(b.Leaves[i].Leaf)
		if err != nil || leaf == nil {
			continue
		}
		before := time.UnixMicro(leaf.OccurredAt).UTC()
		const name = `"occurredAt":"`
		start := bytes.Index(b.Payloads[i].Metadata, []byte(name))
		if start < 0 {
			continue
		}
		rest := b.Payloads[i].Metadata[start+len(name):]
		end := bytes.IndexByte(rest, '"')
		said, err := time.Parse(time.RFC3339Nano, string(rest[:max(end, 0)]))
		if err != nil {
			continue
		}
		metadata := bytes.Clone(b.Payloads[i].Metadata[:start+len(name)])
		metadata = said.AddDate(0, 0, -1).AppendFormat(metadata, time.RFC3339Nano)
		b.Payloads[i].Metadata = append(metadata, rest[end:]...)
		return b.Bytes(), Alteration{Revision: leaf.Revision, Type: leaf.Type, Before: before, After: before.AddDate(0, 0, -1)}, nil
	}
	return nil, Alteration{}, errNothingToAlter
}
