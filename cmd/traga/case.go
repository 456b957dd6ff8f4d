package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/calendar"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

// kosovoNote is printed wherever Kosovo* is shown.
const kosovoNote = `* This designation is without prejudice to positions on status, and is in line with UNSCR 1244 and the ICJ
Opinion on the Kosovo Declaration of Independence.`

func (a *app) caseCommand() *cobra.Command {
	group := &cobra.Command{Use: "case", Short: "Read a case: where it stands, what happened, who shared what with whom"}
	group.AddCommand(a.caseListCommand(), a.caseShowCommand(), a.caseTimelineCommand(), a.caseSharesCommand(),
		a.caseKnowsCommand(), a.caseObligationsCommand(), a.caseDiffCommand(), a.caseAccessCommand())
	return group
}

// caseReader is a command that reads one case: path is the API's for a server, local the same from the log.
func caseReader[T any](a *app, cmd *cobra.Command, number, path string, query url.Values, local func(*timeline.Case) T) (T, error) {
	var answer T
	s, err := a.source(cmd)
	if err != nil {
		return answer, err
	}
	if _, err := events.ParseCase(number); err != nil {
		return answer, err
	}
	if s.server != nil {
		_, err := s.fetch(cmd.Context(), "/v1/cases/"+number+path, query, &answer)
		return answer, err
	}
	err = s.withCase(cmd.Context(), number, s.at, func(c *timeline.Case) error {
		answer = local(c)
		return nil
	})
	return answer, err
}

// withCase folds a case from the store's files for fn.
func (s *source) withCase(ctx context.Context, number string, at events.AsOf, fn func(*timeline.Case) error) (err error) {
	log, err := s.openLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	book, err := loadBook(ctx, log)
	if err != nil {
		return err
	}
	c, err := timeline.Read(ctx, log, book, number, at, s.now())
	if err == nil {
		err = c.ReadTraining(ctx)
	}
	if err != nil {
		return err
	}
	return fn(c)
}

func (a *app) caseShowCommand() *cobra.Command {
	c := &cobra.Command{Use: "show NUMBER", Short: "Show where a case stands", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := caseReader(a, cmd, args[0], "", nil, (*timeline.Case).Show)
			if err != nil {
				return err
			}
			return a.print(cmd, s, func(w io.Writer) { showCase(w, s) })
		}}
	a.readingFlags(c)
	return c
}

func showCase(w io.Writer, s timeline.Summary) {
	zone := zoneOf(s.Jurisdiction)
	fmt.Fprintf(w, "Case %s (%s), as known on %s\n", s.Case, jurisdictionName(s.Jurisdiction), local(s.AsOf, zone))
	if s.Simulated {
		fmt.Fprintln(w, "The times in this store are simulated.")
	}
	t := newTable(w, "", "")
	t.row("Status", string(s.Status))
	t.row("Phase", string(s.Phase))
	t.row("Expected release", dateOrDash(s.ReleaseDate))
	t.row("Released on", dateOrDash(s.ReleasedOn))
	t.row("Risk level", shownOr(s.Withheld, "riskLevel", textOrDash(s.RiskLevel)))
	t.row("Groups", shownOr(s.Withheld, "group", orDash(strings.Join(s.Group, ", "))))
	n := s.Counts
	t.row("Duties", fmt.Sprintf("%d overdue, %d due soon, %d pending; %d met, %d met late, %d missed, %d waived, %d cancelled",
		n.Overdue, n.DueSoon, n.Pending, n.Met, n.MetLate, n.Missed, n.Waived, n.Cancelled))
	next := "–"
	if s.NextDue != nil {
		next = s.NextDue.Obligation + " by " + dueText(s.NextDue.Due, zone)
	}
	t.row("Next due", next)
	t.row("Last entry", fmt.Sprintf("revision %d, position %s", s.Revision, s.Position))
	t.rows = t.rows[1:]
	t.flush()
	noteKosovo(w, s.Jurisdiction)
}

