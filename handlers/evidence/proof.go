package evidence

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/access"
	"traga.internal/events/ledger"
)

// Proof is what the log shows of a case without telling what is in it. Hashes are in base64. Its JSON is a contract.
type Proof struct {
	Case       string       `json:"case"`
	Checkpoint string       `json:"checkpoint" doc:"the latest signed checkpoint, as text (C2SP tlog-checkpoint)"`
	Size       int64        `json:"size" doc:"leaves of the tree"`
	Root       string       `json:"root" doc:"its root, in base64"`
	Revision   uint64       `json:"revision" doc:"of the last entry that is sealed"`
	Later      int          `json:"later" doc:"entries that are recorded but not sealed yet"`
	Witnesses  []CosignedBy `json:"witnesses" doc:"who cosigned, by the name of the key; whether a signature holds, its reader checks"`
	Entries    []ProofEntry `json:"entries"`
	Head       ProofHead    `json:"head"`
}

// CosignedBy is a signature under the checkpoint that is not the log's own.
type CosignedBy struct {
	Name string `json:"name"`
}

// ProofEntry is the proof of one entry: that its leaf stands in the tree.
type ProofEntry struct {
	Revision   uint64    `json:"revision"`
	ID         uuid.UUID `json:"id"`
	Type       string    `json:"type"`
	RecordedAt time.Time `json:"recordedAt"`
	Index      int64     `json:"leaf" doc:"place in the tree, from 0"`
	Hash       string    `json:"hash" doc:"of the leaf"`
	Inclusion  []string  `json:"inclusion" doc:"RFC 6962 audit path, from the leaf up"`
}

// ProofHead is the proof that the last entry is the last: the case's place in the map of heads.
type ProofHead struct {
	Index     int64    `json:"leaf" doc:"place of the leaf of heads"`
	Leaf      string   `json:"bytes" doc:"the leaf of heads"`
	Inclusion []string `json:"inclusion"`
	Place     int64    `json:"place" doc:"the case's place in the map of heads"`
	Streams   uint64   `json:"streams" doc:"size of the map"`
	Map       []string `json:"map" doc:"RFC 6962 audit path in the map"`
}

// Prove shows the proof of a case at the latest checkpoint, for one who may know of every entry. It fails as Make does.
func (s *Source) Prove(ctx context.Context, number string, sight *access.Decision) (*Proof, error) {
	p, err := s.prove(ctx, number, sight)
	if err != nil {
		return nil, fmt.Errorf("show the proof of a case: %w", err)
	}
	return p, nil
}

func (s *Source) prove(ctx context.Context, number string, sight *access.Decision) (*Proof, error) {
	if sight != nil && !sight.KnowsOfMonitoring() {
		return nil, ErrNotWhole
	}
	var (
		b    ledger.Bundle
		made Made
	)
	stored, err := s.begin(ctx, number, &b, &made)
	if err != nil {
		return nil, err
	}
	if err := s.proveIn(ctx, &b, nil); err != nil {
		return nil, err
	}
	_, mapLeaf, err := ledger.ParseLeaf(b.Heads.Leaf)
	if err != nil || mapLeaf == nil {
		return nil, damaged(fmt.Errorf("%w: leaf %d is none of heads", ledger.ErrFormat, b.Heads.Index))
	}
	if err := b.Head.Check(*mapLeaf); err != nil {
		return nil, damaged(err)
	}
	p := &Proof{Case: number, Checkpoint: string(b.Checkpoint.Bytes()), Size: b.Checkpoint.Size, Root: text(b.Checkpoint.Root[:]),
		Revision: uint64(len(stored) - 1), Later: made.Later, Witnesses: []CosignedBy{}, Entries: []ProofEntry{},
		Head: ProofHead{Index: b.Heads.Index, Leaf: text(b.Heads.Leaf), Inclusion: texts(b.Heads.Proof), Place: b.Head.Index, Streams: mapLeaf.Streams, Map: texts(b.Head.Proof)}}
	for _, sig := range b.Checkpoint.Signatures {
		if sig.Name != b.Checkpoint.Origin {
			p.Witnesses = append(p.Witnesses, CosignedBy{sig.Name})
		}
	}
	for i, e := range stored {
		hash := ledger.LeafHash(b.Leaves[i].Leaf)
		p.Entries = append(p.Entries, ProofEntry{Revision: e.Revision, ID: e.ID, Type: e.Type, RecordedAt: e.RecordedAt, Index: b.Leaves[i].Index,
			Hash: text(hash[:]), Inclusion: texts(b.Leaves[i].Proof)})
	}
	return p, nil
}

func text(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func texts(p ledger.Proof) []string {
	list := make([]string, len(p))
	for i, h := range p {
		list[i] = text(h[:])
	}
	return list
}

// Checkpoint is the latest checkpoint, or fails with ledger.ErrNoCheckpoint.
func (s *Source) Checkpoint(ctx context.Context) (*ledger.Note, time.Time, error) {
	c, found, err := s.Ledger.CheckpointUpTo(ctx, ledger.MaxSize, false)
	if err == nil && !found {
		err = ledger.ErrNoCheckpoint
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the latest checkpoint: %w", err)
	}
	n, err := parse(&c)
	return n, c.SignedAt, err
}

// CheckpointOf is the checkpoint of a size, or fails with ledger.ErrNoCheckpoint.
func (s *Source) CheckpointOf(ctx context.Context, size int64) (*ledger.Note, error) {
	c, found, err := s.Ledger.CheckpointUpTo(ctx, size, false)
	if err == nil && (!found || c.Size != size) {
		err = ledger.ErrNoCheckpoint
	}
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint of %d leaves: %w", size, err)
	}
	return parse(&c)
}
