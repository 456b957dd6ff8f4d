package reactions

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"traga.internal/events"
)

// herald sees what changed in the alerts and puts it down as a notice.
type herald struct {
	r        *Reactions
	settle   time.Duration // how long it waits after a look, so that many events make one notice
	interval time.Duration // how often it looks when nothing is recorded: the clock alone makes a duty overdue
	refresh  time.Duration // how often an Alertmanager is told again what stands
	again    []func(ctx context.Context) error
}

// alertChannels adds the channels that alerts are told by.
func (r *Reactions) alertChannels(ctx context.Context) error {
	h := &herald{r: r, settle: 5 * time.Second, interval: time.Minute, refresh: 5 * time.Minute}
	add := func(channel, name string, send send) error {
		if err := r.c.Journal.enrol(ctx, name, r.c.Clock()); err != nil {
			return fmt.Errorf("%s %s: %w", channel, name, err)
		}
		r.herald = h
		return r.post(r.router, &delivery{name: name, channel: channel, topic: noticeTopic, source: noticeLog{r.c.Journal, name}, read: readNotice, every: 1, send: send})
	}
	s := &r.c.Settings
	for i := range s.Alertmanagers {
		a, err := newAlertmanager(r, &s.Alertmanagers[i])
		if err == nil {
			err = add(channelAlertmanager, a.Name, a.send)
		}
		if err != nil {
			return err
		}
		h.again = append(h.again, a.refresh)
	}
	for i := range s.Webhooks {
		w, err := newWebhook(r, &s.Webhooks[i])
		if err == nil {
			err = add(channelWebhook, w.Name, w.send)
		}
		if err != nil {
			return err
		}
	}
	if s.Mail == nil {
		return nil
	}
	p, err := newPostman(r, s.Mail)
	for i := range s.Mail.Recipients {
		if err == nil {
			to := &s.Mail.Recipients[i]
			err = add(channelMail, to.Name, func(ctx context.Context, m *message.Message) error { return p.send(ctx, m, to) })
		}
	}
	return err
}

func readNotice(e *events.Recorded) (*message.Message, error) {
	return newMessage(e.ID.String(), message.Payload(e.Data), e.RecordedAt, ""), nil
}

// run looks at once, whenever something was recorded, and every minute; until ctx ends.
func (h *herald) run(ctx context.Context) {
	var refreshed time.Time
	var seen events.Position
	for ctx.Err() == nil {
		now := h.r.c.Clock()
		head, err := h.look(ctx, now)
		if err == nil {
			seen = head
		} else if ctx.Err() == nil {
			h.r.c.Log.ErrorContext(ctx, "the alerts could not be looked at; trying again", "error", err)
		}
		if now.Sub(refreshed).Abs() >= h.refresh {
			refreshed = now
			var all sync.WaitGroup
			for _, again := range h.again {
				all.Go(func() {
					if err := again(ctx); err != nil && ctx.Err() == nil {
						h.r.c.Log.WarnContext(ctx, "an Alertmanager could not be told again what stands", "reason", err)
					}
				})
			}
			all.Wait()
		}
		if !sleep(ctx, h.settle) {
			return
		}
		timer := time.NewTimer(h.interval - h.settle)
		select {
		case <-h.r.c.Events.Changed(seen):
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// look compares the alerts that stand at now with those that were told, and puts down what changed. It returns how far
// the log was seen.
func (h *herald) look(ctx context.Context, now time.Time) (events.Position, error) {
	list, head, err := h.r.c.Alerts(ctx, now)
	if err != nil {
		return head, err
	}
	alerts := make([]Alert, len(list))
	for i := range list {
		alerts[i] = alertOf(&list[i], now)
	}
	told, err := h.r.c.Journal.standing(ctx)
	if err != nil {
		return head, err
	}
	n, err := changes(told, alerts, now)
	if err == nil && len(n.Changes) > 0 {
		err = h.r.c.Journal.notify(ctx, n)
	}
	return head, err
}

// present is what of a notice a receiver is to be told now: what it wants, as far as it has not changed since. at is when
// the notice was made.
func (r *Reactions) present(ctx context.Context, m *message.Message, w *Wanted) (list []change, at time.Time, err error) {
	var n notice
	if err := json.Unmarshal(m.Payload, &n); err != nil {
		return nil, at, fmt.Errorf("read a notice: %w", err)
	}
	standing, err := r.c.Journal.standing(ctx)
	if err != nil {
		return nil, at, fmt.Errorf("read what stands: %w", err)
	}
	for _, c := range n.Changes {
		now, stands := standing[c.Alert.ID]
		if stands == (c.Alert.State == Resolved) || stands && now != c.Alert {
			continue // a later notice tells how it is now
		}
		if c, ok := w.view(c); ok {
			list = append(list, c)
		}
	}
	return list, n.At, nil
}
