package consult

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

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
			if viewer.Actor.Role != events.System {
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
	unknown := errors.New("the viewer may not know of it")
	_, _, err = d.open(ctx, Look{Case: first.Case, View: view + "/" + id.String(), Reason: r}, func(c *timeline.Case, l *Look) error {
		seen := map[uuid.UUID]bool{}
		for next := id; next != uuid.Nil && !seen[next] && (limit == 0 || len(chain) < limit); {
			seen[next] = true
			entry := c.History().Find(next)
			if entry == nil {
				break
			}
			if entry.Type == "MonitoringContactHeld" {
				l.View = "monitoring/" + id.String()
			}
			chain = append(chain, c.Shown(entry.Event))
			next = entry.CausationID
		}
		if len(chain) == 0 {
			// That it asked is on record, but not for what: the name of the view would tell.
			l.View = view
			return errors.Join(unknown, &DeniedError{Policies: c.Sight().MonitoringPolicies()})
		}
		return nil
	})
	if errors.Is(err, unknown) {
		return nil, ErrNoSuchEvent
	}
	return slices.Clip(chain), err
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
