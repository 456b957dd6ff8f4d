package protocol

import (
	"testing"

	"traga.internal/events"
)

// Each rule of the table: who owes it to whom, how grave it is, what meets it and what does not. The release date
// is 2 September 2026, decided on 2 June 2025.
func TestTheTable(t *testing.T) {
	party := func(r events.Role) events.Actor {
		return events.Actor{Role: r, Institution: events.Institution("mk-" + string(r))}
	}
	shared := []any{&events.NeedsMapFinalised{NeedsMap: "m", Version: 1}, &events.NeedsMapShared{NeedsMap: "m", Version: 1, Recipient: csw.Party()}}
	report := func(to ...events.Actor) any {
		r := &events.ReleaseReportIssued{Report: "r"}
		for _, a := range to {
			r.Recipients = append(r.Recipients, a.Party())
		}
		return r
	}
	many := func(d ...any) []any { return d }
	for _, row := range []struct {
		id, due  string
		duty     events.Role
		toward   events.Role
		severity Severity
		acts     []any // all together meet it
		not      []any // these do not
	}{
		{"screening", "2025-03-18", "prison-treatment", "directorate", Medium, many(&events.ScreeningCompleted{}), many(assessed("risk", ""))},
		{"assessment", "2025-05-02", "prison-treatment", "directorate", High, many(assessed("risk-and-needs", "")), many(assessed("needs", ""))},
		{"assessment", "2025-05-02", "prison-treatment", "directorate", High, many(assessed("risk", ""), assessed("needs", "")), many(assessed("risk", ""), assessed("risk", ""))},
		{"open-pre-release", "2025-09-02", "prison-treatment", "directorate", High, many(&events.PreReleasePlanningOpened{}), nil},
		{"notify-directorate", "2026-03-06", "prison-treatment", "directorate", High, many(planned("n", directorate)), many(planned("n", csw))},
		{"notify-coordinator", "2026-03-06", "prison-treatment", "coordinator", Medium, many(planned("n", party("coordinator"))), many(planned("n", directorate))},
		{"notify-csw", "2026-06-04", "prison-treatment", "csw", High, many(planned("n", csw)), many(notice("n", "date-changed", csw))},
		{"notify-probation", "2026-06-04", "prison-treatment", "probation", High, many(planned("n", party("probation"))), many(planned("n", csw))},
		{"notify-employment", "2026-06-04", "prison-treatment", "employment", Medium, many(planned("n", party("employment"))), many(planned("n", csw))},
		{"notify-education", "2026-06-04", "prison-treatment", "education", Medium, many(planned("n", party("education"))), many(planned("n", csw))},
		{"draft-needs-map", "2026-06-04", "prison-treatment", "csw", Medium, many(&events.NeedsMapDrafted{NeedsMap: "m", Version: 1}), many(shared...)},
		{"conference-1", "2026-07-03", "prison-treatment", "", Medium, many(conference()), nil},
		{"share-needs-map", "2026-07-17", "prison-treatment", "csw", Critical, shared,
			many(shared[0], &events.NeedsMapShared{NeedsMap: "m", Version: 1, Recipient: police.Party()}, &events.NeedsMapShared{NeedsMap: "o", Version: 1, Recipient: csw.Party()})},
		{"notify-police", "2026-07-31", "prison-treatment", "police", High, many(planned("n", police)), many(planned("n", csw))},
		{"conference-2", "2026-07-31", "prison-treatment", "", Medium, many(conference(), conference()), many(conference())},
		{"health-continuity", "2026-07-31", "prison-health", "community-health", High, many(&events.HealthSummaryTransferred{Recipient: party("community-health").Party()}),
			many(&events.ConsentRefused{Categories: []events.Category{"family"}})},
		{"health-continuity", "2026-07-31", "prison-health", "community-health", High, many(&events.ConsentRefused{Categories: []events.Category{"family", "health"}}), nil},
		{"release-report", "2026-08-19", "prison-treatment", "csw", High, many(report(police, csw)), many(report(police))},
		{"confirm-date", "2026-08-28", "prison-treatment", "csw", Medium, many(notice("n", "date-confirmed", csw)), many(notice("n", "date-confirmed", police))},
		{"handover", "2026-08-28", "csw", "", High, many(&events.HandoverAccepted{Officer: "o"}), nil},
		{"treatment-plan", "2025-07-02", "prison-treatment", "", High, many(adopted()), many(reviewed())},
		{"plan-review/1", "2025-12-02", "prison-treatment", "", Medium, many(reviewed()), many(adopted())},
		{"decide-complaint/k", "2025-06-23", "directorate", "", High, many(&events.ComplaintDecided{Complaint: "k"}), many(&events.ComplaintDecided{Complaint: "l"})},
		{"decide-appeal/r", "2025-06-23", "directorate", "", High, many(&events.RefusalAppealDecided{Request: "r"}), many(&events.RefusalAppealDecided{Request: "s"})},
		{"answer-request/r", "2025-06-16", "prison-treatment", "", High, many(&events.InformationProvided{Request: "r"}), many(&events.InformationRefused{Request: "s"})},
		{"answer-request/u", "2025-06-04", "prison-treatment", "", High, many(&events.InformationRefused{Request: "u"}), nil},
		{"report-breach/b", "2025-06-05T07:00:0", "directorate", "data-protection", Critical, many(&events.BreachReported{Breach: "b"}), many(&events.BreachReported{Breach: "c"})},
	} {
		for _, met := range []bool{true, false} {
			s := newStory(t, "MK")
			s.on("2025-06-02", &events.DataBreachRecorded{Breach: "b", Risk: "risk"})
			if row.id != "assessment" {
				s.on("2025-06-02", assessed("needs", ""))
			}
			s.on("2025-06-02", set("2026-09-02"))
			s.on("2025-06-02", &events.ComplaintLodged{Complaint: "k"})
			s.by(police)
			s.on("2025-06-02", requested("r", "normal"))
			s.on("2025-06-02", requested("u", "urgent"))
			s.on("2025-06-02", &events.RefusalAppealed{Request: "r", To: directorate.Party()})
			if row.id == "plan-review/1" {
				s.on("2025-06-02", adopted())
			}
			acts := row.acts
			if !met {
				acts = row.not
			}
			for _, d := range acts {
				s.on("2025-06-03", d)
			}
			o := s.find("2025-06-04", row.id)
			if o == nil {
				t.Errorf("%s is not there", row.id)
				continue
			}
			if o.Due.String()[:min(len(row.due), len(o.Due.String()))] != row.due || o.Duty != row.duty || o.Toward != row.toward || o.Severity != row.severity {
				t.Errorf("%s is due %s, %s toward %q, %s", row.id, o.Due, o.Duty, o.Toward, o.Severity)
			}
			if did := o.FulfilledBy == s.log[len(s.log)-1].ID; did != met {
				t.Errorf("%s: met %v, expected %v", row.id, did, met)
			}
		}
	}
}

