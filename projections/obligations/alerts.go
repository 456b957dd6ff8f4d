package obligations

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// Alert is an obligation that is due soon or overdue, in the JSON of `alert list` (interfaces.md).
type Alert struct {
	Case       string              `json:"case"`
	Obligation string              `json:"obligation"`
	Rule       string              `json:"rule"`
	Duty       events.Role         `json:"duty"`
	DutyHolder *events.Institution `json:"dutyHolder"`
	Toward     *events.Role        `json:"toward"`
	// Due is a date as YYYY-MM-DD, or an instant in UTC for a duty due at one.
	Due   string         `json:"due"`
	State protocol.State `json:"state"` // due-soon or overdue
	// WorkingDaysOverdue counts the working days after the due date up to and including today.
	WorkingDaysOverdue int               `json:"workingDaysOverdue"`
	Severity           protocol.Severity `json:"severity"`
	Escalation         int               `json:"escalation"`
	// AcknowledgedBy is the id of the latest AlertAcknowledged.
	AcknowledgedBy *uuid.UUID `json:"acknowledgedBy"`

	// Jurisdiction is of the case; OverdueFrom is the instant from which the duty is overdue.
	Jurisdiction events.Jurisdiction `json:"-"`
	OverdueFrom  time.Time           `json:"-"`
}

// Query says which alerts are wanted. Empty fields do not narrow.
type Query struct {
	State        protocol.State     // DueSoon or Overdue; anything else means both
	Institution  events.Institution // the duty holder
	Jurisdiction events.Jurisdiction
	Rule         string
	Case         string
	// AsOf is as known when; Now is the clock when AsOf is now.
	AsOf events.AsOf
	Now  time.Time
	// Limit is how many at most; 0 means all. Cursor continues after an earlier answer, as of the same instant.
	Limit  int
	Cursor string
}

// ErrCursor says that a cursor is none that Alerts gave.
var ErrCursor = errors.New("the cursor is not one of this list")

// cursor is the place of the last alert given, and the point of view of the first page.
type cursor struct {
	At       time.Time       `json:"at"`
	Position events.Position `json:"p,omitzero"`
	State    int             `json:"s"`
	Severity int64           `json:"v"`
	Overdue  int64           `json:"o"`
	Number   string          `json:"n"`
	ID       string          `json:"i"`
}

// Alerts lists the alerts that stand, most urgent first: overdue before due soon, then the gravest severity
// first, then by the instant from which they are overdue, earliest first, then by case number and obligation. next
// continues the list, empty at its end.
func Alerts(ctx context.Context, e *projections.Engine, q Query) (list []Alert, next string, err error) {
	var from cursor
	if q.Cursor != "" {
		if from, err = parseCursor(q.Cursor); err != nil {
			return nil, "", err
		}
		if q.AsOf = (events.AsOf{Instant: from.At}); from.Position != events.Start {
			q.AsOf = events.AsOf{Position: from.Position}
		}
	}
	at, err := e.Clock(ctx, q.AsOf, q.Now)
	if err != nil {
		return nil, "", err
	}
	where, args := q.where(at, from)
	sql := `SELECT ` + columnsRead + ` FROM (` + standing(q.AsOf, at, columnsRead) + `)` + where + order
	if q.Limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", q.Limit+1)
	}
	list = []Alert{}
	var ranks []int64
	days := calendars{ctx: ctx, e: e, asOf: q.AsOf, at: at}
	err = e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			a, rank, err := read(rows, at, &days)
			if err != nil {
				return err
			}
			list, ranks = append(list, a), append(ranks, rank)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", err
	}
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
		last := list[q.Limit-1]
		c := cursor{At: at, Position: q.AsOf.Position, Severity: ranks[q.Limit-1], Overdue: last.OverdueFrom.UnixMicro(), Number: last.Case, ID: last.Obligation}
		if last.State != protocol.Overdue {
			c.State = 1
		}
		next = c.String()
	}
	return list, next, nil
}

const columnsRead = `number, obligation, rule, severity, duty, holder, toward, due, due_at, overdue_from, level1, level2, level3,
	acknowledged_by, jurisdiction, subdivision`

const order = ` ORDER BY overdue_from > :at, severity, overdue_from, number, obligation`

// standing selects columns of the versions that were alerts at an instant: due soon or overdue, as known then.
func standing(asOf events.AsOf, at time.Time, columns string) string {
	now := `SELECT ` + columns + ` FROM {current} WHERE outcome = 'pending' AND warn_from <= :at`
	past := `SELECT ` + columns + ` FROM {past} WHERE `
	switch {
	case asOf.IsNow():
		return now
	case asOf.Position != events.Start:
		p := asOf.Position
		known := fmt.Sprintf("(known_commit < %d OR known_commit = %[1]d AND known_behind >= %d)", p.Commit, behind(p))
		until := fmt.Sprintf("until_commit >= %d AND NOT (until_commit = %[1]d AND until_behind >= %d)", p.Commit, behind(p))
		return now + ` AND ` + known + ` UNION ALL ` + past + `node IS NOT NULL AND ` + until + ` AND ` + known + ` AND warn_from <= :at`
	}
	h := at.UnixMicro() / hour
	left, right := path(h)
	return now + ` AND known_at <= :at` +
		` UNION ALL ` + past + `node IN (` + join(left) + `) AND until_at > :at` +
		` UNION ALL ` + past + `node IN (` + join(right) + `) AND alert_from <= :at` +
		` UNION ALL ` + past + fmt.Sprintf(`node = %d AND alert_from <= :at AND until_at > :at`, h)
}

