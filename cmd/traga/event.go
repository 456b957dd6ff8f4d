package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"traga.internal/events"
	"traga.internal/handlers/api"
)

func (a *app) eventCommand() *cobra.Command {
	group := &cobra.Command{Use: "event", Short: "Read events as they were stored"}
	group.AddCommand(a.eventShowCommand(), a.eventCausesCommand(), a.eventTailCommand(), a.eventTypesCommand())
	return group
}

func (a *app) eventShowCommand() *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show one event", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			chain, err := a.causes(cmd, args[0], "")
			if err != nil {
				return err
			}
			return a.print(cmd, chain[0], func(w io.Writer) { showEvent(w, chain[0]) })
		}}
	a.readingFlags(c)
	return c
}

func (a *app) eventCausesCommand() *cobra.Command {
	c := &cobra.Command{Use: "causes ID", Short: "Show what led to an event: first itself, then what caused it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			chain, err := a.causes(cmd, args[0], "/causes")
			if err != nil {
				return err
			}
			return a.print(cmd, chain, func(w io.Writer) {
				for i, e := range chain {
					if i > 0 {
						fmt.Fprintln(w, "caused by")
					}
					showEvent(w, e)
				}
			})
		}}
	a.readingFlags(c)
	return c
}

// causes reads an event and what caused it. From a server, path says whether the causes are wanted.
func (a *app) causes(cmd *cobra.Command, text, path string) ([]api.Record, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, usagef("expected the id of an event, such as 5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02")
	}
	s, err := a.source(cmd)
	if err != nil {
		return nil, err
	}
	if s.server != nil {
		s.atText = "" // an event never changes
		if path == "" {
			var one api.Record
			_, err := s.fetch(cmd.Context(), "/v1/events/"+id.String(), nil, &one)
			return []api.Record{one}, err
		}
		var chain []api.Record
		_, err := s.fetch(cmd.Context(), "/v1/events/"+id.String()+path, nil, &chain)
		return chain, err
	}
	log, err := s.openLog(cmd.Context())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	chain, err := api.Causes(cmd.Context(), log, id)
	if err == nil && len(chain) == 0 {
		err = fmt.Errorf("%w: there is no event %s", errNotFound, id)
	}
	return chain, err
}

func showEvent(w io.Writer, e api.Record) {
	fmt.Fprintf(w, "%s  %s\n", e.Type, e.ID)
	t := newTable(w, "", "")
	t.row("  case", orDash(e.Case))
	t.row("  occurred", local(e.OccurredAt, zoneOf(e.Jurisdiction)))
	t.row("  recorded", local(e.RecordedAt, zoneOf(e.Jurisdiction)))
	t.row("  by", fmt.Sprintf("%s, %s, %s", e.Actor.Officer, e.Actor.Role, e.Actor.Institution))
	t.row("  place", fmt.Sprintf("revision %d, position %s", e.Revision, e.Position))
	t.row("  data", string(e.Data))
	t.rows = t.rows[1:]
	t.flush()
}

func (a *app) eventTypesCommand() *cobra.Command {
	c := &cobra.Command{Use: "types [TYPE]", Short: "List the catalogue of events, or print a type's JSON Schema", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				k, ok := events.KindOf(args[0])
				if !ok {
					return fmt.Errorf("%w: the catalogue has no type %s", errNotFound, args[0])
				}
				_, err := fmt.Fprintln(a.Out, string(k.JSONSchema()))
				return err
			}
			types := api.EventTypes()
			return a.print(cmd, types, func(w io.Writer) {
				t := newTable(w, "TYPE", "STREAM", "RECORDED BY")
				for _, e := range types {
					by := make([]string, len(e.By))
					for i, r := range e.By {
						by[i] = string(r)
					}
					if len(by) >= len(events.Roles())-1 {
						by = []string{"every institution"}
					}
					t.row(e.Type, string(e.Family), strings.Join(by, ", "))
				}
				t.flush()
			})
		}}
	a.jsonFlag(c)
	return c
}

func (a *app) eventTailCommand() *cobra.Command {
	c := &cobra.Command{Use: "tail", Short: "Show events as they are recorded, until interrupted", Args: cobra.NoArgs,
		Long: "Shows what is recorded from now on, or from --after POSITION. With --json: one JSON object a line.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			after, _ := cmd.Flags().GetString("after")
			limit, _ := cmd.Flags().GetInt("limit")
			if limit < 0 {
				return usagef("--limit: expected a number of events; 0 never stops")
			}
			show := func(n api.Notice) error {
				if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
					return json.NewEncoder(a.Out).Encode(n)
				}
				_, err := fmt.Fprintf(a.Out, "%s  %-8s %-16s %-30s %s, %s\n", local(n.RecordedAt, zoneOf(n.Jurisdiction)), n.Position, n.Case, n.Type, n.Role, n.Institution)
				return err
			}
			tail := localTail
			if s.server != nil {
				tail = remoteTail
			}
			err = tail(cmd.Context(), s, after, limit, show)
			if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
				return nil // interrupted, as tail ends
			}
			return err
		}}
	a.readingFlags(c)
	c.Flags().String("after", "", "begin after this position; 0 is the beginning")
	c.Flags().Int("limit", 0, "stop after so many events; 0 never stops")
	return c
}

func localTail(ctx context.Context, s *source, from string, limit int, show func(api.Notice) error) error {
	log, err := s.openLog(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	after, err := log.Head(ctx)
	if err != nil {
		return err
	}
	if from != "" {
		if after, err = events.ParsePosition(from); err != nil {
			return usagef("--after: %w", err)
		}
	}
	for shown := 0; ; {
		changed := log.Changed(after)
		page, err := log.ReadAll(ctx, after, 256, events.Filter{StreamPrefixes: []string{"case-"}})
		if err != nil {
			return err
		}
		for i := range page.Events {
			e, err := events.Decode(&page.Events[i])
			if err != nil {
				return err
			}
			if err := show(api.NoticeOf(e)); err != nil {
				return err
			}
			if shown++; shown == limit {
				return nil
			}
		}
		after = page.Scanned
		if page.More {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// remoteTail follows the server's live stream.
func remoteTail(ctx context.Context, s *source, from string, limit int, show func(api.Notice) error) error {
	u := s.server.JoinPath("/v1/stream")
	if from != "" {
		q := u.Query()
		q.Set("after", from)
		u.RawQuery = q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	s.sign(req)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server %s: %w", s.server.Host, errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return problemFrom(res)
	}
	lines := bufio.NewScanner(res.Body)
	for shown := 0; lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var n api.Notice
		if err := json.Unmarshal([]byte(data), &n); err != nil {
			return fmt.Errorf("read the live stream: %w", err)
		}
		if err := show(n); err != nil {
			return err
		}
		if shown++; shown == limit {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the live stream: %w", err)
	}
	return errors.New("the server ended the live stream")
}
