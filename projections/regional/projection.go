package regional

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "regional"

// Projection is the read model of the uses of screening and assessment tools, for the engine: one row for each
// screening and assessment, as corrected and not annulled, with what became of its being contested, in all its
// versions. How duties were met the projection obligations holds.
//
// Instants are microseconds since 1970. A row is known from known_at until until_at (NULL: still). Officers are
// there as digests: they are only ever counted and compared.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 1,
		Tables: []projections.Table{{
			Name: "use",
			Columns: `
	case_id        INTEGER NOT NULL,
	revision       INTEGER NOT NULL, -- of the screening or assessment in its case
	known_revision INTEGER NOT NULL, -- of the event that made this version
	jurisdiction   TEXT NOT NULL,
	kind           TEXT NOT NULL, -- screening, assessment
	tool           TEXT NOT NULL,
	version        TEXT NOT NULL,
	assessor       BLOB NOT NULL,
	occurred_at    INTEGER NOT NULL,
	contest        TEXT NOT NULL, -- '' for one not contested, open, or the outcome
	known_at       INTEGER NOT NULL,
	known_commit   INTEGER NOT NULL,
	known_behind   INTEGER NOT NULL,
	until_at       INTEGER,
	until_commit   INTEGER,
	until_behind   INTEGER,
	PRIMARY KEY (case_id, revision, known_revision)`,
			Options: "STRICT, WITHOUT ROWID",
		}},
		Collect: func() projections.Collector { return new(collector) },
	}
}

// The kinds of use.
const (
	Screening  = "screening"
	Assessment = "assessment"
)

// use is a version of a row; one that is gone ends the versions so far.
type use struct {
	caseID        int64
	revision      uint64
	gone          bool
	jurisdiction  events.Jurisdiction
	kind          string
	tool, version string
	assessor      officer
	occurredAt    time.Time
	contest       string
	at            *events.Event
}

type collector struct{ uses []use }

func (c *collector) Collect(s *projections.Step) error {
	if s.Case == nil || !concernsTools(s.Entries) {
		return nil
	}
	occurred := s.Case.History.Occurred()
	for i, entry := range occurred {
		u := use{caseID: s.Case.ID, revision: entry.Revision, gone: !entry.Stands(), jurisdiction: s.Case.Jurisdiction,
			occurredAt: entry.OccurredAt, at: s.Event}
		switch d := entry.Now.(type) {
		case *events.ScreeningCompleted:
			u.kind, u.tool, u.version, u.assessor = Screening, d.Tool, d.ToolVersion, officerOf(entry.Actor.Officer)
		case *events.AssessmentCompleted:
			who := d.Assessor
			if strings.TrimSpace(who) == "" {
				who = entry.Actor.Officer
			}
			u.kind, u.tool, u.version, u.assessor = Assessment, d.Tool, d.ToolVersion, officerOf(who)
			u.contest = contestOf(d.Assessment, occurred[i+1:])
		default:
			continue
		}
		c.uses = append(c.uses, u)
	}
	return nil
}

func concernsTools(entries []*history.Entry) bool {
	for _, entry := range entries {
		switch entry.Event.Data.(type) {
		case *events.ScreeningCompleted, *events.AssessmentCompleted, *events.AssessmentContested, *events.AssessmentContestDecided:
			return true
		}
	}
	return false
}

// contestOpen is the outcome of a contest that was not decided.
const contestOpen = "open"

// contestOf is what became of an assessment's being contested, from what occurred after it: open while no decision
// came after the last contest, else the outcome of the last decision; empty if it was not contested.
func contestOf(assessment events.ID, after []*history.Entry) string {
	outcome := ""
	for _, entry := range after {
		if !entry.Stands() {
			continue
		}
		switch d := entry.Now.(type) {
		case *events.AssessmentContested:
			if d.Assessment == assessment {
				outcome = contestOpen
			}
		case *events.AssessmentContestDecided:
			if d.Assessment == assessment && outcome != "" {
				outcome = d.Outcome
			}
		}
	}
	return outcome
}

// officer stands for an officer's name, so that no name is kept: names that differ in capitals and in spaces around
// them are the same officer, as for HR29.
type officer [16]byte

func officerOf(name string) officer {
	sum := sha256.Sum256([]byte("officer\x00" + fold(name)))
	return officer(sum[:16])
}

func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// The parameters: case, revision, position and time of the event that makes the version, whether the use is gone, and
// what the row says.
const (
	end = `UPDATE {use} SET (until_at, until_commit, until_behind) = (?4, ?5, ?6) WHERE case_id = ?1 AND revision = ?2 AND until_at IS NULL
		AND (?7 OR (jurisdiction, kind, tool, version, assessor, occurred_at, contest) IS NOT (?8, ?9, ?10, ?11, ?12, ?13, ?14))`
	begin = `INSERT INTO {use} (case_id, revision, known_revision, known_at, known_commit, known_behind,
		jurisdiction, kind, tool, version, assessor, occurred_at, contest)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?8, ?9, ?10, ?11, ?12, ?13, ?14
		WHERE NOT ?7 AND NOT EXISTS (SELECT 1 FROM {use} WHERE case_id = ?1 AND revision = ?2 AND until_at IS NULL)`
)

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	for i := range c.uses {
		u := &c.uses[i]
		row := []any{u.caseID, int64(u.revision), int64(u.at.Revision), u.at.RecordedAt.UnixMicro(), int64(u.at.Position.Commit),
			int64(u.at.Position.Commit - u.at.Position.Prepare), u.gone, string(u.jurisdiction), u.kind, u.tool, u.version, u.assessor[:],
			u.occurredAt.UnixMicro(), u.contest}
		for _, query := range []string{end, begin} {
			if _, err := tx.Exec(ctx, query, row...); err != nil {
				return fmt.Errorf("write the use of a tool: %w", err)
			}
		}
	}
	return nil
}
