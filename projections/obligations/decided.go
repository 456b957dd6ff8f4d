package obligations

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// Decided is an obligation of which it is known what became of it, or that is overdue.
type Decided struct {
	// Case tells cases apart. It is no case number.
	Case         int64
	Jurisdiction events.Jurisdiction
	Rule         string
	// Due is the local day on which it fell due, for a duty due at an instant the day of that instant.
	Due events.Date
	// State is overdue, met, met-late, missed, waived or cancelled.
	State protocol.State
	// MetOn is the local day on which it was done; no date where it was not.
	MetOn events.Date
}

// EachDecided gives fn every obligation of all cases that was decided or overdue, as known at asOf; now is the
// clock when asOf is now. The order is none in particular. An error of fn ends it and is returned, wrapped.
func EachDecided(ctx context.Context, e *projections.Engine, asOf events.AsOf, now time.Time, fn func(Decided) error) error {
	at, err := e.Clock(ctx, asOf, now)
	if err != nil {
		return err
	}
	const wanted = `SELECT case_id, jurisdiction, rule, due, met_on, iif(outcome = 'pending', 'overdue', outcome) FROM `
	const decided = ` WHERE (outcome <> 'pending' OR overdue_from <= :at)`
	query := wanted + `{current}` + decided
	switch p := asOf.Position; {
	case asOf.IsNow():
	case p != events.Start:
		known := fmt.Sprintf(" AND (known_commit < %d OR known_commit = %[1]d AND known_behind >= %d)", p.Commit, behind(p))
		until := fmt.Sprintf(" AND until_commit >= %d AND NOT (until_commit = %[1]d AND until_behind >= %d)", p.Commit, behind(p))
		query += known + ` UNION ALL ` + wanted + `{past}` + decided + known + until
	default:
		query += ` AND known_at <= :at UNION ALL ` + wanted + `{past}` + decided + ` AND known_at <= :at AND until_at > :at`
	}
	return e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, query, sql.Named("at", at.UnixMicro()))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d Decided
			if err := rows.Scan(&d.Case, &d.Jurisdiction, &d.Rule, &d.Due, &d.MetOn, &d.State); err != nil {
				return err
			}
			if err := fn(d); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
