package record_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/record"
)

var noon = time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

const prison = `"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"}`
const csw = `"actor":{"officer":"l.dimova","role":"csw","institution":"mk-csw-skopje"}`
const directorate = `"actor":{"officer":"v.trajkovska","role":"directorate","institution":"mk-des"}`
const traga = `"actor":{"officer":"traga","role":"system","institution":"traga"}`

func opening(number string) string {
	return `{"case":"` + number + `","type":"CaseOpened",` + prison + `,"data":{"subject":"s-1","name":"N","dateOfBirth":"1990-01-01","sex":"male",
		"reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`
}

// support is an act that anyone may record at any time; more stands for further fields of the envelope.
func support(number, service, more string) string {
	return `{"case":"` + number + `","type":"SupportProvided",` + more + csw + `,"data":{"service":"` + service + `"}}`
}

func notice(number, id string) string {
	return `{"case":"` + number + `","type":"NotificationSent",` + prison + `,"purpose":"pre-release-planning","legalBasis":"execution-law",
		"data":{"notification":"` + id + `","subject":"planned-release","recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter"}}`
}

func action(t testing.TB, text string) *record.Action {
	t.Helper()
	a, err := record.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return a
}

func must(t testing.TB, r *record.Recorder, text string) record.Receipt {
	t.Helper()
	receipt, err := r.Record(t.Context(), action(t, text), record.AnyRevision)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return receipt
}

// because are the reasons of a refusal and the field at fault.
func because(t testing.TB, err error) string {
	t.Helper()
	var r *casefile.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("not a refusal: %v", err)
	}
	return strings.TrimSpace(strings.Join(r.Because, " ") + " " + r.Field)
}

