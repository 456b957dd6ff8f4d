package protocol

import (
	"slices"
	"strings"
	"testing"

	"traga.internal/events"
)

// "A date change that a later decision had already overtaken when it was recorded changes nothing"; "files of past
// actions may be imported in any order".
func TestOvertakenDecisions(t *testing.T) {
	tell(t, []told{
		{"overtaken, it lists no breach", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-01", change("2026-09-02", "2026-10-15"))
			s.late("2026-06-20", "2026-05-25", change("2026-09-02", "2026-12-02"))
			s.want("2026-06-22", "notify-csw", "2026-07-17 pending")
		}},
		{"overtaken by what was recorded later on the same day", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.late("2026-06-20", "2026-05-25", change("2026-09-02", "2026-12-02"))
			s.late("2026-06-20", "2026-06-01", change("2026-09-02", "2026-08-20"))
			s.want("2026-06-22", "notify-csw", "2026-06-04 overdue") // brought forward: no amnesty
		}},
		{"not overtaken by what came on record only on a later day", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.late("2026-06-12", "2026-06-05", change("2026-09-02", "2026-12-02"))
			s.late("2026-06-20", "2026-06-10", change("2026-12-02", "2026-10-15"))
			s.want("2026-06-22", "notify-csw", "2026-07-17 pending breach 2026-06-04 until 2026-06-12")
		}},
		{"not overtaken by what was decided later on the same day, after it was on record", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-12", change("2026-09-02", "2026-12-02"))
			s.on("2026-06-12 15:00", change("2026-12-02", "2026-08-20"))
			s.want("2026-06-13", "notify-csw", "2026-06-15 due-soon compressed breach 2026-06-04 until 2026-06-12")
		}},
		{"not overtaken by what was annulled", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.annul("2025-06-11", s.on("2025-06-10", change("2026-09-02", "2026-12-02")))
			s.late("2025-06-12", "2025-06-09", change("2026-09-02", "2026-10-15"))
			s.want("2025-06-13", "notify-csw", "2026-07-17 pending")
		}},
		{"nor by what was decided after the release", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-03-16", freed())
			s.on("2026-03-17", change("2026-09-02", "2026-12-02"))
			s.late("2026-03-20", "2026-03-13", change("2026-09-02", "2026-03-16"))
			s.want("2026-03-21", "notify-police", "2026-03-23 due-soon compressed")
		}},
		{"who turns out to have been told before a change is told anew", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-10", change("2026-09-02", "2026-10-15"))
			s.late("2025-06-11", "2025-06-05", planned("n-1", csw))
			s.want("2025-06-11 10:00", "renotify/mk-csw", "2025-06-11 due-soon")
		}},
		{"a withdrawal corrected to another consent is of that one", func(s *story) {
			s.on("2025-06-02", &events.ReferralMade{Referral: "r", Recipient: csw.Party(), Consent: "c"})
			s.on("2025-06-02", &events.ReferralMade{Referral: "q", Recipient: police.Party(), Consent: "d"})
			s.correct("2025-06-04", s.on("2025-06-03", &events.ConsentWithdrawn{Consent: "c"}), &events.ConsentWithdrawn{Consent: "d"})
			s.want("2025-06-05", "withdrawal-notice/c/mk-csw", "2025-06-10 cancelled")
			s.want("2025-06-05", "withdrawal-notice/d/mk-police", "2025-06-10 pending")
		}},
		{"a report without a recipient, corrected to have one, was shared", func(s *story) {
			r := s.on("2025-06-02", &events.ReleaseReportIssued{Report: "r"})
			s.correct("2025-06-03", r, &events.ReleaseReportIssued{Report: "r", Recipients: []events.Party{csw.Party()}})
			s.want("2025-06-03 10:00", "propagate-correction/"+r.String()+"/mk-csw", "2025-06-10 pending")
		}},
	})
}

