package safeguards

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// scenarioLine is a line of a scenario file (interfaces.md).
type scenarioLine struct {
	Case         string            `json:"case"`
	Type         string            `json:"type"`
	ID           uuid.UUID         `json:"id"`
	RecordedAt   time.Time         `json:"recordedAt"`
	OccurredAt   time.Time         `json:"occurredAt"`
	Actor        events.Actor      `json:"actor"`
	Purpose      events.Purpose    `json:"purpose"`
	LegalBasis   events.LegalBasis `json:"legalBasis"`
	LateReason   string            `json:"lateReason"`
	AfterTheFact bool              `json:"afterTheFact"`
	Data         jsontext.Value    `json:"data"`
	Label        string            `json:"label"`
	Expect       string            `json:"expect"`
	Because      []string          `json:"because"`
}

type scenarioCheck struct {
	At      time.Time      `json:"at"`
	Command []string       `json:"command"`
	Where   map[string]any `json:"where"`
	Expect  struct {
		Verdict  string            `json:"verdict"`
		Events   []string          `json:"events"`
		Severity protocol.Severity `json:"severity"`
	} `json:"expect"`
}

// The reference scenarios: what is refused is refused for exactly the safeguards named, what is accepted live
// breaks none, and every `safeguard check` gives the verdict expected.
func TestReferenceScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.ndjson")
	if err != nil || len(files) != 8 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	refusals, checks := 0, 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ndjson"), func(t *testing.T) {
			recorded, labels, n := playScenario(t, file)
			refusals += n
			for _, c := range scenarioChecks(t, file) {
				checks++
				checkScenario(t, c, recorded, labels)
			}
		})
	}
	if refusals != 7 || checks != 22 {
		t.Errorf("%d refusals for a safeguard and %d safeguard checks, expected 7 and 22", refusals, checks)
	}
}

func playScenario(t *testing.T, file string) (recorded []*events.Event, labels map[string]uuid.UUID, refusals int) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	labels = map[string]uuid.UUID{}
	j := NewJudge(protocol.NewBook())
	for i, line := range bytes.Split(bytes.TrimSpace(raw), []byte("\n")) {
		for label, id := range labels {
			line = bytes.ReplaceAll(line, []byte(`"@`+label+`"`), []byte(`"`+id.String()+`"`))
		}
		var l scenarioLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if l.Expect == "refused" && (len(l.Because) == 0 || !strings.HasPrefix(l.Because[0], "HR")) {
			continue // refused for its structure
		}
		data, err := events.ParseData(l.Type, l.Data)
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		e := &events.Event{ID: l.ID, Type: l.Type, Case: l.Case, Revision: uint64(len(recorded)), OccurredAt: l.OccurredAt, Actor: l.Actor,
			Purpose: l.Purpose, LegalBasis: l.LegalBasis, LateReason: l.LateReason, AfterTheFact: l.AfterTheFact, Data: data}
		e.Jurisdiction, _ = events.ParseCase(l.Case)
		if e.OccurredAt.IsZero() {
			e.OccurredAt = l.RecordedAt
		}
		if e.ID == uuid.Nil {
			e.ID = events.DeriveID(filepath.Base(file), strconv.Itoa(i+1))
		}
		if l.Label != "" {
			labels[l.Label] = e.ID
		}
		var broken []string
		for _, f := range j.WouldBreak(e) {
			broken = append(broken, f.Safeguard)
		}
		switch {
		case l.Expect == "refused":
			refusals++
			if !slices.Equal(broken, l.Because) {
				t.Errorf("line %d is refused for %v, expected %v", i+1, broken, l.Because)
			}
			continue
		case broken != nil && !e.Reported(l.RecordedAt):
			t.Errorf("line %d is refused for %v, expected that it is accepted", i+1, broken)
		}
		e.RecordedAt = l.RecordedAt
		j.Evolve(e)
		recorded = append(recorded, e)
	}
	return recorded, labels, refusals
}

func scenarioChecks(t *testing.T, file string) (checks []scenarioCheck) {
	raw, err := os.ReadFile(strings.TrimSuffix(file, "ndjson") + "expect.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected struct {
		Checks []jsontext.Value `json:"checks"`
	}
	if err := json.Unmarshal(raw, &expected); err != nil {
		t.Fatal(err)
	}
	for _, v := range expected.Checks {
		if !bytes.Contains(v, []byte(`"safeguard", "check"`)) {
			continue
		}
		var c scenarioCheck
		if err := json.Unmarshal(v, &c); err != nil {
			t.Fatal(err)
		}
		checks = append(checks, c)
	}
	return checks
}

// checkScenario judges the case as known at the check's instant.
func checkScenario(t *testing.T, c scenarioCheck, recorded []*events.Event, labels map[string]uuid.UUID) {
	j, tracker := NewJudge(protocol.NewBook()), protocol.NewTracker(protocol.NewBook())
	for _, e := range recorded {
		if !e.RecordedAt.After(c.At) {
			j.Evolve(e)
			tracker.Evolve(e)
		}
	}
	for _, v := range j.Verdicts(c.At, Evidence{Obligations: tracker.Obligations()}) {
		if v.Safeguard != c.Where["safeguard"] {
			continue
		}
		at := c.At.Format(time.DateOnly)
		if v.Case != c.Command[2] || v.Verdict != c.Expect.Verdict {
			t.Errorf("%s at %s is %s, expected %s: %s", v.Safeguard, at, v.Verdict, c.Expect.Verdict, v.Explanation)
		}
		if c.Expect.Severity != "" && v.Severity != c.Expect.Severity {
			t.Errorf("%s is %s, expected %s", v.Safeguard, v.Severity, c.Expect.Severity)
		}
		if c.Expect.Events == nil {
			continue
		}
		var want []uuid.UUID
		for _, l := range c.Expect.Events {
			want = append(want, labels[strings.TrimPrefix(l, "@")])
		}
		if !slices.Equal(v.Events, want) {
			t.Errorf("%s at %s is shown by %v, expected %v", v.Safeguard, at, v.Events, want)
		}
	}
}
