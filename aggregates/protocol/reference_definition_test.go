package protocol_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// The files reference_*_test.go are a second evaluator, written from protocol.md alone and made to be read beside
// it: it takes all events recorded by an instant and works everything out from scratch, as slowly as the sentences
// say it. It shares nothing with the Tracker but the calendar and the fold of corrections (aggregates/history).

// entry is one entry of the case, as it reads with the corrections that stand.
type entry struct {
	*events.Event
	pos      int
	data     any
	annulled bool
}

// before is the order in which things happened: by occurrence, ties by position.
func (e *entry) before(o *entry) bool {
	if !e.OccurredAt.Equal(o.OccurredAt) {
		return e.OccurredAt.Before(o.OccurredAt)
	}
	return e.pos < o.pos
}

// record is what a reader of the case knows: the entries up to some position, in the order of recording.
type record struct {
	j    events.Jurisdiction
	cal  *calendar.Calendar
	all  []*entry // annulled ones too
	live []*entry // what stands, in the order of occurrence
	// full is the record that this one is an earlier part of: the same entries with the same corrections.
	full *record
	evs  []*events.Event
	cuts map[string]*record
}

// read folds events.
func read(evs []*events.Event) *record {
	var h history.History
	for _, e := range evs {
		h.Evolve(e)
	}
	r := &record{j: evs[0].Jurisdiction, evs: evs}
	for i, e := range h.Entries() {
		r.all = append(r.all, &entry{Event: e.Event, pos: i, data: e.Now, annulled: !e.Stands()})
	}
	return r.ready()
}

