package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scenarioChecks is an *.expect.json: what the commands answer about a scenario at an instant.
type scenarioChecks struct {
	Checks []struct {
		At      string
		Command []string
		Where   map[string]any
		Expect  map[string]any
		Count   *int
	}
}

// Every scenario runs, and every command answers as its expectations say: through the program as a user has it.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../../handlers/simulate/testdata/scenarios/*.ndjson")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ndjson"), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			if code, out, errs := run(t, "simulate", file, "--data", dir); code != exitOK {
				t.Fatalf("simulate: exit %d\n%s%s", code, out, errs)
			}
			ids := labelledEvents(t, file, dir)
			var doc scenarioChecks
			readJSON(t, strings.TrimSuffix(file, ".ndjson")+".expect.json", &doc)
			if len(doc.Checks) == 0 {
				t.Fatal("no checks")
			}
			for i, c := range doc.Checks {
				got := answer(t, append(slices.Clone(c.Command), "--data", dir, "--json", "--at", c.At)...)
				if problem := compare(got, withIDs(c.Where, ids), withIDs(c.Expect, ids), c.Count); problem != "" {
					t.Errorf("check %d: %s --at %s where %v: %s", i+1, strings.Join(c.Command, " "), c.At, c.Where, problem)
				}
			}
		})
	}
}

func run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func answer(t *testing.T, args ...string) any {
	t.Helper()
	code, out, errs := run(t, args...)
	if code != exitOK && code != exitFindings {
		t.Fatalf("%s: exit %d: %s", strings.Join(args, " "), code, errs)
	}
	var v any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%s: not one JSON document: %v", strings.Join(args, " "), err)
	}
	return v
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// labelledEvents finds the ids of the lines that carry a label, in the timelines.
func labelledEvents(t *testing.T, file, dir string) map[string]string {
	t.Helper()
	ids := map[string]string{}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for raw := range strings.Lines(string(text)) {
		var line struct{ Case, Type, RecordedAt, Label string }
		if err := json.Unmarshal([]byte(raw), &line); err != nil {
			t.Fatal(err)
		}
		if line.Label == "" {
			continue
		}
		for _, row := range answer(t, "case", "timeline", line.Case, "--data", dir, "--json").([]any) {
			if row := row.(map[string]any); row["type"] == line.Type && same(line.RecordedAt, row["recordedAt"]) {
				ids["@"+line.Label] = row["id"].(string)
			}
		}
	}
	return ids
}

func withIDs(v map[string]any, ids map[string]string) map[string]any {
	b, _ := json.Marshal(v)
	text := string(b)
	for label, id := range ids {
		text = strings.ReplaceAll(text, strconv.Quote(label), strconv.Quote(id))
	}
	var out map[string]any
	_ = json.Unmarshal([]byte(text), &out)
	return out
}

func compare(got any, where, expect map[string]any, count *int) string {
	element := got
	if rows, ok := got.([]any); ok {
		var hits []any
		for _, r := range rows {
			if len(differences(r, where)) == 0 {
				hits = append(hits, r)
			}
		}
		if count != nil {
			if len(hits) != *count {
				return fmt.Sprintf("%d elements, expected %d", len(hits), *count)
			}
			return ""
		}
		if len(hits) != 1 {
			return fmt.Sprintf("%d elements, expected one", len(hits))
		}
		element = hits[0]
	}
	return strings.Join(differences(element, expect), "; ")
}

func differences(v any, want map[string]any) []string {
	var list []string
	for key, w := range want {
		if got := at(v, key); !same(w, got) {
			list = append(list, fmt.Sprintf("%s is %v, expected %v", key, got, w))
		}
	}
	return list
}

// at is the value at a dotted path, nil where there is none.
func at(v any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

// same compares as the expectations do: instants by instant, lists as sets, objects by the expected keys.
func same(want, got any) bool {
	switch w := want.(type) {
	case map[string]any:
		return len(differences(got, w)) == 0
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for _, x := range w {
			if !slices.ContainsFunc(g, func(y any) bool { return same(x, y) }) {
				return false
			}
		}
		return true
	case string:
		g, _ := got.(string)
		t, errT := time.Parse(time.RFC3339Nano, w)
		u, errU := time.Parse(time.RFC3339Nano, g)
		return w == g || errT == nil && errU == nil && t.Equal(u)
	}
	return want == got
}
