package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
	"traga.internal/projections/timeline"
)

// entryView is one entry of a case with what it says, what changed it and what it led to.
type entryView struct {
	timeline.Entry
	Case        string
	Sentence    string
	ActorName   string
	FromName    string
	Recipients  []string
	Justified   string
	Data        []field // as first recorded
	Corrected   []field // as corrected, where it was
	Changes     []related
	ChangedBy   []related // corrections and annulments of it, those that no longer stand too
	LedTo       []related
	CausedBy    *related
	Duties      []dutyLink
	Safeguards  []safeguardRow
	JustBefore  string // the address of the case as known just before this entry
	JustAfter   string
	PreviousID  *uuid.UUID
	FollowingID *uuid.UUID
}

// related is another entry of the case.
type related struct {
	ID       uuid.UUID
	Sentence string
	Entry    timeline.Entry
}

// dutyLink is a duty that the entry has to do with.
type dutyLink struct {
	timeline.Obligation
	Title string
	About string
	Part  string // what the entry is to the duty: activated, fulfilled, waived or acknowledged
}

// field is one field of an entry's data: a text, or further fields.
type field struct {
	Name   string
	Text   string
	Fields []field
	Hidden bool // the text says that it is withheld
	// Receipt, of an erased field, is the entry that says so.
	Receipt string
}

func (s *site) entry(ctx context.Context, p *page) error {
	id, err := uuid.Parse(p.request.PathValue("id"))
	if err != nil || id == uuid.Nil {
		return &failure{status: http.StatusNotFound, message: "error.no-entry"}
	}
	c, known, err := s.read(ctx, p, id)
	if err != nil {
		return err
	}
	row, ok := c.Entry(id, p.Language())
	if !ok {
		return &failure{status: http.StatusNotFound, message: "error.no-entry"}
	}
	e := c.History().Find(id)
	v := &entryView{Entry: row, Case: c.Number(), Sentence: p.sentence(row.Summary, c.Jurisdiction(), known), ActorName: known.of(row.Actor.Institution, p.Language())}
	if row.From != nil {
		v.FromName = known.of(row.From.Institution, p.Language()) + " (" + p.Role(row.From.Role) + ")"
	}
	for _, to := range row.To {
		name := known.of(to.Institution, p.Language()) + " (" + p.Role(to.Role) + ")"
		if to.Officer != nil {
			name += ", " + *to.Officer
		}
		v.Recipients = append(v.Recipients, name)
	}
	if v.Data, err = p.fields(c.Shown(e.Event), known); err != nil {
		return err
	}
	if e.Correction != nil {
		corrected := *e.Event
		corrected.Data, corrected.Withheld = e.Now, e.Withheld
		if v.Corrected, err = p.fields(c.Shown(&corrected), known); err != nil {
			return err
		}
	}
	p.readRelated(v, c, e, known)
	for _, o := range c.Obligations() {
		part := partIn(&o, id)
		if part == "" {
			continue
		}
		v.Duties = append(v.Duties, dutyLink{o, p.ruleTitle(c.Jurisdiction(), o.Rule), p.about(o.Obligation, known), part})
	}
	verdicts, err := c.Safeguards(ctx)
	if err != nil {
		return err
	}
	all := &caseView{}
	p.readSafeguards(all, c, verdicts, known)
	for _, f := range all.Failing {
		for _, shown := range f.Events {
			if shown == id {
				v.Safeguards = append(v.Safeguards, f)
				break
			}
		}
	}
	p.show("entry", p.T("entry.title", row.Revision, c.Number()), "cases", v)
	return nil
}

func partIn(o *timeline.Obligation, id uuid.UUID) string {
	for _, part := range []struct {
		name string
		id   *uuid.UUID
	}{{"fulfilled", o.FulfilledBy}, {"waived", o.WaivedBy}, {"acknowledged", o.AcknowledgedBy}, {"activated", o.ActivatedBy}} {
		if part.id != nil && *part.id == id {
			return part.name
		}
	}
	return ""
}

