package casefile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

func TestOnePartyDoesNotActForAnother(t *testing.T) {
	colleague := csw
	colleague.Officer, colleague.Role = "m.iseni", events.Municipality // another role of the same institution
	noticed := past(opened(), does(prison, notice("n-1", "planned-release", csw)))
	referred := past(opened(), does(prison, &events.ReferralMade{Referral: "rf-1", Recipient: party(ngo)}))
	asked := past(opened(), does(police, asks("r-1", prison)), does(prison, &events.InformationRefused{Request: "r-1", Ground: "g", Remedy: "r"}))
	appealed := append(asked, does(police, &events.RefusalAppealed{Request: "r-1", To: party(directorate)}))
	told := past(opened(), does(prison, tells("d-1", csw)))
	met := past(opened(), does(prison, &events.CaseConferenceHeld{Conference: "cc-1", Attendees: []events.Party{party(csw), party(police)},
		Actions: []events.ConferenceAction{{Action: "a-1", Owner: party(csw), Due: 1, Text: "t"}}}))
	acknowledge := &events.NotificationAcknowledged{Notification: "n-1"}
	decide := &events.RefusalAppealDecided{Request: "r-1", Outcome: "granted"}
	const other = "not-allowed actor.institution"
	holds(t, map[string]rule{
		"the recipient acknowledges":                  {noticed, does(csw, acknowledge), "recorded"},
		"a colleague in another role acknowledges":    {noticed, does(colleague, acknowledge), "recorded"},
		"the sender acknowledges":                     {noticed, does(prison, acknowledge), other},
		"also when it is reported later":              {noticed, did(5, prison, acknowledge), other},
		"the recipient after a correction":            {append(noticed, does(prison, correction(2, notice("n-1", "planned-release", police)))), does(police, acknowledge), "recorded"},
		"the wrong recipient after a correction":      {append(noticed, does(prison, correction(2, notice("n-1", "planned-release", police)))), does(csw, acknowledge), other},
		"the service accepts":                         {referred, does(ngo, &events.ReferralAccepted{Referral: "rf-1"}), "recorded"},
		"another accepts":                             {referred, does(prison, &events.ReferralAccepted{Referral: "rf-1"}), other},
		"the service declines":                        {referred, does(ngo, &events.ReferralDeclined{Referral: "rf-1", Reason: "r"}), "recorded"},
		"another declines":                            {referred, does(csw, &events.ReferralDeclined{Referral: "rf-1", Reason: "r"}), other},
		"the service says how it ended":               {referred, does(ngo, &events.ReferralCompleted{Referral: "rf-1"}), "recorded"},
		"who referred says how it ended":              {referred, does(prison, &events.ReferralCompleted{Referral: "rf-1"}), "recorded"},
		"another says how it ended":                   {referred, does(csw, &events.ReferralCompleted{Referral: "rf-1"}), other},
		"the one asked answers":                       {asked, does(prison, &events.InformationProvided{Request: "r-1", Recipient: party(police)}), "recorded"},
		"another answers":                             {asked, does(csw, &events.InformationProvided{Request: "r-1", Recipient: party(police)}), other},
		"another refuses":                             {asked, does(csw, &events.InformationRefused{Request: "r-1"}), other},
		"the one who asked appeals":                   {asked, does(police, &events.RefusalAppealed{Request: "r-1", To: party(directorate)}), "recorded"},
		"another appeals":                             {asked, does(prison, &events.RefusalAppealed{Request: "r-1", To: party(directorate)}), other},
		"the body appealed to decides":                {appealed, does(directorate, decide), "recorded"},
		"another body decides":                        {appealed, does(ombudsman, decide), other},
		"the one who appealed decides":                {appealed, does(police, decide), "not-allowed actor.role"},
		"nobody appealed":                             {asked, does(directorate, decide), "conflict data.request"},
		"the sender recalls":                          {told, does(prison, &events.DisclosureRecalled{Disclosure: "d-1", Reason: "unlawful"}), "recorded"},
		"the recipient recalls":                       {told, does(csw, &events.DisclosureRecalled{Disclosure: "d-1", Reason: "unlawful"}), other},
		"the recipient confirms the destruction":      {told, does(csw, &events.DisclosureDestructionConfirmed{Disclosure: "d-1"}), "recorded"},
		"the sender confirms the destruction":         {told, does(prison, &events.DisclosureDestructionConfirmed{Disclosure: "d-1"}), other},
		"an attendee confirms it too":                 {met, does(police, &events.DisclosureDestructionConfirmed{Disclosure: "cc-1"}), "recorded"},
		"the owner completes the action":              {met, does(csw, &events.ConferenceActionCompleted{Conference: "cc-1", Action: "a-1"}), "recorded"},
		"another completes the action":                {met, does(prison, &events.ConferenceActionCompleted{Conference: "cc-1", Action: "a-1"}), other},
		"an action that nobody agreed on":             {met, does(csw, &events.ConferenceActionCompleted{Conference: "cc-1", Action: "a-2"}), "conflict data.action"},
		"who is complained about decides: HR23 tells": {past(opened(), does(ombudsman, &events.ComplaintLodged{Complaint: "co-1", About: party(prison)})), does(prison, &events.ComplaintDecided{Complaint: "co-1", Outcome: "dismissed"}), "recorded"},
	})
}

