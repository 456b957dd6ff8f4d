package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/sealing"
)

func (a *app) verifyCommand() *cobra.Command {
	c := &cobra.Command{Use: "verify [BUNDLE | --data DIR]", Short: "Check an evidence bundle, or a whole log", Args: cobra.MaximumNArgs(1),
		Long: `Checks that the history in an evidence bundle is complete and unaltered since the checkpoint that you kept (--pinned), by the
signatures that you believe (--policy, in the tlog-policy form: log, witness, group and quorum lines). The first line is
the verdict. traga-verify does the same in a program that is small enough to be read whole.

With --data it computes every leaf of a store's log anew from its entries, and with the keys opens every protected field.
Without --policy and --pinned it holds the log against what its own signer signed last, if the signer's key is there.

Exit codes: 0 verified; 3 it agrees with itself, but was held against nothing from outside; 7 something is wrong.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			trust, err := trustOf(cmd)
			if err != nil {
				return err
			}
			var v *ledger.Verdict
			if len(args) == 1 {
				v, err = verifyBundle(cmd, args[0], trust)
			} else {
				v, err = a.verifyLog(cmd, trust)
			}
			if err != nil {
				return err
			}
			var failed error
			err = a.print(cmd, v, func(w io.Writer) { failed = v.WriteText(w) })
			if err = errors.Join(err, failed); err == nil && v.ExitCode() != exitOK {
				err = &codedError{code: v.ExitCode()}
			}
			return err
		}}
	addSettings(c.Flags(), clientSettings()[:2]) // data and keys
	a.jsonFlag(c)
	c.Flags().String("pinned", "", "file with a signed checkpoint that you got earlier")
	c.Flags().String("policy", "", "file that says whose signatures you believe")
	c.Flags().String("identity", "", "file with your age key, for an encrypted bundle")
	c.Flags().Duration("witness-delay", 24*time.Hour, "how long a checkpoint may travel to its witnesses")
	return c
}

// trustOf reads what the one who checks brings along.
func trustOf(cmd *cobra.Command) (trust ledger.Trust, err error) {
	if trust.Delay, _ = cmd.Flags().GetDuration("witness-delay"); trust.Delay <= 0 {
		return trust, usagef("--witness-delay: expected a duration above 0, such as 24h")
	}
	if name, _ := cmd.Flags().GetString("pinned"); name != "" {
		if trust.Pinned, err = readNote(name); err != nil {
			return trust, usagef("--pinned: %w", err)
		}
	}
	if name, _ := cmd.Flags().GetString("policy"); name != "" {
		b, err := os.ReadFile(name)
		if err == nil {
			trust.Policy, err = ledger.ParsePolicy(b)
		}
		if err != nil {
			return trust, usagef("--policy: %w", err)
		}
	}
	return trust, nil
}

func readNote(name string) (*ledger.Note, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	e, err := ledger.ParseExtension(b) // a checkpoint, or one that stands behind its proof
	if err != nil {
		return nil, err
	}
	return e.Note, nil
}

func verifyBundle(cmd *cobra.Command, name string, trust ledger.Trust) (*ledger.Verdict, error) {
	if cmd.Flags().Changed("data") {
		return nil, usagef("name either a bundle or --data DIR, not both")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("read the bundle: %w", err)
	}
	identity, _ := cmd.Flags().GetString("identity")
	switch {
	case evidence.IsEncrypted(b) && identity == "":
		return nil, usagef("%s is encrypted with age: name the file of your key with --identity", name)
	case evidence.IsEncrypted(b):
		keys, err := os.ReadFile(identity)
		if err == nil {
			b, err = evidence.Decrypt(b, bytes.NewReader(keys))
		}
		if errors.Is(err, ledger.ErrFormat) {
			return ledger.Verify(nil, trust), nil
		}
		if err != nil {
			return nil, usagef("--identity: %w", err)
		}
	}
	return ledger.Verify(b, trust), nil
}

// verifyLog verifies the log in a directory, beside whoever writes to it.
func (a *app) verifyLog(cmd *cobra.Command, trust ledger.Trust) (*ledger.Verdict, error) {
	c, err := loadConfig(cmd, a.environ)
	if err != nil {
		return nil, err
	}
	dir := c.get("data")
	if dir == "" {
		return nil, usagef("say what to check: the file of a bundle, or --data DIR for a whole log")
	}
	if err := isDirectory(dir); err != nil {
		return nil, err
	}
	if trust.Policy == nil { // a policy of the service, such as TRAGA_POLICY names it
		if trust.Policy, err = policyOf(c.get("policy")); err != nil {
			return nil, err
		}
	}
	if err := ownTrust(cmd.Context(), c.keys(), &trust); err != nil {
		return nil, err
	}
	v, err := a.verifyStore(cmd.Context(), dir, c.keys(), trust)
	if errors.Is(err, events.ErrDamaged) {
		return evidence.Unreadable(err), nil
	}
	return v, err
}

// ownTrust fills in what the one who checks did not bring along, by the signer's key and record: they are kept apart from
// the store.
func ownTrust(ctx context.Context, keys string, trust *ledger.Trust) error {
	if trust.Policy != nil {
		return nil
	}
	signer, err := sealing.OpenSigner(keys)
	if errors.Is(err, sealing.ErrNoKey) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := signer.Key(ctx)
	if err != nil {
		return err
	}
	if trust.Policy, err = ledger.ParsePolicy(fmt.Appendf(nil, "log %s\nquorum none\n", key)); err != nil {
		return err
	}
	if trust.Pinned == nil {
		trust.Pinned, err = signer.Last(ctx)
	}
	return err
}

func (a *app) verifyStore(ctx context.Context, dir, keys string, trust ledger.Trust) (_ *ledger.Verdict, err error) {
	store, err := sqlitestore.Open(ctx, dir, sqlitestore.ReadOnly())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the directory %s holds no store", errNotFound, dir)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	l, err := store.Ledger()
	if err != nil {
		return nil, err
	}
	source := &evidence.Source{Ledger: l, Log: store}
	if _, err := os.Stat(filepath.Join(keys, "keys.db")); err == nil {
		v, err := vault.Open(ctx, keys, nil, vault.ReadOnly())
		if err != nil {
			return nil, aboutKeys(keys, err)
		}
		defer func() { err = errors.Join(err, v.Close()) }()
		source.Opener = v
	}
	p := a.progress("verify the log")
	defer p.done()
	return source.VerifyLog(ctx, trust, p.report)
}
