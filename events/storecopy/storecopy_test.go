package storecopy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"traga.internal/events"
	"traga.internal/events/esdbstore"
	"traga.internal/events/esdbtest"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/storecopy"
)

// log is a store in which a copy may end up.
type log interface {
	events.Store
	storecopy.Target
}

func embedded(t *testing.T, dir string, clock func() time.Time) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), dir, sqlitestore.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func cluster(t *testing.T, o ...esdbstore.Option) (*esdbstore.Store, *esdbtest.Server) {
	t.Helper()
	server, err := esdbtest.Start(esdbtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	s, err := esdbstore.Open(t.Context(), server.URL(), o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, server
}

// fill writes a log as it grows by itself: several streams, calls of one event and of three, ciphertext among the data.
func fill(t *testing.T, s events.Store, tick func()) {
	t.Helper()
	for i := range 300 {
		var list []events.Proposed
		for range 1 + 2*(i%2) {
			list = append(list, events.Proposed{ID: uuid.New(), Type: []string{"CaseOpened", "NotificationSent"}[i%2], Metadata: fmt.Appendf(nil, `{ "n":%d }`, i),
				Data: fmt.Appendf(nil, `{"name":{"~sealed":["k%d","%s","AAAA"]}}`, i, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")})
		}
		if _, err := s.Append(t.Context(), fmt.Sprint("case-", i%7), events.Any, list...); err != nil {
			t.Fatal(err)
		}
		tick()
	}
}

func all(t *testing.T, l storecopy.Log) []events.Original {
	t.Helper()
	var list []events.Original
	for r, err := range l.Originals(t.Context(), events.Start) {
		if err != nil {
			t.Fatal(err)
		}
		r.Position = events.Start // each store has its own
		list = append(list, r)
	}
	return list
}

// From the embedded store to a cluster, on to another one and back: whatever the way, it is the same log, event by event.
func TestACopyIsTheSameLog(t *testing.T) {
	var hands atomic.Int64
	hands.Store(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMicro())
	clock := func() time.Time { return time.UnixMicro(hands.Load()) }
	first := embedded(t, t.TempDir(), clock)
	fill(t, first, func() { hands.Add(time.Minute.Microseconds()) })
	// In a cluster the nodes' clocks differ a little, and the times go back between streams.
	mixed, _ := cluster(t, esdbstore.WithClock(clock))
	fill(t, mixed, func() { hands.Add((hands.Load()%7 - 3) * 100_000) })
	for name, source := range map[string]log{"an embedded log": first, "a cluster's log": mixed} {
		want := all(t, source)
		one, _ := cluster(t)
		dir := t.TempDir()
		two := embedded(t, dir, time.Now)
		for to, target := range map[string]log{"a cluster": one, "the embedded store": two} {
			copied, err := storecopy.Copy(t.Context(), source, target, nil, nil)
			if err != nil || copied != len(want) {
				t.Fatalf("%s to %s: %d of %d events, %v", name, to, copied, len(want), err)
			}
			if got := all(t, target); !reflect.DeepEqual(got, want) {
				t.Errorf("%s to %s: the copy differs", name, to)
			}
			if again, err := storecopy.Copy(t.Context(), source, target, nil, nil); err != nil || again != 0 {
				t.Errorf("%s to %s, once more: %d events, %v", name, to, again, err)
			}
		}
		// It is a log like any other: whole, and written on by the rules.
		if err := two.Check(t.Context()); err != nil {
			t.Errorf("%s in the embedded store: %v", name, err)
		}
		for _, target := range []log{one, two} {
			last := want[len(want)-1]
			a, err := target.Append(t.Context(), last.Stream, events.Revision(last.Revision), events.Proposed{ID: uuid.New(), Type: "CaseClosed"})
			if err != nil || a.RecordedAt.Before(last.RecordedAt) {
				t.Errorf("%s, written on: %+v, %v", name, a, err)
			}
		}
	}
}

// A copy that is interrupted, at whatever moment, goes on where it was.
func TestAnInterruptedCopyGoesOn(t *testing.T) {
	source := embedded(t, t.TempDir(), time.Now)
	seal := sealing(t, source)
	n := 0
	fill(t, source, func() { // now and then it is sealed, also at its end
		if n++; n%60 == 0 {
			seal()
		}
	})
	want := all(t, source)
	ledgerDir := t.TempDir()
	target, server := cluster(t, esdbstore.WithPatience(200*time.Millisecond), esdbstore.WithLedger(ledgerDir))
	from, err := source.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	to, err := target.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	seals := &storecopy.Seals{From: from, To: to}
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		server.Inject(func(c esdbtest.Call) *esdbtest.Fault {
			if c.Method == "Append" && n.Add(1) == 100 {
				cancel()
				return esdbtest.Lost()
			}
			return nil
		})
		if _, err := storecopy.Copy(ctx, source, target, seals, nil); !errors.Is(err, context.Canceled) {
			t.Fatalf("an interrupted copy: %v", err)
		}
		cancel()
	}
	server.Inject(nil)
	if _, err := storecopy.Copy(t.Context(), source, target, seals, nil); err != nil {
		t.Fatal(err)
	}
	if got := all(t, target); !reflect.DeepEqual(got, want) {
		t.Errorf("after three interruptions the copy differs: %d events of %d", len(got), len(want))
	}
	// And it is sealed as it was: the same tree with the same checkpoints, which the signer goes on from.
	wantTree, err := from.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tree, err := to.Tree(t.Context()); err != nil || tree != wantTree {
		t.Errorf("the tree is %+v, %v; it was %+v", tree, err, wantTree)
	}
	for size, k := int64(1), 0; ; k++ {
		c, found, err := from.CheckpointFrom(t.Context(), size, false)
		if err != nil || !found {
			if k != 5 {
				t.Errorf("%d checkpoints, %v", k, err)
			}
			break
		}
		got, _, err := to.CheckpointFrom(t.Context(), size, true)
		if err != nil || got.Size != c.Size || !bytes.Equal(got.Note, c.Note) || !got.SignedAt.Equal(c.SignedAt) {
			t.Errorf("the checkpoint of %d leaves is copied as %s, %v", c.Size, got.Note, err)
		}
		size = c.Size + 1
	}
	if at, err := to.CosignedAt(t.Context(), "witness"); err != nil || at.IsZero() {
		t.Errorf("the witness cosigned at %v, %v", at, err)
	}
}

// sealing signs and cosigns a store's tree as it is, each time it is called.
func sealing(t *testing.T, s *sqlitestore.Store) func() {
	t.Helper()
	text, _, err := note.GenerateKey(rand.Reader, "log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(text)
	if err != nil {
		t.Fatal(err)
	}
	witness, _, err := ledger.GenerateCosigner(rand.Reader, "witness")
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		l, err := s.Ledger()
		if err != nil {
			t.Fatal(err)
		}
		tree, _, err := l.AppendHeads(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n, err := ledger.Sign(tree, signer)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.AddCheckpoint(t.Context(), n, time.Now().Truncate(time.Microsecond)); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Truncate(time.Second)
		if err := l.AddCosignature(t.Context(), n.Checkpoint, witness.Cosign(n.Checkpoint, at), at); err != nil {
			t.Fatal(err)
		}
	}
}

// What is in the way is never written over, and every difference is found.
func TestACopyOntoAnotherLogIsRefused(t *testing.T) {
	source := embedded(t, t.TempDir(), time.Now)
	fill(t, source, func() {})
	want := all(t, source)
	for what, change := range map[string]func(*events.Call){
		"id":       func(c *events.Call) { c.Proposed[0].ID = uuid.New() },
		"stream":   func(c *events.Call) { c.Stream = "case-other" },
		"time":     func(c *events.Call) { c.RecordedAt = c.RecordedAt.Add(time.Microsecond) },
		"type":     func(c *events.Call) { c.Proposed[0].Type = "Other" },
		"metadata": func(c *events.Call) { c.Proposed[0].Metadata = []byte(`{"n":0}`) },
		"data":     func(c *events.Call) { c.Proposed[0].Data = []byte(`{}`) },
		"tag":      func(c *events.Call) { c.Tag = [16]byte{1} },
	} {
		target, _ := cluster(t)
		w := want[0]
		c := events.Call{Stream: w.Stream, Expected: events.NoStream, RecordedAt: w.RecordedAt, Tag: w.Tag,
			Proposed: []events.Proposed{{ID: w.ID, Type: w.Type, Metadata: w.Metadata, Data: w.Data}}}
		change(&c)
		if err := target.AppendSeries(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		var differs *storecopy.DifferenceError
		if _, err := storecopy.Copy(t.Context(), source, target, nil, nil); !errors.As(err, &differs) || differs.Event != 1 {
			t.Errorf("another %s: %v", what, err)
		}
		if n := len(all(t, target)); n != 1 {
			t.Errorf("another %s: %d events are there after a refused copy", what, n)
		}
	}
	longer, _ := cluster(t)
	if _, err := storecopy.Copy(t.Context(), source, longer, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := longer.Append(t.Context(), "case-1", events.Any, events.Proposed{ID: uuid.New(), Type: "CaseClosed"}); err != nil {
		t.Fatal(err)
	}
	if _, err := storecopy.Copy(t.Context(), source, longer, nil, nil); !errors.Is(err, storecopy.ErrDiffers) {
		t.Errorf("a target that holds more: %v", err)
	}
	if got := all(t, source); !slices.EqualFunc(got, want, func(a, b events.Original) bool { return a.ID == b.ID }) {
		t.Error("the source changed")
	}
}
