// Package history is a case's entries as they stand: each as first recorded, with the correction or annulment
// that holds for it now. The log itself never changes; this fold is how a correction takes effect "as known
// from then on" (protocol.md, "Which event counts"; safeguards.md, "Settled points").
package history

import (
	"slices"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Entry is one event of a case with what was later said about it.
type Entry struct {
	// Event is the entry as first recorded.
	*events.Event
	// Now is the entry's data as corrected; it is Event.Data while no correction stands.
	Now any
	// Withheld are the protected fields of Now that are not shown; those of the entry as first recorded are Event's own.
	Withheld []events.Withheld
	// Correction is the correction that stands, nil while there is none; of several the one recorded last.
	Correction *events.Event
	// Annulment is the annulment that stands, nil while there is none; of several the one recorded first, since
	// which the entry has not stood.
	Annulment *events.Event

	about []*Entry // the corrections and annulments that target this entry, in order of recording
}

// Stands reports whether the entry is not annulled.
func (e *Entry) Stands() bool { return e.Annulment == nil }

// CorrectedBy is the id of the correction that stands, or the nil UUID.
func (e *Entry) CorrectedBy() uuid.UUID { return idOf(e.Correction) }

// AnnulledBy is the id of the annulment that stands, or the nil UUID.
func (e *Entry) AnnulledBy() uuid.UUID { return idOf(e.Annulment) }

func idOf(e *events.Event) uuid.UUID {
	if e == nil {
		return uuid.Nil
	}
	return e.ID
}

// History is the fold of one case's stream. The zero value is an empty history. It is not safe for concurrent
// use. It keeps the events that it is given and never changes them.
type History struct {
	entries  []*Entry
	byID     map[uuid.UUID]*Entry
	occurred []*Entry
}

// Evolve adds the stream's next event and returns the entries whose standing changed: the new entry first, then,
// for a correction or annulment, the entries that it changed (an annulled correction changes the entry that the
// correction was about). Adding an event that is recorded in the order it occurred costs the same however long
// the history is.
func (h *History) Evolve(e *events.Event) []*Entry {
	if h.byID == nil {
		h.byID = make(map[uuid.UUID]*Entry)
	}
	entry := &Entry{Event: e, Now: e.Data, Withheld: e.Withheld}
	h.entries = append(h.entries, entry)
	h.byID[e.ID] = entry
	h.insertByOccurrence(entry)
	changed := []*Entry{entry}
	if target := h.target(entry); target != nil {
		target.about = append(target.about, entry)
		changed = h.settle(target, changed)
	}
	return changed
}

func (h *History) insertByOccurrence(entry *Entry) {
	i := len(h.occurred)
	for i > 0 && h.occurred[i-1].OccurredAt.After(entry.OccurredAt) {
		i--
	}
	h.occurred = slices.Insert(h.occurred, i, entry)
}

// target is the entry that a correction or annulment is about, as that correction itself now reads; nil for
// other events and for a target that the history does not hold.
func (h *History) target(entry *Entry) *Entry {
	switch d := entry.Event.Data.(type) {
	case *events.EntryCorrected:
		return h.byID[d.Target]
	case *events.EntryAnnulled:
		return h.byID[d.Target]
	}
	return nil
}

// settle works out what stands for target and, where that changed, for what target itself is about. A target
// is always recorded before what is about it, so the recursion ends.
func (h *History) settle(target *Entry, changed []*Entry) []*Entry {
	target.Correction, target.Annulment, target.Now, target.Withheld = nil, nil, target.Event.Data, target.Event.Withheld
	for _, a := range target.about {
		if !a.Stands() {
			continue
		}
		switch d := a.Now.(type) {
		case *events.EntryAnnulled:
			if target.Annulment == nil {
				target.Annulment = a.Event
			}
		case *events.EntryCorrected:
			data, withheld, err := events.ReadReplacement(target.Type, d.Replacement)
			if err == nil { // what does not fit the type was refused when it was recorded
				target.Correction, target.Now, target.Withheld = a.Event, data, withheld
			}
		}
	}
	if !slices.Contains(changed, target) {
		changed = append(changed, target)
	}
	if further := h.target(target); further != nil {
		changed = h.settle(further, changed)
	}
	return changed
}

// Len is the number of entries.
func (h *History) Len() int { return len(h.entries) }

// Entries are all entries in order of recording. The slice must not be changed.
func (h *History) Entries() []*Entry { return h.entries }

// Occurred are all entries in the order in which they occurred, ties by recording. The slice must not be changed
// and is good until the next Evolve.
func (h *History) Occurred() []*Entry { return h.occurred }

// Find returns the entry of that event id, nil if there is none.
func (h *History) Find(id uuid.UUID) *Entry { return h.byID[id] }
