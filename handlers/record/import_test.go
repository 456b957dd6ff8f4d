package record_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/directory"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/record"
)

const lastYear = `"occurredAt":"2025-05-05T10:00:00+02:00",`

// pastFile is a file about so many cases, each opened and sent so many notices.
func pastFile(cases, notices int) string {
	var b strings.Builder
	for c := range cases {
		number := fmt.Sprintf("MK-2025-%04d", c)
		b.WriteString(pastLine(opening(number)))
		for n := range notices {
			b.WriteString(pastLine(notice(number, fmt.Sprintf("n-%d", n))))
		}
	}
	return b.String()
}

func pastLine(text string) string {
	return strings.Join(strings.Fields(strings.Replace(text, `"type"`, lastYear+`"type"`, 1)), "") + "\n"
}

func importer(s events.Store) *record.Recorder {
	return record.New(s, protocol.NewBook(), record.WithClock(atNoon))
}

func TestAFileIsImportedOnceHoweverOften(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store := open(t, atNoon)
			text := pastFile(5, 150)
			var mu sync.Mutex
			var last record.ImportProgress
			options := record.ImportOptions{Source: "past.ndjson", Progress: func(p record.ImportProgress) { mu.Lock(); last = p; mu.Unlock() }}
			dry := options
			dry.DryRun = true
			want := record.ImportResult{Lines: 755, Recorded: 755, Cases: 5}
			if got, err := importer(store).Import(t.Context(), strings.NewReader(text), dry); err != nil || got != want || length(t, store) != 0 {
				t.Fatalf("dry run: %+v, %v, %d stored", got, err, length(t, store))
			}
			if got, err := importer(store).Import(t.Context(), strings.NewReader(text), options); err != nil || got != want || length(t, store) != 755 {
				t.Fatalf("%+v, %v, %d stored", got, err, length(t, store))
			}
			if want := (record.ImportProgress{Recording: true, Done: 755, Total: 755}); last != want {
				t.Errorf("the last progress was %+v", last)
			}
			// Blank lines, a byte order mark and other line ends change nothing, and neither does layout.
			laidOut := "\ufeff\n" + strings.ReplaceAll(strings.ReplaceAll(text, "\n", "\r\n\r\n"), `,"type"`, ` , "type"`)
			repeated := record.ImportResult{Lines: 755, Repeated: 755, Cases: 5}
			if got, err := importer(store).Import(t.Context(), strings.NewReader(laidOut), options); err != nil || got != repeated || length(t, store) != 755 {
				t.Errorf("again: %+v, %v, %d stored", got, err, length(t, store))
			}
			more := text + pastLine(notice("MK-2025-0001", "n-new"))
			if got, err := importer(store).Import(t.Context(), strings.NewReader(more), options); err != nil || got.Recorded != 1 || got.Repeated != 755 {
				t.Errorf("with one more line: %+v, %v", got, err)
			}
			for c := range 5 {
				all := stored(t, store, events.CaseStream(fmt.Sprintf("MK-2025-%04d", c)))
				for n, e := range all[1:] {
					if id := e.Data.(*events.NotificationSent).Notification; c != 1 && id != events.ID(fmt.Sprintf("n-%d", n)) || !e.AfterTheFact || e.OccurredAt.Year() != 2025 {
						t.Fatalf("line %d of case %d is %s, %+v", n, c, id, e)
					}
				}
			}
		})
	}
}

