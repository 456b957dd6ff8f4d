// Package accesstest plants a mark of its own in every field that someone may not see, in an event of every type, so that
// whoever answers readers can look for the marks in the answers. What a mark falls under is said here a second time, apart
// from package access.
package accesstest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"traga.internal/events"
)

// Mark is a text that was planted. It may be shown to whoever sees all of its categories in full.
type Mark struct {
	Text       string
	Categories []events.Category
	Event      uuid.UUID
	// Monitoring says that no prison role may see it, whatever the category (HR24).
	Monitoring bool
}

// Planted is an event of a kind with a mark in every text; those that someone may not see are told.
func Planted(k *events.Kind) (data any, marks []Mark) {
	v := reflect.New(k.DataType())
	plant(v.Elem(), k.Type, nil, &marks)
	return v.Interface(), marks
}

// names are texts that everyone may see who may open the case: of officers, offices, tools, rules and documents.
var names = strings.Fields(`CaseOpened.subject SentenceRecorded.court SubjectInformed.notice SubjectInformed.language ScreeningCompleted.tool
	ScreeningCompleted.toolVersion AssessmentCompleted.tool AssessmentCompleted.toolVersion AssessmentCompleted.assessor RiskLevelChanged.decider
	PreReleasePlanningOpened.manager OverrideAuthorised.approver ConsentGiven.purpose ConsentGiven.language HandoverAccepted.officer
	JurisdictionTransferAccepted.previousCase FindingRecorded.safeguard ObligationOverdue.obligation ObligationOverdue.rule
	ObligationEscalated.obligation ObligationWaived.obligation ObligationWaived.approver AlertAcknowledged.obligation BreachReported.authority
	ErasureRequested.approvers Party.officer`)

// told are texts that the catalogue does not protect, with what they tell of.
var told = map[string]events.Category{"SecurityInformationReferenced.pointer": events.Intelligence, "ProgrammeOutcomeRecorded.programme": events.Risk,
	"SupportProvided.service": events.Family}

func plant(v reflect.Value, at string, named []events.Category, marks *[]Mark) {
	t := v.Type()
	for i := range t.NumField() {
		if t.Field(i).Type == reflect.TypeFor[[]events.Category]() { // what is shared is identity and health
			named = []events.Category{events.Identity, events.Health}
			v.Field(i).Set(reflect.ValueOf(slices.Clone(named)))
		}
	}
	for i := range t.NumField() {
		f, tag := v.Field(i), t.Field(i).Tag
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		text := "MARK-" + at + "-" + name
		var under []events.Category
		switch protect := tag.Get("protect"); {
		case protect == "@categories":
			under = named
		case protect == "@domain":
			under = []events.Category{events.Category(v.FieldByName("Domain").String())}
		case protect != "":
			under = []events.Category{events.Category(protect)}
		case slices.Contains(names, t.Name()+"."+name):
		case told[t.Name()+"."+name] != "":
			under = []events.Category{told[t.Name()+"."+name]}
		case len(named) > 0:
			under = named
		default:
			under = []events.Category{events.Identity}
		}
		set := func(f reflect.Value, text string) {
			f.SetString(text)
			if under != nil && f.Type() == reflect.TypeFor[string]() {
				*marks = append(*marks, Mark{Text: text, Categories: under})
			}
		}
		switch {
		case f.Type() == reflect.TypeFor[events.Date]() && tag.Get("protect") != "":
			f.Set(reflect.ValueOf(events.DateOf(1933, 3, 3)))
			*marks = append(*marks, Mark{Text: "1933-03-03", Categories: under})
		case f.Type() == reflect.TypeFor[events.Date]():
			f.Set(reflect.ValueOf(events.DateOf(2027, 3, 1)))
		case f.Type() == reflect.TypeFor[events.Role]():
			f.SetString(string(events.Court))
		case f.Type() == reflect.TypeFor[events.Jurisdiction]():
			f.SetString("RS")
		case tag.Get("enum") != "":
			f.SetString(strings.Split(tag.Get("enum"), "|")[0])
		case f.Kind() == reflect.Int:
			f.SetInt(1)
		case f.Kind() == reflect.String && f.Type() != reflect.TypeFor[events.Category]():
			set(f, text)
		case f.Type() == reflect.TypeFor[[]string]():
			f.Set(reflect.MakeSlice(f.Type(), 2, 2))
			set(f.Index(0), text+"-0")
			set(f.Index(1), text+"-1")
		case f.Type() == reflect.TypeFor[[]events.Need](): // one of each domain
			f.Set(reflect.MakeSlice(f.Type(), len(events.Categories()), len(events.Categories())))
			for n, c := range events.Categories() {
				f.Index(n).FieldByName("Domain").SetString(string(c))
				plant(f.Index(n), fmt.Sprintf("%s-%s", at, c), nil, marks)
			}
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			plant(f.Index(0), at+"-"+name, named, marks)
		case f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[uuid.UUID]():
			plant(f, at+"-"+name, named, marks)
		}
	}
}

