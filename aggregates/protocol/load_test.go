package protocol

import (
	"errors"
	"os"
	"strings"
	"testing"

	"traga.internal/events"
)

func TestShippedRules(t *testing.T) {
	sets, err := loadShipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range append(events.Jurisdictions(), "") {
		s := sets[j]
		if s.Source == "" || !strings.HasPrefix(s.Digest, "sha256:") {
			t.Errorf("%s: source %q, digest %q", j, s.Source, s.Digest)
		}
		want := 36 // 33 rows; post-penal-review has four due dates
		if j == "BA" {
			want--
		}
		if len(s.Rules()) != want {
			t.Errorf("%s has %d rules, expected %d", j, len(s.Rules()), want)
		}
		for _, r := range s.Rules() {
			for _, lang := range []string{"en", "mk", "sq", "sr", "bs"} {
				if r.Titles[lang] == "" {
					t.Errorf("%s: rule %s has no title in %s", j, r.ID, lang)
				}
			}
			if r.Source == "" || r.Period == "" || r.Activation == "" || r.Fulfilment == "" || r.Duty == "" {
				t.Errorf("%s: %+v", j, r)
			}
		}
	}
}

func TestTheWrittenDownRuleSetStandsOnItsOwn(t *testing.T) {
	for _, j := range events.Jurisdictions() {
		s := shipped()[j]
		again, err := ParseRules("published", s.JSON)
		if err != nil {
			t.Fatalf("%s: %v", j, err)
		}
		if again.Digest != s.Digest {
			t.Errorf("%s: %s, read again %s", j, s.Digest, again.Digest)
		}
	}
}

