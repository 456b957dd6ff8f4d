package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

// lists that answer what a test wants.
type fakeLists struct {
	overdue []obligations.Alert
	err     error
}

func (f fakeLists) Alerts(_ context.Context, q obligations.Query) ([]obligations.Alert, string, error) {
	if q.State == protocol.Overdue {
		return f.overdue, "", f.err
	}
	return nil, "", f.err
}
func (f fakeLists) Loads(context.Context, *projections.Selection, events.AsOf, time.Time) ([]obligations.Load, error) {
	return nil, nil
}
func (f fakeLists) LastEntry(context.Context, *projections.Selection) (time.Time, error) {
	return time.Time{}, nil
}
func (f fakeLists) Cases(context.Context, status.Query) ([]status.Case, string, error) {
	return nil, "", f.err
}
func (f fakeLists) OpenCases(context.Context, *projections.Selection, events.Jurisdiction, events.AsOf) (int, error) {
	return 0, nil
}
func (f fakeLists) Clock(_ context.Context, asOf events.AsOf, now time.Time) (time.Time, error) {
	return asOf.Clock(now, now), nil
}

type deaf struct{}

func (deaf) RecordInternal(context.Context, *record.Action, record.Condition) (record.Receipt, error) {
	return record.Receipt{}, nil
}

// open is a desk that lets everyone see every list.
type open struct{ desk }

func (open) List(context.Context, string, consult.Reason) (*consult.List, error) {
	return consult.New(consult.Config{Recorder: deaf{}}).List(auth.WithIdentity(context.Background(), auth.Owner()), "", consult.Reason{})
}

func serve(t *testing.T, l lists, address string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	var logged bytes.Buffer
	mux, now := http.NewServeMux(), time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC)
	s := &site{log: memstore.New(func() time.Time { return now }), lists: l, desk: open{}, clock: func() time.Time { return now },
		book:   func(context.Context) (*protocol.Book, error) { return protocol.NewBook(), nil },
		logger: slog.New(slog.NewTextHandler(&logged, nil))}
	s.register(mux)
	r := httptest.NewRecorder()
	mux.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))
	return r, logged.String()
}

// TestFaultsAreToldWithoutTheirInside: what went wrong is logged for those who run traga; a reader is told what it
// means, and no more.
func TestFaultsAreToldWithoutTheirInside(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		logged bool
	}{
		{fmt.Errorf("read: %w", projections.ErrNotBuilt), http.StatusServiceUnavailable, false},
		{fmt.Errorf("read: %w", events.ErrUnavailable), http.StatusServiceUnavailable, false},
		{status.ErrCursor, http.StatusBadRequest, false},
		{errors.New("secret inside"), http.StatusInternalServerError, true},
	} {
		r, logged := serve(t, fakeLists{err: c.err}, "/cases")
		if r.Code != c.status || strings.Contains(logged, "secret inside") != c.logged {
			t.Errorf("%v: status %d, logged %q", c.err, r.Code, logged)
		}
		if strings.Contains(r.Body.String(), "secret") || !strings.Contains(r.Body.String(), "<h1>") {
			t.Errorf("%v: the page is %s", c.err, r.Body)
		}
	}
}

// TestTheMostUrgentInstitutionComesFirst: an institution stands where its most urgent duty stands.
func TestTheMostUrgentInstitutionComesFirst(t *testing.T) {
	alert := func(holder events.Institution, severity protocol.Severity) obligations.Alert {
		a := obligations.Alert{Case: "MK-2026-0001", Obligation: "acknowledge/n-1", Rule: "acknowledge", Jurisdiction: "MK", Due: "2026-03-02", State: protocol.Overdue, Severity: severity}
		if holder != "" {
			a.DutyHolder = &holder
		}
		return a
	}
	r, _ := serve(t, fakeLists{overdue: []obligations.Alert{alert("mk-b", protocol.Critical), alert("mk-a", protocol.High), alert("", protocol.High), alert("mk-b", protocol.Medium)}}, "/")
	heads := regexp.MustCompile(`<h3>([^<]*)</h3>`).FindAllStringSubmatch(r.Body.String(), -1)
	var got []string
	for _, h := range heads {
		got = append(got, h[1])
	}
	if want := []string{"mk-b", "mk-a", "No institution has this duty yet"}; !slices.Equal(got, want) {
		t.Errorf("institutions in the order %q, want %q", got, want)
	}
}

