package timeline

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

func sha256Hex(t *testing.T, input string) string {
	b, err := hex.DecodeString(input)
	must(t, err)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// One row per recipient; an institution does not disclose to itself, but its prison treatment does to its health
// service, and someone named twice is told once.
func TestRecipients(t *testing.T) {
	w := tell(t)
	conference := w.say(prison, &events.CaseConferenceHeld{Conference: "cc-1", Attendees: []events.Party{to(prison), to(csw), to(clinic), to(csw)},
		Apologies: []events.Party{to(police)}, Categories: []events.Category{events.Identity, events.Housing}, Actions: []events.ConferenceAction{}})
	var got []Recipient
	for _, s := range w.now().Shares() {
		if s.Event != conference || s.From != (Sender{prison.Institution, prison.Role}) {
			t.Errorf("%+v", s)
		}
		got = append(got, s.To)
	}
	want := []Recipient{{csw.Institution, csw.Role, nil}, {clinic.Institution, clinic.Role, nil}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, expected %v", got, want)
	}
	entry := w.now().Timeline("en", Occurred)[1]
	if !slices.Equal(entry.To, want) || *entry.From != (Sender{prison.Institution, prison.Role}) {
		t.Errorf("the timeline says %v told %v", entry.From, entry.To)
	}
	if k := w.now().Knows(police.Institution); len(k) != 0 {
		t.Errorf("who sent apologies knows %v", k)
	}
}

// A notice is acknowledged by its recipient, a disclosure recalled by anyone, destroyed by who had it; each as it
// occurred, and none by an entry that was annulled.
func TestAftermath(t *testing.T) {
	w := tell(t)
	w.say(prison, notice("n-1", csw))
	w.say(prison, disclosure("n-1", police, events.Risk)) // ids are unique within their kind only
	w.at("2026-03-03T09:00:00+01:00")
	w.say(ngo, &events.NotificationAcknowledged{Notification: "n-1"})
	row := func(who events.Actor) Share {
		t.Helper()
		rows := w.now().Shares()
		i := slices.IndexFunc(rows, func(s Share) bool { return s.To.Institution == who.Institution })
		if i < 0 {
			t.Fatalf("nothing was shared with %s", who.Institution)
		}
		return rows[i]
	}
	is := func(got *time.Time, want string) bool {
		return (got == nil && want == "") || (got != nil && want != "" && got.Equal(instant(want)))
	}
	if s := row(csw); s.AcknowledgedAt != nil {
		t.Error("acknowledged by another institution")
	}
	second := w.at("2026-03-05T09:00:00+01:00").say(csw, &events.NotificationAcknowledged{Notification: "n-1"}, occurred("2026-03-04T09:00:00+01:00"))
	if s := row(csw); !is(s.AcknowledgedAt, "2026-03-04T09:00:00+01:00") {
		t.Error(s.AcknowledgedAt)
	}
	w.say(csw, &events.EntryAnnulled{Target: second, Reason: "another notice"})
	if s := row(csw); s.AcknowledgedAt != nil {
		t.Error("acknowledged by an annulled entry")
	}
	w.at("2026-03-06T09:00:00+01:00").say(prison, &events.DisclosureRecalled{Disclosure: "n-1", Reason: "unlawful"})
	w.at("2026-03-07T09:00:00+01:00").say(prison, &events.DisclosureRecalled{Disclosure: "n-1", Reason: "unlawful"})
	w.at("2026-03-09T09:00:00+01:00").say(police, &events.DisclosureDestructionConfirmed{Disclosure: "n-1"})
	if s := row(police); !is(s.RecalledAt, "2026-03-06T09:00:00+01:00") || !is(s.DestroyedAt, "2026-03-09T09:00:00+01:00") || s.AcknowledgedAt != nil {
		t.Errorf("%+v", s)
	}
	if s := row(csw); s.RecalledAt != nil || s.DestroyedAt != nil {
		t.Error("the notice of the same id was not recalled")
	}
}

// A report that went to two is recalled from both, and destroyed by the one who says so.
func TestRecallOfWhatIsNoDisclosure(t *testing.T) {
	w := tell(t)
	w.say(prison, &events.ReleaseReportIssued{Report: "rr-1", Version: 1, Recipients: []events.Party{to(csw), to(police)}, Categories: []events.Category{events.Risk}})
	w.say(prison, &events.DisclosureRecalled{Disclosure: "rr-1", Reason: "inaccurate"})
	w.say(police, &events.DisclosureDestructionConfirmed{Disclosure: "rr-1"})
	rows := w.now().Shares()
	if len(rows) != 2 || rows[0].RecalledAt == nil || rows[1].RecalledAt == nil || rows[0].DestroyedAt != nil || rows[1].DestroyedAt == nil {
		t.Errorf("%+v", rows)
	}
}

// What is corrected shows as corrected under the original id; what is annulled was never shared.
func TestSharesStand(t *testing.T) {
	w := tell(t)
	id := w.say(prison, notice("n-1", police))
	w.say(prison, &events.EntryCorrected{Target: id, Replacement: []byte(`{"notification":"n-1","subject":"planned-release","recipient":{"institution":"mk-csw-skopje","role":"csw"},
		"categories":["identity","risk"],"channel":"letter"}`), Reason: "wrong row"})
	rows := w.now().Shares()
	if len(rows) != 1 || rows[0].Event != id || rows[0].To.Institution != csw.Institution || !slices.Contains(rows[0].Categories, events.Risk) {
		t.Errorf("%+v", rows)
	}
	if k := w.now().Knows(police.Institution); len(k) != 0 {
		t.Errorf("who was named by mistake knows %v", k)
	}
	first := w.now().Timeline("en", Recorded)[1]
	if first.To[0].Institution != police.Institution || first.CorrectedBy == nil {
		t.Errorf("the timeline does not show the entry as first recorded: %+v", first)
	}
	w.say(prison, &events.EntryAnnulled{Target: id, Reason: "never sent"})
	if c := w.now(); len(c.Shares()) != 0 || len(c.Knows(csw.Institution)) != 0 || c.Timeline("en", Recorded)[1].AnnulledBy == nil {
		t.Error("an annulled share is still shown")
	}
}

// An institution knows a category from its first direct share on, through every direct share and, along
// derivedFrom, the earlier ones that carried it; a recall changes nothing of that.
func TestKnows(t *testing.T) {
	w := tell(t)
	source := w.say(clinic, disclosure("d-0", csw, events.Health, events.Family))
	unrelated := w.say(prison, disclosure("d-x", csw, events.Health))
	w.at("2026-03-03T09:00:00+01:00")
	onward := disclosure("d-1", ngo, events.Family)
	onward.DerivedFrom = "d-0"
	passed := w.say(csw, onward)
	w.at("2026-03-04T09:00:00+01:00")
	further := disclosure("d-2", police, events.Family, events.Identity)
	further.DerivedFrom = "d-1"
	reached := w.say(ngo, further)
	direct := w.say(prison, disclosure("d-3", police, events.Family), occurred("2026-03-02T10:00:00+01:00"))
	w.say(prison, &events.DisclosureRecalled{Disclosure: "d-2", Reason: "unlawful"})

	for who, want := range map[events.Institution][]Knowledge{
		csw.Institution: {{events.Health, instant("2026-03-02T09:00:00+01:00"), []uuid.UUID{source, unrelated}},
			{events.Family, instant("2026-03-02T09:00:00+01:00"), []uuid.UUID{source}}},
		ngo.Institution: {{events.Family, instant("2026-03-03T09:00:00+01:00"), []uuid.UUID{source, passed}}},
		police.Institution: {{events.Identity, instant("2026-03-04T09:00:00+01:00"), []uuid.UUID{reached}},
			{events.Family, instant("2026-03-02T10:00:00+01:00"), []uuid.UUID{source, direct, passed, reached}}},
		"mk-court-skopje": {},
	} {
		got := w.now().Knows(who)
		if !slices.EqualFunc(got, want, func(a, b Knowledge) bool {
			return a.Category == b.Category && a.Since.Equal(b.Since) && slices.Equal(a.Through, b.Through)
		}) {
			t.Errorf("%s knows %v, expected %v", who, got, want)
		}
	}
}

// Two disclosures that each claim to come from the other are no endless chain.
func TestKnowsEnds(t *testing.T) {
	w := tell(t)
	a, b := disclosure("d-1", csw, events.Family), disclosure("d-2", ngo, events.Family)
	a.DerivedFrom, b.DerivedFrom = "d-2", "d-1"
	w.say(prison, a)
	w.say(csw, b)
	if k := w.now().Knows(ngo.Institution); len(k) != 1 || len(k[0].Through) != 2 {
		t.Error(k)
	}
}

// The picture has a lane for each institution that shares or is told, by first appearance, and marks what was
// recalled, recorded late, or breaks a safeguard.
func TestLanes(t *testing.T) {
	w := tell(t)
	w.say(ngo, &events.SupportProvided{Service: "advice"}) // shares nothing: no lane
	w.say(prison, notice("n-1", csw))
	w.at("2026-03-20T09:00:00+01:00")
	bad := w.say(prison, disclosure("d-1", police, events.Health), occurred("2026-03-03T09:00:00+01:00"))
	w.say(prison, &events.DisclosureRecalled{Disclosure: "d-1", Reason: "unlawful"})
	c := w.now()
	p := c.Lanes([]safeguards.Verdict{{Safeguard: "HR03", Verdict: safeguards.Fail, Events: []uuid.UUID{bad}}, {Safeguard: "HR01", Verdict: safeguards.Pass, Events: []uuid.UUID{bad}}})
	var lanes []events.Institution
	for _, l := range p.Lanes {
		lanes = append(lanes, l.Institution)
	}
	if !slices.Equal(lanes, []events.Institution{prison.Institution, csw.Institution, police.Institution}) || !slices.Equal(lanes, c.Institutions()) {
		t.Error(lanes)
	}
	if len(p.Arrows) != 2 || p.Arrows[0].Late || p.Arrows[0].RecalledAt != nil || len(p.Arrows[0].Failing) != 0 ||
		!p.Arrows[1].Late || p.Arrows[1].RecalledAt == nil || !slices.Equal(p.Arrows[1].Failing, []string{"HR03"}) || p.Arrows[1].To != 2 {
		t.Errorf("%+v", p.Arrows)
	}
	if !p.From.Equal(instant("2026-03-02T09:00:00+01:00")) || !p.To.Equal(instant("2026-03-03T09:00:00+01:00")) {
		t.Errorf("from %v to %v", p.From, p.To)
	}
}
