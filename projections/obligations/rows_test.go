package obligations_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
)

// The rows are the same whatever the writer happened to remember: written in one transaction, in many, in many by
// programs that were ended and begun again between them, and with hardly a case in memory.
func TestRowsDoNotDependOnHowTheyCameAbout(t *testing.T) {
	for seed := range uint64(3) {
		store, log := aLog(t, 50+seed, 8)
		for name, p := range map[string]projections.Projection{"invented": invented(randomObligations), "protocol": obligations.Projection()} {
			want := rowsOf(t, open(t, t.TempDir(), store, p))
			if len(want) < 100 {
				t.Fatalf("only %d rows", len(want))
			}
			got := map[string][]string{
				"in small transactions": rowsOf(t, open(t, t.TempDir(), store, p, projections.WithPage(7))),
				"with little memory":    rowsOf(t, open(t, t.TempDir(), store, p, projections.WithPage(20), projections.WithMemory(10))),
				"interrupted":           rowsOf(t, interrupted(t, len(log), p, store)),
			}
			for how, rows := range got {
				if !slices.Equal(rows, want) {
					t.Errorf("seed %d, %s, %s: %d rows, other than the %d written at once", seed, name, how, len(rows), len(want))
				}
			}
		}
	}
}

// interrupted builds the projection by engines that are stopped after a few transactions each.
func interrupted(t *testing.T, n int, p projections.Projection, store events.Store) *projections.Engine {
	t.Helper()
	dir := t.TempDir()
	for {
		e, err := projections.Open(context.Background(), dir, store, protocol.NewBook(), []projections.Projection{p}, projections.WithPage(max(1, n/23)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		commits := 0
		err = e.CatchUp(ctx, func(projections.Progress) {
			if commits++; commits == 3 {
				cancel()
			}
		})
		cancel()
		if err == nil {
			t.Cleanup(func() { e.Close() })
			return e
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// rowsOf are all rows of the projection's tables, sorted.
func rowsOf(t *testing.T, e *projections.Engine) []string {
	t.Helper()
	var all []string
	err := e.View(t.Context(), obligations.Name, func(v *projections.View) error {
		for _, query := range []string{
			"SELECT 'current', case_id, obligation, warn_from, watch_from, hex(body) FROM {current}",
			"SELECT 'past', node, alert_from, until_at, 0, hex(body) FROM {past}",
			"SELECT 'tally', jurisdiction, rule, outcome, 0, n FROM {tally} WHERE n <> 0",
		} {
			rows, err := v.Query(t.Context(), query)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var c [6]any
				if err := rows.Scan(&c[0], &c[1], &c[2], &c[3], &c[4], &c[5]); err != nil {
					return err
				}
				all = append(all, fmt.Sprint(c[:]...))
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}
