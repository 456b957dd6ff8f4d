package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// Root is the key under which the data keys are kept wrapped. It is Tink's AEAD, so that it may live in a key management
// service: registry.GetKMSClient(uri), then its GetAEAD(uri). Its calls may go over a network: there is one for each new
// data key, and one for each that is used for the first time.
type Root = tink.AEAD

const (
	rootFile    = "root.key"
	newRootFile = "root.key.new" // during Rewrap
	rootHeader  = "traga root key v1\n"
)

// fileRoot is a root key in memory, from a file.
type fileRoot struct{ aead cipher.AEAD }

func newFileRoot(key []byte) (fileRoot, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return fileRoot{}, err
	}
	aead, err := cipher.NewGCM(block)
	return fileRoot{aead}, err
}

// Encrypt implements tink.AEAD.
func (r fileRoot) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	out := make([]byte, nonceSize, nonceSize+len(plaintext)+tagSize)
	rand.Read(out)
	return r.aead.Seal(out, out, plaintext, associatedData), nil
}

// Decrypt implements tink.AEAD.
func (r fileRoot) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	if len(ciphertext) < nonceSize {
		return nil, errors.New("too short")
	}
	return r.aead.Open(nil, ciphertext[:nonceSize], ciphertext[nonceSize:], associatedData)
}

// readRoot reads a root key's file.
func readRoot(path string) (Root, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	encoded, ok := strings.CutPrefix(string(text), rootHeader)
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(encoded, "\n"))
	if !ok || err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%w: %s is no root key of traga", ErrWrongRoot, filepath.Base(path))
	}
	return newFileRoot(key)
}

// writeRoot makes a new root key and its file, which must not be there yet. A crash leaves the whole file or, under the
// name of a draft, nothing that counts.
func writeRoot(path string) (_ Root, err error) {
	key := make([]byte, 32)
	rand.Read(key)
	draft := path + ".draft"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(rootHeader + base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is there already", filepath.Base(path))
	}
	if err := rename(draft, path); err != nil {
		return nil, err
	}
	return newFileRoot(key)
}

// rename moves a file within its directory, for good.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
