package safeguards

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// The words in which the safeguards' tests are told: given these entries (and duties, looks, training), when the
// case is judged at an instant, then the verdict is such, shown by these events.

const number = "MK-2026-0001"

var (
	prison   = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	nurse    = events.Actor{Officer: "s.ilievska", Role: events.PrisonHealth, Institution: "mk-prison-idrizovo"}
	des      = events.Actor{Officer: "v.trajkovska", Role: events.Directorate, Institution: "mk-des"}
	social   = events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "mk-csw-skopje"}
	monitor  = events.Actor{Officer: "o.ristova", Role: events.Ombudsman, Institution: "mk-ombudsman"}
	itself   = events.Actor{Officer: "traga", Role: events.System, Institution: "traga"}
	csw      = party("mk-csw-skopje", events.CSW)
	clinic   = party("mk-health-skopje", events.CommunityHealth)
	jobs     = party("mk-employment-skopje", events.Employment)
	police   = party("mk-police-skopje", events.Police)
	ngo      = party("mk-ngo-nov-pat", events.CivilSociety)
	court    = party("mk-court-skopje", events.Court)
	dpa      = party("mk-dpa", events.DataProtection)
	atPrison = party("mk-prison-idrizovo", events.PrisonTreatment)
)

func party(institution string, role events.Role) events.Party {
	return events.Party{Institution: events.Institution(institution), Role: role}
}

func zone() *time.Location {
	z, err := time.LoadLocation("Europe/Skopje")
	if err != nil {
		panic(err)
	}
	return z
}

// instant reads "2026-03-02" as ten in the morning in Skopje, or "2026-03-02 23:59".
func instant(s string) time.Time {
	if len(s) == len(time.DateOnly) {
		s += " 10:00"
	}
	t, err := time.ParseInLocation("2006-01-02 15:04", s, zone())
	if err != nil {
		panic(err)
	}
	return t
}

