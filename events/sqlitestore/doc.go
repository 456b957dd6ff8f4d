// Package sqlitestore keeps the log in one SQLite file: the store that traga uses unless it is told otherwise.
//
// # Files
//
// A store is a directory, readable by its owner only:
//
//	log.db       the log
//	log.db-wal   its journal while the store is open, or after a crash; it belongs to log.db
//	log.db-shm   an index into the journal, which SQLite can rebuild
//	lock         held by the one process that writes; the operating system frees it when the process ends
//
// Events stand in the table events in the order of their positions, 1, 2, 3 and so on, which is also the order
// in which they were committed. Triggers refuse every UPDATE and DELETE, whichever program has the file open.
// Every event carries a checksum, and every page read is checked for holes, so that a damaged file shows as
// events.ErrDamaged and never as a shorter or another history. These are guards against accident. What guards
// against intent is the ledger.
//
// # Ledger
//
// The tree of package events/ledger stands in the same file and grows in the transaction that stores the events, so
// that neither is ever without the other. Hashes are stored, leaves are not: they follow from the events, in a few
// microseconds each, and a stored copy would cost two fifths more room. A store made before the ledger gets its leaves
// when it is opened for writing. At every opening for writing the end of the tree is compared with the end of the log
// and with the last signed checkpoint; Check compares all of it.
//
// # Durability
//
// One goroutine writes. It takes all appends that are waiting, stores them in one transaction, and answers them
// when the transaction is on disk (WAL, synchronous=FULL). A crash before the commit leaves nothing of the group,
// a crash after it leaves all of it, answered or not: whoever got no answer repeats the call with the same ids.
// Readers have connections of their own and see a group at once or not at all.
package sqlitestore
