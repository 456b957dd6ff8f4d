package protocol

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/events"
)

// The checks of the scenarios that ask for a case's obligations, held against the Tracker itself.
func TestScenarioObligations(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.ndjson")
	if err != nil || len(files) != 8 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ndjson"), func(t *testing.T) {
			log := readScenario(t, file)
			text, err := os.ReadFile(strings.TrimSuffix(file, ".ndjson") + ".expect.json")
			if err != nil {
				t.Fatal(err)
			}
			var expect struct {
				Checks []struct {
					At      time.Time      `json:"at"`
					Command []string       `json:"command"`
					Where   map[string]any `json:"where"`
					Expect  map[string]any `json:"expect"`
					Count   *int           `json:"count"`
				} `json:"checks"`
			}
			if err := json.Unmarshal(text, &expect); err != nil {
				t.Fatal(err)
			}
			checked := 0
			for _, c := range expect.Checks {
				if c.Command[1] != "obligations" {
					continue
				}
				checked++
				tr := NewTracker(NewBook())
				for _, e := range log {
					if !e.RecordedAt.After(c.At) {
						tr.Evolve(e)
					}
				}
				var hits []map[string]any
				for _, o := range tr.Obligations() {
					if row := row(o, c.At); matches(c.Where, row) {
						hits = append(hits, row)
					}
				}
				switch {
				case c.Count != nil:
					if len(hits) != *c.Count {
						t.Errorf("at %s where %v: %d, expected %d: %v", c.At, c.Where, len(hits), *c.Count, hits)
					}
				case len(hits) != 1:
					t.Errorf("at %s where %v: %d obligations", c.At, c.Where, len(hits))
				case !matches(c.Expect, hits[0]):
					t.Errorf("at %s where %v: got %v, expected %v", c.At, c.Where, hits[0], c.Expect)
				}
			}
			if checked == 0 {
				t.Error("no check of obligations")
			}
		})
	}
}

func matches(want, got map[string]any) bool {
	for k, v := range want {
		if fmt.Sprint(v) != fmt.Sprint(got[k]) {
			return false
		}
	}
	return true
}

// row is an obligation as `case obligations` shows it.
func row(o Obligation, now time.Time) map[string]any {
	null := func(s string) any {
		if s == "" || s == uuid.Nil.String() {
			return nil
		}
		return s
	}
	breaches := []any{}
	for _, b := range o.Breaches {
		breaches = append(breaches, map[string]any{"due": b.Due.String(), "from": b.From.String(), "until": b.Until.String()})
	}
	return map[string]any{"obligation": o.ID, "rule": o.Rule, "duty": string(o.Duty), "dutyHolder": null(string(o.DutyHolder)),
		"toward": null(string(o.Toward)), "due": o.Due.String(), "state": string(o.State(now)), "activatedBy": null(o.ActivatedBy.String()),
		"fulfilledBy": null(o.FulfilledBy.String()), "metOn": null(o.MetOn.String()), "compressed": o.Compressed, "recordedLate": o.RecordedLate,
		"breaches": breaches, "escalation": o.Escalation(now), "waivedBy": null(o.WaivedBy.String()), "severity": string(o.Severity)}
}

// readScenario reads a scenario's lines that are not refused, as the events that they become.
func readScenario(t testing.TB, file string) []*events.Event {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	var log []*events.Event
	for n, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var l struct {
			ID         uuid.UUID         `json:"id"`
			Case       string            `json:"case"`
			Type       string            `json:"type"`
			Label      string            `json:"label"`
			Expect     string            `json:"expect"`
			Because    []string          `json:"because"`
			OccurredAt time.Time         `json:"occurredAt"`
			RecordedAt time.Time         `json:"recordedAt"`
			Actor      map[string]string `json:"actor"`
			Purpose    string            `json:"purpose"`
			LegalBasis string            `json:"legalBasis"`
			LateReason string            `json:"lateReason"`
			Data       jsontext.Value    `json:"data"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s:%d: %v", file, n+1, err)
		}
		if l.Expect == "refused" {
			continue
		}
		if l.ID == uuid.Nil {
			l.ID = events.DeriveID(file, fmt.Sprint(n))
		}
		if l.Label != "" {
			labels[l.Label] = l.ID.String()
		}
		data := string(l.Data)
		for label, id := range labels {
			data = strings.ReplaceAll(data, `"@`+label+`"`, `"`+id+`"`)
		}
		d, err := events.ParseData(l.Type, []byte(data))
		if err != nil {
			t.Fatalf("%s:%d: %v", file, n+1, err)
		}
		if l.OccurredAt.IsZero() {
			l.OccurredAt = l.RecordedAt
		}
		j, err := events.ParseCase(l.Case)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, &events.Event{ID: l.ID, Type: l.Type, Case: l.Case, Jurisdiction: j, OccurredAt: l.OccurredAt, RecordedAt: l.RecordedAt,
			Revision: uint64(len(log)), Data: d,
			Actor: events.Actor{Officer: l.Actor["officer"], Role: events.Role(l.Actor["role"]), Institution: events.Institution(l.Actor["institution"])}})
	}
	slices.SortStableFunc(log, func(a, b *events.Event) int { return a.RecordedAt.Compare(b.RecordedAt) })
	return log
}
