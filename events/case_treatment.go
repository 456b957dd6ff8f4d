package events

// The events of assessment and treatment.

// ScreeningCompleted is the first look with a screening tool: whether a full assessment is indicated.
type ScreeningCompleted struct {
	Tool        string   `json:"tool"`
	ToolVersion string   `json:"toolVersion"`
	Result      string   `json:"result" enum:"indicated|not-indicated"`
	Facts       []string `json:"facts" protect:"risk"`
	Opinions    []string `json:"opinions" protect:"risk"`
}

// AssessmentCompleted is a risk or needs assessment made with a named tool and version (HR08, HR09, HR29).
type AssessmentCompleted struct {
	Assessment  ID       `json:"assessment"`
	Kind        string   `json:"kind" enum:"risk|needs|risk-and-needs"`
	Tool        string   `json:"tool"`
	ToolVersion string   `json:"toolVersion"`
	Assessor    string   `json:"assessor"`
	Level       string   `json:"level,omitzero" enum:"low|medium|high" protect:"risk"`
	Indicators  []string `json:"indicators" protect:"risk"`
	Facts       []string `json:"facts" protect:"risk"`
	Opinions    []string `json:"opinions" protect:"risk"`
	Specialist  bool     `json:"specialist"`
}

// AssessmentContested says that the person disputes an assessment.
type AssessmentContested struct {
	Assessment ID     `json:"assessment"`
	Grounds    string `json:"grounds" protect:"risk"`
}

// AssessmentContestDecided is the decision on a disputed assessment.
type AssessmentContestDecided struct {
	Assessment ID     `json:"assessment"`
	Outcome    string `json:"outcome" enum:"upheld|changed|dismissed"`
	Reasons    string `json:"reasons" protect:"risk"`
}

// RiskLevelChanged is a decision on the person's risk level (HR10).
type RiskLevelChanged struct {
	From       string   `json:"from" protect:"risk"`
	To         string   `json:"to" protect:"risk"`
	Reasons    []string `json:"reasons" protect:"risk"`
	Indicators []string `json:"indicators" protect:"risk"`
	Decider    string   `json:"decider"`
	Automated  bool     `json:"automated"`
	ReviewBy   Date     `json:"reviewBy"`
}

// SecurityInformationReferenced points to security information that stays with its owner; the content never enters traga.
type SecurityInformationReferenced struct {
	Pointer string `json:"pointer"`
}

// TreatmentPlanAdopted says that a treatment plan was adopted.
type TreatmentPlanAdopted struct {
	Plan         ID       `json:"plan"`
	Goals        []string `json:"goals" protect:"risk"`
	Participated bool     `json:"participated"`
	ReviewBy     Date     `json:"reviewBy,omitzero"`
	// Opinion says why the person did not take part (HR12); it is not in the reference catalogue.
	Opinion string `json:"opinion,omitzero" protect:"risk"`
}

// TreatmentPlanReviewed says that a treatment plan was reviewed.
type TreatmentPlanReviewed struct {
	Plan         ID     `json:"plan"`
	Outcome      string `json:"outcome" protect:"risk"`
	Participated bool   `json:"participated"`
	ReviewBy     Date   `json:"reviewBy,omitzero"`
	// Opinion says why the person did not take part (HR12); it is not in the reference catalogue.
	Opinion string `json:"opinion,omitzero" protect:"risk"`
}

// ProgrammeOutcomeRecorded says how a programme went.
type ProgrammeOutcomeRecorded struct {
	Programme string `json:"programme"`
	Outcome   string `json:"outcome" enum:"completed|left|ongoing"`
}
