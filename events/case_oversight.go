package events

import (
	"github.com/google/uuid"
)

// The events of oversight.

// ComplaintLodged is a complaint about an institution.
type ComplaintLodged struct {
	Complaint    ID     `json:"complaint"`
	About        Party  `json:"about"`
	Confidential bool   `json:"confidential"`
	Grounds      string `json:"grounds" protect:"identity"`
}

// ComplaintDecided is the decision on a complaint (HR23).
type ComplaintDecided struct {
	Complaint ID     `json:"complaint"`
	Outcome   string `json:"outcome" enum:"upheld|partly-upheld|dismissed"`
	Remedy    string `json:"remedy,omitzero"`
}

// MonitoringContactHeld says that the monitor met the person; never visible to prison roles (HR24).
type MonitoringContactHeld struct {
	Contact ID `json:"contact"`
}

// ReviewOpened opens an oversight body's review.
type ReviewOpened struct {
	Review ID     `json:"review"`
	Scope  string `json:"scope"`
}

// FindingRecorded is what a review found.
type FindingRecorded struct {
	Review         ID          `json:"review"`
	Finding        ID          `json:"finding"`
	Safeguard      string      `json:"safeguard"`
	Severity       string      `json:"severity" enum:"medium|high|critical"`
	Events         []uuid.UUID `json:"events"`
	Recommendation string      `json:"recommendation"`
}

// FindingClosed says by which measure a finding was closed.
type FindingClosed struct {
	Finding ID     `json:"finding"`
	Measure string `json:"measure"`
}
