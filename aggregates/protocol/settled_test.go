package protocol

import (
	"slices"
	"testing"
	"time"

	"traga.internal/events"
)

func TestOffsets(t *testing.T) {
	tell(t, []told{
		{"N days before release, then back to the nearest working day", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2025-06-03", "conference-1", "2026-07-03 pending")       // Saturday the 4th
			s.want("2025-06-03", "share-needs-map", "2026-07-17 pending")    // Sunday the 19th
			s.want("2025-06-03", "notify-directorate", "2026-03-06 pending") // itself a Friday
		}},
		{"N working days before release, that day not counted", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2025-06-03", "confirm-date", "2026-08-28 pending")
		}},
		{"N months before release: same day of the month, clamped, then back", func(s *story) {
			s.on("2025-06-02", sentence("2025-03-03", "2026-08-31"))
			s.on("2025-06-02", set("2026-08-31"))
			s.want("2025-06-03", "open-pre-release", "2026-02-27 pending") // 28 February is a Saturday
		}},
		{"N working days after an event: its day is not counted", func(s *story) {
			s.on("2025-06-02", planned("n-1", csw))
			s.want("2025-06-02 10:00", "acknowledge/n-1", "2025-06-09 pending")
		}},
		{"N days after an event, then forward", func(s *story) {
			s.want("2025-03-04", "screening", "2025-03-18 pending")
			s.want("2025-03-04", "assessment", "2025-05-02 pending")
			s.on("2025-04-05", assessed("risk", "low"))
			s.want("2025-04-05 10:00", "treatment-plan", "2025-05-05 pending")
			s.on("2025-04-17", assessed("needs", ""))
			s.want("2025-04-18", "treatment-plan", "2025-05-05 pending") // the first one counts
		}},
		{"the release date is the latest set or changed date as known", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-09", set("2026-10-15"))
			s.want("2025-06-08", "notify-csw", "2026-06-04 pending")
			s.want("2025-06-09 10:00", "notify-csw", "2026-07-17 pending")
		}},
		{"compression: due one working day after the recorded date", func(s *story) {
			s.on("2026-08-24", set("2026-09-02"))
			s.want("2026-08-24 10:00", "notify-csw", "2026-08-25 due-soon compressed")
			s.want("2026-08-24 10:00", "confirm-date", "2026-08-28 pending")
		}},
		{"compression goes by the recorded date, also of what is told late", func(s *story) {
			s.late("2026-03-13", "2026-03-02", planned("n-1", csw))
			s.want("2026-03-13 10:00", "acknowledge/n-1", "2026-03-16 due-soon compressed")
		}},
		{"it is no breach if the date moved late", func(s *story) {
			s.on("2025-06-02", set("2026-12-02"))
			s.on("2026-08-24", change("2026-12-02", "2026-09-02"))
			s.want("2026-08-24 10:00", "notify-csw", "2026-08-25 due-soon compressed")
		}},
		{"no amnesty: overdue when brought forward, it keeps its old due date", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-05", change("2026-09-02", "2026-08-03"))
			s.want("2026-06-06", "notify-csw", "2026-06-04 overdue")
			s.want("2026-06-06", "conference-1", "2026-06-08 due-soon compressed")
		}},
		{"due on the day of the change, it is not yet overdue", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-04 23:00", change("2026-09-02", "2026-08-03"))
			s.want("2026-06-05", "notify-csw", "2026-06-05 due-soon compressed")
		}},
		{"postponed: recomputed, and the breach stays listed", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", change("2026-09-02", "2026-12-02"))
			s.want("2026-06-11", "notify-csw", "2026-09-03 pending breach 2026-06-04 until 2026-06-10")
			s.on("2026-08-03", planned("n-1", csw))
			s.want("2026-08-04", "notify-csw", "2026-09-03 met on 2026-08-03 breach 2026-06-04 until 2026-06-10")
			s.want("2026-06-09", "notify-csw", "2026-06-04 overdue") // the past is what it was
		}},
		{"postponed twice while overdue: both breaches", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", change("2026-09-02", "2026-10-15"))
			s.on("2026-07-20", change("2026-10-15", "2026-12-02"))
			s.want("2026-07-21", "notify-csw", "2026-09-03 pending breach 2026-06-04 until 2026-06-10 breach 2026-07-17 until 2026-07-20")
		}},
		{"postponed too little: one working day is left", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", change("2026-09-02", "2026-09-03"))
			s.want("2026-06-11", "notify-csw", "2026-06-11 due-soon compressed breach 2026-06-04 until 2026-06-10")
		}},
		{"released early: unmet before-release obligations become due on that day", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-03-13", freed())
			s.want("2026-03-13 10:00", "notify-csw", "2026-03-13 due-soon")
			s.want("2026-03-13 10:00", "notify-directorate", "2026-03-06 overdue")
			s.want("2026-03-16", "notify-csw", "2026-03-13 overdue")
		}},
		{"a date change leaves met, waived and cancelled obligations as they are", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			s.on("2025-06-03", waive("notify-police"))
			s.on("2026-03-09", change("2026-09-02", "2026-10-15"))
			s.want("2026-03-10", "notify-csw", "2026-06-04 met on 2025-06-03")
			s.want("2026-03-10", "notify-police", "2026-07-31 waived")
			s.want("2026-03-10", "renotify/mk-csw", "2026-03-10 due-soon")
		}},
	})
}

