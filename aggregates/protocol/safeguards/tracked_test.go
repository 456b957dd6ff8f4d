package safeguards

import (
	"slices"
	"testing"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// The safeguards that rest on obligations, told from the case's own entries through the protocol's tracker.

// tracked gives the story the duties that the tracker computes from what was recorded by the instant.
func (c told) tracked() told {
	tracker := protocol.NewTracker(protocol.NewBook())
	given := slices.Clone(c.given)
	slices.SortStableFunc(given, func(a, b *events.Event) int { return a.RecordedAt.Compare(b.RecordedAt) })
	for i, e := range given {
		e.Revision = uint64(i)
		if !e.RecordedAt.After(instant(c.at)) {
			tracker.Evolve(e)
		}
	}
	c.duties = tracker.Obligations()
	return c
}

// aCase was opened in January 2026 for a sentence of a year; the release date is 10 December.
func aCase(more ...*events.Event) []*events.Event {
	return append([]*events.Event{
		on("2026-01-12 09:00", prison, &events.CaseOpened{Subject: "s", Reason: "convicted", Institution: "mk-prison-idrizovo", AdmittedOn: date("2026-01-12")}),
		on("2026-01-12 09:01", prison, &events.SentenceRecorded{Court: "c", StartDate: date("2025-12-11"), EndDate: date("2026-12-10")}),
		on("2026-01-13", prison, &events.ExpectedReleaseDateSet{Date: date("2026-12-10"), Basis: "sentence-end"}, as("date")),
	}, more...)
}

func notice(when, label string, subject string, to events.Party, about events.ID, changes ...func(*events.Event)) *events.Event {
	return on(when, prison, &events.NotificationSent{Notification: events.ID(label), Subject: subject, Recipient: to,
		Categories: []events.Category{events.Identity}, Channel: "letter", About: about}, append(changes, as(label))...)
}

func TestSafeguardsOnTheTrackersObligations(t *testing.T) {
	told180 := []*events.Event{ // due 12 June (13 June is a Saturday)
		notice("2026-06-10 09:00", "n-des", "planned-release", party("mk-des", events.Directorate), ""),
		notice("2026-06-10 09:01", "n-coord", "planned-release", party("mk-coordinator", events.Coordinator), ""),
	}
	told90 := []*events.Event{ // due 11 September
		notice("2026-09-10 09:00", "n-csw", "planned-release", csw, ""),
		notice("2026-09-10 09:01", "n-prob", "planned-release", party("mk-probation-skopje", events.Probation), ""),
		notice("2026-09-10 09:02", "n-jobs", "planned-release", jobs, ""),
		notice("2026-09-10 09:03", "n-edu", "planned-release", party("mk-education-skopje", events.Education), ""),
	}
	told30 := notice("2026-11-09", "n-police", "planned-release", police, "") // due 10 November
	all := slices.Concat(told180, told90, []*events.Event{told30})
	postponed := on("2026-09-15", des, &events.ExpectedReleaseDateChanged{From: date("2026-12-10"), To: date("2027-03-10"), Reason: "x"}, as("postponed"))
	opened := func(when string) *events.Event {
		return on(when, prison, &events.PreReleasePlanningOpened{Manager: "a.petrova"}, as("opened"))
	}
	mapReady := on("2026-10-01", prison, &events.NeedsMapFinalised{NeedsMap: "nm", Version: 1})
	mapShared := func(when string) *events.Event {
		return on(when, prison, &events.NeedsMapShared{Disclosure: "d-nm", NeedsMap: "nm", Version: 1, Recipient: csw, Categories: []events.Category{events.Housing}}, as("map"))
	}
	out := on("2026-12-10 09:00", prison, released(), as("release"))
	shut := on("2026-12-14", social, &events.CaseClosed{Reason: "x"}, as("closing"))
	breach := on("2026-05-18 10:30", des, &events.DataBreachRecorded{Breach: "b-1", Risk: "high", Reason: "x"}, as("breach"))
	reported := func(when string) *events.Event {
		return on(when, des, &events.BreachReported{Breach: "b-1", Authority: "mk-dpa"}, as("report"))
	}
	lodged := on("2026-02-09", monitor, &events.ComplaintLodged{Complaint: "c-1", About: atPrison, Grounds: "x"}, as("complaint"))
	decided := func(when string, by events.Actor) *events.Event {
		return on(when, by, &events.ComplaintDecided{Complaint: "c-1", Outcome: "upheld"}, as("decision"))
	}
	wrong := notice("2026-02-02", "wrong", "risk-changed", csw, "")
	annulled := annul("2026-02-04", "wrong") // to be told by 11 February
	heard := func(when string) *events.Event {
		return notice(when, "told", "correction", csw, events.ID(labelled("wrong").String()))
	}
	waive := func(when, id string) *events.Event {
		return on(when, des, &events.ObligationWaived{Obligation: id, Reason: "x", Approver: "v.trajkovska"}, as("waiver"))
	}
	reviewed := func(when, outcome string) *events.Event {
		return on(when, social, &events.RetentionReviewed{Outcome: outcome, Reason: "x"}, as("review"))
	}

	thusTracked(t, "HR13", map[string]told{
		"six months before, for a short sentence: open": {given: aCase(), at: "2026-06-10 23:59", then: Open, shownBy: []string{"date"}},
		"overdue the day after":                         {given: aCase(), at: "2026-06-11 00:00", then: Fail, shownBy: []string{"date"}},
		"opened on the day":                             {given: aCase(opened("2026-06-10")), at: "2026-07-01", then: Pass, shownBy: []string{"opened"}},
		"opened on the day, recorded later":             {given: aCase(on("2026-06-10", prison, &events.PreReleasePlanningOpened{}, recorded("2026-06-15"), as("opened"))), at: "2026-07-01", then: Pass},
		"opened late":                                   {given: aCase(opened("2026-06-11")), at: "2026-07-01", then: Fail, shownBy: []string{"opened"}},
		"waived before it was overdue":                  {given: aCase(waive("2026-06-01", "open-pre-release")), at: "2026-07-01", then: NotApplicable},
		"waived later":                                  {given: aCase(waive("2026-06-20", "open-pre-release")), at: "2026-07-01", then: Fail, shownBy: []string{"waiver"}},
		"the date was entered in error":                 {given: aCase(annul("2026-02-01", "date")), at: "2026-07-01", then: NotApplicable},
	})
	thusTracked(t, "HR14", map[string]told{
		"some are still to be told":          {given: aCase(told180...), at: "2026-09-11 23:59", then: Open},
		"those of 90 days were not told":     {given: aCase(told180...), at: "2026-09-12 00:00", then: Fail},
		"a later postponement is no amnesty": {given: aCase(append(told180, postponed)...), at: "2026-09-16", then: Fail},
		"nor is telling them within the new time": {given: aCase(slices.Concat(told180, []*events.Event{postponed}, []*events.Event{
			notice("2026-09-20", "n-csw", "planned-release", csw, ""), notice("2026-09-20 10:01", "n-prob", "planned-release", party("mk-probation-skopje", events.Probation), ""),
			notice("2026-09-20 10:02", "n-jobs", "planned-release", jobs, ""), notice("2026-09-20 10:03", "n-edu", "planned-release", party("mk-education-skopje", events.Education), ""), told30})...),
			at: "2026-12-01", then: Fail},
		"all told in time": {given: aCase(all...), at: "2026-12-01", then: Pass},
		"a notice annulled afterwards does not count": {given: aCase(append(slices.Clone(all), annul("2026-11-20", "n-police"))...), at: "2026-12-01", then: Fail},
	})
	thusTracked(t, "HR15", map[string]told{
		"five working days to acknowledge":     {given: aCase(told180[0]), at: "2026-06-17", then: Open, shownBy: []string{"n-des"}},
		"overdue, not escalated":               {given: aCase(told180[0]), at: "2026-06-22 23:59", then: Open},
		"the silence was escalated to level 1": {given: aCase(told180[0]), at: "2026-06-23 00:00", then: Pass},
		"acknowledged late": {given: aCase(told180[0], on("2026-06-19", des, &events.NotificationAcknowledged{Notification: "n-des"}, as("ack"))),
			at: "2026-06-20", then: Pass, shownBy: []string{"ack"}},
		"missed before level 1": {given: aCase(notice("2026-12-11", "late", "released", csw, ""), out, on("2026-12-22", social, &events.CaseClosed{Reason: "x"})), at: "2026-12-30", then: Fail, shownBy: []string{"late"}},
	})
	thusTracked(t, "HR16", map[string]told{
		"not shared yet":               {given: aCase(mapReady), at: "2026-10-10", then: Open, shownBy: []string{"date"}},
		"overdue: still open":          {given: aCase(mapReady), at: "2026-11-20", then: Open},
		"shared late, before release":  {given: aCase(mapReady, mapShared("2026-12-09"), out), at: "2026-12-11", then: Pass, shownBy: []string{"map"}},
		"shared after the release":     {given: aCase(mapReady, out, mapShared("2026-12-11")), at: "2026-12-12", then: Fail, shownBy: []string{"release"}},
		"released without":             {given: aCase(mapReady, out), at: "2026-12-10 10:00", then: Fail, shownBy: []string{"release"}},
		"closed without release":       {given: aCase(shut), at: "2026-12-15", then: NotApplicable},
		"closed after release without": {given: aCase(out, shut), at: "2026-12-15", then: Fail},
	})
	thusTracked(t, "HR20", map[string]told{
		"nothing corrected": {given: aCase(wrong), at: "2026-02-10", then: NotApplicable},
		"to be told":        {given: aCase(wrong, annulled), at: "2026-02-11 23:59", then: Open},
		"told in time":      {given: aCase(wrong, annulled, heard("2026-02-11")), at: "2026-02-12", then: Pass, shownBy: []string{"told"}},
		"not told in time":  {given: aCase(wrong, annulled), at: "2026-02-12 00:00", then: Fail},
		"told too late":     {given: aCase(wrong, annulled, heard("2026-02-12")), at: "2026-02-13", then: Fail, shownBy: []string{"told"}},
		"told before it was corrected is not told": {given: aCase(wrong, annulled, heard("2026-02-03")), at: "2026-02-13", then: Fail},
	})
	thusTracked(t, "HR21", map[string]told{
		"within 72 hours it is open":            {given: aCase(breach), at: "2026-05-21 10:29", then: Open, shownBy: []string{"breach"}},
		"reported within them":                  {given: aCase(breach, reported("2026-05-21 10:30")), at: "2026-05-22", then: Pass, shownBy: []string{"report"}},
		"reported a minute later":               {given: aCase(breach, reported("2026-05-21 10:31")), at: "2026-05-22", then: Fail, shownBy: []string{"report"}},
		"waived within the hour it was overdue": {given: aCase(breach, waive("2026-05-21 11:00", "report-breach/b-1")), at: "2026-05-22", then: Fail, shownBy: []string{"waiver"}},
		"waived before":                         {given: aCase(breach, waive("2026-05-20", "report-breach/b-1")), at: "2026-05-22", then: NotApplicable},
	})
	thusTracked(t, "HR23", map[string]told{
		"fifteen working days":   {given: aCase(lodged), at: "2026-03-02 23:59", then: Open, shownBy: []string{"complaint"}},
		"overdue":                {given: aCase(lodged), at: "2026-03-03 00:00", then: Fail, shownBy: []string{"complaint"}},
		"decided in time":        {given: aCase(lodged, decided("2026-03-02", des)), at: "2026-03-03", then: Pass, shownBy: []string{"decision"}},
		"decided by itself":      {given: aCase(lodged, decided("2026-03-02", prison)), at: "2026-03-03", then: Fail, shownBy: []string{"decision"}},
		"decided late":           {given: aCase(lodged, decided("2026-03-03", des)), at: "2026-03-04", then: Fail, shownBy: []string{"decision"}},
		"the complaint annulled": {given: aCase(lodged, annul("2026-02-10", "complaint")), at: "2026-03-04", then: NotApplicable},
	})
	thusTracked(t, "HR28", map[string]told{
		"five years":          {given: aCase(out, shut), at: "2031-12-01", then: Open, shownBy: []string{"closing"}},
		"never reviewed":      {given: aCase(out, shut), at: "2031-12-20", then: Fail, shownBy: []string{"closing"}},
		"kept":                {given: aCase(out, shut, reviewed("2031-12-10", "keep")), at: "2031-12-20", then: Pass, shownBy: []string{"review"}},
		"reviewed late, kept": {given: aCase(out, shut, reviewed("2032-01-20", "keep")), at: "2032-01-21", then: Pass},
		"to be erased":        {given: aCase(out, shut, reviewed("2031-12-10", "erase")), at: "2032-01-09 23:59", then: Open, shownBy: []string{"review"}},
		"not erased":          {given: aCase(out, shut, reviewed("2031-12-10", "erase")), at: "2032-01-10 00:00", then: Fail, shownBy: []string{"review"}},
		"reopened before":     {given: aCase(out, shut, on("2030-01-07", social, &events.CaseReopened{Reason: "x"})), at: "2031-12-20", then: NotApplicable},
	})
}
