package events

// Disclosure is what a sharing event hands over, in one form for all of them: who learns which categories, and
// on what it rests. The sender is the event's actor.
type Disclosure struct {
	Recipients []Party
	Categories []Category
	Consent    ID
	Override   ID
	// Reference is the event's own id for it (a notification, a disclosure, a request), by which others refer to it.
	Reference   ID
	DerivedFrom ID
	// Clinical is true for clinical content: marked so, or a HealthSummaryTransferred.
	Clinical bool
	// Justification is the stated need, where the event has a field for one.
	Justification string
}

// DisclosureOf reads the disclosure out of the data of a sharing event; false for data of any other kind.
// Of a conference, those who attended are the recipients; those who sent apologies are not.
func DisclosureOf(data any) (Disclosure, bool) {
	switch d := data.(type) {
	case *CaseConferenceHeld:
		return Disclosure{Recipients: d.Attendees, Categories: d.Categories, Reference: d.Conference}, true
	case *ReferralMade:
		return Disclosure{Recipients: []Party{d.Recipient}, Categories: d.Categories, Consent: d.Consent, Reference: d.Referral}, true
	case *ReleaseReportIssued:
		return Disclosure{Recipients: d.Recipients, Categories: d.Categories, Reference: d.Report}, true
	case *NotificationSent:
		return Disclosure{Recipients: []Party{d.Recipient}, Categories: d.Categories, Reference: d.Notification}, true
	case *InformationProvided:
		return Disclosure{Recipients: []Party{d.Recipient}, Categories: d.Categories, Consent: d.Consent, Override: d.Override, Reference: d.Request}, true
	case *InformationDisclosed:
		return Disclosure{Recipients: []Party{d.Recipient}, Categories: d.Categories, Consent: d.Consent, Override: d.Override,
			Reference: d.Disclosure, DerivedFrom: d.DerivedFrom, Clinical: d.Clinical, Justification: d.Justification}, true
	case *NeedsMapShared:
		return Disclosure{Recipients: []Party{d.Recipient}, Categories: d.Categories, Consent: d.Consent, Override: d.Override, Reference: d.Disclosure}, true
	case *HealthSummaryTransferred:
		return Disclosure{Recipients: []Party{d.Recipient}, Categories: d.Categories, Consent: d.Consent, Override: d.Override,
			Reference: d.Disclosure, Clinical: true}, true
	case *JurisdictionTransferInitiated:
		return Disclosure{Recipients: []Party{d.Recipient}, Categories: d.Categories}, true
	}
	return Disclosure{}, false
}
