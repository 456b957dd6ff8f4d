package simulate_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/record"
	"traga.internal/handlers/simulate"
)

func newRecorder(store events.Store, clock func() time.Time) *record.Recorder {
	book := protocol.NewBook()
	return record.New(store, book, record.WithClock(clock),
		record.WithDuties(func() record.Duties { return protocol.NewTracker(book) }))
}

// keep is a store that stays open after the run.
type keep struct{ events.Store }

func (keep) Close() error { return nil }

// setup runs in memory; the store can be read afterwards.
func setup(store *events.Store) simulate.Setup {
	return simulate.Setup{
		Store: func(_ context.Context, clock func() time.Time) (events.Store, error) {
			if *store == nil {
				*store = memstore.New(clock)
			}
			return keep{*store}, nil
		},
		Recorder: newRecorder,
		Book:     protocol.NewBook(),
	}
}

func read(t *testing.T, name, text string) *simulate.Scenario {
	t.Helper()
	return must(t)(simulate.Read(name, stringsReader(text)))
}

func must(t *testing.T) func(*simulate.Scenario, error) *simulate.Scenario {
	return func(s *simulate.Scenario, err error) *simulate.Scenario {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func open(t *testing.T, path string) *simulate.Scenario {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := simulate.Read(path, f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scenarioFiles(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/scenarios/*.ndjson")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d scenarios, %v", len(paths), err)
	}
	return paths
}

// all reads the whole log.
func all(t *testing.T, store events.Store) []*events.Event {
	t.Helper()
	var log []*events.Event
	for after := events.Start; ; {
		page, err := store.ReadAll(t.Context(), after, 500, events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Events {
			e, err := events.Decode(&r)
			if err != nil {
				t.Fatal(err)
			}
			log = append(log, e)
		}
		if after = page.Scanned; !page.More {
			return log
		}
	}
}
