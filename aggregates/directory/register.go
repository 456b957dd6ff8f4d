package directory

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"traga.internal/events"
)

//go:embed registers/*.yaml
var registerFiles embed.FS

// Register is what comes with traga for a jurisdiction: its institutions by name, and the kinds of its local offices
// (domain.md). It is a beginning, not the truth: the directory's own entries are.
type Register struct {
	Jurisdiction events.Jurisdiction `yaml:"jurisdiction"`
	Institutions []struct {
		ID    events.Institution `yaml:"id"`
		Role  []events.Role      `yaml:"role"`
		Place string             `yaml:"place"`
		Name  map[string]string  `yaml:"name"`
	} `yaml:"institutions"`
	Offices []Office `yaml:"offices"`
}

// Office is a kind of institution of which there is one for each place.
type Office struct {
	Kind string            `yaml:"kind"` // such as csw
	Role []events.Role     `yaml:"role"`
	Name map[string]string `yaml:"name"` // {place} stands for the place's name in that language
}

// Shipped is the register that comes with traga for one of the six jurisdictions.
func Shipped(j events.Jurisdiction) (*Register, error) {
	if !slices.Contains(events.Jurisdictions(), j) {
		return nil, &events.FieldError{Field: "jurisdiction", Expected: "one of AL, BA, ME, MK, RS, XK", Got: "another one"}
	}
	text, err := registerFiles.ReadFile("registers/" + strings.ToLower(string(j)) + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("the register of %s: %w", j, err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	r := &Register{}
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("the register of %s: %w", j, err)
	}
	return r, nil
}

// Missing are the institutions of the register that a directory does not know, in the order in which they are to be
// recorded: the directorates first, which keep the directory. One that was closed is known.
func (r *Register) Missing(known func(events.Institution) bool) []*events.InstitutionRegistered {
	var missing []*events.InstitutionRegistered
	for _, i := range r.Institutions {
		if !known(i.ID) {
			missing = append(missing, &events.InstitutionRegistered{Institution: i.ID, Name: maps.Clone(i.Name), Role: i.Role, Place: i.Place})
		}
	}
	slices.SortStableFunc(missing, func(a, b *events.InstitutionRegistered) int {
		return order(slices.Contains(a.Role, events.Directorate)) - order(slices.Contains(b.Role, events.Directorate))
	})
	return missing
}

func order(first bool) int {
	if first {
		return 0
	}
	return 1
}

// Directorate is the institution that begins the directory.
func (r *Register) Directorate() events.Institution {
	return r.Missing(func(events.Institution) bool { return false })[0].Institution
}

// Office finds a kind of local office.
func (r *Register) Office(kind string) (Office, bool) {
	for _, o := range r.Offices {
		if o.Kind == kind {
			return o, true
		}
	}
	return Office{}, false
}

// ID is the id of the office in a place: mk-csw-ohrid. Where the place's name has no Latin letters it is not a good id,
// and one must be given.
func (o Office) ID(j events.Jurisdiction, place string) events.Institution {
	slug := strings.FieldsFunc(plain.Replace(strings.ToLower(place)), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return events.Institution(strings.Join(append([]string{strings.ToLower(string(j)), o.Kind}, slug...), "-"))
}

// plain takes the marks from the letters of the region's Latin alphabets.
var plain = strings.NewReplacer("č", "c", "ć", "c", "š", "s", "ž", "z", "đ", "dj", "ë", "e", "ç", "c")

// At is the entry of the office in a place. The place's names are by language; where one is missing, the place as
// given stands for it.
func (o Office) At(id events.Institution, place string, names map[string]string) *events.InstitutionRegistered {
	e := &events.InstitutionRegistered{Institution: id, Name: map[string]string{}, Role: o.Role, Place: place}
	for lang, pattern := range o.Name {
		local := names[lang]
		if blank(local) {
			local = place
		}
		e.Name[lang] = strings.ReplaceAll(pattern, "{place}", local)
	}
	return e
}
