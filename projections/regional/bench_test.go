package regional

import (
	"testing"
	"time"

	"traga.internal/events"
	"traga.internal/projections/internal/testlog"
)

// The two answers over a thousand cases of some years each, now and as known half way.
func BenchmarkAnswers(b *testing.B) {
	plan := testlog.Plan(1, 1000, 3*365*24*time.Hour)
	e := project(b, write(b, plan))
	half, now := events.AsOf{Instant: plan[len(plan)/2].At}, plan[len(plan)-1].At
	for name, asOf := range map[string]events.AsOf{"now": {}, "past": half} {
		b.Run("matrix/"+name, func(b *testing.B) {
			for b.Loop() {
				_, err := Matrix(b.Context(), e, nil, Query{AsOf: asOf, Now: now, Period: Quarters})
				must(b, err)
			}
		})
		b.Run("tools/"+name, func(b *testing.B) {
			for b.Loop() {
				_, err := Tools(b.Context(), e, Query{AsOf: asOf, Now: now})
				must(b, err)
			}
		})
	}
}
