package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/deadlines"
	"traga.internal/projections"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/involvement"
	"traga.internal/projections/obligations"
	"traga.internal/projections/regional"
	verdicts "traga.internal/projections/safeguards"
	"traga.internal/projections/sharing"
	"traga.internal/projections/status"
)

// readModelList are the read models that traga keeps.
func readModelList() []projections.Projection {
	return []projections.Projection{status.Projection(), obligations.Projection(), sharing.Projection(), regional.Projection(), verdicts.Projection(),
		accesslog.Projection(), involvement.Projection()}
}

// loadBook is the rules and calendars in force in a store: the shipped ones and what was published and decreed in it.
func loadBook(ctx context.Context, log events.Store) (*protocol.Book, error) {
	return deadlines.Published(log, protocol.NewBook())(ctx)
}

// withReadModels runs fn on the read models of the source's directory, brought up to date with its log.
func (a *app) withReadModels(ctx context.Context, s *source, fn func(*projections.Engine) error) (err error) {
	log, err := s.openLog(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	// Looked at before they are brought up to date: read models that are not this log's would be built anew, unnoticed.
	if states, err := readModelStates(ctx, s, log); err == nil {
		if err := aheadOfLog(ctx, states, log); err != nil {
			return err
		}
	}
	p := a.progress("bring the read models up to date")
	engine, err := projections.Latest(ctx, s.dir, log, protocol.NewBook(), readModelList(), reportTo(p))
	p.done()
	if engine != nil {
		defer func() { err = errors.Join(err, engine.Close()) }()
	}
	if err != nil {
		return err
	}
	return fn(engine)
}

// aheadOfLog fails when a read model has seen more than the log holds: then entries are missing from the log, or it
// is another one, and what the read models say is not what is on record. That must not pass unnoticed. The states were read before, since the log may move on meanwhile.
func aheadOfLog(ctx context.Context, states []projections.Status, log events.Store) error {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	for _, p := range states {
		if p.Position.After(head) {
			return fmt.Errorf("%w: it ends at position %s, but the read model %s has seen position %s; entries are missing, or the log is another one. "+
				"If an older copy was put back on purpose: traga projection rebuild --all", events.ErrDamaged, head, p.Name, p.Position)
		}
	}
	return nil
}

func reportTo(p *progress) func(projections.Progress) {
	return func(at projections.Progress) { p.report(int64(at.At.Commit), int64(at.Head.Commit)) }
}

// fetchAll asks the server for all pages of a list.
func fetchAll[T any](ctx context.Context, s *source, path string, query url.Values) ([]T, error) {
	all := []T{}
	query.Set("limit", "1000")
	for {
		var page []T
		header, err := s.fetch(ctx, path, query, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		next := nextPage(header.Get("Link"))
		if next == "" {
			return all, nil
		}
		query.Set("cursor", next)
	}
}

// nextPage is the cursor in a Link header, empty at the end of the list.
func nextPage(link string) string {
	target, ok := strings.CutPrefix(link, "<")
	target, rel, _ := strings.Cut(target, ">")
	if !ok || !strings.Contains(rel, "next") {
		return ""
	}
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return u.Query().Get("cursor")
}

func (a *app) projectionCommand() *cobra.Command {
	group := &cobra.Command{Use: "projection", Short: "Look after the read models, which are built from the log"}
	group.AddCommand(a.projectionListCommand(), a.projectionRebuildCommand())
	return group
}

func (a *app) projectionListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "Show how far each read model has come", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			list := []projections.Status{}
			if s.server != nil {
				_, err = s.fetch(cmd.Context(), "/v1/projections", nil, &list)
			} else {
				list, err = a.localReadModels(cmd.Context(), s)
			}
			if errors.Is(err, fs.ErrNotExist) {
				list, err = []projections.Status{}, nil
			}
			if err != nil {
				return err
			}
			return a.print(cmd, list, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "There are none yet; they are built from the log when they are needed.")
					return
				}
				t := newTable(w, "READ MODEL", "VERSION", "STATE", "POSITION", "EVENTS BEHIND", "ERROR")
				for _, p := range list {
					t.row(p.Name, fmt.Sprint(p.Version), string(p.State), p.Position.String(), fmt.Sprint(p.Lag), p.Error)
				}
				t.flush()
			})
		}}
	addSettings(c.Flags(), clientSettings())
	a.jsonFlag(c)
	return c
}

func (a *app) localReadModels(ctx context.Context, s *source) ([]projections.Status, error) {
	log, err := s.openLog(ctx)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return readModelStates(ctx, s, log)
}

// readModelStates shows how the read models stand, changing nothing.
func readModelStates(ctx context.Context, s *source, log events.Store) ([]projections.Status, error) {
	if _, err := os.Stat(filepath.Join(s.dir, "projections.db")); err != nil {
		return nil, err // fs.ErrNotExist while none was built
	}
	engine, err := projections.Open(ctx, s.dir, log, protocol.NewBook(), readModelList(), projections.ReadOnly())
	if err != nil {
		return nil, fmt.Errorf("%w; the log is not touched by this: traga projection rebuild --all builds the read models anew", err)
	}
	defer engine.Close()
	return engine.List(ctx)
}

func (a *app) projectionRebuildCommand() *cobra.Command {
	c := &cobra.Command{Use: "rebuild NAME|--all", Short: "Build read models anew from the log", Args: cobra.MaximumNArgs(1),
		Long: "Builds a read model anew beside the old one, which keeps answering, and puts it in its place. Stop the server first.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			if s.dir == "" {
				return usagef("rebuild works on a store's directory: --data DIR")
			}
			all, _ := cmd.Flags().GetBool("all")
			names := args
			known := []string{}
			for _, p := range readModelList() {
				known = append(known, p.Name)
			}
			if all == (len(args) == 1) {
				return usagef("name one read model, or --all; there are %s", strings.Join(known, ", "))
			}
			if all {
				names = known
			} else if !slices.Contains(known, args[0]) {
				return fmt.Errorf("%w: there is no read model %s; there are %s", errNotFound, args[0], strings.Join(known, ", "))
			}
			return a.rebuild(cmd.Context(), s, names)
		}}
	addSettings(c.Flags(), clientSettings())
	c.Flags().Bool("all", false, "all read models")
	return c
}

func (a *app) rebuild(ctx context.Context, s *source, names []string) error {
	log, err := s.openLog(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	engine, err := projections.Open(ctx, s.dir, log, protocol.NewBook(), readModelList())
	if err != nil {
		return err
	}
	defer engine.Close()
	// A rebuild makes much garbage and is alone in its process: collecting it less often is worth the memory.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	for _, name := range names {
		p := a.progress("rebuild " + name)
		err := engine.Rebuild(ctx, name, reportTo(p))
		p.done()
		if err != nil {
			return fmt.Errorf("rebuild %s: %w", name, err)
		}
		fmt.Fprintf(a.Err, "rebuilt %s\n", name)
	}
	return nil
}
