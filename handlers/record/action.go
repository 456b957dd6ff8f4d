package record

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
)

// MaxAction is the longest action record that is read, in bytes.
const MaxAction = 1 << 20

// Action is an action record (interfaces.md): what someone wants recorded. It is the same in an API request, a
// line of an import file and a line of a scenario.
type Action struct {
	// Case is the case number; empty for the types of the directory and the protocol, which name their Jurisdiction.
	Case         string
	Jurisdiction events.Jurisdiction
	Type         string
	// ID is the idempotency key: the same id is the same event. The nil UUID lets traga choose one.
	ID uuid.UUID
	// OccurredAt is when it happened, as its actor says; nil is the moment of recording.
	OccurredAt *time.Time
	Actor      events.Actor
	Purpose    events.Purpose
	LegalBasis events.LegalBasis
	LateReason string
	// RecordedBy is the system that records it for its actor; empty when the actor does. It is no part of the record as
	// it is written: who is signed in decides it.
	RecordedBy   string
	CausationID  uuid.UUID
	AfterTheFact bool
	// Data points to the catalogue's Go type of that name.
	Data any
}

// written is the action record as it is written.
type written struct {
	Case         string              `json:"case,omitzero"`
	Jurisdiction events.Jurisdiction `json:"jurisdiction,omitzero"`
	Type         string              `json:"type"`
	ID           *uuid.UUID          `json:"id,omitzero"`
	OccurredAt   *time.Time          `json:"occurredAt,omitzero"`
	Actor        events.Actor        `json:"actor"`
	Purpose      events.Purpose      `json:"purpose,omitzero"`
	LegalBasis   events.LegalBasis   `json:"legalBasis,omitzero"`
	LateReason   string              `json:"lateReason,omitzero"`
	CausationID  *uuid.UUID          `json:"causationId,omitzero"`
	AfterTheFact bool                `json:"afterTheFact,omitzero"`
	Data         jsontext.Value      `json:"data"`
}

// Parse reads one action record strictly. Its error is a *casefile.Refusal of the reason invalid that names the
// field and what was expected (errors.As finds the *events.FieldError); the input's values are never repeated.
func Parse(line []byte) (*Action, error) {
	a, err := parse(line)
	if err != nil {
		return nil, casefile.Malformed(err)
	}
	return a, nil
}

func parse(line []byte) (*Action, error) {
	if len(line) > MaxAction {
		return nil, &events.FieldError{Expected: fmt.Sprintf("an action record of at most %d bytes", MaxAction), Got: "a longer one"}
	}
	var w written
	if err := events.Strict(line, &w); err != nil {
		return nil, err
	}
	k, ok := events.KindOf(w.Type)
	if !ok {
		return nil, unknownType(w.Type)
	}
	a := &Action{Case: w.Case, Jurisdiction: w.Jurisdiction, Type: w.Type, OccurredAt: w.OccurredAt, Actor: w.Actor, Purpose: w.Purpose,
		LegalBasis: w.LegalBasis, LateReason: w.LateReason, AfterTheFact: w.AfterTheFact}
	for field, id := range map[string]struct{ from, to *uuid.UUID }{"id": {w.ID, &a.ID}, "causationId": {w.CausationID, &a.CausationID}} {
		if id.from == nil {
			continue
		}
		if *id.from == uuid.Nil {
			return nil, &events.FieldError{Field: field, Expected: "a UUID such as 5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02", Got: "the one of zeros only"}
		}
		*id.to = *id.from
	}
	if err := a.settlePlace(k); err != nil {
		return nil, err
	}
	var err error
	if a.Data, err = events.ParseData(w.Type, w.Data); err != nil {
		return nil, err
	}
	return a, nil
}