// Office is an officer of a role, whose institution has a part in every planted case.
func Office(r events.Role) events.Actor {
	return events.Actor{Officer: "o." + string(r), Role: r, Institution: events.Institution("mk-" + string(r))}
}

// Recorder is who recorded the planted cases: no Office.
func Recorder() events.Actor {
	return events.Actor{Officer: "r.recorder", Role: events.Directorate, Institution: "mk-recorder"}
}

// Stream is the stream of a case with an event of every type, a mark in every field that someone may not see, corrections of
// some, and a notice to the office of every role. Consent, if true, has the person consent to everything, to everyone.
func Stream(number string, from time.Time, consent bool) (stream []*events.Event, marks []Mark) {
	add := func(data any) *events.Event {
		n := len(stream)
		e := &events.Event{ID: events.DeriveID("planted", number, fmt.Sprint(n)), Stream: events.CaseStream(number), Case: number,
			OccurredAt: from.Add(time.Duration(n) * time.Minute), Actor: Recorder(), Purpose: "supervision", LegalBasis: "execution-law", Data: data}
		e.Type = reflect.TypeOf(data).Elem().Name()
		e.CorrelationID = e.ID
		stream = append(stream, e)
		return e
	}
	plantedBy := func(k *events.Kind) *events.Event {
		data, some := Planted(k)
		e := add(data)
		for _, m := range some {
			m.Event = e.ID
			marks = append(marks, m)
		}
		return e
	}
	byType := map[string]*events.Event{}
	for _, k := range events.Standard().Kinds() {
		if k.Family != events.CaseFamily {
			continue
		}
		switch k.Type {
		case "EntryCorrected", "EntryAnnulled", "DisclosureRecalled", "ConsentGiven", "ConsentRefused", "ConsentWithdrawn":
		default:
			byType[k.Type] = plantedBy(k)
		}
		if k.Type == "CaseOpened" {
			for _, r := range events.Roles() {
				if r != events.System {
					add(&events.NotificationSent{Notification: events.ID("n-" + string(r)), Subject: "planned-release", Recipient: Office(r).Party(), Channel: "letter",
						Categories: []events.Category{events.Identity}})
				}
			}
		}
	}
	contact := byType["MonitoringContactHeld"]
	for _, text := range []string{contact.ID.String(), string(contact.Data.(*events.MonitoringContactHeld).Contact)} { //nolint:errcheck // of that type
		marks = append(marks, Mark{Text: text, Event: contact.ID, Monitoring: true})
	}
	correct := func(target *events.Event, monitoring bool) {
		data, some := Planted(mustKind(target.Type))
		text, err := json.Marshal(data, json.Deterministic(true))
		if err != nil {
			panic(err) // the catalogue's types can be written
		}
		replacement := strings.ReplaceAll(strings.ReplaceAll(string(text), "MARK-", "MARK-corrected-"), "1933-", "1934-")
		e := add(&events.EntryCorrected{Target: target.ID, Replacement: []byte(replacement), Reason: "MARK-correction-" + target.Type})
		for _, m := range append(some, Mark{Text: "MARK-correction-" + target.Type, Categories: []events.Category{events.Identity}}) {
			m.Text, m.Event, m.Monitoring = strings.Replace(strings.Replace(m.Text, "MARK-", "MARK-corrected-", 1), "1933", "1934", 1), e.ID, monitoring
			m.Text = strings.Replace(m.Text, "MARK-corrected-correction-", "MARK-correction-", 1)
			marks = append(marks, m)
		}
		if monitoring {
			marks = append(marks, Mark{Text: e.ID.String(), Event: e.ID, Monitoring: true})
		}
	}
	for _, t := range []string{"CaseOpened", "AssessmentCompleted", "NeedsMapFinalised", "InformationDisclosed", "SpecificGroupRecorded", "FindingRecorded"} {
		correct(byType[t], false)
	}
	correct(contact, true)
	add(&events.EntryAnnulled{Target: byType["HealthSummaryTransferred"].ID, Reason: "entered twice"})
	if consent {
		all := events.Roles()
		add(&events.ConsentGiven{Consent: "c-all", Categories: events.Categories(), RecipientRoles: all[:len(all)-1], Purpose: "assistance", Language: "mk", Informed: true})
	}
	return stream, marks
}

func mustKind(eventType string) *events.Kind {
	k, ok := events.KindOf(eventType)
	if !ok {
		panic("no type " + eventType) // the types are named above
	}
	return k
}

// Forbids reports whether the role must not be shown the mark, when full says which categories it sees in full.
func (m *Mark) Forbids(r events.Role, full func(events.Category) bool) bool {
	return m.Monitoring && r.InPrison() || slices.ContainsFunc(m.Categories, func(c events.Category) bool { return !full(c) })
}
