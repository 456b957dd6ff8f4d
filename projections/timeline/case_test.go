package timeline

import (
	"context"
	"encoding/hex"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

func TestNoSuchCase(t *testing.T) {
	w := tell(t)
	read := func(number string, asOf events.AsOf) error {
		_, err := Read(context.Background(), w.store, protocol.NewBook(), number, asOf, w.clock)
		return err
	}
	if err := read(w.number, events.AsOf{Instant: w.clock}); err != nil {
		t.Error("at the instant of the opening:", err)
	}
	if err := read(w.number, events.AsOf{Instant: w.clock.Add(-time.Microsecond)}); !errors.Is(err, ErrNoSuchCase) {
		t.Error("before the opening:", err)
	}
	if err := read("MK-2026-0002", events.AsOf{}); !errors.Is(err, ErrNoSuchCase) {
		t.Error("a number that no case has:", err)
	}
	var field *events.FieldError
	if err := read("mk-1", events.AsOf{}); !errors.As(err, &field) || field.Field != "case" {
		t.Error("what is no case number:", err)
	}
}

// faulty is a log whose stream breaks off.
type faulty struct {
	Log
	stream string
	after  int
}

var errBroken = errors.New("the line is dead")

func (f faulty) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		n := 0
		for r, err := range f.Log.ReadStream(ctx, stream, from) {
			if stream == f.stream && n == f.after {
				yield(events.Recorded{}, errBroken)
				return
			}
			n++
			if !yield(r, err) {
				return
			}
		}
		if stream == f.stream && n == f.after {
			yield(events.Recorded{}, errBroken)
		}
	}
}

// A fault of the store is an error, never a shorter history, another clock or a milder verdict.
func TestFaultIsNoShortHistory(t *testing.T) {
	w := tell(t)
	w.say(prison, notice("n-1", csw))
	for _, f := range []faulty{{stream: events.CaseStream(w.number), after: 0}, {stream: events.CaseStream(w.number), after: 1}, {stream: events.StoreStream}} {
		f.Log = w.store
		if _, err := Read(context.Background(), f, protocol.NewBook(), w.number, events.AsOf{}, w.clock); !errors.Is(err, errBroken) || errors.Is(err, ErrNoSuchCase) {
			t.Errorf("%s after %d: %v", f.stream, f.after, err)
		}
	}
	for _, stream := range []string{events.AccessStream(w.number), events.DirectoryStream("MK")} {
		c, err := Read(context.Background(), faulty{Log: w.store, stream: stream}, protocol.NewBook(), w.number, events.AsOf{}, w.clock)
		must(t, err)
		if _, err := c.Safeguards(context.Background()); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", stream, err)
		}
	}
}

// An instant is its own clock; a position takes the time of the event there, of whichever case; now is now, but
// never before the last event.
func TestClock(t *testing.T) {
	w := tell(t)
	opened := w.clock
	w.at("2026-03-05T09:00:00+01:00")
	other := &teller{t: t, store: w.store, clock: w.clock, number: "MK-2026-0002", n: 100}
	other.say(prison, notice("n-1", csw))
	elsewhere := w.clock
	w.at("2026-03-09T09:00:00+01:00").say(prison, notice("n-2", csw))

	for _, c := range []struct {
		name  string
		asOf  events.AsOf
		now   time.Time
		clock time.Time
		len   int
	}{
		{"an instant", events.AsOf{Instant: opened.Add(time.Hour)}, w.clock, opened.Add(time.Hour), 1},
		{"the position of the case's event", events.AsOf{Position: events.At(1)}, w.clock, opened, 1},
		{"the position of another case's event", events.AsOf{Position: events.At(2)}, w.clock, elsewhere, 1},
		{"a position that is still to come", events.AsOf{Position: events.At(99)}, w.clock, w.clock, 2},
		{"now", events.AsOf{}, w.clock.Add(time.Hour), w.clock.Add(time.Hour), 2},
		{"now by a clock that is behind", events.AsOf{}, opened, w.clock, 2},
	} {
		got, err := Read(context.Background(), w.store, protocol.NewBook(), w.number, c.asOf, c.now)
		must(t, err)
		if !got.Clock().Equal(c.clock) || got.History().Len() != c.len {
			t.Errorf("%s: %v with %d events, expected %v with %d", c.name, got.Clock(), got.History().Len(), c.clock, c.len)
		}
	}
}

