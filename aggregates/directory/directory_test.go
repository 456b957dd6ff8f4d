package directory_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/directory"
	"traga.internal/events"
)

var (
	now   = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	today = events.DateOf(2026, 3, 2)
	des   = events.Actor{Officer: "v.trajkovska", Role: events.Directorate, Institution: "mk-des"}
)

// stream is a directory as it was written: each event a minute after the one before it, the last a minute ago.
type stream []*events.Event

func given(acts ...any) stream {
	s := stream{}
	for i, a := range acts {
		e, ok := a.(*events.Event)
		if !ok {
			e = does(a)
		}
		e.Revision, e.RecordedAt = uint64(i), now.Add(time.Duration(i-len(acts))*time.Minute)
		if e.OccurredAt.Equal(now) {
			e.OccurredAt = e.RecordedAt
		}
		s = append(s, e)
	}
	return s
}

func (s stream) fold() *directory.Directory {
	d := &directory.Directory{}
	for _, e := range s {
		d.Evolve(e)
	}
	return d
}

func does(data any) *events.Event {
	name := fmt.Sprintf("%T", data)
	return &events.Event{ID: uuid.New(), Type: name[strings.LastIndex(name, ".")+1:], Stream: "directory-MK", Jurisdiction: "MK", Actor: des, OccurredAt: now, Data: data}
}

func as(who events.Actor, e *events.Event) *events.Event { e.Actor = who; return e }

// before is an act of so many days ago that is reported only now.
func before(days int, data any) *events.Event {
	e := does(data)
	e.OccurredAt = now.AddDate(0, 0, -days)
	return e
}

func registered(id events.Institution, roles ...events.Role) *events.InstitutionRegistered {
	return &events.InstitutionRegistered{Institution: id, Name: map[string]string{"en": "Name of " + string(id)}, Role: roles, Place: "Skopje"}
}

func appointed(who string, at events.Institution, r events.Role) *events.OfficerAppointed {
	return &events.OfficerAppointed{Officer: who, Institution: at, Role: r}
}

func revoked(who string) *events.OfficerRevoked { return &events.OfficerRevoked{Officer: who} }

func trained(who, tool string, on, until events.Date) *events.OfficerTrained {
	return &events.OfficerTrained{Officer: who, Tool: tool, Provider: "academy", On: on, ValidUntil: until}
}

func closed(id events.Institution) *events.InstitutionClosed {
	return &events.InstitutionClosed{Institution: id}
}

var (
	theDirectorate = registered("mk-des", events.Directorate)
	thePrison      = registered("mk-prison", events.PrisonTreatment, events.PrisonHealth)
	theCentre      = registered("mk-csw", events.CSW)
	ana            = appointed("a.petrova", "mk-prison", events.PrisonTreatment)
	anaMoves       = appointed("A.Petrova ", "mk-csw", events.CSW)
)

