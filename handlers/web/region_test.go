package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"traga.internal/events"
	"traga.internal/projections/regional"
)

// TestTheRegionSaysWhatWasMeasured reads the page of a caseload cell by cell: a figure that is shown is the one that was
// measured, in the column of its jurisdiction or period, and a cell that is suppressed holds no digit.
func TestTheRegionSaysWhatWasMeasured(t *testing.T) {
	w := caseloadWorld(t, 30)
	ask := func(q regional.Query) regional.Comparison {
		q.Now = today
		m, err := regional.Matrix(t.Context(), w.engine, nil, q)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	years, quarters := ask(regional.Query{}), ask(regional.Query{Period: regional.Quarters, Jurisdiction: "RS"})
	rs := 0
	for i, j := range years.Jurisdictions {
		if j.Code == "RS" {
			rs = i
		}
	}
	in := func(c regional.Cell, period string) regional.Performance {
		for _, p := range c.ByPeriod {
			if p.Period == period {
				return p.Performance
			}
		}
		t.Fatalf("no figures of %s", period)
		return regional.Performance{}
	}
	shown, hidden := 0, 0
	for address, want := range map[string]func(n int, r regional.Rule) []regional.Performance{
		"/region": func(_ int, r regional.Rule) (list []regional.Performance) {
			for _, c := range r.Cells {
				list = append(list, c.Performance)
			}
			return append(list, r.Total)
		},
		"/region?period=2026": func(_ int, r regional.Rule) (list []regional.Performance) {
			for _, c := range r.Cells {
				list = append(list, in(c, "2026"))
			}
			return list
		},
		"/region?jurisdiction=RS": func(_ int, r regional.Rule) (list []regional.Performance) {
			c := r.Cells[rs]
			list = append(list, c.Performance)
			for _, y := range c.ByPeriod {
				list = append(list, y.Performance)
			}
			return append(list, r.Total)
		},
		"/region?jurisdiction=RS&period=2026": func(n int, r regional.Rule) (list []regional.Performance) {
			list = append(list, in(r.Cells[rs], "2026"))
			for q := range 4 {
				list = append(list, in(quarters.Rules[n].Cells[0], fmt.Sprintf("2026-Q%d", q+1)))
			}
			return list
		},
	} {
		doc := w.page(t, address, http.StatusOK)
		rows := matrixRows(doc)
		if len(rows) != len(years.Rules) {
			t.Fatalf("%s: %d rules, want %d", address, len(rows), len(years.Rules))
		}
		for n, r := range years.Rules {
			figures, cells := want(n, r), rows[n]
			if len(cells) == 1 && len(figures) > 1 { // one cell says it for all
				for _, f := range figures {
					if !f.Suppressed {
						t.Errorf("%s: %s is told as too few throughout", address, r.Rule)
					}
				}
				cells = nil
			} else if len(cells) != len(figures) {
				t.Fatalf("%s: %s has %d cells, want %d", address, r.Rule, len(cells), len(figures))
			}
			for i, cell := range cells {
				said := words(cell)
				if figures[i].Suppressed {
					hidden++
					if digits.MatchString(said) || !strings.Contains(said, "too few to show") && !strings.Contains(said, "not in force") {
						t.Errorf("%s: %s, cell %d is suppressed and says %q", address, r.Rule, i, said)
					}
					continue
				}
				shown++
				if of := fmt.Sprintf("%d of %d", *figures[i].Met, *figures[i].Due); !strings.Contains(said, of) {
					t.Errorf("%s: %s, cell %d says %q, want %s", address, r.Rule, i, said, of)
				}
			}
		}
	}
	if shown < 50 || hidden < 50 {
		t.Errorf("%d cells with figures and %d without: too few of one kind to have shown anything", shown, hidden)
	}
}

// TestTheShippedProtocolsDiffer: the two particularities of the shipped protocols are said where they are.
func TestTheShippedProtocolsDiffer(t *testing.T) {
	w := caseloadWorld(t, 6)
	text := spaces.ReplaceAllString(words(w.page(t, "/region?rules=differ", http.StatusOK)), " ")
	for _, want := range []string{"≠ Who: municipality", "≠ Towards: municipality", "∅ not in force"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "Screening done") {
		t.Error("a rule that is the same everywhere is among those that differ")
	}
}

// TestTheRegionInThePast: what is asked as known before anything was recorded has no figures, and a link back to now.
func TestTheRegionInThePast(t *testing.T) {
	w := caseloadWorld(t, 6)
	doc := w.page(t, "/region?at=2020-01-01", http.StatusOK)
	for _, cells := range matrixRows(doc) {
		for _, c := range cells {
			if digits.MatchString(words(c)) {
				t.Errorf("a figure from before anything was recorded: %q", words(c))
			}
		}
	}
	if text := words(doc); !strings.Contains(text, "You are looking at the past") || !strings.Contains(text, "No use of a tool is on record.") {
		t.Error("the page does not say that it shows the past, in which no tool was used")
	}
	if text := words(w.page(t, "/region?period=1999", http.StatusOK)); !strings.Contains(text, "For 1999 there is nothing to show.") {
		t.Error("a year without figures is not told")
	}
	for _, j := range events.Jurisdictions() {
		w.page(t, "/region?jurisdiction="+string(j), http.StatusOK)
	}
}

var (
	digits = regexp.MustCompile(`\d`)
	spaces = regexp.MustCompile(`\s+`)
)

// matrixRows are the cells of each rule of the page, in order.
func matrixRows(doc *html.Node) (rows [][]*html.Node) {
	for n := range doc.Descendants() {
		if class, _ := attribute(n, "class"); n.Data != "table" || class != "matrix" {
			continue
		}
		for d := range n.Descendants() {
			switch {
			case d.Type != html.ElementNode:
			case d.Data == "tbody":
				rows = append(rows, nil)
			case d.Data == "td":
				rows[len(rows)-1] = append(rows[len(rows)-1], d)
			}
		}
	}
	return rows
}
