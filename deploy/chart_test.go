package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// render renders the chart as Helm does, as far as this chart uses Helm: Go's templates, sprig's functions, and the few
// that Helm adds.
func render(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	const chart = "helm/traga"
	var about map[string]any
	if err := yaml.Unmarshal([]byte(read(t, chart+"/Chart.yaml")), &about); err != nil {
		t.Fatal(err)
	}
	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["include"] = func(name string, data any) (string, error) {
		var b bytes.Buffer
		err := all.ExecuteTemplate(&b, name, data)
		return b.String(), err
	}
	functions["toYaml"] = func(v any) (string, error) {
		b, err := yaml.Marshal(v)
		return strings.TrimSuffix(string(b), "\n"), err
	}
	all.Funcs(functions)
	files, err := filepath.Glob(chart + "/templates/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, err := all.New(filepath.Base(f)).Parse(read(t, f)); err != nil {
			t.Fatal(err)
		}
	}
	data := map[string]any{"Values": values, "Chart": map[string]any{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
		"Release": map[string]any{"Name": "case", "Namespace": "justice", "Service": "Helm"}, "Files": chartFiles(chart)}
	out := map[string]string{}
	for _, f := range files {
		name := filepath.Base(f)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var b bytes.Buffer
		if err := all.ExecuteTemplate(&b, name, data); err != nil {
			return nil, err
		}
		out[name] = b.String()
	}
	return out, nil
}

type chartFiles string

func (c chartFiles) Get(path string) (string, error) {
	b, err := os.ReadFile(filepath.Join(string(c), path))
	return string(b), err
}

// valuesWith are the chart's values with some of them changed, checked against its schema as Helm does.
func valuesWith(t *testing.T, changes string) map[string]any {
	t.Helper()
	values := map[string]any{}
	for _, text := range []string{read(t, "helm/traga/values.yaml"), changes} {
		var more map[string]any
		if err := yaml.Unmarshal([]byte(text), &more); err != nil {
			t.Fatal(err)
		}
		merge(values, more)
	}
	return values
}

func merge(into, from map[string]any) {
	for k, v := range from {
		if inner, ok := v.(map[string]any); ok {
			if have, ok := into[k].(map[string]any); ok {
				merge(have, inner)
				continue
			}
		}
		into[k] = v
	}
}

func fitsSchema(t *testing.T, values map[string]any) error {
	t.Helper()
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(read(t, "helm/traga/values.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("values.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("values.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(instance)
}

const (
	smallest = "host: traga.example.org"
	whole    = `
host: traga.example.org
replicas: 3
store: {secret: store, certificates: certs}
secretSettings: [{name: TRAGA_OIDC_CLIENT_SECRET_FILE, secret: oidc, key: client-secret}]
settings: {oidc: {issuer: "https://id.example.org", client-id: traga}}
metrics: {tokenSecret: metrics, serviceMonitor: true, rules: true}
reactions:
  page: https://traga.example.org
  alertmanager: [{name: main, url: "http://alertmanager:9093"}]
reactionsSecret: peers
ingress: {enabled: true, className: nginx, annotations: {a: b}}
networkPolicy: {from: [{namespaceSelector: {}}]}
`
)

// What the chart makes is closed, traga accepts its configuration, and one node tells others, however many there are.
func TestTheChart(t *testing.T) {
	for name, changes := range map[string]string{"smallest": smallest, "whole": whole, "no settings": "host: traga.example.org\nsettings: null", "alone and telling": smallest + "\nreactions: {page: 'https://x.example', alertmanager: [{name: a, url: 'http://a:9093'}]}"} {
		t.Run(name, func(t *testing.T) {
			values := valuesWith(t, changes)
			if err := fitsSchema(t, values); err != nil {
				t.Fatal(err)
			}
			files, err := render(t, values)
			if err != nil {
				t.Fatal(err)
			}
			configs, telling, nodes := map[string]string{}, 0, 0
			for file, text := range files {
				if file == "NOTES.txt" {
					continue
				}
				for _, d := range documents(t, text) {
					metadata, _ := d["metadata"].(map[string]any)
					if d["apiVersion"] == nil || d["kind"] == nil || metadata["name"] == nil || metadata["labels"] == nil {
						t.Errorf("%s: %v", file, d)
					}
					if d["kind"] == "ConfigMap" {
						for key, config := range d["data"].(map[string]any) {
							path := write(t, filepath.Join(t.TempDir(), key), config.(string))
							configs[key] = mustRun(t, traga(t), "config", "print", "--config", path)
						}
					}
				}
			}
			for _, d := range documents(t, files["nodes.yaml"]) {
				spec := d["spec"].(map[string]any)
				replicas := spec["replicas"].(int)
				nodes += replicas
				pod := spec["template"].(map[string]any)["spec"].(map[string]any)
				text := fmt.Sprint(pod)
				for _, closed := range []string{"runAsNonRoot:true", "readOnlyRootFilesystem:true", "allowPrivilegeEscalation:false", "drop:[ALL]", "automountServiceAccountToken:false", "/livez", "/readyz"} {
					if !strings.Contains(text, closed) {
						t.Errorf("%v lacks %s", d["metadata"], closed)
					}
				}
				mounted, defined := map[string]bool{"data": true}, map[string]bool{"data": true}
				for _, v := range pod["volumes"].([]any) {
					defined[v.(map[string]any)["name"].(string)] = true
				}
				for _, v := range pod["containers"].([]any)[0].(map[string]any)["volumeMounts"].([]any) {
					mounted[v.(map[string]any)["name"].(string)] = true
				}
				if fmt.Sprint(mounted) != fmt.Sprint(defined) {
					t.Errorf("volumes: %v are mounted, %v are there", mounted, defined)
				}
				if strings.Contains(text, "keeper.yaml") && strings.Contains(configs["keeper.yaml"], "reactions ") {
					telling += replicas
				}
			}
			wantNodes, wantTelling := 1, 0
			if name == "whole" {
				wantNodes = 4
			}
			if name == "whole" || name == "alone and telling" {
				wantTelling = 1
			}
			if keeps := regexp.MustCompile(`ledger +true`); keeps.MatchString(configs["keeper.yaml"]) != (name == "whole") || keeps.MatchString(configs["node.yaml"]) {
				t.Errorf("on a cluster the keeper keeps the ledger, and nobody else:\n%s\n%s", configs["keeper.yaml"], configs["node.yaml"])
			}
			if nodes != wantNodes || telling != wantTelling || strings.Contains(configs["node.yaml"], "reactions ") {
				t.Errorf("%d nodes, of which %d tell others; want %d and %d", nodes, telling, wantNodes, wantTelling)
			}
		})
	}
}

// Values that can't work are refused before anything is made.
func TestTheChartRefusesWhatCanNotWork(t *testing.T) {
	for changes, want := range map[string]string{
		"replicas: 1":              "host: name the host",
		smallest + "\nreplicas: 2": "more than one node needs a log in a cluster",
	} {
		if _, err := render(t, valuesWith(t, changes)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", changes, err)
		}
	}
	for _, changes := range []string{smallest + "\ncolour: red", smallest + "\nreplicas: 0", smallest + "\nsecretSettings: [{name: X, secret: a, key: b}]", "replicas: 1"} {
		if fitsSchema(t, valuesWith(t, changes)) == nil {
			t.Errorf("%s: fits the schema", changes)
		}
	}
}
