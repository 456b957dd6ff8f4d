package safeguards_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	judging "traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/safeguards"
)

const number = "MK-2026-0001"

var (
	prison    = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	ombudsman = events.Actor{Officer: "o", Role: events.Ombudsman, Institution: "mk-ombudsman"}
	opened    = time.Date(2026, 1, 12, 9, 0, 0, 0, time.UTC)
)

func (w *world) inCase(at time.Time, actor events.Actor, data any, kind string) {
	w.t.Helper()
	w.record(at, events.CaseStream(number), &events.Event{Type: kind, Case: number, Jurisdiction: "MK", Actor: actor, Purpose: "supervision", LegalBasis: "execution-law", Data: data})
}

func (w *world) open() {
	w.t.Helper()
	w.inCase(opened, prison, &events.CaseOpened{Subject: "s", Name: "N", DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted",
		Institution: prison.Institution, AdmittedOn: events.DateOf(2026, 1, 12)}, "CaseOpened")
}

// is expects a verdict, of the list and of the timeline, and counts it where it is of now.
func (w *world) is(r *safeguards.Reader, safeguard, verdict string, asOf events.AsOf, now time.Time) {
	w.t.Helper()
	// What may be answered from memory is asked first: the whole list is always worked out anew.
	if narrow := w.list(r, safeguards.Query{AsOf: asOf, Now: now, Safeguard: safeguard, Verdict: verdict}); len(narrow) != 1 {
		w.t.Errorf("as of %+v, at %v, %s is not %s", asOf, now, safeguard, verdict)
	}
	if asOf.IsNow() {
		counts, err := r.Counts(context.Background(), now)
		w.must(err)
		want := 0
		if verdict == judging.Fail {
			want = 1
		}
		if !slices.Contains(counts, safeguards.Count{Jurisdiction: "MK", Safeguard: safeguard, Failures: want}) {
			w.t.Errorf("at %v %s does not fail in %d cases", now, safeguard, want)
		}
	}
	list := w.list(r, safeguards.Query{AsOf: asOf, Now: now})
	compare(w.t, "the list", list, w.ofTheTimelines(asOf, now, []string{number}))
	if !slices.ContainsFunc(list, func(v judging.Verdict) bool { return v.Safeguard == safeguard && v.Verdict == verdict }) {
		w.t.Errorf("as of %+v, at %v: %+v, want %s %s", asOf, now, list, safeguard, verdict)
	}
}

// A day that is decreed later moves a due date: from its recording on, in the past never.
func TestADecreeChangesAVerdictFromItsRecordingOn(t *testing.T) {
	w := newWorld(t)
	w.open()
	lodged := opened.Add(24 * time.Hour)
	w.inCase(lodged, ombudsman, &events.ComplaintLodged{Complaint: "co-1", About: prison.Party(), Grounds: "g"}, "ComplaintLodged")
	w.catchUp()
	over := complaintOverdue(w)
	r := safeguards.New(w.engine)
	w.is(r, "HR23", judging.Open, events.AsOf{}, over.Add(-time.Microsecond))
	w.is(r, "HR23", judging.Fail, events.AsOf{}, over)
	w.is(r, "HR23", judging.Fail, events.AsOf{}, over.Add(time.Hour))
	decreed := over.Add(2 * time.Hour)
	w.record(decreed, events.ProtocolStream("MK"), &events.Event{Type: "NonWorkingDayDecreed", Jurisdiction: "MK", Actor: prison,
		Data: &events.NonWorkingDayDecreed{Date: events.DateIn(over.Add(-time.Hour), time.UTC), Name: map[string]string{"en": "mourning"}, Act: "1/26"}})
	w.catchUp()
	w.is(r, "HR23", judging.Open, events.AsOf{}, decreed.Add(time.Hour))
	w.is(r, "HR23", judging.Open, events.AsOf{Instant: decreed}, decreed.Add(time.Hour))
	w.is(r, "HR23", judging.Fail, events.AsOf{Instant: decreed.Add(-time.Microsecond)}, decreed.Add(time.Hour))
	w.is(r, "HR23", judging.Open, events.AsOf{Position: events.At(2)}, decreed.Add(time.Hour))
	w.is(r, "HR23", judging.Fail, events.AsOf{}, complaintOverdue(w))
}

// complaintOverdue is when the decision on the complaint becomes overdue.
func complaintOverdue(w *world) time.Time {
	w.t.Helper()
	book, err := w.engine.BookAt(context.Background(), events.AsOf{})
	w.must(err)
	tracker := protocol.NewTracker(book)
	for r, err := range w.store.ReadStream(context.Background(), events.CaseStream(number), 0) {
		w.must(err)
		e, err := events.Decode(&r)
		w.must(err)
		tracker.Evolve(e)
	}
	all := tracker.Obligations()
	i := slices.IndexFunc(all, func(o protocol.Obligation) bool { return o.Rule == "decide-complaint" })
	if i < 0 {
		w.t.Fatalf("no duty to decide in %+v", all)
	}
	return all[i].OverdueFrom.UTC()
}

