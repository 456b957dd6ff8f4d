package caseload

import (
	"container/heap"
	"iter"
	"math/rand/v2"
	"strconv"
	"time"

	"traga.internal/events"
)

// The days between which the cases of a large log begin. Their ends come later; with the last of them the log
// stays in the past, so that it can be served and recorded to like any other.
var streamEnds = events.DateOf(2023, time.September, 30)

const (
	streamDays   = 2000 // at most
	stepsPerCase = 48   // less than an average case has, so that the cases suffice
)

// Stream yields a log of n steps in the order of recording: the same scripts as a caseload's, of as many cases as it
// takes, which overlap over up to eight years. It begins with the directory. Its cost per step does not grow with n,
// and it holds only the cases that are under way in memory. The same seed and n give the same log. A yielded error
// is terminal.
func Stream(seed, n int64) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		cases := max(n/stepsPerCase, 1) + 8
		days := min(streamDays, max(200, cases/2))
		g, err := newGenerator(seed, streamEnds.In(time.UTC))
		if err != nil {
			yield(Step{}, err)
			return
		}
		begin := streamEnds - events.Date(days)
		left := n
		for _, st := range g.directory(begin - 1) {
			if left--; left < 0 || !yield(st, nil) {
				return
			}
		}
		kinds := fates()
		var active agenda
		for i := int64(0); i < cases || len(active) > 0; {
			// A case that is not begun has no step before the morning of its opening.
			if i < cases {
				opened := begin + events.Date(i*days/cases)
				if len(active) == 0 || !active[0].steps[0].RecordedAt.Before(opened.In(time.UTC)) {
					s, err := g.write(seed, i, opened, kinds)
					if err != nil {
						yield(Step{}, err)
						return
					}
					heap.Push(&active, script{s, i})
					i++
					continue
				}
			}
			next := &active[0]
			st := next.steps[0]
			if next.steps = next.steps[1:]; len(next.steps) == 0 {
				heap.Pop(&active)
			} else {
				heap.Fix(&active, 0)
			}
			if left--; left < 0 || !yield(st, nil) {
				return
			}
		}
	}
}

// write is the script of the i-th case of a stream.
func (g *Generator) write(seed, i int64, opened events.Date, kinds []fate) ([]Step, error) {
	r := g.land(int(i % 16))
	p := profile{fate: fate{troubles: kinds[g.rng.IntN(len(kinds))].troubles}}
	p.admitted = r.cal.NextWorkingDay(opened + 2) // not before the day that its turn comes, in any time zone
	p.opened = p.admitted
	p.release = r.cal.PrevWorkingDay(p.admitted + events.Date(g.between(280, 700)))
	p.number = g.number(r, p.opened)
	s := newStory(r, p, strconv.FormatInt(seed, 10), rand.New(rand.NewPCG(uint64(seed), uint64(i)+1)))
	steps := s.write()
	return steps, s.err
}

// script is what is left of a case.
type script struct {
	steps []Step
	order int64 // of the case, for steps of the same instant
}

// agenda is a heap of scripts by their next step.
type agenda []script

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	x, y := a[i].steps[0].RecordedAt, a[j].steps[0].RecordedAt
	return x.Before(y) || (x.Equal(y) && a[i].order < a[j].order)
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(script)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	old[len(old)-1] = script{}
	*a = old[:len(old)-1]
	return last
}
