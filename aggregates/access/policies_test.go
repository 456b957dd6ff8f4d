package access_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/aggregates/access"
	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

const number = "MK-2026-0001"

var opened = time.Date(2026, 1, 12, 9, 0, 0, 0, time.UTC)

// given is a case with these entries, one an hour; the first is its opening by the prison.
func given(more ...*events.Event) *history.History {
	h := new(history.History)
	all := append([]*events.Event{entry(prison, &events.CaseOpened{Subject: "s-1", Name: "A Name", Institution: "mk-prison-idrizovo", Reason: "convicted"})}, more...)
	for i, e := range all {
		e.Revision, e.OccurredAt = uint64(i), opened.Add(time.Duration(i)*time.Hour)
		e.RecordedAt = e.OccurredAt
		h.Evolve(e)
	}
	return h
}

func entry(by events.Actor, data any) *events.Event {
	k := typeOf(data)
	return &events.Event{ID: events.DeriveID(k, time.Now().String()), Type: k, Case: number, Jurisdiction: "MK", Actor: by, Data: data}
}

func typeOf(data any) string {
	for _, k := range events.Standard().Kinds() {
		if k.DataType() == typeOfPointer(data) {
			return k.Type
		}
	}
	panic("no such type")
}

var (
	prison = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	csw    = events.Actor{Officer: "b.stojanova", Role: events.CSW, Institution: "mk-csw-skopje"}
)

func officer(role events.Role) events.Actor {
	return events.Actor{Officer: "x", Role: role, Institution: "mk-office"}
}

// told makes an institution a part of the case by telling it something.
func told(role events.Role, i events.Institution) *events.Event {
	return entry(prison, &events.NotificationSent{Notification: events.ID("n-" + string(i)), Subject: "planned-release", Channel: "letter",
		Recipient: events.Party{Institution: i, Role: role}, Categories: []events.Category{events.Identity}})
}

// The shipped policies and the matrix of the safeguards are one truth: for every role and category the policy of that
// cell gives what the cell says, and is the one that is named.
func TestThePoliciesAreTheNeedToKnowMatrix(t *testing.T) {
	policies := access.Shipped()
	matrix := safeguards.Matrix()
	if len(matrix.Roles()) != 17 || len(matrix.Categories()) != 12 {
		t.Fatalf("the matrix has %d roles and %d categories", len(matrix.Roles()), len(matrix.Categories()))
	}
	for _, role := range matrix.Roles() {
		for _, category := range matrix.Categories() {
			consent := entry(prison, &events.ConsentGiven{Consent: "c", Categories: []events.Category{category}, RecipientRoles: []events.Role{role}, Informed: true, Language: "mk"})
			for _, need := range []string{"", "  ", "the hearing on Monday"} {
				for _, consented := range []bool{false, true} {
					h := given(told(role, "mk-office"))
					if consented {
						h = given(told(role, "mk-office"), consent)
					}
					d := policies.Decide(access.Viewer{Actor: officer(role), Justification: need}, access.CaseOf(h), opened.AddDate(0, 0, 1))
					if !d.Open {
						t.Fatalf("%s can't open a case that it was told of: %v", role, d.Policies)
					}
					cell := matrix.Cell(role, category)
					want := map[safeguards.Cell]access.Level{safeguards.Full: access.InFull, safeguards.Summary: access.Summarised}[cell]
					stated := strings.TrimSpace(need) != ""
					if cell == safeguards.Consent && consented || cell == safeguards.Need && stated {
						want = access.InFull
					}
					if got := d.Level(category); got != want {
						t.Errorf("%s sees %s at level %d, want %d by cell %s (consent %t, need %q)", role, category, got, want, cell, consented, need)
					}
					if id := string(role) + "." + string(category); (want != access.Nothing || cell == safeguards.Never || cell == safeguards.Audit) && !slices.Contains(d.Policies, id) {
						t.Errorf("%s, %s: the policies that decided are %v, without %s", role, category, d.Policies, id)
					}
					if slices.Contains(d.Unstated, category) != (cell == safeguards.Need && !stated) {
						t.Errorf("%s, %s: more for a stated need: %v", role, category, d.Unstated)
					}
				}
			}
		}
	}
}

