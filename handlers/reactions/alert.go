package reactions

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections/obligations"
)

// State is how an alert stands.
type State string

// The states of an alert. Resolved: the duty was done, waived or cancelled, or is not due soon any more.
const (
	DueSoon  State = State(protocol.DueSoon)
	Overdue  State = State(protocol.Overdue)
	Resolved State = "resolved"
)

// Alert is one duty that is due soon or overdue, as its receivers are told of it. It names no case and no person.
type Alert struct {
	// ID is obligations.AlertID: the same for the same duty of the same case.
	ID           uuid.UUID           `json:"id"`
	State        State               `json:"state"`
	Jurisdiction events.Jurisdiction `json:"jurisdiction"`
	Rule         string              `json:"rule"`
	// Duty is the role that must act, DutyHolder the institution; empty while there is none.
	Duty       events.Role        `json:"duty"`
	DutyHolder events.Institution `json:"dutyHolder,omitempty"`
	Severity   protocol.Severity  `json:"severity"`
	Escalation int                `json:"escalation"`
	// Due is a date, or an instant for a duty due at one; OverdueFrom the instant from which the duty is overdue.
	Due         string    `json:"due"`
	OverdueFrom time.Time `json:"overdueFrom"`
	// Since is when the alert was first seen to stand.
	Since time.Time `json:"since"`
}

// AlertID is the opaque id of the alert on an obligation of a case.
func AlertID(number, obligation string) uuid.UUID {
	return events.DeriveID("alert", number, obligation)
}

func alertOf(a *obligations.Alert, now time.Time) Alert {
	out := Alert{ID: obligations.AlertID(a.Case, a.Obligation), State: State(a.State), Jurisdiction: a.Jurisdiction, Rule: a.Rule, Duty: a.Duty, Severity: a.Severity,
		Escalation: a.Escalation, Due: a.Due, OverdueFrom: a.OverdueFrom.UTC(), Since: now.UTC().Truncate(time.Microsecond)}
	if a.DutyHolder != nil {
		out.DutyHolder = *a.DutyHolder
	}
	return out
}

// change is an alert that is new or reads otherwise than it was told.
type change struct {
	Alert Alert `json:"alert"`
	// Was is how it was told last; nil for a new one.
	Was *Alert `json:"was,omitempty"`
}

// notice is what changed in the alerts from one look to the next: one message for the alert channels.
type notice struct {
	ID      uuid.UUID `json:"id"`
	At      time.Time `json:"at"`
	Changes []change  `json:"changes"`
}

func newNotice(at time.Time) (notice, error) {
	id, err := uuid.NewV7()
	return notice{ID: id, At: at.UTC().Truncate(time.Microsecond)}, err
}

var (
	urgency = map[State]int{Overdue: 0, DueSoon: 1, Resolved: 2}
	gravity = map[protocol.Severity]int{protocol.Critical: 0, protocol.High: 1, protocol.Medium: 2}
)

// sort puts the most urgent first.
func (n *notice) sort() {
	slices.SortFunc(n.Changes, func(x, y change) int {
		a, b := &x.Alert, &y.Alert
		return cmp.Or(cmp.Compare(urgency[a.State], urgency[b.State]), cmp.Compare(gravity[a.Severity], gravity[b.Severity]),
			a.OverdueFrom.Compare(b.OverdueFrom), bytes.Compare(a.ID[:], b.ID[:]))
	})
}

// changes compares what stands with what was told. now holds the alerts as they stand.
func changes(told map[uuid.UUID]Alert, now []Alert, at time.Time) (notice, error) {
	n, err := newNotice(at)
	stands := make(map[uuid.UUID]bool, len(now))
	for _, a := range now {
		stands[a.ID] = true
		was, known := told[a.ID]
		if known {
			a.Since = was.Since
		}
		switch {
		case !known:
			n.Changes = append(n.Changes, change{Alert: a})
		case a != was:
			n.Changes = append(n.Changes, change{Alert: a, Was: &was})
		}
	}
	for id, was := range told {
		if !stands[id] {
			a := was
			a.State = Resolved
			n.Changes = append(n.Changes, change{Alert: a, Was: &was})
		}
	}
	n.sort()
	return n, err
}
