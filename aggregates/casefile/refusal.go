package casefile

import (
	"errors"
	"slices"
	"strings"

	"traga.internal/events"
)

// The structural reasons to refuse. Of several the first counts, in this order; after them come safeguards
// (safeguards.md, "Settled points").
const (
	// Invalid: malformed, such as a date that does not exist or a live sharing without its purpose.
	Invalid = "invalid"
	// NotAllowed: a wrong role, or acting for another party.
	NotAllowed = "not-allowed"
	// Conflict: an unknown reference, a reused id, a case that is not open.
	Conflict = "conflict"
)

// ErrNoSuchCase is matched by a Refusal of an act on a case that was never opened.
var ErrNoSuchCase = errors.New("no such case was opened")

// Refusal says why an act was not recorded. Nothing of it was stored. Its words never repeat personal data.
type Refusal struct {
	// Because is the exact set of reasons, sorted: one of Invalid, NotAllowed and Conflict, or the ids of the
	// safeguards that the act would break.
	Because []string `json:"because"`
	// Field is the path of the field that is at fault, such as data.notification; empty where none is.
	Field string `json:"field,omitempty"`
	// Message is one plain sentence.
	Message string `json:"message"`
	// Findings has one for each safeguard in Because; empty for other reasons.
	Findings []Finding `json:"findings,omitempty"`
	// Err is what lies beneath, such as an *events.FieldError; it may be nil.
	Err error `json:"-"`
}

// Finding is how an act would break a safeguard.
type Finding struct {
	Safeguard   string            `json:"safeguard"`
	Title       string            `json:"title"`
	Explanation string            `json:"explanation"` // one plain sentence
	Categories  []events.Category `json:"categories"`  // those that may not be shared like that; empty when it is not about categories
}

func (r *Refusal) Error() string {
	s := "refused (" + strings.Join(r.Because, ", ") + "): "
	if r.Field != "" {
		s += r.Field + ": "
	}
	return s + r.Message
}

// Unwrap gives what lies beneath.
func (r *Refusal) Unwrap() error { return r.Err }

// Is makes errors.Is(err, ErrRefused) true.
func (r *Refusal) Is(target error) bool { return target == ErrRefused }

// ErrRefused is matched by every *Refusal.
var ErrRefused = errors.New("refused")

// Malformed is the refusal of an input that can't be read: err is an *events.FieldError, or another error whose
// words hold nothing personal.
func Malformed(err error) *Refusal {
	r := &Refusal{Because: []string{Invalid}, Message: err.Error(), Err: err}
	var field *events.FieldError
	if errors.As(err, &field) {
		r.Field = field.Field
		r.Message = "expected " + field.Expected
		if field.Got != "" {
			r.Message += ", got " + field.Got
		}
	}
	return r
}

// Unlawful is the refusal of a live act that would break safeguards.
func Unlawful(findings []Finding) *Refusal {
	r := &Refusal{Findings: findings}
	var words []string
	for _, f := range findings {
		if !slices.Contains(r.Because, f.Safeguard) {
			r.Because = append(r.Because, f.Safeguard)
		}
		words = append(words, f.Safeguard+": "+f.Explanation)
	}
	slices.Sort(r.Because)
	r.Message = strings.Join(words, " ")
	return r
}

// verdict collects the first fault of each structural kind, so that the gravest kind counts whatever the order
// in which the rules were looked at.
type verdict struct{ invalid, notAllowed, conflict *Refusal }

func (v *verdict) malformed(field, expected, got string) {
	if v.invalid == nil {
		v.invalid = Malformed(&events.FieldError{Field: field, Expected: expected, Got: got})
	}
}

func (v *verdict) forbid(field, message string) {
	if v.notAllowed == nil {
		v.notAllowed = &Refusal{Because: []string{NotAllowed}, Field: field, Message: message}
	}
}

func (v *verdict) clash(field, message string, err error) {
	if v.conflict == nil {
		v.conflict = &Refusal{Because: []string{Conflict}, Field: field, Message: message, Err: err}
	}
}

// add takes in a refusal that was made elsewhere.
func (v *verdict) add(r *Refusal) {
	for kind, mine := range map[string]**Refusal{Invalid: &v.invalid, NotAllowed: &v.notAllowed, Conflict: &v.conflict} {
		if *mine == nil && slices.Contains(r.Because, kind) {
			*mine = r
		}
	}
}

// adopt takes over the faults of a replacement, whose fields stand one level deeper.
func (v *verdict) adopt(inner *verdict) {
	deeper := func(mine **Refusal, r *Refusal) {
		if *mine == nil && r != nil {
			if rest, ok := strings.CutPrefix(r.Field, "data."); ok {
				r.Field = "data.replacement." + rest
			}
			*mine = r
		}
	}
	deeper(&v.invalid, inner.invalid)
	deeper(&v.notAllowed, inner.notAllowed)
	deeper(&v.conflict, inner.conflict)
}

// refusal is the one that counts; nil when no rule was broken.
func (v *verdict) refusal() *Refusal {
	for _, r := range []*Refusal{v.invalid, v.notAllowed, v.conflict} {
		if r != nil {
			return r
		}
	}
	return nil
}
