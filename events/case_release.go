package events

// The events of the release and after.

// PersonReleased says that the person was released, and with what (HR17).
type PersonReleased struct {
	Kind          string `json:"kind" enum:"sentence-end|conditional|pardon|court-order"`
	Papers        bool   `json:"papers"`
	Accommodation bool   `json:"accommodation"`
	Means         bool   `json:"means"`
}

// HandoverAccepted says that a named officer took the case over.
type HandoverAccepted struct {
	Officer string `json:"officer"`
}

// ConditionsSet are the conditions of release.
type ConditionsSet struct {
	Conditions []string `json:"conditions" protect:"sentence"`
}

// ConditionBreachReported says that a condition was broken.
type ConditionBreachReported struct {
	Condition string `json:"condition" protect:"sentence"`
}

// FirstContactMade is the first contact after release.
type FirstContactMade struct {
	Mode string `json:"mode" enum:"home-visit|office|phone"`
}

// ContactAttemptFailed says that the person could not be reached.
type ContactAttemptFailed struct {
	Mode   string `json:"mode"`
	Reason string `json:"reason"`
}

// PostPenalPlanAdopted says that a plan for the time after release was adopted.
type PostPenalPlanAdopted struct {
	Plan         ID       `json:"plan"`
	Goals        []string `json:"goals" protect:"family"`
	Participated bool     `json:"participated"`
	// Opinion says why the person did not take part (HR12); it is not in the reference catalogue.
	Opinion string `json:"opinion,omitzero" protect:"family"`
}

// PostPenalReviewHeld is a review of that plan.
type PostPenalReviewHeld struct {
	Outcome string `json:"outcome" enum:"continue|adjust|end"`
}

// SupportProvided says that a service supported the person.
type SupportProvided struct {
	Service string `json:"service"`
}

// CaseClosed closes the case.
type CaseClosed struct {
	Reason string `json:"reason"`
}

// CaseReopened opens a closed case again.
type CaseReopened struct {
	Reason string `json:"reason"`
}
