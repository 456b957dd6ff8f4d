package timeline

import "traga.internal/events"

// Words are the names of the catalogue in one language, as the sentences use them, for whoever shows a case to a
// reader. A name that the language lacks is the English one, marked with "[en] ".
type Words struct{ l *language }

// WordsFor finds the words for a language tag; the nearest language, else English.
func WordsFor(tag string) Words { return Words{languageFor(tag)} }

// Language is the tag of the language that was found.
func (w Words) Language() string { return w.l.Language }

// Role is the name of a role.
func (w Words) Role(r events.Role) string { return w.l.role(r) }

// Category is the name of a category of information.
func (w Words) Category(c events.Category) string { return w.l.category(c) }

// Jurisdiction is the name of a jurisdiction; Kosovo* always with its asterisk.
func (w Words) Jurisdiction(j events.Jurisdiction) string { return w.l.jurisdiction(j) }
