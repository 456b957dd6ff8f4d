package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/calendar"
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
			lang, _ := cmd.Flags().GetString("lang")
			var failed error
			err = a.print(cmd, days.Year(year), func(w io.Writer) { failed = days.Print(w, year, lang) })
			if err != nil {
				return err
			}
			return failed
		}}
	c.Flags().String("lang", "en", "language of the names: en or a language of the jurisdiction")
	a.jsonFlag(c)
	return c
}