// shownOr is a value, or that the server withholds it and whom to ask.
func shownOr(withheld []access.Hidden, field, value string) string {
	for _, h := range withheld {
		if h.Field == field {
			if h.Reason == events.Erased {
				return "erased" + receiptOf(h)
			}
			return fmt.Sprintf("hidden (%s); ask %s", h.Category, h.Ask)
		}
	}
	return value
}

// receiptOf names the entry that says that something was erased, where it is known.
func receiptOf(h access.Hidden) string {
	if h.Receipt == nil {
		return ""
	}
	return "; receipt " + h.Receipt.String()
}

func (a *app) caseTimelineCommand() *cobra.Command {
	c := &cobra.Command{Use: "timeline NUMBER", Short: "Show everything that was recorded", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			order, _ := cmd.Flags().GetString("order")
			if order != "occurred" && order != "recorded" {
				return usagef("--order: expected occurred or recorded")
			}
			lang, _ := cmd.Flags().GetString("lang")
			entries, err := caseReader(a, cmd, args[0], "/timeline", url.Values{"order": {order}, "lang": {lang}},
				func(c *timeline.Case) []timeline.Entry { return c.Timeline(lang, timeline.Order(order)) })
			if err != nil {
				return err
			}
			return a.print(cmd, entries, func(w io.Writer) { showTimeline(w, args[0], entries) })
		}}
	a.readingFlags(c)
	c.Flags().String("order", "occurred", "by when it occurred, or recorded")
	return c
}

// erasedLines say which categories of an entry were erased, and by which entry.
func erasedLines(list []timeline.Withheld) (lines []string) {
	for _, w := range list {
		line := "erased: " + string(w.Category)
		if w.Receipt != nil {
			line += "; receipt " + w.Receipt.String()
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func showTimeline(w io.Writer, number string, entries []timeline.Entry) {
	zone := zoneOfCase(number)
	for _, e := range entries {
		fmt.Fprintf(w, "%s  %s\n", local(e.OccurredAt, zone), e.Summary)
		if e.Late {
			fmt.Fprintf(w, "                        recorded late, on %s\n", local(e.RecordedAt, zone))
		}
		if e.Training != nil {
			fmt.Fprintln(w, "                        "+map[timeline.Training]string{timeline.Trained: "the assessor held valid training in this tool",
				timeline.Untrained: "no valid training of the assessor in this tool is on record", timeline.Unrecorded: "no training on record in this jurisdiction"}[*e.Training])
		}
		if e.CorrectedBy != nil {
			fmt.Fprintln(w, "                        corrected later; this is how it was first recorded")
		}
		for _, line := range erasedLines(e.Withheld) {
			fmt.Fprintln(w, "                        "+line)
		}
		if e.AnnulledBy != nil {
			fmt.Fprintln(w, "                        annulled later: entered in error")
		}
	}
	noteKosovo(w, jurisdictionOf(number))
}

func (a *app) caseSharesCommand() *cobra.Command {
	c := &cobra.Command{Use: "shares NUMBER", Short: "Show who shared what with whom", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			shares, err := caseReader(a, cmd, args[0], "/shares", nil, (*timeline.Case).Shares)
			if err != nil {
				return err
			}
			return a.print(cmd, shares, func(w io.Writer) {
				zone := zoneOfCase(args[0])
				t := newTable(w, "WHEN", "FROM", "TO", "WHAT", "LEGAL BASIS", "SINCE THEN")
				for _, s := range shares {
					var what []string
					for _, c := range s.Categories {
						what = append(what, string(c))
					}
					basis := "none recorded"
					if s.LegalBasis != nil {
						basis = string(*s.LegalBasis)
					}
					t.row(local(s.At, zone), string(s.From.Institution), string(s.To.Institution), strings.Join(what, ", "), basis, sinceThen(s, zone))
				}
				t.flush()
			})
		}}
	a.readingFlags(c)
	return c
}

// sinceThen says what became of a share.
func sinceThen(s timeline.Share, zone *time.Location) string {
	var parts []string
	for _, p := range []struct {
		what string
		at   *time.Time
	}{{"acknowledged", s.AcknowledgedAt}, {"recalled", s.RecalledAt}, {"destroyed", s.DestroyedAt}} {
		if p.at != nil {
			parts = append(parts, p.what+" "+p.at.In(zone).Format(time.DateOnly))
		}
	}
	return orDash(strings.Join(parts, ", "))
}

func (a *app) caseKnowsCommand() *cobra.Command {
	c := &cobra.Command{Use: "knows NUMBER --who INSTITUTION", Short: "Show what an institution can know by then", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			who, _ := cmd.Flags().GetString("who")
			if who == "" {
				return usagef("--who: expected the id of an institution, such as mk-csw-skopje")
			}
			known, err := caseReader(a, cmd, args[0], "/knows", url.Values{"who": {who}},
				func(c *timeline.Case) []timeline.Knowledge { return c.Knows(events.Institution(who)) })
			if err != nil {
				return err
			}
			return a.print(cmd, known, func(w io.Writer) {
				if len(known) == 0 {
					fmt.Fprintf(w, "Nothing on record tells %s anything of this case. (Is it spelt as in traga case shares %s?)\n", who, args[0])
					return
				}
				zone := zoneOfCase(args[0])
				t := newTable(w, "CATEGORY", "SINCE", "THROUGH")
				for _, k := range known {
					t.row(string(k.Category), local(k.Since, zone), idList(k.Through))
				}
				t.flush()
			})
		}}
	a.readingFlags(c)
	c.Flags().String("who", "", "the institution's id")
	return c
}

func (a *app) caseObligationsCommand() *cobra.Command {
	c := &cobra.Command{Use: "obligations NUMBER", Short: "Show who must do what by when", Args: cobra.ExactArgs(1),
		Long: "Shows every duty that the rules laid on someone in this case. --explain DUTY shows why one is due when it is: what activated it, how the date was computed, and what fulfilled it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if duty, _ := cmd.Flags().GetString("explain"); duty != "" {
				return a.explain(cmd, args[0], duty)
			}
			duties, err := caseReader(a, cmd, args[0], "/obligations", nil, (*timeline.Case).Obligations)
			if err != nil {
				return err
			}
			return a.print(cmd, duties, func(w io.Writer) {
				zone := zoneOfCase(args[0])
				t := newTable(w, "DUTY", "STATE", "DUE", "WHO", "SEVERITY", "NOTE")
				for _, o := range duties {
					who := string(o.Duty)
					if o.DutyHolder != nil {
						who = string(*o.DutyHolder)
					}
					t.row(o.Obligation, string(o.State), dueText(o.Due, zone), who, string(o.Severity), dutyNote(o))
				}
				t.flush()
			})
		}}
	a.readingFlags(c)
	c.Flags().String("explain", "", "explain this duty, such as acknowledge/n-csw-1")
	return c
}

