package esdbtest_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"traga.internal/events/esdbtest"
)

// answer is what a server said to a question, in the form of testdata.
type answer struct {
	Ask      string            `json:"ask"`
	Messages []map[string]any  `json:"messages"`
	Code     string            `json:"code"`
	Detail   string            `json:"detail"`
	Trailers map[string]string `json:"trailers"`
}

// asker asks a server, and keeps its answers.
type asker struct {
	t       *testing.T
	ctx     context.Context
	conn    *grpc.ClientConn
	client  streams.StreamsClient
	answers []answer
}

func ask(t *testing.T, address string) *asker {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &asker{t: t, ctx: t.Context(), conn: conn, client: streams.NewStreamsClient(conn)}
}

func (a *asker) note(question string, err error, trailers metadata.MD, messages ...proto.Message) {
	n := answer{Ask: question, Code: "OK"}
	if err != nil && !errors.Is(err, io.EOF) {
		s := status.Convert(err)
		n.Code, n.Detail = s.Code().String(), s.Message()
	}
	for key, values := range trailers {
		if !slices.Contains([]string{"content-length", "content-type", "server"}, key) {
			if n.Trailers == nil {
				n.Trailers = map[string]string{}
			}
			n.Trailers[key] = strings.Join(values, ",")
		}
	}
	for _, m := range messages {
		if r, ok := m.(*streams.ReadResp); ok && r.GetEvent() != nil {
			e := r.GetEvent().GetEvent()
			n.Messages = append(n.Messages, map[string]any{"event": map[string]any{"stream": string(e.StreamIdentifier.StreamName), "rev": float64(e.StreamRevision),
				"type": e.Metadata["type"], "ct": e.Metadata["content-type"], "data": string(e.Data), "meta": string(e.CustomMetadata),
				"commit": float64(e.CommitPosition), "prepare": float64(e.PreparePosition)}})
			continue
		}
		b, err := protojson.Marshal(m)
		if err != nil {
			a.t.Fatal(err)
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			a.t.Fatal(err)
		}
		n.Messages = append(n.Messages, v)
	}
	a.answers = append(a.answers, n)
}

// id is the id that a letter stands for.
func id(letter string) *shared.UUID {
	h := sha1.Sum([]byte(letter))
	return &shared.UUID{Value: &shared.UUID_String_{String_: uuid.UUID(h[:16]).String()}}
}

type message = streams.AppendReq_ProposedMessage

func event(letter string) *message {
	return &message{Id: id(letter), Metadata: map[string]string{"type": "T", "content-type": "application/json"}, Data: []byte("{}")}
}

func list(letters ...string) []*message {
	var list []*message
	for _, l := range letters {
		list = append(list, event(l))
	}
	return list
}

var numbered atomic.Int64

// some are so many events with new ids, numbered.
func some(n int) []*message {
	var list []*message
	for i := range n {
		m := event(fmt.Sprint("n", numbered.Add(1)))
		m.Data = fmt.Appendf(nil, `{"n":%d}`, i)
		list = append(list, m)
	}
	return list
}

func changed(change func(*message)) []*message {
	m := some(1)
	m[0].Data = []byte("{}")
	change(m[0])
	return m
}

func meta(data string) []*message {
	return changed(func(m *message) { m.Metadata["type"], m.Data = "$metadata", []byte(data) })
}

const (
	anything = -2
	nothing  = -1
	exists   = -4
	unset    = -9
)

func options(stream string, expected int) *streams.AppendReq_Options {
	o := &streams.AppendReq_Options{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}}
	switch none := (&shared.Empty{}); expected {
	case anything:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Any{Any: none}
	case nothing:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: none}
	case exists:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: none}
	case unset:
	default:
		o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(expected)}
	}
	return o
}

func (a *asker) append(question, stream string, expected int, list ...*message) {
	a.appendWith(question, options(stream, expected), list...)
}

