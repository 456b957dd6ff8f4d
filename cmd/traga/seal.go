package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/sealing"
)

// sealSettings say who signs the log's checkpoints and whose cosignatures count.
func sealSettings() []setting {
	return []setting{
		{key: "signer", help: "ask the signer (traga sign) at this address, unix:/path or http://127.0.0.1:PORT, in place of the key in the directory of keys"},
		{key: "signer.secret", help: "the secret that a signer at a port was started with", secret: true},
		{key: "policy", help: "file that names the log and its witnesses (tlog-policy)"},
		{key: "seal.interval", fallback: "1s", help: "new events are sealed after so long"},
	}
}

// seals are these settings, read.
type seals struct {
	signer   sealing.Signer
	policy   *ledger.Policy
	interval time.Duration
}

// sealsOf reads the settings, and makes a signing key in the directory of keys where there is none.
func sealsOf(c *config) (*seals, error) {
	var (
		s   seals
		err error
	)
	if s.interval, err = time.ParseDuration(c.get("seal.interval")); err != nil || s.interval <= 0 {
		return nil, usagef("seal.interval: expected a duration such as 1s")
	}
	if s.policy, err = policyOf(c.get("policy")); err != nil {
		return nil, err
	}
	if address := c.get("signer"); address != "" {
		if s.signer, err = sealing.NewRemote(address, c.get("signer.secret")); err != nil {
			return nil, usagef("--signer: %w", err)
		}
		return &s, nil
	}
	s.signer, err = sealing.MakeSigner(c.keys())
	return &s, err
}

// believed is the policy of this log: the one that is set, else its own key without witnesses.
func (s *seals) believed(ctx context.Context) (*ledger.Policy, error) {
	if s.policy != nil && len(s.policy.Logs()) > 0 {
		return s.policy, nil
	}
	key, err := s.signer.Key(ctx)
	if err != nil {
		return nil, err
	}
	return ledger.ParsePolicy(fmt.Appendf(nil, "log %s\nquorum none\n", key))
}

// policyOf reads a policy's file, nil where none is named.
func policyOf(name string) (*ledger.Policy, error) {
	if name == "" {
		return nil, nil
	}
	b, err := readFile(name)
	if err != nil {
		return nil, usagef("--policy: %w", err)
	}
	p, err := ledger.ParsePolicy(b)
	if err != nil {
		return nil, usagef("--policy: %w", err)
	}
	return p, nil
}

// sealer seals a store that is open for writing; it is nil where the store keeps no ledger.
func (s *seals) sealer(ctx context.Context, store *protectedLog, now func() time.Time, log *slog.Logger) (*sealing.Sealer, error) {
	l, err := store.ledger()
	if err != nil || l == nil {
		return nil, err
	}
	options := []sealing.Option{sealing.WithInterval(s.interval), sealing.WithClock(now), sealing.WithLog(log), sealing.WithPolicy(s.policy)}
	first, err := store.ReadAll(ctx, events.Start, 1, events.Filter{})
	if err != nil {
		return nil, err
	}
	if len(first.Events) > 0 && first.Events[0].Type == "StoreSimulated" {
		options = append(options, sealing.WithSimulatedTimes())
	}
	return sealing.New(l, s.signer, options...), nil
}

