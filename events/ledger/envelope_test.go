package ledger

import (
	"encoding/json"
	"math"
	"testing"
)

// decoded is what the specification says, by decoding alone.
func decoded(metadata []byte) (schema uint32, occurredAt int64) {
	var m struct {
		Schema     json.Number `json:"schema"`
		OccurredAt string      `json:"occurredAt"`
	}
	if json.Unmarshal(metadata, &m) != nil {
		return 0, 0
	}
	if n, err := m.Schema.Int64(); err == nil && n > 0 && n <= math.MaxUint32 {
		schema = uint32(n)
	}
	return schema, instant(m.OccurredAt)
}

var envelopes = []string{
	`{"schema":1,"occurredAt":"2026-01-01T00:00:00+01:00"}`,
	`{"case":"MK-2026-0001","schema":12,"actor":{"schema":3,"occurredAt":"2020-01-01T00:00:00Z"},"occurredAt":"2026-03-02T10:15:00.123456Z"}`,
	` { "schema" : 4294967295 , "occurredAt" : "2026-03-02T10:15:00Z" } `,
	`{"schema":4294967296}`, `{"schema":0}`, `{"schema":-1}`, `{"schema":1.5}`, `{"schema":1e3}`, `{"schema":"7"}`, `{"schema":"x"}`, `{"schema":null}`, `{"schema":{}}`,
	`{"occurredAt":"yesterday"}`, `{"occurredAt":7}`, `{"occurredAt":null,"schema":2}`, `{"occurredAt":"2026-03-02T10:15:00\u005a"}`, `{"occurredAt":""}`,
	`{"schema":1,"schema":2}`, `{"schema":1,"Schema":2}`, `{"SCHEMA":3}`, `{"\u0073chema":5}`, `{"ſchema":6}`, `{"list":["schema",{"schema":9},"occurredAt"],"schema":1}`,
	`{"text":"a \"quoted\" {\"schema\":4}","schema":8}`, `{"a":"\\","schema":2}`, `{}`, `[]`, `null`, `"schema"`, `{"schema":1`, `{"schema":1}x`, ``, `mmm`,
}

func TestEnvelope(t *testing.T) {
	for _, text := range envelopes {
		schema, at := envelope([]byte(text))
		if wantSchema, wantAt := decoded([]byte(text)); schema != wantSchema || at != wantAt {
			t.Errorf("%s: %d, %d; decoded it is %d, %d", text, schema, at, wantSchema, wantAt)
		}
	}
	for _, text := range envelopes[:2] {
		if _, _, ok := usualEnvelope([]byte(text)); !ok {
			t.Errorf("%s is not taken for usual", text)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, text := range envelopes {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		schema, at := envelope(b)
		if wantSchema, wantAt := decoded(b); schema != wantSchema || at != wantAt {
			t.Errorf("%q: %d, %d; decoded it is %d, %d", b, schema, at, wantSchema, wantAt)
		}
	})
}
