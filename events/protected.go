package events

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// ProtectedField is a field of an event's data that holds personal data, and where it stands in the data's JSON.
type ProtectedField struct {
	// Pointer is the field's place in the data as a JSON pointer (RFC 6901), such as /needs/0/note.
	Pointer string
	// Category is what the field is protected under. A summary is protected under the first of the event's categories,
	// and where it names none under Intelligence, which is shown to the fewest.
	Category Category
	// Relative is true when the field is about a relative of the case's person.
	Relative bool
	// Start and End bound the field's value in the data.
	Start, End int
}

// Protects reports whether events of this kind can hold protected fields.
func (k *Kind) Protects() bool { return k.shape.guarded || k.corrects() }

// corrects reports whether events of this kind hold a replacement, whose type is that of their target.
func (k *Kind) corrects() bool { return k.Type == "EntryCorrected" }

// ProtectedFields lists the protected fields that an event's data has, in the order in which they stand. typeOf
// finds the type of another event: what the replacement in an EntryCorrected protects depends on its target. The
// data is of the current schema. The error names places, never values.
func (k *Kind) ProtectedFields(data []byte, typeOf func(uuid.UUID) (string, error)) ([]ProtectedField, error) {
	w := fieldWalk{typeOf: typeOf}
	if err := w.kind(k, data, 0, ""); err != nil {
		return nil, fmt.Errorf("look for the protected fields of a %s: %w", k.Type, err)
	}
	return w.found, nil
}

// fieldWalk reads data along its shape and notes the protected fields.
type fieldWalk struct {
	typeOf func(uuid.UUID) (string, error)
	found  []ProtectedField

	d    *jsontext.Decoder
	base int // where the text that d reads begins in the data
}

// kind walks over the data of an event, which begins at base in the data of the event that was asked about.
func (w *fieldWalk) kind(k *Kind, data []byte, base int, at string) error {
	if k.corrects() {
		return w.correction(data, base, at)
	}
	if !k.shape.guarded {
		return nil
	}
	w.d, w.base = jsontext.NewDecoder(bytes.NewBuffer(data)), base
	if err := w.value(k.shape, at); err != nil {
		return withoutValue(err)
	}
	return nil
}

// correction walks over the data of an EntryCorrected: its replacement has the type of its target.
func (w *fieldWalk) correction(data []byte, base int, at string) error {
	var (
		target  string
		inside  []byte
		begins  int
		members = jsontext.NewDecoder(bytes.NewBuffer(data))
	)
	if _, err := members.ReadToken(); err != nil {
		return withoutValue(err)
	}
	for members.PeekKind() == '"' {
		name, err := members.ReadToken()
		if err != nil {
			return withoutValue(err)
		}
		is := name.String()
		v, err := members.ReadValue()
		if err != nil {
			return withoutValue(err)
		}
		switch {
		case is == "replacement":
			inside, begins = bytes.Clone(v), int(members.InputOffset())-len(v)
		case is == "target" && v.Kind() == '"':
			t, err := jsontext.AppendUnquote(nil, v)
			if err != nil {
				return withoutValue(err)
			}
			target = string(t)
		}
	}
	id, err := uuid.Parse(target)
	if err != nil || inside == nil {
		return errors.New("a correction needs its target and its replacement")
	}
	name, err := w.typeOf(id)
	if err != nil {
		return fmt.Errorf("find what is corrected: %w", err)
	}
	k, ok := KindOf(name)
	if !ok {
		return fmt.Errorf("find what is corrected: %w", ErrUnknownType)
	}
	return w.kind(k, inside, base+begins, at+"/replacement")
}

// value walks over the next value, of a guarded shape.
func (w *fieldWalk) value(s *shape, at string) error {
	kind := w.d.PeekKind()
	switch {
	case s.kind == shapeObject && kind == '{':
		return w.object(s, at)
	case s.kind == shapeArray && kind == '[':
		if _, err := w.d.ReadToken(); err != nil {
			return err
		}
		for i := 0; w.d.PeekKind() != ']' && w.d.PeekKind() != 0; i++ {
			if err := w.value(s.elem, at+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		_, err := w.d.ReadToken()
		return err
	}
	return w.d.SkipValue()
}

func (w *fieldWalk) object(s *shape, at string) error {
	if _, err := w.d.ReadToken(); err != nil {
		return err
	}
	var named Category // what decides on a category that the object itself names
	var open []int     // the found ones that wait for it
	for w.d.PeekKind() == '"' {
		t, err := w.d.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		f := s.field(name)
		switch {
		case f == nil:
			err = w.d.SkipValue()
		case f.protect != "":
			var v jsontext.Value
			if v, err = w.d.ReadValue(); err != nil || v.Kind() == 'n' {
				break
			}
			end := w.base + int(w.d.InputOffset())
			if f.protect[0] == '@' {
				open = append(open, len(w.found))
			}
			w.found = append(w.found, ProtectedField{Pointer: at + "/" + f.name, Category: Category(f.protect), Relative: f.relative, Start: end - len(v), End: end})
		case f.shape.guarded:
			err = w.value(f.shape, at+"/"+f.name)
		case f.name == "categories" || f.name == "domain":
			var v jsontext.Value
			if v, err = w.d.ReadValue(); err == nil {
				named = firstCategory(v)
			}
		default:
			err = w.d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	for _, i := range open {
		w.found[i].Category = named
		if named == "" {
			w.found[i].Category = Intelligence
		}
	}
	_, err := w.d.ReadToken()
	return err
}

// firstCategory reads a category, or the first of a list.
func firstCategory(v jsontext.Value) Category {
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	for {
		t, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if t.Kind() == '"' {
			return Category(t.String())
		}
	}
}
