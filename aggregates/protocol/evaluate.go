package protocol

import (
	"iter"
	"slices"
	"strings"
	"time"

	"traga.internal/events"
)

// active is the activation of an obligation that holds.
type active struct {
	fact
	known   *events.Event // from whose recording on the obligation was known
	rule    *rule
	version string
	keys    []actKey // where the acts are that can fulfil it
	party   events.Party
	from    events.Date // what an after-event due date is counted from
	offset  offset
	passed  int // how many of the last alternates are decided on already
	data    any
	about   string
}

// found keeps the activation that holds in the tracker's one place for it, so that finding it allocates nothing.
func (t *Tracker) found(a active) *active {
	a.keys = t.holding.keys[:0]
	t.holding = a
	return &t.holding
}

// activation is the activation of a slot that holds; nil while there is none. It is good until the next call.
func (t *Tracker) activation(s *slot) *active {
	switch s.kind {
	case slotByRelease:
		return t.activationByRelease(s)
	case slotNumbered:
		n := 0
		for a := range entries(t.activations[s.Rule]) {
			if n++; n == s.number {
				return t.holds(a)
			}
		}
		return nil
	case slotToldBefore:
		return t.activationByChange(s)
	case slotOfTarget:
		for _, a := range slices.Backward(t.amendments[s.subject]) {
			if a.stands() && slices.Contains(a.recipients, s.institution) {
				x := t.holds(a)
				x.match(strings.ToLower(s.subject + "\x00" + string(s.institution)))
				return x
			}
		}
		return nil
	case slotUnderConsent:
		return t.activationByWithdrawal(s)
	}
	list := t.activations[s.ID]
	if len(list) > 0 && list[0].rule.activation.counts == countsNewest {
		for _, a := range slices.Backward(list) {
			if x := t.holds(a); x != nil {
				return x
			}
		}
		return nil
	}
	var first *activated
	var known *events.Event
	for _, a := range list {
		switch {
		case !t.counts(a):
		case first == nil:
			first, known = a, a.since
		default:
			known = earlier(known, a.since) // by another activation than the one that counts now
		}
	}
	if first == nil {
		return nil
	}
	x := t.holds(first)
	x.known = known
	return x
}

// counts reports whether an activation stands and did not come after what ends its rule for good.
func (t *Tracker) counts(a *activated) bool {
	if !a.stands() {
		return false
	}
	if a.rule.forGood {
		for _, u := range t.untils[a.rule.until] {
			if u.stands() && u.at().before(a.at()) {
				return false
			}
		}
	}
	return true
}

// holds is an activation if it counts.
func (t *Tracker) holds(a *activated) *active {
	if !t.counts(a) {
		return nil
	}
	x := t.found(active{fact: a.fact, known: a.since, rule: a.rule, version: a.version, party: a.party, from: a.from, offset: a.offset, passed: a.passed, data: a.data, about: a.about})
	x.match(a.match)
	return x
}

// match says what ties acts to the activation; an optional part also matches where an act leaves it empty.
func (a *active) match(m string) {
	a.keys = append(a.keys[:0], actKey{a.rule, m})
	for _, by := range a.rule.acts {
		for i, p := range by.match {
			if p.optional {
				all := parts(m)
				all[i] = ""
				if k := (actKey{a.rule, strings.Join(all, "\x00")}); !slices.Contains(a.keys, k) {
					a.keys = append(a.keys, k)
				}
			}
		}
	}
}

func (t *Tracker) activationByRelease(s *slot) *active {
	d := t.firstDecision()
	if d == nil {
		return nil
	}
	for _, rule := range d.rules.onRelease {
		if rule.ID == s.Rule {
			a := t.found(active{fact: d.fact, known: t.firstKnown(), rule: rule, version: d.rules.Version, offset: rule.due.offset})
			a.keys = append(a.keys, actKey{rule, ""})
			return a
		}
	}
	return nil
}

// activationByChange is the newest date change that took effect after the institution had been told.
func (t *Tracker) activationByChange(s *slot) *active {
	for _, d := range slices.Backward(t.chain) {
		if !d.moves {
			continue
		}
		for _, on := range d.rules.activated[d.entry.Type] {
			if on.ID != s.Rule {
				continue
			}
			var told *events.Event
			for _, f := range t.told[s.institution] {
				if f.stands() && f.at().before(d.at()) {
					told = earlier(told, f.since)
				}
			}
			if told != nil {
				a := t.found(active{fact: d.fact, known: later(told, d.entry.Event), rule: on.rule, version: d.rules.Version, from: t.day(d.entry.OccurredAt),
					offset: on.due.offset})
				a.match(string(s.institution))
				return a
			}
		}
	}
	return nil
}

