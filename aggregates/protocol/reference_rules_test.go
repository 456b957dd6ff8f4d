package protocol_test

import (
	"fmt"
	"slices"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// claims are the rules of the table at work in a record, in the order of the table.
func claims(r *record) []claim {
	b := &book{r: r, csw: events.CSW}
	if r.j == "AL" {
		b.csw = events.Municipality
	}
	b.intake()
	b.beforeRelease()
	b.renotify()
	b.afterRelease()
	b.exchange()
	b.dataProtection()
	return b.claims
}

type book struct {
	r      *record
	csw    events.Role // who does social work
	claims []claim
}

func (b *book) add(c claim, id string, severity protocol.Severity, role, toward events.Role) {
	if c.rule = id; c.id == "" {
		c.id = id
	}
	c.severity, c.role, c.toward = severity, role, toward
	b.claims = append(b.claims, c)
}

// forward and back are the nearest working day.
func (b *book) forward(d events.Date) events.Date { return b.r.cal.NextWorkingDay(d) }
func (b *book) back(d events.Date) events.Date    { return b.r.cal.PrevWorkingDay(d) }

// daysAfter and the like are plain due dates for an event.
func (b *book) daysAfter(e *entry, n int) events.Date {
	return b.forward(b.r.day(e.OccurredAt) + events.Date(n))
}
func (b *book) workingDaysAfter(e *entry, n int) events.Date {
	return b.r.cal.AddWorkingDays(b.r.day(e.OccurredAt), n)
}
func (b *book) monthsAfter(e *entry, n int) events.Date {
	return b.forward(b.r.day(e.OccurredAt).AddMonths(n))
}

func first[T any](r *record) *entry { return nth(all[T](r), 1) }

func (b *book) intake() {
	const prison, directorate = events.PrisonTreatment, events.Directorate
	if opened := first[*events.CaseOpened](b.r); opened != nil {
		admitted := opened.data.(*events.CaseOpened).AdmittedOn
		b.add(claim{since: opened, plain: b.forward(admitted + 15), met: first[*events.ScreeningCompleted]}, "screening", protocol.Medium, prison, directorate)
		b.add(claim{since: opened, plain: b.forward(admitted + 60), long: true, met: func(r *record) *entry {
			kinds := map[string]bool{}
			for _, e := range all[*events.AssessmentCompleted](r) {
				kinds[e.data.(*events.AssessmentCompleted).Kind] = true
				if kinds["risk-and-needs"] || kinds["risk"] && kinds["needs"] {
					return e
				}
			}
			return nil
		}}, "assessment", protocol.High, prison, directorate)
	}
	if assessed := first[*events.AssessmentCompleted](b.r); assessed != nil {
		b.add(claim{since: assessed, firstCounts: true, plain: b.daysAfter(assessed, 30), long: true, met: first[*events.TreatmentPlanAdopted]}, "treatment-plan", protocol.High, prison, "")
	}
	// n counts by occurrence, annulled ones included.
	var plans []*entry
	for _, e := range b.r.all {
		switch e.data.(type) {
		case *events.TreatmentPlanAdopted, *events.TreatmentPlanReviewed:
			plans = append(plans, e)
		}
	}
	slices.SortFunc(plans, func(x, y *entry) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
	released := b.r.released()
	for i, e := range plans {
		if e.annulled || released != nil && released.before(e) {
			continue
		}
		b.add(claim{id: fmt.Sprint("plan-review/", i+1), since: e, plain: b.monthsAfter(e, 6), numbered: true, long: true, until: released, met: func(r *record) *entry {
			review := nth(slices.DeleteFunc(after(all[*events.TreatmentPlanReviewed](r), e), func(o *entry) bool { return o.pos == e.pos }), 1)
			if rel := r.released(); review != nil && rel != nil && rel.before(review) {
				return nil
			}
			return review
		}}, "plan-review", protocol.Medium, prison, "")
	}
}

// sentTo finds the first notice on a subject to a role.
func sentTo(subject string, role events.Role) func(*record) *entry {
	return func(r *record) *entry {
		return nth(done(r, func(_ *entry, d *events.NotificationSent) bool {
			return d.Subject == subject && d.Recipient.Role == role
		}), 1)
	}
}

func (b *book) beforeRelease() {
	const prison = events.PrisonTreatment
	_, since := b.r.decisions()
	if since == nil {
		return
	}
	type offset = func(*record, events.Date) events.Date
	days := func(n int) offset {
		return func(_ *record, d events.Date) events.Date { return b.back(d - events.Date(n)) }
	}
	working := func(n int) offset {
		return func(_ *record, d events.Date) events.Date { return b.r.cal.AddWorkingDays(d, -n) }
	}
	add := func(id string, severity protocol.Severity, role, toward events.Role, long bool, due offset, met func(*record) *entry) {
		b.add(claim{since: since, firstCounts: true, long: long, release: due, sentenced: id == "open-pre-release", met: met}, id, severity, role, toward)
	}
	planning := func(known *record, d events.Date) events.Date {
		months := 12
		if all := all[*events.SentenceRecorded](known); len(all) > 0 {
			if d := all[len(all)-1].data.(*events.SentenceRecorded); d.EndDate <= d.StartDate.AddMonths(24) {
				months = 6
			}
		}
		return b.back(d.AddMonths(-months))
	}
	add("open-pre-release", protocol.High, prison, events.Directorate, true, planning, first[*events.PreReleasePlanningOpened])
	for _, n := range []struct {
		id       string
		severity protocol.Severity
		to       events.Role
		days     int
	}{
		{"notify-directorate", protocol.High, events.Directorate, 180},
		{"notify-coordinator", protocol.Medium, events.Coordinator, 180},
		{"notify-csw", protocol.High, b.csw, 90},
		{"notify-probation", protocol.High, events.Probation, 90},
		{"notify-employment", protocol.Medium, events.Employment, 90},
		{"notify-education", protocol.Medium, events.Education, 90},
		{"notify-police", protocol.High, events.Police, 30},
	} {
		if n.to == events.Probation && b.r.j == "BA" {
			continue
		}
		add(n.id, n.severity, prison, n.to, true, days(n.days), sentTo("planned-release", n.to))
	}
	add("draft-needs-map", protocol.Medium, prison, b.csw, true, days(90), first[*events.NeedsMapDrafted])
	add("conference-1", protocol.Medium, prison, "", true, days(60), first[*events.CaseConferenceHeld])
	add("conference-2", protocol.Medium, prison, "", true, days(30), func(r *record) *entry { return nth(all[*events.CaseConferenceHeld](r), 2) })
	add("share-needs-map", protocol.Critical, prison, b.csw, true, days(45), func(r *record) *entry {
		return nth(done(r, func(e *entry, d *events.NeedsMapShared) bool {
			return d.Recipient.Role == b.csw && len(done(r, func(f *entry, m *events.NeedsMapFinalised) bool {
				return m.NeedsMap == d.NeedsMap && m.Version == d.Version && f.before(e)
			})) > 0
		}), 1)
	})
	add("health-continuity", protocol.High, events.PrisonHealth, events.CommunityHealth, true, days(30), func(r *record) *entry {
		for _, e := range r.live {
			switch d := e.data.(type) {
			case *events.HealthSummaryTransferred:
				return e
			case *events.ConsentRefused:
				if slices.Contains(d.Categories, "health") {
					return e
				}
			}
		}
		return nil
	})
	add("release-report", protocol.High, prison, b.csw, false, days(14), func(r *record) *entry {
		return nth(done(r, func(_ *entry, d *events.ReleaseReportIssued) bool {
			return slices.ContainsFunc(d.Recipients, func(p events.Party) bool { return p.Role == b.csw })
		}), 1)
	})
	add("confirm-date", protocol.Medium, prison, b.csw, false, working(3), sentTo("date-confirmed", b.csw))
	add("handover", protocol.High, b.csw, "", false, working(3), first[*events.HandoverAccepted])
}

// noticeTo finds the first notice to an institution on one of the subjects, not before the activating event.
func noticeTo(since *entry, to events.Institution, holds func(*events.NotificationSent) bool) func(*record) *entry {
	return func(r *record) *entry {
		return nth(after(done(r, func(_ *entry, d *events.NotificationSent) bool {
			return d.Recipient.Institution == to && holds(d)
		}), since), 1)
	}
}

func (b *book) renotify() {
	counting, _ := b.r.decisions()
	newest := map[events.Institution]*entry{}
	var told []events.Institution
	for _, c := range counting {
		if !c.changed {
			continue
		}
		for _, n := range done(b.r, func(e *entry, d *events.NotificationSent) bool {
			return d.Subject == "planned-release" && e.before(c.entry)
		}) {
			to := n.data.(*events.NotificationSent).Recipient.Institution
			if newest[to] == nil {
				told = append(told, to)
			}
			newest[to] = c.entry
		}
	}
	for _, to := range told {
		since := newest[to]
		b.add(claim{id: "renotify/" + string(to), since: since, plain: b.workingDaysAfter(since, 1),
			met: noticeTo(since, to, func(d *events.NotificationSent) bool {
				return d.Subject == "date-changed" || d.Subject == "planned-release"
			})}, "renotify", protocol.High, events.PrisonTreatment, "")
	}
}

func (b *book) afterRelease() {
	released := b.r.released()
	if released == nil {
		return
	}
	day := b.r.day(released.OccurredAt)
	b.add(claim{since: released, plain: b.workingDaysAfter(released, 1), met: sentTo("released", b.csw)}, "release-notice", protocol.High, events.PrisonTreatment, b.csw)
	within := 3
	if !released.data.(*events.PersonReleased).Accommodation || b.r.upTo(released.pos).riskLevel() == "high" {
		within = 1
	}
	b.add(claim{since: released, plain: b.workingDaysAfter(released, within), met: func(r *record) *entry {
		return nth(done(r, func(e *entry, _ *events.FirstContactMade) bool { return r.day(e.OccurredAt) >= day }), 1)
	}}, "first-contact", protocol.Critical, b.csw, "")
	b.add(claim{since: released, plain: b.daysAfter(released, 15), met: first[*events.PostPenalPlanAdopted]}, "post-penal-plan", protocol.High, b.csw, "")
	reviews := func(r *record) (held []*entry, end *entry) {
		for _, e := range done(r, func(e *entry, _ *events.PostPenalReviewHeld) bool { return r.day(e.OccurredAt) >= day }) {
			held = append(held, e)
			if e.data.(*events.PostPenalReviewHeld).Outcome == "end" {
				return held, e
			}
		}
		return held, nil
	}
	_, end := reviews(b.r)
	for i, days := range []int{30, 90, 180, 365} {
		b.add(claim{id: fmt.Sprintf("post-penal-review/%dd", days), since: released, plain: b.daysAfter(released, days), long: true, until: end,
			met: func(r *record) *entry { held, _ := reviews(r); return nth(held, i+1) }}, "post-penal-review", protocol.Medium, b.csw, "")
	}
}

func (b *book) exchange() {
	for _, e := range all[*events.NotificationSent](b.r) {
		n := e.data.(*events.NotificationSent)
		b.add(claim{id: "acknowledge/" + string(n.Notification), since: e, party: n.Recipient.Institution, plain: b.workingDaysAfter(e, 5), met: func(r *record) *entry {
			return nth(done(r, func(a *entry, d *events.NotificationAcknowledged) bool {
				return d.Notification == n.Notification && a.Actor.Institution == n.Recipient.Institution
			}), 1)
		}}, "acknowledge", protocol.Medium, n.Recipient.Role, "")
	}
	for _, e := range all[*events.InformationRequested](b.r) {
		q := e.data.(*events.InformationRequested)
		within := 10
		if q.Urgency == "urgent" {
			within = 2
		}
		b.add(claim{id: "answer-request/" + string(q.Request), since: e, party: q.From.Institution, plain: b.workingDaysAfter(e, within), met: func(r *record) *entry {
			for _, a := range r.live {
				switch d := a.data.(type) {
				case *events.InformationProvided:
					if d.Request == q.Request {
						return a
					}
				case *events.InformationRefused:
					if d.Request == q.Request {
						return a
					}
				}
			}
			return nil
		}}, "answer-request", protocol.High, q.From.Role, "")
	}
	appealed := map[events.ID]bool{}
	for _, e := range all[*events.RefusalAppealed](b.r) {
		q := e.data.(*events.RefusalAppealed)
		if appealed[q.Request] {
			continue
		}
		appealed[q.Request] = true
		b.add(claim{id: "decide-appeal/" + string(q.Request), since: e, firstCounts: true, party: q.To.Institution, plain: b.workingDaysAfter(e, 15), met: func(r *record) *entry {
			return nth(done(r, func(_ *entry, d *events.RefusalAppealDecided) bool { return d.Request == q.Request }), 1)
		}}, "decide-appeal", protocol.High, q.To.Role, "")
	}
	for _, e := range all[*events.ComplaintLodged](b.r) {
		q := e.data.(*events.ComplaintLodged)
		b.add(claim{id: "decide-complaint/" + string(q.Complaint), since: e, plain: b.workingDaysAfter(e, 15), met: func(r *record) *entry {
			return nth(done(r, func(_ *entry, d *events.ComplaintDecided) bool { return d.Complaint == q.Complaint }), 1)
		}}, "decide-complaint", protocol.High, events.Directorate, "")
	}
}

func (b *book) dataProtection() {
	for _, e := range all[*events.DataBreachRecorded](b.r) {
		q := e.data.(*events.DataBreachRecorded)
		if q.Risk == "none" {
			continue
		}
		b.add(claim{id: "report-breach/" + string(q.Breach), since: e, instant: e.OccurredAt.Add(72 * time.Hour), met: func(r *record) *entry {
			return nth(done(r, func(_ *entry, d *events.BreachReported) bool { return d.Breach == q.Breach }), 1)
		}}, "report-breach", protocol.Critical, events.Directorate, events.DataProtection)
	}
	b.propagate()
	b.withdrawals()
	if closing := b.lastClosing(); closing != nil {
		var reopened *entry
		for _, e := range all[*events.CaseReopened](b.r) {
			if closing.before(e) {
				reopened = e
			}
		}
		b.add(claim{since: closing, party: closing.Actor.Institution, plain: b.monthsAfter(closing, 60), long: true, until: reopened, met: func(r *record) *entry {
			review := nth(after(all[*events.RetentionReviewed](r), closing), 1)
			if review != nil && len(done(r, func(e *entry, _ *events.CaseReopened) bool { return closing.before(e) && e.before(review) })) > 0 {
				return nil
			}
			return review
		}}, "retention-review", protocol.Medium, closing.Actor.Role, "")
	}
}

func (b *book) lastClosing() *entry {
	all := all[*events.CaseClosed](b.r)
	return nth(all, len(all))
}

// propagate: a recipient of what was corrected must be told.
func (b *book) propagate() {
	newest := map[string]claim{}
	var ids []string
	for _, e := range b.r.all { // "Corrections and annulments take effect in the order of recording"
		var target *entry
		switch d := e.data.(type) {
		case *events.EntryCorrected:
			target = b.find(d.Target)
		case *events.EntryAnnulled:
			target = b.find(d.Target)
		}
		if target == nil || e.annulled {
			continue
		}
		// Whom the record named as a recipient, before the correction or after it.
		shared, ok := events.DisclosureOf(b.r.full.then(e.pos).at(target.pos).data)
		if !ok {
			continue
		}
		now, _ := events.DisclosureOf(b.r.full.then(e.pos + 1).at(target.pos).data)
		shared.Recipients = slices.Concat(shared.Recipients, now.Recipients)
		for _, p := range shared.Recipients {
			id := "propagate-correction/" + target.ID.String() + "/" + string(p.Institution)
			if _, again := newest[id]; !again {
				ids = append(ids, id)
			}
			newest[id] = claim{id: id, since: e, party: target.Actor.Institution, role: target.Actor.Role, plain: b.workingDaysAfter(e, 5),
				met: noticeTo(e, p.Institution, func(d *events.NotificationSent) bool {
					return d.Subject == "correction" && string(d.About) == target.ID.String()
				})}
		}
	}
	for _, id := range ids {
		b.add(newest[id], "propagate-correction", protocol.High, newest[id].role, "")
	}
}

func (b *book) find(id [16]byte) *entry {
	for _, e := range b.r.all {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// withdrawals: whoever had received something under the consent before must be told, by the last who gave it.
func (b *book) withdrawals() {
	seen := map[string]bool{}
	for _, e := range all[*events.ConsentWithdrawn](b.r) {
		consent := e.data.(*events.ConsentWithdrawn).Consent
		for _, s := range slices.Backward(b.r.live) {
			shared, ok := events.DisclosureOf(s.data)
			if !ok || shared.Consent != consent || e.before(s) {
				continue
			}
			for _, p := range shared.Recipients {
				id := "withdrawal-notice/" + string(consent) + "/" + string(p.Institution)
				if seen[id] {
					continue
				}
				seen[id] = true
				b.add(claim{id: id, since: e, party: s.Actor.Institution, plain: b.workingDaysAfter(e, 5),
					met: noticeTo(e, p.Institution, func(d *events.NotificationSent) bool { return d.Subject == "consent-withdrawn" })},
					"withdrawal-notice", protocol.High, s.Actor.Role, "")
			}
		}
	}
}
