package protocol

import (
	"slices"

	"traga.internal/events"
)

// holders knows which institution holds a role's duties: for prison duties that of CaseOpened or of the last
// transfer, for other roles the one that last acted in the role or received a sharing event in it.
//
// It remembers what was known when, because the holder of a duty that is done stays the one known when that was
// recorded.
type holders struct {
	roles []holding
	moved []events.Role // whose holder the last event changed
	count int           // entries heard
}

type holding struct {
	role events.Role // prisonDuties for all duties of the prison
	last mark
	now  events.Institution
	log  []held
}

// held says from which number of entries on an institution was the known holder.
type held struct {
	entries     int
	institution events.Institution
}

// prisonDuties stands for every role in the prison.
const prisonDuties events.Role = "prison"

func holderKey(role events.Role) events.Role {
	if role.InPrison() {
		return prisonDuties
	}
	return role
}

func (h *holders) find(role events.Role) *holding {
	for i := range h.roles {
		if h.roles[i].role == role {
			return &h.roles[i]
		}
	}
	return nil
}

// hear takes the next entry.
func (h *holders) hear(r *record) {
	h.count++
	h.apply(r)
	h.log()
}

// recount forgets and takes all entries as they now stand.
func (h *holders) recount(all []record) {
	for i := range h.roles {
		h.roles[i].last, h.roles[i].now = mark{}, ""
	}
	h.count = len(all)
	for i := range all {
		h.apply(&all[i])
	}
	h.log()
}

func (h *holders) apply(r *record) {
	if !r.entry.Stands() {
		return
	}
	at := mark{r.entry.OccurredAt, r.entry.Revision}
	g := r.now()
	if g.prison != "" {
		h.set(prisonDuties, g.prison, at)
	}
	// Of several in one event the first named counts: the actor, then the recipients in their order.
	for i := len(g.recipients) - 1; i >= 0; i-- {
		if !g.recipients[i].Role.InPrison() {
			h.set(g.recipients[i].Role, g.recipients[i].Institution, at)
		}
	}
	if role := r.entry.Actor.Role; role != events.System && !role.InPrison() {
		h.set(role, r.entry.Actor.Institution, at)
	}
}

func (h *holders) set(role events.Role, institution events.Institution, at mark) {
	x := h.find(role)
	if x == nil {
		h.roles = append(h.roles, holding{role: role})
		x = &h.roles[len(h.roles)-1]
	}
	if x.now == "" || !at.before(x.last) {
		x.last, x.now = at, institution
	}
}

// log writes down whose holder changed.
func (h *holders) log() {
	for i := range h.roles {
		x := &h.roles[i]
		if n := len(x.log); n == 0 && x.now != "" || n > 0 && x.log[n-1].institution != x.now {
			x.log = append(x.log, held{h.count, x.now})
			h.moved = append(h.moved, x.role)
		}
	}
}

// knownAfter is the holder as known after so many entries; empty while there was none.
func (h *holders) knownAfter(role events.Role, entries int) events.Institution {
	x := h.find(holderKey(role))
	if x == nil {
		return ""
	}
	for _, l := range slices.Backward(x.log) {
		if l.entries <= entries {
			return l.institution
		}
	}
	return ""
}
