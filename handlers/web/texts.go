package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"traga.internal/projections/timeline"
)

//go:embed messages/*.json
var messageFiles embed.FS

// catalogue is the interface's words in one language: messages/<tag>.json, one flat object. {1} and {2} are the
// places to fill.
type catalogue struct {
	Language        string // the tag
	Name            string // in the language itself
	MachineAssisted bool
	texts           map[string]string
}

// catalogues are read once; the languages are those of the timeline's sentences.
var catalogues = sync.OnceValue(func() []*catalogue {
	var all []*catalogue
	for _, l := range timeline.Languages() {
		c := &catalogue{Language: l.Tag, Name: l.Name, MachineAssisted: l.MachineAssisted}
		b, err := messageFiles.ReadFile("messages/" + l.Tag + ".json")
		if err == nil {
			err = json.Unmarshal(b, &c.texts)
		}
		if err == nil { // a language without a catalogue is not offered; a test reads each
			all = append(all, c)
		}
	}
	return all
})

func catalogueList() []*catalogue { return catalogues() }

// catalogueFor finds the catalogue for a tag as the timeline finds its own; English when there is none.
func catalogueFor(tag string) *catalogue {
	want := timeline.WordsFor(tag).Language()
	for _, c := range catalogues() {
		if c.Language == want {
			return c
		}
	}
	return catalogues()[0]
}

// text is a message with its places filled; the English one where the language lacks it. With a first value of 1 the
// message <key>.1 counts, where there is one.
func (c *catalogue) text(key string, args ...any) string {
	if len(args) > 0 && args[0] == 1 {
		if _, ok := c.texts[key+".1"]; ok {
			key += ".1"
		}
	}
	s, ok := c.texts[key]
	if !ok {
		if s, ok = catalogues()[0].texts[key]; !ok {
			return key
		}
	}
	if len(args) == 0 {
		return s
	}
	places := make([]string, 0, 2*len(args)) // filled in one pass: a value is never looked into
	for i, a := range args {
		places = append(places, "{"+strconv.Itoa(i+1)+"}", text(a))
	}
	return strings.NewReplacer(places...).Replace(s)
}

// has reports whether there is a message of that key in any language.
func (c *catalogue) has(key string) bool {
	_, ok := catalogues()[0].texts[key]
	return ok
}

// text is how a value reads in a sentence: what it points to, empty for nil.
func text(v any) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return ""
		}
		v = r.Elem().Interface()
	}
	return fmt.Sprint(v)
}
