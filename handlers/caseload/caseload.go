// Package caseload makes up a caseload: cases of all six jurisdictions over about eighteen months, with the
// institutions that take part and the trouble that real files are full of. It feeds `traga demo` and `traga
// simulate --generate`.
//
// Every person in it is invented. The same seed, day and number of cases give the same caseload, event ids
// included. A caseload is a series of steps, each an action and the instant at which traga records it, so that
// it goes through the real write path on a simulated clock, and each is acceptable to it at that instant:
// unlawful acts come in as what they are in life, reported after the fact.
//
// Each case is a script (story.go) of its life: intake (life.go), preparation of the release (prepare.go), what
// goes wrong (trouble.go, mishaps.go), release and assistance. Acts before the day on which the case was opened in
// traga become entries from the paper file.
package caseload

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"traga.internal/events"
)

// Days of the caseload: how long before today traga came into use.
const daysInUse = 547

// Step is one action of the caseload: the event, not yet recorded, and when traga records it. OccurredAt of the
// event is the same, or earlier for a late entry.
type Step struct {
	RecordedAt time.Time
	Event      *events.Event
}

// Generator makes up a caseload. It is not safe for concurrent use.
type Generator struct {
	seed    int64
	today   time.Time
	rng     *rand.Rand
	lands   []*register
	stories []*story
	numbers map[string]int // the last case number used, by jurisdiction and year
	steps   []Step         // all that is recorded up to today, in order
}

// New makes up a caseload of so many cases up to an instant. Cases that continue one in another jurisdiction come
// in addition. With 48 cases or more every kind of trouble happens.
func New(seed int64, today time.Time, cases int) (*Generator, error) {
	if cases < 1 {
		return nil, errors.New("a caseload has at least one case")
	}
	g, err := newGenerator(seed, today)
	if err != nil {
		return nil, err
	}
	kinds := fates()
	for i := range cases {
		f := kinds[i%len(kinds)]
		if i >= len(kinds) {
			f = kinds[g.rng.IntN(len(kinds))]
		}
		r := g.land(i)
		p := g.profile(r, f)
		if p.has(transferAbroad) {
			p.to = g.continuation(r, p)
		}
		if err := g.add(r, p); err != nil {
			return nil, err
		}
	}
	g.steps = append(g.directory(g.started()), g.departures(g.started())...)
	for _, s := range g.stories {
		g.steps = append(g.steps, s.steps...)
	}
	sortSteps(g.steps)
	end, _ := slices.BinarySearchFunc(g.steps, today, func(s Step, t time.Time) int {
		if s.RecordedAt.After(t) {
			return 1
		}
		return -1
	})
	g.steps = g.steps[:end]
	return g, nil
}

func newGenerator(seed int64, today time.Time) (*Generator, error) {
	g := &Generator{seed: seed, today: today, rng: rand.New(rand.NewPCG(uint64(seed), 0x7472616761)), numbers: map[string]int{}}
	for _, l := range lands() {
		r, err := newRegister(l, g.rng)
		if err != nil {
			return nil, err
		}
		g.lands = append(g.lands, r)
	}
	return g, nil
}

// sortSteps brings steps into the order of recording; those of the same instant keep theirs.
func sortSteps(steps []Step) {
	slices.SortStableFunc(steps, func(a, b Step) int { return a.RecordedAt.Compare(b.RecordedAt) })
}

// All yields the caseload up to its day, in the order of recording.
func (g *Generator) All() iter.Seq[Step] { return slices.Values(g.steps) }

// From is when the first step is recorded.
func (g *Generator) From() time.Time { return g.steps[0].RecordedAt }

// Len is how many steps All yields.
func (g *Generator) Len() int { return len(g.steps) }

// Cases are the numbers of the cases that were opened by the caseload's day, in the order of opening.
func (g *Generator) Cases() []string {
	var numbers []string
	for _, st := range g.steps {
		if st.Event.Type == "CaseOpened" {
			numbers = append(numbers, st.Event.Case)
		}
	}
	return numbers
}

// land deals the cases out: every land in turn, larger ones more often, and not in step with the fates.
func (g *Generator) land(i int) *register {
	var turn []*register
	for round := range 4 {
		for _, r := range g.lands {
			if r.weight > round {
				turn = append(turn, r)
			}
		}
	}
	return turn[(i*7)%len(turn)]
}

func (g *Generator) between(from, to int) int { return from + g.rng.IntN(to-from+1) }

// started is the day on which traga came into use.
func (g *Generator) started() events.Date { return g.day(g.lands[0]) - daysInUse }

func (g *Generator) day(r *register) events.Date { return events.DateIn(g.today, r.cal.Zone()) }

// profile places a case around today, as its fate asks.
func (g *Generator) profile(r *register, f fate) profile {
	offset := g.between(f.from, f.to)
	p := profile{fate: f, release: r.cal.PrevWorkingDay(g.day(r) + events.Date(offset))}
	days := max(g.between(280, 700), offset+g.between(170, 280))
	if f.from >= 240 { // just come in
		days = offset + g.between(3, 40)
	}
	p.admitted = r.cal.PrevWorkingDay(p.release - events.Date(days))
	p.opened = p.admitted
	if start := g.started(); p.opened < start {
		p.opened = r.cal.AddWorkingDays(start, g.between(1, 25))
	}
	p.number = g.number(r, p.opened)
	return p
}

