package esdbstore

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"traga.internal/events"
)

const (
	// connectPatience is how long it may take to find a leader, each time it is tried.
	connectPatience = 2 * time.Second
	// shortestWait and longestWait bound the pause after a failure. A cluster that has lost its leader has another
	// one within a second or two, which longer pauses would miss.
	shortestWait, longestWait = 50 * time.Millisecond, 400 * time.Millisecond
)

// cluster is the way to the leader. What it gives out are sessions, each good until something fails.
type cluster struct {
	address *address
	jobs    chan func()   // taken by goroutines that are idle
	over    chan struct{} // closed when the store closes

	mu       sync.Mutex
	session  *session      // nil while there is none
	dialing  chan struct{} // closed when the attempt under way has ended; nil while there is none
	failures int           // one after the other
	down     time.Time     // of the first of them
	cause    error         // of the last failure
	known    []string      // nodes that gossip told of
	number   uint64        // of the next session
	ended    bool
	closing  sync.WaitGroup
}

// session is one client of one node, thrown away at the first trouble.
type session struct {
	number uint64
	node   string
	client *esdb.Client
	conn   *grpc.ClientConn // beside the library's own, for what the library does not tell
	users  sync.WaitGroup
}

// outgoing is a call's context: the leader's answer is wanted. The library puts that wish into incoming metadata, which
// is never sent.
func (c *cluster) outgoing(ctx context.Context) context.Context {
	return metadata.NewOutgoingContext(ctx, c.address.wishes)
}

// authorized adds the user to calls that don't go through the library. As there, only over TLS.
func (c *cluster) authorized(ctx context.Context) context.Context {
	conf := c.address.conf
	if conf.Username == "" || conf.DisableTLS {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(conf.Username+":"+conf.Password)))
}

// use lends the session, and connects where there is none. release must be called.
func (c *cluster) use(ctx context.Context) (s *session, release func(), err error) {
	for {
		c.mu.Lock()
		switch {
		case c.ended:
			c.mu.Unlock()
			return nil, nil, events.ErrClosed
		case c.session != nil:
			s := c.session
			s.users.Add(1)
			c.mu.Unlock()
			return s, s.users.Done, nil
		case c.dialing == nil:
			dialing := make(chan struct{})
			c.dialing = dialing
			c.closing.Add(1)
			go func() {
				defer c.closing.Done()
				c.connect(dialing)
			}()
		}
		dialing, before := c.dialing, c.failures
		c.mu.Unlock()
		select {
		case <-dialing:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-c.over:
			return nil, nil, events.ErrClosed
		}
		c.mu.Lock()
		failed, cause := c.session == nil && c.failures > before, c.cause
		c.mu.Unlock()
		if failed {
			return nil, nil, cause
		}
	}
}