// explain shows why a duty is due when it is.
func (a *app) explain(cmd *cobra.Command, number, duty string) error {
	found := true
	why, err := caseReader(a, cmd, number, "/obligations/"+duty, nil, func(c *timeline.Case) timeline.Explanation {
		var why timeline.Explanation
		why, found = c.Explain(duty)
		return why
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: the case %s has no duty %s", errNotFound, number, duty)
	}
	if err != nil {
		return err
	}
	return a.print(cmd, why, func(w io.Writer) {
		zone := zoneOfCase(number)
		fmt.Fprintf(w, "%s (%s): %s, due %s\n\n%s\n\nHow the date was computed:\n", why.Title["en"], duty, why.State, dueText(why.Due, zone), why.Explanation)
		for i, s := range why.Steps {
			fmt.Fprintf(w, "  %d. %s\n", i+1, s.Text)
			for _, d := range s.Skipped {
				note := ""
				if d.Estimated {
					note = " (estimated)"
				}
				fmt.Fprintf(w, "       not worked: %s, %s%s\n", d.Date, d.Name, note)
			}
		}
		fmt.Fprintf(w, "The period is that of %s; %s\n", why.Protocol, why.Source)
	})
}

func dutyNote(o timeline.Obligation) string {
	var notes []string
	if o.MetOn != nil {
		notes = append(notes, "done "+o.MetOn.String())
	}
	if o.RecordedLate {
		notes = append(notes, "recorded late")
	}
	if o.Compressed {
		notes = append(notes, "little time was left")
	}
	if o.State == protocol.Overdue && o.Escalation > 0 {
		notes = append(notes, "escalation level "+strconv.Itoa(o.Escalation))
	}
	for _, b := range o.Breaches {
		notes = append(notes, "was overdue from "+b.From.String()+" to "+b.Until.String())
	}
	return strings.Join(notes, "; ")
}

func (a *app) caseListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the cases", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			jurisdiction, err := jurisdictionFlag(cmd)
			if err != nil {
				return err
			}
			cases, err := a.cases(cmd.Context(), s, jurisdiction)
			if err != nil {
				return err
			}
			return a.print(cmd, cases, func(w io.Writer) { listCases(w, cases) })
		}}
	a.readingFlags(c)
	c.Flags().String("jurisdiction", "", "only this one: AL, BA, XK, ME, MK or RS")
	return c
}

