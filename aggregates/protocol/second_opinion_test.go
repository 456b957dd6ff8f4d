package protocol

import (
	"testing"

	"traga.internal/events"
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
		{"waived after it was overdue: the breach is listed, though a postponement taken before the waiver is recorded after it", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", waive("notify-csw"))
			s.want("2026-06-11", "notify-csw", "2026-06-04 waived breach 2026-06-04 until 2026-06-10")
			s.late("2026-06-15", "2026-06-09", change("2026-09-02", "2026-10-15"))
			s.want("2026-06-16", "notify-csw", "2026-07-17 waived breach 2026-06-04 until 2026-06-10")
		}},
		{"whether it was overdue, by what was recorded that day: an early release recorded after the waiver makes no breach", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-05-20", waive("notify-csw"))
			s.late("2026-05-22", "2026-05-15", &events.PersonReleased{Kind: "pardon", Papers: true, Accommodation: true, Means: true})
			s.want("2026-05-23", "notify-csw", "2026-05-15 waived")
		}},
		{"waived after it was overdue: what was met on record when it fell due never was, though the waiver had been given first", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-01", planned("n-1", csw))
			s.late("2026-06-10", "2026-05-28", waive("notify-csw"))
			s.want("2026-06-11", "notify-csw", "2026-06-04 waived")
		}},
		{"what is activated while the case is closed is not missed, though a second closing is on record", func(s *story) {
			s.on("2026-03-02", closed())
			s.late("2026-03-10", "2026-02-20", closed())
			s.late("2026-03-12", "2026-02-25", planned("n-1", csw))
			s.want("2026-03-13", "acknowledge/n-1", "2026-03-13 due-soon compressed")
			s.want("2026-03-13", "screening", "2025-03-18 missed")
		}},
		{"missed: still unmet when the case was closed, though the person was released after that", func(s *story) {
			s.on("2025-06-02", adopted())
			s.on("2026-03-05", freed())
			s.late("2026-03-10", "2026-03-02", closed())
			s.want("2026-03-13", "plan-review/1", "2025-12-02 missed")
		}},
		{"waived: a waiver on record that day makes it not overdue, though another one was given before it", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-09", waive("notify-csw"))
			s.late("2026-06-10", "2026-06-08", change("2026-09-02", "2026-10-15"))
			s.want("2026-06-11", "notify-csw", "2026-07-17 waived breach 2026-06-04 until 2026-06-09")
			s.late("2026-06-20", "2026-06-08 12:00", waive("notify-csw"))
			s.want("2026-06-21", "notify-csw", "2026-07-17 waived breach 2026-06-04 until 2026-06-09")
		}},
		{"once the duty is met, its holder stays the one known when that was recorded, though an earlier decision on the date is recorded after it", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.by(csw).on("2026-05-04", &events.HandoverAccepted{Officer: "o"})
			s.by(events.Actor{Role: events.CSW, Institution: "mk-csw-2"}).on("2026-10-05", &events.FirstContactMade{Mode: "office"})
			s.by(prison).late("2026-10-06", "2025-05-05", set("2026-09-20"))
			if o := s.find("2026-10-07", "handover"); o.DutyHolder != csw.Institution || o.Escalation(s.instant("2026-10-07")) != 0 {
				s.t.Errorf("held by %s, level %d", o.DutyHolder, o.Escalation(s.instant("2026-10-07")))
			}
		}},
		{"a waiver ends when the activation is annulled, for duties activated again too", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			s.on("2025-06-04", change("2026-09-02", "2026-10-15"))
			second := s.on("2025-06-10", change("2026-10-15", "2026-09-15"))
			s.on("2025-06-11", waive("renotify/mk-csw"))
			s.want("2025-06-12", "renotify/mk-csw", "2025-06-11 waived")
			s.annul("2025-06-13", second)
			s.want("2025-06-14", "renotify/mk-csw", "2025-06-05 overdue")
		}},
		{"a date change leaves met obligations as they are, but not a sentence taken before they were met and recorded after it", func(s *story) {
			s.on("2026-03-02", set("2026-11-02")) // 12 months before has passed: due on the 3rd, compressed
			s.on("2026-03-12", change("2026-11-02", "2026-10-05"))
			s.late("2026-03-16", "2026-03-10", sentence("2025-03-03", "2026-12-03"))
			s.late("2026-03-17", "2026-03-11", &events.PreReleasePlanningOpened{Manager: "m"})
			s.want("2026-03-18", "open-pre-release", "2026-04-30 met on 2026-03-11 breach 2026-03-03 until 2026-03-16")
		}},
		{"a waiver of a notice of correction ends when that correction is annulled", func(s *story) {
			n := s.on("2025-06-02", planned("n-1", csw))
			s.correct("2025-06-03", n, planned("n-1", csw))
			second := s.correct("2025-06-10", n, planned("n-1", csw))
			id := "propagate-correction/" + n.String() + "/mk-csw"
			s.on("2025-06-11", waive(id))
			s.want("2025-06-12", id, "2025-06-17 waived")
			s.annul("2025-06-13", second)
			s.want("2025-06-14", id, "2025-06-10 overdue")
		}},
		{"recordedLate follows the correction where only a correction made the act count: not the second of two that say so", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			n := s.on("2026-05-28", notice("n-1", "planned-release", police))
			s.correct("2026-06-01", n, planned("n-1", csw))
			s.correct("2026-06-20", n, planned("n-1", csw))
			s.want("2026-06-21", "notify-csw", "2026-06-04 met on 2026-05-28")
		}},
		{"recordedLate: not where a later correction lets the act do alone what it had done with another", func(s *story) {
			s.on("2025-03-10", assessed("risk", ""))
			needs := s.on("2025-03-20", assessed("needs", ""))
			s.want("2025-03-21", "assessment", "2025-05-02 met on 2025-03-20")
			s.correct("2025-06-10", needs, assessed("risk-and-needs", ""))
			s.want("2025-06-11", "assessment", "2025-05-02 met on 2025-03-20")
		}},
	})
}
