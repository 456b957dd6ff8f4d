package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// Whose data an erasure is about.
type Whose string

// The values of ErasureRequested.whose.
const (
	Everybody Whose = ""
	ThePerson Whose = "person"
	Relatives Whose = "relatives"
)

// ReceiptOf is the id of the PersonalDataErased that completes a request for erasure: known before it is recorded, so
// that whoever carries the request out twice records it once.
func ReceiptOf(request uuid.UUID) uuid.UUID { return events.DeriveID("erased", request.String()) }

// Erase destroys the keys of the person whose case a stream is, in all the person's cases of the jurisdiction, and returns
// the ids of all keys that this receipt stands for. When it returns they are gone from the disk. Doing it again, also
// after a crash at any point, destroys what is left and returns the same. What is appended afterwards is under new keys.
func (s *Store) Erase(ctx context.Context, stream string, whose Whose, receipt uuid.UUID) ([]string, error) {
	v := s.vault
	switch {
	case v.keys == nil:
		return nil, fmt.Errorf("erase: %w", ErrNoKeystore)
	case v.readOnly:
		return nil, fmt.Errorf("erase: %w", ErrReadOnly)
	}
	first, found, err := s.first(ctx, stream)
	if err != nil || !found {
		return nil, fmt.Errorf("erase: find whose case it is: %w", errors.Join(err, events.ErrInvalidAppend))
	}
	of, err := v.ownerBy(stream, &events.Proposed{Type: first.Type, Metadata: first.Metadata, Data: first.Data})
	if err != nil {
		return nil, fmt.Errorf("erase: %w", err)
	}
	switch whose {
	case ThePerson:
		of.relatives = of.person
	case Relatives:
		of.person = of.relatives
	}
	v.using.Lock() // appends that are under way end first
	defer v.using.Unlock()
	ids, err := v.keys.destroy(ctx, receipt, v.clock(), "person IN (?, ?)", of.person[:], of.relatives[:])
	if err != nil {
		return nil, fmt.Errorf("erase: %w", err)
	}
	return ids, v.again(ctx)
}

// again makes this process forget what it remembers of the keystore.
func (v *Vault) again(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget()
	return v.relook(ctx, v.version)
}

// Cases are the streams of all cases of the person whose case a stream is, in that jurisdiction.
func (s *Store) Cases(ctx context.Context, stream string) ([]string, error) {
	v := s.vault
	if v.keys == nil {
		return nil, fmt.Errorf("look for a person's cases: %w", ErrNoKeystore)
	}
	whose := func(stream string) (owner, error) {
		first, found, err := s.first(ctx, stream)
		if err != nil || !found {
			return owner{}, err
		}
		return v.ownerBy(stream, &events.Proposed{Type: first.Type, Metadata: first.Metadata, Data: first.Data})
	}
	of, err := whose(stream)
	if err != nil {
		return nil, fmt.Errorf("look for a person's cases: %w", err)
	}
	noted, err := texts(ctx, v.keys.reads, "SELECT stream FROM cases WHERE person = ? ORDER BY stream", of.person[:])
	if err != nil {
		return nil, explain("look for a person's cases", err)
	}
	list := []string{stream}
	for _, other := range noted {
		// A case may be noted, and then another one opened under its number.
		if theirs, err := whose(other); err != nil {
			return nil, fmt.Errorf("look for a person's cases: %w", err)
		} else if other != stream && theirs == of {
			list = append(list, other)
		}
	}
	return list, nil
}

// Request is a request for erasure that was not carried out yet.
type Request struct {
	Event  uuid.UUID // the ErasureRequested
	Stream string
}

