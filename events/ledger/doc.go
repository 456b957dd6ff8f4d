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
//
// # Map of heads
//
// The map's entries, one for each stream that has an event before the heads leaf, are ordered by tag as bytes:
//
//	16 the stream's tag
//	8  revision of its last event
//	32 hash of that event's leaf
//
// Its root is that of the tree of RFC 6962 over these entries, 56 bytes each.
//
// # Checkpoints, cosignatures, policies
//
// A checkpoint is a signed note of C2SP tlog-checkpoint, without extension lines. The log signs with Ed25519 (C2SP
// signed-note, type 1); the name of its key is the checkpoint's origin. Witnesses sign with timestamped Ed25519 (C2SP
// tlog-cosignature, v1, type 4). Notes are read strictly: see ParseNote. Trees have at most 2^40 leaves.
//
// A policy is a text of C2SP tlog-policy: see ParsePolicy. It and the pinned checkpoint come from the hands of the one
// who checks, never from a bundle.
//
// # Bundles
//
// A bundle is a zip of these files, in this order and no others, stored without compression. Each local header is 30
// bytes and the name, each central header 46 bytes and the name, the end 22 bytes: versions 1.0, no flags, time 0, date
// 1980-01-01, no extra fields, attributes or comments. So there is one way to write a bundle, and every other byte is an
// alteration.
//
//	MANIFEST     the line "traga bundle 1", then a line for each other file: SHA-256 in hexadecimal, a space, its size,
//	             a space, its name
//	checkpoint   the latest checkpoint with its cosignatures
//	consistency  count, then for each older size, ascending: the size (8), and the proof that the checkpoint's tree
//	             continues the one of that size
//	leaves       count, then for each of the stream's events, by revision: its place in the tree (8), and its leaf as bytes
//	inclusion    the same count, then for each event the proof that its leaf stands in the tree
//	head         the heads leaf, which is the last of the tree, as a placed leaf; then the stream's entry in the map: tag
//	             (16), revision (8), leaf hash (32), its place in the map (8), and the proof of that
//	receipts     count, then for each erased field, by revision and pointer: revision (8), pointer as bytes, id of the
//	             PersonalDataErased event (16); count, then the leaves of those that stand in other streams, as placed leaves
//	             by ascending place
//	payloads     the count of leaves, then for each event: the metadata as bytes; 1 and the data in committed form as bytes,
//	             or 0 and no bytes where the data is withheld as a whole
//	opened       count, then for each opened field, by revision and pointer: revision (8), pointer as bytes, salt (32), value
//	             as bytes
//	witnessed    count, then cosigned checkpoints as bytes, by ascending size: for each event the last before it and the first
//	             after it
//
// where a count is 4 bytes, big-endian like all numbers; "as bytes" is a length of 4 bytes and the bytes; a proof is its
// number of hashes in 1 byte and the hashes, from the leaf up as in RFC 6962; a placed leaf is its place (8), the leaf as
// bytes, and its proof of inclusion. A pointer is a JSON pointer (RFC 6901) into the data.
//
// A bundle may be encrypted as a whole with age (age-encryption.org); that is undone before it is checked.
//
// # Verification
//
// In this order, and what fails first is what is said: the archive (E-FORMAT, E-LIMIT); the manifest (E-FORMAT); the log's
// signature (E-SIG) and the quorum (E-QUORUM) by the policy; that the checkpoint continues the pinned one and every
// witnessed one (E-ROLLBACK when it is shorter, else E-FORK, with both notes; E-FORMAT when the bundle has no proof from the
// pinned size); the form of the leaves (E-FORMAT); their inclusion (E-INCL); the chain of the stream: revisions from 0
// without a gap (E-GAP), one tag, each leaf naming the hash of the one before it (E-CHAIN); the end: the heads leaf is the last
// of the tree, and the map under it has the stream's last revision and leaf (E-TAIL); the payloads: hashes of metadata and
// data, one case number in all metadata, each opened field the one that was committed to (E-PAYLOAD); each erased field has a
// receipt later in the tree (E-WITHHELD); time: recordedAt does not decrease in the stream, is at most 5 minutes after the
// time at which witnesses cosigned a tree with the event, and at most a day (or what the one who checks allows for the way to
// the witnesses) before the time at which they cosigned one without it (E-TIME).
//
// Nothing found, a policy, and a pinned checkpoint or a quorum: VERIFIED. Nothing found and no such anchor: the bundle agrees
// with itself, and that is all.
//
// # What can't be proved
//
// An action that nobody ever recorded, or that was filed under another case. That what a witness saw was what others saw
// before the first checkpoint that anyone pinned or cosigned. From one bundle, that the map of heads is right about the
// stream: a log whose operator and signer work together could name an earlier end there. Who replays all leaves finds it: see
// Replay.
//
// # Example
//
// A stream's first event, an AssessmentCompleted with the id 00000000-0000-0000-0000-000000000007, in a stream with the tag
// 9, recorded at 2025-12-31T23:00:00.000001Z. Its metadata is
//
//	{"schema":1,"occurredAt":"2026-01-01T00:00:00+01:00"}
//
// and its data in committed form, where the level is "high" under a salt of 31 zeros and a 1,
//
//	{"assessment":"a-1","level":{"~commit":"_H0FdFi6V05S1At5CQ1fEpNWksGwtgN-YJe5paqmMrc"}}
//
// The leaf is
//
//	5452474c0101000000000000000000000000000000070000000000000000000000000000000900000000000000000000
//	00000000000000000000000000000000000000000000000000000000000000134173736573736d656e74436f6d706c65
//	74656400000001000647476f8c9c01000647476f8c9c004b93bce608f5951ac0e1337b875349a63c8a5e0544ccb21839
//	8e538f06004e60abc90d1e960cf12c49fc63f4dced9ddbcd8f5798380c23ec52e62dedc9ea4cbf
//
// and its hash
//
//	58c6d8450b065ddb0ed718bf446eacf15d54c4cbb20a6955fd4824a2c601b037
//
// In a map of heads over one stream, the entry of a stream with the tag 9 that ends at revision 0 with a leaf of hash 1 is
//
//	0000000000000000000000000000000900000000000000000000000000000000000000000000000000000000000000000000000000000001
//
// and the heads leaf
//
//	5452474c01020000000000000001644030410b265905831de1fc936d11e7878e4db7e9d51204b7883d62ea6cb182
//
// testdata/example.zip is a bundle, example.checkpoint a pinned checkpoint, example.policy a policy, and example.verdict what
// is said of them.
package ledger
