package ledger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Extension is a checkpoint with the proof that it continues an older tree: what a witness needs. Its text is the body
// of an add-checkpoint request of C2SP tlog-witness: "old", the older size, the proof's hashes one a line, an empty line,
// and the note.
type Extension struct {
	Old   int64
	Proof Proof
	Note  *Note
}

const oldLine = "old "

// Bytes is the text that ParseExtension reads.
func (e *Extension) Bytes() []byte {
	var b strings.Builder
	b.WriteString(oldLine + strconv.FormatInt(e.Old, 10) + "\n")
	for _, h := range e.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	return append([]byte(b.String()), e.Note.Bytes()...)
}

// ParseExtension reads an extension strictly, as ParseNote reads its note. A note alone is one that begins with the
// empty tree. It fails with ErrFormat, and checks neither signature nor proof.
func ParseExtension(b []byte) (*Extension, error) {
	if !strings.HasPrefix(string(b), oldLine) {
		n, err := ParseNote(b)
		return &Extension{Note: n}, err
	}
	e, err := parseExtension(string(b[len(oldLine):]))
	if err != nil {
		return nil, fmt.Errorf("%w: a checkpoint with its proof, %w", ErrFormat, err)
	}
	return e, nil
}

func parseExtension(text string) (*Extension, error) {
	head, rest, ok := strings.Cut(text, "\n\n")
	if !ok {
		return nil, errors.New("without an empty line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	if len(lines) > maxProof+1 {
		return nil, fmt.Errorf("of more than %d hashes", maxProof)
	}
	e := &Extension{}
	var err error
	if e.Old, err = parseSize(lines[0]); err != nil {
		return nil, err
	}
	for _, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return nil, err
		}
		e.Proof = append(e.Proof, h)
	}
	e.Note, err = ParseNote([]byte(rest))
	return e, err
}
