package reactions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"traga.internal/events"
)

// Source is what a Subscriber follows: a log that is read by pages. An events.Store is one.
type Source interface {
	// ReadAll and Changed are those of events.Store.
	ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error)
	Changed(after events.Position) <-chan struct{}
}

// Finder finds an event by its id. A Source that is one too is asked, before a Subscriber goes on from its checkpoint,
// whether it still holds the event there.
type Finder interface {
	Lookup(ctx context.Context, id uuid.UUID) (events.Recorded, bool, error)
}

// SubscriberConfig is what a Subscriber works with. Source, Journal, Reaction and Read are required.
type SubscriberConfig struct {
	Source   Source
	Journal  *Journal
	Reaction string // whose checkpoint it is: the consumer group
	// Filter says which events a topic stands for; nil takes all.
	Filter func(topic string) events.Filter
	// Read makes the message of an event. An event that it can't read stops the subscription there, loudly.
	Read func(*events.Recorded) (*message.Message, error)
	Log  *slog.Logger
	// Every is after how many messages the checkpoint is written, 1 by default; it is written too whenever the log's end
	// is reached and when the subscription ends. A crash repeats what came after it.
	Every int
	// Wait is the first pause after a message was not accepted or the log could not be read, 100 ms by default. It
	// doubles each time, up to Longest, a minute by default.
	Wait, Longest time.Duration
}

// Subscriber is a Watermill subscriber on a log. It sends one message at a time and waits for its Ack, so that order
// holds on Watermill's router, which starts a goroutine for each message. A message that is not accepted (Nack) is sent
// again after a pause, before any later one. Of the subscriptions of one reaction to one topic, in one process, one is
// served; the others wait to take over. Every subscription goes on from the reaction's checkpoint.
type Subscriber struct {
	c       SubscriberConfig
	closing context.Context
	close   context.CancelFunc
	running sync.WaitGroup
}

var _ message.Subscriber = (*Subscriber)(nil)

// NewSubscriber makes a subscriber.
func NewSubscriber(c SubscriberConfig) *Subscriber {
	if c.Filter == nil {
		c.Filter = func(string) events.Filter { return events.Filter{} }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Every = max(1, c.Every)
	if c.Wait <= 0 {
		c.Wait = 100 * time.Millisecond
	}
	if c.Longest <= 0 {
		c.Longest = time.Minute
	}
	s := &Subscriber{c: c}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// Subscribe implements message.Subscriber. The channel is closed when ctx ends or the subscriber is closed.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if s.closing.Err() != nil {
		return nil, fmt.Errorf("subscribe to %s: the subscriber is closed", topic)
	}
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(s.closing, cancel)
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer detach()
		defer cancel()
		defer close(out)
		release, err := s.c.Journal.lease(ctx, s.c.Reaction, topic)
		if err != nil {
			return
		}
		defer release()
		f := &following{Subscriber: s, topic: topic, filter: s.c.Filter(topic), out: out}
		for f.pause(ctx, f.start(ctx)) != nil {
			if ctx.Err() != nil {
				return
			}
		}
		for ctx.Err() == nil {
			_ = f.pause(ctx, f.page(ctx))
		}
		f.save(context.WithoutCancel(ctx))
	})
	return out, nil
}

// Close ends all subscriptions and waits until they have ended. Closing again does nothing.
func (s *Subscriber) Close() error {
	s.close()
	s.running.Wait()
	return nil
}

// following is one subscription at work.
type following struct {
	*Subscriber
	topic  string
	filter events.Filter
	out    chan<- *message.Message

	at    checkpoint
	saved checkpoint
	since int // messages since the checkpoint was written
	waits int // pauses in a row
}

// pageSize is how many events are read at once.
const pageSize = 256

// start finds where to go on.
func (f *following) start(ctx context.Context) error {
	at, _, err := f.c.Journal.checkpoint(ctx, f.c.Reaction, f.topic)
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	if finder, ok := f.c.Source.(Finder); ok && at.event != uuid.Nil {
		e, found, err := finder.Lookup(ctx, at.event)
		if err != nil {
			return fmt.Errorf("look for the event of the checkpoint: %w", err)
		}
		if !found || e.Position.After(at.position) {
			// An older copy of the log was put back, or it is another one. What its events after that are cannot be known by
			// position; told again, the receiver knows those that it has by their ids.
			f.c.Log.WarnContext(ctx, "the log does not hold the event at which this reaction stopped; it begins again from the start",
				"reaction", f.c.Reaction, "event", at.event)
			at = checkpoint{}
		}
	}
	f.at, f.saved = at, at
	return nil
}

// page delivers one page of the log, and at its end waits for more. Its error is one to try again after.
func (f *following) page(ctx context.Context) error {
	changed := f.c.Source.Changed(f.at.position)
	page, err := f.c.Source.ReadAll(ctx, f.at.position, pageSize, f.filter)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	for i := range page.Events {
		e := &page.Events[i]
		if err := f.deliver(ctx, e); err != nil {
			return err
		}
		f.waits = 0
		f.at = checkpoint{e.Position, e.ID}
		if f.since++; f.since >= f.c.Every {
			f.save(ctx)
		}
	}
	if page.Scanned.After(f.at.position) {
		f.at.position = page.Scanned
	}
	f.waits = 0
	if page.More {
		return nil
	}
	if f.since > 0 {
		f.save(ctx)
	}
	select {
	case <-changed:
	case <-ctx.Done():
	}
	return nil
}

var errNotAccepted = errors.New("the message was not accepted")

// deliver sends one event's message until it is accepted.
func (f *following) deliver(ctx context.Context, e *events.Recorded) error {
	m, err := f.c.Read(e)
	if err != nil {
		return fmt.Errorf("the event %s can't be read, and what comes after it waits: %w", e.ID, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.SetContext(ctx)
	select {
	case f.out <- m:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-m.Acked():
		return nil
	case <-m.Nacked():
		return errNotAccepted
	case <-ctx.Done():
		return ctx.Err()
	}
}

// save writes the checkpoint. One that can't be written is written with the next message: until then a crash repeats more.
func (f *following) save(ctx context.Context) {
	if f.at == f.saved {
		return
	}
	if err := f.c.Journal.save(ctx, f.c.Reaction, f.topic, f.at); err != nil {
		f.c.Log.ErrorContext(ctx, "a reaction's checkpoint could not be written", "reaction", f.c.Reaction, "error", err)
		return
	}
	f.saved, f.since = f.at, 0
}

// pause waits after an error, longer each time, and returns it.
func (f *following) pause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if !errors.Is(err, errNotAccepted) { // the handler has told why it did not
		f.c.Log.ErrorContext(ctx, "a reaction waits to try again", "reaction", f.c.Reaction, "error", err)
	}
	timer := time.NewTimer(min(f.c.Longest, f.c.Wait<<min(f.waits, 20)))
	defer timer.Stop()
	f.waits++
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return err
}
