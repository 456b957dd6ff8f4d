package events

import "time"

// The events of the store itself.

// StoreSimulated is the first event of a store whose times come from a simulated clock. It warns every reader:
// recordedAt is not when traga was told.
type StoreSimulated struct {
	From time.Time `json:"from"`
	Note string    `json:"note"`
}
