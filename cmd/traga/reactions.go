package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"traga.internal/events"
	"traga.internal/handlers/reactions"
	"traga.internal/projections/obligations"
)

// reactionsSection reads the reactions section of a configuration file; nil when there is none.
func reactionsSection(path string) (*reactions.Settings, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("read the configuration file %s: %w", path, err)
	}
	var file struct {
		Reactions yaml.Node `yaml:"reactions"`
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		return nil, usagef("read the configuration file %s: %w", path, err)
	}
	if file.Reactions.IsZero() {
		return nil, nil
	}
	s, err := reactions.ParseSettings(&file.Reactions)
	if err != nil {
		return nil, usagef("the configuration file %s: %w", path, err)
	}
	return &s, nil
}

// react makes the service tell others what happens, as the reactions section says; without one it does nothing. The
// result is the work to do until the service ends, and what to close then.
func (n *node) react(ctx context.Context, dir string, s *reactions.Settings) (run func(context.Context) error, err error) {
	if s == nil {
		return func(ctx context.Context) error { <-ctx.Done(); return nil }, nil
	}
	journal, err := reactions.OpenJournal(ctx, dir, n.now)
	if err != nil {
		return nil, err
	}
	r, err := reactions.New(ctx, reactions.Config{Settings: *s, Journal: journal, Events: n.store, Alerts: n.alerts, Book: n.rules, Recorder: n.recorder,
		Clock: n.now, Log: n.log, Observe: n.metrics.Delivered})
	if errors.Is(err, reactions.ErrSettings) {
		err = &usageError{err}
	}
	if err != nil {
		return nil, errors.Join(err, journal.Close())
	}
	return func(ctx context.Context) error { return errors.Join(r.Run(ctx), journal.Close()) }, nil
}

// alerts are those that stand now, of a read model that has seen all of the log.
func (n *node) alerts(ctx context.Context, now time.Time) ([]obligations.Alert, events.Position, error) {
	head, err := n.store.Head(ctx)
	if err != nil {
		return nil, head, fmt.Errorf("ask where the log ends: %w", err)
	}
	if err := n.engine.WaitFor(ctx, head, obligations.Name); err != nil {
		return nil, head, fmt.Errorf("wait for the obligations: %w", err)
	}
	list, _, err := obligations.Alerts(ctx, n.engine, obligations.Query{Now: now})
	return list, head, err
}

func (a *app) deliveryCommand() *cobra.Command {
	group := &cobra.Command{Use: "delivery", Short: "See what traga told others, and send again what could not be told"}
	group.AddCommand(a.deliveryListCommand(), a.deliveryReplayCommand())
	return group
}

// deliveries is what delivery list prints.
type deliveries struct {
	Parked   []reactions.Parked  `json:"parked"`
	Attempts []reactions.Attempt `json:"attempts"`
}

func (a *app) deliveryListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list --data DIR", Short: "List what is parked, and the latest attempts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			reaction, _ := cmd.Flags().GetString("reaction")
			parkedOnly, _ := cmd.Flags().GetBool("parked")
			limit, _ := cmd.Flags().GetInt("limit")
			if limit < 1 {
				return usagef("--limit: expected a number of attempts from 1")
			}
			shown := deliveries{Parked: []reactions.Parked{}, Attempts: []reactions.Attempt{}}
			err := a.withJournal(cmd, func(j *reactions.Journal) (err error) {
				if shown.Parked, err = j.Parked(cmd.Context(), reaction); err == nil && !parkedOnly {
					shown.Attempts, err = j.Attempts(cmd.Context(), reaction, limit)
				}
				return err
			})
			if errors.Is(err, fs.ErrNotExist) { // nothing was ever told
				err = nil
			}
			if err != nil {
				return err
			}
			return a.print(cmd, shown, func(w io.Writer) { listDeliveries(w, shown, parkedOnly) })
		}}
	addSettings(c.Flags(), clientSettings()[:1])
	c.Flags().String("reaction", "", "only this one, by its name in the configuration")
	c.Flags().Bool("parked", false, "only what is parked")
	c.Flags().Int("limit", 20, "how many attempts")
	a.jsonFlag(c)
	return c
}

func listDeliveries(w io.Writer, shown deliveries, parkedOnly bool) {
	if len(shown.Parked) == 0 {
		fmt.Fprintln(w, "Nothing is parked.")
	} else {
		t := newTable(w, "PARKED", "REACTION", "CHANNEL", "SINCE", "WHY", "REPLAY")
		for _, p := range shown.Parked {
			replay := ""
			if p.Replay {
				replay = "asked for"
			}
			t.row(strconv.FormatInt(p.Number, 10), p.Reaction, p.Channel, p.At.Format(time.RFC3339), p.Reason, replay)
		}
		t.flush()
	}
	if parkedOnly || len(shown.Attempts) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "ATTEMPT AT", "REACTION", "CHANNEL", "MESSAGE", "OUTCOME", "DETAIL")
	for _, at := range shown.Attempts {
		t.row(at.Began.Format(time.RFC3339), at.Reaction, at.Channel, at.Message, at.Outcome, at.Detail)
	}
	t.flush()
}

func (a *app) deliveryReplayCommand() *cobra.Command {
	c := &cobra.Command{Use: "replay NUMBER...|--all --data DIR", Short: "Send parked messages again",
		Long: `Asks for parked messages, by their numbers in delivery list, to be sent again. A running traga does it within seconds, else the
next one that is started does. An alert is told as it stands then; what comes after a parked event of the same case is sent after it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			reaction, _ := cmd.Flags().GetString("reaction")
			all, _ := cmd.Flags().GetBool("all")
			if all == (len(args) > 0) {
				return usagef("name parked messages by their numbers in delivery list, or --all")
			}
			var numbers []int64
			for _, text := range args {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil || n < 1 {
					return usagef("%q: expected a number that delivery list shows", text)
				}
				numbers = append(numbers, n)
			}
			err := a.withJournal(cmd, func(j *reactions.Journal) error {
				parked, err := j.Parked(cmd.Context(), reaction)
				if err != nil {
					return err
				}
				for _, n := range numbers {
					if !slices.ContainsFunc(parked, func(p reactions.Parked) bool { return p.Number == n }) {
						return fmt.Errorf("%w: nothing is parked under the number %d", errNotFound, n)
					}
				}
				if all {
					for _, p := range parked {
						numbers = append(numbers, p.Number)
					}
				}
				return j.Replay(cmd.Context(), numbers...)
			})
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w: nothing is parked in this directory", errNotFound)
			}
			if err == nil {
				fmt.Fprintf(a.Err, "Asked for %d to be sent again.\n", len(numbers))
			}
			return err
		}}
	addSettings(c.Flags(), clientSettings()[:1])
	c.Flags().Bool("all", false, "all that is parked")
	c.Flags().String("reaction", "", "of this one only, by its name in the configuration")
	return c
}

// withJournal opens the journal of a data directory for a command, beside the service.
func (a *app) withJournal(cmd *cobra.Command, fn func(*reactions.Journal) error) (err error) {
	dir, err := a.dataDirectory(cmd)
	if err != nil {
		return err
	}
	if err := isDirectory(dir); err != nil {
		return err
	}
	j, err := reactions.FindJournal(cmd.Context(), dir, a.now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	return fn(j)
}

// reactionsText is how config print shows the section.
func reactionsText(s *reactions.Settings) string {
	if s == nil {
		return ""
	}
	return strings.Join(s.Names(), ", ")
}
