package protocol

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"traga.internal/events"
)

// own is a protocol of one rule; each part is the default below unless it is given.
func own(parts ...string) string {
	rule := map[string]string{"id": "own", "title": "{en: Own}", "severity": "high", "duty": "csw", "activation": "{event: InformationRequested, about: [event.request]}",
		"due": "{after: 3 days}", "fulfilment": "{event: InformationProvided, match: [event.request]}"}
	for _, p := range parts {
		key, value, _ := strings.Cut(p, ": ")
		rule[key] = value
	}
	text := "protocol: x\nversion: v\nsource: s\nextends: sop-default\nrules:\n  - id: " + rule["id"] + "\n"
	delete(rule, "id")
	for key, value := range rule {
		if value != "-" {
			text += "    " + key + ": " + value + "\n"
		}
	}
	return text
}

// What the evaluator could not carry out as it is written is refused, in words that say why.
func TestWhatARuleMayNotSay(t *testing.T) {
	released, once := "activation: {release-date: known}", "fulfilment: {event: InformationProvided}"
	eight := strings.Repeat("'true', ", 8)
	for _, c := range []struct {
		parts   []string
		problem string // empty: it may
	}{
		{nil, ""},
		{[]string{"id: own/rule"}, "a rule needs an id without spaces or slashes"},
		{[]string{"id: ''"}, "a rule needs an id"},
		{[]string{"severity: [high]"}, "cannot unmarshal"},
		{[]string{"toward: nobody"}, "toward: there is no such role"},
		{[]string{"until: {event: CaseEnded}"}, "there is no event CaseEnded in a case"},
		{[]string{"activation: {event: InformationRequested, about: [event.request], counts: often}"}, "counts is first, newest or every"},
		{[]string{"activation: {event: InformationRequested, about: [event.request], each: somebody}"}, "each is institution-told-before"},
		{[]string{"activation: {release-date: soon}", "due: {before-release: 3 days}", once}, "release-date: known stands alone"},
		{[]string{"activation: {release-date: known, event: CaseOpened}", "due: {before-release: 3 days}", once}, "release-date: known stands alone"},
		{[]string{"activation: {counts: first}", once}, "an event is needed, or release-date: known"},
		{[]string{"activation: {event: CaseStarted}", once}, "there is no event CaseStarted in a case"},
		{[]string{"activation: {event: [TreatmentPlanAdopted, TreatmentPlanReviewed], about: [event.plan]}", "fulfilment: {event: TreatmentPlanReviewed, match: [event.plan]}"}, "about needs one single event"},
		{[]string{"activation: {event: CaseOpened, about: [event.admittedOn]}", "fulfilment: {event: CaseClosed, match: [event.reason]}"}, "event.admittedOn is no text or number"},
		{[]string{"activation: {event: InformationRequested, about: [data.request]}"}, "expected event.<field>"},
		{[]string{"activation: {event: InformationRequested, about: [event]}"}, "expected event.<field>"},
		{[]string{"duty: {party: sender}"}, "sender needs an activation for each recipient"},
		{[]string{"duty: {party: event.to}", released, "due: {before-release: 3 days}", once}, "a party needs an activating event"},
		{[]string{"duty: {party: event.whoever}"}, "has no field whoever"},
		{[]string{released, "due: {before-release: 3 days, after: 3 days}", once}, "before-release or after, not both"},
		{[]string{released, "due: {before-release: 3 days, from: event.admittedOn}", once}, "before-release or after, not both"},
		{[]string{"due: {after: 36500 days}"}, ""},
		{[]string{"due: {after: 36501 days}"}, "expected a period"},
		{[]string{"due: {after: 3 days, from: event.someday}"}, "has no field someday"},
		{[]string{"due: {after: 3 hours, if: [{when: event.urgency == 'urgent', then: 1 day}]}"}, "hours stand alone"},
		{[]string{"activation: {event: CaseOpened}", "due: {after: 3 hours, from: event.admittedOn}", once}, "hours stand alone"},
		{[]string{"due: {after: 3 days, if: [{when: event.urgency == 'urgent', then: 1 fortnight}]}"}, "due: if: expected a period"},
		{[]string{"due: {after: 3 days, if: [{then: 1 day}]}"}, "when and then are needed"},
		{[]string{"due: {after: 3 days, if: [{when: event.urgency == 'urgent', then: 1 hour}]}"}, "when and then are needed, and no hours"},
		{[]string{released, "due: {before-release: 3 days, if: [{when: toward == 'csw', then: 1 day}]}", once}, "the guard must read the state of the case"},
		{[]string{released, "due: {before-release: 3 days, if: [{when: state.riskLevel == 'high', then: 1 day}]}", once}, ""},
		{[]string{"activation: {event: ExpectedReleaseDateChanged, each: institution-told-before}", "due: {after: 3 days, if: [{when: event.to < event.from, then: 1 day}]}",
			"fulfilment: {event: NotificationSent, match: [event.recipient.institution]}"}, "undeclared reference to 'event'"},
		{[]string{"due: -", "series: [{after: 3 days, nth: 1}]"}, "each step needs about, after and nth"},
		{[]string{"due: -", "series: [{after: 3 days, about: 3d}]"}, "each step needs about, after and nth"},
		{[]string{"due: -", "series: [{after: 3 days, about: 3d, nth: 1}]"}, ""},
		{[]string{"fulfilment: {any: [{event: InformationProvided, match: [event.request]}, {event: InformationRefused, match: [event.request]}], together: ['true']}"}, "need one single event"},
		{[]string{"fulfilment: {any: [{event: InformationProvided, match: [event.request]}, {event: InformationRefused, match: [event.request]}], ends: 'true'}"}, "need one single event"},
		{[]string{"fulfilment: {any: [{event: InformationProvided, match: [event.request]}, {event: InformationRefused, match: [event.request]}], preceded-by: {event: InformationRequested, same: [event.request]}}"}, "need one single event"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], together: [" + eight + "]}"}, ""},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], together: [" + eight + "'true']}"}, "at most 8 guards"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], together: ['true'], nth: 2}"}, "and no nth"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], not-before: tomorrow}"}, "not-before is activation or release-day"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], any: [{event: InformationRefused, match: [event.request]}]}"}, "event or any, not both"},
		{[]string{"fulfilment: {any: [{event: InformationProvided, match: [event.request]}, {match: [event.request]}]}"}, "an event is needed"},
		{[]string{"fulfilment: {any: [{event: InformationProvided, motch: [event.request]}]}"}, "unknown field motch"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], when: state.riskLevel == 'high'}"}, "can't read the state of the case"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], preceded-by: {event: ProtocolPublished, same: [event.version]}}"}, "there is no event ProtocolPublished in a case"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], preceded-by: {event: InformationRequested}}"}, "same is needed"},
		{[]string{"fulfilment: {event: InformationProvided, match: [event.request], preceded-by: {event: InformationRequested, same: [event.request]}}"}, ""},
	} {
		_, err := ParseRules("own.yaml", []byte(own(c.parts...)))
		var mistake *RuleError
		if c.problem == "" && err != nil || c.problem != "" && (!errors.As(err, &mistake) || !strings.Contains(mistake.Problem, c.problem)) {
			t.Errorf("%q: %v, expected %q", c.parts, err, c.problem)
		}
	}
}

