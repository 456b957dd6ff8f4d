package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/handlers/record"
)

const number = "MK-2026-0001"

func TestRecordingAnActionAnswersWhereItIs(t *testing.T) {
	for name, options := range map[string][]option{"in memory": nil, "embedded": {embedded}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, options...)
			first := s.post(number, opening())
			receipt := decode[record.Receipt](t, first, http.StatusCreated)
			if first.header.Get("ETag") != `"0"` || first.header.Get("Traga-Position") != "1" || first.header.Get("Location") != "/v1/events/"+receipt.ID.String() ||
				receipt.Case != number || receipt.Position != events.At(1) || receipt.Repeated {
				t.Errorf("%v %s", first.header, first.body)
			}
			// The ETag of the answer is good for the next write, and so is that of a read.
			second := s.ask(http.MethodPost, "/v1/cases/"+number+"/events", support("mediation"), "If-Match", first.header.Get("ETag"))
			if decode[record.Receipt](t, second, http.StatusCreated).Revision != 1 {
				t.Errorf("%s", second.body)
			}
			tag := s.get("/v1/cases/" + number).header.Get("ETag")
			third := s.ask(http.MethodPost, "/v1/cases/"+number+"/events", support("housing"), "If-Match", tag)
			if third.status != http.StatusCreated || third.header.Get("ETag") != `"2"` {
				t.Errorf("%d %s after %s", third.status, third.body, tag)
			}
			event := read[api.Record](s, first.header.Get("Location"))
			if event.Type != "CaseOpened" || event.Case != number || !strings.Contains(string(event.Data), nobody) {
				t.Errorf("%+v", event)
			}
		})
	}
}

