package reactions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"traga.internal/events"
	"traga.internal/handlers/api"
	"traga.internal/handlers/reactions"
	"traga.internal/handlers/record"
)

// realNATS starts a NATS server with JetStream on a port, 0 for a free one; its streams are in dir.
func realNATS(t *testing.T, port int, dir string) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not come up")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	port, err := strconv.Atoi(address[strings.LastIndex(address, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func connect(t *testing.T, url string) (*nats.Conn, nats.JetStreamContext) {
	t.Helper()
	c, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	js, err := c.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	return c, js
}

// read takes n messages of a subject from the start of its stream.
func read(t *testing.T, js nats.JetStreamContext, subject string, n int) []*nats.Msg {
	t.Helper()
	s, err := js.SubscribeSync(subject, nats.DeliverAll())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Unsubscribe() }()
	var all []*nats.Msg
	for range n {
		m, err := s.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		all = append(all, m)
	}
	return all
}

// isFeed fails unless the messages are the events of the log of cases, in its order, without what they say.
func (w *world) isFeed(messages [][]byte) {
	w.t.Helper()
	page, err := w.store.ReadAll(w.t.Context(), events.Start, 1000, events.Filter{StreamPrefixes: []string{"case-"}})
	if err != nil || len(page.Events) != len(messages) {
		w.t.Fatalf("%v: %d messages for %d events", err, len(messages), len(page.Events))
	}
	for i, body := range messages {
		var e api.CloudEvent
		if err := json.Unmarshal(body, &e); err != nil || e.ID != page.Events[i].ID || e.SpecVersion != "1.0" || e.Data.Position != page.Events[i].Position {
			w.t.Errorf("%v: message %d is %s", err, i, body)
		}
		if strings.Contains(string(body), "Hidden Name") || strings.Contains(string(body), "prisoner-1") {
			w.t.Errorf("a message tells what the event says: %s", body)
		}
	}
}

// The whole log goes to JetStream, each event once and in order: with a broker that comes late and goes away in between,
// and with a service that ends without having written its checkpoint.
func TestTheFeedToJetStreamIsWholeAndInOrder(t *testing.T) {
	w, address, dir := newWorld(t), freeAddress(t), t.TempDir()
	section := fmt.Sprintf("feeds: [{name: nats, url: \"nats://%s\", stream: TRAGA, subject: traga.events}]", address)
	w.record(3, 10)
	stop := w.start(section)
	eventually(t, "the broker is missed", func() bool { return w.count("feed", "failed") > 0 })
	broker := realNATS(t, portOf(t, address), dir)
	eventually(t, "all is published", func() bool { return w.count("feed", "delivered") == 30 })
	broker.Shutdown()
	broker.WaitForShutdown()
	w.record(1, 5)
	failed := w.count("feed", "failed")
	eventually(t, "it is missed again", func() bool { return w.count("feed", "failed") > failed })
	broker = realNATS(t, portOf(t, address), dir)
	eventually(t, "the rest is published", func() bool { return w.count("feed", "delivered") == 35 })
	stop()
	// As if it had been killed before it wrote its checkpoint: all is published again, under the same ids.
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.start(section)
	eventually(t, "all was published again", func() bool { return w.count("feed", "delivered") == 70 })
	_, js := connect(t, broker.ClientURL())
	if info, err := js.StreamInfo("TRAGA"); err != nil || info.State.Msgs != 35 {
		t.Fatalf("%v: the stream: %+v", err, info)
	}
	var bodies [][]byte
	for _, m := range read(t, js, "traga.events", 35) {
		bodies = append(bodies, m.Data)
		if m.Header.Get(nats.MsgIdHdr) == "" || m.Header.Get("content-type") != "application/cloudevents+json" {
			t.Errorf("header: %v", m.Header)
		}
	}
	w.isFeed(bodies)
}

// The same feed by HTTP.
func TestTheFeedByHTTP(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var bodies [][]byte
	s := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Content-Type") != "application/cloudevents+json" {
			t.Errorf("header: %v", r.Header)
		}
		bodies = append(bodies, body)
	}))
	defer s.Close()
	w.record(2, 3)
	stop := w.start("feeds: [{name: http, url: \"" + s.URL + "/events\"}]")
	eventually(t, "all is posted", func() bool { return w.count("feed", "delivered") == 6 })
	stop()
	w.isFeed(bodies)
}

// choosy is a publisher that refuses for good what it is told to.
type choosy struct {
	mu     sync.Mutex
	refuse func(m *message.Message) bool
	took   []string
}

func (p *choosy) Publish(_ string, messages ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		if p.refuse(m) {
			return &reactions.Failure{Reason: "not that one", Final: true}
		}
		p.took = append(p.took, m.UUID)
	}
	return nil
}

func (p *choosy) Close() error { return nil }

