package status

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/access"
	"traga.internal/events"
	"traga.internal/projections"
)

// Case is one case's row. The JSON names are those of `case show`.
type Case struct {
	Case         string              `json:"case"`
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	Institution  events.Institution  `json:"institution"` // that opened it
	Status       string              `json:"status"`      // open or closed
	Phase        string              `json:"phase"`
	ReleaseDate  *events.Date        `json:"releaseDate"`
	ReleasedOn   *events.Date        `json:"releasedOn"`
	RiskLevel    *string             `json:"riskLevel"`
	Group        []string            `json:"group"`
	// Revision, Position and ChangedAt are of the latest event known.
	Revision  uint64          `json:"revision"`
	Position  events.Position `json:"position"`
	ChangedAt time.Time       `json:"changedAt"`
	OpenedAt  time.Time       `json:"openedAt"` // when its first event was recorded
	// Withheld are riskLevel and group where the reader may not see them, or where they were erased; left out where nothing
	// is withheld.
	Withheld []access.Hidden `json:"withheld,omitempty"`
}

// Hide leaves out what the reader may not see, and says so.
func (c *Case) Hide(withheld []access.Hidden) {
	c.Withheld = slices.DeleteFunc(c.Withheld, func(w access.Hidden) bool { // what is hidden may have been erased as well
		return slices.ContainsFunc(withheld, func(h access.Hidden) bool { return h.Field == w.Field })
	})
	c.Withheld = append(c.Withheld, withheld...)
	for _, w := range withheld {
		if w.Field == "riskLevel" {
			c.RiskLevel = nil
		} else {
			c.Group = []string{}
		}
	}
}

// Query says which cases are wanted. Empty fields do not narrow.
type Query struct {
	Jurisdiction events.Jurisdiction
	Status       string // open or closed
	Phase        string
	Institution  events.Institution
	Text         string                 // a part of the case number, in any case of letters
	Only         *projections.Selection // these cases; nil for all
	AsOf         events.AsOf
	Limit        int // 0 means all
	Cursor       string
}

// ErrCursor says that a cursor is none that List gave.
var ErrCursor = errors.New("the cursor is not one of this list")

// List lists cases by number. next continues the list, empty at its end.
func List(ctx context.Context, e *projections.Engine, q Query) (list []Case, next string, err error) {
	query, args, err := q.sql()
	if err != nil {
		return nil, "", err
	}
	list = []Case{}
	err = e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			c, err := read(rows)
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", err
	}
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(list[q.Limit-1].Case))
	}
	if !q.AsOf.IsNow() {
		for i := range list {
			if err := latest(ctx, e.Store(), &list[i], q.AsOf); err != nil {
				return nil, "", err
			}
		}
	}
	return list, next, nil
}

const columnsRead = `number, jurisdiction, institution, status, phase, release_date, released_on, risk, groups, opened_at`

func (q *Query) sql() (string, []any, error) {
	from := `SELECT ` + columnsRead + `, revision, last_commit, last_behind, last_at FROM {current}`
	var args []any
	if !q.AsOf.IsNow() {
		known, until := "known_at <= :at", "until_at > :at"
		if p := q.AsOf.Position; p != events.Start {
			behind := int64(p.Commit - p.Prepare)
			known = fmt.Sprintf("(known_commit < %d OR known_commit = %[1]d AND known_behind >= %d)", p.Commit, behind)
			until = fmt.Sprintf("NOT (until_commit < %d OR until_commit = %[1]d AND until_behind >= %d)", p.Commit, behind)
		} else {
			args = append(args, sql.Named("at", q.AsOf.Instant.UnixMicro()))
		}
		from = `SELECT ` + columnsRead + `, 0, 0, 0, 0 FROM {current} WHERE ` + known +
			` UNION ALL SELECT ` + columnsRead + `, 0, 0, 0, 0 FROM {past} WHERE ` + known + ` AND ` + until
	}
	conditions := []string{"true"}
	add := func(condition, name string, value any) {
		conditions = append(conditions, condition)
		args = append(args, sql.Named(name, value))
	}
	if q.Jurisdiction != "" {
		add("jurisdiction = :jurisdiction", "jurisdiction", string(q.Jurisdiction))
	}
	if q.Status != "" {
		add("status = :status", "status", q.Status)
	}
	if q.Phase != "" {
		add("phase = :phase", "phase", q.Phase)
	}
	if q.Institution != "" {
		add("institution = :institution", "institution", string(q.Institution))
	}
	if q.Only != nil {
		condition, selected := q.Only.SQL("number", "jurisdiction", false)
		add(condition, "selected", selected)
	}
	if q.Text != "" {
		add("instr(number, :text) > 0", "text", strings.ToUpper(q.Text))
	}
	if q.Cursor != "" {
		after, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		if err != nil {
			return "", nil, ErrCursor
		}
		if _, err := events.ParseCase(string(after)); err != nil {
			return "", nil, ErrCursor
		}
		add("number > :after", "after", string(after))
	}
	query := `SELECT * FROM (` + from + `) WHERE ` + strings.Join(conditions, " AND ") + ` ORDER BY number`
	if q.Limit > 0 {
		query += fmt.Sprintf(" LIMIT %d", q.Limit+1)
	}
	return query, args, nil
}

