// Package projections is the engine that keeps the read models: tables over all cases, built from the log.
//
// Everything here is disposable. The read models live in a SQLite file of each node's own, projections.db; if it
// is missing, damaged or of another format it is built anew from the log, and nothing is lost.
//
// # How events become rows
//
// The engine pulls pages of the log (events.Store.ReadAll), decodes each event once and folds it once into its
// case (Case: the entries as they stand and the protocol's tracker), for all projections that stand at the same
// position. Each projection collects what it wants to write from the folded steps (Collector.Collect) and writes
// it (Collector.Write) in one transaction with its checkpoint; the checkpoint moves by compare-and-swap on name,
// version and position. Reading, folding and writing overlap: what is folded ahead of a transaction that fails is
// thrown away and folded again from the checkpoint.
//
// # Failure
//
// An event that a projection cannot digest stops that projection, loudly and with the event named; it is never
// skipped, and the other projections go on. A fixed program resumes at that event. Trouble that is not the
// event's (the disk, the log out of reach) stops nothing: it is tried again.
//
// # Generations
//
// A projection's tables carry the number of their generation. A rebuild, or a new version of a projection, fills
// a new generation beside the old one, which keeps answering, and takes its place in one transaction when it has
// reached the log's head. A rebuild that was interrupted goes on from its own checkpoint.
package projections
