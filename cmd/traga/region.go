package main

import (
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/projections"
	"traga.internal/projections/regional"
)

func (a *app) matrixCommand() *cobra.Command {
	c := &cobra.Command{Use: "matrix", Short: "Compare the six protocols, rule by rule, and how they are met", Args: cobra.NoArgs,
		Long: "Puts the six protocols side by side: in force or not, period, and the share of duties met in time. Small numbers are not shown, so that no one can be recognised.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, q, period, err := a.regionalQuery(cmd)
			if err != nil {
				return err
			}
			var m regional.Comparison
			if s.server != nil {
				_, err = s.fetch(cmd.Context(), "/v1/matrix", url.Values{"jurisdiction": {string(q.Jurisdiction)}, "period": {period}, "lang": {q.Lang}}, &m)
			} else {
				err = a.withReadModels(cmd.Context(), s, func(e *projections.Engine) (err error) {
					m, err = regional.Matrix(cmd.Context(), e, nil, q)
					return err
				})
			}
			if err != nil {
				return err
			}
			return a.print(cmd, m, func(w io.Writer) { showMatrix(w, m) })
		}}
	a.readingFlags(c)
	c.Flags().String("jurisdiction", "", "only this one: AL, BA, XK, ME, MK or RS")
	c.Flags().String("period", "year", "by which periods the JSON tells the performance beside all time: year or quarter")
	return c
}

// regionalQuery reads what the two regional commands take.
func (a *app) regionalQuery(cmd *cobra.Command) (*source, regional.Query, string, error) {
	s, err := a.source(cmd)
	if err != nil {
		return nil, regional.Query{}, "", err
	}
	jurisdiction, err := jurisdictionFlag(cmd)
	if err != nil {
		return nil, regional.Query{}, "", err
	}
	text := ""
	if f := cmd.Flags().Lookup("period"); f != nil {
		text = f.Value.String()
	}
	period, err := regional.ParsePeriod(text)
	if err != nil {
		return nil, regional.Query{}, "", usagef("--%w", err)
	}
	return s, regional.Query{AsOf: s.at, Now: a.now(), Period: period, Jurisdiction: jurisdiction, Lang: s.lang}, text, nil
}

func showMatrix(w io.Writer, m regional.Comparison) {
	head := []string{"RULE", "WHAT"}
	for _, j := range m.Jurisdictions {
		head = append(head, j.Name)
	}
	t := newTable(w, head...)
	for _, r := range m.Rules {
		row := []string{r.Rule, r.Title}
		for _, c := range r.Cells {
			row = append(row, matrixCell(c))
		}
		t.row(row...)
	}
	t.flush()
	fmt.Fprintf(w, "\nEach cell: the period, and the share of the duties fallen due that was met in time (– where the number is too small to show).\n%s\n", m.Note)
	if m.Footnote != "" {
		fmt.Fprintln(w, m.Footnote)
	}
}

func matrixCell(c regional.Cell) string {
	if !c.InForce {
		return "not in force"
	}
	short := strings.NewReplacer(" working days", " wd", " working day", " wd", " days", " d", " months", " mo", " years", " y", " before release", " before", " after the event", "")
	period, _, _ := strings.Cut(short.Replace(c.Period), ";")
	share := "–"
	if s := c.Performance.ShareMet; s != nil {
		share = strconv.Itoa(int(math.Round(*s*100))) + "%"
	}
	return period + ", " + share
}

func (a *app) toolsCommand() *cobra.Command {
	c := &cobra.Command{Use: "tools", Short: "Show which screening and assessment tools are used where", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, q, _, err := a.regionalQuery(cmd)
			if err != nil {
				return err
			}
			tools := []regional.Tool{}
			if s.server != nil {
				_, err = s.fetch(cmd.Context(), "/v1/tools", url.Values{"jurisdiction": {string(q.Jurisdiction)}}, &tools)
			} else {
				err = a.withReadModels(cmd.Context(), s, func(e *projections.Engine) (err error) {
					tools, err = regional.Tools(cmd.Context(), e, q)
					return err
				})
			}
			if err != nil {
				return err
			}
			return a.print(cmd, tools, func(w io.Writer) { showTools(w, tools) })
		}}
	a.readingFlags(c)
	c.Flags().String("jurisdiction", "", "only this one: AL, BA, XK, ME, MK or RS")
	return c
}

func showTools(w io.Writer, tools []regional.Tool) {
	number := func(n *int) string {
		if n == nil {
			return "few"
		}
		return strconv.Itoa(*n)
	}
	t := newTable(w, "TOOL", "VERSION", "USED FOR", "WHERE", "USES", "CONTESTED", "TRAINED OFFICERS", "UNTRAINED")
	footnote := ""
	for _, x := range tools {
		t.row(x.Tool, x.Version, x.Kind, x.Name, number(x.Uses), number(x.Contested), number(x.TrainedOfficers), number(x.UntrainedOfficers))
		footnote = max(footnote, x.Footnote)
	}
	t.flush()
	fmt.Fprintln(w, "\nfew: fewer than 5, or a number from which one could be found; it is not shown, so that no one can be recognised.")
	if footnote != "" {
		fmt.Fprintln(w, footnote)
	}
}
