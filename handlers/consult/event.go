package consult

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/projections/timeline"
)

// Event reads one event for the one who asks, masked, and commits the look at its case. An event of the access log is shown
// to whoever may read that, one of a directory or of the rules to whoever is signed in. It fails with ErrNoSuchEvent also
// where the viewer may not know of it, and else as Case does.
func (d *Desk) Event(ctx context.Context, id uuid.UUID, r Reason) (*events.Event, error) {
	chain, err := d.chain(ctx, id, "entry", r, 1)
	if err != nil {
		return nil, err
	}
	return chain[0], nil
}

// Causes reads what led to an event: the event itself first, then what caused it, then what caused that, as far as the
// viewer may know. It is one look.
func (d *Desk) Causes(ctx context.Context, id uuid.UUID, r Reason) ([]*events.Event, error) {
	return d.chain(ctx, id, "causes", r, 0)
}

// chain reads up to so many events, all if 0, each the cause of the one before.
func (d *Desk) chain(ctx context.Context, id uuid.UUID, view string, r Reason, limit int) ([]*events.Event, error) {
	viewer, err := viewerOf(ctx, r)
	if err != nil {
		return nil, err
	}
	first, err := d.lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	k, known := events.KindOf(first.Type)
	if !known || k.Family != events.CaseFamily && k.Family != events.AccessFamily {
		return []*events.Event{first}, nil
	}
	if k.Family == events.AccessFamily {
		if first.Case == "" { // a look at a list: only its owner has a mandate for all of them
			if !viewer.Owner() {
				return nil, ErrNoSuchEvent
			}
			return []*events.Event{first}, nil
		}
		if _, err := d.openLog(ctx, Look{Case: first.Case, View: "access/" + id.String(), Reason: r}); err != nil {
			return nil, err
		}
		return []*events.Event{first}, nil
	}
	var chain []*events.Event
	_, _, err = d.open(ctx, Look{Case: first.Case, View: view + "/" + id.String(), Reason: r, entry: id}, func(c *timeline.Case, l *Look) error {
		seen := map[uuid.UUID]bool{}
		for next := id; next != uuid.Nil && !seen[next] && (limit == 0 || len(chain) < limit); {
			seen[next] = true
			entry := c.History().Find(next)
			if entry == nil {
				break
			}
			nameMonitoring(l, entry)
			chain = append(chain, c.Shown(entry.Event))
			next = entry.CausationID
		}
		if len(chain) == 0 {
			return ErrNoSuchEvent
		}
		return nil
	})
	return slices.Clip(chain), err
}

// Entry reads a case for a view of one of its entries: Case, with the view named by the entry. It fails with ErrNoSuchEvent
// where the case had no such entry then, as far as the viewer may know.
func (d *Desk) Entry(ctx context.Context, l Look, id uuid.UUID) (*timeline.Case, error) {
	l.View, l.entry = "entry/"+id.String(), id
	c, _, err := d.open(ctx, l, func(c *timeline.Case, l *Look) error {
		entry := c.History().Find(id)
		if entry == nil {
			return ErrNoSuchEvent
		}
		nameMonitoring(l, entry)
		return nil
	})
	return c, err
}

// nameMonitoring names a view that shows a contact with the monitor as such (HR24).
func nameMonitoring(l *Look, e *history.Entry) {
	if e.Type == "MonitoringContactHeld" {
		l.View = "monitoring/" + l.entry.String()
	}
}

// holds reports whether the case holds an event of that id, whoever may know of it.
func (d *Desk) holds(ctx context.Context, number string, id uuid.UUID) bool {
	e, err := d.lookup(ctx, id)
	return err == nil && e.Case == number
}

func (d *Desk) lookup(ctx context.Context, id uuid.UUID) (*events.Event, error) {
	stored, ok, err := d.log.Lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoSuchEvent
	}
	return events.Decode(&stored)
}
