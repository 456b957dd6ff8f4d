// Package deploy holds no program: its tests hold what is deployed beside traga to what traga is.
package deploy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"
)

// built is where program is, or would be.
var built string

// program is a traga built for these tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "traga")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/traga").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "traga-deploy-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

func traga(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// tool finds a program of the machine; where TRAGA_TEST_PEERS requires them it must be there.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("TRAGA_TEST_PEERS") == "required" {
		t.Fatalf("there is no %s, and TRAGA_TEST_PEERS requires it", name)
	}
	if err != nil {
		t.Skipf("there is no %s on this machine", name)
	}
	return path
}

func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Prometheus itself says that the rules do what they are meant to.
func TestTheRulesPassPromtool(t *testing.T) {
	promtool := tool(t, "promtool")
	mustRun(t, promtool, "check", "rules", "prometheus/traga.rules.yaml")
	mustRun(t, promtool, "test", "rules", "prometheus/traga.rules.test.yaml")
	rules := read(t, "prometheus/traga.rules.yaml")
	if read(t, "helm/traga/files/traga.rules.yaml") != rules {
		t.Error("the chart has other rules than deploy/prometheus: copy them")
	}
	tests := read(t, "prometheus/traga.rules.test.yaml")
	for _, m := range regexp.MustCompile(`(?m)- alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(tests, "alertname: "+m[1]) {
			t.Errorf("the alert %s has no test", m[1])
		}
	}
}

// The peers' own tools accept their configurations.
func TestThePeersAcceptTheirConfigurations(t *testing.T) {
	dir := t.TempDir()
	token := write(t, filepath.Join(dir, "token"), "hush")
	rules, err := filepath.Abs("prometheus/traga.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("/run/secrets/metrics-token", token, "traga.rules.yaml", rules).Replace(read(t, "compose/prometheus.yaml"))
	mustRun(t, tool(t, "promtool"), "check", "config", write(t, filepath.Join(dir, "prometheus.yml"), config))
	mustRun(t, tool(t, "amtool"), "check-config", "compose/alertmanager.yaml")
}

// served starts a traga that serves, and returns its address.
func served(t *testing.T, pattern string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := exec.CommandContext(ctx, traga(t), args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	said := &watcher{want: regexp.MustCompile(pattern), found: make(chan string, 1)}
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case address := <-said.found:
		return address
	case <-ended:
		t.Fatalf("%v ended: %s", args, &said.text)
	case <-time.After(time.Minute):
		t.Fatalf("%v does not come up: %s", args, &said.text)
	}
	return ""
}

// watcher waits for a pattern in what a program prints.
type watcher struct {
	mu    sync.Mutex
	text  bytes.Buffer
	want  *regexp.Regexp
	found chan string
	once  sync.Once
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if m := w.want.FindSubmatch(w.text.Bytes()); m != nil {
		w.once.Do(func() { w.found <- string(m[1]) })
	}
	return len(p), nil
}

// dashboard is what of a Grafana dashboard is looked at here.
type dashboard struct {
	UID        string
	Title      string
	Templating struct {
		List []struct{ Name, Query string }
	}
	Panels []struct {
		Title      string
		Datasource struct{ UID string }
		Targets    []struct{ Expr string }
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %d dashboards", err, len(files))
	}
	all := map[string]dashboard{}
	for _, file := range files {
		var d dashboard
		if err := json.Unmarshal([]byte(read(t, file)), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.UID == "" || d.Title == "" || len(d.Panels) == 0 {
			t.Errorf("%s: %+v", file, d)
		}
		all[file] = d
	}
	return all
}

// A real Prometheus that scrapes a running traga answers every query of every dashboard with data, and evaluates every
// rule without an error.
func TestEveryDashboardQueryHasDataInARealPrometheus(t *testing.T) {
	prometheus := tool(t, "prometheus")
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer refusing.Close()
	dir := t.TempDir()
	secret := write(t, filepath.Join(dir, "secret"), "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	reacting := write(t, filepath.Join(dir, "traga.yaml"), fmt.Sprintf("listen: 127.0.0.1:0\nreactions:\n  page: http://127.0.0.1\n  webhooks: [{name: hook, url: '%s', secret-file: %s}]\n", refusing.URL, secret))
	action := write(t, filepath.Join(dir, "action.json"), `{"case":"MK-2026-0001","type":"CaseOpened","occurredAt":"2026-01-12T09:00:00+01:00","afterTheFact":true,"lateReason":"kept on paper before",
		"actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
		"data":{"subject":"s-1","name":"A Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`)
	demo := served(t, `(?m)on http://(127\.0\.0\.1:\d+)`, "demo", "--listen", "127.0.0.1:0")
	other := served(t, `on http://(127\.0\.0\.1:\d+)\n`, "serve", "--data", filepath.Join(dir, "store"), "--config", reacting, "--insecure-no-auth")
	mustRun(t, traga(t), "record", "--server", "http://"+other, "-f", action)

	rules, err := filepath.Abs("prometheus/traga.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf("global: {evaluation_interval: 2s}\nrule_files: ['%s']\n"+
		"scrape_configs: [{job_name: traga, scrape_interval: 2s, scrape_timeout: 2s, static_configs: [{targets: ['%s', '%s']}]}]\n", rules, demo, other))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := exec.CommandContext(ctx, prometheus, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+address)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = c.Wait() }()

	ask := func(path string, v any) error {
		res, err := http.Get("http://" + address + path)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(v); err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %w", res.Status, err)
		}
		return nil
	}
	fill := strings.NewReplacer("$__rate_interval", "2m", "$jurisdiction", ".*")
	waiting := map[string]string{} // queries without data yet
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				if p.Datasource.UID != "prometheus" || target.Expr == "" {
					t.Errorf("%s, %s: %+v", file, p.Title, p)
				}
				waiting[fill.Replace(target.Expr)] = file + ", " + p.Title
			}
		}
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(4 * time.Minute) // a machine under load scrapes late
	for len(waiting) > 0 {
		for query, where := range waiting {
			var answer struct {
				Data struct{ Result []json.RawMessage }
			}
			if err := ask("/api/v1/query?query="+url.QueryEscape(query), &answer); err == nil && len(answer.Data.Result) > 0 {
				delete(waiting, query)
			} else if err != nil && strings.HasPrefix(err.Error(), "400") {
				t.Fatalf("%s: Prometheus does not understand %s", where, query)
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no data for %v", waiting)
		}
	}
	var evaluated struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	for done := false; !done; {
		if err := ask("/api/v1/rules", &evaluated); err != nil {
			t.Fatal(err)
		}
		done = len(evaluated.Data.Groups) == 2
		for _, g := range evaluated.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					t.Errorf("the rule %s: %s", r.Name, r.LastError)
				}
				done = done && r.Health != "unknown"
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("rules that were not evaluated: %+v", evaluated)
		}
	}
}

