package safeguards

import (
	"testing"

	"traga.internal/events"
)

func TestHR08ReligionIsNotARiskIndicator(t *testing.T) {
	assessment := func(indicators ...string) *events.Event {
		return on("2026-03-02", prison, assessed(func(a *events.AssessmentCompleted) { a.Indicators = indicators }), as("assessment"))
	}
	level := func(indicators ...string) *events.Event {
		return on("2026-03-03", prison, &events.RiskLevelChanged{From: "high", To: "low", Indicators: indicators}, as("level"))
	}
	thus(t, "HR08", map[string]told{
		"neither an assessment nor a change of level": {then: NotApplicable},
		"religious practice alone":                    {given: []*events.Event{assessment("religious-practice")}, then: Fail, shownBy: []string{"assessment"}},
		"religious practice among others":             {given: []*events.Event{assessment("religious-practice", "grievance")}, then: Pass},
		"no indicator at all":                         {given: []*events.Event{assessment()}, then: Pass},
		"a change of level on it alone":               {given: []*events.Event{assessment("grievance"), level("religious-practice")}, then: Fail, shownBy: []string{"level"}},
		"corrected": {given: []*events.Event{assessment("religious-practice"),
			correct("2026-03-05", "assessment", assessed())}, then: Pass},
		"annulled": {given: []*events.Event{assessment("religious-practice"), annul("2026-03-05", "assessment")}, then: NotApplicable},
	})
}

func TestHR09FactsApartFromOpinions(t *testing.T) {
	with := func(change func(*events.AssessmentCompleted)) []*events.Event {
		return []*events.Event{on("2026-03-02", prison, assessed(change), as("assessment"))}
	}
	thus(t, "HR09", map[string]told{
		"looks at assessments only":  {given: []*events.Event{on("2026-03-02", prison, &events.ScreeningCompleted{Opinions: []string{"x"}})}, then: NotApplicable},
		"complete":                   {given: with(func(*events.AssessmentCompleted) {}), then: Pass},
		"no tool":                    {given: with(func(a *events.AssessmentCompleted) { a.Tool = "" }), then: Fail, shownBy: []string{"assessment"}},
		"no version":                 {given: with(func(a *events.AssessmentCompleted) { a.ToolVersion = " " }), then: Fail},
		"no assessor":                {given: with(func(a *events.AssessmentCompleted) { a.Assessor = "" }), then: Fail},
		"opinions without facts":     {given: with(func(a *events.AssessmentCompleted) { a.Facts = nil }), then: Fail},
		"opinions with blank facts":  {given: with(func(a *events.AssessmentCompleted) { a.Facts = []string{""} }), then: Fail},
		"neither facts nor opinions": {given: with(func(a *events.AssessmentCompleted) { a.Facts, a.Opinions = nil, nil }), then: Pass},
	})
}

func TestHR10AHumanDecidesARiskIncrease(t *testing.T) {
	change := func(from, to string, changes ...func(*events.RiskLevelChanged)) []*events.Event {
		c := &events.RiskLevelChanged{From: from, To: to, Reasons: []string{"new contact"}, Decider: "v.trajkovska", ReviewBy: date("2026-08-31")}
		for _, f := range changes {
			f(c)
		}
		return []*events.Event{on("2026-02-28", prison, c, as("level"))}
	}
	by := func(s string) func(*events.RiskLevelChanged) {
		return func(c *events.RiskLevelChanged) { c.ReviewBy = date(s) }
	}
	thus(t, "HR10", map[string]told{
		"no change":                         {then: NotApplicable},
		"a decrease is not judged":          {given: change("high", "low", func(c *events.RiskLevelChanged) { c.Automated = true }), then: NotApplicable},
		"the same level":                    {given: change("high", "high"), then: NotApplicable},
		"decided, reasoned, to be reviewed": {given: change("low", "high", by("2026-08-28")), then: Pass, shownBy: []string{"level"}},
		"review a day beyond six months":    {given: change("low", "high", by("2026-08-29")), then: Fail, shownBy: []string{"level"}},
		"review before the decision":        {given: change("low", "high", by("2026-02-27")), then: Fail},
		"automated":                         {given: change("low", "medium", by("2026-08-28"), func(c *events.RiskLevelChanged) { c.Automated = true }), then: Fail},
		"no decider":                        {given: change("low", "medium", by("2026-08-28"), func(c *events.RiskLevelChanged) { c.Decider = "" }), then: Fail},
		"no reasons":                        {given: change("medium", "high", by("2026-08-28"), func(c *events.RiskLevelChanged) { c.Reasons = []string{} }), then: Fail},
		"the first level, and it is high":   {given: change("", "high", func(c *events.RiskLevelChanged) { c.Reasons = nil }), then: Fail},
	})
}