// Nothing is shown where there is no part in the case and no mandate; a mandate ends at the border.
func TestOnlyInstitutionsWithAPartOrAMandateOpenACase(t *testing.T) {
	policies := access.Shipped()
	c := access.CaseOf(given(told(events.CSW, csw.Institution)))
	mandate := []events.Role{events.Directorate, events.Court, events.Coordinator, events.Ombudsman, events.DataProtection}
	for _, role := range events.Roles() {
		if role == events.System {
			continue
		}
		for i, want := range map[events.Institution]bool{csw.Institution: true, "mk-elsewhere": slices.Contains(mandate, role), "rs-elsewhere": false, "elsewhere": false} {
			d := policies.Decide(access.Viewer{Actor: events.Actor{Officer: "x", Role: role, Institution: i}, Justification: "why"}, c, opened)
			if d.Open != want {
				t.Errorf("%s of %s opens the case: %t by %v", role, i, d.Open, d.Policies)
			}
			if len(d.Policies) == 0 {
				t.Errorf("%s of %s: no policy is named", role, i)
			}
			for _, category := range events.Categories() {
				if !want && d.Level(category) != access.Nothing {
					t.Errorf("%s of %s sees %s of a case that it may not open", role, i, category)
				}
			}
		}
	}
	owner := policies.Decide(access.Viewer{Actor: events.Actor{Officer: "owner", Role: events.System, Institution: "traga"}}, c, opened)
	for _, category := range events.Categories() {
		if owner.Level(category) != access.InFull {
			t.Errorf("the owner does not see %s", category)
		}
	}
}