// The compose file is one by its specification, what it mounts is there, and traga accepts the settings that it gives.
func TestTheComposeFile(t *testing.T) {
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: "compose", ConfigFiles: []types.ConfigFile{{Filename: "compose/compose.yaml"}},
		Environment: types.Mapping{"EVENTSTORE_PASSWORD": "changed"}})
	if err != nil {
		t.Fatal(err)
	}
	nodes := 0
	for name, s := range project.Services {
		for _, v := range s.Volumes {
			if v.Type == "bind" {
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s mounts %s, which is not there", name, v.Source)
				}
			}
		}
		if s.Restart == "" && name != "certificates" {
			t.Errorf("%s is not started again", name)
		}
		if strings.HasPrefix(name, "eventstore-") {
			if nodes++; s.Restart != "always" {
				t.Errorf("%s: a node that cuts its log ends with exit code 0 and must be started again", name)
			}
		}
		if !strings.HasPrefix(name, "traga-") {
			continue
		}
		if !s.ReadOnly || len(s.CapDrop) == 0 || len(s.Ports) > 0 {
			t.Errorf("%s is open: %+v", name, s)
		}
		dir := t.TempDir()
		c := exec.Command(traga(t), "config", "print", "--json")
		for k, v := range s.Environment {
			value := strings.ReplaceAll(*v, "/run/secrets/metrics-token", write(t, filepath.Join(dir, "token"), "hush"))
			c.Env = append(c.Env, k+"="+strings.ReplaceAll(value, "/etc/traga/traga.yaml", "compose/traga.yaml"))
		}
		out, err := c.Output()
		if err != nil {
			var failed *exec.ExitError
			errors.As(err, &failed)
			t.Fatalf("%s: %v: %s", name, err, failed.Stderr)
		}
		if tells := strings.Contains(string(out), `"reactions"`); tells != (name == "traga-1") {
			t.Errorf("%s tells others: %v; one node must, and only one", name, tells)
		}
		if keeps := s.Environment["TRAGA_LEDGER"] != nil; keeps != (name == "traga-1") {
			t.Errorf("%s keeps the ledger: %v; one node must, and only one", name, keeps)
		}
	}
	if nodes != 3 {
		t.Errorf("%d nodes of the event store", nodes)
	}
}

