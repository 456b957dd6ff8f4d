package record_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/handlers/record"
)

func TestParseReadsTheActionRecordOfTheInterfaces(t *testing.T) {
	a := action(t, `{"case":"MK-2026-0001","type":"NotificationSent","occurredAt":"2026-03-02T10:15:00+01:00",
		"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
		"purpose":"pre-release-planning","legalBasis":"execution-law",
		"data":{"notification":"n-csw-1","subject":"planned-release","recipient":{"institution":"mk-csw-skopje","role":"csw"},
		"categories":["identity","sentence"],"channel":"letter"}}`)
	when := time.Date(2026, 3, 2, 9, 15, 0, 0, time.UTC)
	if !a.OccurredAt.Equal(when) {
		t.Errorf("occurred at %s", a.OccurredAt)
	}
	a.OccurredAt = nil
	want := &record.Action{Case: "MK-2026-0001", Jurisdiction: "MK", Type: "NotificationSent",
		Actor:   events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"},
		Purpose: "pre-release-planning", LegalBasis: "execution-law",
		Data: &events.NotificationSent{Notification: "n-csw-1", Subject: "planned-release", Recipient: events.Party{Institution: "mk-csw-skopje", Role: events.CSW},
			Categories: []events.Category{events.Identity, events.Sentence}, Channel: "letter"}}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("read %+v", a)
	}
	b := action(t, support("RS-2026-7", "s", `"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02","causationId":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a03","lateReason":"ill","afterTheFact":true,`))
	if b.ID != uuid.MustParse("5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02") || b.CausationID != uuid.MustParse("5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a03") ||
		b.LateReason != "ill" || !b.AfterTheFact || b.OccurredAt != nil || b.Jurisdiction != "RS" {
		t.Errorf("read %+v", b)
	}
}

func TestParseRefusesWithTheFieldAndWhatWasExpected(t *testing.T) {
	good := support("MK-2026-0001", "s", "")
	with := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct{ text, field, expected string }{
		"nothing":                       {``, "", "an object"},
		"a list":                        {`[]`, "", "an object"},
		"two records":                   {good + good, "", "the end of the input"},
		"a record without a type":       {with(`"type":"SupportProvided",`, ``), "type", "a text"},
		"without a case":                {with(`"case":"MK-2026-0001",`, ``), "case", "a case number such as MK-2026-0001"},
		"a case of nowhere":             {with(`MK-2026-0001`, `DE-2026-0001`), "case", "a case number such as MK-2026-0001, beginning with AL-, BA-, XK-, ME-, MK- or RS-"},
		"a jurisdiction that is not it": {with(`"type"`, `"jurisdiction":"RS","type"`), "jurisdiction", "that of the case, MK"},
		"without an actor":              {with(csw+",", ``), "actor", "an object"},
		"an actor without a role":       {with(`"role":"csw",`, ``), "actor.role", "one of prison-treatment"},
		"a role that there is not":      {with(`"role":"csw"`, `"role":"boss"`), "actor.role", "one of prison-treatment"},
		"without data":                  {with(`,"data":{"service":"s"}`, ``), "data", "an object"},
		"data that are none":            {with(`{"service":"s"}`, `[]`), "data", "an object"},
		"a wrong type in data":          {with(`"service":"s"`, `"service":1`), "data.service", "a text"},
		"an unknown field in data":      {with(`"service":"s"`, `"service":"s","cost":1`), "data.cost", "only known fields"},
		"an unknown field":              {with(`"type"`, `"recordedAt":"2026-01-01T00:00:00Z","type"`), "recordedAt", "only known fields"},
		"a case variant":                {with(`"type"`, `"Type"`), "Type", "the name spelt type"},
		"a duplicate":                   {with(`"type"`, `"case":"MK-2026-0001","type"`), "case", "each field once"},
		"a duplicate in data":           {with(`"service":"s"`, `"service":"s","service":"t"`), "data.service", "each field once"},
		"invalid UTF-8":                 {with(`"s"`, "\"\xff\""), "data.service", "text in UTF-8"},
		"a time without its zone":       {with(`"type"`, `"occurredAt":"2026-03-02T10:15:00","type"`), "occurredAt", "an instant with its time zone"},
		"a day that does not exist":     {with(`"type"`, `"occurredAt":"2026-02-30T10:15:00Z","type"`), "occurredAt", "an instant with its time zone"},
		"an id that is none":            {with(`"type"`, `"id":"1","type"`), "id", "a UUID"},
		"an id of zeros":                {with(`"type"`, `"id":"00000000-0000-0000-0000-000000000000","type"`), "id", "a UUID"},
		"a cause of zeros":              {with(`"type"`, `"causationId":"00000000-0000-0000-0000-000000000000","type"`), "causationId", "a UUID"},
		"a purpose that there is not":   {with(`"type"`, `"purpose":"curiosity","type"`), "purpose", "one of pre-release-planning"},
		"a basis that there is not":     {with(`"type"`, `"legalBasis":"","type"`), "legalBasis", "one of execution-law"},
		"an unknown type":               {with(`SupportProvided`, `SupportGiven`), "type", "a type of event of the catalogue"},
		"a type spelt otherwise":        {with(`SupportProvided`, `supportprovided`), "type", "the type spelt SupportProvided"},
		"a register without its place":  {`{"type":"OfficerRevoked",` + directorate + `,"data":{"officer":"x"}}`, "jurisdiction", "one of AL"},
		"a register of nowhere":         {`{"jurisdiction":"DE","type":"OfficerRevoked",` + directorate + `,"data":{"officer":"x"}}`, "jurisdiction", "one of AL"},
		"too long a record":             {with(`"s"`, `"`+strings.Repeat("s", record.MaxAction)+`"`), "", "an action record of at most 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := record.Parse([]byte(c.text))
			var r *casefile.Refusal
			var f *events.FieldError
			if !errors.As(err, &r) || !errors.As(err, &f) || len(r.Because) != 1 || r.Because[0] != casefile.Invalid {
				t.Fatalf("%v", err)
			}
			if r.Field != c.field || !strings.HasPrefix(f.Expected, c.expected) {
				t.Errorf("%s: expected %s", r.Field, f.Expected)
			}
		})
	}
}

