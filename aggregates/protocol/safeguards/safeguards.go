// Package safeguards holds the 29 human-rights safeguards that the product checks by itself. Each is one small
// predicate on a case's history as known at an instant; the function hr17PapersRoofMeans is safeguard HR17.
//
// A Judge folds a case's stream. Verdicts answers what held, failed or is still open at an instant; WouldBreak
// answers, before an act is recorded, which safeguards it would break if it were done now. A failure is a finding
// for a human, never an automatic judgement on a person.
//
// What is judged is the history as corrected and annulled by then (aggregates/history): an annulled entry is
// neither judged nor shown. What happened counts in the order in which it occurred, ties by recording, so that
// files of past actions may be imported in any order without changing a verdict. Deadlines are not computed here:
// the obligations come as Evidence from the protocol's tracker.
//
// Sources: LED = Directive (EU) 2016/680; EPR = European Prison Rules (Rec(2006)2-rev); GDPR; ECHR; OPCAT; CoE =
// Guidelines for prison and probation services regarding radicalisation and violent extremism (2016).
package safeguards

import (
	"slices"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
)

// The verdicts.
const (
	Pass          = "pass"
	Fail          = "fail"
	Open          = "open"           // not decidable yet
	NotApplicable = "not-applicable" // there is nothing to judge; never a pass
	// Hidden is no verdict: it stands where this reader may not know it.
	Hidden = "hidden"
)

// Safeguard is one of the 29: what it demands, and on what it rests.
type Safeguard struct {
	ID       string            `json:"safeguard"` // HR01 to HR29
	Title    string            `json:"title"`
	Demands  string            `json:"demands"` // when it holds, in plain words
	Source   string            `json:"source"`  // article of law
	Severity protocol.Severity `json:"severity"`

	holds func(*record) ruling
}

// Verdict is what a safeguard says of one case at one instant.
type Verdict struct {
	Case      string            `json:"case"`
	Safeguard string            `json:"safeguard"`
	Title     string            `json:"title"`
	Verdict   string            `json:"verdict"` // Pass, Fail, Open or NotApplicable; Hidden from some readers
	Severity  protocol.Severity `json:"severity"`
	// Events are the ids of what shows it, in order of occurrence: for Fail what broke it, for Open what it waits
	// for, for Pass what was judged and held; never nil, and never an annulled entry.
	Events []uuid.UUID `json:"events"`
	// Explanation is one plain sentence in English, without personal data.
	Explanation string `json:"explanation"`
}

