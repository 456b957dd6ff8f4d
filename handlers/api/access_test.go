package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/access/accesstest"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/projections/accesslog"
	"traga.internal/projections/status"
	"traga.internal/projections/timeline"
)

// planted puts a planted case into the store, beside the write path, and waits until it can be read everywhere.
func (s *service) planted(number string, consent bool) []accesstest.Mark {
	s.t.Helper()
	stream, marks := accesstest.Stream(number, s.clock.Now(), consent)
	for _, e := range stream {
		p, err := events.Encode(e)
		if err == nil {
			_, err = s.store.Append(s.t.Context(), e.Stream, events.Any, p)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.clock.pass(24 * time.Hour)
	s.settle()
	return marks
}

// settle waits until the read models have come to the end of the log.
func (s *service) settle() {
	s.t.Helper()
	if err := s.engine.WaitFor(s.t.Context(), events.At(s.head())); err != nil {
		s.t.Fatal(err)
	}
}

// eventOf is the id of the first event of a type in a planted case.
func (s *service) eventOf(number, eventType string) uuid.UUID {
	s.t.Helper()
	for r, err := range s.store.ReadStream(s.t.Context(), events.CaseStream(number), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Type == eventType {
			return r.ID
		}
	}
	s.t.Fatalf("no %s", eventType)
	return uuid.Nil
}

// The need-to-know matrix, cell by cell, against the running API: a map of needs has a note under each category, and
// whoever reads it, for whatever purpose, with and without a stated need and a consent, is shown exactly what the cell says.
func TestEveryCellOfTheMatrixForEveryPurpose(t *testing.T) {
	s := serve(t)
	const without, with = "MK-2026-0001", "MK-2026-0002"
	s.planted(without, false)
	s.planted(with, true)
	purposes := append([]events.Purpose{""}, events.Purposes()...)
	matrix, asked := safeguards.Matrix(), 0
	for _, number := range []string{without, with} {
		address := "/v1/events/" + s.eventOf(number, "NeedsMapDrafted").String()
		for _, role := range matrix.Roles() {
			for _, purpose := range purposes {
				for _, need := range []string{"", "the hearing on Monday"} {
					header := as(accesstest.Office(role), "Traga-Purpose", string(purpose), "Traga-Justification", need)
					shown := read[api.Record](s, address, header...)
					var needs struct {
						Needs []struct {
							Domain      events.Category
							Level, Note json.RawMessage
						}
					}
					if err := json.Unmarshal(shown.Data, &needs); err != nil || len(needs.Needs) != len(events.Categories()) {
						t.Fatalf("%v: %s", err, shown.Data)
					}
					for _, n := range needs.Needs {
						asked++
						cell := matrix.Cell(role, n.Domain)
						full := cell == safeguards.Full || cell == safeguards.Need && need != "" || cell == safeguards.Consent && number == with
						note, level := strings.Contains(string(n.Note), "MARK-"), string(n.Level) == `"none"`
						if note != full || level != (full || cell == safeguards.Summary) {
							t.Errorf("%s, %s (%s), purpose %q, need %q, consent %t: the note is shown: %t, the level: %t", role, n.Domain, cell, purpose, need, number == with, note, level)
						}
						if !full && (!strings.Contains(string(n.Note), `"reason":"hidden","category":"`+string(n.Domain)+`","ask":"`)) {
							t.Errorf("%s, %s: in its place stands %s", role, n.Domain, n.Note)
						}
					}
				}
			}
		}
	}
	if asked != 2*17*8*2*12 {
		t.Errorf("%d cells were asked for", asked)
	}
}

// addresses are all that can be read, from the OpenAPI document, filled in for a case.
func (s *service) addresses(number string) []string {
	s.t.Helper()
	var ids []string
	for r, err := range s.store.ReadStream(s.t.Context(), events.CaseStream(number), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, r.ID.String())
	}
	var duties []string
	for _, o := range read[[]timeline.Obligation](s, "/v1/cases/"+number+"/obligations") {
		duties = append(duties, o.Obligation)
	}
	fill := map[string][]string{"{n}": {number}, "{id}": ids, "{obligation}": duties, "{j}": {"MK"}, "{t}": {"CaseOpened"}}
	more := map[string][]string{"/v1/cases/{n}/knows": {"?who=mk-csw"}, "/v1/cases/{n}/diff": {"?from=1", "?from=5&to=40"}, "/v1/cases/{n}/timeline": {"", "?order=recorded&lang=mk", "?at=60"},
		"/v1/cases/{n}": {"", "?at=60"}, "/v1/safeguards": {"", "?case=" + number, "?verdict=fail", "?safeguard=HR24"}, "/v1/cases": {"", "?q=MK", "?at=60"}, "/v1/feed": {"?limit=1000"}, "/v1/access": {"?jurisdiction=MK", "?jurisdiction=MK&kind=denied"}}
	var all []string
	for path, item := range s.doc.paths() {
		if item.(map[string]any)["get"] == nil || path == "/v1/stream" || path == "/metrics" {
			continue
		}
		paths := []string{path}
		for place, values := range fill {
			var filled []string
			for _, p := range paths {
				if !strings.Contains(p, place) {
					filled = append(filled, p)
					continue
				}
				for _, v := range values {
					filled = append(filled, strings.Replace(p, place, v, 1))
				}
			}
			paths = filled
		}
		queries := more[path]
		if queries == nil {
			queries = []string{""}
		}
		if strings.HasSuffix(path, "/causes") { // these are shown by the same call as single events
			paths = paths[:5]
		}
		for _, p := range paths {
			for _, q := range queries {
				all = append(all, p+q)
			}
		}
	}
	slices.Sort(all)
	return all
}

// A crawl of everything that can be asked of the API, as an officer of every role: no answer holds a mark of a category that
// the role may not see in full, and no prison role finds a trace of a contact with the monitor.
func TestNoAnswerHoldsWhatTheReaderMayNotSee(t *testing.T) {
	s := serve(t)
	marks := s.planted(number, false)
	addresses := s.addresses(number)
	if len(addresses) < 150 {
		t.Fatalf("only %d addresses", len(addresses))
	}
	matrix := safeguards.Matrix()
	for _, role := range matrix.Roles() {
		actor := accesstest.Office(role)
		full := func(c events.Category) bool { return matrix.Cell(role, c) == safeguards.Full }
		forNeed := func(c events.Category) bool { return full(c) || matrix.Cell(role, c) == safeguards.Need }
		look := func(where string, body []byte, itself string, full func(events.Category) bool) (shown int) {
			for _, m := range marks {
				// An address that names an event is answered with the name, also to say that there is none.
				if !strings.Contains(string(body), m.Text) || strings.Contains(itself, m.Text) {
					continue
				}
				if shown++; m.Forbids(role, full) {
					t.Errorf("%s: %s finds %s (%v)", where, role, m.Text, m.Categories)
				}
			}
			return shown
		}
		found, denied := 0, 0
		for _, path := range addresses {
			a := s.get(path, as(actor)...)
			switch {
			case a.status == http.StatusForbidden && (strings.Contains(path, "/access") || strings.Contains(path, "/proof")):
				denied++
			case a.status != http.StatusOK && a.status != http.StatusNotFound:
				t.Errorf("%s for %s: %d %s", path, role, a.status, a.body)
			}
			found += look(path, a.body, path, full)
		}
		order := s.ask(http.MethodPost, "/v1/exports", `{"case":"`+number+`","format":"json","recipient":"r","justification":"j"}`, as(actor, "Content-Type", "application/json")...)
		if order.status != http.StatusOK {
			t.Errorf("an export for %s: %d %s", role, order.status, order.body)
		}
		look("an export", order.body, "", forNeed) // it states why
		if role != events.DataProtection && found == 0 {
			t.Errorf("%s finds nothing at all", role)
		}
		c := s.listen("?after=0", as(actor)...)
		for _, n := range c.notices(20) {
			text, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			look("the live stream", text, "", full)
		}
		c.stop()
		problem := s.ask(http.MethodPost, "/v1/cases/"+number+"/events:check", strings.Replace(notice("n-csw"), "mk-csw-skopje", "MARK", 1), as(actor)...)
		look("a refusal", problem.body, "", full)
	}
}

// The live stream and the feed tell a prison role of everything but contacts with the monitor, and an institution without
// a part in the case of nothing, until it has one.
func TestWhoMayFollowMayKnow(t *testing.T) {
	s := serve(t)
	s.planted(number, false)
	types := func(a events.Actor) map[string]int {
		counts := map[string]int{}
		for _, n := range feed(s, as(a)...) {
			counts[n.Type]++
		}
		return counts
	}
	outside := events.Actor{Officer: "x", Role: events.CSW, Institution: "mk-elsewhere"}
	all, prison := types(accesstest.Office(events.Ombudsman)), types(accesstest.Office(events.PrisonHealth))
	if all["MonitoringContactHeld"] != 1 || prison["MonitoringContactHeld"] != 0 || all["EntryCorrected"] != prison["EntryCorrected"]+1 || all["CaseOpened"] != 1 || prison["CaseOpened"] != 1 {
		t.Errorf("of %v a prison is told %v", all, prison)
	}
	if got := types(outside); len(got) != 0 {
		t.Errorf("an institution without a part is told %v", got)
	}
	c := s.listen("?after=0", as(outside)...)
	told := strings.Replace(notice("n-new"), "mk-csw-skopje", string(outside.Institution), 1)
	s.record(number, told)
	if n := c.notices(1)[0]; n.Type != "NotificationSent" && n.Type != "CaseOpened" {
		t.Errorf("%+v", n)
	}
	s.settle()
	if got := types(outside); got["CaseOpened"] != 1 || got["MonitoringContactHeld"] != 1 {
		t.Errorf("an institution with a part is told %v", got)
	}
}

// feed reads the whole feed.
func feed(s *service, header ...string) []api.Notice {
	s.t.Helper()
	var all []api.Notice
	for path := "/v1/feed?limit=50"; ; {
		a := s.get(path, header...)
		page := decode[[]api.CloudEvent](s.t, a, http.StatusOK)
		if len(page) == 0 {
			return all
		}
		for _, e := range page {
			all = append(all, e.Data)
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
}

// What is kept from a prison leaves no trace in what it is shown: no entry, no count, no verdict. The ETag stays that of
// the case, so that a prison can write.
func TestAPrisonSeesTheCaseAsIfTheMonitorHadNotCome(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	treatment := events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	monitor := `"actor":{"officer":"o.o","role":"ombudsman","institution":"mk-ombudsman"}`
	before := string(s.get("/v1/cases/"+number+"/timeline", as(treatment)...).body)
	verdicts := string(s.get("/v1/safeguards?case="+number, as(treatment)...).body)
	contact := s.record(number, `{"type":"MonitoringContactHeld",`+monitor+`,"data":{"contact":"m-1"},"occurredAt":"2026-01-05T09:00:00Z","afterTheFact":true}`)
	for what, want := range map[string]string{"/v1/cases/" + number + "/timeline": before, "/v1/safeguards?case=" + number: verdicts} {
		if got := string(s.get(what, as(treatment)...).body); got != want {
			t.Errorf("%s:\n%s\nwas\n%s", what, got, want)
		}
	}
	s.settle()
	list := s.get("/v1/safeguards", as(treatment)...)
	if !strings.Contains(string(list.body), `"safeguard":"HR24","title":"Monitoring contact confidential","verdict":"hidden"`) || strings.Contains(string(list.body), contact.ID.String()) {
		t.Errorf("%s", list.body)
	}
	for _, verdict := range []string{"pass", "fail", "open", "not-applicable"} {
		if a := s.get("/v1/safeguards?safeguard=HR24&verdict="+verdict, as(treatment)...); string(a.body) != "[]\n" {
			t.Errorf("HR24, %s: %s", verdict, a.body)
		}
	}
	row := read[[]status.Case](s, "/v1/cases", as(treatment)...)[0]
	if position := read[timeline.Summary](s, "/v1/cases/"+number, as(treatment)...).Position; row.Position == contact.Position || !row.ChangedAt.Before(contact.RecordedAt) || position == contact.Position {
		t.Errorf("the list tells when something was recorded: %+v, %s", row, position)
	}
	if a := s.get("/v1/cases/"+number, as(treatment)...); a.header.Get("ETag") != `"1"` {
		t.Errorf("the ETag is %s", a.header.Get("ETag"))
	}
	problemIs(t, s.get("/v1/events/"+contact.ID.String(), as(treatment)...), http.StatusNotFound, "not-found", "")
	looks := read[[]accesslog.Entry](s, "/v1/cases/"+number+"/access", as(events.Actor{Officer: "o.o", Role: events.Ombudsman, Institution: "mk-ombudsman"})...)
	if i := slices.IndexFunc(looks, func(l accesslog.Entry) bool { return l.Kind == accesslog.Denied }); i < 0 || looks[i].View != "entry" || looks[i].Actor != treatment {
		t.Errorf("that a prison asked for it is not on record: %+v", looks)
	}
	read[api.Record](s, "/v1/events/"+contact.ID.String(), as(events.Actor{Officer: "o.o", Role: events.Ombudsman, Institution: "mk-ombudsman"})...)
	for _, v := range read[[]safeguards.Verdict](s, "/v1/safeguards?safeguard=HR24&case="+number) {
		if v.Verdict != safeguards.Pass {
			t.Errorf("HR24 after all that: %+v", v)
		}
	}
}

// Every look is on record before it is answered: who, what, why and by which policies; refused looks too; a list is one
// entry that names the query.
func TestWhoLookedWhenAndWhy(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	s.record(number, notice("n-1"))
	s.settle()
	social := events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "mk-csw-skopje"}
	outside := events.Actor{Officer: "x.y", Role: events.CSW, Institution: "mk-csw-bitola"}
	ombudsman := events.Actor{Officer: "o.o", Role: events.Ombudsman, Institution: "mk-ombudsman"}
	abroad := events.Actor{Officer: "o.rs", Role: events.Ombudsman, Institution: "rs-ombudsman"}
	s.get("/v1/cases/"+number+"/timeline?at=1", as(social, "Traga-Justification", "UTF-8''%D0%BF%D0%BB%D0%B0%D0%BD", "Traga-Purpose", "supervision")...)
	problemIs(t, s.get("/v1/cases/"+number, as(outside)...), http.StatusForbidden, "denied", "")
	problemIs(t, s.get("/v1/cases/"+number, as(abroad)...), http.StatusForbidden, "denied", "")
	problemIs(t, s.get("/v1/cases/"+number+"/access", as(social)...), http.StatusForbidden, "denied", "")
	directorate := events.Actor{Officer: "d.d", Role: events.Directorate, Institution: "mk-des"}
	problemIs(t, s.get("/v1/cases/"+number+"/access", as(directorate)...), http.StatusForbidden, "reason-required", "")
	problemIs(t, s.get("/v1/cases/"+number, as(social, "Traga-Purpose", "curiosity")...), http.StatusBadRequest, "invalid", "Traga-Purpose")
	problemIs(t, s.get("/v1/cases/"+number, as(social, "Traga-Justification", strings.Repeat("x", 501))...), http.StatusBadRequest, "invalid", "Traga-Justification")
	problemIs(t, s.get("/v1/cases/"+number, as(social, "Traga-Justification", "UTF-8''%ff")...), http.StatusBadRequest, "invalid", "Traga-Justification")
	problemIs(t, s.get("/v1/cases/MK-2026-0099", as(outside)...), http.StatusNotFound, "not-found", "")
	list := read[[]accesslog.Entry](s, "/v1/cases/"+number+"/access", as(ombudsman, "Traga-Justification", "yearly review")...)
	var got []string
	for _, l := range list {
		got = append(got, fmt.Sprint(l.Kind, " ", l.View, " ", l.Actor.Officer, " ", l.Purpose, " ", l.Justification))
	}
	want := []string{"consulted access o.o  yearly review", "denied access d.d  ", "denied access l.dimova  ", "denied case o.rs  ", "denied case x.y  ", "consulted timeline at 1 l.dimova supervision план"}
	if !slices.Equal(got, want) {
		t.Errorf("the access log says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if first := list[len(list)-1]; !slices.Contains(first.Policies, "open.part") || !slices.Contains(first.Policies, "csw.risk") {
		t.Errorf("the policies that decided: %v", first.Policies)
	}
	// Lists: one entry each, which names the query but not what was typed.
	s.get("/v1/cases?q=Petrov&status=open", as(social)...)
	s.get("/v1/alerts?institution=petrov", as(social)...)
	lists, err := accesslog.OfCase(t.Context(), s.store, "", events.AsOf{})
	if err != nil || len(lists) != 2 || lists[1].View != "cases status=open number=some" || lists[0].View != "alerts state=all institution=some" || lists[0].Actor != social {
		t.Errorf("%v %+v", err, lists)
	}
	// The log of a jurisdiction is for its own oversight, and a look at it is one more.
	s.settle()
	for _, who := range []events.Actor{social, abroad} {
		problemIs(t, s.get("/v1/access?jurisdiction=MK", as(who)...), http.StatusForbidden, "denied", "")
	}
	problemIs(t, s.get("/v1/access?jurisdiction=MK", as(directorate)...), http.StatusForbidden, "reason-required", "")
	s.settle()
	var told []string
	for path := "/v1/access?jurisdiction=MK&limit=5"; path != ""; {
		a := s.get(path, as(ombudsman)...)
		for _, l := range decode[[]accesslog.Entry](t, a, http.StatusOK) {
			told = append(told, fmt.Sprint(l.Kind, " ", l.Case, " ", l.View, " ", l.Actor.Officer))
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
	told = slices.DeleteFunc(told, func(l string) bool { return strings.HasPrefix(l, "consulted  access") }) // of these, some may not be in the read model yet
	if want := []string{"denied  access jurisdiction=MK d.d", "denied  access jurisdiction=MK l.dimova", "consulted  alerts state=all institution=some l.dimova", "consulted  cases status=open number=some l.dimova",
		"consulted MK-2026-0001 access o.o"}; len(told) != 5+5 || !slices.Equal(told[:5], want) {
		t.Errorf("the log of MK says\n%s", strings.Join(told, "\n"))
	}
	if list := read[[]accesslog.Entry](s, "/v1/access?jurisdiction=MK&officer=X.Y&kind=denied&until=2026-02-01T00:00:00Z", as(ombudsman)...); len(list) != 1 || list[0].Actor != outside {
		t.Errorf("%+v", list)
	}
	problemIs(t, s.get("/v1/access?jurisdiction=MK&from=yesterday", as(ombudsman)...), http.StatusBadRequest, "invalid", "from")
	problemIs(t, s.get("/v1/access?jurisdiction=MK&cursor=x", as(ombudsman)...), http.StatusBadRequest, "invalid", "cursor")
	// A look at one entry of the access log is for those who may read it too.
	problemIs(t, s.get("/v1/events/"+list[0].ID.String(), as(social)...), http.StatusForbidden, "denied", "")
	read[api.Record](s, "/v1/events/"+list[0].ID.String(), as(ombudsman)...)
	problemIs(t, s.get("/v1/events/"+lists[0].ID.String(), as(ombudsman)...), http.StatusNotFound, "not-found", "")
}

// Where a look can't be recorded there is no answer: no byte of the case leaves, whatever is asked for.
func TestNothingIsShownThatIsNotOnRecord(t *testing.T) {
	s := serve(t)
	marks := s.planted(number, true)
	addresses := s.addresses(number)
	s.store.refuse(errors.New("no more"))
	open := []string{"/docs", "/livez", "/readyz", "/version", "/openapi", "/v1/event-types", "/v1/projections", "/v1/matrix", "/v1/tools", "/v1/directory", "/v1/checkpoint"}
	refused := 0
	for _, path := range addresses {
		if slices.ContainsFunc(open, func(p string) bool { return strings.HasPrefix(path, p) }) {
			continue
		}
		for _, who := range [][]string{nil, as(accesstest.Office(events.Ombudsman)), as(events.Actor{Officer: "x", Role: events.Police, Institution: "mk-elsewhere"})} {
			a := s.get(path, who...)
			if len(who) == 0 && a.status != http.StatusServiceUnavailable && a.status != http.StatusNotFound && !strings.HasPrefix(path, "/v1/feed?limit=1000&after") {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
			if a.status == http.StatusServiceUnavailable {
				refused++
			}
			for _, m := range marks {
				if strings.Contains(string(a.body), m.Text) && !strings.Contains(path, m.Text) {
					t.Errorf("%s: %d, and it holds %s", path, a.status, m.Text)
				}
			}
			if strings.Contains(string(a.body), "mk-recorder") {
				t.Errorf("%s: %d, and it holds the case", path, a.status)
			}
		}
	}
	if refused < 2*len(addresses)/2 {
		t.Errorf("only %d of %d looks were refused", refused, len(addresses))
	}
	if a := s.ask(http.MethodGet, "/v1/stream?after=0", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("the live stream: %d %s", a.status, a.body)
	}
}

// refuse makes the store refuse every append, and answer reads.
func (s *store) refuse(err error) { s.readOnly.Store(&err) }

// Lists show the cases that the reader may open, and of these what it may see.
func TestListsShowWhatTheReaderMaySee(t *testing.T) {
	s := serve(t)
	for _, n := range []string{"MK-2026-0001", "MK-2026-0002", "RS-2026-0001"} {
		s.record(n, opening())
		s.record(n, `{"type":"RiskLevelChanged",`+prison+`,"data":{"from":"low","to":"high","reasons":["r"],"indicators":[],"decider":"d","automated":false,"reviewBy":"2026-03-01"}}`)
		s.record(n, `{"type":"SpecificGroupRecorded",`+prison+`,"data":{"group":"disability"}}`)
	}
	s.record("MK-2026-0002", strings.Replace(strings.Replace(notice("n-1"), "mk-csw-skopje", "mk-police-skopje", 1), `"role":"csw"`, `"role":"police"`, 1))
	s.clock.pass(60 * 24 * time.Hour)
	s.settle()
	numbers := func(a events.Actor) (list []string) {
		for _, c := range read[[]status.Case](s, "/v1/cases", as(a)...) {
			text := c.Case
			if c.RiskLevel != nil {
				text += " " + *c.RiskLevel
			}
			for _, g := range c.Group {
				text += " " + g
			}
			for _, w := range c.Withheld {
				text += " " + w.Field + ":" + string(w.Category) + ":" + string(w.Ask)
			}
			list = append(list, text)
		}
		return list
	}
	police := events.Actor{Officer: "p.p", Role: events.Police, Institution: "mk-police-skopje"}
	for _, c := range []struct {
		who  events.Actor
		want []string
	}{
		{police, []string{"MK-2026-0002 high group:health:prison-health"}},
		{events.Actor{Officer: "x", Role: events.Police, Institution: "mk-police-tetovo"}, nil},
		{events.Actor{Officer: "x", Role: events.Ombudsman, Institution: "mk-ombudsman"}, []string{"MK-2026-0001 high group:health:prison-health", "MK-2026-0002 high group:health:prison-health"}},
		{events.Actor{Officer: "x", Role: events.Coordinator, Institution: "rs-coordinator"}, []string{"RS-2026-0001 high group:health:prison-health"}},
		{events.Actor{Officer: "x", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}, []string{"MK-2026-0001 high disability", "MK-2026-0002 high disability", "RS-2026-0001 high disability"}},
		{events.Actor{Officer: "x", Role: events.DataProtection, Institution: "mk-dpa"}, []string{"MK-2026-0001 group:identity:prison-treatment riskLevel:risk:prison-treatment", "MK-2026-0002 group:identity:prison-treatment riskLevel:risk:prison-treatment"}},
	} {
		if got := numbers(c.who); !slices.Equal(got, c.want) {
			t.Errorf("%s of %s: %q, want %q", c.who.Role, c.who.Institution, got, c.want)
		}
	}
	for _, path := range []string{"/v1/alerts", "/v1/safeguards", "/v1/sharing-matrix"} {
		a := s.get(path, as(police)...)
		if strings.Contains(string(a.body), "MK-2026-0001") || strings.Contains(string(a.body), "RS-2026") || len(a.body) < 100 {
			t.Errorf("%s: %s", path, a.body)
		}
		if b := s.get(path, as(events.Actor{Officer: "x", Role: events.Police, Institution: "mk-police-tetovo"})...); string(b.body) != "[]\n" {
			t.Errorf("%s without a part in any case: %s", path, b.body)
		}
	}
	show := read[timeline.Summary](s, "/v1/cases/MK-2026-0002", as(police)...)
	if show.RiskLevel == nil || len(show.Group) != 0 || len(show.Withheld) != 1 {
		t.Errorf("%+v", show)
	}
	diff := string(s.get("/v1/cases/MK-2026-0002/diff?from=1", as(police)...).body)
	if !strings.Contains(diff, `{"field":"group","before":{"withheld":{"reason":"hidden","category":"health","ask":"prison-health"}}`) || strings.Contains(diff, "disability") {
		t.Error(diff)
	}
}
