package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// Store is a log whose protected fields are readable through it only. What it passes on of the log behind it, such as
// Lookup, fails with errors.ErrUnsupported where that has no such thing.
type Store struct {
	inner events.Store
	vault *Vault
	// settled: what the log says was erased was looked at once, so that fields may be revealed.
	settled atomic.Bool
}

var _ events.Store = (*Store)(nil)

// Wrap makes the store that protects what is appended to inner and reveals what is read from it.
func (v *Vault) Wrap(inner events.Store) *Store { return &Store{inner: inner, vault: v} }

// freshness is how long an append may go on with what is remembered of the keystore, should another process change it.
const freshness = 50 * time.Millisecond

// Append implements events.Store. The keys are durable before the events are: a crash in between leaves keys that
// nothing is under. It fails with an *events.TooLargeError when the events are too large once they are protected.
func (s *Store) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	if !protects(proposed) {
		return s.inner.Append(ctx, stream, expected, proposed...)
	}
	s.vault.using.RLock()
	defer s.vault.using.RUnlock()
	calls := [...]events.Call{{Stream: stream, Expected: expected, Proposed: proposed}}
	if err := s.seal(ctx, calls[:]); err != nil {
		return events.Appended{}, fmt.Errorf("append: %w", err)
	}
	return s.inner.Append(ctx, stream, expected, calls[0].Proposed...)
}

// AppendSeries is Append for many calls, in few transactions; see sqlitestore.
func (s *Store) AppendSeries(ctx context.Context, calls ...events.Call) error {
	inner, ok := s.inner.(interface {
		AppendSeries(context.Context, ...events.Call) error
	})
	if !ok {
		return fmt.Errorf("append: %w", errors.ErrUnsupported)
	}
	s.vault.using.RLock()
	defer s.vault.using.RUnlock()
	calls = slices.Clone(calls)
	if err := s.seal(ctx, calls); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return inner.AppendSeries(ctx, calls...)
}

// protects reports whether one of the events can hold a protected field.
func protects(proposed []events.Proposed) bool {
	for i := range proposed {
		if k, ok := events.KindOf(proposed[i].Type); ok && k.Protects() {
			return true
		}
	}
	return false
}

// StoredSize is how many bytes an event takes once it is protected, at most: for EntryCorrected, of which only its stream
// tells what is protected, it may be more than that.
func (s *Store) StoredSize(p events.Proposed) int {
	size := len(p.Type) + len(p.Metadata) + len(p.Data)
	k, ok := events.KindOf(p.Type)
	if !ok || !k.Protects() {
		return size
	}
	fields, err := k.ProtectedFields(p.Data, func(uuid.UUID) (string, error) { return "", errNoJSON })
	if err != nil {
		fields = make([]events.ProtectedField, bytes.Count(p.Data, []byte(`":`)))
		size += len(p.Data)/3 + 1
	}
	for _, f := range fields {
		size += sealedLength(f.End-f.Start) - (f.End - f.Start)
	}
	return size
}

// sealedLength is the length of a protected field as it is stored, by that of its value.
func sealedLength(value int) int {
	var c ledger.Commitment
	return len((&ledger.Sealed{Key: strings.Repeat("k", keyIDLength), Commitment: c}).Append(nil)) + base64.RawURLEncoding.EncodedLen(boxOverhead+padded(value))
}

// keyIDLength is that of 16 bytes in base64url.
const keyIDLength = 22

// toSeal is a protected field of an event that is to be appended.
type toSeal struct {
	events.ProtectedField
	call, event int
	lot         int // which of the keys
}

// seal replaces the proposed events of calls by protected ones. All keys that are missing are made at once.
func (s *Store) seal(ctx context.Context, calls []events.Call) error {
	if s.vault.readOnly {
		return ErrReadOnly
	}
	if err := s.vault.look(ctx, freshness); err != nil {
		return err
	}
	var fields []toSeal
	for c := range calls {
		for i := range calls[c].Proposed {
			p := &calls[c].Proposed[i]
			k, ok := events.KindOf(p.Type)
			if !ok || !k.Protects() {
				continue
			}
			list, err := k.ProtectedFields(p.Data, s.typeIn(ctx, calls[:c+1]))
			if err != nil {
				return err
			}
			for _, f := range list {
				fields = append(fields, toSeal{f, c, i, 0})
			}
		}
	}
	if len(fields) == 0 {
		return nil
	}
	lots, told, err := s.sort(ctx, calls, fields)
	if err != nil {
		return err
	}
	keys, err := s.vault.writing(ctx, lots, told)
	if err != nil {
		return err
	}
	for n := 0; n < len(fields); {
		call, event := fields[n].call, fields[n].event
		if n == 0 || fields[n-1].call != call {
			calls[call].Proposed = slices.Clone(calls[call].Proposed)
		}
		p := &calls[call].Proposed[event]
		from, at := p.Data, 0
		data := make([]byte, 0, len(from)*3/2+256)
		for ; n < len(fields) && fields[n].call == call && fields[n].event == event; n++ {
			f := &fields[n]
			k := keys[f.lot]
			box, c := seal(k.aead, p.ID, f.Pointer, from[f.Start:f.End])
			data = append(data, from[at:f.Start]...)
			data = (&ledger.Sealed{Key: k.id, Commitment: c, Box: box}).Append(data)
			at = f.End
		}
		p.Data = append(data, from[at:]...)
	}
	return nil
}

