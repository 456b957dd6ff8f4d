package timeline

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// Order is how the entries of a timeline are arranged.
type Order string

// The orders.
const (
	Occurred Order = "occurred" // by occurredAt, ties by position
	Recorded Order = "recorded" // by position
)

// ParseOrder reads an order; empty is Occurred.
func ParseOrder(s string) (Order, error) {
	switch Order(s) {
	case "", Occurred:
		return Occurred, nil
	case Recorded:
		return Recorded, nil
	}
	return "", fmt.Errorf("order: expected %s or %s", Occurred, Recorded)
}

// Entry is one event of the case as first recorded, with the correction or annulment of it that stands
// (`case timeline`).
type Entry struct {
	Revision   uint64          `json:"revision"`
	Position   events.Position `json:"position"`
	ID         uuid.UUID       `json:"id"`
	Type       string          `json:"type"`
	OccurredAt time.Time       `json:"occurredAt"`
	RecordedAt time.Time       `json:"recordedAt"`
	Late       bool            `json:"late"` // recorded more than 3 working days after it occurred
	Actor      events.Actor    `json:"actor"`
	// From and To are set where information was shared.
	From *Sender     `json:"from"`
	To   []Recipient `json:"to"`
	// Categories are those that were shared, asked for, granted, consented to or authorised.
	Categories []events.Category  `json:"categories"`
	Purpose    *events.Purpose    `json:"purpose"`
	LegalBasis *events.LegalBasis `json:"legalBasis"`
	// Consent and Override are those that the event rests on or is about.
	Consent     *events.ID `json:"consent"`
	Override    *events.ID `json:"override"`
	CorrectedBy *uuid.UUID `json:"correctedBy"`
	AnnulledBy  *uuid.UUID `json:"annulledBy"`
	Summary     string     `json:"summary"` // one plain sentence; see Sentence
	Hash        string     `json:"hash"`    // see Hash
	// Beyond interfaces.md: why it was recorded late, as its actor says.
	LateReason *string `json:"lateReason"`
	// Beyond interfaces.md: of a screening or an assessment, whether its assessor had been trained; null for others, and
	// until ReadTraining.
	Training *Training `json:"training"`
	// Beyond interfaces.md: the fields of the entry that were erased; left out where there are none.
	Withheld []Withheld `json:"withheld,omitempty"`
}

// Withheld is a field of an entry that nobody can read any more.
type Withheld struct {
	Field    string          `json:"field"` // its place in the data, as a JSON pointer
	Reason   string          `json:"reason"`
	Category events.Category `json:"category"`
	Receipt  *uuid.UUID      `json:"receipt"` // the id of the PersonalDataErased
}

// lateAfter is the number of working days after which an entry counts as late (HR27).
const lateAfter = 3

// Timeline lists everything that was recorded of the case, with a sentence in the language for each.
func (c *Case) Timeline(lang string, order Order) []Entry {
	entries := c.history.Occurred()
	if order == Recorded {
		entries = c.history.Entries()
	}
	rows := make([]Entry, len(entries))
	for i, entry := range entries {
		rows[i] = c.row(entry, lang)
	}
	return rows
}

// Entry is the entry of that event id; false when the case has none.
func (c *Case) Entry(id uuid.UUID, lang string) (Entry, bool) {
	entry := c.history.Find(id)
	if entry == nil {
		return Entry{}, false
	}
	return c.row(entry, lang), true
}

func (c *Case) row(entry *history.Entry, lang string) Entry {
	row := Entry{Revision: entry.Revision, Position: entry.Position, ID: entry.ID, Type: entry.Type,
		OccurredAt: entry.OccurredAt.UTC(), RecordedAt: entry.RecordedAt.UTC(), Late: c.late(entry.Event), Actor: entry.Actor,
		To: []Recipient{}, Purpose: orNull(entry.Purpose), LegalBasis: orNull(entry.LegalBasis),
		CorrectedBy: orNull(entry.CorrectedBy()), AnnulledBy: orNull(entry.AnnulledBy()),
		Summary: Sentence(lang, entry.Event, &c.history), LateReason: orNull(entry.LateReason),
		Hash: Hash(c.recorded[entry.Revision-c.recorded[0].Revision])}
	categories, consent, override := about(entry.Event.Data)
	if d, ok := events.DisclosureOf(entry.Event.Data); ok {
		from := senderOf(entry)
		row.From = &from
		for _, p := range recipients(entry.Actor, d) {
			row.To = append(row.To, recipientOf(p))
		}
		categories, consent, override = d.Categories, d.Consent, d.Override
	}
	row.Training = c.trainingFor(entry)
	for _, w := range entry.Event.Withheld {
		row.Withheld = append(row.Withheld, Withheld{w.Pointer, w.Reason, w.Category, orNull(w.Receipt)})
	}
	row.Categories, row.Consent, row.Override = categoriesOf(categories), orNull(consent), orNull(override)
	return row
}

// about is what an event that shares nothing says of categories, a consent or an override.
func about(data any) (categories []events.Category, consent, override events.ID) {
	switch d := data.(type) {
	case *events.InformationRequested:
		return d.Categories, "", ""
	case *events.RefusalAppealDecided:
		return d.Granted, "", ""
	case *events.OverrideAuthorised:
		return d.Categories, "", d.Override
	case *events.ConsentGiven:
		return d.Categories, d.Consent, ""
	case *events.ConsentRefused:
		return d.Categories, d.Consent, ""
	case *events.ConsentWithdrawn:
		return nil, d.Consent, ""
	}
	return nil, "", ""
}

func (c *Case) late(e *events.Event) bool {
	if e.RecordedAt.Sub(e.OccurredAt) < lateAfter*23*time.Hour {
		return false // not so many days, even if one of them is the short one of the year
	}
	days := c.calendar()
	if days == nil {
		return false
	}
	return days.WorkingDaysBetween(events.DateIn(e.OccurredAt, days.Zone()), events.DateIn(e.RecordedAt, days.Zone())) > lateAfter
}
