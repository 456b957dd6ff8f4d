package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"traga.internal/projections/accesslog"
)

// From a server the commands show what the one whose token they bear may see; why they look goes on record. A jurisdiction's
// own policies are in force.
func TestCommandsShowWhatOneMaySee(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	prison := `"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},"afterTheFact":true`
	for _, action := range []string{opening,
		`{"case":"MK-2026-0001","type":"NotificationSent",` + prison + `,"purpose":"pre-release-planning","legalBasis":"execution-law","data":{"notification":"n-1","subject":"planned-release",
			"recipient":{"institution":"mk-csw-skopje","role":"csw"},"categories":["identity"],"channel":"letter"}}`,
		`{"case":"MK-2026-0001","type":"RiskLevelChanged","id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02",` + prison + `,"data":{"from":"low","to":"high","reasons":["what he said"],
			"indicators":[],"decider":"d","automated":false,"reviewBy":"2026-03-01"}}`} {
		if code, _, errs := run(t, "record", "--data", dir, "-f", written(t, action)); code != exitOK {
			t.Fatal(errs)
		}
	}
	policies := t.TempDir()
	if err := os.WriteFile(filepath.Join(policies, "own.cedar"), []byte(`@id("police.risk") forbid (principal in Role::"police", action in Action::"see", resource == Category::"risk");`), 0o600); err != nil {
		t.Fatal(err)
	}
	social, police := issue(t, dir, "l.dimova"), issue(t, dir, "p.p", "--institution", "mk-police-skopje", "--role", "police")
	ombudsman := issue(t, dir, "o.o", "--institution", "mk-ombudsman", "--role", "ombudsman")
	address := enter(t, dir, "--policies", policies)
	as := func(token string, args ...string) (int, string, string) {
		t.Helper()
		return run(t, append(args, "--server", address, "--token", token)...)
	}
	shows := func(token, want string, args ...string) {
		t.Helper()
		if code, out, errs := as(token, args...); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%v: exit %d, %s%s, expected %q", args, code, out, errs, want)
		}
	}
	shows(social, "Risk level        high", "case", "show", "MK-2026-0001")
	shows(social, "hidden (health); ask prison-health", "case", "show", "MK-2026-0001")
	shows(social, `"to":"high","reasons":{"withheld":{"reason":"hidden","category":"risk","ask":"prison-treatment"}}`, "event", "show", "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02")
	shows(ombudsman, `what he said`, "event", "show", "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02")
	for _, args := range [][]string{{"case", "show", "MK-2026-0001"}, {"case", "access", "MK-2026-0001"}, {"event", "show", "5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02"}} {
		if code, out, errs := as(police, args...); code != exitNotAllowed || out != "" || !strings.Contains(errs, "on record") {
			t.Errorf("%v by the police: exit %d, %s%s", args, code, out, errs)
		}
	}
	told := `{"case":"MK-2026-0001","type":"NotificationSent","actor":{"officer":"l.dimova","role":"csw","institution":"mk-csw-skopje"},"purpose":"supervision","legalBasis":"execution-law",
		"data":{"notification":"n-2","subject":"planned-release","recipient":{"institution":"mk-police-skopje","role":"police"},"categories":["identity"],"channel":"letter"}}`
	if code, _, errs := as(social, "record", "-f", written(t, told)); code != exitOK {
		t.Fatal(errs)
	}
	shows(police, "hidden (risk); ask prison-treatment", "case", "show", "MK-2026-0001") // by the jurisdiction's own policy
	code, out, errs := as(ombudsman, "case", "access", "MK-2026-0001", "--why", "годишен преглед", "--purpose", "oversight", "--json")
	var looks []accesslog.Entry
	if err := json.Unmarshal([]byte(out), &looks); code != exitOK || err != nil || len(looks) != 9 || looks[0].Justification != "годишен преглед" || looks[0].Purpose != "oversight" || looks[0].View != "access" {
		t.Errorf("exit %d %s %v %d: %s", code, errs, err, len(looks), out)
	}
	if code, local, errs := run(t, "case", "access", "MK-2026-0001", "--data", dir, "--json"); code != exitOK || local != out {
		t.Errorf("from the files: exit %d %s\n%s", code, errs, local)
	}
	shows(ombudsman, "denied access", "access", "log", "--jurisdiction", "MK", "--officer", "P.P", "--kind", "denied", "--why", "yearly review")
	if code, _, errs := as(social, "access", "log", "--jurisdiction", "MK"); code != exitNotAllowed {
		t.Errorf("the log of a jurisdiction for social work: exit %d %s", code, errs)
	}
	if code, out, errs := run(t, "access", "log", "--jurisdiction", "MK", "--data", dir); code != exitOK || !strings.Contains(out, "годишен преглед") {
		t.Errorf("from the files: exit %d %s%s", code, out, errs)
	}
	if code, out, _ := run(t, "case", "access", "MK-2026-0099", "--data", dir); code != exitNotFound || out != "" {
		t.Errorf("an unknown case: exit %d", code)
	}
	if code, out, _ := run(t, "access", "policies", "--policies", policies); code != exitOK || !strings.Contains(out, "// File own.cedar") {
		t.Errorf("access policies: exit %d %s", code, out)
	}
	if err := os.WriteFile(filepath.Join(policies, "own.cedar"), []byte(`permit everything`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := run(t, "serve", "--data", dir, "--policies", policies, "--insecure-no-auth", "--listen", "127.0.0.1:0"); code != exitUsage || !strings.Contains(errs, "own.cedar") {
		t.Errorf("serve with policies that can't be read: exit %d %s", code, errs)
	}
}