// ownership is a case that the keystore may not know yet as its person's.
type ownership struct {
	stream string
	of     owner
}

// sort works out which key each field needs, and which streams the keystore has to be told of.
func (s *Store) sort(ctx context.Context, calls []events.Call, fields []toSeal) (lots []lot, told []ownership, err error) {
	place := map[lot]int{}
	owners := map[string]owner{}
	for i := range fields {
		f := &fields[i]
		stream := calls[f.call].Stream
		of, ok := owners[stream]
		if !ok {
			begins := slices.IndexFunc(calls, func(c events.Call) bool { return c.Stream == stream && len(c.Proposed) > 0 })
			var known bool
			if of, known, err = s.owner(ctx, stream, &calls[begins].Proposed[0]); err != nil {
				return nil, nil, err
			}
			if !known {
				told = append(told, ownership{stream, of})
			}
			owners[stream] = of
		}
		l := lot{person: of.person, category: f.Category}
		if f.Relative {
			l.person = of.relatives
		}
		if f.lot, ok = place[l]; !ok {
			f.lot = len(lots)
			place[l] = f.lot
			lots = append(lots, l)
		}
	}
	return lots, told, nil
}

// owner is whose a stream is: by its first event, or by the one that is to be its first. told says that the keystore
// knows it; what is to be first is not remembered, since another may come first.
func (s *Store) owner(ctx context.Context, stream string, first *events.Proposed) (of owner, told bool, err error) {
	v := s.vault
	v.mu.RLock()
	of, told = v.streams[stream]
	v.mu.RUnlock()
	if told {
		return of, true, nil
	}
	stored, found, err := s.first(ctx, stream)
	if err != nil {
		return owner{}, false, err
	}
	if found {
		first = &events.Proposed{Type: stored.Type, Metadata: stored.Metadata, Data: stored.Data}
	}
	if of, err = v.ownerBy(stream, first); err != nil || !found {
		return of, false, err
	}
	if told, err = v.keys.knows(ctx, of.person, stream); err != nil || !told {
		return of, false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.streams) >= maxRemembered {
		clear(v.streams)
	}
	v.streams[stream] = of
	return of, true, nil
}

// first reads a stream's first event, as it is stored.
func (s *Store) first(ctx context.Context, stream string) (events.Recorded, bool, error) {
	for r, err := range s.inner.ReadStream(ctx, stream, 0) {
		return r, err == nil, err
	}
	return events.Recorded{}, false, nil
}

// ownerBy reads whose a stream is out of its first event.
func (v *Vault) ownerBy(stream string, first *events.Proposed) (owner, error) {
	if first != nil && first.Type == "CaseOpened" {
		var opened struct{ Subject string }
		var envelope struct{ Case string }
		if err := errors.Join(members(first.Data, map[string]*string{"subject": &opened.Subject}), members(first.Metadata, map[string]*string{"case": &envelope.Case})); err != nil {
			return owner{}, fmt.Errorf("read whose case it is: %w", err)
		}
		if j, err := events.ParseCase(envelope.Case); err == nil {
			return owner{v.person("person", string(j), opened.Subject), v.person("relatives", string(j), opened.Subject)}, nil
		}
	}
	return owner{v.person("stream", stream), v.person("stream", stream)}, nil
}

// members reads texts out of a JSON object.
func members(object []byte, want map[string]*string) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(object))
	if _, err := d.ReadToken(); err != nil {
		return errNoJSON
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return errNoJSON
		}
		to := want[t.String()]
		if to == nil || d.PeekKind() != '"' {
			if err := d.SkipValue(); err != nil {
				return errNoJSON
			}
			continue
		}
		v, err := d.ReadToken()
		if err != nil {
			return errNoJSON
		}
		*to = v.String()
	}
	return nil
}

var errNoJSON = errors.New("it is no JSON object")

