package calendar

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Footnote goes with every mention of Kosovo*, which is always written with the asterisk.
const Footnote = "* This designation is without prejudice to positions on status, and is in line with UNSCR 1244 and the ICJ " +
	"Opinion on the Kosovo Declaration of Independence."

// words are those of a printed calendar in one language.
type words struct {
	date, day, holiday, notes            string
	estimated, movedFrom, decreed        string
	daysOff, uncovered, estimatedExplain string
	weekdays                             [7]string // from Sunday
	titles                               map[string]string
}

// Print writes the year's holidays as a plain table: date, weekday, name and notes (a date that is still estimated,
// a day moved from a weekend, a decreed day). lang is a language tag (en, mk, sq, sr-Latn, sr, bs); for another one
// the table is in English. A holiday without a name in that language has the jurisdiction's own.
// The error is that of writing to w.
func (c *Calendar) Print(w io.Writer, year int, lang string) error {
	t, ok := languages()[lang]
	if !ok {
		lang, t = "en", languages()["en"]
	}
	rows := [][4]string{{t.date, t.day, t.holiday, t.notes}}
	estimated := false
	for _, day := range c.Year(year) {
		var notes []string
		if day.Estimated {
			estimated = true
			notes = append(notes, t.estimated)
		}
		if day.Substitute {
			notes = append(notes, t.movedFrom+" "+day.MovedFrom.String())
		}
		for _, h := range day.Holidays {
			if h.Reason == Decreed {
				notes = append(notes, t.decreed+": "+h.Source)
			}
		}
		rows = append(rows, [4]string{day.Date.String(), t.weekdays[day.Date.Weekday()],
			day.Name(lang, c.law.languages...), strings.Join(notes, ", ")})
	}

	var b strings.Builder
	title := t.titles[c.law.jurisdiction]
	if c.law.subdivision != "" {
		title = t.titles[c.law.subdivision]
	}
	fmt.Fprintf(&b, "%s %d\n%s\n\n", title, year, t.daysOff)
	writeTable(&b, rows)
	if estimated {
		fmt.Fprintf(&b, "\n%s\n", t.estimatedExplain)
	}
	if year < FirstYear || year > LastYear {
		fmt.Fprintf(&b, "\n%s\n", fmt.Sprintf(t.uncovered, FirstYear, LastYear))
	}
	if c.law.jurisdiction == "XK" {
		fmt.Fprintf(&b, "\n%s\n", Footnote)
	}
	_, err := io.WriteString(w, b.String())
	if err != nil {
		return fmt.Errorf("writing the calendar: %w", err)
	}
	return nil
}

// writeTable aligns the columns by characters and leaves no space at the end of a line.
func writeTable(b *strings.Builder, rows [][4]string) {
	var width [4]int
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
}

