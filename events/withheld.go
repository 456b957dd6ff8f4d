package events

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Why a field of an event is withheld.
const (
	Erased = "erased" // its key was destroyed: nobody can read it any more
	Hidden = "hidden" // this reader may not see it; others may
)

// Withheld is a field of an event's data that is not shown; the Go field then has its zero value. That it is withheld is
// always shown, with the category and, of a hidden field, whom to ask.
type Withheld struct {
	Pointer  string    // where it is: a JSON Pointer (RFC 6901) into the data, such as /needs/0/note
	Category Category  // under which it is protected
	Reason   string    // Erased or Hidden
	Receipt  uuid.UUID // of an erased field: the id of the PersonalDataErased event
	Ask      Role      // of a hidden field: who may be asked for it
}

// withheldJSON is what stands in the place of a withheld field.
type withheldJSON struct {
	Withheld struct {
		Reason   string    `json:"reason"`
		Category Category  `json:"category"`
		Receipt  uuid.UUID `json:"receipt,omitzero"`
		Ask      Role      `json:"ask,omitzero"`
	} `json:"withheld"`
}

// MarshalJSON is the object that readers find in the place of the field:
// {"withheld":{"reason":"hidden","category":"health","ask":"prison-health"}}.
func (w Withheld) MarshalJSON() ([]byte, error) {
	var v withheldJSON
	v.Withheld.Reason, v.Withheld.Category, v.Withheld.Receipt, v.Withheld.Ask = w.Reason, w.Category, w.Receipt, w.Ask
	return json.Marshal(v)
}

// Shown is the event's data as JSON for a reader: what is withheld has a Withheld object in its place, also where the
// field itself would be left out.
func (e *Event) Shown() (jsontext.Value, error) {
	data, err := json.Marshal(e.Data, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("show the data of a %s: %w", e.Type, err)
	}
	if len(e.Withheld) == 0 {
		return data, nil
	}
	var out bytes.Buffer
	to := jsontext.NewEncoder(&out)
	if err := cover(jsontext.NewDecoder(bytes.NewReader(data)), to, "", e.Withheld); err != nil {
		return nil, fmt.Errorf("show the data of a %s: %w", e.Type, withoutValue(err))
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// cover copies the next value, which stands at the pointer at, with the withheld ones covered.
func cover(from *jsontext.Decoder, to *jsontext.Encoder, at jsontext.Pointer, withheld []Withheld) error {
	inside := func(w Withheld) bool { return strings.HasPrefix(w.Pointer, string(at)+"/") }
	if i := slices.IndexFunc(withheld, func(w Withheld) bool { return w.Pointer == string(at) }); i >= 0 {
		if err := from.SkipValue(); err != nil {
			return err
		}
		return json.MarshalEncode(to, withheld[i])
	}
	kind := from.PeekKind()
	if kind != '{' && kind != '[' || !slices.ContainsFunc(withheld, inside) {
		v, err := from.ReadValue()
		if err != nil {
			return err
		}
		return to.WriteValue(v)
	}
	begin, err := from.ReadToken()
	if err != nil {
		return err
	}
	if err := to.WriteToken(begin); err != nil {
		return err
	}
	var names []string
	for n := 0; from.PeekKind() != '}' && from.PeekKind() != ']'; n++ {
		name := fmt.Sprint(n)
		if kind == '{' {
			token, err := from.ReadToken()
			if err != nil {
				return err
			}
			name = token.String()
			names = append(names, name)
			if err := to.WriteToken(jsontext.String(name)); err != nil {
				return err
			}
		}
		if err := cover(from, to, at.AppendToken(name), withheld); err != nil {
			return err
		}
	}
	if kind == '{' { // what is left out because it is empty is withheld all the same
		for _, w := range withheld {
			p := jsontext.Pointer(w.Pointer)
			if w.Pointer == "" || p.Parent() != at || slices.Contains(names, p.LastToken()) {
				continue
			}
			if err := to.WriteToken(jsontext.String(p.LastToken())); err != nil {
				return err
			}
			if err := json.MarshalEncode(to, w); err != nil {
				return err
			}
		}
	}
	end, err := from.ReadToken()
	if err != nil {
		return err
	}
	return to.WriteToken(end)
}
