package events

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// StreamFamily says which streams a kind of event belongs to.
type StreamFamily string

// The families. CaseFamily events are in case-<uuid>, AccessFamily in access-<uuid>, DirectoryFamily in
// directory-<jurisdiction>, ProtocolFamily in protocol-<jurisdiction>, StoreFamily in "store".
const (
	CaseFamily      StreamFamily = "case"
	AccessFamily    StreamFamily = "access"
	DirectoryFamily StreamFamily = "directory"
	ProtocolFamily  StreamFamily = "protocol"
	StoreFamily     StreamFamily = "store"
)

// Kind describes one type of event.
type Kind struct {
	Type   string
	Family StreamFamily
	// By are the roles that may record it, sorted as in the catalogue; nil means every institutional role.
	By []Role
	// Shares is true for an event that discloses information: it has a sender and recipients.
	Shares bool
	// Schema is the version of the data's shape that this program writes.
	Schema int

	goType  reflect.Type
	shape   *shape
	upcasts []Upcast
}

// DataType is the Go type of the data, a struct; an Event's Data points to it.
func (k *Kind) DataType() reflect.Type { return k.goType }

// Upcast turns data of one schema version into the next one's. It is pure: the same bytes give the same bytes.
type Upcast func(jsontext.Value) (jsontext.Value, error)

// Allows reports whether the role may record this kind. That someone looked is recorded of System too: of the machine's
// owner, where there is no sign-in.
func (k *Kind) Allows(r Role) bool {
	if k.By == nil {
		return r != System || k.Family == AccessFamily
	}
	return slices.Contains(k.By, r)
}

// Catalogue knows every kind of event. It is immutable and safe for concurrent use.
type Catalogue struct {
	kinds  []*Kind
	byType map[string]*Kind
}

