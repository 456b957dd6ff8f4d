package projections_test

import (
	"slices"
	"testing"
	"time"

	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/internal/testlog"
)

// rows are the lines of a journal with their cases.
func rows(t *testing.T, e *projections.Engine) []string {
	t.Helper()
	var list []string
	err := e.View(t.Context(), "a", func(v *projections.View) error {
		rows, err := v.Query(t.Context(), "SELECT position || ' ' || number || ' ' || revision FROM {line} ORDER BY position")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			list = append(list, s)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A read model that meets another log than it was built from, of whatever length, holds nothing of the old one after
// it has caught up; and one that meets the same log goes on where it was.
func TestAnotherLogIsNotGoneOnFrom(t *testing.T) {
	set := []projections.Projection{(&journal{name: "a"}).projection()}
	dir := t.TempDir()
	first, n := aLog(t, 5)
	e := open(t, dir, first, set)
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir, first, set)
	again := 0
	if err := e.CatchUp(t.Context(), func(p projections.Progress) { again = p.Events }); err != nil || again > 0 {
		t.Errorf("on the same log %d events were read again, %v", again, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, cases := range []int{3, 9} {
		clock := new(testlog.Clock)
		other := memstore.New(clock.Now)
		t.Cleanup(func() { other.Close() })
		plan := testlog.Plan(uint64(cases), cases, 200*24*time.Hour)
		if err := testlog.Write(t.Context(), other, clock, plan, 1); err != nil {
			t.Fatal(err)
		}
		if cases == 3 && len(plan) >= n || cases == 9 && len(plan) <= n {
			t.Fatalf("the other log has %d events, the first had %d", len(plan), n)
		}
		fresh := open(t, t.TempDir(), other, set)
		e = open(t, dir, other, set)
		for _, e := range []*projections.Engine{fresh, e} {
			if err := e.CatchUp(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := rows(t, e), rows(t, fresh); !slices.Equal(got, want) || len(got) != len(plan) {
			t.Errorf("on another log of %d events the read model holds %d lines", len(want), len(got))
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
