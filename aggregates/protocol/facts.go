package protocol

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// mark is a place in the order of occurrence: by time, ties by recording.
type mark struct {
	at  time.Time
	seq uint64
}

func (m mark) before(o mark) bool {
	if m.at.Equal(o.at) {
		return m.seq < o.seq
	}
	return m.at.Before(o.at)
}

// fact is something that a rule reads out of an entry.
type fact struct {
	entry *history.Entry
	// since is the event from whose recording on the entry has said this: the entry itself, or a correction.
	since *events.Event
	// stale is true when the entry, as corrected, does not say this.
	stale bool
}

func (f *fact) stands() bool { return !f.stale && f.entry.Stands() }

func (f *fact) at() mark { return mark{f.entry.OccurredAt, f.entry.Revision} }

func (f *fact) base() *fact { return f }

// based is any kind of fact.
type based interface{ base() *fact }

// insert adds a fact to a list in order of occurrence.
func insert[F based](list []F, f F) []F {
	at, i := f.base().at(), len(list)
	for i > 0 && at.before(list[i-1].base().at()) {
		i--
	}
	return slices.Insert(list, i, f)
}

// actKey is what ties an act to what it can fulfil.
type actKey struct {
	rule  *rule
	match string
}

// act is something done that a rule asks for.
type act struct {
	fact
	rule  *rule
	match string
	part  uint8  // which of the guards of together it fulfils, as a bit
	ends  bool   // nothing is due after it
	same  string // what an event that must have come before has in common with it
}

// activated is an activation of a rule.
type activated struct {
	fact
	rule         *rule
	version      string
	about, match string
	party        events.Party
	from         events.Date          // the date that the due date is counted from
	offset       offset               // as the guards that the event alone decides say
	passed       int                  // how many of the alternates are not to be judged any more: this one and those after it
	data         any                  // for guards that read the state of the case too
	recipients   []events.Institution // of a corrected or annulled disclosure
}

// decision is one on the expected release date.
type decision struct {
	fact
	date  events.Date
	moves bool // it changed a date, rather than setting one
	rules *RuleSet
}

// released is a release, on a local date.
type released struct {
	fact
	day events.Date
}

// said is one value of something of which the last word counts.
type said[V any] struct {
	fact
	value V
}

// lastKnown is the last word by occurrence of those recorded before so many entries, as they now stand.
func lastKnown[V any](list []*said[V], entries int) (v V) {
	for _, s := range slices.Backward(list) {
		if s.stands() && s.entry.Revision < uint64(entries) {
			return s.value
		}
	}
	return v
}

// sharing is a disclosure on a consent.
type sharing struct {
	fact
	to   []events.Party
	from events.Party
}

// record is what is kept of an entry.
type record struct {
	entry     *history.Entry
	first     reading // as first recorded
	corrected *reading
	earlier   []reading // as corrected before
}

// reading is what an entry says.
type reading struct {
	since      *events.Event // the entry itself, or the correction by which it says so
	facts      []based
	recipients []events.Party     // of an event that shares
	prison     events.Institution // where the person is from then on
	opened     bool               // the case was opened
}

// now is the reading that stands.
func (r *record) now() *reading {
	if r.corrected != nil {
		return r.corrected
	}
	return &r.first
}

// settle lets a record say what its entry now says, after a correction or an annulment.
func (t *Tracker) settle(entry *history.Entry) {
	r := &t.records[entry.Revision]
	stale := func(g *reading, stale bool) {
		for _, f := range g.facts {
			f.base().stale = stale
		}
	}
	if r.corrected != nil {
		stale(r.corrected, true)
		since := r.corrected.since
		r.earlier = append(slices.DeleteFunc(r.earlier, func(g reading) bool { return g.since == since }), *r.corrected)
		r.corrected = nil
	}
	if entry.Correction == nil {
		stale(&r.first, false)
		return
	}
	stale(&r.first, true)
	g := t.read(entry, entry.Correction, entry.Now)
	r.corrected = &g
	for _, f := range g.facts {
		t.lasting(r, f, entry.Correction)
	}
}

