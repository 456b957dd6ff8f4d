// Package consult is the read path: nothing of a case leaves traga to someone who asks for it but through a Desk.
//
// A Desk finds out who asks (handlers/auth), asks the policies what that viewer may see (aggregates/access), commits the look
// to the access log of the case, and only then hands out the case, masked. The look is on disk before any byte of the answer
// can leave: where it can't be written there is no answer (ErrUnrecorded), and a look that is refused is on record too.
//
// Whoever adds an answer about a case calls one of these, in the handler of the request, and passes the request's context:
//
//   - Case for an answer about one case, with the name of the view. All that the *timeline.Case then answers is masked; an
//     event of it is shown only through its Shown.
//   - Event and Causes for single events.
//   - Cases, Alerts, … of many cases: List, whose Only narrows the read model's query, and whose Sight masks a row.
//   - Exported, before data leaves in a file.
//
// Names of views: timeline, shares and the like; those that begin with "monitoring" are for contacts with the monitor (HR24).
package consult

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/timeline"
)

// Log is what a Desk reads of the store.
type Log interface {
	timeline.Log
	// Lookup finds an event by its id.
	Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error)
}

// Recorder commits what was looked at: a *record.Recorder.
type Recorder interface {
	RecordInternal(ctx context.Context, a *record.Action, c record.Condition) (record.Receipt, error)
}

// Config is what a Desk works with. All fields are required but Policies.
type Config struct {
	Store Log
	// Book gives the rules and calendars as they are on record now.
	Book     func(context.Context) (*protocol.Book, error)
	Recorder Recorder
	Engine   *projections.Engine
	Clock    func() time.Time
	// Policies say who may see what; the shipped ones when nil.
	Policies *access.Policies
}

// Desk is where one asks to see a case. It is safe for concurrent use.
type Desk struct {
	log      Log
	book     func(context.Context) (*protocol.Book, error)
	recorder Recorder
	engine   *projections.Engine
	clock    func() time.Time
	policies *access.Policies
}

// New makes a Desk.
func New(c Config) *Desk {
	d := &Desk{log: c.Store, book: c.Book, recorder: c.Recorder, engine: c.Engine, clock: c.Clock, policies: c.Policies}
	if d.policies == nil {
		d.policies = access.Shipped()
	}
	return d
}

// Errors of a look that is not answered.
var (
	// ErrNotSignedIn: nobody asks, so nobody is answered.
	ErrNotSignedIn = errors.New("nobody has signed in")
	// ErrDenied is matched by every *DeniedError.
	ErrDenied = errors.New("this is not open to the one who asks")
	// ErrUnrecorded: the look could not be committed to the access log, and so nothing is shown.
	ErrUnrecorded = errors.New("the look could not be recorded, so nothing is shown")
	// ErrReasonWanted: nothing was looked at yet; see Look.AskFirst.
	ErrReasonWanted = errors.New("say first why you look")
	// ErrNoSuchEvent: there is none, as far as the viewer may know.
	ErrNoSuchEvent = errors.New("there is no event with that id")
)

// DeniedError says that a look was refused; it is in the access log.
type DeniedError struct {
	// Policies are the ids of the policies that decided.
	Policies []string
	// NeedsReason says that it would be open for a stated need.
	NeedsReason bool
}

func (e *DeniedError) Error() string { return ErrDenied.Error() }

// Is makes errors.Is(err, ErrDenied) true.
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// Reason is why someone looks, as they say it.
type Reason struct {
	Justification string // the need, in their words; empty when none was stated
	Purpose       events.Purpose
}

// maxJustification is how long a justification may be, in characters.
const maxJustification = 500

// ParseReason reads a justification and a purpose as the headers Traga-Justification and Traga-Purpose carry them. A
// justification is plain text in UTF-8, or for clients whose headers are Latin only in the form of RFC 8187, which begins
// with the name of the encoding and escapes each byte. The error is a *events.FieldError.
func ParseReason(justification, purpose string) (Reason, error) {
	const field = "Traga-Justification"
	if encoded, ok := strings.CutPrefix(justification, "UTF-8''"); ok {
		plain, err := url.PathUnescape(encoded)
		if err != nil {
			return Reason{}, &events.FieldError{Field: field, Expected: "text in UTF-8, or its form by RFC 8187", Got: "an escape that is none"}
		}
		justification = plain
	}
	r := Reason{Justification: strings.TrimSpace(justification), Purpose: events.Purpose(purpose)}
	if !utf8.ValidString(r.Justification) || strings.ContainsFunc(r.Justification, func(c rune) bool { return c < ' ' }) {
		return Reason{}, &events.FieldError{Field: field, Expected: "one line of text in UTF-8", Got: "something else"}
	}
	if utf8.RuneCountInString(r.Justification) > maxJustification {
		return Reason{}, &events.FieldError{Field: field, Expected: fmt.Sprintf("at most %d characters", maxJustification), Got: "more"}
	}
	if purpose != "" {
		known := false
		for _, p := range events.Purposes() {
			known = known || p == r.Purpose
		}
		if !known {
			return Reason{}, &events.FieldError{Field: "Traga-Purpose", Expected: "one of the catalogue's purposes, such as supervision", Got: "another text"}
		}
	}
	return r, nil
}

// Look is one look at a case.
type Look struct {
	Case string
	// View names what is looked at, such as timeline; see the package comment. Never personal data.
	View string
	// AsOf is as known when. A look at the past is a look all the same, and shows what may be seen now.
	AsOf   events.AsOf
	Reason Reason
	// AskFirst refuses, with ErrReasonWanted and nothing on record, one who would open the case by mandate alone and has
	// stated no need: for pages, which then ask.
	AskFirst bool

	entry uuid.UUID // the one entry that is looked at
}

