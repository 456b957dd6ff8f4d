package protocol

import "testing"

// A jurisdiction overrides a period by naming the rule and its due date; all else stays as inherited.
func TestAnOverlayChangesOnlyWhatItNames(t *testing.T) {
	changed, err := ParseRules("test.yaml", []byte(`
protocol: sop-al
version: al-2
extends: sop-default
jurisdiction: AL
source: Decision 1/2026
roles: {csw: municipality}
rules:
  - id: notify-csw
    source: toward
    due: {before-release: 100 days}
`))
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]Rule{}
	for _, r := range NewBook().Rules("AL", 0) {
		before[r.ID+r.Period] = r
	}
	found := false
	for _, r := range changed.Rules() {
		if r.ID == "notify-csw" {
			found = true
			was := before["notify-csw90 days before release"]
			if r.Period != "100 days before release" || r.Source != "toward" {
				t.Errorf("got %s, %s", r.Period, r.Source)
			}
			if r.Duty != was.Duty || r.Toward != "municipality" || r.Fulfilment != was.Fulfilment || r.Severity != was.Severity || r.Titles["en"] != was.Titles["en"] {
				t.Errorf("more was changed than was named: %+v, was %+v", r, was)
			}
			continue
		}
		if was, ok := before[r.ID+r.Period]; !ok || was.Duty != r.Duty || was.Toward != r.Toward || was.Fulfilment != r.Fulfilment {
			t.Errorf("%s was changed without being named", r.ID)
		}
	}
	if !found || len(changed.Rules()) != len(before) {
		t.Errorf("%d rules, notify-csw there: %v; expected %d", len(changed.Rules()), found, len(before))
	}
}
