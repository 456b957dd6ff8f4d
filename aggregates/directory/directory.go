// Package directory is who is who in a jurisdiction: its institutions with their names, roles and place, and its
// officers, for which institution and in which role each acts, and in which assessment tools each was trained.
//
// The registers that come with traga, to begin with, are in Shipped.
//
// Directory is the fold of a stream directory-<jurisdiction>. It takes whatever the stream holds, in whatever order,
// and never refuses: old logs and imported registers must fold. Decide refuses new mistakes. Both are pure: time is a
// parameter and there is no I/O.
//
// What counts is the order in which things took effect. An act done through traga takes effect when it is recorded,
// whatever its sender's clock says, so that a revocation holds at once for everything recorded before it; an act
// reported after the fact took effect when it occurred, so that an old appointment, entered late, does not bring back
// an officer who was revoked since.
//
// An officer stands while the latest of his or her appointments and revocations is an appointment, to an institution
// that is registered, open, not closed since the appointment, and has that role.
//
// Officers' names and the names of tools are compared without regard to capitals and surrounding spaces.
package directory

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"traga.internal/events"
)

// Directory is the fold of one directory stream; the zero value is that of an empty one. It is not safe for
// concurrent use while Evolve runs; once folded it may be read by many. A nil *Directory may be read: it is empty.
type Directory struct {
	institutions map[events.Institution]*institution
	officers     map[string]*officer // by folded name
	training     time.Time           // when the first training was recorded
	length       int
}

// Len is the number of events of the stream so far; its revision is one less.
func (d *Directory) Len() int {
	if d == nil {
		return 0
	}
	return d.length
}

// Institution is an institution as it stands.
type Institution struct {
	ID    events.Institution
	Names map[string]string // by language tag: en, mk, sq, sr-Cyrl, sr-Latn, bs; must not be changed
	Roles []events.Role     // must not be changed
	Place string
	Open  bool // false once it was closed, until it is registered again
}

// Has reports whether the institution is open and acts in the role.
func (i Institution) Has(r events.Role) bool { return i.Open && slices.Contains(i.Roles, r) }

// Name is the institution's name in a language, else in English, else in whatever language it has; its id where it
// has none. Kosovo is always Kosovo*: whoever shows it shows the footnote.
func (i Institution) Name(lang string) string {
	for _, tag := range append([]string{lang, "en"}, slices.Sorted(maps.Keys(i.Names))...) {
		if name := strings.TrimSpace(i.Names[tag]); name != "" {
			return Starred(name)
		}
	}
	return string(i.ID)
}

// Starred puts the asterisk of the footnote on every mention of Kosovo*.
func Starred(s string) string {
	return kosovo.ReplaceAllStringFunc(s, func(w string) string { return strings.TrimSuffix(w, "*") + "*" })
}

var kosovo = regexp.MustCompile(`(?i)(?:kosov|косов)\pL*\*?`)

// Officer is an officer as he or she stands.
type Officer struct {
	// Name is the officer's id, such as a.petrova, as first written.
	Name string
	// Institution and Role are those of the latest appointment, also when it no longer holds; empty where there is none.
	Institution events.Institution
	Role        events.Role
	// Stands is true while the officer acts for Institution in Role.
	Stands bool
	// Revoked is true once the officer was revoked, until appointed again.
	Revoked bool
	// Training is all that is on record, in order of recording; must not be changed.
	Training []Training
}

// Actor is the officer as the one who acts.
func (o Officer) Actor() events.Actor {
	return events.Actor{Officer: o.Name, Role: o.Role, Institution: o.Institution}
}

// Training is a training in a tool, whatever the tool's version (HR29).
type Training struct {
	events.OfficerTrained
	RecordedAt time.Time
}

// ValidOn reports whether the training counts on a local day: from the day it was held, to the end of its last day.
func (t Training) ValidOn(day events.Date) bool {
	return t.On <= day && (t.ValidUntil == 0 || day <= t.ValidUntil)
}

// Fold is the directory of a stream's events, in their order.
func Fold(stream []*events.Event) *Directory {
	d := &Directory{}
	for _, e := range stream {
		d.Evolve(e)
	}
	return d
}

type institution struct {
	Institution
	registered, closed moment // the latest of each
}

type officer struct {
	name     string
	post     *events.OfficerAppointed // the latest appointment
	revoked  bool                     // whether a revocation came after it
	changed  moment                   // when post or revoked was said
	training []Training
}

// moment is a place in the order in which things took effect; ties count by recording. The zero value is before all.
type moment struct {
	at  time.Time
	seq uint64 // the revision, counted from 1
}