func (a *asker) appendWith(question string, o *streams.AppendReq_Options, list ...*message) {
	call, err := a.client.Append(a.ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	if o != nil {
		_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}}) // what is wrong shows at the end
	}
	for _, m := range list {
		_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: m}})
	}
	resp, err := call.CloseAndRecv()
	if err != nil {
		a.note(question, err, call.Trailer())
		return
	}
	a.note(question, nil, nil, resp)
}

func (a *asker) remove(question, stream string, expected int, forGood bool) {
	var trailers metadata.MD
	o := options(stream, expected)
	if forGood {
		t := &streams.TombstoneReq_Options{StreamIdentifier: o.StreamIdentifier}
		switch v := o.ExpectedStreamRevision.(type) {
		case *streams.AppendReq_Options_Any:
			t.ExpectedStreamRevision = &streams.TombstoneReq_Options_Any{Any: v.Any}
		case *streams.AppendReq_Options_NoStream:
			t.ExpectedStreamRevision = &streams.TombstoneReq_Options_NoStream{NoStream: v.NoStream}
		case *streams.AppendReq_Options_Revision:
			t.ExpectedStreamRevision = &streams.TombstoneReq_Options_Revision{Revision: v.Revision}
		}
		resp, err := a.client.Tombstone(a.ctx, &streams.TombstoneReq{Options: t}, grpc.Trailer(&trailers))
		a.note(question, err, trailers, only(resp, err)...)
		return
	}
	t := &streams.DeleteReq_Options{StreamIdentifier: o.StreamIdentifier}
	switch v := o.ExpectedStreamRevision.(type) {
	case *streams.AppendReq_Options_Any:
		t.ExpectedStreamRevision = &streams.DeleteReq_Options_Any{Any: v.Any}
	case *streams.AppendReq_Options_NoStream:
		t.ExpectedStreamRevision = &streams.DeleteReq_Options_NoStream{NoStream: v.NoStream}
	case *streams.AppendReq_Options_StreamExists:
		t.ExpectedStreamRevision = &streams.DeleteReq_Options_StreamExists{StreamExists: v.StreamExists}
	case *streams.AppendReq_Options_Revision:
		t.ExpectedStreamRevision = &streams.DeleteReq_Options_Revision{Revision: v.Revision}
	}
	resp, err := a.client.Delete(a.ctx, &streams.DeleteReq{Options: t}, grpc.Trailer(&trailers))
	a.note(question, err, trailers, only(resp, err)...)
}

func only(m proto.Message, err error) []proto.Message {
	if err != nil {
		return nil
	}
	return []proto.Message{m}
}

// request is a read that a test can change before it asks.
type request = streams.ReadReq_Options

func stream(name string, from int, changes ...func(*request)) *request {
	s := &streams.ReadReq_Options_StreamOptions{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(name)}}
	switch none := (&shared.Empty{}); from {
	case nothing:
		s.RevisionOption = &streams.ReadReq_Options_StreamOptions_Start{Start: none}
	case anything:
		s.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: none}
	default:
		s.RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: uint64(from)}
	}
	return with(&request{StreamOption: &streams.ReadReq_Options_Stream{Stream: s}}, changes...)
}

func all(commit, prepare int64, changes ...func(*request)) *request {
	s := &streams.ReadReq_Options_AllOptions{}
	switch none := (&shared.Empty{}); commit {
	case nothing:
		s.AllOption = &streams.ReadReq_Options_AllOptions_Start{Start: none}
	case anything:
		s.AllOption = &streams.ReadReq_Options_AllOptions_End{End: none}
	default:
		s.AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{CommitPosition: uint64(commit), PreparePosition: uint64(prepare)}}
	}
	return with(&request{StreamOption: &streams.ReadReq_Options_All{All: s}}, changes...)
}

