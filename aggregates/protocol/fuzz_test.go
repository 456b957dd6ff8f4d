package protocol

import (
	"errors"
	"os"
	"testing"
)

// Whatever is given for a protocol, it is read or refused with a *RuleError, and what was read reads the same when
// it is written down and read again.
func FuzzParseRules(f *testing.F) {
	for _, name := range []string{"al", "ba", "rs"} {
		text, err := os.ReadFile("rules/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(quicker)
	f.Add("protocol: x\nversion: v\nsource: s\nextends: sop-default\nrules:\n  - {id: a, title: {en: A}, severity: high, duty: csw, activation: {event: CaseOpened}, due: {after: 3 days}}\n")
	f.Add("protocol: x\nversion: v\nsource: s\nextends: sop-default\nrules:\n  - {id: a, title: {en: A}, severity: high, duty: csw, activation: {release-date: known}, series: [{about: x}], fulfilment: {event: CaseClosed, ends: 'true'}}\n")
	f.Add("protocol: x\nversion: v\nsource: s\nextends: sop-default\nrules:\n  - {id: a, duty: {party: sender}, activation: {event: [], each: x}, due: {after: 3 days, if: [{}]}, fulfilment: {any: [{}], together: ['1']}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseRules("own.yaml", []byte(text))
		if err != nil {
			var mistake *RuleError
			if !errors.As(err, &mistake) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := ParseRules("again", s.JSON)
		if err != nil || again.Digest != s.Digest {
			t.Fatalf("read again: %v", err)
		}
	})
}
