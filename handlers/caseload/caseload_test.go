package caseload_test

import (
	"testing"
	"time"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/directory"
	"traga.internal/events"
	"traga.internal/handlers/caseload"
)

var today = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// TestScriptsKeepTheStructuralRules runs every step through the structural rules alone, for many seeds.
func TestScriptsKeepTheStructuralRules(t *testing.T) {
	for seed := range int64(30) {
		g, err := caseload.New(seed, today.AddDate(0, 0, int(seed)*23), 60)
		if err != nil {
			t.Fatal(err)
		}
		states, registers := map[string]*casefile.State{}, map[events.Jurisdiction]*directory.Directory{}
		var last time.Time
		for step := range g.All() {
			e := *step.Event
			if step.RecordedAt.Before(last) {
				t.Fatalf("seed %d: %s of %s goes back in time", seed, e.Type, e.Case)
			}
			last = step.RecordedAt
			if e.Case == "" {
				d := registers[e.Jurisdiction]
				if d == nil {
					d = &directory.Directory{}
					registers[e.Jurisdiction] = d
				}
				if _, err := casefile.DecideElsewhere(&casefile.State{}, &e, step.RecordedAt, d.Decide(&e, step.RecordedAt)...); err != nil {
					t.Fatalf("seed %d: %s: %v", seed, e.Type, err)
				}
				e.RecordedAt = step.RecordedAt
				d.Evolve(&e)
				continue
			}
			s := states[e.Case]
			if s == nil {
				s = &casefile.State{}
				states[e.Case] = s
			}
			if _, err := casefile.Decide(s, &e, step.RecordedAt); err != nil {
				t.Errorf("seed %d: %s %s at %v: %v", seed, e.Case, e.Type, step.RecordedAt, err)
				continue
			}
			if _, err := events.Encode(&e); err != nil {
				t.Fatal(err)
			}
			e.RecordedAt, e.Revision = step.RecordedAt, uint64(s.Len())
			s.Evolve(&e)
		}
	}
}
