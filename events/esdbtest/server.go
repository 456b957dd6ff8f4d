package esdbtest

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Options say how a Server is.
type Options struct {
	// Listen is its address; a free port of 127.0.0.1 when empty.
	Listen string
	// Log is its database; a new one in memory when nil.
	Log *Log
	// Clock is the time that it tells in its answers; time.Now when nil.
	Clock func() time.Time
	// TLS, if set, makes it speak TLS.
	TLS *tls.Config
	// Users are passwords by name; without any, everyone may do everything. The user admin may do everything, others
	// what does not concern system streams and $all.
	Users map[string]string
	// MinPing is how often a client may ping; 5 seconds when 0. One that does more often is cut off.
	MinPing time.Duration
}

// Server is one node. Make it with Start. All methods are safe for concurrent use.
type Server struct {
	o  Options
	id uuid.UUID

	mu      sync.Mutex
	address string
	running *grpc.Server
	ended   chan struct{} // closed when running has stopped
	log     *Log
	leader  string // address of another node that leads, if any
	behind  uint64 // reads see nothing after this position, if not 0
	members func() []Member
	fault   func(Call) *Fault
	calls   []Call
}

// Member is a node as gossip tells of it.
type Member struct {
	Address string
	State   gossip.MemberInfo_VNodeState
	Alive   bool
	Time    time.Time
}

// Start starts a node that leads alone, until SetLeader says otherwise.
func Start(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = NewLog(o.Clock)
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	s := &Server{o: o, id: uuid.New(), log: o.Log, address: o.Listen}
	return s, s.Restart()
}

// Restart starts the node again at the address that it had.
func (s *Server) Restart() error {
	s.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	s.address = listener.Addr().String()
	minPing := s.o.MinPing
	if minPing == 0 {
		minPing = 5 * time.Second
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(64 << 20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true})}
	if s.o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.o.TLS)))
	}
	g := grpc.NewServer(options...)
	streams.RegisterStreamsServer(g, &streamsService{s: s})
	gossip.RegisterGossipServer(g, &gossipService{s: s})
	serverfeatures.RegisterServerFeaturesServer(g, &featuresService{s: s})
	ended := make(chan struct{})
	s.running, s.ended = g, ended
	go func() {
		defer close(ended)
		_ = g.Serve(listener) // ends with Stop
	}()
	return nil
}

// Stop ends the node at once and breaks all its connections.
func (s *Server) Stop() {
	s.mu.Lock()
	g, ended := s.running, s.ended
	s.running = nil
	s.mu.Unlock()
	if g != nil {
		g.Stop()
		<-ended
	}
}

// Address is where the node listens, as host:port.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// URL is the connection string of the node alone.
func (s *Server) URL() string {
	u := url.URL{Scheme: "esdb", Host: s.Address()}
	if s.o.TLS == nil {
		u.RawQuery = "tls=false"
	}
	return u.String()
}

// Log is the database that the node serves.
func (s *Server) Log() *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log
}

// Serve gives the node another database, such as a Fork of its own.
func (s *Server) Serve(l *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = l
}

// SetLeader makes the node a follower of the one at an address, or with "" the leader.
func (s *Server) SetLeader(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader = address
}

// Lag lets reads see nothing after a position; 0 ends that.
func (s *Server) Lag(position uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = position
}

// Gossip sets what the node tells of its cluster; by default it knows itself alone.
func (s *Server) Gossip(members func() []Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = members
}

