package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/calendar"
	"traga.internal/events"
)

func (a *app) calendarCommand() *cobra.Command {
	c := &cobra.Command{Use: "calendar JURISDICTION YEAR", Short: "Print the days on which institutions do not work", Args: cobra.ExactArgs(2),
		Example: "  traga calendar MK 2026\n  traga calendar BA-SRP 2026 --lang bs",
		RunE: func(cmd *cobra.Command, args []string) error {
			jurisdiction, subdivision := args[0], ""
			if strings.Contains(args[0], "-") {
				jurisdiction, subdivision = args[0][:2], args[0]
			}
			days, err := calendar.For(jurisdiction, subdivision)
			if err != nil {
				return &usageError{err}
			}
			year, err := strconv.Atoi(args[1])
			if err != nil || year < 1900 || year > 2199 {
				return usagef("expected a year such as 2026")
			}
			lang, err := language(cmd)
			if err != nil {
				return err
			}
			var failed error
			err = a.print(cmd, daysOff(days.Year(year), lang), func(w io.Writer) { failed = days.Print(w, year, lang) })
			if err != nil {
				return err
			}
			return failed
		}}
	langFlag(c)
	a.jsonFlag(c)
	return c
}

// dayOff is a holiday as traga calendar --json prints it.
type dayOff struct {
	Date      events.Date  `json:"date"`
	Working   bool         `json:"working"`
	Name      string       `json:"name"`
	Reason    string       `json:"reason"`
	Estimated bool         `json:"estimated"`
	MovedFrom *events.Date `json:"movedFrom"`
	Source    string       `json:"source"`
}

func daysOff(year []calendar.Day, lang string) []dayOff {
	list := []dayOff{}
	for _, d := range year {
		day := dayOff{Date: d.Date, Working: d.Working, Name: d.Name(lang), Reason: string(d.Reason), Estimated: d.Estimated, Source: d.Source}
		if d.Substitute {
			day.MovedFrom = &d.MovedFrom
		}
		list = append(list, day)
	}
	return list
}
