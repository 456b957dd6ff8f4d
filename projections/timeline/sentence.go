package timeline

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// Sentence says in one plain sentence what an event records, in a language of Languages (the nearest one, else
// English). It names who did what toward whom, which categories of information and which dates: what stands on
// the envelope. It never holds the content of a protected field, nor free text, which may hold anything.
//
// of finds the entries that the event refers to; nil is allowed.
func Sentence(lang string, e *events.Event, of *history.History) string {
	l := languageFor(lang)
	f := facts{l: l, of: of, values: make(map[string]string, 8)}
	f.read(e)
	s := l.sentence(e.Type, f.values)
	first, n := utf8.DecodeRuneInString(s)
	if i := string(e.Actor.Institution); i == "" || !strings.HasPrefix(s, i) { // an id is written as it is
		s = string(unicode.ToUpper(first)) + s[n:]
	}
	return s
}

// facts are the values that an event has for the places in its sentence.
type facts struct {
	l      *language
	of     *history.History
	values map[string]string
}

func (f *facts) set(name, value string) {
	if value == "" {
		value = f.l.word("none")
	}
	f.values[name] = value
}

func (f *facts) word(name, key string)              { f.set(name, f.l.word(key)) }
func (f *facts) day(name string, d events.Date)     { f.set(name, d.String()) }
func (f *facts) number(name string, n int)          { f.set(name, strconv.Itoa(n)) }
func (f *facts) id(name string, id events.ID)       { f.set(name, string(id)) }
func (f *facts) categories(c []events.Category)     { f.set("categories", f.l.categoryList(c)) }
func (f *facts) roles(name string, r []events.Role) { f.set(name, f.l.roleList(r)) }
func (f *facts) party(name string, p events.Party) {
	f.set(name, f.l.party(p))
}

// entry names another entry of the case by its place in the case and its day, as its actor told it.
func (f *facts) entry(name string, id uuid.UUID) {
	if f.of != nil {
		if e := f.of.Find(id); e != nil {
			f.set(name, f.l.fill(f.l.word("entry"), map[string]string{
				"number": strconv.FormatUint(e.Revision, 10), "date": e.OccurredAt.Format(time.DateOnly)}))
			return
		}
	}
	f.set(name, id.String())
}

// read sets the values of an event. Only what is neither protected nor free text may be read here; a test plants a
// mark in every other field and looks for it in every sentence.
func (f *facts) read(e *events.Event) {
	f.set("actor", f.l.actorName(e.Actor))
	if d, ok := events.DisclosureOf(e.Data); ok {
		var to []string
		for _, p := range recipients(e.Actor, d) {
			to = append(to, f.l.party(p))
		}
		f.set("to", strings.Join(to, "; "))
		f.categories(d.Categories)
	}
	switch {
	case f.planning(e.Data), f.exchange(e.Data), f.course(e.Data), f.oversight(e.Data), f.elsewhere(e.Data):
	}
}

// planning reads the events of intake, treatment and the preparation of the release.
func (f *facts) planning(data any) bool {
	switch d := data.(type) {
	case *events.CaseOpened:
		f.set("institution", string(d.Institution))
		f.day("admittedOn", d.AdmittedOn)
	case *events.SentenceRecorded:
		f.day("startDate", d.StartDate)
		f.day("endDate", d.EndDate)
	case *events.SubjectInformed:
		f.set("language", d.Language)
	case *events.ScreeningCompleted:
		f.set("tool", d.Tool)
		f.set("toolVersion", d.ToolVersion)
	case *events.AssessmentCompleted:
		f.id("assessment", d.Assessment)
		f.word("kind", "assessment-kind."+d.Kind)
		f.set("tool", d.Tool)
		f.set("toolVersion", d.ToolVersion)
		f.set("assessor", d.Assessor)
	case *events.AssessmentContested:
		f.id("assessment", d.Assessment)
	case *events.AssessmentContestDecided:
		f.id("assessment", d.Assessment)
		f.word("outcome", "contest-outcome."+d.Outcome)
	case *events.RiskLevelChanged:
		f.set("decider", d.Decider)
		f.day("reviewBy", d.ReviewBy)
	case *events.TreatmentPlanAdopted:
		f.id("plan", d.Plan)
	case *events.TreatmentPlanReviewed:
		f.id("plan", d.Plan)
	case *events.ExpectedReleaseDateSet:
		f.day("date", d.Date)
		f.word("basis", "basis."+d.Basis)
	case *events.ExpectedReleaseDateChanged:
		f.day("oldDate", d.From)
		f.day("newDate", d.To)
	case *events.PreReleasePlanningOpened:
		f.set("manager", d.Manager)
	case *events.NeedsMapDrafted:
		f.id("needsMap", d.NeedsMap)
		f.number("version", d.Version)
	case *events.NeedsMapFinalised:
		f.id("needsMap", d.NeedsMap)
		f.number("version", d.Version)
	case *events.CaseConferenceHeld:
		f.id("conference", d.Conference)
	case *events.ConferenceActionCompleted:
		f.id("conference", d.Conference)
		f.id("action", d.Action)
	default:
		return false
	}
	return true
}

