package obligations

import (
	"context"
	"database/sql"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// Count is how many obligations of a rule are in a state, for the metric traga_obligations.
type Count struct {
	Jurisdiction events.Jurisdiction
	Rule         string
	State        protocol.State
	N            int
}

// Counts counts all obligations by jurisdiction, rule and state, as known now and at the clock's now; in that order.
func Counts(ctx context.Context, e *projections.Engine, now time.Time) ([]Count, error) {
	var list []Count
	err := e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT jurisdiction, rule, CASE WHEN outcome <> 'pending' THEN outcome
			WHEN overdue_from <= :at THEN 'overdue' WHEN warn_from <= :at THEN 'due-soon' ELSE 'pending' END AS state, count(*)
			FROM {current} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, sql.Named("at", now.UnixMicro()))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var c Count
			if err := rows.Scan(&c.Jurisdiction, &c.Rule, &c.State, &c.N); err != nil {
				return err
			}
			list = append(list, c)
		}
		return rows.Err()
	})
	return list, err
}

// Load is how much stands against one institution: its alerts.
type Load struct {
	Institution  events.Institution  `json:"institution"` // empty for alerts whose duty nobody holds yet
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	Overdue      int                 `json:"overdue"`
	Critical     int                 `json:"critical"` // the overdue ones of critical severity
	DueSoon      int                 `json:"dueSoon"`
}

// Loads counts the alerts by duty holder, those with most overdue first, then by institution and jurisdiction.
func Loads(ctx context.Context, e *projections.Engine, asOf events.AsOf, now time.Time) ([]Load, error) {
	at, err := e.Clock(ctx, asOf, now)
	if err != nil {
		return nil, err
	}
	list := []Load{}
	err = e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT holder, jurisdiction, sum(overdue_from <= :at), sum(overdue_from <= :at AND severity = 0), sum(overdue_from > :at)
			FROM (`+standing(asOf, at, "holder, jurisdiction, overdue_from, severity")+`) GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`, sql.Named("at", at.UnixMicro()))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var l Load
			if err := rows.Scan(&l.Institution, &l.Jurisdiction, &l.Overdue, &l.Critical, &l.DueSoon); err != nil {
				return err
			}
			list = append(list, l)
		}
		return rows.Err()
	})
	return list, err
}

// DueForWatcher lists, in order of number, the cases that may have an obligation which became overdue, or reached
// a level, that is not on record at now. It leaves out no such case; what is to be recorded the case's own tracker
// says.
func DueForWatcher(ctx context.Context, e *projections.Engine, now time.Time) ([]string, error) {
	var list []string
	err := e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT DISTINCT number FROM {current} WHERE watch_from <= ? ORDER BY number`, now.UnixMicro())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n string
			if err := rows.Scan(&n); err != nil {
				return err
			}
			list = append(list, n)
		}
		return rows.Err()
	})
	return list, err
}

// NextForWatcher is the earliest instant at which DueForWatcher has a case, zero if there is none: until then, and
// until the next event, the watcher has nothing to do.
func NextForWatcher(ctx context.Context, e *projections.Engine) (time.Time, error) {
	var at sql.NullInt64
	err := e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT min(watch_from) FROM {current} WHERE watch_from IS NOT NULL`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			if err := rows.Scan(&at); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil || !at.Valid {
		return time.Time{}, err
	}
	return time.UnixMicro(at.Int64).UTC(), nil
}
