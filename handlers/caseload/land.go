package caseload

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

// kind is what an institution is; it decides its roles, its name and the form of its id.
type kind int

const (
	prison kind = iota
	directorate
	coordinator
	ombudsman
	dataProtection
	court
	probation
	csw
	employment
	education
	health
	police
	municipality
	civilSociety
	religious
)

// roles of an institution of each kind, the one that its first officer acts in first.
var roles = map[kind][]events.Role{
	prison:         {events.PrisonTreatment, events.PrisonHealth, events.PrisonSecurity},
	directorate:    {events.Directorate},
	coordinator:    {events.Coordinator},
	ombudsman:      {events.Ombudsman},
	dataProtection: {events.DataProtection},
	court:          {events.Court},
	probation:      {events.Probation},
	csw:            {events.CSW},
	employment:     {events.Employment},
	education:      {events.Education},
	health:         {events.CommunityHealth},
	police:         {events.Police},
	municipality:   {events.Municipality},
	civilSociety:   {events.CivilSociety},
	religious:      {events.ReligiousCommunity},
}

// names by language: en, mk, sq, sr-Latn, bs.
type names map[string]string

// place is a town: its part of an id, and its name in each language that has one of its own.
type place struct {
	slug string
	name names
}

// office says what institutions of a kind are called in a land, and where they are; %s stands for the place.
type office struct {
	kind   kind
	slug   string // the id is <prefix>-<slug>, and -<place> where there are several
	name   names
	places []place // none: one for the whole land, at its seat
}

// land is a jurisdiction, or one subdivision of BA, with its institutions and the names that people bear there.
// Institutions are those of public record; every person is invented.
type land struct {
	code        events.Jurisdiction
	subdivision string // BA-BIH, BA-SRP, BA-BRC
	prefix      string // of the ids
	seat        place
	offices     []office
	men, women  []string
	surnames    []string // men's form
	feminine    func(string) string
	nationality string
	language    string // that the person is informed in
	weight      int    // of every 16 cases
}

// desk is an officer of an institution in a role: who acts, and who receives.
type desk struct{ events.Party }

func (d desk) actor() events.Actor {
	return events.Actor{Officer: d.Officer, Role: d.Role, Institution: d.Institution}
}

// office without an officer's name: a letter goes to the institution.
func (d desk) party() events.Party {
	return events.Party{Institution: d.Institution, Role: d.Role}
}

// house is an institution with its officers.
type house struct {
	id    events.Institution
	kind  kind
	name  names
	place string
	desks []desk // one for each role, in their order
}

// register is a land with its houses and officers appointed.
type register struct {
	*land
	cal    *calendar.Calendar
	houses []*house
	// assessors are the psychologists of each prison; the last one of the land is not trained in the tool.
	assessors map[events.Institution][]string
	untrained string
}

// newRegister appoints the officers. The same rng state gives the same people.
func newRegister(l *land, rng *rand.Rand) (*register, error) {
	cal, err := calendar.For(string(l.code), l.subdivision)
	if err != nil {
		return nil, fmt.Errorf("the calendar of %s: %w", l.prefix, err)
	}
	r := &register{land: l, cal: cal, assessors: map[events.Institution][]string{}}
	taken := map[string]bool{}
	officer := func() string {
		for {
			first, last := l.person(rng, rng.IntN(2) == 0)
			id := strings.ToLower(ascii(first)[:1] + "." + ascii(last))
			if !taken[id] { // a land has several times more names than officers
				taken[id] = true
				return id
			}
		}
	}
	for _, o := range l.offices {
		places := o.places
		if len(places) == 0 {
			places = []place{{name: l.seat.name}}
		}
		for _, p := range places {
			id := l.prefix + "-" + o.slug
			if p.slug != "" {
				id += "-" + p.slug
			}
			h := &house{id: events.Institution(id), kind: o.kind, name: names{}, place: p.name["en"]}
			for lang, pattern := range o.name {
				h.name[lang] = strings.ReplaceAll(pattern, "%s", p.in(lang))
			}
			for _, role := range roles[o.kind] {
				h.desks = append(h.desks, desk{events.Party{Institution: h.id, Role: role, Officer: officer()}})
			}
			if o.kind == prison {
				r.assessors[h.id] = []string{"psych." + officer(), "psych." + officer()}
				r.untrained = r.assessors[h.id][1]
			}
			r.houses = append(r.houses, h)
		}
	}
	return r, nil
}

// in is the place's name in a language, or in English where it has none of its own.
func (p place) in(lang string) string {
	if n, ok := p.name[lang]; ok {
		return n
	}
	return p.name["en"]
}

// person makes up a first name and a surname.
func (l *land) person(rng *rand.Rand, woman bool) (first, last string) {
	last = l.surnames[rng.IntN(len(l.surnames))]
	if woman {
		if l.feminine != nil {
			last = l.feminine(last)
		}
		return l.women[rng.IntN(len(l.women))], last
	}
	return l.men[rng.IntN(len(l.men))], last
}

// all houses of a kind, in the order of the land's list.
func (r *register) all(k kind) []*house {
	var hs []*house
	for _, h := range r.houses {
		if h.kind == k {
			hs = append(hs, h)
		}
	}
	return hs
}

// near is the house of a kind in the place of the csw (so that a case's institutions are of one town), else the
// first of its kind; the zero desk where the land has none.
func (r *register) near(k kind, where string) desk {
	hs := r.all(k)
	if i := slices.IndexFunc(hs, func(h *house) bool { return h.place == where }); i >= 0 {
		return hs[i].desks[0]
	}
	if len(hs) == 0 {
		return desk{}
	}
	return hs[0].desks[0]
}

var folded = strings.NewReplacer("č", "c", "ć", "c", "š", "s", "ž", "z", "đ", "dj", "Č", "C", "Ć", "C", "Š", "S",
	"Ž", "Z", "Đ", "Dj", "ë", "e", "Ë", "E", "ç", "c", "Ç", "C", "'", "")

// ascii is a name as it stands in an officer's id.
func ascii(s string) string { return folded.Replace(s) }