func TestACorrectionFitsWhatItCorrects(t *testing.T) {
	broken := func(target int, replacement string) *events.EntryCorrected {
		return &events.EntryCorrected{Target: id(target), Replacement: jsontext.Value(replacement), Reason: "r"}
	}
	dated := func(day int) *events.ExpectedReleaseDateSet {
		return &events.ExpectedReleaseDateSet{Date: events.DateOf(2026, 10, day), Basis: "sentence-end"}
	}
	date := past(opened(), does(prison, dated(5)))
	noticed := past(opened(), does(prison, notice("n-1", "planned-release", csw)))
	version := func(n int) *events.ReleaseReportIssued {
		return &events.ReleaseReportIssued{Report: "rr-1", Version: n, Recipients: []events.Party{party(csw)}}
	}
	reported := past(opened(), does(prison, version(1)))
	onConsent := tells("d-1", csw)
	onConsent.Consent = "c-9"
	holds(t, map[string]rule{
		"the same type":                          {date, does(prison, correction(2, dated(15))), "recorded"},
		"another type":                           {date, does(prison, correction(2, notice("n-1", "released", csw))), "invalid data.replacement.notification"},
		"a day that does not exist":              {date, does(prison, broken(2, `{"date":"2026-10-32","basis":"sentence-end"}`)), "invalid data.replacement.date"},
		"values that contradict each other":      {past(opened(), does(court, &events.SentenceRecorded{StartDate: 10, EndDate: 20})), does(court, correction(2, &events.SentenceRecorded{StartDate: 740000, EndDate: 730000})), "invalid data.replacement.endDate"},
		"an unknown field":                       {date, does(prison, broken(2, `{"date":"2026-10-15","basis":"sentence-end","why":"x"}`)), "invalid data.replacement.why"},
		"another id":                             {noticed, does(prison, correction(2, notice("n-2", "planned-release", csw))), "conflict data.replacement"},
		"a reference that is not there":          {past(opened(), does(prison, tells("d-1", csw))), does(prison, correction(2, onConsent)), "conflict data.replacement.consent"},
		"an entry of the case that is not there": {noticed, does(prison, correction(99, notice("n-1", "released", csw))), "conflict data.target"},
		"a version that another entry has":       {append(reported, does(prison, version(2))), does(prison, correction(2, version(2))), "conflict data.replacement.version"},
		"a version that is free":                 {reported, does(prison, correction(2, version(2))), "recorded"},
		"a correction of a correction":           {append(date, does(prison, correction(2, dated(6)))), does(prison, correction(3, correction(2, dated(7)))), "recorded"},
		"that moves to another target":           {append(date, does(prison, correction(2, dated(6)))), does(prison, correction(3, correction(1, opened().Data))), "conflict data.replacement.target"},
		"that does not fit its own target":       {append(date, does(prison, correction(2, dated(6)))), does(prison, correction(3, correction(2, annulment(1)))), "invalid data.replacement.replacement.target"},
		"a corrected annulment keeps its target": {append(date, does(prison, annulment(2))), does(prison, correction(3, annulment(1))), "conflict data.replacement.target"},

		// Correcting is recording: it is no way around the catalogue.
		"who may not set a release date corrects none": {date, does(csw, correction(2, dated(15))), "not-allowed actor.role"},
		"nor annuls one": {date, does(csw, annulment(2)), "not-allowed actor.role"},
		"the court may":  {date, does(court, correction(2, dated(15))), "recorded"},
		"a clinician of the prison that recorded it":      {date, does(clinic, correction(2, dated(15))), "recorded"},
		"the data-protection authority may":               {date, does(authority, annulment(2)), "recorded"},
		"nobody annuls what traga found but oversight":    {past(opened(), does(traga, &events.ObligationOverdue{Obligation: "screening"})), does(prison, annulment(2)), "not-allowed actor.role"},
		"and oversight may, in the open":                  {past(opened(), does(traga, &events.ObligationOverdue{Obligation: "screening"})), does(directorate, annulment(2)), "recorded"},
		"what is live and what is reported alike":         {date, did(9, csw, annulment(2)), "not-allowed actor.role"},
		"an annulled entry may be corrected and stays so": {append(noticed, does(prison, annulment(2))), does(prison, correction(2, notice("n-1", "released", csw))), "recorded"},
	})
}

