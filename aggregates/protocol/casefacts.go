package protocol

import (
	"slices"
	"strconv"
	"strings"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

func itoa(n int) string { return strconv.Itoa(n) }

// caseFacts reads what the protocol itself knows of: dates, release, risk, closing, who was told what.
func (r *reader) caseFacts() {
	t := r.t
	switch d := r.data.(type) {
	case *events.CaseOpened:
		r.g.prison, r.g.opened = d.Institution, true
		t.everything = true
	case *events.PrisonTransferred:
		r.g.prison = d.To
	case *events.SentenceRecorded:
		t.sentences = file(r, t.sentences, sentenceMonths(d.StartDate, d.EndDate))
		t.everything = true
	case *events.RiskLevelChanged:
		t.risks = file(r, t.risks, levelOf(d.To, r.base.entry, "/to"))
	case *events.AssessmentCompleted:
		if level := levelOf(d.Level, r.base.entry, "/level"); level != "" {
			t.risks = file(r, t.risks, level)
		}
	case *events.ExpectedReleaseDateSet:
		r.decision(d.Date, false)
	case *events.ExpectedReleaseDateChanged:
		r.decision(d.To, true)
	case *events.PersonReleased:
		rel := &released{fact: r.base, day: t.day(r.base.entry.OccurredAt)}
		t.releases = insert(t.releases, rel)
		r.add(rel)
		t.everything = true
	case *events.CaseClosed:
		t.closings = file(r, t.closings, true)
		t.everything = true
	case *events.CaseReopened:
		t.closings = file(r, t.closings, false)
		t.everything = true
	case *events.NotificationSent:
		if d.Subject == "planned-release" {
			r.told(d.Recipient.Institution)
		}
	case *events.ConsentWithdrawn:
		r.withdrawn(d.Consent)
	case *events.ObligationWaived:
		t.waivers = r.note(t.waivers, d.Obligation)
	case *events.AlertAcknowledged:
		t.acks = r.note(t.acks, d.Obligation)
	case *events.ObligationOverdue:
		t.alerted(d.Obligation, d.Due, 0)
	case *events.ObligationEscalated:
		if s := t.slots[d.Obligation]; s != nil {
			t.alerted(d.Obligation, s.Due.Date, d.Level)
		}
	}
	if t.ends(r.base.entry.Type) {
		f := r.base
		if t.untils == nil {
			t.untils = map[string][]*fact{}
		}
		t.untils[f.entry.Type] = insert(t.untils[f.entry.Type], &f)
		r.add(&f)
	}
}

// unknown begins a risk level that was decided on and can't be read any more; the receipt of its erasure follows.
const unknown = "\x00"

// levelOf is the risk level that an entry says, which stands at a pointer in its data.
func levelOf(said string, e *history.Entry, pointer string) string {
	for _, w := range e.Withheld {
		if w.Pointer == pointer {
			return unknown + w.Receipt.String()
		}
	}
	return said
}

// ends reports whether some rule runs until an event of that type.
func (t *Tracker) ends(eventType string) bool {
	for i := range t.land.editions {
		if t.land.editions[i].untils[eventType] {
			return true
		}
	}
	return false
}

func file[V any](r *reader, list []*said[V], v V) []*said[V] {
	s := &said[V]{r.base, v}
	r.add(s)
	return insert(list, s)
}

// note files something said about an obligation.
func (r *reader) note(to map[string][]*fact, obligation string) map[string][]*fact {
	if to == nil {
		to = map[string][]*fact{}
	}
	f := r.base
	to[obligation] = insert(to[obligation], &f)
	r.add(&f)
	if s := r.t.slots[obligation]; s != nil {
		r.t.mark(s)
	}
	return to
}

// sentenceMonths is the length of a sentence, rounded up to whole months.
func sentenceMonths(start, end events.Date) int {
	n := int(end-start) / 32
	for n < 1 || start.AddMonths(n) < end {
		n++
	}
	return n
}

func (r *reader) decision(date events.Date, moves bool) {
	t := r.t
	d := &decision{fact: r.base, date: date, moves: moves, rules: r.inForce()}
	t.decisions = insert(t.decisions, d)
	r.add(d)
	t.everything = true
	for _, rule := range d.rules.onRelease {
		t.slot(rule, "", slotByRelease)
	}
	for _, institution := range t.toldTo {
		t.slotsTold(d, institution)
	}
}

// told notes that an institution was sent a planned-release notification.
func (r *reader) told(institution events.Institution) {
	t := r.t
	if t.told == nil {
		t.told = map[events.Institution][]*said[events.Institution]{}
	}
	if t.told[institution] == nil {
		t.toldTo = append(t.toldTo, institution)
	}
	t.told[institution] = file(r, t.told[institution], institution)
	for _, d := range t.decisions {
		t.slotsTold(d, institution)
	}
}

// slotsTold makes the places of the obligations to tell an institution of a date change.
func (t *Tracker) slotsTold(d *decision, institution events.Institution) {
	for _, on := range d.rules.activated[d.entry.Type] {
		if on.activation.each == eachToldBefore {
			s := t.slot(on.rule, string(institution), slotToldBefore)
			s.institution = institution
			t.mark(s)
		}
	}
}

func (r *reader) withdrawn(consent events.ID) {
	t := r.t
	rules := r.inForce()
	for _, on := range rules.activated[r.base.entry.Type] {
		if on.activation.each != eachUnderConsent {
			continue
		}
		a := &activated{fact: r.base, rule: on.rule, version: rules.Version, about: string(consent), from: t.day(r.base.entry.OccurredAt), offset: on.due.offset}
		if t.withdrawals == nil {
			t.withdrawals = map[events.ID][]*activated{}
		}
		t.withdrawals[consent] = insert(t.withdrawals[consent], a)
		r.add(a)
	}
	t.slotsUnder(consent)
}

// slotsUnder makes the places of the obligations to tell those who had something on a consent of its withdrawal.
func (t *Tracker) slotsUnder(consent events.ID) {
	for _, a := range t.withdrawals[consent] {
		for _, share := range t.sharings[consent] {
			for _, p := range share.to {
				s := t.slot(a.rule, string(consent)+"/"+string(p.Institution), slotUnderConsent)
				s.institution, s.subject = p.Institution, string(consent)
				t.mark(s)
			}
		}
	}
}

// target is the record that a correction or annulment is about.
func (t *Tracker) target(data any) *record {
	var entry *history.Entry
	switch d := data.(type) {
	case *events.EntryCorrected:
		entry = t.history.Find(d.Target)
	case *events.EntryAnnulled:
		entry = t.history.Find(d.Target)
	}
	if entry == nil {
		return nil
	}
	return &t.records[entry.Revision]
}

// recipientsOfTarget are those who, as far as the record says now, had what a correction or annulment is about.
func (t *Tracker) recipientsOfTarget(data any) []events.Party {
	if r := t.target(data); r != nil {
		return r.now().recipients
	}
	return nil
}

// amend notes a correction or annulment of an event that shares: everyone whom the record names as its recipient,
// before or after the correction, is to be told.
func (t *Tracker) amend(entry *history.Entry, data any, before []events.Party) {
	r := t.target(data)
	if r == nil {
		return
	}
	all := slices.Concat(before, r.now().recipients)
	if len(all) == 0 {
		return
	}
	id := r.entry.ID.String()
	rules := (&reader{t: t, base: fact{entry: entry}}).inForce()
	for _, on := range rules.activated[entry.Type] {
		if on.activation.each != eachOfTarget {
			continue
		}
		a := &activated{fact: fact{entry: entry, since: entry.Event}, rule: on.rule, version: rules.Version, about: id,
			from: t.day(entry.OccurredAt), offset: on.due.offset, party: r.entry.Actor.Party()}
		for _, p := range all {
			a.recipients = append(a.recipients, p.Institution)
			s := t.slot(on.rule, id+"/"+string(p.Institution), slotOfTarget)
			s.institution, s.subject = p.Institution, id
			t.mark(s)
		}
		if t.amendments == nil {
			t.amendments = map[string][]*activated{}
		}
		t.amendments[id] = append(t.amendments[id], a)
	}
}

// effectiveDecisions are the date decisions that took effect, in order: those taken before the release that no
// later one had overtaken when they were recorded. What else was on record by the end of that day counts too, if
// it had been decided by then: so the order within an import changes nothing.
func (t *Tracker) effectiveDecisions() []*decision {
	var chain []*decision
	release := t.release()
	for i, d := range t.decisions {
		if !d.stands() || release != nil && release.at().before(d.at()) {
			continue
		}
		overtaken := slices.ContainsFunc(t.decisions[i+1:], func(k *decision) bool {
			return k.stands() && (release == nil || k.at().before(release.at())) && (k.entry.Revision < d.entry.Revision ||
				!k.entry.OccurredAt.After(d.entry.RecordedAt) && t.day(k.entry.RecordedAt) == t.day(d.entry.RecordedAt))
		})
		if !overtaken {
			chain = append(chain, d)
		}
	}
	return chain
}

// firstDecision is the decision that first set the release date, by occurrence; nil while there is none.
func (t *Tracker) firstDecision() *decision {
	release := t.release()
	for _, d := range t.decisions {
		if d.stands() {
			if release != nil && release.at().before(d.at()) {
				return nil
			}
			return d
		}
	}
	return nil
}

// firstKnown is the event by whose recording the release date was first known, be it by another decision than the
// one that counts as the first.
func (t *Tracker) firstKnown() (known *events.Event) {
	release := t.release()
	for _, d := range t.decisions {
		if d.stands() && (release == nil || d.at().before(release.at())) {
			known = earlier(known, d.entry.Event)
		}
	}
	return known
}

// parts splits what join made.
func parts(s string) []string { return strings.Split(s, "\x00") }
