// Package record is the one write path: the API, the command line, the import and the simulation record actions
// through it and through nothing else.
//
// An action record is parsed strictly, decided on against the state of its case (aggregates/casefile), held, if it
// is done through traga now, against the safeguards that it would break, and appended with the exact revision that
// the decision saw. A refused action leaves nothing behind. What was reported after the fact is recorded whether
// lawful or not (safeguards.md, "Record, then judge").
package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

// Judge is the fold of one case that says which safeguards an act done now would break: a *safeguards.Judge.
type Judge interface {
	// Evolve adds the case's next event.
	Evolve(e *events.Event)
	// WouldBreak judges an event that is not recorded yet. It changes nothing.
	WouldBreak(e *events.Event) []safeguards.Finding
}

// Duties is the fold of one case that knows its obligations: a *protocol.Tracker.
type Duties interface {
	// Evolve adds the case's next event.
	Evolve(e *events.Event)
	// Obligations are all so far.
	Obligations() []protocol.Obligation
}

var (
	_ Judge  = (*safeguards.Judge)(nil)
	_ Duties = (*protocol.Tracker)(nil)
)

// Observer is told what the write path did, for metrics. Its methods are called from many goroutines.
type Observer interface {
	// Appended is called for each event that was stored, with the time that its append took.
	Appended(eventType string, took time.Duration)
	// Conflict is called when an append found the stream moved on; it is then decided anew.
	Conflict()
	// Refused is called with each reason of a refusal.
	Refused(because string)
}

// Recorder records actions. It is safe for concurrent use.
type Recorder struct {
	store    events.Store
	book     *protocol.Book
	judge    func() Judge
	duties   func() Duties
	clock    func() time.Time
	observer Observer
	folds    *folds
	held     func(ctx context.Context, stream string) (bool, error) // nil when nobody knows
}

// Option changes how a Recorder works.
type Option func(*Recorder)

// WithClock sets the clock that says what is now; the default is time.Now. It should be the store's own.
func WithClock(clock func() time.Time) Option { return func(r *Recorder) { r.clock = clock } }

// WithObserver sets who is told what the write path did.
func WithObserver(o Observer) Option { return func(r *Recorder) { r.observer = o } }

// WithDuties lets the write path know the obligations of a case, so that a waiver or an acknowledgement of an
// obligation that the case does not have is refused. Without it only the form of the obligation's id is looked at.
func WithDuties(duties func() Duties) Option { return func(r *Recorder) { r.duties = duties } }

// WithHolds lets the write path know whether any case of the person whose case a stream is stands under a legal hold.
// Without it only the case's own stream is looked at.
func WithHolds(held func(ctx context.Context, stream string) (bool, error)) Option {
	return func(r *Recorder) { r.held = held }
}

// Forget drops what is remembered of a case: it is read anew when it is next needed.
func (r *Recorder) Forget(number string) { r.folds.forget(events.CaseStream(number)) }

// WithMemory sets how many cases are kept folded in memory; the default is 1000.
func WithMemory(cases int) Option { return func(r *Recorder) { r.folds.limit = max(1, cases) } }

// New makes the write path to a store. The book says which calendar each case keeps.
func New(store events.Store, book *protocol.Book, options ...Option) *Recorder {
	judge := func() Judge { return safeguards.NewJudge(book) }
	r := &Recorder{store: store, book: book, judge: judge, clock: time.Now, observer: deaf{}, folds: newFolds(1000)}
	for _, o := range options {
		o(r)
	}
	return r
}

type deaf struct{}

func (deaf) Appended(string, time.Duration) {}
func (deaf) Conflict()                      {}
func (deaf) Refused(string)                 {}

// Record decides on an action and, if nothing speaks against it, stores it: when Record returns a Receipt, the
// event is durable. It fails with a *casefile.Refusal, a *PreconditionError, or the store's error; after a store's
// error or a cancelled context the outcome is unknown, and repeating the call with the same id is safe. Of the same
// id with the same content the first receipt is returned, even when the case has moved on since. traga's own
// records (role system, the access log) are refused: see RecordInternal.
func (r *Recorder) Record(ctx context.Context, a *Action, c Condition) (Receipt, error) {
	return r.record(ctx, a, c, false)
}

// RecordInternal is Record for traga itself: the deadline watcher, the vault, the access log, and a simulation. It
// also accepts the role system and the events of the access log and of the store.
func (r *Recorder) RecordInternal(ctx context.Context, a *Action, c Condition) (Receipt, error) {
	return r.record(ctx, a, c, true)
}

