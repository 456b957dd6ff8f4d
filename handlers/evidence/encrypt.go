package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"traga.internal/events/ledger"
)

// ErrKey is matched by the error of an age key that can't be used.
var ErrKey = errors.New("not a key that is understood")

// Encrypt encrypts a bundle to the one who shall read it: an age recipient, age1…. It fails with ErrKey.
func Encrypt(bundle []byte, recipient string) ([]byte, error) {
	to, err := age.ParseX25519Recipient(strings.TrimSpace(recipient))
	if err != nil {
		return nil, fmt.Errorf("%w: expected an age recipient, which begins with age1", ErrKey)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err == nil {
		_, err = w.Write(bundle)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("encrypt a bundle: %w", err)
	}
	return b.Bytes(), nil
}

// IsEncrypted reports whether a file is encrypted with age.
func IsEncrypted(b []byte) bool { return bytes.HasPrefix(b, []byte("age-encryption.org/")) }

// maxDecrypted is more than any bundle that is read.
const maxDecrypted = 1 << 30

// Decrypt undoes Encrypt with the reader's identity file: lines AGE-SECRET-KEY-…, as age-keygen writes it. It fails with
// ErrKey, and with ledger.ErrFormat when the file is not for this key or was altered.
func Decrypt(b []byte, identities io.Reader) ([]byte, error) {
	keys, err := age.ParseIdentities(identities)
	if err != nil {
		return nil, fmt.Errorf("%w: expected an age identity file, with a line AGE-SECRET-KEY-…", ErrKey) // the cause could show it
	}
	r, err := age.Decrypt(bytes.NewReader(b), keys...)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not encrypted to this key, or was altered", ledger.ErrFormat)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxDecrypted))
	if err != nil {
		return nil, fmt.Errorf("%w: it was altered after it was encrypted", ledger.ErrFormat)
	}
	return plain, nil
}
