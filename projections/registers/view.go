package registers

import (
	"time"

	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/directory"
	"traga.internal/events"
)

// View is a directory for its readers: the JSON of `traga directory list` and of GET /v1/directory/{jurisdiction}.
type View struct {
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	// Footnote belongs to every mention of Kosovo* and is empty elsewhere.
	Footnote     string            `json:"footnote,omitzero"`
	Revision     *uint64           `json:"revision"` // of its latest entry; null while it is empty
	Institutions []InstitutionView `json:"institutions"`
	Officers     []OfficerView     `json:"officers"`
}

// InstitutionView is an institution as it stands.
type InstitutionView struct {
	Institution events.Institution `json:"institution"`
	Name        map[string]string  `json:"name"` // by language
	Role        []events.Role      `json:"role"`
	Place       string             `json:"place"`
	Open        bool               `json:"open"`
}

// OfficerView is an officer as he or she stands. Institution and role are empty for one who was only trained.
type OfficerView struct {
	Officer     string             `json:"officer"`
	Institution events.Institution `json:"institution"`
	Role        events.Role        `json:"role"`
	Acts        bool               `json:"acts"` // for that institution, in that role
	Revoked     bool               `json:"revoked"`
	Training    []TrainingView     `json:"training"`
}

// TrainingView is a training in a tool.
type TrainingView struct {
	Tool        string       `json:"tool"`
	ToolVersion string       `json:"toolVersion"`
	Provider    string       `json:"provider"`
	On          events.Date  `json:"on"`
	ValidUntil  *events.Date `json:"validUntil"` // null for one without an end
	Valid       bool         `json:"valid"`      // on the asked day
}

// ViewOf is the directory of a jurisdiction for its readers, the validity of training judged at an instant.
func ViewOf(j events.Jurisdiction, d *directory.Directory, at time.Time) (*View, error) {
	days, err := calendar.For(string(j), "")
	if err != nil {
		return nil, err
	}
	today := events.DateIn(at, days.Zone())
	v := &View{Jurisdiction: j, Institutions: []InstitutionView{}, Officers: []OfficerView{}}
	if j == "XK" {
		v.Footnote = calendar.Footnote
	}
	if n := d.Len(); n > 0 {
		revision := uint64(n - 1)
		v.Revision = &revision
	}
	for _, i := range d.Institutions() {
		names := make(map[string]string, len(i.Names))
		for lang, name := range i.Names {
			names[lang] = directory.Starred(name)
		}
		v.Institutions = append(v.Institutions, InstitutionView{i.ID, names, i.Roles, i.Place, i.Open})
	}
	for _, o := range d.Officers() {
		row := OfficerView{Officer: o.Name, Institution: o.Institution, Role: o.Role, Acts: o.Stands, Revoked: o.Revoked, Training: []TrainingView{}}
		for _, t := range o.Training {
			shown := TrainingView{Tool: t.Tool, ToolVersion: t.ToolVersion, Provider: t.Provider, On: t.On, Valid: t.ValidOn(today)}
			if t.ValidUntil != 0 {
				shown.ValidUntil = &t.ValidUntil
			}
			row.Training = append(row.Training, shown)
		}
		v.Officers = append(v.Officers, row)
	}
	return v, nil
}