// Outside of rules, and as a reader sees it.
func TestMistakesAreShownWithTheirPlace(t *testing.T) {
	head := "protocol: x\nversion: v\nsource: s\n"
	for text, want := range map[string]string{
		"":                         "own.yaml:1: the protocol is empty",
		"protocol: [1":             "own.yaml:1: not readable: line 1: did not find expected ',' or ']'",
		"protocol: x\nversion: v":  "own.yaml:1: a protocol needs its name (protocol), its version and its source",
		"protocol: x\nsource: s":   "own.yaml:1: a protocol needs its name (protocol), its version and its source",
		"version: v\nsource: s":    "own.yaml:1: a protocol needs its name (protocol), its version and its source",
		head + "extends: sop-mars": "own.yaml:1: extends sop-mars: only sop-default can be extended",
		head + "extends: sop-default\noff: {no-rule: r}":                                                  "own.yaml:1: off: there is no rule no-rule",
		head + "extends: sop-default\nroles: {csw: nobody}":                                               "own.yaml:1: roles: csw: nobody: there is no such role",
		head + "extends: sop-default\nroles: {nobody: csw}":                                               "own.yaml:1: roles: nobody: csw: there is no such role",
		head + "extends: sop-default\nrules: [[id]]":                                                      "own.yaml:5: line 5: cannot unmarshal !!seq into protocol.ruleDoc",
		head + "extends: sop-default\nrules:\n  - id: own\n    source: id\n    due: {after: soon}":        "own.yaml:6: rule own: title: an English title is needed",
		head + "extends: sop-default\nrules:\n  - due: {after: soon}\n    id: own":                        "own.yaml:6: rule own: title: an English title is needed",
		head + "extends: sop-default\nwarning: {long: soon}":                                              "own.yaml:1: warning: expected a period such as 3 working days, 15 days, 6 months, 5 years or 72 hours",
		head + "extends: sop-default\nwarning: {from: 1 month}":                                           "own.yaml:1: warning: from is a number of days",
		head + "warning: {long: 14 days, from: 30 days}":                                                  "own.yaml:1: warning: expected a period such as 3 working days, 15 days, 6 months, 5 years or 72 hours",
		head + "extends: sop-default\nescalation: {to: [csw], after: [1, 2, 3], critical: [1, 2, 3]}":     "own.yaml:1: escalation: expected three roles (to) and for each the working days (after, critical)",
		head + "extends: sop-default\nescalation: {to: [csw, csw, csw], after: [1], critical: [1, 2, 3]}": "own.yaml:1: escalation: expected three roles (to) and for each the working days (after, critical)",
		head + "extends: sop-default\nescalation: {to: [csw, csw, csw], after: [1, 2, 3], critical: [1]}": "own.yaml:1: escalation: expected three roles (to) and for each the working days (after, critical)",
	} {
		if _, err := ParseRules("own.yaml", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
	}
}

// The rules in words, as the matrix and the explanations show them (testdata/rules.txt).
func TestRulesInWords(t *testing.T) {
	var b strings.Builder
	for _, r := range shipped()[""].Rules() {
		fmt.Fprintf(&b, "%s (%s)\n  duty       %s, toward %s\n  activation %s\n  period     %s\n  fulfilment %s\n", r.ID, r.Severity, r.Duty, r.Toward, r.Activation, r.Period, r.Fulfilment)
	}
	want, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s", b.String())
	}
}

