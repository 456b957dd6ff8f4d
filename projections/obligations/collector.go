package obligations

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
)

// change is what a step does to an obligation.
type change struct {
	kind    byte     // 'v' a version, 'g' gone, 'o' overdue on record, 'e' escalation on record
	version *version // of 'v'
	n       int64    // of 'o' the due date, of 'e' the level
	at      moment   // of 'g'
}

// subject is one obligation of one case.
type subject struct {
	id         int64
	obligation string
}

// changed is what a page does to an obligation.
type changed struct {
	subject
	isNew bool // it has no row from before
	list  []change
	first [1]change // where the list begins: most have one
}

// collector keeps the changes of a page by obligation, in order: of the versions that a page begins and ends,
// only past hears.
type collector struct {
	byID map[subject]*changed
	all  []*changed
}

func newCollector() *collector { return &collector{byID: make(map[subject]*changed)} }

func (c *collector) add(k subject, isNew bool, v change) {
	o := c.byID[k]
	if o == nil {
		o = &changed{subject: k, isNew: isNew}
		o.list = o.first[:0]
		c.byID[k] = o
		c.all = append(c.all, o)
	}
	o.list = append(o.list, v)
}

func (c *collector) Collect(s *projections.Step) error {
	if s.Case == nil {
		return nil
	}
	subdivision := ""
	if len(s.Obligations) > 0 {
		if cal := s.Case.Tracker.Calendar(); cal != nil {
			subdivision = cal.Subdivision()
		}
	}
	for i := range s.Obligations {
		o := &s.Obligations[i]
		v, err := newVersion(s.Case, o, subdivision, s.Event)
		if err != nil {
			return err
		}
		c.add(subject{s.Case.ID, o.ID}, i >= len(s.Obligations)-s.Added, change{kind: 'v', version: v})
	}
	for _, id := range s.Gone {
		c.add(subject{s.Case.ID, id}, false, change{kind: 'g', at: momentOf(s.Event)})
	}
	switch d := s.Event.Data.(type) {
	case *events.ObligationOverdue:
		c.add(subject{s.Case.ID, d.Obligation}, false, change{kind: 'o', n: int64(d.Due)})
	case *events.ObligationEscalated:
		c.add(subject{s.Case.ID, d.Obligation}, false, change{kind: 'e', n: int64(d.Level)})
	}
	return nil
}

// kept is what Write knows of the table current: the pending obligations last written, which are those that are
// likely to change. What it does not know is looked up.
type kept map[subject]*version

// keptLimit bounds kept; each takes some 500 bytes.
const keptLimit = 300_000

// writer writes one page.
type writer struct {
	ctx   context.Context
	tx    *projections.Tx
	kept  kept
	tally map[tallied]int64
	body  []byte
}

type tallied struct {
	jurisdiction events.Jurisdiction
	rule         string
	outcome      protocol.State
}

func (c *collector) Write(ctx context.Context, tx *projections.Tx) error {
	known, ok := (*tx.Kept()).(kept)
	if !ok {
		known = make(kept)
		*tx.Kept() = known
	}
	w := &writer{ctx: ctx, tx: tx, kept: known, tally: make(map[tallied]int64)}
	// Rows of a case lie side by side in the table: they are written so too.
	slices.SortStableFunc(c.all, func(a, b *changed) int { return cmp.Compare(a.id, b.id) })
	for _, o := range c.all {
		if err := w.write(o); err != nil {
			return fmt.Errorf("write obligation %s: %w", o.obligation, err)
		}
	}
	for k := range known {
		if len(known) <= keptLimit {
			break
		}
		delete(known, k)
	}
	return w.count()
}

