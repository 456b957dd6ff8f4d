// Package testlog makes logs for the tests and benchmarks of the projections: cases that run their course over
// years, side by side, with delays, corrections and annulments. The same seed makes the same log.
package testlog

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"traga.internal/events"
)

// Planned is an event and when it is to be recorded.
type Planned struct {
	At    time.Time
	Event *events.Event
}

// Begin is when the first case of a log may be opened.
var Begin = time.Date(2024, 1, 8, 8, 0, 0, 0, time.UTC)

// Plan makes the events of so many cases that are opened within span, in the order in which they are recorded.
func Plan(seed uint64, cases int, span time.Duration) []Planned {
	r := rand.New(rand.NewPCG(seed, 1))
	var all []Planned
	for i := range cases {
		jurisdictions := events.Jurisdictions()
		j := jurisdictions[r.IntN(len(jurisdictions))]
		c := &course{r: r, j: j, number: fmt.Sprintf("%s-2024-%05d", j, i+1), at: Begin.Add(time.Duration(r.Int64N(int64(span))))}
		c.run()
		all = append(all, c.plan...)
	}
	slices.SortStableFunc(all, func(a, b Planned) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Event.Case, b.Event.Case))
	})
	return all
}

// course is one case's way through the years.
type course struct {
	r      *rand.Rand
	j      events.Jurisdiction
	number string
	at     time.Time
	n      int
	plan   []Planned
}

var prisons = map[events.Jurisdiction]events.Institution{"AL": "al-prison-fushe-kruje", "BA": "ba-bih-prison-vojkovici",
	"ME": "me-prison-spuz", "MK": "mk-prison-idrizovo", "RS": "rs-prison-sremska", "XK": "xk-prison-dubrave"}

func (c *course) prison() events.Actor {
	return events.Actor{Officer: "officer-1", Role: events.PrisonTreatment, Institution: prisons[c.j]}
}

func (c *course) office(role events.Role) events.Party {
	return events.Party{Institution: events.Institution(fmt.Sprintf("%s-%s-%d", c.prefix(), role, c.n%3)), Role: role}
}

func (c *course) prefix() string {
	return map[events.Jurisdiction]string{"AL": "al", "BA": "ba-bih", "ME": "me", "MK": "mk", "RS": "rs", "XK": "xk"}[c.j]
}

func (c *course) later(days int) {
	c.at = c.at.Add(time.Duration(c.r.IntN(days*24*60)+1) * time.Minute)
}

func (c *course) id(kind string) events.ID {
	c.n++
	return events.ID(fmt.Sprintf("%s-%d", kind, c.n))
}

// do records an act of the prison, or of another actor, at the course's time; some are recorded days later.
func (c *course) do(data any, actor ...events.Actor) *events.Event {
	e := &events.Event{Type: typeOf(data), Case: c.number, Jurisdiction: c.j, Stream: events.CaseStream(c.number), OccurredAt: c.at,
		Actor: c.prison(), Purpose: "pre-release-planning", LegalBasis: "execution-law", Data: data}
	if len(actor) > 0 {
		e.Actor = actor[0]
	}
	e.ID = events.DeriveID("testlog", c.number, fmt.Sprint(len(c.plan)))
	e.CorrelationID = e.ID
	recorded := c.at
	if c.r.IntN(12) == 0 && len(c.plan) > 0 {
		recorded = recorded.Add(time.Duration(c.r.IntN(6*24)) * time.Hour)
	}
	if n := len(c.plan); n > 0 && !recorded.After(c.plan[0].At) {
		recorded = c.plan[0].At.Add(time.Second)
	}
	c.plan = append(c.plan, Planned{recorded, e})
	return e
}

func (c *course) chance(percent int) bool { return c.r.IntN(100) < percent }

func by(p events.Party) events.Actor {
	return events.Actor{Officer: "officer-2", Role: p.Role, Institution: p.Institution}
}

