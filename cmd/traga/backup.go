package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/handlers/backup"
)

func (a *app) backupCommand() *cobra.Command {
	group := &cobra.Command{Use: "backup", Short: "Copy a store while it is served, check the copy, and put it back"}
	group.AddCommand(a.backupCreateCommand(), a.backupVerifyCommand(), a.backupRestoreCommand())
	return group
}

func (a *app) backupCreateCommand() *cobra.Command {
	c := &cobra.Command{Use: "create --data DIR --out BACKUP", Short: "Copy a store into a new directory", Args: cobra.NoArgs,
		Long: `Copies the log, and what the reactions remember, into a new directory: as they were at one instant, while traga serves the store.
The keys are not in it. Back their directory up apart, and keep the two in different hands.

The log of a node of a cluster is in the cluster: see deploy/RUNBOOK.md.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, _ := cmd.Flags().GetString("out")
			if out == "" {
				return usagef("say where to: --out BACKUP, a new directory")
			}
			dir, err := a.dataDirectory(cmd)
			if err != nil {
				return err
			}
			if err := isDirectory(dir); err != nil {
				return err
			}
			return a.runBackup(cmd, "copy the store", func(ctx context.Context, p backup.Progress) (backup.Manifest, error) {
				return backup.Create(ctx, dir, out, a.now(), p)
			}, func(w io.Writer, m backup.Manifest) {
				fmt.Fprintf(w, "Made %s, up to position %s. The keys are not in it.\n", out, m.Head)
			})
		}}
	addSettings(c.Flags(), clientSettings()[:1])
	c.Flags().String("out", "", "the new directory to copy into")
	a.jsonFlag(c)
	return c
}

func (a *app) backupVerifyCommand() *cobra.Command {
	c := &cobra.Command{Use: "verify BACKUP", Short: "Read all of a backup and check it; exit code 7 when it is damaged", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runBackup(cmd, "check the backup", func(ctx context.Context, p backup.Progress) (backup.Manifest, error) {
				return backup.Verify(ctx, args[0], p)
			}, func(w io.Writer, m backup.Manifest) {
				fmt.Fprintf(w, "Whole: made %s, up to position %s; every event was read, and the ledger computed anew.\n", m.Made.Format(time.RFC3339), m.Head)
			})
		}}
	a.jsonFlag(c)
	return c
}

func (a *app) backupRestoreCommand() *cobra.Command {
	c := &cobra.Command{Use: "restore BACKUP --data DIR", Short: "Check a backup and put it into a new directory", Args: cobra.ExactArgs(1),
		Long: `Checks a backup and puts it into a directory that is new or empty; nothing is overwritten. Put the keys back from their own
backup before you serve it (DIR.keys, or where the setting keys says).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := a.dataDirectory(cmd)
			if err != nil {
				return err
			}
			return a.runBackup(cmd, "check the backup", func(ctx context.Context, p backup.Progress) (backup.Manifest, error) {
				return backup.Restore(ctx, args[0], dir, p)
			}, func(w io.Writer, m backup.Manifest) {
				fmt.Fprintf(w, "Restored into %s, up to position %s. Put the keys back, then serve it; the read models build themselves.\n", dir, m.Head)
			})
		}}
	addSettings(c.Flags(), clientSettings()[:1])
	a.jsonFlag(c)
	return c
}

func (a *app) dataDirectory(cmd *cobra.Command) (string, error) {
	c, err := loadConfig(cmd, a.environ)
	if err != nil {
		return "", err
	}
	if c.get("data") == "" {
		return "", usagef("say where traga keeps its data: --data DIR")
	}
	return c.get("data"), nil
}

func (a *app) runBackup(cmd *cobra.Command, what string, do func(context.Context, backup.Progress) (backup.Manifest, error), say func(io.Writer, backup.Manifest)) error {
	p := a.progress(what)
	m, err := do(cmd.Context(), p.report)
	p.done()
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", errNotFound, err)
	}
	if err != nil {
		return err
	}
	return a.print(cmd, m, func(w io.Writer) { say(w, m) })
}