func (r *Recorder) record(ctx context.Context, a *Action, c Condition, internal bool) (Receipt, error) {
	receipt, err := r.try(ctx, a, c, internal)
	var refusal *casefile.Refusal
	switch {
	case errors.As(err, &refusal):
		for _, b := range refusal.Because {
			r.observer.Refused(b)
		}
		return Receipt{}, err
	case err != nil:
		return Receipt{}, fmt.Errorf("record %s: %w", a.Type, err)
	}
	return receipt, nil
}

// attempts is how often an action is decided on anew because the case had moved on. Each time another writer got
// its event in, so that this many in a row means that something is wrong.
const attempts = 100

func (r *Recorder) try(ctx context.Context, a *Action, c Condition, internal bool) (Receipt, error) {
	a, k, err := r.admit(a, internal)
	if err != nil {
		return Receipt{}, err
	}
	id := a.ID
	if id == uuid.Nil {
		if id, err = uuid.NewV7(); err != nil {
			return Receipt{}, err
		}
	}
	if k.Family == events.AccessFamily || k.Family == events.StoreFamily {
		return r.appendBlind(ctx, a, k, id)
	}
	f := r.folds.get(a.stream(k), func() *fold { return r.newFold(a, k) })
	if err := f.enter(ctx); err != nil {
		return Receipt{}, err
	}
	defer f.leave()
	known := f.loaded // the fold may be behind the store, by what others wrote
	if !known {
		if err := f.refresh(ctx, r.store); err != nil {
			return Receipt{}, err
		}
	}
	for range attempts {
		receipt, err := r.attempt(ctx, f, a, k, id, c)
		var conflict *events.ConflictError
		switch {
		case err == nil:
			return receipt, nil
		case errors.As(err, &conflict):
			r.observer.Conflict()
			if err := f.refresh(ctx, r.store); err != nil {
				return Receipt{}, err
			}
			if conflict.DuplicateID != uuid.Nil && f.state.Find(id) == nil {
				return Receipt{}, reusedID()
			}
			known = false
		case known && decision(err):
			// Before saying no, look whether that still holds.
			before := f.next
			if err := f.refresh(ctx, r.store); err != nil {
				return Receipt{}, err
			}
			if f.next == before {
				return Receipt{}, err
			}
			known = false
		default:
			return Receipt{}, err
		}
	}
	return Receipt{}, fmt.Errorf("%w: the case changed %d times while this action was decided on", events.ErrConflict, attempts)
}

// decision reports whether the error was decided on what the fold knows; it is not the store's.
func decision(err error) bool {
	return errors.Is(err, casefile.ErrRefused) || errors.Is(err, ErrPrecondition)
}

// admit finds the action's kind and place, and refuses what only traga itself records. It returns a copy: an action
// that was not parsed may lack its jurisdiction.
func (r *Recorder) admit(given *Action, internal bool) (*Action, *events.Kind, error) {
	a := *given
	k, ok := events.KindOf(a.Type)
	if !ok {
		return nil, nil, casefile.Malformed(unknownType(a.Type))
	}
	if err := a.settlePlace(k); err != nil {
		return nil, nil, casefile.Malformed(err)
	}
	if internal {
		return &a, k, nil
	}
	if a.Actor.Role == events.System {
		return nil, nil, &casefile.Refusal{Because: []string{casefile.NotAllowed}, Field: "actor.role", Message: "only traga itself acts in the role system"}
	}
	if k.Family == events.AccessFamily || k.Family == events.StoreFamily {
		return nil, nil, &casefile.Refusal{Because: []string{casefile.NotAllowed}, Field: "type", Message: "only traga itself records " + a.Type}
	}
	return &a, k, nil
}

func (r *Recorder) newFold(a *Action, k *events.Kind) *fold {
	var judge Judge
	if k.Family == events.CaseFamily {
		judge = r.judge()
	}
	return newFold(a.stream(k), k.Family, judge)
}

// attempt decides on the fold as it is, and appends.
func (r *Recorder) attempt(ctx context.Context, f *fold, a *Action, k *events.Kind, id uuid.UUID, c Condition) (Receipt, error) {
	if prior := f.state.Find(id); prior != nil {
		if !a.matches(prior.Event) {
			return Receipt{}, reusedID()
		}
		return receiptOf(prior.Event, true), nil
	}
	if c.exact && f.next != c.revision+1 {
		return Receipt{}, &PreconditionError{Wanted: c.revision, Length: f.next}
	}
	decided, _, err := r.decide(ctx, f, a, k, id, r.clock())
	if err != nil {
		return Receipt{}, err
	}
	return r.append(ctx, f, decided)
}

