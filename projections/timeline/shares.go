package timeline

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// Sender is who shared.
type Sender struct {
	Institution events.Institution `json:"institution"`
	Role        events.Role        `json:"role"`
}

// Recipient is who was told.
type Recipient struct {
	Institution events.Institution `json:"institution"`
	Role        events.Role        `json:"role"`
	Officer     *string            `json:"officer"`
}

func recipientOf(p events.Party) Recipient {
	return Recipient{Institution: p.Institution, Role: p.Role, Officer: orNull(p.Officer)}
}

// Share is information that went from one institution to another (`case shares`): of an event with several
// recipients there is one for each. It shows the data as corrected, under the id of the original event.
type Share struct {
	Event      uuid.UUID          `json:"event"`
	Type       string             `json:"type"`
	At         time.Time          `json:"at"` // occurredAt
	RecordedAt time.Time          `json:"recordedAt"`
	From       Sender             `json:"from"`
	To         Recipient          `json:"to"`
	Categories []events.Category  `json:"categories"`
	Purpose    *events.Purpose    `json:"purpose"`
	LegalBasis *events.LegalBasis `json:"legalBasis"`
	Consent    *events.ID         `json:"consent"`
	Override   *events.ID         `json:"override"`
	// When the recipient took note of the notice, when the sharing was called back, and when its recipient
	// confirmed that it was destroyed: the first of each, as it occurred.
	AcknowledgedAt *time.Time `json:"acknowledgedAt"`
	RecalledAt     *time.Time `json:"recalledAt"`
	DestroyedAt    *time.Time `json:"destroyedAt"`
}

// Shares lists who shared what with whom, by occurrence, ties by recording, the recipients of one event in the
// order in which it names them. What was annulled is not listed.
func (c *Case) Shares() []Share {
	after := c.aftermath()
	rows := []Share{}
	for _, s := range c.sharings() {
		for _, to := range s.to {
			rows = append(rows, Share{Event: s.ID, Type: s.Type, At: s.OccurredAt.UTC(), RecordedAt: s.RecordedAt.UTC(),
				From: senderOf(s.Entry), To: recipientOf(to), Categories: categoriesOf(s.what.Categories),
				Purpose: orNull(s.Purpose), LegalBasis: orNull(s.LegalBasis), Consent: orNull(s.what.Consent), Override: orNull(s.what.Override),
				AcknowledgedAt: after.acknowledged(s, to), RecalledAt: after.recalled(s), DestroyedAt: after.destroyed(s, to)})
		}
	}
	return rows
}

// sharing is an entry that shared something and stands.
type sharing struct {
	*history.Entry
	what events.Disclosure
	to   []events.Party
}

// sharings are the entries that shared and stand, by occurrence, with the data as corrected.
func (c *Case) sharings() []*sharing {
	if c.shared == nil {
		c.shared = []*sharing{}
		for _, entry := range c.history.Occurred() {
			if !entry.Stands() {
				continue
			}
			if what, ok := events.DisclosureOf(entry.Now); ok {
				c.shared = append(c.shared, &sharing{Entry: entry, what: what, to: recipients(entry.Actor, what)})
			}
		}
	}
	return c.shared
}

func senderOf(entry *history.Entry) Sender {
	return Sender{Institution: entry.Actor.Institution, Role: entry.Actor.Role}
}

// recipients are those to whom the actor discloses, each once. An institution does not disclose to itself: one
// that attends its own conference in the sender's role is no recipient; another role of the same institution is.
func recipients(from events.Actor, what events.Disclosure) []events.Party {
	parties := make([]events.Party, 0, len(what.Recipients))
	for _, p := range what.Recipients {
		if p.Institution == from.Institution && p.Role == from.Role {
			continue
		}
		if !slices.Contains(parties, p) {
			parties = append(parties, p)
		}
	}
	return parties
}

func categoriesOf(c []events.Category) []events.Category {
	return append(make([]events.Category, 0, len(c)), c...)
}

// aftermath is what became of the shares: acknowledgements, recalls and confirmed destruction, by occurrence.
type aftermath struct {
	acks        map[events.ID][]*history.Entry // by notification
	recalls     map[*sharing]*history.Entry    // the first
	destruction map[*sharing][]*history.Entry
}

func (c *Case) aftermath() aftermath {
	a := aftermath{acks: map[events.ID][]*history.Entry{}, recalls: map[*sharing]*history.Entry{}, destruction: map[*sharing][]*history.Entry{}}
	for _, entry := range c.history.Occurred() {
		if !entry.Stands() {
			continue
		}
		switch d := entry.Now.(type) {
		case *events.NotificationAcknowledged:
			a.acks[d.Notification] = append(a.acks[d.Notification], entry)
		case *events.DisclosureRecalled:
			for _, s := range c.sharingsCalled(d.Disclosure) {
				if a.recalls[s] == nil {
					a.recalls[s] = entry
				}
			}
		case *events.DisclosureDestructionConfirmed:
			for _, s := range c.sharingsCalled(d.Disclosure) {
				a.destruction[s] = append(a.destruction[s], entry)
			}
		}
	}
	return a
}

// sharingsCalled are those that an id of a disclosure refers to. Ids are unique within their kind only: a
// disclosure of that id comes first, and only while there is none does the id of a notice, a report or a request
// that shared count.
func (c *Case) sharingsCalled(id events.ID) []*sharing {
	if c.called == nil {
		c.called = map[events.ID][]*sharing{}
		others := map[events.ID][]*sharing{}
		for _, s := range c.sharings() {
			switch s.Now.(type) {
			case *events.InformationDisclosed, *events.NeedsMapShared, *events.HealthSummaryTransferred:
				c.called[s.what.Reference] = append(c.called[s.what.Reference], s)
			default:
				others[s.what.Reference] = append(others[s.what.Reference], s)
			}
		}
		for id, s := range others {
			if c.called[id] == nil && id != "" {
				c.called[id] = s
			}
		}
	}
	return c.called[id]
}

// acknowledged is when the recipient institution first acknowledged the notice. Of what is shared only notices are
// acknowledged: accepting a referral is an answer to it.
func (a aftermath) acknowledged(s *sharing, to events.Party) *time.Time {
	if _, ok := s.Now.(*events.NotificationSent); !ok {
		return nil
	}
	return firstBy(a.acks[s.what.Reference], to)
}

func (a aftermath) recalled(s *sharing) *time.Time {
	if recall := a.recalls[s]; recall != nil {
		return instantOrNull(recall.OccurredAt)
	}
	return nil
}

// destroyed is when the recipient confirmed the destruction; where there was only one recipient it does not
// matter who wrote the confirmation down.
func (a aftermath) destroyed(s *sharing, to events.Party) *time.Time {
	confirmations := a.destruction[s]
	if len(s.to) == 1 && len(confirmations) > 0 {
		return instantOrNull(confirmations[0].OccurredAt)
	}
	return firstBy(confirmations, to)
}

// firstBy is when the first of the entries was done by the party's institution.
func firstBy(entries []*history.Entry, to events.Party) *time.Time {
	for _, entry := range entries {
		if entry.Actor.Institution == to.Institution {
			return instantOrNull(entry.OccurredAt)
		}
	}
	return nil
}
