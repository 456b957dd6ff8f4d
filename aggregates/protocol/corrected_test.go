package protocol

import (
	"strings"
	"testing"

	"traga.internal/events"
)

// "A correction acts as if the entry had been right from the start": what it said before counts for nothing, in any
// of the lists that facts are kept in, and an annulled correction leaves what had been there.
func TestWhatWasCorrectedNoLongerCounts(t *testing.T) {
	tell(t, []told{
		{"a notice corrected twice was sent only to whom the last correction names", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			n := s.on("2025-06-03", planned("n-1", csw))
			s.correct("2025-06-04", n, planned("n-1", police))
			s.want("2025-06-04 10:00", "notify-csw", "2026-06-04 pending")
			s.want("2025-06-04 10:00", "notify-police", "2026-07-31 met on 2025-06-03")
			last := s.correct("2025-06-05", n, planned("n-1", directorate))
			s.want("2025-06-05 10:00", "notify-police", "2026-07-31 pending")
			s.want("2025-06-05 10:00", "notify-directorate", "2026-03-06 met on 2025-06-03")
			s.annul("2025-06-06", last)
			s.want("2025-06-06 10:00", "notify-directorate", "2026-03-06 pending")
			s.want("2025-06-06 10:00", "notify-police", "2026-07-31 met on 2025-06-03")
		}},
		{"everyone whom a correction names before or after it is told of that one, not of a later one", func(s *story) {
			n := s.on("2025-06-02", planned("n-1", csw))
			first := s.correct("2025-06-03", n, planned("n-1", police))
			second := s.correct("2025-06-05", n, planned("n-1", directorate))
			id := "propagate-correction/" + n.String() + "/"
			s.want("2025-06-05 10:00", id+"mk-csw", "2025-06-10 pending")
			s.want("2025-06-06", id+"mk-police", "2025-06-12 pending")
			s.want("2025-06-06", id+"mk-des", "2025-06-12 pending")
			for to, by := range map[string]any{"mk-csw": first, "mk-police": second, "mk-des": second} {
				if o := s.find("2025-06-06", id+to); o.ActivatedBy != by {
					s.t.Errorf("%s activated by %s", to, o.ActivatedBy)
				}
			}
			s.annul("2025-06-09", second)
			s.want("2025-06-09 10:00", id+"mk-des", "2025-06-12 cancelled")
			s.want("2025-06-09 10:00", id+"mk-csw", "2025-06-10 due-soon")
		}},
		{"a disclosure corrected to another recipient was never made to the first", func(s *story) {
			disclosed := func(to events.Actor) any {
				return &events.InformationDisclosed{Disclosure: "d", Recipient: to.Party(), Consent: "c"}
			}
			s.correct("2025-06-03", s.on("2025-06-02", disclosed(csw)), disclosed(police))
			s.on("2025-06-04", &events.ConsentWithdrawn{Consent: "c"})
			s.want("2025-06-05", "withdrawal-notice/c/mk-csw", "none")
			s.want("2025-06-05", "withdrawal-notice/c/mk-police", "2025-06-11 pending")
		}},
		{"a version finalised by mistake was never final", func(s *story) {
			final := func(v int) any { return &events.NeedsMapFinalised{NeedsMap: "m", Version: v} }
			s.on("2025-06-02", set("2026-09-02"))
			f := s.on("2026-07-01", final(1))
			s.on("2026-07-02", &events.NeedsMapShared{NeedsMap: "m", Version: 1, Recipient: csw.Party()})
			s.correct("2026-07-03", f, final(2))
			s.want("2026-07-02 10:00", "share-needs-map", "2026-07-17 met on 2026-07-02")
			s.want("2026-07-03 10:00", "share-needs-map", "2026-07-17 due-soon")
		}},
		{"a transfer corrected and back again", func(s *story) {
			transfer := func(to events.Institution) any { return &events.PrisonTransferred{From: "mk-prison", To: to} }
			s.on("2025-03-04", set("2026-09-02"))
			moved := s.on("2025-03-05", transfer("mk-prison-2"))
			c := s.correct("2025-03-06", moved, transfer("mk-prison-3"))
			s.annul("2025-03-07", c)
			for at, want := range map[string]events.Institution{"2025-03-05 10:00": "mk-prison-2", "2025-03-06 10:00": "mk-prison-3", "2025-03-07 10:00": "mk-prison-2"} {
				if o := s.find(at, "notify-csw"); o.DutyHolder != want {
					s.t.Errorf("%s: held by %s, expected %s", at, o.DutyHolder, want)
				}
			}
		}},
		{"of two decisions taken at one instant the second counts, though the first is corrected after it", func(s *story) {
			first := s.late("2025-06-02", "2025-06-01", set("2026-09-02"))
			s.late("2025-06-03", "2025-06-01", change("2026-09-02", "2026-10-15"))
			s.correct("2025-06-04", first, set("2026-12-02"))
			if got := s.known(s.instant("2025-06-05")).ReleaseDate(); got != day("2026-10-15") {
				s.t.Errorf("release date %s", got)
			}
		}},
		{"an annulled withdrawal asks for no notice", func(s *story) {
			s.on("2025-06-02", &events.ReferralMade{Referral: "r", Recipient: csw.Party(), Consent: "c"})
			s.annul("2025-06-04", s.on("2025-06-03", &events.ConsentWithdrawn{Consent: "c"}))
			s.want("2025-06-03 10:00", "withdrawal-notice/c/mk-csw", "2025-06-10 pending")
			s.want("2025-06-05", "withdrawal-notice/c/mk-csw", "2025-06-10 cancelled")
			s.on("2025-06-05", &events.ConsentWithdrawn{Consent: "c"})
			s.want("2025-06-06", "withdrawal-notice/c/mk-csw", "2025-06-12 pending")
		}},
		{"an annulled review leaves the plan to be reviewed, and the next review does it", func(s *story) {
			s.on("2025-04-01", adopted())
			r := s.on("2025-05-05", reviewed())
			s.annul("2025-05-06", r)
			s.on("2025-06-02", reviewed())
			s.want("2025-06-03", "plan-review/1", "2025-10-01 met on 2025-06-02")
			s.want("2025-06-03", "plan-review/2", "2025-11-05 cancelled")
			s.want("2025-06-03", "plan-review/3", "2025-12-02 pending")
			s.want("2025-06-03", "plan-review", "none")
		}},
		{"a cancelled duty is shown with who would hold it now, that of a named party with that party", func(s *story) {
			s.annul("2025-06-03", s.on("2025-06-02", set("2026-09-02")))
			n := s.on("2025-06-04", planned("n-1", csw))
			s.annul("2025-06-05", n)
			s.on("2025-06-06", planned("n-2", events.Actor{Role: events.CSW, Institution: "mk-csw-2"}))
			if o := s.find("2025-06-07", "handover"); o.Outcome != Cancelled || o.DutyHolder != "mk-csw-2" {
				s.t.Errorf("handover: %s, held by %s", o.Outcome, o.DutyHolder)
			}
			if o := s.find("2025-06-07", "acknowledge/n-1"); o.Outcome != Cancelled || o.DutyHolder != "mk-csw" {
				s.t.Errorf("acknowledge: %s, held by %s", o.Outcome, o.DutyHolder)
			}
		}},
		{"a notice under a consent recorded after its withdrawal is found all the same", func(s *story) {
			s.on("2025-06-03", &events.ConsentWithdrawn{Consent: "c"})
			s.late("2025-06-04", "2025-06-02", &events.ReferralMade{Referral: "r", Recipient: csw.Party(), Consent: "c"})
			s.want("2025-06-03 10:00", "withdrawal-notice/c/mk-csw", "none")
			s.want("2025-06-05", "withdrawal-notice/c/mk-csw", "2025-06-10 pending")
		}},
		{"of a notice that names the consent and one that names none, the first sent counts", func(s *story) {
			s.on("2025-06-02", &events.ReferralMade{Referral: "r", Recipient: csw.Party(), Consent: "c"})
			s.on("2025-06-03", &events.ConsentWithdrawn{Consent: "c"})
			s.on("2025-06-05", about("n-1", "consent-withdrawn", csw, "c"))
			s.want("2025-06-05 10:00", "withdrawal-notice/c/mk-csw", "2025-06-10 met on 2025-06-05")
			s.late("2025-06-06", "2025-06-04", notice("n-2", "consent-withdrawn", csw))
			s.want("2025-06-06 10:00", "withdrawal-notice/c/mk-csw", "2025-06-10 met on 2025-06-04")
			s.late("2025-06-09", "2025-06-06", notice("n-3", "consent-withdrawn", csw))
			s.want("2025-06-09 10:00", "withdrawal-notice/c/mk-csw", "2025-06-10 met on 2025-06-04")
		}},
		{"a risk level corrected and back again", func(s *story) {
			c := s.correct("2025-06-03", s.on("2025-06-02", assessed("risk", "low")), assessed("risk", "high"))
			s.annul("2025-06-04", c)
			for at, want := range map[string]string{"2025-06-02 10:00": "low", "2025-06-03 10:00": "high", "2025-06-04 10:00": "low"} {
				if got := s.known(s.instant(at)).RiskLevel(); got != want {
					s.t.Errorf("%s: %s, expected %s", at, got, want)
				}
			}
		}},
		{"a waiver corrected to another obligation is of that one", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.correct("2025-06-04", s.on("2025-06-03", waive("notify-csw")), waive("notify-police"))
			s.want("2025-06-05", "notify-csw", "2026-06-04 pending")
			s.want("2025-06-05", "notify-police", "2026-07-31 waived")
		}},
		{"who was named by mistake was not told, and is not told anew", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.correct("2025-06-04", s.on("2025-06-03", planned("n-1", csw)), planned("n-1", police))
			s.on("2025-06-05", change("2026-09-02", "2026-10-15"))
			s.want("2025-06-05 10:00", "renotify/mk-csw", "none")
			s.want("2025-06-05 10:00", "renotify/mk-police", "2025-06-06 due-soon")
		}},
	})
}

