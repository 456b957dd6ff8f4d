package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

// Code names a kind of problem. Programs read it; it never changes its meaning.
type Code string

// The kinds of problems that a verification names.
const (
	CodeSig      Code = "E-SIG"      // the checkpoint is not signed by a log of the policy
	CodeQuorum   Code = "E-QUORUM"   // too few witnesses cosigned it
	CodeFork     Code = "E-FORK"     // the log signed two histories that can't both be true
	CodeRollback Code = "E-ROLLBACK" // the log is shorter than it was
	CodeIncl     Code = "E-INCL"     // an entry is not in the tree that was signed
	CodeChain    Code = "E-CHAIN"    // an entry does not follow the one before it
	CodeGap      Code = "E-GAP"      // an entry is missing in between
	CodeTail     Code = "E-TAIL"     // entries are missing at the end
	CodePayload  Code = "E-PAYLOAD"  // what an entry says is not what was recorded
	CodeWithheld Code = "E-WITHHELD" // something is said to be erased, without a receipt
	CodeFormat   Code = "E-FORMAT"   // it does not have the form that it should have
	CodeLimit    Code = "E-LIMIT"    // it is larger than is read
	CodeTime     Code = "E-TIME"     // an entry's time can't be true
)

func codeOf(err error, otherwise Code) Code {
	for _, c := range []struct {
		err  error
		code Code
	}{{ErrQuorum, CodeQuorum}, {ErrSignature, CodeSig}, {ErrLimit, CodeLimit}, {ErrFormat, CodeFormat}} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return otherwise
}

// Problem is one thing that a verification found: where, and what it means in plain words.
type Problem struct {
	Code    Code   `json:"code"`
	Place   string `json:"place"`
	Meaning string `json:"meaning"`
}

// Verdict is the result of a verification, of a bundle or of a whole log. As JSON it is what the verifying commands
// print.
type Verdict struct {
	Mode     string    `json:"mode"`     // "bundle" or "log"
	OK       bool      `json:"ok"`       // verified: nothing was found, and it is anchored
	Anchored bool      `json:"anchored"` // it was held against a pinned checkpoint or a quorum, by a policy
	Size     int64     `json:"size"`     // leaves of the tree that was signed
	Root     string    `json:"root"`     // its root, in base64
	Case     string    `json:"case,omitempty"`
	Cases    int       `json:"cases"`
	Events   int       `json:"events"`
	Erased   int       `json:"erased"`            // fields
	Withheld int       `json:"withheld"`          // fields that are not shown to this reader
	Closed   int       `json:"closed"`            // entries whose data is withheld as a whole
	Unsigned int64     `json:"unsigned"`          // leaves of the log behind the last checkpoint
	Pinned   *int64    `json:"pinned"`            // size of the pinned checkpoint, null without one
	Cosigned int       `json:"cosigned"`          // witnesses of the policy that cosigned
	Of       int       `json:"witnesses"`         // witnesses that the policy has
	Problems []Problem `json:"problems"`          // empty when there are none
	Notes    []string  `json:"notes,omitempty"`   // of a fork: both signed notes
	Entries  []Told    `json:"entries,omitempty"` // what the entries say
	Note     string    `json:"note,omitempty"`    // the footnote on Kosovo*, of a case of there

	quorum bool
}

// Told is an entry as the verifier itself reads it from what was proved.
type Told struct {
	Revision   uint64          `json:"revision"`
	Index      int64           `json:"leaf"` // place in the tree
	ID         uuid.UUID       `json:"id"`
	Type       string          `json:"type"`
	RecordedAt time.Time       `json:"recordedAt"`
	OccurredAt time.Time       `json:"occurredAt"`
	Metadata   json.RawMessage `json:"metadata"`
	Data       json.RawMessage `json:"data"` // null where it is withheld as a whole
	caseNumber string
}

// ExitCode is 0 for verified, 3 for consistent but not anchored, 7 for a problem.
func (v *Verdict) ExitCode() int {
	switch {
	case len(v.Problems) > 0:
		return 7
	case !v.OK:
		return 3
	}
	return 0
}

