package safeguards

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// drawn is a case that never happened: acts of every kind that a safeguard looks at, with corrections,
// annulments and late entries, in order of recording; and the duties that go with it.
type drawn struct {
	events []*events.Event
	duties []protocol.Obligation
}

func drawCase(t *rapid.T) drawn {
	var c drawn
	clock := instant("2026-01-05 08:00")
	n := rapid.IntRange(1, 30).Draw(t, "events")
	for i := range n {
		clock = clock.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "hours")) * time.Hour)
		e := on("2026-01-05", rapid.SampledFrom([]events.Actor{prison, nurse, des, social, monitor}).Draw(t, "by"), drawData(t, c.events))
		e.ID = events.DeriveID("drawn", fmt.Sprint(i))
		e.RecordedAt, e.OccurredAt = clock, clock.Add(-time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 90, 300, 1000}).Draw(t, "delay"))*time.Hour-time.Duration(i)*time.Second)
		e.LegalBasis = rapid.SampledFrom([]events.LegalBasis{"", "consent", "execution-law", "special-category"}).Draw(t, "basis")
		e.LateReason = rapid.SampledFrom([]string{"", "sick leave"}).Draw(t, "late")
		c.events = append(c.events, e)
	}
	for i, id := range []string{"open-pre-release", "notify-csw", "acknowledge/n", "share-needs-map", "propagate-correction/e/i", "report-breach/b", "decide-complaint/c-1", "retention-review"} {
		if !rapid.Bool().Draw(t, "a duty "+id) {
			continue
		}
		due := events.DateIn(clock, zone()) + events.Date(rapid.IntRange(-60, 60).Draw(t, "due"))
		state := rapid.SampledFrom([]protocol.State{pending, isMet, isLate, isWaived, cancelled, isMissed}).Draw(t, "state")
		o := duty(id, due.String(), state)
		o.ActivatedBy = c.events[rapid.IntRange(0, n-1).Draw(t, "activation")].ID
		if o.FulfilledBy != uuid.Nil {
			o.FulfilledBy = c.events[(i+n/2)%n].ID
		}
		if o.WaivedBy != uuid.Nil {
			o.WaivedBy = c.events[(i+n/3)%n].ID
		}
		c.duties = append(c.duties, o)
	}
	return c
}

func drawData(t *rapid.T, before []*events.Event) any {
	id := events.ID(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id"))
	yes := rapid.Bool().Draw(t, "yes")
	day := date("2026-01-05") + events.Date(rapid.IntRange(0, 120).Draw(t, "day"))
	category := rapid.SampledFrom(events.Categories()).Draw(t, "category")
	to := rapid.SampledFrom([]events.Party{csw, clinic, jobs, police, ngo, court, dpa, atPrison}).Draw(t, "to")
	all := []any{
		&events.SubjectInformed{Notice: "n"},
		assessed(func(a *events.AssessmentCompleted) { a.Assessment, a.Specialist = id, yes }),
		&events.AssessmentContested{Assessment: id},
		&events.AssessmentContestDecided{Assessment: id, Outcome: "upheld"},
		&events.RiskLevelChanged{From: "low", To: "high", Decider: "d", Reasons: []string{"r"}, Automated: yes, ReviewBy: day},
		&events.TreatmentPlanAdopted{Plan: id, Participated: yes},
		&events.SpecificGroupRecorded{Group: rapid.SampledFrom([]string{"juvenile", "female"}).Draw(t, "group")},
		disclosed(to, func(d *events.InformationDisclosed) { d.Consent, d.Override, d.Clinical = id, id, yes }, category),
		&events.NotificationSent{Notification: id, Recipient: to, Categories: []events.Category{category}},
		consented(id, day.String(), []events.Role{to.Role}, category),
		&events.ConsentWithdrawn{Consent: id},
		authorised(id, "v.trajkovska", to.Role, category),
		&events.InformationRefused{Request: id, Ground: "g"},
		&events.ExpectedReleaseDateSet{Date: day, Basis: "pardon"},
		&events.MedicalExaminationOffered{Accepted: yes},
		&events.PersonReleased{Kind: "pardon", Papers: yes, Accommodation: true, Means: true},
		&events.ComplaintLodged{Complaint: "c-1", About: atPrison},
		&events.ComplaintDecided{Complaint: "c-1", Outcome: "upheld"},
		&events.MonitoringContactHeld{Contact: id},
		&events.RetentionReviewed{Outcome: "erase"},
		&events.LegalHoldPlaced{Hold: id},
		&events.LegalHoldLifted{Hold: id},
		&events.PersonalDataErased{Erasure: id},
		&events.CaseClosed{Reason: "r"},
	}
	d := rapid.SampledFrom(all).Draw(t, "data")
	if len(before) == 0 || rapid.IntRange(0, 3).Draw(t, "about an entry") > 0 {
		return d
	}
	target := rapid.SampledFrom(before).Draw(t, "target")
	if yes {
		return &events.EntryAnnulled{Target: target.ID, Reason: "entered in error"}
	}
	for _, r := range all {
		if reflect.TypeOf(r) == reflect.TypeOf(target.Data) {
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			return &events.EntryCorrected{Target: target.ID, Replacement: raw, Reason: "mistyped"}
		}
	}
	return d
}

func (c drawn) judge(more ...*events.Event) *Judge {
	j := NewJudge(protocol.NewBook())
	for _, e := range slices.Concat(c.events, more) {
		j.Evolve(e)
	}
	return j
}

func (c drawn) last() time.Time { return c.events[len(c.events)-1].RecordedAt }

// annulledEntries are those whose annulment stands: asked of the definition, not of the fold.
func annulledEntries(all []*events.Event) map[uuid.UUID]bool {
	gone := map[uuid.UUID]bool{}
	for i := len(all) - 1; i >= 0; i-- { // what is about an entry is recorded after it
		if d, ok := all[i].Data.(*events.EntryAnnulled); ok && !gone[all[i].ID] {
			gone[d.Target] = true
		}
	}
	return gone
}

func TestAnnulledEntriesNeverAppearInAVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		for _, e := range c.events {
			if _, ok := e.Data.(*events.EntryCorrected); ok {
				return // a corrected annulment has another target; history's own tests are about that
			}
		}
		gone := annulledEntries(c.events)
		verdicts := c.judge().Verdicts(c.last(), Evidence{Obligations: c.duties})
		if len(verdicts) != 29 {
			t.Fatalf("%d verdicts", len(verdicts))
		}
		for i, v := range verdicts {
			if v.Safeguard != fmt.Sprintf("HR%02d", i+1) {
				t.Fatalf("%s stands at place %d", v.Safeguard, i+1)
			}
			for _, id := range v.Events {
				if gone[id] {
					t.Fatalf("%s is shown by an annulled entry", v.Safeguard)
				}
			}
		}
	})
}

