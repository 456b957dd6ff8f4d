package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/record"
)

func (a *app) protocolCommand() *cobra.Command {
	group := &cobra.Command{Use: "protocol", Short: "Show, check, compare and publish the rules: what must happen, by when, and who answers for it"}
	group.AddCommand(a.protocolShowCommand(), a.protocolCheckCommand(), a.protocolDiffCommand(), a.protocolPublishCommand())
	return group
}

// ruleSetAnswer is a version of a protocol for a reader.
type ruleSetAnswer struct {
	Jurisdiction events.Jurisdiction `json:"jurisdiction,omitempty"`
	Protocol     string              `json:"protocol"`
	Version      string              `json:"version"`
	Source       string              `json:"source"`
	Digest       string              `json:"digest"`
	From         *events.Date        `json:"from"` // its first day; null for the shipped one
	Rules        []protocol.Rule     `json:"rules"`
}

func ruleSetOf(j events.Jurisdiction, s *protocol.RuleSet, from events.Date) ruleSetAnswer {
	answer := ruleSetAnswer{Jurisdiction: j, Protocol: s.Protocol, Version: s.Version, Source: s.Source, Digest: s.Digest, Rules: s.Rules()}
	if from != 0 {
		answer.From = &from
	}
	return answer
}

const defaultsNote = "Every period is a default: the jurisdictions' own procedures are not public, and each overrides them."

func (a *app) protocolShowCommand() *cobra.Command {
	c := &cobra.Command{Use: "show JURISDICTION", Short: "Show the rules in force in a jurisdiction", Args: cobra.ExactArgs(1),
		Long: "Shows the rules that are shipped with traga or, with --data, those in force in that store: now, or as known at --at. --history shows every version.",
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := jurisdiction(args[0])
			if err != nil {
				return err
			}
			book, on, err := a.bookOf(cmd, j)
			if err != nil {
				return err
			}
			if history, _ := cmd.Flags().GetBool("history"); history {
				all := []ruleSetAnswer{}
				for _, e := range book.Editions(j) {
					all = append(all, ruleSetOf(j, e.RuleSet, e.From))
				}
				return a.print(cmd, all, func(w io.Writer) {
					t := newTable(w, "VERSION", "FROM", "RULES", "DIGEST", "SOURCE")
					for _, s := range all {
						t.row(s.Version, dateOrDash(s.From), fmt.Sprint(len(s.Rules)), s.Digest[:19], s.Source)
					}
					t.flush()
				})
			}
			answer := ruleSetOf(j, book.InForce(j, on), 0)
			return a.print(cmd, answer, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s, version %s\n%s\n%s\n\n", jurisdictionName(j), answer.Protocol, answer.Version, answer.Source, defaultsNote)
				showRules(w, answer.Rules)
				noteKosovo(w, j)
			})
		}}
	a.readingFlags(c)
	c.Flags().Bool("history", false, "show every version, not the rules")
	return c
}

// bookOf is the rules of the store that --data names, as known at --at, or the shipped ones; and the local day.
func (a *app) bookOf(cmd *cobra.Command, j events.Jurisdiction) (*protocol.Book, events.Date, error) {
	today := events.DateIn(a.now(), zoneOf(j))
	if dir, _ := cmd.Flags().GetString("data"); dir == "" {
		return protocol.NewBook(), today, nil
	}
	s, err := a.source(cmd)
	if err != nil {
		return nil, 0, err
	}
	log, err := s.openLog(cmd.Context())
	if err != nil {
		return nil, 0, err
	}
	defer log.Close()
	book, err := loadBook(cmd.Context(), log)
	if err != nil {
		return nil, 0, err
	}
	return book.AsKnown(s.at), events.DateIn(s.at.Clock(a.now(), a.now()), zoneOf(j)), nil
}

