package history

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"traga.internal/events"
)

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

func entry(n byte, data any, occurred int) *events.Event {
	t := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	typ := "CaseClosed"
	switch data.(type) {
	case *events.EntryCorrected:
		typ = "EntryCorrected"
	case *events.EntryAnnulled:
		typ = "EntryAnnulled"
	}
	return &events.Event{ID: id(n), Type: typ, Data: data, RecordedAt: t.Add(time.Duration(n) * time.Hour), OccurredAt: t.Add(time.Duration(occurred) * time.Hour)}
}

func closed(reason string) *events.CaseClosed { return &events.CaseClosed{Reason: reason} }

func correct(target byte, data any) *events.EntryCorrected {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return &events.EntryCorrected{Target: id(target), Replacement: raw, Reason: "mistyped"}
}

func annul(target byte) *events.EntryAnnulled { return &events.EntryAnnulled{Target: id(target)} }

func TestCorrectionsAndAnnulmentsTakeEffectInTheOrderOfRecording(t *testing.T) {
	type want struct {
		reason                  string
		correctedBy, annulledBy byte
	}
	for name, c := range map[string]struct {
		given []any // events 2, 3, … about event 1, a CaseClosed for "first"
		want  want
	}{
		"nothing said":                     {nil, want{"first", 0, 0}},
		"corrected":                        {[]any{correct(1, closed("second"))}, want{"second", 2, 0}},
		"corrected twice, the last counts": {[]any{correct(1, closed("second")), correct(1, closed("third"))}, want{"third", 3, 0}},
		"the last correction annulled":     {[]any{correct(1, closed("second")), correct(1, closed("third")), annul(3)}, want{"second", 2, 0}},
		"annulled":                         {[]any{annul(1)}, want{"first", 0, 2}},
		"annulled twice, it has not stood since the first": {[]any{annul(1), annul(1)}, want{"first", 0, 2}},
		"the first of two annulments annulled":             {[]any{annul(1), annul(1), annul(2)}, want{"first", 0, 3}},
		"the annulment annulled":                           {[]any{annul(1), annul(2)}, want{"first", 0, 0}},
		"the annulment of an annulment too":                {[]any{annul(1), annul(2), annul(3)}, want{"first", 0, 2}},
		"the correction itself was corrected":              {[]any{correct(1, closed("second")), correct(2, correct(1, closed("fourth")))}, want{"fourth", 2, 0}},
		"a replacement that does not fit":                  {[]any{correct(1, annul(1))}, want{"first", 0, 0}},
		"about something that is not here":                 {[]any{annul(9)}, want{"first", 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			h.Evolve(entry(1, closed("first"), 1))
			for i, d := range c.given {
				h.Evolve(entry(byte(i+2), d, i+2))
			}
			e := h.Find(id(1))
			got := want{e.Now.(*events.CaseClosed).Reason, e.CorrectedBy()[15], e.AnnulledBy()[15]}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if e.Stands() != (c.want.annulledBy == 0) {
				t.Errorf("stands: %v", e.Stands())
			}
			if e.Event.Data.(*events.CaseClosed).Reason != "first" {
				t.Errorf("the entry as first recorded was changed")
			}
		})
	}
}

func TestEvolveNamesEveryEntryWhoseStandingChanged(t *testing.T) {
	var h History
	h.Evolve(entry(1, closed("first"), 1))
	h.Evolve(entry(2, correct(1, closed("second")), 2))
	var got []byte
	for _, e := range h.Evolve(entry(3, annul(2), 3)) {
		got = append(got, e.ID[15])
	}
	if string(got) != string([]byte{3, 2, 1}) {
		t.Errorf("changed: %v, want 3, 2, 1", got)
	}
}

func TestOccurredIsByOccurrenceWithTiesByRecording(t *testing.T) {
	var h History
	for n, occurred := range []int{5, 2, 5, 1, 9, 2} {
		h.Evolve(entry(byte(n+1), closed(""), occurred))
	}
	var got []byte
	for _, e := range h.Occurred() {
		got = append(got, e.ID[15])
	}
	if string(got) != string([]byte{4, 2, 6, 1, 3, 5}) {
		t.Errorf("got %v", got)
	}
}