func TestObligations(t *testing.T) {
	tell(t, []told{
		{"overdue from 00:00 local time of the next day, on the night that summer time begins too", func(s *story) {
			s.on("2026-03-20", planned("n-1", csw)) // due on Friday the 27th
			s.on("2026-03-23", planned("n-2", csw)) // due on Monday the 30th, the day after the short night
			s.want("2026-03-27 23:59", "acknowledge/n-1", "2026-03-27 due-soon")
			s.want("2026-03-28 00:00", "acknowledge/n-1", "2026-03-27 overdue")
			s.want("2026-03-30 23:59", "acknowledge/n-2", "2026-03-30 due-soon")
			s.want("2026-03-31 00:00", "acknowledge/n-2", "2026-03-30 overdue")
		}},
		{"due-soon 14 days before for offsets of 30 days or more", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2026-05-20 23:59", "notify-csw", "2026-06-04 pending")
			s.want("2026-05-21 00:00", "notify-csw", "2026-06-04 due-soon")
		}},
		{"due-soon 2 working days before for others", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2026-08-25 23:59", "confirm-date", "2026-08-28 pending")
			s.want("2026-08-26 00:00", "confirm-date", "2026-08-28 due-soon")
		}},
		{"met compares the local date of the act, up to midnight", func(s *story) {
			s.on("2026-03-02", requested("r", "urgent"))
			s.on("2026-03-04 23:59", &events.InformationRefused{Request: "r", Ground: "g"})
			s.want("2026-03-05", "answer-request/r", "2026-03-04 met on 2026-03-04")
		}},
		{"report-breach is due at an instant and met by it", func(s *story) {
			s.by(directorate).on("2026-03-06 16:00", &events.DataBreachRecorded{Breach: "b", Risk: "high"})
			s.want("2026-03-09 16:00", "report-breach/b", "2026-03-09T15:00:00Z due-soon")
			s.want("2026-03-09 16:01", "report-breach/b", "2026-03-09T15:00:00Z overdue")
			s.late("2026-03-09 18:00", "2026-03-09 16:00", &events.BreachReported{Breach: "b"})
			s.want("2026-03-09 19:00", "report-breach/b", "2026-03-09T15:00:00Z met on 2026-03-09 recorded-late")
		}},
		{"cancelled: a guard stopped holding", func(s *story) {
			id := s.by(directorate).on("2026-03-06 16:00", &events.DataBreachRecorded{Breach: "b", Risk: "high"})
			s.correct("2026-03-07", id, &events.DataBreachRecorded{Breach: "b", Risk: "none"})
			s.want("2026-03-08", "report-breach/b", "2026-03-09T15:00:00Z cancelled")
		}},
		{"annulled fulfilment: overdue again as known from then on", func(s *story) {
			s.on("2026-03-02", requested("r", "normal"))
			id := s.on("2026-03-03", &events.InformationRefused{Request: "r", Ground: "g"})
			s.annul("2026-03-30", id)
			s.want("2026-03-29", "answer-request/r", "2026-03-16 met on 2026-03-03")
			s.want("2026-03-30 10:00", "answer-request/r", "2026-03-16 overdue")
			s.annul("2026-03-31", s.log[len(s.log)-1].ID)
			s.want("2026-04-01", "answer-request/r", "2026-03-16 met on 2026-03-03")
		}},
	})
}

