package sharing

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"traga.internal/events"
	"traga.internal/projections"
)

// Office is an institution in a role.
type Office struct {
	Institution events.Institution `json:"institution"`
	Role        events.Role        `json:"role"`
}

// Flow is what one office shared with another.
type Flow struct {
	From Office `json:"from"`
	To   Office `json:"to"`
	// Cases and Events are how many cases and sharing events it was in.
	Cases  int `json:"cases"`
	Events int `json:"events"`
	// Categories are how many of these events handed over each category, without those that none did.
	Categories map[events.Category]int `json:"categories"`
}

// Query says which sharing is wanted. Empty fields do not narrow.
type Query struct {
	Jurisdiction events.Jurisdiction
	// Institution is the sender or the recipient.
	Institution events.Institution
	// From and To bound when the sharing occurred: From included, To not.
	From, To time.Time
	AsOf     events.AsOf
	Only     *projections.Selection // these cases; nil for all
}

// Matrix says who shared what with whom, by sender and then by recipient.
func Matrix(ctx context.Context, e *projections.Engine, q Query) ([]Flow, error) {
	query, args := q.sql()
	list := []Flow{}
	err := e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		categories := events.Categories()
		counts := make([]int, len(categories))
		for rows.Next() {
			f := Flow{Categories: make(map[events.Category]int)}
			into := []any{&f.From.Institution, &f.From.Role, &f.To.Institution, &f.To.Role, &f.Cases, &f.Events}
			for i := range counts {
				into = append(into, &counts[i])
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			for i, n := range counts {
				if n > 0 {
					f.Categories[categories[i]] = n
				}
			}
			list = append(list, f)
		}
		return rows.Err()
	})
	return list, err
}

func (q *Query) sql() (string, []any) {
	var b strings.Builder
	// A recipient named twice in one event is told once.
	b.WriteString(`SELECT from_institution, from_role, to_institution, to_role, count(DISTINCT case_id), count(*)`)
	for i := range events.Categories() {
		fmt.Fprintf(&b, ", sum(categories >> %d & 1)", i)
	}
	var conditions []string
	var args []any
	add := func(condition, name string, value any) {
		conditions = append(conditions, condition)
		args = append(args, sql.Named(name, value))
	}
	switch p := q.AsOf.Position; {
	case q.AsOf.IsNow():
		conditions = append(conditions, "until_at IS NULL")
	case p != events.Start:
		conditions = append(conditions, fmt.Sprintf(`(known_commit < %d OR known_commit = %[1]d AND known_behind >= %d)
			AND (until_commit IS NULL OR until_commit > %[1]d OR until_commit = %[1]d AND until_behind < %[2]d)`, p.Commit, int64(p.Commit-p.Prepare)))
	default:
		add("known_at <= :at AND (until_at IS NULL OR until_at > :at)", "at", q.AsOf.Instant.UnixMicro())
	}
	if q.Jurisdiction != "" {
		add("jurisdiction = :jurisdiction", "jurisdiction", string(q.Jurisdiction))
	}
	if q.Only != nil {
		condition, selected := q.Only.SQL("case_id", "jurisdiction", true)
		add(condition, "selected", selected)
	}
	if q.Institution != "" {
		add(":institution IN (from_institution, to_institution)", "institution", string(q.Institution))
	}
	if !q.From.IsZero() {
		add("occurred_at >= :from", "from", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		add("occurred_at < :to", "to", q.To.UnixMicro())
	}
	b.WriteString(` FROM (SELECT DISTINCT case_id, revision, from_institution, from_role, to_institution, to_role, categories FROM {share} WHERE ` +
		strings.Join(conditions, " AND ") + `) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`)
	return b.String(), args
}
