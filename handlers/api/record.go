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
	body := recordBody(events.CaseFamily)
	operation(a, h, huma.Operation{
		OperationID: "record", Method: http.MethodPost, Path: "/v1/cases/{n}/events", Summary: "Record an action",
		Description: "What is done through traga and would break HR03, HR04, HR05, HR07 or HR26 is refused with the list. " +
			"What happened before is recorded and judged: say so with afterTheFact, or with its occurredAt. The actor is the officer who is " +
			"signed in; a system records for the officers of its own institution and role, and the entry names it.",
		Tags: []string{"Record"}, RequestBody: body, SkipValidateBody: true, DefaultStatus: http.StatusCreated,
		Errors: []int{403, 404, 409, 412, 413, 428, 429, 507},
	}, a.record)
	alsoRepeated(h, "/v1/cases/{n}/events")
	operation(a, h, huma.Operation{
		OperationID: "check", Method: http.MethodPost, Path: "/v1/cases/{n}/events:check", Summary: "Would this be lawful?",
		Description: "Answers as recording it now would, and records nothing.",
		Tags:        []string{"Record"}, RequestBody: body, SkipValidateBody: true,
	}, a.check)
}

// recordBody describes an action record that is sent to an address of a case, or of a directory.
func recordBody(family events.StreamFamily) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Description: "an action record; whose it is, its `case` or `jurisdiction`, may be left out: the address says it",
		Content: map[string]*huma.MediaType{"application/json": {Schema: actionSchema(family)}}}
}

// alsoRepeated adds to the document that a request may be answered as it was before.
func alsoRepeated(h huma.API, path string) {
	answers := h.OpenAPI().Paths[path].Post.Responses
	again := *answers["201"]
	again.Description = "It had been recorded before, under the same id or Idempotency-Key; the receipt is that of then"
	answers["200"] = &again
}

func (a *api) record(ctx context.Context, in *writeInput) (*receiptOutput, error) {
	return a.recordAt(ctx, addressOf{"case", in.Case, events.CaseFamily}, in.IfMatch, in.IdempotencyKey, in.RawBody)
}

// recordAt records an action that was sent to an address.
func (a *api) recordAt(ctx context.Context, at addressOf, ifMatch, key string, body []byte) (*receiptOutput, error) {
	condition, err := conditionOf(ifMatch)
	if err != nil {
		return nil, err
	}
	action, err := at.parse(body)
	if err != nil {
		return nil, err
	}
	if err := a.mayRecord(ctx, action); err != nil {
		return nil, err
	}
	if key != "" {
		if len(key) > 200 {
			return nil, &events.FieldError{Field: "Idempotency-Key", Expected: "at most 200 characters"}
		}
		if action.ID == uuid.Nil {
			action.ID = record.KeyID(action, key)
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

// mayRecord checks that the one who asks may record for the action's actor, and in its case.
func (a *api) mayRecord(ctx context.Context, action *record.Action) (err error) {
	if action.RecordedBy, err = auth.MayRecord(ctx, action.Actor); err != nil || action.Case == "" {
		return err
	}
	return a.desk.MayRecord(ctx, action)
}

func (a *api) check(ctx context.Context, in *checkInput) (*checkOutput, error) {
	return a.checkAt(ctx, addressOf{"case", in.Case, events.CaseFamily}, in.RawBody)
}

func (a *api) checkAt(ctx context.Context, at addressOf, body []byte) (*checkOutput, error) {
	action, err := at.parse(body)
	if err != nil {
		return nil, err
	}
	if err := a.mayRecord(ctx, action); err != nil {
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

// addressOf is whose events an address takes: a case's, or those of a jurisdiction's directory.
type addressOf struct {
	field, value string // of the action record
	family       events.StreamFamily
}

// parse reads an action record that was sent to the address, which fills in whose it is where the record does not
// say; another one's, or an event of another kind of stream, is refused.
func (at addressOf) parse(body []byte) (*record.Action, error) {
	if at.family == events.CaseFamily {
		if _, err := events.ParseCase(at.value); err != nil {
			return nil, err
		}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) == nil && len(fields) > 0 && fields[at.field] == nil {
		// Only put in front, so that the strict reader still sees every byte that was sent.
		body = slices.Concat([]byte(`{"`+at.field+`":"`+at.value+`",`), bytes.TrimLeft(body, " \t\r\n")[1:])
	}
	action, err := record.Parse(body)
	if err != nil {
		return nil, err
	}
	if k, _ := events.KindOf(action.Type); at.family != events.CaseFamily && k.Family != at.family {
		return nil, &events.FieldError{Field: "type", Expected: "a type of event of the " + string(at.family), Got: "another one"}
	}
	whose := action.Case
	if at.field == "jurisdiction" {
		whose = string(action.Jurisdiction)
	}
	if whose != at.value {
		return nil, &events.FieldError{Field: at.field, Expected: "the " + at.field + " of the address, " + at.value, Got: "another one"}
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
func actionSchema(family events.StreamFamily) *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: "string", Description: doc} }
	types := []any{}
	for _, k := range events.Standard().Kinds() {
		if k.Family == family {
			types = append(types, k.Type)
		}
	}
	return &huma.Schema{Type: "object", AdditionalProperties: false, Required: []string{"type", "actor", "data"}, Properties: map[string]*huma.Schema{
		"id":   {Type: "string", Format: "uuid", Description: "the event's id, if the caller gives it: its idempotency key"},
		"case": text("the case number"), "jurisdiction": text("the jurisdiction, for its directory"),
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