// The rules that begin with the release, on Monday 2 March 2026.
func TestAfterTheRelease(t *testing.T) {
	for _, row := range []struct {
		id, due string
		duty    events.Role
		toward  events.Role
		met     any
	}{
		{"release-notice", "2026-03-03", "prison-treatment", "csw", notice("n", "released", csw)},
		{"first-contact", "2026-03-05", "csw", "", &events.FirstContactMade{}},
		{"post-penal-plan", "2026-03-17", "csw", "", &events.PostPenalPlanAdopted{}},
		{"post-penal-review/30d", "2026-04-01", "csw", "", postPenalReview("continue")},
	} {
		s := newStory(t, "MK")
		s.on("2026-03-02", freed())
		s.on("2026-03-03", row.met)
		if o := s.find("2026-03-04", row.id); o == nil || o.Due.String() != row.due || o.Duty != row.duty || o.Toward != row.toward || o.Outcome != Met {
			t.Errorf("%s: %+v", row.id, o)
		}
	}
	s := newStory(t, "MK")
	s.on("2026-03-02", freed())
	s.want("2026-03-03", "post-penal-review/90d", "2026-06-01 pending")
	s.want("2026-03-03", "post-penal-review/180d", "2026-08-31 pending")
	s.want("2026-03-03", "post-penal-review/365d", "2027-03-02 pending")
}

func TestOverlays(t *testing.T) {
	albania := newStory(t, "AL")
	municipality := events.Actor{Role: events.Municipality, Institution: "al-bashkia"}
	albania.on("2025-06-02", set("2026-09-02"))
	albania.on("2025-06-03", planned("n-1", csw))
	if o := albania.find("2025-06-04", "notify-csw"); o.Toward != events.Municipality || o.Outcome != Pending {
		t.Errorf("AL: a notice to a csw: %+v", o)
	}
	albania.on("2025-06-04", planned("n-2", municipality))
	if o := albania.find("2025-06-05", "notify-csw"); o.Outcome != Met {
		t.Errorf("AL: a notice to the municipality: %+v", o)
	}
	if o := albania.find("2025-06-05", "handover"); o.Duty != events.Municipality || o.DutyHolder != "al-bashkia" {
		t.Errorf("AL: handover: %+v", o)
	}
	bosnia := newStory(t, "BA")
	bosnia.on("2025-06-02", set("2026-09-02"))
	if bosnia.find("2025-06-03", "notify-probation") != nil || bosnia.find("2025-06-03", "notify-csw") == nil {
		t.Error("BA: probation is told of the release")
	}
	serbia := newStory(t, "RS")
	serbia.on("2025-06-02", set("2026-09-02"))
	if o := serbia.find("2025-06-03", "notify-probation"); o == nil || o.Toward != events.Probation {
		t.Errorf("RS: %+v", o)
	}
}

func TestSubdivisionsOfBosniaHaveTheirOwnCalendars(t *testing.T) {
	due := func(institution events.Institution, book *Book) string {
		s := &story{t: t, jurisdiction: "BA", book: book, clock: map[string]int{}}
		s.by(prison).on("2026-01-05", &events.CaseOpened{Institution: institution, AdmittedOn: day("2025-12-30")})
		return s.find("2026-01-05 10:00", "screening").Due.String() + " " + s.known(s.instant("2026-01-06")).Calendar().Subdivision()
	}
	// Fifteen days after 30 December is 14 January, Orthodox New Year in Republika Srpska alone.
	for institution, want := range map[events.Institution]string{"ba-bih-prison-zenica": "2026-01-14 BA-BIH", "ba-srp-prison-foca": "2026-01-15 BA-SRP",
		"ba-brc-prison": "2026-01-14 BA-BRC", "ba-prison": "2026-01-14 BA-BIH"} {
		if got := due(institution, NewBook()); got != want {
			t.Errorf("%s: %s, expected %s", institution, got, want)
		}
	}
	moved, err := NewBook().With(&events.Event{Type: "InstitutionRegistered", Jurisdiction: "BA", Data: &events.InstitutionRegistered{Institution: "ba-bih-prison-zenica", Place: "BA-SRP"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := due("ba-bih-prison-zenica", moved); got != "2026-01-15 BA-SRP" {
		t.Errorf("an entry in the directory overrides the id: %s", got)
	}
}
