package web

import (
	"context"

	"traga.internal/aggregates/directory"
	"traga.internal/events"
)

// names are the institutions that the directories knew at an instant, for the sake of their names.
type names map[events.Institution]directory.Institution

// names are those known then, of all six jurisdictions: a case may name institutions of another one.
func (s *site) names(ctx context.Context, asOf events.AsOf) (names, error) {
	return s.registers.Institutions(ctx, asOf)
}

// of is the institution's name in the language, else in English, else in whatever language it has; its id where the
// directory does not know it. Kosovo is always Kosovo*.
func (n names) of(i events.Institution, lang string) string {
	if known, ok := n[i]; ok {
		return known.Name(lang)
	}
	return string(i)
}