// cases lists the cases, from the server or from the read models of the source's directory.
func (a *app) cases(ctx context.Context, s *source, jurisdiction events.Jurisdiction) (cases []status.Case, err error) {
	if s.server != nil {
		return fetchAll[status.Case](ctx, s, "/v1/cases", url.Values{"jurisdiction": {string(jurisdiction)}})
	}
	err = a.withReadModels(ctx, s, func(e *projections.Engine) error {
		cases, _, err = status.List(ctx, e, status.Query{AsOf: s.at, Jurisdiction: jurisdiction})
		return err
	})
	return cases, err
}

func listCases(w io.Writer, cases []status.Case) {
	t := newTable(w, "CASE", "STATUS", "PHASE", "EXPECTED RELEASE", "RELEASED ON", "LAST ENTRY")
	kosovo := false
	for _, c := range cases {
		t.row(c.Case, string(c.Status), string(c.Phase), dateOrDash(c.ReleaseDate), dateOrDash(c.ReleasedOn), local(c.ChangedAt, zoneOf(c.Jurisdiction)))
		kosovo = kosovo || c.Jurisdiction == "XK"
	}
	t.flush()
	if kosovo {
		noteKosovo(w, "XK")
	}
}

func (a *app) caseDiffCommand() *cobra.Command {
	c := &cobra.Command{Use: "diff NUMBER --from INSTANT --to INSTANT", Short: "Show what changed in state, duties and knowledge", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			var between [2]events.AsOf
			query := url.Values{}
			for i, flag := range []string{"from", "to"} {
				text, _ := cmd.Flags().GetString(flag)
				if text == "" && flag == "from" {
					return usagef("--from: expected an instant or a position")
				}
				if between[i], err = events.ParseAsOf(text); err != nil {
					return usagef("--%s: %s", flag, strings.TrimPrefix(err.Error(), "at: "))
				}
				if known := knownBy(between[i], s.at); known != between[i] {
					between[i], text = known, s.atText
				}
				query.Set(flag, text)
			}
			lang := s.lang
			query.Set("lang", lang)
			var d timeline.Difference
			if s.server != nil {
				_, err = s.fetch(cmd.Context(), "/v1/cases/"+args[0]+"/diff", query, &d)
			} else {
				d, err = s.localDiff(cmd.Context(), args[0], lang, between[0], between[1])
			}
			if err != nil {
				return err
			}
			return a.print(cmd, d, func(w io.Writer) { showDifference(w, args[0], d) })
		}}
	a.readingFlags(c)
	c.Flags().String("from", "", "the earlier point of view: an instant or a position")
	c.Flags().String("to", "", "the later one; that of --at, or now, when left out")
	return c
}

// knownBy is a point of view held back to what was known at another: who asks as known then sees nothing later. An
// instant and a position are not compared.
func knownBy(view, at events.AsOf) events.AsOf {
	switch {
	case at.IsNow():
		return view
	case view.IsNow(), !view.Instant.IsZero() && !at.Instant.IsZero() && view.Instant.After(at.Instant),
		view.Instant.IsZero() && at.Instant.IsZero() && view.Position.After(at.Position):
		return at
	}
	return view
}

