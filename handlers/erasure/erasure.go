// Package erasure carries out requests for erasure.
//
// A request is an ErasureRequested on a case. What happens then, in this order, so that a crash at any point, and starting
// again, comes to the same end and to one completion:
//
//	look whether anything stands in its way: an annulment, a missing approval, a legal hold on any of the person's cases
//	destroy the keys, in the keystore (events/vault); from here on nobody can read the fields
//	take what was worked out of them out of the read models and out of memory
//	record PersonalDataErased, under an id derived from the request's
//
// A request with something in its way waits, and is looked at again when something is recorded.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/events/vault"
	"traga.internal/handlers/record"
)

// Store is the log behind the vault: a *vault.Store.
type Store interface {
	events.Store
	// Settle notes what the log says of requests and erasures, and how far it looked.
	Settle(ctx context.Context) (events.Position, error)
	// Requests are the requests that were not carried out.
	Requests(ctx context.Context) ([]vault.Request, error)
	// Cases are the streams of all cases of the person whose case a stream is.
	Cases(ctx context.Context, stream string) ([]string, error)
	// Erase destroys the keys; doing it again returns the same.
	Erase(ctx context.Context, stream string, whose vault.Whose, receipt uuid.UUID) ([]string, error)
}

var _ Store = (*vault.Store)(nil)

// Recorder records the completion: a *record.Recorder.
type Recorder interface {
	RecordInternal(ctx context.Context, a *record.Action, c record.Condition) (record.Receipt, error)
}

// Purge takes what was erased out of everything that was worked out of these cases and is remembered anywhere, files and
// memory. It may be called again for the same cases.
type Purge func(ctx context.Context, numbers []string) error

// Runner carries out requests. It is for one goroutine at a time, but for Held.
type Runner struct {
	store    Store
	recorder Recorder
	purge    Purge
	log      *slog.Logger
	retry    time.Duration
	step     func(string) // told before each step, for tests that end the process there
}

// Option changes how a Runner works.
type Option func(*Runner)

// WithLog says where trouble is told; the default is nowhere.
func WithLog(l *slog.Logger) Option { return func(r *Runner) { r.log = l } }

// WithSteps is told before each step of an erasure: "destroy", "purge", "record", "done".
func WithSteps(told func(step string)) Option { return func(r *Runner) { r.step = told } }

// New makes a runner.
func New(store Store, recorder Recorder, purge Purge, options ...Option) *Runner {
	r := &Runner{store: store, recorder: recorder, purge: purge, log: slog.New(slog.DiscardHandler), retry: 5 * time.Second, step: func(string) {}}
	for _, o := range options {
		o(r)
	}
	return r
}

// Outcome is what became of a request.
type Outcome struct {
	Request uuid.UUID         `json:"request"`
	Case    string            `json:"case"`
	Erasure events.ID         `json:"erasure"`
	Done    bool              `json:"done"`
	Waits   casefile.Obstacle `json:"waits"` // what it waits for
	Keys    int               `json:"keys"`
	Receipt *uuid.UUID        `json:"receipt"` // the PersonalDataErased
}

// Run carries requests out as they come, until the context ends; then it returns nil. What fails is tried again.
func (r *Runner) Run(ctx context.Context) error {
	for {
		// Asked before looking: what is recorded meanwhile is not missed.
		head, err := r.store.Head(ctx)
		var changed <-chan struct{}
		if err == nil {
			changed = r.store.Changed(head)
			_, err = r.Once(ctx)
		}
		var again <-chan time.Time
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "erasure waits to try again", "error", err)
			again = time.After(r.retry)
			changed = nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-again:
		}
	}
}