// systemd understands the unit, and finds it well closed.
func TestTheUnitIsClosed(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	unit := strings.ReplaceAll(read(t, "systemd/traga.service"), "/usr/local/bin/traga", traga(t))
	path := write(t, filepath.Join(t.TempDir(), "traga.service"), unit)
	mustRun(t, analyze, "verify", "--man=no", path)
	mustRun(t, analyze, "security", "--offline=true", "--threshold=20", path) // exposure of 2.0 at most
}

// The example configurations are accepted once their comments are taken off.
func TestTheExampleConfigurationIsAccepted(t *testing.T) {
	dir := t.TempDir()
	var lines []string
	for _, line := range strings.Split(read(t, "systemd/traga.yaml"), "\n") {
		if !strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "#  ") {
			lines = append(lines, strings.TrimPrefix(line, "#"))
		}
	}
	text := regexp.MustCompile(`/etc/traga/secrets/[\w.-]+`).ReplaceAllString(strings.Join(lines, "\n"), write(t, filepath.Join(dir, "secret"), "x"))
	out := mustRun(t, traga(t), "config", "print", "--config", write(t, filepath.Join(dir, "traga.yaml"), text))
	if !strings.Contains(out, "main, csw-skopje, prison-idrizovo, events, csw-records") {
		t.Errorf("in force:\n%s", out)
	}
}

// The example of a jurisdiction's own rules is right.
func TestTheExampleProtocolIsRight(t *testing.T) {
	mustRun(t, traga(t), "protocol", "check", "protocol/example.yaml")
}

// Every command in the documents is one that traga has, with flags that it has.
func TestTheDocumentsCommandsExist(t *testing.T) {
	n := 0
	for _, document := range []string{"README.md", "RUNBOOK.md", "../README.md"} {
		inside := false
		for i, line := range strings.Split(read(t, document), "\n") {
			if strings.HasPrefix(line, "```") {
				inside = !inside
			}
			at := regexp.MustCompile(`(?:^(?:\./)?traga |-- traga |run .*traga-1 |exec .*traga-1 traga )((?:[a-z]+ )?[a-z][a-z-]*)\b(.*)`).FindStringSubmatch(line)
			if !inside || at == nil || strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			n++
			out, err := exec.Command(traga(t), append(strings.Fields(at[1]), "--help")...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "traga "+at[1]) {
				t.Errorf("%s:%d: %s: %v\n%s", document, i+1, line, err, out)
			}
			rest, _, _ := strings.Cut(at[2], " #")
			rest, _, _ = strings.Cut(rest, "|")
			for _, flag := range regexp.MustCompile(` --[a-z-]+`).FindAllString(rest, -1) {
				if !strings.Contains(string(out), flag+" ") && !strings.Contains(string(out), flag+"\n") {
					t.Errorf("%s:%d: traga %s has no flag%s", document, i+1, at[1], flag)
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d commands were found", n)
	}
}

// documents reads a text with several YAML documents.
func documents(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc map[string]any
		err := d.Decode(&doc)
		if err != nil && err.Error() == "EOF" {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if len(doc) > 0 {
			all = append(all, doc)
		}
	}
}
