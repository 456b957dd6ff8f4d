package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/directory"
	"traga.internal/events"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/record"
	"traga.internal/projections/timeline"
)

// directoryView is the page of a jurisdiction's institutions and officers.
type directoryView struct {
	Jurisdiction events.Jurisdiction
	Institutions []institutionRow
	Officers     []officerRow
	Done         bool   // a change was recorded just now
	Refused      string // why one was not, in English
	// What the forms of the directorate's officers need; Keeper is false for everyone else.
	Keeper    bool
	ID        uuid.UUID // of the next change: sent twice it is recorded once
	Offices   []office
	Languages []tongue
	Roles     []events.Role
	Posts     []post
	given     url.Values // what was refused
}

// Value is what was written into a field of a form that was refused.
func (v *directoryView) Value(form, field string) string {
	if v.given.Get("do") != form {
		return ""
	}
	return v.given.Get(field)
}

type institutionRow struct {
	directory.Institution
	Shown string // its name
}

type officerRow struct {
	directory.Officer
	Shown    string // the institution's name
	Training []trainingRow
}

type trainingRow struct {
	directory.Training
	State string // valid, until, ended or from
	Day   events.Date
}

// office is a kind of local office; tongue a language that names are given in; post an institution in a role.
type (
	office struct{ Kind, Name string }
	tongue struct{ Tag, Name string }
	post   struct{ Value, Label string }
)

// whoIsWho shows the institutions and officers of a jurisdiction.
func (s *site) whoIsWho(ctx context.Context, p *page) error {
	j := events.Jurisdiction(p.query("jurisdiction"))
	if err := p.checkJurisdiction(j); err != nil {
		return err
	}
	if j == "" {
		var err error
		if j, err = s.ownJurisdiction(ctx); err != nil {
			return err
		}
	}
	return s.showDirectory(ctx, p, j, func(v *directoryView) { v.Done = p.query("done") != "" })
}

// ownJurisdiction is the one whose directory has the reader's institution; the first of all where none has.
func (s *site) ownJurisdiction(ctx context.Context) (events.Jurisdiction, error) {
	who, _ := auth.IdentityOf(ctx)
	for _, j := range events.Jurisdictions() {
		d, err := s.registers.At(ctx, j, events.AsOf{})
		if err != nil {
			return "", err
		}
		if _, ok := d.Institution(who.Actor.Institution); ok {
			return j, nil
		}
	}
	return events.Jurisdictions()[0], nil
}

