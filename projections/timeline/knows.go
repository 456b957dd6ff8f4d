package timeline

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// Knowledge is a category that an institution can know by then, and through what (`case knows`).
type Knowledge struct {
	Category events.Category `json:"category"`
	Since    time.Time       `json:"since"`   // when it was first shared with the institution: occurredAt
	Through  []uuid.UUID     `json:"through"` // the events, by occurrence
}

// Knows lists what the institution can know of the case, in any of its roles, in the catalogue's order of
// categories: only what was really shared with it, directly or onward. Through names every direct share of the
// category and, along derivedFrom, the earlier ones that carried it. What was known stays known after a recall;
// what was annulled was never shared.
func (c *Case) Knows(who events.Institution) []Knowledge {
	known := map[events.Category]*knowledge{}
	for _, s := range c.sharings() {
		if !slices.ContainsFunc(s.to, func(p events.Party) bool { return p.Institution == who }) {
			continue
		}
		for _, category := range s.what.Categories {
			k := known[category]
			if k == nil {
				k = &knowledge{since: s.OccurredAt.UTC(), through: map[*sharing]bool{}}
				known[category] = k
			}
			k.through[s] = true
			c.carriers(s.what.DerivedFrom, category, k.through, map[events.ID]bool{})
		}
	}
	rows := []Knowledge{}
	for _, category := range events.Categories() {
		if k := known[category]; k != nil {
			rows = append(rows, Knowledge{Category: category, Since: k.since, Through: k.events()})
		}
	}
	return rows
}

// carriers adds the earlier shares, along derivedFrom, that carried the category.
func (c *Case) carriers(from events.ID, category events.Category, through map[*sharing]bool, seen map[events.ID]bool) {
	if from == "" || seen[from] {
		return
	}
	seen[from] = true
	for _, s := range c.sharingsCalled(from) {
		if len(s.to) > 0 && slices.Contains(s.what.Categories, category) {
			through[s] = true
		}
		c.carriers(s.what.DerivedFrom, category, through, seen)
	}
}

type knowledge struct {
	since   time.Time
	through map[*sharing]bool
}

func (k *knowledge) events() []uuid.UUID {
	shares := slices.SortedFunc(maps.Keys(k.through), func(a, b *sharing) int { return byOccurrence(a.Entry, b.Entry) })
	ids := make([]uuid.UUID, len(shares))
	for i, s := range shares {
		ids[i] = s.ID
	}
	return ids
}

// byOccurrence orders entries by when they occurred, ties by recording.
func byOccurrence(a, b *history.Entry) int {
	if n := a.OccurredAt.Compare(b.OccurredAt); n != 0 {
		return n
	}
	return cmp.Compare(a.Revision, b.Revision)
}

// Institutions are those that take part in sharing, as senders or recipients, in order of first appearance.
func (c *Case) Institutions() []events.Institution {
	var all []events.Institution
	add := func(i events.Institution) {
		if !slices.Contains(all, i) {
			all = append(all, i)
		}
	}
	for _, s := range c.sharings() {
		if len(s.to) > 0 {
			add(s.Actor.Institution)
		}
		for _, to := range s.to {
			add(to.Institution)
		}
	}
	return all
}
