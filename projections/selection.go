package projections

import (
	"encoding/json"
	"slices"
	"strings"

	"traga.internal/events"
)

// Selection narrows a list over many cases to some of them: to those that a reader may open. A nil Selection is all
// cases, the zero value none. It must not be changed once it is in use.
type Selection struct {
	// Jurisdictions are those of which all cases are meant.
	Jurisdictions []events.Jurisdiction
	// Cases are single cases beside them, by number: their ids (see Case.ID).
	Cases map[string]int64
}

// Has reports whether the case of that number is meant.
func (s *Selection) Has(number []byte) bool {
	if s == nil {
		return true
	}
	if _, ok := s.Cases[string(number)]; ok {
		return true
	}
	return slices.ContainsFunc(s.Jurisdictions, func(j events.Jurisdiction) bool {
		return len(number) > len(j) && number[len(j)] == '-' && string(number[:len(j)]) == string(j)
	})
}

// SQL is the selection as a condition on two columns, with the value for its one place :selected; the first column holds the
// case's number, or where byID says so its id.
func (s *Selection) SQL(column, jurisdiction string, byID bool) (condition string, selected any) {
	if s == nil {
		return "(:selected IS NULL)", nil
	}
	var numbers []string
	var ids []int64
	for number, id := range s.Cases {
		numbers, ids = append(numbers, number), append(ids, id)
	}
	var list any = numbers
	if byID {
		list = ids
	}
	text, err := json.Marshal(list)
	if err != nil { // neither numbers nor ids can fail
		text = []byte("[]")
	}
	var codes []string
	for _, j := range s.Jurisdictions {
		codes = append(codes, "'"+strings.ReplaceAll(string(j), "'", "''")+"'")
	}
	return "(" + jurisdiction + " IN (" + strings.Join(codes, ", ") + ") OR " + column + " IN (SELECT value FROM json_each(:selected)))", string(text)
}
