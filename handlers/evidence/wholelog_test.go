package evidence_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/evidence"
)

// alter does to a closed store what someone with the file in her hands can do.
func (p *place) alter(statements ...string) {
	p.t.Helper()
	p.close()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "log.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	var triggers []string
	rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		p.t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			p.t.Fatal(err)
		}
		triggers = append(triggers, name)
	}
	for _, name := range triggers {
		if _, err := db.Exec("DROP TRIGGER " + name); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, s := range statements {
		if s == checksummed {
			p.checksum(db)
			continue
		}
		if _, err := db.Exec(s); err != nil {
			p.t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		p.t.Fatal(err)
	}
}

// checksummed stands for new checksums for all rows, so that only the ledger can tell.
const checksummed = "checksums"

// checksum writes the checksum of every event anew, as package sqlitestore defines it.
func (p *place) checksum(db *sql.DB) {
	p.t.Helper()
	rows, err := db.Query(`SELECT position, s.name, revision, e.id, recorded_at, type, metadata, data FROM events e JOIN streams s ON s.id = e.stream`)
	if err != nil {
		p.t.Fatal(err)
	}
	sums := map[int64]uint32{}
	for rows.Next() {
		var (
			position, revision, recordedAt int64
			name, kind                     string
			id, metadata, data             []byte
		)
		if err := rows.Scan(&position, &name, &revision, &id, &recordedAt, &kind, &metadata, &data); err != nil {
			p.t.Fatal(err)
		}
		var b []byte
		for _, n := range []int64{position, revision, recordedAt} {
			b = binary.BigEndian.AppendUint64(b, uint64(n))
		}
		b = append(b, id...)
		for _, part := range [][]byte{[]byte(name), []byte(kind), metadata, data} {
			b = append(binary.BigEndian.AppendUint64(b, uint64(len(part))), part...)
		}
		sums[position] = crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	}
	for position, sum := range sums {
		if _, err := db.Exec(`UPDATE events SET checksum = ? WHERE position = ?`, sum, position); err != nil {
			p.t.Fatal(err)
		}
	}
}

// verifies verifies the whole log as traga verify --data does: the store opened for reading only.
func (p *place) verifies(trust ledger.Trust) *ledger.Verdict {
	p.t.Helper()
	ctx := p.t.Context()
	store, err := sqlitestore.Open(ctx, p.dir, sqlitestore.ReadOnly())
	if err != nil {
		p.t.Fatal(err)
	}
	defer store.Close()
	keys, err := vault.Open(ctx, p.keys, nil, vault.ReadOnly())
	if err != nil {
		p.t.Fatal(err)
	}
	defer keys.Close()
	l, err := store.Ledger()
	if err != nil {
		p.t.Fatal(err)
	}
	s := &evidence.Source{Ledger: l, Log: keys.Wrap(store), Opener: keys}
	v, err := s.VerifyLog(ctx, trust, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func TestTheWholeLogVerifies(t *testing.T) {
	p, pinned := told(t)
	for _, c := range []struct {
		name  string
		trust ledger.Trust
		exit  int
		line  string
	}{
		{"pinned", ledger.Trust{Pinned: pinned, Policy: p.policy(false)}, 0, "VERIFIED log of 5 events in 3 cases at size 8; pinned 3; witnesses 1/1; 0 fields erased"},
		{"quorum", ledger.Trust{Policy: p.policy(true)}, 0, "VERIFIED log of 5 events in 3 cases at size 6; pinned none; witnesses 1/1; 0 fields erased; 2 entries behind it not signed yet"},
		{"nothing", ledger.Trust{}, 3, "UNANCHORED log of 5 events in 3 cases at size 8; "},
	} {
		v := p.verifies(c.trust)
		if v.ExitCode() != c.exit || !strings.HasPrefix(v.Line(), c.line) {
			t.Errorf("%s: exit %d, %s\nwant %d, %s", c.name, v.ExitCode(), v.Line(), c.exit, c.line)
		}
	}
}

func TestWhatIsDoneToTheFileIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		do   []string
		code ledger.Code
		at   string
	}{
		{"a byte of a payload", []string{`UPDATE events SET data = CAST(replace(data, 'convicted', 'convictet') AS BLOB) WHERE position = 2`}, ledger.CodePayload, "leaf 1"},
		{"a byte of a payload, with its checksum", []string{`UPDATE events SET data = CAST(replace(data, 'convicted', 'convictet') AS BLOB) WHERE position = 2`, checksummed}, ledger.CodePayload, "leaf 1, revision 0 of the stream case-"},
		{"a byte of an envelope, with its checksum", []string{`UPDATE events SET metadata = CAST(replace(metadata, 'a.petrova', 'a.petrovb') AS BLOB) WHERE position = 5`, checksummed}, ledger.CodePayload, "leaf 6, revision 2"},
		{"a protected value, with its checksum", []string{`UPDATE events SET data = (SELECT CAST(substr(data, 1, length(data) - 12) || 'AAAA' || substr(data, -8) AS BLOB)) WHERE position = 3`, checksummed}, ledger.CodePayload, "leaf 3, revision 1"},
		{"two events swapped, with their checksums", []string{`UPDATE events SET position = -position WHERE position IN (1, 2)`,
			`UPDATE events SET position = 3 + position WHERE position < 0`, checksummed}, ledger.CodePayload, "leaf 0"},
		{"a time put back, with its checksum", []string{`UPDATE events SET recorded_at = recorded_at - 3600000000 WHERE position = 5`, checksummed}, ledger.CodePayload, "leaf 6"},
		{"an event taken away", []string{`DELETE FROM events WHERE position = 3`}, ledger.CodeGap, "leaf 3"},
		{"the last event taken away", []string{`DELETE FROM events WHERE position = 5`}, ledger.CodeTail, "leaf 6"},
		{"a hash of the tree", []string{`UPDATE nodes SET hashes = zeroblob(length(hashes)) WHERE place = (SELECT max(place) FROM nodes)`}, ledger.CodeIncl, "the leaf of heads at 7"},
		{"a leaf of heads", []string{`UPDATE heads SET leaf = (SELECT leaf FROM heads ORDER BY place LIMIT 1) WHERE place = 5`}, ledger.CodeTail, "the leaf of heads at 5"},
		{"the end cut off, with its tree", []string{`DELETE FROM events WHERE position = 5`, `DELETE FROM heads WHERE place = 7`,
			`DELETE FROM nodes WHERE place >= 10`}, ledger.CodeTail, "the end of the log"},
		{"a checkpoint's root", []string{`UPDATE checkpoints SET note = CAST(replace(note, substr(note, instr(note, CAST(char(10) || '6' || char(10) AS BLOB)) + 3, 4), 'AAAA') AS BLOB) WHERE size = 6`}, ledger.CodeFork, "the checkpoint of 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, pinned := told(t)
			trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
			p.alter(c.do...)
			defer p.reopenForCleanup()
			v := p.verifies(trust)
			if v.OK || v.ExitCode() != 7 || v.Problems[0].Code != c.code || !strings.HasPrefix(v.Problems[0].Place, c.at) {
				t.Errorf("%s, want %s at %s", v.Line(), c.code, c.at)
			}
		})
	}
}

