// Package status is the read model of every case's current status: one row per case, and the earlier versions of
// it, so that the list of cases can be read as known at any instant.
package status

import (
	"context"
	"fmt"
	"strings"
	"time"

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
		Name: Name, Version: 1,
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
				Triggers: []string{`CREATE TRIGGER {current}_archive BEFORE UPDATE OF known_commit ON {current}
	WHEN (` + changing("OLD.") + `) IS NOT (` + changing("NEW.") + `) BEGIN
	INSERT INTO {past} (` + versioned + `, until_at, until_commit, until_behind)
	SELECT ` + prefixed(versioned, "OLD.") + `, NEW.known_at, NEW.known_commit, NEW.known_behind; END`},
			},
			{
				Name: "past",
				Columns: columnTypes + `,
	until_at     INTEGER NOT NULL,
	until_commit INTEGER NOT NULL,
	until_behind INTEGER NOT NULL`,
				Indexes: []projections.Index{{Name: "number", On: "(number, until_at)"}},
			},
		},
		Collect: func() projections.Collector { return &collector{latest: make(map[string]int)} },
	}
}

func prefixed(columns, prefix string) string {
	names := strings.Split(columns, ",")
	for i := range names {
		names[i] = prefix + strings.TrimSpace(names[i])
	}
	return strings.Join(names, ", ")
}

// changing are the columns whose change makes a new version.
func changing(prefix string) string {
	return prefixed("institution, status, phase, release_date, released_on, risk, groups", prefix)
}

// version is a row, as of one event.
type version struct {
	number                      string
	jurisdiction                events.Jurisdiction
	institution                 events.Institution
	status, phase, risk, groups string
	releaseDate, releasedOn     events.Date
	opened                      time.Time
	revision                    uint64
	knownAt, lastAt             time.Time
	knownPosition, lastPosition events.Position
}

// same reports whether two versions of a case say the same of it, but for its latest event.
func (v *version) same(w *version) bool {
	return v.institution == w.institution && v.status == w.status && v.phase == w.phase && v.risk == w.risk && v.groups == w.groups &&
		v.releaseDate == w.releaseDate && v.releasedOn == w.releasedOn
}

// collector keeps of consecutive versions of a case that say the same only the last.
type collector struct {
	versions []version
	latest   map[string]int // by number, into versions
}

func (c *collector) Collect(s *projections.Step) error {
	if s.Case == nil {
		return nil
	}
	v := of(s)
	if i, ok := c.latest[v.number]; ok && c.versions[i].same(&v) {
		v.knownAt, v.knownPosition = c.versions[i].knownAt, c.versions[i].knownPosition
		c.versions[i] = v
		return nil
	}
	c.latest[v.number] = len(c.versions)
	c.versions = append(c.versions, v)
	return nil
}

// of reads a case's status after a step.
func of(s *projections.Step) version {
	c := s.Case
	v := version{number: c.Number, jurisdiction: c.Jurisdiction, risk: c.Tracker.RiskLevel(),
		releaseDate: c.Tracker.ReleaseDate(), releasedOn: c.Tracker.ReleasedOn(), opened: c.History.Entries()[0].RecordedAt,
		revision: c.Last.Revision, lastAt: c.Last.RecordedAt, lastPosition: c.Last.Position,
		knownAt: s.Event.RecordedAt, knownPosition: s.Event.Position}
	where := standingOf(c)
	v.status, v.phase, v.institution, v.groups = where.status, where.phase, where.institution, strings.Join(where.groups, ",")
	return v
}

// Where the columns of the update are unchanged, only the latest event moves on, and known_* stays.
var upsert = `INSERT INTO {current} (` + versioned + `, revision, last_at, last_commit, last_behind)
	VALUES (?` + strings.Repeat(", ?", strings.Count(versioned, ",")+4) + `)
	ON CONFLICT DO UPDATE SET (revision, last_at, last_commit, last_behind) = (excluded.revision, excluded.last_at, excluded.last_commit, excluded.last_behind),
	(` + changing("") + `) = (` + changing("excluded.") + `),
	(known_at, known_commit, known_behind) = (SELECT excluded.known_at, excluded.known_commit, excluded.known_behind
		WHERE (` + changing("{current}.") + `) IS NOT (` + changing("excluded.") + `)
		UNION ALL SELECT {current}.known_at, {current}.known_commit, {current}.known_behind
		WHERE (` + changing("{current}.") + `) IS (` + changing("excluded.") + `))`

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	for i := range c.versions {
		v := &c.versions[i]
		_, err := tx.Exec(ctx, upsert, v.number, string(v.jurisdiction), string(v.institution), v.status, v.phase, int64(v.releaseDate), int64(v.releasedOn),
			v.risk, v.groups, v.opened.UnixMicro(), v.knownAt.UnixMicro(), int64(v.knownPosition.Commit), int64(v.knownPosition.Commit-v.knownPosition.Prepare),
			int64(v.revision), v.lastAt.UnixMicro(), int64(v.lastPosition.Commit), int64(v.lastPosition.Commit-v.lastPosition.Prepare))
		if err != nil {
			return fmt.Errorf("write the status of a case: %w", err)
		}
	}
	return nil
}
