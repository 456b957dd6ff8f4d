package access

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// Case is what the decision needs to know of a case: its jurisdiction, which institutions have a part in it, and the
// consents. It is safe for concurrent use once made.
type Case struct {
	Jurisdiction events.Jurisdiction

	involved map[events.Institution]bool
	consents []consent
	zone     *time.Location
	monitors map[uuid.UUID]bool   // the monitoring contacts and what is said of them, by event; see about
	types    map[uuid.UUID]string // of entries that were corrected
}

type consent struct {
	given     *events.ConsentGiven
	from      time.Time
	withdrawn time.Time // zero while it is not
}

// CaseOf reads what the decision needs from a case's whole history, as it stands.
func CaseOf(h *history.History) *Case {
	c := &Case{involved: map[events.Institution]bool{}, types: map[uuid.UUID]string{}, monitors: map[uuid.UUID]bool{}, zone: time.UTC}
	if h.Len() > 0 {
		c.Jurisdiction = h.Entries()[0].Jurisdiction
		if days, err := calendar.For(string(c.Jurisdiction), ""); err == nil {
			c.zone = days.Zone()
		}
	}
	for _, i := range Parts(h) {
		c.involved[i] = true
	}
	contacts := map[events.ID]bool{}
	for _, e := range h.Entries() {
		c.about(e, contacts)
		if d, ok := e.Now.(*events.ConsentGiven); ok && e.Stands() {
			c.consents = append(c.consents, consent{given: d, from: e.OccurredAt})
		}
		if d, ok := e.Event.Data.(*events.EntryCorrected); ok {
			if target := h.Find(d.Target); target != nil {
				c.types[d.Target] = target.Type
			}
		}
	}
	for _, e := range h.Entries() { // a withdrawal may have been recorded before what it withdraws
		d, ok := e.Now.(*events.ConsentWithdrawn)
		for i := range c.consents {
			if k := &c.consents[i]; ok && e.Stands() && k.given.Consent == d.Consent && (k.withdrawn.IsZero() || e.OccurredAt.Before(k.withdrawn)) {
				k.withdrawn = e.OccurredAt
			}
		}
	}
	return c
}

// about finds the monitoring contacts, and what refers to one: a correction or annulment of it, a notice about it, what it
// led to. Who may not know of the contact may not know of these.
func (c *Case) about(e *history.Entry, contacts map[events.ID]bool) {
	var refers uuid.UUID
	switch d := e.Event.Data.(type) {
	case *events.MonitoringContactHeld:
		contacts[d.Contact] = true
		if now, ok := e.Now.(*events.MonitoringContactHeld); ok { // its id may have been corrected
			contacts[now.Contact] = true
		}
		c.monitors[e.ID] = true
		return
	case *events.EntryCorrected:
		refers = d.Target
	case *events.EntryAnnulled:
		refers = d.Target
	case *events.NotificationSent:
		if contacts[d.About] {
			c.monitors[e.ID] = true
		}
	case *events.InformationDisclosed:
		if contacts[d.DerivedFrom] {
			c.monitors[e.ID] = true
		}
	}
	if c.monitors[refers] || c.monitors[e.CausationID] {
		c.monitors[e.ID] = true
	}
}

// Involves reports whether the institution has a part in the case.
func (c *Case) Involves(i events.Institution) bool { return i != "" && c.involved[i] }

// consented reports whether a consent covers the category for the role at an instant. A consent holds to the end of the
// day that it expires on.
func (c *Case) consented(role events.Role, category events.Category, at time.Time) bool {
	return slices.ContainsFunc(c.consents, func(k consent) bool {
		return !k.from.After(at) && (k.withdrawn.IsZero() || k.withdrawn.After(at)) &&
			(k.given.Expires == 0 || events.DateIn(at, c.zone) <= k.given.Expires) &&
			slices.Contains(k.given.RecipientRoles, role) && slices.Contains(k.given.Categories, category)
	})
}

// Parts are the institutions that have a part in a case, as its entries stand, sorted: the one that opened it and those
// that hold or held the person; those that were told something, unless the telling was annulled, or recalled as sent to the
// wrong recipient or unlawful; those that were asked for information or to decide on a refusal; and those that acted in it.
// Who only asks, complains, or only answers what was sent, does not take part by that: else anyone could let himself in.
func Parts(h *history.History) []events.Institution {
	var all []events.Institution
	recalled := recalls(h)
	for _, e := range h.Entries() {
		all = append(all, partsOf(e, !recalled[e])...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// PartsOf are the institutions that have a part in the case by this one entry as it stands, each perhaps more than once. It
// does not look whether what it shared was recalled.
func PartsOf(e *history.Entry) []events.Institution { return partsOf(e, true) }

func partsOf(e *history.Entry, shared bool) []events.Institution {
	if !e.Stands() {
		return nil
	}
	var found []events.Institution
	if e.Actor.Role != events.System && TakesPart(e.Now) {
		found = append(found, e.Actor.Institution)
	}
	switch d := e.Now.(type) {
	case *events.CaseOpened:
		found = append(found, d.Institution)
	case *events.PrisonTransferred:
		found = append(found, d.From, d.To)
	case *events.InformationRequested:
		found = append(found, d.From.Institution)
	case *events.RefusalAppealed:
		found = append(found, d.To.Institution)
	}
	if d, ok := events.DisclosureOf(e.Now); ok && shared {
		for _, r := range d.Recipients {
			found = append(found, r.Institution)
		}
	}
	return slices.DeleteFunc(found, func(i events.Institution) bool { return i == "" })
}

// TakesPart reports whether recording an event with this data is an act in the case, by which one has a part in it.
func TakesPart(data any) bool {
	switch data.(type) {
	case *events.InformationRequested, *events.RefusalAppealed, *events.ComplaintLodged, *events.NotificationDelivered, *events.NotificationFailed,
		*events.NotificationAcknowledged, *events.ReferralDeclined, *events.DisclosureDestructionConfirmed, *events.AlertAcknowledged:
		return false
	}
	return true
}

// recalls are the entries that shared something and were called back as sent to the wrong recipient or unlawful. As in
// `case shares`, an id means a disclosure first, and a notice, a report or a request only while no disclosure has it.
func recalls(h *history.History) map[*history.Entry]bool {
	back := map[events.ID]bool{}
	for _, e := range h.Entries() {
		if d, ok := e.Now.(*events.DisclosureRecalled); ok && e.Stands() && d.Reason != "inaccurate" {
			back[d.Disclosure] = true
		}
	}
	if len(back) == 0 {
		return nil
	}
	first, others := map[events.ID][]*history.Entry{}, map[events.ID][]*history.Entry{}
	for _, e := range h.Entries() {
		d, ok := events.DisclosureOf(e.Now)
		if !ok || !back[d.Reference] {
			continue
		}
		switch e.Now.(type) {
		case *events.InformationDisclosed, *events.NeedsMapShared, *events.HealthSummaryTransferred:
			first[d.Reference] = append(first[d.Reference], e)
		default:
			others[d.Reference] = append(others[d.Reference], e)
		}
	}
	gone := map[*history.Entry]bool{}
	for id := range back {
		which := first[id]
		if len(which) == 0 {
			which = others[id]
		}
		for _, e := range which {
			gone[e] = true
		}
	}
	return gone
}
