// Package ledger proves that the log is complete and unaltered, to someone who trusts neither its operator nor the
// authors of this program. This comment is its specification: another team can write a second verifier from it.
//
// # Leaves
//
// Every event has a leaf, a record of fixed layout. Numbers are big-endian.
//
//	4  "TRGL"
//	1  version: 1
//	1  kind: 1, an event
//	16 the event's id
//	16 the stream's tag: random, chosen when the stream begins; it tells nothing about the case
//	8  revision: the event's place in its stream, from 0
//	32 hash of the leaf before it in the stream; zeros at revision 0
//	2  length of the type, then the type's bytes
//	4  schema: the version of the data's shape, 0 where the metadata names none
//	8  recordedAt, 8 occurredAt: microseconds since 1970-01-01T00:00:00Z, signed; occurredAt is rounded down, 0
//	   where the metadata names none
//	32 SHA-256 of the metadata as stored
//	32 SHA-256 of the data in its committed form
//
// Before each checkpoint stands a heads leaf, which commits to the end of every stream:
//
//	4  "TRGL"
//	1  version: 1
//	1  kind: 2, heads
//	8  number of streams
//	32 root of the map of heads
//
// The hash of a leaf is that of RFC 6962: SHA-256 of a zero byte and the leaf. The leaves, in the order of the log,
// make a Merkle tree of RFC 6962, computed by golang.org/x/mod/sumdb/tlog.
//
// # Protected fields
//
// A protected field stands in stored data as the JSON value
//
//	{"~sealed":["<key>","<commitment>","<box>"]}
//
// without spaces, where key names the key that the box is encrypted under, and commitment and box are in base64url
// without padding (see package vault). Its committed form is
//
//	{"~commit":"<commitment>"}
//
// The committed form of data is the data with each protected field in its committed form, all other bytes as they
// are. So a leaf depends on no ciphertext, and proofs outlive the key and the ciphertext.
//
// The commitment is HMAC-SHA256, under a salt of 32 random bytes that is kept inside the box, of
//
//	"traga.internal/commitment/v1\n"
//	the event's id: 16 bytes
//	the field's place in the data, as a JSON pointer (RFC 6901): 4 bytes of length, then its bytes
//	the field's value as JSON, as it stands where nothing is protected
//
// Salt and value open the field to a reader, and to nobody else, without giving away a key.
package ledger
