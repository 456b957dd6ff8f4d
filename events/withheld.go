package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

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
	At       time.Time // of an erased field: when its key was destroyed, in UTC
	Ask      Role      // of a hidden field: who may be asked for it
}

// withheldJSON is what stands in the place of a withheld field.
type withheldJSON struct {
	Withheld struct {
		Reason   string    `json:"reason"`
		Category Category  `json:"category"`
		Receipt  uuid.UUID `json:"receipt,omitzero"`
		At       time.Time `json:"at,omitzero"`
		Ask      Role      `json:"ask,omitzero"`
	} `json:"withheld"`
}

// MarshalJSON is the object that readers find in the place of the field:
// {"withheld":{"reason":"hidden","category":"health","ask":"prison-health"}}.
func (w Withheld) MarshalJSON() ([]byte, error) {
	var v withheldJSON
	v.Withheld.Reason, v.Withheld.Category, v.Withheld.Receipt, v.Withheld.At, v.Withheld.Ask = w.Reason, w.Category, w.Receipt, w.At, w.Ask
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

const withheldBegin = `{"withheld":{`

// readWithheld reads the object that stands in a withheld field's place.
func readWithheld(v []byte, pointer string) (Withheld, error) {
	var o withheldJSON
	if err := json.Unmarshal(v, &o, json.RejectUnknownMembers(true)); err != nil || (o.Withheld.Reason != Erased && o.Withheld.Reason != Hidden) {
		return Withheld{}, fmt.Errorf("at %s: what is withheld is not said as it should be", pointer)
	}
	return Withheld{Pointer: pointer, Category: o.Withheld.Category, Reason: o.Withheld.Reason, Receipt: o.Withheld.Receipt,
		At: o.Withheld.At, Ask: o.Withheld.Ask}, nil
}

// withoutWithheld takes the withheld fields out of data. Those in a part of the data that has no Go type, the
// replacement of an EntryCorrected, are listed and stay. A user's own text can't be taken for one: a quotation mark
// in it is escaped, and no type has an object of this form.
func withoutWithheld(data []byte, stay string) ([]byte, []Withheld, error) {
	if !bytes.Contains(data, []byte(withheldBegin)) {
		return data, nil, nil
	}
	var (
		list []Withheld
		out  bytes.Buffer
		d    = jsontext.NewDecoder(bytes.NewReader(data))
		e    = jsontext.NewEncoder(&out)
	)
	for {
		var name *jsontext.Token
		if kind, n := d.StackIndex(d.StackDepth()); kind == '{' && n%2 == 0 && d.PeekKind() == '"' {
			t, err := d.ReadToken()
			if err != nil {
				return nil, nil, err
			}
			t = t.Clone()
			name = &t
		}
		if d.PeekKind() == '{' && bytes.HasPrefix(bytes.TrimLeft(data[d.InputOffset():], " \t\r\n:,"), []byte(withheldBegin)) {
			v, err := d.ReadValue()
			if err != nil {
				return nil, nil, err
			}
			w, err := readWithheld(v, string(d.StackPointer()))
			if err != nil {
				return nil, nil, err
			}
			list = append(list, w)
			if stay == "" || !within(w.Pointer, stay) {
				continue // the name goes with it
			}
			if name != nil {
				if err := e.WriteToken(*name); err != nil {
					return nil, nil, err
				}
			}
			if err := e.WriteValue(v); err != nil {
				return nil, nil, err
			}
			continue
		}
		if name != nil {
			if err := e.WriteToken(*name); err != nil {
				return nil, nil, err
			}
		}
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return bytes.TrimSpace(out.Bytes()), list, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if err := e.WriteToken(t); err != nil {
			return nil, nil, err
		}
	}
}

func within(pointer, parent string) bool {
	return jsontext.Pointer(parent).Contains(jsontext.Pointer(pointer))
}

// ReadReplacement reads the replacement of a recorded EntryCorrected, of which parts may be withheld; their pointers
// begin at the replacement. ParseReplacement is for what is not recorded yet.
func ReadReplacement(eventType string, data []byte) (any, []Withheld, error) {
	k, ok := KindOf(eventType)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %s", ErrUnknownType, printable(eventType))
	}
	if !bytes.Contains(data, []byte(withheldBegin)) {
		v, err := ParseReplacement(eventType, data)
		return v, nil, err
	}
	v, list, err := k.read(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read a replacement: %w", err)
	}
	return v, list, nil
}

// read makes the Go value of stored data of the current schema, and lists what is withheld.
func (k *Kind) read(data []byte) (any, []Withheld, error) {
	var withheld []Withheld
	if k.Family == CaseFamily {
		stay := ""
		if k.corrects() {
			stay = "/replacement"
		}
		var err error
		if data, withheld, err = withoutWithheld(data, stay); err != nil {
			return nil, nil, withoutValue(err)
		}
	}
	v := reflect.New(k.goType).Interface()
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(true)); err != nil {
		return nil, nil, withoutValue(err)
	}
	return v, withheld, nil
}
