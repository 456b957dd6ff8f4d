package timeline

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/events"
)

// mark is what a field that no sentence may show is filled with.
const mark = "MARK-of-what-must-not-be-shown"

// shown are the text fields that sentences may show: names, versions and ids of things, never free text.
var shown = map[string][]string{
	"SubjectInformed":              {"Language"},
	"ScreeningCompleted":           {"Tool", "ToolVersion"},
	"AssessmentCompleted":          {"Tool", "ToolVersion", "Assessor"},
	"RiskLevelChanged":             {"Decider"},
	"PreReleasePlanningOpened":     {"Manager"},
	"OverrideAuthorised":           {"Approver"},
	"HandoverAccepted":             {"Officer"},
	"JurisdictionTransferAccepted": {"PreviousCase"},
	"FindingRecorded":              {"Safeguard"},
	"ObligationOverdue":            {"Obligation"},
	"ObligationEscalated":          {"Obligation"},
	"ObligationWaived":             {"Obligation", "Approver"},
	"AlertAcknowledged":            {"Obligation"},
	"BreachReported":               {"Authority"},
	"ErasureRequested":             {"Approvers"},
	"CaseConsulted":                {"View"},
	"AccessDenied":                 {"View"},
	"ExportProduced":               {"Format", "Recipient"},
	"OfficerAppointed":             {"Officer"},
	"OfficerRevoked":               {"Officer"},
	"OfficerTrained":               {"Officer", "Tool"},
	"ProtocolPublished":            {"Version"},
}

// protectedDay is a date that must not be shown; otherDay is one that may.
var (
	protectedDay = events.DateOf(1977, 7, 7)
	otherDay     = events.DateOf(2026, 3, 2)
)

// filled makes an event of a kind with every field set: marks where sentences may not look.
func filled(k *events.Kind, enum int) *events.Event {
	data := reflect.New(k.DataType())
	fill(data.Elem(), k.Type, "", "", enum)
	return &events.Event{ID: uuid.MustParse("00000000-0000-4000-8000-000000000001"), Type: k.Type, Case: "MK-2026-0001", Jurisdiction: "MK",
		OccurredAt: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), LateReason: mark, Purpose: "pre-release-planning", LegalBasis: "execution-law",
		Actor: events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}, Data: data.Interface()}
}

func fill(v reflect.Value, kind, field string, tag reflect.StructTag, enum int) {
	values := strings.Split(tag.Get("enum"), "|")
	secret := tag.Get("protect") != ""
	switch x := v.Addr().Interface().(type) {
	case *events.Date:
		if *x = otherDay; secret {
			*x = protectedDay
		}
		return
	case *time.Time:
		*x = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		return
	case *uuid.UUID:
		*x = uuid.MustParse("00000000-0000-4000-8000-000000000002")
		return
	case *jsontext.Value:
		*x = jsontext.Value(`{"note":"` + mark + `"}`)
		return
	case *events.Role:
		*x = events.Roles()[enum%17]
		return
	case *events.Category:
		*x = events.Categories()[enum%12]
		return
	case *events.Jurisdiction:
		*x = events.Jurisdictions()[enum%6]
		return
	case *events.Institution:
		*x = "mk-csw-skopje"
		return
	case *events.ID:
		*x = "id-1"
		return
	}
	switch v.Kind() {
	case reflect.String:
		switch {
		case secret:
			v.SetString(mark)
		case values[0] != "":
			v.SetString(values[enum%len(values)])
		case slices.Contains(shown[kind], field):
			v.SetString("shown")
		default:
			v.SetString(mark)
		}
	case reflect.Int:
		v.SetInt(3)
	case reflect.Bool:
		v.SetBool(enum%2 == 0)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), kind, field, tag, enum)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"en": mark}))
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			t := f.Tag
			if secret {
				t = tag
			}
			fill(v.Field(i), kind, f.Name, t, enum)
		}
	}
}

var (
	place = regexp.MustCompile(`\{[^}]*\}`)
	empty = regexp.MustCompile(`\(\s*\)|: *[;.]|: *$|  `)
)

