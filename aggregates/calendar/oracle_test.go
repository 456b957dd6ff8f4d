package calendar

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/events"
)

// testdata/holidays_2025_2030.tsv is drawn from an independent public source. Every place where this package
// says something else is listed here with its reason; a difference that is not listed fails the test, and so does
// an entry that nothing matches any more.

// A difference is written as one line:
//
//	MK 2026-05-27 only oracle [islamic] Курбан Бајрам
//	XK 2029-04-10 working
//
// "only oracle" and "only ours" name a holiday on a date (~ moved from a weekend, ? estimated); "working" and "off"
// are dates on which the two disagree about institutions working, taking the oracle's public days and the weekend.
type difference struct {
	pattern string // of the whole line
	count   int
	reason  string
}

var differences = []difference{
	// Days that free individuals, not institutions.
	{`MK \S+ only oracle \[(orthodox|catholic|islamic|hebrew)\] .*`, 60, "days of faiths free believers, not institutions (Law on holidays, 21/98, 18/07)"},
	{`MK \S+ only oracle \[(albanian|bosnian|roma|serbian|turkish|vlach)\] .*`, 36, "days of communities free their members, not institutions (Law on holidays, 21/98, 18/07)"},
	{`ME \S+ only oracle \[(orthodox|catholic|islamic|hebrew)\] .*`, 126, "days of faiths free believers, not institutions (Law on the celebration of religious holidays, 56/93)"},

	// Montenegro: Njegoš Day.
	{`ME \d+-11-14 only ours Njegošev dan`, 6, "two days since the amendments of 2023 (3/23, 30/23); announced so by the ministry in 2023, 2024 and 2025"},
	{`ME (2025|2028|2029|2030)-11-14 off`, 4, "the second day of Njegoš Day"},
	{`ME 2027-11-15 only ours ~Njegošev dan`, 1, "its second day is a Sunday (art. 3)"},
	{`ME 2027-11-15 off`, 1, "its second day is a Sunday (art. 3)"},

	// Albania: decrees.
	{`AL (2025-01-03|2025-12-26) only ours Ditë pushimi`, 2, "day off for the state administration by decision of the Council of Ministers"},
	{`AL (2025-01-03|2025-12-26) off`, 2, "the same"},

	// Federation of Bosnia and Herzegovina: a two-day holiday whose second day is a Sunday.
	{`BA-BIH 2028-01-03 only ours ~Nova godina`, 1, "either of the two days being a Sunday makes the day after them off (Law on holidays, SFRJ 6/73; so announced for 3 January 2022 and 3 May 2021)"},
	{`BA-BIH 2028-01-03 off`, 1, "the same"},
	{`BA-BIH 2027-05-03 only ours ~Međunarodni praznik rada`, 1, "the same; it is Orthodox Easter Monday too"},

	// The Bayrams of 2025, which the oracle has on the same days as estimates in some countries.
	{`(BA-...|XK) 2025-\S+ only oracle ~?\?(Ramazanski Bajram|Kurban Bajram|Bajrami i (Madh|Vogël), dita e parë)`, 13, "these Bayrams are past and were kept on these days"},
	{`(BA-...|XK) 2025-\S+ only ours ~?(Ramazanski Bajram|Kurban Bajram|Bajrami i (Madh|Vogël), dita e parë)`, 13, "the same"},

	// Kosovo*.
	{`XK \S+ only oracle ~?Dita e (Pavarësisë|Kushtetutës) së Republikës së Kosovës`, 15, "the name is shortened, to be neutral on status"},
	{`XK \S+ only ours ~?Dita e (Pavarësisë|Kushtetutës)`, 15, "the same"},
	{`XK 2027-05-0[34] only (oracle|ours) ~(Pashkët Ortodokse|Dita Ndërkombëtare e Punës)`, 4, "the Monday is that of Easter (Law 03/L-064, art. 2.1 k), so 1 May, a Saturday, takes Tuesday; both are off either way"},
	{`XK 2029-04-09 only ours ~Pashkët Ortodokse`, 1, "Easter Monday is the holiday, whatever else falls on it: in the official calendar of 2018 it shared 9 April with Constitution Day"},
	{`XK 2029-04-10 only oracle ~Pashkët Ortodokse`, 1, "the same"},
	{`XK 2029-04-10 working`, 1, "the same"},
}

