package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/access"
	"traga.internal/events"
	"traga.internal/projections"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/timeline"
)

func (a *app) accessCommand() *cobra.Command {
	group := &cobra.Command{Use: "access", Short: "Read the policies that say who may see what, and who looked"}
	group.AddCommand(a.accessPoliciesCommand(), a.accessLogCommand())
	return group
}

func (a *app) accessLogCommand() *cobra.Command {
	c := &cobra.Command{Use: "log --jurisdiction J", Short: "Show who looked at the cases of a jurisdiction, when and why", Args: cobra.NoArgs,
		Long: `Shows looks at cases and at lists of cases, refused looks and exports, the latest first. From a server it is for those whose
mandate it is to ask, and a look itself. It is no statistic of anyone's work.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			jurisdiction, err := jurisdictionFlag(cmd)
			if err != nil {
				return err
			}
			if jurisdiction == "" {
				return usagef("--jurisdiction: expected AL, BA, XK, ME, MK or RS")
			}
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			officer, _ := cmd.Flags().GetString("officer")
			kind, _ := cmd.Flags().GetString("kind")
			if kind != "" && kind != string(accesslog.Consulted) && kind != string(accesslog.Denied) && kind != string(accesslog.Exported) {
				return usagef("--kind: expected consulted, denied or exported")
			}
			var looks []accesslog.Entry
			if s.server != nil {
				looks, err = fetchAll[accesslog.Entry](cmd.Context(), s, "/v1/access", url.Values{"jurisdiction": {string(jurisdiction)}, "officer": {officer}, "kind": {kind}})
			} else {
				err = a.withReadModels(cmd.Context(), s, func(e *projections.Engine) error {
					looks, _, err = accesslog.List(cmd.Context(), e, accesslog.Query{Jurisdiction: jurisdiction, Officer: officer, Kind: accesslog.Kind(kind), AsOf: s.at})
					return err
				})
			}
			if err != nil {
				return err
			}
			return a.print(cmd, looks, func(w io.Writer) { showLooks(w, looks, jurisdiction) })
		}}
	a.readingFlags(c)
	c.Flags().String("jurisdiction", "", "of the cases that were looked at: AL, BA, XK, ME, MK or RS")
	c.Flags().String("officer", "", "only looks of this officer")
	c.Flags().String("kind", "", "only these: consulted, denied or exported")
	return c
}

func showLooks(w io.Writer, looks []accesslog.Entry, j events.Jurisdiction) {
	if len(looks) == 0 {
		fmt.Fprintln(w, "Nobody has looked through a server.")
		return
	}
	t := newTable(w, "WHEN", "CASE", "WHO", "ROLE", "INSTITUTION", "WHAT", "WHY")
	for _, l := range looks {
		what := string(l.Kind) + " " + l.View + l.Format
		if l.Recipient != "" {
			what += " for " + l.Recipient
		}
		t.row(local(l.RecordedAt, zoneOf(j)), orDash(l.Case), l.Actor.Officer, string(l.Actor.Role), string(l.Actor.Institution), what, orDash(l.Justification))
	}
	t.flush()
	noteKosovo(w, j)
}

func (a *app) accessPoliciesCommand() *cobra.Command {
	c := &cobra.Command{Use: "policies [JURISDICTION]", Short: "Print the policies in force, for all or for one jurisdiction", Args: cobra.MaximumNArgs(1),
		Long: `Prints the policies as Cedar text: the shipped ones and, where --policies names a directory, those that it puts in their
place. The id of a policy names the cell of the need-to-know matrix that it is, such as csw.health.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(cmd, a.environ)
			if err != nil {
				return err
			}
			policies, err := loadPolicies(c)
			if err != nil {
				return err
			}
			var j events.Jurisdiction
			if len(args) == 1 {
				if j = events.Jurisdiction(args[0]); access.JurisdictionOf(events.Institution(strings.ToLower(args[0])+"-")) != j {
					return usagef("expected AL, BA, XK, ME, MK or RS")
				}
			}
			_, err = io.WriteString(a.Out, policies.Text(j))
			return err
		}}
	addSettings(c.Flags(), []setting{policySetting()})
	return c
}

// policySetting is the setting that serve and access policies share.
func policySetting() setting {
	return setting{key: "policies", help: "directory of Cedar policies over the shipped ones, with a folder for each jurisdiction that has its own"}
}

func loadPolicies(c *config) (*access.Policies, error) {
	policies, err := access.Load(c.get("policies"))
	if err != nil {
		return nil, usagef("--policies: %w", err)
	}
	return policies, nil
}

func (a *app) caseAccessCommand() *cobra.Command {
	c := &cobra.Command{Use: "access NUMBER", Short: "Show who looked at a case, when and why", Args: cobra.ExactArgs(1),
		Long: "Shows every look at the case, those that were refused and what was taken out, the latest first. From a server it is for those whose mandate it is to ask.",
		RunE: func(cmd *cobra.Command, args []string) error {
			looks, err := a.looks(cmd, args[0])
			if err != nil {
				return err
			}
			return a.print(cmd, looks, func(w io.Writer) { showLooks(w, looks, jurisdictionOf(args[0])) })
		}}
	a.readingFlags(c)
	return c
}

func (a *app) looks(cmd *cobra.Command, number string) (looks []accesslog.Entry, err error) {
	s, err := a.source(cmd)
	if err != nil {
		return nil, err
	}
	if _, err := events.ParseCase(number); err != nil {
		return nil, err
	}
	if s.server != nil {
		_, err := s.fetch(cmd.Context(), "/v1/cases/"+number+"/access", nil, &looks)
		return looks, err
	}
	err = s.withCase(cmd.Context(), number, s.at, func(*timeline.Case) error { return nil }) // so that an unknown case is one
	if err != nil {
		return nil, err
	}
	log, err := s.openLog(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return accesslog.OfCase(cmd.Context(), log, number, s.at)
}
