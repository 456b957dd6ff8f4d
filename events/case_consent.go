package events

// The events of consent.

// ConsentGiven is the person's consent to share (HR06).
type ConsentGiven struct {
	Consent        ID         `json:"consent"`
	Categories     []Category `json:"categories"`
	RecipientRoles []Role     `json:"recipientRoles"`
	Purpose        string     `json:"purpose"`
	Language       string     `json:"language"`
	Informed       bool       `json:"informed"`
	BenefitLinked  bool       `json:"benefitLinked"`
	Expires        Date       `json:"expires,omitzero"`
}

// ConsentRefused says that the person refused consent.
type ConsentRefused struct {
	Consent        ID         `json:"consent"`
	Categories     []Category `json:"categories"`
	RecipientRoles []Role     `json:"recipientRoles"`
}

// ConsentWithdrawn says that the person withdrew consent (HR07).
type ConsentWithdrawn struct {
	Consent ID `json:"consent"`
}