func TestOracle(t *testing.T) {
	found := compare(t)
	matched := make([]int, len(differences))
	for _, line := range found {
		known := false
		for i, d := range differences {
			if regexp.MustCompile("^" + d.pattern + "$").MatchString(line) {
				if known {
					t.Errorf("listed twice: %s", line)
				}
				known = true
				matched[i]++
			}
		}
		if !known {
			t.Errorf("not listed: %s", line)
		}
	}
	for i, d := range differences {
		if matched[i] != d.count {
			t.Errorf("stale: %s matches %d times, not %d", d.pattern, matched[i], d.count)
		}
		if d.reason == "" {
			t.Errorf("no reason: %s", d.pattern)
		}
	}
}

// oracleLanguage is the language of the names in the file.
var oracleLanguage = map[string]string{"AL": "sq", "BA": "bs", "XK": "sq", "ME": "bs", "MK": "mk", "RS": "sr"}

// marks are what the file appends to a name that is estimated, moved from a weekend, or both.
var marks = map[string]string{
	"e vlerësuar": "?", "procijenjeno": "?", "проценето": "?",
	"ditë pushimi e shtyrë": "~", "slobodan dan": "~", "neradni dan": "~", "неработен ден": "~", "слободан дан": "~",
	"ditë pushimi e shtyrë, e vlerësuar": "~?",
}

// compare lists the differences.
func compare(t *testing.T) []string {
	raw, err := os.ReadFile("testdata/holidays_2025_2030.tsv")
	if err != nil {
		t.Fatal(err)
	}
	type day struct {
		calendar string
		date     events.Date
	}
	oracle := map[day][]string{}
	public := map[day]bool{}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != 955 {
		t.Fatalf("%d lines: the oracle is not whole", len(lines))
	}
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		name := f[2]
		if f[3] != "" {
			name += "-" + f[3]
		}
		key := day{name, date(t, f[0])}
		if got := key.date.Weekday().String()[:3]; got != f[1] {
			t.Fatalf("%s is a %s, not %s", f[0], got, f[1])
		}
		for _, n := range strings.Split(f[5], "; ") {
			mark := ""
			for suffix, m := range marks {
				if rest, ok := strings.CutSuffix(n, " ("+suffix+")"); ok {
					n, mark = rest, m
				}
			}
			if f[4] == "public" {
				public[key] = true
				oracle[key] = append(oracle[key], mark+n)
			} else {
				oracle[key] = append(oracle[key], fmt.Sprintf("[%s] %s%s", f[4], mark, n))
			}
		}
	}

	var out []string
	for _, name := range all {
		c := calendarOf(t, name)
		for d := events.DateOf(2025, time.January, 1); d <= events.DateOf(2030, time.December, 31); d++ {
			key := day{name, d}
			var ours []string
			for _, h := range c.Day(d).Holidays {
				mark := ""
				if h.Reason == Substitute {
					mark = "~"
				}
				if h.Estimated {
					mark += "?"
				}
				ours = append(ours, mark+h.Names[oracleLanguage[name[:2]]])
			}
			for _, n := range oracle[key] {
				if !slices.Contains(ours, n) {
					out = append(out, fmt.Sprintf("%s %s only oracle %s", name, d, n))
				}
			}
			for _, n := range ours {
				if !slices.Contains(oracle[key], n) {
					out = append(out, fmt.Sprintf("%s %s only ours %s", name, d, n))
				}
			}
			if theirs := weekday(d) && !public[key]; theirs != c.IsWorkingDay(d) {
				out = append(out, fmt.Sprintf("%s %s %s", name, d, map[bool]string{true: "working", false: "off"}[c.IsWorkingDay(d)]))
			}
		}
	}
	return out
}
