package calendar

import (
	"time"

	"traga.internal/events"
)

// northMacedonia: Law on holidays (21/98, 18/07): when a holiday for all citizens falls on a Sunday, the next day is
// off (art. 3). The days of faiths and communities (art. 2) free their members only and are left out. The government
// decreed days off for elections on working days.
func northMacedonia() *law {
	const act = "Law on holidays (21/98, 18/07)"
	day := func(on when, en, mk, sq string) rule {
		return rule{names: names("en", en, "mk", mk, "sq", sq), on: on, days: 1, moves: sundayToDayAfter, source: act}
	}
	election := func(year int, m time.Month, d int) oneOff {
		return oneOff{events.DateOf(year, m, d), names("en", "Election Day", "mk", "Ден на изборите", "sq", "Dita e zgjedhjeve"),
			"decision of the Government"}
	}
	return &law{
		jurisdiction: "MK", zone: "Europe/Skopje", languages: []string{"mk", "sq"},
		rules: []rule{
			day(fixed(time.January, 1), "New Year", "Нова Година", "Viti i Ri"),
			day(fixed(time.January, 7), "Christmas", "Божиќ", "Krishtlindjet"),
			day(orthodox(1), "Easter, second day", "Велигден", "Pashkët"),
			day(fixed(time.May, 1), "Labour Day", "Ден на трудот", "Dita e Punës"),
			day(bayram(RamadanBayram), "Ramadan Bayram", "Рамазан Бајрам", "Bajrami i Madh"),
			day(fixed(time.May, 24), "Saints Cyril and Methodius Day", "Светите Кирил и Методиј - Ден на сесловенските просветители", "Shën Kirili dhe Metodi"),
			day(fixed(time.August, 2), "Republic Day", "Ден на Републиката", "Dita e Republikës"),
			day(fixed(time.September, 8), "Independence Day", "Ден на независноста", "Dita e Pavarësisë"),
			day(fixed(time.October, 11), "Day of the People's Uprising", "Ден на народното востание", "Dita e Kryengritjes Popullore"),
			day(fixed(time.October, 23), "Day of the Macedonian Revolutionary Struggle", "Ден на македонската револуционерна борба", "Dita e Luftës Revolucionare Maqedonase"),
			day(fixed(time.December, 8), "Saint Clement of Ohrid", "Свети Климент Охридски", "Shën Klimenti i Ohrit"),
		},
		decreed: []oneOff{
			election(2020, time.July, 15),
			election(2024, time.April, 24),
			election(2024, time.May, 8),
		},
	}
}