func stored(t testing.TB, s events.Store, stream string) []*events.Event {
	t.Helper()
	var all []*events.Event
	for r, err := range s.ReadStream(t.Context(), stream, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := events.Decode(&r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func length(t testing.TB, s events.Store) uint64 {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head.Commit
}

func TestARecordedActionIsWhatWasSaid(t *testing.T) {
	store := memstore.New(atNoon)
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	first := must(t, r, opening("MK-2026-0001"))
	receipt := must(t, r, `{"case":"MK-2026-0001","type":"SupportProvided","id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02","occurredAt":"2026-02-20T10:00:00+01:00",`+csw+`,
		"purpose":"supervision","legalBasis":"sector-statute","lateReason":"on leave","afterTheFact":true,"causationId":"`+first.ID.String()+`","data":{"service":"mediation"}}`)
	all := stored(t, store, events.CaseStream("MK-2026-0001"))
	e := all[1]
	want := record.Receipt{ID: e.ID, Case: "MK-2026-0001", Type: "SupportProvided", Revision: 1, Position: events.At(2), RecordedAt: noon}
	if receipt != want {
		t.Errorf("receipt %+v, expected %+v", receipt, want)
	}
	if e.ID.String() != "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02" || !e.OccurredAt.Equal(time.Date(2026, 2, 20, 9, 0, 0, 0, time.UTC)) || e.Actor.Officer != "l.dimova" ||
		e.Purpose != "supervision" || e.LegalBasis != "sector-statute" || e.LateReason != "on leave" || !e.AfterTheFact ||
		e.CausationID != first.ID || e.CorrelationID != first.ID || e.Data.(*events.SupportProvided).Service != "mediation" {
		t.Errorf("stored %+v", e)
	}
	if o := all[0]; !o.OccurredAt.Equal(noon) || o.CorrelationID != o.ID || o.ID == uuid.Nil || o.CausationID != uuid.Nil {
		t.Errorf("an action that names neither id nor time: %+v", o)
	}
}

func TestARefusedActionLeavesNothingBehind(t *testing.T) {
	clinician := `"actor":{"officer":"s.ilievska","role":"prison-health","institution":"mk-prison-idrizovo"}`
	given := []string{opening("MK-2026-0001"), notice("MK-2026-0001", "n-1")}
	for name, c := range map[string]struct{ text, because string }{
		"malformed":              {`{"case":"MK-2026-0001","type":"NotificationSent",` + prison + `,"data":{"notification":"n-2","subject":"released","recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter"}}`, "invalid purpose"},
		"not allowed":            {`{"case":"MK-2026-0001","type":"MedicalExaminationOffered",` + csw + `,"data":{"accepted":true}}`, "not-allowed actor.role"},
		"for another party":      {`{"case":"MK-2026-0001","type":"NotificationAcknowledged",` + prison + `,"data":{"notification":"n-1"}}`, "not-allowed actor.institution"},
		"an unknown reference":   {`{"case":"MK-2026-0001","type":"NotificationAcknowledged",` + csw + `,"data":{"notification":"n-2"}}`, "conflict data.notification"},
		"a reused id":            {notice("MK-2026-0001", "n-1"), "conflict data.notification"},
		"a case never opened":    {support("MK-2026-0002", "s", ""), "conflict case"},
		"a cause not there":      {support("MK-2026-0001", "s", `"causationId":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1aff",`), "conflict causationId"},
		"against the safeguards": {`{"case":"MK-2026-0001","type":"HealthSummaryTransferred",` + clinician + `,"purpose":"health-care","legalBasis":"execution-law","data":{"disclosure":"d-1","recipient":{"institution":"mk-employment-skopje","role":"employment"},"categories":["health"],"summary":"x"}}`, "HR03 HR04 HR05"},
		"traga's own role":       {`{"case":"MK-2026-0001","type":"ObligationOverdue",` + traga + `,"data":{"obligation":"screening","rule":"screening","due":"2026-03-01"}}`, "not-allowed actor.role"},
		"traga's own log":        {`{"case":"MK-2026-0001","type":"CaseConsulted",` + csw + `,"data":{"view":"timeline","justification":"j","policy":[]}}`, "not-allowed type"},
		"another's register":     {`{"jurisdiction":"MK","type":"OfficerRevoked",` + csw + `,"data":{"officer":"x"}}`, "not-allowed actor.role"},
	} {
		t.Run(name, func(t *testing.T) {
			store := memstore.New(atNoon)
			seen := &counter{}
			r := record.New(store, protocol.NewBook(), record.WithClock(atNoon), record.WithObserver(seen))
			for _, g := range given {
				must(t, r, g)
			}
			for range 2 { // the second time the case is known
				_, err := r.Record(t.Context(), action(t, c.text), record.AnyRevision)
				if got := because(t, err); got != c.because {
					t.Errorf("refused because of %s, expected %s: %v", got, c.because, err)
				}
			}
			answer, err := r.Check(t.Context(), action(t, c.text))
			if err != nil || answer.Refusal == nil || because(t, answer.Refusal) != c.because {
				t.Errorf("check says %v, %v", answer.Refusal, err)
			}
			if got := length(t, store); got != uint64(len(given)) {
				t.Errorf("%d events are stored", got)
			}
			reasons := strings.Fields(c.because)[:1]
			if strings.HasPrefix(c.because, "HR") {
				reasons = strings.Fields(c.because)
			}
			if want := append(reasons, reasons...); !slices.Equal(seen.refused, want) {
				t.Errorf("the observer was told of %v, expected %v", seen.refused, want)
			}
		})
	}
}

func TestAnActionThatWasNotParsedIsHeldToItsPlaceToo(t *testing.T) {
	store := memstore.New(atNoon)
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	must(t, r, opening("MK-2026-0001"))
	made := &record.Action{Case: "MK-2026-0001", Type: "SupportProvided", ID: uuid.Max, Data: &events.SupportProvided{Service: "s"},
		Actor: events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "mk-csw-skopje"}}
	for _, repeated := range []bool{false, true} {
		if receipt, err := r.Record(t.Context(), made, record.AnyRevision); err != nil || receipt.Repeated != repeated || receipt.Revision != 1 {
			t.Errorf("%+v, %v", receipt, err)
		}
	}
	if made.Jurisdiction != "" {
		t.Error("the caller's action was changed")
	}
	for field, wrong := range map[string]record.Action{"case": {Case: "2026-0001", Type: "SupportProvided"}, "jurisdiction": {Type: "OfficerRevoked"}, "type": {Type: "Nothing"}} {
		_, err := r.Record(t.Context(), &wrong, record.AnyRevision)
		if got := because(t, err); got != "invalid "+field {
			t.Errorf("%s: %s", field, got)
		}
	}
}

func TestWhatWasDoneIsRecordedAfterTheFactWhetherLawfulOrNot(t *testing.T) {
	store := memstore.New(atNoon)
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	must(t, r, opening("MK-2026-0001"))
	unlawful := `{"case":"MK-2026-0001","type":"InformationDisclosed",%s` + prison + `,"data":{"disclosure":"d-1","recipient":{"institution":"mk-employment-skopje","role":"employment"},
		"categories":["health"],"clinical":true,"justification":"j","summary":"x"}}`
	answer, err := r.Check(t.Context(), action(t, fmt.Sprintf(unlawful, `"occurredAt":"2026-03-02T11:55:00+01:00",`)))
	if err != nil || answer.Refusal == nil || answer.Refusal.Because[0] != "invalid" {
		t.Errorf("five minutes ago is live: %+v, %v", answer, err)
	}
	for _, when := range []string{`"occurredAt":"2026-03-02T11:54:59+01:00",`, `"afterTheFact":true,`} {
		answer, err := r.Check(t.Context(), action(t, fmt.Sprintf(unlawful, when)))
		if err != nil || answer.Refusal != nil || len(answer.Findings) < 3 {
			t.Errorf("%s: %+v, %v", when, answer, err)
		}
	}
	must(t, r, fmt.Sprintf(unlawful, `"afterTheFact":true,`))
	if answer, err := r.Check(t.Context(), action(t, support("MK-2026-0001", "s", ""))); err != nil || answer.Refusal != nil || answer.Findings != nil {
		t.Errorf("a lawful act: %+v, %v", answer, err)
	}
	if length(t, store) != 2 {
		t.Error("check recorded something")
	}
}

func TestRepeatingAnActionReturnsTheFirstReceipt(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			clock := noon
			now := func() time.Time { return clock }
			store := open(t, now)
			r := record.New(store, protocol.NewBook(), record.WithClock(now))
			must(t, r, opening("MK-2026-0001"))
			keyed := action(t, support("MK-2026-0001", "mediation", ""))
			keyed.ID = record.KeyID(keyed, "key-1")
			first, err := r.Record(t.Context(), keyed, record.AtRevision(0))
			if err != nil || first.Repeated {
				t.Fatalf("%+v, %v", first, err)
			}
			clock = clock.Add(time.Hour)
			must(t, r, support("MK-2026-0001", "other", ""))
			first.Repeated = true
			cold := record.New(store, protocol.NewBook(), record.WithClock(now))
			for _, again := range []*record.Recorder{r, cold, cold} {
				// Also under the revision that held then, though the case has moved on since.
				receipt, err := again.Record(t.Context(), keyed, record.AtRevision(0))
				if err != nil || receipt != first {
					t.Errorf("%+v, %v; expected %+v", receipt, err, first)
				}
			}
			other := *keyed
			other.Data = &events.SupportProvided{Service: "another"}
			_, err = r.Record(t.Context(), &other, record.AnyRevision)
			if got := because(t, err); got != "conflict id" {
				t.Errorf("the same id with another content: %s", got)
			}
			must(t, r, opening("MK-2026-0002"))
			elsewhere := action(t, support("MK-2026-0002", "mediation", ""))
			elsewhere.ID = keyed.ID
			_, err = r.Record(t.Context(), elsewhere, record.AnyRevision)
			if got := because(t, err); got != "conflict id" {
				t.Errorf("the same id in another case: %s", got)
			}
			if length(t, store) != 4 {
				t.Errorf("%d events", length(t, store))
			}
		})
	}
}

