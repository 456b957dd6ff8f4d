package simulate_test

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"traga.internal/events"
	"traga.internal/handlers/simulate"
)

func stringsReader(s string) io.Reader { return strings.NewReader(s) }

// TestScenarios runs every scenario: each expectation of its lines holds.
func TestScenarios(t *testing.T) {
	for _, path := range scenarioFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var store events.Store
			result, err := simulate.Run(t.Context(), setup(&store), open(t, path))
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range result.Unmet {
				t.Error(u)
			}
			log := all(t, store)
			if first := log[0]; first.Stream != events.StoreStream || first.Type != "StoreSimulated" || !first.RecordedAt.Equal(result.From) {
				t.Errorf("the first event is %s in %s at %v, want StoreSimulated in store at %v", first.Type, first.Stream, first.RecordedAt, result.From)
			}
			if got := len(log) - 1 - result.Watched; got != result.Recorded {
				t.Errorf("the log holds %d events of lines, want %d", got, result.Recorded)
			}
		})
	}
}

const opened = `{"case":"MK-2026-0900","type":"CaseOpened","recordedAt":"2026-01-12T09:00:00+01:00","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},"data":{"subject":"s-1","name":"Nobody","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}`

// action is a line of the prison's, with fields put in beside its data.
func action(eventType, recordedAt, fields, data string) string {
	return `{"case":"MK-2026-0900","type":"` + eventType + `","recordedAt":"` + recordedAt +
		`","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"}` + fields + `,"data":` + data + "}\n"
}

