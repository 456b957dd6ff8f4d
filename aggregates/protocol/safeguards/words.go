package safeguards

import (
	"slices"
	"strings"

	"traga.internal/events"
)

// name is the institution's id, or the role in plain words where no institution is named.
func name(p events.Party) string {
	switch {
	case !blank(string(p.Institution)):
		return string(p.Institution)
	case p.Role != "":
		return "an unnamed recipient (" + strings.ReplaceAll(string(p.Role), "-", " ") + ")"
	}
	return "an unnamed recipient"
}

// information is "Health and family information".
func information(categories []events.Category) string {
	words := make([]string, len(categories))
	for i, c := range categories {
		words[i] = strings.ReplaceAll(string(c), "-", " ")
	}
	s := list(words)
	if s == "" {
		return "Information"
	}
	return strings.ToUpper(s[:1]) + s[1:] + " information"
}

// list is "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(slices.Clone(words[:last]), ", ") + " and " + words[last]
}