// Training that enters the directory changes the verdicts of cases in which nothing is recorded.
func TestTrainingChangesAVerdictFromItsRecordingOn(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.inCase(opened.Add(time.Hour), prison, &events.ScreeningCompleted{Tool: "vera", ToolVersion: "2", Result: "indicated", Facts: []string{"f"}, Opinions: []string{}}, "ScreeningCompleted")
	w.catchUp()
	r := safeguards.New(w.engine)
	w.is(r, "HR29", judging.NotApplicable, events.AsOf{}, opened.Add(2*time.Hour))
	train := func(at time.Time, officer string) {
		w.record(at, events.DirectoryStream("MK"), &events.Event{Type: "OfficerTrained", Jurisdiction: "MK", Actor: prison,
			Data: &events.OfficerTrained{Officer: officer, Tool: "vera", Provider: "p", On: events.DateOf(2025, 1, 1)}})
		w.catchUp()
	}
	day := func(n int) time.Time { return opened.AddDate(0, 0, n) }
	train(day(1), "another")
	w.is(r, "HR29", judging.Fail, events.AsOf{}, day(2))
	train(day(3), prison.Officer)
	w.is(r, "HR29", judging.Pass, events.AsOf{}, day(3))
	w.is(r, "HR29", judging.Fail, events.AsOf{Instant: day(2)}, day(4))
	w.is(r, "HR29", judging.NotApplicable, events.AsOf{Instant: day(1).Add(-time.Microsecond)}, day(4))
}

// The list is as far as the read model is: what it has not taken yet is not half seen, and not remembered.
func TestTheListIsAsFarAsTheReadModel(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.catchUp()
	r := safeguards.New(w.engine)
	before := w.ofTheTimelines(events.AsOf{}, opened.AddDate(0, 0, 1), []string{number})
	w.inCase(opened.AddDate(0, 0, 1), prison, &events.ScreeningCompleted{Tool: "vera", ToolVersion: "2", Result: "indicated", Facts: []string{"f"}, Opinions: []string{}}, "ScreeningCompleted")
	w.record(opened.AddDate(0, 0, 1).Add(time.Hour), events.AccessStream(number), &events.Event{Type: "CaseConsulted", Case: number, Jurisdiction: "MK", Actor: ombudsman, Data: &events.CaseConsulted{View: "case", Policy: []string{}}})
	now := opened.AddDate(0, 0, 2)
	compare(t, "before it is taken", w.list(r, safeguards.Query{Now: now}), before)
	w.catchUp()
	w.is(r, "HR02", judging.Fail, events.AsOf{}, now)
	w.is(r, "HR02", judging.NotApplicable, events.AsOf{Instant: opened.AddDate(0, 0, 1).Add(time.Minute)}, now)
	w.is(r, "HR02", judging.NotApplicable, events.AsOf{Instant: opened.Add(time.Hour)}, now)
}

// counted counts how often the case's own stream is read.
type counted struct {
	events.Store
	cases int
}

func (c *counted) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	if stream == events.CaseStream(number) {
		c.cases++
	}
	return c.Store.ReadStream(ctx, stream, from)
}

// A case that nothing was recorded in for long is not read again when the clock alone changes nothing.
func TestAQuietCaseIsNotReadAgain(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.inCase(opened.Add(time.Hour), ombudsman, &events.ComplaintLodged{Complaint: "co-1", About: prison.Party(), Grounds: "g"}, "ComplaintLodged")
	w.catchUp()
	late := complaintOverdue(w).AddDate(0, 1, 0)
	read := &counted{Store: w.store}
	engine, err := projections.Open(t.Context(), t.TempDir(), read, protocol.NewBook(), []projections.Projection{safeguards.Projection()})
	w.must(err)
	defer engine.Close()
	w.must(engine.CatchUp(t.Context(), nil))
	r := safeguards.New(engine)
	count := func(at time.Time, reads int) {
		t.Helper()
		read.cases = 0
		if _, err := r.Counts(t.Context(), at); err != nil || read.cases != reads {
			t.Errorf("at %v: %v, the case was read %d times, want %d", at, err, read.cases, reads)
		}
	}
	count(late, 1)
	count(late.AddDate(1, 0, 0), 0)
	count(late.AddDate(0, 0, -20), 0)
	count(opened.Add(2*time.Hour), 1) // before the complaint was overdue
	count(late, 0)                    // a look at the past does not make it forget the present
}
