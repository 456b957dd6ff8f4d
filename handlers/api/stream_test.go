package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/api"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/record"
)

// stream is a client of the live stream.
type stream struct {
	t     testing.TB
	lines *bufio.Reader
	stop  func()
	last  string // the id to resume after, as a browser keeps it
}

// listen opens the live stream. header is name, value.
func (s *service) listen(query string, header ...string) *stream {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/stream"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s %s", res.Status, res.Header.Get("Content-Type"))
	}
	s.t.Cleanup(func() { cancel(); res.Body.Close() })
	c := &stream{t: s.t, lines: bufio.NewReader(res.Body), stop: func() { cancel(); res.Body.Close() }}
	if first := c.block(); !strings.HasPrefix(first[0], "retry: ") { // the stream has begun
		s.t.Fatalf("%q", first)
	}
	return c
}

// block reads lines up to an empty one; nil at the end of the stream.
func (c *stream) block() []string {
	var block []string
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return nil
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return block
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			c.last = id
		}
		block = append(block, line)
	}
}

// notices reads the next n events; heartbeats are skipped.
func (c *stream) notices(n int) []api.Notice {
	c.t.Helper()
	var all []api.Notice
	for len(all) < n {
		block := c.block()
		switch {
		case block == nil:
			c.t.Fatalf("the stream ended after %d of %d", len(all), n)
		case strings.HasPrefix(block[0], ":"):
			continue
		}
		var notice api.Notice
		data, ok := strings.CutPrefix(block[2], "data: ")
		if !ok || len(block) != 3 || block[1] != "event: recorded" {
			c.t.Fatalf("%q", block)
		}
		if err := json.Unmarshal([]byte(data), &notice); err != nil || block[0] != "id: "+notice.Position.String() {
			c.t.Fatalf("%v %q", err, block)
		}
		all = append(all, notice)
	}
	return all
}

func positions(notices []api.Notice) (all []string) {
	for _, n := range notices {
		all = append(all, n.Position.String())
	}
	return all
}

func TestTheStreamShowsWhatIsRecordedFromNowOn(t *testing.T) {
	s := serve(t)
	first := s.record(number, opening())
	c := s.listen("")
	receipt := s.record(number, notice("n-1"))
	n := c.notices(1)[0]
	if n.ID != receipt.ID || n.Position != receipt.Position || n.Type != "NotificationSent" || n.Case != number || n.Institution != "mk-prison-idrizovo" ||
		n.RecordedAt.Location() != time.UTC {
		t.Errorf("%+v", n)
	}
	// ?after=0 begins at the beginning; the header counts first.
	if got := positions(s.listen("?after=0").notices(2)); !slices.Equal(got, []string{first.Position.String(), receipt.Position.String()}) {
		t.Error(got)
	}
	if got := positions(s.listen("?after=0", "Last-Event-ID", "1").notices(1)); !slices.Equal(got, []string{receipt.Position.String()}) {
		t.Error(got)
	}
}