func TestSettledPoints(t *testing.T) {
	tell(t, []told{
		{"compressed only if the plain due date lies before the next working day after the recorded date", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-07-02", change("2026-09-02", "2026-08-02")) // D - 30 days: Friday 3 July
			s.want("2026-07-02 10:00", "notify-police", "2026-07-03 due-soon")
		}},
		{"early release: due on the actual day, unrolled and uncompressed", func(s *story) {
			s.on("2026-05-02", set("2026-05-20"))
			s.want("2026-05-02 10:00", "notify-csw", "2026-05-04 due-soon compressed")
			s.on("2026-05-03", freed()) // a Sunday
			s.want("2026-05-03 10:00", "notify-csw", "2026-05-03 due-soon")
		}},
		{"a current breach shows as overdue and is not listed", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2026-06-20", "notify-csw", "2026-06-04 overdue")
		}},
		{"renotify activated again: the id stays and the newest activation replaces the old", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			first := s.on("2025-06-10", change("2026-09-02", "2026-10-15"))
			s.on("2025-06-11", notice("n-2", "date-changed", csw))
			s.want("2025-06-12", "renotify/mk-csw", "2025-06-11 met on 2025-06-11")
			second := s.on("2025-06-16", change("2026-10-15", "2026-09-15"))
			s.want("2025-06-18", "renotify/mk-csw", "2025-06-17 overdue")
			if o := s.find("2025-06-18", "renotify/mk-csw"); o.ActivatedBy != second {
				s.t.Errorf("activated by %s", o.ActivatedBy)
			}
			s.annul("2025-06-19", second)
			if o := s.find("2025-06-20", "renotify/mk-csw"); o.ActivatedBy != first || o.Outcome != Met {
				s.t.Errorf("after the annulment: %+v", o)
			}
		}},
		{"retention-review: the last closing counts", func(s *story) {
			s.by(csw).on("2025-06-02", closed())
			s.on("2025-06-10", reopened())
			s.by(directorate).on("2025-06-16", closed())
			s.want("2025-06-17", "retention-review", "2030-06-17 pending") // Sunday the 16th
			if o := s.find("2025-06-17", "retention-review"); o.DutyHolder != "mk-des" || o.Duty != events.Directorate {
				s.t.Errorf("%s of %s", o.Duty, o.DutyHolder)
			}
		}},
		{"activatedBy is, for before-release rules, the event that first set the date", func(s *story) {
			first := s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-10", change("2026-09-02", "2026-10-15"))
			if o := s.find("2025-06-18", "notify-csw"); o.ActivatedBy != first {
				s.t.Errorf("activated by %s", o.ActivatedBy)
			}
		}},
		{"fulfilledBy, waivedBy and acknowledgedBy are event ids", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			act := s.on("2025-06-03", planned("n-1", csw))
			waiver := s.on("2025-06-03", waive("notify-police"))
			s.on("2025-06-04", &events.AlertAcknowledged{Obligation: "screening", Note: "n"})
			ack := s.on("2025-06-05", &events.AlertAcknowledged{Obligation: "screening", Note: "n"})
			if o := s.find("2025-06-18", "notify-csw"); o.FulfilledBy != act {
				s.t.Error("fulfilledBy")
			}
			if o := s.find("2025-06-18", "notify-police"); o.WaivedBy != waiver {
				s.t.Error("waivedBy")
			}
			if o := s.find("2025-06-18", "screening"); o.AcknowledgedBy != ack {
				s.t.Error("acknowledgedBy")
			}
		}},
		{"recordedLate follows the correction where only a correction made the act count", func(s *story) {
			id := s.on("2025-04-01", assessed("risk", "low"))
			s.correct("2025-05-12", id, assessed("risk-and-needs", "low"))
			s.want("2025-05-11", "assessment", "2025-05-02 overdue")
			s.want("2025-05-13", "assessment", "2025-05-02 met on 2025-04-01 recorded-late")
		}},
		{"recordedLate does not where the act counted before the correction too", func(s *story) {
			id := s.on("2025-04-01", assessed("risk-and-needs", "low"))
			s.correct("2025-05-12", id, assessed("risk-and-needs", "high"))
			s.want("2025-05-13", "assessment", "2025-05-02 met on 2025-04-01")
		}},
		{"report-breach is never compressed", func(s *story) {
			s.by(directorate).late("2026-03-16", "2026-03-06 16:00", &events.DataBreachRecorded{Breach: "b", Risk: "high"})
			s.want("2026-03-16 10:00", "report-breach/b", "2026-03-09T15:00:00Z overdue")
		}},
		{"the breach of report-breach begins on the next local day", func(s *story) {
			s.by(directorate).on("2026-03-06 16:00", &events.DataBreachRecorded{Breach: "b", Risk: "high"})
			s.on("2026-03-06 16:30", &events.DataBreachRecorded{Breach: "c", Risk: "high"})
			s.on("2026-03-09 20:00", waive("report-breach/b"))
			s.on("2026-03-10", waive("report-breach/c"))
			s.want("2026-03-11", "report-breach/b", "2026-03-09T15:00:00Z waived")
			s.want("2026-03-11", "report-breach/c", "2026-03-09T15:30:00Z waived breach 2026-03-09 until 2026-03-10")
		}},
		{"level n starts at 00:00 of the day on which the working days overdue exceed its number", func(s *story) {
			s.on("2026-02-20", requested("r", "urgent")) // due on Tuesday the 24th
			for at, want := range map[string][2]int{"2026-02-24 23:00": {0, 0}, "2026-02-25": {0, 1}, "2026-02-27 23:59": {0, 3}, "2026-03-01": {0, 3},
				"2026-03-02 00:00": {1, 4}, "2026-03-05 23:59": {1, 7}, "2026-03-06 00:00": {2, 8}, "2026-03-17 23:59": {2, 15}, "2026-03-18 00:00": {3, 16}} {
				now := s.instant(at)
				tr := s.known(now)
				i := slices.IndexFunc(tr.Obligations(), func(o Obligation) bool { return o.ID == "answer-request/r" })
				o := tr.Obligations()[i]
				if got := [2]int{o.Escalation(now), o.WorkingDaysOverdue(tr.Calendar(), now)}; got != want {
					s.t.Errorf("%s: level and working days overdue %v, expected %v", at, got, want)
				}
			}
		}},
		{"critical ones reach the levels after 1, 3 and 7 working days", func(s *story) {
			s.on("2026-02-19", freed()) // first contact due on Tuesday the 24th
			for at, want := range map[string]int{"2026-02-25": 0, "2026-02-26 00:00": 1, "2026-03-02 00:00": 2, "2026-03-06 00:00": 3} {
				if got := s.find(at, "first-contact").Escalation(s.instant(at)); got != want {
					s.t.Errorf("%s: level %d, expected %d", at, got, want)
				}
			}
			s.on("2026-03-03", &events.FirstContactMade{Mode: "office"})
			if got := s.find("2026-04-01", "first-contact").Escalation(s.instant("2026-04-01")); got != 2 {
				s.t.Errorf("level %d stays as reached when it was met, expected 2", got)
			}
		}},
		{"in propagate-correction the event is the id of the corrected one", func(s *story) {
			n := s.on("2025-06-02", planned("n-1", csw))
			s.correct("2025-06-03", n, planned("n-1", csw))
			c := s.correct("2025-06-05", n, planned("n-1", csw))
			id := "propagate-correction/" + n.String() + "/mk-csw"
			s.want("2025-06-06", id, "2025-06-12 pending")
			if o := s.find("2025-06-06", id); o.ActivatedBy != c || o.DutyHolder != "mk-prison" || o.Toward != "" {
				s.t.Errorf("%+v", o)
			}
			s.on("2025-06-07", about("n-2", "correction", csw, c.String()))
			s.want("2025-06-07 10:00", id, "2025-06-12 pending")
			s.on("2025-06-08", about("n-3", "correction", csw, n.String()))
			s.want("2025-06-08 10:00", id, "2025-06-12 met on 2025-06-08")
		}},
		{"a needs map counts once its version was finalised", func(s *story) {
			shared := func(v int) any { return &events.NeedsMapShared{NeedsMap: "m", Version: v, Recipient: csw.Party()} }
			final := func(v int) any { return &events.NeedsMapFinalised{NeedsMap: "m", Version: v} }
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-07-01", final(2))
			s.on("2026-07-02", shared(1))
			s.want("2026-07-03", "share-needs-map", "2026-07-17 due-soon")
			s.on("2026-07-06", final(1))
			s.want("2026-07-07", "share-needs-map", "2026-07-17 due-soon") // it was shared before it was final
			s.on("2026-07-08", shared(2))
			s.want("2026-07-09", "share-needs-map", "2026-07-17 met on 2026-07-08")
			s.late("2026-07-20", "2026-07-01", final(1))
			s.want("2026-07-21", "share-needs-map", "2026-07-17 met on 2026-07-02")
		}},
		{"sentences of up to two years: six months before release", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2025-06-02 10:00", "open-pre-release", "2025-09-02 pending")
			s.on("2025-06-10", sentence("2024-09-02", "2026-09-02"))
			s.want("2025-06-11", "open-pre-release", "2026-03-02 pending")
		}},
		{"sentences of more than two years: twelve", func(s *story) {
			s.on("2025-06-02", sentence("2024-09-02", "2026-09-03"))
			s.on("2025-06-02", set("2026-09-02"))
			s.want("2025-06-03", "open-pre-release", "2025-09-02 pending")
		}},
		{"none of the post-penal reviews remain after outcome end", func(s *story) {
			s.on("2026-03-02", freed())
			s.by(csw).on("2026-03-30", postPenalReview("continue"))
			s.on("2026-05-20", postPenalReview("end"))
			s.on("2026-08-03", postPenalReview("continue"))
			s.want("2026-08-04", "post-penal-review/30d", "2026-04-01 met on 2026-03-30")
			s.want("2026-08-04", "post-penal-review/90d", "2026-06-01 met on 2026-05-20")
			s.want("2026-08-04", "post-penal-review/180d", "2026-08-31 cancelled")
			s.want("2026-08-04", "post-penal-review/365d", "2027-03-02 cancelled")
		}},
		{"one party does not acknowledge for another", func(s *story) {
			s.on("2025-06-02", planned("n-1", csw))
			s.by(police).on("2025-06-03", &events.NotificationAcknowledged{Notification: "n-1"})
			s.want("2025-06-04", "acknowledge/n-1", "2025-06-09 pending")
			s.by(csw).on("2025-06-04", &events.NotificationAcknowledged{Notification: "n-1"})
			s.want("2025-06-05", "acknowledge/n-1", "2025-06-09 met on 2025-06-04")
		}},
		{"of those who had something on a consent, each is told of its withdrawal, and a notice on another consent is none", func(s *story) {
			s.on("2025-06-02", &events.ReferralMade{Referral: "r", Recipient: csw.Party(), Consent: "c"})
			s.by(csw).on("2025-06-03", &events.InformationDisclosed{Disclosure: "d", Recipient: police.Party(), Consent: "c"})
			s.by(prison).on("2025-06-04", &events.ConsentWithdrawn{Consent: "c"})
			s.on("2025-06-05", about("n-1", "consent-withdrawn", csw, "other"))
			s.want("2025-06-05 10:00", "withdrawal-notice/c/mk-csw", "2025-06-11 pending")
			s.on("2025-06-06", notice("n-2", "consent-withdrawn", csw))
			s.want("2025-06-07", "withdrawal-notice/c/mk-csw", "2025-06-11 met on 2025-06-06")
			if o := s.find("2025-06-07", "withdrawal-notice/c/mk-police"); o.DutyHolder != "mk-csw" || o.Duty != events.CSW {
				s.t.Errorf("%s of %s", o.Duty, o.DutyHolder)
			}
		}},
	})
}

