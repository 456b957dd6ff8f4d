package timeline

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Difference is what changed in a case between two instants (`case diff`): what was recorded in between, and what
// that, and the passing of time, did to its state, to the obligations and to what the institutions can know.
type Difference struct {
	Case        string             `json:"case"`
	From        *time.Time         `json:"from"` // null where there was no such case yet
	To          time.Time          `json:"to"`
	Recorded    []Addition         `json:"recorded"`    // by position
	State       []StateChange      `json:"state"`       // in the order of the keys of `case show`
	Obligations []ObligationChange `json:"obligations"` // in the later order of obligations, then those gone
	Knowledge   []KnowledgeChange  `json:"knowledge"`   // institutions by first appearance, categories as in the catalogue
}

// Addition is an entry recorded in between.
type Addition struct {
	ID         uuid.UUID `json:"id"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurredAt"`
	RecordedAt time.Time `json:"recordedAt"`
	Summary    string    `json:"summary"`
}

// StateChange is a key of `case show` whose value changed: status, phase, releaseDate, releasedOn, riskLevel or
// group. A value that was not known is null; one that the reader may not see is an object that says so, under the key
// withheld.
type StateChange struct {
	Field  string `json:"field"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// ObligationChange is an obligation that came, changed or went. Before is null for a new one.
type ObligationChange struct {
	Obligation string              `json:"obligation"`
	Rule       string              `json:"rule"`
	Before     *ObligationStanding `json:"before"`
	After      *ObligationStanding `json:"after"`
}

// ObligationStanding is what can change of an obligation.
type ObligationStanding struct {
	State        protocol.State      `json:"state"`
	Due          string              `json:"due"`
	DutyHolder   *events.Institution `json:"dutyHolder"`
	Escalation   int                 `json:"escalation"`
	MetOn        *events.Date        `json:"metOn"`
	Compressed   bool                `json:"compressed"`
	RecordedLate bool                `json:"recordedLate"`
	Breaches     []protocol.Breach   `json:"breaches"`
}

// KnowledgeChange is a category that an institution can know now and could not before, or knows through other
// events. Before is null for something newly known; After is null where the entry that told it was annulled or
// corrected.
type KnowledgeChange struct {
	Institution events.Institution `json:"institution"`
	Category    events.Category    `json:"category"`
	Before      *KnowledgeStanding `json:"before"`
	After       *KnowledgeStanding `json:"after"`
}

// KnowledgeStanding is since when, and through which events, something is known.
type KnowledgeStanding struct {
	Since   time.Time   `json:"since"`
	Through []uuid.UUID `json:"through"`
}

// Diff says what changed since before, the same case as known at an earlier instant; nil stands for the time when
// there was no such case. The sentences are in lang.
func (c *Case) Diff(before *Case, lang string) Difference {
	d := Difference{Case: c.number, To: c.clock, Recorded: []Addition{}, State: []StateChange{},
		Obligations: []ObligationChange{}, Knowledge: []KnowledgeChange{}}
	if before != nil {
		d.From = &before.clock
	}
	for _, entry := range c.history.Entries() {
		if before != nil && entry.Revision <= before.Revision() {
			continue
		}
		d.Recorded = append(d.Recorded, Addition{ID: entry.ID, Type: entry.Type, OccurredAt: entry.OccurredAt.UTC(),
			RecordedAt: entry.RecordedAt.UTC(), Summary: Sentence(lang, entry.Event, &c.history)})
	}
	d.state(before, c)
	d.obligations(before, c)
	d.knowledge(before, c)
	return d
}

func (d *Difference) state(before, after *Case) {
	old, now := map[string]any{}, stateOf(after)
	if before != nil {
		old = stateOf(before)
	}
	for _, field := range []string{"status", "phase", "releaseDate", "releasedOn", "riskLevel"} {
		if old[field] != now[field] {
			d.State = append(d.State, StateChange{Field: field, Before: old[field], After: now[field]})
		}
	}
	group := []string{}
	if before != nil {
		group = before.life().group
	}
	if g := after.life().group; !slices.Equal(group, g) {
		d.State = append(d.State, StateChange{Field: "group", Before: group, After: g})
	}
	for i := range d.State {
		s := &d.State[i]
		for _, value := range []*any{&s.Before, &s.After} {
			var level *string
			if text, ok := (*value).(string); ok {
				level = &text
			}
			for _, h := range after.sight.Hidden(level) {
				if h.Field == s.Field {
					*value = events.Withheld{Category: h.Category, Reason: h.Reason, Ask: h.Ask}
				}
			}
		}
	}
}

// stateOf are the comparable values of `case show`, nil where it says null.
func stateOf(c *Case) map[string]any {
	t, l := c.tracker(), c.life()
	state := map[string]any{"status": l.status, "phase": l.phase}
	if date := t.ReleaseDate(); date != 0 {
		state["releaseDate"] = date
	}
	if date := t.ReleasedOn(); date != 0 {
		state["releasedOn"] = date
	}
	if level := t.RiskLevel(); level != "" {
		state["riskLevel"] = level
	}
	return state
}

func (d *Difference) obligations(before, after *Case) {
	old := map[string]*ObligationStanding{}
	var oldRows []Obligation
	if before != nil {
		oldRows = before.Obligations()
		for i := range oldRows {
			old[oldRows[i].Obligation] = standing(&oldRows[i])
		}
	}
	rows := after.Obligations()
	for i := range rows {
		o, now := &rows[i], standing(&rows[i])
		was := old[o.Obligation]
		delete(old, o.Obligation)
		if was == nil || !was.equal(now) {
			d.Obligations = append(d.Obligations, ObligationChange{Obligation: o.Obligation, Rule: o.Rule, Before: was, After: now})
		}
	}
	for i := range oldRows { // an obligation is cancelled, not removed; but nothing that changed may be left out
		if was := old[oldRows[i].Obligation]; was != nil {
			d.Obligations = append(d.Obligations, ObligationChange{Obligation: oldRows[i].Obligation, Rule: oldRows[i].Rule, Before: was})
		}
	}
}

func standing(o *Obligation) *ObligationStanding {
	return &ObligationStanding{State: o.State, Due: o.Due, DutyHolder: o.DutyHolder, Escalation: o.Escalation, MetOn: o.MetOn,
		Compressed: o.Compressed, RecordedLate: o.RecordedLate, Breaches: o.Breaches}
}

func (s *ObligationStanding) equal(t *ObligationStanding) bool {
	return s.State == t.State && s.Due == t.Due && same(s.DutyHolder, t.DutyHolder) && s.Escalation == t.Escalation &&
		same(s.MetOn, t.MetOn) && s.Compressed == t.Compressed && s.RecordedLate == t.RecordedLate && slices.Equal(s.Breaches, t.Breaches)
}

func same[T comparable](a, b *T) bool {
	return a == b || (a != nil && b != nil && *a == *b)
}

func (d *Difference) knowledge(before, after *Case) {
	institutions := after.Institutions()
	if before != nil {
		for _, i := range before.Institutions() {
			if !slices.Contains(institutions, i) {
				institutions = append(institutions, i)
			}
		}
	}
	for _, who := range institutions {
		old, now := map[events.Category]*KnowledgeStanding{}, after.standings(who)
		if before != nil {
			old = before.standings(who)
		}
		for _, category := range events.Categories() {
			was, is := old[category], now[category]
			if (was == nil) != (is == nil) || (was != nil && !(was.Since.Equal(is.Since) && slices.Equal(was.Through, is.Through))) {
				d.Knowledge = append(d.Knowledge, KnowledgeChange{Institution: who, Category: category, Before: was, After: is})
			}
		}
	}
}

func (c *Case) standings(who events.Institution) map[events.Category]*KnowledgeStanding {
	all := map[events.Category]*KnowledgeStanding{}
	for _, k := range c.Knows(who) {
		all[k.Category] = &KnowledgeStanding{Since: k.Since, Through: k.Through}
	}
	return all
}