// exchange reads the events by which information is shared, asked for, refused and called back, and of consent.
func (f *facts) exchange(data any) bool {
	switch d := data.(type) {
	case *events.ReferralMade:
		f.id("referral", d.Referral)
	case *events.ReferralAccepted:
		f.id("referral", d.Referral)
	case *events.ReferralDeclined:
		f.id("referral", d.Referral)
	case *events.ReferralCompleted:
		f.id("referral", d.Referral)
	case *events.ReleaseReportIssued:
		f.id("report", d.Report)
		f.number("version", d.Version)
	case *events.NotificationSent:
		f.id("notification", d.Notification)
		f.word("subject", "subject."+d.Subject)
		f.word("channel", "channel."+d.Channel)
	case *events.NotificationDelivered:
		f.id("notification", d.Notification)
	case *events.NotificationFailed:
		f.id("notification", d.Notification)
	case *events.NotificationAcknowledged:
		f.id("notification", d.Notification)
	case *events.InformationRequested:
		f.id("request", d.Request)
		f.party("asked", d.From)
		f.word("urgency", "urgency."+d.Urgency)
		f.categories(d.Categories)
	case *events.InformationProvided:
		f.id("request", d.Request)
		f.set("withheld", f.l.categoryList(d.Withheld))
	case *events.InformationRefused:
		f.id("request", d.Request)
	case *events.RefusalAppealed:
		f.id("request", d.Request)
		f.party("asked", d.To)
	case *events.RefusalAppealDecided:
		f.id("request", d.Request)
		f.word("outcome", "refusal-outcome."+d.Outcome)
		f.categories(d.Granted)
	case *events.InformationDisclosed:
		f.id("disclosure", d.Disclosure)
	case *events.NeedsMapShared:
		f.id("needsMap", d.NeedsMap)
		f.number("version", d.Version)
	case *events.OverrideAuthorised:
		f.set("approver", d.Approver)
		f.categories(d.Categories)
		f.roles("recipientRole", []events.Role{d.RecipientRole})
	case *events.DisclosureRecalled:
		f.id("disclosure", d.Disclosure)
		f.word("reason", "recall."+d.Reason)
	case *events.DisclosureDestructionConfirmed:
		f.id("disclosure", d.Disclosure)
	case *events.ConsentGiven:
		f.id("consent", d.Consent)
		f.roles("roles", d.RecipientRoles)
		f.categories(d.Categories)
	case *events.ConsentRefused:
		f.id("consent", d.Consent)
		f.roles("roles", d.RecipientRoles)
		f.categories(d.Categories)
	case *events.ConsentWithdrawn:
		f.id("consent", d.Consent)
	default:
		return false
	}
	return true
}