func TestVerdictsDoNotDependOnWhatIsRecordedLater(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		cut := rapid.IntRange(1, len(c.events)).Draw(t, "known")
		known := drawn{events: c.events[:cut], duties: c.duties}
		ev := Evidence{Obligations: c.duties}
		now := known.last().Add(time.Minute)
		if then, later := known.judge().Verdicts(now, ev), c.judge().Verdicts(now, ev); !reflect.DeepEqual(then, later) {
			t.Fatalf("as known then:\n%+v\nasked later:\n%+v", then, later)
		}
	})
}

func TestAnotherCaseChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		other := *rapid.SampledFrom(c.events).Draw(t, "other")
		other.Case, other.ID, other.RecordedAt = "MK-2026-0002", events.DeriveID("other"), c.last().Add(time.Hour)
		ev := Evidence{Obligations: c.duties}
		now := c.last().Add(2 * time.Hour)
		if alone, both := c.judge().Verdicts(now, ev), c.judge(&other).Verdicts(now, ev); !reflect.DeepEqual(alone, both) {
			t.Fatal("an event of another case changed a verdict")
		}
	})
}

// Files of past actions may be imported in any order without changing a verdict (protocol.md).
func TestImportInAnyOrderGivesTheSameVerdicts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		imported := c.last().Add(time.Hour)
		var past []*events.Event
		for _, e := range c.events {
			if e.Type == "EntryCorrected" || e.Type == "EntryAnnulled" {
				continue // these refer to what was recorded before them
			}
			at := *e
			at.RecordedAt = imported
			past = append(past, &at)
		}
		if past == nil {
			return
		}
		ev := Evidence{Obligations: c.duties}
		inOrder := drawn{events: past}.judge().Verdicts(imported, ev)
		shuffled := drawn{events: rapid.Permutation(past).Draw(t, "order")}.judge().Verdicts(imported, ev)
		for i := range inOrder {
			if inOrder[i].Verdict != shuffled[i].Verdict || !sameSet(inOrder[i].Events, shuffled[i].Events) {
				t.Fatalf("%s depends on the order of the import", inOrder[i].Safeguard)
			}
		}
	})
}

func sameSet(a, b []uuid.UUID) bool {
	for _, id := range a {
		if !slices.Contains(b, id) {
			return false
		}
	}
	return len(a) == len(b)
}

// Until the instant that NextChange names, the clock alone changes no verdict.
func TestNoVerdictChangesBeforeNextChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCase(t)
		j, ev, now := c.judge(), Evidence{Obligations: c.duties}, c.last()
		until := j.NextChange(now, ev)
		if until.IsZero() {
			until = now.AddDate(10, 0, 0)
		}
		if !until.After(now) {
			t.Fatalf("next change at %v, asked at %v", until, now)
		}
		later := now.Add(time.Duration(rapid.Int64Range(0, int64(until.Sub(now))-1).Draw(t, "wait")))
		if was, is := j.Verdicts(now, ev), j.Verdicts(later, ev); !reflect.DeepEqual(was, is) {
			t.Fatalf("changed at %v, before %v", later, until)
		}
	})
}

func TestNextChangeNamesTheInstant(t *testing.T) {
	set := on("2026-01-05", prison, &events.ExpectedReleaseDateSet{Date: date("2026-03-10"), Basis: "pardon"})
	erase := on("2026-01-05", des, &events.RetentionReviewed{Outcome: "erase"})
	for name, c := range map[string]struct {
		told
		want string
	}{
		"nothing waits":                 {told{}, ""},
		"a duty becomes overdue":        {told{duties: duties(duty("notify-csw", "2026-03-02", pending))}, "2026-03-03 00:00"},
		"a notice is escalated":         {told{duties: duties(duty("acknowledge/n", "2026-01-04", pending))}, "2026-01-08 00:00"},
		"a duty that no safeguard uses": {told{duties: duties(duty("screening", "2026-03-02", pending))}, ""},
		"a duty that is done":           {told{duties: duties(duty("notify-csw", "2026-03-02", isMet))}, ""},
		"the release date passes":       {told{given: []*events.Event{set}}, "2026-03-11 00:00"},
		"the time to erase ends":        {told{given: []*events.Event{erase}}, "2026-02-05 00:00"},
		"the earliest of them":          {told{given: []*events.Event{set, erase}, duties: duties(duty("notify-csw", "2026-03-02", pending))}, "2026-02-05 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			var want time.Time
			if c.want != "" {
				want = instant(c.want)
			}
			if got := judge(c.given).NextChange(instant("2026-01-06"), Evidence{Obligations: c.duties}); !got.Equal(want) {
				t.Errorf("%v, expected %v", got, want)
			}
		})
	}
}

// Nothing can be said, and nothing breaks, where no calendar is known.
func TestACaseOfNoKnownJurisdictionIsNotJudged(t *testing.T) {
	e := on("2026-03-02", prison, disclosed(csw, nil, events.Identity))
	e.Case = "XX-1"
	j := NewJudge(protocol.NewBook())
	j.Evolve(e)
	for _, v := range j.Verdicts(instant("2026-03-03"), Evidence{}) {
		if v.Verdict != NotApplicable {
			t.Errorf("%s is %s", v.Safeguard, v.Verdict)
		}
	}
}

func longCase() drawn {
	var c drawn
	at := instant("2024-01-08")
	add := func(by events.Actor, data any) {
		at = at.Add(30 * time.Hour)
		e := on("2026-01-05", by, data)
		e.ID, e.RecordedAt, e.OccurredAt = events.DeriveID("long", fmt.Sprint(len(c.events))), at, at
		c.events = append(c.events, e)
	}
	add(prison, &events.CaseOpened{Institution: "mk-prison-idrizovo", AdmittedOn: date("2024-01-08")})
	add(nurse, consented("c-1", "", []events.Role{events.CSW}, events.Health))
	for len(c.events) < 500 {
		add(prison, disclosed(csw, onConsent("c-1"), events.Identity, events.Health))
		add(social, &events.NotificationAcknowledged{Notification: "n"})
		add(prison, assessed())
	}
	for i := range 100 {
		c.duties = append(c.duties, duty(fmt.Sprintf("acknowledge/n-%d", i), "2026-03-02", isMet))
	}
	return c
}

func BenchmarkEvolveOneEvent(b *testing.B) {
	c := longCase()
	b.ReportAllocs()
	for b.Loop() {
		c.judge()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(c.events)), "ns/event")
}

func BenchmarkVerdictsOf500Events(b *testing.B) {
	c := longCase()
	j, ev := c.judge(), Evidence{Obligations: c.duties}
	b.ReportAllocs()
	for b.Loop() {
		j.Verdicts(c.last(), ev)
	}
}

func BenchmarkWouldBreak(b *testing.B) {
	c := longCase()
	j := c.judge()
	act := on("2026-03-10", prison, disclosed(police, nil, events.Health))
	b.ReportAllocs()
	for b.Loop() {
		j.WouldBreak(act)
	}
}
