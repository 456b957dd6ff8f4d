package casefile

import (
	"fmt"
	"testing"

	"traga.internal/events"
)

// BenchmarkDecideAndEvolve is one more event on a case that starts with so many, which must make no difference.
func BenchmarkDecideAndEvolve(b *testing.B) {
	for _, size := range []int{10, 2000} {
		b.Run(fmt.Sprintf("case-of-%d", size), func(b *testing.B) {
			s := given(opened())
			add := func(i int) {
				e := does(prison, notice(events.ID(fmt.Sprintf("n-%d", i)), "planned-release", csw))
				e.ID, e.Revision = [16]byte{0: byte(i >> 16), 1: byte(i >> 8), 2: byte(i), 3: 1}, uint64(s.Len())
				if _, err := Decide(s, e, now); err != nil {
					b.Fatal(err)
				}
				e.RecordedAt = now
				s.Evolve(e)
			}
			for i := range size {
				add(i)
			}
			i := size
			for b.Loop() {
				add(i)
				i++
			}
		})
	}
}
