package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/handlers/consult"
)

// Record is an event as stored, for a reader.
type Record struct {
	ID            uuid.UUID           `json:"id"`
	Type          string              `json:"type"`
	Schema        int                 `json:"schema"`
	Case          string              `json:"case,omitempty"`
	Jurisdiction  events.Jurisdiction `json:"jurisdiction,omitempty"`
	Stream        string              `json:"stream"`
	Revision      uint64              `json:"revision"`
	Position      events.Position     `json:"position"`
	OccurredAt    time.Time           `json:"occurredAt"`
	RecordedAt    time.Time           `json:"recordedAt"`
	Actor         events.Actor        `json:"actor"`
	Purpose       *events.Purpose     `json:"purpose"`
	LegalBasis    *events.LegalBasis  `json:"legalBasis"`
	LateReason    *string             `json:"lateReason"`
	RecordedBy    *string             `json:"recordedBy" doc:"the system that recorded it for the actor; null when the actor did"`
	AfterTheFact  bool                `json:"afterTheFact"`
	CorrelationID uuid.UUID           `json:"correlationId"`
	CausationID   *uuid.UUID          `json:"causationId"`
	Data          json.RawMessage     `json:"data"`
}

// RecordOf is an event for a reader; what is withheld from its data is shown as withheld.
func RecordOf(e *events.Event) (Record, error) {
	data, err := e.Shown()
	if err != nil {
		return Record{}, err
	}
	return Record{ID: e.ID, Type: e.Type, Schema: e.Schema, Case: e.Case, Jurisdiction: e.Jurisdiction, Stream: e.Stream, Revision: e.Revision,
		Position: e.Position, OccurredAt: e.OccurredAt.UTC(), RecordedAt: e.RecordedAt.UTC(), Actor: e.Actor,
		Purpose: orNull(e.Purpose), LegalBasis: orNull(e.LegalBasis), LateReason: orNull(e.LateReason), RecordedBy: orNull(e.RecordedBy), AfterTheFact: e.AfterTheFact,
		CorrelationID: e.CorrelationID, CausationID: orNull(e.CausationID), Data: json.RawMessage(data)}, nil
}

func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Causes finds what led to an event: the event itself first, then what caused it, then what caused that. An
// event that does not exist gives nothing. It shows everything: it is for the owner of the store's files.
func Causes(ctx context.Context, log Log, id uuid.UUID) ([]Record, error) {
	chain := []Record{}
	for id != uuid.Nil && !slices.ContainsFunc(chain, func(r Record) bool { return r.ID == id }) {
		r, ok, err := find(ctx, log, id)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		chain = append(chain, r)
		id = uuid.Nil
		if r.CausationID != nil {
			id = *r.CausationID
		}
	}
	return chain, nil
}

func find(ctx context.Context, log Log, id uuid.UUID) (Record, bool, error) {
	stored, ok, err := log.Lookup(ctx, id)
	if err != nil || !ok {
		return Record{}, false, err
	}
	e, err := events.Decode(&stored)
	if err != nil {
		return Record{}, false, err
	}
	r, err := RecordOf(e)
	return r, err == nil, err
}

type eventInput struct {
	Why
	ID uuid.UUID `path:"id" format:"uuid" doc:"the event's id"`
}

type eventOutput struct{ Body Record }

type causesOutput struct{ Body []Record }

// EventType is an entry of the catalogue.
type EventType struct {
	Type   string              `json:"type"`
	Family events.StreamFamily `json:"family"`
	Schema int                 `json:"schema"`
	By     []events.Role       `json:"by" doc:"the roles that may record it"`
	Shares bool                `json:"shares" doc:"true when it hands information over: purpose and legal basis are then required"`
}

// EventTypes lists the catalogue.
func EventTypes() []EventType {
	list := []EventType{}
	for _, k := range events.Standard().Kinds() {
		t := EventType{Type: k.Type, Family: k.Family, Schema: k.Schema, By: []events.Role{}, Shares: k.Shares}
		for _, r := range events.Roles() {
			if k.Allows(r) {
				t.By = append(t.By, r)
			}
		}
		list = append(list, t)
	}
	return list
}

type typesOutput struct{ Body []EventType }

type schemaInput struct {
	Type string `path:"t" doc:"the type of the event" example:"NotificationSent"`
}

type schemaOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

type feedInput struct {
	Why
	After string `query:"after" doc:"the cursor of the page before; the beginning when left out"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"how many at most"`
}