func TestHR11ThePersonIsHeard(t *testing.T) {
	informed := func(when string, changes ...func(*events.Event)) *events.Event {
		return on(when, prison, &events.SubjectInformed{Notice: "n", Language: "mk"}, append(changes, as("informed"))...)
	}
	assessment := on("2026-03-02", prison, assessed(), as("assessment"))
	contest := on("2026-03-05", prison, &events.AssessmentContested{Assessment: "as-1"}, as("contest"))
	decided := func(when string, about events.ID) *events.Event {
		return on(when, des, &events.AssessmentContestDecided{Assessment: about, Outcome: "upheld"}, as("decision"))
	}
	thus(t, "HR11", map[string]told{
		"no assessment":                         {given: []*events.Event{informed("2026-03-01")}, then: NotApplicable},
		"screenings are not looked at":          {given: []*events.Event{on("2026-02-01", prison, &events.ScreeningCompleted{Tool: "VES"})}, then: NotApplicable},
		"informed before":                       {given: []*events.Event{informed("2026-03-01"), assessment}, then: Pass},
		"informed before, recorded afterwards":  {given: []*events.Event{informed("2026-03-01", recorded("2026-03-04")), assessment}, then: Pass},
		"informed after":                        {given: []*events.Event{assessment, informed("2026-03-03")}, then: Fail, shownBy: []string{"assessment"}},
		"never informed":                        {given: []*events.Event{assessment}, then: Fail},
		"informed, but that entry was annulled": {given: []*events.Event{informed("2026-03-01"), assessment, annul("2026-03-04", "informed")}, then: Fail},
		"a contest not yet decided is open":     {given: []*events.Event{informed("2026-03-01"), assessment, contest}, then: Open, shownBy: []string{"contest"}},
		"a contest decided":                     {given: []*events.Event{informed("2026-03-01"), assessment, contest, decided("2026-03-09", "as-1")}, then: Pass},
		"a decision on another assessment":      {given: []*events.Event{informed("2026-03-01"), assessment, contest, decided("2026-03-09", "as-2")}, then: Open},
		"a decision before the contest":         {given: []*events.Event{informed("2026-03-01"), assessment, contest, decided("2026-03-04", "as-1")}, then: Open},
		"a failure outweighs what is open":      {given: []*events.Event{assessment, contest}, then: Fail, shownBy: []string{"assessment"}},
		"a contest entered in error":            {given: []*events.Event{informed("2026-03-01"), assessment, contest, annul("2026-03-06", "contest")}, then: Pass},
	})
}

func TestHR12ThePersonTakesPartInThePlan(t *testing.T) {
	plan := func(took bool, opinion string, changes ...func(*events.Event)) []*events.Event {
		return []*events.Event{on("2026-03-02", prison, &events.TreatmentPlanAdopted{Plan: "p", Participated: took, Opinion: opinion}, append(changes, as("plan"))...)}
	}
	thus(t, "HR12", map[string]told{
		"no plan":                           {then: NotApplicable},
		"took part":                         {given: plan(true, ""), then: Pass, shownBy: []string{"plan"}},
		"did not, and no reason":            {given: plan(false, ""), then: Fail, shownBy: []string{"plan"}},
		"did not, and the opinion says why": {given: plan(false, "he refused to come"), then: Pass},
		"did not, with a late reason":       {given: plan(false, "", because("in hospital")), then: Pass},
		"a review without the person":       {given: append(plan(true, ""), on("2026-05-02", prison, &events.TreatmentPlanReviewed{Plan: "p"}, as("review"))), then: Fail, shownBy: []string{"review"}},
		"the plan after release without":    {given: append(plan(true, ""), on("2026-05-02", social, &events.PostPenalPlanAdopted{Plan: "p"}, as("after"))), then: Fail, shownBy: []string{"after"}},
	})
}

