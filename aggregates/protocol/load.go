package protocol

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"traga.internal/events"
)

// RuleError says what is wrong with a protocol, and where.
type RuleError struct {
	File string
	Line int
	Rule string // the rule's id; empty where the trouble is outside of any
	// Problem says in plain words what is wrong.
	Problem string
}

func (e *RuleError) Error() string {
	at := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	if e.Rule != "" {
		at += "rule " + e.Rule + ": "
	}
	return at + e.Problem
}

// document is a protocol as it is written.
type document struct {
	Protocol     string                            `yaml:"protocol,omitempty"`
	Version      string                            `yaml:"version,omitempty"`
	Extends      string                            `yaml:"extends,omitempty"`
	Jurisdiction string                            `yaml:"jurisdiction,omitempty"`
	Source       string                            `yaml:"source,omitempty"`
	Warning      warningDoc                        `yaml:"warning,omitempty"`
	Escalation   escalationDoc                     `yaml:"escalation,omitempty"`
	Roles        map[events.Role]events.Role       `yaml:"roles,omitempty"` // a role of the extended protocol → the one that has its place
	Names        map[events.Role]map[string]string `yaml:"names,omitempty"` // what a role is called there
	Off          map[string]string                 `yaml:"off,omitempty"`   // a rule of the extended protocol → why it is not in force
	Rules        []yaml.Node                       `yaml:"rules,omitempty"`
}

type texts map[string]string

type warningDoc struct {
	Long  string `yaml:"long,omitempty"`
	From  string `yaml:"from,omitempty"`
	Short string `yaml:"short,omitempty"`
}

type escalationDoc struct {
	To       []events.Role `yaml:"to,omitempty"`
	After    []int         `yaml:"after,omitempty"`
	Critical []int         `yaml:"critical,omitempty"`
}

type ruleDoc struct {
	ID         string        `yaml:"id,omitempty"`
	Title      texts         `yaml:"title,omitempty"`
	Severity   Severity      `yaml:"severity,omitempty"`
	Duty       dutyDoc       `yaml:"duty,omitempty"`
	Toward     events.Role   `yaml:"toward,omitempty"`
	Activation activationDoc `yaml:"activation,omitempty"`
	Due        dueDoc        `yaml:"due,omitempty"`
	Series     []stepDoc     `yaml:"series,omitempty"`
	Until      untilDoc      `yaml:"until,omitempty"`
	Fulfilment fulfilmentDoc `yaml:"fulfilment,omitempty"`
	Source     string        `yaml:"source,omitempty"`
}

// dutyDoc is a role, or {party: …}.
type dutyDoc struct {
	Role  events.Role `yaml:"role,omitempty"`
	Party string      `yaml:"party,omitempty"`
}

func (d *dutyDoc) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&d.Role)
	}
	type plain dutyDoc
	return n.Decode((*plain)(d))
}

// words is one text or a list of them.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = words{n.Value}
		return nil
	}
	return n.Decode((*[]string)(w))
}

type activationDoc struct {
	ReleaseDate string `yaml:"release-date,omitempty"`
	Event       words  `yaml:"event,omitempty"`
	When        string `yaml:"when,omitempty"`
	About       words  `yaml:"about,omitempty"`
	Match       words  `yaml:"match,omitempty"`
	Each        string `yaml:"each,omitempty"`
	Counts      counts `yaml:"counts,omitempty"`
}

type dueDoc struct {
	BeforeRelease string   `yaml:"before-release,omitempty"`
	After         string   `yaml:"after,omitempty"`
	From          string   `yaml:"from,omitempty"`
	If            []altDoc `yaml:"if,omitempty"`
}

type altDoc struct {
	When string `yaml:"when,omitempty"`
	Then string `yaml:"then,omitempty"`
}

type stepDoc struct {
	About string `yaml:"about,omitempty"`
	After string `yaml:"after,omitempty"`
	Nth   int    `yaml:"nth,omitempty"`
}