func with(r *request, changes ...func(*request)) *request {
	none := &shared.Empty{}
	r.CountOption = &streams.ReadReq_Options_Count{Count: 100}
	r.FilterOption = &streams.ReadReq_Options_NoFilter{NoFilter: none}
	r.UuidOption = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: none}}
	r.ControlOption = &streams.ReadReq_Options_ControlOption{Compatibility: 1}
	for _, change := range changes {
		change(r)
	}
	return r
}

func count(n uint64) func(*request) {
	return func(r *request) { r.CountOption = &streams.ReadReq_Options_Count{Count: n} }
}

func back(r *request) { r.ReadDirection = streams.ReadReq_Options_Backwards }

func sub(r *request) {
	r.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
}

type filtering = streams.ReadReq_Options_FilterOptions

func filter(byType bool, e *streams.ReadReq_Options_FilterOptions_Expression, changes ...func(*filtering)) func(*request) {
	f := &filtering{Window: &streams.ReadReq_Options_FilterOptions_Max{Max: 32}, CheckpointIntervalMultiplier: 1}
	switch {
	case e == nil:
	case byType:
		f.Filter = &streams.ReadReq_Options_FilterOptions_EventType{EventType: e}
	default:
		f.Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: e}
	}
	for _, change := range changes {
		change(f)
	}
	return func(r *request) { r.FilterOption = &streams.ReadReq_Options_Filter{Filter: f} }
}

func prefix(p ...string) *streams.ReadReq_Options_FilterOptions_Expression {
	return &streams.ReadReq_Options_FilterOptions_Expression{Prefix: p}
}

func regex(x string) *streams.ReadReq_Options_FilterOptions_Expression {
	return &streams.ReadReq_Options_FilterOptions_Expression{Regex: x}
}

// read reads to the end, or a subscription until it has sent so many messages; during, if given, is done when it has
// sent so many of them.
func (a *asker) read(question string, r *request) { a.follow(question, r, math.MaxInt, 0, nil) }

func (a *asker) follow(question string, r *request, until, when int, during func()) {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	call, err := a.client.Read(ctx, &streams.ReadReq{Options: r})
	if err != nil {
		a.t.Fatal(err)
	}
	var messages []proto.Message
	for len(messages) < until {
		if during != nil && len(messages) == when {
			during()
			during = nil
		}
		m, err := call.Recv()
		if err != nil {
			a.note(question, err, call.Trailer(), messages...)
			return
		}
		messages = append(messages, m)
	}
	a.note(question, nil, nil, messages...)
}

// silently does what is no question of its own.
func (a *asker) silently(do func()) func() {
	return func() {
		n := len(a.answers)
		do()
		a.answers = a.answers[:n]
	}
}

