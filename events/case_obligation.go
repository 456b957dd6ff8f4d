package events

// The events of what was done about obligations.

// ObligationOverdue says that traga found an obligation overdue.
type ObligationOverdue struct {
	Obligation string `json:"obligation"`
	Rule       string `json:"rule"`
	Due        Date   `json:"due"`
}

// ObligationEscalated says that traga escalated an overdue obligation.
type ObligationEscalated struct {
	Obligation string `json:"obligation"`
	Level      int    `json:"level"`
	To         Role   `json:"to"`
}

// ObligationWaived is a decision that a duty need not be done; it never hides a breach.
type ObligationWaived struct {
	Obligation string `json:"obligation"`
	Reason     string `json:"reason"`
	Approver   string `json:"approver"`
}

// AlertAcknowledged says that someone took note of an alert.
type AlertAcknowledged struct {
	Obligation string `json:"obligation"`
	Note       string `json:"note"`
}