func TestNothingOfAFileWithABadLineIsRecorded(t *testing.T) {
	good := pastFile(2, 2)
	unlawful := pastLine(`{"case":"MK-2025-0000","type":"InformationDisclosed",` + prison + `,"data":{"disclosure":"d-1","recipient":{"institution":"mk-ngo","role":"civil-society"},"categories":["health"],"clinical":true,"justification":"j","summary":"x"}}`)
	for name, c := range map[string]struct{ line, want string }{
		"not JSON":              {"{\n", `past.ndjson:7: (invalid): expected a complete JSON object, got input that ends too early`},
		"an unknown field":      {strings.Replace(pastLine(support("MK-2025-0000", "s", "")), `"type"`, `"Type"`, 1), "past.ndjson:7: (invalid): Type: expected the name spelt type, got another spelling"},
		"an unknown type":       {strings.Replace(pastLine(support("MK-2025-0000", "s", "")), "SupportProvided", "supportProvided", 1), "past.ndjson:7: (invalid): type: expected the type spelt SupportProvided, got the unknown type supportProvided"},
		"without its date":      {support("MK-2025-0000", "s", "") + "\n", "past.ndjson:7: (invalid): occurredAt: expected when it happened, such as 2026-03-02T10:15:00+01:00: an import holds past actions, got nothing"},
		"a wrong role":          {pastLine(`{"case":"MK-2025-0000","type":"MedicalExaminationOffered",` + csw + `,"data":{"accepted":true}}`), "past.ndjson:7: (not-allowed): actor.role"},
		"traga's role":          {pastLine(`{"case":"MK-2025-0000","type":"ObligationOverdue",` + traga + `,"data":{"obligation":"screening","rule":"screening","due":"2026-03-01"}}`), "past.ndjson:7: (not-allowed): actor.role"},
		"an unknown reference":  {pastLine(`{"case":"MK-2025-0000","type":"NotificationAcknowledged",` + csw + `,"data":{"notification":"n-9"}}`), "past.ndjson:7: (conflict): data.notification"},
		"a reference below it":  {pastLine(`{"case":"MK-2025-0000","type":"NotificationAcknowledged",`+csw+`,"data":{"notification":"n-9"}}`) + pastLine(notice("MK-2025-0000", "n-9")), "past.ndjson:7: (conflict): data.notification"},
		"an id used above":      {pastLine(strings.Replace(notice("MK-2025-0000", "n-1"), "letter", "system", 1)), "past.ndjson:7: (conflict): data.notification"},
		"a case never opened":   {pastLine(support("MK-2025-0009", "s", "")), "past.ndjson:7: (conflict): case"},
		"an id of another case": {pastLine(support("MK-2025-0000", "s", `"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02",`)) + pastLine(support("MK-2025-0001", "s", `"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02",`)), "past.ndjson:8: (conflict): id"},
		"an id already stored":  {pastLine(support("MK-2025-0000", "s", `"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1aee",`)), "past.ndjson:7: (conflict): id"},
		"a line too long":       {`{"case":"` + strings.Repeat("x", record.MaxAction) + "\"}\n", "past.ndjson:7: (invalid): expected a line of at most 1048576 bytes, got a longer one"},
	} {
		t.Run(name, func(t *testing.T) {
			for which, wrap := range map[string]func(*memstore.Store) events.Store{
				"a store that looks ids up": func(s *memstore.Store) events.Store { return s },
				"one that does not":         func(s *memstore.Store) events.Store { return &faultyStore{Store: s} },
			} {
				inner := memstore.New(atNoon)
				store := wrap(inner)
				r := importer(store)
				must(t, r, opening("MK-2020-0001"))
				must(t, r, support("MK-2020-0001", "s", `"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1aee",`))
				_, err := r.Import(t.Context(), strings.NewReader(good+c.line+unlawful), record.ImportOptions{Source: "past.ndjson"})
				var bad *record.ImportError
				if !errors.As(err, &bad) || !errors.Is(err, casefile.ErrRefused) || bad.Total != 1 || len(bad.Problems) != 1 {
					t.Fatalf("%s: %v", which, err)
				}
				if !strings.HasPrefix(err.Error(), c.want) || !strings.HasSuffix(err.Error(), "nothing of the file was recorded") {
					t.Errorf("%s: %v", which, err)
				}
				if length(t, store) != 2 {
					t.Errorf("%s: %d events are stored", which, length(t, store)-2)
				}
			}
		})
	}
	// What was unlawful is recorded all the same: it happened.
	store := memstore.New(atNoon)
	if got, err := importer(store).Import(t.Context(), strings.NewReader(good+unlawful), record.ImportOptions{}); err != nil || got.Recorded != 7 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOfManyBadLinesTheFirstAreNamedAndAllCounted(t *testing.T) {
	_, err := importer(memstore.New(atNoon)).Import(t.Context(), strings.NewReader(strings.Repeat("{}\n", 250)), record.ImportOptions{})
	var bad *record.ImportError
	if !errors.As(err, &bad) || bad.Total != 250 || len(bad.Problems) != 100 || bad.Problems[99].Line != 100 || !strings.Contains(err.Error(), "input:1: ") || !strings.Contains(err.Error(), "and 150 more\n") {
		t.Errorf("%v", err)
	}
}

// A whole life of a case, as the scenarios tell it, is a file of past actions too.
func TestAScenarioWithoutItsRefusedLinesCanBeImported(t *testing.T) {
	text, err := os.ReadFile("testdata/scenarios/06-refusal-and-appeal.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"refused"`) {
			continue
		}
		line = strings.Replace(line, `"recordedAt"`, `"occurredAt"`, 1)
		if i := strings.Index(line, `, "label"`); i > 0 {
			line = line[:i] + "}\n"
		}
		file.WriteString(line)
	}
	store := memstore.New(nil)
	r := record.New(store, protocol.NewBook())
	got, err := r.Import(t.Context(), strings.NewReader(file.String()), record.ImportOptions{})
	if err != nil || got.Recorded != 16 || got.Cases != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// When others write to a case between the look and the recording, its lines are decided on anew.
func TestAnImportGivesWayToOtherWriters(t *testing.T) {
	inner := memstore.New(atNoon)
	other := importer(inner)
	must(t, other, opening("MK-2025-0000"))
	text := pastLine(support("MK-2025-0000", "a", "")) + pastLine(support("MK-2025-0000", "b", ""))
	store := &meddledStore{Store: inner, meddle: func() { must(t, other, support("MK-2025-0000", "between", "")) }}
	got, err := importer(store).Import(t.Context(), strings.NewReader(text), record.ImportOptions{})
	if err != nil || got.Recorded != 2 || length(t, inner) != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	store = &meddledStore{Store: inner, meddle: func() {
		must(t, other, `{"case":"MK-2025-0000","type":"CaseClosed","occurredAt":"2025-01-01T10:00:00+01:00",`+csw+`,"data":{"reason":"r"}}`)
	}}
	_, err = importer(store).Import(t.Context(), strings.NewReader(pastLine(support("MK-2025-0000", "c", ""))), record.ImportOptions{Source: "p"})
	if got := because(t, err); got != "conflict case" || !strings.Contains(err.Error(), "line 1") || length(t, inner) != 5 {
		t.Errorf("%v", err)
	}
}

func TestAnInterruptedImportIsFinishedByImportingAgain(t *testing.T) {
	inner := memstore.New(atNoon)
	text := pastFile(3, 200)
	failing := &countdownStore{Store: inner, left: 4}
	got, err := importer(failing).Import(t.Context(), strings.NewReader(text), record.ImportOptions{})
	if !errors.Is(err, events.ErrFull) || errors.Is(err, casefile.ErrRefused) || uint64(got.Recorded) != length(t, inner) || got.Recorded == 0 {
		t.Fatalf("%+v, %v, %d stored", got, err, length(t, inner))
	}
	again, err := importer(inner).Import(t.Context(), strings.NewReader(text), record.ImportOptions{})
	if err != nil || again.Recorded+again.Repeated != 603 || again.Repeated != got.Recorded || length(t, inner) != 603 {
		t.Errorf("%+v, %v, %d stored", again, err, length(t, inner))
	}
}

func TestTroubleWhileReadingTheFileIsNoShortFile(t *testing.T) {
	store := memstore.New(atNoon)
	trouble := errors.New("the disk is gone")
	if _, err := importer(store).Import(t.Context(), iotest.ErrReader(trouble), record.ImportOptions{}); !errors.Is(err, trouble) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := importer(store).Import(ctx, strings.NewReader(pastFile(2, 300)), record.ImportOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if length(t, store) != 0 {
		t.Error("something was stored")
	}
}

// meddledStore lets someone else write just before the first append.
type meddledStore struct {
	events.Store
	once   sync.Once
	meddle func()
}

func (s *meddledStore) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	s.once.Do(s.meddle)
	return s.Store.Append(ctx, stream, expected, proposed...)
}

// countdownStore is full after so many appends.
type countdownStore struct {
	events.Store
	mu   sync.Mutex
	left int
}

func (s *countdownStore) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 {
		return events.Appended{}, events.ErrFull
	}
	s.left--
	return s.Store.Append(ctx, stream, expected, proposed...)
}

