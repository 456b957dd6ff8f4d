package safeguards

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"traga.internal/events"
)

// Cell says how much of one category of information one role may be given.
type Cell string

// The cells of the need-to-know matrix (safeguards.md, "Who may see what by default").
const (
	Full    Cell = "F" // everything
	Summary Cell = "S" // a summary
	Consent Cell = "C" // only with a consent that covers it, plus the legal basis
	Need    Cell = "N" // only with a stated need
	Never   Cell = "–"
	Audit   Cell = "A" // the envelope, not the content: never the information itself
)

// NeedToKnow is a need-to-know matrix: role by category. It never changes and is safe for concurrent use. The
// zero value allows nothing.
type NeedToKnow struct {
	roles      []events.Role
	categories []events.Category
	cells      map[events.Role]map[events.Category]Cell
}

//go:embed need-to-know.md
var shippedMatrix string

// Matrix is the shipped need-to-know matrix (safeguards.md). A jurisdiction may have one of its own: see Under.
func Matrix() *NeedToKnow { return shipped() }

var shipped = sync.OnceValue(func() *NeedToKnow {
	m, err := ParseMatrix(shippedMatrix)
	if err != nil { // a test reads the shipped table, so this can't be; if it were, nothing would be allowed
		return &NeedToKnow{}
	}
	return m
})

// Cell is what the role may be given of the category; Never for a role or category that the matrix lacks.
func (m *NeedToKnow) Cell(role events.Role, category events.Category) Cell {
	if c, ok := m.cells[role][category]; ok {
		return c
	}
	return Never
}

// Roles are the rows, in the table's order.
func (m *NeedToKnow) Roles() []events.Role { return slices.Clone(m.roles) }

// Categories are the columns, in the table's order.
func (m *NeedToKnow) Categories() []events.Category { return slices.Clone(m.categories) }

// MatrixError says where a need-to-know table is wrong.
type MatrixError struct {
	Line    int // from 1; 0 for the table as a whole
	Message string
}

// Error names the line and what was expected.
func (e *MatrixError) Error() string {
	if e.Line == 0 {
		return "need-to-know matrix: " + e.Message
	}
	return fmt.Sprintf("need-to-know matrix, line %d: %s", e.Line, e.Message)
}

// ParseMatrix reads a need-to-know matrix written as a Markdown table: a heading row "| role | category … |", a
// row of dashes, and one row for each role. Every institutional role and every category must be there exactly
// once, and every cell be F, S, C, N, A or –. Lines outside the table are free text. The error is a *MatrixError.
func ParseMatrix(table string) (*NeedToKnow, error) {
	m := &NeedToKnow{cells: make(map[events.Role]map[events.Category]Cell)}
	for i, line := range strings.Split(table, "\n") {
		row, ok := tableRow(line)
		if !ok {
			continue
		}
		var err error
		switch {
		case m.categories == nil:
			err = m.heading(row)
		case strings.Trim(strings.Join(row, ""), ":-") == "":
			// the dashes under the heading
		default:
			err = m.row(row)
		}
		if err != nil {
			return nil, &MatrixError{Line: i + 1, Message: err.Error()}
		}
	}
	for _, r := range events.Roles() {
		if r != events.System && m.cells[r] == nil {
			return nil, &MatrixError{Message: fmt.Sprintf("no row for the role %s", r)}
		}
	}
	return m, nil
}

func tableRow(line string) ([]string, bool) {
	line = strings.TrimSpace(line)
	if len(line) < 2 || !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") {
		return nil, false
	}
	row := strings.Split(line[1:len(line)-1], "|")
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row, true
}

func (m *NeedToKnow) heading(row []string) error {
	if row[0] != "role" {
		return fmt.Errorf("expected a heading that begins with role")
	}
	for _, name := range row[1:] {
		c := events.Category(name)
		if !slices.Contains(events.Categories(), c) || slices.Contains(m.categories, c) {
			return fmt.Errorf("%q: expected each of the categories once", name)
		}
		m.categories = append(m.categories, c)
	}
	if len(m.categories) != len(events.Categories()) {
		return fmt.Errorf("expected all %d categories, found %d", len(events.Categories()), len(m.categories))
	}
	return nil
}

func (m *NeedToKnow) row(row []string) error {
	role := events.Role(row[0])
	switch {
	case !slices.Contains(events.Roles(), role) || role == events.System:
		return fmt.Errorf("%q: expected the name of an institutional role", row[0])
	case m.cells[role] != nil:
		return fmt.Errorf("the role %s stands here a second time", role)
	case len(row) != len(m.categories)+1:
		return fmt.Errorf("the role %s has %d cells, expected %d", role, len(row)-1, len(m.categories))
	}
	cells := make(map[events.Category]Cell, len(m.categories))
	for i, c := range m.categories {
		cell := Cell(row[i+1])
		if cell == "-" { // easier to type
			cell = Never
		}
		if !slices.Contains([]Cell{Full, Summary, Consent, Need, Never, Audit}, cell) {
			return fmt.Errorf("%s, %s: %q, expected F, S, C, N, A or –", role, c, row[i+1])
		}
		cells[c] = cell
	}
	m.roles = append(m.roles, role)
	m.cells[role] = cells
	return nil
}
