package protocol

import (
	"strings"
	"testing"

	"traga.internal/events"
)

// What a mutation-testing run showed to be held by no other test.
func TestEdges(t *testing.T) {
	tell(t, []told{
		{"who had something on a consent only after its withdrawal, or by an annulled entry, is not told of it", func(s *story) {
			disclosed := func(to events.Actor) any {
				return &events.InformationDisclosed{Disclosure: "d", Recipient: to.Party(), Consent: "c"}
			}
			s.on("2025-06-02", disclosed(csw))
			s.annul("2025-06-02 12:00", s.on("2025-06-02", disclosed(police)))
			s.on("2025-06-03", &events.ConsentWithdrawn{Consent: "c"})
			s.on("2025-06-04", disclosed(court))
			s.want("2025-06-05", "withdrawal-notice/c/mk-csw", "2025-06-10 pending")
			s.want("2025-06-05", "withdrawal-notice/c/mk-police", "none")
			s.want("2025-06-05", "withdrawal-notice/c/mk-court", "none")
		}},
		{"an annulled release ends no plan review", func(s *story) {
			s.annul("2025-06-03", s.on("2025-06-02", freed()))
			s.on("2025-06-04", adopted())
			s.want("2025-06-05", "plan-review/1", "2025-12-04 pending")
			s.want("2025-06-05", "first-contact", "2025-06-05 cancelled")
		}},
		{"an annulled sentence counts for nothing", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.annul("2025-06-04", s.on("2025-06-03", sentence("2025-03-03", "2026-09-02")))
			s.want("2025-06-03 10:00", "open-pre-release", "2026-03-02 pending")
			s.want("2025-06-05", "open-pre-release", "2025-09-02 pending")
		}},
		{"a sentence after the release moves nothing", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-09-02", freed())
			s.on("2026-09-03", sentence("2025-03-03", "2026-09-02"))
			s.want("2026-09-04", "open-pre-release", "2025-09-02 overdue")
		}},
		{"a longer sentence known later leaves one working day", func(s *story) {
			s.on("2025-06-02", sentence("2025-03-03", "2026-09-02"))
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-01-12", sentence("2025-03-03", "2028-09-02"))
			s.want("2026-01-12 10:00", "open-pre-release", "2026-01-13 due-soon compressed")
		}},
		{"an annulled acknowledgement of an alert is none", func(s *story) {
			first := s.on("2025-06-02", &events.AlertAcknowledged{Obligation: "screening", Note: "n"})
			s.annul("2025-06-03", s.on("2025-06-03", &events.AlertAcknowledged{Obligation: "screening", Note: "n"}))
			if o := s.find("2025-06-04", "screening"); o.AcknowledgedBy != first {
				s.t.Errorf("acknowledged by %s", o.AcknowledgedBy)
			}
		}},
		{"an activation annulled before the waiver does not end it", func(s *story) {
			s.annul("2025-06-03", s.on("2025-06-02", assessed("risk", "low")))
			s.on("2025-06-04", assessed("needs", ""))
			s.on("2025-06-05", waive("treatment-plan"))
			s.want("2025-06-06", "treatment-plan", "2025-07-04 waived")
		}},
		{"an activation after the waiver, annulled, does not end it", func(s *story) {
			s.on("2025-06-02", assessed("risk", "low"))
			s.on("2025-06-03", waive("treatment-plan"))
			s.annul("2025-06-05", s.on("2025-06-04", assessed("needs", "")))
			s.want("2025-06-06", "treatment-plan", "2025-07-02 waived")
		}},
		{"a notice of correction may spell the event's id in capitals, not so a request's id", func(s *story) {
			n := s.on("2025-06-02", planned("n-1", csw))
			s.annul("2025-06-03", n)
			s.on("2025-06-04", about("n-2", "correction", csw, strings.ToUpper(n.String())))
			s.want("2025-06-05", "propagate-correction/"+n.String()+"/mk-csw", "2025-06-10 met on 2025-06-04")
			s.on("2025-06-05", requested("R", "urgent"))
			s.on("2025-06-05", &events.InformationRefused{Request: "R"})
			s.want("2025-06-06", "answer-request/R", "2025-06-09 met on 2025-06-05")
		}},
		{"a sentence known between two date decisions counts between them", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-09-10", sentence("2025-03-03", "2026-09-02")) // six months suffice: postponed
			s.on("2025-10-06", change("2026-09-02", "2026-10-02"))
			s.want("2025-10-07", "open-pre-release", "2026-04-02 pending breach 2025-09-02 until 2025-09-10")
		}},
		{"a sentence known after two date decisions counts after them", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-03", change("2026-09-02", "2026-10-02"))
			s.on("2025-10-10", sentence("2025-03-03", "2026-10-02"))
			s.want("2025-10-10 10:00", "open-pre-release", "2026-04-02 pending breach 2025-10-02 until 2025-10-10")
		}},
		{"a longer sentence known when overdue is no amnesty", func(s *story) {
			s.on("2025-06-02", sentence("2025-03-03", "2026-09-02"))
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-03-10", sentence("2025-03-03", "2028-09-02"))
			s.want("2026-03-11", "open-pre-release", "2026-03-02 overdue")
		}},
		{"a decision that leaves the date as it is changes nothing", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-10", change("2026-09-02", "2026-09-02"))
			s.want("2026-06-11", "notify-csw", "2026-06-04 overdue")
		}},
		{"met before an early release, it stays as it is; met after it, it was due on that day", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-03-02", planned("n-1", csw))
			s.on("2026-03-13", freed())
			s.on("2026-03-16", planned("n-2", police))
			s.want("2026-03-17", "notify-csw", "2026-06-04 met on 2026-03-02")
			s.want("2026-03-17", "notify-police", "2026-03-13 met-late on 2026-03-16")
		}},
		{"released on the expected day, no due date moves", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-09-02", freed())
			s.want("2026-09-03", "handover", "2026-08-28 overdue")
		}},
		{"waived after it was overdue, a postponement recorded later does not take the breach away", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-06-08", waive("notify-csw"))
			s.late("2026-06-10", "2026-06-01", change("2026-09-02", "2026-10-15"))
			s.want("2026-06-11", "notify-csw", "2026-07-17 waived breach 2026-06-04 until 2026-06-08")
		}},
		{"who was told by an annulled notice, or only after the change, is not told anew", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.annul("2025-06-04", s.on("2025-06-03", planned("n-1", csw)))
			s.on("2025-06-05", change("2026-09-02", "2026-10-15"))
			s.on("2025-06-06", planned("n-2", police))
			s.want("2025-06-09", "renotify/mk-csw", "none")
			s.want("2025-06-09", "renotify/mk-police", "none")
		}},
		{"shared in time but finalised on record only late: met, recorded late", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-07-02", &events.NeedsMapShared{NeedsMap: "m", Version: 1, Recipient: csw.Party()})
			s.late("2026-07-20", "2026-07-01", &events.NeedsMapFinalised{NeedsMap: "m", Version: 1})
			s.want("2026-07-18", "share-needs-map", "2026-07-17 overdue")
			s.want("2026-07-20 10:00", "share-needs-map", "2026-07-17 met on 2026-07-02 recorded-late")
		}},
		{"known in time to be met by one act, it was not recorded late when an earlier one comes to light", func(s *story) {
			shared := func(v int) any { return &events.NeedsMapShared{NeedsMap: "m", Version: v, Recipient: csw.Party()} }
			final := func(v int) any { return &events.NeedsMapFinalised{NeedsMap: "m", Version: v} }
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2026-07-08", shared(2))
			s.late("2026-07-10", "2026-07-07", final(2)) // in time, and on record after the act
			s.late("2026-07-20", "2026-07-01", final(1))
			s.late("2026-07-20", "2026-07-02", shared(1))
			s.want("2026-07-18", "share-needs-map", "2026-07-17 met on 2026-07-08")
			s.want("2026-07-21", "share-needs-map", "2026-07-17 met on 2026-07-02")
		}},
		{"whoever accepts the handover holds it, though never heard of before", func(s *story) {
			s.on("2025-06-02", set("2026-09-02"))
			s.by(csw).on("2026-08-03", &events.HandoverAccepted{})
			s.by(events.Actor{Role: events.CSW, Institution: "mk-csw-2"}).on("2026-08-04", &events.FirstContactMade{})
			if o := s.find("2026-08-05", "handover"); o.DutyHolder != "mk-csw" {
				s.t.Errorf("held by %s", o.DutyHolder)
			}
		}},
		{"a plan adopted before the others, recorded late, moves their numbers on", func(s *story) {
			s.on("2025-04-01", adopted())
			s.on("2025-05-05", reviewed())
			s.late("2025-06-02", "2025-03-10", adopted())
			s.want("2025-06-03", "plan-review/1", "2025-09-10 met on 2025-05-05")
			s.want("2025-06-03", "plan-review/2", "2025-10-01 met on 2025-05-05")
			s.want("2025-06-03", "plan-review/3", "2025-11-05 pending")
		}},
	})
}

