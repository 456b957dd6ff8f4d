package safeguards

import (
	"slices"
	"testing"

	"traga.internal/events"
)

func TestHR01CompleteDisclosureRecord(t *testing.T) {
	share := func(changes ...func(*events.Event)) []*events.Event {
		return []*events.Event{on("2026-03-02", prison, disclosed(csw, nil, events.Identity), append(changes, as("share"))...)}
	}
	thus(t, "HR01", map[string]told{
		"nothing shared: not applicable, never a pass":   {then: NotApplicable},
		"purpose, basis, sender and recipient are named": {given: share(), then: Pass, shownBy: []string{"share"}},
		"no purpose, recorded after the fact":            {given: share(func(e *events.Event) { e.Purpose = "" }), then: Fail, shownBy: []string{"share"}},
		"no legal basis, recorded after the fact":        {given: share(basis("")), then: Fail, shownBy: []string{"share"}},
		"no named sender":                                    {given: share(func(e *events.Event) { e.Actor.Officer = " " }), then: Fail},
		"recipient named by officer alone":                   {given: []*events.Event{on("2026-03-02", prison, disclosed(events.Party{Role: events.CSW, Officer: "l.dimova"}, nil, events.Identity))}, then: Pass},
		"recipient named neither by officer nor institution": {given: []*events.Event{on("2026-03-02", prison, disclosed(events.Party{Role: events.CSW}, nil, events.Identity))}, then: Fail},
		"one of several recipients is not named": {given: []*events.Event{on("2026-03-02", prison, &events.ReleaseReportIssued{Report: "r", Version: 1,
			Recipients: []events.Party{csw, {Role: events.Probation}}, Categories: []events.Category{events.Identity}}, as("report"))}, then: Fail, shownBy: []string{"report"}},
		"an annulled entry is not judged": {given: append(share(basis("")), annul("2026-03-03", "share")), then: NotApplicable, shownBy: []string{}},
	})
}

