package protocol

import (
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

// Book says which rules and which calendar apply where and when. It is immutable and safe for concurrent use.
type Book struct{}

// NewBook holds the rules shipped with traga for the six jurisdictions.
func NewBook() *Book { return &Book{} }

// With is the book after a ProtocolPublished, NonWorkingDayDecreed or InstitutionRegistered; other events change nothing.
func (b *Book) With(e *events.Event) (*Book, error) { return b, nil }

// AsKnown is the book as it was known then: without what was published or decreed later.
func (b *Book) AsKnown(at events.AsOf) *Book { return b }

// Zone is the jurisdiction's time zone, nil for none.
func (b *Book) Zone(j events.Jurisdiction) *time.Location {
	c, err := calendar.For(string(j), "")
	if err != nil {
		return nil
	}
	return c.Zone()
}

// Rules are the rules in force in a jurisdiction on a date, in the order of the table.
func (b *Book) Rules(j events.Jurisdiction, at events.Date) []Rule { return nil }

// Rule is one rule of a protocol, in words and figures.
type Rule struct {
	ID       string
	Titles   map[string]string
	Severity Severity
	Duty     string      // the role that must act, or in words which party
	Toward   events.Role // the counterpart; empty where the rule names none
	Period   string
	Source   string
}

// Tracker is the fold of one case's obligations.
type Tracker struct{ book *Book }

// NewTracker starts the fold of one case.
func NewTracker(book *Book) *Tracker { return &Tracker{book: book} }

// Evolve takes the case stream's next event, in stream order.
func (t *Tracker) Evolve(e *events.Event) {}

// Obligations are all so far, in the order of activation, then of the table.
func (t *Tracker) Obligations() []Obligation { return nil }

// Changed are those that the last Evolve changed or added.
func (t *Tracker) Changed() []Obligation { return nil }

// Calendar is the case's calendar, nil before CaseOpened.
func (t *Tracker) Calendar() *calendar.Calendar { return nil }

// ReleaseDate is the release date as last decided; the zero Date while there is none.
func (t *Tracker) ReleaseDate() events.Date { return 0 }

// ReleasedOn is the day of release; the zero Date before it.
func (t *Tracker) ReleasedOn() events.Date { return 0 }

// RiskLevel is the latest decided or assessed risk level, empty while there is none.
func (t *Tracker) RiskLevel() string { return "" }

// Alert is an ObligationOverdue (Level 0) or ObligationEscalated (1 to 3) that is not on record yet.
type Alert struct {
	Obligation string
	Rule       string
	Level      int
	To         events.Role // of an escalation
	Due        Due
}

// Due is what the watcher has to record at now.
func (t *Tracker) Due(now time.Time) []Alert { return nil }

// Explanation says how an obligation came to be what it is.
type Explanation struct {
	Obligation  Obligation
	State       State
	Title       map[string]string
	Source      string
	ActivatedBy Cause
	FulfilledBy *Cause
	WaivedBy    *Cause
	Steps       []Step
	Text        string
}

// Cause is an event that an explanation refers to.
type Cause struct {
	Event                  uuid.UUID
	Type                   string
	OccurredAt, RecordedAt time.Time
}

// Step is one step of the computation of a due date.
type Step struct {
	Text    string
	Date    events.Date
	Skipped []Skipped
}

// Skipped is a day that is not worked and was stepped over.
type Skipped struct {
	Date      events.Date
	Name      string
	Estimated bool
}

// Explain explains an obligation of the case; false when there is none of that id.
func (t *Tracker) Explain(obligation string, now time.Time) (Explanation, bool) { return Explanation{}, false }