// The length of a sentence is rounded up to whole months, and is never none.
func TestSentenceMonths(t *testing.T) {
	for end, want := range map[string]int{"2025-03-03": 1, "2025-04-03": 1, "2025-04-04": 2, "2027-03-03": 24, "2027-03-04": 25, "2055-03-03": 360} {
		if got := sentenceMonths(day("2025-03-03"), day(end)); got != want {
			t.Errorf("until %s: %d months, expected %d", end, got, want)
		}
	}
}

func TestPeriodsInWords(t *testing.T) {
	for text, want := range map[string]string{"1 day": "1 day", "15 days": "15 days", "1 working day": "1 working day", "6 months": "6 months",
		"12 months": "12 months", "5 years": "5 years", "18 months": "18 months", "20 years": "20 years", "72 hours": "72 hours"} {
		if o, err := parseOffset(text); err != nil || o.String() != want {
			t.Errorf("%s: %s, %v", text, o, err)
		}
	}
	for text, want := range map[string]bool{"30 days": true, "29 days": false, "1 month": true, "22 working days": true, "21 working days": false, "72 hours": false, "719 hours": false, "720 hours": true} {
		if o, _ := parseOffset(text); o.atLeast(30) != want {
			t.Errorf("%s lasts 30 days or more: %v", text, !want)
		}
	}
	if o, _ := parseOffset("1 month"); o.atLeast(31) {
		t.Error("a month lasts 31 days or more")
	}
	for _, text := range []string{"", "3", "x days", "0 days", "-1 days", "3 fortnights", "3 workingdays"} {
		if _, err := parseOffset(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
