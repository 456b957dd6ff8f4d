package events

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Whatever the data is, its protected fields are values that stand where they are said to stand, one after the other; and
// with each of them withheld the rest reads as it did.
func FuzzProtectedFields(f *testing.F) {
	for _, seed := range []struct{ eventType, data string }{
		{"NeedsMapDrafted", `{"needsMap":"m","version":1,"needs":[{"domain":"health","level":"high","note":"n"},{"domain":"health","level":"some","note":"\u0000"}]}`},
		{"InformationProvided", `{"summary":"s","categories":["housing"]}`},
		{"EntryCorrected", `{"target":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02","replacement":{"assessment":"a","grounds":"g"},"reason":"r"}`},
		{"CaseOpened", `{"subject":"s","name":"n","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"i","admittedOn":"2026-01-01"}`},
		{"AssessmentContested", `{"assessment":"a","grounds":{"withheld":{"reason":"erased","category":"risk"}}}`},
	} {
		f.Add(seed.eventType, []byte(seed.data))
	}
	f.Fuzz(func(t *testing.T, eventType string, data []byte) {
		k, ok := KindOf(eventType)
		if !ok {
			return
		}
		fields, err := k.ProtectedFields(data, func(uuid.UUID) (string, error) { return "AssessmentContested", nil })
		if err != nil {
			return
		}
		var hidden []byte
		at := 0
		for _, field := range fields {
			if field.Start < at || field.End > len(data) || !jsontext.Value(data[field.Start:field.End]).IsValid() || field.Category == "" {
				t.Fatalf("%+v of %q", field, data)
			}
			hidden = append(append(hidden, data[at:field.Start]...), `{"withheld":{"reason":"hidden","category":"`+string(field.Category)+`","ask":"court"}}`...)
			at = field.End
		}
		hidden = append(hidden, data[at:]...)
		was, old, err := k.read(data)
		if err != nil || len(fields) == 0 || len(old) > 0 || k.corrects() {
			return
		}
		got, withheld, err := k.read(hidden)
		if err != nil || len(withheld) != len(fields) {
			t.Fatalf("%q reads with %d of %d fields withheld, %v", hidden, len(withheld), len(fields), err)
		}
		for i, w := range withheld {
			if w.Pointer != fields[i].Pointer || string(w.Category) != string(fields[i].Category) {
				t.Fatalf("%q: withheld %+v, want %+v", hidden, w, fields[i])
			}
		}
		shown, err1 := (&Event{Type: eventType, Data: got, Withheld: withheld}).Shown()
		same, err2 := (&Event{Type: eventType, Data: was, Withheld: withheld}).Shown()
		if err1 != nil || err2 != nil || !bytes.Equal(shown, same) || reflect.TypeOf(got) != reflect.TypeOf(was) {
			t.Fatalf("%q is shown as %s (%v), and without hiding as %s (%v)", data, shown, err1, same, err2)
		}
	})
}
