package caseload_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/caseload"
	"traga.internal/handlers/record"
	"traga.internal/handlers/simulate"
)

// world is an in-memory store on a simulated clock, with the real write path.
func world(t *testing.T, from time.Time) (*simulate.World, events.Store, *simulate.Clock) {
	t.Helper()
	clock := &simulate.Clock{}
	store := memstore.New(clock.Now)
	t.Cleanup(func() { store.Close() })
	book := protocol.NewBook()
	recorder := record.New(store, book, record.WithClock(clock.Now),
		record.WithDuties(func() record.Duties { return protocol.NewTracker(book) }))
	w, err := simulate.Begin(t.Context(), store, clock, recorder, book, from, "a made-up caseload")
	if err != nil {
		t.Fatal(err)
	}
	return w, store, clock
}

// TestTheWritePathAcceptsEveryStep plays whole caseloads, and what goes on live after them, through the real write
// path: structural rules, safeguards and duties refuse nothing.
func TestTheWritePathAcceptsEveryStep(t *testing.T) {
	seeds := int64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		today := today.AddDate(0, 0, int(seed)*137) // another season each time
		g, err := caseload.New(seed, today, 60)
		if err != nil {
			t.Fatal(err)
		}
		w, _, clock := world(t, g.From())
		n := 0
		for s := range g.All() {
			if _, err := w.Record(t.Context(), s.RecordedAt, simulate.Action(s)); err != nil {
				t.Errorf("seed %d: %s %s at %v: %v", seed, s.Event.Case, s.Event.Type, s.RecordedAt, err)
			}
			n++
		}
		if n != g.Len() {
			t.Errorf("seed %d: %d steps, Len says %d", seed, n, g.Len())
		}
		types, cases, live := map[string]int{}, map[string]bool{}, 0
		for s := range g.Live(today.Add(time.Minute)) {
			if !s.RecordedAt.After(clock.Now()) {
				t.Fatalf("seed %d: a live step at %v, the clock says %v", seed, s.RecordedAt, clock.Now())
			}
			if _, err := w.Record(t.Context(), s.RecordedAt, simulate.Action(s)); err != nil {
				t.Fatalf("seed %d: live %s %s: %v", seed, s.Event.Case, s.Event.Type, err)
			}
			types[s.Event.Type]++
			cases[s.Event.Case] = true
			if live++; live == 1500 {
				break
			}
		}
		if live < 1500 || len(types) < 12 || len(cases) < 30 {
			t.Errorf("seed %d: %d live steps of %d types on %d cases: %v", seed, live, len(types), len(cases), types)
		}
	}
}

// TestCaseload looks at what a reader of the demonstration is promised.
func TestCaseload(t *testing.T) {
	g, err := caseload.New(1, today, 48)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(g.Cases()); n < 48 {
		t.Errorf("%d cases, want 48 at least", n)
	}
	by := map[events.Jurisdiction]int{}
	subdivisions, types, phases := map[string]int{}, map[string]int{}, map[casefile.Phase]int{}
	states := map[string]*casefile.State{}
	late, unexplained := 0, 0
	for s := range g.All() {
		e := s.Event
		types[e.Type]++
		if e.Case == "" {
			continue
		}
		if d, ok := e.Data.(*events.CaseOpened); ok {
			by[e.Jurisdiction]++
			if e.Jurisdiction == "BA" {
				subdivisions[string(d.Institution[:6])]++
			}
			states[e.Case] = &casefile.State{}
		}
		if s.RecordedAt.Sub(e.OccurredAt) > 10*24*time.Hour {
			if late++; e.LateReason == "" {
				unexplained++
			}
		}
		recorded := *e
		recorded.RecordedAt = s.RecordedAt
		states[e.Case].Evolve(&recorded)
	}
	for _, s := range states {
		phases[s.Phase()]++
	}
	for _, j := range events.Jurisdictions() {
		if by[j] < 3 {
			t.Errorf("%d cases of %s", by[j], j)
		}
	}
	for _, s := range []string{"ba-bih", "ba-srp", "ba-brc"} {
		if subdivisions[s] == 0 {
			t.Errorf("no case of %s", s)
		}
	}
	for _, p := range []casefile.Phase{casefile.Intake, casefile.Treatment, casefile.PreRelease, casefile.Released, casefile.PostPenal, casefile.PhaseClosed} {
		if phases[p] == 0 {
			t.Errorf("no case in the phase %s", p)
		}
	}
	for _, e := range []string{"InformationDisclosed", "DisclosureRecalled", "DisclosureDestructionConfirmed", "DataBreachRecorded", "BreachReported",
		"ExpectedReleaseDateChanged", "EntryCorrected", "EntryAnnulled", "ConsentWithdrawn", "InformationRefused", "RefusalAppealDecided",
		"ComplaintDecided", "AssessmentContestDecided", "OverrideAuthorised", "JurisdictionTransferInitiated", "JurisdictionTransferAccepted",
		"ConsentRefused", "PrisonTransferred", "ObligationWaived", "AlertAcknowledged", "CaseReopened", "FindingClosed", "OfficerTrained"} {
		if types[e] == 0 {
			t.Errorf("no %s", e)
		}
	}
	if late < 20 || unexplained == 0 || unexplained > late/10 {
		t.Errorf("%d late entries, %d of them unexplained", late, unexplained)
	}
	if n := types["ObligationOverdue"] + types["ObligationEscalated"]; n > 0 {
		t.Error("the generator says what only the watcher may")
	}
	from, to := g.From(), today
	if months := to.Sub(from).Hours() / 24 / 30.4; months < 17 || months > 19 {
		t.Errorf("the caseload spans %.1f months", months)
	}
}

