package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/events/ledger"
	"traga.internal/handlers/sealing"
)

func (a *app) witnessCommand() *cobra.Command {
	c := &cobra.Command{Use: "witness --dir DIR --log KEY", Short: "Cosign a log's checkpoints, for an oversight body", Args: cobra.NoArgs,
		Long: `Watch a traga from outside: ask for its latest checkpoint, check that it continues the one cosigned before, cosign it, and bring the
cosignature back. A log that contradicts what it said before gets nothing: both of its checkpoints are kept, and the command ends with
exit code 7.

The key and the record of what was cosigned are in --dir, which the first call makes and --name names. Whoever runs the log puts the key
(traga witness key) into its policy.

Without a network, --in reads a file of traga checkpoint --since, and --out writes what traga checkpoint add-cosignature takes.`,
		Example: `  traga witness --dir ./witness --name ombudsman.example/witness --log log.key --server https://traga.example.org
  traga witness --dir ./witness --log log.key --in checkpoint.txt --out cosigned.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.witness(cmd) }}
	addSettings(c.Flags(), clientSettings()[2:])
	flags := c.Flags()
	flags.String("log", "", "the log's verifier key, or a file that holds it")
	flags.Duration("every", time.Minute, "how often to ask")
	flags.Bool("once", false, "ask once and end")
	flags.String("listen", "", "give the latest cosigned checkpoint at /checkpoint on this address")
	flags.String("in", "", "cosign the checkpoint in this file")
	flags.String("out", "", "and write it here")
	key := &cobra.Command{Use: "key --dir DIR", Short: "Print the witness's public key", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.openWitness(cmd)
			if err == nil {
				fmt.Fprintln(a.Out, w.Key())
			}
			return err
		}}
	for _, flags := range []*cobra.Command{c, key} {
		flags.Flags().String("dir", "", "directory of the witness's key and record")
		flags.Flags().String("name", "", "the witness's name where it is new, such as ombudsman.example/witness")
	}
	c.AddCommand(key)
	return c
}

func (a *app) openWitness(cmd *cobra.Command) (*sealing.Witness, error) {
	dir, _ := cmd.Flags().GetString("dir")
	name, _ := cmd.Flags().GetString("name")
	if dir == "" {
		return nil, usagef("--dir DIR: where the witness's key and record are kept")
	}
	w, err := sealing.OpenWitness(dir, name, a.now)
	if errors.Is(err, sealing.ErrNoKey) || errors.Is(err, ledger.ErrFormat) {
		err = &usageError{err}
	}
	return w, err
}

func (a *app) witness(cmd *cobra.Command) error {
	text, _ := cmd.Flags().GetString("log")
	log, err := logKey(text)
	if err != nil {
		return err
	}
	in, _ := cmd.Flags().GetString("in")
	out, _ := cmd.Flags().GetString("out")
	c, err := loadConfig(cmd, a.environ)
	if err != nil {
		return err
	}
	if (in == "") != (out == "") || (in == "") == (c.get("server") == "") {
		return usagef("say what to watch: --server URL, or --in FILE and --out FILE")
	}
	w, err := a.openWitness(cmd)
	if err != nil {
		return err
	}
	if in != "" {
		return a.cosignFile(cmd.Context(), w, log, in, out)
	}
	u, err := url.Parse(c.get("server"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return usagef("--server: expected an address such as https://traga.example.org")
	}
	return a.watch(cmd, w, log, sealing.Source{Server: u, Token: c.get("token"), Client: &http.Client{Timeout: time.Minute}})
}

// logKey reads the log's key, from a file or as it stands.
func logKey(text string) (ledger.Key, error) {
	if text == "" {
		return ledger.Key{}, usagef("--log KEY: the log's verifier key, which traga keys verifier prints, or a file that holds it")
	}
	if b, err := readFile(text); err == nil {
		text = string(b)
	}
	key, err := ledger.ParseKey(strings.TrimSpace(text))
	if err != nil || key.IsWitness() {
		return ledger.Key{}, usagef("--log: expected the log's verifier key, name+id+base64, or a file that holds it")
	}
	return key, nil
}

func (a *app) cosignFile(ctx context.Context, w *sealing.Witness, log ledger.Key, in, out string) error {
	b, err := readFile(in)
	if err != nil {
		return usagef("--in: %w", err)
	}
	e, err := ledger.ParseExtension(b)
	if err != nil {
		return &usageError{fmt.Errorf("--in: %w", err)}
	}
	n, err := w.Cosign(ctx, log, e)
	if errors.Is(err, sealing.ErrProofFrom) {
		return &usageError{fmt.Errorf("%w; ask for traga checkpoint --since with that size", err)}
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, n.Bytes(), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Cosigned %d leaves of %s\n", n.Size, n.Origin)
	return nil
}

// watch asks again and again. What may pass, such as trouble of the network, is told and tried again; a contradiction ends it.
func (a *app) watch(cmd *cobra.Command, w *sealing.Witness, log ledger.Key, from sealing.Source) error {
	every, _ := cmd.Flags().GetDuration("every")
	once, _ := cmd.Flags().GetBool("once")
	address, _ := cmd.Flags().GetString("listen")
	if every <= 0 {
		return usagef("--every: expected a duration such as 1m")
	}
	ctx, stop := context.WithCancelCause(cmd.Context())
	defer stop(nil)
	served := make(chan error, 1)
	if address == "" {
		served <- nil
	} else {
		listener, err := listen(ctx, address)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Err, "The latest cosigned checkpoint is at http://%s/checkpoint\n", listener.Addr())
		go func() { served <- serveUntil(ctx, listener, w) }()
	}
	tell := slog.New(slog.NewTextHandler(a.Err, nil))
	err := pullEach(ctx, every, once, func() error {
		n, err := w.Pull(ctx, log, from)
		switch {
		case err == nil:
			tell.InfoContext(ctx, "cosigned", "log", n.Origin, "size", n.Size)
		case !isBroken(err) && ctx.Err() == nil && !once:
			tell.ErrorContext(ctx, "not cosigned; it is tried again", "error", err)
			return nil
		}
		return err
	})
	stop(nil)
	if cmd.Context().Err() != nil {
		err = nil // asked to end
	}
	return errors.Join(err, <-served)
}

func pullEach(ctx context.Context, every time.Duration, once bool, pull func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := pull(); err != nil || once {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
