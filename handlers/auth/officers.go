package auth

import (
	"context"
	"fmt"
	"sync"

	"traga.internal/aggregates/directory"
	"traga.internal/events"
)

// Log is what Officers reads of a store.
type Log interface {
	ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error)
	Changed(after events.Position) <-chan struct{}
}

// Officers knows from the directory streams who acts for which institution in which role, now: a revocation counts as
// soon as it is recorded. It reads on whenever the log has grown. Safe for concurrent use.
type Officers struct {
	log  Log
	mu   sync.Mutex
	read events.Position // up to there
	by   map[events.Jurisdiction]*directory.Directory
}

// NewOfficers follows the directory streams of a log.
func NewOfficers(log Log) *Officers {
	o := &Officers{log: log, by: map[events.Jurisdiction]*directory.Directory{}}
	for _, j := range events.Jurisdictions() {
		o.by[j] = &directory.Directory{}
	}
	return o
}

// Appointed is for which institution and in which role the officer acts. It fails with ErrNotAppointed where the
// officer acts nowhere, or, of an id that two jurisdictions gave to two officers, in both; and with ErrUnavailable.
func (o *Officers) Appointed(ctx context.Context, officer string) (events.Actor, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.refresh(ctx); err != nil {
		return events.Actor{}, err
	}
	var found events.Actor
	for _, d := range o.by {
		known, _ := d.Officer(officer)
		if !known.Stands {
			continue
		}
		if found != (events.Actor{}) {
			return events.Actor{}, ErrNotAppointed
		}
		found = known.Actor()
	}
	if found == (events.Actor{}) {
		return events.Actor{}, ErrNotAppointed
	}
	return found, nil
}

// Confirm checks who a token says that its bearer is. Where the directory knows the institution, it must be open and
// have that role; where it knows the officer, that must be the appointment that holds. It fails with ErrNotAppointed
// and ErrUnavailable.
func (o *Officers) Confirm(ctx context.Context, who events.Actor) (events.Actor, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.refresh(ctx); err != nil {
		return events.Actor{}, err
	}
	ours, registered := []*directory.Directory{}, false
	for _, d := range o.by {
		institution, ok := d.Institution(who.Institution)
		switch {
		case ok && !institution.Has(who.Role):
			return events.Actor{}, ErrNotAppointed
		case ok:
			ours, registered = append(ours, d), true
		}
	}
	if !registered { // whose institution it is nobody knows: then what any directory says of the officer counts
		for _, d := range o.by {
			ours = append(ours, d)
		}
	}
	for _, d := range ours {
		known, ok := d.Officer(who.Officer)
		if !ok || known.Institution == "" && !known.Revoked {
			continue // at most trained
		}
		if !known.Stands || known.Institution != who.Institution || known.Role != who.Role {
			return events.Actor{}, ErrNotAppointed
		}
		who.Officer = known.Name
	}
	return who, nil
}

// refresh reads what was recorded since the last time.
func (o *Officers) refresh(ctx context.Context) error {
	select {
	case <-o.log.Changed(o.read):
	default:
		return nil
	}
	for more := true; more; {
		page, err := o.log.ReadAll(ctx, o.read, 1000, events.Filter{StreamPrefixes: []string{"directory-"}})
		if err != nil {
			return fmt.Errorf("%w: the directory can't be read: %w", ErrUnavailable, err)
		}
		for i := range page.Events {
			e, err := events.Decode(&page.Events[i])
			if err != nil {
				return fmt.Errorf("%w: the directory can't be read: %w", ErrUnavailable, err)
			}
			if d := o.by[e.Jurisdiction]; d != nil {
				d.Evolve(e)
			}
			o.read = page.Events[i].Position
		}
		o.read, more = page.Scanned, page.More
	}
	return nil
}
