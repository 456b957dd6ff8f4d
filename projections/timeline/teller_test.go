package timeline

import (
	"context"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
)

// teller tells the history of one case to a store, on a clock that the test sets.
type teller struct {
	t      testing.TB
	store  *memstore.Store
	clock  time.Time
	number string
	n      int
}

var (
	prison = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	clinic = events.Actor{Officer: "s.ilievska", Role: events.PrisonHealth, Institution: "mk-prison-idrizovo"}
	csw    = events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "mk-csw-skopje"}
	ngo    = events.Actor{Officer: "i.kostovska", Role: events.CivilSociety, Institution: "mk-ngo-nov-pat"}
	police = events.Actor{Officer: "k.zdravkov", Role: events.Police, Institution: "mk-police-skopje"}
)

// tell opens a case in an empty store on Monday 2 March 2026.
func tell(t testing.TB) *teller {
	w := &teller{t: t, clock: instant("2026-03-02T09:00:00+01:00"), number: "MK-2026-0001"}
	w.store = memstore.New(func() time.Time { return w.clock })
	w.say(prison, &events.CaseOpened{Subject: "s-1", Name: "N. N.", DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted",
		Institution: "mk-prison-idrizovo", AdmittedOn: events.DateOf(2026, 3, 2)})
	return w
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// at moves the clock to an instant.
func (w *teller) at(s string) *teller {
	w.clock = instant(s)
	return w
}

// say records what the actor did now; change may alter the event before it is recorded.
func (w *teller) say(actor events.Actor, data any, change ...func(*events.Event)) uuid.UUID {
	w.t.Helper()
	w.n++
	e := &events.Event{ID: events.DeriveID("told", strconv.Itoa(w.n)), Type: reflect.TypeOf(data).Elem().Name(), Case: w.number,
		OccurredAt: w.clock, Actor: actor, Data: data}
	if k, ok := events.KindOf(e.Type); ok && k.Shares {
		e.Purpose, e.LegalBasis = "pre-release-planning", "execution-law"
	}
	for _, c := range change {
		c(e)
	}
	w.record(events.CaseStream(w.number), e)
	return e.ID
}

func (w *teller) record(stream string, e *events.Event) {
	w.t.Helper()
	p, err := events.Encode(e)
	must(w.t, err)
	_, err = w.store.Append(context.Background(), stream, events.Any, p)
	must(w.t, err)
}

func occurred(s string) func(*events.Event) {
	return func(e *events.Event) { e.OccurredAt = instant(s) }
}

func (w *teller) read(asOf events.AsOf) *Case {
	w.t.Helper()
	c, err := Read(context.Background(), w.store, protocol.NewBook(), w.number, asOf, w.clock)
	must(w.t, err)
	return c
}

func (w *teller) now() *Case { return w.read(events.AsOf{}) }

// to is the actor as a recipient.
func to(a events.Actor) events.Party { return events.Party{Institution: a.Institution, Role: a.Role} }

func disclosure(id events.ID, recipient events.Actor, categories ...events.Category) *events.InformationDisclosed {
	return &events.InformationDisclosed{Disclosure: id, Recipient: to(recipient), Categories: categories, Justification: "needed", Summary: "told"}
}

func notice(id events.ID, recipient events.Actor) *events.NotificationSent {
	return &events.NotificationSent{Notification: id, Subject: "planned-release", Recipient: to(recipient),
		Categories: []events.Category{events.Identity}, Channel: "letter"}
}