func TestAStreamThatBreaksResumesWithoutSkipOrRepeat(t *testing.T) {
	s := serve(t, embedded)
	s.record(number, opening())
	const writers, each = 4, 30
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := range each {
				body := support(fmt.Sprintf("s-%d-%d", w, i))
				res, err := post(s, number, body)
				if err != nil || res != http.StatusCreated {
					done <- fmt.Errorf("%d %w", res, err)
					return
				}
			}
			done <- nil
		}()
	}
	var got []string
	c := s.listen("?after=0")
	for round := 0; len(got) < 1+writers*each; round++ {
		for range min(1+round%7, 1+writers*each-len(got)) {
			got = append(got, c.notices(1)[0].ID.String())
		}
		c.stop() // in the middle of it
		c = s.listen("", "Last-Event-ID", c.last)
	}
	for range writers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var want []string // between the entries of the cases stand those that say who followed the stream
	for r, err := range s.store.ReadStream(t.Context(), events.CaseStream(number), 0) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, r.ID.String())
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// post records an action from another goroutine than the test's.
func post(s *service, number, body string) (int, error) {
	req, err := http.NewRequest(http.MethodPost, s.URL+"/v1/cases/"+number+"/events", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("If-Match", "*")
	res, err := s.Client().Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func TestAStreamOfOneCase(t *testing.T) {
	s := serve(t)
	c := s.listen("?case=MK-2026-0002")
	s.record(number, opening())
	first := s.record("MK-2026-0002", opening()).Position.String()
	between := s.record(number, support("mediation")).Position.String()
	second := s.record("MK-2026-0002", support("mediation")).Position.String()
	if got := positions(c.notices(2)); !slices.Equal(got, []string{first, second}) {
		t.Error(got)
	}
	c.stop()
	if got := positions(s.listen("?case=MK-2026-0002", "Last-Event-ID", between).notices(1)); !slices.Equal(got, []string{second}) {
		t.Error(got)
	}
}

func TestAnIdleStreamGivesSignsOfLife(t *testing.T) {
	s := serve(t, heartbeat(time.Millisecond))
	s.record("MK-2026-0002", opening())
	c := s.listen("?after=0&case=" + number)
	for range 3 {
		if block := c.block(); !slices.Equal(block, []string{": still here", "id: 2"}) { // it has looked that far: the second entry says who follows
			t.Fatalf("%q", block)
		}
	}
	s.record(number, opening())
	if got := positions(c.notices(1)); got[0] != "3" {
		t.Error(got)
	}
}

func TestStreamsEndWhenTheServiceCloses(t *testing.T) {
	s := serve(t)
	a, b := s.listen(""), s.listen("?case="+number)
	close(s.closing)
	for _, c := range []*stream{a, b} {
		if block := c.block(); block != nil {
			t.Errorf("%q", block)
		}
	}
}

func TestAStreamEndsWhenTheLogFails(t *testing.T) {
	s := serve(t, still)
	s.record(number, opening())
	c := s.listen("?after=0")
	c.notices(1)
	if err := s.store.Log.Close(); err != nil {
		t.Fatal(err)
	}
	if block := c.block(); block != nil {
		t.Errorf("%q", block)
	}
}

// pipes is a listener whose connections hold nothing back: what is not read blocks its writer.
type pipes struct {
	waiting chan net.Conn
	closed  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.waiting:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestAReaderThatTakesNothingIsCutOffAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, closing := memstore.New(time.Now), make(chan struct{})
		mux := http.NewServeMux()
		api.Register(mux, api.Config{Store: log, Recorder: record.New(log, protocol.NewBook()), Clock: time.Now, Log: slog.New(slog.DiscardHandler), Closing: closing})
		server, listener := &http.Server{Handler: auth.AsOwner(mux)}, &pipes{waiting: make(chan net.Conn), closed: make(chan struct{})}
		go server.Serve(listener)
		connect := func() net.Conn {
			mine, theirs := net.Pipe()
			listener.waiting <- theirs
			fmt.Fprintf(mine, "GET /v1/stream?after=0 HTTP/1.1\r\nHost: traga\r\n\r\n")
			return mine
		}
		slow, quick := connect(), connect()
		synctest.Wait()
		seen := make(chan string, 100)
		go func() {
			for lines := bufio.NewScanner(quick); lines.Scan(); {
				if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
					seen <- id
				}
			}
		}()
		recorder := record.New(log, protocol.NewBook())
		for _, body := range []string{opening(), support("a"), support("b")} {
			action, err := record.Parse([]byte(strings.Replace(body, "{", `{"case":"`+number+`",`, 1)))
			if err == nil {
				_, err = recorder.Record(t.Context(), action, record.AnyRevision)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for _, want := range []string{"0", "3", "4", "5"} { // 1 and 2 say who follows
			select {
			case got := <-seen:
				if got != want {
					t.Errorf("%s instead of %s", got, want)
				}
			default:
				t.Fatalf("the quick reader waits for %s", want)
			}
		}
		time.Sleep(9 * time.Second) // simulated
		slow.SetReadDeadline(time.Now().Add(time.Second))
		if rest, err := io.ReadAll(slow); err != nil {
			t.Errorf("the slow reader is still served: %q, %v", rest, err)
		}
		close(closing)
		server.Close()
		quick.Close()
		log.Close()
	})
}

func TestWhatAStreamCantBeAskedFor(t *testing.T) {
	s := serve(t)
	problemIs(t, s.get("/v1/stream?after=x"), http.StatusBadRequest, "invalid", "after")
	problemIs(t, s.get("/v1/stream", "Last-Event-ID", "yesterday"), http.StatusBadRequest, "invalid", "Last-Event-ID")
	problemIs(t, s.get("/v1/stream?case=nobody"), http.StatusBadRequest, "invalid", "case")
	problemIs(t, s.get("/v1/stream?colour=red"), http.StatusBadRequest, "invalid", "colour")
	problemIs(t, s.ask(http.MethodPost, "/v1/stream", ""), http.StatusMethodNotAllowed, "method-not-allowed", "")
	if a := s.ask(http.MethodHead, "/v1/stream", ""); a.status != http.StatusOK {
		t.Errorf("%d", a.status)
	}
}