func TestAWriteSaysWhichRevisionItIsBasedOn(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	s.record(number, support("mediation"))
	write := func(header ...string) answer {
		return s.ask(http.MethodPost, "/v1/cases/"+number+"/events", support("housing"), header...)
	}
	s.unchanged(func() {
		problemIs(t, write(), http.StatusPreconditionRequired, "precondition-required", "")
		for _, stale := range []string{`"0"`, `"7"`} {
			p := problemIs(t, write("If-Match", stale), http.StatusPreconditionFailed, "stale", "")
			if p.Revision == nil || *p.Revision != 1 {
				t.Errorf("%s: the actual revision is 1, not %v", stale, p.Revision)
			}
		}
		for _, bad := range []string{`1`, `"1`, `W/"1"`, `"-1"`, `"1", "2"`, `""`, `"x"`, `"99999999999999999999"`, `**`} {
			problemIs(t, write("If-Match", bad), http.StatusBadRequest, "invalid", "If-Match")
		}
		never := s.ask(http.MethodPost, "/v1/cases/MK-2026-0009/events", opening(), "If-Match", `"0"`)
		if p := problemIs(t, never, http.StatusPreconditionFailed, "stale", ""); p.Revision != nil {
			t.Errorf("a case that is not there has no revision: %d", *p.Revision)
		}
	})
	if a := write("If-Match", `"1"`); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestARepeatedRequestRecordsNothingTwice(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	same := func(a, b answer) {
		t.Helper()
		first, again := decode[record.Receipt](t, a, http.StatusCreated), decode[record.Receipt](t, b, http.StatusOK)
		if first.Repeated || !again.Repeated {
			t.Errorf("repeated: %t, then %t", first.Repeated, again.Repeated)
		}
		if again.Repeated = false; first != again {
			t.Errorf("%+v, then %+v", first, again)
		}
		for _, h := range []string{"ETag", "Traga-Position", "Location"} {
			if a.header.Get(h) != b.header.Get(h) {
				t.Errorf("%s is %s, then %s", h, a.header.Get(h), b.header.Get(h))
			}
		}
	}
	first := s.ask(http.MethodPost, "/v1/cases/"+number+"/events", support("mediation"), "If-Match", `"0"`, "Idempotency-Key", "k <1>")
	s.clock.pass(time.Minute)
	s.record(number, support("housing"))
	s.unchanged(func() {
		// Also when the case has moved on since.
		same(first, s.ask(http.MethodPost, "/v1/cases/"+number+"/events", support("mediation"), "If-Match", `"0"`, "Idempotency-Key", "k <1>"))
		// The same key for another action is a mistake of the caller.
		problemIs(t, s.post(number, support("debt counselling"), "Idempotency-Key", "k <1>"), http.StatusConflict, "conflict", "id")
		problemIs(t, s.post(number, support("mediation"), "Idempotency-Key", strings.Repeat("k", 201)), http.StatusBadRequest, "invalid", "Idempotency-Key")
	})
	if a := s.post(number, support("mediation"), "Idempotency-Key", "k2"); a.status != http.StatusCreated {
		t.Errorf("another key is another action: %d %s", a.status, a.body)
	}
	withID := strings.Replace(support("mediation"), "{", `{"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02",`, 1)
	first = s.post(number, withID)
	s.unchanged(func() { same(first, s.post(number, withID)) })
}

func TestWhatCantBeReadIsRefusedWithItsField(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	good := notice("n-1")
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatal(from)
		}
		return strings.Replace(good, from, to, 1)
	}
	cases := map[string]struct{ body, field string }{
		"empty":                   {"", ""},
		"spaces":                  {" \n", ""},
		"not JSON":                {"<html>", ""},
		"cut":                     {good[:len(good)-5], "data.channel"},
		"an array":                {"[" + good + "]", ""},
		"null":                    {"null", ""},
		"an empty object":         {"{}", "type"},
		"trailing data":           {good + "{}", ""},
		"unknown field":           {change(`"type"`, `"colour":"crimson","type"`), "colour"},
		"unknown field in data":   {change(`"channel"`, `"colour":"crimson","channel"`), "data.colour"},
		"duplicate":               {change(`"type"`, `"type":"NotificationSent","type"`), "type"},
		"duplicate in data":       {change(`"channel"`, `"channel":"letter","channel"`), "data.channel"},
		"case variant":            {change(`"purpose"`, `"Purpose"`), "Purpose"},
		"invalid UTF-8":           {change(`n-1`, "n-\xff"), "data.notification"},
		"wrong type":              {change(`"n-1"`, `7`), "data.notification"},
		"null where it is needed": {change(`"n-1"`, `null`), "data.notification"},
		"missing":                 {change(`"notification":"n-1",`, ``), "data.notification"},
		"no such role":            {change(`"role":"csw"`, `"role":"astrologer"`), "data.recipient.role"},
		"no such category":        {change(`["identity"]`, `["identity","shoes"]`), "data.categories[1]"},
		"impossible instant":      {change(`"type"`, `"occurredAt":"2026-02-30T10:00:00Z","type"`), "occurredAt"},
		"an instant without zone": {change(`"type"`, `"occurredAt":"2026-01-12T10:00:00","type"`), "occurredAt"},
		"unknown type":            {change(`NotificationSent`, `NotificationSend`), "type"},
		"another case":            {change(`"type"`, `"case":"MK-2026-0002","type"`), "case"},
		"no case at all":          {change(`"type"`, `"case":"","type"`), "case"},
		"null as case":            {change(`"type"`, `"case":null,"type"`), "case"},
		"not of a case":           {`{"type":"NonWorkingDayDecreed",` + prison + `,"data":{"date":"2026-03-02","name":{"en":"Mourning"},"act":"1/2026"}}`, "case"},
		"impossible date":         {strings.Replace(opening(), "1990-01-01", "1990-02-29", 1), "data.dateOfBirth"},
		"no id":                   {change(`"type"`, `"id":"x","type"`), "id"},
	}
	s.unchanged(func() {
		for name, c := range cases {
			for _, address := range []string{"events", "events:check"} {
				t.Run(name+" "+address, func(t *testing.T) {
					a := s.ask(http.MethodPost, "/v1/cases/"+number+"/"+address, c.body, "If-Match", "*")
					p := problemIs(t, a, http.StatusBadRequest, "invalid", c.field)
					if p.Detail == "" || strings.Contains(p.Detail, "astrologer") || strings.Contains(p.Detail, "crimson") {
						t.Errorf("the detail: %s", p.Detail)
					}
				})
			}
		}
		problemIs(t, s.post("26-MK", good), http.StatusBadRequest, "invalid", "case")
		problemIs(t, s.post(number, good+strings.Repeat(" ", record.MaxAction)), http.StatusRequestEntityTooLarge, "too-large", "")
		problemIs(t, s.ask(http.MethodPost, "/v1/cases/"+number+"/events?if-match=*", good, "If-Match", "*"), http.StatusBadRequest, "invalid", "if-match")
	})
	// The longest record that is allowed is read.
	if a := s.post(number, good+strings.Repeat(" ", record.MaxAction-len(good)-40)); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
	named := strings.Replace(notice("n-2"), "{", `{"case":"`+number+`",`, 1)
	if a := s.post(number, "\r\n\t "+named, "Content-Type", "text/plain"); a.status != http.StatusCreated {
		t.Errorf("the case may be named: %d %s", a.status, a.body)
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	s.record(number, notice("n-1"))
	s.unchanged(func() {
		p := problemIs(t, s.post(number, unlawful()), http.StatusForbidden, "unlawful", "")
		if fmt.Sprint(p.Because) != "[HR04 HR05]" || len(p.Findings) != 2 || p.Findings[0].Safeguard != "HR04" || p.Findings[0].Explanation == "" {
			t.Errorf("%+v", p)
		}
		foreign := strings.Replace(opening(), prison, csw, 1)
		p = problemIs(t, s.post("MK-2026-0002", foreign), http.StatusForbidden, "not-allowed", "actor.role")
		if fmt.Sprint(p.Because) != "[not-allowed]" {
			t.Errorf("%+v", p)
		}
		system := strings.Replace(support("x"), csw, `"actor":{"officer":"traga","role":"system","institution":"traga"}`, 1)
		problemIs(t, s.post(number, system), http.StatusForbidden, "not-allowed", "actor.role")
		problemIs(t, s.post(number, notice("n-1")), http.StatusConflict, "conflict", "data.notification")
		if p := problemIs(t, s.post("MK-2026-0002", support("x")), http.StatusNotFound, "not-found", "case"); !slices.Equal(p.Because, []string{"conflict"}) {
			t.Errorf("%+v", p)
		}
	})
}

