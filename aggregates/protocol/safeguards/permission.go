package safeguards

import (
	"slices"
	"strings"

	"traga.internal/events"
)

// What may allow an act of sharing: the consent and the override that it names, and the need that it states. Only
// those named in the act's own data count.

// consent is the consent that an act names, as it stood at the moment of the act.
type consent struct {
	given              *events.ConsentGiven // nil when there was none by then
	withdrawn, expired bool
}

// covers reports whether the consent covers category, role and moment.
func (c consent) covers(role events.Role, category events.Category) bool {
	return c.given != nil && !c.withdrawn && !c.expired &&
		slices.Contains(c.given.RecipientRoles, role) && slices.Contains(c.given.Categories, category)
}

func (j *Judge) consentOf(a *act) consent {
	var c consent
	if a.Disclosure.Consent == "" {
		return c
	}
	for n, d := range standing[events.ConsentGiven](j) {
		if d.Consent == a.Disclosure.Consent && n.before(a.moment) {
			c.given = d
		}
	}
	for n, d := range standing[events.ConsentWithdrawn](j) {
		c.withdrawn = c.withdrawn || (d.Consent == a.Disclosure.Consent && n.before(a.moment))
	}
	if c.given != nil && c.given.Expires != 0 {
		c.expired = j.day(a.at) > c.given.Expires // to the end of that day
	}
	return c
}

// override is the override that an act names, nil when it was not authorised before by someone else.
type override struct{ *events.OverrideAuthorised }

// covers reports whether the override covers category and recipient role.
func (o override) covers(role events.Role, category events.Category) bool {
	return o.OverrideAuthorised != nil && o.RecipientRole == role && slices.Contains(o.Categories, category)
}

func (j *Judge) overrideOf(a *act) override {
	var o override
	if a.Disclosure.Override == "" {
		return o
	}
	for n, d := range standing[events.OverrideAuthorised](j) {
		if d.Override == a.Disclosure.Override && n.before(a.moment) && !blank(d.Approver) && !samePerson(d.Approver, a.Actor.Officer) {
			o.OverrideAuthorised = d
		}
	}
	return o
}

// needStated reports whether the act states a need: a justification that is not empty, or the reason of the
// request that it answers.
func (j *Judge) needStated(a *act) bool {
	if !blank(a.Justification) {
		return true
	}
	if _, ok := a.data.(*events.InformationProvided); !ok {
		return false
	}
	for _, d := range standing[events.InformationRequested](j) {
		if d.Request == a.Reference && !blank(d.Reason) {
			return true
		}
	}
	return false
}

// samePerson compares officers' names as typed, whatever the capitals and the spaces around them.
func samePerson(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
