package safeguards

import (
	"errors"
	"strings"
	"testing"

	"traga.internal/events"
)

func TestTheShippedMatrixIsWhole(t *testing.T) {
	m, err := ParseMatrix(shippedMatrix)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Roles()) != 17 || len(m.Categories()) != 12 {
		t.Errorf("%d roles and %d categories, expected 17 and 12", len(m.Roles()), len(m.Categories()))
	}
	for _, c := range []struct {
		role     events.Role
		category events.Category
		want     Cell
	}{
		{events.PrisonTreatment, events.Religion, Consent},
		{events.PrisonSecurity, events.Family, Need},
		{events.Court, events.MentalHealth, Need},
		{events.CSW, events.Sentence, Summary},
		{events.CommunityHealth, events.Risk, Need},
		{events.Police, events.Health, Never},
		{events.Municipality, events.Housing, Full},
		{events.DataProtection, events.Identity, Audit},
		{events.System, events.Identity, Never},
	} {
		if got := m.Cell(c.role, c.category); got != c.want {
			t.Errorf("%s, %s: %s, expected %s", c.role, c.category, got, c.want)
		}
		if got := Matrix().Cell(c.role, c.category); got != c.want {
			t.Errorf("Matrix: %s, %s: %s, expected %s", c.role, c.category, got, c.want)
		}
	}
}

func TestAMatrixThatIsNotWholeIsRefusedNamingTheLine(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		line     int
		says     string
	}{
		"a role is missing":         {"| police |", "police |", 0, "no row for the role police"},
		"a role that nobody knows":  {"| police |", "| polise |", 18, `"polise"`},
		"a role twice":              {"| police |", "| csw |", 18, "csw stands here a second time"},
		"traga is no recipient":     {"| police |", "| system |", 18, `"system"`},
		"a cell too few":            {"| coordinator | S |", "| coordinator |", 19, "11 cells"},
		"a cell that means nothing": {"| coordinator | S |", "| coordinator | X |", 19, `"X"`},
		"an unknown category":       {"| finance |", "| money |", 6, `"money"`},
		"a category twice":          {"| finance |", "| family |", 6, `"family"`},
		"a category is missing":     {" finance |", "", 6, "12 categories"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseMatrix(strings.Replace(shippedMatrix, c.old, c.new, 1))
			var wrong *MatrixError
			if !errors.As(err, &wrong) || wrong.Line != c.line || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "line") != (c.line > 0) {
				t.Errorf("%v, expected line %d and %s", err, c.line, c.says)
			}
		})
	}
	if m, err := ParseMatrix(strings.ReplaceAll(shippedMatrix, "–", "-")); err != nil || m.Cell(events.Police, events.Health) != Never {
		t.Errorf("a plain hyphen is never, too: %v", err)
	}
}
