package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/record"
)

type writeInput struct {
	Case           string `path:"n" doc:"the case number" example:"MK-2026-0001"`
	IfMatch        string `header:"If-Match" doc:"the case's revision that the writer has seen, as its ETag says, or * for any; required"`
	IdempotencyKey string `header:"Idempotency-Key" doc:"a key of the caller's own: repeating the request with it records nothing twice"`
	RawBody        []byte
}

type receiptOutput struct {
	Status   int
	ETag     string `header:"ETag"`
	Position string `header:"Traga-Position" doc:"send it as Traga-Min-Position to read your own write"`
	Location string `header:"Location"`
	Body     record.Receipt
}

type checkInput struct {
	Case    string `path:"n" doc:"the case number"`
	RawBody []byte
}

// Verdict is the answer to "would this be lawful?".
type Verdict struct {
	Lawful   bool               `json:"lawful" doc:"true when the action would be recorded and break no safeguard that is checked at once"`
	Recorded bool               `json:"recorded" doc:"true when the action would be recorded"`
	Because  []string           `json:"because" doc:"why it would be refused: invalid, not-allowed, conflict, or the safeguards it would break"`
	Detail   string             `json:"detail,omitempty"`
	Findings []casefile.Finding `json:"findings" doc:"the safeguards that the act breaks; what is reported after the fact is recorded all the same"`
}

type checkOutput struct{ Body Verdict }

func (a *api) recordRoutes(h huma.API) {
	body := &huma.RequestBody{Required: true, Description: "an action record; `case` may be left out, the address says it",
		Content: map[string]*huma.MediaType{"application/json": {Schema: actionSchema()}}}
	operation(a, h, huma.Operation{
		OperationID: "record", Method: http.MethodPost, Path: "/v1/cases/{n}/events", Summary: "Record an action",
		Description: "What is done through traga and would break HR03, HR04, HR05, HR07 or HR26 is refused with the list. " +
			"What happened before is recorded and judged: say so with afterTheFact, or with its occurredAt. The actor is the officer who is " +
			"signed in; a system records for the officers of its own institution and role, and the entry names it.",
		Tags: []string{"Record"}, RequestBody: body, SkipValidateBody: true, DefaultStatus: http.StatusCreated,
		Errors: []int{403, 404, 409, 412, 413, 428, 429, 507},
	}, a.record)
	answers := h.OpenAPI().Paths["/v1/cases/{n}/events"].Post.Responses
	again := *answers["201"]
	again.Description = "It had been recorded before, under the same id or Idempotency-Key; the receipt is that of then"
	answers["200"] = &again
	operation(a, h, huma.Operation{
		OperationID: "check", Method: http.MethodPost, Path: "/v1/cases/{n}/events:check", Summary: "Would this be lawful?",
		Description: "Answers as recording it now would, and records nothing.",
		Tags:        []string{"Record"}, RequestBody: body, SkipValidateBody: true,
	}, a.check)
}

func (a *api) record(ctx context.Context, in *writeInput) (*receiptOutput, error) {
	condition, err := conditionOf(in.IfMatch)
	if err != nil {
		return nil, err
	}
	action, err := parseFor(in.Case, in.RawBody)
	if err != nil {
		return nil, err
	}
	if action.RecordedBy, err = auth.MayRecord(ctx, action.Actor); err != nil {
		return nil, err
	}
	if in.IdempotencyKey != "" {
		if len(in.IdempotencyKey) > 200 {
			return nil, &events.FieldError{Field: "Idempotency-Key", Expected: "at most 200 characters"}
		}
		if action.ID == uuid.Nil {
			action.ID = record.KeyID(action, in.IdempotencyKey)
		}
	}
	receipt, err := a.recorder.Record(ctx, action, condition)
	if err != nil {
		return nil, err
	}
	out := &receiptOutput{Status: http.StatusCreated, ETag: etag(receipt.Revision), Position: receipt.Position.String(),
		Location: "/v1/events/" + receipt.ID.String(), Body: receipt}
	if receipt.Repeated {
		out.Status = http.StatusOK
	}
	return out, nil
}

