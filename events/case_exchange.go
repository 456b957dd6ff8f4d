package events

// The events of the exchange of information.

// InformationRequested asks an institution for information.
type InformationRequested struct {
	Request    ID         `json:"request"`
	From       Party      `json:"from"`
	Categories []Category `json:"categories"`
	Urgency    string     `json:"urgency" enum:"normal|urgent"`
	Reason     string     `json:"reason"`
}

// InformationProvided answers a request with information.
type InformationProvided struct {
	Request    ID         `json:"request"`
	Recipient  Party      `json:"recipient"`
	Categories []Category `json:"categories"`
	Withheld   []Category `json:"withheld"`
	Partial    bool       `json:"partial"`
	Consent    ID         `json:"consent,omitzero"`
	Override   ID         `json:"override,omitzero"`
	Summary    string     `json:"summary" protect:"@categories"`
}

// InformationRefused refuses a request, with ground and remedy (HR22).
type InformationRefused struct {
	Request ID     `json:"request"`
	Ground  string `json:"ground"`
	Remedy  string `json:"remedy"`
}

// RefusalAppealed appeals a refusal to another body.
type RefusalAppealed struct {
	Request ID     `json:"request"`
	To      Party  `json:"to"`
	Grounds string `json:"grounds"`
}

// RefusalAppealDecided is the decision on an appealed refusal.
type RefusalAppealDecided struct {
	Request ID         `json:"request"`
	Outcome string     `json:"outcome" enum:"upheld|partly-granted|granted"`
	Granted []Category `json:"granted"`
	Reasons string     `json:"reasons"`
}

// InformationDisclosed is information given without a recorded request.
type InformationDisclosed struct {
	Disclosure    ID         `json:"disclosure"`
	Recipient     Party      `json:"recipient"`
	Categories    []Category `json:"categories"`
	Clinical      bool       `json:"clinical"`
	Document      string     `json:"document,omitzero"`
	Justification string     `json:"justification"`
	Consent       ID         `json:"consent,omitzero"`
	Override      ID         `json:"override,omitzero"`
	DerivedFrom   ID         `json:"derivedFrom,omitzero"`
	AfterTheFact  bool       `json:"afterTheFact,omitzero"`
	Summary       string     `json:"summary" protect:"@categories"`
}

// NeedsMapShared hands a version of the map of needs on.
type NeedsMapShared struct {
	Disclosure ID         `json:"disclosure"`
	NeedsMap   ID         `json:"needsMap"`
	Version    int        `json:"version"`
	Recipient  Party      `json:"recipient"`
	Categories []Category `json:"categories"`
	Consent    ID         `json:"consent,omitzero"`
	Override   ID         `json:"override,omitzero"`
}

// HealthSummaryTransferred hands health information from clinician to clinician (HR04).
type HealthSummaryTransferred struct {
	Disclosure ID         `json:"disclosure"`
	Recipient  Party      `json:"recipient"`
	Categories []Category `json:"categories"`
	Consent    ID         `json:"consent,omitzero"`
	Override   ID         `json:"override,omitzero"`
	Summary    string     `json:"summary" protect:"health"`
}

// OverrideAuthorised is a decision, by someone other than the sender, that information may be shared beyond the matrix (HR05).
type OverrideAuthorised struct {
	Override      ID         `json:"override"`
	Approver      string     `json:"approver"`
	Necessity     string     `json:"necessity"`
	Categories    []Category `json:"categories"`
	RecipientRole Role       `json:"recipientRole"`
}

// DisclosureRecalled calls a disclosure back.
type DisclosureRecalled struct {
	Disclosure ID     `json:"disclosure"`
	Reason     string `json:"reason" enum:"wrong-recipient|unlawful|inaccurate"`
}

// DisclosureDestructionConfirmed says that the recipient of a recalled disclosure destroyed it.
type DisclosureDestructionConfirmed struct {
	Disclosure ID `json:"disclosure"`
}
