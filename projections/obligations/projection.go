// Package obligations is the read model of every duty in every case, in all its versions: what each obligation
// was known to be, from which event on and until which. So "which alerts stood on 3 March, as known then" is one
// indexed query over all cases.
//
// # How it is kept
//
// current holds each obligation as it is known now; past holds every earlier version with the half-open time
// [known_at, until_at) in which it was known. A version is written only when the protocol's tracker says that an
// event changed the obligation; the one before it then moves to past. Neither table holds a state that
// depends on the clock: warn_from, overdue_from and the escalation instants are compared with the asked instant.
//
// # How the past is asked
//
// An earlier version was an alert during [max(known_at, warn_from), until_at), if that is not empty. To find the
// intervals that hold an instant without looking at the others, each has a node (Kriegel, Pötke, Seidl: Managing
// Intervals Efficiently in Object-Relational Databases, VLDB 2000): of all hours from its first to its last, the
// one divisible by the highest power of two. An interval that holds an instant has its node on the path from the
// root of a binary tree over the hours down to the hour of the instant, so some twenty index ranges give exactly
// the alerts that stood.
package obligations

import (
	"context"
	"fmt"
	"strings"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "obligations"

// columns of a version, in both tables. Instants are microseconds since 1970, dates days as events.Date counts
// them. A position is its commit and how far prepare lies behind, which is 0 on the embedded store.
const columns = `case_id, obligation, number, jurisdiction, subdivision, rule, severity, duty, holder, toward,
	due, due_at, warn_from, overdue_from, level1, level2, level3, outcome, compressed, recorded_late, met_on, reached, acknowledged_by,
	protocol, known_at, known_commit, known_behind`

const columnTypes = `
	case_id         INTEGER NOT NULL,
	obligation      TEXT NOT NULL,
	number          TEXT NOT NULL,
	jurisdiction    TEXT NOT NULL,
	subdivision     TEXT NOT NULL,
	rule            TEXT NOT NULL,
	severity        INTEGER NOT NULL, -- 0 is the gravest
	duty            TEXT NOT NULL,
	holder          TEXT NOT NULL,
	toward          TEXT NOT NULL,
	due             INTEGER NOT NULL,
	due_at          INTEGER NOT NULL, -- 0, but for a duty due at an instant
	warn_from       INTEGER NOT NULL,
	overdue_from    INTEGER NOT NULL,
	level1          INTEGER NOT NULL, -- 0 for a level that there is not; so for the next two
	level2          INTEGER NOT NULL,
	level3          INTEGER NOT NULL,
	outcome         TEXT NOT NULL,
	compressed      INTEGER NOT NULL,
	recorded_late   INTEGER NOT NULL,
	met_on          INTEGER NOT NULL,
	reached         INTEGER NOT NULL,
	acknowledged_by BLOB,
	protocol        TEXT NOT NULL,
	known_at        INTEGER NOT NULL,
	known_commit    INTEGER NOT NULL,
	known_behind    INTEGER NOT NULL`

// Projection is the read model, for the engine.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 1,
		Tables: []projections.Table{
			{
				Name: "current",
				// watch_from is the instant at which the deadline watcher next has something to record.
				Columns: columnTypes + `,
	recorded_due    INTEGER NOT NULL DEFAULT 0, -- the due date for which ObligationOverdue is on record
	recorded_level  INTEGER NOT NULL DEFAULT 0, -- the highest level on record for that date
	watch_from      INTEGER AS (CASE
		WHEN outcome <> 'pending' THEN NULL
		WHEN recorded_due <> due THEN overdue_from
		WHEN recorded_level = 0 THEN nullif(level1, 0)
		WHEN recorded_level = 1 THEN nullif(level2, 0)
		WHEN recorded_level = 2 THEN nullif(level3, 0) END) VIRTUAL,
	PRIMARY KEY (case_id, obligation)`,
				Options: "STRICT, WITHOUT ROWID",
				Indexes: []projections.Index{
					// It holds all that a list of alerts shows, so that the list needs no look at the rows.
					{Name: "alert", On: `(warn_from, overdue_from, severity, number, obligation, rule, duty, holder, toward, due, due_at,
						level1, level2, level3, acknowledged_by, jurisdiction, subdivision, known_at) WHERE outcome = 'pending'`},
					{Name: "watch", On: "(watch_from, number) WHERE watch_from IS NOT NULL"},
					{Name: "counts", On: "(jurisdiction, rule, outcome, warn_from, overdue_from)"},
				},
			},
			{
				Name: "past",
				// Without constraints: these rows are copies, and a statement that may fail half way costs SQLite a
				// journal of its own.
				Columns: columns + `, until_at, until_commit, until_behind,
	alert_from, -- the later of known_at and warn_from
	node        -- NULL for a version that never was an alert`,
				Options: " ",
				Indexes: []projections.Index{
					{Name: "left", On: "(node, until_at) WHERE node IS NOT NULL"},
					{Name: "right", On: "(node, alert_from) WHERE node IS NOT NULL"},
					{Name: "commit", On: "(until_commit) WHERE node IS NOT NULL"},
				},
			},
		},
		Collect: func() projections.Collector { return newCollector() },
	}
}

