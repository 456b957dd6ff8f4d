package reactions

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"

	"traga.internal/aggregates/casefile"
	"traga.internal/events"
	"traga.internal/handlers/record"
)

// Reply is what became of an action record that came from a broker. It repeats nothing of the record's content.
type Reply struct {
	// Message is the id that the sender gave the message, or its place in the stream.
	Message string `json:"message"`
	Outcome string `json:"outcome"` // recorded or refused
	// Because, Field and Detail say why it was refused, as the API does.
	Because []string `json:"because,omitempty"`
	Field   string   `json:"field,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	// ID, Revision and Position are those of the recorded event.
	ID       *uuid.UUID       `json:"id,omitempty"`
	Revision *uint64          `json:"revision,omitempty"`
	Position *events.Position `json:"position,omitempty"`
}

// inbox adds an inward reaction: each message is an action record, and its reply says what became of it. A message whose
// outcome is not known, because the store is away or the disk is full, is not acknowledged and comes again; the same
// message is never recorded twice.
func (r *Reactions) inbox(in *Inbox) error {
	n, err := newNATS(&in.Broker, in.Stream, []string{in.Subject, in.Replies})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() error { n.conn.Close(); return nil })
	subscriber := &natsSubscriber{n: n, durable: "traga-" + in.Name, closing: make(chan struct{}), tell: func(err error) {
		r.c.Log.Warn("an inbox waits for its broker", "reaction", in.Name, "reason", err)
	}}
	handler := r.router.AddHandler(in.Name, in.Subject, subscriber, in.Replies, n.publisher(), func(m *message.Message) ([]*message.Message, error) {
		return r.receive(in, m)
	})
	handler.AddMiddleware(func(next message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			out, err := next(m)
			if err != nil && m.Context().Err() == nil {
				// The record itself is never parked: it holds personal data. It stays with the broker, and comes again.
				r.observe(channelInbox, "failed")
				r.c.Log.ErrorContext(m.Context(), "a record from a broker could not be dealt with; it will come again", "reaction", in.Name, "error", withoutPanic(err))
			}
			return out, err
		}
	}, middleware.Recoverer)
	return nil
}

// withoutPanic leaves out the value of a panic, which may be anything.
func withoutPanic(err error) error {
	var panicked middleware.RecoveredPanicError
	if errors.As(err, &panicked) {
		return errors.New("panic: " + panicked.Stacktrace)
	}
	return err
}

func (r *Reactions) receive(in *Inbox, m *message.Message) ([]*message.Message, error) {
	reply := Reply{Message: m.UUID, Outcome: "recorded"}
	receipt, err := r.take(in, m)
	var refusal *casefile.Refusal
	switch {
	case errors.As(err, &refusal):
		reply.Outcome, reply.Because, reply.Field, reply.Detail = "refused", refusal.Because, refusal.Field, refusal.Message
	case err != nil:
		return nil, err
	default:
		reply.ID, reply.Revision, reply.Position = &receipt.ID, &receipt.Revision, &receipt.Position
	}
	body, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	r.observe(channelInbox, reply.Outcome)
	// The reply to the same message has the same id, so that the broker knows it when it is sent again.
	out := message.NewMessage(events.DeriveID("reply", in.Name, m.UUID, string(body)).String(), body)
	out.Metadata.Set("content-type", "application/json")
	return []*message.Message{out}, nil
}

// take records what a message asks for.
func (r *Reactions) take(in *Inbox, m *message.Message) (record.Receipt, error) {
	action, err := record.Parse(m.Payload)
	if err != nil {
		return record.Receipt{}, err
	}
	if !slices.Contains(in.Institutions, action.Actor.Institution) {
		return record.Receipt{}, &casefile.Refusal{Because: []string{casefile.NotAllowed}, Field: "actor.institution",
			Message: "records of this institution are not taken from this topic"}
	}
	action.RecordedBy = in.Name // no officer signed in here: a system acts for the actor
	if action.ID == uuid.Nil {
		action.ID = record.KeyID(action, "message "+m.UUID)
	}
	receipt, err := r.c.Recorder.Record(m.Context(), action, record.AnyRevision)
	if err != nil {
		return receipt, fmt.Errorf("record what came from a broker: %w", err)
	}
	return receipt, nil
}
