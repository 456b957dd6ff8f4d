package access

import (
	"reflect"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/events"
)

// Knows reports whether the viewer may know that the event was recorded. Where it may not, the case is shown as if it never
// had been: a mark in its place would tell what may not be told.
func (d *Decision) Knows(e *events.Event) bool {
	if !d.Open {
		return false
	}
	about := e.Type
	if d.facts.monitors[e.ID] {
		about = "MonitoringContactHeld"
	}
	return d.knowsType(e.Type) && (about == e.Type || d.knowsType(about))
}

func (d *Decision) knowsType(eventType string) bool {
	knows, ok := d.known[eventType]
	if !ok {
		knows = d.policies.ask(d.viewer.question(d.facts.Jurisdiction, d.Involved, actKnow, "EventType", eventType)).allowed
		d.known[eventType] = knows
	}
	return knows
}

// KnowsOfMonitoring reports whether the viewer may know of contacts with the monitor at all (HR24).
func (d *Decision) KnowsOfMonitoring() bool { return d.Open && d.knowsType("MonitoringContactHeld") }

// MonitoringPolicies are the ids of the policies by which it may or may not know of them.
func (d *Decision) MonitoringPolicies() []string {
	return slices.Clone(d.policies.ask(d.viewer.question(d.facts.Jurisdiction, d.Involved, actKnow, "EventType", "MonitoringContactHeld")).policies)
}

// Mask is the event as the viewer may see it: the fields that are hidden have their zero value and stand in Withheld. The
// event itself is not changed; where nothing is hidden it is returned as it is, and nil where the viewer may not know of it.
func (d *Decision) Mask(e *events.Event) *events.Event {
	if !d.Knows(e) {
		return nil
	}
	p := plans()[reflect.TypeOf(e.Data).Elem()]
	if p == nil || len(p.rules) == 0 {
		return e
	}
	m := mask{Decision: d, event: e, own: d.full && e.Actor.Institution == d.viewer.Actor.Institution && e.Actor.Role == d.viewer.Actor.Role}
	data := m.copyOf(e.Data, "")
	if !m.changed {
		return e
	}
	shown := *e
	shown.Data = data
	shown.Withheld = append(slices.Clone(e.Withheld), m.withheld...)
	return &shown
}

// mask is one event being masked.
type mask struct {
	*Decision
	event    *events.Event
	own      bool
	withheld []events.Withheld
	changed  bool
}

// copyOf is a masked copy of data that stands at the pointer.
func (m *mask) copyOf(data any, at jsontext.Pointer) any {
	t := reflect.TypeOf(data).Elem()
	v := reflect.New(t)
	v.Elem().Set(reflect.ValueOf(data).Elem())
	if p := plans()[t]; p != nil {
		m.fields(v.Elem(), p, at, data)
	}
	return v.Interface()
}

// fields masks the fields of a struct; data is the event's data that it is a part of.
func (m *mask) fields(v reflect.Value, p *plan, at jsontext.Pointer, data any) {
	for i := range p.rules {
		r := &p.rules[i]
		f, here := v.Field(r.index), at.AppendToken(r.name)
		switch {
		case r.rows != nil:
			rows := reflect.MakeSlice(f.Type(), f.Len(), f.Len())
			reflect.Copy(rows, f)
			for n := range rows.Len() {
				m.fields(rows.Index(n), r.rows, here.AppendToken(strconv.Itoa(n)), data)
			}
			f.Set(rows)
		case r.under == replacement:
			m.replacement(f, here, data)
		case r.under == references:
			m.references(f)
		case r.optional && f.IsZero():
		default:
			if hidden, ok := m.hides(v, r, f, data); ok {
				m.hide(f, here, hidden)
			}
		}
	}
}

// hides reports whether a field is hidden, and under which category.
func (m *mask) hides(v reflect.Value, r *rule, f reflect.Value, data any) (events.Category, bool) {
	if c, ok := data.(*events.ComplaintLodged); ok && m.secret && r.name == "grounds" && c.Confidential && c.About.Institution == m.viewer.Actor.Institution {
		return events.Identity, true
	}
	if m.own {
		return "", false
	}
	categories := []events.Category{r.category}
	switch r.under {
	case domain:
		categories[0] = v.FieldByName("Domain").Interface().(events.Category) //nolint:errcheck // a row with this rule has one
	case group:
		categories = groups
	case named:
		if all := categoriesOf(data); len(all) > 0 {
			categories = all
		}
	}
	for _, c := range categories {
		if level := m.Level(c); level != InFull && (level != Summarised || !slices.Contains(r.closed, f.String())) {
			return c, true
		}
	}
	return "", false
}

