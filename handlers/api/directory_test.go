package api_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/handlers/record"
	"traga.internal/projections/registers"
)

const des = `"actor":{"officer":"v.trajkovska","role":"directorate","institution":"mk-des"}`

func institution(id, role, name string) string {
	return `{"type":"InstitutionRegistered",` + des + `,"data":{"institution":"` + id + `","name":{"en":"` + name + `"},"role":["` + role + `"],"place":"Skopje"}}`
}

func TestTheDirectoryIsKeptThroughItsOwnAddress(t *testing.T) {
	s := serve(t)
	write := func(body string, header ...string) answer {
		return s.ask(http.MethodPost, "/v1/directory/MK/events", body, header...)
	}
	appointed := `{"type":"OfficerAppointed",` + des + `,"data":{"officer":"l.dimova","institution":"mk-csw-skopje","role":"csw"}}`
	if empty := read[registers.View](s, "/v1/directory/MK"); empty.Revision != nil || len(empty.Institutions) > 0 {
		t.Errorf("%+v", empty)
	}
	for _, body := range []string{institution("mk-des", "directorate", "Directorate"), institution("mk-csw-skopje", "csw", "Centre"), appointed,
		`{"jurisdiction":"MK","type":"OfficerTrained",` + des + `,"data":{"officer":"l.dimova","tool":"VERA-2R","provider":"academy","on":"2025-06-01","validUntil":"2026-01-12"}}`} {
		decode[record.Receipt](t, write(body, "If-Match", "*"), http.StatusCreated)
		s.clock.pass(time.Second)
	}
	a := s.get("/v1/directory/MK")
	v := decode[registers.View](t, a, http.StatusOK)
	if a.header.Get("ETag") != `"3"` || len(v.Institutions) != 2 || v.Institutions[0].Name["en"] != "Centre" || !v.Institutions[0].Open || len(v.Officers) != 1 {
		t.Fatalf("%s %s", a.header.Get("ETag"), a.body)
	}
	if o := v.Officers[0]; !o.Acts || o.Institution != "mk-csw-skopje" || o.Role != events.CSW || len(o.Training) != 1 || !o.Training[0].Valid {
		t.Errorf("%+v", o)
	}
	s.clock.pass(24 * time.Hour) // the training's last day is over
	if v := read[registers.View](s, "/v1/directory/MK"); v.Officers[0].Training[0].Valid {
		t.Error("a training that has ended is shown as valid")
	}
	if v := read[registers.View](s, "/v1/directory/MK?at=2"); len(v.Officers) > 0 || *v.Revision != 1 {
		t.Errorf("as known then: %+v", v)
	}
	if v := read[registers.View](s, "/v1/directory/XK"); v.Footnote == "" {
		t.Error("Kosovo* without its footnote")
	}
	revoked := `{"type":"OfficerRevoked",` + des + `,"data":{"officer":"l.dimova"}}`
	s.unchanged(func() {
		problemIs(t, write(revoked), http.StatusPreconditionRequired, "precondition-required", "")
		problemIs(t, write(revoked, "If-Match", `"2"`), http.StatusPreconditionFailed, "stale", "")
		problemIs(t, write(appointed, "If-Match", "*"), http.StatusConflict, "conflict", "data.officer")
		problemIs(t, write(`{"jurisdiction":"RS",`+revoked[1:], "If-Match", "*"), http.StatusBadRequest, "invalid", "jurisdiction")
		problemIs(t, write(`{"type":"NonWorkingDayDecreed",`+des+`,"data":{"date":"2026-05-04","name":{"en":"x"},"act":"a"}}`, "If-Match", "*"), http.StatusBadRequest, "invalid", "type")
		foreign := `{"type":"OfficerRevoked","actor":{"officer":"x","role":"directorate","institution":"rs-des"},"data":{"officer":"l.dimova"}}`
		if p := problemIs(t, write(foreign, "If-Match", "*"), http.StatusForbidden, "not-allowed", "actor.institution"); !slices.Equal(p.Because, []string{"not-allowed"}) {
			t.Errorf("%+v", p)
		}
		check := decode[api.Verdict](t, s.ask(http.MethodPost, "/v1/directory/MK/events:check", revoked), http.StatusOK)
		if !check.Recorded {
			t.Errorf("%+v", check)
		}
		if a := s.ask(http.MethodPost, "/v1/directory/XX/events", revoked, "If-Match", "*"); a.status != http.StatusBadRequest {
			t.Errorf("XX: %d", a.status)
		}
	})
	first := decode[record.Receipt](t, write(revoked, "If-Match", `"3"`, "Idempotency-Key", "k"), http.StatusCreated)
	again := decode[record.Receipt](t, write(revoked, "If-Match", "*", "Idempotency-Key", "k"), http.StatusOK)
	if v := read[registers.View](s, "/v1/directory/MK"); v.Officers[0].Acts || !v.Officers[0].Revoked || again.ID != first.ID {
		t.Errorf("revoked means revoked at once: %+v", v.Officers[0])
	}
}
