package safeguards

import (
	"fmt"
	"slices"

	"traga.internal/events"
)

// act is one act of sharing, recorded or about to be done.
type act struct {
	*events.Event
	events.Disclosure
	moment
	data any // as corrected
}

func (j *Judge) actOf(n *entry) (act, bool) {
	d, ok := events.DisclosureOf(n.Now)
	return act{Event: n.Event, Disclosure: d, moment: n.moment, data: n.Now}, ok && n.Stands()
}

// Finding says that an act breaks a safeguard.
type Finding struct {
	Safeguard   string            `json:"safeguard"`
	Title       string            `json:"title"`
	Explanation string            `json:"explanation"`
	Categories  []events.Category `json:"categories"` // those that may not be shared like that; [] when it is not about categories
}

// WouldBreak answers which of HR03, HR04, HR05, HR07 and HR26 an act that is not recorded yet would break if it
// were done through traga now (safeguards.md, "Record, then judge"): the exact set, in that order; none for an
// event that shares nothing. OccurredAt must be set: consents and overrides are judged as they stood then. The
// cost does not depend on the length of the history, only on the consents, overrides and requests in it.
func (j *Judge) WouldBreak(e *events.Event) []Finding {
	d, ok := events.DisclosureOf(e.Data)
	if !ok {
		return nil
	}
	a := &act{Event: e, Disclosure: d, moment: moment{at: e.OccurredAt, seq: unrecorded}, data: e.Data}
	var found []Finding
	for _, rule := range [...]struct {
		id     string
		breaks func(*Judge, *act) *breakage
	}{
		{"HR03", healthWithoutBasis}, {"HR04", clinicalDetailToOthers}, {"HR05", beyondNeedToKnow},
		{"HR07", onConsentThatEnded}, {"HR26", transferWithoutGround},
	} {
		if b := rule.breaks(j, a); b != nil {
			s, _ := Find(rule.id)
			found = append(found, Finding{Safeguard: s.ID, Title: s.Title, Explanation: b.why + ".", Categories: b.categories})
		}
	}
	return found
}

// breakage is how one act breaks one safeguard.
type breakage struct {
	why        string // a sentence without its full stop
	categories []events.Category
}

// judgeActs judges those acts of sharing that a safeguard is about, each by the same question that WouldBreak asks.
func (r *record) judgeActs(about func(*act) bool, breaks func(*Judge, *act) *breakage, pass, none string) ruling {
	var t tally
	for i := range r.acts {
		a := &r.acts[i]
		if !about(a) {
			continue
		}
		if b := breaks(r.Judge, a); b != nil {
			t.fail(b.why, a.ID)
		} else {
			t.hold(a.ID)
		}
	}
	return t.sum(pass, none)
}

// HR01, LED 25: every event that shares has purpose, legal basis, a named sender and a named recipient officer or
// institution.
func hr01CompleteDisclosureRecord(r *record) ruling {
	incomplete := func(_ *Judge, a *act) *breakage {
		var lacks []string
		if blank(string(a.Purpose)) {
			lacks = append(lacks, "a purpose")
		}
		if blank(string(a.LegalBasis)) {
			lacks = append(lacks, "a legal basis")
		}
		if blank(a.Actor.Officer) || blank(string(a.Actor.Institution)) {
			lacks = append(lacks, "a named sender")
		}
		nameless := func(p events.Party) bool { return blank(p.Officer) && blank(string(p.Institution)) }
		if len(a.Recipients) == 0 || slices.ContainsFunc(a.Recipients, nameless) {
			lacks = append(lacks, "a named recipient")
		}
		if lacks == nil {
			return nil
		}
		return &breakage{why: "The record of a disclosure by " + name(a.Actor.Party()) + " lacks " + list(lacks)}
	}
	return r.judgeActs(always, incomplete, "Every disclosure is recorded with purpose, legal basis, sender and recipient",
		"Nothing has been shared in this case")
}

// HR03, LED 10, GDPR 9: sharing health or mental-health information ⇒ the legal basis is special-category,
// court-order or vital-interest, or a consent covers category, role and moment, or an authorised override does.
func hr03HealthDataOnASpecialBasis(r *record) ruling {
	aboutHealth := func(a *act) bool { return slices.ContainsFunc(a.Categories, ofHealth) }
	return r.judgeActs(aboutHealth, healthWithoutBasis, "All health information was shared on a special legal basis, a consent that covers it or an authorised override",
		"No health information has been shared in this case")
}

func ofHealth(c events.Category) bool { return c == events.Health || c == events.MentalHealth }

func healthWithoutBasis(j *Judge, a *act) *breakage {
	switch a.LegalBasis {
	case "special-category", "court-order", "vital-interest":
		return nil
	}
	return j.uncovered(a, func(_ events.Party, c events.Category, agreed bool) bool { return !ofHealth(c) || agreed },
		"%s was given to %s without a special legal basis, a consent that covers it or an authorised override")
}

// HR04, EPR 42: clinical content, and every HealthSummaryTransferred ⇒ sender and recipient are prison-health or
// community-health. Clinical content is what is marked so; the health category alone is not clinical.
func hr04ClinicalDetailStaysWithClinicians(r *record) ruling {
	clinical := func(a *act) bool { return a.Clinical }
	return r.judgeActs(clinical, clinicalDetailToOthers, "Clinical details went only from health staff to health staff",
		"No clinical details have been shared in this case")
}