func TestHR03HealthDataOnlyOnASpecialBasis(t *testing.T) {
	health := func(when string, changes func(*events.InformationDisclosed), more ...func(*events.Event)) *events.Event {
		return on(when, nurse, disclosed(clinic, changes, events.Health), append(more, as("share"))...)
	}
	covering := on("2026-02-01", nurse, consented("c-1", "2026-03-31", []events.Role{events.CommunityHealth}, events.Health), as("consent"))
	thus(t, "HR03", map[string]told{
		"no health information shared":                        {given: []*events.Event{on("2026-03-02", prison, disclosed(csw, nil, events.Identity))}, then: NotApplicable},
		"on the ordinary basis":                               {given: []*events.Event{health("2026-03-02", nil)}, then: Fail, shownBy: []string{"share"}},
		"mental-health on the ordinary basis":                 {given: []*events.Event{on("2026-03-02", nurse, disclosed(clinic, nil, events.MentalHealth))}, then: Fail},
		"special-category":                                    {given: []*events.Event{health("2026-03-02", nil, basis("special-category"))}, then: Pass},
		"court-order":                                         {given: []*events.Event{health("2026-03-02", nil, basis("court-order"))}, then: Pass},
		"vital-interest":                                      {given: []*events.Event{health("2026-03-02", nil, basis("vital-interest"))}, then: Pass},
		"sector-statute is no special basis":                  {given: []*events.Event{health("2026-03-02", nil, basis("sector-statute"))}, then: Fail},
		"the basis consent without one named":                 {given: []*events.Event{covering, health("2026-03-02", nil, basis("consent"))}, then: Fail},
		"a consent that covers it":                            {given: []*events.Event{covering, health("2026-03-02", onConsent("c-1"), basis("consent"))}, then: Pass},
		"on the last day of the consent":                      {given: []*events.Event{covering, health("2026-03-31 23:59", onConsent("c-1"))}, then: Pass},
		"on the day after the consent expired":                {given: []*events.Event{covering, health("2026-04-01 00:00", onConsent("c-1"))}, then: Fail},
		"a consent for another category":                      {given: []*events.Event{on("2026-02-01", nurse, consented("c-1", "", []events.Role{events.CommunityHealth}, events.MentalHealth)), health("2026-03-02", onConsent("c-1"))}, then: Fail},
		"a consent for another role":                          {given: []*events.Event{on("2026-02-01", nurse, consented("c-1", "", []events.Role{events.CSW}, events.Health)), health("2026-03-02", onConsent("c-1"))}, then: Fail},
		"a consent given only afterwards":                     {given: []*events.Event{covering, health("2026-01-15", onConsent("c-1"), recorded("2026-02-02"))}, then: Fail},
		"the consent was given before, though recorded after": {given: []*events.Event{on("2026-02-01", nurse, consented("c-1", "", []events.Role{events.CommunityHealth}, events.Health), recorded("2026-03-09")), health("2026-03-02", onConsent("c-1"))}, then: Pass},
		"a consent withdrawn before":                          {given: []*events.Event{covering, on("2026-02-09", nurse, &events.ConsentWithdrawn{Consent: "c-1"}), health("2026-03-02", onConsent("c-1"))}, then: Fail},
		"the consent was annulled":                            {given: []*events.Event{covering, health("2026-03-02", onConsent("c-1")), annul("2026-03-03", "consent")}, then: Fail},
		"an override by someone else":                         {given: []*events.Event{on("2026-02-01", des, authorised("o-1", "v.trajkovska", events.CommunityHealth, events.Health)), health("2026-03-02", onOverride("o-1"))}, then: Pass},
		"an override that is not named":                       {given: []*events.Event{on("2026-02-01", des, authorised("o-1", "v.trajkovska", events.CommunityHealth, events.Health)), health("2026-03-02", nil)}, then: Fail},
		"an override by the sender":                           {given: []*events.Event{on("2026-02-01", nurse, authorised("o-1", "S.Ilievska ", events.CommunityHealth, events.Health)), health("2026-03-02", onOverride("o-1"))}, then: Fail},
		"an override authorised afterwards":                   {given: []*events.Event{on("2026-03-03", des, authorised("o-1", "v.trajkovska", events.CommunityHealth, events.Health)), health("2026-03-02", onOverride("o-1"))}, then: Fail},
		"a correction that adds health is judged": {given: []*events.Event{on("2026-03-02", prison, disclosed(jobs, nil, events.Identity), as("share")),
			correct("2026-03-04", "share", disclosed(jobs, nil, events.Identity, events.Health))}, then: Fail, shownBy: []string{"share"}},
	})
}

func TestHR04ClinicalDetailStaysWithClinicians(t *testing.T) {
	clinical := func(d *events.InformationDisclosed) { d.Clinical = true }
	summary := func(to events.Party) *events.HealthSummaryTransferred {
		return &events.HealthSummaryTransferred{Disclosure: "d-1", Recipient: to, Categories: []events.Category{events.Health}, Summary: "x"}
	}
	thus(t, "HR04", map[string]told{
		"health alone is not clinical":                            {given: []*events.Event{on("2026-03-02", prison, disclosed(csw, nil, events.Health))}, then: NotApplicable},
		"a health summary to the health centre":                   {given: []*events.Event{on("2026-03-02", nurse, summary(clinic))}, then: Pass},
		"a health summary to social work":                         {given: []*events.Event{on("2026-03-02", nurse, summary(csw), as("share"))}, then: Fail, shownBy: []string{"share"}},
		"clinical content to the prison's nurses":                 {given: []*events.Event{on("2026-03-02", nurse, disclosed(party("mk-prison-tetovo", events.PrisonHealth), clinical, events.Health))}, then: Pass},
		"clinical content from a prison officer":                  {given: []*events.Event{on("2026-03-02", prison, disclosed(clinic, clinical, events.Health))}, then: Fail},
		"clinical content is clinical whatever it is filed under": {given: []*events.Event{on("2026-03-02", nurse, disclosed(csw, clinical, events.Identity))}, then: Fail},
		"an override does not lift it": {given: []*events.Event{on("2026-02-01", des, authorised("o-1", "v.trajkovska", events.CSW, events.Health)),
			on("2026-03-02", nurse, disclosed(csw, func(d *events.InformationDisclosed) { d.Clinical, d.Override = true, "o-1" }, events.Health))}, then: Fail},
	})
}

