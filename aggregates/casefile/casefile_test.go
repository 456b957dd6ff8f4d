package casefile

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"traga.internal/events"
)

// The parties of these tests.
var (
	prison      = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	clinic      = events.Actor{Officer: "s.ilievska", Role: events.PrisonHealth, Institution: "mk-prison-idrizovo"}
	directorate = events.Actor{Officer: "v.trajkovska", Role: events.Directorate, Institution: "mk-des"}
	court       = events.Actor{Officer: "j.stefanovska", Role: events.Court, Institution: "mk-court-skopje"}
	csw         = events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "mk-csw-skopje"}
	police      = events.Actor{Officer: "k.zdravkov", Role: events.Police, Institution: "mk-police-skopje"}
	employment  = events.Actor{Officer: "z.ristovska", Role: events.Employment, Institution: "mk-employment-skopje"}
	ngo         = events.Actor{Officer: "i.kostovska", Role: events.CivilSociety, Institution: "mk-ngo-nov-pat"}
	ombudsman   = events.Actor{Officer: "o.nikolova", Role: events.Ombudsman, Institution: "mk-ombudsman"}
	authority   = events.Actor{Officer: "d.markova", Role: events.DataProtection, Institution: "mk-dpa"}
	traga       = events.Actor{Officer: "traga", Role: events.System, Institution: "traga"}
)

// now is the instant at which everything is decided; the given events were recorded before, an hour apart.
var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// does is an act done now, through traga.
func does(who events.Actor, data any) *events.Event {
	e := &events.Event{Type: reflect.TypeOf(data).Elem().Name(), Case: "MK-2026-0001", Actor: who, OccurredAt: now, Data: data}
	if k, _ := events.KindOf(e.Type); k != nil && k.Shares {
		e.Purpose, e.LegalBasis = "pre-release-planning", "execution-law"
	}
	return e
}

// did is an act done so many hours ago and reported only now.
func did(hours int, who events.Actor, data any) *events.Event {
	e := does(who, data)
	e.OccurredAt = now.Add(-time.Duration(hours) * time.Hour)
	return e
}

// bare takes the purpose and the legal basis away.
func bare(e *events.Event) *events.Event {
	e.Purpose, e.LegalBasis = "", ""
	return e
}

func id(n int) uuid.UUID { return uuid.UUID{0: 0x10, 15: byte(n)} }

// given folds the events in order: the n-th, from 1, has the id id(n).
func given(history ...*events.Event) *State {
	s := new(State)
	for i, e := range history {
		e.ID, e.Revision = id(i+1), uint64(i)
		e.RecordedAt = now.Add(-time.Duration(len(history)-i) * time.Hour)
		if e.OccurredAt.Equal(now) {
			e.OccurredAt = e.RecordedAt
		}
		s.Evolve(e)
	}
	return s
}

// outcome is "recorded", or the reasons of the refusal and the field at fault.
func outcome(t *testing.T, s *State, e *events.Event) string {
	t.Helper()
	before := s.Len()
	decided, err := Decide(s, e, now)
	if s.Len() != before {
		t.Error("deciding changed the state")
	}
	if err == nil {
		if len(decided) != 1 || decided[0] != e {
			t.Errorf("decided on %v", decided)
		}
		return "recorded"
	}
	var r *Refusal
	if !errors.As(err, &r) || !errors.Is(err, ErrRefused) {
		t.Fatalf("not a refusal: %v", err)
	}
	if decided != nil || r.Message == "" {
		t.Errorf("%+v with %v", r, decided)
	}
	return strings.TrimSpace(strings.Join(r.Because, " ") + " " + r.Field)
}

// rule is one line of a table: what was recorded before, what is to be recorded now, and what comes of it.
type rule struct {
	given []*events.Event
	when  *events.Event
	then  string
}

func holds(t *testing.T, rules map[string]rule) {
	t.Helper()
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			if got := outcome(t, given(r.given...), r.when); got != r.then {
				t.Errorf("%s, expected %s", got, r.then)
			}
		})
	}
}

func past(history ...*events.Event) []*events.Event { return history }

