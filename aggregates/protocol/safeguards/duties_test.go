package safeguards

import (
	"testing"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

var (
	pending, isMet, isLate        = protocol.Pending, protocol.Met, protocol.MetLate
	isWaived, cancelled, isMissed = protocol.Waived, protocol.Cancelled, protocol.Missed
)

func duties(o ...protocol.Obligation) []protocol.Obligation { return o }

// HR13, HR14, HR20 and HR21 ask the same of different duties.
func TestHR13HR14HR20HR21DutiesMetInTime(t *testing.T) {
	for safeguard, id := range map[string]string{"HR13": "open-pre-release", "HR14": "notify-csw", "HR20": "propagate-correction/e/mk-csw-skopje", "HR21": "report-breach/b-1"} {
		t.Run(safeguard, func(t *testing.T) {
			one := func(state protocol.State, changes ...func(*protocol.Obligation)) []protocol.Obligation {
				return duties(duty(id, "2026-03-02", state, changes...))
			}
			thus(t, safeguard, map[string]told{
				"no such duty":                       {duties: duties(duty("first-contact", "2026-03-02", isMissed)), then: NotApplicable},
				"not due yet":                        {duties: one(pending), at: "2026-02-01", then: Open},
				"due soon":                           {duties: one(pending), at: "2026-03-02 23:59", then: Open},
				"overdue":                            {duties: one(pending), at: "2026-03-03 00:00", then: Fail, shownBy: []string{"begin " + id}},
				"met":                                {duties: one(isMet), then: Pass, shownBy: []string{"done " + id}},
				"met late":                           {duties: one(isLate), then: Fail, shownBy: []string{"done " + id}},
				"missed":                             {duties: one(isMissed), then: Fail},
				"cancelled: not judged":              {duties: one(cancelled), then: NotApplicable},
				"waived before it was overdue":       {duties: one(isWaived), given: []*events.Event{waiver("2026-03-02 23:59", id)}, then: NotApplicable},
				"waived later":                       {duties: one(isWaived), given: []*events.Event{waiver("2026-03-03 00:00", id)}, then: Fail, shownBy: []string{"waiver " + id}},
				"a waiver counts from its recording": {duties: one(isWaived), given: []*events.Event{on("2026-03-01", des, &events.ObligationWaived{Obligation: id, Approver: "x"}, as("waiver "+id), recorded("2026-03-04"))}, then: Fail},
			})
		})
	}
}

func TestHR13IsAboutOpeningThePreparationOnly(t *testing.T) {
	thus(t, "HR13", map[string]told{
		"other duties late": {duties: duties(duty("open-pre-release", "2026-03-02", isMet), duty("notify-csw", "2026-03-02", isLate)), then: Pass},
	})
}

func TestHR14InstitutionsToldInTime(t *testing.T) {
	breached := func(o *protocol.Obligation) {
		o.Breaches = []protocol.Breach{{Due: date("2026-01-05"), From: date("2026-01-06"), Until: date("2026-01-09")}}
	}
	thus(t, "HR14", map[string]told{
		"one pending, one met":               {duties: duties(duty("notify-csw", "2026-03-02", isMet), duty("notify-police", "2026-06-02", pending)), at: "2026-03-05", then: Open, shownBy: []string{"begin notify-police"}},
		"one late outweighs":                 {duties: duties(duty("notify-csw", "2026-03-02", isLate), duty("notify-police", "2026-06-02", pending)), at: "2026-03-05", then: Fail, shownBy: []string{"done notify-csw"}},
		"a later postponement is no amnesty": {duties: duties(duty("notify-csw", "2026-03-02", isMet, breached)), then: Fail},
		"nor while it runs again":            {duties: duties(duty("notify-csw", "2026-03-02", pending, breached)), at: "2026-02-01", then: Fail, shownBy: []string{"begin notify-csw"}},
		"nor is a waiver after it":           {duties: duties(duty("notify-csw", "2026-03-02", isWaived, breached)), given: []*events.Event{waiver("2026-02-01", "notify-csw")}, then: Fail},
		"a cancelled duty is not judged":     {duties: duties(duty("notify-csw", "2026-03-02", cancelled, breached)), then: NotApplicable},
		"renotify is not notify":             {duties: duties(duty("renotify/mk-csw-skopje", "2026-03-02", isLate)), then: NotApplicable},
	})
	breach := told{duties: duties(duty("open-pre-release", "2026-03-02", isMet, breached)), then: Pass}
	thus(t, "HR13", map[string]told{"a listed breach is for HR14 alone": breach})
}

func TestHR15NoticesAcknowledged(t *testing.T) {
	const id = "acknowledge/n-1"
	one := func(state protocol.State, changes ...func(*protocol.Obligation)) []protocol.Obligation {
		return duties(duty(id, "2026-03-02", state, changes...))
	}
	escalated := func(o *protocol.Obligation) { o.Reached = 1 }
	thus(t, "HR15", map[string]told{
		"no notice":                    {then: NotApplicable},
		"not due yet":                  {duties: one(pending), at: "2026-03-01", then: Open},
		"overdue, before level 1":      {duties: one(pending), at: "2026-03-05 23:59", then: Open, shownBy: []string{"begin " + id}},
		"overdue, from level 1":        {duties: one(pending), at: "2026-03-06 00:00", then: Pass},
		"acknowledged":                 {duties: one(isMet), then: Pass, shownBy: []string{"done " + id}},
		"acknowledged late":            {duties: one(isLate), then: Pass},
		"missed":                       {duties: one(isMissed), then: Fail, shownBy: []string{"begin " + id}},
		"missed, level 1 was reached":  {duties: one(isMissed, escalated), then: Pass},
		"cancelled":                    {duties: one(cancelled), then: NotApplicable},
		"waived before it was overdue": {duties: one(isWaived), given: []*events.Event{waiver("2026-03-01", id)}, then: NotApplicable},
		"waived later":                 {duties: one(isWaived, escalated), given: []*events.Event{waiver("2026-03-10", id)}, then: Fail},
	})
}

func TestHR16NeedsMapReachesSocialWork(t *testing.T) {
	const id = "share-needs-map"
	one := func(state protocol.State, changes ...func(*protocol.Obligation)) []protocol.Obligation {
		return duties(duty(id, "2026-03-02", state, changes...))
	}
	shared := func(when string) *events.Event {
		return on(when, prison, &events.NeedsMapShared{Disclosure: "d", NeedsMap: "nm", Version: 1, Recipient: csw, Categories: []events.Category{events.Housing}}, as("done "+id))
	}
	out := on("2026-04-16 09:00", prison, released(), as("release"))
	shut := on("2026-05-01", social, &events.CaseClosed{Reason: "x"}, as("closing"))
	again := on("2026-05-20", social, &events.CaseReopened{Reason: "x"})
	thus(t, "HR16", map[string]told{
		"no release date known":                         {then: NotApplicable},
		"neither map nor release yet":                   {duties: one(pending), at: "2026-02-01", then: Open},
		"overdue is still open before the release":      {duties: one(pending), at: "2026-03-20", then: Open, shownBy: []string{"begin " + id}},
		"shared in time":                                {duties: one(isMet), given: []*events.Event{shared("2026-02-27")}, then: Pass, shownBy: []string{"done " + id}},
		"shared in time and released":                   {duties: one(isMet), given: []*events.Event{shared("2026-02-27"), out}, then: Pass},
		"shared after its due date, before the release": {duties: one(isLate), given: []*events.Event{shared("2026-04-16 08:59"), out}, then: Pass},
		"shared after the release":                      {duties: one(isLate), given: []*events.Event{out, shared("2026-04-17")}, then: Fail, shownBy: []string{"release"}},
		"released, never shared":                        {duties: one(pending), given: []*events.Event{out}, then: Fail, shownBy: []string{"release"}},
		"the release was entered in error":              {duties: one(pending), given: []*events.Event{out, annul("2026-04-17", "release")}, then: Open},
		"closed without release or map":                 {duties: one(isMissed), given: []*events.Event{shut}, then: NotApplicable},
		"closed and reopened":                           {duties: one(pending), given: []*events.Event{shut, again}, then: Open},
		"closed after a release without a map":          {duties: one(isMissed), given: []*events.Event{out, shut}, then: Fail},
		"closed with a map, without release":            {duties: one(isMet), given: []*events.Event{shared("2026-02-27"), shut}, then: Pass},
		"cancelled":                                     {duties: one(cancelled), then: NotApplicable},
		"waived before it was overdue":                  {duties: one(isWaived), given: []*events.Event{waiver("2026-02-01", id), out}, then: NotApplicable},
		"waived later":                                  {duties: one(isWaived), given: []*events.Event{waiver("2026-03-10", id), out}, then: Fail, shownBy: []string{"waiver " + id}},
	})
}

func TestHR23ComplaintsDecidedByAnother(t *testing.T) {
	const id = "decide-complaint/c-1"
	lodged := on("2026-02-09", monitor, &events.ComplaintLodged{Complaint: "c-1", About: atPrison, Grounds: "x"}, as("begin "+id))
	decided := func(by events.Actor, label string) *events.Event {
		return on("2026-02-20", by, &events.ComplaintDecided{Complaint: "c-1", Outcome: "upheld"}, as(label))
	}
	one := func(state protocol.State) []protocol.Obligation { return duties(duty(id, "2026-03-02", state)) }
	thus(t, "HR23", map[string]told{
		"no complaint":               {then: NotApplicable},
		"not decided yet":            {given: []*events.Event{lodged}, duties: one(pending), at: "2026-02-10", then: Open, shownBy: []string{"begin " + id}},
		"overdue":                    {given: []*events.Event{lodged}, duties: one(pending), at: "2026-03-03", then: Fail, shownBy: []string{"begin " + id}},
		"decided by another in time": {given: []*events.Event{lodged, decided(des, "done "+id)}, duties: one(isMet), then: Pass, shownBy: []string{"done " + id}},
		"decided by the same":        {given: []*events.Event{lodged, decided(nurse, "own")}, duties: one(isMet), then: Fail, shownBy: []string{"own"}},
		"that decision was annulled": {given: []*events.Event{lodged, decided(nurse, "own"), annul("2026-02-21", "own"), decided(des, "done "+id)}, duties: one(isMet), then: Pass},
		"decided late":               {given: []*events.Event{lodged, decided(des, "done "+id)}, duties: one(isLate), then: Fail},
		"never decided":              {given: []*events.Event{lodged}, duties: one(isMissed), then: Fail},
		"waived later":               {given: []*events.Event{lodged, waiver("2026-03-09", id)}, duties: one(isWaived), then: Fail},
		"no such duty in the jurisdiction, not decided": {given: []*events.Event{lodged}, then: Open},
		"no such duty in the jurisdiction, decided":     {given: []*events.Event{lodged, decided(des, "done "+id)}, then: Pass},
	})
}