// settlePlace works out whose record it is: a case's, or a jurisdiction's. A directory's or protocol's action may
// name a case too; then it is the jurisdiction of that case that is meant. A look at a list is of no case.
func (a *Action) settlePlace(k *events.Kind) error {
	if k.Family == events.StoreFamily || k.Family == events.AccessFamily && a.Case == "" {
		return nil
	}
	ofCase := k.Family == events.CaseFamily || k.Family == events.AccessFamily
	if a.Case == "" {
		if ofCase {
			return &events.FieldError{Field: "case", Expected: "a case number such as MK-2026-0001", Got: "nothing"}
		}
		if a.Jurisdiction == "" {
			return &events.FieldError{Field: "jurisdiction", Expected: "one of AL, BA, ME, MK, RS, XK", Got: "nothing"}
		}
		return nil
	}
	j, err := events.ParseCase(a.Case)
	if err != nil {
		return err
	}
	if a.Jurisdiction != "" && a.Jurisdiction != j {
		return &events.FieldError{Field: "jurisdiction", Expected: "that of the case, " + string(j), Got: "another one"}
	}
	a.Jurisdiction = j
	if !ofCase {
		a.Case = ""
	}
	return nil
}

// unknownType names what was written, as far as it can be a type's name, and the type that was likely meant.
func unknownType(given string) error {
	e := &events.FieldError{Field: "type", Expected: "a type of event of the catalogue, such as NotificationSent", Got: "an unknown one"}
	if !isName(given) {
		return e
	}
	e.Got = "the unknown type " + given
	for _, k := range events.Standard().Kinds() {
		if strings.EqualFold(k.Type, given) {
			e.Expected = "the type spelt " + k.Type
		}
	}
	return e
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// KeyID is the event id that a caller's Idempotency-Key stands for: the same institution, officer, case and key
// give the same id, so that a retry is the same event.
func KeyID(a *Action, key string) uuid.UUID {
	return events.DeriveID("idempotency", string(a.Actor.Institution), a.Actor.Officer, a.Case, string(a.Jurisdiction), key)
}

// stream is where the action's event belongs.
func (a *Action) stream(k *events.Kind) string {
	switch k.Family {
	case events.AccessFamily:
		return events.AccessStream(a.Case)
	case events.DirectoryFamily:
		return events.DirectoryStream(a.Jurisdiction)
	case events.ProtocolFamily:
		return events.ProtocolStream(a.Jurisdiction)
	case events.StoreFamily:
		return events.StoreStream
	}
	return events.CaseStream(a.Case)
}

// event is the event that recording the action at now makes.
func (a *Action) event(k *events.Kind, id uuid.UUID, now time.Time) *events.Event {
	e := &events.Event{ID: id, Stream: a.stream(k), OccurredAt: now.UTC().Truncate(time.Microsecond), Type: a.Type, Schema: k.Schema,
		Case: a.Case, Jurisdiction: a.Jurisdiction, Actor: a.Actor, Purpose: a.Purpose, LegalBasis: a.LegalBasis, LateReason: a.LateReason,
		RecordedBy: a.RecordedBy, AfterTheFact: a.AfterTheFact, CorrelationID: id, CausationID: a.CausationID, Data: a.Data}
	if a.OccurredAt != nil {
		e.OccurredAt = *a.OccurredAt
	}
	return e
}

// matches reports whether a recorded event is what this action would have made. An action that leaves out when
// it occurred matches whatever the moment of its recording was, and what was erased since matches whatever it was.
func (a *Action) matches(e *events.Event) bool {
	if a.Type != e.Type || a.Case != e.Case || a.Jurisdiction != e.Jurisdiction || a.Actor != e.Actor || a.Purpose != e.Purpose ||
		a.LegalBasis != e.LegalBasis || a.LateReason != e.LateReason || a.AfterTheFact != e.AfterTheFact || a.CausationID != e.CausationID ||
		(a.OccurredAt != nil && !a.OccurredAt.Equal(e.OccurredAt)) {
		return false
	}
	mine, err1 := (&events.Event{Data: a.Data, Withheld: e.Withheld}).Shown()
	theirs, err2 := e.Shown()
	return errors.Join(err1, err2) == nil && string(mine) == string(theirs)
}
