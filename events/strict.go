package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// FieldError says which field of an action record, or of another input, was refused, and what was expected.
// It never repeats the value: it may be personal data.
type FieldError struct {
	Field    string // the path, such as data.recipient.role or data.needs[2].level; empty for the whole input
	Got      string // in words: "nothing", "a number", "an unknown field"
	Expected string
}

func (e *FieldError) Error() string {
	var b strings.Builder
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString("expected " + e.Expected)
	if e.Got != "" {
		b.WriteString(", got " + e.Got)
	}
	return b.String()
}

// Strict reads one JSON value into target, a pointer to a struct whose fields carry json tags. Every field is
// required unless it is tagged omitzero. It refuses, with a *FieldError, unknown, duplicate and case-variant
// keys, missing fields, wrong types, values outside an enumeration, impossible dates, invalid UTF-8 and
// anything after the value. A null counts as absent, in optional fields only. target is changed only when the
// whole input is right.
func Strict(input []byte, target any) error {
	t := reflect.TypeOf(target).Elem()
	return readStrict(input, shapeFor(t), target, "")
}

var shapes sync.Map // reflect.Type → *shape: derived from the types alone

func shapeFor(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s, _ := shapes.LoadOrStore(t, shapeOf(t))
	return s.(*shape)
}

func readStrict(input []byte, s *shape, target any, at string) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(input))
	if err := s.check(d, at); err != nil {
		return syntaxError(err, at)
	}
	if _, err := d.ReadToken(); err == nil {
		return &FieldError{Field: at, Expected: "the end of the input", Got: "more after it"}
	} else if !errors.Is(err, io.EOF) {
		return syntaxError(err, at)
	}
	fresh := reflect.New(reflect.TypeOf(target).Elem())
	if err := json.Unmarshal(input, fresh.Interface(), json.RejectUnknownMembers(true)); err != nil {
		return &FieldError{Field: at, Expected: "a value that fits", Got: "one that does not"}
	}
	reflect.ValueOf(target).Elem().Set(fresh.Elem())
	return nil
}

// syntaxError turns what the JSON reader found into a FieldError.
func syntaxError(err error, at string) error {
	var field *FieldError
	if errors.As(err, &field) {
		return err
	}
	var syn *jsontext.SyntacticError
	if !errors.As(err, &syn) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &FieldError{Field: at, Expected: "an object", Got: "input that ends too early"}
		}
		return err
	}
	place := at
	for token := range syn.JSONPointer.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			place += "[" + token + "]"
		} else {
			place = join(place, printable(token))
		}
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &FieldError{Field: place, Expected: "each field once", Got: "a duplicate of it"}
	case strings.Contains(syn.Err.Error(), "UTF-8"):
		return &FieldError{Field: place, Expected: "text in UTF-8", Got: "bytes that are not UTF-8"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &FieldError{Field: place, Expected: "a complete JSON object", Got: "input that ends too early"}
	}
	return &FieldError{Field: place, Expected: "valid JSON", Got: fmt.Sprintf("a mistake at byte %d", syn.ByteOffset)}
}

// check reads the next value and compares it with the shape.
func (s *shape) check(d *jsontext.Decoder, at string) error {
	kind := d.PeekKind()
	if kind == 0 { // a mistake in the JSON itself: reading it gives the error
		_, err := d.ReadToken()
		return err
	}
	wrong := func() error { return &FieldError{Field: at, Expected: s.expected(), Got: kindName(kind)} }
	switch s.kind {
	case shapeObject:
		if kind != '{' {
			return wrong()
		}
		return s.checkObject(d, at)
	case shapeMap:
		if kind != '{' {
			return wrong()
		}
		return s.checkMap(d, at)
	case shapeArray:
		if kind != '[' {
			return wrong()
		}
		return s.checkArray(d, at)
	case shapeAny:
		if kind != '{' {
			return wrong()
		}
		return d.SkipValue()
	case shapeBool:
		if kind != 't' && kind != 'f' {
			return wrong()
		}
		return d.SkipValue()
	case shapeInt:
		if kind != '0' {
			return wrong()
		}
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if n, err := strconv.ParseInt(string(v), 10, 32); err != nil || n < 0 {
			return &FieldError{Field: at, Expected: s.expected(), Got: "another number"}
		}
		return nil
	}
	if kind != '"' {
		return wrong()
	}
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	return s.checkText(t.String(), at)
}

func (s *shape) checkText(v, at string) error {
	ok, got := true, "another text"
	switch s.kind {
	case shapeDate:
		_, err := ParseDate(v)
		ok, got = err == nil, "something else"
	case shapeInstant:
		ok, got = parseInstant(v), "something else"
	case shapeUUID:
		_, err := uuid.Parse(v)
		ok, got = err == nil && len(v) == 36, "something else"
	default:
		if len(s.enum) > 0 {
			ok = slices.Contains(s.enum, v)
		} else if s.filled && strings.TrimSpace(v) == "" {
			ok, got = false, "an empty one"
		}
	}
	if !ok {
		return &FieldError{Field: at, Expected: s.expected(), Got: got}
	}
	return nil
}

func parseInstant(v string) bool {
	t, err := time.Parse(time.RFC3339Nano, v)
	return err == nil && strings.ToUpper(v) == v && !strings.Contains(v, ",") && t.UTC().Year() >= minYear && t.UTC().Year() <= maxYear
}

func (s *shape) checkObject(d *jsontext.Decoder, at string) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	var seen uint64 // a bit for each field
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.fields, func(f shapeField) bool { return f.name == name.String() })
		if i < 0 {
			return s.unknown(name.String(), at)
		}
		f := &s.fields[i]
		if f.optional && d.PeekKind() == 'n' {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		seen |= 1 << i
		if err := f.shape.check(d, join(at, f.name)); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for i := range s.fields {
		if f := &s.fields[i]; seen&(1<<i) == 0 && !f.optional {
			return &FieldError{Field: join(at, f.name), Expected: f.shape.expected(), Got: "nothing"}
		}
	}
	return nil
}

func (s *shape) unknown(name, at string) error {
	e := &FieldError{Field: join(at, printable(name)), Expected: "only known fields", Got: "an unknown one"}
	for i := range s.fields {
		if strings.EqualFold(s.fields[i].name, name) {
			e.Expected = "the name spelt " + s.fields[i].name
			e.Got = "another spelling"
		}
	}
	return e
}

func (s *shape) checkMap(d *jsontext.Decoder, at string) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := s.elem.check(d, join(at, printable(name.String()))); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (s *shape) checkArray(d *jsontext.Decoder, at string) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for i := 0; d.PeekKind() != ']'; i++ {
		if d.PeekKind() == 0 {
			break
		}
		if err := s.elem.check(d, at+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// printable cuts a key from outside down to what an error message may repeat.
func printable(name string) string {
	r := []rune(name)
	if len(r) > 40 {
		r = append(r[:40], '…')
	}
	q := strconv.QuoteToGraphic(string(r))
	return q[1 : len(q)-1]
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "a text"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "something else"
}
