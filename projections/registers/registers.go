// Package registers reads who is who: the directories of the six jurisdictions, as known now or at an instant. It has no
// table: a directory is a fold of its stream, and the latest one is kept in memory.
package registers

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"traga.internal/aggregates/directory"
	"traga.internal/events"
)

// Log is what is needed of the store.
type Log interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error]
}

// Registers reads the directories of a log. Every question goes to the log for what is new, so that what was recorded
// before it was asked counts. It is safe for concurrent use.
type Registers struct {
	log Log
	by  map[events.Jurisdiction]*register
}

// register is what was read of one stream so far.
type register struct {
	mu   sync.Mutex
	list []*events.Event
	now  *directory.Directory // of all of the list; made anew when the list grows, so that readers keep theirs
}

// New reads the directories of that log.
func New(log Log) *Registers {
	r := &Registers{log: log, by: map[events.Jurisdiction]*register{}}
	for _, j := range events.Jurisdictions() {
		r.by[j] = &register{}
	}
	return r
}

// At is the directory of a jurisdiction as known at asOf. It must not be changed; it may be kept. An error is the
// log's: nobody may be let in on the strength of a directory that could not be read.
func (r *Registers) At(ctx context.Context, j events.Jurisdiction, asOf events.AsOf) (*directory.Directory, error) {
	of := r.by[j]
	if of == nil {
		return nil, &events.FieldError{Field: "jurisdiction", Expected: "one of AL, BA, ME, MK, RS, XK", Got: "another one"}
	}
	list, now, err := of.read(ctx, r.log, events.DirectoryStream(j))
	if err != nil {
		return nil, fmt.Errorf("read the directory of %s: %w", j, err)
	}
	if asOf.IsNow() {
		return now, nil
	}
	for i, e := range list {
		if !asOf.Includes(e.RecordedAt, e.Position) {
			return directory.Fold(list[:i]), nil // neither decreases in a stream
		}
	}
	return now, nil
}

// read is the list up to now, and its fold.
func (r *register) read(ctx context.Context, log Log, stream string) ([]*events.Event, *directory.Directory, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := len(r.list)
	for recorded, err := range log.ReadStream(ctx, stream, uint64(known)) {
		if err != nil {
			r.list = r.list[:known]
			return nil, nil, err
		}
		e, err := events.Decode(&recorded)
		if err != nil {
			r.list = r.list[:known]
			return nil, nil, err
		}
		r.list = append(r.list, e)
	}
	if r.now == nil || len(r.list) > known {
		r.now = directory.Fold(r.list)
	}
	return r.list, r.now, nil
}

// Found is an officer in the directory of a jurisdiction.
type Found struct {
	Jurisdiction events.Jurisdiction
	directory.Officer
}

// Officer finds an officer in all directories, as known now: appointed or revoked or only trained. Stands says where he
// or she acts. An officer of one directory may be another person than the one of that name in another.
func (r *Registers) Officer(ctx context.Context, name string) ([]Found, error) {
	found := []Found{}
	for _, j := range events.Jurisdictions() {
		d, err := r.At(ctx, j, events.AsOf{})
		if err != nil {
			return nil, err
		}
		if o, ok := d.Officer(name); ok {
			found = append(found, Found{j, o})
		}
	}
	return found, nil
}

// Institutions are all institutions of some jurisdictions as known at asOf, of all six when none is named.
func (r *Registers) Institutions(ctx context.Context, asOf events.AsOf, of ...events.Jurisdiction) (map[events.Institution]directory.Institution, error) {
	if len(of) == 0 {
		of = events.Jurisdictions()
	}
	all := map[events.Institution]directory.Institution{}
	for _, j := range of {
		d, err := r.At(ctx, j, asOf)
		if err != nil {
			return nil, err
		}
		for _, i := range d.Institutions() {
			all[i.ID] = i
		}
	}
	return all, nil
}
