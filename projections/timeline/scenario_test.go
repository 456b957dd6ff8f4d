package timeline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
)

// scenario is a scenario file played into a store.
type scenario struct {
	store  *memstore.Store
	labels map[string]uuid.UUID
	lines  []time.Time // when each was recorded
}

type scenarioLine struct {
	Case         string            `json:"case"`
	Type         string            `json:"type"`
	ID           *uuid.UUID        `json:"id"`
	OccurredAt   *time.Time        `json:"occurredAt"`
	RecordedAt   time.Time         `json:"recordedAt"`
	Actor        events.Actor      `json:"actor"`
	Purpose      events.Purpose    `json:"purpose"`
	LegalBasis   events.LegalBasis `json:"legalBasis"`
	LateReason   string            `json:"lateReason"`
	AfterTheFact bool              `json:"afterTheFact"`
	CausationID  string            `json:"causationId"`
	Data         json.RawMessage   `json:"data"`
	Label        string            `json:"label"`
	Expect       string            `json:"expect"`
}

// play records the lines of a scenario on a simulated clock. What is to be refused is left out: refusing is the
// write path's matter.
func play(t testing.TB, name string) *scenario {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "scenarios", name+".ndjson"))
	must(t, err)
	var clock time.Time
	s := &scenario{store: memstore.New(func() time.Time { return clock }), labels: map[string]uuid.UUID{}}
	for n, text := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		var line scenarioLine
		must(t, json.Unmarshal([]byte(text), &line))
		if line.Expect == "refused" {
			continue
		}
		id := events.DeriveID(name, strconv.Itoa(n+1))
		if line.ID != nil {
			id = *line.ID
		}
		if line.Label != "" {
			s.labels[line.Label] = id
		}
		data := string(line.Data)
		for label, id := range s.labels {
			data = strings.ReplaceAll(data, `"@`+label+`"`, `"`+id.String()+`"`)
		}
		parsed, err := events.ParseData(line.Type, []byte(data))
		must(t, err)
		if clock.IsZero() {
			clock = line.RecordedAt
			s.append(t, events.StoreStream, &events.Event{ID: events.DeriveID(name, "store"), Type: "StoreSimulated", OccurredAt: clock,
				Actor: events.Actor{Officer: "traga", Role: events.System, Institution: "traga"}, Data: &events.StoreSimulated{From: clock}})
		}
		clock = line.RecordedAt
		occurred := clock
		if line.OccurredAt != nil {
			occurred = *line.OccurredAt
		}
		s.append(t, events.CaseStream(line.Case), &events.Event{ID: id, Type: line.Type, Case: line.Case, OccurredAt: occurred, Actor: line.Actor,
			Purpose: line.Purpose, LegalBasis: line.LegalBasis, LateReason: line.LateReason, AfterTheFact: line.AfterTheFact, CorrelationID: id, Data: parsed})
		s.lines = append(s.lines, clock)
	}
	return s
}

func (s *scenario) append(t testing.TB, stream string, e *events.Event) {
	t.Helper()
	p, err := events.Encode(e)
	must(t, err)
	_, err = s.store.Append(context.Background(), stream, events.Any, p)
	must(t, err)
}

func (s *scenario) read(t testing.TB, number, at string) *Case {
	t.Helper()
	asOf, err := events.ParseAsOf(at)
	must(t, err)
	c, err := Read(context.Background(), s.store, protocol.NewBook(), number, asOf, time.Now())
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type expectation struct {
	Scenario string  `json:"scenario"`
	Checks   []check `json:"checks"`
}

type check struct {
	At      string         `json:"at"`
	Command []string       `json:"command"`
	Where   map[string]any `json:"where"`
	Expect  map[string]any `json:"expect"`
	Count   *int           `json:"count"`
}

// The checks of the scenarios that are about one case hold, compared as scenarios/check compares.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.expect.json")
	must(t, err)
	if len(files) != 8 {
		t.Fatalf("expected the eight scenarios, found %d", len(files))
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		must(t, err)
		var want expectation
		must(t, json.Unmarshal(raw, &want))
		t.Run(want.Scenario, func(t *testing.T) {
			s := play(t, want.Scenario)
			for i, chk := range want.Checks {
				if chk.Command[0] == "alert" {
					continue // over all cases: a projection's matter
				}
				t.Run(fmt.Sprintf("%d %s at %s", i+1, strings.Join(chk.Command, " "), chk.At), func(t *testing.T) {
					chk.run(t, s)
				})
			}
		})
	}
}

func (chk check) run(t *testing.T, s *scenario) {
	var got any
	raw, err := json.Marshal(answer(t, s, chk))
	must(t, err)
	must(t, json.Unmarshal(raw, &got))
	where, expect := s.withIDs(chk.Where).(map[string]any), s.withIDs(chk.Expect).(map[string]any)
	element := got
	if rows, ok := got.([]any); ok {
		var hits []any
		for _, row := range rows {
			if holds(where, row) {
				hits = append(hits, row)
			}
		}
		if chk.Count != nil {
			if len(hits) != *chk.Count {
				t.Errorf("expected %d of %v, got %d", *chk.Count, where, len(hits))
			}
			return
		}
		if len(hits) != 1 {
			t.Fatalf("expected one of %v, got %d", where, len(hits))
		}
		element = hits[0]
	}
	for path, want := range expect {
		if have := at(element, path); !matches(want, have) {
			t.Errorf("%s: expected %v, got %v", path, want, have)
		}
	}
}

func answer(t *testing.T, s *scenario, chk check) any {
	c := s.read(t, chk.Command[2], chk.At)
	switch strings.Join(chk.Command[:2], " ") {
	case "case show":
		return c.Show()
	case "case timeline":
		return c.Timeline("en", Occurred)
	case "case shares":
		return c.Shares()
	case "case knows":
		return c.Knows(events.Institution(chk.Command[4]))
	case "case obligations":
		return c.Obligations()
	case "safeguard check":
		verdicts, err := c.Safeguards(context.Background())
		must(t, err)
		return verdicts
	}
	t.Fatalf("no such command: %v", chk.Command)
	return nil
}

// withIDs puts the ids in the place of "@label".
func (s *scenario) withIDs(v any) any {
	switch v := v.(type) {
	case string:
		if label, ok := strings.CutPrefix(v, "@"); ok {
			return s.labels[label].String()
		}
	case []any:
		for i := range v {
			v[i] = s.withIDs(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = s.withIDs(v[k])
		}
	}
	return v
}

func at(v any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[part]
	}
	return v
}

func holds(where map[string]any, row any) bool {
	for path, want := range where {
		if !matches(want, at(row, path)) {
			return false
		}
	}
	return true
}

func matches(want, have any) bool {
	switch want := want.(type) {
	case string:
		text, ok := have.(string)
		a, errA := time.Parse(time.RFC3339Nano, want)
		b, errB := time.Parse(time.RFC3339Nano, text)
		return ok && (want == text || (errA == nil && errB == nil && a.Equal(b)))
	case map[string]any:
		return holds(want, have)
	case []any: // as a set
		list, ok := have.([]any)
		if !ok {
			return false
		}
		for _, w := range want {
			if !contains(list, w) {
				return false
			}
		}
		for _, h := range list {
			if !contains(want, h) {
				return false
			}
		}
		return true
	}
	return want == have
}

func contains(list []any, v any) bool {
	for _, w := range list {
		if matches(v, w) {
			return true
		}
	}
	return false
}
