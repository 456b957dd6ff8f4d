package esdbtest_test

import (
	"context"
	"crypto/sha1"
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

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
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
