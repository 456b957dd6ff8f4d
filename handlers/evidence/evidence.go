// Package evidence makes evidence bundles of cases, shows the proof of a case, and verifies a whole log: what package
// ledger defines, over a real store and its keys. Every proof is checked before it is handed out.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/aggregates/access"
	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
)

// Ledger is what is needed of the store's ledger: a *sqlitestore.Ledger.
type Ledger interface {
	Tree(ctx context.Context) (ledger.Tree, error)
	Hashes(ctx context.Context) tlog.HashReader
	Place(ctx context.Context, p events.Position) (int64, error)
	Leaves(ctx context.Context, from, to int64) iter.Seq2[sqlitestore.Leaf, error]
	StreamLeaves(ctx context.Context, stream string, from uint64) iter.Seq2[sqlitestore.Leaf, error]
	Heads(ctx context.Context, size int64) (*ledger.HeadMap, error)
	CheckpointUpTo(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error)
	CheckpointFrom(ctx context.Context, size int64, cosigned bool) (c ledger.SignedCheckpoint, found bool, err error)
}

// Log is what is needed of the store, with personal data revealed: a *vault.Store, or a store that has no vault.
type Log interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error]
	Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error)
	Head(ctx context.Context) (events.Position, error)
}

// Opener opens protected fields of stored events: a *vault.Vault.
type Opener interface {
	Fields(ctx context.Context, stored *events.Recorded) ([]vault.Field, error)
}

// Source is where evidence is taken from. Its fields are set before it is used; then it is safe for concurrent use.
type Source struct {
	Ledger Ledger
	Log    Log
	Opener Opener // nil where there are no keys: then nothing is opened

	mu    sync.Mutex
	heads *ledger.HeadMap // the last map of heads that was asked for: making one looks at every stream
	size  int64           // of the tree that it is of
}

// Errors of asking for evidence.
var (
	// ErrNoSuchCase: nothing of the case is sealed yet.
	ErrNoSuchCase = errors.New("no such case is sealed yet")
	// ErrOtherLog: a checkpoint that was brought along is not of this log.
	ErrOtherLog = errors.New("the checkpoint is not of this log, or the log was altered since")
	// ErrNotWhole: the one who asks may not know of every entry, and evidence of a part of a case would be none.
	ErrNotWhole = errors.New("evidence shows that a case is complete, and this office may not know of all that can be in a case")
)

// Request says what a bundle is to hold.
type Request struct {
	Case string
	// Since are sizes of older trees that the reader has checkpoints of. Up to 1,000 of the log's own checkpoints are
	// always among them, the newest first.
	Since []int64
	// Open are the categories of protected fields that are opened.
	Open []events.Category
	// Sight is what the one who asks may see: what it hides is not opened, whatever Open says. Nil shows all.
	Sight *access.Decision
}

// Made is a bundle with what is said about it.
type Made struct {
	Bundle []byte
	Events int
	Opened int // fields
	Closed int // fields that are not opened, though they could be
	Erased int // fields
	// Later is how many entries of the case are not sealed yet, and therefore not in the bundle.
	Later int
	Size  int64 // of the checkpoint
}

// Make makes the bundle of a case at the latest checkpoint. It fails with ErrNoSuchCase, ledger.ErrNoCheckpoint,
// ErrNotWhole, and the errors of store and keys.
func (s *Source) Make(ctx context.Context, r Request) (*Made, error) {
	made, err := s.make(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("make the bundle of a case: %w", err)
	}
	return made, nil
}

