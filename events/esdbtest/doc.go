// Package esdbtest is an EventStoreDB server for tests: it speaks the gRPC protocol of EventStoreDB 23.10 as far as a
// client that appends, reads, subscribes, deletes and reads gossip can tell, within the test's own process or as a
// process of its own (esdbserver).
//
// What it answers was taken from what a real server answered; testdata holds those answers, and the tests of this
// package ask the same questions. Log is the database and may be shared by several Servers, which are then the nodes
// of a cluster: a test says which of them leads, what they gossip, and how far behind one is. Inject orders faults: an
// answer that is lost, wrong, late or never comes; Stop and Restart close all connections as a killed process does.
//
// It does not elect leaders, keeps no scavenged space, and has neither persistent subscriptions nor server-side
// projections nor the batch append: they answer Unimplemented.
package esdbtest
