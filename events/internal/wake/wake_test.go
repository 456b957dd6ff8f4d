package wake

import (
	"testing"

	"traga.internal/events"
)

func open(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return false
	default:
		return true
	}
}

func TestBellWakesThoseWhoHaveSomethingToRead(t *testing.T) {
	var b Bell
	first, third := b.After(events.Start), b.After(events.At(2))
	b.Ring(events.At(1))
	if open(first) || !open(third) {
		t.Error("after the first event whoever waits for it is awake, and nobody else")
	}
	b.Ring(events.At(2))
	if !open(third) || open(b.After(events.At(1))) || !open(b.After(events.At(2))) {
		t.Error("the event at a position is not after it")
	}
	b.Ring(events.At(1)) // late news
	if b.Head() != events.At(2) {
		t.Errorf("the head went back to %v", b.Head())
	}
	b.Ring(events.At(9))
	if open(third) || b.Head() != events.At(9) {
		t.Error("a leap over a position wakes those who wait there")
	}
}

func TestBellKeepsOneChannelPerPosition(t *testing.T) {
	var b Bell
	for range 1000 {
		b.After(events.Start)
	}
	if len(b.waiting) != 1 {
		t.Errorf("1000 waiters left %d channels", len(b.waiting))
	}
	b.Ring(events.At(1))
	if len(b.waiting) != 0 {
		t.Errorf("%d channels remain that nobody will close", len(b.waiting))
	}
}

func TestBellGoesBackOnlyFromWhereItWas(t *testing.T) {
	var b Bell
	b.Ring(events.At(5))
	b.Rebase(events.At(4), events.At(1)) // something came since it was found out
	if b.Head() != events.At(5) {
		t.Errorf("the head is %v", b.Head())
	}
	b.Rebase(events.At(5), events.At(3))
	if b.Head() != events.At(3) || !open(b.After(events.At(3))) {
		t.Error("whoever has read all that there is does not sleep")
	}
	waiting := b.After(events.At(3))
	b.Ring(events.At(4))
	if open(waiting) {
		t.Error("an event after the new end wakes nobody")
	}
}

func TestClosedBellWakesEveryone(t *testing.T) {
	var b Bell
	far := b.After(events.MaxPosition)
	b.Close()
	if open(far) || open(b.After(events.MaxPosition)) {
		t.Error("someone sleeps on")
	}
	b.Close()
}