// Standard is the catalogue of this version of traga.
var Standard = sync.OnceValue(func() *Catalogue {
	return newCatalogue(
		kind[CaseOpened](CaseFamily, by(PrisonTreatment, Directorate)),
		kind[SentenceRecorded](CaseFamily, by(PrisonTreatment, Directorate, Court)),
		kind[SubjectInformed](CaseFamily, anyone()),
		kind[SpecificGroupRecorded](CaseFamily, by(PrisonTreatment, PrisonHealth, Directorate)),
		kind[ScreeningCompleted](CaseFamily, by(PrisonTreatment)),
		kind[AssessmentCompleted](CaseFamily, by(PrisonTreatment, Probation)),
		kind[AssessmentContested](CaseFamily, by(PrisonTreatment, Court, Ombudsman)),
		kind[AssessmentContestDecided](CaseFamily, by(Directorate, Court)),
		kind[RiskLevelChanged](CaseFamily, by(PrisonTreatment, Probation, Directorate)),
		kind[SecurityInformationReferenced](CaseFamily, by(Police, PrisonSecurity)),
		kind[TreatmentPlanAdopted](CaseFamily, by(PrisonTreatment)),
		kind[TreatmentPlanReviewed](CaseFamily, by(PrisonTreatment)),
		kind[ProgrammeOutcomeRecorded](CaseFamily, by(PrisonTreatment, Education, Employment, CivilSociety, ReligiousCommunity)),
		kind[ExpectedReleaseDateSet](CaseFamily, by(PrisonTreatment, Directorate, Court)),
		kind[ExpectedReleaseDateChanged](CaseFamily, by(PrisonTreatment, Directorate, Court)),
		kind[PreReleasePlanningOpened](CaseFamily, by(PrisonTreatment)),
		kind[NeedsMapDrafted](CaseFamily, by(PrisonTreatment, CSW, Municipality)),
		kind[NeedsMapFinalised](CaseFamily, by(PrisonTreatment)),
		kind[IdentityDocumentsSecured](CaseFamily, by(PrisonTreatment, CSW)),
		kind[AccommodationArranged](CaseFamily, by(PrisonTreatment, CSW, Municipality, CivilSociety)),
		kind[MedicalExaminationOffered](CaseFamily, by(PrisonHealth)),
		kind[CaseConferenceHeld](CaseFamily, by(PrisonTreatment, CSW, Probation, Coordinator), shares),
		kind[ConferenceActionCompleted](CaseFamily, anyone()),
		kind[ReferralMade](CaseFamily, by(PrisonTreatment, Probation, CSW), shares),
		kind[ReferralAccepted](CaseFamily, anyone()),
		kind[ReferralDeclined](CaseFamily, anyone()),
		kind[ReferralCompleted](CaseFamily, anyone()),
		kind[ReleaseReportIssued](CaseFamily, by(PrisonTreatment), shares),
		kind[NotificationSent](CaseFamily, anyone(), shares),
		kind[NotificationDelivered](CaseFamily, anyone()),
		kind[NotificationFailed](CaseFamily, anyone()),
		kind[NotificationAcknowledged](CaseFamily, anyone()),
		kind[InformationRequested](CaseFamily, anyone()),
		kind[InformationProvided](CaseFamily, anyone(), shares),
		kind[InformationRefused](CaseFamily, anyone()),
		kind[RefusalAppealed](CaseFamily, anyone()),
		kind[RefusalAppealDecided](CaseFamily, by(Directorate, Court, DataProtection, Ombudsman)),
		kind[InformationDisclosed](CaseFamily, anyone(), shares),
		kind[NeedsMapShared](CaseFamily, by(PrisonTreatment, CSW), shares),
		kind[HealthSummaryTransferred](CaseFamily, by(PrisonHealth, CommunityHealth), shares),
		kind[OverrideAuthorised](CaseFamily, by(Directorate, Court, PrisonTreatment, PrisonHealth, CSW, Probation)),
		kind[DisclosureRecalled](CaseFamily, anyone()),
		kind[DisclosureDestructionConfirmed](CaseFamily, anyone()),
		kind[ConsentGiven](CaseFamily, by(PrisonTreatment, PrisonHealth, CSW, Probation)),
		kind[ConsentRefused](CaseFamily, by(PrisonTreatment, PrisonHealth, CSW, Probation)),
		kind[ConsentWithdrawn](CaseFamily, by(PrisonTreatment, PrisonHealth, CSW, Probation)),
		kind[PersonReleased](CaseFamily, by(PrisonTreatment)),
		kind[HandoverAccepted](CaseFamily, by(CSW, Probation, Municipality)),
		kind[ConditionsSet](CaseFamily, by(Court, Probation)),
		kind[ConditionBreachReported](CaseFamily, by(Probation, Police)),
		kind[FirstContactMade](CaseFamily, by(CSW, Probation, CivilSociety, Municipality)),
		kind[ContactAttemptFailed](CaseFamily, by(CSW, Probation, CivilSociety)),
		kind[PostPenalPlanAdopted](CaseFamily, by(CSW, Probation, Municipality)),
		kind[PostPenalReviewHeld](CaseFamily, by(CSW, Probation, Municipality)),
		kind[SupportProvided](CaseFamily, anyone()),
		kind[CaseClosed](CaseFamily, by(CSW, Probation, Directorate, Municipality)),
		kind[CaseReopened](CaseFamily, by(CSW, Probation, Directorate, Municipality)),
		kind[PrisonTransferred](CaseFamily, by(PrisonTreatment, Directorate)),
		kind[JurisdictionTransferInitiated](CaseFamily, by(Directorate), shares),
		kind[JurisdictionTransferAccepted](CaseFamily, by(Directorate)),
		kind[ComplaintLodged](CaseFamily, by(Ombudsman, Court, PrisonTreatment, CivilSociety)),
		kind[ComplaintDecided](CaseFamily, anyone()),
		kind[MonitoringContactHeld](CaseFamily, by(Ombudsman)),
		kind[ReviewOpened](CaseFamily, by(Ombudsman, DataProtection, Directorate)),
		kind[FindingRecorded](CaseFamily, by(Ombudsman, DataProtection, Directorate)),
		kind[FindingClosed](CaseFamily, by(Ombudsman, DataProtection, Directorate)),
		kind[ObligationOverdue](CaseFamily, by(System)),
		kind[ObligationEscalated](CaseFamily, by(System)),
		kind[ObligationWaived](CaseFamily, by(Directorate, Court)),
		kind[AlertAcknowledged](CaseFamily, anyone()),
		kind[EntryCorrected](CaseFamily, anyone()),
		kind[EntryAnnulled](CaseFamily, anyone()),
		kind[DataBreachRecorded](CaseFamily, anyone()),
		kind[BreachReported](CaseFamily, anyone()),
		kind[SubjectInformedOfBreach](CaseFamily, anyone()),
		kind[RetentionReviewed](CaseFamily, by(Directorate, CSW, Probation, DataProtection, Municipality)),
		kind[LegalHoldPlaced](CaseFamily, by(Ombudsman, Court, DataProtection)),
		kind[LegalHoldLifted](CaseFamily, by(Ombudsman, Court, DataProtection)),
		kind[ErasureRequested](CaseFamily, by(Directorate, CSW, Probation, DataProtection)),
		kind[PersonalDataErased](CaseFamily, by(System)),
		kind[CaseConsulted](AccessFamily, anyone()),
		kind[AccessDenied](AccessFamily, anyone()),
		kind[ExportProduced](AccessFamily, anyone()),
		kind[InstitutionRegistered](DirectoryFamily, by(Directorate)),
		kind[InstitutionClosed](DirectoryFamily, by(Directorate)),
		kind[OfficerAppointed](DirectoryFamily, by(Directorate)),
		kind[OfficerRevoked](DirectoryFamily, by(Directorate)),
		kind[OfficerTrained](DirectoryFamily, by(Directorate)),
		kind[ProtocolPublished](ProtocolFamily, by(Directorate, Coordinator)),
		kind[NonWorkingDayDecreed](ProtocolFamily, by(Directorate, Coordinator)),

		kind[StoreSimulated](StoreFamily, by(System)),
	)
})

