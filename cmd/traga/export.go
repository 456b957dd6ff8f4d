package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/handlers/evidence"
	"traga.internal/projections/timeline"
)

func (a *app) exportCommand() *cobra.Command {
	c := &cobra.Command{Use: "export NUMBER --out FILE", Short: "Write a case to a file: an evidence bundle, or its entries", Args: cobra.ExactArgs(1),
		Long: `With --bundle it writes an evidence bundle: the whole history of a case with the proof that it is complete and unaltered, to be
checked offline by someone who trusts nobody here (traga verify, traga-verify). Protected fields stay sealed in it unless
--open names their categories. It fits any recent checkpoint of the log; for an older one name it with --pinned.

Without --bundle it writes the entries of the case as one JSON document.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			order, pinned, err := exportOrder(cmd, args[0])
			if err != nil {
				return err
			}
			out, _ := cmd.Flags().GetString("out")
			if out == "" {
				return usagef("--out: say which file to write")
			}
			var content []byte
			order.Lang = s.lang
			if s.server != nil {
				content, err = s.fetchExport(cmd.Context(), order)
			} else {
				content, err = a.localExport(cmd.Context(), s, order, pinned)
			}
			if err != nil {
				return err
			}
			// Nobody else may read it, unless the reader of the file lets them.
			if err := os.WriteFile(out, content, 0o600); err != nil {
				return fmt.Errorf("write the file: %w", err)
			}
			fmt.Fprintf(a.Err, "wrote %s, %d bytes\n", out, len(content))
			return nil
		}}
	addSettings(c.Flags(), clientSettings())
	f := c.Flags()
	f.Bool("bundle", false, "an evidence bundle")
	f.String("out", "", "the file to write")
	f.Int64("since-size", 0, "prove also that the log continues its first SIZE leaves")
	f.String("pinned", "", "prove also that the log continues this checkpoint (file)")
	f.StringSlice("open", nil, "open the protected fields of these categories; all of them with “all”")
	f.String("recipient", "", "encrypt the file to this age recipient (age1…)")
	f.String("for", "", "for whom the export is, for the access log (with --server)")
	f.String("why", "", "why, for the access log (with --server)")
	langFlag(c)
	return c
}

// exportOrder reads what is asked for.
func exportOrder(cmd *cobra.Command, number string) (evidence.Order, *ledger.Note, error) {
	f := cmd.Flags()
	o := evidence.Order{Case: number, Format: evidence.FormatJSON}
	if bundle, _ := f.GetBool("bundle"); bundle {
		o.Format = evidence.FormatBundle
	}
	o.Encrypt, _ = f.GetString("recipient")
	o.Recipient, _ = f.GetString("for")
	o.Justification, _ = f.GetString("why")
	open, _ := f.GetStringSlice("open")
	for _, name := range open {
		switch {
		case name == "all":
			o.Open = events.Categories()
		case slices.Contains(events.Categories(), events.Category(name)):
			o.Open = append(o.Open, events.Category(name))
		default:
			return o, nil, usagef("--open: expected categories such as risk, or all; got %q", name)
		}
	}
	slices.Sort(o.Open)
	o.Open = slices.Compact(o.Open)
	size, _ := f.GetInt64("since-size")
	if size < 0 || size > ledger.MaxSize {
		return o, nil, usagef("--since-size: expected a number of leaves, such as 18000")
	}
	if size > 0 {
		o.Since = append(o.Since, size)
	}
	var pinned *ledger.Note
	if name, _ := f.GetString("pinned"); name != "" {
		var err error
		if pinned, err = readNote(name); err != nil {
			return o, nil, usagef("--pinned: %w", err)
		}
		o.Since = append(o.Since, pinned.Size)
	}
	if o.Format != evidence.FormatBundle {
		for _, name := range []string{"since-size", "pinned", "open"} {
			if f.Changed(name) {
				return o, nil, usagef("--%s belongs to an evidence bundle: add --bundle", name)
			}
		}
	}
	return o, pinned, nil
}

// localExport makes the file from a store's directory, whose owner sees everything.
func (a *app) localExport(ctx context.Context, s *source, o evidence.Order, pinned *ledger.Note) (content []byte, err error) {
	if o.Format == evidence.FormatJSON {
		err = s.withCase(ctx, o.Case, events.AsOf{}, func(c *timeline.Case) error {
			content, err = evidence.CaseJSON(c, o.Lang)
			return err
		})
	} else {
		content, err = a.localBundle(ctx, s, o, pinned)
	}
	if err != nil || o.Encrypt == "" {
		return content, err
	}
	content, err = evidence.Encrypt(content, o.Encrypt)
	if errors.Is(err, evidence.ErrKey) {
		return nil, usagef("--recipient: %w", err)
	}
	return content, err
}

func (a *app) localBundle(ctx context.Context, s *source, o evidence.Order, pinned *ledger.Note) (_ []byte, err error) {
	log, err := s.openLog(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	source, err := evidenceOf(log)
	if err != nil {
		return nil, err
	}
	if pinned != nil {
		if err := source.Continues(ctx, pinned); err != nil {
			return nil, err
		}
	}
	made, err := source.Make(ctx, evidence.Request{Case: o.Case, Since: o.Since, Open: o.Open})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(a.Err, "%d entries at size %d; protected fields: %d opened, %d sealed, %d erased\n", made.Events, made.Size, made.Opened, made.Closed, made.Erased)
	if made.Later > 0 {
		fmt.Fprintf(a.Err, "%d newer entries are not in it: they are not sealed yet\n", made.Later)
	}
	if made.Opened > 0 && o.Encrypt == "" {
		fmt.Fprintln(a.Err, "It holds personal data that anyone who gets the file can read; --recipient encrypts it.")
	}
	return made.Bundle, nil
}

// evidenceOf is where evidence is taken from.
func evidenceOf(log *protectedLog) (*evidence.Source, error) {
	l, err := log.tree()
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, errors.New("this node keeps no ledger that evidence could be taken from; one node of the cluster does (--ledger)")
	}
	return &evidence.Source{Ledger: l, Log: log, Opener: log.keys}, nil
}

// fetchExport asks a server for the file.
func (s *source) fetchExport(ctx context.Context, o evidence.Order) ([]byte, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.JoinPath("/v1/exports").String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	s.sign(req)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the server %s: %w", s.server.Host, errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return nil, problemFrom(res)
	}
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	return content, nil
}