// TestReadRefuses: bad input is refused before anything is stored, with the line and the field named.
func TestReadRefuses(t *testing.T) {
	informed := `{"notice":"n","language":"mk","interpreter":false}`
	tests := []struct{ name, text, want string }{
		{"no JSON", "hello\n", "f.ndjson:1: expected"},
		{"no recordedAt", strings.Replace(opened, `"recordedAt":"2026-01-12T09:00:00+01:00",`, "", 1) + "}\n", "f.ndjson:1: recordedAt: expected an instant"},
		{"another spelling", strings.Replace(opened, `"recordedAt"`, `"RecordedAt"`, 1) + "}\n", "recordedAt: expected an instant"},
		{"unknown field", opened + `,"labels":"x"}` + "\n", "f.ndjson:1: labels: expected only known fields"},
		{"twice the same field", opened + `,"label":"x","label":"y"}` + "\n", "label: expected each field once"},
		{"an impossible date", strings.Replace(opened, "1990-01-01", "1990-02-30", 1) + "}\n", "data.dateOfBirth: expected a date"},
		{"an unknown expectation", opened + `,"expect":"accepted"}` + "\n", "expect: expected one of refused"},
		{"because without expect", opened + `,"because":["HR03"]}` + "\n", `because: expected "expect":"refused" beside it`},
		{"because of nothing", opened + `,"expect":"refused","because":[]}` + "\n", "because: expected one reason at least"},
		{"because of an unknown safeguard", opened + `,"expect":"refused","because":["HR30"]}` + "\n", "because[0]: expected HR01 to HR29"},
		{"because of one thing twice", opened + `,"expect":"refused","because":["HR03","HR03"]}` + "\n", "because[1]: expected each reason once"},
		{"more after the object", opened + "} {}\n", "f.ndjson:1: expected the end of the input"},
		{"back in time", opened + "}\n\n" + action("SubjectInformed", "2026-01-12T08:59:59+01:00", "", informed), "f.ndjson:3: recordedAt: expected an instant that is not before"},
		{"a label twice", opened + `,"label":"x"}` + "\n" + action("SubjectInformed", "2026-01-12T09:00:00+01:00", `,"label":"x"`, informed), "f.ndjson:2: label: expected a label that no line above has"},
		{"a label with @", opened + `,"label":"@x"}` + "\n", "label: expected the label without its @"},
		{"a label of a later line", opened + "}\n" + action("EntryAnnulled", "2026-01-12T09:00:00+01:00", `,"label":"x"`, `{"target":"@x","reason":"r"}`), "f.ndjson:2: data.target: expected the label of a line above"},
		{"nothing", "\n \n", "f.ndjson:1: expected action records"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := simulate.Read("some/where/f.ndjson", stringsReader(tt.text))
			var bad *simulate.InputError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestLabelsAndIDs: an id comes from the file's name and the line's number, blank lines included, unless the line
// names one; labels stand for either wherever they may.
func TestLabelsAndIDs(t *testing.T) {
	const chosen = "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"
	at := func(minute string) string { return "2026-01-12T10:" + minute + ":00+01:00" }
	text := "\n" + opened + `,"label":"opened"}` + "\n" +
		action("NotificationSent", at("00"), `,"label":"sent","id":"`+chosen+`","causationId":"@opened","purpose":"pre-release-planning","legalBasis":"execution-law"`,
			`{"notification":"n-1","subject":"planned-release","recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter"}`) +
		action("EntryCorrected", at("01"), `,"label":"corr"`, `{"target":"@opened","replacement":{"subject":"s-1","name":"@opened","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"},"reason":"@sent"}`) +
		action("NotificationSent", at("02"), `,"purpose":"data-protection","legalBasis":"accountability"`,
			`{"notification":"n-2","subject":"correction","recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter","about":"@sent"}`) +
		`{"case":"MK-2026-0900","type":"ReviewOpened","recordedAt":"2026-01-12T11:00:00+01:00","actor":{"officer":"o","role":"ombudsman","institution":"mk-ombudsman"},"data":{"review":"rv-1","scope":"all"}}` + "\n" +
		`{"case":"MK-2026-0900","type":"FindingRecorded","recordedAt":"2026-01-12T11:01:00+01:00","actor":{"officer":"o","role":"ombudsman","institution":"mk-ombudsman"},"data":{"review":"rv-1","finding":"f-1","safeguard":"HR01","severity":"high","events":["@opened","@corr"],"recommendation":"r"}}`
	var store events.Store
	result, err := simulate.Run(t.Context(), setup(&store), read(t, "dir/f.ndjson", text))
	if err != nil || !result.OK() {
		t.Fatal(result, err)
	}
	log := all(t, store)[1:]
	openedID, corrID := events.DeriveID("f.ndjson:2"), events.DeriveID("f.ndjson:4")
	sent, corr, about, finding := log[1], log[2].Data.(*events.EntryCorrected), log[3].Data.(*events.NotificationSent), log[5].Data.(*events.FindingRecorded)
	switch {
	case log[0].ID != openedID, sent.ID.String() != chosen, log[2].ID != corrID:
		t.Errorf("ids %v, %v, %v", log[0].ID, sent.ID, log[2].ID)
	case sent.CausationID != openedID, corr.Target != openedID, string(about.About) != chosen:
		t.Errorf("references %v, %v, %v", sent.CausationID, corr.Target, about.About)
	case len(finding.Events) != 2 || finding.Events[0] != openedID || finding.Events[1] != corrID:
		t.Errorf("events %v", finding.Events)
	case corr.Reason != "@sent" || !strings.Contains(string(corr.Replacement), `"name":"@opened"`):
		t.Error("a label was put where it has no meaning")
	}
}

// TestUnmetExpectations: each is named by file and line, with what was expected and what came.
func TestUnmetExpectations(t *testing.T) {
	informed := `{"notice":"n","language":"mk","interpreter":false}`
	text := opened + "}\n" +
		action("SubjectInformed", "2026-01-12T10:00:00+01:00", `,"expect":"refused","because":["conflict"]`, informed) +
		action("MedicalExaminationOffered", "2026-01-12T10:01:00+01:00", "", `{"accepted":true}`) +
		action("MedicalExaminationOffered", "2026-01-12T10:02:00+01:00", `,"expect":"refused","because":["conflict"]`, `{"accepted":true}`) +
		action("MedicalExaminationOffered", "2026-01-12T10:03:00+01:00", `,"expect":"refused"`, `{"accepted":"yes"}`) +
		action("MedicalExaminationOffered", "2026-01-12T10:04:00+01:00", `,"expect":"refused","because":["not-allowed"]`, `{"accepted":true}`)
	var store events.Store
	result, err := simulate.Run(t.Context(), setup(&store), read(t, "f.ndjson", text))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"f.ndjson:2: expected a refusal because of conflict, got that it was recorded",
		"f.ndjson:3: expected that it is recorded, got a refusal because of not-allowed (actor.role: ",
		"f.ndjson:4: expected a refusal because of conflict, got a refusal because of not-allowed (actor.role: ",
	}
	if len(result.Unmet) != len(want) {
		t.Fatalf("unmet: %v", result.Unmet)
	}
	for i, u := range result.Unmet {
		if !strings.HasPrefix(u.String(), want[i]) {
			t.Errorf("got %q, want %q", u, want[i])
		}
	}
	if result.Recorded != 2 || result.Refused != 4 {
		t.Errorf("%d recorded, %d refused, want 2 and 4", result.Recorded, result.Refused)
	}
}

// TestFreshStoreOnly: simulated times never mix with others.
func TestFreshStoreOnly(t *testing.T) {
	var store events.Store
	s := read(t, "f.ndjson", opened+"}\n")
	if _, err := simulate.Run(t.Context(), setup(&store), s); err != nil {
		t.Fatal(err)
	}
	before := len(all(t, store))
	if _, err := simulate.Run(t.Context(), setup(&store), s); !errors.Is(err, simulate.ErrNotEmpty) {
		t.Errorf("a second run into the same store: %v, want ErrNotEmpty", err)
	}
	if after := len(all(t, store)); after != before {
		t.Errorf("%d events after the refused run, want %d", after, before)
	}
}

// TestFilesRunAsOne: the lines of several files are merged by the instant of recording, and labels stay apart.
func TestFilesRunAsOne(t *testing.T) {
	var store events.Store
	var scenarios []*simulate.Scenario
	lines := 0
	for _, path := range scenarioFiles(t) {
		s := open(t, path)
		lines += s.Len()
		scenarios = append(scenarios, s)
	}
	done := 0
	set := setup(&store)
	set.Progress = func(n, all int) {
		if done++; n != done || all != lines {
			t.Fatalf("progress %d of %d, want %d of %d", n, all, done, lines)
		}
	}
	result, err := simulate.Run(t.Context(), set, scenarios...)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range result.Unmet {
		t.Error(u)
	}
	if done != lines {
		t.Errorf("%d lines done, want %d", done, lines)
	}
	if _, err := simulate.Run(t.Context(), setup(new(events.Store)), scenarios[0], scenarios[0]); !errors.As(err, new(*simulate.InputError)) {
		t.Errorf("one file twice: %v, want an InputError", err)
	}
}

// TestErasureBySystem: traga's own record of an erasure is accepted in a simulation, once it was requested.
func TestErasureBySystem(t *testing.T) {
	erased := func(at, fields string) string {
		return `{"case":"MK-2026-0900","type":"PersonalDataErased","recordedAt":"` + at + `","actor":{"officer":"vault","role":"system","institution":"traga"}` + fields + `,"data":{"erasure":"er-1","keys":3}}` + "\n"
	}
	text := opened + "}\n" + erased("2026-02-02T09:00:00+01:00", `,"expect":"refused","because":["conflict"]`) +
		`{"case":"MK-2026-0900","type":"ErasureRequested","recordedAt":"2026-02-02T10:00:00+01:00","actor":{"officer":"v.trajkovska","role":"directorate","institution":"mk-des"},"data":{"erasure":"er-1","approvers":["v.trajkovska","m.other"],"grounds":"entered for the wrong person"}}` + "\n" +
		erased("2026-02-02T11:00:00+01:00", "")
	var store events.Store
	result, err := simulate.Run(t.Context(), setup(&store), read(t, "f.ndjson", text))
	if err != nil || !result.OK() {
		t.Fatal(result, err)
	}
}