func opened() *events.Event {
	return does(prison, &events.CaseOpened{Subject: "s-1", Name: "N", DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted",
		Institution: "mk-prison-idrizovo", AdmittedOn: events.DateOf(2026, 1, 12)})
}

func closed() *events.Event   { return does(csw, &events.CaseClosed{Reason: "goals reached"}) }
func reopened() *events.Event { return does(csw, &events.CaseReopened{Reason: "new need"}) }

func party(a events.Actor) events.Party {
	return events.Party{Institution: a.Institution, Role: a.Role}
}

func notice(n events.ID, subject string, to events.Actor) *events.NotificationSent {
	return &events.NotificationSent{Notification: n, Subject: subject, Recipient: party(to), Categories: []events.Category{events.Identity}, Channel: "letter"}
}

func asks(r events.ID, from events.Actor) *events.InformationRequested {
	return &events.InformationRequested{Request: r, From: party(from), Categories: []events.Category{events.Risk}, Urgency: "normal", Reason: "plan"}
}

func tells(d events.ID, to events.Actor) *events.InformationDisclosed {
	return &events.InformationDisclosed{Disclosure: d, Recipient: party(to), Categories: []events.Category{events.Identity}, Justification: "needed"}
}

func correction(target int, data any) *events.EntryCorrected {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return &events.EntryCorrected{Target: id(target), Replacement: raw, Reason: "mistyped"}
}

func annulment(target int) *events.EntryAnnulled {
	return &events.EntryAnnulled{Target: id(target), Reason: "in error"}
}

func TestACaseIsOpenedOnceAndBeforeEverythingElse(t *testing.T) {
	support := does(ngo, &events.SupportProvided{Service: "mediation"})
	holds(t, map[string]rule{
		"opening":                               {nil, opened(), "recorded"},
		"anything before the opening":           {nil, support, "conflict case"},
		"even what a closed case accepts":       {nil, does(ombudsman, &events.ReviewOpened{Review: "r", Scope: "s"}), "conflict case"},
		"opening again":                         {past(opened()), opened(), "conflict case"},
		"opening again after the closing":       {past(opened(), closed()), opened(), "conflict case"},
		"opening anew after it was annulled":    {past(opened(), does(prison, annulment(1))), opened(), "recorded"},
		"on a case whose opening was annulled":  {past(opened(), does(prison, annulment(1))), support, "conflict case"},
		"annulling that annulment":              {past(opened(), does(prison, annulment(1))), does(prison, annulment(2)), "recorded"},
		"after the annulment was annulled":      {past(opened(), does(prison, annulment(1)), does(prison, annulment(2))), support, "recorded"},
		"a corrected opening is an opening too": {past(opened(), does(prison, correction(1, opened().Data))), opened(), "conflict case"},
	})
	if _, err := Decide(new(State), support, now); !errors.Is(err, ErrNoSuchCase) {
		t.Errorf("a case that was never opened: %v", err)
	}
}

func TestARoleRecordsOnlyWhatTheCatalogueLetsItRecord(t *testing.T) {
	actors := map[events.Role]events.Actor{}
	for _, r := range events.Roles() {
		actors[r] = events.Actor{Officer: "o", Role: r, Institution: events.Institution("mk-" + r)}
	}
	for _, k := range events.Standard().Kinds() {
		if k.Family != events.CaseFamily {
			continue
		}
		for role, who := range actors {
			allowed := k.By == nil && role != events.System
			for _, by := range k.By {
				allowed = allowed || by == role
			}
			var v verdict
			checkEnvelope(&v, &events.Event{Type: k.Type, Actor: who, OccurredAt: now, Purpose: "oversight", LegalBasis: "oversight-mandate"}, now)
			if refused := v.refusal() != nil; refused == allowed {
				t.Errorf("%s by %s: refused %v", k.Type, role, refused)
			}
		}
	}
	holds(t, map[string]rule{
		"social work moves no release date":  {past(opened()), does(csw, &events.ExpectedReleaseDateChanged{}), "not-allowed actor.role"},
		"the employment agency closes none":  {past(opened()), does(employment, &events.CaseClosed{Reason: "r"}), "not-allowed actor.role"},
		"nobody but traga finds overdue":     {past(opened()), does(directorate, &events.ObligationOverdue{Obligation: "screening", Rule: "screening"}), "not-allowed actor.role"},
		"traga finds overdue":                {past(opened()), does(traga, &events.ObligationOverdue{Obligation: "screening", Rule: "screening"}), "recorded"},
		"traga tells nobody anything itself": {past(opened()), does(traga, notice("n-1", "released", csw)), "not-allowed actor.role"},
	})
}

