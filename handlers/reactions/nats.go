package reactions

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jetStream is a connection to NATS and the JetStream stream that is used there.
type jetStream struct {
	conn     *nats.Conn
	js       jetstream.JetStream
	stream   string
	subjects []string

	mu    sync.Mutex
	ready bool
}

// natsPatience is how long one question to the broker may take.
const natsPatience = 5 * time.Second

// newNATS makes a connection that is there whether the broker is or not: it keeps trying for as long as it takes.
func newNATS(b *Broker, stream string, subjects []string) (*jetStream, error) {
	options := []nats.Option{nats.Name("traga"), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1), // what can't be published now fails now, and is tried again by whoever publishes
		nats.Timeout(natsPatience)}
	if b.CredentialsFile != "" {
		options = append(options, nats.UserCredentials(b.CredentialsFile))
	}
	if b.CAFile != "" {
		roots, err := rootsIn(b.CAFile)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Secure(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	}
	conn, err := nats.Connect(b.URL, options...)
	if err != nil {
		return nil, errors.New("the settings for the broker can't be used") // the library's text may hold the credentials' path
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &jetStream{conn: conn, js: js, stream: stream, subjects: subjects}, nil
}

// ensure makes the stream where there is none. One that is there is left as its operator made it.
func (n *jetStream) ensure(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ready {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, natsPatience)
	defer cancel()
	_, err := n.js.Stream(ctx, n.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// Ids are remembered for a day, so that what is published again after a crash is no second message.
		_, err = n.js.CreateStream(ctx, jetstream.StreamConfig{Name: n.stream, Subjects: n.subjects, Storage: jetstream.FileStorage, Duplicates: 24 * time.Hour})
	}
	n.ready = err == nil
	return err
}

// publisher publishes to the stream through Watermill's publisher, each message under its id.
func (n *jetStream) publisher() message.Publisher {
	p, err := watermillnats.NewPublisherWithNatsConn(n.conn, watermillnats.PublisherPublishConfig{Marshaler: &watermillnats.NATSMarshaler{},
		SubjectCalculator: watermillnats.DefaultSubjectCalculator, JetStream: watermillnats.JetStreamConfig{TrackMsgId: true, ConnectOptions: []nats.JSOpt{nats.MaxWait(natsPatience)}}}, nil)
	return &natsPublisher{n, p, err}
}

type natsPublisher struct {
	n     *jetStream
	inner message.Publisher
	err   error
}

func (p *natsPublisher) Publish(topic string, messages ...*message.Message) error {
	if p.err != nil {
		return p.err
	}
	for _, m := range messages {
		err := p.n.ensure(m.Context())
		if err == nil {
			err = p.inner.Publish(topic, m)
		}
		if err != nil {
			return natsFailure(err)
		}
	}
	return nil
}

func (p *natsPublisher) Close() error {
	p.n.conn.Close()
	return nil
}

func natsFailure(err error) error {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return never("the message is larger than the broker takes")
	case errors.Is(err, nats.ErrNoStreamResponse), errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return later("the broker has no stream for the subject, or JetStream is off")
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrPermissionViolation):
		return later("the broker does not allow it")
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return later("the broker did not answer in time")
	}
	return later("the broker can't be reached")
}

// natsSubscriber takes the messages of a subject of the stream, one at a time and in order, through a durable consumer of
// its own: the broker holds its checkpoint. A message that is not accepted comes again after a while, before any later
// one. The broker may be away when it begins.
type natsSubscriber struct {
	n       *jetStream
	durable string
	tell    func(error)
	running sync.WaitGroup
	closing chan struct{}
	once    sync.Once
}

var _ message.Subscriber = (*natsSubscriber)(nil)

// Subscribe implements message.Subscriber.
func (s *natsSubscriber) Subscribe(ctx context.Context, subject string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	ctx, cancel := context.WithCancel(ctx)
	s.running.Go(func() {
		defer close(out)
		defer cancel()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-s.closing:
				cancel()
			case <-stop:
			}
		}()
		for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
			if err := s.consume(ctx, subject, out, func() { wait = time.Second }); err != nil && ctx.Err() == nil {
				s.tell(natsFailure(err))
				sleep(ctx, wait)
			}
		}
	})
	return out, nil
}

// Close implements message.Subscriber.
func (s *natsSubscriber) Close() error {
	s.once.Do(func() { close(s.closing) })
	s.running.Wait()
	return nil
}

// consume takes messages until there is trouble or ctx ends.
func (s *natsSubscriber) consume(ctx context.Context, subject string, out chan<- *message.Message, works func()) error {
	if err := s.n.ensure(ctx); err != nil {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, natsPatience)
	defer cancel()
	// One message at a time: the next one waits until this one is acknowledged, also while it waits to come again.
	consumer, err := s.n.js.CreateOrUpdateConsumer(ask, s.n.stream, jetstream.ConsumerConfig{Durable: s.durable, FilterSubject: subject,
		AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy, MaxAckPending: 1, MaxDeliver: -1, AckWait: time.Minute})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1))
	if err != nil {
		return err
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		m, err := messages.Next()
		if err != nil {
			return err
		}
		works()
		if err := s.hand(ctx, m, out); err != nil {
			return err
		}
	}
}

// hand passes one message on and tells the broker what became of it.
func (s *natsSubscriber) hand(ctx context.Context, in jetstream.Msg, out chan<- *message.Message) error {
	about, err := in.Metadata()
	if err != nil {
		return err
	}
	// The sender's id where it gave one; else its place in the stream, which is the same each time it comes.
	id := in.Headers().Get(nats.MsgIdHdr)
	if id == "" {
		id = in.Headers().Get(watermillnats.WatermillUUIDHdr)
	}
	if id == "" {
		id = fmt.Sprintf("%s-%d", about.Stream, about.Sequence.Stream)
	}
	m := message.NewMessage(id, in.Data())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.SetContext(ctx)
	select {
	case out <- m:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-m.Acked():
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), natsPatience)
		defer cancel()
		return in.DoubleAck(ask) // until it is through, the message comes again, and is recognised
	case <-m.Nacked():
		return in.NakWithDelay(min(time.Minute, time.Second<<min(about.NumDelivered-1, 6)))
	case <-ctx.Done():
		return ctx.Err()
	}
}
