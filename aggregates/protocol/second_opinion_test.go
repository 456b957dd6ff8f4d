package protocol

import (
	"testing"
)

// What the second evaluator (reference_*_test.go) found in the Tracker, each with the sentence that decided it.
// D = 2026-09-02: notify-csw is due on 2026-06-04.
func TestSecondOpinion(t *testing.T) {
	tell(t, []told{
		{"a waiver ends when the activation is annulled: not when an activation annulled before it is annulled again", func(s *story) {
			first := s.on("2025-06-02", set("2026-09-02"))
			s.annul("2025-06-03", first)
			s.on("2025-06-04", set("2026-10-15"))
			s.on("2025-06-10", waive("notify-csw"))
			s.annul("2025-06-11", first)
			s.want("2025-06-12", "notify-csw", "2026-07-17 waived")
		}},
	})
}
