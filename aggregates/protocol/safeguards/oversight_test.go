package safeguards

import (
	"testing"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

func TestHR02EveryConsultationJustified(t *testing.T) {
	look := func(why string, changes ...func(*events.Event)) *events.Event {
		return on("2026-03-02", social, &events.CaseConsulted{View: "timeline", Justification: why}, append(changes, as("look"))...)
	}
	export := on("2026-03-03", social, &events.ExportProduced{Format: "bundle", Recipient: "court"}, as("export"))
	given := []*events.Event{on("2026-03-01", prison, &events.SubjectInformed{})}
	thus(t, "HR02", map[string]told{
		"nobody looked":                    {given: given, then: NotApplicable},
		"justified":                        {given: given, access: []*events.Event{look("home visit")}, then: Pass, shownBy: []string{"look"}},
		"no justification":                 {given: given, access: []*events.Event{look(" ")}, then: Fail, shownBy: []string{"look"}},
		"an export without one":            {given: given, access: []*events.Event{look("home visit"), export}, then: Fail, shownBy: []string{"export"}},
		"denied looks are no consultation": {given: given, access: []*events.Event{on("2026-03-02", social, &events.AccessDenied{View: "timeline"})}, then: NotApplicable},
		"of another case":                  {given: given, access: []*events.Event{look("", func(e *events.Event) { e.Case = "MK-2026-0002" })}, then: NotApplicable},
		"after the instant":                {given: given, access: []*events.Event{look("")}, at: "2026-03-01 12:00", then: NotApplicable},
	})
}

func TestHR22RefusalsReasoned(t *testing.T) {
	refused := func(ground, remedy string) []*events.Event {
		return []*events.Event{on("2026-03-02", prison, &events.InformationRefused{Request: "r-1", Ground: ground, Remedy: remedy}, as("refusal"))}
	}
	thus(t, "HR22", map[string]told{
		"nothing refused":   {then: NotApplicable},
		"ground and remedy": {given: refused("not needed", "appeal"), then: Pass, shownBy: []string{"refusal"}},
		"no ground":         {given: refused(" ", "appeal"), then: Fail, shownBy: []string{"refusal"}},
		"no remedy":         {given: refused("not needed", ""), then: Fail},
	})
}

func TestHR24MonitoringContactConfidential(t *testing.T) {
	contact := on("2026-03-02", monitor, &events.MonitoringContactHeld{Contact: "mc-1"}, as("contact"))
	look := func(by events.Actor, view string) []*events.Event {
		return []*events.Event{on("2026-03-05", by, &events.CaseConsulted{View: view, Justification: "x"}, as("look"))}
	}
	id := labelled("contact").String()
	thus(t, "HR24", map[string]told{
		"no contact":          {given: []*events.Event{on("2026-03-01", prison, &events.SubjectInformed{})}, access: look(prison, "monitoring"), then: NotApplicable},
		"nobody was shown it": {given: []*events.Event{contact}, then: Pass, shownBy: []string{"contact"}},
		"a prison officer saw the timeline without it": {given: []*events.Event{contact}, access: look(prison, "timeline"), then: Pass},
		"a prison officer saw the entry":               {given: []*events.Event{contact}, access: look(prison, "events/"+id), then: Fail, shownBy: []string{"look"}},
		"a prison nurse saw the contact":               {given: []*events.Event{contact}, access: look(nurse, "contacts/mc-1"), then: Fail},
		"social work saw the entry":                    {given: []*events.Event{contact}, access: look(social, "events/"+id), then: Pass},
		"a prison got a notice about it":               {given: []*events.Event{contact, on("2026-03-05", monitor, &events.NotificationSent{Notification: "n", Subject: "transfer", Recipient: atPrison, About: "mc-1"}, as("notice"))}, then: Fail, shownBy: []string{"notice"}},
		"a prison got what derives from it":            {given: []*events.Event{contact, on("2026-03-05", monitor, disclosed(atPrison, func(d *events.InformationDisclosed) { d.DerivedFrom = "mc-1" }, events.Identity), as("share"))}, then: Fail, shownBy: []string{"share"}},
		"a prison got something else":                  {given: []*events.Event{contact, on("2026-03-05", monitor, disclosed(atPrison, func(d *events.InformationDisclosed) { d.DerivedFrom = "d-0" }, events.Identity))}, then: Pass},
		"a prison got a notice about the entry":        {given: []*events.Event{contact, on("2026-03-05", monitor, &events.NotificationSent{Notification: "n", Subject: "transfer", Recipient: atPrison, About: events.ID(id)}, as("notice"))}, then: Fail, shownBy: []string{"notice"}},
		"a contact entered in error":                   {given: []*events.Event{contact, annul("2026-03-09", "contact")}, access: look(prison, "events/"+id), then: NotApplicable},
	})
}

func TestHR27LateEntriesExplained(t *testing.T) {
	entry := func(occurred, recordedOn string, changes ...func(*events.Event)) []*events.Event {
		return []*events.Event{on(occurred, prison, &events.IdentityDocumentsSecured{}, append(changes, recorded(recordedOn), as("entry"))...)}
	}
	why := because("sick leave")
	thus(t, "HR27", map[string]told{
		"nothing late":                     {given: entry("2026-03-02", "2026-03-02"), then: NotApplicable},
		"three working days are not late":  {given: entry("2026-03-02 00:01", "2026-03-05 23:59"), then: NotApplicable},
		"four working days are":            {given: entry("2026-03-02 23:59", "2026-03-06 00:01"), then: Fail, shownBy: []string{"entry"}},
		"late, with a reason":              {given: entry("2026-03-02", "2026-03-06", why), then: Pass, shownBy: []string{"entry"}},
		"a weekend does not count":         {given: entry("2026-03-05", "2026-03-10"), then: NotApplicable},
		"nor does what ends in a weekend":  {given: entry("2026-03-03", "2026-03-08"), then: NotApplicable},
		"nor a public holiday (1 May)":     {given: entry("2026-04-29", "2026-05-05"), then: NotApplicable},
		"a blank reason is none":           {given: entry("2026-03-02", "2026-03-09", because(" ")), then: Fail},
		"an annulled entry is not judged":  {given: append(entry("2026-03-02", "2026-03-09"), annul("2026-03-10", "entry")), then: NotApplicable},
		"nights of summer time: four days": {given: entry("2026-03-27 23:30", "2026-04-02 00:10"), then: Fail},
	})
}

func TestHR28KeptNoLongerThanNeeded(t *testing.T) {
	const id = "retention-review"
	one := func(state protocol.State) []protocol.Obligation { return duties(duty(id, "2031-03-03", state)) }
	review := func(when, outcome string) *events.Event {
		return on(when, des, &events.RetentionReviewed{Outcome: outcome, Reason: "x"}, as("done "+id))
	}
	erased := func(when string) *events.Event {
		return on(when, itself, &events.PersonalDataErased{Erasure: "e"}, as("erased"))
	}
	hold := func(when string) *events.Event {
		return on(when, monitor, &events.LegalHoldPlaced{Hold: "h"}, as("hold"))
	}
	lift := func(when string) *events.Event {
		return on(when, monitor, &events.LegalHoldLifted{Hold: "h"}, as("lift"))
	}
	thus(t, "HR28", map[string]told{
		"not closed":                                      {then: NotApplicable},
		"closed, the review is far off":                   {duties: one(pending), at: "2027-01-01", then: Open},
		"the review is overdue":                           {duties: one(pending), at: "2031-03-04", then: Fail, shownBy: []string{"begin " + id}},
		"missed":                                          {duties: one(isMissed), then: Fail},
		"cancelled by reopening":                          {duties: one(cancelled), then: NotApplicable},
		"waived before it was overdue":                    {duties: one(isWaived), given: []*events.Event{waiver("2031-03-01", id)}, then: NotApplicable},
		"waived later":                                    {duties: one(isWaived), given: []*events.Event{waiver("2031-03-05", id)}, then: Fail},
		"reviewed: keep":                                  {duties: one(isMet), given: []*events.Event{review("2031-03-01", "keep")}, then: Pass},
		"reviewed late: keep":                             {duties: one(isLate), given: []*events.Event{review("2031-03-21", "keep")}, then: Pass},
		"erase: within 30 days it is open":                {duties: one(isMet), given: []*events.Event{review("2031-03-01", "erase")}, at: "2031-03-31 23:59", then: Open, shownBy: []string{"done " + id}},
		"erase: not erased after 30 days":                 {duties: one(isMet), given: []*events.Event{review("2031-03-01", "erase")}, at: "2031-04-01 00:00", then: Fail, shownBy: []string{"done " + id}},
		"erased on the 30th day":                          {duties: one(isMet), given: []*events.Event{review("2031-03-01", "erase"), erased("2031-03-31 23:00")}, then: Pass},
		"erased after 30 days":                            {duties: one(isMet), given: []*events.Event{review("2031-03-01", "erase"), erased("2031-04-01 01:00")}, then: Fail, shownBy: []string{"erased"}},
		"a legal hold stands":                             {duties: one(isMet), given: []*events.Event{hold("2030-01-01"), review("2031-03-01", "erase")}, at: "2031-12-01", then: Pass},
		"the 30 days run from the lifting":                {duties: one(isMet), given: []*events.Event{hold("2030-01-01"), review("2031-03-01", "erase"), lift("2031-06-01")}, at: "2031-07-01 23:59", then: Open},
		"and end 30 days after it":                        {duties: one(isMet), given: []*events.Event{hold("2030-01-01"), review("2031-03-01", "erase"), lift("2031-06-01")}, at: "2031-07-02 00:00", then: Fail},
		"erased in time after the lifting":                {duties: one(isMet), given: []*events.Event{hold("2030-01-01"), review("2031-03-01", "erase"), lift("2031-06-01"), erased("2031-06-20")}, then: Pass},
		"a hold lifted before the review":                 {duties: one(isMet), given: []*events.Event{hold("2030-01-01"), lift("2031-02-01"), review("2031-03-01", "erase")}, at: "2031-04-01", then: Fail},
		"a hold lifted after a late erasure is no excuse": {duties: one(isMet), given: []*events.Event{review("2031-03-01", "erase"), erased("2031-04-15"), hold("2031-04-16"), lift("2031-04-17")}, then: Fail},
		"the latest review counts: keep":                  {duties: one(isMet), given: []*events.Event{on("2031-01-01", des, &events.RetentionReviewed{Outcome: "erase"}), review("2031-03-01", "keep")}, at: "2031-12-01", then: Pass},
		"an erasure before the review is none":            {duties: one(isMet), given: []*events.Event{erased("2030-01-01"), review("2031-03-01", "erase")}, at: "2031-05-01", then: Fail},
		"the hold was annulled":                           {duties: one(isMet), given: []*events.Event{hold("2030-01-01"), review("2031-03-01", "erase"), annul("2031-03-02", "hold")}, at: "2031-12-01", then: Fail},
	})
}

// Which days are worked is the matter of the case's own subdivision, and follows a correction of where it is.
func TestHR27CountsTheWorkingDaysOfTheSubdivision(t *testing.T) {
	in := func(e *events.Event) *events.Event {
		e.Case, e.Jurisdiction = "BA-2025-0001", "BA"
		return e
	}
	opened := func(institution events.Institution) *events.CaseOpened {
		return &events.CaseOpened{Subject: "s", Name: "n", DateOfBirth: date("1990-01-01"), Sex: "male", Reason: "convicted", Institution: institution, AdmittedOn: date("2025-11-03")}
	}
	late := in(on("2025-11-18", prison, &events.IdentityDocumentsSecured{}, recorded("2025-11-24"))) // 21 November is a holiday in ba-srp
	thus(t, "HR27", map[string]told{
		"four working days in the Federation": {given: []*events.Event{in(on("2025-11-03", prison, opened("ba-bih-prison-zenica"))), late}, then: Fail},
		"three in Republika Srpska":           {given: []*events.Event{in(on("2025-11-03", prison, opened("ba-srp-prison-foca"))), late}, then: NotApplicable},
		"as corrected": {given: []*events.Event{in(on("2025-11-03", prison, opened("ba-bih-prison-zenica"), as("opened"))), late,
			in(correct("2025-11-25", "opened", opened("ba-srp-prison-foca")))}, then: NotApplicable},
	})
}
