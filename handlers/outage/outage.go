// Package outage knows whether the store of a node is away, and marks what is answered meanwhile: it comes from read
// models that may lack the newest entries.
package outage

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"traga.internal/events"
)

// Header is on every answer that was given while the store was away: the instant since when it is, in RFC 3339.
const Header = "Traga-Stale"

// every is how often the store is asked.
const every = time.Second

// Watch asks a store again and again whether it is there. Make it with New. It is safe for concurrent use.
type Watch struct {
	health func(context.Context) error
	clock  func() time.Time

	mu    sync.Mutex
	since time.Time // zero while the store is there
	last  error
}

// New makes a watch. health says what is wrong with the store, nil when nothing is; one that can't be reached is away.
func New(health func(context.Context) error, clock func() time.Time) *Watch {
	return &Watch{health: health, clock: clock}
}

// Run watches until ctx ends; then it returns nil.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		w.Look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Look asks the store once, and returns what is wrong with it.
func (w *Watch) Look(ctx context.Context) error {
	err := w.health(ctx)
	if ctx.Err() != nil {
		return err // it was not given the time to answer
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
	switch {
	case !errors.Is(err, events.ErrUnavailable):
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = w.clock()
	}
	return err
}

// Trouble is what was wrong with the store when it was last asked.
func (w *Watch) Trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// Mark marks answers, and tells those who make them.
func (w *Watch) Mark(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		since := w.since
		w.mu.Unlock()
		if !since.IsZero() {
			rw.Header().Set(Header, since.UTC().Format(time.RFC3339))
			r = r.WithContext(context.WithValue(r.Context(), key{}, since))
		}
		next.ServeHTTP(rw, r)
	})
}

type key struct{}

// Since is since when the store has been away; false while it is there.
func Since(ctx context.Context) (time.Time, bool) {
	t, ok := ctx.Value(key{}).(time.Time)
	return t, ok
}
