package evidence_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/ledger"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/evidence"
)

// BenchmarkVerifyLogRatio: the speed of verifying a whole log against that of a bare scan of the same events, which reads
// every column of every row in order, and a bare SHA-256 of the same leaves. 1 would be as fast; at least a third is wanted.
func BenchmarkVerifyLogRatio(b *testing.B) {
	const n, streams = 60_000, 300
	dir := b.TempDir()
	store, err := sqlitestore.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	var calls []events.Call
	for i := range n {
		number := fmt.Sprintf("MK-2026-%04d", i%streams)
		var data any = level("high")
		if i < streams {
			data = opened(fmt.Sprintf("s-%d", i))
		}
		e := &events.Event{ID: uuid.New(), Type: reflect.TypeOf(data).Elem().Name(), Case: number, OccurredAt: time.Unix(1_770_000_000+int64(i), 0),
			Actor: events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}, Data: data}
		proposed, err := events.Encode(e)
		if err != nil {
			b.Fatal(err)
		}
		calls = append(calls, events.Call{Stream: events.CaseStream(number), Expected: events.Any, Proposed: []events.Proposed{proposed}})
		if len(calls) == 1000 {
			if err := store.AppendSeries(b.Context(), calls...); err != nil {
				b.Fatal(err)
			}
			calls = nil
		}
	}
	l, err := store.Ledger()
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := l.AppendHeads(b.Context()); err != nil {
		b.Fatal(err)
	}
	source := &evidence.Source{Ledger: l, Log: store}
	var leaves [][]byte
	for leaf, err := range l.Leaves(b.Context(), 0, n) {
		if err != nil {
			b.Fatal(err)
		}
		leaves = append(leaves, leaf.Bytes)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "log.db")+"?mode=ro")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()

	var verified, bare time.Duration
	for b.Loop() {
		begin := time.Now()
		v, err := source.VerifyLog(b.Context(), ledger.Trust{}, nil)
		if err != nil || len(v.Problems) > 0 || v.Events != n {
			b.Fatal(err, v)
		}
		verified += time.Since(begin)

		begin = time.Now()
		rows, err := db.Query(`SELECT e.position, s.name, e.revision, e.id, e.recorded_at, e.type, e.metadata, e.data, e.checksum
			FROM events e CROSS JOIN streams s ON s.id = e.stream ORDER BY e.position`)
		if err != nil {
			b.Fatal(err)
		}
		read := 0
		for rows.Next() {
			var (
				position, revision, recordedAt, sum int64
				name, kind                          string
				id, metadata, data                  []byte
			)
			if err := rows.Scan(&position, &name, &revision, &id, &recordedAt, &kind, &metadata, &data, &sum); err != nil {
				b.Fatal(err)
			}
			read++
		}
		if rows.Err() != nil || read != n {
			b.Fatal(rows.Err(), read)
		}
		for _, leaf := range leaves {
			sha256.Sum256(leaf)
		}
		bare += time.Since(begin)
	}
	b.ReportMetric(float64(bare)/float64(verified), "ratio")
	b.ReportMetric(float64(n*b.N)/verified.Seconds(), "events/s")
}