func join(nodes []int64) string {
	var b strings.Builder
	for i, n := range nodes {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, n)
	}
	return b.String()
}

// where narrows the alerts, and continues after a cursor.
func (q *Query) where(at time.Time, from cursor) (string, []any) {
	args := []any{sql.Named("at", at.UnixMicro())}
	var conditions []string
	add := func(condition, name string, value any) {
		conditions = append(conditions, condition)
		if name != "" {
			args = append(args, sql.Named(name, value))
		}
	}
	switch q.State {
	case protocol.Overdue:
		add("overdue_from <= :at", "", nil)
	case protocol.DueSoon:
		add("overdue_from > :at", "", nil)
	}
	if q.Institution != "" {
		add("holder = :holder", "holder", string(q.Institution))
	}
	if q.Jurisdiction != "" {
		add("jurisdiction = :jurisdiction", "jurisdiction", string(q.Jurisdiction))
	}
	if q.Rule != "" {
		add("rule = :rule", "rule", q.Rule)
	}
	if q.Case != "" {
		add("number = :number", "number", q.Case)
	}
	if q.Cursor != "" {
		add("(overdue_from > :at, severity, overdue_from, number, obligation) > (:c1, :c2, :c3, :c4, :c5)", "c1", from.State)
		args = append(args, sql.Named("c2", from.Severity), sql.Named("c3", from.Overdue), sql.Named("c4", from.Number), sql.Named("c5", from.ID))
	}
	if len(conditions) == 0 {
		return "", args
	}
	return " WHERE " + strings.Join(conditions, " AND "), args
}

// read makes an alert of a row.
func read(rows *sql.Rows, at time.Time, days *calendars) (Alert, int64, error) {
	var a Alert
	var o protocol.Obligation
	var rank, due, dueAt, overdue int64
	var levels [3]int64
	var holder, toward, subdivision string
	var acknowledged []byte
	if err := rows.Scan(&a.Case, &a.Obligation, &a.Rule, &rank, &a.Duty, &holder, &toward, &due, &dueAt, &overdue, &levels[0], &levels[1], &levels[2],
		&acknowledged, &a.Jurisdiction, &subdivision); err != nil {
		return a, 0, err
	}
	if holder != "" {
		a.DutyHolder = (*events.Institution)(&holder)
	}
	if toward != "" {
		a.Toward = (*events.Role)(&toward)
	}
	if len(acknowledged) == 16 {
		a.AcknowledgedBy = (*uuid.UUID)(acknowledged)
	}
	o.Outcome = protocol.Pending
	o.OverdueFrom = time.UnixMicro(overdue).UTC()
	for i, l := range levels {
		if l != 0 {
			o.EscalateFrom[i] = time.UnixMicro(l)
		}
	}
	o.Due.Date = events.Date(due)
	if dueAt != 0 {
		o.Due.Instant = time.UnixMicro(dueAt)
	}
	a.OverdueFrom, a.Due, a.State, a.Severity, a.Escalation = o.OverdueFrom, o.Due.String(), o.State(at), severity(rank), o.Escalation(at)
	if a.State == protocol.Overdue {
		n, err := days.overdue(a.Jurisdiction, subdivision, o.Due.Date)
		if err != nil {
			return a, 0, err
		}
		a.WorkingDaysOverdue = n
	}
	return a, rank, nil
}

// calendars counts working days by the calendars as known at an instant.
type calendars struct {
	ctx  context.Context
	e    *projections.Engine
	asOf events.AsOf
	at   time.Time

	book  *protocol.Book
	last  key
	known *calendar.Calendar
	byKey map[key]*calendar.Calendar
}

type key struct {
	j           events.Jurisdiction
	subdivision string
}

func (c *calendars) overdue(j events.Jurisdiction, subdivision string, due events.Date) (int, error) {
	k := key{j, subdivision}
	if c.known == nil || k != c.last {
		cal, err := c.of(k)
		if err != nil {
			return 0, err
		}
		c.last, c.known = k, cal
	}
	return max(0, c.known.WorkingDaysBetween(due, events.DateIn(c.at, c.known.Zone()))), nil
}

func (c *calendars) of(k key) (*calendar.Calendar, error) {
	if cal, ok := c.byKey[k]; ok {
		return cal, nil
	}
	if c.book == nil {
		book, err := c.e.DecreesAt(c.ctx, c.asOf)
		if err != nil {
			return nil, err
		}
		c.book, c.byKey = book, make(map[key]*calendar.Calendar)
	}
	cal := c.book.Calendar(k.j, k.subdivision)
	if cal == nil {
		return nil, fmt.Errorf("there is no calendar of %s %s", k.j, k.subdivision)
	}
	c.byKey[k] = cal
	return cal, nil
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil { // no field of it can fail
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (c cursor, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.At.IsZero() {
		return c, ErrCursor
	}
	return c, nil
}