func TestCheckAnswersAndRecordsNothing(t *testing.T) {
	s := serve(t)
	s.record(number, opening())
	check := func(number, body string) api.Verdict {
		t.Helper()
		return decode[api.Verdict](t, s.ask(http.MethodPost, "/v1/cases/"+number+"/events:check", body), http.StatusOK)
	}
	s.unchanged(func() {
		if v := check(number, notice("n-1")); !v.Lawful || !v.Recorded || len(v.Because)+len(v.Findings) > 0 {
			t.Errorf("%+v", v)
		}
		if v := check(number, unlawful()); v.Lawful || v.Recorded || fmt.Sprint(v.Because) != "[HR04 HR05]" || len(v.Findings) != 2 {
			t.Errorf("%+v", v)
		}
		// Reported after it was done it is recorded, and still not lawful.
		reported := strings.Replace(unlawful(), "{", `{"afterTheFact":true,`, 1)
		if v := check(number, reported); v.Lawful || !v.Recorded || len(v.Because) > 0 || len(v.Findings) != 2 {
			t.Errorf("%+v", v)
		}
		if v := check("MK-2026-0002", notice("n-1")); v.Recorded || fmt.Sprint(v.Because) != "[conflict]" {
			t.Errorf("%+v", v)
		}
	})
}