func TestAnOfficerStandsForOneInstitutionInOneRoleAtATime(t *testing.T) {
	const nobody, prison, centre = "-", "mk-prison prison-treatment", "mk-csw csw"
	for name, c := range map[string]struct {
		given stream
		then  string
	}{
		"appointed":                                              {given(thePrison, ana), prison},
		"a new appointment ends the old one":                     {given(thePrison, theCentre, ana, anaMoves), centre},
		"revoked at once":                                        {given(thePrison, ana, revoked("a.petrova")), nobody},
		"revoked, however the name is written":                   {given(thePrison, ana, revoked(" A.PETROVA")), nobody},
		"appointed again":                                        {given(thePrison, ana, revoked("a.petrova"), ana), prison},
		"the institution is not registered":                      {given(ana), nobody},
		"registered after the appointment":                       {given(ana, thePrison), prison},
		"the institution was closed":                             {given(thePrison, ana, closed("mk-prison")), nobody},
		"closed and registered again":                            {given(thePrison, ana, closed("mk-prison"), thePrison), nobody},
		"closed, registered and appointed again":                 {given(thePrison, ana, closed("mk-prison"), thePrison, ana), prison},
		"the institution lost the role":                          {given(thePrison, ana, registered("mk-prison", events.PrisonHealth)), nobody},
		"an old appointment, entered late, revives nobody":       {given(thePrison, ana, revoked("a.petrova"), before(9, ana)), nobody},
		"an old revocation, entered late, ends nothing new":      {given(thePrison, ana, before(9, revoked("a.petrova"))), prison},
		"an old appointment, entered late, does not move":        {given(thePrison, theCentre, ana, before(9, anaMoves)), prison},
		"a revocation by a slow clock holds at once":             {given(thePrison, ana, at(-4*time.Minute, revoked("a.petrova"))), nobody},
		"an appointment by a fast clock does not outlast it":     {given(thePrison, at(4*time.Minute, ana), revoked("a.petrova")), nobody},
		"an appointment to come, marked as reported, neither":    {given(thePrison, marked(at(4*time.Minute, ana)), revoked("a.petrova")), nobody},
		"a training is no appointment":                           {given(thePrison, trained("a.petrova", "VERA-2R", today-9, 0)), nobody},
		"what another did to another leaves her where she is":    {given(thePrison, ana, appointed("b", "mk-prison", events.PrisonHealth), revoked("b")), prison},
		"closed by an entry that came before the registration's": {given(before(9, closed("mk-prison")), thePrison, ana), prison},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := c.given.fold().Officer("a.petrova")
			got := nobody
			if o.Stands {
				got = string(o.Institution) + " " + string(o.Role)
			}
			if got != c.then {
				t.Errorf("she stands for %s, expected %s", got, c.then)
			}
		})
	}
}

// at is an act whose sender's clock is off.
func at(off time.Duration, data any) *events.Event {
	e := does(data)
	e.OccurredAt = now.Add(off - time.Second)
	return e
}

func marked(e *events.Event) *events.Event { e.AfterTheFact = true; return e }