func (m *mask) hide(f reflect.Value, at jsontext.Pointer, c events.Category) {
	f.SetZero()
	m.changed = true
	for _, w := range m.event.Withheld { // what was erased is so for everyone
		if w.Pointer == string(at) {
			return
		}
	}
	m.withheld = append(m.withheld, events.Withheld{Pointer: string(at), Category: c, Reason: events.Hidden, Ask: m.Ask(m.event, c)})
}

// replacement masks the data of the entry that a correction puts in the place of another's.
func (m *mask) replacement(f reflect.Value, at jsontext.Pointer, data any) {
	correction, ok := data.(*events.EntryCorrected)
	if !ok {
		return
	}
	inner, _, err := events.ReadReplacement(m.facts.types[correction.Target], correction.Replacement)
	if err == nil {
		outside := m.changed
		m.changed = false
		shown := m.copyOf(inner, at)
		if !m.changed {
			m.changed = outside
			return
		}
		if text, err := json.Marshal(shown, json.Deterministic(true)); err == nil {
			f.Set(reflect.ValueOf(jsontext.Value(text)))
			return
		}
	}
	if m.own || !slices.ContainsFunc(m.levels[:], func(l Level) bool { return l != InFull }) {
		return
	}
	m.hide(f, at, events.Identity) // what can't be read is not shown
	f.Set(reflect.ValueOf(jsontext.Value("{}")))
}

// references leaves out of a list the events that the viewer may not know of.
func (m *mask) references(f reflect.Value) {
	ids, ok := f.Interface().([]uuid.UUID)
	if !ok || m.KnowsOfMonitoring() {
		return
	}
	about := func(id uuid.UUID) bool { return m.facts.monitors[id] }
	if slices.ContainsFunc(ids, about) {
		f.Set(reflect.ValueOf(slices.DeleteFunc(slices.Clone(ids), about)))
		m.changed = true
	}
}

// Ask is the role to ask for what is hidden under a category: that which recorded the entry, or where none is meant (e may
// be nil) that which keeps such information.
func (d *Decision) Ask(e *events.Event, c events.Category) events.Role {
	if e != nil && e.Actor.Role != events.System && e.Actor.Role != d.viewer.Actor.Role {
		return e.Actor.Role
	}
	return keeper(c)
}

// Hidden says that a key of an answer about a case is not shown to this reader, and whom to ask.
type Hidden struct {
	Field    string          `json:"field"`
	Reason   string          `json:"reason"` // hidden, or erased
	Category events.Category `json:"category"`
	Ask      events.Role     `json:"ask,omitempty"`     // of what is hidden
	Receipt  *uuid.UUID      `json:"receipt,omitempty"` // of what was erased: the id of the PersonalDataErased
}

// ErasedLevel says that the risk level was erased, by its receipt.
func ErasedLevel(receipt uuid.UUID) Hidden {
	return Hidden{Field: "riskLevel", Reason: events.Erased, Category: events.Risk, Receipt: &receipt}
}

// Hidden are those of the keys group and riskLevel of `case show` that the viewer may not see, whether there is something
// to see or not. A summary shows a level of risk, but not another text that was recorded as one. Of a nil Decision, which
// stands for seeing everything, there are none.
func (d *Decision) Hidden(riskLevel *string) []Hidden {
	var list []Hidden
	if d == nil {
		return nil
	}
	for _, key := range []struct {
		field string
		under []events.Category
	}{{"group", groups}, {"riskLevel", []events.Category{events.Risk}}} {
		i := slices.IndexFunc(key.under, func(c events.Category) bool { return d.Level(c) == Nothing })
		if i < 0 && key.field == "riskLevel" && riskLevel != nil && d.Level(events.Risk) == Summarised && !slices.Contains(riskLevels, *riskLevel) {
			i = 0
		}
		if i >= 0 {
			list = append(list, Hidden{Field: key.field, Reason: events.Hidden, Category: key.under[i], Ask: d.Ask(nil, key.under[i])})
		}
	}
	return list
}