// lasting lets a corrected fact count from the first recording on from which the entry has said so without a
// break: "recordedLate follows the correction where only a correction made the act count".
func (t *Tracker) lasting(r *record, f based, last *events.Event) {
	var since *events.Event
	for g := range r.saidBefore(t, last) {
		switch {
		case !slices.ContainsFunc(g.facts, func(old based) bool { return saysTheSame(old, f) }):
			since = nil
		case since == nil:
			since = g.since
		}
	}
	if since != nil {
		f.base().since = since
	}
}

// saidBefore are the entry's readings before its last correction: the first, then those of the corrections that
// stand, in order of recording.
func (r *record) saidBefore(t *Tracker, last *events.Event) iter.Seq[*reading] {
	return func(yield func(*reading) bool) {
		if !yield(&r.first) {
			return
		}
		slices.SortFunc(r.earlier, func(a, b reading) int { return cmp.Compare(a.since.Revision, b.since.Revision) })
		for i := range r.earlier {
			g := &r.earlier[i]
			if g.since.Revision < last.Revision && t.records[g.since.Revision].entry.Stands() && !yield(g) {
				return
			}
		}
	}
}

// saysTheSame reports whether two facts of one entry make the same obligation, or meet the same.
func saysTheSame(a, b based) bool {
	switch a := a.(type) {
	case *act:
		b, ok := b.(*act)
		return ok && b.rule == a.rule && b.match == a.match && b.part == a.part && b.same == a.same
	case *activated:
		b, ok := b.(*activated)
		return ok && b.rule == a.rule && b.about == a.about
	case *said[events.Institution]:
		b, ok := b.(*said[events.Institution])
		return ok && b.value == a.value
	}
	return false
}

// read takes the facts out of an entry; since is the event from which on it says so.
func (t *Tracker) read(entry *history.Entry, since *events.Event, data any) reading {
	g := reading{since: since}
	if data == nil {
		return g
	}
	base := fact{entry: entry, since: since}
	r := &t.reader
	*r = reader{t: t, g: &g, base: base, data: data,
		binding: binding{event: data, actor: actor{Role: string(entry.Actor.Role), Institution: string(entry.Actor.Institution)}}}
	r.caseFacts()
	if d, ok := events.DisclosureOf(data); ok {
		g.recipients = d.Recipients
		if d.Consent != "" {
			s := &sharing{fact: base, to: d.Recipients, from: entry.Actor.Party()}
			if t.sharings == nil {
				t.sharings = map[events.ID][]*sharing{}
			}
			t.sharings[d.Consent] = insert(t.sharings[d.Consent], s)
			r.add(s)
			t.slotsUnder(d.Consent)
		}
	}
	r.activations()
	r.acts()
	*r = reader{}
	return g
}

// reader reads one entry.
type reader struct {
	t       *Tracker
	g       *reading
	base    fact
	data    any
	binding binding
}

func (r *reader) add(f based) { r.g.facts = append(r.g.facts, f) }

// inForce is the version by which the entry's activations are judged.
func (r *reader) inForce() *RuleSet {
	e := r.base.entry
	if len(r.t.land.editions) == 1 {
		return r.t.land.editions[0].RuleSet
	}
	return r.t.land.inForce(r.t.day(e.OccurredAt), e.RecordedAt)
}

func (r *reader) activations() {
	e := r.base.entry
	rules := r.inForce()
	for _, on := range rules.activated[e.Type] {
		if on.activation.each != "" {
			continue // made by amend, slotsUnder and the date decisions
		}
		r.binding.toward = string(on.Toward)
		// What can't be judged any more, because it was erased, lays no duty on anyone, and leaves none unfulfilled.
		if on.trigger.when.asksFor(e.Withheld) || !on.trigger.when.holds(&r.binding) {
			continue
		}
		a := &activated{fact: r.base, rule: on.rule, version: rules.Version, from: r.t.day(e.OccurredAt), offset: on.due.offset}
		if on.due.from != nil {
			a.from = on.due.from(r.data)
		}
		if on.party != nil {
			a.party = on.party(e.Event, r.data)
		}
		for i, alt := range on.alternates {
			if alt.when.stateful {
				a.data = r.data
			} else if alt.when.holds(&r.binding) {
				a.offset, a.passed = alt.offset, len(on.alternates)-i
				break
			}
		}
		a.about = join(on.activation.about, e.Event, r.data, "/")
		a.match = join(on.activation.match, e.Event, r.data, "\x00")
		r.add(a)
		r.t.activate(a)
	}
}