func TestHR05NeedToKnow(t *testing.T) {
	share := func(to events.Party, changes func(*events.InformationDisclosed), c ...events.Category) []*events.Event {
		return []*events.Event{on("2026-03-02", prison, disclosed(to, changes, c...), as("share"))}
	}
	noNeed := func(d *events.InformationDisclosed) { d.Justification = " " }
	request := on("2026-02-27", prison, &events.InformationRequested{Request: "r-1", From: atPrison, Categories: []events.Category{events.Housing}, Urgency: "normal", Reason: "an address check"}, as("request"))
	provided := on("2026-03-02", prison, &events.InformationProvided{Request: "r-1", Recipient: police, Categories: []events.Category{events.Housing}}, as("share"))
	notice := func(to events.Party, c ...events.Category) []*events.Event {
		return []*events.Event{on("2026-03-02", prison, &events.NotificationSent{Notification: "n", Subject: "planned-release", Recipient: to, Categories: c, Channel: "letter"}, as("share"))}
	}
	override := func(when string, by events.Actor, approver string, role events.Role, c ...events.Category) *events.Event {
		return on(when, by, authorised("o-1", approver, role, c...))
	}
	thus(t, "HR05", map[string]told{
		"nothing shared":                                   {then: NotApplicable},
		"F: all of it":                                     {given: share(csw, nil, events.Family, events.Housing), then: Pass},
		"S: a summary counts as allowed":                   {given: share(police, nil, events.Sentence, events.Risk), then: Pass},
		"–: never, whatever the justification":             {given: share(police, nil, events.Health), then: Fail, shownBy: []string{"share"}},
		"A: the envelope, never the content":               {given: share(dpa, nil, events.Identity), then: Fail},
		"N with a justification":                           {given: share(police, nil, events.Housing), then: Pass},
		"N with a blank justification":                     {given: share(police, noNeed, events.Housing), then: Fail},
		"N with the reason of the request":                 {given: []*events.Event{request, provided}, then: Pass},
		"N when the request was annulled":                  {given: []*events.Event{request, provided, annul("2026-03-03", "request")}, then: Fail},
		"N in a notice, which states no need":              {given: notice(police, events.Housing), then: Fail},
		"C without a consent, though the basis is special": {given: []*events.Event{on("2026-03-02", prison, disclosed(csw, nil, events.Health), basis("special-category"))}, then: Fail},
		"C with a consent that covers it":                  {given: append(share(csw, onConsent("c-1"), events.Health), on("2026-02-01", nurse, consented("c-1", "", []events.Role{events.CSW}, events.Health))), then: Pass},
		"C with an expired consent":                        {given: append(share(csw, onConsent("c-1"), events.Health), on("2026-02-01", nurse, consented("c-1", "2026-03-01", []events.Role{events.CSW}, events.Health))), then: Fail},
		"a consent does not open –":                        {given: append(share(police, onConsent("c-1"), events.Health), on("2026-02-01", nurse, consented("c-1", "", []events.Role{events.Police}, events.Health))), then: Fail},
		"one attendee of a conference may not know":        {given: []*events.Event{on("2026-03-02", prison, &events.CaseConferenceHeld{Conference: "cc", Attendees: []events.Party{csw, jobs}, Categories: []events.Category{events.Risk}}, as("share"))}, then: Fail, shownBy: []string{"share"}},
		"who sent apologies was not there":                 {given: []*events.Event{on("2026-03-02", prison, &events.CaseConferenceHeld{Conference: "cc", Attendees: []events.Party{csw}, Apologies: []events.Party{jobs}, Categories: []events.Category{events.Risk}})}, then: Pass},
		"an earlier override by someone else":              {given: append(share(police, onOverride("o-1"), events.Health), override("2026-03-01", des, "v.trajkovska", events.Police, events.Health)), then: Pass},
		"an override for another role":                     {given: append(share(police, onOverride("o-1"), events.Health), override("2026-03-01", des, "v.trajkovska", events.Court, events.Health)), then: Fail},
		"an override for a part of the categories":         {given: append(share(police, onOverride("o-1"), events.Health, events.Religion), override("2026-03-01", des, "v.trajkovska", events.Police, events.Health)), then: Fail},
		"an override approved by the sender":               {given: append(share(police, onOverride("o-1"), events.Health), override("2026-03-01", prison, "a.petrova", events.Police, events.Health)), then: Fail},
		"an override that nobody approved":                 {given: append(share(police, onOverride("o-1"), events.Health), override("2026-03-01", prison, "", events.Police, events.Health)), then: Fail},
		"an override of a later day":                       {given: append(share(police, onOverride("o-1"), events.Health), override("2026-03-03", des, "v.trajkovska", events.Police, events.Health)), then: Fail},
		"an override for something else is not it":         {given: append(share(police, onOverride("o-2"), events.Health), override("2026-03-01", des, "v.trajkovska", events.Police, events.Health)), then: Fail},
	})
}

