package events

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// Role is what an officer acts as, or traga itself (System).
type Role string

// The roles of the catalogue.
const (
	PrisonTreatment    Role = "prison-treatment"
	PrisonSecurity     Role = "prison-security"
	PrisonHealth       Role = "prison-health"
	Directorate        Role = "directorate"
	Court              Role = "court"
	Probation          Role = "probation"
	CSW                Role = "csw"
	Employment         Role = "employment"
	Education          Role = "education"
	CommunityHealth    Role = "community-health"
	Police             Role = "police"
	Coordinator        Role = "coordinator"
	Municipality       Role = "municipality"
	CivilSociety       Role = "civil-society"
	ReligiousCommunity Role = "religious-community"
	Ombudsman          Role = "ombudsman"
	DataProtection     Role = "data-protection"
	System             Role = "system"
)

// Roles lists every role, institutional ones first, System last.
func Roles() []Role {
	return []Role{PrisonTreatment, PrisonSecurity, PrisonHealth, Directorate, Court, Probation, CSW, Employment,
		Education, CommunityHealth, Police, Coordinator, Municipality, CivilSociety, ReligiousCommunity, Ombudsman,
		DataProtection, System}
}

// InPrison reports whether the role works inside a prison.
func (r Role) InPrison() bool {
	return r == PrisonTreatment || r == PrisonSecurity || r == PrisonHealth
}

// Category is a kind of personal information, the unit of need-to-know.
type Category string

// The categories of the catalogue.
const (
	Identity       Category = "identity"
	Sentence       Category = "sentence"
	Risk           Category = "risk"
	Intelligence   Category = "intelligence"
	Health         Category = "health"
	MentalHealth   Category = "mental-health"
	EducationInfo  Category = "education"
	EmploymentInfo Category = "employment"
	Housing        Category = "housing"
	Family         Category = "family"
	Religion       Category = "religion"
	Finance        Category = "finance"
)

// Categories lists every category in the catalogue's order.
func Categories() []Category {
	return []Category{Identity, Sentence, Risk, Intelligence, Health, MentalHealth, EducationInfo, EmploymentInfo,
		Housing, Family, Religion, Finance}
}

// Jurisdiction is one of the six cooperating jurisdictions. XK is shown as "Kosovo*", always with its footnote.
type Jurisdiction string

// Jurisdictions lists the six codes in alphabetical order.
func Jurisdictions() []Jurisdiction { return []Jurisdiction{"AL", "BA", "ME", "MK", "RS", "XK"} }

// ID names a thing within its case and kind: a notification, a request, a consent.
type ID string

// Party is an institution in a role, where known with the officer.
type Party struct {
	Institution Institution `json:"institution"`
	Role        Role        `json:"role"`
	Officer     string      `json:"officer,omitzero"`
}

// Institution is the id of an institution in the directory, such as mk-csw-skopje.
type Institution string

// Actor is who did what an event says.
type Actor struct {
	Officer     string      `json:"officer"`
	Role        Role        `json:"role"`
	Institution Institution `json:"institution"`
}

// Party is the actor as a party.
func (a Actor) Party() Party {
	return Party{Institution: a.Institution, Role: a.Role, Officer: a.Officer}
}

// Purpose says what information is shared for.
type Purpose string

// LegalBasis says what law allows an information to be shared.
type LegalBasis string

// Purposes and LegalBases list what the catalogue allows.
func Purposes() []Purpose {
	return []Purpose{"pre-release-planning", "post-penal-assistance", "risk-management", "health-care", "supervision",
		"oversight", "data-protection"}
}

// LegalBases lists the legal bases of the catalogue.
func LegalBases() []LegalBasis {
	return []LegalBasis{"execution-law", "sector-statute", "special-category", "consent", "court-order",
		"vital-interest", "oversight-mandate", "accountability"}
}

// Event is an event of the log, decoded. Events are read-only: folds and projections share them.
type Event struct {
	ID       uuid.UUID
	Stream   string
	Revision uint64
	Position Position
	// RecordedAt is when traga stored it, by traga's own clock; OccurredAt is when its actor says it happened.
	RecordedAt, OccurredAt time.Time

	Type   string
	Schema int
	// Case is the case number; empty in directory and protocol streams, which name their Jurisdiction.
	Case         string
	Jurisdiction Jurisdiction
	Actor        Actor
	Purpose      Purpose
	LegalBasis   LegalBasis
	LateReason   string
	// RecordedBy is the system that brought the entry in for its actor; empty when the actor did.
	RecordedBy    string
	AfterTheFact  bool
	CorrelationID uuid.UUID
	CausationID   uuid.UUID // the nil UUID when there is none

	// Data points to the catalogue's Go type of that name: *NotificationSent for "NotificationSent".
	Data any
	// Withheld are the fields of Data that are not shown; see Shown for the data as readers get it.
	Withheld []Withheld
}

// Reported says whether the act was reported after it was done, not done through traga: it is marked so, or it
// occurred more than five minutes before it was recorded (safeguards.md, settled points).
func (e *Event) Reported(recordedAt time.Time) bool {
	if e.AfterTheFact || recordedAt.Sub(e.OccurredAt) > 5*time.Minute {
		return true
	}
	d, ok := e.Data.(*InformationDisclosed)
	return ok && d.AfterTheFact
}

// namespace is traga's own UUIDv5 namespace: stream names and derived event ids come from it.
var namespace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("traga.internal"))

// DeriveID is the event id derived from a caller's key, the same each time: UUIDv5 of the parts.
func DeriveID(parts ...string) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte(strings.Join(parts, "\x00")))
}

// CaseStream is the stream of a case; its name does not reveal the number.
func CaseStream(number string) string { return "case-" + DeriveID("case", number).String() }

// AccessStream is the stream of consultations of a case: a regime of its own. That of no case, "", has the looks at lists
// over many cases.
func AccessStream(number string) string { return "access-" + DeriveID("case", number).String() }

// DirectoryStream is the stream of a jurisdiction's institutions and officers.
func DirectoryStream(j Jurisdiction) string { return "directory-" + string(j) }

// ProtocolStream is the stream of a jurisdiction's protocol versions and decreed days.
func ProtocolStream(j Jurisdiction) string { return "protocol-" + string(j) }

// StoreStream holds what is said of the store itself: that its times are simulated.
const StoreStream = "store"

// ParseCase checks the form of a case number and returns the jurisdiction that it begins with.
func ParseCase(number string) (Jurisdiction, error) {
	code, rest, ok := strings.Cut(number, "-")
	ok = ok && rest != "" && len(rest) <= 40
	for i := 0; i < len(rest) && ok; i++ {
		c := rest[i]
		ok = c == '-' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
	}
	if ok {
		for _, j := range Jurisdictions() {
			if string(j) == code {
				return j, nil
			}
		}
	}
	return "", &FieldError{Field: "case", Expected: "a case number such as MK-2026-0001, beginning with AL-, BA-, XK-, ME-, MK- or RS-"}
}
