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
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/handlers/erasure"
	"traga.internal/handlers/record"
)

// writingFlags are those of the commands that write or ask whether they could.
func (a *app) writingFlags(cmd *cobra.Command) {
	addSettings(cmd.Flags(), append(clientSettings(), sealSettings()[:2]...))
	a.jsonFlag(cmd)
}

// openRecorder opens the store of a directory for writing; close it when done.
func (a *app) openRecorder(ctx context.Context, dir, keys string) (*record.Recorder, *protectedLog, error) {
	store, err := openForWriting(ctx, dir, keys, a.now, a.tellUpgrade())
	if err != nil {
		return nil, nil, err
	}
	book, err := loadBook(ctx, store)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return newRecorder(store, book, a.now), store, nil
}

// input reads a file, or standard input for "-".
func (a *app) input(name string) ([]byte, error) {
	if name == "" {
		return nil, usagef("-f: expected a file with one action record, or - for standard input")
	}
	var (
		b   []byte
		err error
	)
	if name == "-" {
		b, err = io.ReadAll(io.LimitReader(a.In, maxInput+1))
	} else {
		b, err = readFile(name)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, usagef("there is no file %s", name)
	case err != nil:
		return nil, fmt.Errorf("read the input: %w", err)
	case len(b) > maxInput:
		return nil, usagef("an action record has at most %d bytes", maxInput)
	}
	return b, nil
}

// maxInput is the largest action record.
const maxInput = 1 << 20

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxInput+1))
}