func TestAKeyStandsForOneActionOfOneOfficerInOneCase(t *testing.T) {
	ids := map[uuid.UUID]string{}
	for _, text := range []string{support("MK-2026-0001", "s", ""), support("MK-2026-0002", "s", ""), strings.Replace(support("MK-2026-0001", "s", ""), "l.dimova", "x", 1),
		strings.Replace(support("MK-2026-0001", "s", ""), "mk-csw-skopje", "mk-csw-tetovo", 1)} {
		for _, key := range []string{"a", "b"} {
			id := record.KeyID(action(t, text), key)
			if ids[id] != "" {
				t.Errorf("%s and %s have one id", text, ids[id])
			}
			ids[id] = text
			if again := record.KeyID(action(t, text), key); again != id {
				t.Error("not the same each time")
			}
		}
	}
}

func TestIfMatchHoldsAnActionToTheRevisionItWasMeantFor(t *testing.T) {
	store := memstore.New(atNoon)
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	must(t, r, opening("MK-2026-0001"))
	behind := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	if _, err := behind.Check(t.Context(), action(t, support("MK-2026-0001", "s", ""))); err != nil { // it now knows revision 0
		t.Fatal(err)
	}
	must(t, r, support("MK-2026-0001", "s", ""))
	for name, who := range map[string]*record.Recorder{"the same process": r, "a process that is behind": behind} {
		_, err := who.Record(t.Context(), action(t, support("MK-2026-0001", "t", "")), record.AtRevision(0))
		var p *record.PreconditionError
		if !errors.As(err, &p) || p.Wanted != 0 || p.Length != 2 || !errors.Is(err, record.ErrPrecondition) {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	if receipt, err := again.Record(t.Context(), action(t, support("MK-2026-0001", "u", "")), record.AtRevision(1)); err != nil || receipt.Revision != 2 {
		t.Errorf("%+v, %v", receipt, err)
	}
	_, err := r.Record(t.Context(), action(t, opening("MK-2026-0002")), record.AtRevision(0))
	if !errors.Is(err, record.ErrPrecondition) {
		t.Errorf("a case that has no events: %v", err)
	}
}

func TestTragaRecordsItsOwn(t *testing.T) {
	store := memstore.New(atNoon)
	seen := &counter{}
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon), record.WithObserver(seen))
	must(t, r, opening("MK-2026-0001"))
	for _, text := range []string{
		`{"case":"MK-2026-0001","type":"ObligationOverdue",` + traga + `,"data":{"obligation":"screening","rule":"screening","due":"2026-03-01"}}`,
		`{"case":"MK-2026-0001","type":"CaseConsulted",` + csw + `,"data":{"view":"timeline","justification":"j","policy":["p"]}}`,
		`{"type":"StoreSimulated",` + traga + `,"data":{"from":"2026-01-01T00:00:00Z","note":"simulated"}}`,
	} {
		a := action(t, text)
		a.ID = uuid.NewSHA1(uuid.Nil, []byte(text))
		first, err := r.RecordInternal(t.Context(), a, record.AnyRevision)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		again, err := r.RecordInternal(t.Context(), a, record.AnyRevision)
		first.Repeated = true
		if err != nil || again != first {
			t.Errorf("%+v, %v; expected %+v", again, err, first)
		}
	}
	for stream, n := range map[string]int{events.CaseStream("MK-2026-0001"): 2, events.AccessStream("MK-2026-0001"): 1, events.StoreStream: 1} {
		if got := len(stored(t, store, stream)); got != n {
			t.Errorf("%s has %d events, expected %d", stream, got, n)
		}
	}
	_, err := r.RecordInternal(t.Context(), action(t, `{"case":"MK-2026-0001","type":"SupportProvided",`+traga+`,"data":{"service":"s"}}`), record.AnyRevision)
	if got := because(t, err); got != "not-allowed actor.role" {
		t.Errorf("traga supports nobody: %s", got)
	}
	if seen.appended != 4 {
		t.Errorf("%d appends were counted", seen.appended)
	}
}

