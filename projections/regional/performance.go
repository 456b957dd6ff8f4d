package regional

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
)

// Performance is how the duties of one cell were met. Where Suppressed is true all the rest is null; Waived,
// Cancelled and MedianLeadDays can be null by themselves. The package's comment defines the figures.
type Performance struct {
	// Due is how many fell due: Met, MetLate, Missed and Overdue together.
	Due     *int `json:"due"`
	Met     *int `json:"met"`
	MetLate *int `json:"metLate"`
	Missed  *int `json:"missed"`
	Overdue *int `json:"overdue"`
	// The shares are of Due, from 0 to 1, to four decimals. ShareMissed is that of Missed and Overdue together.
	ShareMet     *float64 `json:"shareMet"`
	ShareMetLate *float64 `json:"shareMetLate"`
	ShareMissed  *float64 `json:"shareMissed"`
	// MedianLeadDays is the median of the days from doing the duty to its due date, negative when done after it.
	MedianLeadDays *float64 `json:"medianLeadDays"`
	// Waived and Cancelled are not in Due.
	Waived     *int `json:"waived"`
	Cancelled  *int `json:"cancelled"`
	Suppressed bool `json:"suppressed"`
}

// PeriodPerformance is the performance of what fell due in one period.
type PeriodPerformance struct {
	// Period is a year such as 2025, or a quarter such as 2025-Q3.
	Period string `json:"period"`
	Performance
}

// node is a cell: what became of the obligations of a rule in a jurisdiction and a period, or a total of such.
type node struct {
	due, waived, cancelled, done  tally
	met, metLate, missed, overdue int
	leads                         []int32
	parts                         []*node
}

func (n *node) add(d *obligations.Decided) {
	switch d.State {
	case protocol.Waived:
		n.waived.add(d.Case)
		return
	case protocol.Cancelled:
		n.cancelled.add(d.Case)
		return
	case protocol.Met:
		n.met++
	case protocol.MetLate:
		n.metLate++
	case protocol.Missed:
		n.missed++
	default:
		n.overdue++
	}
	n.due.add(d.Case)
	if d.State == protocol.Met || d.State == protocol.MetLate {
		n.done.add(d.Case)
		n.leads = append(n.leads, int32(d.Due-d.MetOn))
	}
}

// sum makes a node the total of its parts.
func (n *node) sum() {
	for _, p := range n.parts {
		n.due.addAll(&p.due)
		n.waived.addAll(&p.waived)
		n.cancelled.addAll(&p.cancelled)
		n.done.addAll(&p.done)
		n.met, n.metLate, n.missed, n.overdue = n.met+p.met, n.metLate+p.metLate, n.missed+p.missed, n.overdue+p.overdue
		n.leads = append(n.leads, p.leads...)
	}
}

// walk calls fn for a node and all below it.
func (n *node) walk(fn func(*node)) {
	fn(n)
	for _, p := range n.parts {
		p.walk(fn)
	}
}

// figures are what is shown of a node.
func (n *node) figures() Performance {
	if n.due.hidden {
		return Performance{Suppressed: true}
	}
	share := func(part int) *float64 {
		s := math.Round(float64(part)/float64(n.due.n)*10000) / 10000
		return &s
	}
	count := func(n int) *int { return &n }
	p := Performance{Due: n.due.shown(), Met: count(n.met), MetLate: count(n.metLate), Missed: count(n.missed), Overdue: count(n.overdue),
		ShareMet: share(n.met), ShareMetLate: share(n.metLate), ShareMissed: share(n.missed + n.overdue),
		Waived: n.waived.shown(), Cancelled: n.cancelled.shown()}
	if !n.done.small() {
		m := median(n.leads)
		p.MedianLeadDays = &m
	}
	return p
}

// median of at least one number; of an even number of them the mean of the two in the middle. It sorts them.
func median(days []int32) float64 {
	slices.Sort(days)
	half := len(days) / 2
	if len(days)%2 == 1 {
		return float64(days[half])
	}
	return float64(days[half-1]+days[half]) / 2
}

