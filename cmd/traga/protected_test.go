package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/handlers/caseload"
	"traga.internal/handlers/simulate"
)

// A whole caseload leaves no protected value in any byte of the log, of the read models, of the program's own log and of
// the metrics. The risk level, which the list of cases shows, is one of three words, and not looked for.
func TestNoProtectedValueIsInAnyFile(t *testing.T) {
	var told bytes.Buffer
	a := &app{Streams: Streams{Out: io.Discard, Err: io.Discard}, now: time.Now}
	dir, keys := t.TempDir(), t.TempDir()
	load, err := caseload.New(demoSeed, a.now(), 12)
	if err != nil {
		t.Fatal(err)
	}
	clock := &simulate.Clock{}
	n, err := a.openNode(t.Context(), place{dir: dir, keys: keys}, slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug})), clock.Now, "", &entrance{hosts: hostNames{here: true}}, testSeals(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := a.playCaseload(t.Context(), n, clock, load); err != nil {
		t.Fatal(err)
	}
	secrets, plain := map[string]bool{}, strings.Builder{}
	types := map[uuid.UUID]string{}
	for after, more := events.Start, true; more; {
		page, err := n.store.ReadAll(t.Context(), after, 1000, events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Events {
			types[r.ID] = r.Type
			k, _ := events.KindOf(r.Type)
			fields, err := k.ProtectedFields(r.Data, func(id uuid.UUID) (string, error) { return types[id], nil })
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for _, f := range fields {
				plain.Write(r.Data[at:f.Start])
				for _, s := range textsIn(t, r.Data[f.Start:f.End]) {
					secrets[s] = len(s) >= 6 && s != "medium" && s != "female"
				}
				at = f.End
			}
			plain.Write(r.Data[at:])
			plain.Write(r.Metadata)
		}
		after, more = page.Scanned, page.More
	}
	metrics := httptest.NewRecorder()
	n.metrics.Handler().ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	told.Write(metrics.Body.Bytes())
	everything := map[string]string{"the program's log and metrics": told.String()}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			everything[d.Name()] = string(b)
		}
		return err
	})
	if err != nil || len(everything["log.db"])+len(everything["log.db-wal"]) < 100_000 {
		t.Fatalf("%v, and the log has %d bytes", err, len(everything["log.db"]))
	}
	looked := 0
	for s, long := range secrets {
		if !long || strings.Contains(plain.String(), s) { // it is said elsewhere too, where nothing is protected
			continue
		}
		looked++
		for name, content := range everything {
			if strings.Contains(content, s) {
				t.Errorf("%q is in %s", s, name)
			}
		}
	}
	if looked < 30 {
		t.Errorf("only %d protected values were looked for", looked)
	}
}

// textsIn are the texts in a JSON value.
func textsIn(t *testing.T, v []byte) (list []string) {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		token, err := d.ReadToken()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if token.Kind() == '"' {
			list = append(list, token.String())
		}
	}
}