// typeIn finds the type of an event in the stream of the last call, stored or in one of the calls.
func (s *Store) typeIn(ctx context.Context, calls []events.Call) func(uuid.UUID) (string, error) {
	return func(id uuid.UUID) (string, error) {
		stream := calls[len(calls)-1].Stream
		for _, c := range calls {
			for i := range c.Proposed {
				if c.Stream == stream && c.Proposed[i].ID == id {
					return c.Proposed[i].Type, nil
				}
			}
		}
		for r, err := range s.inner.ReadStream(ctx, stream, 0) {
			if err != nil {
				return "", err
			}
			if r.ID == id {
				return r.Type, nil
			}
		}
		return "", fmt.Errorf("%w: it is about an event that is not in its stream", events.ErrInvalidAppend)
	}
}

// ReadStream implements events.Store.
func (s *Store) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		if err := s.vault.look(ctx, 0); err != nil {
			yield(events.Recorded{}, fmt.Errorf("read stream: %w", err))
			return
		}
		for r, err := range s.inner.ReadStream(ctx, stream, from) {
			if err == nil {
				if err = s.reveal(ctx, &r); err != nil {
					yield(events.Recorded{}, fmt.Errorf("read stream: %w", err))
					return
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// ReadAll implements events.Store.
func (s *Store) ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error) {
	page, err := s.inner.ReadAll(ctx, after, limit, filter)
	if err != nil {
		return page, err
	}
	if err := s.vault.look(ctx, 0); err != nil {
		return events.Page{}, fmt.Errorf("read log: %w", err)
	}
	for i := range page.Events {
		if err := s.reveal(ctx, &page.Events[i]); err != nil {
			return events.Page{}, fmt.Errorf("read log: %w", err)
		}
	}
	return page, nil
}

// Lookup finds an event by its id.
func (s *Store) Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error) {
	inner, ok := s.inner.(interface {
		Lookup(context.Context, uuid.UUID) (events.Recorded, bool, error)
	})
	if !ok {
		return events.Recorded{}, false, fmt.Errorf("look up an event: %w", errors.ErrUnsupported)
	}
	r, found, err := inner.Lookup(ctx, id)
	if err != nil || !found {
		return r, found, err
	}
	if err = s.vault.look(ctx, 0); err == nil {
		err = s.reveal(ctx, &r)
	}
	if err != nil {
		return events.Recorded{}, false, fmt.Errorf("look up an event: %w", err)
	}
	return r, true, nil
}

// Event finds the event at a position; see events.EventAt.
func (s *Store) Event(ctx context.Context, at events.Position) (events.Recorded, bool, error) {
	r, found, err := events.EventAt(ctx, s.inner, at)
	if err != nil || !found {
		return r, found, err
	}
	if err = s.vault.look(ctx, 0); err == nil {
		err = s.reveal(ctx, &r)
	}
	if err != nil {
		return events.Recorded{}, false, fmt.Errorf("find the event at position %s: %w", at, err)
	}
	return r, true, nil
}

// Holds reports whether the event with this id, of anyone, stands at this position.
func (s *Store) Holds(ctx context.Context, at events.Position, id uuid.UUID) (bool, error) {
	if inner, ok := s.inner.(interface {
		Holds(context.Context, events.Position, uuid.UUID) (bool, error)
	}); ok {
		return inner.Holds(ctx, at, id)
	}
	r, found, err := events.EventAt(ctx, s.inner, at)
	return found && r.ID == id, err
}

// Head implements events.Store.
func (s *Store) Head(ctx context.Context) (events.Position, error) { return s.inner.Head(ctx) }

// Changed implements events.Store.
func (s *Store) Changed(after events.Position) <-chan struct{} { return s.inner.Changed(after) }

// PositionAt is the position of the last event recorded at t or before.
func (s *Store) PositionAt(ctx context.Context, t time.Time) (events.Position, error) {
	if inner, ok := s.inner.(interface {
		PositionAt(context.Context, time.Time) (events.Position, error)
	}); ok {
		return inner.PositionAt(ctx, t)
	}
	return events.Start, fmt.Errorf("find the position of an instant: %w", errors.ErrUnsupported)
}

// Check checks the log behind, as it does itself.
func (s *Store) Check(ctx context.Context) error {
	if inner, ok := s.inner.(interface{ Check(context.Context) error }); ok {
		return inner.Check(ctx)
	}
	return fmt.Errorf("check the store: %w", errors.ErrUnsupported)
}

// Size is the room that the log takes on disk in bytes.
func (s *Store) Size(ctx context.Context) (int64, error) {
	if inner, ok := s.inner.(interface {
		Size(context.Context) (int64, error)
	}); ok {
		return inner.Size(ctx)
	}
	return 0, fmt.Errorf("measure the store: %w", errors.ErrUnsupported)
}

// Close closes the log behind. The vault stays open.
func (s *Store) Close() error { return s.inner.Close() }