func date(s string) events.Date {
	d, err := events.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func labelled(label string) uuid.UUID { return events.DeriveID("test", label) }

// on is an entry of the case that occurred, and was recorded, then. It shares for a purpose on the ordinary basis.
func on(when string, by events.Actor, data any, changes ...func(*events.Event)) *events.Event {
	kind := reflect.TypeOf(data).Elem().Name()
	e := &events.Event{ID: events.DeriveID(when, kind, fmt.Sprint(data)), Type: kind, Case: number, Jurisdiction: "MK", Actor: by,
		OccurredAt: instant(when), RecordedAt: instant(when), Data: data}
	if _, shares := events.DisclosureOf(data); shares {
		e.Purpose, e.LegalBasis = "post-penal-assistance", "execution-law"
	}
	for _, change := range changes {
		change(e)
	}
	return e
}

func as(label string) func(*events.Event) { return func(e *events.Event) { e.ID = labelled(label) } }
func basis(b events.LegalBasis) func(*events.Event) {
	return func(e *events.Event) { e.LegalBasis = b }
}
func recorded(when string) func(*events.Event) {
	return func(e *events.Event) { e.RecordedAt = instant(when) }
}
func because(reason string) func(*events.Event) {
	return func(e *events.Event) { e.LateReason = reason }
}

func annul(when, label string) *events.Event {
	return on(when, prison, &events.EntryAnnulled{Target: labelled(label), Reason: "entered in error"})
}

func correct(when, label string, replacement any) *events.Event {
	raw, err := json.Marshal(replacement)
	if err != nil {
		panic(err)
	}
	return on(when, prison, &events.EntryCorrected{Target: labelled(label), Replacement: raw, Reason: "mistyped"})
}

// duty is an obligation of the case, due on a day; its activation has the label of its id.
func duty(id, due string, outcome protocol.State, changes ...func(*protocol.Obligation)) protocol.Obligation {
	rule, about, _ := strings.Cut(id, "/")
	d := date(due)
	o := protocol.Obligation{ID: id, Rule: rule, About: about, DutyHolder: "mk-prison-idrizovo", Due: protocol.Due{Date: d},
		WarnFrom: (d - 2).In(zone()), OverdueFrom: (d + 1).In(zone()), Outcome: outcome, ActivatedBy: labelled("begin " + id)}
	for level, days := range []events.Date{4, 8, 16} {
		o.EscalateFrom[level] = (d + days).In(zone())
	}
	switch outcome {
	case protocol.Met, protocol.MetLate:
		o.FulfilledBy = labelled("done " + id)
	case protocol.Waived:
		o.WaivedBy = labelled("waiver " + id)
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

func waiver(when, id string) *events.Event {
	return on(when, des, &events.ObligationWaived{Obligation: id, Reason: "decided", Approver: "v.trajkovska"}, as("waiver "+id))
}

type told struct {
	given     []*events.Event
	duties    []protocol.Obligation
	access    []*events.Event
	directory []*events.Event
	at        string // when it is judged; a day after the last entry by default
	then      string
	shownBy   []string // labels; checked where named
}

// judge folds what is given, in order of recording.
func judge(given []*events.Event) *Judge {
	j := NewJudge(protocol.NewBook())
	given = slices.Clone(given)
	slices.SortStableFunc(given, func(a, b *events.Event) int { return a.RecordedAt.Compare(b.RecordedAt) })
	for i, e := range given {
		e.Revision = uint64(i)
		j.Evolve(e)
	}
	return j
}

func (c told) verdict(safeguard string) Verdict {
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, e := range slices.Concat(c.given, c.access, c.directory) {
		if e.RecordedAt.After(at) {
			at = e.RecordedAt
		}
	}
	at = at.Add(24 * time.Hour)
	if c.at != "" {
		at = instant(c.at)
	}
	verdicts := judge(c.given).Verdicts(at, Evidence{Obligations: c.duties, Access: c.access, Directory: directory.Fold(c.directory)})
	i := slices.IndexFunc(verdicts, func(v Verdict) bool { return v.Safeguard == safeguard })
	return verdicts[i]
}

// thus checks every story of a safeguard.
func thus(t *testing.T, safeguard string, stories map[string]told) {
	t.Helper()
	for name, c := range stories {
		t.Run(name, func(t *testing.T) {
			v := c.verdict(safeguard)
			if v.Verdict != c.then {
				t.Fatalf("%s is %s, expected %s: %s", safeguard, v.Verdict, c.then, v.Explanation)
			}
			if c.shownBy != nil {
				want := map[uuid.UUID]string{}
				for _, l := range c.shownBy {
					want[labelled(l)] = l
				}
				for _, id := range v.Events {
					if want[id] == "" {
						t.Errorf("shown by an event that was not expected")
					}
					delete(want, id)
				}
				for _, l := range want {
					t.Errorf("not shown by %q", l)
				}
			}
			if !strings.HasSuffix(v.Explanation, ".") || strings.Count(v.Explanation, ". ") > 0 || len(v.Explanation) < 20 {
				t.Errorf("not one plain sentence: %q", v.Explanation)
			}
			if v.Events == nil {
				t.Error("events is null, expected a list")
			}
		})
	}
}

// Frequent data.

func disclosed(to events.Party, changes func(*events.InformationDisclosed), categories ...events.Category) *events.InformationDisclosed {
	d := &events.InformationDisclosed{Disclosure: "d-1", Recipient: to, Categories: categories, Justification: "asked for", Summary: "x"}
	if changes != nil {
		changes(d)
	}
	return d
}

func onConsent(id events.ID) func(*events.InformationDisclosed) {
	return func(d *events.InformationDisclosed) { d.Consent = id }
}

func onOverride(id events.ID) func(*events.InformationDisclosed) {
	return func(d *events.InformationDisclosed) { d.Override = id }
}

func consented(id events.ID, expires string, roles []events.Role, categories ...events.Category) *events.ConsentGiven {
	c := &events.ConsentGiven{Consent: id, Categories: categories, RecipientRoles: roles, Purpose: "health-care", Language: "mk", Informed: true}
	if expires != "" {
		c.Expires = date(expires)
	}
	return c
}

func authorised(id events.ID, approver string, role events.Role, categories ...events.Category) *events.OverrideAuthorised {
	return &events.OverrideAuthorised{Override: id, Approver: approver, Necessity: "life at risk", Categories: categories, RecipientRole: role}
}

func assessed(changes ...func(*events.AssessmentCompleted)) *events.AssessmentCompleted {
	a := &events.AssessmentCompleted{Assessment: "as-1", Kind: "risk-and-needs", Tool: "VERA-2R", ToolVersion: "2.1", Assessor: "m.angelova",
		Indicators: []string{"grievance"}, Facts: []string{"letters"}, Opinions: []string{"receding"}}
	for _, change := range changes {
		change(a)
	}
	return a
}

func released() *events.PersonReleased {
	return &events.PersonReleased{Kind: "sentence-end", Papers: true, Accommodation: true, Means: true}
}

// thusTracked is thus, with the duties that the protocol's tracker computes.
func thusTracked(t *testing.T, safeguard string, stories map[string]told) {
	t.Helper()
	for name, c := range stories {
		stories[name] = c.tracked()
	}
	t.Run(safeguard, func(t *testing.T) { thus(t, safeguard, stories) })
}