// hour is the grain of the nodes.
const hour = int64(time.Hour / time.Microsecond)

// archive copies the version that is about to be replaced to past. The node is forkNode in SQL: with x the bits in which the hour before the first and the last hour differ, spread to the
// right, the last hour without the bits below the highest of them.
var archive = `INSERT INTO {past} (` + columns + `, until_at, until_commit, until_behind, alert_from, node)
	SELECT ` + columns + `, ?1, ?2, ?3, max(known_at, warn_from), CASE WHEN outcome = 'pending' AND warn_from <= ?1 THEN ` +
	forkSQL(fmt.Sprintf("max(known_at, warn_from) / %d", hour), fmt.Sprintf("?1 / %d", hour)) + ` END
	FROM {current} WHERE case_id = ?4 AND obligation = ?5`

func forkSQL(first, last string) string {
	sql := fmt.Sprintf("SELECT (%s) AS u, (((%s) - 1) | (%s)) - (((%s) - 1) & (%s)) AS x", last, first, last, first, last)
	for _, shift := range []int{1, 2, 4, 8, 16} {
		sql = fmt.Sprintf("SELECT u, x | (x >> %d) AS x FROM (%s)", shift, sql)
	}
	return "(SELECT u & ~(x >> 1) FROM (" + sql + "))"
}

// forkNode is the hour between first and last, both included, that is divisible by the highest power of two.
func forkNode(first, last int64) int64 {
	x := (first - 1) ^ last
	for _, shift := range []int{1, 2, 4, 8, 16} {
		x |= x >> shift
	}
	return last &^ (x >> 1)
}

// path are the nodes, beside h itself, that an interval with the hour h in it can have: those before it and those
// after it. (Where h is divisible by a power of two some of those after it can't; they hold no such interval.)
func path(h int64) (left, right []int64) {
	for bit := int64(1); bit < 1<<24; bit <<= 1 {
		switch node := h&^(2*bit-1) | bit; {
		case node < h:
			left = append(left, node)
		case node > h:
			right = append(right, node)
		}
	}
	return left, right
}

// change is what a step does to an obligation.
type change struct {
	kind       byte // 'v' a version, 'g' gone, 'o' overdue on record, 'e' escalation on record
	obligation protocol.Obligation
	level      int
	due        events.Date
	id         int64
	number     string
	j          events.Jurisdiction
	sub        string
	at         *events.Event
}

// collector keeps the changes of a page by obligation, in order: of the versions that a page begins and ends,
// only past hears.
type collector struct {
	changes map[subject][]change
	order   []subject
}

type subject struct {
	id         int64
	obligation string
}

func newCollector() *collector { return &collector{changes: make(map[subject][]change)} }

func (c *collector) add(v change) {
	k := subject{v.id, v.obligation.ID}
	list, ok := c.changes[k]
	if !ok {
		c.order = append(c.order, k)
	}
	if n := len(list); n > 0 && v.kind == 'v' && list[n-1].kind == 'v' && same(&v.obligation, &list[n-1].obligation) && v.sub == list[n-1].sub {
		return
	}
	c.changes[k] = append(list, v)
}

// same reports whether two versions have the same row, but for since when they are known.
func same(a, b *protocol.Obligation) bool {
	return a.Rule == b.Rule && a.Severity == b.Severity && a.Duty == b.Duty && a.DutyHolder == b.DutyHolder && a.Toward == b.Toward &&
		a.Due.Date == b.Due.Date && a.Due.Instant.Equal(b.Due.Instant) && a.WarnFrom.Equal(b.WarnFrom) && a.OverdueFrom.Equal(b.OverdueFrom) &&
		a.EscalateFrom == b.EscalateFrom && a.Outcome == b.Outcome && a.Compressed == b.Compressed && a.RecordedLate == b.RecordedLate &&
		a.MetOn == b.MetOn && a.Reached == b.Reached && a.AcknowledgedBy == b.AcknowledgedBy && a.Protocol == b.Protocol
}

func (c *collector) Collect(s *projections.Step) error {
	if s.Case == nil {
		return nil
	}
	base := change{id: s.Case.ID, number: s.Case.Number, j: s.Case.Jurisdiction, at: s.Event}
	if len(s.Obligations) > 0 {
		if cal := s.Case.Tracker.Calendar(); cal != nil {
			base.sub = cal.Subdivision()
		}
	}
	for i := range s.Obligations {
		v := base
		v.kind, v.obligation = 'v', s.Obligations[i]
		c.add(v)
	}
	for _, id := range s.Gone {
		v := base
		v.kind, v.obligation.ID = 'g', id
		c.add(v)
	}
	switch d := s.Event.Data.(type) {
	case *events.ObligationOverdue:
		base.kind, base.obligation.ID, base.due = 'o', d.Obligation, d.Due
		c.add(base)
	case *events.ObligationEscalated:
		base.kind, base.obligation.ID, base.level = 'e', d.Obligation, d.Level
		c.add(base)
	}
	return nil
}

