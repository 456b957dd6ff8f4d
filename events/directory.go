package events

// The events of institutions and officers.

// InstitutionRegistered enters an institution in the directory, with its name in each language.
type InstitutionRegistered struct {
	Institution Institution       `json:"institution"`
	Name        map[string]string `json:"name"`
	Role        []Role            `json:"role"`
	Place       string            `json:"place"`
}

// InstitutionClosed takes an institution out of the directory.
type InstitutionClosed struct {
	Institution Institution `json:"institution"`
}

// OfficerAppointed says that an officer acts for an institution in a role.
type OfficerAppointed struct {
	Officer     string      `json:"officer"`
	Institution Institution `json:"institution"`
	Role        Role        `json:"role"`
}

// OfficerRevoked says that an officer no longer acts.
type OfficerRevoked struct {
	Officer string `json:"officer"`
}

// OfficerTrained says that an officer was trained in a tool (HR29).
type OfficerTrained struct {
	Officer     string `json:"officer"`
	Tool        string `json:"tool"`
	ToolVersion string `json:"toolVersion,omitzero"`
	Provider    string `json:"provider"`
	On          Date   `json:"on"`
	ValidUntil  Date   `json:"validUntil,omitzero"`
}