// withOwn is a story in MK, where there is that one rule beside the default ones.
func withOwn(t *testing.T, parts ...string) *story {
	s := newStory(t, "MK")
	s.book = publish(t, s.book, "2025-03-02", "2025-01-01", own(parts...))
	return s
}

// "Every number below is a default that a jurisdiction overrides": what no shipped rule says, but one may.
func TestARuleOfOnesOwn(t *testing.T) {
	s := withOwn(t, "activation: {event: NotificationSent, when: event.recipient.role == toward && actor.role == 'prison-treatment', about: [event.notification]}",
		"toward: police", "fulfilment: {event: NotificationAcknowledged, match: [event.notification]}")
	s.on("2025-06-02", planned("n-1", csw))
	s.on("2025-06-02", planned("n-2", police))
	s.by(csw).on("2025-06-02", planned("n-3", police))
	s.want("2025-06-03", "own/n-1", "none")
	s.want("2025-06-03", "own/n-2", "2025-06-05 due-soon")
	s.want("2025-06-03", "own/n-3", "none")

	s = withOwn(t, "activation: {event: InformationRequested, about: [event.request, actor.role, actor.institution]}",
		"fulfilment: {event: InformationRefused, match: [event.request, actor.role, actor.institution]}")
	s.by(csw).on("2025-06-02", requested("r", "normal"))
	s.by(events.Actor{Role: events.Police, Institution: "mk-csw"}).on("2025-06-03", &events.InformationRefused{Request: "r"})
	s.want("2025-06-03 10:00", "own/r/csw/mk-csw", "2025-06-05 due-soon")
	s.by(csw).on("2025-06-04", &events.InformationRefused{Request: "r"})
	s.want("2025-06-04 10:00", "own/r/csw/mk-csw", "2025-06-05 met on 2025-06-04")

	// Of several other offsets the first whose guard holds counts, be it of the event or of the case.
	for order, due := range map[string]string{
		"event.urgency == 'urgent', then: 4 days}, {when: state.riskLevel == 'high', then: 7 days}":                         "2025-06-06",
		"state.riskLevel == 'high', then: 7 days}, {when: event.urgency == 'urgent', then: 4 days}":                         "2025-06-09",
		"event.urgency == 'urgent', then: 4 days}, {when: event.request == 'r', then: 7 days}":                              "2025-06-06",
		"state.riskLevel == 'low', then: 7 days}, {when: event.urgency == 'urgent', then: 4 days}":                          "2025-06-06",
		"event.urgency == 'normal', then: 4 days}, {when: state.riskLevel == 'high' && event.request == 'r', then: 7 days}": "2025-06-09",
	} {
		s = withOwn(t, "due: {after: 3 days, if: [{when: "+order+"]}")
		s.on("2025-06-01", assessed("risk", "high"))
		s.on("2025-06-02", requested("r", "urgent"))
		if o := s.find("2025-06-02 10:00", "own/r"); o.Due.String() != due {
			t.Errorf("%s: due %s, expected %s", order, o.Due, due)
		}
	}

	s = withOwn(t, "activation: {event: RiskLevelChanged}", "due: {after: 3 days, if: [{when: state.riskLevel == 'high', then: 1 day}]}", "fulfilment: {event: CaseClosed}")
	s.on("2025-06-02", &events.RiskLevelChanged{To: "high"})
	s.want("2025-06-02 10:00", "own", "2025-06-03 due-soon") // the level as the event itself says
}