// decide asks the structural rules and, of a live act, the safeguards. It returns the events to append and what
// the safeguards found, also of a reported act.
func (r *Recorder) decide(ctx context.Context, f *fold, a *Action, k *events.Kind, id uuid.UUID, now time.Time) ([]*events.Event, []casefile.Finding, error) {
	e := a.event(k, id, now)
	if cause := f.state.Find(a.CausationID); cause != nil {
		e.CorrelationID = cause.CorrelationID
	}
	if k.Family != events.CaseFamily {
		var against []*casefile.Refusal
		if f.directory != nil {
			against = f.directory.Decide(e, now)
		}
		decided, err := casefile.DecideElsewhere(&f.state, e, now, against...)
		if err == nil {
			err = r.fitsBook(e)
		}
		return decided, nil, err
	}
	against, err := r.heldElsewhere(ctx, e, now)
	if err != nil {
		return nil, nil, err
	}
	decided, err := casefile.Decide(&f.state, e, now, against...)
	if err != nil {
		return nil, nil, err
	}
	if err := r.knowsDuty(f, e); err != nil {
		return nil, nil, err
	}
	var findings []casefile.Finding
	if f.judge == nil { // an import, of past actions only
		return decided, nil, nil
	}
	for _, f := range f.judge.WouldBreak(e) {
		findings = append(findings, casefile.Finding(f))
	}
	if len(findings) > 0 && !e.Reported(now) {
		return nil, findings, casefile.Unlawful(findings)
	}
	return decided, findings, nil
}

// heldElsewhere refuses a request for erasure while another case of the same person is under a legal hold: the keys are
// the person's.
func (r *Recorder) heldElsewhere(ctx context.Context, e *events.Event, now time.Time) ([]*casefile.Refusal, error) {
	if _, ok := e.Data.(*events.ErasureRequested); !ok || r.held == nil || e.Reported(now) {
		return nil, nil
	}
	held, err := r.held(ctx, e.Stream)
	if err != nil || !held {
		return nil, err
	}
	return []*casefile.Refusal{casefile.HeldElsewhere()}, nil
}

// knowsDuty refuses a waiver or an acknowledgement of an obligation that the case does not have. What traga itself
// says of an obligation needs no look: it has just worked it out.
func (r *Recorder) knowsDuty(f *fold, e *events.Event) error {
	var id string
	switch d := e.Data.(type) {
	case *events.ObligationWaived:
		id = d.Obligation
	case *events.AlertAcknowledged:
		id = d.Obligation
	default:
		return nil
	}
	if r.duties == nil {
		return nil
	}
	duties := r.duties()
	for _, entry := range f.state.Entries() {
		duties.Evolve(entry.Event)
	}
	for _, o := range duties.Obligations() {
		if o.ID == id {
			return nil
		}
	}
	return &casefile.Refusal{Because: []string{casefile.Conflict}, Field: "data.obligation", Message: "this case has no such obligation"}
}

// append stores the events at the end of the stream as the fold knows it, and folds them in.
func (r *Recorder) append(ctx context.Context, f *fold, decided []*events.Event) (Receipt, error) {
	proposed := make([]events.Proposed, len(decided))
	for i, e := range decided {
		var err error
		if proposed[i], err = r.encode(e); err != nil {
			return Receipt{}, err
		}
	}
	began := time.Now()
	at, err := r.store.Append(ctx, f.stream, f.expected(), proposed...)
	if err != nil {
		return Receipt{}, err
	}
	took := time.Since(began)
	if at.Repeated || len(decided) > 1 {
		// What the store holds counts, not what was proposed.
		if err := f.refresh(ctx, r.store); err != nil {
			return Receipt{}, err
		}
	} else {
		e, err := events.Decode(&events.Recorded{ID: proposed[0].ID, Stream: f.stream, Revision: at.Revision, Position: at.Position,
			RecordedAt: at.RecordedAt, Type: proposed[0].Type, Metadata: proposed[0].Metadata, Data: proposed[0].Data})
		if err != nil {
			return Receipt{}, err
		}
		f.evolve(e)
	}
	if !at.Repeated {
		for _, e := range decided {
			r.observer.Appended(e.Type, took)
		}
	}
	last := f.state.Find(decided[len(decided)-1].ID)
	if last == nil {
		return Receipt{}, fmt.Errorf("%w: the appended event can't be read back", events.ErrDamaged)
	}
	return receiptOf(last.Event, at.Repeated), nil
}

