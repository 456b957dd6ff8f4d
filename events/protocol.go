package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// The events of protocols and calendars.

// ProtocolPublished publishes a version of a jurisdiction's protocol.
type ProtocolPublished struct {
	Version       string         `json:"version"`
	EffectiveFrom Date           `json:"effectiveFrom"`
	Rules         jsontext.Value `json:"rules"`
	Digest        string         `json:"digest"`
}

// NonWorkingDayDecreed says that a day was decreed non-working.
type NonWorkingDayDecreed struct {
	Date Date              `json:"date"`
	Name map[string]string `json:"name"`
	Act  string            `json:"act"`
}
