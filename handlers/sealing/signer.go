package sealing

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"golang.org/x/mod/sumdb/note"

	"traga.internal/events/ledger"
)

// The signer's files, in the directory of keys. Others' stand beside them.
const (
	keyFile    = "signer.key"
	recordFile = "signed"
	lockFile   = "signer.lock"
)

// ErrNoKey: the directory of keys has no key to sign with.
var ErrNoKey = errors.New("there is no key to sign with")

// LocalSigner signs with a key in a directory, and keeps its record there. Several processes may use one directory: they
// take turns. It is safe for concurrent use.
type LocalSigner struct {
	dir string
	key ledger.Key
	*ledger.Signer
}

// OpenSigner opens the signer in a directory of keys. It fails with ErrNoKey when there is none.
func OpenSigner(dir string) (*LocalSigner, error) {
	s, err := openSigner(dir)
	if err != nil {
		return nil, fmt.Errorf("open the signer in %s: %w", dir, err)
	}
	return s, nil
}

func openSigner(dir string) (*LocalSigner, error) {
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoKey
	}
	if err != nil {
		return nil, err
	}
	secret, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s does not hold a signing key", keyFile) // the cause could show what it holds
	}
	key, err := publicKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s does not hold a signing key", keyFile)
	}
	record := File{filepath.Join(dir, recordFile)}
	if _, err := record.Last(context.Background()); err != nil {
		return nil, err
	}
	return &LocalSigner{dir: dir, key: key, Signer: ledger.NewSigner(secret, record)}, nil
}

// publicKey is the public key of a private one in the text form of sumdb/note.
func publicKey(secret string) (ledger.Key, error) {
	parts := strings.SplitN(secret, "+", 5) // PRIVATE, KEY, name, id, and the algorithm and seed in base64
	if len(parts) != 5 {
		return ledger.Key{}, ledger.ErrFormat
	}
	b, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(b) != 1+ed25519.SeedSize {
		return ledger.Key{}, ledger.ErrFormat
	}
	public, err := note.NewEd25519VerifierKey(parts[2], ed25519.NewKeyFromSeed(b[1:]).Public().(ed25519.PublicKey))
	if err != nil {
		return ledger.Key{}, ledger.ErrFormat
	}
	return ledger.ParseKey(public)
}

// MakeSigner opens the signer in a directory of keys, and makes both where there is none.
func MakeSigner(dir string) (*LocalSigner, error) {
	s, err := OpenSigner(dir)
	if !errors.Is(err, ErrNoKey) {
		return s, err
	}
	if err := makeSigner(dir); err != nil {
		return nil, fmt.Errorf("make a signer in %s: %w", dir, err)
	}
	return OpenSigner(dir)
}

func makeSigner(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return locked(dir, func() error {
		if _, err := os.Stat(filepath.Join(dir, keyFile)); err == nil {
			return nil // another process was faster
		}
		// The record comes first: a key without a record never signs, since its record may have been taken away.
		record := File{filepath.Join(dir, recordFile)}
		if last, err := record.Last(context.Background()); err == nil && last != nil {
			return fmt.Errorf("%s is there, and %s is missing: put it back", recordFile, keyFile)
		}
		if err := record.begin(); err != nil {
			return err
		}
		unique := make([]byte, 8)
		rand.Read(unique)
		secret, _, err := note.GenerateKey(rand.Reader, "traga-"+hex.EncodeToString(unique))
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(dir, keyFile), []byte(secret+"\n"))
	})
}

// RetireSigner puts the key and the record in a directory aside, under names that end with the key's, so that MakeSigner
// makes new ones. It does nothing when there is none.
func RetireSigner(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := publicKey(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s does not hold a signing key", keyFile)
	}
	return locked(dir, func() error {
		// A crash in between leaves a key without its record, which never signs; calling again goes on.
		for _, name := range []string{recordFile, keyFile} {
			err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+"."+key.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}

func locked(dir string, do func() error) (err error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return do()
}

// Key implements Signer.
func (s *LocalSigner) Key(context.Context) (ledger.Key, error) { return s.key, nil }

// Sign implements Signer.
func (s *LocalSigner) Sign(ctx context.Context, t ledger.Tree, proof ledger.Proof) (n *ledger.Note, err error) {
	err = locked(s.dir, func() error {
		n, err = s.Signer.Sign(ctx, t, proof)
		return err
	})
	return n, err
}

// File keeps the last note that was signed in a file of its own. It implements ledger.Record.
type File struct{ path string }

// Last is the note in the file; an empty file is that of a signer that has not signed yet. A file that is not there is an
// error: it was there when the key was made.
func (f File) Last(context.Context) (*ledger.Note, error) {
	b, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is missing, the record of what was signed last: without it nothing more is signed; put it back", filepath.Base(f.path))
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, nil
	}
	n, err := ledger.ParseNote(b)
	if err != nil {
		return nil, fmt.Errorf("%s, the record of what was signed last: %w", filepath.Base(f.path), err)
	}
	return n, nil
}

// Keep replaces the note.
func (f File) Keep(_ context.Context, n *ledger.Note) error { return writeFile(f.path, n.Bytes()) }

// begin makes an empty record.
func (f File) begin() error { return writeFile(f.path, nil) }

// writeFile replaces a file: a crash leaves the old content or the new, and after it returns the new.
func writeFile(path string, b []byte) (err error) {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, draft.Close(), os.Remove(draft.Name()))
		}
	}()
	if _, err := draft.Write(b); err != nil {
		return err
	}
	if err := draft.Sync(); err != nil {
		return err
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close(), draft.Close())
}
