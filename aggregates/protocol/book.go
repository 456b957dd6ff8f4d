package protocol

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

//go:embed rules/*.yaml
var shippedFiles embed.FS

// RuleSet is one version of a protocol. It is immutable and safe for concurrent use.
type RuleSet struct {
	// Protocol is its name, Version names this version, Source says where it comes from.
	Protocol, Version, Source string
	// RoleNames is what a role is called there, by language, where it has a name of its own.
	RoleNames map[events.Role]map[string]string
	// Digest is "sha256:" and the hash of JSON.
	Digest string
	// JSON is the whole rule set, as ProtocolPublished carries it: it stands on its own, whatever it extended.
	JSON jsontext.Value

	rules      []*rule // in the order of the table
	onRelease  []*rule // activated when the release date is known
	activated  map[string][]activating
	fulfilled  map[string][]fulfilling
	precedents map[string][]*rule
	untils     map[string]bool // types of event that end something
	loader     ruleLoader
}

// activating is a rule with the trigger that an event of the type may pull.
type activating struct {
	*rule
	trigger *trigger
}

// fulfilling is a rule with the trigger for its fulfilment.
type fulfilling struct {
	*rule
	trigger *trigger
}

// ParseRules reads a protocol, YAML or JSON; file names it in errors. It may extend sop-default. The error is a
// *RuleError naming file, line and rule.
func ParseRules(file string, text []byte) (*RuleSet, error) {
	d, err := parseDocument(file, text)
	if err != nil {
		return nil, err
	}
	var base *RuleSet
	if d.Extends != "" {
		if base = shipped()[""]; base.Protocol != d.Extends {
			return nil, &RuleError{File: file, Line: 1, Problem: "extends " + d.Extends + ": only " + base.Protocol + " can be extended"}
		}
	}
	return load(file, d, base)
}

// Rules are the rules in the order of the table; a rule with a series of due dates is one rule for each of them.
func (s *RuleSet) Rules() []Rule {
	out := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		out[i] = r.Rule
	}
	return out
}

// finish indexes the rules by event and writes the rule set down.
func (s *RuleSet) finish() error {
	s.activated, s.fulfilled, s.precedents = map[string][]activating{}, map[string][]fulfilling{}, map[string][]*rule{}
	s.untils = map[string]bool{}
	for _, r := range s.rules {
		if r.activation.releaseDate {
			s.onRelease = append(s.onRelease, r)
		}
		for i := range r.activation.triggers {
			t := &r.activation.triggers[i]
			s.activated[t.event] = append(s.activated[t.event], activating{r, t})
		}
		for i := range r.acts {
			t := &r.acts[i]
			s.fulfilled[t.event] = append(s.fulfilled[t.event], fulfilling{r, t})
		}
		if r.until != "" {
			s.untils[r.until] = true
		}
		if r.precededBy != "" {
			s.precedents[r.precededBy] = append(s.precedents[r.precededBy], r)
		}
	}
	whole := struct {
		Protocol   string                            `yaml:"protocol"`
		Version    string                            `yaml:"version"`
		Source     string                            `yaml:"source"`
		Names      map[events.Role]map[string]string `yaml:"names,omitempty"`
		Warning    warningDoc                        `yaml:"warning"`
		Escalation escalationDoc                     `yaml:"escalation"`
		Rules      []ruleDoc                         `yaml:"rules"`
	}{s.Protocol, s.Version, s.Source, s.RoleNames, s.loader.warningDoc, s.loader.escalationDoc, nil}
	for _, d := range s.loader.docs {
		doc := d.doc
		doc.Source = cmp.Or(doc.Source, d.source)
		whole.Rules = append(whole.Rules, doc)
	}
	text, err := yaml.Marshal(whole)
	if err != nil {
		return fmt.Errorf("write down protocol %s: %w", s.Protocol, err)
	}
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return fmt.Errorf("write down protocol %s: %w", s.Protocol, err)
	}
	if s.JSON, err = json.Marshal(plain, json.Deterministic(true)); err != nil {
		return fmt.Errorf("write down protocol %s: %w", s.Protocol, err)
	}
	s.Digest, err = digest(s.JSON)
	return err
}

