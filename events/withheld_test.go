package events_test

import (
	"testing"

	"github.com/google/uuid"

	"traga.internal/events"
)

// What is withheld is shown as withheld, with its category and whom to ask, also where the field itself would be left
// out, and inside lists.
func TestWithheldFieldsAreShownAsWithheld(t *testing.T) {
	receipt := uuid.MustParse("5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02")
	for _, c := range []struct {
		name  string
		event events.Event
		want  string
	}{
		{"nothing withheld", events.Event{Data: &events.NotificationAcknowledged{Notification: "n-1"}}, `{"notification":"n-1"}`},
		{"hidden", events.Event{Data: &events.AssessmentContested{Assessment: "a-1"},
			Withheld: []events.Withheld{{Pointer: "/grounds", Category: events.Risk, Reason: events.Hidden, Ask: events.PrisonTreatment}}},
			`{"assessment":"a-1","grounds":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}}}`},
		{"erased and left out when empty", events.Event{Data: &events.AccommodationArranged{Kind: "family"},
			Withheld: []events.Withheld{{Pointer: "/address", Category: events.Housing, Reason: events.Erased, Receipt: receipt}}},
			`{"kind":"family","address":{"withheld":{"reason":"erased","category":"housing","receipt":"` + receipt.String() + `"}}}`},
		{"in a list", events.Event{Data: &events.NeedsMapDrafted{NeedsMap: "m", Version: 1, Needs: []events.Need{{Domain: events.Health, Level: "high"}, {Domain: events.Housing, Level: "some", Note: "<a>"}}},
			Withheld: []events.Withheld{{Pointer: "/needs/0/note", Category: events.Health, Reason: events.Hidden, Ask: events.PrisonHealth}}},
			`{"needsMap":"m","version":1,"needs":[{"domain":"health","level":"high","note":{"withheld":{"reason":"hidden","category":"health","ask":"prison-health"}}},` +
				`{"domain":"housing","level":"some","note":"<a>"}]}`},
	} {
		got, err := c.event.Shown()
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %s %v\nwant %s", c.name, got, err, c.want)
		}
	}
}
