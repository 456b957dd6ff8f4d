package calendar

import "time"

// montenegro: Law on state and other holidays (27/07, 36/13, 145/21, 3/23, 30/23): holidays last two days; if the first is a
// Sunday, the two following days are off, and if the second is, the following one (art. 2 and 3). Njegoš Day came
// in 2022 as a single day that was not moved (art. 3b: the Sunday 13 November 2022 had no substitute) and has been
// kept like the others since the amendments of 2023. The days of the faiths free believers only and are left out.
func montenegro() *law {
	const act = "Law on state and other holidays (27/07, 36/13, 145/21, 3/23, 30/23)"
	day := func(m time.Month, d int, en, bs string) rule {
		return rule{names: names("en", en, "bs", bs, "sr-Latn", bs), on: fixed(m, d), days: 2, moves: sundayToDayAfter, source: act}
	}
	njegos := day(time.November, 13, "Njegoš Day", "Njegošev dan")
	njegos.from = 2023
	single := njegos
	single.from, single.until, single.days, single.moves = 2022, 2022, 1, stays
	return &law{
		jurisdiction: "ME", zone: "Europe/Podgorica", languages: []string{"bs", "sr-Latn"},
		rules: []rule{
			day(time.January, 1, "New Year", "Nova godina"),
			day(time.May, 1, "Labour Day", "Praznik rada"),
			day(time.May, 21, "Independence Day", "Dan nezavisnosti"),
			day(time.July, 13, "Statehood Day", "Dan državnosti"),
			single,
			njegos,
		},
	}
}