func TestHR06ConsentIsFreeAndInformed(t *testing.T) {
	given := func(change func(*events.ConsentGiven)) *events.Event {
		c := consented("c-1", "", []events.Role{events.CSW}, events.Family)
		change(c)
		return on("2026-02-01", prison, c, as("consent"))
	}
	fine := given(func(*events.ConsentGiven) {})
	onBasis := func(by events.Actor, c ...events.Category) *events.Event {
		return on("2026-03-02", by, disclosed(csw, onConsent("c-1"), c...), basis("consent"), as("share"))
	}
	thus(t, "HR06", map[string]told{
		"no consent and nothing shared on one":     {given: []*events.Event{on("2026-03-02", prison, disclosed(csw, nil, events.Identity))}, then: NotApplicable},
		"informed, in a language, free":            {given: []*events.Event{fine}, then: Pass},
		"not informed":                             {given: []*events.Event{given(func(c *events.ConsentGiven) { c.Informed = false })}, then: Fail, shownBy: []string{"consent"}},
		"no language":                              {given: []*events.Event{given(func(c *events.ConsentGiven) { c.Language = "" })}, then: Fail},
		"tied to a benefit":                        {given: []*events.Event{given(func(c *events.ConsentGiven) { c.BenefitLinked = true })}, then: Fail},
		"annulled":                                 {given: []*events.Event{given(func(c *events.ConsentGiven) { c.Informed = false }), annul("2026-02-02", "consent")}, then: NotApplicable},
		"prison shares family on consent alone":    {given: []*events.Event{fine, onBasis(prison, events.Family, events.Religion, events.Health, events.MentalHealth)}, then: Pass},
		"prison shares housing on consent alone":   {given: []*events.Event{fine, onBasis(prison, events.Family, events.Housing)}, then: Fail, shownBy: []string{"share"}},
		"the prison's nurses are in a prison role": {given: []*events.Event{fine, onBasis(nurse, events.Identity)}, then: Fail},
		"social work may share on consent alone":   {given: []*events.Event{fine, onBasis(social, events.Housing)}, then: Pass},
		"with another basis beside the consent":    {given: []*events.Event{fine, on("2026-03-02", prison, disclosed(csw, onConsent("c-1"), events.Housing))}, then: Pass},
	})
}

