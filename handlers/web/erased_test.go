package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"traga.internal/events"
)

// What was erased is said to be erased, with the entry that is its receipt, on the case's page, on the entry's and in the list,
// in every language.
func TestWhatWasErasedIsShownWithItsReceipt(t *testing.T) {
	const receipt = "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"
	gone := func(c string) string {
		return `{"withheld":{"reason":"erased","category":"` + c + `","receipt":"` + receipt + `"}}`
	}
	level := uuid.New()
	w := newWorld(t, func(ctx context.Context, w *world) {
		metadata := []byte(`{"schema":1,"case":"MK-2026-0001","occurredAt":"2026-03-02T10:00:00Z","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},"correlationId":"` + receipt + `"}`)
		_, err := w.store.Append(ctx, events.CaseStream("MK-2026-0001"), events.NoStream,
			events.Proposed{ID: uuid.New(), Type: "CaseOpened", Metadata: metadata, Data: []byte(`{"subject":"s","name":` + gone("identity") + `,"dateOfBirth":` + gone("identity") + `,"sex":` + gone("identity") + `,"reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}`)},
			events.Proposed{ID: level, Type: "RiskLevelChanged", Metadata: metadata, Data: []byte(`{"from":` + gone("risk") + `,"to":` + gone("risk") + `,"reasons":` + gone("risk") + `,"indicators":` + gone("risk") + `,"decider":"d","automated":false,"reviewBy":"2026-06-01"}`)})
		if err != nil {
			t.Fatal(err)
		}
	})
	for lang, says := range map[string]string{"en": "Erased (risk). Receipt:", "mk": "Избришано (", "sq": "E fshirë (", "sr-Cyrl": "Обрисано (", "sr-Latn": "Obrisano (", "bs": "Obrisano ("} {
		for _, page := range []string{"/cases/MK-2026-0001", "/cases/MK-2026-0001/entries/" + level.String()} {
			got := w.get(t, page+"?lang="+lang)
			if body := got.Body.String(); got.Code != http.StatusOK || !strings.Contains(body, says) || !strings.Contains(body, receipt) {
				t.Errorf("%s in %s: %d, without %q and the receipt", page, lang, got.Code, says)
			}
		}
	}
	for page, says := range map[string]string{"/cases/MK-2026-0001": `<span class="withheld">erased</span>`, "/cases": `<span class="withheld">erased</span>`} {
		if body := w.get(t, page+"?lang=en").Body.String(); !strings.Contains(body, says) {
			t.Errorf("%s does not say of the risk level that it was erased", page)
		}
	}
}