func TestAClosedCaseAcceptsOnlyWhatMustStillBeSaid(t *testing.T) {
	const theConsent, theDisclosure = 2, 3
	lived := func(last ...*events.Event) []*events.Event {
		about := notice("n-corr", "correction", csw)
		about.About = events.ID(id(theDisclosure).String())
		return append(past(opened(),
			does(prison, &events.ConsentGiven{Consent: "c-1", RecipientRoles: []events.Role{events.CSW}, Informed: true}),
			does(prison, tells("d-1", csw)),
			does(prison, notice("n-1", "planned-release", csw)),
			does(prison, about),
			does(ombudsman, &events.ReviewOpened{Review: "rv-1", Scope: "release"}),
			does(ombudsman, &events.ComplaintLodged{Complaint: "co-1", About: party(prison), Grounds: "g"}),
			does(directorate, &events.DataBreachRecorded{Breach: "b-1", Risk: "risk", Reason: "r"}),
			does(court, &events.LegalHoldPlaced{Hold: "h-0", Reason: "r"}), does(court, &events.LegalHoldLifted{Hold: "h-0"}),
			does(ombudsman, &events.FindingRecorded{Review: "rv-1", Finding: "f-0", Severity: "high"}),
			does(csw, &events.ErasureRequested{Erasure: "e-0", Approvers: []string{"a", "b"}}),
			closed()), last...)
	}
	correctionNotice := notice("n-2", "correction", csw)
	correctionNotice.About = events.ID(id(theDisclosure).String())
	withdrawalNotice := notice("n-2", "consent-withdrawn", csw)
	withdrawalNotice.About = "c-1"

	accepted := map[string]*events.Event{
		"a reopening":                        reopened(),
		"a review":                           does(ombudsman, &events.ReviewOpened{Review: "rv-2", Scope: "s"}),
		"a finding":                          does(ombudsman, &events.FindingRecorded{Review: "rv-1", Finding: "f-1", Safeguard: "HR05", Severity: "high", Events: []uuid.UUID{id(3)}}),
		"a complaint":                        does(ombudsman, &events.ComplaintLodged{Complaint: "co-2", About: party(prison), Grounds: "g"}),
		"the decision of a complaint":        does(directorate, &events.ComplaintDecided{Complaint: "co-1", Outcome: "dismissed"}),
		"a monitoring contact":               does(ombudsman, &events.MonitoringContactHeld{Contact: "m-1"}),
		"a correction":                       does(prison, correction(theDisclosure, tells("d-1", csw))),
		"an annulment":                       does(prison, annulment(theDisclosure)),
		"a data breach":                      does(directorate, &events.DataBreachRecorded{Breach: "b-2", Risk: "none", Reason: "r"}),
		"the report of a breach":             does(directorate, &events.BreachReported{Breach: "b-1", Authority: "mk-dpa"}),
		"telling the person of a breach":     does(prison, &events.SubjectInformedOfBreach{Breach: "b-1"}),
		"a retention review":                 does(csw, &events.RetentionReviewed{Outcome: "erase", Reason: "r"}),
		"a legal hold":                       does(court, &events.LegalHoldPlaced{Hold: "h-1", Reason: "r"}),
		"the lifting of a hold":              does(court, &events.LegalHoldLifted{Hold: "h-0"}),
		"a closed finding":                   does(ombudsman, &events.FindingClosed{Finding: "f-0", Measure: "m"}),
		"the erasure by traga":               does(traga, &events.PersonalDataErased{Erasure: "e-0", Keys: 3}),
		"a request for erasure":              does(csw, &events.ErasureRequested{Erasure: "e-1", Approvers: []string{"a", "b"}, Grounds: "g"}),
		"a notice of a correction":           does(prison, correctionNotice),
		"a notice of a withdrawn consent":    does(prison, withdrawalNotice),
		"that such a notice arrived":         does(prison, &events.NotificationDelivered{Notification: "n-corr"}),
		"that such a notice did not arrive":  does(prison, &events.NotificationFailed{Notification: "n-corr", Reason: "moved"}),
		"the acknowledgement of a notice":    does(csw, &events.NotificationAcknowledged{Notification: "n-1"}),
		"the acknowledgement of an alert":    does(prison, &events.AlertAcknowledged{Obligation: "retention-review", Note: "n"}),
		"a withdrawal of consent":            does(prison, &events.ConsentWithdrawn{Consent: "c-1"}),
		"a recall":                           does(prison, &events.DisclosureRecalled{Disclosure: "d-1", Reason: "unlawful"}),
		"a confirmed destruction":            does(csw, &events.DisclosureDestructionConfirmed{Disclosure: "d-1"}),
		"a waiver":                           does(directorate, &events.ObligationWaived{Obligation: "retention-review", Reason: "r", Approver: "a"}),
		"what traga finds overdue":           does(traga, &events.ObligationOverdue{Obligation: "retention-review", Rule: "retention-review"}),
		"what traga escalates":               does(traga, &events.ObligationEscalated{Obligation: "retention-review", Level: 1, To: events.Directorate}),
		"what occurred before the closing":   did(5, ngo, &events.SupportProvided{Service: "s"}),
		"an earlier closing, reported later": did(5, directorate, &events.CaseClosed{Reason: "r"}),
	}
	refused := map[string]*events.Event{
		"support":                       does(ngo, &events.SupportProvided{Service: "s"}),
		"another closing":               closed(),
		"a disclosure":                  does(prison, tells("d-2", csw)),
		"another notice":                does(prison, notice("n-2", "released", csw)),
		"that another notice arrived":   does(prison, &events.NotificationDelivered{Notification: "n-1"}),
		"a consent":                     does(prison, &events.ConsentGiven{Consent: "c-2", Informed: true}),
		"a release date":                does(prison, &events.ExpectedReleaseDateSet{Date: events.DateOf(2026, 9, 1), Basis: "sentence-end"}),
		"what was done since, reported": did(0, ngo, &events.SupportProvided{Service: "s"}),
	}
	for name, e := range accepted {
		t.Run(name, func(t *testing.T) {
			if got := outcome(t, given(lived()...), e); got != "recorded" {
				t.Errorf("on a closed case: %s", got)
			}
		})
	}
	for name, e := range refused {
		t.Run(name, func(t *testing.T) {
			e.AfterTheFact = strings.HasSuffix(name, "reported")
			if got := outcome(t, given(lived()...), e); got != "conflict case" {
				t.Errorf("on a closed case: %s", got)
			}
			if got := outcome(t, given(lived(reopened())...), e); got != "recorded" {
				t.Errorf("after it was reopened: %s", got)
			}
		})
	}
}

