package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/access"
	"traga.internal/events"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/timeline"
)

func (a *app) accessCommand() *cobra.Command {
	group := &cobra.Command{Use: "access", Short: "Read the policies that say who may see what"}
	group.AddCommand(a.accessPoliciesCommand())
	return group
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
			return a.print(cmd, looks, func(w io.Writer) {
				if len(looks) == 0 {
					fmt.Fprintln(w, "Nobody has looked at it through a server.")
					return
				}
				zone := zoneOfCase(args[0])
				t := newTable(w, "WHEN", "WHO", "ROLE", "INSTITUTION", "WHAT", "WHY")
				for _, l := range looks {
					what := string(l.Kind) + " " + l.View + l.Format
					if l.Recipient != "" {
						what += " for " + l.Recipient
					}
					t.row(local(l.RecordedAt, zone), l.Actor.Officer, string(l.Actor.Role), string(l.Actor.Institution), what, orDash(l.Justification))
				}
				t.flush()
			})
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