// sizer is a store that keeps events in another form than they are given in, and knows how long it is.
type sizer interface {
	StoredSize(events.Proposed) int
}

// size is the room that a store counts for an event, at most.
func (r *Recorder) size(p events.Proposed) int {
	if s, ok := r.store.(sizer); ok {
		return s.StoredSize(p)
	}
	return len(p.Type) + len(p.Metadata) + len(p.Data)
}

// encode makes the stored form, and refuses what no store takes for its size.
func (r *Recorder) encode(e *events.Event) (events.Proposed, error) {
	p, err := events.Encode(e)
	if err == nil && r.size(p) > events.MaxAppend {
		err = casefile.Malformed(&events.FieldError{Expected: fmt.Sprintf("an action of at most %d bytes with its envelope", events.MaxAppend), Got: "a larger one"})
	}
	return p, err
}

// fitsBook refuses a protocol version that can't be read, or whose digest is another's: whoever folds a case later
// must be able to use it.
func (r *Recorder) fitsBook(e *events.Event) error {
	if _, err := r.book.With(e); err != nil {
		return &casefile.Refusal{Because: []string{casefile.Invalid}, Field: "data.rules", Message: err.Error(), Err: err}
	}
	return nil
}

// expected is the stream as the fold knows it.
func (f *fold) expected() events.Expected {
	if f.next == 0 {
		return events.NoStream
	}
	return events.Revision(f.next - 1)
}

// appendBlind stores an event of the access log or of the store: nothing is decided on what the stream holds.
func (r *Recorder) appendBlind(ctx context.Context, a *Action, k *events.Kind, id uuid.UUID) (Receipt, error) {
	now := r.clock()
	e := a.event(k, id, now)
	if _, err := casefile.DecideElsewhere(nil, e, now); err != nil {
		return Receipt{}, err
	}
	p, err := r.encode(e)
	if err != nil {
		return Receipt{}, err
	}
	began := time.Now()
	at, err := r.store.Append(ctx, e.Stream, events.Any, p)
	if errors.Is(err, events.ErrConflict) {
		return Receipt{}, reusedID()
	}
	if err != nil {
		return Receipt{}, err
	}
	if !at.Repeated {
		r.observer.Appended(e.Type, time.Since(began))
	}
	return Receipt{ID: id, Case: a.Case, Type: a.Type, Revision: at.Revision, Position: at.Position, RecordedAt: at.RecordedAt, Repeated: at.Repeated}, nil
}

func reusedID() *casefile.Refusal {
	return &casefile.Refusal{Because: []string{casefile.Conflict}, Field: "id", Message: "this id was used before for another event"}
}

// Answer is what Check found.
type Answer struct {
	// Refusal is why Record would refuse the action now; nil if it would record it.
	Refusal *casefile.Refusal
	// Findings are the safeguards that the act breaks. An act reported after the fact is recorded all the same.
	Findings []casefile.Finding
}

// Check says what Record would, without recording anything.
func (r *Recorder) Check(ctx context.Context, a *Action) (Answer, error) {
	answer, err := r.check(ctx, a)
	var refusal *casefile.Refusal
	switch {
	case errors.As(err, &refusal):
		return Answer{Refusal: refusal, Findings: refusal.Findings}, nil
	case err != nil:
		return Answer{}, fmt.Errorf("check %s: %w", a.Type, err)
	}
	return answer, nil
}

func (r *Recorder) check(ctx context.Context, a *Action) (Answer, error) {
	a, k, err := r.admit(a, false)
	if err != nil {
		return Answer{}, err
	}
	f := r.folds.get(a.stream(k), func() *fold { return r.newFold(a, k) })
	if err := f.enter(ctx); err != nil {
		return Answer{}, err
	}
	defer f.leave()
	if err := f.refresh(ctx, r.store); err != nil {
		return Answer{}, err
	}
	if prior := f.state.Find(a.ID); prior != nil {
		if !a.matches(prior.Event) {
			return Answer{}, reusedID()
		}
		return Answer{}, nil
	}
	id := a.ID
	if id == uuid.Nil {
		id = uuid.Max // stands for an id that is not used yet
	}
	_, findings, err := r.decide(ctx, f, a, k, id, r.clock())
	return Answer{Findings: findings}, err
}