// view is how the access log names the look.
func (l *Look) view() string {
	switch {
	case l.AsOf.Position != events.Start:
		return l.View + " at " + l.AsOf.Position.String()
	case !l.AsOf.Instant.IsZero():
		return l.View + " at " + l.AsOf.Instant.UTC().Format(time.RFC3339)
	}
	return l.View
}

func viewerOf(ctx context.Context, r Reason) (access.Viewer, error) {
	who, ok := auth.IdentityOf(ctx)
	if !ok {
		return access.Viewer{}, ErrNotSignedIn
	}
	return access.Viewer{Actor: who.Actor, Machine: who.Machine, Justification: r.Justification, Purpose: r.Purpose}, nil
}

// Case reads a case for the one who asks, as it was known then: see the package comment. It fails with ErrNotSignedIn, a
// *DeniedError, ErrUnrecorded, and the errors of timeline.Read.
func (d *Desk) Case(ctx context.Context, l Look) (*timeline.Case, error) {
	c, _, err := d.open(ctx, l, nil)
	return c, err
}

// Between reads a case at two points of view as one look: what was known at the first, and at the look's own. before is nil
// where nothing of the case had been recorded by then.
func (d *Desk) Between(ctx context.Context, l Look, from events.AsOf) (before, after *timeline.Case, err error) {
	after, viewer, err := d.open(ctx, l, nil)
	if err != nil {
		return nil, nil, err
	}
	before, err = d.read(ctx, viewer, l.Case, from)
	if errors.Is(err, timeline.ErrNoSuchCase) {
		return nil, after, nil
	}
	return before, after, err
}

// read folds a case for a viewer. Where it may not be opened the error is a *DeniedError, not yet recorded.
func (d *Desk) read(ctx context.Context, v access.Viewer, number string, asOf events.AsOf) (*timeline.Case, error) {
	book, err := d.book(ctx)
	if err != nil {
		return nil, err
	}
	now := d.clock()
	return timeline.ReadFor(ctx, d.log, book, number, asOf, now, func(h *history.History) (*access.Decision, error) {
		sight := d.policies.Decide(v, access.CaseOf(h), now)
		if !sight.Open {
			return nil, &DeniedError{Policies: sight.Policies}
		}
		return &sight, nil
	})
}

// open reads a case and commits the look at it. allowed, if not nil, may still refuse, and may name the view.
func (d *Desk) open(ctx context.Context, l Look, allowed func(*timeline.Case, *Look) error) (*timeline.Case, access.Viewer, error) {
	viewer, err := viewerOf(ctx, l.Reason)
	if err != nil {
		return nil, viewer, err
	}
	c, err := d.read(ctx, viewer, l.Case, l.AsOf)
	if err == nil && allowed != nil {
		err = allowed(c, &l)
	}
	if errors.Is(err, ErrNoSuchEvent) && d.holds(ctx, l.Case, l.entry) { // it is there, but the viewer may not know of it
		refused := l
		refused.View = "entry" // for what it asked is not on record: the name of the view would tell
		if err := d.record(ctx, viewer, l.Case, "AccessDenied", &events.AccessDenied{View: refused.view(), Policy: c.Sight().MonitoringPolicies()}); err != nil {
			return nil, viewer, err
		}
	}
	var denied *DeniedError
	if errors.As(err, &denied) {
		if err := d.record(ctx, viewer, l.Case, "AccessDenied", &events.AccessDenied{View: l.view(), Policy: denied.Policies}); err != nil {
			return nil, viewer, err
		}
	}
	if err != nil {
		return nil, viewer, err
	}
	sight := c.Sight()
	if l.AskFirst && !sight.Involved && !viewer.Owner() && strings.TrimSpace(viewer.Justification) == "" {
		return nil, viewer, ErrReasonWanted
	}
	err = d.record(ctx, viewer, l.Case, "CaseConsulted", &events.CaseConsulted{View: l.view(), Justification: justified(viewer, sight.Involved), Policy: sight.Policies})
	return c, viewer, err
}

// justified is the justification on record (HR02): the viewer's own words, else on what ground the case is open to it.
func justified(v access.Viewer, involved bool) string {
	switch {
	case strings.TrimSpace(v.Justification) != "":
		return v.Justification
	case v.Owner():
		return "none stated; the owner of an installation without sign-in"
	case involved:
		return "none stated; its institution has a part in the case"
	}
	return "none stated; by its mandate"
}

// record commits a look, or a refusal. When it returns nil the entry is durable.
func (d *Desk) record(ctx context.Context, v access.Viewer, number, eventType string, data any) error {
	a := &record.Action{Case: number, Type: eventType, Actor: v.Actor, Purpose: v.Purpose, Data: data}
	if number == "" { // a list is of the jurisdiction from which it was asked for
		a.Jurisdiction = access.JurisdictionOf(v.Actor.Institution)
	}
	_, err := d.recorder.RecordInternal(ctx, a, record.AnyRevision)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnrecorded, err)
	}
	return nil
}

// Exported commits that data of a case leaves in a file, before it does: format, for whom, why, and the digest of what
// leaves. The viewer must have opened the case with Case just before.
func (d *Desk) Exported(ctx context.Context, number string, export events.ExportProduced, r Reason) error {
	viewer, err := viewerOf(ctx, r)
	if err != nil {
		return err
	}
	if strings.TrimSpace(export.Justification) == "" {
		export.Justification = r.Justification
	}
	return d.record(ctx, viewer, number, "ExportProduced", &export)
}
