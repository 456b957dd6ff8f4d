package access

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"traga.internal/events"
)

//go:embed policies/*.cedar
var shippedFiles embed.FS

// Policies decide who may see what: the shipped ones, and those that a jurisdiction put in their place. They never change
// and are safe for concurrent use.
type Policies struct {
	of   map[events.Jurisdiction]*policySet
	rest *policySet // of a case whose jurisdiction has none of its own

	mu    sync.Mutex
	known map[question]answer // what was asked before: the same question has the same answer
}

// policySet is the policies of one jurisdiction, by id.
type policySet struct {
	policies cedar.PolicyMap
	sources  map[cedar.PolicyID]source
}

// source is where a policy stands, and how it is written there with the comments before it.
type source struct {
	file string
	at   int
	text string
}

// PolicyError says which policy file can't be used, and why.
type PolicyError struct {
	File string
	Err  error
}

func (e *PolicyError) Error() string { return "policy file " + e.File + ": " + e.Err.Error() }
func (e *PolicyError) Unwrap() error { return e.Err }

var shipped = sync.OnceValues(func() (*policySet, error) {
	files, err := fs.Sub(shippedFiles, "policies")
	if err != nil {
		return nil, err
	}
	return new(policySet).with(files, ".")
})

// Shipped are the policies as they come with traga.
func Shipped() *Policies {
	p, err := over(nil)
	if err != nil { // a test reads every shipped file; if it were so, nothing would be allowed
		return &Policies{rest: &policySet{}, known: map[question]answer{}}
	}
	return p
}

// Load reads the policies of a directory over the shipped ones. What stands in the directory itself is for every
// jurisdiction, what stands in its folder MK for the cases of MK, and so on: a policy with the id of an earlier one takes its
// place, any other is added. dir may be empty: then they are the shipped ones. The error is a *PolicyError that names the
// file, or that of the file system.
func Load(dir string) (*Policies, error) {
	if dir == "" {
		return over(nil)
	}
	return over(os.DirFS(dir))
}

func over(dir fs.FS) (*Policies, error) {
	rest, err := shipped()
	if err != nil {
		return nil, err
	}
	p := &Policies{of: map[events.Jurisdiction]*policySet{}, rest: rest, known: map[question]answer{}}
	if dir == nil {
		return p, nil
	}
	if p.rest, err = rest.with(dir, "."); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		j := events.Jurisdiction(e.Name())
		if !slices.Contains(events.Jurisdictions(), j) {
			return nil, &PolicyError{File: e.Name(), Err: errors.New("expected a folder named AL, BA, ME, MK, RS or XK")}
		}
		if p.of[j], err = p.rest.with(dir, e.Name()); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// with is the set with the files of a folder over it.
func (s *policySet) with(dir fs.FS, folder string) (*policySet, error) {
	next := &policySet{policies: cedar.PolicyMap{}, sources: map[cedar.PolicyID]source{}}
	for id, p := range s.policies {
		next.policies[id], next.sources[id] = p, s.sources[id]
	}
	entries, err := fs.ReadDir(dir, folder)
	if err != nil {
		return nil, err
	}
	here := map[cedar.PolicyID]string{}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if e.IsDir() && folder == "." {
			continue
		}
		if e.IsDir() || path.Ext(name) != ".cedar" {
			return nil, &PolicyError{File: name, Err: errors.New("expected a file whose name ends in .cedar")}
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		list, err := cedar.NewPolicyListFromBytes(name, text)
		if err != nil {
			return nil, &PolicyError{File: name, Err: err}
		}
		from := 0
		for _, p := range list {
			id, err := check(p)
			if err == nil && here[id] != "" {
				err = fmt.Errorf("the id %s stands in %s already", id, here[id])
			}
			if err != nil {
				return nil, &PolicyError{File: fmt.Sprintf("%s, line %d", name, p.Position().Line), Err: err}
			}
			here[id] = name
			until := end(text, p.Position().Offset)
			next.policies[id], next.sources[id] = p, source{name, from, strings.TrimSpace(string(text[from:until]))}
			from = until
		}
	}
	return next, nil
}

// end is where the policy that begins at the offset ends: after its semicolon.
func end(text []byte, from int) int {
	quoted, comment := false, false
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case comment:
			comment = c != '\n'
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			comment = true
		case c == ';':
			return i + 1
		}
	}
	return len(text)
}

// check finds a policy's id, and refuses one whose scope names what there is not: a misspelt role would be a hole or a
// wall that nobody sees.
func check(p *cedar.Policy) (cedar.PolicyID, error) {
	id := p.Annotations()["id"]
	if id == "" {
		return "", errors.New(`expected an id above each policy: @id("csw.health")`)
	}
	var named []cedar.EntityUID
	a := p.AST()
	for _, scope := range []any{a.Principal, a.Action, a.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			named = append(named, s.Entity)
		case ast.ScopeTypeIn:
			named = append(named, s.Entity)
		case ast.ScopeTypeInSet:
			named = append(named, s.Entities...)
		case ast.ScopeTypeIsIn:
			named = append(named, s.Entity)
		}
	}
	for _, e := range named {
		known, ok := vocabulary()[e.Type]
		if ok && known != nil && !slices.Contains(known, string(e.ID)) {
			return "", fmt.Errorf("policy %s names %s; expected one of %s", id, e, strings.Join(known, ", "))
		}
		if !ok {
			return "", fmt.Errorf("policy %s names %s; the types are Officer, Role, Action, Category, Case, EventType and Entry", id, e)
		}
	}
	return cedar.PolicyID(id), nil
}

// vocabulary are the names that a scope may hold, by type; nil where any will do.
var vocabulary = sync.OnceValue(func() map[cedar.EntityType][]string {
	v := map[cedar.EntityType][]string{"Officer": nil, "Case": nil, "Entry": {entryOwn, entryConfidential},
		"Action": {actOpen, actKnow, actSee, actSeeInFull, actSeeSummary, actSeeEnvelope, actReadLog}}
	for _, r := range events.Roles() {
		v["Role"] = append(v["Role"], string(r))
	}
	for _, c := range events.Categories() {
		v["Category"] = append(v["Category"], string(c))
	}
	for _, k := range events.Standard().Kinds() {
		v["EventType"] = append(v["EventType"], k.Type)
	}
	return v
})

// setOf are the policies for a case of that jurisdiction.
func (p *Policies) setOf(j events.Jurisdiction) *policySet {
	if s := p.of[j]; s != nil {
		return s
	}
	return p.rest
}

// Text is the policies that are in force for a jurisdiction's cases, or where it is empty for those without any of their
// own, as they are written in their files, for people to read and to change.
func (p *Policies) Text(j events.Jurisdiction) string {
	sources := slices.Collect(maps.Values(p.setOf(j).sources))
	slices.SortFunc(sources, func(a, b source) int { return cmp.Or(strings.Compare(a.file, b.file), a.at-b.at) })
	var b strings.Builder
	file := ""
	for _, s := range sources {
		if s.file != file {
			file = s.file
			fmt.Fprintf(&b, "// File %s\n\n", file)
		}
		b.WriteString(s.text + "\n\n")
	}
	return b.String()
}
