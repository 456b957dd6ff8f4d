// Package status is the read model of every case's current status: one row per case, and the earlier versions of
// it, so that the list of cases can be read as known at any instant.
package status

import (
	"context"
	"fmt"
	"strings"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "status"

// Instants are microseconds since 1970, dates days as events.Date counts them. known_* is the event since which
// the version is known; revision and last_* are the case's latest event, which makes no version.
const versioned = `number, jurisdiction, institution, status, phase, release_date, released_on, risk, groups, opened_at,
	known_at, known_commit, known_behind`

const columnTypes = `
	number       TEXT NOT NULL,
	jurisdiction TEXT NOT NULL,
	institution  TEXT NOT NULL,
	status       TEXT NOT NULL,
	phase        TEXT NOT NULL,
	release_date INTEGER NOT NULL,
	released_on  INTEGER NOT NULL,
	risk         TEXT NOT NULL,
	groups       TEXT NOT NULL, -- separated by commas
	opened_at    INTEGER NOT NULL, -- when its first event was recorded
	known_at     INTEGER NOT NULL,
	known_commit INTEGER NOT NULL,
	known_behind INTEGER NOT NULL`

// Projection is the read model, for the engine.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 3,
		Tables: []projections.Table{
			{
				Name: "current",
				Columns: columnTypes + `,
	revision     INTEGER NOT NULL,
	last_at      INTEGER NOT NULL,
	last_commit  INTEGER NOT NULL,
	last_behind  INTEGER NOT NULL,
	PRIMARY KEY (number)`,
				Options: "STRICT, WITHOUT ROWID",
			},
			{
				Name: "past",
				// Without constraints: these rows were in current.
				Columns: versioned + `, until_at, until_commit, until_behind`,
				Options: " ",
				Indexes: []projections.Index{{Name: "number", On: "(number, until_at)"}},
			},
		},
		Collect: func() projections.Collector { return &collector{places: make(map[string]int)} },
		Purge:   purge,
	}
}

// version is a row, as of one event.
type version struct {
	number                      string
	jurisdiction                events.Jurisdiction
	institution                 events.Institution
	status, phase, risk, groups string
	releaseDate, releasedOn     events.Date
	opened                      int64
	known                       moment
}

// moment is an event's place in time and in the log.
type moment struct{ at, commit, behind int64 }

func momentOf(e *events.Event) moment {
	return moment{e.RecordedAt.UnixMicro(), int64(e.Position.Commit), int64(e.Position.Commit - e.Position.Prepare)}
}

// same reports whether two versions of a case say the same of it.
func (v *version) same(w *version) bool {
	return v.institution == w.institution && v.status == w.status && v.phase == w.phase && v.risk == w.risk && v.groups == w.groups &&
		v.releaseDate == w.releaseDate && v.releasedOn == w.releasedOn
}

// progress is what a page says of one case: its versions, and its latest event.
type progress struct {
	number   string
	isNew    bool // the case began in the page
	versions []version
	revision uint64
	last     moment
}

type collector struct {
	cases  []progress
	places map[string]int // by number, in cases
}

func (c *collector) Collect(s *projections.Step) error {
	if s.Case == nil {
		return nil
	}
	i, ok := c.places[s.Case.Number]
	if !ok {
		i = len(c.cases)
		c.places[s.Case.Number] = i
		c.cases = append(c.cases, progress{number: s.Case.Number, isNew: !s.Refolded && s.Event.Revision == 0})
	}
	p := &c.cases[i]
	p.revision, p.last = s.Case.Last.Revision, momentOf(s.Case.Last)
	if len(p.versions) > 0 && !concernsStatus(s) {
		return nil
	}
	v := of(s)
	if n := len(p.versions); n == 0 || !p.versions[n-1].same(&v) {
		p.versions = append(p.versions, v)
	}
	return nil
}

// concernsStatus reports whether a step can change more than which event is the case's latest.
func concernsStatus(s *projections.Step) bool {
	switch s.Event.Data.(type) {
	case *events.ExpectedReleaseDateSet, *events.ExpectedReleaseDateChanged, *events.RiskLevelChanged, *events.AssessmentCompleted,
		*events.EntryCorrected, *events.EntryAnnulled:
		return true
	}
	return s.Refolded || projections.IsLandmark(s.Event)
}

