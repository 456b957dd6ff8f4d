package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/events/esdbstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/storecopy"
)

func (a *app) storeCommand() *cobra.Command {
	group := &cobra.Command{Use: "store", Short: "Move the log from one store to another"}
	group.AddCommand(a.storeCopyCommand())
	return group
}

func (a *app) storeCopyCommand() *cobra.Command {
	c := &cobra.Command{Use: "copy --from STORE --to STORE", Short: "Copy the log from one store to another", Args: cobra.NoArgs,
		Long: `Copies a log as it is stored, from a directory to an EventStoreDB cluster or the other way: the same events with the same ids,
in the same order, with their times. Personal data stay protected: the copy needs the same keys (--keys).

A store is a directory, an address such as esdb://HOST:PORT, or @FILE, a file that holds such an address (with its password).

Stop traga first: nobody may write to either store. What the second store holds already must be the beginning of the first, so that
a copy that was interrupted goes on when it is started again. In the end both are read and compared, entry by entry.
Positions and read models are each store's own, and are not copied.

The ledger goes along, with its checkpoints and cosignatures, so that old checkpoints hold and the signer goes on. A cluster's is in a
file of the node that keeps it: name that node's directory (--ledger DIR).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, _ := cmd.Flags().GetString("from")
			to, _ := cmd.Flags().GetString("to")
			if from == "" || to == "" {
				return usagef("say from where to where: --from STORE --to STORE")
			}
			dir, _ := cmd.Flags().GetString("ledger")
			result, err := a.copyStore(cmd.Context(), from, to, dir)
			if errors.Is(err, storecopy.ErrDiffers) {
				return &codedError{exitConflict, err}
			}
			if err != nil {
				return err
			}
			return a.print(cmd, result, func(w io.Writer) {
				fmt.Fprintf(w, "Copied %d entries. All %d were compared: the two logs are the same.\n", result.Copied, result.Entries)
				if result.Sealed {
					fmt.Fprintln(w, "So are the ledgers; what was signed is signed in both.")
				} else {
					fmt.Fprintln(w, "The ledger was not copied (--ledger DIR): the signer will refuse to go on in the new place.")
				}
			})
		}}
	c.Flags().String("from", "", "the store to copy: a directory, an address, or @FILE")
	c.Flags().String("ledger", "", "directory of the node that keeps the ledger of the cluster")
	c.Flags().String("to", "", "the store to copy to: a directory, which is made if it is not there, an address, or @FILE")
	a.jsonFlag(c)
	return c
}

// copyResult is what a copy did.
type copyResult struct {
	Copied  int `json:"copied"`  // by this run
	Entries int `json:"entries"` // in both stores
	// Sealed is true when the ledger was copied, too.
	Sealed bool `json:"sealed"`
}

func (a *app) copyStore(ctx context.Context, from, to, dir string) (result copyResult, err error) {
	source, err := a.openToCopy(ctx, "--from", from, dir, false)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := a.openToCopy(ctx, "--to", to, dir, true)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	seals, err := sealsToCopy(source, target)
	if err != nil {
		return result, err
	}
	result.Sealed = seals != nil
	p := a.progress("copy and compare")
	defer p.done()
	result.Copied, err = storecopy.Copy(ctx, source, target, seals, func(at storecopy.Progress) {
		p.report(int64(at.Compared+at.Copied), 0)
		result.Entries = at.Compared
	})
	return result, err
}

// sealsToCopy are the ledgers of two stores, nil where one of them keeps none.
func sealsToCopy(from, to copiedStore) (*storecopy.Seals, error) {
	var found [2]storecopy.Ledger
	for i, s := range []copiedStore{from, to} {
		switch s := s.(type) {
		case *sqlitestore.Store:
			l, err := s.Ledger()
			if err != nil {
				return nil, err
			}
			found[i] = l
		case *esdbstore.Store:
			l, err := s.Ledger()
			if err != nil {
				return nil, nil // no --ledger
			}
			found[i] = l
		}
	}
	return &storecopy.Seals{From: found[0], To: found[1]}, nil
}

// copiedStore is a store of either kind, open without its keys.
type copiedStore interface {
	storecopy.Target
	io.Closer
}

// openToCopy opens a store for writing, also where it is only read: then nobody else writes to it. Only the second may be
// made.
func (a *app) openToCopy(ctx context.Context, flag, where, ledger string, fresh bool) (copiedStore, error) {
	if file, ok := strings.CutPrefix(where, "@"); ok {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, usagef("%s: read the file with the address: %w", flag, err)
		}
		where = strings.TrimSpace(string(b))
	}
	if esdbstore.IsAddress(where) {
		var options []esdbstore.Option
		if ledger != "" {
			options = append(options, esdbstore.WithLedger(ledger))
		}
		s, err := esdbstore.Open(ctx, where, options...)
		switch {
		case errors.Is(err, esdbstore.ErrAddress):
			return nil, &usageError{fmt.Errorf("%s: %w", flag, err)}
		case err != nil:
			return nil, err
		}
		return s, nil
	}
	if !fresh {
		if err := isDirectory(where); err != nil {
			return nil, err
		}
		// A directory without a store must not get one.
		r, err := sqlitestore.Open(ctx, where, sqlitestore.ReadOnly())
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: the directory %s holds no store", errNotFound, where)
		}
		if err != nil {
			return nil, err
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
	}
	s, err := sqlitestore.Open(ctx, where, sqlitestore.WithClock(a.now), a.tellUpgrade())
	if err != nil {
		return nil, err
	}
	return s, nil
}
