package protocol

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// Tracker is the fold of one case's obligations: a pure function of the events given to Evolve and of the book.
//
// It keeps no event, only what the rules read out of it (facts), in lists by what the facts are about. An
// obligation is computed anew from those lists whenever one of its facts comes in, so that it is always the one
// that the definition gives for all facts at once; an ordinary event touches few obligations, however long the
// case is. Corrections, annulments, date decisions, the release, closing and reopening touch all.
//
// A Tracker is not safe for concurrent use. When the book changes, fold the case again with a new Tracker.
type Tracker struct {
	book         *Book
	land         *land
	jurisdiction events.Jurisdiction
	cal          *calendar.Calendar
	opened       bool

	history *history.History
	records []record // by order of recording
	reader  reader   // of the event at hand
	holding active   // the activation looked at last

	acts        map[actKey][]*act
	precedents  map[actKey][]*fact
	activations map[string][]*activated // by obligation id; by rule id for numbered ones
	decisions   []*decision
	releases    []*released
	risks       []*said[string]
	sentences   []*said[int]
	closings    []*said[bool]
	told        map[events.Institution][]*said[events.Institution] // planned-release notifications
	toldTo      []events.Institution
	sharings    map[events.ID][]*sharing // by consent
	withdrawals map[events.ID][]*activated
	amendments  map[string][]*activated // by the id of the event that was corrected or annulled
	untils      map[string][]*fact
	waivers     map[string][]*fact // by obligation id
	acks        map[string][]*fact
	alerts      map[string][]alert
	holders     holders

	chain []*decision // the date decisions that took effect

	slots   map[string]*slot
	all     []*slot // in the order in which they could first have been activated
	visible []*slot // in order of activation, then of the table
	waiting map[actKey][]*slot
	dirty   []*slot
	// everything is true when this event may touch every obligation.
	everything bool
	changed    []*slot
	added      int // of changed, those that became visible
}

// slot is the place of one obligation id. It is visible from its first activation on.
type slot struct {
	Obligation
	rule    *rule
	visible bool
	dirty   bool
	moved   bool      // by the last Evolve
	doneAt  time.Time // when the act that meets it occurred; zero while there is none
	waitsOn []actKey
	made    clockwork // what WarnFrom, OverdueFrom and EscalateFrom were made from

	kind        slotKind
	number      int // of a numbered one, from 1
	institution events.Institution
	subject     string // the event or consent that it is about
}

type slotKind uint8

const (
	slotByEvent slotKind = iota
	slotByRelease
	slotNumbered
	slotToldBefore
	slotOfTarget
	slotUnderConsent
)

// NewTracker starts the fold of one case.
func NewTracker(book *Book) *Tracker {
	return &Tracker{book: book, history: new(history.History), slots: map[string]*slot{}, acts: map[actKey][]*act{}, waiting: map[actKey][]*slot{},
		activations: map[string][]*activated{}}
}

// Over starts the fold of one case whose history the caller keeps too: it is empty, and each event is first given to
// it and then to Follow. That saves the time and the memory of a second history.
func Over(book *Book, h *history.History) *Tracker {
	t := NewTracker(book)
	t.history = h
	return t
}

// Evolve takes the case stream's next event, in stream order. It keeps nothing of it but facts, and never fails:
// what does not fit was refused when it was recorded.
func (t *Tracker) Evolve(e *events.Event) {
	slim := &events.Event{ID: e.ID, Type: e.Type, OccurredAt: e.OccurredAt, RecordedAt: e.RecordedAt, Revision: uint64(len(t.records)),
		Jurisdiction: e.Jurisdiction, Actor: events.Actor{Role: e.Actor.Role, Institution: e.Actor.Institution}, Withheld: e.Withheld}
	switch e.Data.(type) {
	case *events.EntryCorrected, *events.EntryAnnulled:
		slim.Data = e.Data
	}
	t.take(t.history.Evolve(slim), e.Data)
}

// Follow is Evolve for a Tracker made by Over: touched is what the history's Evolve returned for the event, whose
// revisions count from 0 without a gap.
func (t *Tracker) Follow(touched []*history.Entry) { t.take(touched, touched[0].Event.Data) }

func (t *Tracker) take(touched []*history.Entry, data any) {
	for _, s := range t.changed {
		s.moved = false
	}
	t.changed, t.dirty, t.everything = t.changed[:0], t.dirty[:0], false
	t.added = 0
	e := touched[0].Event
	if t.land == nil {
		t.jurisdiction = e.Jurisdiction
		if t.land = t.book.lands[e.Jurisdiction]; t.land == nil {
			return // no such jurisdiction: refused when it was recorded
		}
		t.cal = t.land.calendarOf(e.Jurisdiction, "")
	}
	t.records = append(t.records, record{entry: touched[0]})
	before := t.recipientsOfTarget(data)
	t.records[e.Revision].first = t.read(touched[0], e, data)
	for _, entry := range touched[1:] {
		t.settle(entry)
		t.everything = true
	}
	t.amend(touched[0], data, before)
	if t.everything {
		t.place()
		t.chain = t.effectiveDecisions()
		t.markAll()
	}
	if len(touched) > 1 { // what was heard before reads otherwise now
		t.holders.recount(t.records)
	} else {
		t.holders.hear(&t.records[e.Revision])
	}
	t.markHeld()
	t.recompute()
}

// place finds the case's calendar: that of the institution that opened it.
func (t *Tracker) place() {
	for i := range t.records {
		if g := t.records[i].now(); g.opened {
			t.opened, t.cal = true, t.land.calendarOf(t.jurisdiction, g.prison)
			return
		}
	}
}