// "Waived stays waived", "it ends when the activation is annulled": which activation a waiver was about.
func TestWhichActivationAWaiverWasAbout(t *testing.T) {
	tell(t, []told{
		{"the decision that stood first when it was waived, though another takes its place", func(s *story) {
			s.annul("2025-06-02 08:00", s.on("2025-06-01 08:00", set("2026-12-02")))
			first := s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", waive("notify-csw"))
			s.late("2025-06-04", "2025-06-02 15:00", set("2026-09-02"))
			s.want("2025-06-04 10:00", "notify-csw", "2026-06-04 waived")
			s.annul("2025-06-05", first)
			s.want("2025-06-05 10:00", "notify-csw", "2026-06-04 pending")
		}},
		{"the first activation that stood when it was waived", func(s *story) {
			s.annul("2025-06-02 08:00", s.on("2025-06-01 08:00", assessed("risk", "low")))
			first := s.on("2025-06-02", assessed("risk", "low"))
			second := s.on("2025-06-03", assessed("needs", ""))
			s.on("2025-06-04", waive("treatment-plan"))
			s.annul("2025-06-05", second)
			s.want("2025-06-05 10:00", "treatment-plan", "2025-07-02 waived")
			s.late("2025-06-06", "2025-06-03 15:00", assessed("needs", ""))
			s.annul("2025-06-07", first)
			s.want("2025-06-07 10:00", "treatment-plan", "2025-07-03 pending")
		}},
		{"the newest closing, of retention-review", func(s *story) {
			s.by(csw).on("2025-06-02", closed())
			second := s.on("2025-06-03", closed())
			s.on("2025-06-04", waive("retention-review"))
			s.want("2025-06-04 10:00", "retention-review", "2030-06-03 waived")
			s.annul("2025-06-06", s.on("2025-06-05", closed()))
			s.want("2025-06-07", "retention-review", "2030-06-03 waived")
			s.annul("2025-06-08", second)
			s.want("2025-06-09", "retention-review", "2030-06-03 pending") // 2 June 2030 is a Sunday
		}},
		{"one of a number of reviews stays waived", func(s *story) {
			s.on("2025-04-01", adopted())
			s.on("2025-05-05", waive("plan-review/1"))
			s.want("2025-05-06", "plan-review/1", "2025-10-01 waived")
		}},
		{"what is over already is not waived", func(s *story) {
			s.on("2026-03-02", freed())
			s.by(csw).on("2026-03-30", postPenalReview("end"))
			s.by(directorate).on("2026-04-01", waive("post-penal-review/180d"))
			s.want("2026-04-02", "post-penal-review/180d", "2026-08-31 cancelled")
		}},
		{"waived before it was over, it stays waived", func(s *story) {
			s.on("2026-03-02", freed())
			s.by(directorate).on("2026-03-03", waive("post-penal-review/180d"))
			s.by(csw).on("2026-03-30", postPenalReview("end"))
			s.want("2026-04-02", "post-penal-review/180d", "2026-08-31 waived")
		}},
	})
}