func TestDutyHolder(t *testing.T) {
	holder := func(s *story, at, id string, want events.Institution) {
		s.t.Helper()
		if o := s.find(at, id); o.DutyHolder != want {
			s.t.Errorf("%s at %s: %q, expected %q", id, at, o.DutyHolder, want)
		}
	}
	other := events.Actor{Role: events.CSW, Institution: "mk-csw-2"}
	tell(t, []told{
		{"prison duties: that of CaseOpened or the last transfer, by occurrence", func(s *story) {
			holder(s, "2025-03-04", "screening", "mk-prison")
			s.on("2025-03-10", &events.PrisonTransferred{From: "mk-prison", To: "mk-prison-2"})
			s.late("2025-03-12", "2025-03-07", &events.PrisonTransferred{From: "mk-prison", To: "mk-prison-3"})
			holder(s, "2025-03-13", "screening", "mk-prison-2")
			s.by(health).on("2025-03-14", &events.MedicalExaminationOffered{})
			holder(s, "2025-03-15", "screening", "mk-prison-2")
		}},
		{"null while there is none", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			holder(s, "2025-06-03", "handover", "")
		}},
		{"the institution that last acted in the role or received a sharing event in it", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			holder(s, "2025-06-04", "handover", "mk-csw")
			s.by(other).on("2025-06-05", &events.SupportProvided{Service: "s"})
			holder(s, "2025-06-06", "handover", "mk-csw-2")
			s.by(csw).late("2025-06-09", "2025-06-04", &events.SupportProvided{Service: "s"})
			holder(s, "2025-06-10", "handover", "mk-csw-2")
		}},
		{"of several in one event the first named", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", &events.CaseConferenceHeld{Attendees: []events.Party{police.Party(), other.Party(), csw.Party()}})
			holder(s, "2025-06-04", "handover", "mk-csw-2")
		}},
		{"an annulled event names nobody", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", planned("n-1", csw))
			id := s.on("2025-06-04", planned("n-2", other))
			s.annul("2025-06-05", id)
			holder(s, "2025-06-04 10:00", "handover", "mk-csw-2")
			holder(s, "2025-06-06", "handover", "mk-csw")
		}},
		{"once met, waived or missed the holder stays the one known when that was recorded", func(s *story) {
			s.on("2025-03-04", &events.ScreeningCompleted{})
			s.on("2025-03-05", waive("assessment"))
			s.on("2025-03-10", &events.PrisonTransferred{From: "mk-prison", To: "mk-prison-2"})
			s.on("2025-03-11", set("2026-09-02"))
			s.by(csw).on("2025-03-12", closed())
			s.by(prison).on("2025-03-13", &events.PrisonTransferred{From: "mk-prison-2", To: "mk-prison-3"})
			holder(s, "2025-03-14", "screening", "mk-prison")
			holder(s, "2025-03-14", "assessment", "mk-prison")
			holder(s, "2025-03-14", "notify-csw", "mk-prison-2")
		}},
		{"duties of one named party are that party's", func(s *story) {
			s.on("2025-06-02", planned("n-1", csw))
			s.by(police).on("2025-06-03", requested("r", "normal"))
			s.on("2025-06-04", &events.RefusalAppealed{Request: "r", To: directorate.Party()})
			holder(s, "2025-06-05", "acknowledge/n-1", "mk-csw")
			holder(s, "2025-06-05", "answer-request/r", "mk-prison")
			holder(s, "2025-06-05", "decide-appeal/r", "mk-des")
		}},
	})
}

