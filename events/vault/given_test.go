package vault_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/events/vault"
)

// world is a log in memory behind a vault, whose events stand before it as they are stored.
type world struct {
	*vault.Store
	v   *vault.Vault
	log *memstore.Store
}

func given(t testing.TB, opts ...vault.Option) *world {
	v := open(t, t.TempDir(), opts...)
	log := memstore.New(nil)
	return &world{v.Wrap(log), v, log}
}

var officer = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}

func happens(number string, data any) *events.Event {
	return &events.Event{ID: uuid.New(), Type: reflect.TypeOf(data).Elem().Name(), Case: number, OccurredAt: time.Unix(1_770_000_000, 0).UTC(), Actor: officer, Data: data}
}

func opened(subject string) *events.CaseOpened {
	return &events.CaseOpened{Subject: subject, Name: "MARKER name of " + subject, DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted", Institution: "i", AdmittedOn: events.DateOf(2026, 1, 1)}
}

func level(to string) *events.RiskLevelChanged {
	return &events.RiskLevelChanged{From: "low", To: to, Reasons: []string{"MARKER reason"}, Indicators: []string{}, Decider: "d", ReviewBy: events.DateOf(2026, 6, 1)}
}

func (w *world) append(t testing.TB, list ...*events.Event) {
	t.Helper()
	appendTo(t, w.Store, list...)
}

func appendTo(t testing.TB, s events.Store, list ...*events.Event) {
	t.Helper()
	var proposed []events.Proposed
	for _, e := range list {
		p, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		proposed = append(proposed, p)
	}
	if _, err := s.Append(t.Context(), events.CaseStream(list[0].Case), events.Any, proposed...); err != nil {
		t.Fatal(err)
	}
}

// read decodes a case as a reader gets it.
func read(t testing.TB, s events.Store, number string) []*events.Event {
	t.Helper()
	list, err := tryRead(t.Context(), s, number)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func tryRead(ctx context.Context, s events.Store, number string) (list []*events.Event, err error) {
	for r, err := range s.ReadStream(ctx, events.CaseStream(number), 0) {
		if err != nil {
			return nil, err
		}
		e, err := events.Decode(&r)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// says is what a case holds for a reader, in short: each event's data, erased fields as their category.
func says(t testing.TB, s events.Store, number string) string {
	t.Helper()
	var b strings.Builder
	for _, e := range read(t, s, number) {
		switch d := e.Data.(type) {
		case *events.CaseOpened:
			fmt.Fprintf(&b, "name %q", d.Name)
		case *events.RiskLevelChanged:
			fmt.Fprintf(&b, "level %q", d.To)
		case *events.SpecificGroupRecorded:
			fmt.Fprintf(&b, "guardian %q", d.Guardian)
		default:
			b.WriteString(e.Type)
		}
		for _, w := range e.Withheld {
			fmt.Fprintf(&b, " %s=%s/%s", w.Pointer, w.Reason, w.Category)
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// bytes is everything that is stored of a case, as it is stored.
func (w *world) bytes(t testing.TB, number string) string {
	var b strings.Builder
	for r, err := range w.log.ReadStream(t.Context(), events.CaseStream(number), 0) {
		if err != nil {
			t.Fatal(err)
		}
		b.Write(r.Data)
		b.Write(r.Metadata)
	}
	return b.String()
}