func (c *course) run() {
	opened := events.DateIn(c.at, time.UTC)
	c.do(&events.CaseOpened{Subject: "s-" + c.number, Name: "N", DateOfBirth: events.DateOf(1985, 3, 1), Sex: "m", Reason: "convicted",
		Institution: prisons[c.j], AdmittedOn: opened})
	sentence := 300 + c.r.IntN(900)
	c.do(&events.SentenceRecorded{Court: "court", Offence: "o", StartDate: opened, EndDate: opened + events.Date(sentence)})
	c.later(3)
	c.do(&events.SubjectInformed{Notice: "record", Language: "mk"})
	if c.chance(20) {
		c.do(&events.SpecificGroupRecorded{Group: "returnee"})
	}
	c.later(20)
	c.do(&events.ScreeningCompleted{Tool: "vera", ToolVersion: "2", Result: "indicated", Facts: []string{"f"}, Opinions: []string{"o"}})
	c.later(70)
	assessment := c.do(&events.AssessmentCompleted{Assessment: c.id("a"), Kind: "risk-and-needs", Tool: "vera", ToolVersion: "2", Assessor: "x",
		Level: []string{"low", "medium", "high"}[c.r.IntN(3)], Indicators: []string{"i"}, Facts: []string{"f"}, Opinions: []string{"o"}})
	c.later(40)
	c.do(&events.TreatmentPlanAdopted{Plan: c.id("p"), Goals: []string{"g"}, Participated: true})
	if c.chance(6) {
		c.later(5)
		c.do(&events.EntryAnnulled{Target: assessment.ID, Reason: "entered twice"})
	}
	start := c.at
	expected := opened + events.Date(sentence)
	c.do(&events.ExpectedReleaseDateSet{Date: expected, Basis: "sentence-end"})
	c.exchange(5)
	for c.at.Before(start.AddDate(0, 6, 0)) {
		c.later(60)
		c.do(&events.ProgrammeOutcomeRecorded{Programme: "work", Outcome: "ongoing"})
		c.exchange(2)
	}
	c.do(&events.TreatmentPlanReviewed{Plan: "p-1", Outcome: "o", Participated: true})
	if c.chance(30) {
		to := expected + events.Date(c.r.IntN(120)-60)
		c.do(&events.ExpectedReleaseDateChanged{From: expected, To: to, Reason: "decision"})
		expected = to
	}
	c.do(&events.PreReleasePlanningOpened{Manager: "m"})
	for _, role := range []events.Role{events.Directorate, events.Coordinator, events.CSW, events.Probation, events.Employment, events.Education, events.Police} {
		c.later(25)
		c.notify("planned-release", c.office(role))
	}
	c.do(&events.NeedsMapDrafted{NeedsMap: "nm", Version: 1, Needs: []events.Need{{Domain: events.Housing, Level: "high", Note: "n"}}})
	c.later(10)
	csw := c.office(events.CSW)
	c.do(&events.CaseConferenceHeld{Conference: c.id("c"), Attendees: []events.Party{csw, c.office(events.Police)}, Apologies: []events.Party{},
		Categories: []events.Category{events.Identity, events.Housing}, Actions: []events.ConferenceAction{}})
	c.do(&events.NeedsMapFinalised{NeedsMap: "nm", Version: 1, Needs: []events.Need{{Domain: events.Housing, Level: "high", Note: "n"}}})
	c.later(10)
	c.do(&events.NeedsMapShared{Disclosure: c.id("d"), NeedsMap: "nm", Version: 1, Recipient: csw, Categories: []events.Category{events.Housing}})
	c.exchange(12)
	if day := expected.In(time.UTC).Add(9 * time.Hour); day.After(c.at) {
		c.at = day
	}
	c.do(&events.PersonReleased{Kind: "sentence-end", Papers: true, Accommodation: c.chance(80), Means: true})
	c.later(3)
	c.notify("released", csw)
	c.later(6)
	c.do(&events.FirstContactMade{Mode: "office"}, by(csw))
	c.later(20)
	c.do(&events.PostPenalPlanAdopted{Plan: c.id("pp"), Goals: []string{"g"}, Participated: true}, by(csw))
	for range 4 {
		c.later(90)
		c.do(&events.PostPenalReviewHeld{Outcome: "continue"}, by(csw))
		c.do(&events.SupportProvided{Service: "work"}, by(csw))
	}
	if c.chance(70) {
		c.do(&events.CaseClosed{Reason: "end"}, by(csw))
		if c.chance(10) {
			c.later(20)
			c.do(&events.CaseReopened{Reason: "new need"}, by(csw))
		}
	}
}

func (c *course) notify(subject string, to events.Party) {
	id := c.id("n")
	sent := c.do(&events.NotificationSent{Notification: id, Subject: subject, Recipient: to,
		Categories: []events.Category{events.Identity, events.Sentence}, Channel: "letter"})
	if c.chance(4) {
		c.later(2)
		c.do(&events.EntryCorrected{Target: sent.ID, Reason: "another office", Replacement: []byte(fmt.Sprintf(
			`{"notification":%q,"subject":%q,"recipient":{"institution":%q,"role":%q},"categories":["identity"],"channel":"letter"}`,
			id, subject, to.Institution+"-x", to.Role))})
	}
	if c.chance(75) {
		c.later(9)
		c.do(&events.NotificationAcknowledged{Notification: id}, by(to))
	}
}

// exchange is requests for information and their answers.
func (c *course) exchange(n int) {
	for range n {
		c.later(12)
		asker, request := c.office(events.CSW), c.id("r")
		c.do(&events.InformationRequested{Request: request, From: c.prison().Party(), Categories: []events.Category{events.Housing}, Urgency: "normal", Reason: "r"}, by(asker))
		if c.chance(85) {
			c.later(14)
			c.do(&events.InformationProvided{Request: request, Recipient: asker, Categories: []events.Category{events.Housing}, Withheld: []events.Category{}, Summary: "s"})
		} else if c.chance(50) {
			c.do(&events.AlertAcknowledged{Obligation: "answer-request/" + string(request), Note: "n"})
		}
	}
}

func typeOf(data any) string {
	name := fmt.Sprintf("%T", data)
	return name[len("*events."):]
}

// Clock is a clock that Write sets.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// Now is what a store is given as its clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Set sets the clock.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// Write appends a plan to a store whose clock is given. With width over 1 so many events of different cases are
// appended at the same time, for stores that commit in groups.
func Write(ctx context.Context, store events.Store, clock *Clock, plan []Planned, width int) error {
	for len(plan) > 0 {
		window := make(map[string]bool, width)
		n := 0
		for n < len(plan) && n < width && !window[plan[n].Event.Stream] {
			window[plan[n].Event.Stream] = true
			n++
		}
		clock.Set(plan[0].At)
		errs := make(chan error, n)
		for _, p := range plan[:n] {
			proposed, err := events.Encode(p.Event)
			if err != nil {
				return err
			}
			write := func() error {
				_, err := store.Append(ctx, p.Event.Stream, events.Any, proposed)
				return err
			}
			if n == 1 {
				errs <- write()
				continue
			}
			go func() { errs <- write() }()
		}
		for range n {
			if err := <-errs; err != nil {
				return err
			}
		}
		plan = plan[n:]
	}
	return nil
}