// Line is the verdict in one line.
func (v *Verdict) Line() string {
	if len(v.Problems) > 0 {
		p := v.Problems[0]
		return fmt.Sprintf("%s %s: %s", p.Code, p.Place, p.Meaning)
	}
	var b strings.Builder
	b.WriteString("VERIFIED")
	if !v.OK {
		b.Reset()
		b.WriteString("UNANCHORED")
	}
	if v.Mode == "bundle" {
		fmt.Fprintf(&b, " case=%s rev 0–%d at size %d", v.Case, v.Events-1, v.Size)
	} else {
		fmt.Fprintf(&b, " log of %s in %s at size %d", count(v.Events, "event"), count(v.Cases, "case"), v.Size)
	}
	pinned := "none"
	if v.Pinned != nil {
		pinned = strconv.FormatInt(*v.Pinned, 10)
	}
	fmt.Fprintf(&b, "; pinned %s; witnesses %d/%d; %s erased", pinned, v.Cosigned, v.Of, count(v.Erased, "field"))
	if v.Withheld > 0 {
		fmt.Fprintf(&b, "; %s withheld", count(v.Withheld, "field"))
	}
	if v.Unsigned > 0 {
		fmt.Fprintf(&b, "; %s behind it not signed yet", count(int(v.Unsigned), "entry"))
	}
	if v.Closed > 0 {
		fmt.Fprintf(&b, "; the content of %s withheld", count(v.Closed, "entry"))
	}
	if !v.OK {
		b.WriteString(". It agrees with itself, but was held against nothing from outside: give a policy, and a pinned checkpoint or a quorum")
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		what = stem + "ie"
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// footnote stands wherever Kosovo* is named.
const footnote = "* Kosovo: This designation is without prejudice to positions on status, and is in line with UNSCR 1244 and the ICJ Opinion on the Kosovo Declaration of Independence."

// WriteText writes the verdict for a person: its line, then every problem, the notes of a fork, and, where nothing was
// found, what the entries say. Control characters of what was recorded are written as escapes.
func (v *Verdict) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(v.Line() + "\n")
	for _, p := range v.Problems[min(1, len(v.Problems)):] {
		fmt.Fprintf(&b, "%s %s: %s\n", p.Code, p.Place, p.Meaning)
	}
	for i, n := range v.Notes {
		fmt.Fprintf(&b, "\nsigned note %d of %d:\n%s", i+1, len(v.Notes), printableLines(n))
	}
	if len(v.Problems) == 0 {
		for _, e := range v.Entries {
			b.WriteByte('\n')
			e.write(&b)
		}
	}
	if text := strings.ToLower(b.String()); strings.Contains(text, "xk-") || strings.Contains(text, "kosov") || strings.Contains(text, "косов") {
		b.WriteString("\n" + footnote + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (e *Told) write(b *strings.Builder) {
	var m struct {
		Actor struct{ Officer, Role, Institution string }
	}
	// What can't be read is left out: the metadata stands below in any case.
	_ = json.Unmarshal(e.Metadata, &m)
	fmt.Fprintf(b, "%d  %s  %s\n   occurred %s, recorded %s, by %s (%s, %s)\n", e.Revision, e.Type, e.ID, stamp(e.OccurredAt), stamp(e.RecordedAt),
		printable(m.Actor.Officer), printable(m.Actor.Role), printable(m.Actor.Institution))
	for _, line := range []json.RawMessage{e.Metadata, e.Data} {
		if line == nil {
			line = json.RawMessage("(withheld)")
		}
		b.WriteString("   " + printable(string(line)) + "\n")
	}
}

// printable makes a text safe for a terminal: what could move the cursor, or is not UTF-8, becomes an escape.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) && r != '�' {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// showFields writes data with its protected fields as they are shown; those that are not are withheld.
func showFields(data []byte, fields []committed, shown map[string][]byte) json.RawMessage {
	if data == nil {
		return nil
	}
	fields = slices.Clone(fields)
	slices.SortFunc(fields, func(a, b committed) int { return a.start - b.start })
	var out []byte
	from := 0
	for _, f := range fields {
		out = append(out, data[from:f.start]...)
		if value, ok := shown[f.pointer]; ok {
			out = append(out, value...)
		} else {
			out = append(out, `{"withheld":{"reason":"hidden"}}`...)
		}
		from = f.end
	}
	return append(out, data[from:]...)
}

func erasedMark(receipt uuid.UUID) []byte {
	return []byte(`{"withheld":{"reason":"erased","receipt":"` + receipt.String() + `"}}`)
}

// LeafHash is the hash of a leaf in the tree: that of RFC 6962.
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }
