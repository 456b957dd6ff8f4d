package timeline

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"traga.internal/events"
)

//go:embed messages/*.json
var messageFiles embed.FS

// language is one message catalogue: a sentence for every type of event, with its places in braces, and the words
// that fill them.
type language struct {
	Language        string                         `json:"language"`
	Name            string                         `json:"name"`
	MachineAssisted bool                           `json:"machineAssisted"`
	Actor           string                         `json:"actor"`
	Events          map[string]string              `json:"events"`
	Roles           map[events.Role]string         `json:"roles"`
	Categories      map[events.Category]string     `json:"categories"`
	Jurisdictions   map[events.Jurisdiction]string `json:"jurisdictions"`
	Words           map[string]string              `json:"words"`

	english *language // what a missing message falls back to; nil in English itself
}

// LanguageName is a language of the sentences.
type LanguageName struct {
	Tag  string // en, mk, sq, sr-Cyrl, sr-Latn, bs
	Name string // in the language itself
	// MachineAssisted: the texts await the review of a native speaker, and the interface says so.
	MachineAssisted bool
}

// Languages lists the languages of the sentences, English first.
func Languages() []LanguageName {
	var all []LanguageName
	for _, tag := range languageTags {
		l := catalogues()[tag]
		all = append(all, LanguageName{Tag: l.Language, Name: l.Name, MachineAssisted: l.MachineAssisted})
	}
	return all
}

var languageTags = [...]string{"en", "mk", "sq", "sr-Cyrl", "sr-Latn", "bs"}

// catalogues reads the message catalogues that are built into the program, once.
var catalogues = sync.OnceValue(func() map[string]*language {
	all := map[string]*language{}
	for _, tag := range languageTags {
		l, err := readCatalogue(tag)
		if err != nil { // a test reads every catalogue; without one, English and the bare names remain
			l = &language{Language: tag, Name: tag}
		}
		if l.Language != "en" {
			l.english = all["en"]
		}
		all[tag] = l
	}
	return all
})

func readCatalogue(tag string) (*language, error) {
	b, err := messageFiles.ReadFile("messages/" + tag + ".json")
	if err != nil {
		return nil, err
	}
	l := &language{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, fmt.Errorf("the messages in %s: %w", tag, err)
	}
	return l, nil
}

// languageFor finds the catalogue for a tag such as "mk", "sr-Latn" or "sq-XK"; English when there is none.
func languageFor(tag string) *language {
	all := catalogues()
	tag = strings.ReplaceAll(tag, "_", "-")
	if l := all[tag]; l != nil {
		return l
	}
	base, rest, _ := strings.Cut(strings.ToLower(tag), "-")
	switch {
	case base == "sr" && strings.HasPrefix(rest, "latn"):
		return all["sr-Latn"]
	case base == "sr":
		return all["sr-Cyrl"]
	case base == "cnr": // Montenegrin: the catalogue has Bosnian/Montenegrin variants
		return all["bs"]
	}
	if l := all[base]; l != nil {
		return l
	}
	return all["en"]
}

// sentence is the message for a type of event with its places filled.
func (l *language) sentence(eventType string, values map[string]string) string {
	if s := l.Events[eventType]; s != "" {
		return l.fill(s, values)
	}
	if l.english != nil { // visibly so
		return "[en] " + l.english.sentence(eventType, values)
	}
	return eventType + "."
}

// fill puts the values in their places; a place without a value is left as it is, for a test to find.
func (l *language) fill(message string, values map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(message, "{")
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return b.String()
		}
		if v, ok := values[name]; ok {
			b.WriteString(v)
		} else {
			b.WriteString("{" + name + "}")
		}
		message = after
	}
}

func (l *language) word(key string) string {
	return named(l, key, func(l *language) string { return l.Words[key] })
}

func (l *language) role(r events.Role) string {
	return named(l, string(r), func(l *language) string { return l.Roles[r] })
}

func (l *language) category(c events.Category) string {
	return named(l, string(c), func(l *language) string { return l.Categories[c] })
}

func (l *language) jurisdiction(j events.Jurisdiction) string {
	return named(l, string(j), func(l *language) string { return l.Jurisdictions[j] })
}

// named is a word of the language; where it has none, the English one, marked; else the key itself.
func named(l *language, key string, in func(*language) string) string {
	if w := in(l); w != "" {
		return w
	}
	if l.english != nil {
		if w := in(l.english); w != "" {
			return "[en] " + w
		}
	}
	return key
}

func (l *language) party(p events.Party) string {
	return string(p.Institution) + " (" + l.role(p.Role) + ")"
}

// actorName is the actor as the subject of a sentence; traga itself goes by its own name.
func (l *language) actorName(a events.Actor) string {
	if a.Role == events.System {
		return l.role(events.System)
	}
	return l.fill(l.Actor, map[string]string{"institution": string(a.Institution), "role": l.role(a.Role)})
}

func (l *language) categoryList(all []events.Category) string {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = l.category(c)
	}
	return strings.Join(names, ", ")
}

func (l *language) roleList(all []events.Role) string {
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = l.role(r)
	}
	return strings.Join(names, ", ")
}