func TestWhetherACaseIsOpenGoesByWhatOccurredLastAndStands(t *testing.T) {
	support := does(ngo, &events.SupportProvided{Service: "s"})
	holds(t, map[string]rule{
		"reopening what is open":                       {past(opened()), reopened(), "conflict case"},
		"a past reopening, before its closing is told": {past(opened()), did(5, csw, &events.CaseReopened{Reason: "r"}), "recorded"},
		"closed earlier, told after the reopening": {past(opened(), did(10, csw, &events.CaseReopened{Reason: "r"}), did(20, csw, &events.CaseClosed{Reason: "r"})),
			support, "recorded"},
		"of two at one instant the one recorded last": {past(opened(), did(5, csw, &events.CaseClosed{Reason: "r"}), did(5, csw, &events.CaseReopened{Reason: "r"})), support, "recorded"},
		"and the other way round":                     {past(opened(), did(5, csw, &events.CaseReopened{Reason: "r"}), did(5, csw, &events.CaseClosed{Reason: "r"})), support, "conflict case"},
		"an annulled closing closes nothing":          {past(opened(), closed(), does(csw, annulment(2))), support, "recorded"},
		"an annulled reopening opens nothing":         {past(opened(), closed(), reopened(), does(csw, annulment(3))), support, "conflict case"},
		"reopening twice":                             {past(opened(), closed(), reopened()), reopened(), "conflict case"},
		"closing again after a reopening":             {past(opened(), closed(), reopened()), closed(), "recorded"},
	})
}

