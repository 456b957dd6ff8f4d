package protocol

import (
	"testing"

	"traga.internal/events"
)

// erase takes a field out of the last entry, as it reads once its key was destroyed.
func (s *story) erase(pointer string) {
	e := s.log[len(s.log)-1]
	e.Withheld = append(e.Withheld, events.Withheld{Pointer: pointer, Category: events.Risk, Reason: events.Erased, Receipt: erasedBy})
}

var erasedBy = events.DeriveID("the receipt")

func TestAnErasedRiskLevelFindsNobodyLate(t *testing.T) {
	t.Run("the latest date that any level would give counts", func(t *testing.T) {
		s := newStory(t, "MK")
		s.on("2026-03-02", assessed("risk", ""))
		s.erase("/level")
		s.on("2026-03-03", freed())
		s.want("2026-03-05", "first-contact", "2026-03-06 due-soon")
	})
	t.Run("also where a rule is milder to a low one", func(t *testing.T) {
		s := withOwn(t, "due: {after: 9 days, if: [{when: state.riskLevel != 'low', then: 3 days}]}")
		s.on("2026-03-02", assessed("risk", ""))
		s.erase("/level")
		s.on("2026-03-03", &events.InformationRequested{Request: "r"})
		s.want("2026-03-03 10:00", "own/r", "2026-03-12 pending")
	})
	t.Run("what does not hang on it counts as before", func(t *testing.T) {
		s := newStory(t, "MK")
		s.on("2026-03-02", &events.RiskLevelChanged{})
		s.erase("/to")
		s.on("2026-03-03", &events.PersonReleased{Kind: "sentence-end", Papers: true, Means: true})
		s.want("2026-03-03 10:00", "first-contact", "2026-03-04 due-soon")
	})
	t.Run("it outweighs the level before it, and is none itself", func(t *testing.T) {
		s := newStory(t, "MK")
		s.on("2026-03-01", assessed("risk", "high"))
		s.on("2026-03-02", assessed("risk", ""))
		s.erase("/level")
		s.on("2026-03-03", freed())
		s.want("2026-03-05", "first-contact", "2026-03-06 due-soon")
		tracker := NewTracker(NewBook())
		for _, e := range s.log {
			tracker.Evolve(e)
		}
		receipt, erased := tracker.RiskLevelErased()
		if level := tracker.RiskLevel(); level != "" || !erased || receipt != erasedBy {
			t.Errorf("the level is %q, erased: %v by %v", level, erased, receipt)
		}
	})
}

func TestAGuardKnowsWhatItAsksFor(t *testing.T) {
	g, err := compileGuard(`event.level == 'high' && size(event.indicators) > 0`, "AssessmentCompleted")
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]bool{"/level": true, "/indicators": true, "/levels": false, "/leve": false, "/facts": false} {
		if got := g.asksFor([]events.Withheld{{Pointer: pointer}}); got != want {
			t.Errorf("%s: %v", pointer, got)
		}
	}
	if (*guard)(nil).asksFor([]events.Withheld{{Pointer: "/level"}}) || g.asksFor(nil) {
		t.Error("nothing is asked for")
	}
}