// readRelated finds the entries that this one changed, was changed by, caused and was caused by.
func (p *page) readRelated(v *entryView, c *timeline.Case, e *history.Entry, known names) {
	relate := func(other *history.Entry) related {
		row, _ := c.Entry(other.ID, p.Language())
		return related{other.ID, p.sentence(row.Summary, c.Jurisdiction(), known), row}
	}
	entries := c.History().Entries()
	for i, other := range entries {
		switch d := other.Event.Data.(type) {
		case *events.EntryCorrected:
			if d.Target == e.ID {
				v.ChangedBy = append(v.ChangedBy, relate(other))
			}
		case *events.EntryAnnulled:
			if d.Target == e.ID {
				v.ChangedBy = append(v.ChangedBy, relate(other))
			}
		}
		if other.CausationID == e.ID {
			v.LedTo = append(v.LedTo, relate(other))
		}
		if other.ID == e.ID {
			if i > 0 {
				v.PreviousID = &entries[i-1].ID
				v.JustBefore = p.URL("/cases/"+c.Number(), "at", entries[i-1].Position.String())
			}
			v.JustAfter = p.URL("/cases/"+c.Number(), "at", e.Position.String())
			if i+1 < len(entries) {
				v.FollowingID = &entries[i+1].ID
			}
		}
	}
	var target uuid.UUID
	switch d := e.Event.Data.(type) {
	case *events.EntryCorrected:
		target = d.Target
	case *events.EntryAnnulled:
		target = d.Target
	}
	if other := c.History().Find(target); other != nil {
		v.Changes = append(v.Changes, relate(other))
	}
	if other := c.History().Find(e.CausationID); other != nil {
		cause := relate(other)
		v.CausedBy = &cause
	}
}

// fields reads an entry's data as a reader sees it, in the order of the catalogue.
func (p *page) fields(e *events.Event, known names) ([]field, error) {
	b, err := e.Shown()
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	f, err := p.readField(d, "", known)
	if err != nil {
		return nil, fmt.Errorf("show the data of an entry: %w", err)
	}
	return f.Fields, nil
}

func (p *page) readField(d *json.Decoder, name string, known names) (field, error) {
	f := field{Name: name}
	token, err := d.Token()
	if err != nil {
		return f, err
	}
	delimiter, nested := token.(json.Delim)
	if !nested {
		f.Text = p.fieldText(name, token, known)
		return f, nil
	}
	var flat []string
	for d.More() {
		inner := ""
		if delimiter == '{' {
			key, err := d.Token()
			if err != nil {
				return f, err
			}
			inner = text(key)
			if inner == "withheld" && name != "" { // the data itself may have a field of that name; see events.Withheld
				return p.readWithheld(d, name)
			}
		} else {
			inner = name
		}
		one, err := p.readField(d, inner, known)
		if err != nil {
			return f, err
		}
		if delimiter == '[' {
			if one.Fields == nil && !one.Hidden {
				flat = append(flat, one.Text)
				continue
			}
			one.Name = text(len(f.Fields) + 1)
		} else {
			one.Name = humanised(inner)
		}
		f.Fields = append(f.Fields, one)
	}
	_, err = d.Token()
	if f.Fields == nil {
		f.Text = strings.Join(flat, ", ")
	}
	return f, err
}

// Erased says which categories of an entry were erased, each once, and by which entry.
func (p *page) Erased(list []timeline.Withheld) (said []field) {
	for _, w := range list {
		f := field{Hidden: true, Text: p.T("withheld.erased", p.Category(w.Category))}
		if w.Receipt != nil {
			f.Receipt = w.Receipt.String()
		}
		if !slices.ContainsFunc(said, func(g field) bool { return g.Text == f.Text && g.Receipt == f.Receipt }) {
			said = append(said, f)
		}
	}
	return said
}

// readWithheld reads what stands in the place of a field that is withheld.
func (p *page) readWithheld(d *json.Decoder, name string) (field, error) {
	var w struct {
		Reason   string
		Category events.Category
		Ask      events.Role
		Receipt  uuid.UUID
	}
	if err := d.Decode(&w); err != nil {
		return field{}, err
	}
	f := field{Name: name, Hidden: true, Text: p.T("withheld.hidden", p.Category(w.Category), p.Role(w.Ask))}
	if w.Reason == events.Erased {
		f.Text = p.T("withheld.erased", p.Category(w.Category))
		if w.Receipt != uuid.Nil {
			f.Receipt = w.Receipt.String()
		}
	}
	_, err := d.Token()
	return f, err
}

// fieldText is a value in words: of the closed lists that have words, and institutions by name.
func (p *page) fieldText(name string, token json.Token, known names) string {
	switch v := token.(type) {
	case nil:
		return p.T("none")
	case bool:
		if v {
			return p.T("yes")
		}
		return p.T("no")
	case string:
		if n := known.of(events.Institution(v), p.Language()); n != v {
			return n + " (" + v + ")"
		}
		switch {
		case strings.HasSuffix(strings.ToLower(name), "role"), strings.HasSuffix(strings.ToLower(name), "roles"):
			return p.Role(v)
		case name == "categories", name == "withheld", name == "granted":
			return p.Category(events.Category(v))
		}
		if d, err := events.ParseDate(v); err == nil {
			return p.dayText(d)
		}
		return v
	default:
		return text(v)
	}
}

// humanised makes words of a field's name: dateOfBirth becomes Date of birth.
func humanised(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case i == 0:
			b.WriteRune(unicode.ToUpper(r))
		case unicode.IsUpper(r):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