func TestThePointInTime(t *testing.T) {
	zone := protocol.NewBook().Zone("MK")
	for s, want := range map[string]string{
		"2026-03-02T10:15":          "2026-03-02T09:15:00Z",
		"2026-07-02T10:15:30":       "2026-07-02T08:15:30Z",
		"2026-03-02":                "2026-03-02T22:59:59.999999Z",
		"2026-10-25":                "2026-10-25T22:59:59.999999Z", // the long day
		"2026-03-02T10:15:00+05:00": "2026-03-02T05:15:00Z",
	} {
		a, err := parseAt(s, zone)
		if got := a.Instant.UTC().Format(time.RFC3339Nano); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", s, got, err, want)
		}
	}
	if a, err := parseAt("1042", zone); err != nil || a.Position != events.At(1042) {
		t.Errorf("1042 is %v (%v)", a, err)
	}
	for _, s := range []string{"yesterday", "2026-02-30", "2026-13-01T00:00", "02/03/2026", "-1"} {
		if a, err := parseAt(s, zone); err == nil {
			t.Errorf("%q is taken for %v", s, a)
		}
	}
}

// TestNamesInSentences: ids of institutions and duties and dates are put in words, and nothing else is touched.
func TestNamesInSentences(t *testing.T) {
	known := names{"mk-csw-skopje": {Names: map[string]string{"en": "Centre for Social Work Skopje"}}, "xk-x": {Names: map[string]string{"sq": "Shërbimi Korrektues i Kosovës"}},
		"xk-y": {Names: map[string]string{"en": "Kosovo* Police"}}}
	p := &page{rules: protocol.NewBook(), zone: protocol.NewBook().Zone("MK"), Clock: time.Now(), title: map[events.Jurisdiction]map[string]string{},
		texts: catalogueFor("en"), words: timeline.WordsFor("en")}
	for s, want := range map[string]string{
		"mk-csw-skopje (centre) was told on 2026-03-02.": "Centre for Social Work Skopje (centre) was told on 2 Mar 2026.",
		"xk-x told xk-y.":                                  "Shërbimi Korrektues i Kosovës* told Kosovo* Police.",
		"mk-csw-skopje-2 and screening remain":             "mk-csw-skopje-2 and screening remain",
		"the obligation renotify/mk-csw-skopje is overdue": "the obligation “Changed date told to those who had been told (Centre for Social Work Skopje)” is overdue",
	} {
		if got := p.sentence(s, "MK", known); got != want {
			t.Errorf("%q reads\n %q, want\n %q", s, got, want)
		}
	}
}

var place = regexp.MustCompile(`\{[^}]*\}`)

