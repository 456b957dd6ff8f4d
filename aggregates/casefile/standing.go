package casefile

import (
	"time"

	"traga.internal/aggregates/history"
	"traga.internal/events"
)

// StandingOf is the status and the phase that entries make (interfaces.md, `case show`): intake until a treatment plan,
// treatment until PreReleasePlanningOpened, pre-release until PersonReleased, released until PostPenalPlanAdopted,
// post-penal until CaseClosed. A post-penal plan before the release does not move the phase, and a reopened case is
// again where it was. Annulled entries count for nothing, corrected ones as corrected. The entries are in order of
// recording or of occurrence; those of other types may be left out.
func StandingOf(entries []*history.Entry) (Status, Phase) {
	var (
		plan, preRelease, released, postPenal, closed bool
		turned                                        time.Time // when the case was last closed or reopened
	)
	for _, e := range entries {
		if !e.Stands() {
			continue
		}
		switch e.Now.(type) {
		case *events.TreatmentPlanAdopted:
			plan = true
		case *events.PreReleasePlanningOpened:
			preRelease = true
		case *events.PersonReleased:
			released = true
		case *events.PostPenalPlanAdopted:
			postPenal = true
		case *events.CaseClosed, *events.CaseReopened:
			// A closing that was recorded late does not close a case that had been reopened since.
			if !e.OccurredAt.Before(turned) {
				turned = e.OccurredAt
				_, closed = e.Now.(*events.CaseClosed)
			}
		}
	}
	switch {
	case closed:
		return Closed, PhaseClosed
	case released && postPenal:
		return Open, PostPenal
	case released:
		return Open, Released
	case preRelease:
		return Open, PreRelease
	case plan:
		return Open, Treatment
	}
	return Open, Intake
}