// The questions are those that a real server was asked, in their order. Left out is what traga can't come to: links,
// resuming filtered subscriptions over thousands of others' events, batches, persistent subscriptions, users.
func TestAnswersAreThoseOfARealServer(t *testing.T) {
	var later atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	s, err := esdbtest.Start(esdbtest.Options{Log: esdbtest.NewLog(clock), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	a := ask(t, s.Address())
	a.appendWith("append: no options message, only an event", nil, some(1)...)
	a.appendWith("append: nothing sent at all", nil)
	a.append("append: expected revision not set", "q9", unset, some(1)...)
	a.appendWith("append: stream identifier not set", &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}}, some(1)...)
	a.append("append: no 'type' metadata", "q9", anything, changed(func(m *message) { delete(m.Metadata, "type") })...)
	a.append("append: no 'content-type' metadata", "q9", anything, changed(func(m *message) { delete(m.Metadata, "content-type") })...)
	a.append("append: event without id", "q9", anything, changed(func(m *message) { m.Id = nil })...)
	a.append("append: all-zero id", "q9", anything, changed(func(m *message) { m.Id.Value = &shared.UUID_String_{String_: uuid.Nil.String()} })...)
	a.append("append: id that is no uuid", "q9", anything, changed(func(m *message) { m.Id.Value = &shared.UUID_String_{String_: "no uuid"} })...)
	a.append("append: structured id 1,2", "q9", anything, changed(func(m *message) {
		m.Id.Value = &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: 1, LeastSignificantBits: 2}}
	})...)
	a.read("read it back, uuids as strings", stream("q9", nothing))
	a.read("read it back, uuids structured", stream("q9", nothing, func(r *request) {
		r.UuidOption.Content = &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}}
	}))
	a.read("read, compatibility 0", stream("q9", nothing, func(r *request) { r.ControlOption.Compatibility = 0 }))
	a.append("append: extra metadata keys", "q9", anything, changed(func(m *message) { m.Metadata["x"] = "y" })...)
	a.read("are the extra keys kept?", stream("q9", 1))
	a.append("append: two options? empty data, octet-stream", "q9", anything, changed(func(m *message) {
		m.Data, m.Metadata["content-type"] = nil, "application/octet-stream"
	})...)
	a.append("append: empty data, application/json", "q9", anything, changed(func(m *message) { m.Data = nil })...)
	a.read("read: no options at all", &request{})
	a.read("read: no filter option", stream("q9", nothing, func(r *request) { r.FilterOption = nil }))
	a.read("read: no count option", stream("q9", nothing, func(r *request) { r.CountOption = nil }))
	a.read("read stream with a filter", stream("q9", nothing, filter(false, prefix("q"))))
	a.read("read: revision 2^63 (not representable)", stream("q9", 0, func(r *request) {
		r.GetStream().RevisionOption = &streams.ReadReq_Options_StreamOptions_Revision{Revision: 1 << 63}
	}))
	a.read("read backwards from revision 100 of a 4-event stream", stream("q9", 100, back, count(2)))
	a.read("read $all from start, count 3", all(nothing, 0, count(3)))
	a.read("read $all from end backwards, count 2", all(anything, 0, back, count(2)))
	a.read("read $all backwards from start", all(nothing, 0, back))
	a.read("read $all forwards from end", all(anything, 0))
	a.read("read $all, position (5, 6): prepare after commit", all(5, 6))
	a.read("filtered read, max window 0", all(nothing, 0, filter(false, prefix("q"), func(f *filtering) { f.Window = &streams.ReadReq_Options_FilterOptions_Max{} })))
	a.read("filtered read, event-type regex ^T$", all(nothing, 0, count(3), filter(true, regex("^T$"))))
	a.read(`filtered read, exclude system regex ^[^\$].*`, all(nothing, 0, count(3), filter(true, regex(`^[^\$].*`))))
	a.read("filtered read, bad regex", all(nothing, 0, filter(true, regex("("))))
	a.read("filtered read, two prefixes", all(nothing, 0, count(3), filter(false, prefix("x", "q"))))
	a.read("filtered read that matches nothing", all(nothing, 0, filter(false, prefix("nope"))))
	a.read("filtered read, window unset", all(nothing, 0, filter(false, prefix("q"), func(f *filtering) { f.Window = nil })))
	a.read("filtered read, filter unset", all(nothing, 0, filter(false, nil)))
	a.read("filtered read, checkpoint multiplier 0", all(nothing, 0, count(3), filter(false, prefix("q"), func(f *filtering) { f.CheckpointIntervalMultiplier = 0 })))
	a.read("filtered subscribe, checkpoint multiplier 0", all(nothing, 0, sub, filter(false, prefix("q"), func(f *filtering) { f.CheckpointIntervalMultiplier = 0 })))

	a.append("idem: NoStream a,b,c", "i1", nothing, list("a", "b", "c")...)
	a.append("idem: NoStream a,b (prefix)", "i1", nothing, list("a", "b")...)
	a.append("idem: NoStream b,c (suffix)", "i1", nothing, list("b", "c")...)
	a.append("idem: Revision(0) b,c (suffix)", "i1", 0, list("b", "c")...)
	a.append("idem: Revision(1) c", "i1", 1, list("c")...)
	a.append("idem: Any a,b,c", "i1", anything, list("a", "b", "c")...)
	a.append("idem: Any b", "i1", anything, list("b")...)
	a.append("idem: Any b,c", "i1", anything, list("b", "c")...)
	a.append("idem: Any c,d (one old, one new)", "i1", anything, list("c", "d")...)
	a.append("idem: Any e,a (one new, one old)", "i1", anything, list("e", "a")...)
	a.append("idem: Any c,b (old, other order)", "i1", anything, list("c", "b")...)
	a.append("idem: StreamExists a", "i1", exists, list("a")...)
	a.append("idem: NoStream a with other data", "i1", nothing, changed(func(m *message) { m.Id, m.Data = id("a"), []byte(`{"other":1}`) })...)
	a.append("idem: Revision(2) with an id from revision 0", "i1", 2, list("a")...)
	a.read("idem: the stream after all that", stream("i1", nothing))

	a.remove("soft-delete a missing stream, Any", "del-missing", anything, false)
	a.remove("soft-delete a missing stream, NoStream", "del-missing2", nothing, false)
	a.remove("soft-delete a missing stream, StreamExists", "del-missing3", exists, false)
	a.remove("soft-delete a missing stream, Revision 0", "del-missing4", 0, false)
	a.append("append to the stream deleted before it existed", "del-missing", anything, list("f")...)
	a.append("d: NoStream, three events", "d", nothing, some(3)...)
	a.remove("d: soft-delete, Revision(1): wrong", "d", 1, false)
	a.remove("d: soft-delete, Revision(2): right", "d", 2, false)
	a.remove("d: soft-delete again, Any", "d", anything, false)
	a.remove("d: soft-delete again, StreamExists", "d", exists, false)
	a.read("d: read forwards", stream("d", nothing))
	a.read("d: read backwards", stream("d", anything, back))
	a.read("d: metadata stream $$d", stream("$$d", nothing))
	a.append("d: append StreamExists after soft delete", "d", exists, some(1)...)
	a.append("d2: NoStream, three events", "d2", nothing, some(3)...)
	a.remove("d2: soft-delete", "d2", anything, false)
	a.append("d2: append Revision(2) after soft delete", "d2", 2, list("g")...)
	a.read("d2: read", stream("d2", nothing))
	a.read("d2: metadata stream", stream("$$d2", nothing))
	a.append("d3: NoStream, three events", "d3", nothing, list("h", "i", "j")...)
	a.remove("d3: soft-delete", "d3", anything, false)
	a.append("d3: append Any after soft delete, an id of before it", "d3", anything, list("h")...)
	a.append("d3: append NoStream after soft delete, the ids of before it", "d3", nothing, list("h", "i", "j")...)
	a.append("d3: append Revision(0) after soft delete: wrong", "d3", 0, some(1)...)
	a.read("d3: read", stream("d3", nothing))
	a.remove("tombstone a missing stream, Any", "t1", anything, true)
	a.read("t1: read", stream("t1", nothing))
	a.append("t1: append", "t1", anything, some(1)...)
	a.remove("t1: tombstone again", "t1", anything, true)
	a.remove("t1: soft-delete a tombstoned stream", "t1", anything, false)
	a.append("t2: NoStream", "t2", nothing, some(2)...)
	a.remove("t2: tombstone Revision(0): wrong", "t2", 0, true)
	a.remove("t2: tombstone NoStream: wrong", "t2", nothing, true)
	a.follow("t2: subscribe, tombstoned during", stream("t2", nothing, sub), math.MaxInt, 4, func() { a.remove("t2: tombstone Revision(1)", "t2", 1, true) })
	a.read("t2: metadata stream of a tombstoned stream", stream("$$t2", nothing))
	a.append("t2: write metadata of a tombstoned stream", "$$t2", anything, meta("{}")...)
	a.remove("t3: tombstone a soft-deleted stream", "d2", anything, true)
	a.read("$all: tombstone and delete events in it (type prefix $stream|$metadata)", all(nothing, 0, filter(true, prefix("$stream", "$metadata"))))

	a.append("m1: five events", "m1", nothing, some(5)...)
	a.append("m1: metadata $maxCount 2, NoStream", "$$m1", nothing, meta(`{"$maxCount":2}`)...)
	a.read("m1: read from start", stream("m1", nothing))
	a.read("m1: read from revision 0, count 1", stream("m1", 0, count(1)))
	a.read("m1: read backwards", stream("m1", anything, back))
	a.read("m1: read from revision 3", stream("m1", 3, count(1)))
	a.read("m1: read backwards from revision 1 (trimmed)", stream("m1", 1, back))
	a.follow("m1: subscribe from start", stream("m1", nothing, sub), 4, 0, nil)
	a.read("m1: $all still has the trimmed events?", all(nothing, 0, filter(false, prefix("m1"))))
	a.append("m2: five events", "m2", nothing, some(5)...)
	a.append("m2: metadata $tb 3", "$$m2", nothing, meta(`{"$tb":3}`)...)
	a.read("m2: read", stream("m2", nothing))
	a.append("m2: metadata $tb 100 (beyond its end)", "$$m2", anything, meta(`{"$tb":100}`)...)
	a.read("m2: read", stream("m2", nothing))
	a.append("m2: append NoStream", "m2", nothing, some(1)...)
	a.append("m2: append Revision(4)", "m2", 4, list("k")...)
	a.read("m2: read", stream("m2", nothing))
	a.append("m2: metadata back to $tb 0", "$$m2", anything, meta(`{"$tb":0}`)...)
	a.read("m2: read", stream("m2", nothing))
	a.append("m3: two events", "m3", nothing, some(2)...)
	a.append("m3: metadata $maxAge 1", "$$m3", nothing, meta(`{"$maxAge":1}`)...)
	a.read("m3: read at once", stream("m3", nothing))
	later.Store(int64(2 * time.Second))
	a.read("m3: read after 2 s", stream("m3", nothing))
	a.append("m3: append NoStream", "m3", nothing, some(1)...)
	a.append("m4: metadata that is not JSON", "$$m4", nothing, meta("not json")...)
	a.append("m4: append", "m4", nothing, list("l")...)
	a.read("m4: read", stream("m4", nothing))
	a.append("m5: metadata event with another type", "$$m5", nothing, changed(func(m *message) { m.Data = []byte(`{"$maxCount":1}`) })...)
	a.append("m5: three", "m5", nothing, some(3)...)
	a.read("m5: read", stream("m5", nothing))
	a.append("append to $$$x", "$$$x", anything, some(1)...)
	a.append("append to $all", "$all", anything, some(1)...)
	a.append("append to a stream named with spaces, slash and non-ASCII", "a b/č", anything, list("m")...)
	a.read("read it", stream("a b/č", nothing))

	write := func(stream string) func() {
		return a.silently(func() { a.append("", stream, anything, changed(func(*message) {})...) })
	}
	a.follow("subscribe $all from end; one event during", all(anything, 0, sub), 3, 2, write("liveone"))
	a.follow("subscribe a missing stream from start; created during", stream("later", nothing, sub), 3, 1, write("later"))
	a.follow("subscribe a missing stream from end", stream("later2", anything, sub), 3, 2, write("later2"))
	a.follow("subscribe a stream after revision 50, beyond its end (3 events); 1 appended during", stream("m5", 50, sub), 2, 2, nil)
	a.read("subscribe $all from a position that is no record's", all(734, 734, sub))
	a.follow("subscribe $all from far beyond the end", all(1<<40, 1<<40, sub), 2, 0, nil)
	a.follow("filtered subscribe $all from far beyond the end", all(1<<40, 1<<40, sub, filter(false, prefix("q"))), 2, 0, nil)
	a.read("subscribe backwards", stream("m5", nothing, sub, back))
	compare(t, "testdata/answers-more.json", a.answers)
}