func showRules(w io.Writer, rules []protocol.Rule) {
	t := newTable(w, "RULE", "WHAT", "WHO → WHOM", "SEVERITY", "WHEN")
	for _, r := range rules {
		who := r.Duty
		if r.Toward != "" {
			who += " → " + string(r.Toward)
		}
		t.row(r.ID, r.Titles["en"], who, string(r.Severity), r.Period)
	}
	t.flush()
}

func jurisdiction(text string) (events.Jurisdiction, error) {
	for _, j := range events.Jurisdictions() {
		if string(j) == text {
			return j, nil
		}
	}
	return "", usagef("expected a jurisdiction: AL, BA, XK, ME, MK or RS")
}

func readRules(name string) (*protocol.RuleSet, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("there is no file %s", name)
	}
	if err != nil {
		return nil, err
	}
	rules, err := protocol.ParseRules(name, text)
	if err != nil {
		return nil, &usageError{err}
	}
	return rules, nil
}

func (a *app) protocolCheckCommand() *cobra.Command {
	c := &cobra.Command{Use: "check FILE", Short: "Check a file of rules; names file, line and rule of what is wrong", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rules, err := readRules(args[0])
			if err != nil {
				return err
			}
			return a.print(cmd, ruleSetOf("", rules, 0), func(w io.Writer) {
				fmt.Fprintf(w, "%s is right: %s, version %s, %d rules, %s\n", args[0], rules.Protocol, rules.Version, len(rules.Rules()), rules.Digest)
			})
		}}
	a.jsonFlag(c)
	return c
}

// ruleChange is how a rule differs between two protocols.
type ruleChange struct {
	Rule   string         `json:"rule"`
	Before *protocol.Rule `json:"before"` // null for a rule that came
	After  *protocol.Rule `json:"after"`  // null for a rule that went
}

func (a *app) protocolDiffCommand() *cobra.Command {
	c := &cobra.Command{Use: "diff A B", Short: "Compare two protocols, each a file or a jurisdiction's shipped one", Args: cobra.ExactArgs(2),
		Example: "  traga protocol diff MK RS\n  traga protocol diff MK new-rules.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			var sides [2]map[string]protocol.Rule
			var order []string
			for i, name := range args {
				rules, err := rulesNamed(name)
				if err != nil {
					return err
				}
				sides[i] = map[string]protocol.Rule{}
				for _, r := range rules {
					id := r.ID
					for n := 2; sides[i][id].ID != ""; n++ { // a series of due dates is one rule for each of them
						id = fmt.Sprintf("%s, number %d", r.ID, n)
					}
					sides[i][id] = r
					if !slices.Contains(order, id) {
						order = append(order, id)
					}
				}
			}
			changes := []ruleChange{}
			for _, id := range order {
				before, was := sides[0][id]
				after, is := sides[1][id]
				if was && is && sameRule(before, after) {
					continue
				}
				change := ruleChange{Rule: id}
				if was {
					change.Before = &before
				}
				if is {
					change.After = &after
				}
				changes = append(changes, change)
			}
			return a.print(cmd, changes, func(w io.Writer) { showRuleChanges(w, changes) })
		}}
	a.jsonFlag(c)
	return c
}

// sameRule compares what a rule demands; its words and its source may differ.
func sameRule(a, b protocol.Rule) bool {
	a.Titles, b.Titles, a.Source, b.Source = nil, nil, "", ""
	return a.Severity == b.Severity && a.Duty == b.Duty && a.Toward == b.Toward && a.Activation == b.Activation && a.Period == b.Period &&
		a.Fulfilment == b.Fulfilment && maps.Equal(a.Titles, b.Titles)
}

func rulesNamed(name string) ([]protocol.Rule, error) {
	if j, err := jurisdiction(name); err == nil {
		for _, e := range protocol.NewBook().Editions(j) {
			return e.Rules(), nil
		}
	}
	rules, err := readRules(name)
	if err != nil {
		return nil, err
	}
	return rules.Rules(), nil
}

