package simulate_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"traga.internal/handlers/simulate"
)

// FuzzRead: whatever a file holds, reading it gives a scenario or says which lines are at fault.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"testdata/scenarios/03-health-to-employment.ndjson", "testdata/scenarios/08-corrections.ndjson"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i, line := range bytes.SplitAfter(text, []byte("\n")) {
			if i%4 == 0 {
				f.Add(line)
			}
		}
	}
	f.Add([]byte(opened + `,"label":"a"}` + "\n" + action("FindingRecorded", "2026-01-12T09:00:00+01:00", `,"causationId":"@a"`, `{"events":["@a","@b"],"about":"@a","replacement":{"events":[1,"@a"],"target":"@a"}}`)))
	f.Add([]byte(`{"data":{"target":"@` + "\xff" + `"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := simulate.Read("f.ndjson", bytes.NewReader(text))
		if err == nil {
			if s.Len() == 0 {
				t.Error("a scenario without lines")
			}
			return
		}
		var bad *simulate.InputError
		if !errors.As(err, &bad) || len(bad.Problems) == 0 || bad.Problems[0].Line < 1 || bad.Problems[0].Message == "" {
			t.Errorf("unhelpful error: %v", err)
		}
	})
}
