package sqlitestore

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// request is one call to Append, or another task, on its way to the writer. Whoever claims it first decides on it: the
// writer, or the caller who gives up waiting. So a caller who gave up knows that nothing is stored, and may reuse the
// bytes.
type request struct {
	stream   string
	expected events.Expected
	proposed []events.Proposed
	leaves   []ledger.Leaf // of the proposed events, but for what the writer knows
	size     int           // bytes of metadata and data
	copied   *events.Call  // for copies of another store's events: the call with their time and tag

	// task, where there is one, runs in the group's transaction in place of an append. An error of it gives up the group.
	task func(context.Context) error

	claimed atomic.Bool
	answer  chan answer // holds one, so that the writer never waits for a caller
}

// newRequest does in the caller's goroutine what it can of the writer's work: the hashes of the events' bytes.
func newRequest(stream string, expected events.Expected, proposed []events.Proposed) (*request, error) {
	r := &request{stream: stream, expected: expected, proposed: proposed, leaves: make([]ledger.Leaf, len(proposed)), answer: make(chan answer, 1)}
	for i, p := range proposed {
		r.size += len(p.Metadata) + len(p.Data)
		leaf, err := ledger.NewLeaf(ledger.Tag{}, ledger.Hash{}, ledger.Entry{ID: p.ID, Type: p.Type, Metadata: p.Metadata, Data: p.Data})
		if err != nil {
			return nil, fmt.Errorf("%w: event %d: %w", events.ErrInvalidAppend, i+1, err)
		}
		r.leaves[i] = leaf
	}
	return r, nil
}

func newTask(run func(context.Context) error) *request {
	return &request{task: run, answer: make(chan answer, 1)}
}

// claim reports whether the request was still free.
func (r *request) claim() bool { return r.claimed.CompareAndSwap(false, true) }

type answer struct {
	appended events.Appended
	err      error
}

// maxGroup bounds the proposed bytes that one transaction stores, and with them the size of the journal and the
// time that a caller waits for others.
const maxGroup = 8 << 20

// queue holds the requests that wait for the writer.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	closed  bool
	wake    chan struct{} // holds one; full when there may be something to take
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put adds a request. What was put before close is still answered.
func (q *queue) put(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return events.ErrClosed
	}
	q.waiting = append(q.waiting, r)
	q.signal()
	return nil
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// take waits for requests and returns the next group of them, in the order in which they came. It answers false
// once the queue is closed and empty.
func (q *queue) take() (group []*request, ok bool) {
	for range q.wake {
		// Callers that were just answered are about to ask again. As long as letting them run brings more
		// requests, a larger group is worth more than the microseconds.
		for n := 0; n < q.length(); {
			n = q.length()
			runtime.Gosched()
		}
		if group, closed := q.cut(); closed || len(group) > 0 {
			return group, len(group) > 0
		}
	}
	return nil, false
}

// cut removes the next group, and says whether the queue is closed.
func (q *queue) cut() (group []*request, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size := 0, 0
	for n < len(q.waiting) && size < maxGroup {
		size += q.waiting[n].size
		n++
	}
	group, q.waiting = q.waiting[:n:n], q.waiting[n:]
	if len(q.waiting) == 0 {
		q.waiting = nil // the group now owns the array
	}
	if len(q.waiting) > 0 || q.closed {
		q.signal()
	}
	return group, q.closed
}
