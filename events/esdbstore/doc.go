// Package esdbstore keeps the log in an EventStoreDB or KurrentDB cluster, through EventStore-Client-Go v4.2.0. Any
// number of traga processes may write to and follow one cluster; a connection string (see Open) is all that they share.
//
// # What is stored
//
// A stream of traga is a stream of the database with the same name, after the installation's prefix if it has one. An
// event keeps its id, type and data. Its metadata is wrapped, because the database's own time is not the time at which
// traga recorded it, and because the ledger needs the place of the event in its stream (see package ledger):
//
//	{"~traga":["<prefix>",<recordedAt>,"<tag>","<previous>","<call>"],"of":<metadata>}
//
// recordedAt is in microseconds since 1970, by the clock of the node that wrote, never less than that of the event
// before it in the stream; tag and previous are the stream's tag and the hash of the leaf before, and call the 8 random
// bytes by which a writer knows its own, in base64url without padding. Metadata that is no JSON stands as "raw" in base64 in place of "of". An event without this wrapping, or of
// another prefix, belongs to someone else: it is left alone, and so are the database's system streams.
//
// # How an append is made safe
//
// Every append names the exact revision that it follows, whatever its caller expects, because the time and the leaf
// depend on the event before; the store decides on what the caller expects from what it knows of the stream, as the
// other stores do, and decides anew when another node was faster. So the database's surprises under "any" (an old id
// is written again, or answered with success although nothing is written) can't happen.
//
// When the database does not say what became of an append (it went away, took too long, lost its quorum), the same
// bytes are sent again with the same expectation until there is an answer; EventStoreDB takes the same ids after the
// same revision for the same append. What was written is then read back, since it may be another node's.
//
// # Where it reads and writes
//
// Always at the leader, and every call says so: a node that returns after a failure shows, for some seconds, events
// that later vanish, and one that lags answers as if there were no more. The client library never sends that wish
// (it puts it into the wrong kind of metadata), so the store does. The library is also dead for good once it has found
// no node, may hang after that, may panic when it is closed, and ignores contexts while it connects. So the store
// finds the leader itself, makes a client for that one node, runs every call in a goroutine of its own and within a
// deadline, and throws the client away when it fails.
package esdbstore