// continuation adds the case that goes on in another jurisdiction, and says where this one goes.
func (g *Generator) continuation(r *register, p profile) *transfer {
	there := r
	for there.code == r.code {
		there = g.lands[g.rng.IntN(len(g.lands))]
	}
	on := r.cal.PrevWorkingDay(p.release - events.Date(g.between(95, 110)))
	next := profile{fate: fate{window: p.window}, admitted: there.cal.AddWorkingDays(on, 14), release: there.cal.NextWorkingDay(p.release + 210),
		from: &transfer{number: p.number, reg: r, on: on}}
	next.opened = next.admitted
	next.number = g.number(there, next.opened)
	if err := g.add(there, next); err != nil {
		return nil
	}
	return &transfer{number: next.number, reg: there, on: on}
}

func (g *Generator) number(r *register, opened events.Date) string {
	year, _, _ := opened.Civil()
	key := string(r.code) + "-" + strconv.Itoa(year)
	g.numbers[key]++
	return fmt.Sprintf("%s-%04d", key, g.numbers[key])
}

func (g *Generator) add(r *register, p profile) error {
	s := newStory(r, p, strconv.FormatInt(g.seed, 10), rand.New(rand.NewPCG(uint64(g.seed), uint64(len(g.stories)+1))))
	s.steps = s.write()
	g.stories = append(g.stories, s)
	if s.err != nil {
		return fmt.Errorf("make up the case %s: %w", p.number, s.err)
	}
	return nil
}

// directory registers the institutions, appoints their officers and says who is trained in which tool. The first
// directorate of a jurisdiction enters itself and the others, which then each keep their own part.
func (g *Generator) directory(start events.Date) []Step {
	var steps []Step
	next := map[events.Jurisdiction]time.Time{}
	for _, r := range g.lands {
		at, begun := next[r.code]
		if !begun {
			at = r.cal.Start(start).Add(6 * time.Hour)
		}
		des := r.near(directorate, "")
		s := &story{profile: profile{number: r.prefix}, register: r, key: strconv.FormatInt(g.seed, 10)}
		act := func(data any) {
			s.act(at, des, data).Case = ""
			at = at.Add(time.Second)
		}
		register := func(h *house) {
			act(&events.InstitutionRegistered{Institution: h.id, Name: h.name, Role: roles[h.kind], Place: h.place})
		}
		for _, other := range g.lands {
			if !begun && other.code == r.code {
				for _, h := range other.all(directorate) {
					register(h)
				}
			}
		}
		for _, h := range r.houses {
			if h.kind != directorate {
				register(h)
			}
		}
		for _, h := range r.houses {
			for _, d := range h.desks {
				act(&events.OfficerAppointed{Officer: d.Officer, Institution: h.id, Role: d.Role})
			}
			for _, psychologist := range r.assessors[h.id] {
				act(&events.OfficerAppointed{Officer: psychologist, Institution: h.id, Role: events.PrisonTreatment})
			}
		}
		act(&events.OfficerTrained{Officer: des.Officer, Tool: assessmentTools[0][0], ToolVersion: assessmentTools[0][1], Provider: "regional training on assessment tools",
			On: start - 1100, ValidUntil: start}) // it has ended since
		for _, h := range r.all(prison) {
			act(&events.OfficerTrained{Officer: h.desks[0].Officer, Tool: screeningTool, Provider: "training centre of the directorate", On: start - events.Date(g.between(900, 1400))})
			for _, psychologist := range r.assessors[h.id] {
				if psychologist == r.untrained {
					continue
				}
				for _, tool := range assessmentTools {
					act(&events.OfficerTrained{Officer: psychologist, Tool: tool[0], ToolVersion: tool[1], Provider: "regional training on assessment tools",
						On: start - events.Date(g.between(900, 1400)), ValidUntil: g.day(r) + events.Date(g.between(400, 900))})
				}
			}
		}
		steps = append(steps, s.steps...)
		next[r.code] = at
	}
	sortSteps(steps)
	return steps
}

// departures are officers who came to the directorates when traga came into use, and were revoked half a year later.
func (g *Generator) departures(start events.Date) []Step {
	var steps []Step
	for _, r := range g.lands {
		des := r.near(directorate, "")
		who := "former." + strings.ToLower(ascii(r.surnames[0]))
		s := &story{profile: profile{number: r.prefix + "/former"}, register: r, key: strconv.FormatInt(g.seed, 10)}
		s.act(r.cal.Start(start).Add(9*time.Hour), des, &events.OfficerAppointed{Officer: who, Institution: des.Institution, Role: des.Role}).Case = ""
		s.act(r.cal.Start(start+180).Add(10*time.Hour), des, &events.OfficerRevoked{Officer: who}).Case = ""
		steps = append(steps, s.steps...)
	}
	return steps
}
