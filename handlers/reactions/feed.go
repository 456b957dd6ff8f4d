package reactions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"traga.internal/events"
	"traga.internal/handlers/api"
)

// feedTopic is what a feed follows: the cases. The access log, the directory and the protocol are not published.
const feedTopic = "case-"

// published is what goes out: every event of a case but contacts with the monitor. Who reads a broker's topic is not known
// here, and no prison may learn of those (HR24, OPCAT 21).
func published() events.Filter {
	f := events.Filter{StreamPrefixes: []string{feedTopic}}
	for _, k := range events.Standard().Kinds() {
		if k.Family == events.CaseFamily && k.Type != "MonitoringContactHeld" {
			f.Types = append(f.Types, k.Type)
		}
	}
	return f
}

// cloudEvents is the media type of what is published (CloudEvents 1.0, structured mode).
const cloudEvents = "application/cloudevents+json"

// feeds adds the outward feeds.
func (r *Reactions) feeds() error {
	all := r.c.Publishers
	for i := range r.c.Settings.Feeds {
		f := &r.c.Settings.Feeds[i]
		p := Publisher{Name: f.Name, Topic: f.Subject}
		if strings.HasPrefix(f.URL, "http") {
			c, err := newClient(&f.Peer, "")
			if err != nil {
				return fmt.Errorf("feed %s: %w", f.Name, err)
			}
			p.Publisher = httpPublisher{c}
		} else {
			n, err := newNATS(&f.Broker, f.Stream, []string{f.Subject})
			if err != nil {
				return fmt.Errorf("feed %s: %w", f.Name, err)
			}
			p.Publisher = n.publisher()
		}
		all = append(all, p)
	}
	for _, p := range all {
		r.closers = append(r.closers, p.Publisher.Close)
		err := r.post(r.router, &delivery{name: p.Name, channel: channelFeed, topic: feedTopic, source: r.c.Events, filter: published(),
			read: readForFeed, every: 64, patient: true, send: func(ctx context.Context, m *message.Message) error { return publish(ctx, p, m) }})
		if err != nil {
			return err
		}
	}
	return nil
}

// readForFeed makes the message of an event; of a replay, whose event is its message already, that.
func readForFeed(r *events.Recorded) (*message.Message, error) {
	if r.Type == "" {
		var e struct{ Data struct{ Case string } }
		err := json.Unmarshal(r.Data, &e)
		return newMessage(r.ID.String(), message.Payload(r.Data), r.RecordedAt, events.CaseStream(e.Data.Case)), err
	}
	e, err := events.Decode(r)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(api.CloudEventOf(e))
	return newMessage(e.ID.String(), body, e.RecordedAt, r.Stream), err
}

// publish publishes one event, under its id.
func publish(ctx context.Context, p Publisher, m *message.Message) error {
	out := message.NewMessage(m.UUID, m.Payload)
	out.Metadata.Set("content-type", cloudEvents)
	out.SetContext(ctx)
	err := p.Publisher.Publish(p.Topic, out)
	if err == nil {
		return nil
	}
	var known *Failure
	if errors.As(err, &known) {
		return known
	}
	return later("the broker did not take it: %s", reach(err))
}

// httpPublisher publishes by HTTP POST, one CloudEvent each.
type httpPublisher struct{ client *client }

func (p httpPublisher) Publish(_ string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := p.client.post(m.Context(), http.Header{"Content-Type": {m.Metadata.Get("content-type")}}, m.Payload); err != nil {
			return err
		}
	}
	return nil
}

func (p httpPublisher) Close() error {
	p.client.http.CloseIdleConnections()
	return nil
}
