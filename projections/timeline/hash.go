package timeline

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"traga.internal/events"
	"traga.internal/events/ledger"
)

// hashDomain sets these hashes apart from all others that the same bytes could have.
const hashDomain = "traga.internal/event/v1\n"

// Hash is the SHA-256, in lower-case hex, of an event as it is stored. What is hashed is, one after the other:
//
//	the text "traga.internal/event/v1" and a newline
//	the event's id: 16 bytes
//	the type: its length in bytes as a 32-bit number, then its bytes
//	the revision (its place in the case's stream, from 0): a 64-bit number
//	recordedAt: microseconds since 1970-01-01T00:00:00Z, a signed 64-bit number
//	the metadata as stored: length and bytes, as for the type
//	the data in its committed form (package ledger): likewise
//
// So the hash tells nothing of what is protected, and is the same when that was erased. Numbers are big-endian. The case number is in the metadata; the position is left out, so that a copy of the log
// in another store keeps its hashes.
func Hash(r *events.Recorded) string {
	data := []byte(r.Data)
	if committed, err := ledger.CommittedForm(r.Stored); err == nil && r.Stored != nil {
		data = committed
	}
	h := sha256.New()
	b := make([]byte, 0, len(hashDomain)+16+len(r.Type)+len(r.Metadata)+len(data)+28)
	b = append(b, hashDomain...)
	b = append(b, r.ID[:]...)
	b = appendBytes(b, []byte(r.Type))
	b = binary.BigEndian.AppendUint64(b, r.Revision)
	b = binary.BigEndian.AppendUint64(b, uint64(r.RecordedAt.UnixMicro()))
	b = appendBytes(b, r.Metadata)
	b = appendBytes(b, data)
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))
}

func appendBytes(b, v []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}
