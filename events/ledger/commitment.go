package ledger

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"
)

// Commitment binds a writer to the value of one field of one event without telling it.
type Commitment [32]byte

// Salt is the secret under which a commitment is made; who has it and the value can check the commitment.
type Salt [32]byte

const commitmentDomain = "traga.internal/commitment/v1\n"

// Commit makes the commitment to a field: the event's id, the field's JSON pointer in the data, its value as JSON.
func Commit(salt Salt, event uuid.UUID, pointer string, value []byte) Commitment {
	m := hmac.New(sha256.New, salt[:])
	b := make([]byte, 0, len(commitmentDomain)+20+len(pointer))
	b = append(b, commitmentDomain...)
	b = append(b, event[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(pointer)))
	b = append(b, pointer...)
	m.Write(b)
	m.Write(value)
	return Commitment(m.Sum(nil))
}

// String is the commitment in base64url without padding, as it stands in data.
func (c Commitment) String() string { return encoding.EncodeToString(c[:]) }

// encoding refuses what is not canonical: each value has one way to be written.
var encoding = base64.RawURLEncoding.Strict()

const commitmentText = 43 // characters of a Commitment

// Sealed is a protected field as it stands in stored data.
type Sealed struct {
	Key        string // 1 to 64 letters, digits, - or _
	Commitment Commitment
	Box        []byte
}

const (
	sealedBegin, sealedEnd   = `{"~sealed":["`, `"]}`
	between                  = `","`
	commitBegin, commitEnd   = `{"~commit":"`, `"}`
	maxKey, maxSealedBoxText = 64, 4 << 20
)

// Append appends the field's JSON to b.
func (s *Sealed) Append(b []byte) []byte {
	b = append(b, sealedBegin...)
	b = append(b, s.Key...)
	b = append(b, between...)
	b = encoding.AppendEncode(b, s.Commitment[:])
	b = append(b, between...)
	b = encoding.AppendEncode(b, s.Box)
	return append(b, sealedEnd...)
}

// NextSealed finds the first protected field in data: what stands before it, the field, and what stands after it. It
// answers false when there is none; then before is all of the data. In JSON these bytes can't stand inside a text,
// where a quotation mark is always escaped, so that no text is taken for a protected field.
func NextSealed(data []byte) (before []byte, field Sealed, after []byte, found bool, err error) {
	i := bytes.Index(data, []byte(sealedBegin))
	if i < 0 {
		return data, Sealed{}, nil, false, nil
	}
	wrong := func(what string) ([]byte, Sealed, []byte, bool, error) {
		return nil, Sealed{}, nil, false, fmt.Errorf("%w: a protected field at byte %d %s", ErrFormat, i, what)
	}
	before, rest := data[:i], data[i+len(sealedBegin):]
	key, rest, ok := bytes.Cut(rest, []byte(between))
	if !ok || !isKey(key) {
		return wrong("names no key")
	}
	commitment, rest, ok := bytes.Cut(rest, []byte(between))
	if !ok || len(commitment) != commitmentText {
		return wrong("has no commitment")
	}
	if _, err := encoding.Decode(field.Commitment[:], commitment); err != nil {
		return wrong("has no commitment")
	}
	box, rest, ok := bytes.Cut(rest, []byte(sealedEnd))
	if !ok || len(box) > maxSealedBoxText {
		return wrong("does not end")
	}
	if field.Box, err = encoding.AppendDecode(nil, box); err != nil {
		return wrong("has no box")
	}
	field.Key = string(key)
	return before, field, rest, true, nil
}

func isKey(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxKey
}

// CommittedForm is the data with each protected field replaced by its commitment. Data without one is returned as it
// is. It fails with ErrFormat when a protected field is not written as it should be.
func CommittedForm(data []byte) ([]byte, error) {
	if !bytes.Contains(data, []byte(sealedBegin)) {
		return data, nil
	}
	var out []byte
	for rest := data; ; {
		before, field, after, found, err := NextSealed(rest)
		if err != nil {
			return nil, err
		}
		out = append(out, before...)
		if !found {
			return out, nil
		}
		out = append(out, commitBegin...)
		out = encoding.AppendEncode(out, field.Commitment[:])
		out = append(out, commitEnd...)
		rest = after
	}
}