func (s *Source) make(ctx context.Context, r Request) (*Made, error) {
	if r.Sight != nil && !r.Sight.KnowsOfMonitoring() {
		return nil, ErrNotWhole
	}
	made := &Made{}
	b := &ledger.Bundle{}
	stored, err := s.begin(ctx, r.Case, b, made)
	if err != nil {
		return nil, err
	}
	hidden, err := s.hidden(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range stored {
		if err := s.payload(ctx, b, made, &stored[i], &r, hidden[stored[i].ID]); err != nil {
			return nil, err
		}
	}
	if err := s.receipts(ctx, b, made); err != nil {
		return nil, err
	}
	if err := s.witnessed(ctx, b); err != nil {
		return nil, err
	}
	since, err := s.olderSizes(ctx, b.Checkpoint.Size)
	if err != nil {
		return nil, err
	}
	if err := s.proveIn(ctx, b, append(since, r.Since...)); err != nil {
		return nil, err
	}
	made.Bundle = b.Bytes()
	if v := ledger.Verify(made.Bundle, ledger.Trust{}); len(v.Problems) > 0 {
		return nil, damaged(fmt.Errorf("%w: %s", ledger.ErrFormat, v.Line()))
	}
	return made, nil
}

// damaged says of what does not prove that the store was altered. Any other error stays what it is.
func damaged(err error) error {
	for _, kind := range []error{ledger.ErrFormat, ledger.ErrFork, ledger.ErrRollback, ledger.ErrNotIncluded} {
		if errors.Is(err, kind) {
			return fmt.Errorf("%w: the ledger does not prove what the log holds: %w", events.ErrDamaged, err)
		}
	}
	return err
}

// begin finds the checkpoint and the case's sealed leaves, and returns the events as they are stored.
func (s *Source) begin(ctx context.Context, number string, b *ledger.Bundle, made *Made) (stored []events.Recorded, err error) {
	if _, err := events.ParseCase(number); err != nil {
		return nil, err
	}
	if b.Checkpoint, err = s.latest(ctx); err != nil {
		return nil, err
	}
	size := b.Checkpoint.Size
	made.Size = size
	for l, err := range s.Ledger.StreamLeaves(ctx, events.CaseStream(number), 0) {
		if err != nil {
			return nil, err
		}
		if l.Place >= size {
			made.Later++
			continue
		}
		b.Leaves = append(b.Leaves, ledger.Placed{Index: l.Place, Leaf: l.Bytes})
		stored = append(stored, l.Event)
	}
	if made.Events = len(stored); made.Events == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoSuchCase, number)
	}
	b.Heads, err = s.leafAt(ctx, size-1)
	return stored, err
}

// latest is the latest checkpoint.
func (s *Source) latest(ctx context.Context) (*ledger.Note, error) {
	c, found, err := s.Ledger.CheckpointUpTo(ctx, ledger.MaxSize, false)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ledger.ErrNoCheckpoint
	}
	return parse(&c)
}

func parse(c *ledger.SignedCheckpoint) (*ledger.Note, error) {
	n, err := ledger.ParseNote(c.Note)
	if err != nil {
		return nil, damaged(err)
	}
	return n, nil
}

func (s *Source) leafAt(ctx context.Context, place int64) (ledger.Placed, error) {
	for l, err := range s.Ledger.Leaves(ctx, place, place+1) {
		return ledger.Placed{Index: place, Leaf: l.Bytes}, err
	}
	return ledger.Placed{}, damaged(fmt.Errorf("%w: leaf %d is missing", ledger.ErrNotIncluded, place))
}

// hidden finds what the one who asks may not see of the case's events: by event, pointers into the data.
func (s *Source) hidden(ctx context.Context, r Request) (map[uuid.UUID][]string, error) {
	if r.Sight == nil {
		return nil, nil
	}
	hidden := make(map[uuid.UUID][]string)
	for stored, err := range s.Log.ReadStream(ctx, events.CaseStream(r.Case), 0) {
		if err != nil {
			return nil, err
		}
		e, err := events.Decode(&stored)
		if err != nil {
			return nil, err
		}
		masked := r.Sight.Mask(e)
		if masked == nil {
			return nil, ErrNotWhole
		}
		if masked == e {
			continue
		}
		for _, w := range masked.Withheld {
			if w.Reason == events.Hidden {
				hidden[e.ID] = append(hidden[e.ID], w.Pointer)
			}
		}
		if len(hidden[e.ID]) == 0 { // something is masked that no pointer names
			hidden[e.ID] = []string{""}
		}
	}
	return hidden, nil
}

