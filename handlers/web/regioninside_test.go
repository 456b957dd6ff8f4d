package web

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	"traga.internal/projections/regional"
	"traga.internal/projections/timeline"
)

// fakeRegion is a comparison that says what a test wants.
type fakeRegion struct {
	cells []regional.Cell // of the one rule; the other jurisdictions are as the first
	tools []regional.Tool
	title string
	err   error
}

func (f fakeRegion) Matrix(_ context.Context, _ *protocol.Book, q regional.Query) (regional.Comparison, error) {
	m := regional.Comparison{}
	rule := regional.Rule{Rule: "r", Title: f.title, Total: regional.Performance{Suppressed: true}}
	for i, j := range events.Jurisdictions() {
		c := f.cells[min(i, len(f.cells)-1)]
		if c.Jurisdiction = j; q.Jurisdiction == "" || q.Jurisdiction == j {
			m.Jurisdictions = append(m.Jurisdictions, regional.Jurisdiction{Code: j, Protocol: regional.Protocol{Version: c.Version, Source: c.Source, Default: true}})
			c.ByPeriod = slices.DeleteFunc(slices.Clone(c.ByPeriod), func(f regional.PeriodPerformance) bool {
				return strings.Contains(f.Period, "Q") != (q.Period == regional.Quarters)
			})
			rule.Cells = append(rule.Cells, c)
		}
	}
	m.Rules = append(m.Rules, rule)
	return m, f.err
}

func (f fakeRegion) Tools(context.Context, regional.Query) ([]regional.Tool, error) {
	return f.tools, f.err
}

func serveRegion(t *testing.T, f fakeRegion, address string) (int, string) {
	t.Helper()
	mux, now := http.NewServeMux(), time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC)
	s := &site{log: memstore.New(func() time.Time { return now }), lists: fakeLists{}, desk: open{}, compared: f, clock: func() time.Time { return now },
		book:   func(context.Context) (*protocol.Book, error) { return protocol.NewBook(), nil },
		logger: slog.New(slog.NewTextHandler(new(bytes.Buffer), nil))}
	s.register(mux)
	r := httptest.NewRecorder()
	mux.ServeHTTP(r, httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))
	return r.Code, r.Body.String()
}

// TestWhatIsSuppressedIsNeverWritten gives the page figures that are marked as suppressed: whatever else they hold, no
// figure comes out, in no view.
func TestWhatIsSuppressedIsNeverWritten(t *testing.T) {
	n, share := 8642, 0.8642
	hidden := regional.Performance{Due: &n, Met: &n, MetLate: &n, Missed: &n, Overdue: &n, ShareMet: &share, ShareMetLate: &share,
		ShareMissed: &share, MedianLeadDays: &share, Waived: &n, Cancelled: &n, Suppressed: true}
	cell := regional.Cell{InForce: true, Duty: "csw", Period: "30 days before release", Severity: "high", Performance: hidden}
	for _, period := range []string{"2026", "2026-Q1", "2026-Q2"} {
		cell.ByPeriod = append(cell.ByPeriod, regional.PeriodPerformance{Period: period, Performance: hidden})
	}
	former := cell
	former.InForce = false
	tool := regional.Tool{Tool: "T", Version: "x", Kind: "assessment", Jurisdiction: "MK", Uses: &n, Contested: &n, TrainedOfficers: &n, UntrainedOfficers: &n,
		HoldTraining: &n, TrainingRecorded: true, Suppressed: true, Outcomes: regional.Outcomes{Upheld: &n, Changed: &n, Dismissed: &n, Open: &n}}
	for _, query := range []string{"", "?period=2026", "?jurisdiction=MK", "?jurisdiction=MK&period=2026", "?rules=differ", "?lang=sr-Cyrl"} {
		code, body := serveRegion(t, fakeRegion{cells: []regional.Cell{cell, former, cell}, tools: []regional.Tool{tool}, title: "R"}, "/region"+query)
		if code != http.StatusOK || strings.Contains(body, "86") || strings.Contains(body, "<svg class=\"parts\"") {
			t.Errorf("/region%s: status %d, and of what is not to be shown: %s", query, code, regexp.MustCompile(`.{0,60}86.{0,60}`).FindString(body))
		}
		if !strings.Contains(body, `class="few"`) {
			t.Errorf("/region%s does not say that there are too few", query)
		}
	}
}