func TestHR07WithdrawnMeansWithdrawn(t *testing.T) {
	given := on("2026-02-01", prison, consented("c-1", "2026-03-31", []events.Role{events.CSW}, events.Family), as("consent"))
	withdrawn := on("2026-03-18", prison, &events.ConsentWithdrawn{Consent: "c-1"}, as("withdrawal"))
	share := func(when string, changes ...func(*events.Event)) *events.Event {
		return on(when, prison, disclosed(csw, onConsent("c-1"), events.Family), append(changes, as("share"))...)
	}
	thus(t, "HR07", map[string]told{
		"nothing shared on a consent":               {given: []*events.Event{given, withdrawn}, then: NotApplicable},
		"before the withdrawal":                     {given: []*events.Event{given, share("2026-03-18 09:59"), withdrawn}, then: Pass},
		"before the withdrawal, recorded after it":  {given: []*events.Event{given, withdrawn, share("2026-03-17", recorded("2026-03-25"))}, then: Pass},
		"after the withdrawal":                      {given: []*events.Event{given, withdrawn, share("2026-03-18 10:01")}, then: Fail, shownBy: []string{"share"}},
		"at the same instant, recorded after it":    {given: []*events.Event{given, withdrawn, share("2026-03-18")}, then: Fail},
		"after a withdrawal that was recorded late": {given: []*events.Event{given, share("2026-03-20"), on("2026-03-18", prison, &events.ConsentWithdrawn{Consent: "c-1"}, recorded("2026-03-24"))}, then: Fail},
		"the withdrawal was entered in error":       {given: []*events.Event{given, withdrawn, share("2026-03-19"), annul("2026-03-20", "withdrawal")}, then: Pass},
		"on the last day":                           {given: []*events.Event{given, share("2026-03-31 23:59")}, then: Pass},
		"after it expired":                          {given: []*events.Event{given, share("2026-04-01 00:00")}, then: Fail, shownBy: []string{"share"}},
		"expired, on another basis as well":         {given: []*events.Event{given, share("2026-04-02", basis("special-category"))}, then: Fail},
		"another consent was withdrawn":             {given: []*events.Event{given, on("2026-03-18", prison, &events.ConsentWithdrawn{Consent: "c-2"}), share("2026-03-19")}, then: Pass},
		"only the consent named in the data counts": {given: []*events.Event{given, withdrawn, on("2026-03-19", prison, disclosed(csw, nil, events.Family))}, then: NotApplicable},
	})
}

func TestHR26TransfersAbroadHaveAGround(t *testing.T) {
	transfer := func(instrument, ground string) []*events.Event {
		return []*events.Event{on("2026-03-02", des, &events.JurisdictionTransferInitiated{To: "RS", Recipient: party("rs-des", events.Directorate), Instrument: instrument, Ground: ground, Categories: []events.Category{events.Identity}}, as("transfer"))}
	}
	thus(t, "HR26", map[string]told{
		"no transfer":           {then: NotApplicable},
		"instrument and ground": {given: transfer("bilateral treaty", "the person's own request"), then: Pass, shownBy: []string{"transfer"}},
		"no instrument":         {given: transfer(" ", "the person's own request"), then: Fail, shownBy: []string{"transfer"}},
		"no ground":             {given: transfer("bilateral treaty", ""), then: Fail},
	})
}

