package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A running traga carries out what is asked for by itself, and whoever asks it finds the fields erased, while the list of
// cases and the metrics go on.
func TestServeErases(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	errs := watch(`on (https?://\S+)\n`)
	address := start(t, watch("never"), errs, errs, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--insecure-no-auth")
	for _, action := range []string{opening,
		`{"case":"MK-2026-0001","type":"RiskLevelChanged","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},"data":{"from":"low","to":"high","reasons":["r"],"indicators":["x"],"decider":"d","automated":false,"reviewBy":"2026-12-30"}}`,
		`{"case":"MK-2026-0001","type":"ErasureRequested","actor":{"officer":"v.trajkovska","role":"directorate","institution":"mk-des"},"data":{"erasure":"e-1","approvers":["m.first","n.second"],"grounds":"over"}}`} {
		if code, _, told := run(t, "record", "--server", address, "-f", written(t, action)); code != exitOK {
			t.Fatal(told)
		}
	}
	deadline := time.After(time.Minute)
	for wait := time.NewTicker(20 * time.Millisecond); ; {
		_, shown, told := run(t, "case", "show", "MK-2026-0001", "--server", address)
		_, listed, _ := run(t, "case", "list", "--server", address, "--json")
		_, recorded, _ := run(t, "case", "timeline", "MK-2026-0001", "--server", address) // the keys go before it is recorded
		if strings.Contains(shown, "erased; receipt") && strings.Contains(listed, `"reason": "erased"`) && strings.Contains(recorded, "keys destroyed") {
			break
		}
		select {
		case <-wait.C:
		case <-deadline:
			t.Fatalf("after a minute it reads\n%s%s%s", shown, listed, told)
		}
	}
	_, timeline, _ := run(t, "case", "timeline", "MK-2026-0001", "--server", address)
	if strings.Count(timeline, "keys destroyed: 2") != 1 || strings.Contains(timeline, "A Name") {
		t.Errorf("the timeline reads\n%s", timeline)
	}
}