// Who has a part: those told, asked, holding or acting; not who only asks, nor who was told by mistake.
func TestWhoHasAPartInACase(t *testing.T) {
	party := func(i events.Institution) events.Party { return events.Party{Institution: i, Role: events.CSW} }
	wrong := entry(prison, &events.InformationDisclosed{Disclosure: "d-1", Recipient: party("mk-wrong"), Categories: []events.Category{events.Identity}, Justification: "x"})
	byMistake := told(events.CSW, "mk-annulled")
	for _, c := range []struct {
		name string
		more []*events.Event
		want []events.Institution
	}{
		{"opening it", nil, []events.Institution{"mk-prison-idrizovo"}},
		{"being told", []*events.Event{told(events.CSW, "mk-csw-skopje")}, []events.Institution{"mk-csw-skopje", "mk-prison-idrizovo"}},
		{"acting", []*events.Event{entry(csw, &events.SupportProvided{Service: "x"})}, []events.Institution{"mk-csw-skopje", "mk-prison-idrizovo"}},
		{"only asking", []*events.Event{entry(csw, &events.InformationRequested{Request: "r", From: party("mk-asked")})}, []events.Institution{"mk-asked", "mk-prison-idrizovo"}},
		{"taking the person in", []*events.Event{entry(prison, &events.PrisonTransferred{From: "mk-prison-idrizovo", To: "mk-prison-tetovo"})}, []events.Institution{"mk-prison-idrizovo", "mk-prison-tetovo"}},
		{"told by mistake, called back, and confirming that", []*events.Event{wrong, entry(prison, &events.DisclosureRecalled{Disclosure: "d-1", Reason: "wrong-recipient"}),
			entry(events.Actor{Officer: "y", Role: events.CSW, Institution: "mk-wrong"}, &events.DisclosureDestructionConfirmed{Disclosure: "d-1"})}, []events.Institution{"mk-prison-idrizovo"}},
		{"a telling that was annulled", []*events.Event{byMistake, entry(prison, &events.EntryAnnulled{Target: byMistake.ID})}, []events.Institution{"mk-prison-idrizovo"}},
		{"traga itself", []*events.Event{entry(events.Actor{Officer: "traga", Role: events.System, Institution: "traga"}, &events.ObligationOverdue{})}, []events.Institution{"mk-prison-idrizovo"}},
	} {
		if got := access.Parts(given(c.more...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A consent counts from when it was given until it is withdrawn, and to the end of its last day.
func TestAConsentCountsWhileItStands(t *testing.T) {
	day, err := events.ParseDate("2026-02-01")
	if err != nil {
		t.Fatal(err)
	}
	give := entry(prison, &events.ConsentGiven{Consent: "c", Categories: []events.Category{events.Health}, RecipientRoles: []events.Role{events.CSW}, Informed: true, Language: "mk", Expires: day})
	withdraw := entry(prison, &events.ConsentWithdrawn{Consent: "c"})
	policies := access.Shipped()
	sees := func(h *history.History, at time.Time) bool {
		d := policies.Decide(access.Viewer{Actor: csw}, access.CaseOf(h), at)
		return d.Level(events.Health) == access.InFull
	}
	h := given(told(events.CSW, csw.Institution), give)
	for at, want := range map[string]bool{"2026-01-12T10:59:59Z": false, "2026-01-12T11:00:00Z": true, "2026-02-01T22:59:59Z": true, "2026-02-01T23:00:00Z": false} {
		instant, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := sees(h, instant); got != want {
			t.Errorf("at %s: %t, want %t", at, got, want)
		}
	}
	if sees(given(told(events.CSW, csw.Institution), give, withdraw), opened.Add(3*time.Hour)) {
		t.Error("health is shown on a consent that was withdrawn")
	}
	if sees(given(told(events.CSW, csw.Institution), give, entry(prison, &events.EntryAnnulled{Target: give.ID})), opened.Add(4*time.Hour)) {
		t.Error("health is shown on a consent that was annulled")
	}
}

// What is printed for people can be put in the place of what is shipped, and says the same.
func TestThePrintedPoliciesAreThePolicies(t *testing.T) {
	printed := access.Shipped().Text("")
	if strings.Count(printed, "@id(") < 17*12+10 || !strings.Contains(printed, "// HR24, OPCAT 21") {
		t.Errorf("not all is printed:\n%s", printed)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "all.cedar"), []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := access.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`(?s)@id\("[^"]+"\).*?;`)
	mine, theirs := ids.FindAllString(printed, -1), ids.FindAllString(again.Text("MK"), -1)
	slices.Sort(mine)
	slices.Sort(theirs)
	if !slices.Equal(mine, theirs) {
		t.Errorf("%d policies became %d", len(mine), len(theirs))
	}
}

// A jurisdiction puts policies of its own in the place of the shipped ones; what can't be used is refused with its place.
func TestAJurisdictionHasPoliciesOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("AL/municipality.cedar", `@id("municipality.sentence") permit (principal in Role::"municipality", action == Action::"see-summary", resource == Category::"sentence");`)
	policies, err := access.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for j, want := range map[events.Jurisdiction]access.Level{"AL": access.Summarised, "MK": access.Nothing} {
		d := policies.ForList(access.Viewer{Actor: events.Actor{Role: events.Municipality, Institution: "x"}}, j, true)
		if got := d.Level(events.Sentence); got != want {
			t.Errorf("a municipality sees the sentence in %s at level %d, want %d", j, got, want)
		}
		if text := policies.Text(j); strings.Contains(text, "AL/municipality.cedar") != (j == "AL") || !strings.Contains(text, `@id("csw.health")`) {
			t.Errorf("the text for %s does not show what is in force", j)
		}
	}
	for name, wrong := range map[string]string{
		"no id":             `permit (principal, action, resource);`,
		"no such role":      `@id("x") permit (principal in Role::"cws", action, resource);`,
		"no such category":  `@id("x") permit (principal, action, resource == Category::"helth");`,
		"no such action":    `@id("x") permit (principal, action == Action::"look", resource);`,
		"no such type":      `@id("x") permit (principal == Person::"x", action, resource);`,
		"the same id twice": `@id("x") permit (principal, action, resource); @id("x") forbid (principal, action, resource);`,
		"no Cedar":          `permit everything`,
	} {
		write("MK/own.cedar", wrong)
		_, err := access.Load(dir)
		var policy *access.PolicyError
		if !errors.As(err, &policy) || !strings.Contains(policy.File, "MK/own.cedar") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A policy that can't be evaluated denies, also where it would only add.
	write("MK/own.cedar", `@id("x") permit (principal, action, resource) when { principal.rank > 3 };`)
	if policies, err = access.Load(dir); err != nil {
		t.Fatal(err)
	}
	if d := policies.Decide(access.Viewer{Actor: prison}, access.CaseOf(given()), opened); d.Open {
		t.Error("a case is open although a policy could not be evaluated")
	}
	if err := os.MkdirAll(filepath.Join(dir, "Macedonia"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Load(dir); err == nil {
		t.Error("a folder that is no jurisdiction is accepted")
	}
}
