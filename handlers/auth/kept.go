package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// kept holds values for the bearers of secrets, in memory only: who reads it can't use what is in it. When it is full,
// the value nearest to its end makes room. Safe for concurrent use.
type kept[T any] struct {
	mu    sync.Mutex
	limit int
	by    map[[sha256.Size]byte]keeping[T]
}

type keeping[T any] struct {
	value T
	until time.Time
}

func newKept[T any](limit int) *kept[T] {
	return &kept[T]{limit: limit, by: map[[sha256.Size]byte]keeping[T]{}}
}

// put keeps a value until then, under a new secret of more than 128 random bits.
func (k *kept[T]) put(value T, now, until time.Time) (secret string) {
	secret = rand.Text()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.by) >= k.limit {
		k.makeRoom(now)
	}
	k.by[sha256.Sum256([]byte(secret))] = keeping[T]{value, until}
	return secret
}

func (k *kept[T]) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	var soonest time.Time
	for id, v := range k.by {
		if !now.Before(v.until) {
			delete(k.by, id)
		} else if soonest.IsZero() || v.until.Before(soonest) {
			first, soonest = id, v.until
		}
	}
	if len(k.by) >= k.limit {
		delete(k.by, first)
	}
}

// get is the value under a secret while its time has not come. Where prolong says so, it is kept until another time.
func (k *kept[T]) get(secret string, now time.Time, prolong func(T) time.Time) (T, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := sha256.Sum256([]byte(secret))
	v, ok := k.by[id]
	if !ok || !now.Before(v.until) {
		delete(k.by, id)
		var none T
		return none, false
	}
	if prolong != nil {
		v.until = prolong(v.value)
		k.by[id] = v
	}
	return v.value, true
}

// take is get that keeps the value no longer: of two who take it one gets it.
func (k *kept[T]) take(secret string, now time.Time) (T, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := sha256.Sum256([]byte(secret))
	v, ok := k.by[id]
	delete(k.by, id)
	if !ok || !now.Before(v.until) {
		var none T
		return none, false
	}
	return v.value, true
}
