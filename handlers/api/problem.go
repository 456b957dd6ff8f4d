package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/timeline"
)

// Problem is an error as RFC 9457 has it. Type is stable: programs may compare it.
type Problem struct {
	Type   string `json:"type" example:"urn:traga:problem:invalid" doc:"a stable name of the kind of problem: urn:traga:problem: and invalid, not-signed-in, denied, reason-required, not-allowed, unlawful, not-found, method-not-allowed, conflict, stale, precondition-required, too-large, too-slow, too-many, unavailable, full or internal"`
	Title  string `json:"title" doc:"the kind of problem in words"`
	Status int    `json:"status" doc:"the HTTP status"`
	Detail string `json:"detail,omitempty" doc:"what was wrong here and what was expected"`
	Field  string `json:"field,omitempty" doc:"the field that was refused, such as data.recipient.role"`
	// Because holds the reasons of a refusal: invalid, not-allowed, conflict, or safeguards such as HR07.
	Because  []string           `json:"because,omitempty" doc:"why an action was refused: invalid, not-allowed, conflict, or the safeguards it would break"`
	Findings []casefile.Finding `json:"findings,omitempty" doc:"the safeguards that the action would break"`
	Revision *uint64            `json:"revision,omitempty" doc:"the case's actual revision, where the expected one was stale"`
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus makes a Problem the answer as it is.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// The kinds of problem. Each has one name, one title and one status.
func problem(kind, detail string) *Problem {
	p := &Problem{Type: "urn:traga:problem:" + kind, Detail: detail}
	switch kind {
	case "invalid":
		p.Status, p.Title = http.StatusBadRequest, "The request is not as expected"
	case "not-signed-in":
		p.Status, p.Title = http.StatusUnauthorized, "Nobody is signed in"
	case "denied":
		p.Status, p.Title = http.StatusForbidden, "This is not open to you"
	case "reason-required":
		p.Status, p.Title = http.StatusForbidden, "This is shown for a stated need only"
	case "not-allowed":
		p.Status, p.Title = http.StatusForbidden, "This may not be recorded by this actor"
	case "unlawful":
		p.Status, p.Title = http.StatusForbidden, "This would break a safeguard"
	case "not-found":
		p.Status, p.Title = http.StatusNotFound, "There is no such thing"
	case "too-slow":
		p.Status, p.Title = http.StatusRequestTimeout, "The request did not come in time"
	case "method-not-allowed":
		p.Status, p.Title = http.StatusMethodNotAllowed, "This address does not take that method"
	case "conflict":
		p.Status, p.Title = http.StatusConflict, "This contradicts what is on record"
	case "stale":
		p.Status, p.Title = http.StatusPreconditionFailed, "The case has moved on"
	case "precondition-required":
		p.Status, p.Title = http.StatusPreconditionRequired, "A write must say which revision it is based on"
	case "too-large":
		p.Status, p.Title = http.StatusRequestEntityTooLarge, "The request is too large"
	case "too-many":
		p.Status, p.Title = http.StatusTooManyRequests, "Too many requests"
	case "unavailable":
		p.Status, p.Title = http.StatusServiceUnavailable, "This can't be answered now; trying again later is safe"
	case "full":
		p.Status, p.Title = http.StatusInsufficientStorage, "There is no room left; nothing of this was stored"
	default:
		p.Type, p.Status, p.Title = "urn:traga:problem:internal", http.StatusInternalServerError, "Something went wrong inside traga"
	}
	return p
}

// problemOf says what an error means to a caller. What is not known to be fit for a caller stays inside: it is
// logged, and the answer is an internal problem without detail.
func (a *api) problemOf(ctx context.Context, operation string, err error) *Problem {
	var (
		known   *Problem
		field   *events.FieldError
		refusal *casefile.Refusal
		stale   *record.PreconditionError
		denied  *consult.DeniedError
	)
	switch {
	case errors.As(err, &known):
		return known
	case evidenceProblem(err) != nil:
		return evidenceProblem(err)
	case errors.Is(err, consult.ErrUnrecorded): // whatever kept it from being recorded
		a.log.ErrorContext(ctx, "a look could not be recorded, so nothing was shown", "operation", operation, "error", err)
		return problem("unavailable", "The look could not be put on record, so nothing is shown.")
	case errors.Is(err, consult.ErrNotSignedIn):
		return problem("not-signed-in", "")
	case errors.As(err, &denied) && denied.NeedsReason:
		return problem("reason-required", "Say why you look: send Traga-Justification.")
	case errors.As(err, &denied):
		return problem("denied", "Cases are open to the institutions that have a part in them, and to oversight by its mandate. The look is on record.")
	case errors.Is(err, consult.ErrNoSuchEvent):
		return problem("not-found", "There is no event with that id.")
	case errors.As(err, &stale):
		p := problem("stale", "The case is at another revision than If-Match says. Read it again and decide anew.")
		if stale.Length > 0 {
			revision := stale.Length - 1
			p.Revision = &revision
		}
		return p
	case errors.As(err, &refusal):
		return refused(refusal)
	case errors.As(err, &field):
		p := problem("invalid", field.Error())
		p.Field = field.Field
		return p
	case errors.Is(err, timeline.ErrNoSuchCase):
		return problem("not-found", "There is no such case, or there was none at that time.")
	case errors.Is(err, events.ErrConflict):
		return problem("conflict", "Someone else was writing to this case. Read it again and decide anew.")
	case errors.Is(err, events.ErrFull):
		return problem("full", "")
	case errors.Is(err, projections.ErrNotBuilt):
		return problem("unavailable", "The read models are still being built from the log.")
	case errors.Is(err, projections.ErrFailed):
		return problem("unavailable", "A read model has stopped; GET /v1/projections says which.")
	case errors.Is(err, events.ErrUnavailable), errors.Is(err, events.ErrClosed), errors.Is(err, projections.ErrClosed),
		errors.Is(err, context.DeadlineExceeded):
		return problem("unavailable", "")
	case errors.Is(err, context.Canceled):
		return problem("unavailable", "The request was cancelled.")
	}
	a.log.ErrorContext(ctx, "a request failed", "operation", operation, "error", err)
	return problem("internal", "")
}

func refused(r *casefile.Refusal) *Problem {
	kind := "unlawful"
	switch {
	case errors.Is(r, casefile.ErrNoSuchCase):
		kind = "not-found"
	case len(r.Findings) == 0:
		kind = r.Because[0] // a structural reason stands alone
	}
	p := problem(kind, r.Message)
	p.Field, p.Because, p.Findings = r.Field, r.Because, r.Findings
	return p
}

// WriteProblem answers with a problem of one of the kinds above, for what stands before the API.
func WriteProblem(w http.ResponseWriter, kind, detail string) { writeProblem(w, problem(kind, detail)) }

// writeProblem answers with a problem where no operation is in charge.
func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	_ = out.Encode(p) // the caller has gone; there is no one left to tell
}
