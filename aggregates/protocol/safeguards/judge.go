package safeguards

import (
	"cmp"
	"iter"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Judge is the fold of one case's stream by which the safeguards are judged. It keeps the events that it is given
// and never changes them. It is not safe for concurrent use.
type Judge struct {
	book     *protocol.Book
	matrices func(events.Jurisdiction) *NeedToKnow

	number       string // of the case: that of the first event
	jurisdiction events.Jurisdiction
	calendar     *calendar.Calendar // that the case keeps
	entries      history.History
	byID         map[uuid.UUID]*entry
	byKind       map[reflect.Type][]*entry // in order of occurrence
	sharing      []*entry                  // those that share, in order of occurrence
	delayed      []*entry                  // those that may be late: recorded days after they occurred
	last         time.Time                 // RecordedAt of the last event
}

// Option changes how a Judge judges.
type Option func(*Judge)

// Under makes the judge ask for the need-to-know matrix of the case's jurisdiction; nil means the shipped one.
func Under(matrices func(events.Jurisdiction) *NeedToKnow) Option {
	return func(j *Judge) { j.matrices = matrices }
}

// NewJudge returns a judge of one case that knows nothing yet; the book says which calendar the case keeps.
func NewJudge(book *protocol.Book, options ...Option) *Judge {
	j := &Judge{book: book}
	for _, o := range options {
		o(j)
	}
	return j
}

// entry is an entry of the case with its place in the order of recording.
type entry struct {
	*history.Entry
	moment
}

// moment is a place in the order of occurrence: what counts is when it occurred, ties by recording.
type moment struct {
	at  time.Time
	seq int
}

func (m moment) before(o moment) bool {
	if c := m.at.Compare(o.at); c != 0 {
		return c < 0
	}
	return m.seq < o.seq
}

// unrecorded is the place of an act that is not recorded yet among those that occurred at the same instant.
const unrecorded = math.MaxInt

// Evolve adds the case stream's next event. An event of another case, or of a stream that is no case's, changes
// nothing. Adding an event in the order of occurrence costs the same however long the history is.
func (j *Judge) Evolve(e *events.Event) {
	if j.number != "" && e.Case != j.number {
		return
	}
	if k, ok := events.KindOf(e.Type); !ok || k.Family != events.CaseFamily {
		return
	}
	if j.byID == nil && !j.begin(e) {
		return
	}
	changed := j.entries.Evolve(e)
	n := &entry{Entry: changed[0], moment: moment{at: e.OccurredAt, seq: j.entries.Len()}}
	j.byID[e.ID] = n
	kind := reflect.TypeOf(e.Data)
	j.byKind[kind] = insert(j.byKind[kind], n)
	if _, shares := events.DisclosureOf(e.Data); shares {
		j.sharing = insert(j.sharing, n)
	}
	if e.RecordedAt.Sub(e.OccurredAt) > mayBeLate {
		j.delayed = insert(j.delayed, n)
	}
	j.last = e.RecordedAt
	for _, c := range changed {
		if opened, ok := c.Now.(*events.CaseOpened); ok && c.Stands() {
			j.keepCalendar(c.Event, opened)
		}
	}
}

// begin takes the case's number from its first event; false if that is not a case number.
func (j *Judge) begin(e *events.Event) bool {
	code, err := events.ParseCase(e.Case)
	if err != nil {
		return false
	}
	kept, err := calendar.For(string(code), "")
	if err != nil {
		return false
	}
	j.number, j.jurisdiction, j.calendar = e.Case, code, kept
	j.byID, j.byKind = make(map[uuid.UUID]*entry), make(map[reflect.Type][]*entry)
	return true
}

// keepCalendar asks the book for the calendar of a case opened by that institution: within one jurisdiction it
// may depend on the subdivision, and on days decreed since.
func (j *Judge) keepCalendar(e *events.Event, opened *events.CaseOpened) {
	asCorrected := *e
	asCorrected.Data = opened
	t := protocol.NewTracker(j.book)
	t.Evolve(&asCorrected)
	if c := t.Calendar(); c != nil {
		j.calendar = c
	}
}

func insert(list []*entry, n *entry) []*entry {
	i := len(list)
	for i > 0 && n.before(list[i-1].moment) {
		i--
	}
	return slices.Insert(list, i, n)
}

// standing yields the entries of one kind that are not annulled, as corrected, in order of occurrence.
func standing[T any](j *Judge) iter.Seq2[*entry, *T] {
	return func(yield func(*entry, *T) bool) {
		for _, n := range j.byKind[reflect.TypeFor[*T]()] {
			if d, ok := n.Now.(*T); ok && n.Stands() && !yield(n, d) {
				return
			}
		}
	}
}

// first is the first entry of one kind that stands, by occurrence.
func first[T any](j *Judge) (*entry, *T) {
	for n, d := range standing[T](j) {
		return n, d
	}
	return nil, nil
}

// Evidence is what the safeguards need to know beside the case's own stream.
type Evidence struct {
	// Obligations of the case, from the protocol's tracker folded over the same events.
	Obligations []protocol.Obligation
	// Access is the stream access-<case>: who looked.
	Access []*events.Event
	// Directory of the case's jurisdiction: its officers and their training. nil is an empty one.
	Directory *directory.Directory
}

// record is a case as known at an instant, with the evidence: what the predicates read.
type record struct {
	*Judge
	now      time.Time
	evidence Evidence
	acts     []act // every act of sharing that stands, in order of occurrence
}

// Verdicts are all 29, in order HR01 to HR29, as known at an instant: what is recorded later does not count. The
// cost is linear in what there is to judge.
func (j *Judge) Verdicts(now time.Time, ev Evidence) []Verdict {
	r := j.knownAt(now, ev)
	all := All()
	verdicts := make([]Verdict, 0, len(all))
	for _, s := range all {
		u := s.holds(r)
		verdicts = append(verdicts, Verdict{Case: r.number, Safeguard: s.ID, Title: s.Title, Verdict: u.verdict,
			Severity: s.Severity, Events: r.shown(u.events), Explanation: u.explanation})
	}
	return verdicts
}

func (j *Judge) knownAt(now time.Time, ev Evidence) *record {
	r := &record{Judge: j.asOf(now), now: now, evidence: ev}
	for _, n := range r.sharing {
		if a, ok := r.actOf(n); ok {
			r.acts = append(r.acts, a)
		}
	}
	return r
}

// asOf is the judge as it was at an instant; itself, unless it was given events recorded later.
func (j *Judge) asOf(now time.Time) *Judge {
	if !j.last.After(now) {
		return j
	}
	then := &Judge{book: j.book, matrices: j.matrices}
	for _, e := range j.entries.Entries() {
		if !e.RecordedAt.After(now) {
			then.Evolve(e.Event)
		}
	}
	then.number, then.jurisdiction = j.number, j.jurisdiction
	return then
}

func (j *Judge) matrix() *NeedToKnow {
	if j.matrices != nil {
		if m := j.matrices(j.jurisdiction); m != nil {
			return m
		}
	}
	return Matrix()
}

// day is the local date of an instant.
func (j *Judge) day(t time.Time) events.Date { return events.DateIn(t, j.calendar.Zone()) }

// shown orders ids by occurrence, each once, and leaves out annulled entries. Events of other streams come last.
func (r *record) shown(ids []uuid.UUID) []uuid.UUID {
	shown := make([]uuid.UUID, 0, len(ids))
	seen := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		n := r.byID[id]
		if id == uuid.Nil || seen[id] || (n != nil && !n.Stands()) {
			continue
		}
		seen[id] = true
		shown = append(shown, id)
	}
	slices.SortStableFunc(shown, func(a, b uuid.UUID) int {
		m, n := r.byID[a], r.byID[b]
		switch {
		case m == nil || n == nil:
			return cmp.Compare(b2i(m == nil), b2i(n == nil))
		case m.before(n.moment):
			return -1
		case n.before(m.moment):
			return 1
		}
		return 0
	})
	return shown
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
