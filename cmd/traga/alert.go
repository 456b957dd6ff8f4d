package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/handlers/record"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	verdicts "traga.internal/projections/safeguards"
	"traga.internal/projections/timeline"
)

func (a *app) alertCommand() *cobra.Command {
	group := &cobra.Command{Use: "alert", Short: "See what is overdue or due soon, and take note of it"}
	group.AddCommand(a.alertListCommand(), a.alertAcknowledgeCommand())
	return group
}

func (a *app) alertListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List what is overdue and due soon, most urgent first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			state, _ := cmd.Flags().GetString("state")
			institution, _ := cmd.Flags().GetString("institution")
			jurisdiction, err := jurisdictionFlag(cmd)
			if err != nil {
				return err
			}
			if state != "overdue" && state != "due-soon" && state != "all" {
				return usagef("--state: expected overdue, due-soon or all")
			}
			alerts := []obligations.Alert{}
			if s.server != nil {
				alerts, err = fetchAll[obligations.Alert](cmd.Context(), s, "/v1/alerts", url.Values{"state": {state}, "institution": {institution}, "jurisdiction": {string(jurisdiction)}})
			} else {
				err = a.withReadModels(cmd.Context(), s, func(e *projections.Engine) error {
					alerts, _, err = obligations.Alerts(cmd.Context(), e, obligations.Query{State: protocol.State(state), Institution: events.Institution(institution),
						Jurisdiction: jurisdiction, AsOf: s.at, Now: a.now()})
					return err
				})
			}
			if err != nil {
				return err
			}
			nothing := "Nothing is overdue or due soon."
			if institution != "" {
				nothing = "Nothing is overdue or due soon that " + institution + " must act on. (Is it spelt as in the list of all alerts?)"
			}
			return a.print(cmd, alerts, func(w io.Writer) { listAlerts(w, alerts, nothing) })
		}}
	a.readingFlags(c)
	c.Flags().String("state", "all", "overdue, due-soon or all")
	c.Flags().String("institution", "", "only those that this institution must act on")
	c.Flags().String("jurisdiction", "", "only this one: AL, BA, XK, ME, MK or RS")
	return c
}

// jurisdictionFlag reads --jurisdiction.
func jurisdictionFlag(cmd *cobra.Command) (events.Jurisdiction, error) {
	text, _ := cmd.Flags().GetString("jurisdiction")
	if text == "" {
		return "", nil
	}
	for _, j := range events.Jurisdictions() {
		if string(j) == text {
			return j, nil
		}
	}
	return "", usagef("--jurisdiction: expected AL, BA, XK, ME, MK or RS")
}

func listAlerts(w io.Writer, alerts []obligations.Alert, nothing string) {
	if len(alerts) == 0 {
		fmt.Fprintln(w, nothing)
		return
	}
	t := newTable(w, "STATE", "SEVERITY", "CASE", "DUTY", "WHO MUST ACT", "DUE", "WORKING DAYS OVERDUE", "ESCALATION", "NOTED")
	for _, o := range alerts {
		who := string(o.Duty)
		if o.DutyHolder != nil {
			who = string(*o.DutyHolder)
		}
		days, level, noted := "–", "–", "no"
		if o.State == protocol.Overdue {
			days = strconv.Itoa(o.WorkingDaysOverdue)
		}
		if o.Escalation > 0 {
			level = "level " + strconv.Itoa(o.Escalation)
		}
		if o.AcknowledgedBy != nil {
			noted = "yes"
		}
		t.row(string(o.State), string(o.Severity), o.Case, o.Obligation, who, dueText(o.Due, zoneOfCase(o.Case)), days, level, noted)
	}
	t.flush()
}