func TestWatcherRecordsEachDueDateAndEachLevelOnce(t *testing.T) {
	s := newStory(t, "MK")
	s.on("2026-02-20", requested("r", "urgent")) // due on 24 February; levels 1, 2 from 2 and 6 March
	s.by(prison).on("2026-02-20", waive("screening"))
	s.on("2026-02-20", waive("assessment"))
	alerts := func(at string) (out []string) {
		now := s.instant(at)
		for _, a := range s.known(now).Due(now) {
			out = append(out, a.Obligation+" "+string(a.To)+string(rune('0'+a.Level))+" "+a.Due.String())
		}
		return out
	}
	expect := func(at string, want ...string) {
		t.Helper()
		if got := alerts(at); !slices.Equal(got, want) {
			t.Errorf("%s: %q, expected %q", at, got, want)
		}
	}
	expect("2026-02-24")
	expect("2026-02-25 00:00", "answer-request/r 0 2026-02-24")
	expect("2026-03-06", "answer-request/r 0 2026-02-24", "answer-request/r directorate1 2026-02-24", "answer-request/r coordinator2 2026-02-24")
	s.by(events.Actor{Role: events.System})
	s.on("2026-03-07", &events.ObligationOverdue{Obligation: "answer-request/r", Rule: "answer-request", Due: day("2026-02-24")})
	s.on("2026-03-07", &events.ObligationEscalated{Obligation: "answer-request/r", Level: 1, To: events.Directorate})
	expect("2026-03-08", "answer-request/r coordinator2 2026-02-24")
	s.on("2026-03-08", &events.ObligationEscalated{Obligation: "answer-request/r", Level: 2, To: events.Coordinator})
	expect("2026-03-09")
	expect("2026-03-18", "answer-request/r ombudsman3 2026-02-24")
	s.by(prison).on("2026-03-17", &events.InformationRefused{Request: "r", Ground: "g"})
	expect("2026-03-18")
}

