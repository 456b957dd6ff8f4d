package esdbtest_test

import (
	"encoding/base64"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"traga.internal/events/esdbtest"
)

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