// sealed runs a command's writing in a store, and has it sealed. A log that does not continue what was signed is
// not written to; a signer that does not answer only leaves the sealing to the next one.
func (a *app) sealed(ctx context.Context, c *config, store *protectedLog, write func() error) error {
	s, err := sealsOf(c)
	if err != nil {
		return err
	}
	sealer, err := s.sealer(ctx, store, a.now, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if sealer == nil {
		return write()
	}
	if err := sealer.Check(ctx); isBroken(err) {
		return err
	}
	err = write() // what was recorded before it failed is sealed all the same
	if _, err := sealer.Seal(ctx); err != nil {
		fmt.Fprintf(a.Err, "What is recorded is not sealed yet: %v\n", err)
	}
	return err
}

// sealDirectory seals the store that a command has made.
func (a *app) sealDirectory(cmd *cobra.Command) (err error) {
	c, err := loadConfig(cmd, a.environ)
	if err != nil {
		return err
	}
	store, err := openForWriting(cmd.Context(), c.get("data"), c.keys(), a.now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return a.sealed(cmd.Context(), c, store, func() error { return nil })
}

// isBroken reports whether an error says that the log is not the one that was signed.
func isBroken(err error) bool {
	return errors.Is(err, ledger.ErrFork) || errors.Is(err, ledger.ErrRollback) || errors.Is(err, ledger.ErrSignature) || errors.Is(err, sealing.ErrAnotherKey)
}

func (a *app) checkpointCommand() *cobra.Command {
	c := &cobra.Command{Use: "checkpoint [--out FILE]", Short: "Write the latest signed checkpoint", Args: cobra.NoArgs,
		Long: `Write the latest signed checkpoint with its cosignatures, to a file or to standard output. Whoever keeps it can check later, with
traga verify --pinned, that nothing before it was altered since.

For a witness on a machine without a network, --since names the checkpoint that it cosigned last, by its file or its size: the proof
that the log continues it is then written too. What the witness makes of it is brought back by traga checkpoint add-cosignature.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			since, _ := cmd.Flags().GetString("since")
			old, err := sizeSince(since)
			if err != nil {
				return err
			}
			b, err := a.readCheckpoint(cmd, old)
			if err != nil {
				return err
			}
			if out, _ := cmd.Flags().GetString("out"); out != "" {
				return os.WriteFile(out, b, 0o600)
			}
			_, err = a.Out.Write(b)
			return err
		}}
	addSettings(c.Flags(), clientSettings())
	c.Flags().String("out", "", "file to write")
	c.Flags().String("since", "", "with the proof that it continues this older checkpoint: its file, or its size")
	add := &cobra.Command{Use: "add-cosignature FILE", Short: "Bring back the cosignature of a witness", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.addCosignature(cmd, args[0])
		}}
	addSettings(add.Flags(), append(clientSettings(), sealSettings()[2]))
	a.jsonFlag(add)
	c.AddCommand(add, a.beginAnewCommand())
	return c
}

func (a *app) beginAnewCommand() *cobra.Command {
	c := &cobra.Command{Use: "begin-anew --data DIR", Short: "Sign under a new key, where the newest copy of the store is lost for good", Args: cobra.NoArgs,
		Long: `When an older copy of a store had to be put back, its signer refuses it: what was signed since then is missing. Put the newest copy
back if there is any. If there is none, this makes a new signing key and has the log signed as it is.

To everyone who kept a checkpoint the log then is another one: give them the new key (traga keys verifier) and tell them what was lost.
The old key and its record are put aside, not removed. With --signer, that signer must be a new one.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			cfg, err := loadConfig(cmd, a.environ)
			if err != nil {
				return err
			}
			if cfg.get("data") == "" {
				return usagef("begin-anew works on a store's directory: --data DIR")
			}
			if err := isDirectory(cfg.get("data")); err != nil {
				return err
			}
			store, err := sqlitestore.Open(ctx, cfg.get("data"), sqlitestore.WithClock(a.now), a.tellUpgrade())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			l, err := store.Ledger()
			if err != nil {
				return err
			}
			if cfg.get("signer") == "" {
				if err := sealing.RetireSigner(cfg.keys()); err != nil {
					return err
				}
			}
			s, err := sealsOf(cfg)
			if err != nil {
				return err
			}
			n, err := sealing.BeginAnew(ctx, l, s.signer, a.now())
			if err == nil {
				fmt.Fprintf(a.Err, "The log of %d leaves is signed by %s now. Witnesses and policies need its key: traga keys verifier\n", n.Size, n.Origin)
			}
			return err
		}}
	addSettings(c.Flags(), append(keysSettings(), sealSettings()[:2]...))
	return c
}

// sizeSince reads --since; -1 when it is not given.
func sizeSince(text string) (int64, error) {
	if text == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(text, 10, 63); err == nil && n <= ledger.MaxSize {
		return int64(n), nil
	}
	b, err := readFile(text)
	if err != nil {
		return 0, usagef("--since: expected the size or the file of an older checkpoint: %w", err)
	}
	e, err := ledger.ParseExtension(b)
	if err != nil {
		return 0, usagef("--since: %w", err)
	}
	return e.Note.Size, nil
}

func (a *app) readCheckpoint(cmd *cobra.Command, old int64) ([]byte, error) {
	ctx := cmd.Context()
	s, err := a.source(cmd)
	if err != nil {
		return nil, err
	}
	if s.server != nil {
		query := url.Values{}
		if old >= 0 {
			query.Set("old", strconv.FormatInt(old, 10))
		}
		var b []byte
		_, err := s.fetch(ctx, "/v1/checkpoint", query, &b)
		return b, err
	}
	log, err := s.openLog(ctx)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	l, err := log.ledger()
	if err != nil {
		return nil, err
	}
	e, err := sealing.Since(ctx, l, max(old, 0))
	switch {
	case errors.Is(err, ledger.ErrNoCheckpoint):
		return nil, fmt.Errorf("%w: nothing is sealed yet", errNotFound)
	case err != nil:
		return nil, err
	case old >= 0:
		return e.Bytes(), nil
	}
	return e.Note.Bytes(), nil
}

func (a *app) addCosignature(cmd *cobra.Command, name string) (err error) {
	ctx := cmd.Context()
	s, err := a.source(cmd)
	if err != nil {
		return err
	}
	b, err := readFile(name)
	if err != nil {
		return usagef("read the cosigned checkpoint: %w", err)
	}
	n, err := ledger.ParseNote(b)
	if err != nil {
		return &usageError{fmt.Errorf("%s: %w", name, err)}
	}
	var accepted struct {
		Accepted []string `json:"accepted"`
	}
	if s.server != nil {
		_, err = s.ask(ctx, http.MethodPost, s.server.JoinPath("/v1/checkpoint/cosignatures"), strings.NewReader(string(b)),
			http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, &accepted)
	} else {
		accepted.Accepted, err = a.addCosignatureTo(ctx, s, n)
	}
	if err != nil {
		return err
	}
	return a.print(cmd, accepted, func(w io.Writer) {
		fmt.Fprintf(w, "The checkpoint of %d leaves has the cosignature of %s.\n", n.Size, strings.Join(accepted.Accepted, ", "))
	})
}

func (a *app) addCosignatureTo(ctx context.Context, s *source, n *ledger.Note) (names []string, err error) {
	policy, err := policyOf(s.config.get("policy"))
	if err != nil {
		return nil, err
	}
	if policy == nil {
		return nil, usagef("--policy FILE: it names the witnesses whose cosignatures are taken")
	}
	if err := isDirectory(s.dir); err != nil {
		return nil, err
	}
	store, err := sqlitestore.Open(ctx, s.dir, sqlitestore.WithClock(a.now))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	l, err := store.Ledger()
	if err != nil {
		return nil, err
	}
	names, err = sealing.AddCosignatures(ctx, l, policy, n)
	if errors.Is(err, sealing.ErrNotAccepted) || errors.Is(err, ledger.ErrNoCheckpoint) {
		err = &usageError{err}
	}
	return names, err
}

func (a *app) keysVerifierCommand() *cobra.Command {
	c := &cobra.Command{Use: "verifier", Short: "Print the public key that checkpoints are signed with", Args: cobra.NoArgs,
		Long: "Print the log's verifier key, a note key, for policies and witnesses. Where there is none yet, it is made.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, a.environ)
			if err != nil {
				return err
			}
			if c.keys() == "" && c.get("signer") == "" {
				return usagef("say whose key: --data DIR for that of a store, --keys DIR or --signer ADDRESS")
			}
			s, err := sealsOf(c)
			if err != nil {
				return err
			}
			key, err := s.signer.Key(cmd.Context())
			if err == nil {
				fmt.Fprintln(a.Out, key)
			}
			return err
		}}
	addSettings(c.Flags(), append(keysSettings(), sealSettings()[:2]...))
	return c
}

