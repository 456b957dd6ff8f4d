package consult_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"traga.internal/events"
	"traga.internal/handlers/consult"
)

// Whatever a header holds, a reason is one line of text that can be put on record, or it is refused with the header's name.
func FuzzParseReason(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"the hearing on Monday", "supervision"}, {"годишен преглед", "oversight"}, {"UTF-8''%D0%BF%D0%BB%D0%B0%D0%BD", ""}, {"UTF-8''%ff", ""},
		{"UTF-8''%0a", ""}, {"UTF-8''100%", ""}, {"a\tb", ""}, {"\xff", ""}, {strings.Repeat("ж", 501), ""}, {"x", "curiosity"}, {"  ", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, justification, purpose string) {
		r, err := consult.ParseReason(justification, purpose)
		var field *events.FieldError
		switch {
		case err != nil && (!errors.As(err, &field) || field.Field != "Traga-Justification" && field.Field != "Traga-Purpose" || r != consult.Reason{}):
			t.Errorf("%v, %+v", err, r)
		case err == nil && (!utf8.ValidString(r.Justification) || strings.ContainsAny(r.Justification, "\x00\n\r\t") || utf8.RuneCountInString(r.Justification) > 500 || string(r.Purpose) != purpose):
			t.Errorf("%+v", r)
		}
	})
}