func momentOf(e *events.Event) moment {
	m := moment{e.RecordedAt, e.Revision + 1}
	if e.Reported(e.RecordedAt) && e.OccurredAt.Before(m.at) {
		m.at = e.OccurredAt
	}
	return m
}

func (m moment) before(o moment) bool {
	return cmp.Or(m.at.Compare(o.at), cmp.Compare(m.seq, o.seq)) < 0
}

// folded is a name as it is compared.
func folded(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// Evolve adds the stream's next event; those of other families change nothing. It keeps the event and does not change it.
func (d *Directory) Evolve(e *events.Event) {
	if d.institutions == nil {
		d.institutions, d.officers = map[events.Institution]*institution{}, map[string]*officer{}
	}
	d.length++
	now := momentOf(e)
	switch data := e.Data.(type) {
	case *events.InstitutionRegistered:
		i := d.institutions[data.Institution]
		if i == nil {
			i = &institution{}
			d.institutions[data.Institution] = i
		}
		if i.registered.before(now) {
			i.registered = now
			i.ID, i.Names, i.Roles, i.Place = data.Institution, data.Name, data.Role, data.Place
			i.Open = i.closed.before(now)
		}
	case *events.InstitutionClosed:
		i := d.institutions[data.Institution]
		if i == nil { // closed before it was registered: the register came in another order
			i = &institution{Institution: Institution{ID: data.Institution}}
			d.institutions[data.Institution] = i
		}
		if i.closed.before(now) {
			i.closed = now
			i.Open = i.closed.before(i.registered)
		}
	case *events.OfficerAppointed:
		if o := d.officer(data.Officer); o.changed.before(now) {
			o.post, o.revoked, o.changed = data, false, now
		}
	case *events.OfficerRevoked:
		if o := d.officer(data.Officer); o.changed.before(now) {
			o.revoked, o.changed = true, now
		}
	case *events.OfficerTrained:
		o := d.officer(data.Officer)
		o.training = append(o.training, Training{*data, e.RecordedAt})
		if d.training.IsZero() {
			d.training = e.RecordedAt
		}
	}
}

func (d *Directory) officer(name string) *officer {
	k := folded(name)
	o := d.officers[k]
	if o == nil {
		o = &officer{name: strings.TrimSpace(name)}
		d.officers[k] = o
	}
	return o
}

// Institution finds an institution that was registered, open or not.
func (d *Directory) Institution(id events.Institution) (Institution, bool) {
	if d == nil {
		return Institution{}, false
	}
	i := d.institutions[id]
	if i == nil || i.registered.seq == 0 {
		return Institution{ID: id}, false
	}
	return i.Institution, true
}

// Institutions are all that were registered, by id.
func (d *Directory) Institutions() []Institution {
	list := []Institution{}
	if d == nil {
		return list
	}
	for _, id := range slices.Sorted(maps.Keys(d.institutions)) {
		if i, ok := d.Institution(id); ok {
			list = append(list, i)
		}
	}
	return list
}

// Officer finds an officer who was ever appointed, revoked or trained. Whether he or she acts, Stands says.
func (d *Directory) Officer(name string) (Officer, bool) {
	if d == nil {
		return Officer{}, false
	}
	o := d.officers[folded(name)]
	if o == nil {
		return Officer{}, false
	}
	shown := Officer{Name: o.name, Revoked: o.revoked, Training: o.training}
	if o.post != nil {
		shown.Institution, shown.Role = o.post.Institution, o.post.Role
		at := d.institutions[o.post.Institution]
		shown.Stands = !o.revoked && at != nil && at.Has(o.post.Role) && at.closed.before(o.changed)
	}
	return shown, true
}

// Officers are all that were ever appointed, revoked or trained, by name.
func (d *Directory) Officers() []Officer {
	list := []Officer{}
	if d == nil {
		return list
	}
	for _, k := range slices.Sorted(maps.Keys(d.officers)) {
		o, _ := d.Officer(k)
		list = append(list, o)
	}
	return list
}

// Trained reports whether an officer held a valid training in a tool on a local day, by what was recorded up to an
// instant (HR29). A revoked officer was trained all the same.
func (d *Directory) Trained(name, tool string, day events.Date, known time.Time) bool {
	if d == nil {
		return false
	}
	o := d.officers[folded(name)]
	return o != nil && slices.ContainsFunc(o.training, func(t Training) bool {
		return folded(t.Tool) == folded(tool) && t.ValidOn(day) && !t.RecordedAt.After(known)
	})
}

// RecordsTraining reports whether any training at all was recorded up to an instant: until then HR29 is not judged.
func (d *Directory) RecordsTraining(known time.Time) bool {
	return d != nil && !d.training.IsZero() && !d.training.After(known)
}
