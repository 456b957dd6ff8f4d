package auth

import (
	"fmt"
	"testing"
	"time"
)

// Sessions and limits take bounded memory: the one nearest to its end makes room, and so do those who have acted least.
func TestMemoryIsBounded(t *testing.T) {
	now := time.Date(2026, 6, 17, 12, 0, 0, 0, time.UTC)
	k := newKept[int](3)
	var secrets []string
	for i, until := range []time.Duration{3, 1, 2, 4} {
		secrets = append(secrets, k.put(i, now, now.Add(until*time.Hour)))
	}
	for i, secret := range secrets {
		if v, ok := k.get(secret, now, nil); ok != (i != 1) || ok && v != i {
			t.Errorf("the value %d: %d %v", i, v, ok)
		}
	}
	for range 3 { // what has ended makes room before what has not
		k.put(9, now.Add(3*time.Hour), now.Add(9*time.Hour))
	}
	if _, ok := k.get(secrets[3], now.Add(3*time.Hour), nil); ok || len(k.by) != 3 {
		t.Errorf("%d are kept", len(k.by))
	}
	l := newLimits(1, 2)
	for range 3 {
		l.allow("busy", now)
	}
	for i := range maxLimits + 10 {
		l.allow(fmt.Sprint(i), now.Add(-time.Hour)) // these have all their acts again
	}
	if len(l.by) > maxLimits || l.allow("busy", now) {
		t.Errorf("%d are remembered, and the busy one is forgotten", len(l.by))
	}
}
