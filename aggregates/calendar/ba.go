package calendar

import "time"

// Bosnia and Herzegovina has no state law on holidays: each of its parts has its own.
//
// In all three the days of the faiths are kept in practice by institutions too, while the laws found give believers
// a right to absence. They count here as days off, as in the public sources against which this is tested.

var (
	baNewYear         = names("en", "New Year", "bs", "Nova godina", "sr-Latn", "Nova godina", "sr", "Нова година")
	baLabour          = names("en", "International Workers' Day", "bs", "Međunarodni praznik rada", "sr-Latn", "Međunarodni praznik rada", "sr", "Међународни празник рада")
	baOrthodoxEve     = names("en", "Orthodox Christmas Eve", "bs", "Badnji dan (Pravoslavni)", "sr-Latn", "Badnji dan (pravoslavni)", "sr", "Бадњи дан (православни)")
	baOrthodoxXmas    = names("en", "Orthodox Christmas", "bs", "Božić (Pravoslavni)", "sr-Latn", "Božić (pravoslavni)", "sr", "Божић (православни)")
	baOrthodoxNewYear = names("en", "Orthodox New Year", "bs", "Pravoslavna Nova godina", "sr-Latn", "Pravoslavna Nova godina", "sr", "Православна Нова година")
	baOrthodoxFriday  = names("en", "Orthodox Good Friday", "bs", "Veliki petak (Pravoslavni)", "sr-Latn", "Veliki petak (pravoslavni)", "sr", "Велики петак (православни)")
	baOrthodoxEaster  = names("en", "Orthodox Easter", "bs", "Vaskrs (Pravoslavni)", "sr-Latn", "Vaskrs (pravoslavni)", "sr", "Васкрс (православни)")
	baOrthodoxMonday  = names("en", "Orthodox Easter Monday", "bs", "Uskrsni ponedjeljak (Pravoslavni)", "sr-Latn", "Vaskrsni ponedjeljak (pravoslavni)", "sr", "Васкрсни понедјељак (православни)")
	baCatholicFriday  = names("en", "Catholic Good Friday", "bs", "Veliki petak (Katolički)", "sr-Latn", "Veliki petak (katolički)", "sr", "Велики петак (католички)")
	baCatholicEaster  = names("en", "Catholic Easter", "bs", "Uskrs (Katolički)", "sr-Latn", "Uskrs (katolički)", "sr", "Ускрс (католички)")
	baCatholicMonday  = names("en", "Catholic Easter Monday", "bs", "Uskrsni ponedjeljak (Katolički)", "sr-Latn", "Uskrsni ponedjeljak (katolički)", "sr", "Ускрсни понедјељак (католички)")
	baCatholicEve     = names("en", "Catholic Christmas Eve", "bs", "Badnji dan (Katolički)", "sr-Latn", "Badnji dan (katolički)", "sr", "Бадњи дан (католички)")
	baCatholicXmas    = names("en", "Catholic Christmas", "bs", "Božić (Katolički)", "sr-Latn", "Božić (katolički)", "sr", "Божић (католички)")
	baVictory         = names("en", "Victory Day over Fascism", "bs", "Dan pobjede nad fašizmom", "sr-Latn", "Dan pobjede nad fašizmom", "sr", "Дан побједе над фашизмом")
	baRamadan         = names("en", "Ramadan Bayram", "bs", "Ramazanski Bajram", "sr-Latn", "Ramazanski bajram", "sr", "Рамазански бајрам")
	baKurban          = names("en", "Kurban Bayram", "bs", "Kurban Bajram", "sr-Latn", "Kurban-bajram", "sr", "Курбан-бајрам")
)

// federation: in the Federation the holidays law of 1973 is applied as federal law to New Year and Labour Day: if
// one of the two days is a Sunday, the first day after the two is off. The Ministry of Labour announced it so for
// 3 January 2017, 2022 and 2023 and for 3 May 2021, which was Orthodox Easter Monday: nothing was moved further.
func federation() *law {
	const (
		holidays = "Law on holidays (SFRJ 6/73), applied as federal law"
		state    = "Laws on 1 March and on 25 November (RBiH 9/95)"
		custom   = "observed in the Federation"
	)
	day := func(on when, n map[string]string, source string) rule {
		return rule{names: n, on: on, days: 1, source: source}
	}
	two := func(on when, n map[string]string, moves move, source string) rule {
		return rule{names: n, on: on, days: 2, moves: moves, source: source}
	}
	return &law{
		jurisdiction: "BA", subdivision: "BA-BIH", zone: "Europe/Sarajevo", languages: []string{"bs", "sr-Latn"},
		rules: []rule{
			two(fixed(time.January, 1), baNewYear, sundayToDayAfter, holidays),
			day(fixed(time.January, 6), baOrthodoxEve, custom),
			day(fixed(time.January, 7), baOrthodoxXmas, custom),
			day(fixed(time.March, 1), names("en", "Independence Day", "bs", "Dan nezavisnosti", "sr-Latn", "Dan nezavisnosti", "sr", "Дан независности"), state),
			day(western(-2), baCatholicFriday, custom),
			day(western(0), baCatholicEaster, custom),
			day(western(1), baCatholicMonday, custom),
			day(orthodox(-2), baOrthodoxFriday, custom),
			day(orthodox(0), baOrthodoxEaster, custom),
			day(orthodox(1), baOrthodoxMonday, custom),
			two(fixed(time.May, 1), baLabour, sundayToDayAfter, holidays),
			day(fixed(time.May, 9), baVictory, custom),
			two(bayram(RamadanBayram), baRamadan, stays, custom),
			two(bayram(KurbanBayram), baKurban, stays, custom),
			day(fixed(time.November, 25), names("en", "Statehood Day", "bs", "Dan državnosti", "sr-Latn", "Dan državnosti", "sr", "Дан државности"), state),
			day(fixed(time.December, 24), baCatholicEve, custom),
			day(fixed(time.December, 25), baCatholicXmas, custom),
		},
	}
}

