package caseload

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// story writes the script of one case. Its methods add steps in any order; finish sorts them by time. A step on
// a day before the case was opened in traga becomes an entry from the paper file.
type story struct {
	profile
	*register
	rng   *rand.Rand
	key   string // of the event ids
	steps []Step
	made  int // steps so far, those cut included
	ids   map[string]int
	err   error // the first that came; a script with an error is not used

	cast
	told []desk // the institutions sent planned-release, in order

	sentencedFrom events.Date
	dateSetOn     events.Date // when the expected release was decided
	expected      events.Date // as first decided
	changedOn     events.Date // when it was changed; no date when never
	fromPaper     string      // the reason of entries from the paper file
	assessor      string
	woman         bool
	riskAtExit    string
}

// cast is who acts in the case.
type cast struct {
	treatment, nurse, security             desk // of the prison
	des, coord, omb, dpa, court            desk
	care                                   desk // the centre for social work, or the municipality
	probation, employment, education       desk
	health, police, ngo                    desk
	planned, conferenceTopics              []events.Category // what care may be told at each occasion
	reportTopics, requestTopics, careNeeds []events.Category
}

// newStory casts the case.
func newStory(r *register, p profile, key string, rng *rand.Rand) *story {
	s := &story{profile: p, register: r, rng: rng, key: key, ids: map[string]int{}, fromPaper: "from the paper file, entered when traga came into use"}
	prisons := r.all(prison)
	s.enter(prisons[rng.IntN(len(prisons))])
	helpers := r.all(csw)
	if len(helpers) == 0 {
		helpers = r.all(municipality) // AL
	}
	helper := helpers[rng.IntN(len(helpers))]
	s.care = helper.desks[0]
	s.des, s.coord, s.omb, s.dpa = r.near(directorate, ""), r.near(coordinator, ""), r.near(ombudsman, ""), r.near(dataProtection, "")
	s.court, s.probation, s.police = r.near(court, helper.place), r.near(probation, helper.place), r.near(police, helper.place)
	s.employment, s.education, s.health = r.near(employment, helper.place), r.near(education, helper.place), r.near(health, helper.place)
	s.ngo = r.near(civilSociety, helper.place)
	// What the matrix of safeguards.md lets social work know, and what a municipality.
	s.planned = []events.Category{events.Identity, events.Sentence}
	s.conferenceTopics = []events.Category{events.Identity, events.Sentence, events.Risk}
	s.reportTopics = s.conferenceTopics
	s.requestTopics = []events.Category{events.Identity, events.Family}
	s.careNeeds = []events.Category{events.Identity, events.Housing, events.EmploymentInfo, events.EducationInfo, events.Family}
	if s.care.Role == events.Municipality {
		s.planned = s.planned[:1]
		s.conferenceTopics = []events.Category{events.Identity, events.Housing, events.Family}
		s.reportTopics = []events.Category{events.Identity, events.Housing, events.Family, events.EmploymentInfo}
		s.requestTopics = []events.Category{events.Identity, events.Housing}
	}
	return s
}

// enter puts the person into a prison.
func (s *story) enter(h *house) {
	s.treatment, s.nurse, s.security = h.desks[0], h.desks[1], h.desks[2]
	trained := s.assessors[h.id]
	s.assessor = trained[0]
	if s.has(untrained) {
		s.assessor = s.untrained
	}
}

// id makes the next id of a kind: n-csw-1, n-csw-2.
func (s *story) id(kind string) events.ID {
	s.ids[kind]++
	return events.ID(kind + "-" + strconv.Itoa(s.ids[kind]))
}

// between is a number of the closed range.
func (s *story) between(from, to int) int { return from + s.rng.IntN(to-from+1) }

// chance is true in so many of a hundred cases.
func (s *story) chance(percent int) bool { return s.rng.IntN(100) < percent }

// on is a working hour of that day, or of the working day before.
func (s *story) on(d events.Date) time.Time {
	d = s.cal.PrevWorkingDay(d)
	return s.cal.Start(d).Add(8*time.Hour + time.Duration(s.rng.IntN(7*60))*time.Minute)
}

// later is so many working days after an instant.
func (s *story) later(t time.Time, workingDays int) time.Time {
	return s.on(s.cal.AddWorkingDays(s.day(t), workingDays))
}

// day is the local date.
func (s *story) day(t time.Time) events.Date { return events.DateIn(t, s.cal.Zone()) }

// act adds a step: the officer does something at that time. The event may still be completed by the caller.
func (s *story) act(at time.Time, d desk, data any) *events.Event {
	e := &events.Event{
		ID: timeOrdered(at, events.DeriveID("caseload", s.key, s.number, strconv.Itoa(s.made))), Type: reflect.TypeOf(data).Elem().Name(),
		Case: s.number, Jurisdiction: s.code, OccurredAt: at, Actor: d.actor(), Data: data,
	}
	e.CorrelationID = e.ID
	s.made++
	s.steps = append(s.steps, Step{RecordedAt: at, Event: e})
	return e
}

// timeOrdered is an id of the form that traga gives to an action without one, UUIDv7, but the same each time: its
// time is that of the act, the rest is drawn from another id.
func timeOrdered(at time.Time, id uuid.UUID) uuid.UUID {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = 0x70 | id[6]&0x0f
	return id
}

// share adds a step that discloses something.
func (s *story) share(at time.Time, d desk, purpose events.Purpose, basis events.LegalBasis, data any) *events.Event {
	e := s.act(at, d, data)
	e.Purpose, e.LegalBasis = purpose, basis
	return e
}

// recorded says that the step of an event was entered at another time than it happened, and why.
func (s *story) recorded(e *events.Event, at time.Time, reason string) {
	for i := range s.steps {
		if s.steps[i].Event == e {
			s.steps[i].RecordedAt = at
			e.LateReason = reason
		}
	}
}

// cut drops what would be recorded after an instant.
func (s *story) cut(after time.Time) {
	s.steps = slices.DeleteFunc(s.steps, func(st Step) bool { return st.RecordedAt.After(after) })
}

// finish brings the steps into the order of recording. What happened before the case was opened in traga is
// entered on that day, in the order in which it happened.
func (s *story) finish() []Step {
	byTime := func(a, b Step) int {
		return cmp.Or(a.RecordedAt.Compare(b.RecordedAt), a.Event.OccurredAt.Compare(b.Event.OccurredAt))
	}
	slices.SortStableFunc(s.steps, byTime)
	morning := s.cal.Start(s.opened).Add(7*time.Hour + 30*time.Minute)
	for i := range s.steps {
		st := &s.steps[i]
		if !st.RecordedAt.Before(morning) {
			break
		}
		st.RecordedAt = morning.Add(time.Duration(i) * 20 * time.Second)
		if s.cal.WorkingDaysBetween(s.day(st.Event.OccurredAt), s.opened) > 3 {
			st.Event.LateReason = s.fromPaper
		}
	}
	slices.SortStableFunc(s.steps, byTime)
	for i := 1; i < len(s.steps); i++ { // no two entries of a case at one instant
		if at := s.steps[i-1].RecordedAt; !s.steps[i].RecordedAt.After(at) {
			next := &s.steps[i]
			if next.Event.OccurredAt.Equal(next.RecordedAt) {
				next.Event.OccurredAt = at.Add(time.Second)
			}
			next.RecordedAt = at.Add(time.Second)
		}
	}
	return s.steps
}
