package ledger

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is what a log says of itself: this origin's tree has this size and root. (C2SP tlog-checkpoint.)
type Checkpoint struct {
	Origin string
	Tree
}

// Text is the body of the checkpoint's note: the text that is signed.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// Signature is one signature under a note, by the key of this name and id. Whether it holds, a Key says.
type Signature struct {
	Name  string
	ID    uint32
	Bytes []byte
}

// Line is the signature as it stands under a note.
func (s Signature) Line() string {
	raw := binary.BigEndian.AppendUint32(nil, s.ID)
	return signatureLine + s.Name + " " + base64.StdEncoding.EncodeToString(append(raw, s.Bytes...)) + "\n"
}

// Note is a checkpoint with its signatures.
type Note struct {
	Checkpoint
	Signatures []Signature
}

// SignedCheckpoint is a checkpoint as a store keeps it.
type SignedCheckpoint struct {
	Size     int64
	SignedAt time.Time // by the clock of who had it signed
	Note     []byte    // what ParseNote reads, with the first cosignature of each witness
}

// Holds checks that this is the checkpoint c, to which a cosignature can be added. It fails with ErrNoCheckpoint when it is
// another one, and with ErrFormat when its note can't be read.
func (k SignedCheckpoint) Holds(c Checkpoint) error {
	n, err := ParseNote(k.Note)
	if err != nil {
		return fmt.Errorf("the checkpoint of %d leaves: %w", k.Size, err)
	}
	if n.Checkpoint != c {
		return fmt.Errorf("%w: the one of %d leaves is another", ErrNoCheckpoint, c.Size)
	}
	return nil
}

// ErrNoCheckpoint is matched by the error of asking a log for a checkpoint that it does not have.
var ErrNoCheckpoint = errors.New("the log has no such checkpoint")

const (
	maxNote       = 64 << 10
	maxSignatures = 64
	signatureLine = "— " // em dash, space
)

// strictBase64 refuses what is not canonical.
var strictBase64 = base64.StdEncoding.Strict()

// Bytes is the note as text: what ParseNote reads.
func (n *Note) Bytes() []byte {
	var b strings.Builder
	b.WriteString(n.Text())
	b.WriteByte('\n')
	for _, s := range n.Signatures {
		b.WriteString(s.Line())
	}
	return []byte(b.String())
}

// With is the note with one more signature; one by the same key before it is replaced.
func (n *Note) With(s Signature) *Note {
	added := &Note{Checkpoint: n.Checkpoint}
	for _, old := range n.Signatures {
		if old.Name != s.Name || old.ID != s.ID {
			added.Signatures = append(added.Signatures, old)
		}
	}
	added.Signatures = append(added.Signatures, s)
	return added
}

// ParseNote reads a signed checkpoint strictly: there is one way to write each, so that writing the result again
// gives the same bytes. Extension lines, spaces, CR, leading zeros, base64 that is not canonical, two signatures by
// one key, a tree beyond MaxSize: refused with ErrFormat. It checks no signature.
func ParseNote(b []byte) (*Note, error) {
	n, err := parseNote(string(b))
	if err != nil {
		return nil, fmt.Errorf("%w: a checkpoint %w", ErrFormat, err)
	}
	return n, nil
}

func parseNote(text string) (*Note, error) {
	if len(text) > maxNote {
		return nil, fmt.Errorf("of more than %d bytes", maxNote)
	}
	body, signatures, ok := strings.Cut(text, "\n\n")
	if !ok {
		return nil, errors.New("without signatures")
	}
	lines := strings.Split(body, "\n")
	if len(lines) != 3 {
		return nil, fmt.Errorf("of %d lines, expected origin, size and root", len(lines))
	}
	n := &Note{Checkpoint: Checkpoint{Origin: lines[0]}}
	if !isName(n.Origin) {
		return nil, errors.New("without an origin in its first line")
	}
	var err error
	if n.Size, err = parseSize(lines[1]); err != nil {
		return nil, err
	}
	if n.Root, err = parseHash(lines[2]); err != nil {
		return nil, err
	}
	for i := 0; signatures != ""; i++ {
		line, rest, ok := strings.Cut(signatures, "\n")
		signatures = rest
		s, err := parseSignature(line)
		switch {
		case !ok:
			return nil, errors.New("whose last line does not end")
		case err != nil:
			return nil, fmt.Errorf("whose signature %d %w", i+1, err)
		case i >= maxSignatures:
			return nil, fmt.Errorf("with more than %d signatures", maxSignatures)
		}
		for _, other := range n.Signatures {
			if other.Name == s.Name && other.ID == s.ID {
				return nil, fmt.Errorf("with two signatures by %s", s.Name)
			}
		}
		n.Signatures = append(n.Signatures, s)
	}
	if len(n.Signatures) == 0 {
		return nil, errors.New("without signatures")
	}
	return n, nil
}

func parseSignature(line string) (Signature, error) {
	line, ok := strings.CutPrefix(line, signatureLine)
	name, text, two := strings.Cut(line, " ")
	if !ok || !two || !isName(name) {
		return Signature{}, errors.New("is not of the form “— name base64”")
	}
	raw, err := decodeBase64(text)
	if err != nil || len(raw) < 5 {
		return Signature{}, errors.New("is not in canonical base64")
	}
	return Signature{Name: name, ID: binary.BigEndian.Uint32(raw), Bytes: raw[4:]}, nil
}

// parseSize reads a number of leaves: digits without leading zeros, at most MaxSize.
func parseSize(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, errors.New("whose size is not a plain number")
	}
	if n > MaxSize {
		return 0, fmt.Errorf("of more than %d leaves", int64(MaxSize))
	}
	return int64(n), nil
}

func parseHash(text string) (Hash, error) {
	raw, err := decodeBase64(text)
	if err != nil || len(raw) != len(Hash{}) {
		return Hash{}, errors.New("whose hash is not 32 bytes in canonical base64")
	}
	return Hash(raw), nil
}

// decodeBase64 is strict: encoding/base64 itself skips line ends.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrFormat
	}
	return strictBase64.DecodeString(text)
}

// isName is the rule of C2SP signed-note for key names, which the origin follows too: it is the log's key name.
func isName(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && !strings.Contains(name, "+") &&
		strings.IndexFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r < 0x20 || r == 0x7f }) < 0
}

// ErrSignature is matched by the error of a note that is not signed as it should be.
var ErrSignature = errors.New("the checkpoint's signature does not hold")

// Sign makes a log's note: the origin is the key's name.
func Sign(t Tree, key note.Signer) (*Note, error) {
	n := &Note{Checkpoint: Checkpoint{Origin: key.Name(), Tree: t}}
	sig, err := key.Sign([]byte(n.Text()))
	if err != nil {
		return nil, fmt.Errorf("sign a checkpoint of %d leaves: %w", t.Size, err)
	}
	return n.With(Signature{Name: key.Name(), ID: key.KeyHash(), Bytes: sig}), nil
}
