package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/deadlines"
	"traga.internal/handlers/erasure"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/metrics"
	"traga.internal/handlers/outage"
	"traga.internal/handlers/record"
	"traga.internal/handlers/sealing"
	"traga.internal/handlers/web"
	"traga.internal/projections"
	"traga.internal/projections/obligations"
	verdicts "traga.internal/projections/safeguards"
)

// shutdownGrace is how long requests that are under way may take to end.
const shutdownGrace = 10 * time.Second

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{Use: "serve --data DIR [--store URL]", Short: "Serve the pages and the API on a store", Args: cobra.NoArgs,
		Long: `Serve the pages, the HTTP API and the metrics on the store in a directory, which is made if it is not there.
With --store the log is in an EventStoreDB cluster, which any number of traga processes may share; each keeps its read models in a
directory of its own. One of them keeps the ledger (--ledger).

Whoever asks must sign in: with a token (traga token issue), or at an identity provider (--oidc-issuer, --oidc-client-id). To be
reached from other machines it needs TLS (--tls-cert, --tls-key, or a proxy and --behind-proxy) and its names (--hosts).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, a.environ)
			if err != nil {
				return err
			}
			if c.get("data") == "" {
				return usagef("say where the store is, or with --store where the read models may be: --data DIR")
			}
			log, err := a.logger(c)
			if err != nil {
				return err
			}
			e, err := a.entranceOf(c, log)
			if err != nil {
				return err
			}
			listener, err := listen(cmd.Context(), c.get("listen"))
			if err != nil {
				return err
			}
			seals, err := sealsOf(c)
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			n, err := a.openNode(cmd.Context(), place{dir: c.get("data"), address: c.get("store"), keys: c.keys(), ledger: c.on("ledger")}, log, a.now, "", e, seals)
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			react, err := n.react(cmd.Context(), c.get("data"), c.reactions)
			if err != nil {
				return errors.Join(err, listener.Close(), n.close())
			}
			if e.signIn == nil {
				fmt.Fprintln(a.Err, "There is no sign-in (--insecure-no-auth): whoever can reach this machine reads and records everything.")
			}
			fmt.Fprintf(a.Err, "traga serves %s on %s://%s\n", c.get("data"), e.scheme(), listener.Addr())
			return n.serve(cmd.Context(), listener, react)
		}}
	addSettings(c.Flags(), append(serviceSettings(), sealSettings()...))
	return c
}

// listen opens the address to serve on.
func listen(ctx context.Context, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("--listen: expected HOST:PORT, such as 127.0.0.1:8080")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, usagef("--listen: expected a port from 0 to 65535, such as 8080; 0 takes a free one")
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: another program listens there already; stop it, or choose another port with --listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

func (a *app) logger(c *config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.get("log.level"))); err != nil {
		return nil, usagef("log.level: expected debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: level}
	switch c.get("log.format") {
	case "text":
		return slog.New(slog.NewTextHandler(a.Err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.Err, options)), nil
	}
	return nil, usagef("log.format: expected text or json")
}

// node is a running traga: the store, its read models and what works on them.
type node struct {
	store    *protectedLog
	rules    deadlines.Rules
	engine   *projections.Engine
	verdicts *verdicts.Reader
	recorder *record.Recorder
	watcher  *deadlines.Watcher
	sealer   *sealing.Sealer
	eraser   *erasure.Runner
	metrics  *metrics.Metrics
	away     *outage.Watch
	handler  http.Handler
	tls      *tls.Config // nil without TLS
	log      *slog.Logger
	closing  chan struct{}
	now      func() time.Time
}

// openNode opens the store in its place and everything above it, with its entrance. now is the clock of the store and of all
// reads.
func (a *app) openNode(ctx context.Context, at place, log *slog.Logger, now func() time.Time, notice string, e *entrance, seals *seals) (_ *node, err error) {
	n := &node{log: log, closing: make(chan struct{}), now: now, tls: e.tls}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.store, err = at.open(ctx, now, a.tellUpgrade()); err != nil {
		return nil, err
	}
	entries, err := n.store.ledger()
	if err != nil {
		return nil, err
	}
	if n.sealer, err = seals.sealer(ctx, n.store, now, log); err != nil {
		return nil, err
	}
	shipped := protocol.NewBook()
	rules := deadlines.Published(n.store, shipped)
	n.rules = rules
	book, err := rules(ctx)
	if err != nil {
		return nil, err
	}
	if n.engine, err = projections.Open(ctx, at.dir, n.store, shipped, readModelList(), projections.WithLogger(log)); err != nil {
		return nil, err
	}
	if at.address == "" { // on a cluster the engine itself begins anew when the log is another one
		states, err := n.engine.List(ctx)
		if err == nil {
			err = aheadOfLog(ctx, states, n.store)
		}
		if err != nil {
			return nil, err
		}
	}
	n.verdicts = verdicts.New(n.engine)
	n.metrics = metrics.New(n.sources(now))
	n.recorder = newRecorder(n.store, book, now, record.WithObserver(n.metrics))
	n.eraser = erasure.New(n.store, n.recorder, n.purge, erasure.WithLog(log))
	n.watcher = deadlines.New(n.store, rules, dueCases{n.engine}, deadlines.WithClock(now), deadlines.WithLog(log), deadlines.WithObserver(n.metrics.Appended))
	mux := http.NewServeMux()
	desk := consult.New(consult.Config{Store: n.store, Book: rules, Recorder: n.recorder, Engine: n.engine, Clock: now, Policies: e.policies})
	proofs, _ := evidenceOf(n.store) // nil where the store has no ledger: then there are none
	exports := &evidence.Exporter{Desk: desk, Source: proofs, Believed: seals.believed}
	api.Register(mux, api.Config{Evidence: exports, Store: n.store, Book: rules, Recorder: n.recorder, Engine: n.engine, Desk: desk, Verdicts: n.verdicts, Ledger: entries, Policy: seals.policy, Clock: now, Log: log,
		Version: buildVersion().Version, Closing: n.closing})
	api.RegisterService(mux, buildVersion(), n.ready)
	mux.Handle("GET /metrics", n.metrics.Handler())
	door, signIns := e.around(mux, auth.NewOfficers(n.store))
	web.Register(mux, web.Config{Evidence: exports, Store: n.store, Book: rules, Engine: n.engine, Desk: desk, Recorder: n.recorder, Clock: now, Log: log, Demo: notice, SignIns: signIns, Secure: e.secure})
	n.away = outage.New(n.health, now)
	n.handler = n.metrics.Observe(n.away.Mark(door))
	return n, nil
}

// dueCases finds the watcher's work in the obligations.
type dueCases struct{ engine *projections.Engine }

func (d dueCases) DueCases(ctx context.Context, now time.Time) ([]string, error) {
	return obligations.DueForWatcher(ctx, d.engine, now)
}

// health is what is wrong with the store: on a cluster also that its clock and this machine's differ.
func (n *node) health(ctx context.Context) error {
	if kept, ok := n.store.kept.(interface{ Health(context.Context) error }); ok {
		return kept.Health(ctx)
	}
	_, err := n.store.Head(ctx)
	return err
}

func (n *node) ready(ctx context.Context) error {
	var clock *esdbstore.ClockError
	var halt *esdbstore.HaltError
	if err := n.health(ctx); errors.As(err, &clock) || errors.As(err, &halt) {
		return err
	} else if err != nil {
		return errors.New("the store does not answer")
	}
	list, err := n.engine.List(ctx)
	if err != nil {
		return errors.New("the read models do not answer")
	}
	for _, p := range list {
		if p.State != projections.Live && p.State != projections.CatchingUp {
			return fmt.Errorf("the read model %s is %s", p.Name, p.State)
		}
	}
	if n.sealer == nil {
		return nil
	}
	return n.sealer.Health()
}

// seal has what is recorded sealed, soon after.
func (n *node) seal(ctx context.Context) error {
	if n.sealer == nil {
		<-ctx.Done()
		return nil
	}
	return n.sealer.Run(ctx, n.store)
}

func (n *node) sources(now func() time.Time) metrics.Sources {
	return metrics.Sources{
		LogSize: func(ctx context.Context) (uint64, error) {
			head, err := n.store.Head(ctx)
			return head.Commit, err
		},
		Seals: func(ctx context.Context) (metrics.Seals, error) {
			if n.sealer == nil {
				return metrics.Seals{}, nil
			}
			s, err := n.sealer.Status(ctx)
			return metrics.Seals{SignedAt: s.SignedAt, Lag: s.Lag, Cosigned: s.Cosigned}, err
		},
		Lags: func(ctx context.Context) ([]metrics.Lag, error) {
			states, err := n.engine.List(ctx)
			var list []metrics.Lag
			for _, p := range states {
				list = append(list, metrics.Lag{Projection: p.Name, Position: p.Position.Commit, Events: p.Lag})
			}
			return list, err
		},
		Obligations: func(ctx context.Context) ([]metrics.Count, error) {
			counts, err := obligations.Counts(ctx, n.engine, now())
			var list []metrics.Count
			for _, c := range counts {
				list = append(list, metrics.Count{Jurisdiction: c.Jurisdiction, Rule: c.Rule, State: string(c.State), Number: c.N})
			}
			return list, err
		},
		Failures: func(ctx context.Context) ([]metrics.Failure, error) {
			counts, err := n.verdicts.Counts(ctx, now())
			var list []metrics.Failure
			for _, c := range counts {
				list = append(list, metrics.Failure{Safeguard: c.Safeguard, Jurisdiction: c.Jurisdiction, Cases: c.Failures})
			}
			return list, err
		},
	}
}

// serve answers requests and follows the log until ctx ends; then it lets requests end, and closes.
func (n *node) serve(ctx context.Context, listener net.Listener, more ...func(context.Context) error) error {
	asked := ctx // ends when the operator ends the service
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	server := n.server()
	var work sync.WaitGroup
	for _, run := range append([]func(context.Context) error{n.engine.Run, n.away.Run, n.watch, n.judge, n.eraser.Run, n.seal}, more...) {
		work.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				stop(err) // a part of the service that ends by itself ends the service
			}
		})
	}
	work.Go(func() {
		serve := server.Serve
		if n.tls != nil {
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			stop(fmt.Errorf("serve: %w", err))
		}
	})
	<-ctx.Done()
	n.log.InfoContext(ctx, "traga stops: no new requests; those under way may end", "cause", context.Cause(ctx), "asked", asked.Err() != nil)
	close(n.closing)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := server.Shutdown(grace)
	work.Wait()
	if asked.Err() == nil { // a part of the service ended by itself, with whatever error
		err = errors.Join(fmt.Errorf("the service ended by itself: %w", context.Cause(ctx)), err)
	}
	return errors.Join(err, n.close())
}

// server is the HTTP server; its times are how long a slow client is waited for.
func (n *node) server() *http.Server {
	return &http.Server{Handler: n.handler, TLSConfig: n.tls, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
}

// watch runs the deadline watcher once the read models, in which it finds its work, have reached the log's head.
func (n *node) watch(ctx context.Context) error {
	head, err := n.store.Head(ctx)
	if err == nil {
		err = n.engine.WaitFor(ctx, head)
	}
	if err != nil && ctx.Err() == nil {
		// A read model that has stopped is named by /readyz and by projection list; what is left is watched.
		n.log.ErrorContext(ctx, "the deadline watcher starts on read models that are not up to date", "error", err)
	}
	return n.watcher.Run(ctx)
}

// purge takes what was erased out of the read models and out of memory.
func (n *node) purge(ctx context.Context, numbers []string) error {
	if err := n.engine.Purge(ctx, numbers); err != nil {
		return err
	}
	n.verdicts.Forget(numbers...)
	for _, number := range numbers {
		n.recorder.Forget(number)
	}
	return nil
}

// judge judges all cases once, so that the metrics and the lists of a large store need not wait for it later.
func (n *node) judge(ctx context.Context) error {
	if err := n.engine.WaitFor(ctx, events.Start, verdicts.Name); err != nil {
		return nil // it is shut down; or the read model has stopped, which /readyz tells
	}
	if _, err := n.verdicts.Counts(ctx, n.now()); err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "the safeguards could not be counted; the next reading of the metrics tries again", "error", err)
	}
	return nil
}

func (n *node) close() error {
	var err error
	if n.engine != nil {
		err = n.engine.Close()
	}
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	return err
}
