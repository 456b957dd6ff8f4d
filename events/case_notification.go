package events

// The events of notices.

// NotificationSent is a notice from one institution to another.
type NotificationSent struct {
	Notification ID         `json:"notification"`
	Subject      string     `json:"subject" enum:"planned-release|date-changed|date-confirmed|released|risk-changed|consent-withdrawn|correction|transfer"`
	Recipient    Party      `json:"recipient"`
	Categories   []Category `json:"categories"`
	Channel      string     `json:"channel" enum:"letter|secure-mail|in-person|system"`
	About        ID         `json:"about,omitzero"`
}

// NotificationDelivered says that a notice arrived.
type NotificationDelivered struct {
	Notification ID `json:"notification"`
}

// NotificationFailed says that a notice did not arrive.
type NotificationFailed struct {
	Notification ID     `json:"notification"`
	Reason       string `json:"reason"`
}

// NotificationAcknowledged says that the recipient institution, its actor, took note.
type NotificationAcknowledged struct {
	Notification ID `json:"notification"`
}