// TestHistoryWrittenAnew: the operator holds the signer's key, takes its record away, and builds the whole store again
// with an entry that had been forgotten, at the time at which it should have been made.
func TestHistoryWrittenAnew(t *testing.T) {
	p, pinned := told(t)
	trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
	text, err := os.ReadFile(filepath.Join(p.keys, "signer.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	forger := newPlace(t)
	seal := func() {
		tree, recorded, err := forger.ledger().AppendHeads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, err := ledger.Sign(tree, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := forger.ledger().AddCheckpoint(t.Context(), n, recorded); err != nil {
			t.Fatal(err)
		}
	}
	forger.records(first, opened("s-1"))
	forger.records(first, level("high")) // the one
	seal()
	forger.records(second, opened("s-1"))
	forger.records(first, level("medium"))
	seal()
	made := forger.makes(evidence.Request{Case: first, Since: []int64{pinned.Size}})
	v := ledger.Verify(made.Bundle, trust)
	if v.OK || v.Problems[0].Code != ledger.CodeFork || len(v.Notes) != 2 || v.Notes[0] != string(pinned.Bytes()) {
		t.Errorf("the bundle: %s, want E-FORK with both notes", v.Line())
	}
	if v := forger.verifies(trust); v.OK || v.Problems[0].Code != ledger.CodeFork {
		t.Errorf("the log: %s, want E-FORK", v.Line())
	}
	if err := forger.source().Continues(t.Context(), pinned); !errors.Is(err, evidence.ErrOtherLog) {
		t.Errorf("an export for the pinned checkpoint: %v, want ErrOtherLog", err)
	}
	// The signer itself, with its record, would not have signed it.
	tree, err := forger.ledger().Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.signer.Sign(t.Context(), tree, nil); !errors.Is(err, ledger.ErrFork) && !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("the signer: %v", err)
	}
}

// TestLastWeeksDatabase: the store is put back as it was.
func TestLastWeeksDatabase(t *testing.T) {
	p := newPlace(t)
	p.records(first, opened("s-1"))
	p.seals(true)
	p.close()
	week := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(week, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	p.open()
	p.records(first, level("high"))
	pinned := p.seals(true)
	trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
	p.close()
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(p.dir, os.DirFS(week)); err != nil {
		t.Fatal(err)
	}
	p.open()
	made := p.makes(evidence.Request{Case: first, Since: []int64{pinned.Size}})
	if v := ledger.Verify(made.Bundle, trust); v.OK || v.Problems[0].Code != ledger.CodeRollback {
		t.Errorf("the bundle: %s, want E-ROLLBACK", v.Line())
	}
	if v := p.verifies(trust); v.OK || v.Problems[0].Code != ledger.CodeRollback {
		t.Errorf("the log: %s, want E-ROLLBACK", v.Line())
	}
	// What is recorded on top of it is another history, and gets no signature.
	p.records(first, level("low"))
	if _, err := p.sealer.Seal(t.Context()); !errors.Is(err, ledger.ErrFork) && !errors.Is(err, ledger.ErrRollback) {
		t.Errorf("the signer: %v", err)
	}
}

// reopenForCleanup lets the cleanup close something that is open.
func (p *place) reopenForCleanup() {
	if err := os.RemoveAll(p.dir); err != nil {
		p.t.Error(err)
	}
	if err := os.RemoveAll(p.keys); err != nil {
		p.t.Error(err)
	}
	p.open()
}

// TestAKeystoreOfAnotherDay: a field that can't be opened, and that nobody said was erased, is named; so is one that another
// keystore should open.
func TestAKeystoreOfAnotherDay(t *testing.T) {
	p, pinned := told(t)
	trust := ledger.Trust{Pinned: pinned, Policy: p.policy(false)}
	other, err := vault.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := p.source()
	s.Opener = other
	v, err := s.VerifyLog(t.Context(), trust, nil)
	if err != nil || v.OK || v.Problems[0].Code != ledger.CodeWithheld {
		t.Errorf("another keystore: %v, %v, want E-WITHHELD", v, err)
	}
	s.Opener = nil // without keys the log is verified all the same
	if v, err := s.VerifyLog(t.Context(), trust, nil); err != nil || !v.OK {
		t.Errorf("without keys: %v, %v", v, err)
	}
}

func TestVerifyingIsInterrupted(t *testing.T) {
	p, _ := told(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.source().VerifyLog(ctx, ledger.Trust{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
