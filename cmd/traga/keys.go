package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/protocol"
	"traga.internal/events/vault"
	"traga.internal/handlers/erasure"
	"traga.internal/projections"
)

func (a *app) keysCommand() *cobra.Command {
	group := &cobra.Command{Use: "keys", Short: "Look after the keys of a store",
		Long: `Personal data stands in the log encrypted, under keys that are kept apart from it: in DATA.keys, or where --keys says. Who has
the store without its keys can read no protected field; who has the keys without the root key (root.key) can read none
either. Keep copies of all three, and never in one place. Losing the keys loses every protected field for good.`}
	group.AddCommand(a.keysInitCommand(), a.keysListCommand(), a.keysRotateCommand(), a.keysRewrapCommand(), a.keysBackupCommand(), a.keysVerifierCommand())
	return group
}

// openKeys opens the keystore that a command means. It must be there, unless it is to be made.
func (a *app) openKeys(cmd *cobra.Command, make bool, opts ...vault.Option) (*vault.Vault, string, error) {
	dir, err := a.keysOf(cmd)
	if err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "keys.db")); err != nil && !make {
		return nil, "", fmt.Errorf("%w: there is no keystore in %s; traga serve makes one, and so does traga keys init", errNotFound, dir)
	}
	v, err := vault.Open(cmd.Context(), dir, nil, opts...)
	return v, dir, aboutKeys(dir, err)
}

func (a *app) keysInitCommand() *cobra.Command {
	c := &cobra.Command{Use: "init", Short: "Make a keystore with a new root key", Args: cobra.NoArgs,
		Long: "Makes the directory of keys and a new root key in it, before there is a store. Where there is a keystore already, it says so and changes nothing.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.keysOf(cmd)
			if err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(dir, "keys.db")); err == nil {
				return usagef("there is a keystore in %s already; nothing was changed", dir)
			}
			v, _, err := a.openKeys(cmd, true)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Err, "made a keystore in %s; keep a copy of root.key apart from copies of the rest\n", dir)
			return v.Close()
		}}
	addSettings(c.Flags(), keysSettings())
	return c
}

func (a *app) keysListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the keys; not whose they are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			v, _, err := a.openKeys(cmd, false, vault.ReadOnly())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, v.Close()) }()
			keys, err := v.Keys(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(cmd, keys, func(w io.Writer) {
				t := newTable(w, "KEY", "PERSON", "CATEGORY", "EPOCH", "STATE")
				for _, k := range keys {
					state := "in use"
					if k.Destroyed != nil {
						state = fmt.Sprintf("destroyed %s, receipt %s", k.Destroyed.Format(time.RFC3339), k.Receipt)
					}
					t.row(k.ID, k.Person, string(k.Category), fmt.Sprint(k.Epoch), state)
				}
				t.flush()
			})
		}}
	addSettings(c.Flags(), keysSettings())
	a.jsonFlag(c)
	return c
}

func (a *app) keysRotateCommand() *cobra.Command {
	c := &cobra.Command{Use: "rotate", Short: "Use new keys for what is recorded from now on", Args: cobra.NoArgs,
		Long: "Begins a new epoch: what is recorded from now on is under new keys. What is there stays readable. It works while traga serves.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			v, _, err := a.openKeys(cmd, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, v.Close()) }()
			epoch, err := v.Rotate(cmd.Context())
			if err == nil {
				fmt.Fprintf(a.Err, "epoch %d has begun: what is recorded from now on is under new keys\n", epoch)
			}
			return err
		}}
	addSettings(c.Flags(), keysSettings())
	return c
}

func (a *app) keysRewrapCommand() *cobra.Command {
	c := &cobra.Command{Use: "rewrap", Short: "Bring in a new root key; the old one then opens nothing", Args: cobra.NoArgs,
		Long: `Makes a new root key and wraps every key under it. The old root key then opens nothing any more: not this keystore, and of
older copies of it only what they hold. Nothing else may use the keystore meanwhile: stop the server first.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			v, dir, err := a.openKeys(cmd, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, v.Close()) }()
			if err := v.Rewrap(cmd.Context(), nil); err != nil {
				return aboutKeys(dir, err)
			}
			fmt.Fprintf(a.Err, "all keys in %s are under a new root key; keep a copy of the new root.key, and destroy those of the old one\n", dir)
			return nil
		}}
	addSettings(c.Flags(), keysSettings())
	return c
}

func (a *app) keysBackupCommand() *cobra.Command {
	c := &cobra.Command{Use: "backup --out FILE", Short: "Copy the keystore, without its root key", Args: cobra.NoArgs,
		Long: `Writes a copy of keys.db, as it is at one moment; it works while traga serves. To restore it, stop traga, put it back as keys.db
(and remove keys.db-wal and keys.db-shm). What was erased since then is erased again before anything is read; what was
recorded since then under new keys can't be read any more. Without root.key, which is not in it, it opens nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			out, _ := cmd.Flags().GetString("out")
			if out == "" {
				return usagef("--out: say where the copy goes")
			}
			v, _, err := a.openKeys(cmd, false, vault.ReadOnly())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, v.Close()) }()
			return v.Backup(cmd.Context(), out)
		}}
	addSettings(c.Flags(), keysSettings())
	c.Flags().String("out", "", "file to write, which must not be there yet")
	return c
}

func (a *app) erasureCommand() *cobra.Command {
	group := &cobra.Command{Use: "erasure", Short: "Carry out requests for the erasure of personal data"}
	c := &cobra.Command{Use: "run --data DIR", Short: "Carry out the requests that wait", Args: cobra.NoArgs,
		Long: `Carries out every ErasureRequested on record that has two different approvers and that no legal hold on any of the person's
cases forbids: destroys the keys, takes what was worked out of the data out of the read models, and records
PersonalDataErased. traga serve does the same by itself; this is for a store that no traga serves.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			if s.dir == "" {
				return usagef("erasure run works on a store's directory: --data DIR")
			}
			outcomes, err := a.erase(cmd.Context(), s)
			if err != nil {
				return err
			}
			return a.print(cmd, outcomes, func(w io.Writer) {
				t := newTable(w, "CASE", "ERASURE", "STATE")
				for _, o := range outcomes {
					state := "waits: " + string(o.Waits)
					if o.Done {
						state = fmt.Sprintf("done, %d keys destroyed, receipt %s", o.Keys, o.Receipt)
					}
					t.row(o.Case, string(o.Erasure), state)
				}
				t.flush()
			})
		}}
	addSettings(c.Flags(), clientSettings())
	a.jsonFlag(c)
	group.AddCommand(c)
	return group
}

// erase carries out the requests that wait in a store that nobody serves.
func (a *app) erase(ctx context.Context, s *source) (outcomes []erasure.Outcome, err error) {
	if err := isDirectory(s.dir); err != nil {
		return nil, err
	}
	recorder, store, err := a.openRecorder(ctx, s.dir, s.keys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	engine, err := projections.Open(ctx, s.dir, store, protocol.NewBook(), readModelList())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	err = a.sealed(ctx, s.config, store, func() error {
		outcomes, err = erasure.New(store, recorder, engine.Purge).Once(ctx)
		return err
	})
	return outcomes, err
}