var (
	places   = "?" + strings.Repeat(", ?", strings.Count(columns, ","))
	insert   = `INSERT INTO {current} (` + columns + `) VALUES (` + places + `)`
	update   = `UPDATE {current} SET (` + columns + `) = (` + places + `) WHERE case_id = ?1 AND obligation = ?2`
	pastOnly = `INSERT INTO {past} (` + columns + `, until_at, until_commit, until_behind, alert_from, node) VALUES (` + places + `, ?, ?, ?, ?, ?)`
)

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	for _, k := range c.order {
		if err := write(ctx, tx, k, c.changes[k]); err != nil {
			return fmt.Errorf("write obligation %s: %w", k.obligation, err)
		}
	}
	return nil
}

// write writes what a page changed in one obligation.
func write(ctx context.Context, tx *projections.Tx, k subject, list []change) error {
	var version *change // the page's latest so far
	stored := false     // the obligation has a row from before
	first := true
	var onRecord []change
	for i := range list {
		v := &list[i]
		switch v.kind {
		case 'o', 'e':
			onRecord = append(onRecord, *v)
			continue
		}
		at, commit, behind := v.at.RecordedAt.UnixMicro(), int64(v.at.Position.Commit), behind(v.at.Position)
		if first {
			n, err := tx.Exec(ctx, archive, at, commit, behind, k.id, k.obligation)
			if err != nil {
				return err
			}
			first, stored = false, n > 0
		} else if version != nil {
			if _, err := tx.Exec(ctx, pastOnly, append(version.row(), version.ended(at, commit, behind)...)...); err != nil {
				return err
			}
		}
		if version = v; v.kind == 'g' {
			version = nil
		}
	}
	switch {
	case version != nil && stored:
		if _, err := tx.Exec(ctx, update, version.row()...); err != nil {
			return err
		}
	case version != nil:
		if _, err := tx.Exec(ctx, insert, version.row()...); err != nil {
			return err
		}
	case stored:
		if _, err := tx.Exec(ctx, "DELETE FROM {current} WHERE case_id = ? AND obligation = ?", k.id, k.obligation); err != nil {
			return err
		}
	}
	for i := range onRecord {
		v := &onRecord[i]
		var err error
		if v.kind == 'o' {
			_, err = tx.Exec(ctx, "UPDATE {current} SET recorded_due = ?, recorded_level = 0 WHERE case_id = ? AND obligation = ?", int64(v.due), k.id, k.obligation)
		} else {
			_, err = tx.Exec(ctx, "UPDATE {current} SET recorded_level = max(recorded_level, ?) WHERE case_id = ? AND obligation = ?", v.level, k.id, k.obligation)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ended are the columns of past that say how a version ended.
func (v *change) ended(at, commit, behind int64) []any {
	from := max(v.at.RecordedAt.UnixMicro(), micros(v.obligation.WarnFrom))
	var node any
	if v.obligation.Outcome == protocol.Pending && micros(v.obligation.WarnFrom) <= at {
		node = forkNode(from/hour, at/hour)
	}
	return []any{at, commit, behind, from, node}
}

func (v *change) row() []any {
	o := &v.obligation
	var acknowledged any
	if o.AcknowledgedBy != [16]byte{} {
		acknowledged = o.AcknowledgedBy[:]
	}
	return []any{v.id, o.ID, v.number, string(v.j), v.sub, o.Rule, rank(o.Severity), string(o.Duty), string(o.DutyHolder), string(o.Toward),
		int64(o.Due.Date), micros(o.Due.Instant), micros(o.WarnFrom), micros(o.OverdueFrom),
		micros(o.EscalateFrom[0]), micros(o.EscalateFrom[1]), micros(o.EscalateFrom[2]), string(o.Outcome), number(o.Compressed),
		number(o.RecordedLate), int64(o.MetOn), int64(o.Reached), acknowledged, o.Protocol,
		v.at.RecordedAt.UnixMicro(), int64(v.at.Position.Commit), behind(v.at.Position)}
}

// ranks of severity, gravest first, as stored.
var ranks = [...]protocol.Severity{protocol.Critical, protocol.High, protocol.Medium}

func rank(s protocol.Severity) int64 {
	for i, r := range ranks {
		if r == s {
			return int64(i)
		}
	}
	return int64(len(ranks))
}

func severity(rank int64) protocol.Severity {
	if rank < 0 || rank >= int64(len(ranks)) {
		return ""
	}
	return ranks[rank]
}

// micros is an instant as stored: 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func behind(p events.Position) int64 { return int64(p.Commit - p.Prepare) }