// Whoever asks is known before anything is done.
func TestAnswersToUsersAreThoseOfARealServer(t *testing.T) {
	s, err := esdbtest.Start(esdbtest.Options{Users: map[string]string{"admin": "changeit", "ann": "pw"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	a := ask(t, s.Address())
	as := func(user, password string) {
		a.ctx = t.Context()
		if user != "" {
			a.ctx = metadata.AppendToOutgoingContext(a.ctx, "authorization", basic(user, password))
		}
	}
	for _, who := range [][]string{{"anonymous", "", ""}, {"admin/wrong", "admin", "wrong"}, {"nobody/x", "nobody", "x"}} {
		as(who[1], who[2])
		q := "[" + who[0] + "] "
		a.append(q+"append", "s", anything, some(1)...)
		a.read(q+"read stream", stream("s", nothing))
		a.read(q+"read $all", all(nothing, 0))
		a.read(q+"subscribe stream", stream("s", nothing, sub))
		a.remove(q+"delete", "s", anything, false)
		if who[1] == "" {
			continue // it is told, and tells of itself
		}
		var trailers metadata.MD
		_, err := serverfeatures.NewServerFeaturesClient(a.conn).GetSupportedMethods(a.ctx, &shared.Empty{}, grpc.Trailer(&trailers))
		a.note(q+"server features", err, trailers)
		_, err = gossip.NewGossipClient(a.conn).Read(a.ctx, &shared.Empty{}, grpc.Trailer(&trailers))
		a.note(q+"gossip", err, trailers)
	}
	as("ann", "pw")
	a.append("[ann] append $sys", "$sys", anything, some(1)...)
	a.read("[ann] read $sys", stream("$sys", nothing))
	a.read("[ann] read $all", all(nothing, 0))
	a.read("[ann] filtered subscribe $all", all(nothing, 0, sub, filter(false, prefix("s"))))
	compare(t, "testdata/answers-secure.json", a.answers)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// compare holds answers against those on record to the same questions, but for ids, times and the sizes of positions.
func compare(t *testing.T, file string, answers []answer) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var recorded []answer
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, a := range answers {
		asked[a.Ask] = true
	}
	recorded = slices.DeleteFunc(recorded, func(a answer) bool { return !asked[a.Ask] }) // their positions don't count
	want, got := fold(recorded), fold(answers)
	for ask, g := range got {
		if want[ask] != g {
			t.Errorf("%s\n  real server: %s\n  this one:    %s", ask, want[ask], g)
		}
	}
}

func fold(answers []answer) map[string]string {
	var places []float64
	each(answers, func(p float64) any { places = append(places, p); return p })
	slices.Sort(places)
	places = slices.Compact(places)
	each(answers, func(p float64) any {
		n, _ := slices.BinarySearch(places, p)
		return fmt.Sprint("place ", n)
	})
	folded, times := map[string]string{}, map[string]int{}
	for _, a := range answers {
		times[a.Ask]++
		key := a.Ask + " (" + strconv.Itoa(times[a.Ask]) + ")"
		b, _ := json.Marshal(a)
		folded[key] = string(b)
	}
	return folded
}

// each hands over every position in the answers, and puts what it gets in its place. What differs from run to run goes.
func each(answers []answer, place func(float64) any) {
	var walk func(any)
	walk = func(x any) {
		switch v := x.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for _, key := range []string{"id", "metadataKeys", "link", "position", "subscriptionId"} {
				if _, nested := v[key].(map[string]any); !nested {
					delete(v, key)
				}
			}
			for key, x := range v {
				switch key {
				case "commit", "prepare":
					if n, ok := x.(float64); ok {
						v[key] = place(n)
					}
				case "commitPosition", "preparePosition":
					if n, err := strconv.ParseFloat(fmt.Sprint(x), 64); err == nil {
						v[key] = place(n)
					}
				default:
					walk(x)
				}
			}
		}
	}
	for _, a := range answers {
		for _, m := range a.Messages {
			walk(m)
		}
	}
}