// The phase is the furthest that the entries that stand have reached, in the order in which they occurred.
func TestPhase(t *testing.T) {
	w := tell(t)
	expect := func(status Status, phase Phase) {
		t.Helper()
		if got := w.now().life(); got.status != status || got.phase != phase {
			t.Errorf("%s, %s; expected %s, %s", got.status, got.phase, status, phase)
		}
	}
	expect(Open, Intake)
	plan := w.say(prison, &events.TreatmentPlanAdopted{Plan: "tp-1", Goals: []string{"a course"}, Participated: true})
	expect(Open, Treatment)
	annulled := w.say(prison, &events.EntryAnnulled{Target: plan, Reason: "another person's"})
	expect(Open, Intake)
	w.say(prison, &events.EntryAnnulled{Target: annulled, Reason: "it was right"})
	expect(Open, Treatment)
	w.say(prison, &events.PreReleasePlanningOpened{Manager: "a.petrova"})
	expect(Open, PreRelease)
	early := w.say(csw, &events.PostPenalPlanAdopted{Plan: "pp-0", Goals: []string{"a flat"}, Participated: true})
	expect(Open, PreRelease) // a plan for afterwards releases nobody
	w.say(csw, &events.EntryAnnulled{Target: early, Reason: "a draft"})
	w.say(prison, &events.PersonReleased{Kind: "sentence-end", Papers: true, Accommodation: true, Means: true})
	expect(Open, Released)
	w.say(csw, &events.PostPenalPlanAdopted{Plan: "pp-1", Goals: []string{"a flat"}, Participated: true})
	expect(Open, PostPenal)
	w.at("2026-03-10T09:00:00+01:00").say(csw, &events.CaseClosed{Reason: "done"})
	expect(Closed, PhaseClosed)
	w.at("2026-03-20T09:00:00+01:00").say(csw, &events.CaseReopened{Reason: "new needs"})
	expect(Open, PostPenal)
	w.say(csw, &events.CaseClosed{Reason: "recorded late"}, occurred("2026-03-12T09:00:00+01:00"))
	expect(Open, PostPenal)
}

func TestGroups(t *testing.T) {
	w := tell(t)
	first := w.say(prison, &events.SpecificGroupRecorded{Group: "juvenile", Guardian: "g"})
	w.say(prison, &events.SpecificGroupRecorded{Group: "first-time"})
	w.say(prison, &events.SpecificGroupRecorded{Group: "first-time"})
	if g := w.now().life().group; !slices.Equal(g, []string{"juvenile", "first-time"}) {
		t.Error(g)
	}
	w.say(prison, &events.EntryCorrected{Target: first, Replacement: []byte(`{"group":"female"}`), Reason: "wrong row"})
	if g := w.now().life().group; !slices.Equal(g, []string{"female", "first-time"}) {
		t.Error(g)
	}
}

// The order is by occurrence, ties by recording; or by recording alone.
func TestOrder(t *testing.T) {
	w := tell(t)
	opened := w.now().Timeline("en", Occurred)[0].ID
	w.at("2026-03-10T09:00:00+01:00")
	late := w.say(prison, notice("n-1", csw), occurred("2026-03-03T09:00:00+01:00"))
	a := w.say(prison, notice("n-2", csw))
	b := w.say(prison, notice("n-3", csw))
	early := w.say(prison, notice("n-4", csw), occurred("2026-03-01T09:00:00+01:00"))
	for order, want := range map[Order][]uuid.UUID{Occurred: {early, opened, late, a, b}, Recorded: {opened, late, a, b, early}} {
		var got []uuid.UUID
		for _, e := range w.now().Timeline("en", order) {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, expected %v", order, got, want)
		}
	}
	if _, err := ParseOrder("sideways"); err == nil {
		t.Error("an unknown order was accepted")
	}
}

// Late is recorded more than three working days after it occurred: the weekend and Easter Monday do not count.
func TestLate(t *testing.T) {
	for occurredAt, want := range map[string]map[string]bool{
		"2026-03-05T15:00:00+01:00": {"2026-03-10T23:59:00+01:00": false, "2026-03-11T00:00:00+01:00": true}, // Thursday
		"2026-04-09T15:00:00+02:00": {"2026-04-15T12:00:00+02:00": false, "2026-04-16T12:00:00+02:00": true}, // Easter Monday is the 13th
	} {
		for recordedAt, late := range want {
			w := tell(t)
			w.at(recordedAt).say(prison, notice("n-1", csw), occurred(occurredAt))
			rows := w.now().Timeline("en", Recorded)
			if got := rows[len(rows)-1].Late; got != late {
				t.Errorf("occurred %s, recorded %s: late is %v", occurredAt, recordedAt, got)
			}
		}
	}
}