func (s *site) showDirectory(ctx context.Context, p *page, j events.Jurisdiction, more func(*directoryView)) error {
	known, err := s.registers.At(ctx, j, p.asOf)
	if err != nil {
		return err
	}
	v := &directoryView{Jurisdiction: j}
	today := events.DateIn(p.Clock, p.rules.Zone(j))
	names := map[events.Institution]string{}
	for _, i := range known.Institutions() {
		names[i.ID] = i.Name(p.Language())
		v.Institutions = append(v.Institutions, institutionRow{i, names[i.ID]})
	}
	slices.SortStableFunc(v.Institutions, func(a, b institutionRow) int {
		return cmp.Or(-compareBool(a.Open, b.Open), cmp.Compare(a.Shown, b.Shown))
	})
	for _, o := range known.Officers() {
		row := officerRow{Officer: o, Shown: cmp.Or(names[o.Institution], string(o.Institution))}
		for _, t := range o.Training {
			row.Training = append(row.Training, trainingRow{t, trainingState(t, today), cmp.Or(t.ValidUntil, t.On)})
		}
		v.Officers = append(v.Officers, row)
	}
	slices.SortStableFunc(v.Officers, func(a, b officerRow) int { // those who act first, by institution
		return cmp.Or(-compareBool(a.Stands, b.Stands), cmp.Compare(a.Shown, b.Shown), cmp.Compare(a.Officer.Name, b.Officer.Name))
	})
	who, _ := auth.IdentityOf(ctx)
	if v.Keeper = s.recorder != nil && !p.Past() && known.Keeps(j, who.Actor); v.Keeper {
		if err := p.prepareForms(v); err != nil {
			return err
		}
	}
	more(v)
	p.show("directory", p.T("directory.title"), "directory", v)
	return nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// trainingState is how a training stands on a day: its words are the messages training.<state>.
func trainingState(t directory.Training, today events.Date) string {
	switch {
	case !t.ValidOn(today) && today < t.On:
		return "from"
	case !t.ValidOn(today):
		return "ended"
	case t.ValidUntil != 0:
		return "until"
	}
	return "valid"
}

// prepareForms fills in what can be chosen.
func (p *page) prepareForms(v *directoryView) error {
	shipped, err := directory.Shipped(v.Jurisdiction)
	if err != nil {
		return err
	}
	if v.ID, err = uuid.NewV7(); err != nil {
		return err
	}
	spoken := map[string]bool{"en": true}
	for _, o := range shipped.Offices {
		e := o.At("x", "…", nil)
		v.Offices = append(v.Offices, office{o.Kind, directory.Institution{ID: events.Institution(o.Kind), Names: e.Name}.Name(p.Language())})
		for tag := range o.Name {
			spoken[tag] = true
		}
	}
	for _, l := range timeline.Languages() {
		if spoken[l.Tag] {
			v.Languages = append(v.Languages, tongue{l.Tag, l.Name})
		}
	}
	for _, r := range events.Roles() {
		if r != events.System {
			v.Roles = append(v.Roles, r)
		}
	}
	for _, i := range v.Institutions {
		for _, r := range i.Roles {
			if i.Open {
				v.Posts = append(v.Posts, post{string(i.ID) + " " + string(r), i.Shown + ": " + p.Role(r)})
			}
		}
	}
	return nil
}

// maxForm is how long a form's content may be, in bytes.
const maxForm = 64 << 10

// changeDirectory records what a form says, as the officer who is signed in.
func (s *site) changeDirectory(ctx context.Context, p *page) error {
	j := events.Jurisdiction(p.request.PathValue("j"))
	if err := p.checkJurisdiction(j); err != nil || j == "" {
		return &failure{status: http.StatusNotFound, message: "error.not-found"}
	}
	p.request.Body = http.MaxBytesReader(nil, p.request.Body, maxForm)
	if err := p.request.ParseForm(); err != nil {
		return &failure{status: http.StatusBadRequest, message: "error.form"}
	}
	f := p.request.PostForm
	action, err := changeOf(ctx, j, f)
	if err == nil {
		_, err = s.recorder.Record(ctx, action, record.AnyRevision)
	}
	var refusal *casefile.Refusal
	switch {
	case err == nil:
		p.leadTo = p.URL("/directory", "jurisdiction", string(j), "done", "1")
		return nil
	case !errors.As(err, &refusal):
		return err
	}
	p.status = http.StatusConflict
	switch {
	case slices.Contains(refusal.Because, casefile.Invalid):
		p.status = http.StatusBadRequest
	case slices.Contains(refusal.Because, casefile.NotAllowed):
		p.status = http.StatusForbidden
	}
	return s.showDirectory(ctx, p, j, func(v *directoryView) {
		v.Refused, v.given = strings.TrimPrefix(refusal.Field, "data.")+": "+refusal.Message, f
	})
}

// changeOf is the action that a form asks for.
func changeOf(ctx context.Context, j events.Jurisdiction, f url.Values) (*record.Action, error) {
	who, _ := auth.IdentityOf(ctx)
	by, err := auth.MayRecord(ctx, who.Actor)
	if err != nil {
		return nil, err
	}
	a := &record.Action{Jurisdiction: j, Actor: who.Actor, RecordedBy: by}
	if a.ID, err = uuid.Parse(f.Get("id")); err != nil {
		return nil, casefile.Malformed(&events.FieldError{Field: "id", Expected: "the id that the page gave to the form"})
	}
	text := func(name string) string { return strings.TrimSpace(f.Get(name)) }
	institution := events.Institution(text("institution"))
	switch f.Get("do") {
	case "office":
		shipped, err := directory.Shipped(j)
		if err != nil {
			return nil, err
		}
		o, ok := shipped.Office(text("kind"))
		if !ok {
			return nil, casefile.Malformed(&events.FieldError{Field: "data.role", Expected: "a kind of office of the list"})
		}
		a.Type, a.Data = "InstitutionRegistered", o.At(cmp.Or(institution, o.ID(j, text("place"))), text("place"), byLanguage(f, "place-"))
	case "institution":
		d := &events.InstitutionRegistered{Institution: institution, Name: byLanguage(f, "name-"), Place: text("place")}
		for _, r := range f["role"] {
			d.Role = append(d.Role, events.Role(r))
		}
		a.Type, a.Data = "InstitutionRegistered", d
	case "close":
		a.Type, a.Data = "InstitutionClosed", &events.InstitutionClosed{Institution: institution}
	case "appoint":
		at, role, _ := strings.Cut(text("post"), " ")
		a.Type, a.Data = "OfficerAppointed", &events.OfficerAppointed{Officer: text("officer"), Institution: events.Institution(at), Role: events.Role(role)}
	case "revoke":
		a.Type, a.Data = "OfficerRevoked", &events.OfficerRevoked{Officer: text("officer")}
	case "train":
		d := &events.OfficerTrained{Officer: text("officer"), Tool: text("tool"), ToolVersion: text("tool-version"), Provider: text("provider")}
		if d.On, err = events.ParseDate(text("on")); err != nil {
			return nil, casefile.Malformed(&events.FieldError{Field: "data.on", Expected: "the day on which the training was held, such as 2026-03-02"})
		}
		if until := text("until"); until != "" {
			if d.ValidUntil, err = events.ParseDate(until); err != nil {
				return nil, casefile.Malformed(&events.FieldError{Field: "data.validUntil", Expected: "a day such as 2028-03-02, or nothing"})
			}
		}
		a.Type, a.Data = "OfficerTrained", d
	default:
		return nil, casefile.Malformed(&events.FieldError{Field: "do", Expected: "one of the forms of the page"})
	}
	return a, nil
}

// byLanguage is what the fields say whose names are the prefix and a language.
func byLanguage(f url.Values, prefix string) map[string]string {
	m := map[string]string{}
	for _, l := range timeline.Languages() {
		if s := strings.TrimSpace(f.Get(prefix + l.Tag)); s != "" {
			m[l.Tag] = s
		}
	}
	return m
}
