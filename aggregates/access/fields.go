package access

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"traga.internal/events"
)

// rule says under which category a field of an event's data is shown.
type rule struct {
	index    int    // in the struct
	name     string // in JSON
	under    under
	category events.Category // of the kind fixed
	closed   []string        // the values of its closed list, which a summary may name
	optional bool
	rows     *plan // of a list of rows
}

// under is how the category of a field is found.
type under uint8

const (
	fixed       under = iota
	domain            // that of the row
	named             // all that the event names; where it names none the rule's own category
	group             // all that a group can tell of; see groups
	replacement       // the field holds the data of another entry
	references        // a list of events, of which some may not be known of
)

// plan are the rules of a type; fields without one are shown to whoever may open the case.
type plan struct{ rules []rule }

// telling are the fields that the catalogue does not protect, but which tell something of a category all the same.
var telling = map[string]rule{
	"ScreeningCompleted.result":             {category: events.Risk},
	"SpecificGroupRecorded.group":           {under: group},
	"Need.level":                            {under: domain},
	"AccommodationArranged.kind":            {category: events.Housing},
	"SecurityInformationReferenced.pointer": {category: events.Intelligence},
	"ProgrammeOutcomeRecorded.programme":    {category: events.Risk},
	"IdentityDocumentsSecured.documents":    {category: events.Identity},
	"SupportProvided.service":               {category: events.Family},
}

// plain are the texts that are no free text: names of officers, institutions, tools, rules and documents of the
// procedure. Every other text that the catalogue does not protect is free text, which may hold anything.
var plain = []string{
	"CaseOpened.subject", "SentenceRecorded.court", "SubjectInformed.notice", "SubjectInformed.language", "ScreeningCompleted.tool",
	"ScreeningCompleted.toolVersion", "AssessmentCompleted.tool", "AssessmentCompleted.toolVersion", "AssessmentCompleted.assessor",
	"RiskLevelChanged.decider", "PreReleasePlanningOpened.manager", "OverrideAuthorised.approver", "ConsentGiven.purpose",
	"ConsentGiven.language", "HandoverAccepted.officer", "JurisdictionTransferAccepted.previousCase", "FindingRecorded.safeguard",
	"ObligationOverdue.obligation", "ObligationOverdue.rule", "ObligationEscalated.obligation", "ObligationWaived.obligation",
	"ObligationWaived.approver", "AlertAcknowledged.obligation", "BreachReported.authority", "ErasureRequested.approvers", "Party.officer",
}

// plans are the rules of all types of events of cases, worked out once from the catalogue's Go types.
var plans = sync.OnceValue(func() map[reflect.Type]*plan {
	all := map[reflect.Type]*plan{}
	for _, k := range events.Standard().Kinds() {
		if k.Family == events.CaseFamily {
			all[k.DataType()] = planOf(k.DataType())
		}
	}
	return all
})

func planOf(t reflect.Type) *plan {
	p := &plan{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if r, ok := ruleOf(f, t.Name()+"."+name); ok {
			r.index, r.name, r.optional = i, name, option == "omitzero"
			p.rules = append(p.rules, r)
		}
	}
	return p
}

func ruleOf(f reflect.StructField, full string) (rule, bool) {
	var closed []string
	switch enum := f.Tag.Get("enum"); {
	case enum != "":
		closed = strings.Split(enum, "|")
	case full == "RiskLevelChanged.from", full == "RiskLevelChanged.to": // texts in the catalogue; they are an assessment's levels
		closed = riskLevels
	}
	switch protect := f.Tag.Get("protect"); protect {
	case "":
	case "@categories":
		return rule{under: named, category: events.Intelligence}, true // as events/protected.go has it
	case "@domain":
		return rule{under: domain}, true
	default:
		return rule{category: events.Category(protect), closed: closed}, true
	}
	if r, ok := telling[full]; ok {
		r.closed = closed
		return r, true
	}
	switch {
	case full == "EntryCorrected.replacement":
		return rule{under: replacement}, true
	case full == "FindingRecorded.events":
		return rule{under: references}, true
	case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
		rows := planOf(f.Type.Elem())
		return rule{rows: rows}, len(rows.rules) > 0
	case closed != nil || slices.Contains(plain, full):
		return rule{}, false
	case f.Type == reflect.TypeFor[string](), f.Type == reflect.TypeFor[[]string]():
		return rule{under: named, category: events.Identity}, true
	}
	return rule{}, false
}

// riskLevels are the values of a level of risk.
var riskLevels = []string{"low", "medium", "high"}

// groups are the categories that belonging to a group can tell of: sex, age and origin, that it is the first sentence, a
// disability. Whoever may not see one of them is shown no group: that one is hidden would tell which.
var groups = []events.Category{events.Identity, events.Sentence, events.Health}

// categoriesOf are the categories that an event names: what it shares, asks for, grants, authorises or is consented to.
func categoriesOf(data any) []events.Category {
	if d, ok := events.DisclosureOf(data); ok {
		return d.Categories
	}
	switch d := data.(type) {
	case *events.InformationRequested:
		return d.Categories
	case *events.RefusalAppealDecided:
		return d.Granted
	case *events.OverrideAuthorised:
		return d.Categories
	}
	return nil
}

// keeper is the role to ask about a category where no one entry is meant.
func keeper(c events.Category) events.Role {
	switch c {
	case events.Intelligence:
		return events.PrisonSecurity
	case events.Health, events.MentalHealth:
		return events.PrisonHealth
	case events.EducationInfo:
		return events.Education
	case events.EmploymentInfo:
		return events.Employment
	case events.Housing, events.Family, events.Finance:
		return events.CSW
	}
	return events.PrisonTreatment
}
