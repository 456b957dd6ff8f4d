package events

import (
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"
)

// The reference catalogue beside the project, if it is there, is what the Go types are checked against. The
// project's own copy of it is testdata/catalogue.yaml.
func TestEveryTypeOfTheCatalogueIsHereAsItIsWritten(t *testing.T) {
	raw, err := os.ReadFile("testdata/catalogue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		By     any               `yaml:"by"`
		Shares bool              `yaml:"shares"`
		Fields map[string]string `yaml:"fields"`
	}
	var doc struct {
		Categories, Roles                 []string
		Case, Access, Directory, Protocol map[string]entry
	}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for family, entries := range map[StreamFamily]map[string]entry{CaseFamily: doc.Case, AccessFamily: doc.Access, DirectoryFamily: doc.Directory, ProtocolFamily: doc.Protocol} {
		for name, e := range entries {
			named[name] = true
			k, ok := KindOf(name)
			if !ok {
				t.Errorf("%s is missing", name)
				continue
			}
			if k.Family != family || k.Shares != e.Shares {
				t.Errorf("%s: family %s, shares %v; the catalogue says %s, %v", name, k.Family, k.Shares, family, e.Shares)
			}
			if roles, ok := e.By.([]any); ok {
				if len(roles) != len(k.By) {
					t.Errorf("%s: recorded by %v, the catalogue says %v", name, k.By, roles)
				}
				for _, r := range roles {
					if !k.Allows(Role(r.(string))) {
						t.Errorf("%s: %v may record it", name, r)
					}
				}
			} else if e.By == "any" && k.By != nil {
				t.Errorf("%s: anyone may record it", name)
			}
			for _, f := range k.shape.fields {
				if _, ok := e.Fields[f.name]; !ok && (!added[name+"."+f.name] || !f.optional) {
					t.Errorf("%s.%s is not in the catalogue", name, f.name)
				}
			}
			for field, typ := range e.Fields {
				f := k.shape.field(field)
				if f == nil {
					t.Errorf("%s.%s is missing", name, field)
					continue
				}
				if got, want := fieldNotation(f), strings.ReplaceAll(typ, "<first category>", "@categories"); got != want && !known[name+"."+field] {
					t.Errorf("%s.%s is %q, the catalogue says %q", name, field, got, want)
				}
			}
		}
	}
	for _, k := range Standard().Kinds() {
		if !named[k.Type] && k.Family != StoreFamily {
			t.Errorf("%s is not in the catalogue", k.Type)
		}
	}
	if len(doc.Roles) != len(Roles()) || len(doc.Categories) != len(Categories()) {
		t.Errorf("roles or categories differ from the catalogue")
	}
}

// known lists fields whose notation in the catalogue is prose, or which are deliberately wider here.
var known = map[string]bool{
	"InformationDisclosed.afterTheFact": true, // optional here: the mark may stand in the envelope instead
	"ProtocolPublished.rules":           true, // "the whole rule set"
	"AssessmentCompleted.level":         true, // "low|medium|high|?!risk": optional
	// Ids of institutions may not be empty.
	"InstitutionRegistered.institution": true, "InstitutionClosed.institution": true, "OfficerAppointed.institution": true,
	"PrisonTransferred.from": true, "PrisonTransferred.to": true, "CaseOpened.institution": true,
}

// added lists the optional fields that the catalogue lacks and a safeguard or the vault needs.
var added = map[string]bool{
	"TreatmentPlanAdopted.opinion": true, "TreatmentPlanReviewed.opinion": true, "PostPenalPlanAdopted.opinion": true, // HR12
	"ErasureRequested.whose": true, "PersonalDataErased.keyIds": true, // the vault
}

func fieldNotation(f *shapeField) string {
	n := shapeNotation(f.shape)
	if f.optional {
		n += "?"
	}
	if f.protect != "" {
		n += "!" + f.protect
	}
	return n
}

func shapeNotation(s *shape) string {
	switch s.kind {
	case shapeArray:
		return "[]" + shapeNotation(s.elem)
	case shapeMap:
		return "{lang: " + shapeNotation(s.elem) + "}"
	case shapeBool:
		return "bool"
	case shapeInt:
		return "int"
	case shapeDate:
		return "Date"
	case shapeUUID:
		return "uuid"
	case shapeAny:
		return "object"
	case shapeObject:
		switch s.fields[0].name {
		case "institution":
			return "Party"
		case "domain":
			return "{domain, level: none|some|high, note!<domain>}"
		}
		return "{action: id, owner: Party, due: Date, text!risk}"
	}
	switch {
	case len(s.enum) == len(Roles()):
		return "role"
	case len(s.enum) == len(Categories()):
		return "category"
	case len(s.enum) > 0 && s.enum[0] == "AL":
		return "jurisdiction"
	case len(s.enum) > 0:
		return strings.Join(s.enum, "|")
	case s.filled:
		return "id"
	}
	return "string"
}

const notice = `{"notification":"n-1","subject":"planned-release","recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter"}`

