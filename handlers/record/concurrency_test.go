package record_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/record"
)

// A refusal that rests on what this process remembers is looked at again before it is given.
func TestAProcessThatIsBehindDoesNotRefuseWhatHolds(t *testing.T) {
	store := memstore.New(atNoon)
	seen := &counter{}
	here, there := record.New(store, protocol.NewBook(), record.WithClock(atNoon), record.WithObserver(seen)), record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	must(t, here, opening("MK-2026-0001"))
	must(t, there, notice("MK-2026-0001", "n-1"))
	must(t, here, `{"case":"MK-2026-0001","type":"NotificationAcknowledged",`+csw+`,"data":{"notification":"n-1"}}`)
	must(t, there, `{"case":"MK-2026-0001","type":"CaseClosed",`+csw+`,"data":{"reason":"r"}}`)
	// And what it would accept is not let past the closing that it did not see.
	_, err := here.Record(t.Context(), action(t, support("MK-2026-0001", "s", "")), record.AnyRevision)
	if got := because(t, err); got != "conflict case" || seen.conflicts != 1 {
		t.Errorf("%s, %d conflicts", got, seen.conflicts)
	}
}

func TestTwentyWritersOnOneCaseAllGetThrough(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store := open(t, time.Now)
			seen := &counter{}
			nodes := []*record.Recorder{record.New(store, protocol.NewBook(), record.WithObserver(seen)), record.New(store, protocol.NewBook(), record.WithObserver(seen))}
			must(t, nodes[0], opening("MK-2026-0001"))
			var wg sync.WaitGroup
			var sameID atomic.Int64
			for w := range 20 {
				wg.Go(func() {
					for n := range 5 {
						// Every id is tried by two writers, and only one of them gets it.
						_, err := nodes[w%2].Record(t.Context(), action(t, notice("MK-2026-0001", fmt.Sprintf("n-%d-%d", w/2, n))), record.AnyRevision)
						if errors.Is(err, casefile.ErrRefused) {
							sameID.Add(1)
						} else if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			ids := map[events.ID]bool{}
			for i, e := range stored(t, store, events.CaseStream("MK-2026-0001")) {
				if e.Revision != uint64(i) {
					t.Errorf("revision %d at %d", e.Revision, i)
				}
				if d, ok := e.Data.(*events.NotificationSent); ok {
					if ids[d.Notification] {
						t.Errorf("%s is there twice", d.Notification)
					}
					ids[d.Notification] = true
				}
			}
			if len(ids) != 50 || sameID.Load() != 50 || seen.appended != 51 {
				t.Errorf("%d notices, %d refused, %d counted", len(ids), sameID.Load(), seen.appended)
			}
		})
	}
}

func TestManyWritersOnManyCasesDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowStore{Store: memstore.New(time.Now), takes: time.Second}
		r := record.New(slow, protocol.NewBook(), record.WithMemory(3))
		began := time.Now()
		var wg sync.WaitGroup
		for n := range 30 {
			wg.Go(func() { must(t, r, opening(fmt.Sprintf("MK-2026-%04d", n))) })
		}
		wg.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("30 cases took %s, one takes a second", took)
		}
		if length(t, slow) != 30 {
			t.Error("some were lost")
		}
	})
}

func TestWaitingForACaseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowStore{Store: memstore.New(time.Now), takes: time.Minute}
		r := record.New(slow, protocol.NewBook())
		go r.Record(t.Context(), action(t, opening("MK-2026-0001")), record.AnyRevision)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Record(ctx, action(t, support("MK-2026-0001", "s", "")), record.AnyRevision); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		time.Sleep(2 * time.Minute) // simulated: lets the first writer end
	})
}

func TestAStoreInTroubleIsNoRefusalAndNothingIsMadeUp(t *testing.T) {
	for _, trouble := range []error{events.ErrUnavailable, events.ErrFull, events.ErrDamaged} {
		store := &faultyStore{Store: memstore.New(atNoon)}
		r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
		must(t, r, opening("MK-2026-0001"))
		store.append = trouble
		_, err := r.Record(t.Context(), action(t, support("MK-2026-0001", "s", "")), record.AnyRevision)
		if !errors.Is(err, trouble) || errors.Is(err, casefile.ErrRefused) {
			t.Errorf("append: %v", err)
		}
		store.append, store.read = nil, trouble
		cold := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
		if _, err := cold.Record(t.Context(), action(t, support("MK-2026-0001", "s", "")), record.AnyRevision); !errors.Is(err, trouble) {
			t.Errorf("read: %v", err)
		}
		if _, err := cold.Check(t.Context(), action(t, support("MK-2026-0001", "s", ""))); !errors.Is(err, trouble) {
			t.Errorf("check: %v", err)
		}
		store.read = nil
		if receipt := must(t, cold, support("MK-2026-0001", "s", "")); receipt.Revision != 1 {
			t.Errorf("afterwards: %+v", receipt)
		}
	}
}

// An append whose answer was lost is there, and repeating the action finds it.
func TestAnAppendWhoseAnswerWasLostIsFoundAgain(t *testing.T) {
	store := &faultyStore{Store: memstore.New(atNoon)}
	r := record.New(store, protocol.NewBook(), record.WithClock(atNoon))
	must(t, r, opening("MK-2026-0001"))
	a := action(t, support("MK-2026-0001", "s", `"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02",`))
	store.lost = events.ErrUnavailable
	if _, err := r.Record(t.Context(), a, record.AtRevision(0)); !errors.Is(err, events.ErrUnavailable) {
		t.Fatal(err)
	}
	store.lost = nil
	receipt, err := r.Record(t.Context(), a, record.AtRevision(0))
	if err != nil || !receipt.Repeated || receipt.Revision != 1 || length(t, store) != 2 {
		t.Errorf("%+v, %v", receipt, err)
	}
	must(t, r, support("MK-2026-0001", "t", ""))
}

// counter is an Observer that counts.
type counter struct {
	mu                  sync.Mutex
	appended, conflicts int
	refused             []string
}

func (c *counter) Appended(string, time.Duration) { c.mu.Lock(); c.appended++; c.mu.Unlock() }
func (c *counter) Conflict()                      { c.mu.Lock(); c.conflicts++; c.mu.Unlock() }
func (c *counter) Refused(because string) {
	c.mu.Lock()
	c.refused = append(c.refused, because)
	c.mu.Unlock()
}

// slowStore takes its time for each append.
type slowStore struct {
	events.Store
	takes time.Duration
}

func (s *slowStore) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	time.Sleep(s.takes)
	return s.Store.Append(ctx, stream, expected, proposed...)
}

// faultyStore fails as it is told: append before it stores, lost after it has stored, read when it is read.
type faultyStore struct {
	events.Store
	append, lost, read error
}

func (s *faultyStore) Append(ctx context.Context, stream string, expected events.Expected, proposed ...events.Proposed) (events.Appended, error) {
	if s.append != nil {
		return events.Appended{}, s.append
	}
	at, err := s.Store.Append(ctx, stream, expected, proposed...)
	if s.lost != nil {
		return events.Appended{}, s.lost
	}
	return at, err
}

func (s *faultyStore) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	if s.read != nil {
		return func(yield func(events.Recorded, error) bool) { yield(events.Recorded{}, s.read) }
	}
	return s.Store.ReadStream(ctx, stream, from)
}
