package reactions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"traga.internal/events"
)

// Failure says why something could not be told, in words that hold no personal data: they stand in the journal and in logs.
type Failure struct {
	Reason string
	// Final: trying again would not help.
	Final bool
}

func (f *Failure) Error() string { return f.Reason }

func later(format string, args ...any) *Failure {
	return &Failure{Reason: fmt.Sprintf(format, args...)}
}
func never(format string, args ...any) *Failure {
	return &Failure{Reason: fmt.Sprintf(format, args...), Final: true}
}

// send tells a peer of a message. It returns nil when the peer has it, errNothing when there was nothing to tell, or a
// *Failure.
type send func(ctx context.Context, m *message.Message) error

// errNothing: there was nothing in the message for this peer.
var errNothing = errors.New("nothing to tell")

// delivery is one outward reaction.
type delivery struct {
	name, channel string
	topic         string
	source        Source
	filter        events.Filter
	read          func(*events.Recorded) (*message.Message, error)
	every         int
	send          send
	// patient: it waits for its peer for as long as it takes, and its attempts are on record only when they fail.
	patient bool
}

// The metadata of the messages on the router.
const (
	madeKey   = "made"   // when the message was made
	orderKey  = "order"  // what must stay in order with others of the same value
	parkedKey = "parked" // the number in the poison queue, of a replay
)

// post adds a delivery to the router: one handler for what is new, one for what is sent again.
func (r *Reactions) post(router *message.Router, d *delivery) error {
	replays := *d
	replays.topic, replays.filter, replays.every = replayTopic, events.Filter{}, 1
	replays.source = replayLog{journal: r.c.Journal, reaction: d.name, poll: &r.poll}
	replays.read = func(e *events.Recorded) (*message.Message, error) {
		m, err := d.read(&events.Recorded{ID: e.ID, RecordedAt: e.RecordedAt, Data: e.Data})
		if m != nil {
			m.Metadata.Set(parkedKey, strconv.FormatUint(e.Revision, 10))
		}
		return m, err
	}
	for suffix, one := range map[string]*delivery{"": d, "/" + replayTopic: &replays} {
		subscriber := NewSubscriber(SubscriberConfig{Source: one.source, Journal: r.c.Journal, Reaction: one.name, Read: one.read, Log: r.c.Log,
			Filter: func(string) events.Filter { return one.filter }, Every: one.every, Wait: r.c.Settings.Retry.First, Longest: r.c.Settings.Retry.Longest})
		poison, err := middleware.PoisonQueueWithFilter(poisonQueue{r.c.Journal, one, r.observe}, "parked", func(err error) bool {
			return !errors.Is(err, context.Canceled) // the service stops: that says nothing of the message
		})
		if err != nil {
			return err
		}
		retry := middleware.Retry{MaxRetries: math.MaxInt32, InitialInterval: r.c.Settings.Retry.First, MaxInterval: r.c.Settings.Retry.Longest, Multiplier: 1.5,
			RandomizationFactor: 0.2, ShouldRetry: r.shouldRetry, ResetContextOnRetry: true}
		handler := router.AddConsumerHandler(one.name+suffix, one.topic, subscriber, func(m *message.Message) error { return one.send(m.Context(), m) })
		// A message is parked when the retries have given up, and an attempt ends even if the peer's code panics.
		handler.AddMiddleware(poison, retry.Middleware, r.attempt(one), middleware.Recoverer)
	}
	return nil
}

// lastFailure is a Failure after which nothing more is tried.
type lastFailure struct{ *Failure }

func (f lastFailure) Unwrap() error { return f.Failure }

func (r *Reactions) shouldRetry(p middleware.RetryParams) bool {
	var last lastFailure
	return !errors.As(p.Err, &last) && !errors.Is(p.Err, context.Canceled)
}

// attempt makes one attempt: on record before it is made, and never for a message that was told before or that must wait
// behind a parked one.
func (r *Reactions) attempt(d *delivery) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			ctx := m.Context()
			err := r.try(ctx, d, m, func() error { _, err := next(m); return err })
			if err == nil {
				return nil, nil
			}
			if ctx.Err() != nil {
				return nil, context.Canceled
			}
			f := r.failure(ctx, d, err)
			r.c.Log.WarnContext(ctx, "a reaction could not tell", "reaction", d.name, "message", m.UUID, "reason", f.Reason)
			if f.Final || !d.patient && r.c.Clock().Sub(madeAt(m)) >= r.c.Settings.Retry.GiveUp {
				return nil, lastFailure{f}
			}
			return nil, f
		}
	}
}

