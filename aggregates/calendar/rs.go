package calendar

import "time"

// serbia: Law on state and other holidays in the Republic of Serbia (43/01, 101/07, 92/11): if one of the days of a
// state holiday is a Sunday, the first working day after it is off (art. 3a); the days of the faith are not moved.
// 9 May is a holiday that is worked (art. 3).
func serbia() *law {
	const act = "Law on state and other holidays (43/01, 101/07, 92/11)"
	state := func(m time.Month, d, days int, en, sr, latin string) rule {
		return rule{names: names("en", en, "sr", sr, "sr-Latn", latin), on: fixed(m, d), days: days, moves: sundayToNextWorking, source: act + ", art. 1-1a, 3a"}
	}
	faith := func(on when, en, sr, latin string) rule {
		return rule{names: names("en", en, "sr", sr, "sr-Latn", latin), on: on, days: 1, source: act + ", art. 2"}
	}
	return &law{
		jurisdiction: "RS", zone: "Europe/Belgrade", languages: []string{"sr-Latn", "sr"},
		rules: []rule{
			state(time.January, 1, 2, "New Year", "Нова година", "Nova godina"),
			faith(fixed(time.January, 7), "Christmas", "Божић", "Božić"),
			state(time.February, 15, 2, "Sretenje, Statehood Day", "Дан државности Србије", "Dan državnosti Srbije"),
			faith(orthodox(-2), "Good Friday", "Велики петак", "Veliki petak"),
			faith(orthodox(-1), "Holy Saturday", "Велика субота", "Velika subota"),
			faith(orthodox(0), "Easter", "Васкрс", "Vaskrs"),
			faith(orthodox(1), "Easter Monday", "Други дан Васкрса", "Drugi dan Vaskrsa"),
			state(time.May, 1, 2, "Labour Day", "Празник рада", "Praznik rada"),
			state(time.November, 11, 1, "Armistice Day", "Дан примирја у Првом светском рату", "Dan primirja u Prvom svetskom ratu"),
		},
	}
}