func TestTheRegistersOfAJurisdictionAreWrittenTheSameWay(t *testing.T) {
	store := memstore.New(atNoon)
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	trained := `"type":"OfficerTrained",` + directorate + `,"data":{"officer":"l.dimova","tool":"VERA-2R","provider":"academy","on":"2025-11-03"}}`
	decreed := `{"jurisdiction":"MK","type":"NonWorkingDayDecreed",` + directorate + `,"data":{"date":"2026-05-04","name":{"en":"x"},"act":"a"}}`
	first := must(t, r, `{"jurisdiction":"MK",`+trained)
	must(t, r, `{"case":"MK-2026-0001",`+trained)                                       // the jurisdiction of the case
	must(t, r, `{"jurisdiction":"RS",`+strings.ReplaceAll(trained, "mk-des", "rs-des")) // each by its own directorate
	must(t, r, decreed)
	for stream, n := range map[string]int{"directory-MK": 2, "directory-RS": 1, "protocol-MK": 1} {
		if got := stored(t, store, stream); len(got) != n || got[0].Case != "" || string(got[0].Jurisdiction) != stream[len(stream)-2:] {
			t.Errorf("%s: %d events", stream, len(got))
		}
	}
	repeat := action(t, `{"jurisdiction":"MK",`+trained)
	repeat.ID = first.ID
	if again, err := r.Record(t.Context(), repeat, record.AnyRevision); err != nil || !again.Repeated || again.Revision != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	caused := action(t, `{"jurisdiction":"MK","causationId":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1aff",`+trained)
	_, err := r.Record(t.Context(), caused, record.AnyRevision)
	if got := because(t, err); got != "conflict causationId" {
		t.Errorf("a cause that is not there: %s", got)
	}
}

