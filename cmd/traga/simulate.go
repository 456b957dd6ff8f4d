package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/record"
	"traga.internal/handlers/simulate"
)

// simulation is what traga simulate prints.
type simulation struct {
	Lines    int       `json:"lines"`
	Recorded int       `json:"recorded"`
	Refused  int       `json:"refused"`
	Watched  int       `json:"watched"` // events that the deadline watcher recorded
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Unmet    []string  `json:"unmet"`
	Data     string    `json:"data,omitempty"`
}

func (a *app) simulateCommand() *cobra.Command {
	c := &cobra.Command{Use: "simulate FILE...", Short: "Run scenario files in a fresh store on a simulated clock", Args: cobra.ArbitraryArgs,
		Long: `Run scenario files in a fresh store on a simulated clock, with the deadline watcher at 00:05 of every day, and say
which expectations did not hold. The store says of itself that its times are simulated.

With --generate N it makes a realistic log of N fictional events instead; the same --seed gives the same log.`,
		Example: "  traga simulate 01-ordinary-mk.ndjson --data ./scenario\n  traga simulate --generate 1000000 --seed 7 --data ./large",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, _ := cmd.Flags().GetString("data")
			n, _ := cmd.Flags().GetInt64("generate")
			seed, _ := cmd.Flags().GetInt64("seed")
			keys, _ := cmd.Flags().GetString("keys")
			if keys == "" && dir != "" {
				keys = keysBeside(dir)
			}
			switch {
			case n < 0 || n > 0 && len(args) > 0 || n == 0 && len(args) == 0:
				return usagef("name scenario files, or --generate N with N events")
			case n > 0 && dir == "":
				return usagef("say where to make the log: --data DIR")
			case n > 0:
				return a.generate(cmd, dir, keys, n, seed)
			}
			r, err := a.simulate(cmd.Context(), args, dir, keys)
			if errors.Is(err, simulate.ErrNotEmpty) {
				return usagef("--data: %w", err)
			}
			if err == nil && dir != "" {
				err = a.sealDirectory(cmd)
			}
			if err != nil {
				return err
			}
			err = a.print(cmd, r, func(w io.Writer) {
				fmt.Fprintf(w, "%d lines: %d recorded, %d refused as expected; %d entries by the deadline watcher; %s to %s\n",
					r.Lines, r.Recorded, r.Refused-len(r.Unmet), r.Watched, r.From.Format(time.DateOnly), r.To.Format(time.DateOnly))
				for _, u := range r.Unmet {
					fmt.Fprintln(w, "NOT AS EXPECTED "+u)
				}
			})
			if err == nil && len(r.Unmet) > 0 {
				return &codedError{code: exitFailure, err: fmt.Errorf("%d expectations did not hold", len(r.Unmet))}
			}
			return err
		}}
	c.Flags().String("data", "", "directory for the store, empty or not there yet; none keeps nothing")
	c.Flags().String("keys", "", "directory of its keys (DATA.keys)")
	c.Flags().Int64("generate", 0, "make a log of so many fictional events")
	c.Flags().Int64("seed", 1, "the same seed makes the same log")
	a.jsonFlag(c)
	return c
}

func (a *app) simulate(ctx context.Context, files []string, dir, keys string) (_ *simulation, err error) {
	kept := dir
	if dir == "" {
		base, err := os.MkdirTemp("", "traga-simulate-")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(base)) }()
		dir, keys = filepath.Join(base, "store"), filepath.Join(base, "keys")
	}
	var scenarios []*simulate.Scenario
	for _, name := range files {
		s, err := readScenario(name)
		if err != nil {
			return nil, err
		}
		scenarios = append(scenarios, s)
	}
	book := protocol.NewBook()
	p := a.progress("simulate")
	defer p.done()
	r, err := simulate.Run(ctx, simulate.Setup{Book: book,
		Store: func(ctx context.Context, clock func() time.Time) (events.Store, error) {
			return openForWriting(ctx, dir, keys, clock)
		},
		Recorder: func(store events.Store, clock func() time.Time) *record.Recorder {
			return newRecorder(store, book, clock)
		},
		Progress: func(done, all int) { p.report(int64(done), int64(all)) },
	}, scenarios...)
	if err != nil {
		return nil, err
	}
	answer := &simulation{Lines: r.Lines, Recorded: r.Recorded, Refused: r.Refused, Watched: r.Watched, From: r.From, To: r.To, Unmet: []string{}, Data: kept}
	for _, u := range r.Unmet {
		answer.Unmet = append(answer.Unmet, u.String())
	}
	return answer, nil
}

func readScenario(name string) (*simulate.Scenario, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("there is no file %s", name)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return simulate.Read(name, f)
}

// generate makes a large fictional log.
func (a *app) generate(cmd *cobra.Command, dir, keys string, n, seed int64) error {
	p := a.progress("generate")
	err := simulate.Generate(cmd.Context(), dir, keys, n, seed, func(stored int64) { p.report(stored, n) })
	p.done()
	if errors.Is(err, simulate.ErrNotEmpty) {
		return usagef("--data: %w", err)
	}
	if err == nil {
		err = a.sealDirectory(cmd)
	}
	if err != nil {
		return err
	}
	return a.print(cmd, simulation{Recorded: int(n), Unmet: []string{}, Data: dir}, func(w io.Writer) {
		fmt.Fprintf(w, "%d fictional events are in %s\n", n, dir)
	})
}