func read(rows *sql.Rows) (Case, error) {
	var c Case
	var released, expected, opened, revision, commit, behind, last int64
	var risk, groups string
	if err := rows.Scan(&c.Case, &c.Jurisdiction, &c.Institution, &c.Status, &c.Phase, &expected, &released, &risk, &groups, &opened,
		&revision, &commit, &behind, &last); err != nil {
		return c, err
	}
	c.ReleaseDate, c.ReleasedOn = date(expected), date(released)
	if receipt, gone := strings.CutPrefix(risk, erased); gone {
		w := access.Hidden{Field: "riskLevel", Reason: events.Erased, Category: events.Risk}
		if id, err := uuid.Parse(receipt); err == nil {
			w.Receipt = &id
		}
		c.Withheld = append(c.Withheld, w)
	} else if risk != "" {
		c.RiskLevel = &risk
	}
	c.Group = []string{}
	if groups != "" {
		c.Group = strings.Split(groups, ",")
	}
	c.OpenedAt, c.ChangedAt = time.UnixMicro(opened).UTC(), time.UnixMicro(last).UTC()
	c.Revision, c.Position = uint64(revision), events.Position{Commit: uint64(commit), Prepare: uint64(commit - behind)}
	return c, nil
}

func date(n int64) *events.Date {
	if n == 0 {
		return nil
	}
	d := events.Date(n)
	return &d
}

// latest finds the latest event of a case known then: its row only knows the latest of all.
func latest(ctx context.Context, store events.Store, c *Case, asOf events.AsOf) error {
	for r, err := range store.ReadStream(ctx, events.CaseStream(c.Case), 0) {
		if err != nil {
			return fmt.Errorf("read a case: %w", err)
		}
		if !asOf.Includes(r.RecordedAt, r.Position) {
			break
		}
		c.Revision, c.Position, c.ChangedAt = r.Revision, r.Position, r.RecordedAt
	}
	return nil
}

// LastEntry is when the latest event of these cases, or of all, was recorded, as known now; zero while there is none.
func LastEntry(ctx context.Context, e *projections.Engine, only *projections.Selection) (time.Time, error) {
	var micros sql.NullInt64
	err := e.View(ctx, Name, func(v *projections.View) error {
		condition, selected := only.SQL("number", "jurisdiction", false)
		rows, err := v.Query(ctx, `SELECT max(last_at) FROM {current} WHERE `+condition, sql.Named("selected", selected))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&micros); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil || !micros.Valid {
		return time.Time{}, err
	}
	return time.UnixMicro(micros.Int64).UTC(), nil
}

// Counts counts the cases by jurisdiction and status, as known now, in that order.
func Counts(ctx context.Context, e *projections.Engine) ([]Count, error) {
	list := []Count{}
	err := e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT jurisdiction, status, phase, count(*) FROM {current} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var c Count
			if err := rows.Scan(&c.Jurisdiction, &c.Status, &c.Phase, &c.N); err != nil {
				return err
			}
			list = append(list, c)
		}
		return rows.Err()
	})
	return list, err
}

// Count is how many cases of a jurisdiction are in a status and phase.
type Count struct {
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	Status       string              `json:"status"`
	Phase        string              `json:"phase"`
	N            int                 `json:"n"`
}