// The worked example of Hash, and any change of what it covers changes it.
func TestHash(t *testing.T) {
	r := events.Recorded{ID: uuid.MustParse("5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"), Type: "SupportProvided", Revision: 7,
		RecordedAt: time.Date(2026, 3, 2, 9, 15, 0, 123456000, time.UTC), Position: events.At(42), Stream: "case-x",
		Metadata: []byte(`{"schema":1}`), Data: []byte(`{"service":"x"}`)}
	input := "74726167612e696e7465726e616c2f6576656e742f76310a" + // traga.internal/event/v1 and a newline
		"5b0a3d1e7c524a869a3d0c8f2f6d1a02" + // id
		"0000000f" + hex.EncodeToString([]byte("SupportProvided")) +
		"0000000000000007" + "00064c0705724f40" + // revision, recordedAt
		"0000000c" + hex.EncodeToString([]byte(`{"schema":1}`)) +
		"0000000f" + hex.EncodeToString([]byte(`{"service":"x"}`))
	if got, want := Hash(&r), sha256Hex(t, input); got != want {
		t.Errorf("%s, expected %s", got, want)
	}
	for name, change := range map[string]func(*events.Recorded){
		"id":         func(r *events.Recorded) { r.ID[15]++ },
		"type":       func(r *events.Recorded) { r.Type = "SupportProvidee" },
		"revision":   func(r *events.Recorded) { r.Revision++ },
		"recordedAt": func(r *events.Recorded) { r.RecordedAt = r.RecordedAt.Add(time.Microsecond) },
		"metadata":   func(r *events.Recorded) { r.Metadata = []byte(`{"schema":2}`) },
		"data":       func(r *events.Recorded) { r.Data = []byte(`{"service":"y"}`) },
		"a byte moved from metadata to data": func(r *events.Recorded) {
			r.Metadata, r.Data = []byte(`{"schema":1`), []byte(`}{"service":"x"}`)
		},
	} {
		changed := r
		change(&changed)
		if Hash(&changed) == Hash(&r) {
			t.Errorf("another %s has the same hash", name)
		}
	}
	moved := r
	moved.Position = events.At(43)
	if Hash(&moved) != Hash(&r) {
		t.Error("the hash depends on the position")
	}
}

// A store says by its first event that its times are simulated; any other store's are not.
func TestSimulated(t *testing.T) {
	if tell(t).now().Show().Simulated {
		t.Error("a plain store passes for a simulated one")
	}
	s := play(t, "rich")
	if !s.read(t, "MK-2026-0100", "").Show().Simulated {
		t.Error("a simulated store passes for a plain one")
	}
}

// Who looked at the case and who was trained in what count as known at the instant that the case is read at, also
// when they were recorded between the reading of the case and the question about its safeguards.
func TestSafeguardsAsKnownThen(t *testing.T) {
	w := tell(t)
	w.say(prison, &events.ScreeningCompleted{Tool: "VES-short", ToolVersion: "1.2", Result: "indicated", Facts: []string{"a fact"}, Opinions: []string{}})
	verdict := func(c *Case, safeguard string) string {
		t.Helper()
		all, err := c.Safeguards(context.Background())
		must(t, err)
		i := slices.IndexFunc(all, func(v safeguards.Verdict) bool { return v.Safeguard == safeguard })
		return all[i].Verdict
	}
	expect := func(c *Case, hr02, hr29 string) {
		t.Helper()
		if a, b := verdict(c, "HR02"), verdict(c, "HR29"); a != hr02 || b != hr29 {
			t.Errorf("HR02 %s, HR29 %s; expected %s, %s", a, b, hr02, hr29)
		}
	}
	before := w.now()
	expect(before, safeguards.NotApplicable, safeguards.NotApplicable)
	w.clock = w.clock.Add(time.Hour)
	w.record(events.AccessStream(w.number), &events.Event{ID: events.DeriveID("look"), Type: "CaseConsulted", Case: w.number, OccurredAt: w.clock, Actor: csw,
		Data: &events.CaseConsulted{View: "timeline", Justification: "", Policy: []string{}}})
	w.record(events.DirectoryStream("MK"), &events.Event{ID: events.DeriveID("training"), Type: "OfficerTrained", Jurisdiction: "MK", OccurredAt: w.clock, Actor: csw,
		Data: &events.OfficerTrained{Officer: "someone.else", Tool: "VES-short", Provider: "x", On: events.DateOf(2026, 1, 1)}})
	expect(before, safeguards.NotApplicable, safeguards.NotApplicable)
	expect(w.now(), safeguards.Fail, safeguards.Fail)
	expect(w.read(events.AsOf{Instant: w.clock.Add(-time.Minute)}), safeguards.NotApplicable, safeguards.NotApplicable)
	expect(w.read(events.AsOf{Position: events.At(2)}), safeguards.NotApplicable, safeguards.NotApplicable)
	// At the instant of the look and the training, but at a position before them.
	w.say(prison, &events.SupportProvided{Service: "advice"})
	again := w.say(prison, &events.SupportProvided{Service: "advice"})
	w.record(events.AccessStream(w.number), &events.Event{ID: events.DeriveID("look again"), Type: "ExportProduced", Case: w.number, OccurredAt: w.clock, Actor: csw,
		Data: &events.ExportProduced{Format: "bundle", Recipient: "court", Justification: "", Digest: ""}})
	shown := func(c *Case) int {
		all, err := c.Safeguards(context.Background())
		must(t, err)
		return len(all[1].Events)
	}
	if before, after := shown(w.read(events.AsOf{Position: w.now().History().Find(again).Position})), shown(w.now()); before != 1 || after != 2 {
		t.Errorf("HR02 names %d events at the position before the export and %d after it", before, after)
	}
}

