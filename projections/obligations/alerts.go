package obligations

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	var all []standing
	err = e.View(ctx, Name, func(v *projections.View) error {
		return eachStanding(ctx, v, q.AsOf, at, func(r *row) error {
			if s := r.standing(at); q.wants(r, at) && (q.Cursor == "" || s.compare(&from) > 0) {
				s.row = *r
				all = append(all, s)
			}
			return nil
		})
	})
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(all, func(a, b standing) int { return a.compare(&b.cursor) })
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
		last := all[q.Limit-1].cursor
		last.At, last.Position = at, q.AsOf.Position
		next = last.String()
	}
	days := calendars{ctx: ctx, e: e, asOf: q.AsOf, at: at}
	list = make([]Alert, len(all))
	for i := range all {
		if list[i], err = all[i].alert(at, &days); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// wants reports whether an alert is one of those that are wanted.
func (q *Query) wants(r *row, at time.Time) bool {
	late := r.overdueFrom <= at.UnixMicro()
	return (q.State != protocol.Overdue || late) && (q.State != protocol.DueSoon || !late) &&
		(q.Institution == "" || string(q.Institution) == string(r.holder)) &&
		(q.Jurisdiction == "" || string(q.Jurisdiction) == string(r.jurisdiction)) &&
		(q.Rule == "" || q.Rule == string(r.rule)) && (q.Case == "" || q.Case == string(r.number))
}

// standing is an alert that stands, with its place in the list.
type standing struct {
	cursor
	row row
}

func (r *row) standing(at time.Time) standing {
	s := standing{cursor: cursor{Severity: r.severity, Overdue: r.overdueFrom, Number: string(r.number), ID: string(r.obligation)}}
	if r.overdueFrom > at.UnixMicro() {
		s.State = 1
	}
	return s
}

// compare says which of two alerts comes first in the list.
func (c *cursor) compare(d *cursor) int {
	return cmp.Or(cmp.Compare(c.State, d.State), cmp.Compare(c.Severity, d.Severity), cmp.Compare(c.Overdue, d.Overdue),
		cmp.Compare(c.Number, d.Number), cmp.Compare(c.ID, d.ID))
}

// eachStanding gives fn the versions that were alerts at an instant: due soon or overdue, as known then. at is the
// instant of asOf. What fn is given is good as long as it likes, but for the row itself.
func eachStanding(ctx context.Context, v *projections.View, asOf events.AsOf, at time.Time, fn func(*row) error) error {
	t := at.UnixMicro()
	if err := each(ctx, v, false, `SELECT body FROM {current} WHERE warn_from <= ?`, func(r *row) error {
		if !r.known.includedIn(asOf) {
			return nil
		}
		return fn(r)
	}, t); err != nil || asOf.IsNow() {
		return err
	}
	// Of what was replaced in the microsecond itself the position decides.
	h := t / hour
	left, right := path(h)
	const past = `SELECT body FROM {past} WHERE node `
	query := past + `IN (` + join(left) + `) AND until_at >= ?1 UNION ALL ` + past + `IN (` + join(right) + `) AND alert_from <= ?1 UNION ALL ` +
		past + fmt.Sprintf(`= %d AND alert_from <= ?1 AND until_at >= ?1`, h)
	return each(ctx, v, true, query, func(r *row) error {
		if !r.known.includedIn(asOf) || r.until.includedIn(asOf) {
			return nil
		}
		return fn(r)
	}, t)
}

// each unpacks the rows of a query for bodies.
func each(ctx context.Context, v *projections.View, past bool, query string, fn func(*row) error, args ...any) error {
	rows, err := v.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var r row
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return err
		}
		if err := r.unpack(body, past); err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
	}
	return rows.Err()
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

// alert makes an alert of a row.
func (s *standing) alert(at time.Time, days *calendars) (Alert, error) {
	r := &s.row
	o := protocol.Obligation{Outcome: protocol.Pending, OverdueFrom: time.UnixMicro(r.overdueFrom).UTC()}
	for i, l := range r.levels {
		if l != 0 {
			o.EscalateFrom[i] = time.UnixMicro(l)
		}
	}
	o.Due.Date = events.Date(r.due)
	if r.dueAt != 0 {
		o.Due.Instant = time.UnixMicro(r.dueAt)
	}
	a := Alert{Case: s.Number, Obligation: s.ID, Rule: string(r.rule), Duty: events.Role(r.duty), Due: o.Due.String(), State: protocol.Overdue,
		Severity: severity(r.severity), Escalation: o.Escalation(at), Jurisdiction: events.Jurisdiction(r.jurisdiction), OverdueFrom: o.OverdueFrom}
	if len(r.holder) > 0 {
		holder := events.Institution(r.holder)
		a.DutyHolder = &holder
	}
	if len(r.toward) > 0 {
		toward := events.Role(r.toward)
		a.Toward = &toward
	}
	if len(r.ackedByID) == 16 {
		a.AcknowledgedBy = (*uuid.UUID)(r.ackedByID)
	}
	if s.State != 0 {
		a.State = protocol.DueSoon
		return a, nil
	}
	n, err := days.overdue(a.Jurisdiction, string(r.subdivision), o.Due.Date)
	a.WorkingDaysOverdue = n
	return a, err
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
