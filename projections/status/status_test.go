package status_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/internal/testlog"
	"traga.internal/projections/status"
)

func aLog(t *testing.T) (*memstore.Store, []*events.Event) {
	t.Helper()
	clock := new(testlog.Clock)
	store := memstore.New(clock.Now)
	t.Cleanup(func() { store.Close() })
	if err := testlog.Write(t.Context(), store, clock, testlog.Plan(3, 15, 300*24*time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	var log []*events.Event
	for after, more := events.Start, true; more; {
		page, err := store.ReadAll(t.Context(), after, 1000, events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Events {
			e, err := events.Decode(&page.Events[i])
			if err != nil {
				t.Fatal(err)
			}
			log = append(log, e)
		}
		after, more = page.Scanned, page.More
	}
	return store, log
}

// folded is the list of cases, worked out from each case's whole history.
func folded(log []*events.Event, asOf events.AsOf) []status.Case {
	byCase := make(map[string][]*events.Event)
	for _, e := range log {
		if asOf.Includes(e.RecordedAt, e.Position) {
			byCase[e.Case] = append(byCase[e.Case], e)
		}
	}
	list := []status.Case{}
	for number, all := range byCase {
		h, tracker := new(history.History), protocol.NewTracker(protocol.NewBook())
		for _, e := range all {
			h.Evolve(e)
			tracker.Evolve(e)
		}
		last := all[len(all)-1]
		c := status.Case{Case: number, Jurisdiction: last.Jurisdiction, Status: "open", Phase: "intake", Group: []string{}, Revision: last.Revision,
			Position: last.Position, ChangedAt: last.RecordedAt, OpenedAt: all[0].RecordedAt}
		if d := tracker.ReleaseDate(); d != 0 {
			c.ReleaseDate = &d
		}
		if d := tracker.ReleasedOn(); d != 0 {
			c.ReleasedOn = &d
		}
		if r := tracker.RiskLevel(); r != "" {
			c.RiskLevel = &r
		}
		phases := map[string]string{"TreatmentPlanAdopted": "treatment", "PreReleasePlanningOpened": "pre-release", "PersonReleased": "released", "PostPenalPlanAdopted": "post-penal"}
		order := []string{"intake", "treatment", "pre-release", "released", "post-penal"}
		reached := "intake"
		for _, e := range h.Occurred() {
			if !e.Stands() {
				continue
			}
			if p := phases[e.Type]; slices.Index(order, p) > slices.Index(order, reached) {
				reached = p
			}
			switch d := e.Now.(type) {
			case *events.CaseOpened:
				c.Institution = d.Institution
			case *events.SpecificGroupRecorded:
				c.Group = append(c.Group, d.Group)
			case *events.CaseClosed:
				c.Status = "closed"
			case *events.CaseReopened:
				c.Status = "open"
			}
		}
		if c.Phase = reached; c.Status == "closed" {
			c.Phase = "closed"
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b status.Case) int { return strings.Compare(a.Case, b.Case) })
	return list
}

// The list of cases at any instant or position is what one finds by folding each case up to there; and it is the
// same by pages.
func TestTheListIsThatOfEachCaseFolded(t *testing.T) {
	store, log := aLog(t)
	e, err := projections.Open(context.Background(), t.TempDir(), store, protocol.NewBook(), []projections.Projection{status.Projection()},
		projections.WithPage(200), projections.WithMemory(300))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	phases := make(map[string]bool)
	for round := range 40 {
		var q status.Query
		at := log[r.IntN(len(log))]
		switch round % 3 {
		case 1:
			q.AsOf.Instant = at.RecordedAt
		case 2:
			q.AsOf.Position = at.Position
		}
		want := folded(log, q.AsOf)
		for _, c := range want {
			phases[c.Phase] = true
		}
		switch r.IntN(4) {
		case 0:
			q.Status = "closed"
			want = slices.DeleteFunc(want, func(c status.Case) bool { return c.Status != "closed" })
		case 1:
			q.Jurisdiction, q.Text = "MK", "-2024-0000"
			want = slices.DeleteFunc(want, func(c status.Case) bool { return c.Jurisdiction != "MK" || !strings.Contains(c.Case, "-2024-0000") })
		}
		for _, q.Limit = range []int{0, 3} {
			got := []status.Case{}
			for q.Cursor = ""; ; {
				list, next, err := status.List(t.Context(), e, q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, list...)
				if q.Cursor = next; next == "" {
					break
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v:\n got %s\nwant %s", q, show(got), show(want))
			}
		}
	}
	if len(phases) != 6 {
		t.Errorf("only the phases %v were seen", phases)
	}
}

func show(list []status.Case) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "\n%s %s %s %s %v %v %v %v r%d p%s %s", c.Case, c.Institution, c.Status, c.Phase, c.ReleaseDate, c.ReleasedOn, c.RiskLevel, c.Group, c.Revision, c.Position, c.ChangedAt)
	}
	return b.String()
}
