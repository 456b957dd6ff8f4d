package reactions

import (
	"context"
	"time"
)

// Hurry makes the reactions look often, for tests.
func (r *Reactions) Hurry() {
	r.poll = 10 * time.Millisecond
	if r.herald != nil {
		r.herald.settle, r.herald.interval, r.herald.refresh = 5*time.Millisecond, 20*time.Millisecond, 100*time.Millisecond
	}
}

// Standing is how many alerts stand as told.
func Standing(ctx context.Context, j *Journal) (int, error) {
	all, err := j.standing(ctx)
	return len(all), err
}