// KindOf is Standard's Kind of that type.
func KindOf(eventType string) (*Kind, bool) { return Standard().Kind(eventType) }

// Kinds lists every kind in the catalogue's order. The slice must not be changed.
func (c *Catalogue) Kinds() []*Kind { return c.kinds }

// Kind finds a kind by the event's type, as spelt in the catalogue.
func (c *Catalogue) Kind(eventType string) (*Kind, bool) {
	k, ok := c.byType[eventType]
	return k, ok
}

func newCatalogue(kinds ...*Kind) *Catalogue {
	c := &Catalogue{byType: make(map[string]*Kind, len(kinds))}
	for _, k := range kinds {
		if c.byType[k.Type] != nil {
			panic(fmt.Sprintf("events: %s is in the catalogue twice", k.Type))
		}
		c.kinds = append(c.kinds, k)
		c.byType[k.Type] = k
	}
	return c
}

// kind describes the event whose data has the Go type T; the type's name is the event's type.
func kind[T any](family StreamFamily, roles []Role, options ...func(*Kind)) *Kind {
	t := reflect.TypeFor[T]()
	k := &Kind{Type: t.Name(), Family: family, By: roles, Schema: 1, goType: t, shape: shapeOf(t)}
	for _, o := range options {
		o(k)
	}
	return k
}

func by(roles ...Role) []Role { return roles }

func anyone() []Role { return nil }

func shares(k *Kind) { k.Shares = true }

// upcast says how each older schema becomes the next one, from schema 1 on.
func upcast(steps ...Upcast) func(*Kind) {
	return func(k *Kind) { k.upcasts, k.Schema = steps, len(steps)+1 }
}
