// Package vault keeps personal data unreadable in the log, and makes it unreadable for good when it has to be erased.
// This comment is its specification: with it, the keystore and the root key, another program can read a log.
//
// # What is protected
//
// The fields that the catalogue marks with a category (events.Kind.ProtectedFields). Each is replaced in the stored data
// by a protected field of package events/ledger, and put back when the event is read:
//
//	{"~sealed":["<key id>","<commitment>","<box>"]}
//
// The value is the field's JSON as it stood, byte for byte. The commitment is ledger.Commit of the value under a salt
// of 32 random bytes. The box is a random nonce of 12 bytes and, after it, AES-256-GCM under the data key of
//
//	the salt: 32 bytes
//	the value
//	spaces, as few as make value and spaces a multiple of 32 bytes long, so that the length of a box does not tell "low"
//	from "high"
//
// with this associated data, so that no box can be moved to another event or field:
//
//	"traga.internal/box/v1\n"
//	the event's id: 16 bytes
//	the field's place in the data, as a JSON pointer (RFC 6901)
//
// # Keys
//
// There is a data key of 32 random bytes for each person, category and epoch. Its id is 16 random bytes in base64url,
// which say nothing. The person is named by the first 16 bytes of HMAC-SHA256 under the keystore's index key of
//
//	"traga.internal/person/v1\n"
//	"person" or "relatives", and a zero byte
//	the jurisdiction, and a zero byte
//	the subject of the case's CaseOpened
//
// so that a second case of the same person in a jurisdiction has the same keys, and who has the keystore without the root
// key can't tell whose they are. The relatives that events name are a person of their own: they can be erased without the
// person, and the person without them. Whatever else is protected in a case is the person's, the grounds of a complaint too.
// A stream that begins with anything but a CaseOpened is a person of its own
// ("stream", a zero byte, the stream's name).
//
// A data key is kept wrapped: encrypted by the root key, which is a tink.AEAD (a key in a file, or one in a KMS), with
//
//	"traga.internal/key/v1\n"
//	the key id, the person in hexadecimal, the category, the epoch in decimal, each followed by a zero byte
//
// as associated data. The index key is wrapped with "traga.internal/index/v1\n". A root key in a file is 32 bytes; what
// it encrypts is a random nonce of 12 bytes and, after it, AES-256-GCM of the plaintext with the associated data.
//
// # The keystore
//
// A directory of its own, apart from the log and from the log's backups, readable by its owner only:
//
//	root.key   the root key, if it is kept in a file
//	keys.db    wrapped data keys, tombstones, and what is derived from the log: the cases of each person, the requests
//	           for erasure that wait
//	lock       held shared by those who use the keystore for writing, and alone while a new root key comes in
//
// # A worked example
//
// With a root key of the bytes 00 to 1f, an index key of 20 to 3f, a data key of 40 to 5f that was wrapped with the nonce 60
// to 6b, and the key id EBESExQVFhcYGRobHB0eHw, the person is that of MK and s-1, and the key that of risk in epoch 1:
//
//	person      16d15911c089f5a5cdd34305504c6ac4
//	wrapped     606162636465666768696a6baa9ad916ff05c528345fb3603ec08f0c7624dbdad031648efbf8da3720afa957efd8cc41
//	            e09eac69f790aedba61c9fe5
//
// The field /to of the event 00000000-0000-0000-0000-000000000007, whose value is "high" with its quotation marks, sealed
// with the nonce 80 to 8b and the salt a0 to bf:
//
//	commitment  c1cef8a2c01e97f77afbe0ce2ff6c36e51ea33c487563c6065fae5ce29ace594
//	box         808182838485868788898a8b8dff1c6486d18c24c0c33a83de0f3b8d484d7b61f9d250a34637c26f6da8dfc33154d3b3
//	            b4d68d672ff2e798fa78294740c68d02937c26e65fa36342efa291e5d410659cd5502e5f621fa2b4af9e4a8c
//
// and so it stands in the stored data, in one line:
//
//	{"~sealed":["EBESExQVFhcYGRobHB0eHw","wc74osAel_d6--DOL_bDblHqM8SHVjxgZfrlzims5ZQ","
//	gIGCg4SFhoeIiYqLjf8cZIbRjCTAwzqD3g87jUhNe2H50lCjRjfCb22o38MxVNOztNaNZy_y55j6eClHQMaNApN8
//	JuZfo2NC76KR5dQQZZzVUC5fYh-itK-eSow"]}
//
// # Erasure
//
// Store.Erase destroys the keys of a person: the wrapped key goes, the row stays as a tombstone with the receipt, the id of
// the PersonalDataErased event. A field under such a key reads as events.Withheld with that receipt. PersonalDataErased
// names the ids of the destroyed keys, so that a keystore that was restored from a backup destroys them again before it
// opens anything (Store.Settle). What an SSD keeps of blocks that were overwritten is out of this package's reach.
package vault