// The texts of explanations, by the turn that a case takes.
func TestExplanationsSay(t *testing.T) {
	for _, c := range []struct {
		id, at string
		says   []string
		not    string
		story  func(s *story)
	}{
		{"notify-csw", "2026-06-11", []string{"The date was changed to 2026-10-15 when this was done or waived already", "Waived by ObligationWaived of 2026-06-01."}, "Met by", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-01", waive("notify-csw"))
			s.on("2026-06-05", change("2026-09-02", "2026-10-15"))
			s.on("2026-06-10", planned("n", csw))
		}},
		{"notify-csw", "2026-06-11", []string{"Met late, by NotificationSent of 2026-06-09 (recorded 2026-06-10)."}, "corrected", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.late("2026-06-10", "2026-06-09", planned("n", csw))
		}},
		{"notify-csw", "2026-06-11", []string{"Activated by ExpectedReleaseDateSet of 2025-06-02 as corrected,"}, "", func(s *story) {
			s.correct("2025-06-03", s.on("2025-06-02", set("2026-10-02")), set("2026-09-02"))
		}},
		{"notify-csw", "2026-05-05", []string{"It was still undone when the case was closed."}, "No act", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-05-04", closed())
		}},
		{"report-breach/b", "2026-03-10", []string{"Overdue since 2026-03-09T15:00:00Z: no act"}, "working day", func(s *story) {
			s.by(directorate).on("2026-03-06 16:00", &events.DataBreachRecorded{Breach: "b", Risk: "high"})
		}},
		{"notify-csw", "2026-06-09", []string{"Overdue since 2026-06-05, for 3 working days: no act"}, "", func(s *story) { s.on("2025-06-02", set("2026-09-02")) }},
		{"notify-csw", "2026-06-05", []string{"Overdue since 2026-06-05, for 1 working day: no act"}, "", func(s *story) { s.on("2025-06-02", set("2026-09-02")) }},
		{"open-pre-release", "2026-01-13", []string{"The sentence recorded on 2025-10-10 makes it 6 months before release.", "6 months before 2026-09-30 is 2026-03-30."}, "The release date is 2026-09-30, as recorded on 2025-10-10.", func(s *story) {
			s.on("2025-06-02", set("2026-09-30"))
			s.on("2025-10-10", sentence("2025-03-03", "2026-09-30"))
		}},
		{"plan-review/1", "2025-08-10", []string{"6 months after 2025-08-08 is 2026-02-08. That is no working day: forward to the nearest one, 2026-02-09 (not worked: 2026-02-08 Sunday)."}, "", func(s *story) {
			s.late("2025-08-09", "2025-08-08", adopted())
		}},
		{"plan-review/1", "2025-08-10", []string{"forward to the nearest one, 2026-02-09 (not worked: 2026-02-07 Saturday; 2026-02-08 Sunday)."}, "", func(s *story) { s.late("2025-08-09", "2025-08-07", adopted()) }},
		{"acknowledge/n", "2026-03-18", []string{"5 working days after 2026-03-17, that day not counted, is 2026-03-25 (not worked: 2026-03-20 Ramadan Bayram (estimated))."}, "Saturday", func(s *story) { s.on("2026-03-17", planned("n", csw)) }},
	} {
		s := newStory(t, "MK")
		c.story(s)
		now := s.instant(c.at)
		if now.Before(s.log[len(s.log)-1].RecordedAt) {
			now = s.log[len(s.log)-1].RecordedAt
		}
		x, _ := s.known(now).Explain(c.id, now)
		for _, text := range c.says {
			if !strings.Contains(x.Text, text) {
				t.Errorf("%s\n says %s\n not  %s", c.id, x.Text, text)
			}
		}
		if c.not != "" && strings.Contains(x.Text, c.not) || (x.FulfilledBy != nil) != (x.Obligation.FulfilledBy != noID) {
			t.Errorf("%s says %s", c.id, x.Text)
		}
	}
}

// What Changed tells is what the last event changed, and no more; nobody has to have asked in between.
func TestChangedIsOfTheLastEventAlone(t *testing.T) {
	s := newStory(t, "MK")
	s.on("2025-06-02", set("2026-09-02"))
	s.on("2025-06-03", planned("n-1", csw))
	s.on("2025-06-04", planned("n-2", police))
	s.on("2025-06-05", change("2026-09-02", "2026-10-15"))
	tr := NewTracker(s.book)
	var last []Obligation
	for i, e := range s.log {
		tr.Evolve(e)
		var want, got []string
		now := tr.Obligations()
		for k, o := range now {
			if k >= len(last) || !same(&last[k], &o) {
				want = append(want, o.ID)
			}
		}
		for _, o := range tr.Changed() {
			got = append(got, o.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("event %d changed %v, told %v", i, want, got)
		}
		last = now
	}
}

func TestWhatATrackerKnowsOfTheRelease(t *testing.T) {
	s := newStory(t, "MK")
	if tr := s.known(s.instant("2025-03-04")); tr.ReleaseDate() != 0 || tr.ReleasedOn() != 0 {
		t.Errorf("release date %s, released on %s", tr.ReleaseDate(), tr.ReleasedOn())
	}
	s.on("2025-06-02", set("2026-09-02"))
	s.late("2026-03-17", "2026-03-16", freed())
	if tr := s.known(s.instant("2026-03-18")); tr.ReleaseDate() != day("2026-09-02") || tr.ReleasedOn() != day("2026-03-16") {
		t.Errorf("release date %s, released on %s", tr.ReleaseDate(), tr.ReleasedOn())
	}
	// Elsewhere there are no rules: such a case is refused when it is recorded, and its fold stays empty.
	elsewhere := NewTracker(s.book)
	e := *s.log[0]
	e.Jurisdiction = "DE"
	elsewhere.Evolve(&e)
	if len(elsewhere.Obligations()) != 0 || elsewhere.Calendar() != nil {
		t.Error("a case of no jurisdiction has obligations")
	}
}

// "The watcher records each due date and each level once": whichever level comes on record first.
func TestALevelOnRecordIsNotRecordedAgain(t *testing.T) {
	s := newStory(t, "MK")
	s.on("2026-02-20", requested("r", "urgent"))
	s.on("2026-02-20", waive("screening"))
	s.on("2026-02-20", waive("assessment"))
	s.by(events.Actor{Role: events.System})
	for _, level := range []int{2, 3, -1, 9} { // the last two no watcher writes
		s.on("2026-03-19", &events.ObligationEscalated{Obligation: "answer-request/r", Level: level})
	}
	now := s.instant("2026-03-20")
	var got []int
	for _, a := range s.known(now).Due(now) {
		got = append(got, a.Level)
	}
	if !slices.Equal(got, []int{0, 1}) {
		t.Errorf("to be recorded: %v", got)
	}
}

func TestOpenStates(t *testing.T) {
	for state, want := range map[State]bool{Pending: true, DueSoon: true, Overdue: true, Met: false, MetLate: false, Waived: false, Cancelled: false, Missed: false} {
		if state.Open() != want {
			t.Errorf("%s is open: %v", state, !want)
		}
	}
}
