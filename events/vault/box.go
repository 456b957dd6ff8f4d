package vault

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"errors"

	"github.com/google/uuid"

	"traga.internal/events/ledger"
)

const (
	boxDomain = "traga.internal/box/v1\n"
	nonceSize = 12
	saltSize  = len(ledger.Salt{})
	tagSize   = 16
	// boxOverhead is what a box is longer than its value with the padding.
	boxOverhead = nonceSize + saltSize + tagSize
	// padding is what a value's length is rounded up to: else the length alone would tell "low" from "high".
	padding = 32
)

var errBox = errors.New("it does not open with its key: the stored field was changed, or moved from another place")

// place is the associated data of a box.
func place(b []byte, event uuid.UUID, pointer string) []byte {
	b = append(b, boxDomain...)
	b = append(b, event[:]...)
	return append(b, pointer...)
}

// seal makes the box of a value, and the commitment to it. The nonce is random: a data key seals a few thousand fields of
// one person, far from the 2^32 at which random nonces become a risk.
func seal(key cipher.AEAD, event uuid.UUID, pointer string, value []byte) (box []byte, c ledger.Commitment) {
	var salt ledger.Salt
	box = make([]byte, nonceSize, boxOverhead+padded(len(value)))
	rand.Read(box) // never fails: see crypto/rand
	rand.Read(salt[:])
	return sealWith(key, box, salt, event, pointer, value)
}

// sealWith is seal with the nonce, in box, and the salt given.
func sealWith(key cipher.AEAD, box []byte, salt ledger.Salt, event uuid.UUID, pointer string, value []byte) ([]byte, ledger.Commitment) {
	var at [128]byte
	plain := make([]byte, 0, saltSize+padded(len(value)))
	plain = append(append(plain, salt[:]...), value...)
	for len(plain) < cap(plain) {
		plain = append(plain, ' ')
	}
	return key.Seal(box, box, plain, place(at[:0], event, pointer)), ledger.Commit(salt, event, pointer, value)
}

// padded is the length of a value of n bytes with its padding.
func padded(n int) int { return (n + padding - 1) / padding * padding }

// unseal opens a box.
func unseal(key cipher.AEAD, event uuid.UUID, pointer string, box []byte) (salt ledger.Salt, value []byte, err error) {
	if len(box) < boxOverhead {
		return salt, nil, errBox
	}
	var at [128]byte
	plain, err := key.Open(nil, box[:nonceSize], box[nonceSize:], place(at[:0], event, pointer))
	if err != nil {
		return salt, nil, errBox
	}
	return ledger.Salt(plain[:saltSize]), bytes.TrimRight(plain[saltSize:], " "), nil
}