// srpska: Law on holidays of Republika Srpska (43/07): if the second day of a two-day holiday is a Sunday, it moves
// to Monday (art. 4); a first day does not (3 January 2023 was worked). 9 January is left out: the Constitutional
// Court of Bosnia and Herzegovina found it contrary to the constitution (U-3/13); where it is kept, it can be
// decreed for the year.
func srpska() *law {
	const (
		republic = "Law on holidays of Republika Srpska (43/07), art. 2-4"
		faith    = "Law on holidays of Republika Srpska (43/07), art. 7"
	)
	day := func(on when, n map[string]string, source string) rule {
		return rule{names: n, on: on, days: 1, source: source}
	}
	two := func(on when, n map[string]string, moves move, source string) rule {
		return rule{names: n, on: on, days: 2, moves: moves, source: source}
	}
	return &law{
		jurisdiction: "BA", subdivision: "BA-SRP", zone: "Europe/Sarajevo", languages: []string{"bs", "sr-Latn"},
		rules: []rule{
			two(fixed(time.January, 1), baNewYear, lastSundayToMonday, republic),
			day(fixed(time.January, 6), baOrthodoxEve, faith),
			day(fixed(time.January, 7), baOrthodoxXmas, faith),
			day(fixed(time.January, 14), baOrthodoxNewYear, faith),
			day(western(-2), baCatholicFriday, faith),
			day(western(0), baCatholicEaster, faith),
			day(western(1), baCatholicMonday, faith),
			day(orthodox(-2), baOrthodoxFriday, faith),
			day(orthodox(0), baOrthodoxEaster, faith),
			day(orthodox(1), baOrthodoxMonday, faith),
			two(fixed(time.May, 1), baLabour, lastSundayToMonday, republic),
			day(fixed(time.May, 9), baVictory, republic),
			two(bayram(RamadanBayram), baRamadan, stays, faith),
			two(bayram(KurbanBayram), baKurban, stays, faith),
			day(fixed(time.November, 21), names("en", "Dayton Agreement Day", "bs", "Dan uspostave Opšteg okvirnog sporazuma za mir u Bosni i Hercegovini", "sr-Latn", "Dan uspostave Opšteg okvirnog sporazuma za mir u Bosni i Hercegovini", "sr", "Дан успоставе Општег оквирног споразума за мир у Босни и Херцеговини"), republic),
			day(fixed(time.December, 24), baCatholicEve, faith),
			day(fixed(time.December, 25), baCatholicXmas, faith),
		},
	}
}

// brcko: Law on holidays of Brčko District (19/02): a holiday that falls on a Sunday is made up for on the first
// working day after it (art. 5).
func brcko() *law {
	const (
		district = "Law on holidays of Brčko District (19/02, 19/22)"
		custom   = "observed in Brčko District"
	)
	day := func(on when, n map[string]string, moves move, source string) rule {
		return rule{names: n, on: on, days: 1, moves: moves, source: source}
	}
	two := func(on when, n map[string]string, source string) rule {
		return rule{names: n, on: on, days: 2, moves: sundayToNextWorking, source: source}
	}
	return &law{
		jurisdiction: "BA", subdivision: "BA-BRC", zone: "Europe/Sarajevo", languages: []string{"bs", "sr-Latn"},
		rules: []rule{
			two(fixed(time.January, 1), baNewYear, district),
			day(fixed(time.January, 7), baOrthodoxXmas, sundayToNextWorking, custom),
			day(fixed(time.March, 8), names("en", "Day of the Establishment of Brčko District", "bs", "Dan uspostavljanja Brčko distrikta", "sr-Latn", "Dan uspostavljanja Brčko distrikta", "sr", "Дан успостављања Брчко дистрикта"), sundayToNextWorking, district),
			day(western(1), baCatholicMonday, stays, custom),
			day(orthodox(-2), baOrthodoxFriday, stays, custom),
			two(fixed(time.May, 1), baLabour, district),
			day(bayram(RamadanBayram), baRamadan, stays, custom),
			day(bayram(KurbanBayram), baKurban, stays, custom),
			day(fixed(time.December, 25), baCatholicXmas, sundayToNextWorking, custom),
		},
	}
}
