package calendar

import (
	"time"

	"traga.internal/events"
)

// albania: Law 7651 of 21 December 1992 on official holidays and memorial days, as amended. A holiday that falls on
// a Saturday or Sunday is made up for on the following working day or days. The Council of Ministers decrees
// single days off for the state administration; those known from its published decisions are listed. (The days off
// of 15 and 16 May 2025 held for four municipalities only and are left out.)
func albania() *law {
	const act = "Law 7651/1992 on official holidays"
	day := func(on when, days int, from int, en, sq string) rule {
		return rule{names: names("en", en, "sq", sq), on: on, days: days, moves: weekendToNextWorking, from: from, source: act}
	}
	off := func(year int, month time.Month, d int) oneOff {
		return oneOff{events.DateOf(year, month, d), names("en", "Day off", "sq", "Ditë pushimi"),
			"decision of the Council of Ministers"}
	}
	return &law{
		jurisdiction: "AL", zone: "Europe/Tirane", languages: []string{"sq"},
		rules: []rule{
			day(fixed(time.January, 1), 2, 0, "New Year", "Festat e Vitit të Ri"),
			day(fixed(time.March, 14), 1, 0, "Summer Day", "Dita e Verës"),
			day(fixed(time.March, 22), 1, 0, "Nowruz", "Dita e Nevruzit"),
			day(western(0), 1, 0, "Catholic Easter", "E diela e Pashkëve Katolike"),
			day(orthodox(0), 1, 0, "Orthodox Easter", "E diela e Pashkëve Ortodokse"),
			day(fixed(time.May, 1), 1, 0, "International Workers' Day", "Dita Ndërkombëtare e Punëtorëve"),
			day(bayram(RamadanBayram), 1, 0, "Ramadan Bayram", "Dita e Bajramit të Madh"),
			day(bayram(KurbanBayram), 1, 0, "Kurban Bayram", "Dita e Kurban Bajramit"),
			// Until 2017 the day was that of her beatification, 19 October.
			day(fixed(time.September, 5), 1, 0, "Saint Teresa Sanctification Day", "Dita e Shenjtërimit të Shenjt Terezës"),
			day(fixed(time.November, 22), 1, 2024, "Alphabet Day", "Dita e Alfabetit"),
			day(fixed(time.November, 28), 1, 0, "Flag and Independence Day", "Dita Flamurit dhe e Pavarësisë"),
			day(fixed(time.November, 29), 1, 0, "Liberation Day", "Dita e Çlirimit"),
			day(fixed(time.December, 8), 1, 0, "National Youth Day", "Dita Kombëtare e Rinisë"),
			day(fixed(time.December, 25), 1, 0, "Christmas", "Krishtlindjet"),
		},
		decreed: []oneOff{
			off(2020, time.January, 3),
			off(2022, time.March, 21),
			off(2023, time.November, 27),
			off(2024, time.March, 15),
			off(2025, time.January, 3),
			off(2025, time.December, 26),
		},
	}
}