func TestDataThatDoesNotFitIsRefusedWithTheFieldNamed(t *testing.T) {
	for name, c := range map[string]struct{ typ, data, field, expected string }{
		"unknown field":     {"NotificationSent", strings.Replace(notice, `"channel"`, `"colour":"red","channel"`, 1), "data.colour", "only known fields"},
		"case variant":      {"NotificationSent", strings.Replace(notice, `"channel"`, `"Channel"`, 1), "data.Channel", "spelt channel"},
		"duplicate":         {"NotificationSent", strings.Replace(notice, `"channel"`, `"subject":"transfer","channel"`, 1), "data.subject", "each field once"},
		"nested duplicate":  {"NotificationSent", strings.Replace(notice, `"role"`, `"institution":"x","role"`, 1), "data.recipient.institution", "each field once"},
		"missing":           {"NotificationSent", strings.Replace(notice, `,"channel":"letter"`, ``, 1), "data.channel", "one of letter"},
		"not in the list":   {"NotificationSent", strings.Replace(notice, `"letter"`, `"pigeon"`, 1), "data.channel", "secure-mail"},
		"wrong type":        {"NotificationSent", strings.Replace(notice, `"n-1"`, `7`, 1), "data.notification", "a text that is not empty"},
		"empty id":          {"NotificationSent", strings.Replace(notice, `"n-1"`, `""`, 1), "data.notification", "not empty"},
		"wrong list":        {"NotificationSent", strings.Replace(notice, `["identity"]`, `"identity"`, 1), "data.categories", "a list"},
		"wrong element":     {"NotificationSent", strings.Replace(notice, `["identity"]`, `["identity","shoe-size"]`, 1), "data.categories[1]", "religion"},
		"unknown role":      {"NotificationSent", strings.Replace(notice, `"csw"`, `"CSW"`, 1), "data.recipient.role", "one of"},
		"null":              {"NotificationSent", strings.Replace(notice, `"letter"`, `null`, 1), "data.channel", "one of"},
		"invalid UTF-8":     {"NotificationSent", strings.Replace(notice, `n-1`, "n-\xff", 1), "data.notification", "UTF-8"},
		"cut short":         {"NotificationSent", notice[:40], "data.subject", "complete"},
		"more after it":     {"NotificationSent", notice + `{}`, "data", "the end"},
		"no object":         {"NotificationSent", `[]`, "data", "an object"},
		"empty":             {"NotificationSent", ``, "data", "an object"},
		"impossible date":   {"ExpectedReleaseDateSet", `{"date":"2026-02-30","basis":"pardon"}`, "data.date", "a day that exists"},
		"instant as date":   {"ExpectedReleaseDateSet", `{"date":"2026-02-03T10:00:00Z","basis":"pardon"}`, "data.date", "YYYY-MM-DD"},
		"text for bool":     {"MedicalExaminationOffered", `{"accepted":"yes"}`, "data.accepted", "true or false"},
		"fraction":          {"ReleaseReportIssued", `{"report":"r","version":1.5,"recipients":[],"categories":[]}`, "data.version", "a whole number"},
		"negative":          {"ReleaseReportIssued", `{"report":"r","version":-1,"recipients":[],"categories":[]}`, "data.version", "a whole number"},
		"bad uuid":          {"EntryAnnulled", `{"target":"5b0a3d1e","reason":""}`, "data.target", "a UUID"},
		"need of no domain": {"NeedsMapDrafted", `{"needsMap":"m","version":1,"needs":[{"domain":"hobby","level":"some","note":""}]}`, "data.needs[0].domain", "one of"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseData(c.typ, []byte(c.data))
			var f *FieldError
			if !errors.As(err, &f) {
				t.Fatalf("got %v, want a FieldError", err)
			}
			if f.Field != c.field || !strings.Contains(f.Expected, c.expected) {
				t.Errorf("got %q, want the field %s and %q", f, c.field, c.expected)
			}
		})
	}
	if _, err := ParseData("notificationSent", []byte(notice)); !errors.Is(err, ErrUnknownType) {
		t.Errorf("a type in another spelling: %v", err)
	}
}

func TestNullCountsAsAbsentInOptionalFieldsOnly(t *testing.T) {
	v, err := ParseData("NotificationSent", []byte(strings.Replace(notice, `"channel"`, `"about":null,"channel"`, 1)))
	if err != nil || v.(*NotificationSent).About != "" {
		t.Errorf("got %v, %v", v, err)
	}
}

func sample() *Event {
	data, _ := ParseData("NotificationSent", []byte(notice))
	return &Event{ID: uuid.MustParse("5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"), Type: "NotificationSent", Case: "MK-2026-0001",
		Jurisdiction: "MK", Schema: 1, OccurredAt: time.Date(2026, 3, 2, 9, 15, 0, 0, time.UTC),
		Actor:   Actor{Officer: "a.petrova", Role: PrisonTreatment, Institution: "mk-prison-idrizovo"},
		Purpose: "pre-release-planning", LegalBasis: "execution-law", Data: data,
		CorrelationID: uuid.MustParse("5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02")}
}