func (a *api) check(ctx context.Context, in *checkInput) (*checkOutput, error) {
	action, err := parseFor(in.Case, in.RawBody)
	if err != nil {
		return nil, err
	}
	if action.RecordedBy, err = auth.MayRecord(ctx, action.Actor); err != nil {
		return nil, err
	}
	answer, err := a.recorder.Check(ctx, action)
	if err != nil {
		return nil, err
	}
	return &checkOutput{Body: VerdictOf(answer)}, nil
}

// VerdictOf is the answer of the write path for a reader.
func VerdictOf(answer record.Answer) Verdict {
	v := Verdict{Recorded: true, Because: []string{}, Findings: append([]casefile.Finding{}, answer.Findings...)}
	v.Lawful = len(v.Findings) == 0
	if r := answer.Refusal; r != nil {
		v.Recorded, v.Lawful, v.Because, v.Detail = false, false, r.Because, r.Message
	}
	return v
}

// parseFor reads an action record that was sent to a case's address: the address fills in a missing case, and
// another case in it is refused.
func parseFor(number string, body []byte) (*record.Action, error) {
	if _, err := events.ParseCase(number); err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) == nil && len(fields) > 0 && fields["case"] == nil {
		// Only put in front, so that the strict reader still sees every byte that was sent.
		body = slices.Concat([]byte(`{"case":"`+number+`",`), bytes.TrimLeft(body, " \t\r\n")[1:])
	}
	action, err := record.Parse(body)
	if err != nil {
		return nil, err
	}
	if action.Case != number {
		return nil, &events.FieldError{Field: "case", Expected: "the case of the address, " + number, Got: "another one"}
	}
	return action, nil
}

// conditionOf reads If-Match: an ETag made by this API, or * for any revision.
func conditionOf(ifMatch string) (record.Condition, error) {
	switch ifMatch {
	case "":
		return record.Condition{}, problem("precondition-required", `Send If-Match with the ETag of the case that you read, or If-Match: * to write whatever its revision.`)
	case "*":
		return record.AnyRevision, nil
	}
	text, ok := strings.CutPrefix(ifMatch, `"`)
	text, closed := strings.CutSuffix(text, `"`)
	revision, err := strconv.ParseUint(text, 10, 63)
	if !ok || !closed || err != nil {
		return record.Condition{}, &events.FieldError{Field: "If-Match", Expected: `the ETag of the case, such as "12", or *`}
	}
	return record.AtRevision(revision), nil
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// actionSchema describes the action record; the schema of data depends on the type and has an address of its own.
func actionSchema() *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: "string", Description: doc} }
	types := []any{}
	for _, k := range events.Standard().Kinds() {
		if k.Family == events.CaseFamily {
			types = append(types, k.Type)
		}
	}
	return &huma.Schema{Type: "object", AdditionalProperties: false, Required: []string{"type", "actor", "data"}, Properties: map[string]*huma.Schema{
		"id":         {Type: "string", Format: "uuid", Description: "the event's id, if the caller gives it: its idempotency key"},
		"case":       text("the case number"),
		"type":       {Type: "string", Enum: types, Description: "the type of the event; GET /v1/event-types/{t}/schema describes its data"},
		"occurredAt": {Type: "string", Format: "date-time", Description: "when it happened; now when left out"},
		"actor": {Type: "object", AdditionalProperties: false, Required: []string{"officer", "role", "institution"}, Properties: map[string]*huma.Schema{
			"officer": text("the officer's id"), "role": text("the role that the officer acts in"), "institution": text("the institution's id")}},
		"purpose":      text("required where the event shares information"),
		"legalBasis":   text("required where the event shares information"),
		"lateReason":   text("why it is recorded long after it happened"),
		"causationId":  {Type: "string", Format: "uuid", Description: "the event that this one answers"},
		"afterTheFact": {Type: "boolean", Description: "true for an act reported after it was done outside traga"},
		"data":         {Type: "object", Description: "what the type says"},
	}}
}
