package protocol

import (
	"path/filepath"
	"testing"

	"traga.internal/events"
)

// Explanations as a reader sees them, whole.
func TestExplain(t *testing.T) {
	serbia, _ := filepath.Glob("testdata/scenarios/07-*.ndjson")
	postponed := newStory(t, "MK")
	postponed.on("2025-06-02", set("2026-09-02"))
	postponed.on("2026-06-10", change("2026-09-02", "2026-10-15"))
	postponed.on("2026-07-10", planned("n", csw))
	postponed.on("2026-08-10", change("2026-10-15", "2026-12-15"))
	forward := newStory(t, "MK")
	forward.on("2025-06-02", set("2026-09-02"))
	forward.on("2026-04-10", change("2026-09-02", "2026-04-30"))
	amnesty := newStory(t, "MK")
	amnesty.on("2025-06-02", set("2026-09-02"))
	amnesty.on("2026-06-10", change("2026-09-02", "2026-08-20"))
	amnesty.on("2026-07-01", waive("notify-csw"))
	corrected := newStory(t, "MK")
	wrong := corrected.on("2025-04-01", assessed("risk", "low"))
	corrected.correct("2025-05-12", wrong, assessed("risk-and-needs", "low"))
	annulled := newStory(t, "MK")
	annulled.annul("2025-06-03", annulled.on("2025-06-02", set("2026-09-02")))

	for _, c := range []struct {
		log      []*events.Event
		at       string
		id, want string
	}{
		{readScenario(t, serbia[0]), "2026-02-18 08:00", "notify-police", "Police told of the planned release: prison-treatment must act, 30 days before release. " +
			"Activated by ExpectedReleaseDateSet of 2025-05-12, under protocol sop-rs-1. The release date is 2026-03-19, as recorded on 2025-05-12. " +
			"30 days before 2026-03-19 is 2026-02-17. That is no working day: back to the nearest one, 2026-02-13 (not worked: " +
			"2026-02-17 Sretenje, Statehood Day; 2026-02-16 Sretenje, Statehood Day; 2026-02-15 Sretenje, Statehood Day; 2026-02-14 Saturday). Due 2026-02-13. " +
			"Overdue since 2026-02-14, for 1 working day: no act that meets it is on record."},
		{postponed.log, "2026-08-11", "notify-csw", "Social work told of the planned release: prison-treatment must act, 90 days before release. " +
			"Activated by ExpectedReleaseDateSet of 2025-06-02, under protocol sop-mk-1. The release date is 2026-09-02, as recorded on 2025-06-02. " +
			"90 days before 2026-09-02 is 2026-06-04. The release date is 2026-10-15, as recorded on 2026-06-10. It was overdue until that was recorded " +
			"on 2026-06-10; the breach stays listed. 90 days before 2026-10-15 is 2026-07-17. The date was changed to 2026-12-15 when this was done or " +
			"waived already: the due date stays. Due 2026-07-17. It was overdue from 2026-06-05 until 2026-06-10 (due 2026-06-04), and that breach stays " +
			"on record. Met by NotificationSent of 2026-07-10."},
		{forward.log, "2026-04-11", "notify-police", "Police told of the planned release: prison-treatment must act, 30 days before release. " +
			"Activated by ExpectedReleaseDateSet of 2025-06-02, under protocol sop-mk-1. The release date is 2026-09-02, as recorded on 2025-06-02. " +
			"30 days before 2026-09-02 is 2026-08-03. That is no working day: back to the nearest one, 2026-07-31 (not worked: 2026-08-03 Republic Day; " +
			"2026-08-02 Republic Day; 2026-08-01 Saturday). The release date is 2026-04-30, as recorded on 2026-04-10. 30 days before 2026-04-30 is 2026-03-31. " +
			"That leaves less than one working day, as it was recorded on 2026-04-10: due one working day after that, 2026-04-14 (compressed) " +
			"(not worked: 2026-04-13 Easter, second day). Due 2026-04-14. No act that meets it is on record yet."},
		{amnesty.log, "2026-07-02", "notify-csw", "Social work told of the planned release: prison-treatment must act, 90 days before release. " +
			"Activated by ExpectedReleaseDateSet of 2025-06-02, under protocol sop-mk-1. The release date is 2026-09-02, as recorded on 2025-06-02. " +
			"90 days before 2026-09-02 is 2026-06-04. The release date is 2026-08-20, as recorded on 2026-06-10. It was overdue already when that was " +
			"recorded on 2026-06-10: the old due date stays (no amnesty). Due 2026-06-04. It was overdue from 2026-06-05 until 2026-07-01 (due 2026-06-04), " +
			"and that breach stays on record. Waived by ObligationWaived of 2026-07-01. Escalation level 3, to ombudsman."},
		{corrected.log, "2025-05-13", "assessment", "Risk and needs assessed: prison-treatment must act, 60 days after the admission. Activated by CaseOpened " +
			"of 2025-03-03, under protocol sop-mk-1. 60 days after 2025-03-03 is 2025-05-02. Due 2025-05-02. Met by AssessmentCompleted of 2025-04-01 as corrected. " +
			"It was done in time but recorded after the due date, so the alert until then was right. Escalation level 1, to directorate."},
		{annulled.log, "2025-06-04", "handover", "Handover accepted: csw must act, 3 working days before release. It was activated by ExpectedReleaseDateSet of " +
			"2025-06-02, which no longer counts: it was annulled, or does not say so any more. Nothing is due any more."},
	} {
		tr := NewTracker(NewBook())
		now := postponed.instant(c.at)
		for _, e := range c.log {
			if !e.RecordedAt.After(now) {
				tr.Evolve(e)
			}
		}
		if x, ok := tr.Explain(c.id, now); !ok || x.Text != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.id, x.Text, c.want)
		}
	}
	if _, ok := NewTracker(NewBook()).Explain("screening", postponed.instant("2026-01-01")); ok {
		t.Error("explained what is not there")
	}
}
