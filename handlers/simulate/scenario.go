package simulate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/handlers/record"
)

// Scenario is a scenario file that was read: its lines are well formed, labels are put in their place, and nothing
// has been recorded.
type Scenario struct {
	Name  string // the file's name without its directory
	lines []line
}

// Len is the number of lines that hold an action.
func (s *Scenario) Len() int { return len(s.lines) }

// line is one action of a scenario and what is expected of it.
type line struct {
	file       string
	number     int // from 1, blank lines included
	recordedAt time.Time
	refused    bool     // it is expected to be refused
	because    []string // for exactly these reasons, sorted; nil for any
	action     *record.Action
	unreadable error // why the action record can't be read; only where a refusal is expected
}

// Problem is what is wrong with a line of a file.
type Problem struct {
	File    string
	Line    int
	Message string
}

func (p Problem) String() string { return p.File + ":" + strconv.Itoa(p.Line) + ": " + p.Message }

// InputError lists what is wrong with scenario files. Nothing of them was recorded.
type InputError struct{ Problems []Problem }

func (e *InputError) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	return fmt.Sprintf("%s (and %d more)", e.Problems[0], len(e.Problems)-1)
}

// extra are the fields that a line of a scenario has beside those of an action record.
type extra struct {
	RecordedAt time.Time `json:"recordedAt"`
	Label      string    `json:"label,omitzero"`
	Expect     string    `json:"expect,omitzero" enum:"refused"`
	Because    []string  `json:"because,omitzero"`
}

var extraFields = []string{"recordedAt", "label", "expect", "because"}

// Read reads a scenario file. name is its path, of which the last part goes into the event ids. It fails with an
// *InputError that names every line at fault, or with the reader's error.
func Read(name string, in io.Reader) (*Scenario, error) {
	r := reader{scenario: &Scenario{Name: filepath.Base(name)}, labels: map[string]uuid.UUID{}}
	buffered := bufio.NewReader(in)
	for number := 1; ; number++ {
		text, err := buffered.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s: %w", r.scenario.Name, err)
		}
		if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 {
			if fault := r.line(number, trimmed); fault != nil {
				r.problems = append(r.problems, Problem{r.scenario.Name, number, fault.Error()})
			}
		}
		if err != nil {
			break
		}
	}
	if len(r.problems) > 0 {
		return nil, &InputError{r.problems}
	}
	if len(r.scenario.lines) == 0 {
		return nil, &InputError{[]Problem{{r.scenario.Name, 1, "expected action records, one a line, got an empty file"}}}
	}
	return r.scenario, nil
}

type reader struct {
	scenario *Scenario
	labels   map[string]uuid.UUID
	problems []Problem
	last     time.Time
}

// line reads one line and adds it to the scenario.
func (r *reader) line(number int, text []byte) error {
	own, rest, err := split(text)
	if err != nil {
		return err
	}
	var x extra
	if err := events.Strict(own, &x); err != nil {
		return err
	}
	if err := x.sensible(); err != nil {
		return err
	}
	if x.RecordedAt.Before(r.last) {
		return &events.FieldError{Field: "recordedAt", Expected: "an instant that is not before that of the line above", Got: "an earlier one"}
	}
	r.last = x.RecordedAt
	rest, err = r.putLabels(rest, "")
	if err != nil {
		return err
	}
	l := line{file: r.scenario.Name, number: number, recordedAt: x.RecordedAt, refused: x.Expect != "", because: x.Because}
	slices.Sort(l.because)
	l.action, l.unreadable = record.Parse(rest)
	if l.unreadable != nil && !l.refused {
		return withoutReason(l.unreadable)
	}
	id := events.DeriveID(r.scenario.Name + ":" + strconv.Itoa(number))
	if l.action != nil {
		if l.action.ID == uuid.Nil {
			l.action.ID = id
		}
		id = l.action.ID
	}
	if x.Label != "" {
		if _, taken := r.labels[x.Label]; taken {
			return &events.FieldError{Field: "label", Expected: "a label that no line above has", Got: "one that is taken"}
		}
		r.labels[x.Label] = id
	}
	r.scenario.lines = append(r.scenario.lines, l)
	return nil
}

var reason = regexp.MustCompile(`^(HR(0[1-9]|1\d|2\d)|conflict|invalid|not-allowed)$`)