func TestWhatIsMalformedIsInvalid(t *testing.T) {
	anonymous := prison
	anonymous.Officer = " "
	soon, later := does(ngo, &events.SupportProvided{}), does(ngo, &events.SupportProvided{})
	soon.OccurredAt, later.OccurredAt = now.Add(5*time.Minute), now.Add(5*time.Minute+time.Second)
	noBasis, noPurpose := does(prison, tells("d-1", csw)), does(prison, tells("d-1", csw))
	noBasis.LegalBasis, noPurpose.Purpose = "", ""
	marked := tells("d-1", csw)
	marked.AfterTheFact = true
	enveloped := bare(does(prison, tells("d-1", csw)))
	enveloped.AfterTheFact = true
	transfer := func(from events.Jurisdiction, number string) *events.Event {
		return does(directorate, &events.JurisdictionTransferAccepted{From: from, PreviousCase: number})
	}
	action := events.ConferenceAction{Action: "a-1", Owner: party(csw)}
	young := opened().Data.(*events.CaseOpened)
	young.DateOfBirth = young.AdmittedOn + 1
	holds(t, map[string]rule{
		"a clock a little ahead":                      {past(opened()), soon, "recorded"},
		"an act in the future":                        {past(opened()), later, "invalid occurredAt"},
		"sharing without a legal basis":               {past(opened()), noBasis, "invalid legalBasis"},
		"sharing without a purpose":                   {past(opened()), noPurpose, "invalid purpose"},
		"the same, reported later: HR01 tells":        {past(opened()), bare(did(1, prison, tells("d-1", csw))), "recorded"},
		"the same, marked so in the data":             {past(opened()), bare(does(prison, marked)), "recorded"},
		"the same, marked so in the envelope":         {past(opened()), enveloped, "recorded"},
		"what shares nothing needs neither":           {past(opened()), does(ngo, &events.SupportProvided{}), "recorded"},
		"an officer without a name":                   {past(opened()), does(anonymous, &events.SupportProvided{}), "invalid actor.officer"},
		"born after the admission":                    {nil, does(prison, young), "invalid data.dateOfBirth"},
		"a sentence that ends before it starts":       {past(opened()), does(court, &events.SentenceRecorded{StartDate: 20, EndDate: 19}), "invalid data.endDate"},
		"a sentence of one day":                       {past(opened()), does(court, &events.SentenceRecorded{StartDate: 20, EndDate: 20}), "recorded"},
		"a transfer from where the case was":          {past(opened()), transfer("RS", "RS-2024-0009"), "recorded"},
		"a transfer under a number of another form":   {past(opened()), transfer("RS", "Kv. 12/2024"), "recorded"},
		"a transfer from elsewhere than the case was": {past(opened()), transfer("RS", "AL-2024-0009"), "invalid data.previousCase"},
		"a transfer without the number there":         {past(opened()), transfer("RS", " "), "invalid data.previousCase"},
		"two actions of a conference under one id":    {past(opened()), does(prison, &events.CaseConferenceHeld{Conference: "cc-1", Actions: []events.ConferenceAction{action, action}}), "invalid data.actions"},
		"an erasure that one person approved":         {past(opened()), does(csw, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a", "a"}}), "invalid data.approvers"},
		"such an erasure, reported":                   {past(opened()), did(9, csw, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a"}}), "recorded"},
		"an erasure under a legal hold":               {past(opened(), does(court, &events.LegalHoldPlaced{Hold: "h-1"})), does(csw, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a", "b"}}), "conflict data.erasure"},
		"an erasure after the hold was lifted":        {past(opened(), does(court, &events.LegalHoldPlaced{Hold: "h-1"}), does(court, &events.LegalHoldLifted{Hold: "h-1"})), does(csw, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a", "b"}}), "recorded"},
		"an erasure after the lifting was annulled":   {past(opened(), does(court, &events.LegalHoldPlaced{Hold: "h-1"}), does(court, &events.LegalHoldLifted{Hold: "h-1"}), does(court, annulment(3))), does(csw, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a", "b"}}), "conflict data.erasure"},
		"a correction that leaves one approver":       {past(opened(), does(csw, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a", "b"}})), does(csw, correction(2, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a"}})), "invalid data.replacement.approvers"},
		"an event that belongs to no case":            {past(opened()), does(directorate, &events.OfficerRevoked{Officer: "o"}), "invalid type"},
	})
}

func TestInTheRegistersOfAJurisdictionTheEnvelopeAndTheCauseCount(t *testing.T) {
	trained := func(who events.Actor) *events.Event {
		e := does(who, &events.OfficerTrained{Officer: "o", Tool: "VERA-2R", Provider: "p", On: 740000})
		e.Case, e.Jurisdiction = "", "MK"
		return e
	}
	caused, stray := trained(directorate), trained(directorate)
	caused.CausationID, stray.CausationID = id(1), id(9)
	for name, c := range map[string]struct {
		e    *events.Event
		then string
	}{
		"by the directorate":          {trained(directorate), ""},
		"by another than directorate": {trained(csw), "refused (not-allowed): actor.role"},
		"with its cause":              {caused, ""},
		"with a cause not there":      {stray, "refused (conflict): causationId"},
	} {
		t.Run(name, func(t *testing.T) {
			decided, err := DecideElsewhere(given(trained(directorate)), c.e, now)
			if c.then == "" && (err != nil || len(decided) != 1) || c.then != "" && (err == nil || !strings.HasPrefix(err.Error(), c.then)) {
				t.Errorf("%v, expected %s", err, c.then)
			}
		})
	}
	if _, err := DecideElsewhere(nil, stray, now); err != nil {
		t.Errorf("where causes are not checked: %v", err)
	}
}

func TestOfSeveralReasonsTheFirstKindCounts(t *testing.T) {
	everything := does(csw, &events.HealthSummaryTransferred{Disclosure: "d-1", Consent: "unknown"}) // wrong role, unknown consent
	wrong := bare(does(csw, everything.Data))
	holds(t, map[string]rule{
		"invalid before not-allowed":  {past(opened()), wrong, "invalid purpose"},
		"not-allowed before conflict": {past(opened()), everything, "not-allowed actor.role"},
		"acting for another before a closed case": {past(opened(), does(csw, asks("r-1", prison)), closed()),
			does(csw, &events.InformationRefused{Request: "r-1"}), "not-allowed actor.institution"},
		"conflict last": {past(opened()), does(clinic, everything.Data), "conflict data.consent"},
	})
}

func TestStateSaysWhereACaseStands(t *testing.T) {
	steps := []*events.Event{
		opened(), does(prison, &events.TreatmentPlanAdopted{Plan: "tp-1"}), does(prison, &events.PreReleasePlanningOpened{Manager: "m"}),
		does(directorate, &events.PrisonTransferred{From: "mk-prison-idrizovo", To: "mk-prison-tetovo"}),
		does(prison, &events.PersonReleased{Kind: "sentence-end"}), does(csw, &events.PostPenalPlanAdopted{Plan: "pp-1"}), closed(),
	}
	want := []struct {
		phase  Phase
		status Status
		held   events.Institution
	}{
		{"", "", ""}, {Intake, Open, "mk-prison-idrizovo"}, {Treatment, Open, "mk-prison-idrizovo"}, {PreRelease, Open, "mk-prison-idrizovo"},
		{PreRelease, Open, "mk-prison-tetovo"}, {Released, Open, "mk-prison-tetovo"}, {PostPenal, Open, "mk-prison-tetovo"}, {PhaseClosed, Closed, "mk-prison-tetovo"},
	}
	for n := 0; n <= len(steps); n++ {
		s := given(steps[:n]...)
		if s.Phase() != want[n].phase || s.Status() != want[n].status || s.Institution() != want[n].held || s.Len() != n || (s.Opened() != nil) != (n > 0) {
			t.Errorf("after %d events: %s, %s, %s", n, s.Phase(), s.Status(), s.Institution())
		}
	}
}

func TestARefusalSaysItsReasonsInOrderAndLeadsToWhatLiesBeneath(t *testing.T) {
	r := Unlawful([]Finding{{Safeguard: "HR05", Explanation: "b."}, {Safeguard: "HR03", Explanation: "a."}, {Safeguard: "HR05", Explanation: "c."}})
	if r.Error() != "refused (HR03, HR05): HR05: b. HR03: a. HR05: c." || !errors.Is(r, ErrRefused) || errors.Unwrap(r) != nil {
		t.Error(r)
	}
	m := Malformed(&events.FieldError{Field: "data.date", Expected: "a date", Got: "something else"})
	var field *events.FieldError
	if m.Error() != "refused (invalid): data.date: expected a date, got something else" || !errors.As(m, &field) {
		t.Error(m)
	}
}

// Whatever is thrown at it, Decide answers, and what it lets through can be folded.
func TestDecideAnswersForEveryEventAndEveryHistory(t *testing.T) {
	actors := []events.Actor{prison, clinic, directorate, court, csw, police, employment, ngo, ombudsman, authority, traga}
	ids := rapid.SampledFrom([]events.ID{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		s := new(State)
		for n := 1; n <= 30; n++ {
			i := ids.Draw(t, "id")
			who := party(rapid.SampledFrom(actors).Draw(t, "party"))
			target := id(rapid.IntRange(1, 30).Draw(t, "target"))
			data := rapid.SampledFrom([]any{opened().Data, closed().Data, reopened().Data, &events.NotificationSent{Notification: i, Recipient: who, Subject: "released"},
				&events.NotificationAcknowledged{Notification: i}, &events.InformationRequested{Request: i, From: who}, &events.InformationProvided{Request: i, Recipient: who},
				&events.RefusalAppealed{Request: i, To: who}, &events.RefusalAppealDecided{Request: i}, &events.InformationDisclosed{Disclosure: i, Recipient: who, DerivedFrom: i},
				&events.EntryAnnulled{Target: target}, &events.EntryCorrected{Target: target, Replacement: jsontext.Value(`{"reason":"x"}`)},
				&events.DisclosureRecalled{Disclosure: i}, &events.LegalHoldPlaced{Hold: i}}).Draw(t, "data")
			e := does(rapid.SampledFrom(actors).Draw(t, "actor"), data)
			e.ID, e.Revision = id(n), uint64(s.Len())
			e.OccurredAt = now.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
			decided, err := Decide(s, e, now)
			var r *Refusal
			if errors.As(err, &r) {
				if len(r.Because) != 1 {
					t.Fatalf("%v", r.Because)
				}
				continue
			}
			if err != nil || len(decided) != 1 {
				t.Fatalf("%v %v", decided, err)
			}
			e.RecordedAt = now
			s.Evolve(e)
			seen := map[uuid.UUID]bool{}
			for _, entry := range s.Entries() {
				seen[entry.ID] = true
				checkTarget(t, seen, entry)
			}
		}
	})
}

// checkTarget: what was let through is about something recorded before it.
func checkTarget(t *rapid.T, seen map[uuid.UUID]bool, e *history.Entry) {
	if d, ok := e.Data.(*events.EntryAnnulled); ok && !seen[d.Target] {
		t.Fatalf("an annulment of nothing was recorded")
	}
}