// course reads the events of the release, the time after it, and transfers.
func (f *facts) course(data any) bool {
	switch d := data.(type) {
	case *events.PersonReleased:
		f.word("kind", "release."+d.Kind)
	case *events.HandoverAccepted:
		f.set("officer", d.Officer)
	case *events.FirstContactMade:
		f.word("mode", "contact."+d.Mode)
	case *events.PostPenalPlanAdopted:
		f.id("plan", d.Plan)
	case *events.PostPenalReviewHeld:
		f.word("outcome", "review-outcome."+d.Outcome)
	case *events.PrisonTransferred:
		f.set("fromInstitution", string(d.From))
		f.set("toInstitution", string(d.To))
	case *events.JurisdictionTransferInitiated:
		f.set("jurisdiction", f.l.jurisdiction(d.To))
	case *events.JurisdictionTransferAccepted:
		f.set("jurisdiction", f.l.jurisdiction(d.From))
		f.set("previousCase", d.PreviousCase)
	case *events.ObligationOverdue:
		f.set("obligation", d.Obligation)
		f.day("due", d.Due)
	case *events.ObligationEscalated:
		f.set("obligation", d.Obligation)
		f.number("level", d.Level)
		f.roles("recipientRole", []events.Role{d.To})
	case *events.ObligationWaived:
		f.set("obligation", d.Obligation)
		f.set("approver", d.Approver)
	case *events.AlertAcknowledged:
		f.set("obligation", d.Obligation)
	default:
		return false
	}
	return true
}

// oversight reads the events of oversight and data protection.
func (f *facts) oversight(data any) bool {
	switch d := data.(type) {
	case *events.ComplaintLodged:
		f.id("complaint", d.Complaint)
		f.party("asked", d.About)
	case *events.ComplaintDecided:
		f.id("complaint", d.Complaint)
		f.word("outcome", "complaint-outcome."+d.Outcome)
	case *events.ReviewOpened:
		f.id("review", d.Review)
	case *events.FindingRecorded:
		f.id("review", d.Review)
		f.id("finding", d.Finding)
		f.set("safeguard", d.Safeguard)
		f.word("severity", "severity."+d.Severity)
	case *events.FindingClosed:
		f.id("finding", d.Finding)
	case *events.EntryCorrected:
		f.entry("target", d.Target)
	case *events.EntryAnnulled:
		f.entry("target", d.Target)
	case *events.DataBreachRecorded:
		f.id("breach", d.Breach)
		f.word("risk", "breach-risk."+d.Risk)
	case *events.BreachReported:
		f.id("breach", d.Breach)
		f.set("authority", d.Authority)
	case *events.SubjectInformedOfBreach:
		f.id("breach", d.Breach)
	case *events.RetentionReviewed:
		f.word("outcome", "retention."+d.Outcome)
	case *events.LegalHoldPlaced:
		f.id("hold", d.Hold)
	case *events.LegalHoldLifted:
		f.id("hold", d.Hold)
	case *events.ErasureRequested:
		f.id("erasure", d.Erasure)
		f.set("approvers", strings.Join(d.Approvers, ", "))
	case *events.PersonalDataErased:
		f.id("erasure", d.Erasure)
		f.number("keys", d.Keys)
	default:
		return false
	}
	return true
}

// elsewhere reads the events that are not in a case's own stream.
func (f *facts) elsewhere(data any) bool {
	switch d := data.(type) {
	case *events.CaseConsulted:
		f.set("view", d.View)
	case *events.AccessDenied:
		f.set("view", d.View)
	case *events.ExportProduced:
		f.set("format", d.Format)
		f.set("recipient", d.Recipient)
	case *events.InstitutionRegistered:
		f.set("institution", string(d.Institution))
		f.roles("roles", d.Role)
	case *events.InstitutionClosed:
		f.set("institution", string(d.Institution))
	case *events.OfficerAppointed:
		f.set("officer", d.Officer)
		f.set("institution", string(d.Institution))
		f.roles("recipientRole", []events.Role{d.Role})
	case *events.OfficerRevoked:
		f.set("officer", d.Officer)
	case *events.OfficerTrained:
		f.set("officer", d.Officer)
		f.set("tool", d.Tool)
		f.day("date", d.On)
	case *events.ProtocolPublished:
		f.set("version", d.Version)
		f.day("date", d.EffectiveFrom)
	case *events.NonWorkingDayDecreed:
		f.day("date", d.Date)
	case *events.StoreSimulated:
		f.set("date", d.From.UTC().Format(time.DateOnly))
	default:
		return false
	}
	return true
}