// activationByWithdrawal is the first withdrawal of a consent on which the institution had had something; the
// duty is that of the last one who shared with it on that consent.
func (t *Tracker) activationByWithdrawal(s *slot) *active {
	for _, w := range t.withdrawals[events.ID(s.subject)] {
		if !w.stands() {
			continue
		}
		var last *sharing
		var shared *events.Event
		for _, share := range t.sharings[events.ID(s.subject)] {
			to := func(p events.Party) bool { return p.Institution == s.institution }
			if share.stands() && share.at().before(w.at()) && slices.ContainsFunc(share.to, to) {
				last, shared = share, earlier(shared, share.since)
			}
		}
		if last != nil {
			a := t.holds(w)
			a.party, a.known = last.from, later(a.known, shared)
			a.match(s.subject + "\x00" + string(s.institution))
			return a
		}
	}
	return nil
}

// done is what meets an obligation.
type done struct {
	*act
	// since is the event from whose recording on it was known to be met.
	since *events.Event
}

// fulfilment is what meets an activation: of the acts that a rule asks for, by occurrence. known, where given,
// says what is to be counted. over is the act after which nothing is due any more.
func (t *Tracker) fulfilment(a *active, known func(*fact) bool) (met *done, over *act) {
	for _, key := range a.keys {
		m, o := t.fulfilmentIn(t.acts[key], a, known)
		if m != nil && (met == nil || m.at().before(met.at())) {
			met = m
		}
		if o != nil {
			over = o
		}
	}
	return met, over
}

func (t *Tracker) fulfilmentIn(list []*act, a *active, known func(*fact) bool) (met *done, over *act) {
	r := a.rule
	until := t.until(a)
	count, together := 0, uint8(0)
	var since *events.Event
	for i := t.from(list, a); i < len(list); i++ {
		x := list[i]
		if until != nil && until.at().before(x.at()) {
			break
		}
		if !x.stands() || known != nil && !known(&x.fact) || r.notBefore == afterRelease && t.day(x.entry.OccurredAt) < a.from {
			continue
		}
		counted := x.since
		if r.precededBy != "" {
			before := t.precedent(x, known)
			if before == nil {
				continue
			}
			counted = later(counted, before.since)
		}
		if r.together != nil && together|x.part == together {
			continue
		}
		together |= x.part
		count++
		since = later(since, counted)
		if r.together != nil && together == 1<<len(r.together)-1 || r.together == nil && count == r.nth {
			return &done{x, since}, nil
		}
		if x.ends {
			return nil, x
		}
	}
	return nil, nil
}

// from is where in a list of acts those begin that are not too early.
func (t *Tracker) from(list []*act, a *active) int {
	if a.rule.notBefore != afterActivation {
		return 0
	}
	i, _ := slices.BinarySearchFunc(list, a.at(), func(x *act, m mark) int {
		if m.before(x.at()) {
			return 1
		}
		return -1 // the activating event itself, such as a plan's review, is too early too
	})
	return i
}

// metSince is the event from whose recording on an obligation was known to be met, be it by another act than the
// one that counts now because it was done first.
func (t *Tracker) metSince(a *active, met *done) *events.Event {
	first := met.since
	try := func(f *fact) {
		if !f.stands() || f.since.Revision >= first.Revision {
			return
		}
		if m, _ := t.fulfilment(a, func(y *fact) bool { return y.since.Revision <= f.since.Revision }); m != nil && m.since.Revision < first.Revision {
			first = m.since
		}
	}
	for _, key := range a.keys {
		for _, x := range t.acts[key] {
			try(&x.fact)
			if a.rule.precededBy != "" {
				// What had to come before the act may be what came on record last.
				for _, f := range t.precedents[actKey{x.rule, x.same}] {
					try(f)
				}
			}
		}
	}
	return first
}

// precedent is the event that had to come before an act; nil if none did.
func (t *Tracker) precedent(x *act, known func(*fact) bool) *fact {
	for _, f := range t.precedents[actKey{x.rule, x.same}] {
		if f.stands() && f.at().before(x.at()) && (known == nil || known(f)) {
			return f
		}
	}
	return nil
}