func TestHR25YoungPeopleAndWomen(t *testing.T) {
	group := func(name, guardian string) *events.Event {
		return on("2026-02-01", prison, &events.SpecificGroupRecorded{Group: name, Guardian: guardian}, as(name))
	}
	with := func(specialist bool, label string) *events.Event {
		return on("2026-03-02", prison, assessed(func(a *events.AssessmentCompleted) { a.Specialist = specialist }), as(label))
	}
	thus(t, "HR25", map[string]told{
		"no group":                   {given: []*events.Event{with(false, "a")}, then: NotApplicable},
		"another group":              {given: []*events.Event{group("returnee", ""), with(false, "a")}, then: NotApplicable},
		"a woman, no assessment yet": {given: []*events.Event{group("female", "")}, then: Open, shownBy: []string{"female"}},
		"a juvenile without guardian, no assessment yet": {given: []*events.Event{group("juvenile", "")}, then: Open},
		"a woman, no specialist":                         {given: []*events.Event{group("female", ""), with(false, "a")}, then: Fail, shownBy: []string{"a"}},
		"a woman, with a specialist":                     {given: []*events.Event{group("female", ""), with(false, "a"), with(true, "b")}, then: Pass},
		"a juvenile with specialist and guardian":        {given: []*events.Event{group("juvenile", "an aunt"), with(true, "a")}, then: Pass},
		"a juvenile without a guardian":                  {given: []*events.Event{group("juvenile", ""), with(true, "a")}, then: Fail, shownBy: []string{"juvenile"}},
		"the guardian was named by a correction":         {given: []*events.Event{group("juvenile", ""), with(true, "a"), correct("2026-03-04", "juvenile", &events.SpecificGroupRecorded{Group: "juvenile", Guardian: "an aunt"})}, then: Pass},
	})
}

func TestHR29AssessorTrainedInTheTool(t *testing.T) {
	trained := func(officer, tool, from, until string, changes ...func(*events.Event)) *events.Event {
		d := &events.OfficerTrained{Officer: officer, Tool: tool, Provider: "academy", On: date(from)}
		if until != "" {
			d.ValidUntil = date(until)
		}
		return on("2025-01-10", des, d, append(changes, func(e *events.Event) { e.Case = "" })...)
	}
	someone := trained("n.n", "OTHER", "2020-01-01", "")
	assessment := on("2026-03-02", prison, assessed(), as("assessment"))
	screening := on("2026-02-02", prison, &events.ScreeningCompleted{Tool: "VES", ToolVersion: "1"}, as("screening"))
	thus(t, "HR29", map[string]told{
		"no training on record in the jurisdiction": {given: []*events.Event{assessment}, then: NotApplicable},
		"nothing assessed":                          {given: []*events.Event{on("2026-03-02", prison, &events.SubjectInformed{})}, directory: []*events.Event{someone}, then: NotApplicable},
		"the assessor was trained":                  {given: []*events.Event{assessment}, directory: []*events.Event{someone, trained("m.angelova", "VERA-2R", "2025-01-01", "")}, then: Pass},
		"only the officer who recorded it was":      {given: []*events.Event{assessment}, directory: []*events.Event{trained("a.petrova", "VERA-2R", "2025-01-01", "")}, then: Fail, shownBy: []string{"assessment"}},
		"trained in another tool":                   {given: []*events.Event{assessment}, directory: []*events.Event{trained("m.angelova", "VES", "2025-01-01", "")}, then: Fail},
		"trained on the day":                        {given: []*events.Event{assessment}, directory: []*events.Event{trained("m.angelova", "VERA-2R", "2026-03-02", "2026-03-02")}, then: Pass},
		"trained the day after":                     {given: []*events.Event{assessment}, directory: []*events.Event{trained("m.angelova", "VERA-2R", "2026-03-03", "")}, then: Fail},
		"no longer valid":                           {given: []*events.Event{assessment}, directory: []*events.Event{trained("m.angelova", "VERA-2R", "2025-01-01", "2026-03-01")}, then: Fail},
		"a screening's assessor is its officer":     {given: []*events.Event{screening}, directory: []*events.Event{trained("a.petrova", "VES", "2025-01-01", "")}, then: Pass},
		"an untrained screener":                     {given: []*events.Event{screening}, directory: []*events.Event{someone}, then: Fail, shownBy: []string{"screening"}},
		"a training recorded after the instant is not known yet": {given: []*events.Event{assessment}, at: "2026-03-03",
			directory: []*events.Event{someone, trained("m.angelova", "VERA-2R", "2025-01-01", "", recorded("2026-03-04"))}, then: Fail},
	})
}
