package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// committed is a protected field in data of committed form.
type committed struct {
	pointer    string // JSON pointer
	commitment Commitment
	start, end int // its bytes in the data
}

const maxDepth = 100

// committedFields reads one JSON object and finds its protected fields, in the order of the text. It fails with
// ErrFormat for what is not one JSON object in UTF-8, and for a name that stands twice in an object, be it in other
// letters: readers differ in which of the two they take.
func committedFields(data []byte) ([]committed, error) {
	if !utf8.Valid(data) || len(data) == 0 || data[0] != '{' {
		return nil, fmt.Errorf("%w: not a JSON object in UTF-8", ErrFormat)
	}
	w := fieldWalk{dec: json.NewDecoder(bytes.NewReader(data))}
	w.dec.UseNumber()
	if err := w.value("", 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if int(w.dec.InputOffset()) != len(data) {
		return nil, fmt.Errorf("%w: more than one JSON object", ErrFormat)
	}
	return w.found, nil
}

type fieldWalk struct {
	dec   *json.Decoder
	found []committed
}

func (w *fieldWalk) value(pointer string, depth int) error {
	t, err := w.dec.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch t {
	case json.Delim('{'):
		return w.object(pointer, depth)
	case json.Delim('['):
		for i := 0; w.dec.More(); i++ {
			if err := w.value(pointer+"/"+strconv.Itoa(i), depth+1); err != nil {
				return err
			}
		}
		_, err = w.dec.Token()
	}
	return err
}

func (w *fieldWalk) object(pointer string, depth int) error {
	start := int(w.dec.InputOffset()) - 1
	seen := make(map[string]bool, 8)
	var only Commitment
	isCommitment := false
	for w.dec.More() {
		name, err := w.dec.Token()
		if err != nil {
			return err
		}
		key := name.(string) // in an object, the decoder gives names as texts
		if lower := strings.ToLower(key); seen[lower] {
			return fmt.Errorf("the name %s twice in one object", strconv.Quote(key))
		} else {
			seen[lower] = true
		}
		if key == "~commit" && len(seen) == 1 && pointer != "" {
			t, err := w.dec.Token()
			if err != nil {
				return err
			}
			text, ok := t.(string)
			if !ok || len(text) != commitmentText {
				return fmt.Errorf("what stands at %s is not a commitment", pointer)
			}
			if _, err := encoding.Decode(only[:], []byte(text)); err != nil {
				return fmt.Errorf("what stands at %s is not a commitment", pointer)
			}
			isCommitment = true
			continue
		}
		if isCommitment {
			return fmt.Errorf("what stands at %s is more than a commitment", pointer)
		}
		if err := w.value(pointer+"/"+pointerEscape.Replace(key), depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	if err == nil && isCommitment {
		w.found = append(w.found, committed{pointer: pointer, commitment: only, start: start, end: int(w.dec.InputOffset())})
	}
	return err
}

// pointerEscape writes a name as a part of a JSON pointer (RFC 6901).
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")