func earlier(a, b *events.Event) *events.Event {
	if a == nil || b.Revision < a.Revision {
		return b
	}
	return a
}

func later(a, b *events.Event) *events.Event {
	if a == nil || a.Revision < b.Revision {
		return b
	}
	return a
}

// until is the event that ends an activation's rule undone: the first after the activation; nil while there is none.
func (t *Tracker) until(a *active) *fact {
	if a.rule.until == "" {
		return nil
	}
	for _, u := range t.untils[a.rule.until] {
		if u.stands() && a.at().before(u.at()) {
			return u
		}
	}
	return nil
}

// waiver is the first waiver, by occurrence, that counts for an activation; nil while there is none.
func (t *Tracker) waiver(s *slot, a *active) *fact {
	for w := range t.waiversOf(s, a) {
		return w
	}
	return nil
}

// waiversOf are all waivers that count for an activation, by occurrence.
func (t *Tracker) waiversOf(s *slot, a *active) iter.Seq[*fact] {
	return func(yield func(*fact) bool) {
		for _, w := range t.waivers[s.ID] {
			if w.stands() && !w.at().before(a.at()) && !t.waiverEnded(s, w) && !yield(w) {
				return
			}
		}
	}
}

// waiverEnded reports whether the activation that a waiver was about has been annulled since: it ended the waiver,
// even if another activation holds now.
func (t *Tracker) waiverEnded(s *slot, w *fact) bool {
	annulledSince := func(f *fact) bool {
		return f.entry.Annulment != nil && f.entry.Annulment.Revision > w.entry.Revision
	}
	for f := range t.mayActivate(s) {
		if !f.stale && f.at().before(w.at()) && (f.entry.Stands() || annulledSince(f)) {
			return annulledSince(f)
		}
	}
	return false
}

// mayActivate are what activates an obligation, annulled ones included, that which counts before the others first.
func (t *Tracker) mayActivate(s *slot) iter.Seq[*fact] {
	return func(yield func(*fact) bool) {
		switch s.kind {
		case slotByRelease:
			for _, d := range t.decisions {
				if !t.afterRelease(&d.fact) && !yield(&d.fact) {
					return
				}
			}
		case slotToldBefore:
			for _, d := range slices.Backward(t.decisions) {
				told := func(f *said[events.Institution]) bool { return f.stands() && f.at().before(d.at()) }
				if d.moves && !t.afterRelease(&d.fact) && slices.ContainsFunc(t.told[s.institution], told) && !yield(&d.fact) {
					return
				}
			}
		case slotOfTarget:
			for _, x := range slices.Backward(t.amendments[s.subject]) {
				if slices.Contains(x.recipients, s.institution) && !yield(&x.fact) {
					return
				}
			}
		case slotUnderConsent:
			for _, x := range t.withdrawals[events.ID(s.subject)] {
				if !yield(&x.fact) {
					return
				}
			}
		case slotByEvent:
			list := t.activations[s.ID]
			if len(list) > 0 && list[0].rule.activation.counts == countsNewest {
				list = slices.Clone(list)
				slices.Reverse(list)
			}
			for _, x := range list {
				if !yield(&x.fact) {
					return
				}
			}
		}
	}
}

// afterRelease reports whether a decision came after the release, as known when the decision was annulled, or now:
// then it never activated anything.
func (t *Tracker) afterRelease(d *fact) bool {
	return slices.ContainsFunc(t.releases, func(r *released) bool {
		stood := r.entry.Stands() || d.entry.Annulment != nil && r.entry.Annulment.Revision > d.entry.Annulment.Revision
		return !r.stale && stood && r.at().before(d.at())
	})
}

// closing is the closing since which the case is closed, by occurrence; nil while it is open.
func (t *Tracker) closing() *fact {
	var since *fact
	for _, c := range t.closings {
		switch {
		case !c.stands():
		case !c.value:
			since = nil
		case since == nil:
			since = &c.fact
		}
	}
	return since
}