func TestWhatTheDirectoryRefuses(t *testing.T) {
	land := func(more ...any) stream {
		return given(append([]any{theDirectorate, thePrison, theCentre, ana}, more...)...)
	}
	rs := events.Actor{Officer: "x", Role: events.Directorate, Institution: "rs-des"}
	unnamed, nowhere := registered("mk-new", events.Court), registered("mk-new", events.Court)
	unnamed.Name, nowhere.Place = map[string]string{"en": " "}, " "
	for name, c := range map[string]struct {
		given stream
		when  *events.Event
		then  string
	}{
		"the first institution":                          {given(), does(theDirectorate), ""},
		"the first one, of another jurisdiction":         {given(), as(rs, does(registered("rs-des", events.Directorate))), "not-allowed actor.institution"},
		"an institution of the jurisdiction":             {land(), does(registered("mk-new", events.Court)), ""},
		"an institution under an id that is none":        {land(), does(registered("MK new", events.Court)), "invalid data.institution"},
		"an institution without a name":                  {land(), does(unnamed), "invalid data.name"},
		"an institution without a place":                 {land(), does(nowhere), "invalid data.place"},
		"an institution without a role":                  {land(), does(registered("mk-new")), "invalid data.role"},
		"an institution that is traga itself":            {land(), does(registered("mk-new", events.System)), "invalid data.role"},
		"an institution registered so already":           {land(), does(thePrison), "conflict data.institution"},
		"a known institution, reported":                  {land(), before(1, thePrison), ""},
		"an institution with a role more":                {land(), does(registered("mk-csw", events.CSW, events.Municipality)), ""},
		"another jurisdiction's directorate":             {land(), as(rs, does(registered("rs-new", events.Court))), "not-allowed actor.institution"},
		"another's directorate, reported":                {land(), as(rs, before(9, registered("rs-new", events.Court))), "not-allowed actor.institution"},
		"another directorate of the jurisdiction":        {land(registered("rs-des", events.Directorate)), as(rs, does(registered("rs-new", events.Court))), ""},
		"a directorate that was closed":                  {land(registered("rs-des", events.Directorate), closed("rs-des")), as(rs, does(closed("mk-csw"))), "not-allowed actor.institution"},
		"a role that keeps no directory":                 {land(), as(events.Actor{Officer: "x", Role: events.CSW, Institution: "mk-des"}, does(closed("mk-csw"))), "not-allowed actor.role"},
		"an officer who was revoked":                     {land(appointed("v.trajkovska", "mk-des", events.Directorate), revoked("V.Trajkovska")), does(closed("mk-csw")), "not-allowed actor.officer"},
		"an officer who acts elsewhere":                  {land(appointed("v.trajkovska", "mk-csw", events.CSW)), does(closed("mk-csw")), "not-allowed actor.officer"},
		"an institution closed":                          {land(), does(closed("mk-csw")), ""},
		"an institution closed twice":                    {land(closed("mk-csw")), does(closed("mk-csw")), "conflict data.institution"},
		"an unknown institution closed":                  {land(), does(closed("mk-none")), "conflict data.institution"},
		"the only directorate closed":                    {land(), does(closed("mk-des")), "conflict data.institution"},
		"the only directorate closed, reported":          {land(), before(9, closed("mk-des")), "conflict data.institution"},
		"the only directorate turned into a court":       {land(), does(registered("mk-des", events.Court)), "conflict data.role"},
		"an officer in a role":                           {land(), does(appointed("new", "mk-prison", events.PrisonHealth)), ""},
		"an officer who moves":                           {land(), does(anaMoves), ""},
		"an officer appointed so already":                {land(), does(ana), "conflict data.officer"},
		"an officer who was revoked, appointed anew":     {land(revoked("a.petrova")), does(ana), ""},
		"an officer without an id":                       {land(), does(appointed(" ", "mk-prison", events.PrisonHealth)), "invalid data.officer"},
		"an officer in a role the institution lacks":     {land(), does(appointed("new", "mk-csw", events.Police)), "conflict data.role"},
		"an officer in traga's own role":                 {land(), does(appointed("new", "mk-csw", events.System)), "invalid data.role"},
		"an officer of an unknown institution":           {land(), does(appointed("new", "mk-none", events.CSW)), "conflict data.institution"},
		"an officer of an unknown institution, reported": {land(), before(9, appointed("new", "mk-none", events.CSW)), ""},
		"an officer of a closed institution":             {land(closed("mk-csw")), does(anaMoves), "conflict data.institution"},
		"an officer revoked":                             {land(), does(revoked("a.petrova")), ""},
		"an officer revoked twice":                       {land(revoked("a.petrova")), does(revoked("a.petrova")), "conflict data.officer"},
		"an unknown officer revoked":                     {land(), does(revoked("nobody")), "conflict data.officer"},
		"a training of whomever":                         {land(), does(trained("new", "VERA-2R", today, 0)), ""},
		"a training to the day itself":                   {land(), does(trained("new", "VERA-2R", today, today)), ""},
		"a training that ended before it was held":       {land(), does(trained("new", "VERA-2R", today, today-1)), "invalid data.validUntil"},
		"a training to come":                             {land(), does(trained("new", "VERA-2R", today+1, 0)), "invalid data.on"},
		"a training in nothing":                          {land(), does(trained("new", " ", today, 0)), "invalid data.tool"},
		"invalid before not-allowed":                     {land(), as(rs, does(trained("new", "VERA-2R", today, today-1))), "invalid data.validUntil"},
		"not-allowed before conflict":                    {land(), as(rs, does(closed("mk-none"))), "not-allowed actor.institution"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := casefile.DecideElsewhere(nil, c.when, now, c.given.fold().Decide(c.when, now)...)
			got := ""
			if err != nil {
				r := err.(*casefile.Refusal)
				got = strings.Join(r.Because, ",") + " " + r.Field
				if strings.Contains(r.Message, "petrova") {
					t.Errorf("%q names an officer", r.Message)
				}
			}
			if got != c.then {
				t.Errorf("%q (%v), expected %q", got, err, c.then)
			}
		})
	}
}

func TestTrainingCountsFromItsDayToItsLast(t *testing.T) {
	s := given(trained("a.petrova", "VERA-2R", today-100, today-10), trained(" A.Petrova", "vera-2r ", today-5, 0), revoked("a.petrova"))
	d, first := s.fold(), s[0].RecordedAt
	for day, want := range map[events.Date]bool{today - 101: false, today - 100: true, today - 10: true, today - 9: false, today - 5: true, today + 900: true} {
		if got := d.Trained("a.petrova", "VERA-2R", day, now); got != want {
			t.Errorf("day %d: %v", day-today, got)
		}
	}
	switch {
	case d.Trained("a.petrova", "VERA-2R", today, first):
		t.Error("a training counts before it was recorded")
	case d.Trained("a.petrova", "other", today, now), d.Trained("b", "VERA-2R", today, now):
		t.Error("it counts for another tool, or for another")
	case d.RecordsTraining(first.Add(-1)), !d.RecordsTraining(first):
		t.Error("the directory records training from the first one on")
	}
}

func TestKosovoIsShownWithItsAsterisk(t *testing.T) {
	i := directory.Institution{ID: "x", Names: map[string]string{"en": "Police of Kosovo", "sr-Cyrl": "Полиција Косова*", "mk": " "}}
	for lang, want := range map[string]string{"en": "Police of Kosovo*", "sr-Cyrl": "Полиција Косова*", "mk": "Police of Kosovo*"} {
		if got := i.Name(lang); got != want {
			t.Errorf("%s: %q", lang, got)
		}
	}
	if got := (directory.Institution{ID: "x"}).Name("en"); got != "x" {
		t.Errorf("without a name: %q", got)
	}
}

func TestWhatIsListedIsInOrderAndAnEmptyDirectoryIsEmpty(t *testing.T) {
	d := given(closed("mk-zero"), thePrison, theCentre, ana, appointed("a.aleksova", "mk-csw", events.CSW)).fold()
	var got []string
	for _, i := range d.Institutions() {
		got = append(got, string(i.ID))
	}
	for _, o := range d.Officers() {
		got = append(got, o.Name)
	}
	if want := []string{"mk-csw", "mk-prison", "a.aleksova", "a.petrova"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	var none *directory.Directory
	if _, ok := none.Officer("x"); ok || len(none.Institutions())+len(none.Officers()) > 0 || none.RecordsTraining(now) {
		t.Error("no directory is an empty one")
	}
}

// Every type of event of the directory is folded: one that is added must be told to Directory and to this test.
func TestEveryTypeOfTheDirectoryIsFolded(t *testing.T) {
	examples := map[string]any{"InstitutionRegistered": theCentre, "InstitutionClosed": closed("mk-prison"), "OfficerAppointed": appointed("b", "mk-prison", events.PrisonHealth),
		"OfficerRevoked": revoked("a.petrova"), "OfficerTrained": trained("a.petrova", "VERA-2R", today, 0)}
	for _, k := range events.Standard().Kinds() {
		if k.Family != events.DirectoryFamily {
			continue
		}
		before, after := given(thePrison, ana).fold(), given(thePrison, ana, examples[k.Type]).fold()
		if examples[k.Type] == nil || reflect.DeepEqual(before.Institutions(), after.Institutions()) && reflect.DeepEqual(before.Officers(), after.Officers()) {
			t.Errorf("%s changes nothing in the directory", k.Type)
		}
	}
}

// Whatever was recorded, in whatever order and by whatever clocks, the fold takes it; what Decide let through never
// leaves a directory without a directorate, and a revocation done through traga holds at once.
func TestTheDirectoryHoldsWhateverIsRecorded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &directory.Directory{}
		places := []events.Institution{"mk-des", "mk-one", "mk-two"}
		roles := []events.Role{events.Directorate, events.CSW, events.Police}
		kept := false
		clock := now
		for revision := range rapid.IntRange(1, 40).Draw(t, "events") {
			clock = clock.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			at, r := rapid.SampledFrom(places).Draw(t, "institution"), rapid.SampledFrom(roles).Draw(t, "role")
			who := rapid.SampledFrom([]string{"a", "A", "b"}).Draw(t, "officer")
			e := does(rapid.SampledFrom([]any{registered(at, r), closed(at), appointed(who, at, r), revoked(who), trained(who, "VERA-2R", today, 0)}).Draw(t, "data"))
			e.Actor.Institution = rapid.SampledFrom(places).Draw(t, "actor")
			e.Revision, e.RecordedAt = uint64(revision), clock
			e.OccurredAt = clock.Add(time.Duration(rapid.SampledFrom([]int{-90000, -240, 0, 240}).Draw(t, "off")) * time.Second)
			e.AfterTheFact = rapid.Bool().Draw(t, "afterTheFact")
			if _, err := casefile.DecideElsewhere(nil, e, clock, d.Decide(e, clock)...); err != nil && kept {
				continue
			}
			d.Evolve(e) // at first also what was refused: old logs must fold
			if o, _ := d.Officer(who); e.Type == "OfficerRevoked" && !e.Reported(clock) && o.Stands {
				t.Fatal("revoked, and still acts")
			}
			has := slices.ContainsFunc(d.Institutions(), func(i directory.Institution) bool { return i.Has(events.Directorate) })
			if kept && !has {
				t.Fatalf("%s left no directorate", e.Type)
			}
			kept = kept || has
			for _, o := range d.Officers() {
				if i, ok := d.Institution(o.Institution); o.Stands && (!ok || !i.Has(o.Role) || o.Revoked) {
					t.Fatalf("%+v acts for %+v", o, i)
				}
			}
		}
	})
}

