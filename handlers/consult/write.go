package consult

import (
	"context"
	"errors"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/handlers/record"
	"traga.internal/projections/involvement"
	"traga.internal/projections/timeline"
)

// MayRecord checks that the one who asks may record the action in its case: whoever may open the case may, and anyone may
// open a new one, ask, complain, or answer what was sent (access.TakesPart). Else any office could let itself into a case by
// an entry of its own. The error of a refusal is a *casefile.Refusal, and the refusal is on record before it is returned.
func (d *Desk) MayRecord(ctx context.Context, a *record.Action) error {
	viewer, err := viewerOf(ctx, Reason{})
	if err != nil {
		return err
	}
	j, err := events.ParseCase(a.Case)
	if err != nil {
		return err
	}
	if _, opens := a.Data.(*events.CaseOpened); opens || viewer.Owner() || !access.TakesPart(a.Data) {
		return nil
	}
	if mandate := d.policies.ForList(viewer, j, false); mandate.Open {
		return nil
	}
	// The read model may be a moment behind, and then the case itself is asked.
	if has, err := involvement.Has(ctx, d.engine, viewer.Actor.Institution, a.Case); err == nil && has {
		if part := d.policies.ForList(viewer, j, true); part.Open {
			return nil
		}
	}
	_, err = d.read(ctx, viewer, a.Case, events.AsOf{})
	var denied *DeniedError
	switch {
	case errors.Is(err, timeline.ErrNoSuchCase):
		return nil // the write path says so
	case !errors.As(err, &denied):
		return err
	}
	if err := d.record(ctx, viewer, a.Case, "AccessDenied", &events.AccessDenied{View: "record", Policy: denied.Policies}); err != nil {
		return err
	}
	return &casefile.Refusal{Because: []string{casefile.NotAllowed}, Field: "actor.institution",
		Message: "your institution has no part in this case: it gets one when someone who has shares something with it, or asks it; you may ask for information"}
}