// TestWhatProtocolsSayIsNeverMarkup: titles, sources, periods, parties and the names of tools are whatever somebody
// published or recorded.
func TestWhatProtocolsSayIsNeverMarkup(t *testing.T) {
	const evil = `"><script>alert(1)</script><b onclick='x'>'`
	toward := events.Role(evil)
	plain := regional.Cell{InForce: true, Duty: "csw", Period: "30 days before release", Severity: "high", Version: evil}
	other := regional.Cell{InForce: true, Duty: evil, Toward: &toward, Period: evil, Severity: evil, Source: evil, Version: evil}
	uses := 7
	tool := regional.Tool{Tool: evil, Version: evil, Kind: evil, Jurisdiction: "XK", Uses: &uses}
	for _, query := range []string{"", "?jurisdiction=AL", "?jurisdiction=BA&lang=sq"} {
		code, body := serveRegion(t, fakeRegion{cells: []regional.Cell{other, plain}, tools: []regional.Tool{tool}, title: evil}, "/region"+query)
		if code != http.StatusOK || strings.Contains(body, "<script>alert") || strings.Contains(body, "<b onclick") {
			t.Errorf("/region%s: status %d, markup came in", query, code)
		}
		if n := strings.Count(body, "&lt;script&gt;alert(1)"); n < 6 {
			t.Errorf("/region%s: the words stand there %d times as words", query, n)
		}
	}
}

// TestDifferences: what most protocols ask stands with the rule, what one asks otherwise in its column, and the rule
// is marked; the view of that one says both.
func TestDifferences(t *testing.T) {
	usual := regional.Cell{InForce: true, Duty: "csw", Period: "30 days before release", Severity: "high", Source: regional.DefaultSource}
	own := usual
	own.Period, own.Source = "20 working days before release", "Official Gazette 7"
	absent := regional.Cell{Performance: regional.Performance{Suppressed: true}}
	f := fakeRegion{cells: []regional.Cell{own, absent, usual}, title: "R"}
	for query, want := range map[string][]string{
		"":                              {"1 of 1 rules differ", "30 days before release", "≠</span> By when: 20 working days before release", "Source: <span lang=\"en\">Official Gazette 7", "not in force"},
		"?jurisdiction=AL":              {"1 of 1 rules differ here", "Most others: 30 days before release", "20 working days before release"},
		"?jurisdiction=BA":              {"Not in force here. Most others: 30 days before release"},
		"?jurisdiction=RS":              {"0 of 1 rules differ here", "30 days before release"},
		"?lang=sr-Latn":                 {"30 dana pre otpusta", "20 radnih dana pre otpusta"},
		"?rules=differ":                 {"By when:"},
		"?jurisdiction=RS&rules=differ": {"No rule differs here"},
	} {
		code, body := serveRegion(t, f, "/region"+query)
		body = regexp.MustCompile(`\s+`).ReplaceAllString(body, " ")
		for _, w := range want {
			if code != http.StatusOK || !strings.Contains(body, w) {
				t.Errorf("/region%s: status %d, it does not say %q", query, code, w)
			}
		}
	}
	if _, body := serveRegion(t, f, "/region?jurisdiction=RS"); strings.Contains(body, "Most others:") || strings.Contains(body, "20 working") {
		t.Error("what others ask stands where nothing differs")
	}
}

// TestPeriodsStandInTheirColumns: the one in focus has all time, its years and the total, or a year and its quarters; a
// year of all six stands alone.
func TestPeriodsStandInTheirColumns(t *testing.T) {
	of := func(due int) regional.Performance {
		share, none := 1.0, 0.0
		return regional.Performance{Due: &due, Met: &due, ShareMet: &share, ShareMetLate: &none, ShareMissed: &none}
	}
	cell := regional.Cell{InForce: true, Duty: "csw", Period: "30 days before release", Severity: "high", Performance: of(30)}
	for i, period := range []string{"2025", "2026", "2026-Q1", "2026-Q2", "2026-Q4"} {
		cell.ByPeriod = append(cell.ByPeriod, regional.PeriodPerformance{Period: period, Performance: of(11 + i)})
	}
	for query, want := range map[string][]string{
		"":                             {"30", "30", "30", "30", "30", "30", "few"},
		"?period=2026":                 {"12", "12", "12", "12", "12", "12"},
		"?period=2027":                 nil, // told once for all
		"?jurisdiction=ME":             {"30", "11", "12", "few"},
		"?jurisdiction=ME&period=2026": {"12", "13", "14", "few", "15"},
	} {
		_, body := serveRegion(t, fakeRegion{cells: []regional.Cell{cell}, title: "R"}, "/region"+query)
		table := body[strings.Index(body, "<tbody"):strings.Index(body, "</table>")]
		var got []string
		for _, m := range regexp.MustCompile(`>(\d+) of \d+<|"few">(too few)`).FindAllStringSubmatch(table, -1) {
			if got = append(got, m[1]); m[1] == "" {
				got[len(got)-1] = "few"
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("/region%s shows %q, want %q", query, got, want)
		}
	}
}

// TestRegionFaults: the page has the same words for faults as the others.
func TestRegionFaults(t *testing.T) {
	code, body := serveRegion(t, fakeRegion{cells: make([]regional.Cell, 1), err: fmt.Errorf("read: %w", projections.ErrNotBuilt)}, "/region")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "Not ready yet") {
		t.Errorf("status %d: %s", code, body)
	}
}

