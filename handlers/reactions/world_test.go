package reactions_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/reactions"
	"traga.internal/handlers/record"
	"traga.internal/projections/obligations"
)

// secretCase is a case number that no receiver of an alert may ever see.
const secretCase = "MK-2026-7777"

// world is a log, the alerts that stand, and what the reactions said of themselves.
type world struct {
	t        *testing.T
	dir      string // of the journal
	store    *memstore.Store
	recorder *record.Recorder
	inbound  reactions.Recorder // what records that come from brokers go to; the recorder when nil
	clock    func() time.Time
	logged   *lines

	mu       sync.Mutex
	alerts   []obligations.Alert
	outcomes map[string]int
	opened   map[string]bool
}

// lines is what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), store: memstore.New(nil), clock: time.Now, logged: &lines{}, outcomes: map[string]int{}, opened: map[string]bool{}}
	w.recorder = record.New(w.store, protocol.NewBook())
	t.Cleanup(func() {
		for _, private := range []string{secretCase, "Hidden Name", "prisoner-1", "person@"} {
			if strings.Contains(w.logged.String(), private) {
				t.Errorf("the logs hold %q:\n%s", private, w.logged)
			}
		}
	})
	return w
}

// stand sets the alerts that stand.
func (w *world) stand(alerts ...obligations.Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alerts = alerts
}

func (w *world) count(channel, outcome string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outcomes[channel+" "+outcome]
}

// start runs the reactions of a section, and returns how to stop them.
func (w *world) start(section string, publishers ...reactions.Publisher) (stop func()) {
	w.t.Helper()
	if !strings.Contains(section, "retry:") {
		section = "retry: {first: 2ms, longest: 20ms}\n" + section
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(section), &node); err != nil {
		w.t.Fatal(err)
	}
	settings, err := reactions.ParseSettings(&node)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.inbound == nil {
		w.inbound = w.recorder
	}
	journal := w.journal()
	ctx, cancel := context.WithCancel(w.t.Context())
	r, err := reactions.New(ctx, reactions.Config{Settings: settings, Journal: journal, Events: w.store, Recorder: w.inbound, Clock: w.clock,
		Log:  slog.New(slog.NewTextHandler(w.logged, nil)),
		Book: func(context.Context) (*protocol.Book, error) { return protocol.NewBook(), nil },
		Alerts: func(ctx context.Context, _ time.Time) ([]obligations.Alert, events.Position, error) {
			head, err := w.store.Head(ctx)
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.alerts, head, err
		},
		Observe: func(channel, outcome string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.outcomes[channel+" "+outcome]++
		},
		Publishers: publishers})
	if err != nil {
		w.t.Fatal(err)
	}
	r.Hurry()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		if err := journal.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// journal opens the journal beside whoever has it open.
func (w *world) journal() *reactions.Journal {
	w.t.Helper()
	j, err := reactions.OpenJournal(context.WithoutCancel(w.t.Context()), w.dir, w.clock)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// ask opens the journal, asks it something, and closes it.
func ask[T any](w *world, question func(*reactions.Journal) (T, error)) T {
	w.t.Helper()
	j := w.journal()
	defer j.Close()
	answer, err := question(j)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func (w *world) parked() []reactions.Parked {
	w.t.Helper()
	return ask(w, func(j *reactions.Journal) ([]reactions.Parked, error) { return j.Parked(w.t.Context(), "") })
}

func (w *world) attempts() []reactions.Attempt {
	w.t.Helper()
	return ask(w, func(j *reactions.Journal) ([]reactions.Attempt, error) { return j.Attempts(w.t.Context(), "", 1000) })
}

func (w *world) replay(numbers ...int64) {
	w.t.Helper()
	ask(w, func(j *reactions.Journal) (bool, error) { return true, j.Replay(w.t.Context(), numbers...) })
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// overdue is an alert on a duty of the secret case.
func overdue(obligation string, escalation int) obligations.Alert {
	holder, toward := events.Institution("mk-prison-idrizovo"), events.CSW
	return obligations.Alert{Case: secretCase, Obligation: obligation, Rule: "notify-csw", Duty: events.PrisonTreatment, DutyHolder: &holder, Toward: &toward,
		Due: "2026-03-02", State: protocol.Overdue, Severity: protocol.High, Escalation: escalation, Jurisdiction: "MK",
		OverdueFrom: time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC)}
}

// file writes a file and returns its path.
func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// record puts events on record: n of each of the cases, in turns.
func (w *world) record(cases, n int) {
	w.t.Helper()
	for i := range n {
		for c := range cases {
			number := fmt.Sprintf("MK-2026-%04d", c+1)
			line := fmt.Sprintf(`{"case":%q,"type":"SupportProvided","actor":{"officer":"o.person","role":"csw","institution":"mk-csw-skopje"},"data":{"service":"Hidden Name %d"}}`, number, i)
			if !w.opened[number] {
				w.opened[number] = true
				line = fmt.Sprintf(`{"case":%q,"type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
					"data":{"subject":"prisoner-1","name":"Hidden Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`, number)
			}
			a, err := record.Parse([]byte(line))
			if err == nil {
				_, err = w.recorder.Record(w.t.Context(), a, record.AnyRevision)
			}
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
}
