// Package reactions tells the world what happened, after it happened: alerts to Prometheus Alertmanager, to signed
// webhooks and by mail; the log itself to brokers, as CloudEvents; and, the other way round, it takes action records
// from brokers. It runs on a Watermill router, and every reaction is a handler of it.
//
// # The log is the outbox
//
// Nothing is written for a reaction when an event is appended. A feed follows the log itself, with its own checkpoint
// (Subscriber). What stands against whom is no event but a matter of the clock, so the alerts are compared with those
// that were last told, and what changed is put down in the journal as a notice, in one transaction with what is now
// told; each channel follows the notices, again with its own checkpoint. A read model that is built anew gives the same
// alerts, so that nothing is told twice.
//
// # What is promised
//
// At least once, with an id that stays the same, by which a receiver can tell a repeat: the event's id for a feed, the
// notice's for an alert. In order for each case (feed) and each receiver (alerts). A peer that is away holds up its own
// reaction and no other, and never the service. What is refused for good, or could not be told for a day, is parked:
// `traga delivery list` shows it and `traga delivery replay` sends it again; what follows in the same case stays behind
// it. Every attempt to tell an alert is on record in the journal before it is made. (A feed's are not listed one by one:
// all before its checkpoint was taken, and what failed is on record.)
//
// An alert is told as it stands when it is told: what has changed since the notice is left out, because a later notice
// tells it.
//
// # What is not told
//
// No case number, no person and no text that anyone typed goes to an alert's receiver: an alert has an opaque id (UUIDv5
// of case and obligation), and its link leads, through traga's own sign-in, to the case. A feed carries the envelope of
// an event and nothing of its data.
//
// # One node
//
// On a cluster exactly one node is given a reactions section: each node would tell everything again.
package reactions