// TestEveryShippedPeriodIsTold: what the shipped protocols ask, by when and of whom, has words in every language.
func TestEveryShippedPeriodIsTold(t *testing.T) {
	store := memstore.New(time.Now)
	t.Cleanup(func() { _ = store.Close() })
	book := protocol.NewBook()
	e, err := projections.Open(t.Context(), t.TempDir(), store, book, []projections.Projection{obligations.Projection()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	if err := e.CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	m, err := regional.Matrix(t.Context(), e, book, regional.Query{Now: time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC)})
	if err != nil || len(m.Rules) < 30 {
		t.Fatal(len(m.Rules), err)
	}
	for _, c := range catalogues() {
		p := &page{texts: c, words: timeline.WordsFor(c.Language)}
		for _, r := range m.Rules {
			for _, cell := range r.Cells {
				if !cell.InForce {
					continue
				}
				for _, s := range []string{string(p.Period(cell.Period)), string(p.Party(cell.Duty))} {
					if strings.Contains(s, "<span") || strings.Contains(s, "{") || c.Language != "en" && strings.Contains(s, "release") {
						t.Errorf("%s: %s in %s reads %q", c.Language, r.Rule, cell.Jurisdiction, s)
					}
				}
			}
		}
	}
}

func TestPeriodsInWords(t *testing.T) {
	for _, c := range []struct{ lang, period, want string }{
		{"en", "1 working day after person released", "1 working day after the release"},
		{"en", "30 days, 90 days and 365 days after person released", "30 days, 90 days and 365 days after the release"},
		{"en", "10 working days after information requested; 2 working days after information requested if urgency is urgent",
			"10 working days after the request; 2 working days after the request if the request is urgent"},
		{"sr-Latn", "3 working days before release", "3 radna dana pre otpusta"},
		{"sr-Latn", "21 months before release", "21 mesec pre otpusta"},
		{"sr-Latn", "12 months before release", "12 meseci pre otpusta"},
		{"sr-Cyrl", "72 hours after data breach recorded", "72 сата после повреде података"},
		{"bs", "4 years before release", "4 godine prije otpusta"},
		{"sq", "21 days before release", "21 ditë para lirimit"},
		{"mk", "11 months before release", "11 месеци пред отпустот"},
		{"en", "3 days after the moon & sun", `<span lang="en">3 days after the moon &amp; sun</span>`},
		{"mk", "3 days before release if <something>", `<span lang="en">3 days before release if &lt;something&gt;</span>`},
		{"en", "", `<span lang="en"></span>`},
	} {
		p := &page{texts: catalogueFor(c.lang), words: timeline.WordsFor(c.lang)}
		if got := string(p.Period(c.period)); got != c.want {
			t.Errorf("%s: %q reads %q, want %q", c.lang, c.period, got, c.want)
		}
	}
}

// TestSharesAreNotRoundedToAllOrNothing: 100% means all, and 0% none.
func TestSharesAreNotRoundedToAllOrNothing(t *testing.T) {
	p := &page{texts: catalogueFor("en")}
	for share, want := range map[float64]string{0: "0%", 0.0049: "under 1%", 0.005: "1%", 0.335: "34%", 0.9949: "99%", 0.9951: "over 99%", 1: "100%"} {
		if got := p.percent(share); got != want {
			t.Errorf("%v is %q, want %q", share, got, want)
		}
	}
	for days, want := range map[float64]string{0: "on the day", 1: "1 day early", 6.5: "6.5 days early", -2: "2 days late"} {
		if got := p.lead(days); got != want {
			t.Errorf("%v is %q, want %q", days, got, want)
		}
	}
	if got := (&page{texts: catalogueFor("sr-Latn")}).lead(6.5); got != "6,5 dana ranije" {
		t.Error(got)
	}
}
