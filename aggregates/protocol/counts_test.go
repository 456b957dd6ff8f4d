package protocol

import (
	"testing"

	"traga.internal/events"
)

// rules are told as sentences of protocol.md, each with the story that shows it.
type told struct {
	sentence string
	story    func(s *story)
}

func tell(t *testing.T, tales []told) {
	for _, tale := range tales {
		t.Run(tale.sentence, func(t *testing.T) { tale.story(newStory(t, "MK")) })
	}
}

// D = 2026-09-02: notify-csw is due on 2026-06-04, notify-police on 2026-07-31, D - 180 days is 2026-03-06.
func TestWhichEventCounts(t *testing.T) {
	tell(t, []told{
		{"the release date is that of the decision taken last", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-10", change("2026-09-02", "2026-10-15"))
			s.late("2025-06-20", "2025-06-05", change("2026-09-02", "2026-09-20"))
			if got := s.known(s.instant("2025-07-01")).ReleaseDate(); got != day("2026-10-15") {
				s.t.Errorf("release date %s", got)
			}
			s.want("2025-07-01", "notify-csw", "2026-07-17 pending")
		}},
		{"the risk level is that of the decision taken last", func(s *story) {
			s.on("2025-06-02", assessed("risk", "medium"))
			s.on("2025-06-10", &events.RiskLevelChanged{To: "high"})
			s.late("2025-06-20", "2025-06-05", &events.RiskLevelChanged{To: "low"})
			if got := s.known(s.instant("2025-07-01")).RiskLevel(); got != "high" {
				s.t.Errorf("risk level %s", got)
			}
		}},
		{"an assessment without a level leaves the risk level", func(s *story) {
			s.on("2025-06-02", assessed("risk", "high"))
			s.on("2025-06-10", assessed("needs", ""))
			if got := s.known(s.instant("2025-07-01")).RiskLevel(); got != "high" {
				s.t.Errorf("risk level %s", got)
			}
		}},
		{"the fulfilling act is the one done first", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", planned("n-1", csw))
			s.late("2026-06-20", "2026-06-01", planned("n-2", csw))
			s.want("2026-06-15", "notify-csw", "2026-06-04 met-late on 2026-06-10")
			s.want("2026-06-21", "notify-csw", "2026-06-04 met on 2026-06-01 recorded-late")
		}},
		{"first and second count by occurrence", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-07-02", conference())
			s.want("2026-07-03", "conference-1", "2026-07-03 met on 2026-07-02")
			s.want("2026-07-03", "conference-2", "2026-07-31 pending")
			s.late("2026-07-20", "2026-06-20", conference())
			s.want("2026-07-21", "conference-1", "2026-07-03 met on 2026-06-20") // it was met on record all the time
			s.want("2026-07-21", "conference-2", "2026-07-31 met on 2026-07-02")
		}},
		{"ties are decided by position", func(s *story) {
			s.late("2025-06-02", "2025-06-01", set("2026-09-02"))
			s.late("2025-06-03", "2025-06-01", change("2026-09-02", "2026-10-15"))
			s.want("2025-06-04", "notify-csw", "2026-07-17 pending")
		}},
		{"an act done before its activation counts", func(s *story) {
			s.on("2025-05-05", planned("n-1", csw))
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2025-06-02 10:00", "notify-csw", "2026-06-04 met on 2025-05-05")
		}},
		{"but not for renotify", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			s.late("2025-06-12", "2025-06-09", notice("n-2", "date-changed", csw))
			s.late("2025-06-12", "2025-06-10", change("2026-09-02", "2026-10-15"))
			s.want("2025-06-12 10:00", "renotify/mk-csw", "2025-06-13 due-soon compressed")
			s.on("2025-06-13", planned("n-3", csw))
			s.want("2025-06-14", "renotify/mk-csw", "2025-06-13 met on 2025-06-13 compressed")
		}},
		{"nor for propagate-correction", func(s *story) {
			n := s.on("2025-06-02", planned("n-1", csw))
			s.on("2025-06-03", about("n-2", "correction", csw, n.String()))
			s.annul("2025-06-04", n)
			s.want("2025-06-04 10:00", "propagate-correction/"+n.String()+"/mk-csw", "2025-06-11 pending")
			s.on("2025-06-05", about("n-3", "correction", csw, n.String()))
			s.want("2025-06-06", "propagate-correction/"+n.String()+"/mk-csw", "2025-06-11 met on 2025-06-05")
		}},
		{"nor for withdrawal-notice", func(s *story) {
			s.on("2025-06-02", &events.ReferralMade{Referral: "r", Recipient: csw.Party(), Consent: "c"})
			s.on("2025-06-03", about("n-1", "consent-withdrawn", csw, "c"))
			s.on("2025-06-04", &events.ConsentWithdrawn{Consent: "c"})
			s.want("2025-06-05", "withdrawal-notice/c/mk-csw", "2025-06-11 pending")
		}},
		{"nor for retention-review", func(s *story) {
			s.by(csw)
			s.on("2025-06-02", &events.RetentionReviewed{Outcome: "keep"})
			s.on("2025-06-03", closed())
			s.want("2025-06-04", "retention-review", "2030-06-03 pending")
		}},
		{"first-contact counts from the day of release, not from the hour", func(s *story) {
			s.on("2026-03-02 08:00", &events.FirstContactMade{Mode: "office"})
			s.on("2026-03-03 08:00", &events.FirstContactMade{Mode: "office"})
			s.on("2026-03-03 12:00", freed())
			s.want("2026-03-04", "first-contact", "2026-03-06 met on 2026-03-03")
		}},
		{"first-contact and post-penal-review do not count before the day of release", func(s *story) {
			s.on("2026-03-02", &events.FirstContactMade{Mode: "office"})
			s.on("2026-03-02", postPenalReview("end"))
			s.on("2026-03-03", freed())
			s.want("2026-03-04", "first-contact", "2026-03-06 due-soon")
			s.want("2026-03-04", "post-penal-review/30d", "2026-04-02 pending")
		}},
		{"plan-review/n is met by the next review by occurrence", func(s *story) {
			s.on("2025-04-01", adopted())
			s.on("2025-09-01", reviewed())
			s.late("2025-12-01", "2025-07-01", reviewed())
			s.want("2025-09-02", "plan-review/1", "2025-10-01 met on 2025-09-01")
			s.want("2025-12-02", "plan-review/1", "2025-10-01 met on 2025-07-01")
			s.want("2025-12-02", "plan-review/2", "2026-01-02 met on 2025-09-01")
			s.want("2025-12-02", "plan-review/3", "2026-03-02 pending") // the late one slipped in between
		}},
		{"n counts by occurrence, annulled ones included", func(s *story) {
			s.on("2025-04-01", adopted())
			r := s.on("2025-05-05", reviewed())
			s.on("2025-06-02", reviewed())
			s.annul("2025-06-10", r)
			s.want("2025-06-11", "plan-review/1", "2025-10-01 met on 2025-06-02")
			s.want("2025-06-11", "plan-review/2", "2025-11-05 cancelled")
			s.want("2025-06-11", "plan-review/3", "2025-12-02 pending")
		}},
		{"a corrected review keeps its number", func(s *story) {
			s.on("2025-04-01", adopted())
			r := s.on("2025-05-05", reviewed())
			s.on("2025-06-02", reviewed())
			c := s.correct("2025-06-10", r, &events.TreatmentPlanReviewed{Plan: "p", Outcome: "o"})
			for _, at := range []string{"2025-06-11", "2025-06-13"} {
				s.want(at, "plan-review/1", "2025-10-01 met on 2025-05-05")
				s.want(at, "plan-review/2", "2025-11-05 met on 2025-06-02")
				s.want(at, "plan-review/3", "2025-12-02 pending")
				s.want(at, "plan-review/4", "none")
				if at == "2025-06-11" {
					s.annul("2025-06-12", c)
				}
			}
		}},
		{"a review after the release fulfils nothing", func(s *story) {
			s.on("2025-04-01", adopted())
			s.on("2025-06-02", freed())
			s.on("2025-06-03", reviewed())
			s.want("2025-06-04", "plan-review/1", "2025-10-01 cancelled")
			s.want("2025-06-04", "plan-review/2", "none")
		}},
		{"a date change that a later decision had overtaken when it was recorded changes nothing and activates no renotify", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			s.late("2025-06-10", "2025-06-10", change("2026-09-02", "2026-10-15"))
			s.late("2025-06-20", "2025-06-05", change("2026-09-02", "2025-07-01"))
			s.want("2025-06-23", "notify-police", "2026-09-15 pending")
			s.want("2025-06-23", "renotify/mk-csw", "2025-06-11 overdue")
		}},
		{"first-contact takes the risk level as known when the release was recorded; a later change does not move its date", func(s *story) {
			s.on("2026-03-02", assessed("risk", "medium"))
			s.on("2026-03-03", freed())
			s.on("2026-03-03 12:00", &events.RiskLevelChanged{To: "high"})
			s.late("2026-03-04", "2026-03-02", &events.RiskLevelChanged{To: "high"})
			s.want("2026-03-05", "first-contact", "2026-03-06 due-soon")
		}},
		{"a high risk known at the release makes first contact due after one working day", func(s *story) {
			s.on("2026-03-02", assessed("risk", "high"))
			s.on("2026-03-03", freed())
			s.want("2026-03-03 10:00", "first-contact", "2026-03-04 due-soon")
		}},
		{"so does a release without a roof", func(s *story) {
			s.on("2026-03-03", &events.PersonReleased{Kind: "sentence-end", Papers: true, Means: true})
			s.want("2026-03-03 10:00", "first-contact", "2026-03-04 due-soon")
		}},
		{"a correction acts as if the entry had been right from the start: due dates", func(s *story) {
			id := s.on("2025-06-02", set("2026-09-12"))
			s.correct("2025-08-02", id, set("2026-09-02"))
			s.want("2025-08-03", "notify-csw", "2026-06-04 pending")
		}},
		{"a correction acts as if the entry had been right from the start: compression", func(s *story) {
			id := s.on("2026-06-08", set("2026-12-02"))
			s.correct("2026-07-06", id, set("2026-08-03"))
			s.want("2026-07-05", "notify-csw", "2026-09-03 pending")
			s.want("2026-07-06 10:00", "notify-csw", "2026-06-09 overdue compressed")
		}},
		{"a correction acts as if the entry had been right from the start: amnesty", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			id := s.on("2026-06-10", change("2026-09-02", "2026-08-20"))
			s.want("2026-06-11", "notify-csw", "2026-06-04 overdue")
			s.correct("2026-06-20", id, change("2026-09-02", "2026-10-15"))
			s.want("2026-06-21", "notify-csw", "2026-07-17 pending breach 2026-06-04 until 2026-06-10")
		}},
		{"a corrected risk level moves first-contact as if it had been right", func(s *story) {
			id := s.on("2026-03-02", assessed("risk", "medium"))
			s.on("2026-03-03", freed())
			s.correct("2026-03-04", id, assessed("risk", "high"))
			s.want("2026-03-04 10:00", "first-contact", "2026-03-04 due-soon")
		}},
		{"corrections take effect in the order of recording", func(s *story) {
			id := s.on("2025-06-02", set("2026-09-12"))
			s.late("2025-06-10", "2025-06-09", &events.EntryCorrected{Target: id, Replacement: []byte(`{"date":"2026-10-15","basis":"pardon"}`)})
			s.late("2025-06-11", "2025-06-08", &events.EntryCorrected{Target: id, Replacement: []byte(`{"date":"2026-09-02","basis":"pardon"}`)})
			s.want("2025-06-10 10:00", "notify-csw", "2026-07-17 pending")
			s.want("2025-06-12", "notify-csw", "2026-06-04 pending")
		}},
		{"date decisions taken before the release are applied before it, whenever recorded", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-03-16", freed())
			s.late("2026-03-20", "2026-03-13", change("2026-09-02", "2026-03-16"))
			s.want("2026-03-17", "notify-police", "2026-03-16 overdue")
			s.want("2026-03-21", "notify-police", "2026-03-23 due-soon compressed")
		}},
		{"later ones move nothing", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			s.on("2026-03-16", freed())
			s.on("2026-03-17", change("2026-09-02", "2027-03-16"))
			s.want("2026-03-18", "notify-police", "2026-03-16 overdue")
			s.want("2026-03-18", "renotify/mk-csw", "none")
			if got := s.known(s.instant("2026-03-18")).ReleaseDate(); got != day("2026-09-02") {
				s.t.Errorf("release date %s", got)
			}
		}},
		{"whether an obligation was met when the date changed goes by occurrence", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", change("2026-09-02", "2026-10-15"))
			s.late("2026-06-12", "2026-06-09", planned("n-1", csw))
			s.want("2026-06-11", "notify-csw", "2026-07-17 pending breach 2026-06-04 until 2026-06-10")
			s.want("2026-06-13", "notify-csw", "2026-06-04 met-late on 2026-06-09")
		}},
		{"whether it was waived too", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-10", change("2026-09-02", "2026-10-15"))
			s.late("2025-06-12", "2025-06-09", waive("notify-csw"))
			s.want("2025-06-13", "notify-csw", "2026-06-04 waived")
		}},
		{"whether it was overdue goes by what was recorded that day", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.late("2026-06-10", "2026-06-01", change("2026-09-02", "2026-08-20")) // taken before it was overdue
			s.want("2026-06-11", "notify-csw", "2026-06-04 overdue")
			s.late("2026-06-15", "2026-06-03", planned("n-1", csw)) // after the change, recorded after it
			s.want("2026-06-16", "notify-csw", "2026-06-04 met on 2026-06-03 recorded-late")
		}},
		{"an act after the change but on record that day makes it not overdue", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-08", planned("n-1", csw))
			s.late("2026-06-10", "2026-06-01", change("2026-09-02", "2026-10-15"))
			s.want("2026-06-11", "notify-csw", "2026-07-17 met on 2026-06-08")
		}},
		{"an act done only after the change was recorded is no amnesty, though of the same day", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", change("2026-09-02", "2026-08-20"))
			s.on("2026-06-10 14:00", planned("n-1", csw))
			s.want("2026-06-11", "notify-csw", "2026-06-04 met-late on 2026-06-10")
		}},
		{"a release recorded late: what was already overdue is judged on the day it was recorded", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.late("2026-06-08", "2026-06-01", freed())
			s.want("2026-06-09", "notify-csw", "2026-06-04 overdue") // overdue by then
			s.want("2026-06-09", "notify-police", "2026-06-01 overdue")
		}},
		{"a release after the expected date moves no due date", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-09-07", freed())
			s.want("2026-09-08", "confirm-date", "2026-08-28 overdue")
		}},
		{"reopened: missed obligations stand again, as if the case had not been closed", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.by(csw).on("2026-05-04", closed())
			s.want("2026-05-05", "notify-csw", "2026-06-04 missed")
			s.on("2026-06-10", reopened())
			s.want("2026-06-11", "notify-csw", "2026-06-04 overdue")
			s.want("2026-06-11", "notify-police", "2026-07-31 pending")
			s.want("2026-06-11", "retention-review", "2031-05-05 cancelled")
		}},
		{"fulfilled after the closing: met or met-late by its date", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.by(csw).on("2026-05-04", closed())
			s.by(prison).on("2026-06-03", planned("n-1", csw))
			s.on("2026-08-03", planned("n-2", police))
			s.want("2026-08-04", "notify-csw", "2026-06-04 met on 2026-06-03")
			s.want("2026-08-04", "notify-police", "2026-07-31 met-late on 2026-08-03")
		}},
		{"what is activated while the case is closed runs as usual and is not missed", func(s *story) {
			n := s.on("2025-06-02", planned("n-1", csw))
			s.by(csw).on("2025-06-04", closed())
			s.annul("2025-06-05", n)
			s.want("2025-06-06", "propagate-correction/"+n.String()+"/mk-csw", "2025-06-12 pending")
			s.want("2025-06-13", "propagate-correction/"+n.String()+"/mk-csw", "2025-06-12 overdue")
			s.want("2025-06-06", "retention-review", "2030-06-04 pending")
			s.want("2025-06-06", "screening", "2025-03-18 missed")
		}},
		{"a waiver counts from its recording", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.by(directorate).late("2026-05-20", "2026-05-18", waive("notify-csw"))
			s.want("2026-05-19", "notify-csw", "2026-06-04 pending")
			s.want("2026-05-20 10:00", "notify-csw", "2026-06-04 waived")
		}},
		{"a waiver must not have occurred before the activation", func(s *story) {
			s.late("2025-06-02", "2025-05-30", set("2026-09-02"))
			s.late("2025-06-03", "2025-05-29", waive("notify-csw"))
			s.want("2025-06-04", "notify-csw", "2026-06-04 pending")
		}},
		{"a waiver ends when the activation is annulled", func(s *story) {
			id := s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", waive("notify-csw"))
			s.annul("2025-06-04", id)
			s.want("2025-06-05", "notify-csw", "2026-06-04 cancelled")
			s.on("2025-06-06", set("2026-09-02"))
			s.want("2025-06-07", "notify-csw", "2026-06-04 pending")
		}},
		{"a waiver ends with its activation even where an older one takes its place", func(s *story) {
			first := s.on("2025-06-02", assessed("risk", "low"))
			s.on("2025-06-03", assessed("needs", ""))
			s.on("2025-06-04", waive("treatment-plan"))
			s.annul("2025-06-05", first)
			s.want("2025-06-06", "treatment-plan", "2025-07-03 pending")
		}},
		{"waived stays waived, though done later", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-05-20", waive("notify-csw"))
			s.on("2026-05-21", planned("n-1", csw))
			s.want("2026-05-22", "notify-csw", "2026-06-04 waived")
		}},
		{"an act done before the waiver meets the obligation, whenever it is recorded", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-05-20", waive("notify-csw"))
			s.late("2026-05-22", "2026-05-19", planned("n-1", csw))
			s.want("2026-05-23", "notify-csw", "2026-06-04 met on 2026-05-19")
		}},
		{"waived after it was overdue: the breach is listed, until the day of the waiver", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", waive("notify-csw"))
			s.want("2026-06-11", "notify-csw", "2026-06-04 waived breach 2026-06-04 until 2026-06-10")
		}},
		{"waived on the last day: no breach", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-04 23:59", waive("notify-csw"))
			s.want("2026-06-11", "notify-csw", "2026-06-04 waived")
		}},
	})
}
