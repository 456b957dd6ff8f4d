package reactions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// realAlertmanager starts Debian's prometheus-alertmanager on an address, and returns how to kill it.
func realAlertmanager(t *testing.T, address string) (kill func()) {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if os.Getenv("TRAGA_TEST_PEERS") == "required" {
			t.Fatal("there is no prometheus-alertmanager, and TRAGA_TEST_PEERS requires it")
		}
		t.Skip("there is no prometheus-alertmanager on this machine")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := exec.CommandContext(ctx, program, "--config.file="+config, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { cancel(); _ = c.Wait() })
	t.Cleanup(kill)
	eventually(t, "Alertmanager is ready", func() bool {
		res, err := http.Get("http://" + address + "/-/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return kill
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// standing are the labels of the alerts that an Alertmanager holds for true.
func standingAt(t *testing.T, address string) []map[string]string {
	t.Helper()
	res, err := http.Get("http://" + address + "/api/v2/alerts?active=true")
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil
	}
	if strings.Contains(string(body), secretCase) {
		t.Errorf("Alertmanager was told the case's number: %s", body)
	}
	var list []struct {
		Labels       map[string]string
		Annotations  map[string]string
		GeneratorURL string
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%s: %s", err, body)
	}
	var all []map[string]string
	for _, a := range list {
		if a.GeneratorURL != "https://traga.example.org/alerts/"+a.Labels["alert"] || a.Annotations["summary"] == "" || a.Annotations["due"] != "2026-03-02" {
			t.Errorf("an alert: %+v", a)
		}
		all = append(all, a.Labels)
	}
	return all
}

// What stands is what Alertmanager says: through an escalation, an end, a restart that made it forget, and an outage in
// which something changed.
func TestARealAlertmanagerSaysWhatStands(t *testing.T) {
	address := freeAddress(t)
	kill := realAlertmanager(t, address)
	w := newWorld(t)
	w.stand(overdue("notify-csw", 0), overdue("notify-police", 0))
	w.start(fmt.Sprintf("page: https://traga.example.org\nalertmanager: [{name: main, url: \"http://%s\"}]", address))
	stands := func(count int, escalation string) func() bool {
		return func() bool {
			list := standingAt(t, address)
			n := 0
			for _, l := range list {
				if l["escalation"] == escalation {
					n++
				}
			}
			return len(list) == count && n == count
		}
	}
	eventually(t, "both stand", stands(2, "0"))
	l := standingAt(t, address)[0]
	want := map[string]string{"alertname": "TragaDutyOverdue", "jurisdiction": "MK", "rule": "notify-csw", "duty": "prison-treatment", "dutyHolder": "mk-prison-idrizovo",
		"severity": "high", "escalation": "0", "alert": l["alert"]}
	if fmt.Sprint(l) != fmt.Sprint(want) {
		t.Errorf("labels: %v, want %v", l, want)
	}
	w.stand(overdue("notify-csw", 1), overdue("notify-police", 1))
	eventually(t, "both stand at level 1, and at no other", stands(2, "1"))
	w.stand(overdue("notify-csw", 1))
	eventually(t, "one is over", stands(1, "1"))

	kill()
	kill = realAlertmanager(t, address) // it has forgotten all
	eventually(t, "it is told again what stands", stands(1, "1"))
	kill()
	failed := w.count("alertmanager", "failed")
	w.stand(overdue("notify-csw", 2))
	eventually(t, "it is missed", func() bool { return w.count("alertmanager", "failed") > failed })
	w.stand(overdue("notify-csw", 3), overdue("notify-police", 3))
	realAlertmanager(t, address)
	eventually(t, "it is told what stands now", stands(2, "3"))
	w.stand()
	eventually(t, "nothing stands", stands(0, ""))
}
