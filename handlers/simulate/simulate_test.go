package simulate_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"


	"traga.internal/events"
	"traga.internal/handlers/simulate"
)

func stringsReader(s string) io.Reader { return strings.NewReader(s) }

// TestScenarios runs every scenario: each expectation of its lines holds.
func TestScenarios(t *testing.T) {
	for _, path := range scenarioFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var store events.Store
			result, err := simulate.Run(t.Context(), setup(&store), open(t, path))
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range result.Unmet {
				t.Error(u)
			}
			log := all(t, store)
			if first := log[0]; first.Stream != events.StoreStream || first.Type != "StoreSimulated" || !first.RecordedAt.Equal(result.From) {
				t.Errorf("the first event is %s in %s at %v, want StoreSimulated in store at %v", first.Type, first.Stream, first.RecordedAt, result.From)
			}
			if got := len(log) - 1 - result.Watched; got != result.Recorded {
				t.Errorf("the log holds %d events of lines, want %d", got, result.Recorded)
			}
		})
	}
}