func (a *app) alertAcknowledgeCommand() *cobra.Command {
	c := &cobra.Command{Use: "acknowledge NUMBER OBLIGATION", Short: "Record that someone took note of an alert; the duty still stands", Args: cobra.ExactArgs(2),
		Example: `  traga alert acknowledge MK-2026-0001 notify-csw --officer l.dimova --role csw --institution mk-csw-skopje --note "letter is on its way"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			text := func(flag string) string { v, _ := cmd.Flags().GetString(flag); return v }
			body := []byte(asJSON(map[string]any{"case": args[0], "type": "AlertAcknowledged",
				"actor": map[string]string{"officer": text("officer"), "role": text("role"), "institution": text("institution")},
				"data":  map[string]string{"obligation": args[1], "note": text("note")}}))
			receipt, err := a.recordOne(cmd.Context(), s, body, record.AnyRevision, "*")
			if err != nil {
				return err
			}
			return a.print(cmd, receipt, func(w io.Writer) {
				fmt.Fprintf(w, "Noted: %s in %s. The duty still stands until it is done.\n", args[1], args[0])
			})
		}}
	a.writingFlags(c)
	for _, f := range [][2]string{{"officer", "the id of the officer who took note"}, {"role", "the role that the officer acts in"}, {"institution", "the officer's institution"}, {"note", "what was noted"}} {
		c.Flags().String(f[0], "", f[1])
	}
	return c
}

func (a *app) safeguardCommand() *cobra.Command {
	group := &cobra.Command{Use: "safeguard", Short: "Check the human-rights safeguards"}
	check := &cobra.Command{Use: "check [NUMBER]", Short: "Say of each safeguard whether it holds; exit code 8 when one fails", Args: cobra.MaximumNArgs(1),
		Long: "Says of each of the 29 safeguards whether it passes, fails, is still open or does not apply, with the entries that show it. Without a number: all cases.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			var q verdicts.Query
			if q.Jurisdiction, err = jurisdictionFlag(cmd); err != nil {
				return err
			}
			if q.Safeguard, _ = cmd.Flags().GetString("safeguard"); q.Safeguard != "" {
				if _, ok := safeguards.Find(q.Safeguard); !ok {
					return usagef("--safeguard: expected HR01 to HR29")
				}
			}
			if failing, _ := cmd.Flags().GetBool("failing"); failing {
				q.Verdict = safeguards.Fail
			}
			shown, err := a.verdicts(cmd.Context(), s, args, q)
			if err != nil {
				return err
			}
			if err := a.print(cmd, shown, func(w io.Writer) { listVerdicts(w, shown) }); err != nil {
				return err
			}
			if slices.ContainsFunc(shown, func(v safeguards.Verdict) bool { return v.Verdict == safeguards.Fail }) {
				return &codedError{code: exitFindings}
			}
			return nil
		}}
	a.readingFlags(check)
	check.Flags().Bool("failing", false, "show only those that fail")
	check.Flags().String("safeguard", "", "only this one: HR01 to HR29")
	check.Flags().String("jurisdiction", "", "only the cases of this one: AL, BA, XK, ME, MK or RS")
	group.AddCommand(check)
	return group
}

// verdicts are those of one case, or of all.
func (a *app) verdicts(ctx context.Context, s *source, numbers []string, q verdicts.Query) ([]safeguards.Verdict, error) {
	query := url.Values{"verdict": {q.Verdict}, "safeguard": {q.Safeguard}, "jurisdiction": {string(q.Jurisdiction)}}
	if len(numbers) > 0 {
		if _, err := events.ParseCase(numbers[0]); err != nil {
			return nil, err
		}
		query.Set("case", numbers[0])
	}
	if s.server != nil {
		return fetchAll[safeguards.Verdict](ctx, s, "/v1/safeguards", query)
	}
	var all []safeguards.Verdict
	if len(numbers) > 0 {
		err := s.withCase(ctx, numbers[0], s.at, func(c *timeline.Case) (err error) {
			all, err = c.Safeguards(ctx)
			all = slices.DeleteFunc(all, func(v safeguards.Verdict) bool { return !q.Wants(&v) })
			return err
		})
		return all, err
	}
	err := a.withReadModels(ctx, s, func(e *projections.Engine) (err error) {
		p := a.progress("check the cases")
		defer p.done()
		q.AsOf, q.Now, q.Progress = s.at, a.now(), func(cases int) { p.report(int64(cases), 0) }
		all, _, err = verdicts.New(e).List(ctx, q)
		return err
	})
	return all, err
}

func listVerdicts(w io.Writer, verdicts []safeguards.Verdict) {
	t := newTable(w, "CASE", "SAFEGUARD", "VERDICT", "SEVERITY", "WHY")
	for _, v := range verdicts {
		t.row(v.Case, v.Safeguard, v.Verdict, string(v.Severity), v.Explanation)
	}
	t.flush()
}