// connect makes one attempt, after the pause that the last failure calls for.
func (c *cluster) connect(done chan struct{}) {
	c.mu.Lock()
	failures := c.failures
	c.mu.Unlock()
	if failures > 0 {
		wait := min(longestWait, shortestWait<<min(failures-1, 4))
		time.Sleep(wait/2 + rand.N(wait/2+1))
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	s, err := c.dial(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(done)
	c.dialing = nil
	switch {
	case err != nil:
		c.failed(err)
	case c.ended:
		c.closing.Add(1)
		go c.dispose(s, 0)
	default:
		// failures are forgotten at the first call that succeeds, not here: a node may take connections and no calls.
		c.number++
		s.number = c.number
		c.session = s
	}
}

// dial finds the leader and makes a client for it.
func (c *cluster) dial(ctx context.Context) (*session, error) {
	nodes := c.address.seeds
	c.mu.Lock()
	ask := c.address.gossip || c.failures > 0
	known := slices.Clone(c.known)
	c.mu.Unlock()
	if ask { // a single node is believed to lead until it says otherwise
		led, err := c.leaders(ctx, append(slices.Clone(nodes), known...))
		if len(led) == 0 && c.address.gossip {
			return nil, err
		}
		if len(led) > 0 {
			nodes = led
		}
	}
	var errs []error
	for _, node := range nodes {
		s, err := c.try(ctx, node)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (c *cluster) try(ctx context.Context, node string) (*session, error) {
	conn, err := c.open(node)
	if err != nil {
		return nil, err
	}
	// Gossip tells of a leader for a while after it has died. The library would wait for it.
	ctx, cancel := context.WithTimeout(c.authorized(c.outgoing(ctx)), connectPatience/2)
	defer cancel()
	if _, err = serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, &shared.Empty{}); err != nil && status.Code(err) != codes.Unimplemented {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", node, err), conn.Close())
	}
	client, err := esdb.NewClient(c.address.at(node))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &session{node: node, client: client, conn: conn}, nil
}

// open opens a connection of the store's own, with the same credentials as the library's.
func (c *cluster) open(node string) (*grpc.ClientConn, error) {
	conf := c.address.conf
	transport := insecure.NewCredentials()
	if !conf.DisableTLS {
		t := &tls.Config{RootCAs: conf.RootCAs, InsecureSkipVerify: conf.SkipCertificateVerification} // as the operator asked
		if conf.UserCertFile != "" {
			pair, err := tls.LoadX509KeyPair(conf.UserCertFile, conf.UserKeyFile)
			if err != nil {
				return nil, err
			}
			t.Certificates = []tls.Certificate{pair}
		}
		transport = credentials.NewTLS(t)
	}
	return grpc.NewClient(node, grpc.WithTransportCredentials(transport))
}

// leaders asks nodes what they know of the cluster, all at the same time, and returns the nodes that are called leader
// and alive, those first that most say so. A dead leader is called leader still: being alive counts too.
func (c *cluster) leaders(ctx context.Context, nodes []string) ([]string, error) {
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	ctx, cancel := context.WithTimeout(c.authorized(ctx), connectPatience/2)
	defer cancel()
	type answer struct {
		info *gossip.ClusterInfo
		err  error
	}
	answers := make(chan answer, len(nodes))
	for _, node := range nodes {
		go func() {
			conn, err := c.open(node)
			if err != nil {
				answers <- answer{err: err}
				return
			}
			defer conn.Close()
			info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
			answers <- answer{info, err}
		}()
	}
	votes := map[string]int{}
	var members, led []string
	var errs []error
	patience := ctx.Done()
	for range nodes {
		var a answer
		select {
		case a = <-answers:
		case <-patience:
			a.err = ctx.Err()
		}
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		for _, m := range a.info.GetMembers() {
			node := net.JoinHostPort(m.GetHttpEndPoint().GetAddress(), strconv.Itoa(int(m.GetHttpEndPoint().GetPort())))
			if m.GetState() != gossip.MemberInfo_Manager {
				members = append(members, node)
			}
			if m.GetState() == gossip.MemberInfo_Leader && m.GetIsAlive() {
				votes[node]++
				if votes[node] == 1 {
					led = append(led, node)
				}
				if patience != nil && len(nodes) > 1 {
					// Someone knows. The others have a little longer, and a dead node holds up nobody.
					soon := make(chan struct{})
					time.AfterFunc(shortestWait, func() { close(soon) })
					patience = soon
				}
			}
		}
	}
	slices.SortStableFunc(led, func(a, b string) int { return votes[b] - votes[a] })
	c.mu.Lock()
	if len(members) > 0 {
		slices.Sort(members)
		c.known = slices.Compact(members)
	}
	c.mu.Unlock()
	if len(led) == 0 {
		return nil, errors.Join(append(errs, errors.New("no node of the event store knows a leader"))...)
	}
	return led, nil
}

// drop throws a session away, if it is still the one in use.
func (c *cluster) drop(s *session, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != s {
		return
	}
	c.session = nil
	c.failed(cause)
	c.closing.Add(1)
	go c.dispose(s, callPatience)
}

// failed counts a failure. The caller holds mu.
func (c *cluster) failed(cause error) {
	if c.failures == 0 {
		c.down = time.Now()
	}
	c.failures++
	c.cause = cause
}

// away is for how long the cluster has not answered anyone.
func (c *cluster) away() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures == 0 {
		return 0
	}
	return time.Since(c.down)
}

// works says that a call was answered.
func (c *cluster) works(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == s {
		c.failures = 0
	}
}

// dispose closes a session once its calls have ended, or had so much time to. Closing the library's client makes those of
// its calls panic that hang in it; they are caught where they run.
func (c *cluster) dispose(s *session, patience time.Duration) {
	defer c.closing.Done()
	idle := make(chan struct{})
	go func() {
		s.users.Wait()
		close(idle)
	}()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
	_ = s.client.Close() // returns no error, ever
	_ = s.conn.Close()   // its calls fail; there is nothing to lose
}

// close ends all sessions.
func (c *cluster) close() {
	c.mu.Lock()
	c.ended = true
	s := c.session
	c.session = nil
	if s != nil {
		c.closing.Add(1)
		go c.dispose(s, closePatience)
	}
	c.mu.Unlock()
	c.closing.Wait()
}

// run runs a job in a goroutine that is nobody else's meanwhile. One that has done its job waits a little for another: its
// stack has grown to what a call needs, which is a part of a call's cost.
func (c *cluster) run(job func()) {
	select {
	case c.jobs <- job:
		return
	default:
	}
	go func() {
		idle := time.NewTimer(beat)
		defer idle.Stop()
		for {
			job()
			idle.Reset(beat)
			select {
			case job = <-c.jobs:
			case <-idle.C:
				return
			}
		}
	}()
}

// call runs one call of the client in a goroutine of its own and within a deadline, and gives up the session where it
// can't be trusted any more. What the call returns late is dropped.
func call[T any](ctx context.Context, c *cluster, limit time.Duration, fn func(context.Context, *session) (T, error)) (T, verdict, error) {
	var none T
	s, release, err := c.use(ctx)
	if errors.Is(err, events.ErrClosed) {
		return none, final, err
	}
	if err != nil {
		v, err := judge(err)
		return none, v, err
	}
	// A caller who gives up leaves the call to its end: cancelled while it sends, the library reads what gRPC is writing.
	inner, cancel := context.WithTimeout(c.outgoing(context.WithoutCancel(ctx)), limit)
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	c.run(func() {
		defer release()
		defer cancel()
		var a answer
		defer func() {
			if r := recover(); r != nil {
				a = answer{err: fmt.Errorf("%w: %v", errPanic, r)}
			}
			done <- a
		}()
		a.v, a.err = fn(inner, s)
	})
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		return none, again, context.Cause(ctx)
	case <-c.over:
		return none, final, events.ErrClosed
	case <-inner.Done():
		select {
		case a = <-done:
		default:
			a.err = inner.Err() // the library hangs, or the server does
			c.drop(s, a.err)
		}
	}
	if a.err == nil {
		c.works(s)
		return a.v, again, nil
	}
	v, err := judge(a.err)
	switch {
	case ctx.Err() != nil:
		return none, again, context.Cause(ctx)
	case v == again:
		c.drop(s, err)
	case v != unsaid:
		c.works(s)
	}
	return none, v, err
}

// retried runs a call until it is answered, ctx ends, or there was no answer, to this call or to those before it, for so
// long as patience.
func retried[T any](ctx context.Context, s *Store, doing string, limit time.Duration, fn func(context.Context, *session) (T, error)) (T, verdict, error) {
	var none T
	began := time.Now()
	for {
		v, is, err := call(ctx, s.cluster, limit, fn)
		switch {
		case err == nil, is != again && is != unsaid:
			return v, is, err
		case s.closed.Load():
			return none, final, fmt.Errorf("%s: %w", doing, events.ErrClosed)
		case ctx.Err() != nil:
			return none, final, fmt.Errorf("%s: %w", doing, context.Cause(ctx))
		case time.Since(began) >= s.patience || s.cluster.away() >= s.patience:
			return none, final, unavailable(doing, err)
		}
	}
}
