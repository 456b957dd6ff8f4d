// Package obligations is the read model of every duty in every case, in all its versions: what each obligation
// was known to be, from which event on and until which. So "which alerts stood on 3 March, as known then" is one
// indexed query over all cases.
//
// # How it is kept
//
// current holds each obligation as it is known now; past holds the earlier versions that a question about the past
// can meet: those that were decided, and those that were due soon or overdue while they stood. A version is written
// only when the protocol's tracker says that an event changed the obligation. Neither table holds a state that
// depends on the clock: the instants at which an obligation becomes due soon, overdue and escalated are compared with
// the asked instant. What a version says is packed into one value (version.go); beside it stand only the columns
// that find it.
//
// tally counts the obligations by rule and outcome, so that counting needs no look at them.
//
// # How the past is asked
//
// An earlier version was an alert during [max(known_at, warn_from), until_at). To find the intervals that hold an
// instant without looking at the others, each has a node (Kriegel, Pötke, Seidl: Managing Intervals Efficiently in
// Object-Relational Databases, VLDB 2000): of all hours from its first to its last, the one divisible by the highest
// power of two. An interval that holds an instant has its node on the path from the root of a binary tree over the
// hours down to the hour of the instant, so some twenty index ranges give exactly the alerts that stood. A position
// is asked by the instant at which its event was recorded, which no later event precedes.
package obligations

import (
	"time"

	"traga.internal/projections"
)

// Name is the projection's name.
const Name = "obligations"

// Projection is the read model, for the engine. Instants are microseconds since 1970.
func Projection() projections.Projection {
	return projections.Projection{
		Name: Name, Version: 2,
		Tables: []projections.Table{
			{
				Name: "current",
				Columns: `
	case_id    INTEGER NOT NULL,
	obligation TEXT NOT NULL,
	warn_from  INTEGER, -- NULL for one that is decided
	watch_from INTEGER, -- when the deadline watcher next has something to record; NULL for never
	body       BLOB NOT NULL,
	PRIMARY KEY (case_id, obligation)`,
				Options: "STRICT, WITHOUT ROWID",
				Indexes: []projections.Index{
					// It holds all that a list of alerts shows, so that the list needs no look at the rows.
					{Name: "alert", On: `(warn_from, body) WHERE warn_from IS NOT NULL`},
					{Name: "watch", On: "(watch_from) WHERE watch_from IS NOT NULL"},
				},
			},
			{
				Name: "past",
				// Without constraints: a statement that may fail half way costs SQLite a journal of its own.
				Columns: `
	node,       -- NULL for a version that never was an alert
	alert_from, -- the later of known_at and warn_from
	until_at,
	body`,
				Options: " ",
				Indexes: []projections.Index{
					{Name: "left", On: "(node, until_at) WHERE node IS NOT NULL"},
					{Name: "right", On: "(node, alert_from) WHERE node IS NOT NULL"},
				},
			},
			{
				Name: "tally",
				Columns: `
	jurisdiction TEXT NOT NULL,
	rule         TEXT NOT NULL,
	outcome      TEXT NOT NULL,
	n            INTEGER NOT NULL,
	PRIMARY KEY (jurisdiction, rule, outcome)`,
				Options: "STRICT, WITHOUT ROWID",
			},
		},
		Collect: func() projections.Collector { return newCollector() },
	}
}

// hour is the grain of the nodes.
const hour = int64(time.Hour / time.Microsecond)

// forkNode is the hour between first and last, both included, that is divisible by the highest power of two.
func forkNode(first, last int64) int64 {
	x := (first - 1) ^ last
	for _, shift := range []int{1, 2, 4, 8, 16} {
		x |= x >> shift
	}
	return last &^ (x >> 1)
}

// path are the nodes, beside h itself, that an interval with the hour h in it can have: those before it and those
// after it. (Where h is divisible by a power of two some of those after it can't; they hold no such interval.)
func path(h int64) (left, right []int64) {
	for bit := int64(1); bit < 1<<24; bit <<= 1 {
		switch node := h&^(2*bit-1) | bit; {
		case node < h:
			left = append(left, node)
		case node > h:
			right = append(right, node)
		}
	}
	return left, right
}
