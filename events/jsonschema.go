package events

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema of a kind: JSON Schema, draft 2020-12, of its data, generated from the same shape that the strict
// reader uses. A protected field names its information category in "x-category".
func (k *Kind) JSONSchema() jsontext.Value {
	s := k.shape.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"] = fmt.Sprintf("urn:traga:event:%s:%d", k.Type, k.Schema)
	s["title"] = k.Type
	b, err := json.Marshal(s, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		panic(fmt.Sprintf("events: the schema of %s: %v", k.Type, err)) // maps of strings, numbers and lists only
	}
	return b
}

func (s *shape) schema() map[string]any {
	switch s.kind {
	case shapeArray:
		return map[string]any{"type": "array", "items": s.elem.schema()}
	case shapeMap:
		return map[string]any{"type": "object", "additionalProperties": s.elem.schema()}
	case shapeBool:
		return map[string]any{"type": "boolean"}
	case shapeInt:
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 1<<31 - 1}
	case shapeDate:
		return map[string]any{"type": "string", "format": "date"}
	case shapeInstant:
		return map[string]any{"type": "string", "format": "date-time"}
	case shapeUUID:
		return map[string]any{"type": "string", "format": "uuid"}
	case shapeAny:
		return map[string]any{"type": "object"}
	case shapeString:
		m := map[string]any{"type": "string"}
		if len(s.enum) > 0 {
			m["enum"] = s.enum
		}
		if s.filled {
			m["minLength"] = 1
		}
		return m
	}
	properties, required := map[string]any{}, []string{}
	for _, f := range s.fields {
		p := f.shape.schema()
		switch {
		case f.protect == "@categories":
			p["x-category"] = "the first of categories"
		case f.protect == "@domain":
			p["x-category"] = "the domain of the row"
		case f.protect != "":
			p["x-category"] = f.protect
		}
		properties[f.name] = p
		if !f.optional {
			required = append(required, f.name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}
