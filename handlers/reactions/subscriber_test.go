package reactions_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/reactions"
)

// appender is a publisher that appends each message to the log as an event: the topic is the stream's prefix.
type appender struct{ store events.Store }

func (p appender) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		metadata, err := json.Marshal(stored{m.UUID, m.Metadata})
		if err != nil {
			return err
		}
		// The suite sends one message to several topics; a log holds an id once.
		id := events.DeriveID(topic, m.UUID)
		_, err = p.store.Append(m.Context(), topic+"/1", events.Any, events.Proposed{ID: id, Type: "Message", Metadata: metadata, Data: []byte(m.Payload)})
		if err != nil {
			return err
		}
	}
	return nil
}

func (appender) Close() error { return nil }

type stored struct {
	UUID     string
	Metadata message.Metadata
}

func readMessage(r *events.Recorded) (*message.Message, error) {
	var s stored
	err := json.Unmarshal(r.Metadata, &s)
	m := message.NewMessage(s.UUID, message.Payload(r.Data))
	m.Metadata = s.Metadata
	return m, err
}

func mustJournal(t *testing.T) *reactions.Journal {
	t.Helper()
	j, err := reactions.OpenJournal(t.Context(), t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// The subscriber on the log passes Watermill's own suite with the features that a log has. What does not fit one: delivery
// exactly once, and a broker that is restarted by a command.
func TestTheSubscriberPassesWatermillsSuite(t *testing.T) {
	store, journal := memstore.New(nil), mustJournal(t)
	group := func(t *testing.T, name string) (message.Publisher, message.Subscriber) {
		return appender{store}, reactions.NewSubscriber(reactions.SubscriberConfig{Source: store, Journal: journal, Reaction: name, Read: readMessage,
			Filter: func(topic string) events.Filter { return events.Filter{StreamPrefixes: []string{topic + "/"}} }, Wait: time.Millisecond, Longest: 2 * time.Millisecond, Every: 16})
	}
	features := tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true, ForceShort: true}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return group(t, "suite") }, group)

	// A new reaction begins at the start of the log.
	t.Run("TestNewSubscriberReceivesOldMessages", func(t *testing.T) {
		features.NewSubscriberReceivesOldMessages = true
		tests.TestNewSubscriberReceivesOldMessages(t, tests.TestContext{TestID: tests.NewTestID(), Features: features},
			func(t *testing.T) (message.Publisher, message.Subscriber) { return group(t, uuid.NewString()) })
	})
}
