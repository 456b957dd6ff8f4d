package directory

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/casefile"
	"traga.internal/events"
)

// Decide says what speaks against recording e at now, by the directory's own rules: at most one refusal of each
// kind. It changes nothing. e is decoded and not yet recorded. Its envelope, role and cause are looked at by
// casefile.DecideElsewhere, which takes these refusals and says which counts.
//
// What is malformed, and who may keep the directory, is asked of every act; whether the act fits what is on record
// only of one that is done through traga now. What was reported after the fact is recorded, and the fold says what
// it comes to.
func (d *Directory) Decide(e *events.Event, now time.Time) []*casefile.Refusal {
	var refusals []*casefile.Refusal
	refuse := func(r *casefile.Refusal) {
		if r != nil {
			refusals = append(refusals, r)
		}
	}
	refuse(malformed(e, now))
	refuse(d.notAllowed(e, now))
	refuse(d.conflict(e, e.Reported(now)))
	return refusals
}

// form is that of an institution's id: it stands in file names, addresses and the rules of the protocol.
var form = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// language is the form of a language tag.
var language = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

func malformed(e *events.Event, now time.Time) *casefile.Refusal {
	wrong := func(field, expected, got string) *casefile.Refusal {
		return casefile.Malformed(&events.FieldError{Field: field, Expected: expected, Got: got})
	}
	named := func(officer string) *casefile.Refusal {
		if blank(officer) {
			return wrong("data.officer", "the officer's id", "an empty text")
		}
		return nil
	}
	switch data := e.Data.(type) {
	case *events.InstitutionRegistered:
		switch {
		case len(data.Institution) > 80 || !form.MatchString(string(data.Institution)):
			return wrong("data.institution", "an id of small letters, digits and hyphens such as mk-csw-skopje", "something else")
		case !slices.ContainsFunc(slices.Collect(maps.Values(data.Name)), func(name string) bool { return !blank(name) }):
			return wrong("data.name", "its name in one language at least", "none")
		case slices.ContainsFunc(slices.Collect(maps.Keys(data.Name)), func(lang string) bool { return !language.MatchString(lang) }):
			return wrong("data.name", "names by language, such as en, mk, sq or sr-Latn", "another key")
		case len(data.Role) == 0:
			return wrong("data.role", "the roles in which it acts, one at least", "none")
		case slices.Contains(data.Role, events.System):
			return wrong("data.role", "roles of institutions", "system, which is traga itself")
		case blank(data.Place):
			return wrong("data.place", "where it is", "an empty text")
		}
	case *events.OfficerAppointed:
		if data.Role == events.System {
			return wrong("data.role", "a role of the institution", "system, which is traga itself")
		}
		return named(data.Officer)
	case *events.OfficerRevoked:
		return named(data.Officer)
	case *events.OfficerTrained:
		switch {
		case blank(data.Tool):
			return wrong("data.tool", "the tool, such as VERA-2R", "an empty text")
		case data.ValidUntil != 0 && data.ValidUntil < data.On:
			return wrong("data.validUntil", "a date that is not before the training", "an earlier one")
		case data.On > today(e.Jurisdiction, now):
			return wrong("data.on", "the day on which the training was held, not in the future", "a later one")
		}
		return named(data.Officer)
	}
	return nil
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// today is the jurisdiction's local date; of none of the six, the latest date on earth.
func today(j events.Jurisdiction, now time.Time) events.Date {
	c, err := calendar.For(string(j), "")
	if err != nil {
		return events.DateIn(now, time.UTC) + 1
	}
	return events.DateIn(now, c.Zone())
}

// notAllowed is whether the actor keeps this directory: the jurisdiction's directorate does, which is one that the
// directory itself has as open and in that role. Only while it has none is the first one taken at its word, and then
// it must be of the jurisdiction by its id, so that nobody takes over the directory of another.
func (d *Directory) notAllowed(e *events.Event, now time.Time) *casefile.Refusal {
	forbid := func(field, message string) *casefile.Refusal {
		return &casefile.Refusal{Because: []string{casefile.NotAllowed}, Field: field, Message: message}
	}
	keepers := d.directorates()
	if len(keepers) > 0 && !slices.Contains(keepers, e.Actor.Institution) {
		return forbid("actor.institution", "only the directorate of "+string(e.Jurisdiction)+" records this: "+listed(keepers))
	}
	if own := strings.ToLower(string(e.Jurisdiction)) + "-"; len(keepers) == 0 && !e.Reported(now) && !strings.HasPrefix(string(e.Actor.Institution), own) {
		return forbid("actor.institution", "the directory of "+string(e.Jurisdiction)+" has no directorate yet: one of its own begins it, with an id such as "+own+"des")
	}
	o, known := d.Officer(e.Actor.Officer)
	if !known || e.Reported(now) {
		return nil
	}
	switch {
	case o.Revoked:
		return forbid("actor.officer", "this officer was revoked")
	case o.Institution != "" && (!o.Stands || o.Institution != e.Actor.Institution || o.Role != e.Actor.Role):
		return forbid("actor.officer", "by the directory this officer does not act for "+string(e.Actor.Institution)+" in the role "+string(e.Actor.Role))
	}
	return nil
}

// Keeps reports whether an actor may record in this directory of a jurisdiction now.
func (d *Directory) Keeps(j events.Jurisdiction, who events.Actor) bool {
	return who.Role == events.Directorate && d.notAllowed(&events.Event{Jurisdiction: j, Actor: who}, time.Time{}) == nil
}

func (d *Directory) directorates() []events.Institution {
	var list []events.Institution
	for id, i := range d.institutions {
		if i.Has(events.Directorate) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

func listed[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}

func (d *Directory) conflict(e *events.Event, reported bool) *casefile.Refusal {
	clash := func(field, message string) *casefile.Refusal {
		return &casefile.Refusal{Because: []string{casefile.Conflict}, Field: field, Message: message}
	}
	switch data := e.Data.(type) {
	case *events.InstitutionRegistered:
		if !slices.Contains(data.Role, events.Directorate) && d.lastDirectorate(data.Institution) {
			return clash("data.role", "it is the only directorate on record, without which nobody could keep this directory")
		}
		i, ok := d.Institution(data.Institution)
		if ok && i.Open && i.Place == data.Place && slices.Equal(i.Roles, data.Role) && maps.Equal(i.Names, data.Name) && !reported {
			return clash("data.institution", "this institution is registered so already")
		}
	case *events.InstitutionClosed:
		if d.lastDirectorate(data.Institution) {
			return clash("data.institution", "it is the only directorate on record, without which nobody could keep this directory")
		}
		i, ok := d.Institution(data.Institution)
		switch {
		case reported:
		case !ok:
			return clash("data.institution", "no such institution is registered")
		case !i.Open:
			return clash("data.institution", "this institution is closed already")
		}
	case *events.OfficerAppointed:
		i, ok := d.Institution(data.Institution)
		o, _ := d.Officer(data.Officer)
		switch {
		case reported:
		case !ok:
			return clash("data.institution", "no such institution is registered")
		case !i.Open:
			return clash("data.institution", "this institution is closed")
		case !i.Has(data.Role):
			return clash("data.role", "this institution does not act in the role "+string(data.Role)+", but as "+listed(i.Roles))
		case o.Stands && o.Institution == data.Institution && o.Role == data.Role:
			return clash("data.officer", "this officer is appointed so already")
		}
	case *events.OfficerRevoked:
		o, ok := d.Officer(data.Officer)
		switch {
		case reported:
		case !ok || o.Institution == "":
			return clash("data.officer", "no such officer was appointed")
		case o.Revoked:
			return clash("data.officer", "this officer was revoked before")
		}
	}
	return nil
}

// lastDirectorate reports whether the institution is the only one that keeps this directory.
func (d *Directory) lastDirectorate(id events.Institution) bool {
	keepers := d.directorates()
	return len(keepers) == 1 && keepers[0] == id
}