// A day that was decreed non-working counts as one from the recording of the decree on, not before.
func TestDecreesAsKnownThen(t *testing.T) {
	w := tell(t)
	w.at("2026-03-11T12:00:00+01:00").say(prison, notice("n-1", csw), occurred("2026-03-05T12:00:00+01:00")) // the 4th working day
	w.at("2026-03-12T09:00:00+01:00").record(events.ProtocolStream("MK"), &events.Event{ID: events.DeriveID("decree"), Type: "NonWorkingDayDecreed",
		Jurisdiction: "MK", OccurredAt: w.clock, Actor: prison,
		Data: &events.NonWorkingDayDecreed{Date: events.DateOf(2026, 3, 10), Name: map[string]string{"en": "Day of mourning"}, Act: "an act"}})
	book := protocol.NewBook()
	for r, err := range w.store.ReadStream(context.Background(), events.ProtocolStream("MK"), 0) {
		must(t, err)
		e, err := events.Decode(&r)
		must(t, err)
		book, err = book.With(e)
		must(t, err)
	}
	for at, want := range map[string]bool{"2026-03-11T12:00:00+01:00": true, "2026-03-12T09:00:00+01:00": false} {
		c, err := Read(context.Background(), w.store, book, w.number, events.AsOf{Instant: instant(at)}, w.clock)
		must(t, err)
		if rows := c.Timeline("en", Recorded); rows[1].Late != want {
			t.Errorf("at %s: late is %v", at, rows[1].Late)
		}
	}
}

// Beside each screening and assessment stands whether its assessor was trained in its tool on that day, as known then.
func TestTrainingBesideEachAssessment(t *testing.T) {
	w := tell(t)
	screened := w.say(prison, &events.ScreeningCompleted{Tool: "VES-short", ToolVersion: "1.2", Result: "indicated", Facts: []string{"a fact"}, Opinions: []string{}})
	assessment := w.say(prison, &events.AssessmentCompleted{Assessment: "as-1", Kind: "risk", Tool: "VERA-2R", ToolVersion: "2", Assessor: "psych.m", Indicators: []string{}, Facts: []string{"f"}, Opinions: []string{}})
	trained := func(officer, tool string) {
		w.record(events.DirectoryStream("MK"), &events.Event{ID: events.DeriveID("training", officer), Type: "OfficerTrained", Jurisdiction: "MK", OccurredAt: w.clock, Actor: csw,
			Data: &events.OfficerTrained{Officer: officer, Tool: tool, Provider: "x", On: events.DateOf(2025, 1, 1)}})
	}
	expect := func(asOf events.AsOf, ofScreening, ofAssessment Training) {
		t.Helper()
		c := w.read(asOf)
		if row, _ := c.Entry(screened, "en"); row.Training != nil {
			t.Error("training is told before it was read")
		}
		must(t, c.ReadTraining(context.Background()))
		for _, row := range c.Timeline("en", Recorded) {
			switch {
			case row.ID == screened && (row.Training == nil || *row.Training != ofScreening), row.ID == assessment && (row.Training == nil || *row.Training != ofAssessment):
				t.Errorf("%s: %v", row.Type, row.Training)
			case row.ID != screened && row.ID != assessment && row.Training != nil:
				t.Errorf("%s has an assessor", row.Type)
			}
		}
	}
	before := events.AsOf{Instant: w.clock}
	expect(before, Unrecorded, Unrecorded)
	w.clock = w.clock.Add(time.Hour)
	trained("Psych.M", "vera-2r")
	expect(events.AsOf{}, Untrained, Trained)
	trained(prison.Officer, "VERA-2R")
	expect(events.AsOf{}, Untrained, Trained)
	expect(before, Unrecorded, Unrecorded)
	w.say(prison, &events.EntryCorrected{Target: assessment, Reason: "another assessor", Replacement: []byte(
		`{"assessment":"as-1","kind":"risk","tool":"VERA-2R","toolVersion":"2","assessor":"psych.other","indicators":[],"facts":["f"],"opinions":[],"specialist":false}`)})
	expect(events.AsOf{}, Untrained, Untrained)
}