// A party or day that no shipped rule names is told by its field.
func TestUnusualPartiesAndDaysInWords(t *testing.T) {
	s := withOwn(t, "activation: {event: ExpectedReleaseDateSet}", "due: {after: 3 days, from: event.date}", "fulfilment: {event: CaseClosed}")
	rules := s.book.Rules("MK", day("2025-06-02"))
	if r := rules[len(rules)-1]; r.Period != "3 days after the day named as date" {
		t.Errorf("%+v", r)
	}
	s = withOwn(t, "activation: {event: ComplaintLodged}", "duty: {party: event.about}", "fulfilment: {event: CaseClosed}")
	rules = s.book.Rules("MK", day("2025-06-02"))
	if r := rules[len(rules)-1]; r.Duty != "the party named as about" {
		t.Errorf("%+v", r)
	}
}

// A jurisdiction may warn and escalate otherwise.
func TestWarningAndEscalationOfOnesOwn(t *testing.T) {
	s := newStory(t, "MK")
	s.book = publish(t, s.book, "2025-03-02", "2025-01-01", "protocol: x\nversion: v\nsource: s\nextends: sop-default\nwarning: {long: 1 month, from: 60 days, short: 3 days}\n"+
		"escalation: {to: [coordinator, directorate, ombudsman], after: [1, 2, 3], critical: [4, 5, 6]}")
	s.on("2025-06-02", set("2026-09-02"))
	s.want("2026-05-03 23:59", "notify-csw", "2026-06-04 pending")
	s.want("2026-05-04 00:00", "notify-csw", "2026-06-04 due-soon")
	s.want("2026-07-27 23:59", "notify-police", "2026-07-31 pending")
	s.want("2026-07-28 00:00", "notify-police", "2026-07-31 due-soon")
	o := s.find("2026-06-08", "notify-csw")
	if o.Escalation(s.instant("2026-06-08 00:00")) != 1 || o.EscalateTo[0] != events.Coordinator {
		t.Errorf("level %d to %s", o.Escalation(s.instant("2026-06-08 00:00")), o.EscalateTo[0])
	}
	// What an overlay says nothing of stays as in the protocol that it extends.
	rules := publish(t, NewBook(), "2025-03-02", "2025-01-01", "protocol: x\nversion: v\nsource: s\nextends: sop-default\noff: {screening: not here}").InForce("MK", day("2025-06-02"))
	if slices.ContainsFunc(rules.Rules(), func(r Rule) bool { return r.ID == "screening" }) || rules.Rules()[0].ID != "assessment" || rules.rules[0].escalation.after != [3]int{3, 7, 15} || rules.rules[0].Source != "s" {
		t.Errorf("%+v", rules.rules[0])
	}
}

// What is published is the same text, byte for byte, however often it is made.
func TestARuleSetIsWrittenDownInOneWay(t *testing.T) {
	one, err := ParseRules("own.yaml", []byte(own()))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if two, err := ParseRules("own.yaml", []byte(own())); err != nil || string(two.JSON) != string(one.JSON) {
			t.Fatalf("%v\n%s\n%s", err, one.JSON, two.JSON)
		}
	}
}

