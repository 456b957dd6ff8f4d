package calendar

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// What Day says where several things meet on one date.
func TestDaysOnWhichThingsMeet(t *testing.T) {
	const act = "Law 03/L-064 on official holidays"
	constitution := names("en", "Constitution Day", "sq", "Dita e Kushtetutës", "sr-Latn", "Dan ustava")
	easter := names("en", "Orthodox Easter", "sq", "Pashkët Ortodokse", "sr-Latn", "Pravoslavni Uskrs")
	if got, want := calendarOf(t, "XK").Day(date(t, "2018-04-09")), (Day{
		Date: date(t, "2018-04-09"), Reason: PublicHoliday, Source: act, Substitute: true, MovedFrom: date(t, "2018-04-08"),
		Names: names("en", "Constitution Day; Orthodox Easter", "sq", "Dita e Kushtetutës; Pashkët Ortodokse", "sr-Latn", "Dan ustava; Pravoslavni Uskrs"),
		Holidays: []Holiday{
			{Names: constitution, Reason: PublicHoliday, Source: act},
			{Names: easter, Reason: Substitute, MovedFrom: date(t, "2018-04-08"), Source: act},
		}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	// A plain substitute.
	if got, want := calendarOf(t, "XK").Day(date(t, "2018-04-02")), (Day{
		Date: date(t, "2018-04-02"), Reason: Substitute, Source: act, Substitute: true, MovedFrom: date(t, "2018-04-01"),
		Names: names("en", "Catholic Easter", "sq", "Pashkët Katolike", "sr-Latn", "Katolički Uskrs"),
		Holidays: []Holiday{{Names: names("en", "Catholic Easter", "sq", "Pashkët Katolike", "sr-Latn", "Katolički Uskrs"),
			Reason: Substitute, MovedFrom: date(t, "2018-04-01"), Source: act}},
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}

	for _, x := range []struct {
		calendar, day, names string
		reason               Reason
		estimated            bool
		source               string
	}{
		{"AL", "2033-01-02", "New Year; Ramadan Bayram", PublicHoliday, true, "Law 7651/1992 on official holidays"},
		{"AL", "2033-01-03", "New Year", Substitute, false, "Law 7651/1992 on official holidays"},
		{"AL", "2033-01-04", "New Year; Ramadan Bayram", Substitute, true, "Law 7651/1992 on official holidays"},
		{"BA-BIH", "2027-05-03", "Orthodox Easter Monday; International Workers' Day", PublicHoliday, false, "observed in the Federation; Law on holidays (SFRJ 6/73), applied as federal law"},
		{"BA-BIH", "2028-01-03", "New Year", Substitute, false, "Law on holidays (SFRJ 6/73), applied as federal law"},
		{"RS", "2027-05-02", "Easter; Labour Day", PublicHoliday, false, "Law on state and other holidays (43/01, 101/07, 92/11), art. 2; Law on state and other holidays (43/01, 101/07, 92/11), art. 1-1a, 3a"},
		{"RS", "2027-05-04", "Labour Day", Substitute, false, "Law on state and other holidays (43/01, 101/07, 92/11), art. 1-1a, 3a"},
		{"ME", "2022-11-13", "Njegoš Day", PublicHoliday, false, "Law on state and other holidays (27/07, 36/13, 145/21, 3/23, 30/23)"},
		{"ME", "2021-11-13", "", Weekend, false, ""},
		{"MK", "2024-04-24", "Election Day", Decreed, false, "decision of the Government"},
	} {
		got := calendarOf(t, x.calendar).Day(date(t, x.day))
		if got.Names["en"] != x.names || got.Reason != x.reason || got.Estimated != x.estimated || got.Source != x.source {
			t.Errorf("%s %s: %+v", x.calendar, x.day, got)
		}
	}

	// A decree that only gives a Macedonian name must not hide the holiday's other names, nor they it.
	c := calendarOf(t, "MK").WithDecrees(Decree{Date: date(t, "2026-09-08"), Names: names("mk", "Ден"), Act: "Decision 1"})
	if got := c.Day(date(t, "2026-09-08")); !reflect.DeepEqual(got.Names, names("en", "Independence Day; Ден", "mk", "Ден на независноста; Ден")) ||
		got.Source != "Law on holidays (21/98, 18/07); Decision 1" || got.Reason != PublicHoliday {
		t.Errorf("%+v", got)
	}
	// The same name twice is said once.
	c = calendarOf(t, "MK").WithDecrees(Decree{Date: date(t, "2026-09-08"), Names: names("en", "Independence Day", "mk", "Ден на независноста")})
	if got := c.Day(date(t, "2026-09-08")).Names["en"]; got != "Independence Day" {
		t.Error(got)
	}
}

// A confirmed Bayram names the act that fixed it, and is not listed as a decreed day beside.
func TestAConfirmedBayramNamesItsAct(t *testing.T) {
	c := calendarOf(t, "BA-BIH").WithDecrees(Decree{Date: date(t, "2029-02-15"), Confirms: RamadanBayram, Act: "Decision 7"})
	for _, d := range []string{"2029-02-15", "2029-02-16"} {
		day := c.Day(date(t, d))
		if day.Names["en"] != "Ramadan Bayram" || day.Estimated || day.Source != "observed in the Federation; Decision 7" || len(day.Holidays) != 1 || day.Reason != PublicHoliday {
			t.Errorf("%+v", day)
		}
	}
	// Where the feast is not kept, the decree is a day of its own.
	day := calendarOf(t, "ME").WithDecrees(Decree{Date: date(t, "2029-02-14"), Confirms: RamadanBayram, Act: "Decision 7"}).Day(date(t, "2029-02-14"))
	if day.Reason != Decreed || day.Source != "Decision 7" || day.Names["en"] != "Decreed day off" {
		t.Errorf("%+v", day)
	}
}

func TestNamesFallBack(t *testing.T) {
	d := calendarOf(t, "MK").Day(date(t, "2026-08-02"))
	for _, x := range []struct {
		lang     string
		fallback []string
		want     string
	}{
		{"sq", nil, "Dita e Republikës"}, {"bs", []string{"xx", "mk"}, "Ден на Републиката"}, {"bs", nil, "Republic Day"},
	} {
		if got := d.Name(x.lang, x.fallback...); got != x.want {
			t.Errorf("%s: %s", x.lang, got)
		}
	}
	if (Day{}).Name("en") != "" {
		t.Error("a plain day has no name")
	}
	if got := anyName(map[string]string{"sq": "B", "mk": "A", "bs": "C"}); got != "A" {
		t.Errorf("%s: the choice must not depend on the order of a map", got)
	}
}

// Whatever else is asked for is an error that names what was expected.
func TestAnyOtherNameIsRefused(t *testing.T) {
	known := strings.Fields("AL/ BA/ BA/BA-BIH BA/BA-SRP BA/BA-BRC XK/ ME/ MK/ RS/")
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.OneOf(rapid.SampledFrom([]string{"", "AL", "BA", "XK", "BA-BIH", "BA-BRC", "MK", "RS", "/"}), rapid.String())
		j, sub := part.Draw(t, "jurisdiction"), part.Draw(t, "subdivision")
		c, err := For(j, sub)
		isKnown := false
		for _, k := range known {
			isKnown = isKnown || k == j+"/"+sub
		}
		if isKnown != (err == nil) || isKnown != (c != nil) {
			t.Fatalf("For(%q, %q): %v", j, sub, err)
		}
		if err != nil {
			u, ok := err.(*UnknownError)
			if !ok || u.Jurisdiction != j || (u.Subdivision != "" && u.Subdivision != sub) {
				t.Fatalf("%v", err)
			}
		}
	})
}

func TestACalendarIsSharedBetweenGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	got := make([]*Calendar, 8)
	for i := range got {
		wg.Go(func() {
			got[i], _ = For("AL", "")
			got[i].WithDecrees(Decree{Date: date(t, "2026-10-19")})
			got[i].Day(date(t, "2026-11-28")).Names["en"] = "x"
			got[i].AddWorkingDays(date(t, "2026-11-28"), 100)
		})
	}
	wg.Wait()
	for _, c := range got {
		if c != got[0] {
			t.Error("For made another calendar")
		}
	}
}