// TestSameSeedSameCaseload: the event ids included.
func TestSameSeedSameCaseload(t *testing.T) {
	encoded := func(seed int64) (all []string) {
		g, err := caseload.New(seed, today, 50)
		if err != nil {
			t.Fatal(err)
		}
		add := func(s caseload.Step) {
			p, err := events.Encode(s.Event)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s.RecordedAt.String()+p.ID.String()+string(p.Metadata)+string(p.Data))
		}
		for s := range g.All() {
			add(s)
		}
		n := 0
		for s := range g.Live(today) {
			if add(s); n == 200 {
				break
			}
			n++
		}
		return all
	}
	one := encoded(7)
	if !slices.Equal(one, encoded(7)) {
		t.Error("the same seed gave another caseload")
	}
	if slices.Equal(one, encoded(8)) {
		t.Error("another seed gave the same caseload")
	}
	ids := map[string]bool{}
	for s := range must(t)(caseload.New(7, today, 50)).All() {
		if id := s.Event.ID.String(); ids[id] {
			t.Fatalf("the id of a %s is used twice", s.Event.Type)
		} else {
			ids[id] = true
		}
	}
}

func must(t *testing.T) func(*caseload.Generator, error) *caseload.Generator {
	return func(g *caseload.Generator, err error) *caseload.Generator {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
}

// TestTheClockGoesOn: after the simulated part a real clock takes over, and time never goes back.
func TestTheClockGoesOn(t *testing.T) {
	from := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	w, store, clock := world(t, from)
	if err := w.Advance(context.Background(), today); err != nil {
		t.Fatal(err)
	}
	real := today.Add(-time.Hour)
	clock.Follow(func() time.Time { return real })
	if now := clock.Now(); !now.Equal(today) {
		t.Errorf("the clock went back to %v", now)
	}
	if real = today.Add(time.Hour); !clock.Now().Equal(real) {
		t.Errorf("the clock says %v, want the real %v", clock.Now(), real)
	}
	if head, err := store.Head(t.Context()); err != nil || head != events.At(1) {
		t.Errorf("an empty world has events up to %v, %v", head, err)
	}
}

// TestTroubleShows: what the watcher, the obligations and the safeguards find in the demonstration's caseload.
func TestTroubleShows(t *testing.T) {
	g := must(t)(caseload.New(1, today, 48))
	w, store, _ := world(t, g.From())
	if err := w.Play(t.Context(), g.All(), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Advance(t.Context(), today); err != nil {
		t.Fatal(err)
	}
	read := func(stream string) (all []*events.Event) {
		for r, err := range store.ReadStream(t.Context(), stream, 0) {
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
	book := protocol.NewBook()
	states, fails, clean := map[protocol.State]int{}, map[string]int{}, 0
	for _, number := range g.Cases() {
		tracker, judge := protocol.NewTracker(book), safeguards.NewJudge(book)
		alerts := 0
		for _, e := range read(events.CaseStream(number)) {
			tracker.Evolve(e)
			judge.Evolve(e)
			if e.Type == "ObligationOverdue" {
				alerts++
			}
		}
		if alerts == 0 {
			clean++
		}
		for _, o := range tracker.Obligations() {
			states[o.State(today)]++
		}
		for _, v := range judge.Verdicts(today, safeguards.Evidence{Obligations: tracker.Obligations(), Directory: directory.Fold(read(events.DirectoryStream(events.Jurisdiction(number[:2]))))}) {
			if v.Verdict == "fail" {
				fails[v.Safeguard]++
			}
		}
	}
	for _, s := range []protocol.State{protocol.Pending, protocol.DueSoon, protocol.Overdue, protocol.Met, protocol.MetLate, protocol.Waived, protocol.Cancelled, protocol.Missed} {
		if states[s] == 0 {
			t.Errorf("no obligation is %s: %v", s, states)
		}
	}
	if states[protocol.Met] < 8*(states[protocol.MetLate]+states[protocol.Overdue]+states[protocol.Missed]) {
		t.Errorf("more trouble than a service would survive: %v", states)
	}
	if clean < 12 || clean > 30 {
		t.Errorf("%d cases without an alert, want a good third", clean)
	}
	for _, hr := range []string{"HR03", "HR04", "HR05", "HR08", "HR14", "HR17", "HR19", "HR20", "HR21", "HR23", "HR25", "HR27", "HR29"} {
		if fails[hr] == 0 || fails[hr] > 12 {
			t.Errorf("%s fails in %d cases", hr, fails[hr])
		}
	}
}
