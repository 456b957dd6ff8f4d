package record_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/record"
)

// stores are the stores that the write path is tried on.
var stores = map[string]func(t testing.TB, clock func() time.Time) events.Store{
	"memory": func(t testing.TB, clock func() time.Time) events.Store { return memstore.New(clock) },
	"sqlite": func(t testing.TB, clock func() time.Time) events.Store {
		s, err := sqlitestore.Open(t.Context(), t.TempDir(), sqlitestore.WithClock(clock))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	},
}

// Every line of the scenarios is accepted, or refused for exactly the reasons that the scenario names.
func TestTheScenariosAreAcceptedAndRefusedAsTheySay(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.ndjson")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	for name, open := range stores {
		for _, file := range files {
			t.Run(name+"/"+strings.TrimSuffix(filepath.Base(file), ".ndjson"), func(t *testing.T) { play(t, open, file) })
		}
	}
}

func play(t *testing.T, open func(testing.TB, func() time.Time) events.Store, file string) {
	var clock time.Time
	now := func() time.Time { return clock }
	store := open(t, now)
	recorder := record.New(store, protocol.NewBook(), record.WithClock(now), duties())
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	accepted, refused := 0, 0
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		for label, id := range labels {
			line = bytes.ReplaceAll(line, []byte(`"@`+label+`"`), []byte(`"`+id+`"`))
		}
		var l struct {
			RecordedAt time.Time `json:"recordedAt"`
			Label      string    `json:"label"`
			Expect     string    `json:"expect"`
			Because    []string  `json:"because"`
		}
		var fields map[string]jsontext.Value
		if err := errors.Join(json.Unmarshal(line, &l), json.Unmarshal(line, &fields)); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"recordedAt", "label", "expect", "because"} {
			delete(fields, f)
		}
		if fields["id"] == nil {
			fields["id"] = jsontext.Value(fmt.Sprintf("%q", uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s:%d", filepath.Base(file), i+1))))
		}
		action, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		clock = l.RecordedAt
		before, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		receipt, err := recordLine(t.Context(), recorder, action)
		after, headErr := store.Head(t.Context())
		if headErr != nil {
			t.Fatal(headErr)
		}
		if l.Expect == "" {
			if err != nil {
				t.Errorf("line %d: %v", i+1, err)
				continue
			}
			if !receipt.RecordedAt.Equal(l.RecordedAt) || after == before {
				t.Errorf("line %d: %+v", i+1, receipt)
			}
			labels[l.Label] = receipt.ID.String()
			accepted++
			continue
		}
		refused++
		var r *casefile.Refusal
		if !errors.As(err, &r) {
			t.Errorf("line %d was recorded: %v", i+1, err)
			continue
		}
		if l.Because != nil && !slices.Equal(r.Because, l.Because) {
			t.Errorf("line %d: refused because of %v, the scenario says %v: %v", i+1, r.Because, l.Because, r)
		}
		if after != before {
			t.Errorf("line %d was refused and left something behind", i+1)
		}
	}
	if accepted == 0 {
		t.Error("nothing was recorded")
	}
	t.Logf("%d recorded, %d refused", accepted, refused)
}

func recordLine(ctx context.Context, r *record.Recorder, line []byte) (record.Receipt, error) {
	a, err := record.Parse(line)
	if err != nil {
		return record.Receipt{}, err
	}
	return r.RecordInternal(ctx, a, record.AnyRevision)
}
