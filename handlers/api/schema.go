package api

import (
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// schemaName names a type in the OpenAPI document after its package too: a Share is another thing in each.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	place := path.Base(t.PkgPath())
	if t.Name() == "" || place == "api" || place == "." {
		return name
	}
	return strings.ToUpper(place[:1]) + place[1:] + name
}
