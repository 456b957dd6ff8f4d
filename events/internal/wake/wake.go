// Package wake tells readers of a log that it has grown.
package wake

import (
	"sync"

	"traga.internal/events"
)

// Bell holds the last position of a log and wakes those who wait for a later one. The zero Bell is that of an
// empty log. It starts no goroutine, and a waiter that goes away leaves nothing behind that the next ring at
// its position would not clear: all who wait for the same position share one channel.
type Bell struct {
	mu      sync.Mutex
	head    events.Position
	closed  bool
	waiting map[events.Position]chan struct{} // closed once the head is after the key
}

// Head is the last position that was rung.
func (b *Bell) Head() events.Position {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.head
}

// Ring says that the log now ends at head. The head never moves back.
func (b *Bell) Ring(head events.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !head.After(b.head) {
		return
	}
	b.head = head
	for after, ch := range b.waiting {
		if head.After(after) {
			close(ch)
			delete(b.waiting, after)
		}
	}
}

// After returns a channel that is closed once the log holds an event after the position, or the bell is closed.
func (b *Bell) After(after events.Position) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.head.After(after) {
		done := make(chan struct{})
		close(done)
		return done
	}
	ch, ok := b.waiting[after]
	if !ok {
		ch = make(chan struct{})
		if b.waiting == nil {
			b.waiting = map[events.Position]chan struct{}{}
		}
		b.waiting[after] = ch
	}
	return ch
}

// Close wakes everyone, for good.
func (b *Bell) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for after, ch := range b.waiting {
		close(ch)
		delete(b.waiting, after)
	}
}

// Rebase takes the head back to where the log really ends, if it is still where it was when that was found out: a log
// on a cluster may end earlier than was once told. Nobody is woken.
func (b *Bell) Rebase(from, to events.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.head == from {
		b.head = to
	}
}
