package sqlitestore

import (
	"compress/gzip"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// TestUpgrade opens a store that the version before the ledger wrote.
func TestUpgrade(t *testing.T) {
	dir := t.TempDir()
	packed, err := os.Open(filepath.Join("testdata", "format1", "log.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, logFile), file, 0o600); err != nil {
		t.Fatal(err)
	}
	old := mustOpen(t, dir, ReadOnly())
	history := checkLog(t, old)
	if _, err := old.Ledger(); !errors.Is(err, ErrNoLedger) || len(history) != 63 {
		t.Errorf("read only: %d events, and of the ledger: %v", len(history), err)
	}
	if err := old.Check(t.Context()); err != nil {
		t.Error(err)
	}
	var reports []uint64
	s := mustOpen(t, dir, WithProgress(func(done, total uint64) { reports = append(reports, done, total) }))
	if got := checkLog(t, s); !reflect.DeepEqual(got, history) {
		t.Error("the log has changed")
	}
	if leaves := allLeaves(t, mustLedger(t, s)); len(leaves) != 63 || len(reports) == 0 || reports[0] != 63 || reports[1] != 63 {
		t.Errorf("%d leaves, progress %v", len(leaves), reports)
	}
	if _, err := s.Append(t.Context(), history[0].Stream, events.StreamExists, proposed(1)...); err != nil {
		t.Fatal(err)
	}
	seal(t, mustLedger(t, s), testSigner(t))
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	tags := map[ledger.Tag]bool{}
	for _, l := range allLeaves(t, mustLedger(t, s)) {
		if l.Event.Position.Commit > 0 {
			tags[l.Tag] = true
		}
	}
	if len(tags) != 2 || tags[ledger.Tag{}] {
		t.Errorf("the two streams have the tags %v", tags)
	}
}

// TestUpgradeKilled kills the process that upgrades a store, after each batch in turn.
func TestUpgradeKilled(t *testing.T) {
	dir := t.TempDir()
	const count = 2*upgradeBatch + 100
	history := writeFormat1(t, dir, count)
	for done := 0; done < 2; done++ {
		c := start(t, "upgrade", dir)
		if c.lines.Scan() {
			t.Fatalf("the upgrade was not killed: %s", c.lines.Text())
		}
		c.kill()
		old := mustOpen(t, dir, ReadOnly())
		if _, err := old.Ledger(); !errors.Is(err, ErrNoLedger) {
			t.Fatalf("half upgraded: %v", err)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
	}
	first := uint64(0)
	s := mustOpen(t, dir, WithProgress(func(done, _ uint64) {
		if first == 0 {
			first = done
		}
	}))
	if first != count {
		t.Errorf("the third opening began with batch %d, want it to finish the last", first)
	}
	if leaves := allLeaves(t, mustLedger(t, s)); len(leaves) != count {
		t.Errorf("%d leaves", len(leaves))
	}
	if got := checkLog(t, s); !reflect.DeepEqual(got, history) {
		t.Error("the log has changed")
	}
}

// upgradeAndDie opens a store, and kills itself as soon as one more batch has its leaves.
func upgradeAndDie(dir string, _ io.Reader, out io.Writer) error {
	_, err := Open(context.Background(), dir, WithProgress(func(uint64, uint64) {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		fmt.Fprintln(os.Stderr, err)
		select {} // until the signal is there
	}))
	fmt.Fprintln(out, "open:", err)
	return err
}

// writeFormat1 writes a log as the version before the ledger did.
func writeFormat1(t *testing.T, dir string, n int) (history []events.Recorded) {
	t.Helper()
	path := filepath.Join(dir, logFile)
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(fmt.Sprint("PRAGMA application_id = ", applicationID)); err != nil {
		t.Fatal(err)
	}
	if err := step(t.Context(), db, steps[0], 1); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	const streams = 50
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i, p := range proposed(n) {
		r := events.Recorded{ID: p.ID, Stream: fmt.Sprint("case-", i%streams), Revision: uint64(i / streams), Position: events.At(uint64(i + 1)),
			RecordedAt: at, Type: p.Type, Metadata: p.Metadata, Data: p.Data}
		if i < streams {
			if _, err := tx.Exec(`INSERT INTO streams (id, name) VALUES (?, ?)`, i+1, r.Stream); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := tx.Exec(insertEventSQL, i+1, i%streams+1, r.Revision, r.ID[:], at.UnixMicro(), r.Type, []byte(r.Metadata), []byte(r.Data), checksum(&r)); err != nil {
			t.Fatal(err)
		}
		history = append(history, r)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return history
}