// digest is the hash of a JSON value's canonical form (RFC 8785).
func digest(v jsontext.Value) (string, error) {
	c := v.Clone()
	if err := c.Canonicalize(); err != nil {
		return "", fmt.Errorf("digest of a protocol: %w", err)
	}
	sum := sha256.Sum256(c)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// shipped are the rule sets in the binary: sop-default under "", the overlays under their jurisdiction. They are
// part of the program, and a test loads them; a program that can't read its own rules can't go on.
var shipped = sync.OnceValue(func() map[events.Jurisdiction]*RuleSet {
	sets, err := loadShipped()
	if err != nil {
		panic(fmt.Sprintf("protocol: the shipped rules: %v", err))
	}
	return sets
})

func loadShipped() (map[events.Jurisdiction]*RuleSet, error) {
	sets := map[events.Jurisdiction]*RuleSet{}
	read := func(name string, base *RuleSet) (*RuleSet, error) {
		text, err := shippedFiles.ReadFile(path.Join("rules", name))
		if err != nil {
			return nil, err
		}
		d, err := parseDocument(name, text)
		if err != nil {
			return nil, err
		}
		return load(name, d, base)
	}
	base, err := read("sop-default.yaml", nil)
	if err != nil {
		return nil, err
	}
	sets[""] = base
	for _, j := range events.Jurisdictions() {
		if sets[j], err = read(strings.ToLower(string(j))+".yaml", base); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// Book says which rules and which calendar apply where and when. It is immutable and safe for concurrent use.
//
// A case is judged by the version in force when each obligation was activated: of the versions that had been
// published when the activating event was recorded, and whose first day is not after the day on which it
// occurred, the one with the latest first day, and of several the one published last. So a version published
// later never changes what an earlier instant shows.
type Book struct {
	lands map[events.Jurisdiction]*land
}

// land is one jurisdiction's part of the book.
type land struct {
	editions []Edition // the shipped one first, then in order of publication
	decrees  []decree
	// subdivisions of institutions that the directory names one for (BA only).
	subdivisions map[events.Institution][]placed // in order of recording
	calendars    map[string]*calendar.Calendar   // by subdivision, "" for none
}

// Edition is a rule set with its time in force.
type Edition struct {
	*RuleSet
	// From is its first day; the zero Date for the shipped one, in force as long as no other is.
	From events.Date
	// PublishedAt is when it was recorded; zero for the shipped one.
	PublishedAt time.Time
	position    events.Position
}

type decree struct {
	calendar.Decree
	recordedAt time.Time
	position   events.Position
}

type placed struct {
	subdivision string
	recordedAt  time.Time
	position    events.Position
}

// NewBook holds the rules and calendars shipped with traga for the six jurisdictions.
func NewBook() *Book {
	b := &Book{lands: map[events.Jurisdiction]*land{}}
	for _, j := range events.Jurisdictions() {
		l := &land{editions: []Edition{{RuleSet: shipped()[j]}}}
		l.countDays(j)
		b.lands[j] = l
	}
	return b
}

// countDays makes the calendars anew from the decrees.
func (l *land) countDays(j events.Jurisdiction) {
	l.calendars = map[string]*calendar.Calendar{}
	for _, sub := range append([]string{""}, calendar.Subdivisions(string(j))...) {
		c, err := calendar.For(string(j), sub)
		if err != nil {
			continue // every jurisdiction and subdivision listed has one
		}
		if len(l.decrees) > 0 {
			all := make([]calendar.Decree, len(l.decrees))
			for i, d := range l.decrees {
				all[i] = d.Decree
			}
			c = c.WithDecrees(all...)
		}
		l.calendars[sub] = c
	}
}

// With is the book after a ProtocolPublished, a NonWorkingDayDecreed or (BA) an InstitutionRegistered whose place is a
// subdivision, such as BA-SRP. Other events change nothing. Whoever keeps Trackers folds the jurisdiction's cases
// again with the new book.
func (b *Book) With(e *events.Event) (*Book, error) {
	old := b.lands[e.Jurisdiction]
	if old == nil {
		return b, nil
	}
	l := &land{editions: slices.Clone(old.editions), decrees: slices.Clone(old.decrees), subdivisions: old.subdivisions, calendars: old.calendars}
	switch d := e.Data.(type) {
	case *events.ProtocolPublished:
		s, err := published(e.Jurisdiction, d)
		if err != nil {
			return nil, fmt.Errorf("protocol version %s of %s: %w", d.Version, e.Jurisdiction, err)
		}
		l.editions = append(l.editions, Edition{RuleSet: s, From: d.EffectiveFrom, PublishedAt: e.RecordedAt, position: e.Position})
	case *events.NonWorkingDayDecreed:
		l.decrees = append(l.decrees, decree{calendar.Decree{Date: d.Date, Names: d.Name, Act: d.Act}, e.RecordedAt, e.Position})
		l.countDays(e.Jurisdiction)
	case *events.InstitutionRegistered:
		if !slices.Contains(calendar.Subdivisions(string(e.Jurisdiction)), d.Place) {
			return b, nil
		}
		l.subdivisions = maps.Clone(old.subdivisions)
		if l.subdivisions == nil {
			l.subdivisions = map[events.Institution][]placed{}
		}
		l.subdivisions[d.Institution] = append(slices.Clip(l.subdivisions[d.Institution]), placed{d.Place, e.RecordedAt, e.Position})
	default:
		return b, nil
	}
	return b.replace(e.Jurisdiction, l), nil
}

func (b *Book) replace(j events.Jurisdiction, l *land) *Book {
	n := &Book{lands: maps.Clone(b.lands)}
	n.lands[j] = l
	return n
}

// ErrDigest says that a published protocol is not the one that its digest was made of.
var ErrDigest = errors.New("the digest does not fit the rules")

func published(j events.Jurisdiction, d *events.ProtocolPublished) (*RuleSet, error) {
	if d.Digest != "" {
		if sum, err := digest(d.Rules); err != nil || sum != d.Digest {
			return nil, ErrDigest
		}
	}
	s, err := ParseRules("protocol "+d.Version, d.Rules)
	if err != nil {
		return nil, err
	}
	if on := s.loader.jurisdiction; on != "" && on != string(j) {
		return nil, &RuleError{File: "protocol " + d.Version, Line: 1, Problem: "it is for " + on}
	}
	s.Version = d.Version
	return s, nil
}

// AsKnown is the book as it was known then: without what was published or decreed later. Rebuilding a case as
// known at an instant needs it, because a decree moves due dates.
func (b *Book) AsKnown(at events.AsOf) *Book {
	if at.IsNow() {
		return b
	}
	n := b
	for j, l := range b.lands {
		known := &land{subdivisions: l.subdivisions, calendars: l.calendars}
		for _, e := range l.editions {
			if e.PublishedAt.IsZero() || at.Includes(e.PublishedAt, e.position) {
				known.editions = append(known.editions, e)
			}
		}
		for _, d := range l.decrees {
			if at.Includes(d.recordedAt, d.position) {
				known.decrees = append(known.decrees, d)
			}
		}
		if len(known.editions) == len(l.editions) && len(known.decrees) == len(l.decrees) && len(l.subdivisions) == 0 {
			continue
		}
		if len(l.subdivisions) > 0 {
			known.subdivisions = map[events.Institution][]placed{}
			for institution, list := range l.subdivisions {
				later := func(p placed) bool { return !at.Includes(p.recordedAt, p.position) }
				known.subdivisions[institution] = slices.DeleteFunc(slices.Clone(list), later)
			}
		}
		if len(known.decrees) < len(l.decrees) {
			known.countDays(j)
		}
		n = n.replace(j, known)
	}
	return n
}

// Zone is the jurisdiction's time zone, nil for one that is not of the six.
func (b *Book) Zone(j events.Jurisdiction) *time.Location {
	if c := b.Calendar(j, ""); c != nil {
		return c.Zone()
	}
	return nil
}

// Calendar is the jurisdiction's calendar with its decrees; subdivision is empty but for BA. It is nil for names
// that do not exist.
func (b *Book) Calendar(j events.Jurisdiction, subdivision string) *calendar.Calendar {
	if l := b.lands[j]; l != nil {
		return l.calendars[subdivision]
	}
	return nil
}

// Editions are the versions of a jurisdiction's protocol: the shipped one first, then in order of publication.
// The slice must not be changed.
func (b *Book) Editions(j events.Jurisdiction) []Edition {
	if l := b.lands[j]; l != nil {
		return l.editions
	}
	return nil
}

// InForce is the version that is in force in a jurisdiction on a date, of all that are published; nil for a
// jurisdiction that is not of the six.
func (b *Book) InForce(j events.Jurisdiction, on events.Date) *RuleSet {
	l := b.lands[j]
	if l == nil {
		return nil
	}
	return l.inForce(on, time.Time{})
}

// Rules are the rules in force in a jurisdiction on a date, in the order of the table.
func (b *Book) Rules(j events.Jurisdiction, on events.Date) []Rule {
	if s := b.InForce(j, on); s != nil {
		return s.Rules()
	}
	return nil
}

// inForce is the version by which what occurred on a date and was recorded then is judged; a zero recordedAt
// counts every published version.
func (l *land) inForce(on events.Date, recordedAt time.Time) *RuleSet {
	best := 0
	for i := 1; i < len(l.editions); i++ {
		e := &l.editions[i]
		if (recordedAt.IsZero() || !e.PublishedAt.After(recordedAt)) && e.From <= on && e.From >= l.editions[best].From {
			best = i
		}
	}
	return l.editions[best].RuleSet
}

// calendarOf is the calendar of a case opened by that institution.
func (l *land) calendarOf(j events.Jurisdiction, institution events.Institution) *calendar.Calendar {
	sub := ""
	if subs := calendar.Subdivisions(string(j)); len(subs) > 0 {
		if list := l.subdivisions[institution]; len(list) > 0 {
			sub = list[len(list)-1].subdivision
		} else if parts := strings.SplitN(string(institution), "-", 3); len(parts) == 3 {
			if s := strings.ToUpper(parts[0] + "-" + parts[1]); slices.Contains(subs, s) {
				sub = s
			}
		}
	}
	return l.calendars[sub]
}