// Requests are the requests for erasure that wait, as of the last Settle.
func (s *Store) Requests(ctx context.Context) (list []Request, err error) {
	if s.vault.keys == nil {
		return nil, nil
	}
	rows, err := s.vault.keys.reads.QueryContext(ctx, "SELECT event, stream FROM requests ORDER BY stream, event")
	if err != nil {
		return nil, explain("list the requests for erasure", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Request
		var id []byte
		if err := rows.Scan(&id, &r.Stream); err != nil {
			return nil, explain("list the requests for erasure", err)
		}
		copy(r.Event[:], id)
		list = append(list, r)
	}
	return list, explain("list the requests for erasure", rows.Err())
}

// settling are the types of events that the keystore takes note of, and settledPage how many events it may lag behind.
var settling = events.Filter{Types: []string{"CaseOpened", "ErasureRequested", "PersonalDataErased"}}

const settledPage = 10_000

// Settle brings the keystore up to date with the log: it destroys the keys that the log says were destroyed, so that a
// keystore restored from a backup brings nothing back, and notes each person's cases and the requests for erasure. It is
// done before the first field is revealed; call it as the log grows. It returns how far it looked. A vault that is open
// for reading only does not change the keystore, and does not use keys that the log says were destroyed.
func (s *Store) Settle(ctx context.Context) (events.Position, error) {
	v := s.vault
	if v.keys == nil {
		s.settled.Store(true)
		return events.Start, nil
	}
	v.settling.Lock()
	defer v.settling.Unlock()
	at, err := s.settle(ctx)
	if err != nil {
		return at, fmt.Errorf("bring the keystore up to date with the log: %w", err)
	}
	s.settled.Store(true)
	return at, nil
}

func (s *Store) settle(ctx context.Context) (events.Position, error) {
	v := s.vault
	head, err := s.inner.Head(ctx)
	if err != nil {
		return events.Start, err
	}
	v.mu.RLock()
	kept, there := v.state.settled, v.state.there
	v.mu.RUnlock()
	at := kept
	if v.settled != events.Start {
		at = v.settled
	} else if there != uuid.Nil {
		same, err := s.Holds(ctx, at, there)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
		case err != nil:
			return at, err
		case !same: // it is a copy of the log, with positions of its own, or another one
			at, kept = events.Start, events.Start
		}
	}
	if at.After(head) { // an older log was put in its place
		at, kept = events.Start, head
	}
	for more := true; more; {
		page, err := s.inner.ReadAll(ctx, at, 1000, settling)
		if err != nil {
			return at, err
		}
		if err := s.note(ctx, page.Events); err != nil {
			return at, err
		}
		at, more = page.Scanned, page.More
		if !v.readOnly && (len(page.Events) > 0 || at.Commit-min(at.Commit, kept.Commit) >= settledPage) {
			// A crash before this line: the page is looked at again, which changes nothing.
			var there any
			if page.ScannedID != uuid.Nil {
				there = page.ScannedID[:]
			}
			if _, err := v.keys.writes.ExecContext(ctx, "UPDATE keystore SET settled_commit = ?, settled_prepare = ?, settled_id = ?",
				int64(at.Commit), int64(at.Prepare), there); err != nil {
				return at, explain("note how far", err)
			}
			kept = at
		}
		v.settled = at
	}
	return at, nil
}

// note takes note of events.
func (s *Store) note(ctx context.Context, page []events.Recorded) error {
	v := s.vault
	for i := range page {
		r := &page[i]
		var err error
		switch {
		case r.Type == "PersonalDataErased":
			err = s.noteErased(ctx, r)
		case v.readOnly:
		case r.Type == "CaseOpened" && r.Revision == 0:
			var of owner
			if of, err = v.ownerBy(r.Stream, &events.Proposed{Type: r.Type, Metadata: r.Metadata, Data: r.Data}); err == nil {
				_, err = v.keys.writes.ExecContext(ctx, "INSERT OR IGNORE INTO cases (person, stream) VALUES (?, ?)", of.person[:], r.Stream)
			}
		case r.Type == "ErasureRequested":
			var erasure string
			if err = members(r.Data, map[string]*string{"erasure": &erasure}); err == nil {
				_, err = v.keys.writes.ExecContext(ctx, "INSERT OR IGNORE INTO requests (event, stream, erasure) VALUES (?, ?, ?)", r.ID[:], r.Stream, erasure)
			}
		}
		if err != nil {
			return explain("take note of event "+r.ID.String(), err)
		}
	}
	return nil
}

// noteErased destroys what an event says was destroyed. One that does not name the keys, from a scenario, means all
// under which its case was protected until then.
func (s *Store) noteErased(ctx context.Context, r *events.Recorded) error {
	v := s.vault
	e, err := events.Decode(r)
	if err != nil {
		return err
	}
	erased := e.Data.(*events.PersonalDataErased)
	ids := erased.KeyIDs
	if ids == nil {
		if ids, err = s.keysBefore(ctx, r); err != nil {
			return err
		}
	}
	if v.readOnly {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, id := range ids {
			v.replayed[id] = tombstone{r.ID, r.RecordedAt}
		}
		return nil
	}
	if len(ids) > 0 {
		v.using.Lock()
		defer v.using.Unlock()
		which, args := "id IN (?", []any{ids[0]}
		for _, id := range ids[1:] {
			which, args = which+", ?", append(args, id)
		}
		if _, err := v.keys.destroy(ctx, r.ID, r.RecordedAt, which+")", args...); err != nil {
			return err
		}
		if err := v.again(ctx); err != nil {
			return err
		}
	}
	_, err = v.keys.writes.ExecContext(ctx, "DELETE FROM requests WHERE stream = ? AND erasure = ?", r.Stream, string(erased.Erasure))
	return err
}

// keysBefore are the keys under which a case was protected before an event of its stream.
func (s *Store) keysBefore(ctx context.Context, until *events.Recorded) ([]string, error) {
	seen := map[string]bool{}
	var ids []string
	for r, err := range s.inner.ReadStream(ctx, until.Stream, 0) {
		if err != nil {
			return nil, err
		}
		if r.Revision >= until.Revision {
			break
		}
		for rest := []byte(r.Data); bytes.Contains(rest, sealedBegin); {
			_, field, after, found, err := ledger.NextSealed(rest)
			if err != nil || !found {
				return nil, err
			}
			if !seen[field.Key] {
				seen[field.Key] = true
				ids = append(ids, field.Key)
			}
			rest = after
		}
	}
	return ids, nil
}
