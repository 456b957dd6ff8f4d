package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/caseload"
	"traga.internal/handlers/record"
	"traga.internal/handlers/sealing"
	"traga.internal/handlers/simulate"
)

const (
	// demoCases is how many cases the demo has.
	demoCases = 48
	// demoSeed makes the same fictional people each day.
	demoSeed = 1
	// demoJurisdiction is where one can be an officer.
	demoJurisdiction events.Jurisdiction = "MK"
	// demoTokenLife is how long the demo's tokens hold.
	demoTokenLife = 7 * 24 * time.Hour
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
	kept := dir != ""
	if !kept {
		if dir, err = os.MkdirTemp("", "traga-demo-"); err != nil {
			return errors.Join(err, listener.Close())
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	// The sign-ins are never those of a store that is kept: what anyone may be here must not open a real one.
	keys, err := os.MkdirTemp("", "traga-demo-keys-")
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(keys)) }()
	dataKeys := filepath.Join(keys, "vault")
	if kept {
		dataKeys = keysBeside(dir)
	}
	log := slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	load, err := caseload.New(demoSeed, a.now(), demoCases)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	signIn, tokens, err := a.demoSignIn(keys, load, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	signer, err := sealing.MakeSigner(dataKeys)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	clock := &simulate.Clock{}
	n, err := a.openNode(ctx, place{dir: dir, keys: dataKeys}, log, clock.Now, demoNotice, &entrance{hosts: hostNames{here: true}, signIn: signIn}, &seals{signer: signer, interval: time.Second})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := a.playCaseload(ctx, n, clock, load); err != nil {
		return errors.Join(err, listener.Close(), n.close())
	}
	clock.Follow(a.now)
	a.welcome(listener, load, tokens)
	defer func() {
		if err == nil {
			fmt.Fprintf(a.Err, "The demo has ended: %v\n", context.Cause(ctx))
		}
	}()
	return n.serve(ctx, listener, func(ctx context.Context) error { return n.feed(ctx, load.Live(clock.Now()), a.now) })
}

// playCaseload records the fictional past, in the order and at the times of the simulated clock.
func (a *app) playCaseload(ctx context.Context, n *node, clock *simulate.Clock, load *caseload.Generator) error {
	world, err := simulate.Begin(ctx, n.store, clock, n.recorder, protocol.NewBook(), load.From(), "the demo's fictional caseload")
	if errors.Is(err, simulate.ErrNotEmpty) {
		return usagef("--data: the directory holds a store already; traga serve --data shows it")
	}
	if err != nil {
		return err
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
	return err
}

// demoRoles are the roles that the demo lets one be, in the order in which it offers them.
var demoRoles = []events.Role{events.Ombudsman, events.PrisonTreatment, events.CSW, events.Directorate, events.DataProtection, events.Police,
	events.PrisonHealth, events.Probation, events.Employment}

// demoSignIn makes the ready sign-ins of the demo: of each role in one jurisdiction the officer who has the most to do,
// in the case that the demo shows before all. Each gets a token in a file in the directory of keys; tokens is the one of
// the first role that there is.
func (a *app) demoSignIn(keys string, load *caseload.Generator, log *slog.Logger) (signIn *auth.Config, tokens string, err error) {
	acts, shown := map[events.Actor]int{}, busiest(load)
	for step := range load.All() {
		d, appoints := step.Event.Data.(*events.OfficerAppointed)
		switch {
		case step.Event.Jurisdiction != demoJurisdiction:
		case appoints:
			acts[events.Actor{Officer: d.Officer, Role: d.Role, Institution: d.Institution}]++
		case step.Event.Case == shown:
			acts[step.Event.Actor] += load.Len()
		default:
			acts[step.Event.Actor]++
		}
	}
	signIn = &auth.Config{Clock: a.now, Log: log, Refuse: api.WriteProblem}
	if signIn.Tokens, err = auth.MakeTokens(keys, a.now); err != nil {
		return nil, "", err
	}
	for _, role := range demoRoles {
		var who events.Actor
		for actor, n := range acts {
			if actor.Role == role && (n > acts[who] || n == acts[who] && actor.Officer < who.Officer) {
				who = actor
			}
		}
		if who.Officer == "" {
			continue
		}
		signIn.Demo = append(signIn.Demo, auth.Identity{Actor: who, Name: who.Officer})
		token, _, err := signIn.Tokens.Issue(who, false, demoTokenLife)
		if err != nil {
			return nil, "", err
		}
		path := filepath.Join(keys, string(role)+".token")
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			return nil, "", err
		}
		tokens = cmp.Or(tokens, path)
	}
	return signIn, tokens, nil
}

func (a *app) welcome(listener net.Listener, load *caseload.Generator, token string) {
	base := "http://" + listener.Addr().String()
	one := busiest(load)
	fmt.Fprintf(a.Out, `traga shows a fictional caseload of %d cases on %s
Sign in there as one of its fictional officers, without a password: only this machine can reach it. For programs there is a
token for each in %s. Stop it with Ctrl-C.

Three things to try:
  1. See what is overdue, and for whom:        %s/
  2. See who shared what with whom in a case:  %s/cases/%s
  3. Ask what was known three months ago:      TRAGA_TOKEN_FILE=%s %s alert list --server %s --at %s
`, len(load.Cases()), base, filepath.Dir(token), base, base, one, token, a.program, base, a.now().AddDate(0, -3, 0).UTC().Format(time.RFC3339))
}

// busiest is the case in which the most was shared, of those that the demo's officers may see.
func busiest(load *caseload.Generator) string {
	shares, most := map[string]int{}, ""
	for step := range load.All() {
		if _, ok := events.DisclosureOf(step.Event.Data); !ok || step.Event.Jurisdiction != demoJurisdiction {
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
