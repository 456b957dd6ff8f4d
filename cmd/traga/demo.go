package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/caseload"
	"traga.internal/handlers/record"
	"traga.internal/handlers/simulate"
)

const (
	// demoCases is how many cases the demo has.
	demoCases = 48
	// demoSeed makes the same fictional people each day.
	demoSeed = 1
	// demoNotice stands on every page of the demo.
	demoNotice = "This is a demonstration. Every person and every entry in it is fictional, and its past times are simulated."
)

func (a *app) demoCommand() *cobra.Command {
	c := &cobra.Command{Use: "demo", Short: "Serve a fictional caseload to look around in", Args: cobra.NoArgs,
		Long: `Make a fictional caseload of the last 18 months through the real write path, serve it on this machine, and keep new
entries coming. Nothing in it is real, and nothing of it is kept unless --data names a new directory.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, _ := cmd.Flags().GetString("listen")
			dir, _ := cmd.Flags().GetString("data")
			return a.demo(cmd.Context(), address, dir)
		}}
	c.Flags().String("listen", "127.0.0.1:8080", "address to serve on, as HOST:PORT")
	c.Flags().String("data", "", "keep the caseload in this new directory")
	return c
}

func (a *app) demo(ctx context.Context, address, dir string) (err error) {
	listener, err := listen(ctx, address)
	if err != nil {
		return err
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "traga-demo-"); err != nil {
			return errors.Join(err, listener.Close())
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	log := slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	clock := &simulate.Clock{}
	n, err := a.openNode(ctx, dir, log, clock.Now, demoNotice)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	load, err := a.playCaseload(ctx, n, clock)
	if err != nil {
		return errors.Join(err, listener.Close(), n.close())
	}
	clock.Follow(a.now)
	a.welcome(listener, load)
	defer func() {
		if err == nil {
			fmt.Fprintf(a.Err, "The demo has ended: %v\n", context.Cause(ctx))
		}
	}()
	return n.serve(ctx, listener, func(ctx context.Context) error { return n.feed(ctx, load.Live(clock.Now()), a.now) })
}

// playCaseload records the fictional past, in the order and at the times of the simulated clock.
func (a *app) playCaseload(ctx context.Context, n *node, clock *simulate.Clock) (*caseload.Generator, error) {
	load, err := caseload.New(demoSeed, a.now(), demoCases)
	if err != nil {
		return nil, err
	}
	world, err := simulate.Begin(ctx, n.store, clock, n.recorder, protocol.NewBook(), load.From(), "the demo's fictional caseload")
	if errors.Is(err, simulate.ErrNotEmpty) {
		return nil, usagef("--data: the directory holds a store already; traga serve --data shows it")
	}
	if err != nil {
		return nil, err
	}
	p := a.progress("make the fictional caseload")
	defer p.done()
	done := 0
	err = world.Play(ctx, load.All(), func() {
		done++
		p.report(int64(done), int64(load.Len()))
	})
	if err == nil {
		err = world.Advance(ctx, a.now())
	}
	if err == nil {
		err = n.engine.CatchUp(ctx, nil)
	}
	return load, err
}

func (a *app) welcome(listener net.Listener, load *caseload.Generator) {
	base := "http://" + listener.Addr().String()
	one := busiest(load)
	fmt.Fprintf(a.Out, `traga shows a fictional caseload of %d cases on %s
Nobody has to sign in: only this machine can reach it. Stop it with Ctrl-C.

Three things to try:
  1. See what is overdue, and for whom:        %s/
  2. See who shared what with whom in a case:  %s/cases/%s
  3. Ask what was known three months ago:      %s alert list --server %s --at %s
`, len(load.Cases()), base, base, base, one, a.program, base, a.now().AddDate(0, -3, 0).UTC().Format(time.RFC3339))
}

// busiest is the case in which the most was shared.
func busiest(load *caseload.Generator) string {
	shares, most := map[string]int{}, ""
	for step := range load.All() {
		if _, ok := events.DisclosureOf(step.Event.Data); !ok {
			continue
		}
		if shares[step.Event.Case]++; shares[step.Event.Case] > shares[most] {
			most = step.Event.Case
		}
	}
	return most
}

// feed records the demo's new events, each when its time has come.
func (n *node) feed(ctx context.Context, steps iter.Seq[caseload.Step], now func() time.Time) error {
	for step := range steps {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(step.RecordedAt.Sub(now())):
		}
		action := simulate.Action(step)
		action.OccurredAt = nil // it happens now
		if _, err := n.recorder.Record(ctx, action, record.AnyRevision); err != nil && ctx.Err() == nil {
			// A visitor of the demo may have changed the case in the meantime: then the act no longer fits.
			n.log.InfoContext(ctx, "a demo event was not recorded", "error", err)
		}
	}
	<-ctx.Done()
	return nil
}
