package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Withheld is a protected field that is not shown. The Go field then has its zero value, which says nothing about
// what the field holds; in JSON, {"withheld":{…}} stands in the field's place.
type Withheld struct {
	// Pointer is the field's place in the data as a JSON pointer (RFC 6901), such as /needs/0/note.
	Pointer  string
	Category Category
	Reason   WithheldReason
	// Receipt, of an erased field, is the id of the PersonalDataErased event.
	Receipt uuid.UUID
	// Ask, of a hidden field, is the role of those who can be asked for it.
	Ask Role
}

// WithheldReason says why a field is not shown.
type WithheldReason string

const (
	// Erased: the key to the field was destroyed; nobody can read it any more.
	Erased WithheldReason = "erased"
	// Hidden: whoever asks may not see it.
	Hidden WithheldReason = "hidden"
)

// withheldObject is how a withheld field stands in JSON.
type withheldObject struct {
	Withheld struct {
		Reason   WithheldReason `json:"reason"`
		Category Category       `json:"category"`
		Receipt  uuid.UUID      `json:"receipt,omitzero"`
		Ask      Role           `json:"ask,omitzero"`
	} `json:"withheld"`
}

// MarshalJSON writes what stands in the field's place.
func (w Withheld) MarshalJSON() ([]byte, error) {
	var o withheldObject
	o.Withheld.Reason, o.Withheld.Category, o.Withheld.Receipt, o.Withheld.Ask = w.Reason, w.Category, w.Receipt, w.Ask
	return json.Marshal(o)
}

const withheldBegin = `{"withheld":{`

// readWithheld reads the object that stands in a withheld field's place.
func readWithheld(v []byte, pointer string) (Withheld, error) {
	var o withheldObject
	if err := json.Unmarshal(v, &o, json.RejectUnknownMembers(true)); err != nil || (o.Withheld.Reason != Erased && o.Withheld.Reason != Hidden) {
		return Withheld{}, fmt.Errorf("at %s: what is withheld is not said as it should be", pointer)
	}
	return Withheld{Pointer: pointer, Category: o.Withheld.Category, Reason: o.Withheld.Reason, Receipt: o.Withheld.Receipt, Ask: o.Withheld.Ask}, nil
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

// MarshalData writes an event's data for a reader: in the place of each withheld field stands {"withheld":{…}}.
func MarshalData(data any, withheld []Withheld) (jsontext.Value, error) {
	v, err := json.Marshal(data, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write the data of an event: %w", err)
	}
	if len(withheld) == 0 {
		return v, nil
	}
	left := make(map[jsontext.Pointer]jsontext.Value, len(withheld))
	for _, w := range withheld {
		if left[jsontext.Pointer(w.Pointer)], err = w.MarshalJSON(); err != nil {
			return nil, fmt.Errorf("write the data of an event: %w", err)
		}
	}
	if v, err = place(v, left); err == nil && len(left) > 0 {
		err = errors.New("a withheld field has no place in it")
	}
	if err != nil {
		return nil, fmt.Errorf("write the data of an event: %w", err)
	}
	return v, nil
}

// place writes values at their pointers, also where the data leaves an empty field out, and takes them off the map.
func place(data []byte, left map[jsontext.Pointer]jsontext.Value) ([]byte, error) {
	var out bytes.Buffer
	d, e := jsontext.NewDecoder(bytes.NewReader(data)), jsontext.NewEncoder(&out)
	for {
		kind, n := d.StackIndex(d.StackDepth())
		if kind == '{' && n%2 == 0 && d.PeekKind() == '}' { // the end of an object: what it left out
			_, at := d.StackIndex(d.StackDepth())
			parent := d.StackPointer()
			if at > 0 { // the pointer is that of the last member
				parent = parent.Parent()
			}
			for _, p := range sortedChildren(left, parent) {
				if err := e.WriteToken(jsontext.String(p.LastToken())); err != nil {
					return nil, err
				}
				if err := e.WriteValue(left[p]); err != nil {
					return nil, err
				}
				delete(left, p)
			}
		}
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return bytes.TrimSpace(out.Bytes()), nil
		}
		if err != nil {
			return nil, err
		}
		if err := e.WriteToken(t); err != nil {
			return nil, err
		}
		if kind, n := d.StackIndex(d.StackDepth()); kind == '{' && n%2 == 1 { // after a name
			if v, ok := left[d.StackPointer()]; ok {
				if err := d.SkipValue(); err != nil {
					return nil, err
				}
				if err := e.WriteValue(v); err != nil {
					return nil, err
				}
				delete(left, e.StackPointer())
			}
		}
	}
}

func sortedChildren(left map[jsontext.Pointer]jsontext.Value, parent jsontext.Pointer) []jsontext.Pointer {
	var list []jsontext.Pointer
	for p := range left {
		if p.Parent() == parent {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
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
