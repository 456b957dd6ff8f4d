package sqlitestore

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"modernc.org/sqlite"

	"traga.internal/events"
)

// columns are those that scan reads, from events e and streams s.
const columns = `e.position, s.name, e.revision, e.id, e.recorded_at, e.type, e.metadata, e.data, e.checksum`

// scan reads one row of columns, and of whatever stands behind them, and checks that it is what was written.
func scan(row *sql.Rows, more ...any) (events.Recorded, error) {
	var (
		r                    events.Recorded
		position, recordedAt int64
		id                   []byte
		sum                  uint32
	)
	values := [...]any{&position, &r.Stream, &r.Revision, &id, &recordedAt, &r.Type, &r.Metadata, &r.Data, &sum}
	err := row.Scan(append(values[:], more...)...)
	if err != nil {
		return events.Recorded{}, damaged("a row does not hold an event: %v", err)
	}
	r.Position = events.At(uint64(position))
	r.RecordedAt = time.UnixMicro(recordedAt).UTC()
	if copy(r.ID[:], id) != len(id) || checksum(&r) != sum {
		return events.Recorded{}, damaged("the event at position %d is not as it was written", position)
	}
	return r, nil
}

// one reads the event of a query, if it finds one.
func one(rows *sql.Rows, err error) (event events.Recorded, found bool, _ error) {
	if err != nil {
		return events.Recorded{}, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return events.Recorded{}, false, rows.Err()
	}
	event, err = scan(rows)
	return event, err == nil, err
}

// scanOne reads the one row of a query, of which there may be none: sql.ErrNoRows. A value that SQLite hands out
// without complaint, but that is not of its column's kind, is not what was written.
func scanOne(row *sql.Row, values ...any) error {
	if row.Err() != nil {
		return row.Err()
	}
	err := row.Scan(values...)
	var fromSQLite *sqlite.Error
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.As(err, &fromSQLite) {
		return err
	}
	return damaged("a row does not hold what it should: %v", err)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C over everything that makes an event: position, revision and recordedAt in microseconds
// as 8 bytes each, big-endian, the 16 bytes of the id, and then stream, type, metadata and data, each after its
// length in 8 bytes.
func checksum(r *events.Recorded) uint32 {
	var numbers [40]byte
	binary.BigEndian.PutUint64(numbers[0:], r.Position.Commit)
	binary.BigEndian.PutUint64(numbers[8:], r.Revision)
	binary.BigEndian.PutUint64(numbers[16:], uint64(r.RecordedAt.UnixMicro()))
	copy(numbers[24:], r.ID[:])
	sum := crc32.Checksum(numbers[:], castagnoli)
	for _, text := range [...]string{r.Stream, r.Type} {
		sum = addLength(sum, len(text))
		sum = crc32.Update(sum, castagnoli, []byte(text))
	}
	for _, b := range [...][]byte{r.Metadata, r.Data} {
		sum = addLength(sum, len(b))
		sum = crc32.Update(sum, castagnoli, b)
	}
	return sum
}

func addLength(sum uint32, n int) uint32 {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(n))
	return crc32.Update(sum, castagnoli, length[:])
}