// write writes what a page changed in one obligation.
func (w *writer) write(c *changed) error {
	old := w.kept[c.subject]
	if old == nil && !c.isNew {
		var err error
		if old, err = w.look(c.subject); err != nil {
			return err
		}
	}
	now, marked := old, false
	var recordedDue, recordedLevel int64
	if old != nil {
		recordedDue, recordedLevel = old.recordedDue, old.recordedLevel
	}
	for i := range c.list {
		v := &c.list[i]
		switch {
		case v.kind == 'o':
			recordedDue, recordedLevel, marked = v.n, 0, true
		case v.kind == 'e':
			recordedLevel, marked = max(recordedLevel, v.n), true
		case v.kind == 'v' && now != nil && bytes.Equal(now.said, v.version.said):
		case v.kind == 'v':
			if err := w.archive(now, v.version.known); err != nil {
				return err
			}
			now = v.version
		default:
			if err := w.archive(now, v.at); err != nil {
				return err
			}
			now = nil
		}
	}
	if now == nil {
		delete(w.kept, c.subject)
		if old == nil {
			return nil
		}
		w.tally[old.tallied()]--
		_, err := w.tx.Exec(w.ctx, "DELETE FROM {current} WHERE case_id = ? AND obligation = ?", c.id, c.obligation)
		return err
	}
	if now == old && !marked {
		return nil
	}
	if now == old { // what is kept is not changed before it is written
		same := *old
		now = &same
	}
	now.recordedDue, now.recordedLevel = recordedDue, recordedLevel
	w.tally[now.tallied()]++
	var warn, watch any
	if now.outcome == protocol.Pending {
		warn = now.warnFrom
		w.kept[c.subject] = now
	} else {
		delete(w.kept, c.subject)
	}
	if from := now.watchFrom(); from != 0 {
		watch = from
	}
	w.body = now.appendBody(w.body[:0])
	if old == nil {
		_, err := w.tx.Exec(w.ctx, "INSERT INTO {current} (case_id, obligation, warn_from, watch_from, body) VALUES (?, ?, ?, ?, ?)",
			c.id, c.obligation, warn, watch, w.body)
		return err
	}
	w.tally[old.tallied()]--
	_, err := w.tx.Exec(w.ctx, "UPDATE {current} SET warn_from = ?, watch_from = ?, body = ? WHERE case_id = ? AND obligation = ?",
		warn, watch, w.body, c.id, c.obligation)
	return err
}

// look reads what the table holds of an obligation, nil if nothing.
func (w *writer) look(k subject) (*version, error) {
	rows, err := w.tx.Query(w.ctx, "SELECT body FROM {current} WHERE case_id = ? AND obligation = ?", k.id, k.obligation)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	var body []byte
	var r row
	if err := rows.Scan(&body); err != nil {
		return nil, err
	}
	if err := r.unpack(body, false); err != nil {
		return nil, err
	}
	return r.version(), nil
}

// archive writes a version that ends, if any question about the past can meet it.
func (w *writer) archive(v *version, until moment) error {
	if v == nil {
		return nil
	}
	var node, from any
	if v.outcome == protocol.Pending {
		if v.warnFrom > until.at {
			return nil // it never was an alert, and nothing else asks for what was pending
		}
		first := max(v.known.at, v.warnFrom)
		node, from = forkNode(first/hour, until.at/hour), first
	}
	w.body = until.append(v.appendBody(w.body[:0]))
	_, err := w.tx.Exec(w.ctx, "INSERT INTO {past} (node, alert_from, until_at, body) VALUES (?, ?, ?, ?)", node, from, until.at, w.body)
	return err
}

func (v *version) tallied() tallied { return tallied{v.jurisdiction, v.rule, v.outcome} }

// count writes down how the page changed the counts.
func (w *writer) count() error {
	for k, n := range w.tally {
		if n == 0 {
			continue
		}
		if _, err := w.tx.Exec(w.ctx, `INSERT INTO {tally} (jurisdiction, rule, outcome, n) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET n = n + excluded.n`, string(k.jurisdiction), k.rule, string(k.outcome), n); err != nil {
			return fmt.Errorf("count the obligations of rule %s: %w", k.rule, err)
		}
	}
	return nil
}
