package events

// The events of transfers.

// PrisonTransferred says that the person was moved to another prison.
type PrisonTransferred struct {
	From Institution `json:"from"`
	To   Institution `json:"to"`
}

// JurisdictionTransferInitiated hands the case to another jurisdiction, on a named instrument and ground (HR26).
type JurisdictionTransferInitiated struct {
	To         Jurisdiction `json:"to"`
	Recipient  Party        `json:"recipient"`
	Instrument string       `json:"instrument"`
	Ground     string       `json:"ground"`
	Categories []Category   `json:"categories"`
}

// JurisdictionTransferAccepted says that a case came from another jurisdiction.
type JurisdictionTransferAccepted struct {
	From         Jurisdiction `json:"from"`
	PreviousCase string       `json:"previousCase"`
}
