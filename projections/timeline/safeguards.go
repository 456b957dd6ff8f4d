package timeline

import (
	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
)

// Verdict is whether a safeguard holds in the case (`safeguard check`).
type Verdict struct {
	Case        string            `json:"case"`
	Safeguard   string            `json:"safeguard"`
	Verdict     string            `json:"verdict"` // pass, fail, open or not-applicable
	Severity    protocol.Severity `json:"severity"`
	Events      []uuid.UUID       `json:"events"` // those that show it
	Explanation string            `json:"explanation"`
}