// compute works an obligation out from the facts; false while it has never been activated.
func (t *Tracker) compute(s *slot) (Obligation, bool) {
	a := t.activation(s)
	if a == nil {
		return t.cancelled(s)
	}
	t.wait(s, a)
	s.rule = a.rule
	r := a.rule
	met, over := t.fulfilment(a, nil)
	waiver := t.waiver(s, a)
	end := t.until(a)
	if over != nil && (end == nil || over.at().before(end.at())) {
		end = &over.fact
	}
	// What occurred first decides: the act, the waiver or what ended the duty.
	if met != nil && waiver != nil {
		if met.at().before(waiver.at()) {
			waiver = nil
		} else {
			met = nil
		}
	}
	if waiver != nil && end != nil && end.at().before(waiver.at()) {
		waiver = nil
	}
	var settled *fact
	switch {
	case met != nil:
		settled = &met.act.fact
	case waiver != nil:
		settled = waiver
	}
	dates := t.dates(s, a, settled, nil, nil)

	o := Obligation{ID: s.ID, Rule: r.ID, About: s.About, Severity: r.Severity, Duty: r.duty, DutyHolder: a.party.Institution, Toward: r.Toward,
		Due: dates.due, Compressed: dates.compressed, Breaches: dates.breaches, EscalateTo: r.escalation.to, Outcome: Pending,
		ActivatedBy: a.entry.ID, Protocol: a.version}
	if a.party.Role != "" {
		o.Duty = a.party.Role
	}
	t.clocks(&o, s, r, dates.offset)

	known, closing := uint64(len(t.records)), t.closing()
	s.doneAt = time.Time{}
	switch {
	case met != nil:
		since := t.metSince(a, met)
		o.FulfilledBy, o.MetOn, o.Outcome = met.entry.ID, t.day(met.entry.OccurredAt), MetLate
		if o.inTime(met.entry.OccurredAt, o.MetOn) {
			o.Outcome = Met
			o.RecordedLate = !since.RecordedAt.Before(o.OverdueFrom)
		}
		s.doneAt = met.entry.OccurredAt
		known = t.freeze(&o, since, a)
	case waiver != nil:
		o.WaivedBy, o.Outcome = waiver.entry.ID, Waived
		if b, overdue := t.waivedLate(s, a, dates.breaches); overdue {
			o.Breaches = append(o.Breaches, b)
		}
		known = t.freeze(&o, waiver.entry.Event, a)
	case closing != nil && a.at().before(closing.at()) && (end == nil || closing.at().before(end.at())):
		o.Outcome = Missed
		known = t.freeze(&o, closing.entry.Event, a)
	case end != nil:
		o.Outcome = Cancelled
	}
	if a.party.Institution == "" {
		o.DutyHolder = t.holders.knownAfter(o.Duty, int(known)+1)
	}
	for _, ack := range slices.Backward(t.acks[s.ID]) {
		if ack.stands() && !ack.at().before(a.at()) {
			o.AcknowledgedBy = ack.entry.ID
			break
		}
	}
	return o, true
}

// freeze notes the escalation level that had been reached when an obligation was settled, and tells at which entry
// that was known.
func (t *Tracker) freeze(o *Obligation, by *events.Event, a *active) uint64 {
	known := later(by, a.known)
	outcome := o.Outcome
	o.Outcome = Pending
	o.Reached = o.Escalation(known.RecordedAt)
	o.Outcome = outcome
	return known.Revision
}

// inTime reports whether an act was done by the due date.
func (o *Obligation) inTime(at time.Time, day events.Date) bool {
	if !o.Due.Instant.IsZero() {
		return !at.After(o.Due.Instant)
	}
	return day <= o.Due.Date
}

// cancelled is an obligation whose activation no longer holds: it keeps what it was, but for what was done about it.
func (t *Tracker) cancelled(s *slot) (Obligation, bool) {
	if !s.visible {
		return Obligation{}, false
	}
	t.wait(s, nil)
	o := s.Obligation
	o.Outcome, o.FulfilledBy, o.WaivedBy, o.MetOn, o.RecordedLate, o.Breaches, o.Reached = Cancelled, noID, noID, 0, false, nil, 0
	s.doneAt = time.Time{}
	if s.rule.duty != "" { // a role's, not one named party's
		o.DutyHolder = t.holders.knownAfter(o.Duty, len(t.records))
	}
	return o, true
}

// wait notes for which acts an obligation is to be looked at again.
func (t *Tracker) wait(s *slot, a *active) {
	var keys []actKey
	if a != nil {
		if slices.Equal(s.waitsOn, a.keys) {
			return
		}
		keys = slices.Clone(a.keys)
	}
	for _, k := range s.waitsOn {
		t.waiting[k] = slices.DeleteFunc(t.waiting[k], func(o *slot) bool { return o == s })
	}
	for _, k := range keys {
		t.waiting[k] = append(t.waiting[k], s)
	}
	s.waitsOn = keys
}