// activate files an activation and marks its obligation.
func (t *Tracker) activate(a *activated) {
	rule := a.rule
	if rule.activation.counts == countsEvery {
		list := insert(t.activations[rule.ID], a)
		t.activations[rule.ID] = list
		n := 0
		for range entries(list) {
			n++
		}
		s := t.slot(rule, itoa(n), slotNumbered)
		s.number = n
		t.mark(s)
		if list[len(list)-1] != a { // numbers after it have moved on by one
			t.markRule(rule.ID)
		}
		return
	}
	about := a.about
	if rule.step != "" {
		about = strings.TrimPrefix(about+"/"+rule.step, "/")
	}
	s := t.slot(rule, about, slotByEvent)
	t.activations[s.ID] = insert(t.activations[s.ID], a)
	t.mark(s)
}

// entries are the entries of a list of activations, in order of occurrence, annulled ones included: of each what
// it says now.
func entries(list []*activated) iter.Seq[*activated] {
	return func(yield func(*activated) bool) {
		for i := 0; i < len(list); {
			now := list[i]
			for i++; i < len(list) && list[i].entry == now.entry; i++ {
				if now.stale {
					now = list[i]
				}
			}
			if !yield(now) {
				return
			}
		}
	}
}

// markRule marks all obligations of a rule.
func (t *Tracker) markRule(id string) {
	for _, s := range t.all {
		if s.Rule == id {
			t.mark(s)
		}
	}
}

func (r *reader) acts() {
	e := r.base.entry
	for i := range r.t.land.editions {
		for _, by := range r.t.land.editions[i].fulfilled[e.Type] {
			r.binding.toward = string(by.Toward)
			if !by.trigger.when.asksFor(e.Withheld) && !by.trigger.when.holds(&r.binding) {
				continue
			}
			a := &act{fact: r.base, rule: by.rule, match: join(by.trigger.match, e.Event, r.data, "\x00")}
			if by.activation.each == eachOfTarget {
				a.match = strings.ToLower(a.match)
			}
			a.ends = by.ends != nil && by.ends.holds(&r.binding)
			if by.precededBy != "" {
				a.same = join(by.samePaths, e.Event, r.data, "\x00")
			}
			if by.together == nil {
				r.act(a)
				continue
			}
			for bit, g := range by.together { // each part on its own, as a correction may add one to another
				if g.holds(&r.binding) {
					part := *a
					part.part = 1 << bit
					r.act(&part)
				}
			}
		}
		for _, rule := range r.t.land.editions[i].precedents[e.Type] {
			f := r.base
			r.add(&f)
			key := actKey{rule, join(rule.precedingPaths, e.Event, r.data, "\x00")}
			if r.t.precedents == nil {
				r.t.precedents = map[actKey][]*fact{}
			}
			r.t.precedents[key] = insert(r.t.precedents[key], &f)
			r.t.markRule(rule.ID)
		}
	}
}

func (r *reader) act(a *act) {
	r.add(a)
	key := actKey{a.rule, a.match}
	r.t.acts[key] = insert(r.t.acts[key], a)
	r.t.markWaiting(key, a.at())
}

// markWaiting marks the obligations that an act can touch: not those that an earlier act has met already.
func (t *Tracker) markWaiting(key actKey, at mark) {
	for _, s := range t.waiting[key] {
		if !s.doneAt.IsZero() && s.doneAt.Before(at.at) {
			continue
		}
		t.mark(s)
	}
}

// join reads several fields of an event as one text.
func join(paths []textPath, e *events.Event, data any, separator string) string {
	switch len(paths) {
	case 0:
		return ""
	case 1:
		return paths[0].read(e, data)
	case 2:
		return paths[0].read(e, data) + separator + paths[1].read(e, data)
	}
	parts := make([]string, len(paths))
	for i, p := range paths {
		parts[i] = p.read(e, data)
	}
	return strings.Join(parts, separator)
}
