package esdbstore_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/esdbtest"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/storecopy"
)

func ledgerOf(t *testing.T, s *esdbstore.Store) *esdbstore.Ledger {
	t.Helper()
	l, err := s.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// leaves are all leaves of a ledger, each checked against its hash, and the tree against them.
func leaves(t *testing.T, l *esdbstore.Ledger) []sqlitestore.Leaf {
	t.Helper()
	tree, err := l.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []sqlitestore.Leaf
	var stored []tlog.Hash
	hashes := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			found[i] = stored[x]
		}
		return found, nil
	})
	for leaf, err := range l.Leaves(t.Context(), 0, tree.Size) {
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(append([]byte{0}, leaf.Bytes...)); leaf.Hash != sum || leaf.Place != int64(len(list)) {
			t.Errorf("the leaf at place %d is not the one in the tree", len(list))
		}
		more, err := tlog.StoredHashesForRecordHash(int64(len(list)), leaf.Hash, hashes)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		list = append(list, leaf)
	}
	root, err := tlog.TreeHash(int64(len(list)), hashes)
	if err != nil || root != tree.Root || int64(len(list)) != tree.Size {
		t.Errorf("%d leaves make the root %v, %v; the tree is %v", len(list), root, err, tree)
	}
	return list
}

// Whoever wrote them, the events' leaves are in the tree in the order of the log, each linked to the one before it in its
// stream; leaves of heads stand between them where they were put, also after a restart.
func TestTheLedgerFollowsTheLog(t *testing.T) {
	server := start(t, esdbtest.Options{})
	dir := t.TempDir()
	a, b := open(t, server.URL()), open(t, server.URL())
	other := library(t, server.URL())
	var ends []int64
	total := 0
	for round := range 3 {
		s, err := esdbstore.Open(t.Context(), server.URL(), esdbstore.WithLedger(dir))
		if err != nil {
			t.Fatal(err)
		}
		var writing sync.WaitGroup
		for w, store := range []*esdbstore.Store{a, b, s} {
			writing.Go(func() {
				for i := range 20 {
					if _, err := store.Append(t.Context(), fmt.Sprint("case-", (w+i)%5), events.Any, proposed(1+i%3)...); err != nil {
						t.Error(err)
					}
				}
			})
			for i := range 20 {
				total += 1 + i%3
			}
		}
		if _, err := other.AppendToStream(t.Context(), "orders", esdb.AppendToStreamOptions{}, esdb.EventData{EventType: "Ordered"}); err != nil {
			t.Error(err)
		}
		writing.Wait()
		l := ledgerOf(t, s)
		for range 2 { // the second adds nothing
			tree, recorded, err := l.AppendHeads(t.Context())
			if err != nil || tree.Size != int64(total+round+1) || recorded.IsZero() {
				t.Fatalf("round %d: %+v, %v, %v; want %d leaves", round, tree, recorded, err, total+round+1)
			}
		}
		ends = append(ends, int64(total+round))
		list := leaves(t, l)
		last := map[string]ledger.Hash{}
		events := 0
		for i, leaf := range list {
			event, heads, err := ledger.ParseLeaf(leaf.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if heads != nil {
				m, err := l.Heads(t.Context(), int64(i))
				if err != nil || m.Leaf() != *heads || int64(i) != ends[0] && int64(i) != ends[len(ends)-1] && int64(i) != ends[min(1, len(ends)-1)] {
					t.Errorf("the heads at place %d are not those of the leaves before: %v", i, err)
				}
				continue
			}
			events++
			if event.Previous != last[leaf.Event.Stream] || event.ID != leaf.Event.ID || event.Revision != leaf.Event.Revision {
				t.Errorf("the leaf at place %d does not follow the one before in its stream", i)
			}
			last[leaf.Event.Stream] = leaf.Hash
			if place, err := l.Place(t.Context(), leaf.Event.Position); err != nil || place != int64(i) {
				t.Errorf("the event at place %d is found at %d, %v", i, place, err)
			}
		}
		if events != total {
			t.Errorf("round %d: %d leaves of events, %d were stored", round, events, total)
		}
		n := 0
		for leaf, err := range l.StreamLeaves(t.Context(), "case-1", 2) {
			if err != nil || leaf.Event.Stream != "case-1" || leaf.Event.Revision != uint64(n+2) || list[leaf.Place].Hash != leaf.Hash {
				t.Fatalf("leaf %d of a stream: %+v, %v", n, leaf, err)
			}
			n++
		}
		if n == 0 {
			t.Error("a stream has no leaves")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Ledger(); !errors.Is(err, esdbstore.ErrNoLedger) {
		t.Errorf("a node that does not keep it: %v", err)
	}
}

// A log that was copied has the same tree as where it came from.
func TestTheLedgerOfACopyIsTheSame(t *testing.T) {
	from, err := sqlitestore.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for i := range 50 {
		if _, err := from.Append(t.Context(), fmt.Sprint("case-", i%3), events.Any, proposed(2)...); err != nil {
			t.Fatal(err)
		}
	}
	old, err := from.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	want, err := old.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := start(t, esdbtest.Options{})
	to := open(t, server.URL(), esdbstore.WithLedger(t.TempDir()))
	if _, err := storecopy.Copy(t.Context(), from, to, nil, nil); err != nil {
		t.Fatal(err)
	}
	l := ledgerOf(t, to)
	if _, _, err := l.AppendHeads(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := l.TreeAt(t.Context(), want.Size); err != nil || got != want {
		t.Errorf("the copy's tree is %+v, %v; the first one's %+v", got, err, want)
	}
}

// At the first event that traga did not write where it stands, the ledger stops: what comes after is stored, and never
// sealed.
func TestTheLedgerHalts(t *testing.T) {
	type scene struct {
		t      *testing.T
		server *esdbtest.Server
		s      *esdbstore.Store
		other  *esdb.Client
	}
	// metadataOf is what traga wrote beside an event.
	metadataOf := func(x *scene, stream string, revision uint64) []byte {
		r, err := x.other.ReadStream(t.Context(), stream, esdb.ReadStreamOptions{From: esdb.Revision(revision)}, 1)
		if err != nil {
			x.t.Fatal(err)
		}
		defer r.Close()
		e, err := r.Recv()
		if err != nil {
			x.t.Fatal(err)
		}
		return e.Event.UserMetadata
	}
	forge := func(x *scene, stream string, metadata []byte) {
		e := esdb.EventData{EventID: uuid.New(), EventType: "ReleaseDateSet", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`), Metadata: metadata}
		if _, err := x.other.AppendToStream(t.Context(), stream, esdb.AppendToStreamOptions{}, e); err != nil {
			x.t.Fatal(err)
		}
	}
	for name, tamper := range map[string]func(*scene){
		"an event of someone else's":                    func(x *scene) { forge(x, "case-1", []byte(`{}`)) },
		"an event with what traga wrote beside another": func(x *scene) { forge(x, "case-1", metadataOf(x, "case-1", 2)) },
		"a stream that takes another's place":           func(x *scene) { forge(x, "case-9", metadataOf(x, "case-1", 0)) },
		"a stream without its beginning":                func(x *scene) { forge(x, "case-9", metadataOf(x, "case-1", 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			x := &scene{t: t, server: start(t, esdbtest.Options{})}
			dir := t.TempDir()
			x.other = library(t, x.server.URL())
			writer := open(t, x.server.URL())
			appendTo(t, writer, "case-1", events.NoStream, proposed(3)...)
			x.s = open(t, x.server.URL(), esdbstore.WithLedger(dir))
			before, _, err := ledgerOf(t, x.s).AppendHeads(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tamper(x)
			appendTo(t, writer, "case-2", events.NoStream, proposed(1)...)
			for range 2 { // also after a restart
				l := ledgerOf(t, x.s)
				var halt *esdbstore.HaltError
				if _, _, err := l.AppendHeads(t.Context()); !errors.As(err, &halt) || !errors.Is(err, events.ErrDamaged) || l.Err() == nil {
					t.Fatalf("it goes on: %v", err)
				}
				if err := x.s.Health(t.Context()); !errors.As(err, &halt) {
					t.Errorf("health: %v", err)
				}
				if tree, err := l.Tree(t.Context()); err != nil || tree != before {
					t.Errorf("the tree is %+v, %v; before it was %+v", tree, err, before)
				}
				if err := x.s.Close(); err != nil {
					t.Fatal(err)
				}
				x.s = open(t, x.server.URL(), esdbstore.WithLedger(dir))
			}
		})
	}
	t.Run("a log that lost its end", func(t *testing.T) {
		server := start(t, esdbtest.Options{})
		dir := t.TempDir()
		writer := open(t, server.URL())
		appendTo(t, writer, "case-1", events.NoStream, proposed(3)...)
		s := open(t, server.URL(), esdbstore.WithLedger(dir))
		if _, _, err := ledgerOf(t, s).AppendHeads(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		server.Log().Cut(1)
		appendTo(t, open(t, server.URL()), "case-1", events.Revision(1), proposed(4)...)
		s = open(t, server.URL(), esdbstore.WithLedger(dir))
		var halt *esdbstore.HaltError
		if _, _, err := ledgerOf(t, s).AppendHeads(t.Context()); !errors.As(err, &halt) {
			t.Errorf("it goes on: %v", err)
		}
	})
}
