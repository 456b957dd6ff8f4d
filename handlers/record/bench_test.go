package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events/memstore"
	"traga.internal/handlers/record"
)

// BenchmarkRecord is one action on a case that is in memory, over a store that costs nothing: what the write path
// itself costs. The case starts with so many events, which must make no difference.
func BenchmarkRecord(b *testing.B) {
	for _, size := range []int{10, 500} {
		b.Run(fmt.Sprintf("case-of-%d", size), func(b *testing.B) {
			r := record.New(memstore.New(time.Now), protocol.NewBook())
			const cases = 50
			for c := range cases {
				must(b, r, opening(fmt.Sprintf("MK-2026-%04d", c)))
				for n := range size {
					must(b, r, notice(fmt.Sprintf("MK-2026-%04d", c), fmt.Sprintf("n-%d", n)))
				}
			}
			a := action(b, support("MK-2026-0001", "mediation", ""))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				a.Case = fmt.Sprintf("MK-2026-%04d", i%cases)
				i++
				if _, err := r.Record(b.Context(), a, record.AnyRevision); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParse reads one action record of ordinary size.
func BenchmarkParse(b *testing.B) {
	text := []byte(notice("MK-2026-0001", "n-1"))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := record.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImport imports a file of 20 cases with 50 lines each, over a store that costs nothing; the time is for
// the whole file.
func BenchmarkImport(b *testing.B) {
	text := pastFile(20, 49)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r := record.New(memstore.New(time.Now), protocol.NewBook())
		if got, err := r.Import(b.Context(), strings.NewReader(text), record.ImportOptions{}); err != nil || got.Recorded != 1000 {
			b.Fatal(got, err)
		}
	}
}
