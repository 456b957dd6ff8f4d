// Package safeguards answers over all cases what the timeline answers of one: which of the 29 safeguards hold, as
// known at any instant, each verdict with the events that show it and one plain sentence.
//
// # How it is kept
//
// A verdict names every event that was judged, so a table of all versions of all verdicts would grow with the square
// of a case's length, and judging a case anew after each of its events costs more than reading the whole log. The
// tables therefore hold no verdict. They hold what can change one: when each case was opened, when the last event
// of its own stream and of its access log was recorded, and when something was recorded that concerns every case of
// a jurisdiction (its rules, its decreed days, its institutions, its officers' training). Verdicts are worked out
// when they are asked for, from the case's streams, by the same evaluator and as known at the asked instant: they
// are those of the timeline of the case, whatever the clock alone changed in between.
//
// # How it is quick
//
// A Reader remembers of each case that it has judged the bare verdicts, and for how long they are good: from what
// was last recorded about the case, or from the last change that the clock made, until the clock makes the next one.
// A case that the tables say nothing new of, and whose time has not come, is not judged again. What is remembered
// is one word for each safeguard; the events and the sentences of the rows that are shown are always worked out.
package safeguards

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"traga.internal/events"
	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "safeguards"

// Projection is the read model, for the engine. Instants are microseconds since 1970; a position is its commit and
// how far prepare lies behind.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 1,
		Tables: []projections.Table{
			{
				Name: "judged", // one row for each case
				Columns: `
	case_id       INTEGER PRIMARY KEY,
	number        TEXT NOT NULL,
	jurisdiction  TEXT NOT NULL,
	opened_at     INTEGER NOT NULL, -- when its first event was recorded
	opened_commit INTEGER NOT NULL,
	opened_behind INTEGER NOT NULL,
	last_at       INTEGER NOT NULL,
	last_commit   INTEGER NOT NULL`,
				Indexes: []projections.Index{{Name: "number", On: "(number)"}},
			},
			{
				Name: "looked", // the last entry of each case's access log
				Columns: `
	number      TEXT PRIMARY KEY,
	last_at     INTEGER NOT NULL,
	last_commit INTEGER NOT NULL`,
				Options: "STRICT, WITHOUT ROWID",
			},
			{
				Name: "ground", // what was last recorded that concerns all cases of a jurisdiction; '' is all of them
				Columns: `
	jurisdiction TEXT PRIMARY KEY,
	last_at      INTEGER NOT NULL,
	last_commit  INTEGER NOT NULL`,
				Options: "STRICT, WITHOUT ROWID",
			},
		},
		Collect: func() projections.Collector { return &collector{} },
	}
}

// mark is when, and where in the log, something was last recorded.
type mark struct {
	at     time.Time
	commit uint64
}

func markOf(e *events.Event) mark { return mark{e.RecordedAt, e.Position.Commit} }

// touched is a case of which a page holds events.
type touched struct {
	number       string
	jurisdiction events.Jurisdiction
	first        *events.Event // in the page
	last         mark
}

// collector keeps of each case, access log and jurisdiction only the last mark of a page.
type collector struct {
	cases  map[int64]*touched
	looked map[string]mark
	ground map[events.Jurisdiction]mark
}

func (c *collector) Collect(s *projections.Step) error {
	e := s.Event
	switch {
	case s.Refolded: // what refolded it is on record for the whole jurisdiction
	case s.Case != nil:
		t := c.cases[s.Case.ID]
		if t == nil {
			t = &touched{number: s.Case.Number, jurisdiction: s.Case.Jurisdiction, first: e}
			put(&c.cases, s.Case.ID, t)
		}
		t.last = markOf(e)
	case e.Case != "":
		put(&c.looked, e.Case, markOf(e))
	default:
		switch e.Data.(type) { // what protocol.Book.With takes, and what HR29 reads of the directory
		case *events.ProtocolPublished, *events.NonWorkingDayDecreed, *events.InstitutionRegistered, *events.OfficerTrained:
			put(&c.ground, e.Jurisdiction, markOf(e))
		}
	}
	return nil
}

// put makes the map at the first use: most pages while following the log hold one event.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[key] = value
}

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	for _, id := range slices.Sorted(maps.Keys(c.cases)) {
		t := c.cases[id]
		// The opening is written with the case's first event and stays.
		p := t.first.Position
		if _, err := tx.Exec(ctx, `INSERT INTO {judged} (case_id, number, jurisdiction, opened_at, opened_commit, opened_behind, last_at, last_commit)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET (last_at, last_commit) = (excluded.last_at, excluded.last_commit)`,
			id, t.number, string(t.jurisdiction), t.first.RecordedAt.UnixMicro(), int64(p.Commit), int64(p.Commit-p.Prepare),
			t.last.at.UnixMicro(), int64(t.last.commit)); err != nil {
			return fmt.Errorf("write when a case was last recorded in: %w", err)
		}
	}
	for number, m := range c.looked {
		if _, err := tx.Exec(ctx, `INSERT OR REPLACE INTO {looked} (number, last_at, last_commit) VALUES (?, ?, ?)`,
			number, m.at.UnixMicro(), int64(m.commit)); err != nil {
			return fmt.Errorf("write when a case was last looked at: %w", err)
		}
	}
	for j, m := range c.ground {
		if _, err := tx.Exec(ctx, `INSERT INTO {ground} (jurisdiction, last_at, last_commit) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET (last_at, last_commit) = (max(last_at, excluded.last_at), max(last_commit, excluded.last_commit))`,
			string(j), m.at.UnixMicro(), int64(m.commit)); err != nil {
			return fmt.Errorf("write when the rules last changed: %w", err)
		}
	}
	return nil
}
