package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/evidence"
	"traga.internal/handlers/sealing"
)

// protectedLog is an open store behind its vault: what everything reads and writes.
type protectedLog struct {
	*vault.Store
	// kept is the store as it is kept, and keys the keystore that makes it readable.
	kept events.Store
	keys *vault.Vault
}

// Close closes the store and the keystore.
func (l *protectedLog) Close() error { return errors.Join(l.kept.Close(), l.keys.Close()) }

// ledger is that of the store, nil where it keeps none; what was made before there was one fails with
// sqlitestore.ErrNoLedger.
func (l *protectedLog) ledger() (sealing.Ledger, error) {
	found, err := l.tree()
	if found == nil {
		return nil, err
	}
	return found, nil
}

// wholeLedger is all that is asked of a ledger.
type wholeLedger interface {
	sealing.Ledger
	evidence.Ledger
}

func (l *protectedLog) tree() (wholeLedger, error) {
	switch kept := l.kept.(type) {
	case *sqlitestore.Store:
		found, err := kept.Ledger()
		if err != nil {
			return nil, err
		}
		return found, nil
	case *esdbstore.Store:
		if found, err := kept.Ledger(); err == nil {
			return found, nil // else another node keeps it
		}
	}
	return nil, nil
}

// tellUpgrade tells how far a store of before the ledger has come in getting one.
func (a *app) tellUpgrade() sqlitestore.Option {
	var p *progress
	return sqlitestore.WithProgress(func(done, total uint64) {
		if p == nil {
			p = a.progress("make the ledger of the entries")
		}
		p.report(int64(done), int64(total))
		if done == total {
			p.done()
		}
	})
}

// openForWriting opens the store in dir, and makes it and its keystore where there are none.
func openForWriting(ctx context.Context, dir, keys string, now func() time.Time, more ...sqlitestore.Option) (*protectedLog, error) {
	file, err := sqlitestore.Open(ctx, dir, append(more, sqlitestore.WithClock(now))...)
	if err != nil {
		return nil, err
	}
	l, err := protect(ctx, file, keys, vault.WithClock(now))
	if err != nil {
		return nil, err
	}
	// That the keystore is another store's must not come to light only after something was recorded under its keys.
	if _, err := l.ReadAll(ctx, events.Start, 1, events.Filter{Types: []string{"CaseOpened"}}); err != nil {
		return nil, errors.Join(aboutKeys(keys, err), l.Close())
	}
	return l, nil
}

// openForReading opens the store in dir for reading only, beside whoever writes to it.
func openForReading(ctx context.Context, dir, keys string) (*protectedLog, error) {
	file, err := sqlitestore.Open(ctx, dir, sqlitestore.ReadOnly())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the directory %s holds no store yet; the first traga record, import or serve makes one", errNotFound, dir)
	}
	if err != nil {
		return nil, err
	}
	return protect(ctx, file, keys, vault.ReadOnly())
}

// protect puts the vault before an open store.
func protect(ctx context.Context, kept events.Store, keys string, option vault.Option) (*protectedLog, error) {
	v, err := vault.Open(ctx, keys, nil, option)
	if err != nil {
		return nil, errors.Join(aboutKeys(keys, err), kept.Close())
	}
	return &protectedLog{v.Wrap(kept), kept, v}, nil
}

// aboutKeys says where the keystore was looked for.
func aboutKeys(dir string, err error) error {
	for _, kind := range []error{vault.ErrNoKeystore, vault.ErrUnknownKey, vault.ErrWrongRoot, vault.ErrDamaged, vault.ErrInUse} {
		if errors.Is(err, kind) {
			return fmt.Errorf("the keys in %s (--keys): %w", dir, err)
		}
	}
	return err
}

// keysBeside is where the keys of a store are, unless it is said otherwise.
func keysBeside(data string) string { return filepath.Clean(data) + ".keys" }