// Inject sets what is asked for a fault with every call; nil ends it.
func (s *Server) Inject(fault func(Call) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Calls are the calls so far, since the last time they were asked for.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

const maxCalls = 100_000

// enter takes up a call: who asks, of whom, and what goes wrong. A nil error lets it go on.
func (s *Server) enter(ctx context.Context, c Call, write bool) (*Log, uint64, *Fault, metadata.MD, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	first := func(key string) string {
		if v := md.Get(key); len(v) > 0 {
			return v[0]
		}
		return ""
	}
	c.Leader = strings.EqualFold(first("requires-leader"), "true")
	c.Connection = first("connection-name")
	s.mu.Lock()
	if len(s.calls) < maxCalls {
		s.calls = append(s.calls, c)
	}
	log, behind, leader, fault := s.log, s.behind, s.leader, s.fault
	s.mu.Unlock()
	var f *Fault
	if fault != nil {
		f = fault(c)
	}
	if f != nil && f.Wait > 0 {
		t := time.NewTimer(f.Wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, 0, nil, nil, ctx.Err()
		}
	}
	if err := s.allow(c, first("authorization"), write); err != nil {
		var trailers metadata.MD
		if status.Code(err) == codes.PermissionDenied {
			trailers = metadata.Pairs("exception", "access-denied")
		}
		return nil, 0, nil, trailers, err
	}
	if leader != "" && c.Leader && c.Method != "Gossip" && c.Method != "Features" {
		n := NotLeader(leader)
		return nil, 0, nil, n.Trailers, n.Err
	}
	if f.breaks() && !f.Done && f.After == 0 {
		return nil, 0, nil, f.Trailers, f.fail(ctx)
	}
	return log, behind, f, nil, nil
}

// fail is how a broken call ends.
func (f *Fault) fail(ctx context.Context) error {
	if f.Hang {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}
	return f.Err
}

// allow says whether the caller may do that.
func (s *Server) allow(c Call, authorization string, write bool) error {
	if len(s.o.Users) == 0 {
		return nil
	}
	denied := status.Error(codes.PermissionDenied, "Access Denied")
	open := c.Method == "Gossip" || c.Method == "Features"
	encoded, basic := strings.CutPrefix(authorization, "Basic ")
	if !basic {
		if open {
			return nil
		}
		return denied
	}
	plain, err := base64.StdEncoding.DecodeString(encoded)
	name, password, _ := strings.Cut(string(plain), ":")
	if known, ok := s.o.Users[name]; err != nil || !ok || known != password {
		return status.Error(codes.Unauthenticated, "Unauthenticated")
	}
	system := strings.HasPrefix(c.Stream, "$") && !(strings.HasPrefix(c.Stream, "$$") && !strings.HasPrefix(c.Stream, "$$$"))
	if name != "admin" && system && !open {
		return denied
	}
	return nil
}

// plain is what a real server sends along where it answers with a status alone.
func plain(more metadata.MD) metadata.MD {
	return metadata.Join(metadata.Pairs("content-length", "0", "server", "Kestrel"), more)
}

// headers go before the first message; the date is as coarse as HTTP has it.
func (s *Server) headers() metadata.MD {
	return metadata.Pairs("server", "Kestrel", "date", s.o.Clock().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
}

// gave ends a call of one answer.
func (s *Server) gave(ctx context.Context, trailers metadata.MD, err error) error {
	if err != nil {
		_ = grpc.SetTrailer(ctx, plain(trailers))
		return err
	}
	return grpc.SendHeader(ctx, s.headers())
}

type gossipService struct {
	gossip.UnimplementedGossipServer
	s *Server
}

func (g *gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	s := g.s
	_, _, _, trailers, err := s.enter(ctx, Call{Method: "Gossip"}, false)
	if err := s.gave(ctx, trailers, err); err != nil {
		return nil, err
	}
	s.mu.Lock()
	members, address := s.members, s.address
	s.mu.Unlock()
	list := []Member{{Address: address, State: gossip.MemberInfo_Leader, Alive: true, Time: s.o.Clock()}}
	if members != nil {
		list = members()
	}
	info := &gossip.ClusterInfo{}
	for _, m := range list {
		host, port, _ := net.SplitHostPort(m.Address)
		n, _ := strconv.ParseUint(port, 10, 16)
		info.Members = append(info.Members, &gossip.MemberInfo{InstanceId: idOf(s.id, false), TimeStamp: m.Time.UnixNano() / 100, State: m.State,
			IsAlive: m.Alive, HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(n)}})
	}
	return info, nil
}

type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
	s *Server
}

func (f *featuresService) GetSupportedMethods(ctx context.Context, _ *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	_, _, _, trailers, err := f.s.enter(ctx, Call{Method: "Features"}, false)
	if err := f.s.gave(ctx, trailers, err); err != nil {
		return nil, err
	}
	methods := &serverfeatures.SupportedMethods{EventStoreServerVersion: "23.10.6"}
	for _, m := range [][]string{{"streams.streams", "read", "position", "events"}, {"streams.streams", "append"}, {"streams.streams", "delete"},
		{"streams.streams", "tombstone"}, {"gossip.gossip", "read"}, {"server_features.serverfeatures", "getsupportedmethods"}} {
		methods.Methods = append(methods.Methods, &serverfeatures.SupportedMethod{ServiceName: "event_store.client." + m[0], MethodName: m[1], Features: m[2:]})
	}
	return methods, nil
}

// idOf is an id in the form that was asked for.
func idOf(id uuid.UUID, text bool) *shared.UUID {
	if text {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	var most, least int64
	for i := range 8 {
		most, least = most<<8|int64(id[i]), least<<8|int64(id[i+8])
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: most, LeastSignificantBits: least}}}
}

func parseID(u *shared.UUID) (uuid.UUID, error) {
	var id uuid.UUID
	switch v := u.GetValue().(type) {
	case *shared.UUID_String_:
		var err error
		if id, err = uuid.Parse(v.String_); err != nil {
			return id, err
		}
	case *shared.UUID_Structured_:
		for i := range 8 {
			id[7-i] = byte(v.Structured.GetMostSignificantBits() >> (8 * i))
			id[15-i] = byte(v.Structured.GetLeastSignificantBits() >> (8 * i))
		}
	default:
		return id, errors.New("no id")
	}
	if id == uuid.Nil {
		return id, errors.New("an empty id")
	}
	return id, nil
}

// thrown is how the real server answers what it did not foresee.
func thrown() error { return status.Error(codes.Unknown, "Exception was thrown by handler.") }

func deletedError(name string) (metadata.MD, error) {
	return metadata.Pairs("exception", "stream-deleted", "stream-name", name),
		status.Error(codes.FailedPrecondition, fmt.Sprintf("Event stream '%s' is deleted.", name))
}
