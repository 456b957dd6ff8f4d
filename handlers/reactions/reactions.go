package reactions

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/handlers/record"
	"traga.internal/projections/obligations"
)

// Recorder is the write path: a *record.Recorder.
type Recorder interface {
	Record(ctx context.Context, a *record.Action, c record.Condition) (record.Receipt, error)
}

// Config is what the reactions work with. All fields are required but Observe and Publishers.
type Config struct {
	Settings Settings
	Journal  *Journal
	// Events is the log that is followed.
	Events Source
	// Alerts lists the alerts that stand now, of a read model that has seen the log up to its head, which it returns: one
	// that lags would tell that a duty is overdue which was done.
	Alerts func(ctx context.Context, now time.Time) ([]obligations.Alert, events.Position, error)
	// Book gives the rules as they are on record now, for their titles.
	Book     func(context.Context) (*protocol.Book, error)
	Recorder Recorder
	Clock    func() time.Time
	Log      *slog.Logger
	// Observe is told of each attempt, for metrics: the outcome is delivered, failed, parked or, of a record from a broker,
	// recorded or refused.
	Observe func(channel, outcome string)
	// Publishers are further feeds, through any publisher of Watermill. Each is closed when the reactions end.
	Publishers []Publisher
}

// Publisher is a feed through a publisher of Watermill: the CloudEvents are published to the topic, one at a time.
type Publisher struct {
	Name, Topic string
	Publisher   message.Publisher
}

// Reactions is the router with all its handlers. Make it with New.
type Reactions struct {
	c       Config
	observe func(channel, outcome string)
	poll    time.Duration // how often requests for replays are looked for
	router  *message.Router
	herald  *herald // nil without alert channels
	closers []func() error
}

// New sets up the reactions. It reads the secrets that the settings name, and reaches no peer yet.
func New(ctx context.Context, c Config) (*Reactions, error) {
	r := &Reactions{c: c, observe: c.Observe, poll: 2 * time.Second}
	if r.observe == nil {
		r.observe = func(string, string) {}
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, routerLog(c.Log))
	if err != nil {
		return nil, err
	}
	r.router = router
	if err := r.alertChannels(ctx); err != nil {
		return nil, err
	}
	if err := r.feeds(); err != nil {
		return nil, err
	}
	for i := range c.Settings.Inboxes {
		if err := r.inbox(&c.Settings.Inboxes[i]); err != nil {
			return nil, fmt.Errorf("inbox %s: %w", c.Settings.Inboxes[i].Name, err)
		}
	}
	return r, nil
}

// Run works until ctx ends, and then returns nil.
func (r *Reactions) Run(ctx context.Context) error {
	defer func() {
		for _, c := range r.closers {
			if err := c(); err != nil {
				r.c.Log.Warn("a reaction could not close its connection", "error", err)
			}
		}
	}()
	if r.herald != nil {
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			r.herald.run(ctx)
		}()
	}
	err := r.router.Run(ctx)
	if ctx.Err() != nil {
		return nil // a handler that did not end in time is no failure of the service: what it was at is tried again
	}
	if err == nil {
		<-ctx.Done() // there are no handlers
	}
	return err
}
