package regional

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections/obligations"
)

// some obligations of one case that were decided alike.
type some struct {
	rule  string
	j     events.Jurisdiction
	id    int64
	n     int
	due   string
	state protocol.State
}

func decided(list ...some) *record {
	r := newRecord()
	for _, s := range list {
		due, err := events.ParseDate(s.due)
		if err != nil {
			panic(err)
		}
		cases := []int64{s.id}
		if s.id == 0 { // of as many cases, others on each day
			cases = nil
			for i := range s.n {
				cases = append(cases, 1000*int64(due)+int64(i))
			}
			s.n = 1
		}
		for _, c := range cases {
			for range s.n {
				if err := r.add(obligations.Decided{Case: c, Jurisdiction: s.j, Rule: s.rule, Due: due, MetOn: due, State: s.state}); err != nil {
					panic(err)
				}
			}
		}
	}
	r.finish()
	return r
}

// many are obligations met, each of a case of its own.
func many(rule string, j events.Jurisdiction, n int, due string) some {
	return some{rule, j, 0, n, due, protocol.Met}
}

// published is everything that anyone can learn of one rule, by asking for years and for quarters: the numbers that
// are shown, by the name of their cell ("", "MK", "MK 2025", "MK 2025-Q1").
func published(r *record, of *rule, number func(Performance) *int) map[string]int {
	shown := map[string]int{}
	see := func(cell string, p Performance) {
		if n := number(p); n != nil {
			shown[cell] = *n
		}
	}
	see("", of.total.figures())
	for j, l := range of.lands {
		see(string(j), l.total.figures())
		for _, p := range []Period{Years, Quarters} {
			for _, f := range r.byPeriod(l, p) {
				see(string(j)+" "+f.Period, f.Performance)
			}
		}
	}
	return shown
}

// No number shown is of fewer than five obligations or cases, and none that is not shown can be found from those
// that are: for each total that is shown, what its hidden parts have together is nothing, or at least two parts
// with together five obligations of five cases. The truth is counted here from the obligations themselves.
func TestNoSmallNumberIsShownOrDerivable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lands := events.Jurisdictions()[:rapid.IntRange(1, 6).Draw(t, "jurisdictions")]
		years := rapid.IntRange(1, 4).Draw(t, "years")
		states := []protocol.State{protocol.Met, protocol.MetLate, protocol.Missed, protocol.Overdue, protocol.Waived, protocol.Cancelled}
		var all []obligations.Decided
		for range rapid.IntRange(0, 40).Draw(t, "batches") {
			j := rapid.SampledFrom(lands).Draw(t, "jurisdiction")
			due := events.DateOf(2022+rapid.IntRange(0, years-1).Draw(t, "year"), time.Month(1+3*rapid.IntRange(0, 3).Draw(t, "quarter")), 15)
			state := rapid.SampledFrom(states).Draw(t, "state")
			person := rapid.IntRange(0, 12).Draw(t, "case")
			alone := rapid.Bool().Draw(t, "one case")
			for i := range rapid.IntRange(1, 9).Draw(t, "n") {
				id := person + i
				if alone {
					id = person
				}
				all = append(all, obligations.Decided{Case: int64(100*int(j[0]+j[1]) + id), Jurisdiction: j, Rule: "r", Due: due, State: state, MetOn: due})
			}
		}
		r := newRecord()
		for _, d := range all {
			if err := r.add(d); err != nil {
				t.Fatal(err)
			}
		}
		r.finish()
		of := r.rules["r"]
		if of == nil {
			return
		}
		for name, measure := range map[string]struct {
			number func(Performance) *int
			counts func(protocol.State) bool
		}{
			"due":       {func(p Performance) *int { return p.Due }, func(s protocol.State) bool { return s != protocol.Waived && s != protocol.Cancelled }},
			"waived":    {func(p Performance) *int { return p.Waived }, func(s protocol.State) bool { return s == protocol.Waived }},
			"cancelled": {func(p Performance) *int { return p.Cancelled }, func(s protocol.State) bool { return s == protocol.Cancelled }},
		} {
			shown := published(r, of, measure.number)
			truth, parts := truth(all, measure.counts)
			for cell, n := range shown {
				if n != truth[cell].n || n < 5 || len(truth[cell].cases) < 5 {
					t.Fatalf("%s of %q: %d is shown, %d of %d cases is true", name, cell, n, truth[cell].n, len(truth[cell].cases))
				}
				rest, hidden, people, anyShown := n, 0, map[int64]bool{}, false
				for part := range parts[cell] {
					if m, ok := shown[part]; ok {
						rest, anyShown = rest-m, true
						continue
					}
					hidden++
					for id := range truth[part].cases {
						people[id] = true
					}
				}
				switch {
				case rest == 0 || len(parts[cell]) == 0:
				case !anyShown: // nothing to subtract: the rest is the total itself
				case rest < 5 || len(people) < 5:
					t.Fatalf("%s: subtracting what is shown from %q leaves %d of %d cases", name, cell, rest, len(people))
				case hidden < 2:
					t.Fatalf("%s: subtracting what is shown from %q gives a cell that is not shown", name, cell)
				}
			}
			// A cell whose total is not shown shows nothing either, so that there is nothing else to combine.
			for cell, below := range parts {
				for part := range below {
					_, total := shown[cell]
					if _, ok := shown[part]; ok && !total {
						t.Fatalf("%s: %q is shown, %q is not", name, part, cell)
					}
				}
			}
		}
	})
}

type counted struct {
	n     int
	cases map[int64]bool
}

// truth counts every cell, and says which cells that are not empty are its parts.
func truth(all []obligations.Decided, counts func(protocol.State) bool) (map[string]counted, map[string]map[string]bool) {
	cells, parts := map[string]counted{}, map[string]map[string]bool{}
	for _, d := range all {
		if !counts(d.State) {
			continue
		}
		y, m, _ := d.Due.Civil()
		path := []string{"", string(d.Jurisdiction), fmt.Sprintf("%s %d", d.Jurisdiction, y), fmt.Sprintf("%s %d-Q%d", d.Jurisdiction, y, (m+2)/3)}
		for i, cell := range path {
			c := cells[cell]
			if c.cases == nil {
				c.cases = map[int64]bool{}
			}
			c.n++
			c.cases[d.Case] = true
			cells[cell] = c
			if i > 0 {
				if parts[path[i-1]] == nil {
					parts[path[i-1]] = map[string]bool{}
				}
				parts[path[i-1]][cell] = true
			}
		}
	}
	return cells, parts
}
