package projections

import (
	"context"

	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Projection describes a read model to the engine. It is a value without state: all memory between events is in
// the tables and in the Case that the engine folds.
type Projection struct {
	// Name is unique among the engine's projections: lower case letters, the prefix of its tables.
	Name string
	// Version says which program's rows these are. Raise it whenever the same log would give other rows; the
	// new version is then built beside the old one.
	Version int
	// Compatible is the oldest version whose rows this program's queries can still read, and which answers until
	// the new version is built. 0 means only Version itself.
	Compatible int
	Tables     []Table
	// Collect begins a collector for one page of the log. Several may be at work at once, for different cases.
	Collect func() Collector
	// Purge takes protected values out of the rows of cases, by their numbers, when their keys were destroyed. It is nil
	// for a projection whose rows hold none.
	Purge func(ctx context.Context, tx *Tx, numbers []string) error
}

// Table is a table of a projection. In every statement given to the engine, {name} stands for the generation's
// table of that name.
type Table struct {
	Name string
	// Columns is what stands between the parentheses of CREATE TABLE; Options what follows them, "STRICT" if empty.
	Columns, Options string
	// Indexes are made when a generation has been filled, so that filling it is fast.
	Indexes []Index
}

// Index is an index of a table: On is what follows the table's name, such as "(a, b) WHERE c".
type Index struct {
	Name string
	On   string
}

// Collector gathers what one page of the log changes in a projection's rows.
type Collector interface {
	// Collect takes the next step. What it keeps of the step, of its obligations or of its case it must copy: all go on
	// changing. An error stops the projection at the step's event.
	Collect(s *Step) error
	// Write writes what was collected. It may run while the next page is being collected. Like Collect it fails
	// only for what the events say; the engine knows an error of the database from it.
	Write(ctx context.Context, tx *Tx) error
}

// Step is one event, folded into its case; or a case that changed because the rules or the calendar did.
type Step struct {
	Event *events.Event
	// Case is the case as it is known after the event; nil for an event of no case's own stream, such as one that
	// says who looked at a case.
	Case *Case
	// Entries are the case's entries whose standing the event changed: its own, and those that it corrected or
	// annulled.
	Entries []*history.Entry
	// Obligations are those that the event added or changed. The last Added of them were not there before.
	Obligations []protocol.Obligation
	Added       int
	// Refolded is true for a case whose obligations changed by an event of the rules or the calendar: Event is
	// that event, Entries is empty, and Gone are the ids of the obligations that no longer are.
	Refolded bool
	Gone     []string
}

// Case is one case, folded.
type Case struct {
	// ID is the same number for a case in every rebuild: the position of its first event.
	ID           int64
	Number       string
	Jurisdiction events.Jurisdiction
	History      *history.History
	Tracker      *protocol.Tracker
	// Landmarks are the entries that say where the case stands, in the order of recording: CaseOpened,
	// SpecificGroupRecorded, TreatmentPlanAdopted, PreReleasePlanningOpened, PersonReleased, PostPenalPlanAdopted,
	// CaseClosed and CaseReopened.
	Landmarks []*history.Entry
	// Last is the case's latest event.
	Last *events.Event
}
