package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/handlers/consult"
)

const (
	// streamPage is how many events one look at the log may bring.
	streamPage = 256
	// slowest is how long a reader may take nothing. It is less than the grace of a shutdown, which waits for it.
	slowest = 8 * time.Second
)

// Notice is one event as the live stream shows it: that something happened, not what it says. Who wants the
// content reads the case.
type Notice struct {
	Position     events.Position     `json:"position"`
	ID           uuid.UUID           `json:"id"`
	Type         string              `json:"type"`
	Case         string              `json:"case,omitempty"`
	Jurisdiction events.Jurisdiction `json:"jurisdiction,omitempty"`
	OccurredAt   time.Time           `json:"occurredAt"`
	RecordedAt   time.Time           `json:"recordedAt"`
	Institution  events.Institution  `json:"institution"`
	Role         events.Role         `json:"role"`
}

// NoticeOf is what the live stream shows of an event.
func NoticeOf(e *events.Event) Notice {
	return Notice{Position: e.Position, ID: e.ID, Type: e.Type, Case: e.Case, Jurisdiction: e.Jurisdiction,
		OccurredAt: e.OccurredAt.UTC(), RecordedAt: e.RecordedAt.UTC(), Institution: e.Actor.Institution, Role: e.Actor.Role}
}

// streamInput is what a request for the live stream asks: where to begin, after its Last-Event-ID, else after
// ?after=, else at the end of the log; and the only case that it is about, if it names one.
func (a *api) streamInput(r *http.Request) (after events.Position, only string, err error) {
	query := r.URL.Query()
	for name := range query {
		if name != "after" && name != "case" {
			return after, "", &events.FieldError{Field: name, Expected: "after or case", Got: "an unknown query parameter"}
		}
	}
	if only = query.Get("case"); only != "" {
		if _, err := events.ParseCase(only); err != nil {
			return after, "", err
		}
	}
	field, last := "Last-Event-ID", r.Header.Get("Last-Event-ID")
	if last == "" {
		field, last = "after", query.Get("after")
	}
	if last == "" {
		after, err = a.store.Head(r.Context())
		return after, only, err
	}
	if after, err = events.ParsePosition(last); err != nil {
		err = &events.FieldError{Field: field, Expected: "the id of an event of this stream"}
	}
	return after, only, err
}

// stream sends every event of the cases as it is recorded, as server-sent events. The id of each is its
// position: a client that reconnects with Last-Event-ID misses nothing and sees nothing twice. Each stream reads
// the log at its own pace, and one whose reader takes nothing is cut off: the reader can resume.
func (a *api) stream(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	after, only, err := a.streamInput(r)
	var follower *consult.Follower
	if err == nil {
		follower, err = a.follow(r, only)
	}
	if err != nil {
		writeProblem(w, a.problemOf(ctx, "stream", err))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	out := sender{w: w, connection: http.NewResponseController(w)}
	if out.send("retry: 2000\nid: %s\n\n", after) != nil {
		return
	}
	tick := time.NewTicker(a.heartbeat)
	defer tick.Stop()
	for {
		changed := a.store.Changed(after)
		page, err := a.store.ReadAll(ctx, after, streamPage, ofCases())
		if err != nil {
			return // the client reconnects with its last id
		}
		known, err := decodeKnown(ctx, follower, &page)
		if err != nil {
			if ctx.Err() == nil {
				a.log.ErrorContext(ctx, "the live stream met an event that can't be read or judged", "error", err)
			}
			return
		}
		for _, e := range known {
			if only != "" && e.Case != only {
				continue
			}
			data, err := json.Marshal(NoticeOf(e))
			if err != nil || out.write("id: %s\nevent: recorded\ndata: %s\n\n", e.Position, data) != nil {
				return
			}
		}
		after = page.Scanned
		if len(known) > 0 && out.flush() != nil {
			return
		}
		if page.More {
			select {
			case <-a.closing:
				return
			default:
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-a.closing:
			return
		case <-changed:
		case <-tick.C:
			if out.send(": still here\nid: %s\n\n", after) != nil { // so that a resumed stream of one case need not look back far
				return
			}
		}
	}
}

// follow commits that someone follows the live stream, and says what they may know of it.
func (a *api) follow(r *http.Request, only string) (*consult.Follower, error) {
	why := Why{Justification: r.Header.Get("Traga-Justification"), Purpose: r.Header.Get("Traga-Purpose")}
	reason, err := why.reason()
	if err != nil {
		return nil, err
	}
	f, err := a.desk.Follow(r.Context(), reason)
	if err != nil {
		return nil, err
	}
	query := "stream"
	if only != "" {
		query += " case=" + only
	}
	return f, f.Record(r.Context(), query)
}

// sender writes to a live stream.
type sender struct {
	w          http.ResponseWriter
	connection *http.ResponseController
}

// write gives the reader its time to take what is written. The answer as a whole has no end, so that the server's
// own limit does not fit.
func (s *sender) write(format string, values ...any) error {
	_ = s.connection.SetWriteDeadline(time.Now().Add(slowest)) // where it can't be set there is none
	_, err := fmt.Fprintf(s.w, format, values...)
	return err
}

func (s *sender) flush() error { return s.connection.Flush() }

func (s *sender) send(format string, values ...any) error {
	if err := s.write(format, values...); err != nil {
		return err
	}
	return s.flush()
}