// recompute brings the marked obligations up to date.
func (t *Tracker) recompute() {
	shown := len(t.visible)
	for _, s := range t.dirty {
		s.dirty = false
		o, ok := t.compute(s)
		if !ok || s.visible && same(&s.Obligation, &o) {
			continue
		}
		s.Obligation, s.moved = o, true
		if !s.visible {
			s.visible = true
			t.visible = append(t.visible, s)
		}
		t.changed = append(t.changed, s)
	}
	t.added = len(t.visible) - shown
	slices.SortStableFunc(t.visible[shown:], func(a, b *slot) int { return cmp.Compare(a.rule.order, b.rule.order) })
}

// same reports whether two computations of one obligation are equal.
func same(a, b *Obligation) bool {
	return a.Outcome == b.Outcome && a.Due == b.Due && a.Compressed == b.Compressed && a.DutyHolder == b.DutyHolder && a.Duty == b.Duty &&
		a.ActivatedBy == b.ActivatedBy && a.FulfilledBy == b.FulfilledBy && a.WaivedBy == b.WaivedBy && a.AcknowledgedBy == b.AcknowledgedBy &&
		a.MetOn == b.MetOn && a.RecordedLate == b.RecordedLate && a.Reached == b.Reached && a.Severity == b.Severity && a.Toward == b.Toward &&
		a.Protocol == b.Protocol && a.WarnFrom.Equal(b.WarnFrom) && a.OverdueFrom.Equal(b.OverdueFrom) &&
		a.EscalateFrom == b.EscalateFrom && a.EscalateTo == b.EscalateTo && slices.Equal(a.Breaches, b.Breaches)
}

// slot finds or makes the place of an obligation.
func (t *Tracker) slot(rule *rule, about string, kind slotKind) *slot {
	id := rule.ID
	if about != "" {
		id += "/" + about
	}
	s := t.slots[id]
	if s == nil {
		s = &slot{Obligation: Obligation{ID: id, Rule: rule.ID, About: about}, rule: rule, kind: kind}
		t.slots[id] = s
		t.all = append(t.all, s)
	}
	return s
}

func (t *Tracker) mark(s *slot) {
	if !s.dirty {
		s.dirty = true
		t.dirty = append(t.dirty, s)
	}
}

func (t *Tracker) markAll() {
	for _, s := range t.all {
		t.mark(s)
	}
}

// markHeld marks the open obligations of a role whose institution changed.
func (t *Tracker) markHeld() {
	if len(t.holders.moved) == 0 {
		return
	}
	for _, s := range t.visible {
		if (s.Outcome == Pending || s.Outcome == Cancelled) && slices.Contains(t.holders.moved, holderKey(s.Duty)) {
			t.mark(s)
		}
	}
	t.holders.moved = t.holders.moved[:0]
}

// Obligations are all so far, in the order of activation, then of the table. The slice is fresh; the breaches in it
// must not be changed.
func (t *Tracker) Obligations() []Obligation { return obligations(t.visible) }

// Changed are those that the last Evolve changed or added, in the order of Obligations.
func (t *Tracker) Changed() []Obligation {
	if len(t.changed) == 0 {
		return nil
	}
	return t.AppendChanged(make([]Obligation, 0, len(t.changed)))
}

// AppendChanged appends Changed to a slice.
func (t *Tracker) AppendChanged(out []Obligation) []Obligation {
	if len(t.changed) == 1 {
		return append(out, t.changed[0].Obligation)
	}
	for i, left := 0, len(t.changed); left > 0; i++ {
		if s := t.visible[i]; s.moved {
			out = append(out, s.Obligation)
			left--
		}
	}
	return out
}

// Added is how many of Changed, its last ones, the last Evolve added.
func (t *Tracker) Added() int { return t.added }

func obligations(slots []*slot) []Obligation {
	out := make([]Obligation, len(slots))
	for i, s := range slots {
		out[i] = s.Obligation
	}
	return out
}

// Calendar is the case's calendar (for BA that of the subdivision), nil before CaseOpened.
func (t *Tracker) Calendar() *calendar.Calendar {
	if !t.opened {
		return nil
	}
	return t.cal
}

// ReleaseDate is the expected release date as last decided, by occurrence, before the release; no date while there
// is none.
func (t *Tracker) ReleaseDate() events.Date {
	if n := len(t.chain); n > 0 {
		return t.chain[n-1].date
	}
	return 0
}

// ReleasedOn is the day of release; no date before it.
func (t *Tracker) ReleasedOn() events.Date {
	if r := t.release(); r != nil {
		return r.day
	}
	return 0
}

// RiskLevel is the risk level of the decision or assessment taken last, empty while there is none and where it was erased.
func (t *Tracker) RiskLevel() string {
	if level := lastKnown(t.risks, len(t.records)); !strings.HasPrefix(level, unknown) {
		return level
	}
	return ""
}

// RiskLevelErased says whether the risk level of the decision or assessment taken last was erased, and by which
// PersonalDataErased.
func (t *Tracker) RiskLevelErased() (receipt uuid.UUID, erased bool) {
	text, erased := strings.CutPrefix(lastKnown(t.risks, len(t.records)), unknown)
	if !erased {
		return uuid.Nil, false
	}
	receipt, err := uuid.Parse(text)
	return receipt, err == nil
}

// release is the first release that stands, by occurrence; nil while there is none.
func (t *Tracker) release() *released {
	for _, r := range t.releases {
		if r.stands() {
			return r
		}
	}
	return nil
}

// day is the local date of an instant.
func (t *Tracker) day(at time.Time) events.Date { return events.DateIn(at, t.cal.Zone()) }