func languages() map[string]words {
	return map[string]words{
		"en": {
			date: "Date", day: "Day", holiday: "Holiday", notes: "Notes",
			estimated: "estimated", movedFrom: "moved from", decreed: "decreed",
			daysOff:          "Days off beside Saturdays and Sundays, and holidays that fall on those",
			uncovered:        "Outside %d–%d: Bayrams and decreed days are not known for this year.",
			estimatedExplain: "Estimated: the date of this Bayram stands until it is decreed.",
			weekdays:         weekdays7(time.Weekday.String),
			titles: map[string]string{"AL": "Albania", "BA-BIH": "Bosnia and Herzegovina: Federation", "BA-SRP": "Bosnia and Herzegovina: Republika Srpska",
				"BA-BRC": "Bosnia and Herzegovina: Brčko District", "XK": "Kosovo*", "ME": "Montenegro", "MK": "North Macedonia", "RS": "Serbia"},
		},
		"mk": {
			date: "Датум", day: "Ден", holiday: "Празник", notes: "Забелешки",
			estimated: "проценето", movedFrom: "преместено од", decreed: "со одлука",
			daysOff:          "Неработни денови покрај саботите и неделите, и празници што паѓаат на нив",
			uncovered:        "Надвор од %d–%d: Бајрамите и деновите со одлука не се познати за оваа година.",
			estimatedExplain: "Проценето: датумот на овој Бајрам важи додека не се одлучи поинаку.",
			weekdays:         [7]string{"недела", "понеделник", "вторник", "среда", "четврток", "петок", "сабота"},
			titles: map[string]string{"AL": "Албанија", "BA-BIH": "Босна и Херцеговина: Федерација", "BA-SRP": "Босна и Херцеговина: Република Српска",
				"BA-BRC": "Босна и Херцеговина: Дистрикт Брчко", "XK": "Kosovo*", "ME": "Црна Гора", "MK": "Северна Македонија", "RS": "Србија"},
		},
		"sq": {
			date: "Data", day: "Dita", holiday: "Festa", notes: "Shënime",
			estimated: "e vlerësuar", movedFrom: "e shtyrë nga", decreed: "me vendim",
			daysOff:          "Ditët e pushimit përveç të shtunave dhe të dielave, dhe festat që bien në to",
			uncovered:        "Jashtë viteve %d–%d: Bajramet dhe ditët me vendim nuk njihen për këtë vit.",
			estimatedExplain: "E vlerësuar: data e këtij Bajrami vlen derisa të vendoset.",
			weekdays:         [7]string{"e diel", "e hënë", "e martë", "e mërkurë", "e enjte", "e premte", "e shtunë"},
			titles: map[string]string{"AL": "Shqipëria", "BA-BIH": "Bosnja dhe Hercegovina: Federata", "BA-SRP": "Bosnja dhe Hercegovina: Republika Srpska",
				"BA-BRC": "Bosnja dhe Hercegovina: Distrikti i Bërçkos", "XK": "Kosovo*", "ME": "Mali i Zi", "MK": "Maqedonia e Veriut", "RS": "Serbia"},
		},
		"sr-Latn": {
			date: "Datum", day: "Dan", holiday: "Praznik", notes: "Napomene",
			estimated: "procenjeno", movedFrom: "pomereno sa", decreed: "po odluci",
			daysOff:          "Neradni dani pored subota i nedelja, i praznici koji padaju na njih",
			uncovered:        "Izvan %d–%d: Bajrami i dani po odluci nisu poznati za ovu godinu.",
			estimatedExplain: "Procenjeno: datum ovog Bajrama važi dok se ne odluči.",
			weekdays:         [7]string{"nedelja", "ponedeljak", "utorak", "sreda", "četvrtak", "petak", "subota"},
			titles: map[string]string{"AL": "Albanija", "BA-BIH": "Bosna i Hercegovina: Federacija", "BA-SRP": "Bosna i Hercegovina: Republika Srpska",
				"BA-BRC": "Bosna i Hercegovina: Brčko distrikt", "XK": "Kosovo*", "ME": "Crna Gora", "MK": "Severna Makedonija", "RS": "Srbija"},
		},
		"sr": {
			date: "Датум", day: "Дан", holiday: "Празник", notes: "Напомене",
			estimated: "процењено", movedFrom: "померено са", decreed: "по одлуци",
			daysOff:          "Нерадни дани поред субота и недеља, и празници који падају на њих",
			uncovered:        "Изван %d–%d: Бајрами и дани по одлуци нису познати за ову годину.",
			estimatedExplain: "Процењено: датум овог Бајрама важи док се не одлучи.",
			weekdays:         [7]string{"недеља", "понедељак", "уторак", "среда", "четвртак", "петак", "субота"},
			titles: map[string]string{"AL": "Албанија", "BA-BIH": "Босна и Херцеговина: Федерација", "BA-SRP": "Босна и Херцеговина: Република Српска",
				"BA-BRC": "Босна и Херцеговина: Брчко дистрикт", "XK": "Kosovo*", "ME": "Црна Гора", "MK": "Северна Македонија", "RS": "Србија"},
		},
		"bs": {
			date: "Datum", day: "Dan", holiday: "Praznik", notes: "Napomene",
			estimated: "procijenjeno", movedFrom: "pomjereno sa", decreed: "po odluci",
			daysOff:          "Neradni dani pored subota i nedjelja, i praznici koji padaju na njih",
			uncovered:        "Izvan %d–%d: Bajrami i dani po odluci nisu poznati za ovu godinu.",
			estimatedExplain: "Procijenjeno: datum ovog Bajrama važi dok se ne odluči.",
			weekdays:         [7]string{"nedjelja", "ponedjeljak", "utorak", "srijeda", "četvrtak", "petak", "subota"},
			titles: map[string]string{"AL": "Albanija", "BA-BIH": "Bosna i Hercegovina: Federacija", "BA-SRP": "Bosna i Hercegovina: Republika Srpska",
				"BA-BRC": "Bosna i Hercegovina: Brčko distrikt", "XK": "Kosovo*", "ME": "Crna Gora", "MK": "Sjeverna Makedonija", "RS": "Srbija"},
		},
	}
}

func weekdays7(name func(time.Weekday) string) (days [7]string) {
	for i := range days {
		days[i] = name(time.Weekday(i))
	}
	return days
}