func TestWatcherRecordsAnewAfterAPostponement(t *testing.T) {
	s := newStory(t, "MK")
	s.on("2025-06-02", set("2026-09-02"))
	s.by(events.Actor{Role: events.System}).on("2026-06-05", &events.ObligationOverdue{Obligation: "notify-csw", Rule: "notify-csw", Due: day("2026-06-04")})
	s.on("2026-06-11", &events.ObligationEscalated{Obligation: "notify-csw", Level: 1, To: events.Directorate})
	s.by(prison).on("2026-06-12", change("2026-09-02", "2026-10-15"))
	levels := func(at string) (out []int) {
		for _, a := range s.known(s.instant(at)).Due(s.instant(at)) {
			if a.Obligation == "notify-csw" {
				out = append(out, a.Level)
			}
		}
		return out
	}
	if got := levels("2026-06-15"); got != nil {
		t.Errorf("postponed, nothing is due: %v", got)
	}
	if got := levels("2026-07-24"); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("overdue again: %v", got)
	}
}

func TestReportBreachOverdueOnTheClockChange(t *testing.T) {
	s := newStory(t, "MK")
	s.by(directorate).on("2026-10-23 12:00", &events.DataBreachRecorded{Breach: "b", Risk: "risk"})
	// 72 hours later the clocks have gone back: 11 o'clock, not 12.
	if got := s.find("2026-10-24", "report-breach/b").Due.Instant; !got.Equal(time.Date(2026, 10, 26, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("due %s", got)
	}
}