// payload adds what an event says. A protected field that the reader may not see, or that nobody asked to open, stays
// committed. Where text is hidden that is not protected by itself, all of the data is withheld: its hash can't be shown
// without it.
func (s *Source) payload(ctx context.Context, b *ledger.Bundle, made *Made, stored *events.Recorded, r *Request, hidden []string) error {
	data, err := ledger.CommittedForm(stored.Data)
	if err != nil {
		return damaged(err)
	}
	var fields []vault.Field
	if s.Opener != nil {
		if fields, err = s.Opener.Fields(ctx, stored); err != nil {
			return err
		}
	}
	byPointer := func(pointer string) bool {
		return slices.ContainsFunc(fields, func(f vault.Field) bool { return f.Pointer == pointer })
	}
	for _, pointer := range hidden {
		if !byPointer(pointer) {
			b.Payloads = append(b.Payloads, ledger.Payload{Metadata: stored.Metadata})
			made.Closed += len(fields)
			return nil
		}
	}
	b.Payloads = append(b.Payloads, ledger.Payload{Metadata: stored.Metadata, Data: data})
	slices.SortFunc(fields, func(x, y vault.Field) int { return compareText(x.Pointer, y.Pointer) })
	for _, f := range fields {
		switch {
		case f.Receipt != uuid.Nil:
			b.Erased = append(b.Erased, ledger.Erased{Revision: stored.Revision, Pointer: f.Pointer, Receipt: f.Receipt})
		case slices.Contains(r.Open, f.Category) && !slices.Contains(hidden, f.Pointer):
			b.Opened = append(b.Opened, ledger.Opened{Revision: stored.Revision, Pointer: f.Pointer, Salt: f.Salt, Value: f.Value})
			made.Opened++
		default:
			made.Closed++
		}
	}
	return nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// receipts finds the leaves of erasures that stand in other streams. A field whose erasure is not sealed yet counts as not
// opened.
func (s *Source) receipts(ctx context.Context, b *ledger.Bundle, made *Made) error {
	own := make(map[uuid.UUID]bool)
	for _, p := range b.Leaves {
		if l, _, err := ledger.ParseLeaf(p.Leaf); err == nil && l != nil {
			own[l.ID] = true
		}
	}
	sealed := make(map[uuid.UUID]bool)
	for _, e := range b.Erased {
		if _, looked := sealed[e.Receipt]; looked || own[e.Receipt] {
			sealed[e.Receipt] = sealed[e.Receipt] || own[e.Receipt]
			continue
		}
		sealed[e.Receipt] = false
		receipt, found, err := s.Log.Lookup(ctx, e.Receipt)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		place, err := s.Ledger.Place(ctx, receipt.Position)
		if err != nil {
			return err
		}
		if place >= b.Checkpoint.Size {
			continue
		}
		leaf, err := s.leafAt(ctx, place)
		if err != nil {
			return err
		}
		b.Receipts = append(b.Receipts, leaf)
		sealed[e.Receipt] = true
	}
	slices.SortFunc(b.Receipts, func(x, y ledger.Placed) int { return int(x.Index - y.Index) })
	b.Erased = slices.DeleteFunc(b.Erased, func(e ledger.Erased) bool {
		if !sealed[e.Receipt] {
			made.Closed++
		}
		return !sealed[e.Receipt]
	})
	made.Erased = len(b.Erased)
	return nil
}

// witnessed finds, for each event, the last cosigned checkpoint before it and the first after it: they say when it was
// recorded.
func (s *Source) witnessed(ctx context.Context, b *ledger.Bundle) error {
	notes := make(map[int64]*ledger.Note)
	keep := func(c ledger.SignedCheckpoint, found bool, err error) error {
		if err != nil || !found || c.Size >= b.Checkpoint.Size || notes[c.Size] != nil {
			return err
		}
		notes[c.Size], err = parse(&c)
		return err
	}
	after := int64(-1) // of the event before: the first checkpoint after it
	for _, p := range b.Leaves {
		if p.Index < after {
			continue // between the same two
		}
		if err := keep(s.Ledger.CheckpointUpTo(ctx, p.Index, true)); err != nil {
			return err
		}
		c, found, err := s.Ledger.CheckpointFrom(ctx, p.Index+1, true)
		if err := keep(c, found, err); err != nil {
			return err
		}
		if after = ledger.MaxSize; found {
			after = c.Size
		}
	}
	for _, n := range notes {
		b.Witnessed = append(b.Witnessed, n)
	}
	slices.SortFunc(b.Witnessed, func(x, y *ledger.Note) int { return int(x.Size - y.Size) })
	return nil
}

const (
	// newest is how many of the newest checkpoints each bundle continues, spread how many of the older ones.
	newest = 500
	spread = 500
)

// olderSizes are the sizes of checkpoints that a reader is likely to have: the newest, and of the older ones as many, at
// even distances. Whoever has another asks for a bundle that is made for it.
func (s *Source) olderSizes(ctx context.Context, size int64) ([]int64, error) {
	var sizes []int64
	next := size - 1
	for i := range newest + spread {
		if next <= 0 {
			break
		}
		c, found, err := s.Ledger.CheckpointUpTo(ctx, next, false)
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
		sizes = append(sizes, c.Size)
		next = c.Size - 1
		if left := newest + spread - i; i >= newest {
			next = c.Size - max(1, c.Size/int64(left))
		}
	}
	return sizes, nil
}

// proveIn fills in the proofs of a bundle.
func (s *Source) proveIn(ctx context.Context, b *ledger.Bundle, since []int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.headsAt(ctx, b.Checkpoint.Size); err != nil {
		return err
	}
	if err := b.Prove(remembering(s.Ledger.Hashes(ctx)), s.heads, since); err != nil {
		return damaged(err)
	}
	return nil
}

// headsAt brings the map of heads to a size: by the leaves that came since, where it is of a smaller one.
func (s *Source) headsAt(ctx context.Context, size int64) error {
	if s.heads == nil || s.size > size {
		heads, err := s.Ledger.Heads(ctx, size)
		if err != nil {
			return err
		}
		s.heads, s.size = heads, size
		return nil
	}
	for l, err := range s.Ledger.Leaves(ctx, s.size, size) {
		if err != nil {
			s.heads = nil // it is neither of the one size nor of the other
			return err
		}
		if l.Event.ID != uuid.Nil {
			s.heads.Set(ledger.Head{Tag: l.Tag, Revision: l.Event.Revision, Leaf: l.Hash})
		}
	}
	s.size = size
	return nil
}

// remembering reads each hash once: the proofs of one bundle share most of theirs.
func remembering(r tlog.HashReader) tlog.HashReader {
	known := make(map[int64]ledger.Hash)
	return tlog.HashReaderFunc(func(indexes []int64) ([]ledger.Hash, error) {
		var ask []int64
		for _, i := range indexes {
			if _, ok := known[i]; !ok {
				ask = append(ask, i)
			}
		}
		found, err := r.ReadHashes(ask)
		if err != nil {
			return nil, err
		}
		for i, h := range found {
			known[ask[i]] = h
		}
		hashes := make([]ledger.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = known[index]
		}
		return hashes, nil
	})
}

// Continues checks that a checkpoint that someone brings along is of this log: that the log's tree of that size has its
// root. It fails with ErrOtherLog.
func (s *Source) Continues(ctx context.Context, n *ledger.Note) error {
	now, err := s.Ledger.Tree(ctx)
	if err != nil {
		return err
	}
	if n.Size > now.Size {
		return fmt.Errorf("%w: it is of %d leaves, the log has %d", ErrOtherLog, n.Size, now.Size)
	}
	old, _, err := now.ProveExtends(n.Size, s.Ledger.Hashes(ctx))
	if err != nil {
		return damaged(err)
	}
	if old.Root != n.Root {
		return fmt.Errorf("%w: of %d leaves it has another root", ErrOtherLog, n.Size)
	}
	return nil
}
