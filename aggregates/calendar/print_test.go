package calendar

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func TestPrintedYear(t *testing.T) {
	for _, x := range []struct{ calendar, lang string }{
		{"AL", "en"}, {"BA-BIH", "en"}, {"BA-SRP", "en"}, {"BA-BRC", "en"}, {"XK", "en"}, {"ME", "en"}, {"MK", "en"}, {"RS", "en"},
		{"AL", "sq"}, {"BA-BIH", "bs"}, {"BA-SRP", "sr"}, {"XK", "sq"}, {"ME", "bs"}, {"MK", "mk"}, {"RS", "sr-Latn"},
	} {
		var b strings.Builder
		if err := calendarOf(t, x.calendar).Print(&b, 2026, x.lang); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "2026-"+x.calendar+"."+x.lang+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s differs:\n%s", file, b.String())
		}
	}
}

func TestKosovoHasItsAsteriskAndFootnote(t *testing.T) {
	for lang := range languages() {
		var b strings.Builder
		if err := calendarOf(t, "XK").Print(&b, 2026, lang); err != nil {
			t.Fatal(err)
		}
		text, ok := strings.CutSuffix(b.String(), "\n\n"+Footnote+"\n")
		if !ok || strings.Count(text, "Kosov") != 1 || !strings.HasPrefix(text, "Kosovo* 2026\n") {
			t.Errorf("%s:\n%s", lang, b.String())
		}
	}
	var b strings.Builder
	if err := calendarOf(t, "RS").Print(&b, 2026, "en"); err != nil || strings.Contains(b.String(), "*") {
		t.Errorf("%v: the footnote does not belong in\n%s", err, b.String())
	}
}

func TestPrintSaysWhatItDoesNotKnow(t *testing.T) {
	printed := func(year int, lang string) string {
		var b strings.Builder
		if err := calendarOf(t, "MK").WithDecrees(Decree{Date: date(t, "2026-10-19"), Act: "Decision 44-1"}).Print(&b, year, lang); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, lang := range []string{"en", "mk", "sq", "sr-Latn", "sr", "bs"} {
		for year, covered := range map[int]bool{2017: false, 2018: true, 2035: true, 2036: false, 2300: false} {
			if strings.Contains(printed(year, lang), "2018–2035") == covered {
				t.Errorf("%d in %s:\n%s", year, lang, printed(year, lang))
			}
		}
		if strings.Contains(printed(2026, lang), "%!") {
			t.Error(lang)
		}
	}
	if !strings.Contains(printed(2026, "en"), "2026-10-19  Monday     Decreed day off                               decreed: Decision 44-1\n") {
		t.Error(printed(2026, "en"))
	}
	if got := strings.Contains(printed(2025, "en"), "stands until"); got {
		t.Error("2025 has nothing estimated")
	}
	// An unknown language is English. A known one that has no names for these days has those of the jurisdiction.
	if printed(2026, "fr") != printed(2026, "en") {
		t.Error(printed(2026, "fr"))
	}
	if got := printed(2026, "bs"); !strings.HasPrefix(got, "Sjeverna Makedonija 2026\n") || !strings.Contains(got, "Нова Година") {
		t.Error(got)
	}
	r, w := io.Pipe()
	r.Close()
	if err := calendarOf(t, "MK").Print(w, 2026, "en"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a failed write: %v", err)
	}
}
