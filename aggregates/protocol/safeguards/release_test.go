package safeguards

import (
	"testing"

	"traga.internal/events"
)

func TestHR17PapersRoofMeans(t *testing.T) {
	with := func(change func(*events.PersonReleased)) []*events.Event {
		d := released()
		change(d)
		return []*events.Event{on("2026-03-02", prison, d, as("release"))}
	}
	thus(t, "HR17", map[string]told{
		"before the release": {then: NotApplicable},
		"with all three":     {given: with(func(*events.PersonReleased) {}), then: Pass, shownBy: []string{"release"}},
		"no papers":          {given: with(func(d *events.PersonReleased) { d.Papers = false }), then: Fail, shownBy: []string{"release"}},
		"no accommodation":   {given: with(func(d *events.PersonReleased) { d.Accommodation = false }), then: Fail},
		"no means":           {given: with(func(d *events.PersonReleased) { d.Means = false }), then: Fail},
		"corrected":          {given: append(with(func(d *events.PersonReleased) { d.Means = false }), correct("2026-03-03", "release", released())), then: Pass},
		"annulled":           {given: append(with(func(d *events.PersonReleased) { d.Means = false }), annul("2026-03-03", "release")), then: NotApplicable},
	})
}

func TestHR18MedicalExaminationOffered(t *testing.T) {
	out := on("2026-03-02", prison, released(), as("release"))
	offered := func(when string, changes ...func(*events.Event)) *events.Event {
		return on(when, nurse, &events.MedicalExaminationOffered{}, changes...)
	}
	thus(t, "HR18", map[string]told{
		"before the release":             {given: []*events.Event{offered("2026-03-01")}, then: NotApplicable},
		"offered, and declined":          {given: []*events.Event{offered("2026-03-01"), out}, then: Pass},
		"offered before, recorded after": {given: []*events.Event{out, offered("2026-03-01", recorded("2026-03-09"))}, then: Pass},
		"never offered":                  {given: []*events.Event{out}, then: Fail, shownBy: []string{"release"}},
		"offered after the release":      {given: []*events.Event{out, offered("2026-03-02 10:01")}, then: Fail},
	})
}

func TestHR19NoOneHeldPastTheLawfulDate(t *testing.T) {
	set := on("2026-01-05", prison, &events.ExpectedReleaseDateSet{Date: date("2026-03-10"), Basis: "sentence-end"}, as("set"))
	moved := func(when, to string, changes ...func(*events.Event)) *events.Event {
		return on(when, prison, &events.ExpectedReleaseDateChanged{From: date("2026-03-10"), To: date(to), Reason: "x"}, append(changes, as("moved to "+to))...)
	}
	out := func(when string) *events.Event { return on(when, prison, released(), as("release")) }
	thus(t, "HR19", map[string]told{
		"no date decided":                               {given: []*events.Event{out("2026-03-10")}, then: NotApplicable},
		"before the release":                            {given: []*events.Event{set}, at: "2026-03-10 23:59", then: NotApplicable},
		"the date has passed without a release":         {given: []*events.Event{set}, at: "2026-03-11 00:00", then: Fail, shownBy: []string{"set"}},
		"released on the day":                           {given: []*events.Event{set, out("2026-03-10 23:59")}, then: Pass, shownBy: []string{"release"}},
		"released early":                                {given: []*events.Event{set, out("2026-02-10")}, then: Pass},
		"released the day after":                        {given: []*events.Event{set, out("2026-03-11 00:01")}, then: Fail, shownBy: []string{"release"}},
		"as last decided: brought forward":              {given: []*events.Event{set, moved("2026-02-01", "2026-03-01"), out("2026-03-05")}, then: Fail},
		"as last decided: postponed":                    {given: []*events.Event{set, moved("2026-02-01", "2026-03-20")}, at: "2026-03-15", then: NotApplicable},
		"last decided goes by occurrence":               {given: []*events.Event{set, moved("2026-02-01", "2026-03-20"), moved("2026-01-20", "2026-03-01", recorded("2026-02-10"))}, at: "2026-03-15", then: NotApplicable},
		"a decision after the release moves nothing":    {given: []*events.Event{set, out("2026-03-11"), moved("2026-03-12", "2026-03-20")}, then: Fail},
		"a postponement decided before, recorded after": {given: []*events.Event{set, out("2026-03-11"), moved("2026-03-09", "2026-03-20", recorded("2026-03-14"))}, then: Pass},
		"the date was corrected":                        {given: []*events.Event{set, correct("2026-01-07", "set", &events.ExpectedReleaseDateSet{Date: date("2026-03-20"), Basis: "sentence-end"})}, at: "2026-03-15", then: NotApplicable},
		"the postponement was annulled":                 {given: []*events.Event{set, moved("2026-02-01", "2026-03-20"), annul("2026-02-02", "moved to 2026-03-20")}, at: "2026-03-15", then: Fail, shownBy: []string{"set"}},
	})
}