// of reads a case's status after a step.
func of(s *projections.Step) version {
	c := s.Case
	v := version{number: c.Number, jurisdiction: c.Jurisdiction, risk: riskOf(c.Tracker), releaseDate: c.Tracker.ReleaseDate(),
		releasedOn: c.Tracker.ReleasedOn(), opened: c.History.Entries()[0].RecordedAt.UnixMicro(), known: momentOf(s.Event)}
	where := standingOf(c)
	v.status, v.phase, v.institution, v.groups = where.status, where.phase, where.institution, strings.Join(where.groups, ",")
	return v
}

var (
	places  = "?" + strings.Repeat(", ?", strings.Count(versioned, ","))
	archive = `INSERT INTO {past} (` + versioned + `, until_at, until_commit, until_behind) VALUES (` + places + `, ?, ?, ?)`
	insert  = `INSERT INTO {current} (` + versioned + `, revision, last_at, last_commit, last_behind) VALUES (` + places + `, ?, ?, ?, ?)`
	update  = `UPDATE {current} SET (` + versioned + `, revision, last_at, last_commit, last_behind) = (` + places + `, ?, ?, ?, ?) WHERE number = ?`
)

const (
	moveOn = `UPDATE {current} SET revision = ?, last_at = ?, last_commit = ?, last_behind = ? WHERE number = ?`
	look   = `SELECT ` + versioned + ` FROM {current} WHERE number = ?`
)

// kept is what Write knows of the table current. What it does not know is looked up.
type kept map[string]*version

// keptLimit bounds kept; each takes some 300 bytes.
const keptLimit = 200_000

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	known, ok := (*tx.Kept()).(kept)
	if !ok {
		known = make(kept)
		*tx.Kept() = known
	}
	for i := range c.cases {
		if err := c.cases[i].write(ctx, tx, known); err != nil {
			return fmt.Errorf("write the status of a case: %w", err)
		}
	}
	for k := range known {
		if len(known) <= keptLimit {
			break
		}
		delete(known, k)
	}
	return nil
}

func (p *progress) write(ctx context.Context, tx *projections.Tx, known kept) error {
	old := known[p.number]
	if old == nil && !p.isNew {
		var err error
		if old, err = stored(ctx, tx, p.number); err != nil {
			return err
		}
	}
	now := old
	for i := range p.versions {
		v := &p.versions[i]
		if now != nil {
			if now.same(v) {
				continue
			}
			if _, err := tx.Exec(ctx, archive, append(now.row(), v.known.at, v.known.commit, v.known.behind)...); err != nil {
				return err
			}
		}
		now = v
	}
	known[p.number] = now
	latest := []any{int64(p.revision), p.last.at, p.last.commit, p.last.behind}
	var err error
	switch now {
	case old:
		_, err = tx.Exec(ctx, moveOn, append(latest, p.number)...)
	default:
		row := append(now.row(), latest...)
		if old == nil {
			_, err = tx.Exec(ctx, insert, row...)
		} else {
			_, err = tx.Exec(ctx, update, append(row, p.number)...)
		}
	}
	return err
}

// erased stands in the place of a risk level that was erased; its receipt follows, once it is known.
const erased = "erased:"

func riskOf(t *protocol.Tracker) string {
	if receipt, gone := t.RiskLevelErased(); gone {
		return erased + receipt.String()
	}
	return t.RiskLevel()
}

// purge takes the risk levels of cases out, the present one and those that were known before.
func purge(ctx context.Context, tx *projections.Tx, numbers []string) error {
	for _, number := range numbers {
		for _, statement := range []string{`UPDATE {current} SET risk = 'erased:' WHERE number = ? AND risk <> ''`, `UPDATE {past} SET risk = 'erased:' WHERE number = ? AND risk <> ''`} {
			if _, err := tx.Exec(ctx, statement, number); err != nil {
				return err
			}
		}
	}
	return nil
}

// row are the columns versioned.
func (v *version) row() []any {
	return []any{v.number, string(v.jurisdiction), string(v.institution), v.status, v.phase, int64(v.releaseDate), int64(v.releasedOn),
		v.risk, v.groups, v.opened, v.known.at, v.known.commit, v.known.behind}
}

// stored reads what the table holds of a case, nil if nothing.
func stored(ctx context.Context, tx *projections.Tx, number string) (*version, error) {
	rows, err := tx.Query(ctx, look, number)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	var v version
	return &v, rows.Scan(&v.number, &v.jurisdiction, &v.institution, &v.status, &v.phase, &v.releaseDate, &v.releasedOn, &v.risk, &v.groups,
		&v.opened, &v.known.at, &v.known.commit, &v.known.behind)
}