type untilDoc struct {
	Event   string `yaml:"event,omitempty"`
	ForGood bool   `yaml:"for-good,omitempty"`
}

type fulfilmentDoc struct {
	Event      words       `yaml:"event,omitempty"`
	When       string      `yaml:"when,omitempty"`
	Match      words       `yaml:"match,omitempty"`
	Any        []actDoc    `yaml:"any,omitempty"`
	Nth        int         `yaml:"nth,omitempty"`
	Together   []string    `yaml:"together,omitempty"`
	NotBefore  notBefore   `yaml:"not-before,omitempty"`
	Ends       string      `yaml:"ends,omitempty"`
	PrecededBy precededDoc `yaml:"preceded-by,omitempty"`
}

type actDoc struct {
	Event words  `yaml:"event,omitempty"`
	When  string `yaml:"when,omitempty"`
	Match words  `yaml:"match,omitempty"`
}

type precededDoc struct {
	Event string `yaml:"event,omitempty"`
	Same  words  `yaml:"same,omitempty"`
}

// parseDocument reads a protocol's text, YAML or JSON.
func parseDocument(file string, text []byte) (*document, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, &RuleError{File: file, Line: lineOf(err), Problem: "not readable: " + plainYAML(err)}
	}
	if len(root.Content) == 0 {
		return nil, &RuleError{File: file, Line: 1, Problem: "the protocol is empty"}
	}
	d := new(document)
	if err := strictly(file, "", root.Content[0], d); err != nil {
		return nil, err
	}
	return d, nil
}

// strictly decodes a node and refuses fields that the target has not.
func strictly(file, rule string, n *yaml.Node, target any) error {
	if bad, name := unknownField(n, reflect.TypeOf(target).Elem()); bad != nil {
		return &RuleError{File: file, Line: bad.Line, Rule: rule, Problem: "unknown field " + name}
	}
	if err := n.Decode(target); err != nil {
		return &RuleError{File: file, Line: max(lineOf(err), n.Line), Rule: rule, Problem: plainYAML(err)}
	}
	return nil
}

func unknownField(n *yaml.Node, t reflect.Type) (*yaml.Node, string) {
	switch {
	case t == reflect.TypeFor[yaml.Node]() || n.Kind == yaml.ScalarNode:
		return nil, ""
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for _, c := range n.Content {
			if bad, name := unknownField(c, t.Elem()); bad != nil {
				return bad, name
			}
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			known := false
			for f := range t.NumField() {
				if tag, _, _ := strings.Cut(t.Field(f).Tag.Get("yaml"), ","); tag == n.Content[i].Value {
					known = true
					if bad, name := unknownField(n.Content[i+1], t.Field(f).Type); bad != nil {
						return bad, name
					}
				}
			}
			if !known {
				return n.Content[i], n.Content[i].Value
			}
		}
	}
	return nil, ""
}

func lineOf(err error) int {
	var line int
	text := err.Error()
	if i := strings.Index(text, "line "); i >= 0 {
		fmt.Sscanf(text[i:], "line %d", &line)
	}
	return line
}

