package record

import (
	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
)

// Lawful makes the judges of New: the safeguards of safeguards.md that must hold at once, by a book's calendars.
func Lawful(book *protocol.Book) func() Judge {
	return func() Judge { return safeguards.NewJudge(book) }
}

// Known makes the duties of WithDuties: the obligations of a case by a book's rules.
func Known(book *protocol.Book) func() Duties {
	return func() Duties { return protocol.NewTracker(book) }
}
