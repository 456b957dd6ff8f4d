package sqlitestore

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// mustLedger is the ledger of a store that has one.
func mustLedger(t testing.TB, s *Store) *Ledger {
	t.Helper()
	l, err := s.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// allLeaves reads the whole ledger and fails unless its hashes are those of its leaves.
func allLeaves(t *testing.T, l *Ledger) []Leaf {
	t.Helper()
	tree, err := l.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []Leaf
	for leaf, err := range l.Leaves(t.Context(), 0, tree.Size) {
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Place != int64(len(list)) || leaf.Hash != leafSum(leaf.Bytes) {
			t.Fatalf("after %d leaves comes %+v", len(list), leaf)
		}
		list = append(list, leaf)
	}
	if int64(len(list)) != tree.Size || rootOf(list) != tree.Root {
		t.Fatalf("%d leaves of root %x, the ledger says %d of %v", len(list), rootOf(list), tree.Size, tree.Root)
	}
	return list
}

// rootOf is RFC 6962, section 2.1, word by word.
func rootOf(list []Leaf) ledger.Hash {
	switch n := len(list); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leafSum(list[0].Bytes)
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		left, right := rootOf(list[:k]), rootOf(list[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

func leafSum(b []byte) ledger.Hash { return sha256.Sum256(append([]byte{0}, b...)) }

// testSigner signs without a memory.
func testSigner(t testing.TB) note.Signer {
	t.Helper()
	secret, _, err := note.GenerateKey(nil, "test.example/log")
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// seal ends the ledger with its heads and stores a checkpoint.
func seal(t testing.TB, l *Ledger, key note.Signer) ledger.Tree {
	t.Helper()
	tree, _, err := l.AppendHeads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, err := ledger.Sign(tree, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AddCheckpoint(t.Context(), n, time.Now()); err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestLedgerFollowsTheLog: every event has its leaf, in the order of the log, whatever became of the calls around it;
// every leaf and every stream's end can be proved; and a store opened again goes on with the same tree.
func TestLedgerFollowsTheLog(t *testing.T) {
	dir, key := t.TempDir(), testSigner(t)
	s := mustOpen(t, dir)
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 4 {
		l := mustLedger(t, s)
		for i := range 40 {
			stream := fmt.Sprint("case-", random.IntN(9))
			list := proposed(1 + random.IntN(4))
			if _, err := s.Append(t.Context(), stream, events.Any, list...); err != nil {
				t.Fatal(err)
			}
			switch i % 8 {
			case 1: // a repeat, and calls that are refused, leave no leaf
				if a, err := s.Append(t.Context(), stream, events.Any, list...); err != nil || !a.Repeated {
					t.Fatalf("a repeat: %+v, %v", a, err)
				}
				for _, bad := range [][]events.Proposed{append(proposed(1), list[0]), proposed(1)} {
					if _, err := s.Append(t.Context(), stream, events.NoStream, bad...); !errors.Is(err, events.ErrConflict) {
						t.Fatalf("a conflict: %v", err)
					}
				}
			case 3:
				calls := []events.Call{{Stream: "series-1", Proposed: proposed(2)}, {Stream: "series-2", Proposed: proposed(1)}, {Stream: "series-1", Proposed: proposed(1)}}
				if err := s.AppendSeries(t.Context(), calls...); err != nil {
					t.Fatal(err)
				}
			case 5:
				before := seal(t, l, key)
				if again := seal(t, l, key); again != before {
					t.Fatalf("sealed again without an event: %v, before %v", again, before)
				}
			}
		}
		history := checkLog(t, s)
		leaves := allLeaves(t, l)
		var seen []events.Recorded
		for _, leaf := range leaves {
			if leaf.Event.Position.Commit > 0 {
				seen = append(seen, leaf.Event)
			}
		}
		if !reflect.DeepEqual(seen, history) {
			t.Fatalf("round %d: the ledger has %d events, the log %d", round, len(seen), len(history))
		}
		proveAll(t, l, leaves)
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		before, err := l.Tree(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Tree(t.Context()); !errors.Is(err, events.ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
		s = mustOpen(t, dir)
		if after, err := mustLedger(t, s).Tree(t.Context()); err != nil || after != before {
			t.Fatalf("opened again: %v, %v, before %v", after, err, before)
		}
	}
}

func proveAll(t *testing.T, l *Ledger, leaves []Leaf) {
	t.Helper()
	tree, err := l.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves {
		if _, err := tree.ProveHolds(leaf.Place, leaf.Hash, l.Hashes(t.Context())); err != nil {
			t.Fatal(err)
		}
		if leaf.Event.Position.Commit > 0 {
			if place, err := l.Place(t.Context(), leaf.Event.Position); err != nil || place != leaf.Place {
				t.Fatalf("position %s is at place %d, %v; want %d", leaf.Event.Position, place, err, leaf.Place)
			}
			continue
		}
		_, want, err := ledger.ParseLeaf(leaf.Bytes)
		if err != nil || want == nil {
			t.Fatalf("leaf %d: %v", leaf.Place, err)
		}
		m, err := l.Heads(t.Context(), leaf.Place) // as of then, not of now
		if err != nil || m.Leaf() != *want {
			t.Fatalf("heads of %d leaves: %+v, %v; want %+v", leaf.Place, m.Leaf(), err, *want)
		}
	}
	for from := range 5 {
		revision := uint64(from)
		for leaf, err := range l.StreamLeaves(t.Context(), "case-1", revision) {
			if err != nil || leaf.Event.Revision != revision || !reflect.DeepEqual(leaf, leaves[leaf.Place]) {
				t.Fatalf("case-1 at revision %d: %+v, %v", revision, leaf, err)
			}
			revision++
		}
	}
}

// TestCheckpointsAndCosignatures: they are found by size, with and without a cosignature, and one that is not of this
// tree is refused.
func TestCheckpointsAndCosignatures(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	l, key := mustLedger(t, s), testSigner(t)
	var sizes []int64
	for range 3 {
		if _, err := s.Append(t.Context(), "case-1", events.Any, proposed(3)...); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, seal(t, l, key).Size) // 4, 8, 12
	}
	witness, _, err := ledger.GenerateCosigner(&counter{}, "ombudsman.example/witness")
	if err != nil {
		t.Fatal(err)
	}
	stored, _, err := l.CheckpointUpTo(t.Context(), 8, false)
	if err != nil {
		t.Fatal(err)
	}
	n, err := ledger.ParseNote(stored.Note)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, when := range []time.Time{at.Add(time.Hour), at, at} {
		if err := l.AddCosignature(t.Context(), n.Checkpoint, witness.Cosign(n.Checkpoint, when), when); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		from     bool
		size     int64
		cosigned bool
		want     int64 // 0: none
	}{
		{false, ledger.MaxSize, false, 12}, {false, 11, false, 8}, {false, 3, false, 0}, {false, ledger.MaxSize, true, 8}, {false, 7, true, 0},
		{true, 0, false, 4}, {true, 5, false, 8}, {true, 13, false, 0}, {true, 0, true, 8}, {true, 9, true, 0},
	} {
		find := l.CheckpointUpTo
		if c.from {
			find = l.CheckpointFrom
		}
		got, found, err := find(t.Context(), c.size, c.cosigned)
		if err != nil || found != (c.want > 0) || got.Size != c.want {
			t.Errorf("%+v: found %d, %v, %v", c, got.Size, found, err)
		}
	}
	stored, _, err = l.CheckpointUpTo(t.Context(), 8, true)
	if err != nil {
		t.Fatal(err)
	}
	if n, err = ledger.ParseNote(stored.Note); err != nil || len(n.Signatures) != 2 {
		t.Fatalf("the cosigned note: %v\n%s", err, stored.Note)
	}
	if got, signed, err := witness.Key().Signed(n); err != nil || !signed || !got.Equal(at) {
		t.Errorf("its cosignature is of %v, %v, %v; want the earliest, %v", got, signed, err, at)
	}
	if got, err := l.CosignedAt(t.Context(), witness.Key().Name()); err != nil || !got.Equal(at.Add(time.Hour)) {
		t.Errorf("last cosigned at %v, %v", got, err)
	}
	if got, err := l.CosignedAt(t.Context(), "another"); err != nil || !got.IsZero() {
		t.Errorf("another never cosigned, but at %v, %v", got, err)
	}
	fork, err := ledger.Sign(ledger.Tree{Size: sizes[1] + 1, Root: ledger.Hash{1}}, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AddCheckpoint(t.Context(), fork, at); !errors.Is(err, ledger.ErrFork) {
		t.Errorf("a checkpoint of another tree: %v", err)
	}
	if err := l.AddCosignature(t.Context(), fork.Checkpoint, witness.Cosign(fork.Checkpoint, at), at); !errors.Is(err, ledger.ErrNoCheckpoint) {
		t.Errorf("a cosignature to another tree: %v", err)
	}
}

// counter is a source of bytes that are not random.
type counter struct{ n uint64 }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = byte(c.n)
	}
	return len(b), nil
}

// TestLedgerAfterAFailedCommit: what was rolled back leaves no leaf, and neither does a leaf of heads that was not stored.
func TestLedgerAfterAFailedCommit(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	l := mustLedger(t, s)
	if _, err := s.Append(t.Context(), "case-0", events.NoStream, proposed(2)...); err != nil {
		t.Fatal(err)
	}
	seal(t, l, testSigner(t))
	before := allLeaves(t, l)
	run := func(statement string) {
		t.Helper()
		if _, err := s.writer.conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run(`PRAGMA foreign_keys = 1; CREATE TABLE whole (id INTEGER PRIMARY KEY);
		CREATE TABLE broken (id REFERENCES whole DEFERRABLE INITIALLY DEFERRED);
		CREATE TRIGGER fail AFTER INSERT ON events BEGIN INSERT INTO broken VALUES (1); END`)
	for range 3 {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if _, err := s.Append(t.Context(), fmt.Sprint("case-", i%3), events.Any, proposed(2)...); err == nil {
					t.Error("an append was stored")
				}
			})
		}
		wg.Wait()
		if after := allLeaves(t, l); !reflect.DeepEqual(after, before) {
			t.Fatalf("%d leaves, before %d", len(after), len(before))
		}
	}
	run("DROP TRIGGER fail")
	if _, err := s.Append(t.Context(), "case-0", events.Revision(1), proposed(2)...); err != nil {
		t.Fatal(err)
	}
	seal(t, l, testSigner(t))
	if after := allLeaves(t, l); len(after) != len(before)+3 {
		t.Errorf("%d leaves, want %d", len(after), len(before)+3)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAlterations does to a closed store what someone with the file in her hands can do: the triggers removed, the
// event's checksums made to fit. Each is found by the check, and those at the end of the log on opening.
func TestAlterations(t *testing.T) {
	const last = "(SELECT max(position) FROM events)"
	for name, c := range map[string]struct {
		sql    string
		opened bool // opening for writing finds it
	}{
		"another text in an event":     {sql: "UPDATE events SET data = x'7b7d' WHERE position = 50"},
		"another text in the last":     {sql: "UPDATE events SET data = x'7b7d' WHERE position = " + last, opened: true},
		"another time":                 {sql: "UPDATE events SET recorded_at = recorded_at - 1 WHERE position = 1"},
		"another type":                 {sql: "UPDATE events SET type = 'NotificationRecalled' WHERE position = 70"},
		"another name of an officer":   {sql: "UPDATE events SET metadata = CAST(replace(CAST(metadata AS TEXT), 'a.petrova', 'b.petrova') AS BLOB) WHERE position = 3"},
		"a byte in a leaf's hash":      {sql: flipped(0, 0)},
		"a byte in a hash of the tree": {sql: flipped(1, 20)},
		"a byte in the root's hash":    {sql: "UPDATE nodes SET hashes = CAST(substr(hashes, 1, length(hashes) - 1) || x'99' AS BLOB) WHERE place = (SELECT max(place) FROM nodes)", opened: true},
		"two events swapped": {sql: `UPDATE events SET position = -1 WHERE position = 8; UPDATE events SET position = 8 WHERE position = 9;
			UPDATE events SET position = 9 WHERE position = -1`},
		"two events of a stream swapped": {sql: `CREATE TEMP TABLE two AS SELECT id, data, metadata, revision FROM events WHERE stream = 1 AND revision IN (2, 3);
			UPDATE events SET id = randomblob(16) WHERE stream = 1 AND revision IN (2, 3);
			UPDATE events SET (id, data, metadata) = (SELECT id, data, metadata FROM two WHERE two.revision = 5 - events.revision) WHERE stream = 1 AND revision IN (2, 3)`},
		"the last event gone": {sql: "DELETE FROM events WHERE position = " + last, opened: true},
		"the last events and leaves gone": {sql: `DELETE FROM events WHERE position > 100; DELETE FROM heads WHERE events > 100;
			DELETE FROM nodes WHERE place >= (SELECT 2*place FROM heads ORDER BY place DESC LIMIT 1)`, opened: true},
		"an event of another stream": {sql: `UPDATE events SET stream = 3, revision = (SELECT max(revision) + 1 FROM events WHERE stream = 3)
			WHERE position = (SELECT max(position) FROM events WHERE stream = 4)`},
		"another tag":        {sql: "UPDATE streams SET tag = randomblob(16) WHERE id = 4"},
		"a changed heads":    {sql: "UPDATE heads SET leaf = CAST(substr(leaf, 1, 45) || x'00' AS BLOB) WHERE place = (SELECT min(place) FROM heads)"},
		"heads gone":         {sql: "DELETE FROM heads WHERE place = (SELECT min(place) FROM heads)"},
		"another checkpoint": {sql: "UPDATE checkpoints SET note = CAST(replace(CAST(note AS TEXT), char(10) || size || char(10), char(10) || (size - 1) || char(10)) AS BLOB)", opened: true},
		"an event without a leaf": {sql: `INSERT INTO events SELECT position + 1, stream, revision + 1, randomblob(16), recorded_at, type, metadata, data, checksum FROM events
			ORDER BY position DESC LIMIT 1`, opened: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir)
			for i := range 30 {
				if _, err := s.Append(t.Context(), fmt.Sprint("case-", i%7), events.Any, proposed(1+i%10)...); err != nil {
					t.Fatal(err)
				}
				if i%9 == 8 {
					seal(t, mustLedger(t, s), testSigner(t))
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			alter(t, dir, c.sql)
			s, err := Open(t.Context(), dir)
			if c.opened != errors.Is(err, events.ErrDamaged) || !c.opened && err != nil {
				t.Errorf("opened for writing: %v", err)
			}
			if err == nil {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if s, err = Open(t.Context(), dir, ReadOnly()); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Check(t.Context())
			if !errors.Is(err, events.ErrDamaged) {
				t.Errorf("checked: %v", err)
			}
			t.Log(err)
		})
	}
}

// flipped flips a byte in the stored hash of the leaf or node at this level and place in the level.
func flipped(level int, n int64) string {
	return fmt.Sprintf(`UPDATE nodes SET hashes = CAST(substr(hashes, 1, 32*(%[1]d-place)) || x'ee' || substr(hashes, 32*(%[1]d-place)+2) AS BLOB)
		WHERE place = (SELECT max(place) FROM nodes WHERE place <= %[1]d)`, tlog.StoredHashIndex(level, n))
}

// alter removes the triggers, runs SQL, and gives every event the checksum that fits it.
func alter(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, logFile))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	triggers, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		t.Fatal(err)
	}
	var drop strings.Builder
	for triggers.Next() {
		var name string
		if err := triggers.Scan(&name); err != nil {
			t.Fatal(err)
		}
		drop.WriteString("DROP TRIGGER " + name + ";")
	}
	if _, err := db.Exec(drop.String() + statement); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(`SELECT e.position, s.name, e.revision, e.id, e.recorded_at, e.type, e.metadata, e.data FROM events e JOIN streams s ON s.id = e.stream`)
	if err != nil {
		t.Fatal(err)
	}
	var list []events.Recorded
	for rows.Next() {
		var (
			r  events.Recorded
			id []byte
			at int64
		)
		if err := rows.Scan(&r.Position.Commit, &r.Stream, &r.Revision, &id, &at, &r.Type, &r.Metadata, &r.Data); err != nil {
			t.Fatal(err)
		}
		r.RecordedAt = time.UnixMicro(at)
		copy(r.ID[:], id)
		list = append(list, r)
	}
	for _, r := range list {
		if _, err := db.Exec(`UPDATE events SET checksum = ? WHERE position = ?`, checksum(&r), r.Position.Commit); err != nil {
			t.Fatal(err)
		}
	}
}