func plainYAML(err error) string {
	var t *yaml.TypeError
	if errors.As(err, &t) && len(t.Errors) > 0 {
		return t.Errors[0]
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// load makes a document's rules ready. base is the protocol that it extends, nil if none.
func load(file string, d *document, base *RuleSet) (*RuleSet, error) {
	s := &RuleSet{Protocol: d.Protocol, Version: d.Version, Source: d.Source, RoleNames: d.Names}
	fail := func(line int, problem string) error { return &RuleError{File: file, Line: line, Problem: problem} }
	if d.Protocol == "" || d.Version == "" || d.Source == "" {
		return nil, fail(1, "a protocol needs its name (protocol), its version and its source")
	}
	if (d.Extends != "") != (base != nil) || base != nil && base.Protocol != d.Extends {
		return nil, fail(1, "extends "+d.Extends+", which is not known")
	}
	loader := ruleLoader{file: file, roles: map[events.Role]events.Role{}, source: d.Source, jurisdiction: d.Jurisdiction, guards: map[guardKey]*guard{}}
	if base != nil {
		loader.docs, loader.guards = slices.Clone(base.loader.docs), maps.Clone(base.loader.guards)
		loader.warningDoc, loader.escalationDoc = base.loader.warningDoc, base.loader.escalationDoc
		loader.warning, loader.critical, loader.ordinary = base.loader.warning, base.loader.critical, base.loader.ordinary
		for i := range loader.docs {
			loader.docs[i].inherited = true
		}
	}
	if err := loader.defaults(d, base == nil); err != nil {
		return nil, err
	}
	for from, to := range d.Roles {
		if !slices.Contains(events.Roles(), from) || !slices.Contains(events.Roles(), to) {
			return nil, fail(1, fmt.Sprintf("roles: %s: %s: there is no such role", from, to))
		}
		loader.roles[from] = to
	}
	for id := range d.Off {
		i := slices.IndexFunc(loader.docs, func(r sourced) bool { return r.doc.ID == id })
		if i < 0 {
			return nil, fail(1, "off: there is no rule "+id)
		}
		loader.docs = slices.Delete(loader.docs, i, i+1)
	}
	for i := range d.Rules {
		if err := loader.read(&d.Rules[i]); err != nil {
			return nil, err
		}
	}
	for i := range loader.docs {
		if loader.docs[i].inherited {
			loader.adapt(&loader.docs[i])
		}
		rules, err := loader.build(loader.docs[i])
		if err != nil {
			return nil, err
		}
		s.rules = append(s.rules, rules...)
	}
	for i, r := range s.rules {
		r.order = i
	}
	s.loader = loader
	return s, s.finish()
}

// ruleLoader turns the rules as written into rules that can be evaluated.
type ruleLoader struct {
	file, source       string
	jurisdiction       string
	docs               []sourced
	roles              map[events.Role]events.Role
	warningDoc         warningDoc
	escalationDoc      escalationDoc
	warning            warning
	ordinary, critical escalation
	guards             map[guardKey]*guard
}

// guardKey is a guard's text and the type of event it is compiled for.
type guardKey struct{ source, event string }

// sourced is a rule as written, with its place.
type sourced struct {
	doc  ruleDoc
	file string
	line int
	// inherited is true for a rule of the extended protocol: only there an overlay's roles have their effect.
	inherited bool
	source    string // of the protocol that has the rule
}

func (l *ruleLoader) defaults(d *document, required bool) error {
	for _, o := range []struct {
		text string
		to   *offset
	}{{d.Warning.Long, &l.warning.long}, {d.Warning.From, &l.warning.from}, {d.Warning.Short, &l.warning.short}} {
		if o.text == "" && !required {
			continue
		}
		var err error
		if *o.to, err = parseOffset(o.text); err != nil {
			return &RuleError{File: l.file, Line: 1, Problem: "warning: " + err.Error()}
		}
	}
	if l.warning.from.unit != days {
		return &RuleError{File: l.file, Line: 1, Problem: "warning: from is a number of days"}
	}
	if d.Warning != (warningDoc{}) {
		l.warningDoc = d.Warning
	}
	if d.Escalation.To == nil && !required {
		return nil
	}
	l.escalationDoc = d.Escalation
	if len(d.Escalation.To) != 3 || len(d.Escalation.After) != 3 || len(d.Escalation.Critical) != 3 {
		return &RuleError{File: l.file, Line: 1, Problem: "escalation: expected three roles (to) and for each the working days (after, critical)"}
	}
	l.ordinary = escalation{[3]events.Role(d.Escalation.To), [3]int(d.Escalation.After)}
	l.critical = escalation{[3]events.Role(d.Escalation.To), [3]int(d.Escalation.Critical)}
	return nil
}

func (l *ruleLoader) read(n *yaml.Node) error {
	id := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "id" {
			id = n.Content[i+1].Value
		}
	}
	r := sourced{file: l.file, line: n.Line, source: l.source}
	if err := strictly(l.file, id, n, &r.doc); err != nil {
		return err
	}
	if id == "" || strings.ContainsAny(id, "/ ") {
		return &RuleError{File: l.file, Line: n.Line, Rule: id, Problem: "a rule needs an id without spaces or slashes"}
	}
	for i := range l.docs {
		if l.docs[i].doc.ID == id {
			if !l.docs[i].inherited {
				return &RuleError{File: l.file, Line: n.Line, Rule: id, Problem: "the id is used twice"}
			}
			l.adapt(&l.docs[i])
			r.doc.fillFrom(l.docs[i].doc, n)
			l.docs[i] = r
			return nil
		}
	}
	l.docs = append(l.docs, r)
	return nil
}

// fillFrom takes from the inherited rule each field that the overlay's rule, n, does not name: a jurisdiction that
// changes a period writes nothing but the rule's id and its due. A field that is named replaces the inherited one
// whole. The source is not inherited: it is that of who changed the rule.
func (d *ruleDoc) fillFrom(inherited ruleDoc, n *yaml.Node) {
	mine, theirs := reflect.ValueOf(d).Elem(), reflect.ValueOf(inherited)
	for i := range mine.NumField() {
		key, _, _ := strings.Cut(mine.Type().Field(i).Tag.Get("yaml"), ",")
		if key != "source" && !names(n, key) {
			mine.Field(i).Set(theirs.Field(i))
		}
	}
}

// names reports whether a mapping has the key.
func names(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

// adapt gives an inherited rule the overlay's roles and source.
func (l *ruleLoader) adapt(s *sourced) {
	if to, ok := l.roles[s.doc.Duty.Role]; ok {
		s.doc.Duty.Role = to
	}
	if to, ok := l.roles[s.doc.Toward]; ok {
		s.doc.Toward = to
	}
	s.source = l.source
}

// build makes one rule, or one for each step of a series.
func (l *ruleLoader) build(s sourced) ([]*rule, error) {
	d := &s.doc
	c := ruleCompiler{s: s, guards: l.guards}
	r := rule{Rule: Rule{ID: d.ID, Titles: d.Title, Severity: d.Severity, Source: d.Source}, until: d.Until.Event,
		forGood: d.Until.ForGood, nth: max(d.Fulfilment.Nth, 1), notBefore: d.Fulfilment.NotBefore, warning: l.warning, escalation: l.ordinary}
	if r.Source == "" {
		r.Source = s.source
	}
	if r.Severity == Critical {
		r.escalation = l.critical
	}
	c.check(d.Title["en"] != "", "title: an English title is needed")
	c.check(slices.Contains([]Severity{Medium, High, Critical}, d.Severity), "severity: expected medium, high or critical")
	r.Toward = d.Toward
	c.check(d.Toward == "" || slices.Contains(events.Roles(), d.Toward), "toward: there is no such role")
	c.activation(&r, d.Activation)
	c.duty(&r, d.Duty, d.Activation)
	c.fulfilment(&r, &d.Fulfilment)
	if d.Until.Event != "" {
		c.event(d.Until.Event)
	}
	steps := d.Series
	if len(steps) == 0 {
		steps = []stepDoc{{}}
		c.due(&r, &d.Due, d.Activation)
	}
	var rules []*rule
	for _, step := range steps {
		one := r
		if len(d.Series) > 0 {
			one.step, one.nth = step.About, step.Nth
			c.check(step.About != "" && step.Nth > 0, "series: each step needs about, after and nth")
			c.due(&one, &dueDoc{After: step.After}, d.Activation)
		}
		if c.problem == "" { // else some part may be missing
			c.describe(&one, d)
		}
		rules = append(rules, &one)
	}
	if c.problem != "" {
		return nil, &RuleError{File: s.file, Line: s.line, Rule: d.ID, Problem: c.problem}
	}
	return rules, nil
}