// CloudEvent is an event in the form of CloudEvents 1.0. Its data is a Notice: what happened, not what it says.
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              uuid.UUID `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject,omitempty"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            Notice    `json:"data"`
}

// CloudEventOf is what a feed shows of an event, here and through a broker.
func CloudEventOf(e *events.Event) CloudEvent {
	return CloudEvent{SpecVersion: "1.0", ID: e.ID, Source: "/traga", Type: "traga." + e.Type, Subject: e.Case,
		Time: e.RecordedAt.UTC(), DataContentType: "application/json", Data: NoticeOf(e)}
}

type feedOutput struct {
	ContentType string   `header:"Content-Type"`
	Link        []string `header:"Link"`
	Body        []byte
}

func (a *api) eventRoutes(h huma.API) {
	get := func(id, path, summary, description string, errors ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Description: description,
			Tags: []string{"Events"}, Errors: errors}
	}
	operation(a, h, get("event", "/v1/events/{id}", "One event", "As it was stored; what the reader may not see is shown as withheld, with its category and whom to ask.", 404),
		func(ctx context.Context, in *eventInput) (*eventOutput, error) {
			reason, err := in.reason()
			if err != nil {
				return nil, err
			}
			e, err := a.desk.Event(ctx, in.ID, reason)
			if err != nil {
				return nil, err
			}
			r, err := RecordOf(e)
			return &eventOutput{Body: r}, err
		})
	operation(a, h, get("event-causes", "/v1/events/{id}/causes", "What led to an event", "The event first, then what caused it, then what caused that.", 404),
		func(ctx context.Context, in *eventInput) (*causesOutput, error) {
			reason, err := in.reason()
			if err != nil {
				return nil, err
			}
			chain, err := a.desk.Causes(ctx, in.ID, reason)
			if err != nil {
				return nil, err
			}
			list := make([]Record, len(chain))
			for i, e := range chain {
				if list[i], err = RecordOf(e); err != nil {
					return nil, err
				}
			}
			return &causesOutput{Body: list}, nil
		})
	operation(a, h, get("event-types", "/v1/event-types", "The catalogue of events", ""),
		func(context.Context, *struct{}) (*typesOutput, error) { return &typesOutput{Body: EventTypes()}, nil })
	schema := get("event-schema", "/v1/event-types/{t}/schema", "The JSON Schema of an event's data", "", 404)
	schema.Responses = map[string]*huma.Response{"200": {Description: "a JSON Schema, draft 2020-12", Content: map[string]*huma.MediaType{
		"application/schema+json": {Schema: &huma.Schema{Type: huma.TypeObject}}}}}
	operation(a, h, schema,
		func(_ context.Context, in *schemaInput) (*schemaOutput, error) {
			k, ok := events.KindOf(in.Type)
			if !ok {
				return nil, problem("not-found", "The catalogue has no such type; GET /v1/event-types lists them.")
			}
			return &schemaOutput{ContentType: "application/schema+json", Body: k.JSONSchema()}, nil
		})
	feed := get("feed", "/v1/feed", "What was recorded, in order, as CloudEvents", "For programs that follow the log without a broker. Follow Link: rel=next; an empty page means that nothing new is there yet.")
	feed.Responses = map[string]*huma.Response{"200": {Description: "a batch of CloudEvents", Content: map[string]*huma.MediaType{
		"application/cloudevents-batch+json": {Schema: h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[[]CloudEvent](), true, "Feed")}}}}
	operation(a, h, feed, a.feed)
}

// ofCases are the events of the cases: not those of the access log, the directory and the protocol.
func ofCases() events.Filter { return events.Filter{StreamPrefixes: []string{"case-"}} }

func (a *api) feed(ctx context.Context, in *feedInput) (*feedOutput, error) {
	after := events.Start
	if in.After != "" {
		p, err := events.ParsePosition(in.After)
		if err != nil {
			return nil, &events.FieldError{Field: "after", Expected: "the cursor of a page before"}
		}
		after = p
	}
	reason, err := in.reason()
	if err != nil {
		return nil, err
	}
	follower, err := a.desk.Follow(ctx, reason)
	if err != nil {
		return nil, err
	}
	var page events.Page
	var known []*events.Event
	for more := true; more && len(known) == 0; more = page.More { // an empty page says that the end was reached
		if page, err = a.store.ReadAll(ctx, after, in.Limit, ofCases()); err != nil {
			return nil, err
		}
		if known, err = decodeKnown(ctx, follower, &page); err != nil {
			return nil, err
		}
		after = page.Scanned
	}
	if len(known) > 0 {
		if err := follower.Record(ctx, "feed"); err != nil {
			return nil, err
		}
	}
	batch := []CloudEvent{}
	for _, e := range known {
		batch = append(batch, CloudEventOf(e))
	}
	body, err := json.Marshal(batch)
	if err != nil {
		return nil, err
	}
	next := url.Values{"after": {page.Scanned.String()}, "limit": {strconv.Itoa(in.Limit)}}
	return &feedOutput{ContentType: "application/cloudevents-batch+json", Link: []string{linkTo("/v1/feed", next)}, Body: body}, nil
}

// decodeKnown are the events of a page of which the one who follows may know.
func decodeKnown(ctx context.Context, f *consult.Follower, page *events.Page) ([]*events.Event, error) {
	all := make([]*events.Event, len(page.Events))
	for i := range page.Events {
		var err error
		if all[i], err = events.Decode(&page.Events[i]); err != nil {
			return nil, err
		}
	}
	return f.Known(ctx, all, page.Scanned)
}
