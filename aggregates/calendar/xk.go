package calendar

import (
	"time"

	"traga.internal/events"
)

// kosovo: Law 03/L-064 on official holidays. Of both Easters the Monday is the holiday (art. 2.1 j and k); the
// official calendars list the Sunday and give the Monday as its day off, also when that Monday is a holiday
// already (9 April 2018: one day off, not two). Any other holiday that falls on a Saturday or Sunday is made up for
// on the following working day (art. 4; in 2022 1 May, a Sunday before a Bayram, took 3 May).
func kosovo() *law {
	const act = "Law 03/L-064 on official holidays"
	day := func(on when, days int, moves move, en, sq, sr string) rule {
		return rule{names: names("en", en, "sq", sq, "sr-Latn", sr), on: on, days: days, moves: moves, source: act}
	}
	return &law{
		jurisdiction: "XK", zone: "Europe/Belgrade", languages: []string{"sq", "sr-Latn"},
		rules: []rule{
			day(fixed(time.January, 1), 2, weekendToNextWorking, "New Year", "Viti i Ri", "Nova godina"),
			day(fixed(time.January, 7), 1, weekendToNextWorking, "Orthodox Christmas", "Krishtlindjet Ortodokse", "Pravoslavni Božić"),
			day(fixed(time.February, 17), 1, weekendToNextWorking, "Independence Day", "Dita e Pavarësisë", "Dan nezavisnosti"),
			day(western(0), 1, sundayToDayAfter, "Catholic Easter", "Pashkët Katolike", "Katolički Uskrs"),
			day(orthodox(0), 1, sundayToDayAfter, "Orthodox Easter", "Pashkët Ortodokse", "Pravoslavni Uskrs"),
			day(fixed(time.April, 9), 1, weekendToNextWorking, "Constitution Day", "Dita e Kushtetutës", "Dan ustava"),
			day(fixed(time.May, 1), 1, weekendToNextWorking, "International Labour Day", "Dita Ndërkombëtare e Punës", "Međunarodni dan rada"),
			day(fixed(time.May, 9), 1, weekendToNextWorking, "Europe Day", "Dita e Evropës", "Dan Evrope"),
			day(bayram(RamadanBayram), 1, weekendToNextWorking, "Ramadan Bayram, first day", "Bajrami i Madh, dita e parë", "Ramazanski bajram, prvi dan"),
			day(bayram(KurbanBayram), 1, weekendToNextWorking, "Kurban Bayram, first day", "Bajrami i Vogël, dita e parë", "Kurban-bajram, prvi dan"),
			day(fixed(time.December, 25), 1, weekendToNextWorking, "Catholic Christmas", "Krishtlindjet Katolike", "Katolički Božić"),
		},
		decreed: []oneOff{
			{events.DateOf(2019, time.November, 28), names("en", "Flag Day", "sq", "Dita e Flamurit", "sr-Latn", "Dan zastave"),
				"decision of the Prime Minister"},
		},
	}
}