// sensible checks what the types of the extra fields do not say.
func (x *extra) sensible() error {
	if strings.HasPrefix(x.Label, "@") {
		return &events.FieldError{Field: "label", Expected: "the label without its @", Got: "one with it"}
	}
	if x.Because == nil {
		return nil
	}
	if x.Expect == "" {
		return &events.FieldError{Field: "because", Expected: `"expect":"refused" beside it`, Got: "nothing"}
	}
	if len(x.Because) == 0 {
		return &events.FieldError{Field: "because", Expected: "one reason at least", Got: "an empty list"}
	}
	for i, b := range x.Because {
		at := fmt.Sprintf("because[%d]", i)
		if !reason.MatchString(b) {
			return &events.FieldError{Field: at, Expected: "HR01 to HR29, conflict, invalid or not-allowed", Got: "another text"}
		}
		if slices.Contains(x.Because[:i], b) {
			return &events.FieldError{Field: at, Expected: "each reason once", Got: "a duplicate"}
		}
	}
	return nil
}

// split parts a line into the extra fields and the action record. A field that stands twice, and text that is not
// UTF-8, are left to the strict readers of the two parts: a line may expect that its action is refused for them.
func split(text []byte) (own, rest []byte, err error) {
	var mine, others []string
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.PeekKind() != '{' {
		return nil, nil, wholeLine(text)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, wholeLine(text)
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return nil, nil, wholeLine(text)
		}
		name = name.Clone()
		value, err := d.ReadValue()
		if err != nil {
			return nil, nil, wholeLine(text)
		}
		member := string(name) + ":" + string(value)
		if field, err := jsontext.AppendUnquote(nil, name); err == nil && slices.Contains(extraFields, string(field)) {
			mine = append(mine, member)
		} else {
			others = append(others, member)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, nil, wholeLine(text)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) { // nothing after the object
		return nil, nil, wholeLine(text)
	}
	return object(mine), object(others), nil
}

// wholeLine says what is wrong with a line that is not one JSON object.
func wholeLine(text []byte) error {
	var whole jsontext.Value
	if err := events.Strict(text, &whole); err != nil {
		return err
	}
	return &events.FieldError{Expected: "one JSON object", Got: "something else"}
}

func object(members []string) []byte { return []byte("{" + strings.Join(members, ",") + "}") }

// withoutReason leaves of a refusal what is wrong with the field.
func withoutReason(err error) error {
	var field *events.FieldError
	if errors.As(err, &field) {
		return field
	}
	return err
}

// putLabels replaces "@label" in causationId, and within data in target, events, about and the same fields of a
// replacement, by the id of the event of that line. Everything else stays byte for byte.
func (r *reader) putLabels(value jsontext.Value, within string) (jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(value))
	if _, err := d.ReadToken(); err != nil {
		return value, nil
	}
	var members []string
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return value, nil // the strict reader will say what is wrong
		}
		field := name.String()
		v, err := d.ReadValue()
		if err != nil {
			return value, nil
		}
		v = v.Clone()
		at := strings.TrimPrefix(within+"."+field, ".")
		switch at {
		case "causationId", "data.target", "data.about", "data.replacement.target", "data.replacement.about":
			v, err = r.putLabel(v, at)
		case "data.events", "data.replacement.events":
			v, err = r.putLabelsInList(v, at)
		case "data", "data.replacement":
			if v.Kind() == '{' {
				v, err = r.putLabels(v, at)
			}
		}
		if err != nil {
			return nil, err
		}
		quoted, err := jsontext.AppendQuote(nil, field)
		if err != nil {
			return value, nil
		}
		members = append(members, string(quoted)+":"+string(v))
	}
	return object(members), nil
}

func (r *reader) putLabel(v jsontext.Value, at string) (jsontext.Value, error) {
	var text string
	if v.Kind() != '"' || json.Unmarshal(v, &text) != nil || !strings.HasPrefix(text, "@") {
		return v, nil
	}
	id, ok := r.labels[text[1:]]
	if !ok {
		return nil, &events.FieldError{Field: at, Expected: "the label of a line above", Got: "one that no line above has"}
	}
	return jsontext.Value(`"` + id.String() + `"`), nil
}

func (r *reader) putLabelsInList(v jsontext.Value, at string) (jsontext.Value, error) {
	var list []jsontext.Value
	if v.Kind() != '[' || json.Unmarshal(v, &list) != nil {
		return v, nil
	}
	parts := make([]string, len(list))
	for i, e := range list {
		put, err := r.putLabel(e, at+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}
		parts[i] = string(put)
	}
	return jsontext.Value("[" + strings.Join(parts, ",") + "]"), nil
}
