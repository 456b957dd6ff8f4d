package ledger

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	algorithmLog     = 1 // C2SP signed-note: Ed25519
	algorithmWitness = 4 // C2SP tlog-cosignature: timestamped Ed25519
)

// Key is the public key of a log or of a witness. It is a note.Verifier of x/mod's sumdb/note.
type Key struct {
	name      string
	algorithm byte
	public    [ed25519.PublicKeySize]byte
}

// ParseKey reads a key in its text form, name+id+base64 (C2SP signed-note, "verifier keys"), of an Ed25519 log or
// witness. It fails with ErrFormat.
func ParseKey(text string) (Key, error) {
	name, id, key, err := parseKey(text)
	if err != nil {
		return Key{}, err
	}
	k := Key{name: name, algorithm: key[0], public: [32]byte(key[1:])}
	if id != k.KeyHash() {
		return Key{}, fmt.Errorf("%w: a key whose id is not that of its name and its bytes", ErrFormat)
	}
	return k, nil
}

// parseKey takes the text of a key apart: its name, its id, its algorithm and 32 bytes.
func parseKey(text string) (name string, id uint32, key []byte, err error) {
	parts := strings.Split(text, "+")
	if len(parts) < 3 || !isName(parts[0]) {
		return "", 0, nil, fmt.Errorf("%w: a key, expected name+id+base64", ErrFormat)
	}
	// What is left of base64 may hold a plus of its own.
	key, err = decodeBase64(strings.Join(parts[2:], "+"))
	n, idErr := strconv.ParseUint(parts[1], 16, 32)
	if err != nil || idErr != nil || fmt.Sprintf("%08x", n) != parts[1] || len(key) != 33 {
		return "", 0, nil, fmt.Errorf("%w: a key, expected name+id+base64", ErrFormat)
	}
	if key[0] != algorithmLog && key[0] != algorithmWitness {
		return "", 0, nil, fmt.Errorf("%w: a key of kind %d, expected Ed25519 of a log (1) or of a witness (4)", ErrFormat, key[0])
	}
	return parts[0], uint32(n), key, nil
}

// Name is the key's name: a log's is the origin of its checkpoints.
func (k Key) Name() string { return k.name }

// IsWitness reports whether the key cosigns, rather than signs for a log.
func (k Key) IsWitness() bool { return k.algorithm == algorithmWitness }

// KeyHash is the key's id in a signature line.
func (k Key) KeyHash() uint32 {
	h := sha256.Sum256(append([]byte(k.name+"\n"+string(k.algorithm)), k.public[:]...))
	return binary.BigEndian.Uint32(h[:])
}

// String is the text that ParseKey reads.
func (k Key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{k.algorithm}, k.public[:]...)))
}

// Verify reports whether this is the key's signature on the text of a note: a log's own, or a witness's cosignature.
func (k Key) Verify(text, signature []byte) bool {
	if k.algorithm == algorithmLog {
		return ed25519.Verify(k.public[:], text, signature)
	}
	at, signature, ok := splitCosignature(signature)
	return ok && ed25519.Verify(k.public[:], cosigned(text, at), signature)
}

// Signed looks for the key's signature under a note. It fails with ErrSignature when there is one that does not hold.
// The time is when a witness signed; a log's signature has none.
func (k Key) Signed(n *Note) (at time.Time, signed bool, err error) {
	id := k.KeyHash()
	for _, s := range n.Signatures {
		if s.Name != k.name || s.ID != id {
			continue
		}
		if !k.Verify([]byte(n.Text()), s.Bytes) {
			return time.Time{}, false, fmt.Errorf("%w: that of %s", ErrSignature, k.name)
		}
		if k.IsWitness() {
			seconds, _, _ := splitCosignature(s.Bytes)
			at = time.Unix(int64(seconds), 0).UTC()
		}
		return at, true, nil
	}
	return time.Time{}, false, nil
}

const cosignatureSize = 8 + ed25519.SignatureSize

// splitCosignature takes a timestamped signature apart: seconds since 1970, and the signature.
func splitCosignature(b []byte) (seconds uint64, signature []byte, ok bool) {
	if len(b) != cosignatureSize || b[0]&0x80 != 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(b), b[8:], true
}

// cosigned is what a witness signs of a note's text.
func cosigned(text []byte, seconds uint64) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(seconds, 10)+"\n"), text...)
}

// Cosigner is a witness's private key.
type Cosigner struct {
	key     Key
	private ed25519.PrivateKey
}

// GenerateCosigner makes a witness's key from fresh random bytes; text is what ParseCosigner reads, and is secret.
func GenerateCosigner(random io.Reader, name string) (c *Cosigner, text string, err error) {
	if !isName(name) {
		return nil, "", fmt.Errorf("%w: the name of a key has no spaces and no plus", ErrFormat)
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, "", fmt.Errorf("make a witness's key: %w", err)
	}
	c = newCosigner(name, seed)
	return c, fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, c.key.KeyHash(),
		base64.StdEncoding.EncodeToString(append([]byte{algorithmWitness}, seed...))), nil
}

func newCosigner(name string, seed []byte) *Cosigner {
	private := ed25519.NewKeyFromSeed(seed)
	return &Cosigner{key: Key{name: name, algorithm: algorithmWitness, public: [32]byte(private[32:])}, private: private}
}

// ParseCosigner reads a witness's private key. It fails with ErrFormat, and its error holds nothing of the key.
func ParseCosigner(text string) (*Cosigner, error) {
	rest, ok := strings.CutPrefix(text, "PRIVATE+KEY+")
	if !ok {
		return nil, fmt.Errorf("%w: a private key begins with PRIVATE+KEY+", ErrFormat)
	}
	name, id, seed, err := parseKey(rest)
	if err != nil {
		return nil, err
	}
	if seed[0] != algorithmWitness {
		return nil, fmt.Errorf("%w: a private key that is not a witness's", ErrFormat)
	}
	c := newCosigner(name, seed[1:])
	if c.key.KeyHash() != id {
		return nil, fmt.Errorf("%w: a private key whose id is not that of its name and its bytes", ErrFormat)
	}
	return c, nil
}

// Key is the public key.
func (c *Cosigner) Key() Key { return c.key }

// Cosign makes the statement that, at this time, the checkpoint is the largest that the witness saw of this log, and
// that it continues all that it saw before (C2SP tlog-cosignature, v1). Check that first: see Witness.
func (c *Cosigner) Cosign(p Checkpoint, at time.Time) Signature {
	seconds := uint64(max(at.Unix(), 0))
	b := binary.BigEndian.AppendUint64(nil, seconds)
	b = append(b, ed25519.Sign(c.private, cosigned([]byte(p.Text()), seconds))...)
	return Signature{Name: c.key.name, ID: c.key.KeyHash(), Bytes: b}
}