func clinicalDetailToOthers(_ *Judge, a *act) *breakage {
	clinician := func(role events.Role) bool { return role == events.PrisonHealth || role == events.CommunityHealth }
	if !a.Clinical {
		return nil
	}
	if !clinician(a.Actor.Role) {
		return &breakage{"Clinical details were given out by " + name(a.Actor.Party()) + ", which did not act as a health service", healthIn(a)}
	}
	for _, p := range a.Recipients {
		if !clinician(p.Role) {
			return &breakage{"Clinical details were given to " + name(p) + ", which is not a health service", healthIn(a)}
		}
	}
	return nil
}

func healthIn(a *act) []events.Category {
	in := []events.Category{}
	for _, c := range a.Categories {
		if ofHealth(c) {
			in = append(in, c)
		}
	}
	return in
}

// HR05, LED 4: categories shared ⊆ what the role matrix allows the recipient, else an earlier OverrideAuthorised
// with approver ≠ sender. C needs a consent that covers category, role and moment; N a stated need; – and A allow
// nothing; a summary (S) counts as allowed.
func hr05NeedToKnow(r *record) ruling {
	return r.judgeActs(always, beyondNeedToKnow, "Everyone was given only what the need-to-know matrix, a consent or an authorised override allows",
		"Nothing has been shared in this case")
}

func beyondNeedToKnow(j *Judge, a *act) *breakage {
	matrix, need := j.matrix(), j.needStated(a)
	return j.uncovered(a, func(p events.Party, c events.Category, consented bool) bool {
		switch matrix.Cell(p.Role, c) {
		case Full, Summary:
			return true
		case Consent:
			return consented
		case Need:
			return need
		}
		return false
	}, "%s was given to %s beyond what it needs to know, with neither the consent, the stated need nor the earlier override by someone else that would allow it")
}

// uncovered finds the categories that an act gives a recipient although allowed says no and no override of the
// act covers them. allowed is told whether the act's consent covers recipient and category. The sentence takes
// the categories and the first such recipient.
func (j *Judge) uncovered(a *act, allowed func(p events.Party, c events.Category, consented bool) bool, sentence string) *breakage {
	consent, override := j.consentOf(a), j.overrideOf(a)
	var to *events.Party
	var beyond []events.Category
	for i, p := range a.Recipients {
		for _, c := range a.Categories {
			if allowed(p, c, consent.covers(p.Role, c)) || override.covers(p.Role, c) {
				continue
			}
			if to == nil {
				to = &a.Recipients[i]
			}
			if !slices.Contains(beyond, c) {
				beyond = append(beyond, c)
			}
		}
	}
	if to == nil {
		return nil
	}
	return &breakage{fmt.Sprintf(sentence, information(beyond), name(*to)), beyond}
}

// HR06, GDPR 7, LED recital 35: every ConsentGiven: informed, language set, not benefitLinked; what a prison role
// shares on consent alone (the legal basis consent) is health, mental-health, religion or family.
func hr06ConsentFreeAndInformed(r *record) ruling {
	var t tally
	for n, d := range standing[events.ConsentGiven](r.Judge) {
		switch {
		case !d.Informed:
			t.fail("A consent was taken without informing the person", n.ID)
		case blank(d.Language):
			t.fail("A consent does not say in which language the person was informed", n.ID)
		case d.BenefitLinked:
			t.fail("A consent was tied to a benefit and so is not free", n.ID)
		default:
			t.hold(n.ID)
		}
	}
	for i := range r.acts {
		a := &r.acts[i]
		if a.LegalBasis != "consent" || !a.Actor.Role.InPrison() {
			continue
		}
		var beyond []events.Category
		for _, c := range a.Categories {
			if !ofHealth(c) && c != events.Religion && c != events.Family {
				beyond = append(beyond, c)
			}
		}
		if beyond != nil {
			t.fail(information(beyond)+" was shared by "+name(a.Actor.Party())+" on consent alone, which is not enough in prison", a.ID)
		} else {
			t.hold(a.ID)
		}
	}
	return t.sum("Every consent was informed and free, and prison staff shared on consent alone only what may be",
		"No consent was given, and no prison staff shared on consent alone")
}

// HR07, GDPR 7(3): no sharing on a consent after it was withdrawn or had expired. Only the consent named in the
// data counts; it holds to the end of its expires day.
func hr07WithdrawnMeansWithdrawn(r *record) ruling {
	onConsent := func(a *act) bool { return a.Disclosure.Consent != "" }
	return r.judgeActs(onConsent, onConsentThatEnded, "Nothing was shared on a consent that had been withdrawn or had expired",
		"Nothing has been shared on a consent in this case")
}

func onConsentThatEnded(j *Judge, a *act) *breakage {
	c := j.consentOf(a)
	how := "expired"
	switch {
	case c.withdrawn:
		how = "been withdrawn"
	case !c.expired:
		return nil
	}
	to := "nobody"
	if len(a.Recipients) > 0 {
		to = name(a.Recipients[0])
	}
	return &breakage{information(a.Categories) + " was given to " + to + " on a consent that had " + how, slices.Clone(a.Categories)}
}

// HR26, LED 35–38: every JurisdictionTransferInitiated names instrument and ground.
func hr26TransfersAbroadHaveAGround(r *record) ruling {
	transfer := func(a *act) bool { _, ok := a.data.(*events.JurisdictionTransferInitiated); return ok }
	return r.judgeActs(transfer, transferWithoutGround, "Every transfer to another jurisdiction names its instrument and its ground",
		"The case was not transferred to another jurisdiction")
}

func transferWithoutGround(_ *Judge, a *act) *breakage {
	d, ok := a.data.(*events.JurisdictionTransferInitiated)
	if !ok || (!blank(d.Instrument) && !blank(d.Ground)) {
		return nil
	}
	return &breakage{"The case was transferred to another jurisdiction without naming both the legal instrument and the ground", []events.Category{}}
}

func always(*act) bool { return true }