func showRuleChanges(w io.Writer, changes []ruleChange) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "The rules demand the same.")
		return
	}
	for _, c := range changes {
		switch {
		case c.Before == nil:
			fmt.Fprintf(w, "+ %s: %s, %s\n", c.Rule, c.After.Duty, c.After.Period)
		case c.After == nil:
			fmt.Fprintf(w, "- %s: %s, %s\n", c.Rule, c.Before.Duty, c.Before.Period)
		default:
			fmt.Fprintf(w, "~ %s\n", c.Rule)
			for _, f := range [][3]string{{"who", c.Before.Duty, c.After.Duty}, {"toward", string(c.Before.Toward), string(c.After.Toward)},
				{"when", c.Before.Period, c.After.Period}, {"activated by", c.Before.Activation, c.After.Activation},
				{"fulfilled by", c.Before.Fulfilment, c.After.Fulfilment}, {"severity", string(c.Before.Severity), string(c.After.Severity)}} {
				if f[1] != f[2] {
					fmt.Fprintf(w, "    %s: %s → %s\n", f[0], orDash(f[1]), orDash(f[2]))
				}
			}
		}
	}
}

func (a *app) protocolPublishCommand() *cobra.Command {
	c := &cobra.Command{Use: "publish FILE", Short: "Publish a version of a jurisdiction's protocol, as an event", Args: cobra.ExactArgs(1),
		Long: `Publishes a file of rules in a store. A duty is judged by the version in force when it was activated; what was
activated before stays under the old one.`,
		Example: "  traga protocol publish rules.yaml --jurisdiction MK --effective-from 2026-12-01 --officer v.trajkovska --institution mk-des --data ./store",
		RunE: func(cmd *cobra.Command, args []string) error {
			text := func(flag string) string { v, _ := cmd.Flags().GetString(flag); return v }
			j, err := jurisdiction(text("jurisdiction"))
			if err != nil {
				return fmt.Errorf("--jurisdiction: %w", err)
			}
			from, err := events.ParseDate(text("effective-from"))
			if err != nil {
				return usagef("--effective-from: %w", err)
			}
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			if s.dir == "" {
				return usagef("publish works on a store's directory: --data DIR")
			}
			rules, err := readRules(args[0])
			if err != nil {
				return err
			}
			receipt, err := a.publish(cmd.Context(), s, &record.Action{Jurisdiction: j, Type: "ProtocolPublished",
				Actor: events.Actor{Officer: text("officer"), Role: events.Role(text("role")), Institution: events.Institution(text("institution"))},
				Data:  &events.ProtocolPublished{Version: rules.Version, EffectiveFrom: from, Rules: rules.JSON, Digest: rules.Digest}})
			if err != nil {
				return err
			}
			return a.print(cmd, receipt, func(w io.Writer) {
				fmt.Fprintf(w, "Published version %s of the protocol of %s, in force from %s\n", rules.Version, jurisdictionName(j), from)
				noteKosovo(w, j)
			})
		}}
	a.writingFlags(c)
	for _, f := range [][3]string{{"jurisdiction", "", "AL, BA, XK, ME, MK or RS"}, {"effective-from", "", "its first day in force, YYYY-MM-DD"}, {"officer", "", "the id of the officer who publishes it"},
		{"role", string(events.Directorate), "the role that the officer acts in"}, {"institution", "", "the officer's institution"}} {
		c.Flags().String(f[0], f[1], f[2])
	}
	return c
}

func (a *app) publish(ctx context.Context, s *source, action *record.Action) (receipt record.Receipt, err error) {
	if strings.TrimSpace(action.Actor.Officer) == "" || action.Actor.Institution == "" {
		return record.Receipt{}, usagef("--officer and --institution: say who publishes it")
	}
	recorder, store, err := a.openRecorder(ctx, s.dir, s.keys)
	if err != nil {
		return record.Receipt{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	err = a.sealed(ctx, s.config, store, func() error {
		receipt, err = recorder.Record(ctx, action, record.AnyRevision)
		return err
	})
	return receipt, err
}
