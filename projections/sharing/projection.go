// Package sharing is the read model of who shared what with whom over all cases: one row for each disclosure and
// recipient, as corrected and not annulled, in all its versions.
package sharing

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"traga.internal/events"
	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "sharing"

// Projection is the read model, for the engine.
//
// Instants are microseconds since 1970. categories has bit n for the n-th category of events.Categories. A row is
// known from known_at until until_at (NULL: still), which a correction or an annulment sets.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 1,
		Tables: []projections.Table{{
			Name: "share",
			Columns: `
	case_id          INTEGER NOT NULL,
	revision         INTEGER NOT NULL, -- of the sharing event in its case
	known_revision   INTEGER NOT NULL, -- of the event that made this version: the sharing event, or what was said of it
	recipient        INTEGER NOT NULL, -- of several the n-th
	jurisdiction     TEXT NOT NULL,
	from_institution TEXT NOT NULL,
	from_role        TEXT NOT NULL,
	to_institution   TEXT NOT NULL,
	to_role          TEXT NOT NULL,
	categories       INTEGER NOT NULL,
	occurred_at      INTEGER NOT NULL,
	known_at         INTEGER NOT NULL,
	known_commit     INTEGER NOT NULL,
	known_behind     INTEGER NOT NULL,
	until_at         INTEGER,
	until_commit     INTEGER,
	until_behind     INTEGER,
	PRIMARY KEY (case_id, revision, known_revision, recipient)`,
			Options: "STRICT, WITHOUT ROWID",
		}},
		Collect: func() projections.Collector { return new(collector) },
	}
}

// share is one version of a row, or the end of an event's versions so far.
type share struct {
	end          bool
	caseID       int64
	revision     uint64
	recipient    int
	jurisdiction events.Jurisdiction
	from, to     events.Party
	categories   int64
	occurredAt   int64
	at           *events.Event
}

type collector struct{ shares []*share }

func (c *collector) Collect(s *projections.Step) error {
	for _, entry := range s.Entries {
		if _, ok := events.DisclosureOf(entry.Event.Data); !ok {
			continue
		}
		row := share{caseID: s.Case.ID, revision: entry.Revision, jurisdiction: s.Case.Jurisdiction, from: entry.Actor.Party(),
			occurredAt: entry.OccurredAt.UnixMicro(), at: s.Event}
		if entry.Event != s.Event {
			end := row
			end.end = true
			c.shares = append(c.shares, &end)
		}
		d, ok := events.DisclosureOf(entry.Now)
		if !ok || !entry.Stands() {
			continue
		}
		row.categories = bits(d.Categories)
		for i, recipient := range d.Recipients {
			to := row
			to.recipient, to.to = i, recipient
			c.shares = append(c.shares, &to)
		}
	}
	return nil
}

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	// Rows of a case lie side by side in the table: they are written so too.
	slices.SortStableFunc(c.shares, func(a, b *share) int { return cmp.Compare(a.caseID, b.caseID) })
	for _, s := range c.shares {
		at, commit, behind := s.at.RecordedAt.UnixMicro(), int64(s.at.Position.Commit), int64(s.at.Position.Commit-s.at.Position.Prepare)
		var err error
		if s.end {
			_, err = tx.Exec(ctx, `UPDATE {share} SET (until_at, until_commit, until_behind) = (?, ?, ?)
				WHERE case_id = ? AND revision = ? AND until_at IS NULL`, at, commit, behind, s.caseID, int64(s.revision))
		} else {
			_, err = tx.Exec(ctx, `INSERT INTO {share} (case_id, revision, known_revision, recipient, jurisdiction, from_institution, from_role,
				to_institution, to_role, categories, occurred_at, known_at, known_commit, known_behind)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, s.caseID, int64(s.revision), int64(s.at.Revision), s.recipient,
				string(s.jurisdiction), string(s.from.Institution), string(s.from.Role), string(s.to.Institution), string(s.to.Role),
				s.categories, s.occurredAt, at, commit, behind)
		}
		if err != nil {
			return fmt.Errorf("write a disclosure: %w", err)
		}
	}
	return nil
}

// bits has bit n for the n-th category of the catalogue.
func bits(categories []events.Category) int64 {
	var n int64
	for i, known := range events.Categories() {
		for _, c := range categories {
			if c == known {
				n |= 1 << i
			}
		}
	}
	return n
}