func (a *app) recordCommand() *cobra.Command {
	c := &cobra.Command{Use: "record -f FILE", Short: "Record an action", Args: cobra.NoArgs,
		Long: `Record one action, a JSON object, from a file or from standard input (-f -).

What is done through traga and would break a safeguard (HR03, HR04, HR05, HR07, HR26) is refused. What already
happened is recorded and judged: give its occurredAt, or afterTheFact.`,
		Example: `  traga record --server http://127.0.0.1:8080 -f action.json
  traga record --data ./store -f - < action.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, body, err := a.writeSource(cmd)
			if err != nil {
				return err
			}
			condition, ifMatch := record.AnyRevision, "*"
			if cmd.Flags().Changed("if-revision") {
				n, _ := cmd.Flags().GetUint64("if-revision")
				condition, ifMatch = record.AtRevision(n), strconv.Quote(strconv.FormatUint(n, 10))
			}
			receipt, err := a.recordOne(cmd.Context(), s, body, condition, ifMatch)
			if err != nil {
				return err
			}
			return a.print(cmd, receipt, func(w io.Writer) {
				verb := "Recorded"
				if receipt.Repeated {
					verb = "Was already recorded:"
				}
				where := receipt.Case
				if where == "" {
					where = "the register"
				}
				fmt.Fprintf(w, "%s %s in %s: revision %d, position %s, event %s\n", verb, receipt.Type, where, receipt.Revision, receipt.Position, receipt.ID)
			})
		}}
	a.writingFlags(c)
	c.Flags().StringP("file", "f", "", "file with one action record; - is standard input")
	c.Flags().Uint64("if-revision", 0, "record only if the case is at this revision")
	return c
}

// recordOne records an action through the server, or in the directory when no server has it.
func (a *app) recordOne(ctx context.Context, s *source, body []byte, condition record.Condition, ifMatch string) (receipt record.Receipt, err error) {
	action, err := record.Parse(body)
	if err != nil {
		return receipt, err
	}
	if s.server != nil {
		address, err := addressOf(action)
		if err != nil {
			return receipt, err
		}
		_, err = s.ask(ctx, http.MethodPost, s.server.JoinPath(append(address, "events")...), bytes.NewReader(body),
			http.Header{"Content-Type": {"application/json"}, "If-Match": {ifMatch}}, &receipt)
		return receipt, err
	}
	recorder, store, err := a.openRecorder(ctx, s.dir, s.keys)
	if err != nil {
		return receipt, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	err = a.sealed(ctx, s.config, store, func() error {
		receipt, err = recorder.Record(ctx, action, condition)
		return err
	})
	return receipt, err
}

// addressOf is where a server takes the action: at its case, or at its jurisdiction's directory.
func addressOf(action *record.Action) ([]string, error) {
	if k, _ := events.KindOf(action.Type); k.Family == events.DirectoryFamily {
		return []string{"/v1/directory", string(action.Jurisdiction)}, nil
	}
	if action.Case == "" {
		return nil, usagef("%s belongs to no case; record it with --data", action.Type)
	}
	return []string{"/v1/cases", action.Case}, nil
}

func (a *app) writeSource(cmd *cobra.Command) (*source, []byte, error) {
	s, err := a.source(cmd)
	if err != nil {
		return nil, nil, err
	}
	name, _ := cmd.Flags().GetString("file")
	body, err := a.input(name)
	return s, body, err
}

func (a *app) checkCommand() *cobra.Command {
	c := &cobra.Command{Use: "check -f FILE", Short: "Ask whether an action would be lawful; records nothing", Args: cobra.NoArgs,
		Long: "Answers as recording the action now would, and records nothing. Exit code 0 when it would be recorded, else as record.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, body, err := a.writeSource(cmd)
			if err != nil {
				return err
			}
			action, err := record.Parse(body)
			if err != nil {
				return err
			}
			answer, err := a.checkAction(cmd.Context(), s, action, body)
			if err != nil {
				return err
			}
			err = a.print(cmd, answer, func(w io.Writer) {
				switch {
				case answer.Lawful:
					fmt.Fprintln(w, "This would be recorded.")
				case answer.Recorded:
					fmt.Fprintln(w, "This would be recorded, because it was reported after the fact. It breaks:")
				case len(answer.Findings) > 0:
					fmt.Fprintln(w, "This would be refused. It breaks:")
				default:
					fmt.Fprintf(w, "This would be refused (%s): %s.\n", strings.Join(answer.Because, ", "), answer.Detail)
				}
				for _, f := range answer.Findings {
					fmt.Fprintf(w, "  %s  %s\n", f.Safeguard, f.Explanation)
				}
			})
			if err == nil && !answer.Recorded {
				return &codedError{code: refusalCode(answer.Because)}
			}
			return err
		}}
	a.writingFlags(c)
	c.Flags().StringP("file", "f", "", "file with one action record; - is standard input")
	return c
}

func (a *app) checkAction(ctx context.Context, s *source, action *record.Action, body []byte) (api.Verdict, error) {
	var verdict api.Verdict
	if s.server != nil {
		address, err := addressOf(action)
		if err != nil {
			return verdict, err
		}
		_, err = s.ask(ctx, http.MethodPost, s.server.JoinPath(append(address, "events:check")...), bytes.NewReader(body),
			http.Header{"Content-Type": {"application/json"}}, &verdict)
		return verdict, err
	}
	log, err := s.openLog(ctx)
	if err != nil {
		return verdict, err
	}
	defer log.Close()
	book, err := loadBook(ctx, log)
	if err != nil {
		return verdict, err
	}
	answer, err := newRecorder(log, book, a.now).Check(ctx, action)
	return api.VerdictOf(answer), err
}

func (a *app) importCommand() *cobra.Command {
	c := &cobra.Command{Use: "import FILE...", Short: "Take in past actions from NDJSON files", Args: cobra.MinimumNArgs(1),
		Long: `Take in past actions: one action record a line (NDJSON). Each is a late entry: it is recorded now, with the
occurredAt that it names, and judged. A file is taken in whole or not at all; taking in the same file again
stores nothing twice.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			if s.dir == "" {
				return usagef("import works on a store's directory: --data DIR")
			}
			recorder, store, err := a.openRecorder(cmd.Context(), s.dir, s.keys)
			if err != nil {
				return err
			}
			defer store.Close()
			dry, _ := cmd.Flags().GetBool("dry-run")
			results := []record.ImportResult{}
			take := func() error {
				for _, name := range args {
					r, err := a.importFile(cmd.Context(), recorder, name, dry)
					if err != nil {
						for i, r := range results {
							fmt.Fprintf(a.Err, "%s was taken in before: %d recorded, %d were there already\n", args[i], r.Recorded, r.Repeated)
						}
						return err
					}
					results = append(results, r)
				}
				return nil
			}
			if dry {
				err = take()
			} else {
				err = a.sealed(cmd.Context(), s.config, store, take)
			}
			if err != nil {
				return err
			}
			return a.print(cmd, results, func(w io.Writer) {
				for i, r := range results {
					verb := "recorded"
					if dry {
						verb = "would be recorded"
					}
					fmt.Fprintf(w, "%s: %d %s, %d were there already\n", args[i], r.Recorded, verb, r.Repeated)
				}
			})
		}}
	a.writingFlags(c)
	c.Flags().Bool("dry-run", false, "check the files and record nothing")
	return c
}

func (a *app) importFile(ctx context.Context, recorder *record.Recorder, name string, dry bool) (record.ImportResult, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return record.ImportResult{}, usagef("there is no file %s", name)
	}
	if err != nil {
		return record.ImportResult{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return record.ImportResult{}, usagef("expected a file of past actions, got the directory %s", name)
	}
	p, recording := a.progress("check "+name), false
	defer func() { p.done() }()
	return recorder.Import(ctx, f, record.ImportOptions{Source: name, DryRun: dry, Progress: func(at record.ImportProgress) {
		if at.Recording && !recording {
			p.done()
			p, recording = a.progress("import "+name), true
		}
		p.report(at.Done, at.Total)
	}})
}

// newRecorder is the write path to a store.
func newRecorder(store events.Store, book *protocol.Book, now func() time.Time, more ...record.Option) *record.Recorder {
	duties := func() record.Duties { return protocol.NewTracker(book) }
	if s, ok := store.(erasure.Store); ok {
		more = append(more, record.WithHolds(erasure.New(s, nil, nil).Held))
	}
	return record.New(store, book, append(more, record.WithClock(now), record.WithDuties(duties))...)
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
