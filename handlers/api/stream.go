package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"traga.internal/events"
)

const (
	// streamPage is how many events one look at the log may bring.
	streamPage = 256
	// heartbeat keeps an idle stream open through proxies.
	heartbeat = 15 * time.Second
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

// streamStart is where a stream begins: after the Last-Event-ID, else after ?after=, else at the end of the log.
func (a *api) streamStart(r *http.Request) (events.Position, error) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	if last == "" {
		return a.store.Head(r.Context())
	}
	p, err := events.ParsePosition(last)
	if err != nil {
		return p, problem("invalid", "Last-Event-ID: "+err.Error())
	}
	return p, nil
}

// stream sends every event of the cases as it is recorded, as server-sent events. The id of each is its
// position: a client that reconnects with Last-Event-ID misses nothing and sees nothing twice.
func (a *api) stream(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	after, err := a.streamStart(r)
	if err != nil {
		writeProblem(w, a.problemOf(ctx, err))
		return
	}
	only := r.URL.Query().Get("case")
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // a stream has no end of its own
	fmt.Fprintf(w, "retry: 2000\nid: %s\n\n", after)
	if out.Flush() != nil {
		return
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		changed := a.store.Changed(after)
		page, err := a.store.ReadAll(ctx, after, streamPage, events.Filter{StreamPrefixes: []string{"case-"}})
		if err != nil {
			return // the client reconnects with its last id
		}
		for i := range page.Events {
			e, err := events.Decode(&page.Events[i])
			if err != nil {
				a.log.ErrorContext(ctx, "the live stream met an event that can't be read", "error", err)
				return
			}
			if only != "" && e.Case != only {
				continue
			}
			data, _ := json.Marshal(NoticeOf(e)) // strings and times only
			if _, err := fmt.Fprintf(w, "id: %s\nevent: recorded\ndata: %s\n\n", e.Position, data); err != nil {
				return
			}
		}
		after = page.Scanned
		if len(page.Events) > 0 && out.Flush() != nil {
			return
		}
		if page.More {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-a.closing:
			return
		case <-changed:
		case <-tick.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil || out.Flush() != nil {
				return
			}
		}
	}
}