// TestCatalogues: every message that a page asks for is there in English, every other language has the same messages with
// the same places, and none is left that nobody asks for.
func TestCatalogues(t *testing.T) {
	english := map[string]string{}
	for i, c := range catalogues() {
		b, err := messageFiles.ReadFile("messages/" + c.Language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(b))
		keys := map[string]bool{}
		for token, err := d.Token(); err == nil; token, err = d.Token() {
			if key, ok := token.(string); ok {
				if keys[key] {
					t.Errorf("%s: %s is there twice", c.Language, key)
				}
				keys[key] = true
				_, _ = d.Token()
			}
		}
		if i == 0 {
			english = c.texts
			continue
		}
		for key, s := range c.texts {
			if _, ok := english[key]; !ok {
				t.Errorf("%s: %s is not in English", c.Language, key)
			}
			if got, want := places(s), places(english[key]); !slices.Equal(got, want) && key != "date" {
				t.Errorf("%s: %s has the places %v, in English %v", c.Language, key, got, want)
			}
		}
		for key := range english {
			if c.texts[key] == "" && !strings.HasSuffix(key, ".1") {
				t.Errorf("%s lacks %s", c.Language, key)
			}
		}
	}
	var source strings.Builder
	for _, dir := range []string{".", "templates"} {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !f.IsDir() && !strings.HasSuffix(f.Name(), "_test.go") {
				b, err := os.ReadFile(dir + "/" + f.Name())
				if err != nil {
					t.Fatal(err)
				}
				source.Write(b)
			}
		}
	}
	asked := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:\.T |\.T\(|message: )"([a-z0-9.-]+)"`).FindAllStringSubmatch(source.String(), -1) {
		asked[m[1]] = true
		if _, ok := english[m[1]]; !ok && m[1] != "month." && m[1] != "month.long." {
			t.Errorf("a page asks for %q, which English lacks", m[1])
		}
	}
	lists := regexp.MustCompile(`\.Word[ (]"([a-z-]+)"`).FindAllStringSubmatch(source.String(), -1)
	for key := range english {
		list, _, _ := strings.Cut(key, ".")
		worded := slices.ContainsFunc(lists, func(m []string) bool { return m[1] == list })
		if base := strings.TrimSuffix(strings.TrimSuffix(key, ".1"), ".title"); !asked[key] && !asked[base] && !worded && list != "month" {
			t.Errorf("nobody asks for %s", key)
		}
	}
}

func places(s string) []string {
	found := place.FindAllString(s, -1)
	slices.Sort(found)
	return found
}

// TestThePictureHoldsEverything: from 2 to 15 institutions and 1 to 60 shares, every share has its row and every
// recipient an arrow that points at it, no word leaves the picture, and no row runs into another.
func TestThePictureHoldsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &page{texts: catalogueFor("en"), words: timeline.WordsFor("en"), zone: protocol.NewBook().Zone("RS")}
		var picture timeline.Picture
		lanes := rapid.IntRange(2, 15).Draw(t, "lanes")
		for i := range lanes {
			picture.Lanes = append(picture.Lanes, timeline.Lane{Institution: events.Institution(fmt.Sprintf("rs-a-rather-long-name of an institution %d", i)), Roles: []events.Role{events.CSW}})
		}
		at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
		acts := rapid.IntRange(1, 60).Draw(t, "acts")
		want := map[int][]timeline.Arrow{}
		for n := range acts {
			at = at.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "hours")) * time.Hour)
			from, some := rapid.IntRange(0, lanes-1).Draw(t, "from"), rapid.IntRange(1, 12).Draw(t, "categories")
			a := timeline.Arrow{Event: uuid.New(), At: at, From: from, Categories: events.Categories()[:some], Late: rapid.Bool().Draw(t, "late")}
			if rapid.Bool().Draw(t, "fails") {
				a.Failing, a.RecalledAt = []string{"HR03", "HR05"}, &at
			}
			for range rapid.IntRange(1, 4).Draw(t, "recipients") {
				a.To = rapid.IntRange(0, lanes-1).Draw(t, "to")
				picture.Arrows = append(picture.Arrows, a)
				want[n] = append(want[n], a)
			}
		}
		d := p.draw(picture, names{})
		if len(d.Rows) != acts {
			t.Fatalf("%d rows for %d acts", len(d.Rows), acts)
		}
		bottom := 0
		for n, r := range d.Rows {
			for _, a := range want[n] {
				x := d.Columns[a.To].X
				if a.To != a.From && !slices.ContainsFunc(r.Tips, func(t tip) bool { return t.X == x }) || a.To == a.From && !r.Loops {
					t.Fatalf("row %d has no arrow to %d", n+1, a.To)
				}
			}
			if r.Y-22 < bottom || r.Y+10 > d.Height {
				t.Fatalf("row %d at %d runs into what ends at %d, height %d", n+1, r.Y, bottom, d.Height)
			}
			for _, y := range d.Heads {
				if r.Y+18 > y && r.Y-22 < y+headSize-8 && r.Y > y {
					t.Fatalf("row %d at %d lies on the names at %d", n+1, r.Y, y)
				}
			}
			bottom = r.Y + 10
			if r.Marks != "" {
				bottom = r.MarksY() + 4
			}
			half := int(float64(max(utf8.RuneCountInString(r.Label), utf8.RuneCountInString(r.Marks))) * charWidth / 2)
			if r.LabelX-half < gutter-40 || r.LabelX+half > d.Width+40 {
				t.Fatalf("row %d: its words reach from %d to %d of %d", n+1, r.LabelX-half, r.LabelX+half, d.Width)
			}
		}
		for _, c := range d.Columns {
			for _, line := range c.Lines {
				if utf8.RuneCountInString(line) > c.Plate() {
					t.Fatalf("the name %q does not fit", line)
				}
			}
			if len(c.Lines) > 3 || c.X+c.Width/2 > d.Width {
				t.Fatalf("a column leaves the picture: %+v", c)
			}
		}
	})
}