// record is the performance of all rules, with what is not to be shown hidden.
type record struct {
	rules map[string]*rule
	// years is what fell due in each year, over all rules and jurisdictions; from and to are the first and the last
	// year listed, from is after to where there is none.
	years    map[int]*tally
	from, to int
}

// rule is the performance of one rule: in all jurisdictions, and in each of them.
type rule struct {
	total node
	lands map[events.Jurisdiction]*land
}

// land is the performance of one rule in one jurisdiction. The total's parts are its years, in order.
type land struct {
	total node
	years map[int]*[4]node
}

// measure counts everything that was decided or overdue as known then.
func measure(ctx context.Context, e *projections.Engine, asOf events.AsOf, now time.Time) (*record, error) {
	r := newRecord()
	if err := obligations.EachDecided(ctx, e, asOf, now, r.add); err != nil {
		return nil, fmt.Errorf("measure how duties were met: %w", err)
	}
	r.finish()
	return r, nil
}

func newRecord() *record { return &record{rules: map[string]*rule{}, years: map[int]*tally{}} }

func (r *record) add(d obligations.Decided) error {
	year, month, _ := d.Due.Civil()
	l := r.rule(d.Rule).lands[d.Jurisdiction]
	if l == nil {
		return fmt.Errorf("an obligation is of jurisdiction %s, which is none of the six", d.Jurisdiction)
	}
	if l.years[year] == nil {
		l.years[year] = new([4]node)
	}
	l.years[year][(month-1)/3].add(&d)
	if d.State != protocol.Waived && d.State != protocol.Cancelled {
		if r.years[year] == nil {
			r.years[year] = new(tally)
		}
		r.years[year].add(d.Case)
	}
	return nil
}

// finish settles what is listed and what is hidden, once everything has been added.
func (r *record) finish() {
	r.from, r.to = math.MaxInt, math.MinInt
	for year, t := range r.years {
		if !t.small() {
			r.from, r.to = min(r.from, year), max(r.to, year)
		}
	}
	for _, rule := range r.rules {
		r.settle(rule)
	}
}

func (r *record) rule(id string) *rule {
	n := r.rules[id]
	if n == nil {
		n = &rule{lands: map[events.Jurisdiction]*land{}}
		for _, j := range events.Jurisdictions() {
			n.lands[j] = &land{years: map[int]*[4]node{}}
		}
		r.rules[id] = n
	}
	return n
}

// settle makes the totals of a rule and hides what is not to be shown.
func (r *record) settle(rule *rule) {
	for _, j := range events.Jurisdictions() {
		l := rule.lands[j]
		for year := r.from; year <= r.to; year++ {
			if l.years[year] == nil {
				l.years[year] = new([4]node)
			}
		}
		for _, year := range sortedKeys(l.years) {
			y := new(node)
			for q := range l.years[year] {
				y.parts = append(y.parts, &l.years[year][q])
			}
			y.sum()
			// A year that is not listed is among these too: its figures, all small, must not be found by subtraction.
			l.total.parts = append(l.total.parts, y)
		}
		l.total.sum()
		rule.total.parts = append(rule.total.parts, &l.total)
	}
	rule.total.sum()
	protect(&rule.total, func(n *node) *tally { return &n.due })
	rule.total.walk(func(n *node) { n.waived.hidden, n.cancelled.hidden = n.due.hidden, n.due.hidden })
	protect(&rule.total, func(n *node) *tally { return &n.waived })
	protect(&rule.total, func(n *node) *tally { return &n.cancelled })
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// byPeriod are the figures of a rule in a jurisdiction for every period listed.
func (r *record) byPeriod(l *land, p Period) []PeriodPerformance {
	list := []PeriodPerformance{}
	years := l.total.parts
	for i, year := range sortedKeys(l.years) {
		switch {
		case year < r.from || year > r.to:
		case p == Quarters:
			for q, part := range years[i].parts {
				list = append(list, PeriodPerformance{fmt.Sprintf("%d-Q%d", year, q+1), part.figures()})
			}
		default:
			list = append(list, PeriodPerformance{fmt.Sprint(year), years[i].figures()})
		}
	}
	return list
}