func (p *choosy) allow(refuse func(*message.Message) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// What is parked of a case holds up the rest of that case, and no other; replayed, the case is whole and in order.
func TestACaseStaysInOrderBehindWhatIsParked(t *testing.T) {
	w := newWorld(t)
	w.record(2, 5)
	page, err := w.store.ReadAll(t.Context(), events.Start, 100, events.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	bad := page.Events[2] // the second of the first case
	p := &choosy{}
	p.allow(func(m *message.Message) bool { return m.UUID == bad.ID.String() })
	w.start("", reactions.Publisher{Name: "own", Topic: "any", Publisher: p})
	eventually(t, "the rest of the case is parked", func() bool { return len(w.parked()) == 4 })
	eventually(t, "the other case is published", func() bool { return w.count("feed", "delivered") == 6 })
	var numbers []int64
	for i, parked := range w.parked() {
		numbers = append(numbers, parked.Number)
		if want := "an earlier message of the same case is parked"; i > 0 && parked.Reason != want || i == 0 && parked.Reason != "not that one" {
			t.Errorf("parked: %+v", parked)
		}
	}
	w.replay(numbers[1:]...) // without the first: they stay
	eventually(t, "the replays were tried", func() bool {
		for _, parked := range w.parked() {
			if parked.Replay {
				return false
			}
		}
		return true
	})
	if n := len(w.parked()); n != 4 {
		t.Fatalf("%d are parked", n)
	}
	p.allow(func(*message.Message) bool { return false })
	w.replay(numbers...)
	eventually(t, "nothing is parked", func() bool { return len(w.parked()) == 0 })
	p.mu.Lock()
	defer p.mu.Unlock()
	var got []string
	for _, id := range p.took {
		for i := range page.Events {
			if page.Events[i].ID.String() == id && page.Events[i].Stream == bad.Stream {
				got = append(got, fmt.Sprint(page.Events[i].Revision))
			}
		}
	}
	if strings.Join(got, " ") != "0 1 2 3 4" {
		t.Errorf("the case was published as %v", got)
	}
}

// When an older copy of the log is put back, a feed begins again: what is new since then must not be missed.
func TestAFeedNoticesThatTheLogIsAnotherOne(t *testing.T) {
	w, p := newWorld(t), &choosy{refuse: func(*message.Message) bool { return false }}
	w.record(1, 5)
	stop := w.start("", reactions.Publisher{Name: "own", Topic: "any", Publisher: p})
	eventually(t, "all is published", func() bool { return w.count("feed", "delivered") == 5 })
	stop()
	other := newWorld(t)
	other.dir = w.dir
	other.record(1, 3)
	other.start("", reactions.Publisher{Name: "own", Topic: "any", Publisher: p})
	eventually(t, "the other log is published", func() bool { return other.count("feed", "delivered") == 3 })
	if !strings.Contains(other.logged.String(), "begins again from the start") {
		t.Errorf("logged: %s", other.logged)
	}
}

// Records from a broker are recorded once and in order, and each gets its answer; what is refused stores nothing.
func TestRecordsFromABroker(t *testing.T) {
	w := newWorld(t)
	address, dir := freeAddress(t), t.TempDir()
	section := fmt.Sprintf("inbox: [{name: csw, url: \"nats://%s\", stream: INBOX, subject: traga.in, replies: traga.replies, institutions: [mk-prison-idrizovo]}]", address)
	stop := w.start(section) // the broker is away
	eventually(t, "the broker is missed", func() bool { return strings.Contains(w.logged.String(), "an inbox waits for its broker") })
	broker := realNATS(t, portOf(t, address), dir)
	_, js := connect(t, broker.ClientURL())
	eventually(t, "the stream is there", func() bool { _, err := js.StreamInfo("INBOX"); return err == nil })

	opened := `{"case":"MK-2026-7777","type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
		"data":{"subject":"prisoner-1","name":"Hidden Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`
	send := func(id, body string) {
		t.Helper()
		m := &nats.Msg{Subject: "traga.in", Data: []byte(body), Header: nats.Header{}}
		if id != "" {
			m.Header.Set("X-Own", "a")
			m.Header.Add("X-Own", "b") // headers with two values are none of ours to mind
			m.Header.Set(nats.MsgIdHdr, id)
		}
		if _, err := js.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	send("one", opened)
	send("two", `{"case":"MK-2026-7777","type":"SupportProvided","actor":{"officer":"x","role":"csw","institution":"mk-csw-skopje"},"data":{"service":"Hidden Name"}}`)
	send("three", `{"case":"MK-2026-7777","type":"CaseClosed","nonsense":"Hidden Name"}`)
	send("", "not JSON: Hidden Name")
	var outcomes []string
	for _, m := range read(t, js, "traga.replies", 4) {
		if strings.Contains(string(m.Data), "Hidden Name") {
			t.Errorf("a reply repeats what was sent: %s", m.Data)
		}
		var r reactions.Reply
		if err := json.Unmarshal(m.Data, &r); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(r.Message, "INBOX-") {
			r.Message = "INBOX-N" // its place among the replies, which are in the same stream
		}
		outcomes = append(outcomes, fmt.Sprint(r.Message, " ", r.Outcome, " ", r.Because, r.Field))
	}
	want := "one recorded []; two refused [not-allowed]actor.institution; three refused [invalid]nonsense; INBOX-N refused [invalid]"
	if got := strings.Join(outcomes, "; "); got != want {
		t.Errorf("outcomes: %s\nwant: %s", got, want)
	}
	stop()

	// Another message with the same act and another id: it is another act, and the case is open already. That another
	// reaction panics each time does not matter.
	trouble := &broken{world: w}
	w.start(section, trouble.publisher())
	send("one again", strings.Replace(opened, `{"case"`, `{"id":"5b0a3d1e-7c52-4a86-9a3d-0c8f2f6d1a02","case"`, 1))
	r := read(t, js, "traga.replies", 5)[4]
	if !strings.Contains(string(r.Data), "conflict") {
		t.Errorf("reply: %s", r.Data)
	}
	head, err := w.store.Head(t.Context())
	if err != nil || head != events.At(1) {
		t.Errorf("%v: the log ends at %v", err, head)
	}
}

// flaky is a write path whose store is away for the first calls; one of them is recorded all the same, but its answer is lost.
type flaky struct {
	*record.Recorder
	mu    sync.Mutex
	calls int
}

func (f *flaky) Record(ctx context.Context, a *record.Action, c record.Condition) (record.Receipt, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.calls == 2 {
		_, _ = f.Recorder.Record(ctx, a, c)
	}
	if f.calls <= 3 {
		return record.Receipt{}, events.ErrUnavailable
	}
	return f.Recorder.Record(ctx, a, c)
}

// While the store is away records wait at the broker, in their order, and none is recorded twice.
func TestRecordsWaitWhileTheStoreIsAway(t *testing.T) {
	w := newWorld(t)
	away := &flaky{Recorder: w.recorder}
	w.inbound = away
	broker := realNATS(t, server.RANDOM_PORT, t.TempDir())
	w.start(fmt.Sprintf("inbox: [{name: csw, url: %q, stream: INBOX, subject: traga.in, replies: traga.replies, institutions: [mk-prison-idrizovo, mk-csw-skopje]}]", broker.ClientURL()))
	_, js := connect(t, broker.ClientURL())
	eventually(t, "the stream is there", func() bool { _, err := js.StreamInfo("INBOX"); return err == nil })
	for _, line := range []string{
		`{"case":"MK-2026-7777","type":"CaseOpened","actor":{"officer":"a.petrova","role":"prison-treatment","institution":"mk-prison-idrizovo"},
			"data":{"subject":"prisoner-1","name":"Hidden Name","dateOfBirth":"1990-01-01","sex":"male","reason":"convicted","institution":"mk-prison-idrizovo","admittedOn":"2026-01-12"}}`,
		`{"case":"MK-2026-7777","type":"SupportProvided","actor":{"officer":"x","role":"csw","institution":"mk-csw-skopje"},"data":{"service":"first"}}`,
		`{"case":"MK-2026-7777","type":"SupportProvided","actor":{"officer":"x","role":"csw","institution":"mk-csw-skopje"},"data":{"service":"second"}}`,
	} {
		if _, err := js.Publish("traga.in", []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range read(t, js, "traga.replies", 3) {
		var r reactions.Reply
		if err := json.Unmarshal(m.Data, &r); err != nil || r.Outcome != "recorded" || *r.Revision != uint64(i) {
			t.Errorf("%v: reply %d: %s", err, i, m.Data)
		}
	}
	if head, err := w.store.Head(t.Context()); err != nil || head != events.At(3) {
		t.Errorf("%v: the log ends at %v", err, head)
	}
	page, err := w.store.ReadAll(t.Context(), events.Start, 1, events.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := events.Decode(&page.Events[0]); err != nil || e.RecordedBy != "csw" {
		t.Errorf("%v: recorded by %q", err, e.RecordedBy)
	}
	if w.count("inbox", "failed") != 3 {
		t.Errorf("%d failures were counted", w.count("inbox", "failed"))
	}
}

// broken is a feed that fails always: no other reaction minds.
type broken struct{ *world }

func (b *broken) publisher() reactions.Publisher {
	return reactions.Publisher{Name: "broken", Topic: "any", Publisher: b}
}
func (b *broken) Publish(string, ...*message.Message) error { panic(errors.New("Hidden Name")) }
func (b *broken) Close() error                              { return nil }