// An unknown type is named, unless it can't be a type's name: then it may be anything, also a person's.
func TestAnUnknownTypeIsNamedOnlyIfItLooksLikeOne(t *testing.T) {
	for given, named := range map[string]bool{"SupportGiven": true, "Stojan Velevski": false, strings.Repeat("A", 41): false, "": false} {
		_, err := record.Parse([]byte(strings.Replace(support("MK-2026-0001", "s", ""), "SupportProvided", given, 1)))
		if err == nil || given != "" && strings.Contains(err.Error(), given) != named {
			t.Errorf("%q: %v", given, err)
		}
	}
}

// FuzzParse: whatever comes in, Parse answers; what it refuses is a Refusal of the reason invalid, and what it
// accepts makes an event that can be stored and read back.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/scenarios/*.ndjson")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			if i%7 == 0 {
				f.Add([]byte(strings.Replace(string(line), `"recordedAt"`, `"occurredAt"`, 1)))
			}
		}
	}
	for _, seed := range []string{``, `{}`, `[]`, `null`, "{\"case\":\"\xff\"}", opening("BA-1"), notice("XK-2026-1", "n-1"), opening("MK-1") + "{}",
		`{"jurisdiction":"AL","type":"NonWorkingDayDecreed",` + directorate + `,"data":{"date":"2026-05-04","name":{"sq":"x"},"act":"a"}}`,
		`{"jurisdiction":"RS","type":"ProtocolPublished",` + directorate + `,"data":{"version":"1","effectiveFrom":"2026-01-01","rules":{"a":[1e400,null]},"digest":"d"}}`,
		`{"case":"ME-1","type":"EntryCorrected",` + csw + `,"data":{"target":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02","replacement":{"a":{"b":"\u0000"}},"reason":"r"}}`,
		`{"case":"ME-1","type":"SupportProvided","occurredAt":"2026-03-02T10:15:00.123456789+05:45",` + csw + `,"data":{"service":"\ud83d\ude00"}}`,
		`{"type":"StoreSimulated",` + traga + `,"data":{"from":"1900-01-01T00:00:00Z","note":""}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := record.Parse(line)
		if err != nil {
			var r *casefile.Refusal
			if !errors.As(err, &r) || len(r.Because) != 1 || r.Because[0] != casefile.Invalid || a != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		k, ok := events.KindOf(a.Type)
		if !ok {
			t.Fatalf("an unknown type was accepted: %q", a.Type)
		}
		e := &events.Event{ID: uuid.Max, Type: a.Type, Schema: k.Schema, Case: a.Case, Jurisdiction: a.Jurisdiction, OccurredAt: noon, Actor: a.Actor,
			Purpose: a.Purpose, LegalBasis: a.LegalBasis, LateReason: a.LateReason, AfterTheFact: a.AfterTheFact, CorrelationID: uuid.Max, CausationID: a.CausationID, Data: a.Data}
		if a.OccurredAt != nil {
			e.OccurredAt = *a.OccurredAt
		}
		p, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := events.Decode(&events.Recorded{ID: p.ID, Type: p.Type, Metadata: p.Metadata, Data: p.Data})
		if err != nil {
			t.Fatal(err)
		}
		again, err := events.Encode(back)
		if err != nil || !bytes.Equal(again.Data, p.Data) || !bytes.Equal(again.Metadata, p.Metadata) {
			t.Fatalf("what was read back differs: %s %s, then %s %s, %v", p.Metadata, p.Data, again.Metadata, again.Data, err)
		}
	})
}
