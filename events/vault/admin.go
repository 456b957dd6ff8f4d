package vault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Key is what may be told of a data key. Whose it is can't be read out of it.
type Key struct {
	ID        string          `json:"key"`
	Person    string          `json:"person"` // the same for all keys of a person
	Category  events.Category `json:"category"`
	Epoch     int             `json:"epoch"`
	Destroyed *time.Time      `json:"destroyed"`
	Receipt   *uuid.UUID      `json:"receipt"` // of a destroyed key: the id of the PersonalDataErased
}

// Keys lists all data keys, by person, category and epoch.
func (v *Vault) Keys(ctx context.Context) (list []Key, err error) {
	list = []Key{}
	if v.keys == nil {
		return nil, fmt.Errorf("list the keys: %w", ErrNoKeystore)
	}
	rows, err := v.keys.reads.QueryContext(ctx, "SELECT id, hex(person), category, epoch, destroyed_at, receipt FROM keys ORDER BY person, category, epoch, rowid")
	if err != nil {
		return nil, explain("list the keys", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			k       Key
			at      sql.NullInt64
			receipt []byte
		)
		if err := rows.Scan(&k.ID, &k.Person, &k.Category, &k.Epoch, &at, &receipt); err != nil {
			return nil, explain("list the keys", err)
		}
		if at.Valid {
			t := time.UnixMicro(at.Int64).UTC()
			k.Destroyed, k.Receipt = &t, (*uuid.UUID)(receipt)
		}
		list = append(list, k)
	}
	return list, explain("list the keys", rows.Err())
}

// Rotate begins a new epoch: what is recorded from now on is under new data keys, and what is there stays readable. Other
// processes that write follow within a moment. It returns the new epoch.
func (v *Vault) Rotate(ctx context.Context) (epoch int, err error) {
	if v.readOnly {
		return 0, fmt.Errorf("begin a new epoch: %w", ErrReadOnly)
	}
	err = v.keys.writes.QueryRowContext(ctx, "UPDATE keystore SET epoch = epoch + 1, changes = changes + 1 RETURNING epoch").Scan(&epoch)
	if err != nil {
		return 0, explain("begin a new epoch", err)
	}
	return epoch, v.again(ctx)
}

// Rewrap brings in a new root key: all data keys that are left are wrapped under it, and the old one opens nothing any
// more. A nil root is a new key in the file root.key. Nobody else may be using the keystore for writing: ErrInUse. After a
// crash at any point the keystore opens, with the old root key or with the new one.
func (v *Vault) Rewrap(ctx context.Context, root Root) error {
	err := v.rewrap(ctx, root)
	if err != nil {
		return explain("bring in a new root key", err)
	}
	return nil
}

func (v *Vault) rewrap(ctx context.Context, root Root) error {
	if v.readOnly {
		return ErrReadOnly
	}
	if v.lock != nil {
		alone, err := v.lock.TryLock()
		if err == nil && !alone {
			err = ErrInUse
		}
		if err != nil {
			return err
		}
	}
	v.using.Lock()
	defer v.using.Unlock()
	_, inFile := v.root.(fileRoot)
	toFile := root == nil && v.dir != ""
	if root == nil {
		var err error
		if root, err = v.newRoot(); err != nil {
			return err
		}
	}
	// Until the commit the old key is the right one; a crash leaves a new one that is dropped at the next opening.
	if err := v.keys.transact(ctx, func(tx *sql.Tx) error { return v.wrapAll(ctx, tx, root) }); err != nil {
		return err
	}
	// From here on the new one is. A crash before the file has its name: opening finds it under the other one.
	if toFile {
		if err := rename(filepath.Join(v.dir, newRootFile), filepath.Join(v.dir, rootFile)); err != nil {
			return err
		}
	} else if inFile && v.dir != "" { // it lives elsewhere now
		if err := os.Remove(filepath.Join(v.dir, rootFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	v.root = root
	if err := v.keys.truncate(ctx); err != nil {
		return err
	}
	return v.again(ctx)
}

func (v *Vault) newRoot() (Root, error) {
	if v.dir == "" {
		fresh := &Vault{}
		err := fresh.openRoot("")
		return fresh.root, err
	}
	if err := v.dropNewRoot(); err != nil {
		return nil, err
	}
	return writeRoot(filepath.Join(v.dir, newRootFile))
}

// wrapAll wraps everything that is kept under another root key.
func (v *Vault) wrapAll(ctx context.Context, tx *sql.Tx, root Root) error {
	index, err := root.Encrypt(v.index, indexData)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE keystore SET index_key = ?, changes = changes + 1", index); err != nil {
		return err
	}
	for after := ""; ; {
		rows, err := selectRows(ctx, tx, "wrapped IS NOT NULL AND id > ? ORDER BY id LIMIT 1000", after)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			key, err := v.root.Decrypt(r.wrapped, r.associated())
			if err != nil {
				return fmt.Errorf("%w: key %s does not open with the root key", ErrDamaged, r.id)
			}
			wrapped, err := root.Encrypt(key, r.associated())
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE keys SET wrapped = ? WHERE id = ?", wrapped, r.id); err != nil {
				return err
			}
			after = r.id
		}
	}
}

// Backup writes a copy of keys.db, as it is at one moment, to a file that must not be there yet. Without the root key,
// which has to be kept elsewhere, it opens nothing.
func (v *Vault) Backup(ctx context.Context, file string) error {
	if v.keys == nil {
		return fmt.Errorf("copy the keystore: %w", ErrNoKeystore)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // with the right permissions; SQLite fills an empty file
	if err != nil {
		return fmt.Errorf("copy the keystore: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("copy the keystore: %w", err)
	}
	from := v.keys.writes // in memory there is no other
	if v.dir != "" {
		if from, err = openDB(filepath.Join(v.dir, keysFile), "ro"); err != nil { // not query_only, which forbids it
			return explain("copy the keystore", err)
		}
		defer from.Close()
	}
	_, err = from.ExecContext(ctx, "VACUUM INTO ?", file)
	return explain("copy the keystore", err)
}