// All lists the safeguards in order, HR01 to HR29.
func All() []Safeguard {
	return []Safeguard{
		{"HR01", "Complete disclosure record", "every event that shares has a purpose, a legal basis, a named sender and a named recipient officer or institution",
			"LED 25", protocol.Critical, hr01CompleteDisclosureRecord},
		{"HR02", "Every consultation justified", "every consultation and every export has a justification",
			"LED 25, ECHR 8", protocol.High, hr02EveryConsultationJustified},
		{"HR03", "Health data only on a special basis", "health or mental-health information is shared only on the basis special-category, court-order or vital-interest, on a consent that covers it, or on an authorised override",
			"LED 10, GDPR 9", protocol.Critical, hr03HealthDataOnASpecialBasis},
		{"HR04", "Clinical detail stays with clinicians", "clinical content goes only from health staff to health staff",
			"EPR 42", protocol.Critical, hr04ClinicalDetailStaysWithClinicians},
		{"HR05", "Need to know", "nobody is given a category that the need-to-know matrix does not allow, unless someone else authorised it before",
			"LED 4", protocol.High, hr05NeedToKnow},
		{"HR06", "Consent is free and informed", "every consent is informed, in a named language and tied to no benefit; what a prison shares on consent alone is health, mental-health, religion or family",
			"GDPR 7, LED rec. 35", protocol.High, hr06ConsentFreeAndInformed},
		{"HR07", "Withdrawn means withdrawn", "nothing is shared on a consent after it was withdrawn or had expired",
			"GDPR 7(3)", protocol.Critical, hr07WithdrawnMeansWithdrawn},
		{"HR08", "Religion is not a risk indicator", "no risk level or assessment rests on religious practice alone",
			"ECHR 9, 14", protocol.Critical, hr08ReligionIsNoRiskIndicator},
		{"HR09", "Facts apart from opinions", "every assessment names its tool, version and assessor, and gives facts when it gives opinions",
			"LED 7", protocol.High, hr09FactsApartFromOpinions},
		{"HR10", "A human decides a risk increase", "an increase of the risk level has reasons and a decider, is not automated, and is reviewed within six months",
			"LED 11", protocol.High, hr10HumanDecidesRiskIncrease},
		{"HR11", "The person is heard", "the person is informed before the first assessment, and every contested assessment is decided on",
			"ECHR 13", protocol.Medium, hr11PersonIsHeard},
		{"HR12", "The person takes part in the plan", "the person took part in every plan and its review, or a reason is given",
			"EPR 104", protocol.Medium, hr12PersonTakesPart},
		{"HR13", "Release is prepared in good time", "the preparation of the release was opened in time",
			"EPR 107.1", protocol.High, hr13ReleasePreparedInTime},
		{"HR14", "Institutions told in time", "every institution was notified by its due date as known then",
			"SOP", protocol.High, hr14InstitutionsToldInTime},
		{"HR15", "Notices acknowledged", "every notice was acknowledged, or its silence escalated",
			"SOP", protocol.Medium, hr15NoticesAcknowledged},
		{"HR16", "Needs map reaches social work", "the map of needs reached social work before the release",
			"SOP", protocol.High, hr16NeedsMapReachesSocialWork},
		{"HR17", "Papers, roof, means", "the person left with papers, accommodation and means",
			"EPR 33", protocol.High, hr17PapersRoofMeans},
		{"HR18", "Medical examination offered", "a medical examination was offered before the release",
			"EPR 33.5", protocol.High, hr18MedicalExaminationOffered},
		{"HR19", "No one held past the lawful date", "the person was released no later than the date last decided",
			"EPR 33.1, ECHR 5", protocol.Critical, hr19NotHeldPastTheLawfulDate},
		{"HR20", "Corrections reach everyone", "everyone who had been given something wrong was told of the correction in time",
			"LED 16", protocol.High, hr20CorrectionsReachEveryone},
		{"HR21", "Breaches reported", "every data breach with a risk was reported in time",
			"LED 30", protocol.Critical, hr21BreachesReported},
		{"HR22", "Refusals reasoned", "every refusal of information has a ground and names a remedy",
			"ECHR 13", protocol.Medium, hr22RefusalsReasoned},
		{"HR23", "Complaints decided by another", "every complaint is decided in time, by another institution than the one complained about",
			"EPR 70", protocol.High, hr23ComplaintsDecidedByAnother},
		{"HR24", "Monitoring contact confidential", "no one in a prison role was shown a contact with the monitor",
			"OPCAT 21", protocol.Critical, hr24MonitoringContactConfidential},
		{"HR25", "Young people and women", "a young person or a woman is assessed by a specialist, and a young person has a guardian",
			"Rec(2008)11, Bangkok Rules", protocol.High, hr25YoungPeopleAndWomen},
		{"HR26", "Transfers abroad have a ground", "every transfer to another jurisdiction names its instrument and ground",
			"LED 35–38", protocol.Critical, hr26TransfersAbroadHaveAGround},
		{"HR27", "Late entries explained", "what was recorded more than three working days after it occurred has a reason for the delay",
			"accountability", protocol.Medium, hr27LateEntriesExplained},
		{"HR28", "Kept no longer than needed", "the need to keep the record was reviewed, and what was to be erased was erased within 30 days or stands under a legal hold",
			"LED 5", protocol.High, hr28KeptNoLongerThanNeeded},
		{"HR29", "Assessor trained in the tool", "whoever made a screening or an assessment held a valid training in its tool",
			"CoE 2016, EPR 81", protocol.Medium, hr29AssessorTrained},
	}
}

// Find returns the safeguard of that id.
func Find(id string) (Safeguard, bool) {
	all := All()
	i := slices.IndexFunc(all, func(s Safeguard) bool { return s.ID == id })
	if i < 0 {
		return Safeguard{}, false
	}
	return all[i], true
}