func TestAnEventReadsBackAsItWasWritten(t *testing.T) {
	e := sample()
	p, err := Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(&Recorded{ID: p.ID, Type: p.Type, Metadata: p.Metadata, Data: p.Data})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Encode(back)
	if err != nil || string(again.Data) != string(p.Data) || string(again.Metadata) != string(p.Metadata) {
		t.Errorf("read back and written again:\n%s\n%s\nwas\n%s\n%s (%v)", again.Metadata, again.Data, p.Metadata, p.Data, err)
	}
	if back.Jurisdiction != "MK" || !back.OccurredAt.Equal(e.OccurredAt) || back.Data.(*NotificationSent).Recipient.Role != CSW {
		t.Errorf("got %+v", back)
	}
}

func TestWhatCannotBeReadIsNamedAndNeverGuessed(t *testing.T) {
	p, _ := Encode(sample())
	for name, c := range map[string]struct {
		change func(*Recorded)
		want   error
	}{
		"unknown type": {func(r *Recorded) { r.Type = "NoticeSent" }, ErrUnknownType},
		"newer schema": {func(r *Recorded) {
			r.Metadata = []byte(strings.Replace(string(r.Metadata), `"schema":1`, `"schema":9`, 1))
		}, ErrNewerSchema},
		"no schema": {func(r *Recorded) {
			r.Metadata = []byte(strings.Replace(string(r.Metadata), `"schema":1`, `"schema":0`, 1))
		}, ErrDamaged},
		"damaged data":   {func(r *Recorded) { r.Data = r.Data[:20] }, ErrDamaged},
		"unknown member": {func(r *Recorded) { r.Data = []byte(`{"x":"secret"}`) }, ErrDamaged},
		"wrong type":     {func(r *Recorded) { r.Data = []byte(`{"notification":["secret"]}`) }, ErrDamaged},
		"bad case":       {func(r *Recorded) { r.Metadata = []byte(strings.Replace(string(r.Metadata), `MK-2026`, `XX-2026`, 1)) }, ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Recorded{ID: p.ID, Type: p.Type, Position: At(7), Metadata: p.Metadata, Data: p.Data}
			c.change(r)
			_, err := Decode(r)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), p.ID.String()) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error should name the event and nothing of its content: %v", err)
			}
		})
	}
}

// Renamed is an event of this test alone: schema 1 called the place a town, schema 2 had no floor.
type Renamed struct {
	Place string `json:"place"`
	Floor int    `json:"floor"`
}

func TestOlderSchemasAreUpcastStepByStep(t *testing.T) {
	c := newCatalogue(kind[Renamed](CaseFamily, anyone(), upcast(
		func(v jsontext.Value) (jsontext.Value, error) {
			return jsontext.Value(strings.Replace(string(v), `"town"`, `"place"`, 1)), nil
		},
		func(v jsontext.Value) (jsontext.Value, error) {
			return jsontext.Value(strings.TrimSuffix(string(v), "}") + `,"floor":0}`), nil
		},
	)))
	for schema, data := range map[string]string{"1": `{"town":"Skopje"}`, "2": `{"place":"Skopje"}`, "3": `{"place":"Skopje","floor":0}`} {
		p, _ := Encode(sample())
		m := strings.Replace(string(p.Metadata), `"schema":1`, `"schema":`+schema, 1)
		e, err := c.Decode(&Recorded{Type: "Renamed", Metadata: []byte(m), Data: []byte(data)})
		if err != nil {
			t.Fatalf("schema %s: %v", schema, err)
		}
		if got := *e.Data.(*Renamed); got != (Renamed{Place: "Skopje"}) {
			t.Errorf("schema %s: %+v", schema, got)
		}
	}
	if k, _ := c.Kind("Renamed"); k.Schema != 3 {
		t.Errorf("three shapes, current schema %d", k.Schema)
	}
}

func FuzzParseData(f *testing.F) {
	f.Add("NotificationSent", []byte(notice))
	f.Add("EntryCorrected", []byte(`{"target":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02","replacement":{"a":[{}]},"reason":"x"}`))
	f.Add("NeedsMapDrafted", []byte(`{"needsMap":"m","version":1,"needs":[{"domain":"housing","level":"some","note":"\ud83d"}]}`))
	bad, _ := hex.DecodeString("7b226e6f74696669636174696f6e223a22ff227d")
	f.Add("NotificationAcknowledged", bad)
	f.Fuzz(func(t *testing.T, typ string, data []byte) {
		v, err := ParseData(typ, data)
		if err != nil {
			return
		}
		e := sample()
		e.Type, e.Data = typ, v
		p, err := Encode(e)
		if err != nil {
			t.Fatalf("accepted, but can't be written: %v", err)
		}
		back, err := Decode(&Recorded{ID: p.ID, Type: typ, Metadata: p.Metadata, Data: p.Data})
		if err != nil {
			t.Fatalf("accepted and written, but can't be read: %v", err)
		}
		if again, _ := Encode(back); string(again.Data) != string(p.Data) {
			t.Fatalf("changed on the way: %s, was %s", again.Data, p.Data)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	p, _ := Encode(sample())
	r := &Recorded{ID: p.ID, Type: p.Type, Metadata: p.Metadata, Data: p.Data}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(r); err != nil {
			b.Fatal(err)
		}
	}
}
