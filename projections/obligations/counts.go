package obligations

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
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
	n := make(map[Count]int)
	err := e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT jurisdiction, rule, outcome, n FROM {tally}`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var c Count
			var count int
			if err := rows.Scan(&c.Jurisdiction, &c.Rule, &c.State, &count); err != nil {
				return err
			}
			n[c] = count
		}
		if err := rows.Err(); err != nil {
			return err
		}
		// Of the pending ones the clock says which are due soon or overdue.
		return eachStanding(ctx, v, events.AsOf{}, now, func(r *row, _ []byte) error {
			c := Count{Jurisdiction: events.Jurisdiction(r.jurisdiction), Rule: string(r.rule), State: protocol.Pending}
			n[c]--
			c.State = r.stateAt(now)
			n[c]++
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	var list []Count
	for c, count := range n {
		if count != 0 {
			c.N = count
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Jurisdiction, b.Jurisdiction), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.State, b.State))
	})
	return list, nil
}

// stateAt is the state of an alert: overdue or due soon.
func (r *row) stateAt(at time.Time) protocol.State {
	if r.overdueFrom <= at.UnixMicro() {
		return protocol.Overdue
	}
	return protocol.DueSoon
}

// Load is how much stands against one institution: its alerts.
type Load struct {
	Institution  events.Institution  `json:"institution"` // empty for alerts whose duty nobody holds yet
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	Overdue      int                 `json:"overdue"`
	Critical     int                 `json:"critical"` // the overdue ones of critical severity
	DueSoon      int                 `json:"dueSoon"`
}

// Loads counts the alerts of the cases that are meant by duty holder, those with most overdue first, then by institution
// and jurisdiction.
func Loads(ctx context.Context, e *projections.Engine, only *projections.Selection, asOf events.AsOf, now time.Time) ([]Load, error) {
	at, err := e.Clock(ctx, asOf, now)
	if err != nil {
		return nil, err
	}
	type key struct {
		institution  events.Institution
		jurisdiction events.Jurisdiction
	}
	loads := make(map[key]*Load)
	err = e.View(ctx, Name, func(v *projections.View) error {
		return eachStanding(ctx, v, asOf, at, func(r *row, _ []byte) error {
			if !only.Has(r.number) {
				return nil
			}
			l := loads[key{events.Institution(r.holder), events.Jurisdiction(r.jurisdiction)}]
			if l == nil {
				l = &Load{Institution: events.Institution(r.holder), Jurisdiction: events.Jurisdiction(r.jurisdiction)}
				loads[key{l.Institution, l.Jurisdiction}] = l
			}
			switch {
			case r.stateAt(at) == protocol.DueSoon:
				l.DueSoon++
			case severity(r.severity) == protocol.Critical:
				l.Critical++
				fallthrough
			default:
				l.Overdue++
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	list := make([]Load, 0, len(loads))
	for _, l := range loads {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b Load) int {
		return cmp.Or(cmp.Compare(b.Overdue, a.Overdue), cmp.Compare(a.Institution, b.Institution), cmp.Compare(a.Jurisdiction, b.Jurisdiction))
	})
	return list, nil
}

// DueForWatcher lists, in order of number, the cases that may have an obligation which became overdue, or reached
// a level, that is not on record at now. It leaves out no such case; what is to be recorded the case's own tracker
// says.
func DueForWatcher(ctx context.Context, e *projections.Engine, now time.Time) ([]string, error) {
	var list []string
	err := e.View(ctx, Name, func(v *projections.View) error {
		return each(ctx, v, false, `SELECT body FROM {current} WHERE watch_from <= ?`, func(r *row, _ []byte) error {
			list = append(list, string(r.number))
			return nil
		}, now.UnixMicro())
	})
	slices.Sort(list)
	return slices.Compact(list), err
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