// Once carries out the requests that there are, and says what became of each. A request that fails keeps no other from
// being carried out.
func (r *Runner) Once(ctx context.Context) (list []Outcome, err error) {
	list = []Outcome{}
	if _, err := r.store.Settle(ctx); err != nil {
		return list, fmt.Errorf("carry out erasures: %w", err)
	}
	requests, err := r.store.Requests(ctx)
	if err != nil {
		return list, fmt.Errorf("carry out erasures: %w", err)
	}
	var errs []error
	for _, q := range requests {
		o, err := r.one(ctx, q)
		if err != nil {
			errs = append(errs, fmt.Errorf("carry out the erasure that event %s asks for: %w", q.Event, err))
			continue
		}
		list = append(list, o)
	}
	if len(requests) > 0 && len(errs) == 0 {
		_, err := r.store.Settle(ctx) // the completions
		errs = append(errs, err)
	}
	return list, errors.Join(errs...)
}

// folded is a case's state.
func (r *Runner) folded(ctx context.Context, stream string) (*casefile.State, error) {
	s := &casefile.State{}
	for recorded, err := range r.store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return nil, err
		}
		e, err := events.Decode(&recorded)
		if err != nil {
			return nil, err
		}
		s.Evolve(e)
	}
	return s, nil
}

// Held reports whether a case of the person whose case a stream is stands under a legal hold. It is for
// record.WithHolds, and safe for concurrent use.
func (r *Runner) Held(ctx context.Context, stream string) (bool, error) {
	cases, err := r.store.Cases(ctx, stream)
	if err != nil {
		return false, err
	}
	for _, c := range cases {
		s, err := r.folded(ctx, c)
		if err != nil || s.UnderHold() {
			return err == nil, err
		}
	}
	return false, nil
}

func (r *Runner) one(ctx context.Context, q vault.Request) (Outcome, error) {
	state, err := r.folded(ctx, q.Stream)
	if err != nil {
		return Outcome{}, err
	}
	request, obstacle := state.Obstruction(q.Event)
	o := Outcome{Request: q.Event, Waits: obstacle}
	if entry := state.Find(q.Event); entry != nil {
		o.Case = entry.Case
	}
	if request == nil {
		return o, nil
	}
	o.Erasure = request.Erasure
	receipt := vault.ReceiptOf(q.Event)
	if obstacle == casefile.CarriedOut {
		o.Waits, o.Done, o.Receipt = casefile.Unobstructed, true, &receipt
		return o, nil
	}
	if obstacle != casefile.Unobstructed {
		return o, nil
	}
	cases, err := r.store.Cases(ctx, q.Stream)
	if err != nil {
		return o, err
	}
	numbers := make([]string, 0, len(cases))
	for _, c := range cases {
		s, err := r.folded(ctx, c)
		if err != nil {
			return o, err
		}
		if s.UnderHold() {
			o.Waits = casefile.UnderHold
			return o, nil
		}
		numbers = append(numbers, s.Entries()[0].Case)
	}

	r.step("destroy")
	keys, err := r.store.Erase(ctx, q.Stream, vault.Whose(request.Whose), receipt)
	if err != nil {
		return o, err
	}
	// A crash here: the request still waits, and is carried out again. Erase then finds the keys destroyed, and names the
	// same ones.
	r.step("purge")
	if err := r.purge(ctx, numbers); err != nil {
		return o, err
	}
	r.step("record")
	_, err = r.recorder.RecordInternal(ctx, &record.Action{Case: o.Case, Type: "PersonalDataErased", ID: receipt, CausationID: q.Event,
		Actor: events.Actor{Officer: "erasure", Role: events.System, Institution: "traga"},
		Data:  &events.PersonalDataErased{Erasure: request.Erasure, Keys: len(keys), KeyIDs: keys}}, record.AnyRevision)
	if err != nil {
		return o, err
	}
	// A crash here: the request is found to be carried out.
	r.step("done")
	r.log.InfoContext(ctx, "personal data was erased", "request", q.Event, "receipt", receipt, "keys", len(keys))
	o.Done, o.Keys, o.Receipt = true, len(keys), &receipt
	return o, nil
}
