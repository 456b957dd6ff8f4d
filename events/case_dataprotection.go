package events

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// The events of data protection.

// EntryCorrected says that an earlier entry was wrong and what it should have said; the entry stays.
type EntryCorrected struct {
	Target      uuid.UUID      `json:"target"`
	Replacement jsontext.Value `json:"replacement"`
	Reason      string         `json:"reason"`
}

// EntryAnnulled says that an earlier entry was made in error; it stays visible.
type EntryAnnulled struct {
	Target uuid.UUID `json:"target"`
	Reason string    `json:"reason"`
}

// DataBreachRecorded says that personal data came into wrong hands.
type DataBreachRecorded struct {
	Breach     ID     `json:"breach"`
	Disclosure ID     `json:"disclosure,omitzero"`
	Risk       string `json:"risk" enum:"none|risk|high"`
	Reason     string `json:"reason"`
}

// BreachReported says that a breach was reported to the authority (HR21).
type BreachReported struct {
	Breach    ID     `json:"breach"`
	Authority string `json:"authority"`
}

// SubjectInformedOfBreach says that the person was told of a breach.
type SubjectInformedOfBreach struct {
	Breach ID `json:"breach"`
}

// RetentionReviewed is the decision whether a closed case is still needed (HR28).
type RetentionReviewed struct {
	Outcome string `json:"outcome" enum:"keep|erase"`
	Next    Date   `json:"next,omitzero"`
	Reason  string `json:"reason"`
}

// LegalHoldPlaced forbids erasure while it stands.
type LegalHoldPlaced struct {
	Hold   ID     `json:"hold"`
	Reason string `json:"reason"`
}

// LegalHoldLifted ends a legal hold.
type LegalHoldLifted struct {
	Hold ID `json:"hold"`
}

// ErasureRequested asks for the erasure of personal data; two approvers.
type ErasureRequested struct {
	Erasure   ID       `json:"erasure"`
	Approvers []string `json:"approvers"`
	Grounds   string   `json:"grounds"`
	// Whose data: the case's person's, that of the relatives that the case names, or, where it is left out, of both.
	Whose string `json:"whose,omitzero" enum:"person|relatives"`
}

// PersonalDataErased says that traga destroyed the keys to personal data. It is the receipt that erased fields name.
type PersonalDataErased struct {
	Erasure ID  `json:"erasure"`
	Keys    int `json:"keys"`
	// KeyIDs are the ids of the destroyed keys: a keystore restored from a backup destroys them again.
	KeyIDs []string `json:"keyIds,omitzero"`
}
