package events

// The events of the preparation of the release.

// ExpectedReleaseDateSet is the decision that first sets the expected release date.
type ExpectedReleaseDateSet struct {
	Date     Date   `json:"date"`
	Basis    string `json:"basis" enum:"sentence-end|conditional-release|court-decision|pardon"`
	Decision string `json:"decision,omitzero"`
}

// ExpectedReleaseDateChanged is a decision that moves the expected release date.
type ExpectedReleaseDateChanged struct {
	From     Date   `json:"from"`
	To       Date   `json:"to"`
	Reason   string `json:"reason"`
	Decision string `json:"decision,omitzero"`
}

// PreReleasePlanningOpened opens the preparation of the release.
type PreReleasePlanningOpened struct {
	Manager string `json:"manager"`
}

// NeedsMapDrafted is a draft of the map of needs.
type NeedsMapDrafted struct {
	NeedsMap ID     `json:"needsMap"`
	Version  int    `json:"version"`
	Needs    []Need `json:"needs"`
}

// NeedsMapFinalised is the finished map of needs, under the drafted version's number.
type NeedsMapFinalised struct {
	NeedsMap ID     `json:"needsMap"`
	Version  int    `json:"version"`
	Needs    []Need `json:"needs"`
}

// IdentityDocumentsSecured says which identity papers the person now has.
type IdentityDocumentsSecured struct {
	Documents []string `json:"documents"`
}

// AccommodationArranged says where the person will live.
type AccommodationArranged struct {
	Kind    string `json:"kind" enum:"family|own|shelter|supported|none"`
	Address string `json:"address,omitzero" protect:"housing"`
}

// MedicalExaminationOffered says that a medical examination before release was offered (HR18).
type MedicalExaminationOffered struct {
	Accepted bool `json:"accepted"`
}

// CaseConferenceHeld is a case conference: its attendees learn the named categories.
type CaseConferenceHeld struct {
	Conference ID                 `json:"conference"`
	Attendees  []Party            `json:"attendees"`
	Apologies  []Party            `json:"apologies"`
	Categories []Category         `json:"categories"`
	Actions    []ConferenceAction `json:"actions"`
}

// ConferenceActionCompleted says that an action agreed at a conference was done.
type ConferenceActionCompleted struct {
	Conference ID `json:"conference"`
	Action     ID `json:"action"`
}

// ReferralMade refers the person to a service.
type ReferralMade struct {
	Referral   ID         `json:"referral"`
	Recipient  Party      `json:"recipient"`
	Service    string     `json:"service"`
	Categories []Category `json:"categories"`
	Consent    ID         `json:"consent,omitzero"`
}

// ReferralAccepted says that the service took the referral.
type ReferralAccepted struct {
	Referral ID `json:"referral"`
}

// ReferralDeclined says that the service declined the referral, and why.
type ReferralDeclined struct {
	Referral ID     `json:"referral"`
	Reason   string `json:"reason"`
}

// ReferralCompleted says how the referral ended.
type ReferralCompleted struct {
	Referral ID     `json:"referral"`
	Outcome  string `json:"outcome"`
}

// ReleaseReportIssued is the prison's report on the release, sent to its recipients.
type ReleaseReportIssued struct {
	Report     ID         `json:"report"`
	Version    int        `json:"version"`
	Recipients []Party    `json:"recipients"`
	Categories []Category `json:"categories"`
}

// Need is one row of a map of needs. Its note is protected under its domain.
type Need struct {
	Domain Category `json:"domain"`
	Level  string   `json:"level" enum:"none|some|high"`
	Note   string   `json:"note" protect:"@domain"`
}

// ConferenceAction is what a conference agreed that someone should do.
type ConferenceAction struct {
	Action ID     `json:"action"`
	Owner  Party  `json:"owner"`
	Due    Date   `json:"due"`
	Text   string `json:"text" protect:"risk"`
}