// Each mistake in a protocol is named with file, line and rule.
func TestMistakesInAProtocolAreNamed(t *testing.T) {
	whole, err := os.ReadFile("rules/sop-default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, rule, problem string }{
		{"source: Default.", "souce: Default.", "", "unknown field souce"},
		{"    severity: medium\n    duty: prison-treatment\n    toward: directorate", "    severity: grave\n    duty: prison-treatment\n    toward: directorate", "screening", "severity: expected medium, high or critical"},
		{"duty: prison-health", "duty: prison-doctor", "health-continuity", "duty: there is no such role"},
		{"due: {before-release: 45 days}", "due: {before-release: 45 fortnights}", "share-needs-map", "due: expected a period"},
		{"due: {before-release: 45 days}", "due: {after: 45 days}", "share-needs-map", "before-release goes with release-date: known"},
		{"event.risk != 'none'", "event.harm != 'none'", "report-breach", "activation: guard, column 6: undefined field 'harm'"},
		{"event.risk != 'none'", "event.risk", "report-breach", "a guard is true or false"},
		{"event.risk != 'none'", "event.risk !=", "report-breach", "Syntax error"},
		{"{event: HandoverAccepted}", "{event: HandoverTaken}", "handover", "there is no event HandoverTaken in a case"},
		{"match: [event.complaint]", "match: [event.complain]", "decide-complaint", "ComplaintDecided has no field complain"},
		{"match: [event.complaint]", "match: []", "decide-complaint", "match: expected 1 fields"},
		{"from: event.admittedOn", "from: event.institution", "screening", "is no date"},
		{"duty: {party: event.from}", "duty: {party: event.reason}", "answer-request", "is no party"},
		{"- id: assessment\n", "- id: screening\n", "screening", "the id is used twice"},
		{"ends: event.outcome == 'end'", "end: event.outcome == 'end'", "post-penal-review", "unknown field end"},
		{"      en: Handover accepted\n", "      de: Übernommen\n", "handover", "an English title is needed"},
		{"rules:\n", "rules: [\n", "", "not readable"},
	} {
		text := strings.Replace(string(whole), c.from, c.to, 1)
		_, err := ParseRules("own.yaml", []byte(text))
		var mistake *RuleError
		if !errors.As(err, &mistake) {
			t.Errorf("%q: %v", c.to, err)
			continue
		}
		at := strings.Index(string(whole), c.from)
		line := 1 + strings.Count(text[:at], "\n")
		if mistake.Rule != c.rule || !strings.Contains(mistake.Problem, c.problem) || mistake.File != "own.yaml" || mistake.Line < 1 || mistake.Line > line && c.rule != "" {
			t.Errorf("%q in line %d: %v", c.to, line, err)
		}
	}
	for _, text := range []string{"", "protocol: x", "protocol: x\nversion: 1\nsource: s\nextends: sop-mars", "protocol: x\nversion: 1\nsource: s\nextends: sop-default\noff: {no-rule: r}",
		"protocol: x\nversion: 1\nsource: s\nextends: sop-default\nroles: {csw: nobody}", "- a", "protocol: [1"} {
		var mistake *RuleError
		if _, err := ParseRules("own.yaml", []byte(text)); !errors.As(err, &mistake) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func publish(t *testing.T, b *Book, recorded string, from string, text string) *Book {
	s, err := ParseRules("own.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	at := newStory(t, "MK").instant(recorded)
	n, err := b.With(&events.Event{Type: "ProtocolPublished", Jurisdiction: "MK", RecordedAt: at,
		Data: &events.ProtocolPublished{Version: s.Version, EffectiveFrom: day(from), Rules: s.JSON, Digest: s.Digest}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const quicker = `
protocol: sop-mk
version: mk-2
extends: sop-default
source: a test
rules:
  - id: answer-request
    title: {en: Request answered}
    severity: critical
    duty: {party: event.from}
    activation: {event: InformationRequested, about: [event.request]}
    due: {after: 5 working days}
    fulfilment: {event: InformationProvided, match: [event.request]}
`

func TestAnObligationIsJudgedByTheVersionInForceWhenItWasActivated(t *testing.T) {
	s := newStory(t, "MK")
	s.book = publish(t, s.book, "2026-03-04", "2026-03-16", quicker)
	s.on("2026-03-02", requested("old", "normal"))
	s.on("2026-03-13", requested("eve", "normal"))
	s.on("2026-03-16", requested("new", "normal"))
	s.late("2026-03-17", "2026-03-13", requested("late", "normal"))
	s.on("2026-03-18", &events.InformationRefused{Request: "new"})
	s.on("2026-03-18", &events.InformationRefused{Request: "eve"})
	s.want("2026-03-19", "answer-request/old", "2026-03-16 overdue")
	s.want("2026-03-19", "answer-request/eve", "2026-03-30 met on 2026-03-18")
	s.want("2026-03-19", "answer-request/late", "2026-03-30 pending")
	s.want("2026-03-19", "answer-request/new", "2026-03-24 due-soon") // 20 March is Bayram; a refusal is no answer under mk-2
	for id, version := range map[string]string{"answer-request/eve": "sop-mk-1", "answer-request/new": "mk-2"} {
		if o := s.find("2026-03-19", id); o.Protocol != version {
			t.Errorf("%s by %s", id, o.Protocol)
		}
	}
	if got := s.book.Rules("MK", day("2026-03-16")); got[len(got)-10].ID == "" || s.book.InForce("MK", day("2026-03-15")).Version != "sop-mk-1" || s.book.InForce("MK", day("2026-03-16")).Version != "mk-2" {
		t.Error("in force")
	}
}

func TestAVersionPublishedLaterChangesNothingThatWasRecordedBefore(t *testing.T) {
	s := newStory(t, "MK")
	s.on("2026-03-17", requested("r", "normal"))
	before := s.line("2026-03-18", "answer-request/r")
	s.book = publish(t, s.book, "2026-03-20", "2026-03-01", quicker) // backdated
	if after := s.line("2026-03-18", "answer-request/r"); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

func TestADecreeMovesADueDateAsKnownFromThenOn(t *testing.T) {
	s := newStory(t, "MK")
	s.on("2026-03-02", requested("r", "urgent")) // due on Wednesday the 4th
	decreed := s.instant("2026-03-03")
	book, err := s.book.With(&events.Event{Type: "NonWorkingDayDecreed", Jurisdiction: "MK", RecordedAt: decreed, Position: events.At(7),
		Data: &events.NonWorkingDayDecreed{Date: day("2026-03-04"), Name: map[string]string{"en": "Day of mourning"}, Act: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	s.book = book.AsKnown(events.AsOf{Instant: s.instant("2026-03-02 12:00")})
	s.want("2026-03-02 12:00", "answer-request/r", "2026-03-04 due-soon")
	s.book = book.AsKnown(events.AsOf{Instant: decreed})
	s.want("2026-03-03", "answer-request/r", "2026-03-05 due-soon")
	x, _ := s.known(decreed).Explain("answer-request/r", decreed)
	if len(x.Steps) != 1 || len(x.Steps[0].Skipped) != 1 || x.Steps[0].Skipped[0].Name != "Day of mourning" {
		t.Errorf("%+v", x.Steps)
	}
}

func TestAPublishedProtocolMustFitItsDigest(t *testing.T) {
	_, err := NewBook().With(&events.Event{Type: "ProtocolPublished", Jurisdiction: "MK",
		Data: &events.ProtocolPublished{Version: "x", EffectiveFrom: day("2026-01-01"), Rules: shipped()["MK"].JSON, Digest: "sha256:00"}})
	if !errors.Is(err, ErrDigest) {
		t.Errorf("got %v", err)
	}
	var mistake *RuleError
	_, err = NewBook().With(&events.Event{Type: "ProtocolPublished", Jurisdiction: "MK", Data: &events.ProtocolPublished{Version: "x", Rules: []byte(`{"protocol":"x"}`)}})
	if !errors.As(err, &mistake) {
		t.Errorf("got %v", err)
	}
}