// A register that is taken over may come in any order: what it says counts by when it happened.
func TestADirectoryIsImportedInWhateverOrder(t *testing.T) {
	store := memstore.New(atNoon)
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	line := func(on, kind, data string) string {
		return `{"jurisdiction":"MK","type":"` + kind + `","occurredAt":"` + on + `T09:00:00+01:00",` + directorate + `,"data":` + data + "}\n"
	}
	registered := func(id, role string) string {
		return `{"institution":"` + id + `","name":{"en":"x"},"role":["` + role + `"],"place":"Skopje"}`
	}
	file := line("2025-03-01", "OfficerRevoked", `{"officer":"gone"}`) +
		line("2024-03-01", "OfficerAppointed", `{"officer":"gone","institution":"mk-csw","role":"csw"}`) +
		line("2025-03-01", "OfficerAppointed", `{"officer":"stays","institution":"mk-csw","role":"csw"}`) +
		line("2024-03-01", "OfficerAppointed", `{"officer":"stays","institution":"mk-court","role":"court"}`) +
		line("2023-03-01", "InstitutionRegistered", registered("mk-csw", "csw")) +
		line("2023-03-01", "InstitutionRegistered", registered("mk-des", "directorate"))
	result, err := r.Import(t.Context(), strings.NewReader(file), record.ImportOptions{})
	if err != nil || result.Recorded != 6 {
		t.Fatalf("%+v, %v", result, err)
	}
	d := directory.Fold(stored(t, store, "directory-MK"))
	if gone, _ := d.Officer("gone"); gone.Stands || !gone.Revoked {
		t.Errorf("%+v", gone)
	}
	if stays, _ := d.Officer("stays"); !stays.Stands || stays.Institution != "mk-csw" {
		t.Errorf("%+v", stays)
	}
	// What is done now must fit it, and another's directorate may not even report.
	_, err = r.Record(t.Context(), action(t, `{"jurisdiction":"MK","type":"OfficerAppointed",`+directorate+`,"data":{"officer":"new","institution":"mk-csw","role":"police"}}`), record.AnyRevision)
	if got := because(t, err); got != "conflict data.role" {
		t.Error(got)
	}
	_, err = r.Import(t.Context(), strings.NewReader(strings.ReplaceAll(line("2024-05-01", "OfficerRevoked", `{"officer":"stays"}`), "mk-des", "rs-des")), record.ImportOptions{})
	var bad *record.ImportError
	if !errors.As(err, &bad) || len(bad.Problems) != 1 || bad.Problems[0].Refusal.Field != "actor.institution" {
		t.Errorf("%v", err)
	}
}
