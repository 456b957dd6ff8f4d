package protocol

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"traga.internal/events"
)

// guard is a condition in CEL over an event's data (event), its actor, the rule's counterpart (toward) and the
// state of the case. It is compiled once, when the rule is loaded, against the Go type of the event, so that a
// misspelt field is found then.
type guard struct {
	source   string
	program  cel.Program
	stateful bool // it reads the state of the case, so that it can't be judged from the event alone
}

// actor is the actor as guards see it.
type actor struct {
	Role        string `cel:"role"`
	Institution string `cel:"institution"`
}

// caseState is the state of a case that guards may read.
type caseState struct {
	RiskLevel      string `cel:"riskLevel"`      // empty while there is none
	SentenceMonths int    `cel:"sentenceMonths"` // rounded up; 0 while no sentence is recorded
}

// compileGuard compiles a condition for one type of event; eventType is empty for a guard that has no event.
func compileGuard(source, eventType string) (*guard, error) {
	options := []cel.EnvOption{
		cel.Variable("toward", cel.StringType),
		cel.Variable("actor", cel.ObjectType("protocol.actor")),
		cel.Variable("state", cel.ObjectType("protocol.caseState")),
	}
	natives := []any{reflect.TypeFor[actor](), reflect.TypeFor[caseState]()}
	options = append(options, ext.NativeTypes(append(natives, types.ParseStructTags(true))...))
	if eventType != "" {
		kind, ok := events.KindOf(eventType)
		if !ok {
			return nil, fmt.Errorf("there is no event %s", eventType)
		}
		t := kind.DataType()
		options = append(options, ext.NativeTypes(t, types.ParseStructTag("json")), cel.Variable("event", cel.ObjectType(t.String())))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, fmt.Errorf("guard, column %d: %s", first.Location.Column()+1, first.Message)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("a guard is true or false, this one is %s", ast.OutputType())
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return &guard{source: source, program: program, stateful: strings.Contains(source, "state.")}, nil
}

// binding is what a guard is judged against.
type binding struct {
	event  any
	actor  actor
	toward string
	state  caseState
}

func (b *binding) ResolveName(name string) (any, bool) {
	switch name {
	case "event":
		return b.event, b.event != nil
	case "actor":
		return b.actor, true
	case "toward":
		return b.toward, true
	case "state":
		return b.state, true
	}
	return nil, false
}

func (b *binding) Parent() cel.Activation { return nil }

// asksFor reports whether the guard reads a field of the event that is withheld, so that nobody can tell whether it holds.
func (g *guard) asksFor(withheld []events.Withheld) bool {
	if g == nil {
		return false
	}
	for _, w := range withheld {
		field, _, _ := strings.Cut(strings.TrimPrefix(w.Pointer, "/"), "/")
		for _, rest := range strings.Split(g.source, "event."+field)[1:] {
			if rest == "" || !isWord(rest[0]) {
				return true
			}
		}
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// holds judges the guard; one that is absent always holds, and one that can't be judged does not.
func (g *guard) holds(b *binding) bool {
	if g == nil {
		return true
	}
	v, _, err := g.program.Eval(b)
	return err == nil && v == types.True
}

// textPath leads to a text or number in an event, such as event.recipient.institution, read as text.
type textPath struct {
	optional bool                      // an empty value matches any
	actor    func(events.Actor) string // where it is read off the actor; else nil
	index    [][]int                   // where event data hold it, by the field indexes
}

func (p textPath) read(e *events.Event, data any) string {
	if p.actor != nil {
		return p.actor(e.Actor)
	}
	v := reflect.ValueOf(data).Elem()
	for _, i := range p.index {
		v = v.FieldByIndex(i)
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	return strconv.FormatInt(v.Int(), 10)
}

// partyPath leads to the party that has a duty.
type partyPath func(e *events.Event, data any) events.Party

// datePath leads to a date that an event names.
type datePath func(data any) events.Date

func compileTextPath(source, eventType string) (textPath, error) {
	var p textPath
	source, p.optional = strings.CutSuffix(source, "?")
	switch source {
	case "actor.institution":
		p.actor = func(a events.Actor) string { return string(a.Institution) }
		return p, nil
	case "actor.role":
		p.actor = func(a events.Actor) string { return string(a.Role) }
		return p, nil
	}
	index, t, err := fieldPath(source, eventType)
	if err != nil {
		return p, err
	}
	if t.Kind() != reflect.String && t.Kind() != reflect.Int {
		return p, fmt.Errorf("%s is no text or number", source)
	}
	p.index = index
	return p, nil
}

func compileDatePath(source, eventType string) (datePath, error) {
	index, t, err := fieldPath(source, eventType)
	if err != nil {
		return nil, err
	}
	if t != reflect.TypeFor[events.Date]() {
		return nil, fmt.Errorf("%s is no date", source)
	}
	return func(data any) events.Date {
		v := reflect.ValueOf(data).Elem()
		for _, i := range index {
			v = v.FieldByIndex(i)
		}
		return events.Date(v.Int())
	}, nil
}

// compilePartyPath reads a duty's party: actor, or a party that the event names.
func compilePartyPath(source, eventType string) (partyPath, error) {
	if source == "actor" {
		return func(e *events.Event, _ any) events.Party { return e.Actor.Party() }, nil
	}
	index, t, err := fieldPath(source, eventType)
	if err != nil {
		return nil, err
	}
	if t != reflect.TypeFor[events.Party]() {
		return nil, fmt.Errorf("%s is no party", source)
	}
	return func(_ *events.Event, data any) events.Party {
		v := reflect.ValueOf(data).Elem()
		for _, i := range index {
			v = v.FieldByIndex(i)
		}
		return v.Interface().(events.Party)
	}, nil
}

// fieldPath finds a field of an event's data by its names in the catalogue.
func fieldPath(source, eventType string) ([][]int, reflect.Type, error) {
	kind, ok := events.KindOf(eventType)
	if !ok {
		return nil, nil, fmt.Errorf("there is no event %s", eventType)
	}
	names := strings.Split(source, ".")
	if names[0] != "event" || len(names) < 2 {
		return nil, nil, fmt.Errorf("%s: expected event.<field>, actor.institution or actor.role", source)
	}
	t := kind.DataType()
	var index [][]int
	for _, name := range names[1:] {
		found := false
		if t.Kind() == reflect.Struct {
			for i := range t.NumField() {
				if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
					index, t, found = append(index, t.Field(i).Index), t.Field(i).Type, true
					break
				}
			}
		}
		if !found {
			return nil, nil, fmt.Errorf("%s has no field %s", eventType, strings.TrimPrefix(source, "event."))
		}
	}
	return index, t, nil
}