// What is done through traga now and would break one of the five is refused with the exact set (safeguards.md,
// "Record, then judge" and the settled points).
func TestWouldBreakNamesTheExactSet(t *testing.T) {
	history := []*events.Event{
		on("2026-02-01 09:00", nurse, consented("c-health", "2026-03-31", []events.Role{events.CSW, events.CommunityHealth}, events.Health)),
		on("2026-02-01 09:01", prison, consented("c-gone", "", []events.Role{events.CSW, events.CivilSociety}, events.Family, events.Health)),
		on("2026-02-02", prison, &events.ConsentWithdrawn{Consent: "c-gone"}),
		on("2026-02-03 09:00", des, authorised("o-des", "v.trajkovska", events.Employment, events.Health, events.Risk)),
		on("2026-02-03 09:01", prison, authorised("o-self", "a.petrova", events.Employment, events.Health)),
		on("2026-02-04", prison, &events.InformationRequested{Request: "r-1", From: atPrison, Categories: []events.Category{events.Health}, Urgency: "normal", Reason: "the appeal"}),
	}
	j := judge(history)
	with := func(consent, override events.ID, clinical bool) func(*events.InformationDisclosed) {
		return func(d *events.InformationDisclosed) { d.Consent, d.Override, d.Clinical = consent, override, clinical }
	}
	special := basis("special-category")
	day := "2026-03-10"
	for name, c := range map[string]struct {
		act  *events.Event
		want []string
	}{
		"lawful":                          {on(day, prison, disclosed(csw, nil, events.Identity)), nil},
		"shares nothing":                  {on(day, prison, &events.CaseClosed{Reason: "x"}), nil},
		"health to police":                {on(day, prison, disclosed(police, nil, events.Health)), []string{"HR03", "HR05"}},
		"clinical to employment":          {on(day, prison, disclosed(jobs, with("", "", true), events.Health)), []string{"HR03", "HR04", "HR05"}},
		"health with a consent":           {on(day, nurse, disclosed(csw, with("c-health", "", false), events.Health)), nil},
		"special basis, C, no consent":    {on(day, nurse, disclosed(csw, nil, events.Health), special), []string{"HR05"}},
		"F cell on a withdrawn consent":   {on(day, prison, disclosed(csw, onConsent("c-gone"), events.Family), basis("consent")), []string{"HR07"}},
		"C cell on a withdrawn consent":   {on(day, prison, disclosed(ngo, onConsent("c-gone"), events.Family), basis("consent")), []string{"HR05", "HR07"}},
		"health on a withdrawn consent":   {on(day, prison, disclosed(csw, onConsent("c-gone"), events.Health), basis("consent")), []string{"HR03", "HR05", "HR07"}},
		"consent on its last day":         {on("2026-03-31 23:30", nurse, disclosed(csw, onConsent("c-health"), events.Health)), nil},
		"consent expired":                 {on("2026-04-01 00:30", nurse, disclosed(csw, onConsent("c-health"), events.Health)), []string{"HR03", "HR05", "HR07"}},
		"expired, special basis":          {on("2026-04-01 00:30", nurse, disclosed(csw, onConsent("c-health"), events.Health), special), []string{"HR05", "HR07"}},
		"override lifts HR03 and HR05":    {on(day, prison, disclosed(jobs, onOverride("o-des"), events.Health, events.Risk)), nil},
		"override does not lift HR04":     {on(day, prison, disclosed(jobs, with("", "o-des", true), events.Health)), []string{"HR04"}},
		"override does not lift HR07":     {on(day, prison, disclosed(jobs, with("c-gone", "o-des", false), events.Health)), []string{"HR07"}},
		"override by the sender":          {on(day, prison, disclosed(jobs, onOverride("o-self"), events.Health)), []string{"HR03", "HR05"}},
		"the same, sent by someone else":  {on(day, nurse, disclosed(jobs, onOverride("o-self"), events.Health)), nil},
		"override for another role":       {on(day, prison, disclosed(police, onOverride("o-des"), events.Health)), []string{"HR03", "HR05"}},
		"override of a later moment":      {on("2026-02-03 08:59", prison, disclosed(jobs, onOverride("o-des"), events.Risk)), []string{"HR05"}},
		"need stated by the request":      {on(day, prison, &events.InformationProvided{Request: "r-1", Recipient: court, Categories: []events.Category{events.Health}}, special), nil},
		"a need is no special basis":      {on(day, prison, disclosed(court, nil, events.Health)), []string{"HR03"}},
		"no need stated":                  {on(day, prison, &events.NotificationSent{Recipient: court, Categories: []events.Category{events.Health}}, special), []string{"HR05"}},
		"to data protection":              {on(day, prison, disclosed(dpa, nil, events.Identity)), []string{"HR05"}},
		"transfer without a ground":       {on(day, des, &events.JurisdictionTransferInitiated{To: "RS", Recipient: party("rs-des", events.Directorate), Instrument: "treaty", Categories: []events.Category{events.Identity}}), []string{"HR26"}},
		"transfer with health, no ground": {on(day, des, &events.JurisdictionTransferInitiated{To: "RS", Recipient: party("rs-des", events.Directorate), Categories: []events.Category{events.Health}}), []string{"HR03", "HR05", "HR26"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range j.WouldBreak(c.act) {
				got = append(got, f.Safeguard)
				if f.Categories == nil || f.Title == "" || f.Explanation == "" {
					t.Errorf("incomplete finding %+v", f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("would break %v, expected %v", got, c.want)
			}
		})
	}
}

// A jurisdiction's own matrix takes the place of the shipped one.
func TestTheMatrixCanBeChangedPerJurisdiction(t *testing.T) {
	strict := &NeedToKnow{}
	act := on("2026-03-02", prison, disclosed(csw, nil, events.Identity))
	for name, c := range map[string]struct {
		own  *NeedToKnow
		want int
	}{"the shipped one": {nil, 0}, "one that allows nothing": {strict, 1}} {
		j := NewJudge(nil, Under(func(events.Jurisdiction) *NeedToKnow { return c.own }))
		if got := len(j.WouldBreak(act)); got != c.want {
			t.Errorf("%s: %d findings, expected %d", name, got, c.want)
		}
	}
}
