package events

// The events of intake.

// CaseOpened says that a person's case was opened: who, why and where held.
type CaseOpened struct {
	Subject     string      `json:"subject"`
	Name        string      `json:"name" protect:"identity"`
	DateOfBirth Date        `json:"dateOfBirth" protect:"identity"`
	Sex         string      `json:"sex" protect:"identity"`
	Nationality string      `json:"nationality,omitzero" protect:"identity"`
	Reason      string      `json:"reason" enum:"convicted|vulnerable|returnee|transferred-in"`
	Institution Institution `json:"institution"`
	AdmittedOn  Date        `json:"admittedOn"`
}

// SentenceRecorded says what the person was sentenced for, and from when to when.
type SentenceRecorded struct {
	Court                  string `json:"court"`
	Offence                string `json:"offence" protect:"sentence"`
	StartDate              Date   `json:"startDate"`
	EndDate                Date   `json:"endDate"`
	ConditionalReleaseFrom Date   `json:"conditionalReleaseFrom,omitzero"`
}

// SubjectInformed says that the person was told of the record and of the rights over it (HR11).
type SubjectInformed struct {
	Notice      string `json:"notice"`
	Language    string `json:"language"`
	Interpreter bool   `json:"interpreter"`
}

// SpecificGroupRecorded says that the person belongs to a group with needs of its own (HR25).
type SpecificGroupRecorded struct {
	Group    string `json:"group" enum:"juvenile|female|first-time|returnee|foreign-national|disability"`
	Guardian string `json:"guardian,omitzero" protect:"family" of:"relative"`
}