// Which version an obligation is judged by shows in what is told of its rule.
func TestAnEarlierActivationBringsItsVersion(t *testing.T) {
	s := newStory(t, "MK")
	s.book = publish(t, s.book, "2026-03-04", "2026-03-16", quicker)
	s.on("2026-03-16", requested("r", "normal"))
	s.late("2026-03-17", "2026-03-13", requested("r", "normal"))
	now := s.instant("2026-03-18")
	if x, _ := s.known(now).Explain("answer-request/r", now); x.Obligation.Protocol != "sop-mk-1" || !strings.HasPrefix(x.Rule.Period, "10 working days after the event") {
		t.Errorf("%s: %s", x.Obligation.Protocol, x.Rule.Period)
	}
}

// "Everything is computed as known at an instant": the book too, part by part.
func TestTheBookAsKnown(t *testing.T) {
	s := newStory(t, "BA")
	b := NewBook()
	add := func(when string, n int64, data any) {
		e := &events.Event{Type: strings.TrimPrefix(fmt.Sprintf("%T", data), "*events."), Jurisdiction: "BA", RecordedAt: s.instant(when), Position: events.At(uint64(n)), Data: data}
		next, err := b.With(e)
		if err != nil {
			t.Fatal(err)
		}
		b = next
	}
	set := shipped()["BA"]
	add("2026-01-05", 1, &events.InstitutionRegistered{Institution: "ba-prison", Place: "BA-SRP"})
	add("2026-01-07", 2, &events.ProtocolPublished{Version: "ba-2", EffectiveFrom: day("2026-01-01"), Rules: set.JSON})
	add("2026-01-12", 3, &events.NonWorkingDayDecreed{Date: day("2026-02-04"), Name: map[string]string{"en": "Day of mourning"}, Act: "a"})
	before := b
	add("2026-01-14", 4, &events.InstitutionRegistered{Institution: "ba-prison", Place: "BA-BRC"})
	add("2026-01-15", 5, &events.InstitutionRegistered{Institution: "ba-other", Place: "Sarajevo"})
	add("2026-01-16", 6, &events.CaseOpened{})
	for at, want := range map[string]string{"2026-01-04": "BA-BIH 1 true", "2026-01-06": "BA-SRP 1 true", "2026-01-08": "BA-SRP 2 true", "2026-01-13": "BA-SRP 2 false", "2026-01-15": "BA-BRC 2 false"} {
		known := b.AsKnown(events.AsOf{Instant: s.instant(at)})
		c := known.lands["BA"].calendarOf("BA", "ba-prison")
		got := fmt.Sprint(c.Subdivision(), " ", len(known.Editions("BA")), " ", c.IsWorkingDay(day("2026-02-04")))
		if got != want {
			t.Errorf("as known on %s: %s, expected %s", at, got, want)
		}
	}
	if sub := before.lands["BA"].calendarOf("BA", "ba-prison").Subdivision(); sub != "BA-SRP" {
		t.Errorf("the book before the entry has it: %s", sub)
	}
	if mk := publish(t, NewBook(), "2026-03-04", "2026-03-16", quicker); len(mk.AsKnown(events.AsOf{Instant: s.instant("2026-03-03")}).Editions("MK")) != 1 {
		t.Error("a version is known before it was published")
	}
	if b.AsKnown(events.AsOf{}) != b || len(b.Editions("DE")) != 0 || b.Editions("BA")[1].Version != "ba-2" {
		t.Error("as known now")
	}
	if other, err := b.With(&events.Event{Jurisdiction: "DE", Data: &events.NonWorkingDayDecreed{}}); other != b || err != nil {
		t.Errorf("of another jurisdiction: %v", err)
	}
	// Of two versions with the same first day the one published last is in force.
	add("2026-01-20", 7, &events.ProtocolPublished{Version: "ba-3", EffectiveFrom: day("2026-01-01"), Rules: set.JSON})
	if v := b.InForce("BA", day("2026-01-02")).Version; v != "ba-3" {
		t.Errorf("in force: %s", v)
	}
	_, err := b.With(&events.Event{Jurisdiction: "BA", Data: &events.ProtocolPublished{Version: "al-2", Rules: []byte(`{"protocol":"x","version":"v","source":"s","extends":"sop-default","jurisdiction":"AL"}`)}})
	var mistake *RuleError
	if !errors.As(err, &mistake) || mistake.Error() != "protocol al-2:1: it is for AL" {
		t.Errorf("a protocol of another jurisdiction: %v", err)
	}
}
