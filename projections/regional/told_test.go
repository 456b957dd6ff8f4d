package regional

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
)

var update = flag.Bool("update", false, "write the golden files anew")

// told is a log that the test tells, on a clock that it sets.
type told struct {
	t     testing.TB
	store *memstore.Store
	clock time.Time
	n     int
}

func tell(t testing.TB) *told {
	w := &told{t: t, clock: instant("2025-01-06T09:00:00+01:00")}
	w.store = memstore.New(func() time.Time { return w.clock })
	return w
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// on moves the clock to nine in the morning of a day.
func (w *told) on(day string) *told {
	w.clock = instant(day + "T09:00:00+01:00")
	return w
}

var prisons = map[string]events.Institution{"AL": "al-prison-fushe-kruje", "BA": "ba-bih-prison-vojkovici", "ME": "me-prison-spuz",
	"MK": "mk-prison-idrizovo", "RS": "rs-prison-sremska", "XK": "xk-prison-dubrave"}

func (w *told) say(number, officer string, data any) uuid.UUID {
	w.t.Helper()
	return w.record(&events.Event{Case: number, Actor: events.Actor{Officer: officer, Role: events.PrisonTreatment, Institution: prisons[number[:2]]}, Data: data},
		events.CaseStream(number))
}

func (w *told) record(e *events.Event, stream string) uuid.UUID {
	w.t.Helper()
	w.n++
	e.ID, e.Type, e.OccurredAt = events.DeriveID("told", fmt.Sprint(w.n)), reflect.TypeOf(e.Data).Elem().Name(), w.clock
	p, err := events.Encode(e)
	must(w.t, err)
	_, err = w.store.Append(w.t.Context(), stream, events.Any, p)
	must(w.t, err)
	return e.ID
}

// open opens so many cases in a jurisdiction today, and returns their numbers.
func (w *told) open(j string, first, n int) []string {
	w.t.Helper()
	var numbers []string
	for i := range n {
		number := fmt.Sprintf("%s-2025-%04d", j, first+i)
		w.say(number, "a.petrova", &events.CaseOpened{Subject: "s", Name: "N", DateOfBirth: events.DateOf(1990, 1, 1), Sex: "m", Reason: "convicted",
			Institution: prisons[j], AdmittedOn: events.DateIn(w.clock, time.UTC)})
		numbers = append(numbers, number)
	}
	return numbers
}

func (w *told) screen(number, officer, tool string) uuid.UUID {
	return w.say(number, officer, &events.ScreeningCompleted{Tool: tool, ToolVersion: "2", Result: "indicated", Facts: []string{"f"}, Opinions: []string{}})
}

func (w *told) train(j, officer, tool string, from, to events.Date) {
	w.record(&events.Event{Jurisdiction: events.Jurisdiction(j), Data: &events.OfficerTrained{Officer: officer, Tool: tool, Provider: "p", On: from, ValidUntil: to}},
		events.DirectoryStream(events.Jurisdiction(j)))
}

// engine has projected what was told so far.
func (w *told) engine() *projections.Engine { return project(w.t, w.store) }

func project(t testing.TB, store events.Store) *projections.Engine {
	t.Helper()
	e, err := projections.Open(t.Context(), t.TempDir(), store, protocol.NewBook(), []projections.Projection{obligations.Projection(), Projection()})
	must(t, err)
	t.Cleanup(func() { must(t, e.Close()) })
	must(t, e.CatchUp(t.Context(), nil))
	return e
}

func (w *told) matrix(q Query) Comparison {
	w.t.Helper()
	q.Now = w.clock
	c, err := Matrix(w.t.Context(), w.engine(), nil, q)
	must(w.t, err)
	return c
}

func (w *told) tools(q Query) []Tool {
	w.t.Helper()
	q.Now = w.clock
	list, err := Tools(w.t.Context(), w.engine(), q)
	must(w.t, err)
	return list
}

func (c Comparison) row(t testing.TB, rule string) Rule {
	t.Helper()
	for _, r := range c.Rules {
		if r.Rule == rule {
			return r
		}
	}
	t.Fatalf("no row of rule %s", rule)
	return Rule{}
}

func (r Rule) cell(t testing.TB, j events.Jurisdiction) Cell {
	t.Helper()
	for _, c := range r.Cells {
		if c.Jurisdiction == j {
			return c
		}
	}
	t.Fatalf("no cell of %s", j)
	return Cell{}
}

// said is a performance in one line: due = met + late + missed + overdue, the shares, the median, waived and cancelled.
func said(p Performance) string {
	if p.Suppressed {
		if b := jsonOf(p); strings.Count(b, "null") != 11 {
			return "suppressed, but it says " + b
		}
		return "suppressed"
	}
	text := func(v any) string { return strings.TrimSuffix(jsonOf(v), "\n") }
	return fmt.Sprintf("%s = %s + %s + %s + %s; shares %s %s %s; median %s; waived %s, cancelled %s", text(p.Due), text(p.Met), text(p.MetLate), text(p.Missed),
		text(p.Overdue), text(p.ShareMet), text(p.ShareMetLate), text(p.ShareMissed), text(p.MedianLeadDays), text(p.Waived), text(p.Cancelled))
}

func jsonOf(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return b.String()
}

func golden(t *testing.T, name string, got any) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".json")
	text := jsonOf(got)
	if *update {
		must(t, os.WriteFile(file, []byte(text), 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if text != string(want) {
		t.Errorf("%s is not what it was; go test -update writes it anew. Now:\n%s", file, text)
	}
}
