package caseload

import (
	"slices"

	"traga.internal/events"
)

// trouble is what goes wrong in a case, or is unusual in it.
type trouble uint8

// The troubles. Each happens in one case of the demonstration at least.
const (
	lateNotices         trouble = iota // institutions told after the due date
	lateAcknowledgement                // recipients confirm late, or not at all
	silence                            // a request stays without an answer
	unlawfulDisclosure                 // health data given without consent; reported, recalled, destroyed
	lateBreachReport                   // a data breach reported after 72 hours
	broughtForward                     // the release date moves to sooner
	postponed                          // the release date moves to later
	correction                         // an entry corrected; one institution hears of it late
	annulment                          // an entry annulled
	consentWithdrawn                   // a consent withdrawn after data was shared under it
	refusal                            // a request refused, the appeal granted in part
	complaint                          // a complaint, decided late
	contest                            // an assessment contested
	lateNeedsMap                       // the needs map shared after its due date
	untrained                          // an assessor without training in the tool
	override                           // an override of need to know
	transferAbroad                     // the case goes to another jurisdiction
	highRiskLateContact                // high risk at release, and the first contact late
	healthRefused                      // the person refuses that health data goes on
	prisonMove                         // a move to another prison
	juvenile                           // a young person, with guardian and specialist
	noSpecialist                       // a woman, assessed without a specialist
	religiousIndicator                 // religious practice taken for a risk
	noPapers                           // released without papers, roof or means
	waiver                             // a duty waived
	reopening                          // a closed case opened again
	monitoring                         // a visit, a review and a finding of the ombudsman
	unexplainedLate                    // an entry made late, without a reason
	heldTooLong                        // released after the lawful date
	silentDuties                       // duties that nobody does
	troubles                           // how many there are
)

// window is where the release lies, in days from today, so that the trouble has happened by today.
type window struct{ from, to int }

var (
	longReleased = window{-330, -200}
	released     = window{-185, -14}
	preparing    = window{-40, 60}
	treated      = window{70, 330}
)

// fate is a kind of case: when it ends, and what goes wrong in it. Without trouble it is an ordinary one.
type fate struct {
	window
	troubles []trouble
}

// fates is the order in which the cases of a caseload meet their troubles.
func fates() []fate {
	return []fate{
		{released, nil},
		{preparing, []trouble{lateNotices}},
		{released, []trouble{broughtForward}},
		{treated, []trouble{untrained}},
		{released, []trouble{unlawfulDisclosure, lateBreachReport}},
		{preparing, []trouble{lateAcknowledgement, silence}},
		{released, []trouble{highRiskLateContact}},
		{preparing, []trouble{postponed}},
		{longReleased, nil},
		{released, []trouble{consentWithdrawn}},
		{preparing, []trouble{refusal}},
		{treated, []trouble{contest}},
		{released, []trouble{lateNeedsMap}},
		{released, []trouble{correction}},
		{preparing, []trouble{annulment}},
		{longReleased, []trouble{complaint}},
		{preparing, nil},
		{released, []trouble{override}},
		{preparing, []trouble{transferAbroad}},
		{treated, nil},
		{released, []trouble{healthRefused}},
		{preparing, []trouble{prisonMove}},
		{released, []trouble{juvenile}},
		{preparing, []trouble{noSpecialist}},
		{treated, []trouble{religiousIndicator}},
		{released, []trouble{noPapers}},
		{preparing, []trouble{waiver}},
		{longReleased, []trouble{reopening}},
		{preparing, []trouble{monitoring}},
		{preparing, []trouble{unexplainedLate}},
		{released, []trouble{heldTooLong}},
		{preparing, []trouble{silentDuties}},
		{treated, nil},
		{longReleased, []trouble{lateAcknowledgement}},
		{preparing, []trouble{unlawfulDisclosure}},
		{released, []trouble{postponed, lateNotices}},
		{preparing, nil},
		{preparing, []trouble{complaint, lateBreachReport}},
		{released, nil},
		{preparing, []trouble{broughtForward, lateNotices}},
		{preparing, []trouble{consentWithdrawn}},
		{treated, nil},
		{longReleased, nil},
		{released, []trouble{refusal, silence}},
		{preparing, []trouble{lateNeedsMap, lateAcknowledgement}},
		{treated, nil},
		{window{240, 400}, nil},
		{window{250, 420}, nil},
	}
}

// profile is what a case's script is written from.
type profile struct {
	number   string
	admitted events.Date // when the person came to prison
	// opened is when the case was opened in traga: at the admission, or later and then from the paper file.
	opened  events.Date
	release events.Date // when the person is released in the end
	fate
	from *transfer // the case continues one from another jurisdiction
	to   *transfer // the case is handed to another jurisdiction, on the day
}

// transfer joins two cases across a border.
type transfer struct {
	number string // the other case
	reg    *register
	on     events.Date
}

func (p *profile) has(t trouble) bool { return slices.Contains(p.troubles, t) }