func TestAnObligationThatTheCaseDoesNotHaveIsNeitherWaivedNorAcknowledged(t *testing.T) {
	r := record.New(memstore.New(atNoon), protocol.NewBook(), record.WithClock(atNoon), duties())
	must(t, r, opening("MK-2026-0001"))
	acknowledged := func(id string) string {
		return `{"case":"MK-2026-0001","type":"AlertAcknowledged",` + prison + `,"data":{"obligation":"` + id + `","note":"n"}}`
	}
	must(t, r, acknowledged("screening"))
	must(t, r, `{"case":"MK-2026-0001","type":"ObligationWaived",`+directorate+`,"data":{"obligation":"screening","reason":"r","approver":"a"}}`)
	_, err := r.Record(t.Context(), action(t, acknowledged("notify-csw")), record.AnyRevision)
	if got := because(t, err); got != "conflict data.obligation" {
		t.Errorf("%s", got)
	}
}

// duties are those of the shipped rules.
func duties() record.Option {
	book := protocol.NewBook()
	return record.WithDuties(func() record.Duties { return protocol.NewTracker(book) })
}

func TestALookAtAListIsRecordedOfNoCase(t *testing.T) {
	store := memstore.New(atNoon)
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	look := func(who events.Role) *record.Action {
		return &record.Action{Type: "CaseConsulted", Actor: events.Actor{Officer: "o", Role: who, Institution: "i"}, Data: &events.CaseConsulted{View: "alerts state=overdue"}}
	}
	for _, who := range []events.Role{events.Ombudsman, events.System} { // System is the owner of the machine, where there is no sign-in
		if _, err := r.RecordInternal(t.Context(), look(who), record.AnyRevision); err != nil {
			t.Fatal(err)
		}
	}
	if got := stored(t, store, events.AccessStream("")); len(got) != 2 || got[0].Case != "" {
		t.Errorf("%+v", got)
	}
	_, err := r.Record(t.Context(), look(events.Ombudsman), record.AnyRevision)
	if got := because(t, err); got != "not-allowed type" {
		t.Errorf("from outside: %s", got)
	}
}
