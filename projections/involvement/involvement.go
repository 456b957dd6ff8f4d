// Package involvement is the read model of which institutions have a part in which cases, as access.Parts has it: what
// lists over many cases show to an institution. It is as known now, whatever the point of view of the list: who may see a
// case is decided at the moment of looking.
package involvement

import (
	"context"
	"fmt"
	"slices"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "involvement"

// Cases are the cases in which the institution has a part: their ids by number.
func Cases(ctx context.Context, e *projections.Engine, i events.Institution) (map[string]int64, error) {
	cases := map[string]int64{}
	err := e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT number, case_id FROM {part} WHERE institution = ?`, string(i))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var number string
			var id int64
			if err := rows.Scan(&number, &id); err != nil {
				return err
			}
			cases[number] = id
		}
		return rows.Err()
	})
	return cases, err
}

// Has reports whether the institution has a part in the case.
func Has(ctx context.Context, e *projections.Engine, i events.Institution, number string) (has bool, err error) {
	err = e.View(ctx, Name, func(v *projections.View) error {
		rows, err := v.Query(ctx, `SELECT 1 FROM {part} WHERE institution = ? AND number = ?`, string(i), number)
		if err != nil {
			return err
		}
		defer rows.Close()
		has = rows.Next()
		return rows.Err()
	})
	return has, err
}

// Projection is the read model, for the engine: one row for each institution and case.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 1,
		Tables: []projections.Table{{
			Name: "part",
			Columns: `
	institution TEXT NOT NULL,
	number      TEXT NOT NULL,
	case_id     INTEGER NOT NULL,
	PRIMARY KEY (institution, number)`,
			Options: "STRICT, WITHOUT ROWID",
			Indexes: []projections.Index{{Name: "number", On: "(number)"}},
		}},
		Collect: func() projections.Collector { return &collector{cases: map[string]*parts{}} },
	}
}

// parts are those of one case that a page brings.
type parts struct {
	id    int64
	anew  bool // they are all that there are
	found []events.Institution
}

type collector struct {
	cases map[string]*parts
	order []string
}

func (c *collector) Collect(s *projections.Step) error {
	if s.Case == nil || s.Refolded {
		return nil
	}
	p := c.cases[s.Case.Number]
	if p == nil {
		p = &parts{id: s.Case.ID}
		c.cases[s.Case.Number] = p
		c.order = append(c.order, s.Case.Number)
	}
	if len(s.Entries) > 1 || mayBeRecalled(s) { // a part may have ended, or not have begun
		p.anew, p.found = true, access.Parts(s.Case.History)
		return nil
	}
	for _, i := range access.PartsOf(s.Entries[0]) {
		if !slices.Contains(p.found, i) {
			p.found = append(p.found, i)
		}
	}
	return nil
}

// mayBeRecalled reports whether the event calls something back, or shares something in a case where that was done.
func mayBeRecalled(s *projections.Step) bool {
	if _, recall := s.Event.Data.(*events.DisclosureRecalled); recall {
		return true
	}
	if _, shares := events.DisclosureOf(s.Event.Data); !shares {
		return false
	}
	return slices.ContainsFunc(s.Case.History.Entries(), func(e *history.Entry) bool { return e.Type == "DisclosureRecalled" })
}

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	for _, number := range c.order {
		p := c.cases[number]
		if p.anew {
			if _, err := tx.Exec(ctx, `DELETE FROM {part} WHERE number = ?`, number); err != nil {
				return fmt.Errorf("write who has a part in a case: %w", err)
			}
		}
		for _, i := range p.found {
			if _, err := tx.Exec(ctx, `INSERT OR IGNORE INTO {part} (institution, number, case_id) VALUES (?, ?, ?)`, string(i), number, p.id); err != nil {
				return fmt.Errorf("write who has a part in a case: %w", err)
			}
		}
	}
	return nil
}