func TestReferencesPointAtSomethingRecordedEarlierInTheCase(t *testing.T) {
	mapped := &events.NeedsMapDrafted{NeedsMap: "nm-1", Version: 1}
	final := func(version int) *events.NeedsMapFinalised {
		return &events.NeedsMapFinalised{NeedsMap: "nm-1", Version: version}
	}
	shared := func(id events.ID, version int) *events.NeedsMapShared {
		return &events.NeedsMapShared{Disclosure: "d-1", NeedsMap: id, Version: version, Recipient: party(csw)}
	}
	mappedToo := does(csw, &events.NeedsMapDrafted{NeedsMap: "nm-0", Version: 1})
	mapShared := func(c, o events.ID) *events.NeedsMapShared {
		return &events.NeedsMapShared{Disclosure: "d-1", NeedsMap: "nm-0", Version: 1, Recipient: party(prison), Consent: c, Override: o}
	}
	withConsent, withOverride, derived := tells("d-1", csw), tells("d-1", csw), tells("d-1", csw)
	withConsent.Consent, withOverride.Override, derived.DerivedFrom = "c-1", "o-1", "n-1"
	aboutEvent, aboutConsent, aboutAnything := notice("n-2", "correction", csw), notice("n-2", "consent-withdrawn", csw), notice("n-2", "transfer", csw)
	aboutEvent.About, aboutConsent.About, aboutAnything.About = events.ID(id(2).String()), "c-1", "n-1"
	assessed := does(prison, &events.AssessmentCompleted{Assessment: "as-1", Kind: "risk"})
	consented := does(prison, &events.ConsentGiven{Consent: "c-1", Informed: true})
	refusedConsent := does(prison, &events.ConsentRefused{Consent: "c-1"})
	overridden := does(directorate, &events.OverrideAuthorised{Override: "o-1", Approver: "x", RecipientRole: events.CSW})
	noticed := does(prison, notice("n-1", "planned-release", csw))
	breached := does(directorate, &events.DataBreachRecorded{Breach: "b-1", Risk: "none", Reason: "r"})
	reviewing := does(ombudsman, &events.ReviewOpened{Review: "rv-1", Scope: "s"})
	finds := func(of ...uuid.UUID) *events.FindingRecorded {
		return &events.FindingRecorded{Review: "rv-1", Finding: "f-1", Severity: "high", Events: of}
	}

	for name, r := range map[string]struct {
		needs *events.Event // nil: the opening alone is enough
		act   *events.Event
		field string
	}{
		"a contest of its assessment":          {assessed, does(prison, &events.AssessmentContested{Assessment: "as-1"}), "data.assessment"},
		"its decision of the assessment":       {assessed, does(court, &events.AssessmentContestDecided{Assessment: "as-1", Outcome: "upheld"}), "data.assessment"},
		"a review of its plan":                 {does(prison, &events.TreatmentPlanAdopted{Plan: "tp-1"}), does(prison, &events.TreatmentPlanReviewed{Plan: "tp-1"}), "data.plan"},
		"a finalised map of its draft":         {does(csw, mapped), does(prison, final(1)), "data.needsMap"},
		"a shared map of its version":          {does(csw, mapped), does(prison, shared("nm-1", 1)), "data.needsMap"},
		"a disclosure of its consent":          {consented, does(prison, withConsent), "data.consent"},
		"a disclosure of a refused consent":    {refusedConsent, does(prison, withConsent), "data.consent"},
		"a disclosure of its override":         {overridden, does(prison, withOverride), "data.override"},
		"a disclosure of what it derives from": {noticed, does(csw, derived), "data.derivedFrom"},
		"a referral of its consent":            {consented, does(prison, &events.ReferralMade{Referral: "rf-1", Recipient: party(ngo), Consent: "c-1"}), "data.consent"},
		"a withdrawal of its consent":          {consented, does(prison, &events.ConsentWithdrawn{Consent: "c-1"}), "data.consent"},
		"a delivery of its notice":             {noticed, does(prison, &events.NotificationDelivered{Notification: "n-1"}), "data.notification"},
		"a failure of its notice":              {noticed, does(prison, &events.NotificationFailed{Notification: "n-1"}), "data.notification"},
		"an acknowledgement of its notice":     {noticed, does(csw, &events.NotificationAcknowledged{Notification: "n-1"}), "data.notification"},
		"a notice of its correction":           {noticed, does(prison, aboutEvent), "data.about"},
		"a notice of its withdrawn consent":    {consented, does(prison, aboutConsent), "data.about"},
		"a notice of what it is about":         {noticed, does(prison, aboutAnything), "data.about"},
		"an answer of its request":             {does(csw, asks("r-1", prison)), does(prison, &events.InformationProvided{Request: "r-1", Recipient: party(csw)}), "data.request"},
		"a refusal of its request":             {does(csw, asks("r-1", prison)), does(prison, &events.InformationRefused{Request: "r-1"}), "data.request"},
		"an appeal of its request":             {does(csw, asks("r-1", prison)), does(csw, &events.RefusalAppealed{Request: "r-1", To: party(directorate)}), "data.request"},
		"a recall of its disclosure":           {does(prison, tells("d-1", csw)), does(prison, &events.DisclosureRecalled{Disclosure: "d-1", Reason: "unlawful"}), "data.disclosure"},
		"a recall of a notice":                 {noticed, does(prison, &events.DisclosureRecalled{Disclosure: "n-1", Reason: "wrong-recipient"}), "data.disclosure"},
		"a destruction of its disclosure":      {does(prison, tells("d-1", csw)), does(csw, &events.DisclosureDestructionConfirmed{Disclosure: "d-1"}), "data.disclosure"},
		"a referral's answer of the referral":  {does(prison, &events.ReferralMade{Referral: "rf-1", Recipient: party(ngo)}), does(ngo, &events.ReferralAccepted{Referral: "rf-1"}), "data.referral"},
		"a decision of its complaint":          {does(ombudsman, &events.ComplaintLodged{Complaint: "co-1", About: party(prison)}), does(directorate, &events.ComplaintDecided{Complaint: "co-1", Outcome: "upheld"}), "data.complaint"},
		"a finding of its review":              {reviewing, does(ombudsman, finds(id(1))), "data.review"},
		"a closed finding of the finding":      {does(ombudsman, finds()), does(ombudsman, &events.FindingClosed{Finding: "f-1"}), "data.finding"},
		"a breach of its disclosure":           {does(prison, tells("d-1", csw)), does(directorate, &events.DataBreachRecorded{Breach: "b-1", Disclosure: "d-1", Risk: "risk"}), "data.disclosure"},
		"a report of its breach":               {breached, does(directorate, &events.BreachReported{Breach: "b-1"}), "data.breach"},
		"telling the person of the breach":     {breached, does(prison, &events.SubjectInformedOfBreach{Breach: "b-1"}), "data.breach"},
		"a lifting of its hold":                {does(court, &events.LegalHoldPlaced{Hold: "h-1"}), does(court, &events.LegalHoldLifted{Hold: "h-1"}), "data.hold"},
		"an erasure of its request":            {does(csw, &events.ErasureRequested{Erasure: "e-1"}), does(traga, &events.PersonalDataErased{Erasure: "e-1"}), "data.erasure"},
		"an annulment of its target":           {noticed, does(prison, annulment(2)), "data.target"},
		"a correction of its target":           {noticed, does(prison, correction(2, notice("n-1", "released", csw))), "data.target"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outcome(t, given(opened(), r.needs), r.act); got != "recorded" {
				t.Errorf("when it is there: %s", got)
			}
			if got := outcome(t, given(opened()), r.act); got != "conflict "+r.field {
				t.Errorf("when it is missing: %s", got)
			}
		})
	}
	caused := does(ngo, &events.SupportProvided{Service: "s"})
	caused.CausationID = id(1)
	stray := does(ngo, &events.SupportProvided{Service: "s"})
	stray.CausationID = id(99)
	holds(t, map[string]rule{
		"finalising another version than the draft's":        {past(opened(), does(csw, mapped)), does(prison, final(2)), "conflict data.needsMap"},
		"sharing another version":                            {past(opened(), does(csw, mapped)), does(prison, shared("nm-1", 2)), "conflict data.needsMap"},
		"sharing a finalised version":                        {past(opened(), does(csw, mapped), does(prison, final(1))), does(prison, shared("nm-1", 1)), "recorded"},
		"a finding about an event of another case":           {past(opened(), reviewing), does(ombudsman, finds(id(1), id(99))), "conflict data.events"},
		"a notice of correction that names no event id":      {past(opened(), noticed), does(prison, func() *events.NotificationSent { n := notice("n-2", "correction", csw); n.About = "n-1"; return n }()), "conflict data.about"},
		"a notice about nothing in particular":               {past(opened()), does(prison, notice("n-1", "transfer", csw)), "recorded"},
		"what names its cause":                               {past(opened()), caused, "recorded"},
		"what names a cause that is not there":               {past(opened()), stray, "conflict causationId"},
		"sharing a map on its consent":                       {past(opened(), mappedToo, consented), does(csw, mapShared("c-1", "")), "recorded"},
		"sharing a map on no known consent":                  {past(opened(), mappedToo), does(csw, mapShared("c-1", "")), "conflict data.consent"},
		"sharing a map on its override":                      {past(opened(), mappedToo, overridden), does(csw, mapShared("", "o-1")), "recorded"},
		"sharing a map on no known override":                 {past(opened(), mappedToo), does(csw, mapShared("", "o-1")), "conflict data.override"},
		"what traga finds overdue, under no obligation's id": {past(opened()), does(traga, &events.ObligationOverdue{Obligation: "Overdue!"}), "conflict data.obligation"},
		"what traga escalates, under no obligation's id":     {past(opened()), does(traga, &events.ObligationEscalated{Obligation: "screening/"}), "conflict data.obligation"},
		"a notice about an event of the case": {past(opened()), does(prison, func() *events.NotificationSent {
			n := notice("n-2", "transfer", csw)
			n.About = events.ID(id(1).String())
			return n
		}()), "recorded"},
		"an alert of an obligation":                      {past(opened()), does(prison, &events.AlertAcknowledged{Obligation: "acknowledge/n-csw-1"}), "recorded"},
		"an alert of what can be no obligation":          {past(opened()), does(prison, &events.AlertAcknowledged{Obligation: "the letter"}), "conflict data.obligation"},
		"a waiver of what can be no obligation":          {past(opened()), does(court, &events.ObligationWaived{Obligation: "/"}), "conflict data.obligation"},
		"what is annulled was recorded all the same":     {past(opened(), noticed, does(prison, annulment(2))), does(csw, &events.NotificationAcknowledged{Notification: "n-1"}), "recorded"},
		"a release date changed before any was recorded": {past(opened()), does(court, &events.ExpectedReleaseDateChanged{From: 1, To: 2}), "recorded"},
	})
}

