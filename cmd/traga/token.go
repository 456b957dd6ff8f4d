package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

func (a *app) tokenCommand() *cobra.Command {
	group := &cobra.Command{Use: "token", Short: "Issue, list and revoke the tokens that people and programs sign in with",
		Long: `A token says who its bearer is: an officer of an institution in a role. It is signed with the key token.key in the directory
of keys, which the first one makes, and holds for a while. A traga that serves with the same keys takes it at once, and at
once no more when it is revoked. Where the directory of institutions and officers knows the officer, it must agree.`}
	group.AddCommand(a.tokenIssueCommand(), a.tokenRevokeCommand(), a.tokenListCommand())
	return group
}

func keysSettings() []setting {
	return []setting{
		{key: "data", help: "the directory of the store whose keys are meant"},
		{key: "keys", help: "the directory of the keys (DATA.keys)"},
	}
}

// keysOf is the directory of keys that a command means.
func (a *app) keysOf(cmd *cobra.Command) (string, error) {
	c, err := loadConfig(cmd, a.environ)
	if err != nil {
		return "", err
	}
	if c.keys() == "" {
		return "", usagef("say whose keys: --data DIR for those of a store, or --keys DIR")
	}
	return c.keys(), nil
}

func (a *app) openTokens(cmd *cobra.Command) (*auth.Tokens, error) {
	dir, err := a.keysOf(cmd)
	if err != nil {
		return nil, err
	}
	tokens, err := auth.OpenTokens(dir, a.now)
	if errors.Is(err, auth.ErrNoKey) {
		return nil, fmt.Errorf("%w: %w", errNotFound, err)
	}
	return tokens, err
}

func (a *app) tokenIssueCommand() *cobra.Command {
	var who events.Actor
	var role, institution string
	var life time.Duration
	var machine bool
	c := &cobra.Command{Use: "issue --officer O --institution I --role R", Short: "Print a new token", Args: cobra.NoArgs,
		Long: `Print a new token, and nothing else. Whoever bears it is who it says: hand it over in private. It is shown this once only.`,
		Example: `  traga token issue --data ./store --officer l.dimova --institution mk-csw-skopje --role csw --for 12h
  traga token issue --data ./store --machine --officer prison-records --institution mk-prison-idrizovo --role prison-treatment --for 720h`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.keysOf(cmd)
			if err != nil {
				return err
			}
			tokens, err := auth.MakeTokens(dir, a.now)
			if err != nil {
				return err
			}
			who.Role, who.Institution = events.Role(role), events.Institution(institution)
			raw, _, err := tokens.Issue(who, machine, life)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.Out, raw)
			return err
		}}
	addSettings(c.Flags(), keysSettings())
	c.Flags().StringVar(&who.Officer, "officer", "", "the officer's id, or the system's name")
	c.Flags().StringVar(&institution, "institution", "", "the institution's id")
	c.Flags().StringVar(&role, "role", "", "the role, such as csw")
	c.Flags().DurationVar(&life, "for", 8*time.Hour, "how long it holds, at most 720h")
	c.Flags().BoolVar(&machine, "machine", false, "a system bears it, which records for the officers of its institution and role")
	return c
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	var officer string
	var all bool
	c := &cobra.Command{Use: "revoke [ID]...", Short: "End tokens at once, also in a running traga", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			given := map[uuid.UUID]bool{}
			for _, arg := range args {
				id, err := uuid.Parse(arg)
				if err != nil {
					return usagef("expected the id of a token, as traga token list shows it")
				}
				given[id] = true
			}
			if (len(given) > 0) == (officer != "") && !all || all && (len(given) > 0 || officer != "") {
				return usagef("say which tokens: their ids, or --officer O for all of an officer's, or --all")
			}
			tokens, err := a.openTokens(cmd)
			if err != nil {
				return err
			}
			list, err := tokens.List()
			if err != nil {
				return err
			}
			meant := func(t auth.Token) bool { return all || given[t.ID] || officer != "" && t.Actor.Officer == officer }
			known := 0
			for _, t := range list {
				if meant(t) {
					known++
				}
			}
			if known < len(given) || officer != "" && known == 0 {
				return fmt.Errorf("%w: no such token was issued with these keys; nothing was revoked", errNotFound)
			}
			n, err := tokens.Revoke(meant)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "%d revoked; %d had ended before\n", n, known-n)
			return nil
		}}
	addSettings(c.Flags(), keysSettings())
	c.Flags().StringVar(&officer, "officer", "", "all tokens of this officer or system")
	c.Flags().BoolVar(&all, "all", false, "all tokens")
	return c
}

// tokenRow is one token as traga token list prints it.
type tokenRow struct {
	ID          uuid.UUID          `json:"id"`
	Officer     string             `json:"officer"`
	Institution events.Institution `json:"institution"`
	Role        events.Role        `json:"role"`
	Machine     bool               `json:"machine"`
	Issued      time.Time          `json:"issued"`
	Expires     time.Time          `json:"expires"`
	State       string             `json:"state"` // valid, expired or revoked
	Revoked     *time.Time         `json:"revoked"`
}

func (a *app) tokenListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the tokens that were issued, the latest last", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tokens, err := a.openTokens(cmd)
			if err != nil {
				return err
			}
			list, err := tokens.List()
			if err != nil {
				return err
			}
			now, rows := a.now(), []tokenRow{}
			for _, t := range list {
				r := tokenRow{t.ID, t.Actor.Officer, t.Actor.Institution, t.Actor.Role, t.Machine, t.Issued, t.Expires, "valid", nil}
				switch {
				case !t.Revoked.IsZero():
					r.State, r.Revoked = "revoked", &t.Revoked
				case !now.Before(t.Expires):
					r.State = "expired"
				}
				rows = append(rows, r)
			}
			return a.print(cmd, rows, func(w io.Writer) {
				t := newTable(w, "TOKEN", "OFFICER", "ROLE", "INSTITUTION", "MACHINE", "EXPIRES", "STATE")
				for _, r := range rows {
					machine := "no"
					if r.Machine {
						machine = "yes"
					}
					t.row(r.ID.String(), r.Officer, string(r.Role), string(r.Institution), machine, r.Expires.Format(time.RFC3339), r.State)
				}
				t.flush()
			})
		}}
	addSettings(c.Flags(), keysSettings())
	a.jsonFlag(c)
	return c
}