func (a *app) signCommand() *cobra.Command {
	c := &cobra.Command{Use: "sign --keys DIR --at ADDRESS", Short: "Sign checkpoints for a traga that runs apart", Args: cobra.NoArgs,
		Long: `Keep the key that signs checkpoints, and the record of what was signed, in a process of its own: where those who run the log are not
those who answer for it. It signs nothing but continuations of what it signed before. traga serve --signer ADDRESS asks it.

It listens on a Unix socket, which only its owner can use, or on a port of this machine, and then answers only who knows
--signer-secret (or TRAGA_SIGNER_SECRET_FILE).`,
		Example: `  traga sign --keys /var/lib/traga-signer --at unix:/run/traga/signer.sock
  traga serve --data ./store --signer unix:/run/traga/signer.sock`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, a.environ)
			if err != nil {
				return err
			}
			if c.get("keys") == "" {
				return usagef("--keys DIR: where the key and the record of what was signed are kept")
			}
			log, err := a.logger(c)
			if err != nil {
				return err
			}
			address, _ := cmd.Flags().GetString("at")
			return a.sign(cmd.Context(), c.get("keys"), address, c.get("signer.secret"), log)
		}}
	addSettings(c.Flags(), append(keysSettings()[1:], sealSettings()[1]))
	c.Flags().String("at", "", "where to listen: unix:/path or 127.0.0.1:PORT")
	return c
}

func (a *app) sign(ctx context.Context, keys, address, secret string, log *slog.Logger) error {
	signer, err := sealing.MakeSigner(keys)
	if err != nil {
		return err
	}
	listener, err := listenToSign(ctx, address, secret)
	if err != nil {
		return err
	}
	key, err := signer.Key(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Fprintf(a.Err, "traga signs for %s on %s\n", key.Name(), listener.Addr())
	return serveUntil(ctx, listener, sealing.Handler(signer, secret, log))
}

// listenToSign opens the signer's address: a socket for its owner only, or a port of this machine with a secret.
func listenToSign(ctx context.Context, address, secret string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok && path != "" {
		// One that a killed process left is in the way; one in use is not taken away.
		if c, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: another program listens there already", address), c.Close())
		}
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
		l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
		if err != nil {
			return nil, err
		}
		return l, os.Chmod(path, 0o600) // and the process's umask leaves it to its owner before that
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("--at: expected unix:/path or 127.0.0.1:PORT")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("--at: the signer answers this machine only: unix:/path or 127.0.0.1:PORT")
	}
	if secret == "" {
		return nil, usagef("--signer-secret: on a port everyone on this machine could ask; name a secret, or listen on unix:/path")
	}
	return listen(ctx, address)
}

// serveUntil serves until ctx ends, and lets requests end.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
		defer cancel()
		_ = server.Shutdown(grace) // what is still open then is cut off
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