func (r *Reactions) try(ctx context.Context, d *delivery, m *message.Message, send func() error) error {
	j, replayed, key := r.c.Journal, parkedNumber(m), m.Metadata.Get(orderKey)
	if key != "" {
		behind, err := j.behind(ctx, d.name, key, replayed)
		if err != nil {
			return fmt.Errorf("look into the poison queue: %w", err)
		}
		if behind {
			return never("an earlier message of the same case is parked")
		}
	}
	told, err := j.told(ctx, d.name, m.UUID)
	if err != nil {
		return fmt.Errorf("look for earlier attempts: %w", err)
	}
	if !told {
		if err := r.onRecord(ctx, d, m, send); err != nil {
			return err
		}
	}
	if replayed > 0 {
		if err := j.unpark(ctx, replayed); err != nil {
			return fmt.Errorf("take a message out of the poison queue: %w", err)
		}
	}
	return nil
}

// onRecord sends, with the attempt on record. The context of the record outlives the attempt's own: that the service
// stops must not leave open what is known.
func (r *Reactions) onRecord(ctx context.Context, d *delivery, m *message.Message, send func() error) error {
	record := context.WithoutCancel(ctx)
	var n int64
	var err error
	if !d.patient {
		if n, err = r.c.Journal.begin(record, d.name, d.channel, m.UUID); err != nil {
			return fmt.Errorf("put an attempt on record: %w", err)
		}
	}
	failed := send()
	if failed != nil && !errors.Is(failed, errNothing) {
		failed = r.failure(ctx, d, failed)
	}
	if failed != nil && n == 0 {
		if n, err = r.c.Journal.begin(record, d.name, d.channel, m.UUID); err != nil {
			return fmt.Errorf("put an attempt on record: %w", err)
		}
	}
	switch {
	case failed != nil && ctx.Err() != nil:
		err = r.c.Journal.end(record, n, "interrupted", "traga stopped meanwhile; whether it was told is not known, and it is tried again")
	case errors.Is(failed, errNothing):
		err = r.c.Journal.end(record, n, "nothing", "all of it had changed since, or was not for this receiver")
		failed = nil
	case failed != nil:
		r.observe(d.channel, "failed")
		err = r.c.Journal.end(record, n, "failed", failed.Error())
	default:
		r.observe(d.channel, "delivered")
		if n > 0 {
			// A crash before this line tells the same again, under the same id.
			err = r.c.Journal.end(record, n, "delivered", "")
		}
	}
	if err != nil && failed == nil {
		r.c.Log.ErrorContext(ctx, "that something was told could not be put on record", "reaction", d.name, "message", m.UUID, "error", err)
	}
	return failed
}

// failure is why an attempt failed, for the journal. What is no Failure is the journal's own trouble, or a fault of this
// program: the log has it.
func (r *Reactions) failure(ctx context.Context, d *delivery, err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	if ctx.Err() == nil {
		r.c.Log.ErrorContext(ctx, "a reaction failed", "reaction", d.name, "error", withoutPanic(err))
	}
	return later("something went wrong inside traga")
}

func madeAt(m *message.Message) time.Time {
	t, err := time.Parse(time.RFC3339Nano, m.Metadata.Get(madeKey))
	if err != nil {
		return time.Time{}
	}
	return t
}

func parkedNumber(m *message.Message) int64 {
	n, _ := strconv.ParseInt(m.Metadata.Get(parkedKey), 10, 64) // 0 for what is no replay
	return n
}

// newMessage makes a message of the router.
func newMessage(id string, payload []byte, made time.Time, order string) *message.Message {
	m := message.NewMessage(id, payload)
	m.Metadata.Set(madeKey, made.UTC().Format(time.RFC3339Nano))
	m.Metadata.Set(orderKey, order)
	return m
}

// poisonQueue is the journal's poison queue as Watermill's middleware publishes to it.
type poisonQueue struct {
	journal *Journal
	d       *delivery
	observe func(channel, outcome string)
}

func (q poisonQueue) Publish(_ string, messages ...*message.Message) error {
	for _, m := range messages {
		p := Parked{Reaction: q.d.name, Channel: q.d.channel, Message: m.UUID, Reason: m.Metadata.Get(middleware.ReasonForPoisonedKey)}
		if err := q.journal.park(m.Context(), p, m.Metadata.Get(orderKey), madeAt(m), m.Payload); err != nil {
			return err
		}
		q.observe(q.d.channel, "parked")
	}
	return nil
}

func (poisonQueue) Close() error { return nil }

// routerLog shows Watermill's own messages as details; what fails, the reactions tell themselves.
func routerLog(l *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(l, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug, slog.LevelDebug: watermill.LevelTrace})
}
