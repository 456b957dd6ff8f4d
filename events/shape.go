package events

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// shape is what a JSON value must look like to become a Go value: it is derived once from the Go type and
// drives the strict check (strict.go), the JSON Schemas (jsonschema.go) and what is protected.
type shape struct {
	kind   shapeKind
	fields []shapeField // of an object
	elem   *shape       // of an array or a map
	enum   []string     // of a string: the values allowed
	filled bool         // of a string: it may not be empty
	// guarded: a field in it, at whatever depth, is protected.
	guarded bool
}

type shapeKind uint8

const (
	shapeObject shapeKind = iota
	shapeArray
	shapeMap
	shapeString
	shapeBool
	shapeInt
	shapeDate
	shapeInstant
	shapeUUID
	shapeAny // any JSON object
)

type shapeField struct {
	name     string
	shape    *shape
	optional bool
	// protect is the information category that the field is protected under: a category, "@categories" for
	// the first of the event's categories, "@domain" for the row's own; empty for what is no personal data.
	protect string
	// relative: the field is about a relative of the case's person, who is a person of their own.
	relative bool
}

func (s *shape) field(name string) *shapeField {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// expected says in plain words what the shape accepts.
func (s *shape) expected() string {
	switch s.kind {
	case shapeArray:
		return "a list"
	case shapeString:
		if len(s.enum) > 0 {
			return "one of " + strings.Join(s.enum, ", ")
		}
		if s.filled {
			return "a text that is not empty"
		}
		return "a text"
	case shapeBool:
		return "true or false"
	case shapeInt:
		return "a whole number"
	case shapeDate:
		return fmt.Sprintf("a date as YYYY-MM-DD between %d and %d, a day that exists", minYear, maxYear)
	case shapeInstant:
		return "an instant with its time zone, such as 2026-03-02T10:15:00+01:00"
	case shapeUUID:
		return "a UUID such as 5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"
	}
	return "an object"
}

func shapeOf(t reflect.Type) *shape {
	switch t {
	case reflect.TypeFor[Date]():
		return &shape{kind: shapeDate}
	case reflect.TypeFor[time.Time]():
		return &shape{kind: shapeInstant}
	case reflect.TypeFor[uuid.UUID]():
		return &shape{kind: shapeUUID}
	case reflect.TypeFor[jsontext.Value]():
		return &shape{kind: shapeAny}
	case reflect.TypeFor[Role]():
		return enumOf(Roles())
	case reflect.TypeFor[Category]():
		return enumOf(Categories())
	case reflect.TypeFor[Jurisdiction]():
		return enumOf(Jurisdictions())
	case reflect.TypeFor[Purpose]():
		return enumOf(Purposes())
	case reflect.TypeFor[LegalBasis]():
		return enumOf(LegalBases())
	case reflect.TypeFor[ID](), reflect.TypeFor[Institution]():
		return &shape{kind: shapeString, filled: true}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem())
	case reflect.String:
		return &shape{kind: shapeString}
	case reflect.Bool:
		return &shape{kind: shapeBool}
	case reflect.Int:
		return &shape{kind: shapeInt}
	case reflect.Slice:
		elem := shapeOf(t.Elem())
		return &shape{kind: shapeArray, elem: elem, guarded: elem.guarded}
	case reflect.Map:
		return &shape{kind: shapeMap, elem: shapeOf(t.Elem())}
	case reflect.Struct:
		s := &shape{kind: shapeObject}
		for f := range t.Fields() {
			name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			field := shapeField{name: name, shape: shapeOf(f.Type), optional: option == "omitzero", protect: f.Tag.Get("protect"), relative: f.Tag.Get("of") == "relative"}
			if enum := f.Tag.Get("enum"); enum != "" {
				field.shape = &shape{kind: shapeString, enum: strings.Split(enum, "|")}
			}
			if f.Tag.Get("filled") == "true" {
				field.shape.filled = true
			}
			s.fields = append(s.fields, field)
			s.guarded = s.guarded || field.protect != "" || field.shape.guarded
		}
		return s
	}
	panic(fmt.Sprintf("events: %v has no shape", t))
}

func enumOf[T ~string](values []T) *shape {
	s := &shape{kind: shapeString}
	for _, v := range values {
		s.enum = append(s.enum, string(v))
	}
	return s
}