// The registers that come with traga can be recorded, as they stand, by their own directorates, once.
func TestTheShippedRegistersAreRecordedAsTheyStand(t *testing.T) {
	for _, j := range events.Jurisdictions() {
		r, err := directory.Shipped(j)
		if err != nil || r.Jurisdiction != j {
			t.Fatalf("%s: %v", j, err)
		}
		d := &directory.Directory{}
		known := func(id events.Institution) bool { _, ok := d.Institution(id); return ok }
		for n, data := range r.Missing(known) {
			e := as(events.Actor{Officer: "o", Role: events.Directorate, Institution: r.Directorate()}, does(data))
			e.Jurisdiction, e.Revision, e.RecordedAt = j, uint64(n), now
			if _, err := casefile.DecideElsewhere(nil, e, now, d.Decide(e, now)...); err != nil {
				t.Errorf("%s: %s: %v", j, data.Institution, err)
			}
			d.Evolve(e)
			if data.Name["en"] == "" || len(data.Name) < 2 || !strings.HasPrefix(string(data.Institution), strings.ToLower(string(j))+"-") {
				t.Errorf("%s: %+v", j, data)
			}
		}
		if n := len(r.Missing(known)); n > 0 || len(d.Institutions()) < 3 {
			t.Errorf("%s: %d are missing after all were recorded", j, n)
		}
		for _, o := range r.Offices {
			e := o.At("x-y", "Here", map[string]string{"mk": "Тука"})
			for lang, name := range e.Name {
				if want := map[bool]string{true: "Тука", false: "Here"}[lang == "mk"]; !strings.Contains(name, want) || strings.Contains(name, "{") {
					t.Errorf("%s %s: %s", j, o.Kind, name)
				}
			}
			if len(e.Role) == 0 || e.Name["en"] == "" {
				t.Errorf("%s %s: %+v", j, o.Kind, e)
			}
		}
	}
	if _, err := directory.Shipped("XX"); err == nil {
		t.Error("XX has a register")
	}
}
