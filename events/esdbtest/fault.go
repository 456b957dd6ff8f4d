package esdbtest

import (
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Call is one request as a fault sees it.
type Call struct {
	// Method is Append, Read, Subscribe, Delete, Tombstone, Gossip or Features.
	Method string
	// Stream is the stream that is asked for, "$all" for all.
	Stream string
	// Leader is whether the caller wants the leader's answer.
	Leader bool
	// Connection is the name that the caller gave its connection.
	Connection string
	// Backwards is set for a read against the log's order.
	Backwards bool
	// Events is how many events an append carries.
	Events int
}

// Fault is what goes wrong with a call. The zero Fault is none.
type Fault struct {
	// Wait is how long the call lies before anything is done with it.
	Wait time.Duration
	// Hang leaves the call without an answer, until the caller gives up or the server stops.
	Hang bool
	// Done carries the call out before it fails: its answer is lost.
	Done bool
	// Err is the answer.
	Err error
	// Trailers go with it.
	Trailers metadata.MD
	// After is how many messages of a read or a subscription pass before it fails.
	After int
	// Nowhere takes the position out of a successful append's answer, and writes nothing.
	Nowhere bool
	// Foreign answers a read with a message that is none of the protocol's.
	Foreign bool
}

func (f *Fault) breaks() bool { return f != nil && (f.Err != nil || f.Hang) }

// NotReady is the answer of a node that does not know a leader yet.
func NotReady() *Fault { return &Fault{Err: status.Error(codes.Unavailable, "Server Is Not Ready")} }

// Aborted is the answer of a leader that could not get a write to other nodes in time. The write may still come about.
func Aborted() *Fault {
	return &Fault{Err: status.Error(codes.Aborted, "Operation timed out: Commit phase timeout.")}
}

// TooSlow ends a live subscription whose reader does not keep up.
func TooSlow() *Fault {
	return &Fault{Err: status.Error(codes.Aborted, "Operation timed out: Consumer too slow to handle event while live. Client resubscription required.")}
}

// NotLeader is the answer of a node that is not the leader and believes that the one at the address is.
func NotLeader(address string) *Fault {
	host, port, _ := net.SplitHostPort(address)
	return &Fault{Err: status.Error(codes.NotFound, "Leader info available"),
		Trailers: metadata.Pairs("exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port)}
}

// Lost carries a call out and breaks the connection before the answer.
func Lost() *Fault {
	return &Fault{Done: true, Err: status.Error(codes.Unavailable, "Error starting gRPC call. HttpRequestException: The response ended prematurely.")}
}
