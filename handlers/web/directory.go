package web

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"traga.internal/events"
)

// directory knows the names of institutions from the directory streams. What it has read once it keeps, and reads
// on from there. It is safe for concurrent use.
type directory struct {
	log Log
	mu  sync.Mutex
	by  map[events.Jurisdiction]*namings
}

type namings struct {
	next    uint64 // the first revision not yet read
	entries []registered
}

// registered is one naming of an institution.
type registered struct {
	events.Recorded // without its data
	institution     events.Institution
	names           map[string]string
}

func newDirectory(log Log) *directory {
	return &directory{log: log, by: map[events.Jurisdiction]*namings{}}
}

// names are the names of institutions as known at an instant.
type names map[events.Institution]map[string]string

// asOf reads the names that the jurisdictions' directories gave by then; all six when none is given.
func (d *directory) asOf(ctx context.Context, asOf events.AsOf, of ...events.Jurisdiction) (names, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(of) == 0 {
		of = events.Jurisdictions()
	}
	known := names{}
	for _, j := range of {
		r := d.by[j]
		if r == nil {
			r = &namings{}
			d.by[j] = r
		}
		if err := r.read(ctx, d.log, j); err != nil {
			return nil, fmt.Errorf("read the directory: %w", err)
		}
		for _, e := range r.entries {
			if !asOf.Includes(e.RecordedAt, e.Position) {
				break
			}
			known[e.institution] = e.names
		}
	}
	return known, nil
}

func (r *namings) read(ctx context.Context, log Log, j events.Jurisdiction) error {
	for recorded, err := range log.ReadStream(ctx, events.DirectoryStream(j), r.next) {
		if err != nil {
			return err
		}
		if recorded.Type == "InstitutionRegistered" {
			e, err := events.Decode(&recorded)
			if err != nil {
				return err
			}
			if d, ok := e.Data.(*events.InstitutionRegistered); ok {
				recorded.Metadata, recorded.Data = nil, nil
				r.entries = append(r.entries, registered{recorded, d.Institution, maps.Clone(d.Name)})
			}
		}
		r.next = recorded.Revision + 1
	}
	return nil
}

// of is the institution's name in the language, else in English, else in whatever language it has; its id where the
// directory does not know it. Kosovo is always Kosovo*.
func (n names) of(i events.Institution, lang string) string {
	given := n[i]
	for _, tag := range []string{lang, "en"} {
		if name := given[tag]; name != "" {
			return starred(name)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(given)) {
		if given[tag] != "" {
			return starred(given[tag])
		}
	}
	return string(i)
}

var kosovo = regexp.MustCompile(`(?i)(?:kosov|косов)\pL*\*?`)

// starred puts the asterisk of the footnote on the name of Kosovo*.
func starred(s string) string {
	return kosovo.ReplaceAllStringFunc(s, func(w string) string { return strings.TrimSuffix(w, "*") + "*" })
}
