package simulate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/events/vault"
	"traga.internal/handlers/caseload"
)

// batchSize is how many events go to the store at a time.
const batchSize = 8192

// Generate fills a new embedded store in a directory with a realistic log of n events, counting the first, which
// says that its times are simulated (caseload.Stream). It is for measuring: the events are encoded and appended in
// large batches, not decided on one by one, and the deadline watcher does not look. The same n and seed give the
// same log. keys is the directory of the keystore that protects it; without one it is made as it was before there was a
// vault, in plain. It fails with ErrNotEmpty where the directory holds a log, and leaves it as it is. progress, if not
// nil, is called now and then with how many events are stored.
func Generate(ctx context.Context, dir, keys string, n, seed int64, progress func(stored int64)) (err error) {
	if n < 1 {
		return errors.New("generate a log: it has one event at least")
	}
	clock := &series{}
	plain, err := sqlitestore.Open(ctx, dir, sqlitestore.WithClock(clock.next))
	if err != nil {
		return fmt.Errorf("generate a log: %w", err)
	}
	defer func() { err = errors.Join(err, plain.Close()) }()
	var store interface {
		events.Store
		AppendSeries(context.Context, ...events.Call) error
	} = plain
	if keys != "" {
		v, err := vault.Open(ctx, keys, nil)
		if err != nil {
			return fmt.Errorf("generate a log: %w", err)
		}
		defer v.Close()
		store = v.Wrap(plain)
	}
	head, err := store.Head(ctx)
	if err != nil {
		return fmt.Errorf("generate a log: %w", err)
	}
	if head != events.Start {
		return ErrNotEmpty
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan batch, 1)
	go func() {
		defer close(batches)
		if err := makeBatches(ctx, n, seed, batches); err != nil {
			cancel(fmt.Errorf("generate a log: %w", err))
		}
	}()
	var stored int64
	for b := range batches {
		clock.add(b.times)
		if err := store.AppendSeries(ctx, b.calls...); err != nil {
			cancel(err)
			for range batches { // let the maker end
			}
			return fmt.Errorf("generate a log: %w", err)
		}
		stored += int64(len(b.calls))
		if progress != nil {
			progress(stored)
		}
	}
	return context.Cause(ctx)
}

// batch is a part of the log, and when each of its events is recorded.
type batch struct {
	calls []events.Call
	times []time.Time
}

// makeBatches encodes the log.
func makeBatches(ctx context.Context, n, seed int64, to chan<- batch) error {
	var (
		b      batch
		length = map[string]uint64{} // of each stream
	)
	send := func() error {
		select {
		case to <- b:
			b = batch{make([]events.Call, 0, batchSize), make([]time.Time, 0, batchSize)}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	add := func(stream string, at time.Time, e *events.Event) error {
		p, err := events.Encode(e)
		if err != nil {
			return err
		}
		expected := events.NoStream
		if l := length[stream]; l > 0 {
			expected = events.Revision(l - 1)
		}
		length[stream]++
		b.calls = append(b.calls, events.Call{Stream: stream, Expected: expected, Proposed: []events.Proposed{p}})
		b.times = append(b.times, at)
		if len(b.calls) == batchSize {
			return send()
		}
		return nil
	}
	note := fmt.Sprintf("generated: %d events, seed %d", n, seed)
	first := true
	streams := map[string]string{} // of each case
	for s, err := range caseload.Stream(seed, n) {
		if err != nil {
			return err
		}
		if first {
			first = false
			id := events.DeriveID("simulated", s.RecordedAt.UTC().Format(time.RFC3339Nano), note)
			err := add(events.StoreStream, s.RecordedAt, &events.Event{ID: id, CorrelationID: id, Type: "StoreSimulated", OccurredAt: s.RecordedAt.UTC(),
				Actor: events.Actor{Officer: "simulate", Role: events.System, Institution: "traga"}, Data: &events.StoreSimulated{From: s.RecordedAt.UTC(), Note: note}})
			if err != nil {
				return err
			}
			if n--; n == 0 {
				break
			}
		}
		e := s.Event
		stream, ok := streams[e.Case]
		switch {
		case e.Case == "":
			stream = events.DirectoryStream(e.Jurisdiction)
		case !ok:
			stream = events.CaseStream(e.Case)
			streams[e.Case] = stream
		}
		if err := add(stream, s.RecordedAt, e); err != nil {
			return err
		}
		if n--; n == 0 {
			break
		}
	}
	if len(b.calls) == 0 {
		return nil
	}
	return send()
}

// series is a clock that says one instant after the other, as they were added.
type series struct {
	mu    sync.Mutex
	times []time.Time
	last  time.Time
}

func (s *series) add(times []time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, times...)
}

func (s *series) next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.times) > 0 {
		s.last, s.times = s.times[0], s.times[1:]
	}
	return s.last
}
