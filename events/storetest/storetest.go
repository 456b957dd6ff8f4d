// Package storetest is the contract suite of the Store port: what every store promises, as tests.
//
// The suite does not need a log of its own. It looks only at what follows the end that it finds, and only at
// streams that it made, so that it can be run against a server that holds other events as well.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

// Features are promises that go beyond those of the port, and that not every store makes.
type Features struct {
	// GapFree: positions are 1, 2, 3 and so on.
	GapFree bool
	// OneClock: RecordedAt never decreases in the whole log. Without it, it never decreases in a stream.
	OneClock bool
	// UniqueIDs: an id used on one stream is refused on every other. Without it, on the same stream only.
	UniqueIDs bool
}

// Opener opens a log whose events are recorded at the times of the clock, and closes it when the test ends.
// reopen closes the store and opens the same log again; it is nil when the log does not outlive its store.
type Opener func(t *testing.T, clock func() time.Time) (store events.Store, reopen func() events.Store)

// Run holds a store to its promises.
func Run(t *testing.T, features Features, open Opener) {
	for _, rule := range []struct {
		name string
		test func(*testing.T, *log)
	}{
		{"AppendAnswersWhereTheEventsWent", testAppended},
		{"WhatIsReadIsWhatWasWritten", testRoundTrip},
		{"ExpectedIsHeld", testExpected},
		{"AppendStoresAllOrNothing", testAtomic},
		{"AWrongCallIsRefused", testInvalid},
		{"TooLargeIsRefused", testTooLarge},
		{"ARepeatedCallReturnsTheFirstResult", testRepeat},
		{"ARepeatAfterOtherEventsReturnsTheFirstResult", testLateRepeat},
		{"ConcurrentRepeatsStoreOnce", testConcurrentRepeats},
		{"AnIDUsedOtherwiseIsAConflict", testReusedID},
		{"OneWinnerPerRevision", testOneWinner},
		{"ReadStreamFromAnywhere", testReadStream},
		{"ReadStreamMayStopEarlyAndAppendMeanwhile", testReadStreamStops},
		{"ReadAllInPages", testPages},
		{"ReadAllFiltersAndScansOn", testFilter},
		{"TheHeadIsTheLastEvent", testHead},
		{"ATailingReaderMissesNothing", testTail},
		{"RecordedAtNeverDecreases", testClock},
		{"ChangedWakesWhenThereIsMore", testChanged},
		{"ChangedDoesNotWakeWithoutEvents", testNotChanged},
		{"CancelledCallsFail", testCancelled},
		{"CancelledAppendsAreSafeToRepeat", testCancelUnderLoad},
		{"AClosedStoreSaysSo", testClosed},
		{"AReopenedLogIsTheSame", testReopen},
	} {
		t.Run(rule.name, func(t *testing.T) {
			l := &log{features: features, family: "storetest-" + uuid.NewString() + "-", now: time.Now()}
			l.Store, l.reopen = open(t, l.clock)
			l.start = l.head(t)
			rule.test(t, l)
		})
	}
}

// log is the store under test with what the tests need to know of it.
type log struct {
	events.Store
	reopen   func() events.Store
	features Features
	family   string          // prefix of all streams of the test
	start    events.Position // end of the log when the test began

	mu  sync.Mutex
	now time.Time
}

// clock is the clock that the store was opened with.
func (l *log) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// turn moves the clock; d may be negative.
func (l *log) turn(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

// stream is the name of one of the test's streams.
func (l *log) stream(name string) string { return l.family + name }

// proposed makes n events with new ids.
func proposed(n int) []events.Proposed {
	list := make([]events.Proposed, n)
	for i := range list {
		id := uuid.New()
		list[i] = events.Proposed{
			ID: id, Type: "NotificationSent",
			Metadata: fmt.Appendf(nil, `{"actor":{"officer":"a.petrova","institution":"mk-prison-idrizovo"},"id":%q}`, id),
			Data:     fmt.Appendf(nil, `{"notification":"n-%d","subject":"planned-release"}`, i),
		}
	}
	return list
}

// append stores events and fails the test when that does not work.
func (l *log) append(t *testing.T, stream string, expected events.Expected, list ...events.Proposed) events.Appended {
	t.Helper()
	a, err := l.Append(t.Context(), stream, expected, list...)
	if err != nil {
		t.Fatalf("append of %d events, expecting %v: %v", len(list), expected, err)
	}
	return a
}

func (l *log) head(t *testing.T) events.Position {
	t.Helper()
	p, err := l.Head(t.Context())
	if err != nil {
		t.Fatalf("head: %v", err)
	}
	return p
}

// read reads a stream to its end.
func (l *log) read(t *testing.T, stream string, from uint64) []events.Recorded {
	t.Helper()
	list, err := collect(t.Context(), l.Store, stream, from)
	if err != nil {
		t.Fatalf("read stream from %d: %v", from, err)
	}
	return list
}

func collect(ctx context.Context, s events.Store, stream string, from uint64) ([]events.Recorded, error) {
	var list []events.Recorded
	for r, err := range s.ReadStream(ctx, stream, from) {
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

// readAll reads the test's events to the end of the log, in pages of a size.
func (l *log) readAll(t *testing.T, size int) []events.Recorded {
	t.Helper()
	var list []events.Recorded
	for after := l.start; ; {
		page, err := l.ReadAll(t.Context(), after, size, events.Filter{StreamPrefixes: []string{l.family}})
		if err != nil {
			t.Fatalf("read log after %v: %v", after, err)
		}
		if len(page.Events) > size {
			t.Fatalf("a page of %d events where %d were asked for", len(page.Events), size)
		}
		list = append(list, page.Events...)
		if !page.More {
			return list
		}
		if !page.Scanned.After(after) {
			t.Fatalf("a page after %v that has more, but scanned to %v only", after, page.Scanned)
		}
		after = page.Scanned
	}
}

// conflict checks that an append was refused as a conflict, and returns it.
func conflict(t *testing.T, a events.Appended, err error) *events.ConflictError {
	t.Helper()
	var c *events.ConflictError
	if !errors.As(err, &c) || !errors.Is(err, events.ErrConflict) {
		t.Fatalf("got %+v, %v; want a conflict", a, err)
	}
	return c
}

// ids are the ids of events in their order.
func ids(list []events.Recorded) []uuid.UUID {
	ids := make([]uuid.UUID, len(list))
	for i, r := range list {
		ids[i] = r.ID
	}
	return ids
}