func TestIdsAreNotReusedWithinCaseAndKind(t *testing.T) {
	reported := func(version int) *events.ReleaseReportIssued {
		return &events.ReleaseReportIssued{Report: "rr-1", Version: version, Recipients: []events.Party{party(csw)}}
	}
	draft := func(version int) *events.Event {
		return does(csw, &events.NeedsMapDrafted{NeedsMap: "nm-1", Version: version})
	}
	final := does(prison, &events.NeedsMapFinalised{NeedsMap: "nm-1", Version: 1})
	provided := does(prison, &events.InformationProvided{Request: "r-1", Recipient: party(csw), Partial: true})
	appealed := does(csw, &events.RefusalAppealed{Request: "r-1", To: party(directorate)})
	request := does(csw, asks("r-1", prison))
	for _, e := range []*events.Event{
		does(prison, &events.AssessmentCompleted{Assessment: "x", Kind: "risk"}), does(prison, &events.TreatmentPlanAdopted{Plan: "x"}),
		does(csw, &events.PostPenalPlanAdopted{Plan: "x"}), does(prison, &events.CaseConferenceHeld{Conference: "x"}),
		does(prison, &events.ReferralMade{Referral: "x", Recipient: party(ngo)}), does(prison, notice("x", "released", csw)),
		does(csw, asks("x", prison)), does(prison, tells("x", csw)), does(clinic, &events.HealthSummaryTransferred{Disclosure: "x"}),
		does(csw, &events.NeedsMapShared{Disclosure: "x", NeedsMap: "nm-1", Version: 1}),
		does(directorate, &events.OverrideAuthorised{Override: "x"}), does(prison, &events.ConsentGiven{Consent: "x"}),
		does(prison, &events.ConsentRefused{Consent: "x"}), does(ombudsman, &events.ComplaintLodged{Complaint: "x"}),
		does(ombudsman, &events.MonitoringContactHeld{Contact: "x"}), does(ombudsman, &events.ReviewOpened{Review: "x"}),
		does(directorate, &events.DataBreachRecorded{Breach: "x", Risk: "none"}), does(court, &events.LegalHoldPlaced{Hold: "x"}),
		does(csw, &events.ErasureRequested{Erasure: "x", Approvers: []string{"a", "b"}}), does(prison, reported(1)), final,
	} {
		t.Run(e.Type, func(t *testing.T) {
			again := *e
			if got := outcome(t, given(opened(), draft(1), e), &again); !strings.HasPrefix(got, "conflict data.") {
				t.Errorf("a second time: %s", got)
			}
			if got := outcome(t, given(opened(), draft(1)), &again); got != "recorded" {
				t.Errorf("the first time: %s", got)
			}
		})
	}
	holds(t, map[string]rule{
		"the same id for things of two kinds":       {past(opened(), does(prison, notice("x", "released", csw))), does(prison, tells("x", csw)), "recorded"},
		"disclosures of two types are of one kind":  {past(opened(), does(prison, tells("x", csw))), does(clinic, &events.HealthSummaryTransferred{Disclosure: "x"}), "conflict data.disclosure"},
		"a refused consent's id for a given one":    {past(opened(), does(prison, &events.ConsentRefused{Consent: "x"})), does(prison, &events.ConsentGiven{Consent: "x"}), "conflict data.consent"},
		"an annulled entry's id":                    {past(opened(), does(prison, tells("x", csw)), does(prison, annulment(2))), does(prison, tells("x", csw)), "conflict data.disclosure"},
		"a new version of a report":                 {past(opened(), does(prison, reported(1))), does(prison, reported(2)), "recorded"},
		"the version that a correction made it":     {past(opened(), does(prison, reported(1)), does(prison, correction(2, reported(2)))), does(prison, reported(2)), "conflict data.report"},
		"a new version of a map":                    {past(opened(), draft(1)), draft(2), "recorded"},
		"the same version of a map":                 {past(opened(), draft(1)), draft(1), "conflict data.needsMap"},
		"a request answered in parts":               {past(opened(), request, provided), provided, "recorded"},
		"a refusal appealed to the next body":       {past(opened(), request, appealed), does(csw, &events.RefusalAppealed{Request: "r-1", To: party(court)}), "recorded"},
		"a notice acknowledged twice is no new one": {past(opened(), does(prison, notice("n-1", "released", csw)), does(csw, &events.NotificationAcknowledged{Notification: "n-1"})), does(csw, &events.NotificationAcknowledged{Notification: "n-1"}), "recorded"},
	})
}