// Every type of the catalogue has a sentence in every language, whatever its enumerated values; no place in it
// stays empty, nothing falls back to English, and nothing protected or free is shown.
func TestSentences(t *testing.T) {
	for _, lang := range Languages() {
		for _, k := range events.Standard().Kinds() {
			for enum := range 17 {
				s := Sentence(lang.Tag, filled(k, enum), nil)
				switch {
				case catalogues()[lang.Tag].Events[k.Type] == "":
					t.Errorf("%s: %s has no sentence", lang.Tag, k.Type)
				case place.MatchString(s), empty.MatchString(s), !strings.HasSuffix(s, "."):
					t.Errorf("%s: %s is not filled: %s", lang.Tag, k.Type, s)
				case strings.Contains(s, "[en]"):
					t.Errorf("%s: %s falls back to English: %s", lang.Tag, k.Type, s)
				case strings.Contains(s, mark), strings.Contains(s, protectedDay.String()):
					t.Errorf("%s: %s shows what it must not: %s", lang.Tag, k.Type, s)
				}
			}
		}
	}
}

// The catalogues of all languages have the same keys and the same places in each sentence.
func TestSameKeysInEveryLanguage(t *testing.T) {
	en, err := readCatalogue("en")
	must(t, err)
	for _, tag := range languageTags {
		l, err := readCatalogue(tag)
		must(t, err)
		if l.Language != tag || l.Name == "" {
			t.Errorf("%s calls itself %q, %q", tag, l.Language, l.Name)
		}
		if l.MachineAssisted != (tag != "en") {
			t.Errorf("%s: machineAssisted is %v", tag, l.MachineAssisted)
		}
		sameKeys(t, tag, "events", en.Events, l.Events)
		sameKeys(t, tag, "roles", en.Roles, l.Roles)
		sameKeys(t, tag, "categories", en.Categories, l.Categories)
		sameKeys(t, tag, "jurisdictions", en.Jurisdictions, l.Jurisdictions)
		sameKeys(t, tag, "words", en.Words, l.Words)
		for eventType, s := range en.Events {
			want, got := place.FindAllString(s, -1), place.FindAllString(l.Events[eventType], -1)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s has the places %v, expected %v", tag, eventType, got, want)
			}
		}
		if !strings.HasSuffix(l.Jurisdictions["XK"], "*") {
			t.Errorf("%s: Kosovo* is always shown with its asterisk", tag)
		}
	}
}

func sameKeys[K ~string](t *testing.T, tag, part string, want, got map[K]string) {
	t.Helper()
	for k := range want {
		if got[k] == "" {
			t.Errorf("%s: %s lacks %s", tag, part, k)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: %s has %s, which English lacks", tag, part, k)
		}
	}
}

// What a language lacks is shown in English and marked so.
func TestFallsBackVisibly(t *testing.T) {
	l := &language{english: catalogues()["en"]}
	if s := l.sentence("CaseReopened", map[string]string{"actor": "x"}); s != "[en] x reopened the case." {
		t.Error(s)
	}
	if s := l.role(events.CSW); s != "[en] centre for social work" {
		t.Error(s)
	}
}

func TestLanguageFor(t *testing.T) {
	for tag, want := range map[string]string{"": "en", "en-GB": "en", "mk": "mk", "sq_XK": "sq", "sr": "sr-Cyrl", "sr-Latn": "sr-Latn",
		"sr-Latn-RS": "sr-Latn", "sr-RS": "sr-Cyrl", "bs": "bs", "cnr": "bs", "tlh": "en"} {
		if l := languageFor(tag); l.Language != want {
			t.Errorf("%q: %s, expected %s", tag, l.Language, want)
		}
	}
}

// Where the vocabulary has a term, the words of the sentences use it.
func TestWordsOfTheVocabulary(t *testing.T) {
	raw, err := os.ReadFile("testdata/vocabulary.tsv")
	must(t, err)
	terms := map[string]map[string]string{}
	var tags []string
	for line := range strings.Lines(string(raw)) {
		columns := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if tags == nil {
			tags = columns
			continue
		}
		terms[columns[0]] = map[string]string{}
		for i, tag := range tags {
			terms[columns[0]][tag] = columns[i]
		}
	}
	for _, tag := range tags {
		l := languageFor(tag)
		for term, word := range map[string]string{
			"housing": l.category(events.Housing), "employment": l.category(events.EmploymentInfo), "education": l.category(events.EducationInfo),
			"mental health": l.category(events.MentalHealth), "family": l.category(events.Family), "security information": l.category(events.Intelligence),
			"centre for social work": l.role(events.CSW), "court": l.role(events.Court), "ombudsman": l.role(events.Ombudsman),
			"correction": l.word("subject.correction"), "wrong recipient": l.word("recall.wrong-recipient"),
			"conditional release": l.word("release.conditional"), "release": l.word("subject.released"),
		} {
			if want := terms[term][tag]; word != want {
				t.Errorf("%s: %q is %q in the vocabulary, %q here", tag, term, want, word)
			}
		}
	}
}
