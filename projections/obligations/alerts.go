package obligations

import (
	"bytes"
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

// AlertID is an id of the alert on an obligation of a case that does not show either, for links and for receivers
// outside: the same each time.
func AlertID(number, obligation string) uuid.UUID {
	return events.DeriveID("alert", number, obligation)
}

// Query says which alerts are wanted. Empty fields do not narrow.
type Query struct {
	State        protocol.State     // DueSoon or Overdue; anything else means both
	Institution  events.Institution // the duty holder
	Jurisdiction events.Jurisdiction
	Rule         string
	Case         string
	Only         *projections.Selection // these cases; nil for all
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
	most := func() { // keeps the first of them only
		slices.SortFunc(all, func(a, b standing) int { return a.compare(&b) })
		if q.Limit > 0 && len(all) > q.Limit+1 {
			all = all[:q.Limit+1]
		}
	}
	after := standing{late: from.State == 0, severity: from.Severity, overdueFrom: from.Overdue, number: []byte(from.Number), obligation: []byte(from.ID)}
	err = e.View(ctx, Name, func(v *projections.View) error {
		return eachStanding(ctx, v, q.AsOf, at, func(r *row, body []byte) error {
			if s := r.standing(at, body); q.wants(r, s.late) && (q.Cursor == "" || s.compare(&after) > 0) {
				all = append(all, s)
			}
			if q.Limit > 0 && len(all) >= 4*q.Limit+256 {
				most()
			}
			return nil
		})
	})
	if err != nil {
		return nil, "", err
	}
	if most(); q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
		next = all[q.Limit-1].cursor(at, q.AsOf.Position).String()
	}
	days := calendars{ctx: ctx, e: e, asOf: q.AsOf, at: at}
	shared := make(texts)
	list = make([]Alert, len(all))
	for i := range all {
		if list[i], err = all[i].alert(at, &days, shared); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// wants reports whether an alert is one of those that are wanted.
func (q *Query) wants(r *row, late bool) bool {
	return (q.State != protocol.Overdue || late) && (q.State != protocol.DueSoon || !late) &&
		(q.Institution == "" || string(q.Institution) == string(r.holder)) &&
		(q.Jurisdiction == "" || string(q.Jurisdiction) == string(r.jurisdiction)) &&
		(q.Rule == "" || q.Rule == string(r.rule)) && (q.Case == "" || q.Case == string(r.number)) && q.Only.Has(r.number)
}

// standing is an alert that stands, with what says its place in the list.
type standing struct {
	late                  bool
	severity, overdueFrom int64
	number, obligation    []byte // parts of body
	body                  []byte
	past                  bool
}

func (r *row) standing(at time.Time, body []byte) standing {
	return standing{r.overdueFrom <= at.UnixMicro(), r.severity, r.overdueFrom, r.number, r.obligation, body, r.past}
}

// compare says which of two alerts comes first in the list.
func (s *standing) compare(o *standing) int {
	switch {
	case s.late != o.late && s.late:
		return -1
	case s.late != o.late:
		return 1
	case s.severity != o.severity:
		return cmp.Compare(s.severity, o.severity)
	case s.overdueFrom != o.overdueFrom:
		return cmp.Compare(s.overdueFrom, o.overdueFrom)
	}
	return cmp.Or(bytes.Compare(s.number, o.number), bytes.Compare(s.obligation, o.obligation))
}

// cursor is the alert's place in a list as of an instant or position.
func (s *standing) cursor(at time.Time, p events.Position) cursor {
	c := cursor{At: at, Position: p, Severity: s.severity, Overdue: s.overdueFrom, Number: string(s.number), ID: string(s.obligation)}
	if !s.late {
		c.State = 1
	}
	return c
}

// texts holds what many rows have in common once.
type texts map[string]string

func (t texts) of(b []byte) string {
	s, ok := t[string(b)]
	if !ok {
		s = string(b)
		t[s] = s
	}
	return s
}

// eachStanding gives fn the versions that were alerts at an instant: due soon or overdue, as known then. at is the
// instant of asOf. The body is fn's own, the row is not.
func eachStanding(ctx context.Context, v *projections.View, asOf events.AsOf, at time.Time, fn func(r *row, body []byte) error) error {
	t := at.UnixMicro()
	if err := each(ctx, v, false, `SELECT body FROM {current} WHERE warn_from <= ?`, func(r *row, body []byte) error {
		if !r.known.includedIn(asOf) {
			return nil
		}
		return fn(r, body)
	}, t); err != nil || asOf.IsNow() {
		return err
	}
	// Of what was replaced in the microsecond itself the position decides.
	h := t / hour
	left, right := path(h)
	const past = `SELECT body FROM {past} WHERE node `
	query := past + `IN (` + join(left) + `) AND until_at >= ?1 UNION ALL ` + past + `IN (` + join(right) + `) AND alert_from <= ?1 UNION ALL ` +
		past + fmt.Sprintf(`= %d AND alert_from <= ?1 AND until_at >= ?1`, h)
	return each(ctx, v, true, query, func(r *row, body []byte) error {
		if !r.known.includedIn(asOf) || r.until.includedIn(asOf) {
			return nil
		}
		return fn(r, body)
	}, t)
}

// each unpacks the rows of a query for bodies.
func each(ctx context.Context, v *projections.View, past bool, query string, fn func(r *row, body []byte) error, args ...any) error {
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
		if err := fn(&r, body); err != nil {
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
func (s *standing) alert(at time.Time, days *calendars, shared texts) (Alert, error) {
	var r row
	if err := r.unpack(s.body, s.past); err != nil {
		return Alert{}, err
	}
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
	a := Alert{Case: shared.of(r.number), Obligation: string(r.obligation), Rule: shared.of(r.rule), Duty: events.Role(shared.of(r.duty)), Due: o.Due.String(), State: protocol.Overdue,
		Severity: severity(r.severity), Escalation: o.Escalation(at), Jurisdiction: events.Jurisdiction(shared.of(r.jurisdiction)), OverdueFrom: o.OverdueFrom}
	if len(r.holder) > 0 {
		holder := events.Institution(shared.of(r.holder))
		a.DutyHolder = &holder
	}
	if len(r.toward) > 0 {
		toward := events.Role(shared.of(r.toward))
		a.Toward = &toward
	}
	if len(r.ackedByID) == 16 {
		id := uuid.UUID(r.ackedByID)
		a.AcknowledgedBy = &id
	}
	if !s.late {
		a.State = protocol.DueSoon
		return a, nil
	}
	n, err := days.overdue(a.Jurisdiction, shared.of(r.subdivision), o.Due.Date)
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