func (r *record) ready() *record {
	r.cuts = make(map[string]*record)
	for _, e := range r.all {
		if !e.annulled {
			r.live = append(r.live, e)
		}
	}
	slices.SortStableFunc(r.live, func(a, b *entry) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	if r.full == nil {
		r.full = r
		sub := ""
		for _, e := range r.all {
			if d, ok := e.data.(*events.CaseOpened); ok && r.j == "BA" {
				sub = map[string]string{"ba-bih": "BA-BIH", "ba-srp": "BA-SRP", "ba-brc": "BA-BRC"}[string(d.Institution[:6])]
			}
		}
		cal, err := calendar.For(string(r.j), sub)
		if err != nil {
			panic(err)
		}
		r.cal = cal
	}
	return r
}

// cut is a part of the record, worked out once.
func (r *record) cut(kind string, n int, make func() *record) *record {
	key := fmt.Sprint(kind, n)
	c := r.cuts[key]
	if c == nil {
		c = make()
		r.cuts[key] = c
	}
	return c
}

// then is the record as it was after the first n entries.
func (r *record) then(n int) *record {
	return r.cut("then", n, func() *record { return read(r.evs[:n]) })
}

// upTo is the part of the record made of the first n entries, as they read today: "a correction acts as if the
// entry had been right from the start", and what is annulled today was never there.
func (r *record) upTo(n int) *record {
	return r.cut("upTo", n, func() *record { return (&record{j: r.j, cal: r.cal, all: r.all[:n], full: r}).ready() })
}

// thatDay is what was on record on the day on which an entry was recorded, as it reads today: "whether it was
// overdue, by what was recorded that day". What happened only after the entry was recorded does not belong to it.
func (r *record) thatDay(e *entry) *record {
	return r.cut("thatDay", e.pos, func() *record {
		c := &record{j: r.j, cal: r.cal, full: r}
		for _, o := range r.all {
			if r.onRecord(o, e) {
				c.all = append(c.all, o)
			}
		}
		return c.ready()
	})
}

// byDay is what was recorded by the end of a day, as it reads today.
func (r *record) byDay(d events.Date) *record {
	n := 0
	for n < len(r.all) && r.day(r.all[n].RecordedAt) <= d {
		n++
	}
	return r.upTo(n)
}

func (r *record) onRecord(o, e *entry) bool {
	return r.day(o.RecordedAt) <= r.day(e.RecordedAt) && !o.OccurredAt.After(e.RecordedAt)
}

// annulledSoFar is the record without the annulments recorded after the first n entries.
func (r *record) annulledSoFar(n int) *record {
	return r.cut("annulledSoFar", n, func() *record {
		c := &record{j: r.j, cal: r.cal, full: r}
		for _, e := range r.all {
			then := *e
			then.annulled = slices.ContainsFunc(r.all[:n], func(by *entry) bool {
				d, ok := by.data.(*events.EntryAnnulled)
				return ok && !by.annulled && d.Target == e.ID
			})
			c.all = append(c.all, &then)
		}
		return c.ready()
	})
}

// asItRead is upTo, but each entry reads as it did then, by those of today's corrections that had been recorded.
func (r *record) asItRead(n int) *record {
	return r.cut("asItRead", n, func() *record {
		c := &record{j: r.j, cal: r.cal, full: r}
		for _, e := range r.all[:n] {
			then := *e
			then.data = e.Event.Data
			for _, by := range r.all[:n] {
				if d, ok := by.data.(*events.EntryCorrected); ok && !by.annulled && d.Target == e.ID {
					if data, err := events.ParseReplacement(e.Type, d.Replacement); err == nil {
						then.data = data
					}
				}
			}
			c.all = append(c.all, &then)
		}
		return c.ready()
	})
}

func (r *record) at(pos int) *entry { return r.all[pos] }

func (r *record) day(t time.Time) events.Date { return events.DateIn(t, r.cal.Zone()) }

// done are the entries that stand whose data are of that type, in the order of occurrence.
func done[T any](r *record, holds func(e *entry, d T) bool) []*entry {
	var out []*entry
	for _, e := range r.live {
		if d, ok := e.data.(T); ok && holds(e, d) {
			out = append(out, e)
		}
	}
	return out
}

func all[T any](r *record) []*entry { return done(r, func(*entry, T) bool { return true }) }

func nth(es []*entry, n int) *entry {
	if n < 1 || len(es) < n {
		return nil
	}
	return es[n-1]
}

func after(es []*entry, than *entry) []*entry {
	return slices.DeleteFunc(es, func(e *entry) bool { return e == nil || e.before(than) })
}

// released is the release that counts.
func (r *record) released() *entry { return nth(all[*events.PersonReleased](r), 1) }

// decision is a decision on the release date.
type decision struct {
	*entry
	date    events.Date
	changed bool
}

// decisions are those before the release that were not overtaken when they were recorded: "A date change that a
// later decision had already overtaken when it was recorded changes nothing and activates no renotify"; "Date
// decisions taken before the release are applied before it, whenever recorded; later ones move nothing".
func (r *record) decisions() (counting []decision, first *entry) {
	rel := r.released()
	var known []decision
	for _, e := range r.live {
		if rel != nil && rel.before(e) {
			continue
		}
		switch d := e.data.(type) {
		case *events.ExpectedReleaseDateSet:
			known = append(known, decision{e, d.Date, false})
		case *events.ExpectedReleaseDateChanged:
			known = append(known, decision{e, d.To, true})
		}
	}
	for _, d := range known {
		if first == nil {
			first = d.entry
		}
		overtaken := func(o decision) bool {
			return d.before(o.entry) && (o.pos < d.pos || r.day(o.RecordedAt) == r.day(d.RecordedAt) && r.onRecord(o.entry, d.entry))
		}
		if !slices.ContainsFunc(known, overtaken) {
			counting = append(counting, d)
		}
	}
	return counting, first
}

// closing is the closing that holds now; nil while the case is open.
func (r *record) closing() *entry {
	var c *entry
	for _, e := range r.live {
		switch e.data.(type) {
		case *events.CaseClosed:
			if c == nil {
				c = e
			}
		case *events.CaseReopened:
			c = nil
		}
	}
	return c
}

// riskLevel is the latest of RiskLevelChanged.to and AssessmentCompleted.level.
func (r *record) riskLevel() string {
	level := ""
	for _, e := range r.live {
		switch d := e.data.(type) {
		case *events.RiskLevelChanged:
			level = d.To
		case *events.AssessmentCompleted:
			if d.Level != "" {
				level = d.Level
			}
		}
	}
	return level
}

// holder is the institution that must act in a role.
func (r *record) holder(role events.Role) events.Institution {
	var last events.Institution
	for _, e := range r.live {
		if role.InPrison() {
			switch d := e.data.(type) {
			case *events.CaseOpened:
				last = d.Institution
			case *events.PrisonTransferred:
				last = d.To
			}
			continue
		}
		named := []events.Party{e.Actor.Party()}
		if d, shares := events.DisclosureOf(e.data); shares {
			named = append(named, d.Recipients...)
		}
		for _, p := range named {
			if p.Role == role {
				last = p.Institution
				break
			}
		}
	}
	return last
}

// claim is one rule at work in a case: what it asks, of whom, since what, and by what it is done.
type claim struct {
	id, rule string
	severity protocol.Severity
	role     events.Role
	toward   events.Role
	party    events.Institution // of a duty of one named party
	since    *entry             // activatedBy
	// firstCounts is true where the first of several activations counts.
	firstCounts bool
	// numbered is true where the id hangs on what else is on record.
	numbered bool
	// asToday takes what settled the duty to have been known as it reads today.
	asToday bool
	long    bool // offsets of 30 days or more: warned 14 days ahead
	// met is the act that fulfils it in a record, nil while there is none; it finds since by its position.
	met func(r *record) *entry
	// until is the entry at which a guard stopped holding.
	until *entry
	// One of: the plain due date, the instant, or the due date for a release date.
	plain   events.Date
	instant time.Time
	release func(known *record, d events.Date) events.Date
	// sentenced is true where the offset hangs on the sentence.
	sentenced bool
}

// verdict is what the reference says of one obligation.
type verdict struct {
	claim
	outcome     protocol.State
	due         events.Date
	compressed  bool
	fulfilledBy *entry
	waivedBy    *entry
	metOn       events.Date
	late        bool
	breaches    []protocol.Breach
	holder      events.Institution
	reached     int
}

// evaluate works a claim out.
func (c claim) evaluate(r *record) verdict {
	v := verdict{claim: c, outcome: protocol.Pending}
	act, waiver := c.met(r), c.waived(r)
	if act != nil && waiver != nil && waiver.before(act) {
		act = nil // waived stays waived
	}
	if act != nil {
		waiver = nil // an act done before the waiver meets the obligation
	}
	v.due, v.compressed, v.breaches = c.dueDate(r, act, waiver)
	closing := r.closing()
	if closing != nil && !c.since.before(closing) {
		closing = nil // what is activated while the case is closed runs as usual
	}
	seal := len(r.all) // the entries by which holder and escalation are fixed
	switch {
	case act != nil:
		v.fulfilledBy, v.metOn = act, r.day(act.OccurredAt)
		known := c.knownMet(r)
		seal = c.known(r, known)
		intime := v.metOn <= v.due
		v.late = r.day(known.RecordedAt) > v.due
		if !c.instant.IsZero() {
			intime = !act.OccurredAt.After(c.instant)
			v.late = known.RecordedAt.After(c.instant)
		}
		v.late = v.late && intime
		v.outcome = protocol.MetLate
		if intime {
			v.outcome = protocol.Met
		}
	case waiver != nil && (c.until == nil || waiver.before(c.until)):
		v.outcome, v.waivedBy, seal = protocol.Waived, waiver, c.known(r, waiver)
	case c.until != nil && (closing == nil || c.until.before(closing)):
		v.outcome = protocol.Cancelled
	case closing != nil:
		v.outcome, seal = protocol.Missed, c.known(r, closing)
	}
	if v.outcome != protocol.Pending {
		v.reached = c.level(r, v.due, r.at(seal-1).RecordedAt)
	}
	v.holder = c.party
	if v.holder == "" {
		v.holder = r.then(seal).holder(c.role)
	}
	return v
}

// knownMet is the entry from whose recording on it was known to be met.
func (c claim) knownMet(r *record) *entry {
	n := len(r.all)
	for n > 1 && c.met(c.reading(r, n-1)) != nil {
		n--
	}
	return r.at(n - 1)
}

// reading is what had been recorded by then: as it read then, or as it reads today.
func (c claim) reading(r *record, n int) *record {
	if c.asToday {
		return r.upTo(n)
	}
	return r.asItRead(n)
}

// known is how many entries it took to know both what settled the duty and the duty itself.
func (c claim) known(r *record, settled *entry) int {
	n := len(r.all)
	for n > settled.pos+1 && slices.ContainsFunc(claims(c.reading(r, n-1)), func(o claim) bool {
		same := o.since.pos == c.since.pos
		return o.id == c.id && (same || c.firstCounts) || o.rule == c.rule && c.numbered && same
	}) {
		n--
	}
	return n
}

// waived is the waiver that counts: it must not have occurred before the activation, and "it ends when the
// activation is annulled".
func (c claim) waived(r *record) *entry { return nth(c.waivers(r), 1) }

func (c claim) waivers(r *record) []*entry {
	return slices.DeleteFunc(after(done(r, func(_ *entry, d *events.ObligationWaived) bool { return d.Obligation == c.id }), c.since), c.waiverEnded(r.full))
}

// waiverEnded looks for an annulment, recorded after a waiver, of what was the activation until then.
func (c claim) waiverEnded(r *record) func(w *entry) bool {
	return func(w *entry) bool {
		for n := w.pos + 1; n < len(r.all); n++ {
			for _, o := range claims(r.annulledSoFar(n)) {
				if o.id == c.id && o.since.before(w) && r.annulledSoFar(n+1).at(o.since.pos).annulled {
					return true
				}
			}
		}
		return false
	}
}

// steps are the working days after the due date that each level waits for.
func (c claim) steps() [3]int {
	if c.severity == protocol.Critical {
		return [3]int{1, 3, 7}
	}
	return [3]int{3, 7, 15}
}

func (c claim) level(r *record, due events.Date, now time.Time) int {
	count, level := 0, 0
	for d := due + 1; d <= r.day(now); d++ {
		if r.cal.IsWorkingDay(d) {
			count++
		}
		if count > 15 {
			break
		}
	}
	for i, n := range c.steps() {
		if count > n {
			level = i + 1
		}
	}
	return level
}

// tick is the resolution of the log's clock.
const tick = time.Microsecond

// stateAt is the state at an instant by which nothing more was recorded.
func (v verdict) stateAt(r *record, now time.Time) protocol.State {
	lead := r.cal.AddWorkingDays(v.due, -2)
	if v.long {
		lead = v.due - 14
	}
	switch today := r.day(now); {
	case v.outcome != protocol.Pending:
		return v.outcome
	case v.instant.IsZero() && today > v.due, !v.instant.IsZero() && !now.Before(v.instant.Add(tick)):
		return protocol.Overdue
	case today >= lead:
		return protocol.DueSoon
	}
	return protocol.Pending
}

func (v verdict) escalationAt(r *record, now time.Time) int {
	if v.outcome != protocol.Pending {
		return v.reached
	}
	return v.level(r, v.due, now)
}

func idOf(e *entry) uuid.UUID {
	if e == nil {
		return uuid.Nil
	}
	return e.ID
}