// How a due date before release is explained, where the story takes a turn.
func TestTurnsAreExplained(t *testing.T) {
	early, late, breach, before := newStory(t, "MK"), newStory(t, "MK"), newStory(t, "MK"), newStory(t, "MK")
	early.on("2025-06-02", set("2026-09-02"))
	early.on("2026-03-13", freed())
	late.on("2025-06-02", set("2026-09-02"))
	late.on("2026-06-08", freed())
	breach.by(directorate).on("2026-03-06 16:00", &events.DataBreachRecorded{Breach: "b", Risk: "high"})
	before.on("2025-05-05", planned("n", csw))
	before.on("2025-06-02", set("2026-09-02"))
	before.on("2025-07-02", change("2026-09-02", "2026-10-15"))
	for _, c := range []struct {
		story         *story
		at, id, steps string
	}{
		{early, "2026-03-14", "notify-csw", "2026-09-02 The release date is 2026-09-02, as recorded on 2025-06-02. 2026-06-04 90 days before 2026-09-02 is 2026-06-04. " +
			"2026-03-13 The person was released on 2026-03-13, before the expected date: due on that day."},
		{late, "2026-06-09", "notify-csw", "2026-09-02 The release date is 2026-09-02, as recorded on 2025-06-02. 2026-06-04 90 days before 2026-09-02 is 2026-06-04. " +
			"2026-06-04 The person was released on 2026-06-08, before the expected date, when this was overdue already: the due date stays."},
		{breach, "2026-03-07", "report-breach/b", " 72 hours after it occurred, to the minute"},
		{before, "2025-07-03", "notify-csw", "2026-09-02 The release date is 2026-09-02, as recorded on 2025-06-02. 2026-06-04 90 days before 2026-09-02 is 2026-06-04. " +
			"2026-10-15 The date was changed to 2026-10-15 when this was done or waived already: the due date stays."},
	} {
		now := c.story.instant(c.at)
		x, _ := c.story.known(now).Explain(c.id, now)
		var steps []string
		for _, step := range x.Steps {
			date := ""
			if step.Date != 0 {
				date = step.Date.String()
			}
			steps = append(steps, date+" "+step.Text)
		}
		if got := strings.Join(steps, " "); got != c.steps {
			t.Errorf("%s\n got %s\nwant %s", c.id, got, c.steps)
		}
	}
}
