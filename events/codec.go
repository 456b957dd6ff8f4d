package events

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Errors of reading an event back.
var (
	// ErrUnknownType: the catalogue has no such type.
	ErrUnknownType = errors.New("unknown type of event")
	// ErrNewerSchema: a newer version of traga wrote the event.
	ErrNewerSchema = errors.New("a newer version of traga wrote this event")
)

// metadata is the envelope as it is stored beside the data. The id, the type and recordedAt are the store's.
type metadata struct {
	Schema        int          `json:"schema"`
	Case          string       `json:"case,omitzero"`
	Jurisdiction  Jurisdiction `json:"jurisdiction,omitzero"`
	OccurredAt    time.Time    `json:"occurredAt"`
	Actor         Actor        `json:"actor"`
	Purpose       Purpose      `json:"purpose,omitzero"`
	LegalBasis    LegalBasis   `json:"legalBasis,omitzero"`
	LateReason    string       `json:"lateReason,omitzero"`
	RecordedBy    string       `json:"recordedBy,omitzero"`
	AfterTheFact  bool         `json:"afterTheFact,omitzero"`
	CorrelationID uuid.UUID    `json:"correlationId"`
	CausationID   uuid.UUID    `json:"causationId,omitzero"`
}

// Encode makes the stored form of an event. It writes the current schema; ID, Type, Data and the envelope must
// be set, and what the store assigns (stream, revision, position, recordedAt) is ignored. The same event
// always gives the same bytes.
func Encode(e *Event) (Proposed, error) {
	k, ok := KindOf(e.Type)
	if !ok {
		return Proposed{}, fmt.Errorf("%w: %s", ErrUnknownType, printable(e.Type))
	}
	if t := reflect.TypeOf(e.Data); t != reflect.PointerTo(k.goType) {
		return Proposed{}, fmt.Errorf("encode %s: the data is a %v", e.Type, t)
	}
	m, err := json.Marshal(metadata{Schema: k.Schema, Case: e.Case, Jurisdiction: jurisdictionToStore(e), OccurredAt: e.OccurredAt,
		Actor: e.Actor, Purpose: e.Purpose, LegalBasis: e.LegalBasis, LateReason: e.LateReason, RecordedBy: e.RecordedBy, AfterTheFact: e.AfterTheFact,
		CorrelationID: e.CorrelationID, CausationID: e.CausationID}, json.Deterministic(true))
	if err != nil {
		return Proposed{}, fmt.Errorf("encode the envelope of a %s: %w", e.Type, err)
	}
	d, err := json.Marshal(e.Data, json.Deterministic(true))
	if err != nil {
		return Proposed{}, fmt.Errorf("encode the data of a %s: %w", e.Type, err)
	}
	return Proposed{ID: e.ID, Type: e.Type, Metadata: []byte(m), Data: []byte(d)}, nil
}

func jurisdictionToStore(e *Event) Jurisdiction {
	if e.Case != "" {
		return "" // the case number says it
	}
	return e.Jurisdiction
}

// Decode reads a stored event with the Standard catalogue.
func Decode(r *Recorded) (*Event, error) { return Standard().Decode(r) }

// Decode reads a stored event, upcasting older schemas. Its errors match ErrUnknownType, ErrNewerSchema or
// ErrDamaged, and name the event by id.
func (c *Catalogue) Decode(r *Recorded) (*Event, error) {
	e, err := c.decode(r)
	if err != nil {
		return nil, fmt.Errorf("read event %s (%s, position %s): %w", r.ID, printable(r.Type), r.Position, err)
	}
	return e, nil
}

func (c *Catalogue) decode(r *Recorded) (*Event, error) {
	k, ok := c.byType[r.Type]
	if !ok {
		return nil, ErrUnknownType
	}
	var m metadata
	if err := json.Unmarshal(r.Metadata, &m, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: its envelope can't be read: %w", ErrDamaged, withoutValue(err))
	}
	data := jsontext.Value(r.Data)
	switch {
	case m.Schema > k.Schema:
		return nil, fmt.Errorf("%w: schema %d, and this version knows up to %d", ErrNewerSchema, m.Schema, k.Schema)
	case m.Schema < 1:
		return nil, fmt.Errorf("%w: schema %d", ErrDamaged, m.Schema)
	}
	for _, step := range k.upcasts[m.Schema-1:] {
		var err error
		if data, err = step(data); err != nil {
			return nil, fmt.Errorf("%w: upcast from schema %d: %w", ErrDamaged, m.Schema, err)
		}
	}
	v, withheld, err := k.read(data)
	if err != nil {
		return nil, fmt.Errorf("%w: its data can't be read: %w", ErrDamaged, err)
	}
	e := &Event{ID: r.ID, Stream: r.Stream, Revision: r.Revision, Position: r.Position, RecordedAt: r.RecordedAt,
		OccurredAt: m.OccurredAt, Type: r.Type, Schema: m.Schema, Case: m.Case, Jurisdiction: m.Jurisdiction, Actor: m.Actor,
		Purpose: m.Purpose, LegalBasis: m.LegalBasis, LateReason: m.LateReason, RecordedBy: m.RecordedBy, AfterTheFact: m.AfterTheFact,
		CorrelationID: m.CorrelationID, CausationID: m.CausationID, Data: v, Withheld: withheld}
	if e.Case != "" {
		j, err := ParseCase(e.Case)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		e.Jurisdiction = j
	}
	return e, nil
}

// withoutValue keeps of a JSON error where it happened, never the value, which may be personal data.
func withoutValue(err error) error {
	var sem *json.SemanticError
	if errors.As(err, &sem) {
		return fmt.Errorf("at %s: not a %v", sem.JSONPointer, sem.GoType)
	}
	var syn *jsontext.SyntacticError
	if errors.As(err, &syn) {
		return fmt.Errorf("at %s, byte %d: not valid JSON", syn.JSONPointer, syn.ByteOffset)
	}
	return errors.New("not valid JSON")
}

// ParseData reads the data of an action record strictly; the error is a *FieldError whose path begins with
// "data", or matches ErrUnknownType. The result is a pointer to the catalogue's Go type.
func ParseData(eventType string, data []byte) (any, error) { return parseData(eventType, data, "data") }

// ParseReplacement reads the replacement of an EntryCorrected: it has the type of the entry that it corrects.
func ParseReplacement(eventType string, data []byte) (any, error) {
	return parseData(eventType, data, "data.replacement")
}

func parseData(eventType string, data []byte, at string) (any, error) {
	k, ok := KindOf(eventType)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownType, printable(eventType))
	}
	v := reflect.New(k.goType).Interface()
	if err := readStrict(data, k.shape, v, at); err != nil {
		return nil, err
	}
	return v, nil
}