func (s *source) localDiff(ctx context.Context, number, lang string, from, to events.AsOf) (d timeline.Difference, err error) {
	err = s.withCase(ctx, number, to, func(after *timeline.Case) error {
		err := s.withCase(ctx, number, from, func(before *timeline.Case) error {
			d = after.Diff(before, lang)
			return nil
		})
		if errors.Is(err, timeline.ErrNoSuchCase) { // since before there was the case, all of it is new
			d, err = after.Diff(nil, lang), nil
		}
		return err
	})
	return d, err
}

func idList(ids []uuid.UUID) string {
	var list []string
	for _, id := range ids {
		list = append(list, id.String())
	}
	return strings.Join(list, " ")
}

func dateOrDash(d *events.Date) string {
	if d == nil {
		return "–"
	}
	return d.String()
}

func textOrDash(s *string) string {
	if s == nil {
		return "–"
	}
	return *s
}

// local is an instant in a jurisdiction's own time.
func local(t time.Time, zone *time.Location) string { return t.In(zone).Format("2006-01-02 15:04 MST") }

// dueText is a due date as it is, a due instant in local time.
func dueText(due string, zone *time.Location) string {
	if t, err := time.Parse(time.RFC3339Nano, due); err == nil {
		return local(t, zone)
	}
	return due
}

func jurisdictionOf(number string) events.Jurisdiction {
	j, _ := events.ParseCase(number)
	return j
}

func zoneOfCase(number string) *time.Location { return zoneOf(jurisdictionOf(number)) }

func zoneOf(j events.Jurisdiction) *time.Location {
	c, err := calendar.For(string(j), "")
	if err != nil {
		return time.UTC
	}
	return c.Zone()
}

func jurisdictionName(j events.Jurisdiction) string {
	switch j {
	case "AL":
		return "Albania"
	case "BA":
		return "Bosnia and Herzegovina"
	case "XK":
		return "Kosovo*"
	case "ME":
		return "Montenegro"
	case "MK":
		return "North Macedonia"
	case "RS":
		return "Serbia"
	}
	return string(j)
}

func noteKosovo(w io.Writer, j events.Jurisdiction) {
	if j == "XK" {
		fmt.Fprintln(w, "\n"+kosovoNote)
	}
}

// showDifference prints what changed, in the order of importance: state, duties, knowledge, and what was recorded.
func showDifference(w io.Writer, number string, d timeline.Difference) {
	zone := zoneOfCase(number)
	since := "the beginning"
	if d.From != nil {
		since = local(*d.From, zone)
	}
	fmt.Fprintf(w, "Case %s from %s to %s\n", d.Case, since, local(d.To, zone))
	if len(d.State)+len(d.Obligations)+len(d.Knowledge)+len(d.Recorded) == 0 {
		fmt.Fprintln(w, "Nothing changed.")
		return
	}
	for _, s := range d.State {
		fmt.Fprintf(w, "  %s: %s → %s\n", s.Field, valueOrDash(s.Before), valueOrDash(s.After))
	}
	for _, o := range d.Obligations {
		before, after := "new", "gone"
		if o.Before != nil {
			before = string(o.Before.State) + ", due " + dueText(o.Before.Due, zone)
		}
		if o.After != nil {
			after = string(o.After.State) + ", due " + dueText(o.After.Due, zone)
		}
		fmt.Fprintf(w, "  duty %s: %s → %s\n", o.Obligation, before, after)
	}
	for _, k := range d.Knowledge {
		verb := "now knows"
		switch {
		case k.After == nil:
			verb = "was, after all, not told"
		case k.Before != nil:
			verb = "knows through other entries"
		}
		fmt.Fprintf(w, "  %s %s: %s\n", k.Institution, verb, k.Category)
	}
	for _, r := range d.Recorded {
		fmt.Fprintf(w, "  + %s  %s\n", local(r.OccurredAt, zone), r.Summary)
	}
	noteKosovo(w, jurisdictionOf(number))
}

func valueOrDash(v any) string {
	if v == nil {
		return "–"
	}
	text := asJSON(v)
	var s string
	if json.Unmarshal([]byte(text), &s) == nil {
		return s // a name or a date, of whatever type
	}
	return text
}
