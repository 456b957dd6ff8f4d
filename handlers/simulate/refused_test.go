package simulate_test

import (
	"strings"
	"testing"

	"traga.internal/events"
	"traga.internal/handlers/simulate"
)

// "Unknown fields, duplicate or case-variant keys, invalid UTF-8 [...]: refused" (interfaces.md, "The action
// record"): a line may expect that as it expects any other refusal. The line's own fields must be right.
func TestUnreadableActionsAreRefusedAsInvalid(t *testing.T) {
	line := func(extra, data string) string {
		return action("SubjectInformed", "2026-01-12T10:00:00+01:00", extra+`,"expect":"refused","because":["invalid"]`, data)
	}
	informed := `{"notice":"n","language":"mk","interpreter":false}`
	text := opened + "}\n" +
		line("", `{"notice":"n","notice":"n","language":"mk","interpreter":false}`) +
		line(`,"type":"SubjectInformed"`, informed) +
		line(`,"Purpose":"oversight"`, informed) +
		line("", "{\"notice\":\"n\xff\",\"language\":\"mk\",\"interpreter\":false}") +
		line(",\"n\xff\":1", informed)
	var store events.Store
	result, err := simulate.Run(t.Context(), setup(&store), read(t, "f.ndjson", text))
	if err != nil || !result.OK() || result.Recorded != 1 || result.Refused != 5 {
		t.Errorf("%+v, %v", result, err)
	}
	for text, want := range map[string]string{
		line(`,"expect":"refused"`, informed):                                           "f.ndjson:1: expect: expected each field once",
		action("SubjectInformed", "2026-01-12T10:00:00+01:00", `,"type":"x"`, informed): "f.ndjson:1: type: expected each field once",
		"[1]\n":         "f.ndjson:1: expected an object",
		"{\"a\":1\n":    "f.ndjson:1: ",
		opened + "}}\n": "f.ndjson:1: ",
	} {
		if _, err := simulate.Read("f.ndjson", strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// CaseConsulted, AccessDenied and ExportProduced are of "any" role (catalogue.yaml, access), and HR02 is judged by
// them: a scenario tells who looked, in a stream of its own. The role system is none of the institutions.
func TestScenarioTellsWhoLooked(t *testing.T) {
	look := func(role, extra string) string {
		return `{"case":"MK-2026-0900","type":"CaseConsulted","recordedAt":"2026-01-12T10:00:00+01:00","actor":{"officer":"o","role":"` + role +
			`","institution":"mk-x"},"data":{"view":"timeline","justification":"yearly review","policy":[]}` + extra + "}\n"
	}
	var store events.Store
	result, err := simulate.Run(t.Context(), setup(&store), read(t, "f.ndjson", opened+"}\n"+look("ombudsman", "")+look("system", `,"expect":"refused","because":["not-allowed"]`)))
	if err != nil || !result.OK() {
		t.Fatalf("%+v, %v", result, err)
	}
	log := all(t, store)
	if last := log[len(log)-1]; last.Type != "CaseConsulted" || last.Stream != events.AccessStream("MK-2026-0900") {
		t.Errorf("recorded %s in %s", last.Type, last.Stream)
	}
}
