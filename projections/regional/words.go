package regional

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"traga.internal/aggregates/protocol"
)

// periodInWords is the period of a rule, or of the steps of a series, in plain English: "90 days before release",
// "3 working days after person released; 1 working day if risk level is high or no accommodation".
func periodInWords(steps []protocol.Rule) string {
	var texts []string
	for i := range steps {
		// What the period counts from: the types of the activating events, without their guards.
		from, _, _ := strings.Cut(steps[i].Activation, " if ")
		from, _, _ = strings.Cut(from, ",")
		from, _, _ = strings.Cut(from, " of an ")
		texts = append(texts, say(strings.ReplaceAll(steps[i].Period, "after the event", "after "+from)))
	}
	// The steps of a series count from the same: it is said once.
	if last, n := texts[len(texts)-1], len(texts); n > 1 {
		if _, from, ok := strings.Cut(last, " after "); ok && !slices.ContainsFunc(texts, func(t string) bool { return !strings.HasSuffix(t, " after "+from) }) {
			for i := range texts[:n-1] {
				texts[i] = strings.TrimSuffix(texts[i], " after "+from)
			}
			return strings.Join(texts[:n-1], ", ") + " and " + last
		}
	}
	return strings.Join(texts, "; ")
}

var (
	signs = strings.NewReplacer("&&", "and", "||", "or", "<=", "at most", ">=", "at least", "!=", "is not", "==", "is", "<", "less than",
		">", "more than", "!", "no ", "'", "", `"`, "", "state.", "", "event.", "")
	camel = regexp.MustCompile(`\p{Ll}\p{Lu}|\b\p{Lu}\p{Ll}`)
)

// say puts the names and signs of a guard into words.
func say(text string) string {
	return camel.ReplaceAllStringFunc(signs.Replace(text), func(pair string) string {
		r := []rune(pair)
		if unicode.IsUpper(r[0]) {
			return strings.ToLower(pair)
		}
		return string(r[0]) + " " + strings.ToLower(string(r[1]))
	})
}
