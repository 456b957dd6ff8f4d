package reactions

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// webhook posts alerts to an address, signed as of the Standard Webhooks specification (standardwebhooks.com, v1,
// symmetric): the receiver can tell that they come from traga, are whole, and are not an old one sent again.
type webhook struct {
	*Webhook
	r      *Reactions
	client *client
	key    []byte
}

func newWebhook(r *Reactions, w *Webhook) (*webhook, error) {
	secret, err := secretIn(w.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", w.Name, err)
	}
	text, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf("%w: webhooks %s: secret-file: expected whsec_ and 24 to 64 bytes in base64", ErrSettings, w.Name)
	}
	c, err := newClient(&w.Peer, "")
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", w.Name, err)
	}
	return &webhook{Webhook: w, r: r, client: c, key: key}, nil
}

// told is the body of a webhook.
type told struct {
	Type string    `json:"type"` // traga.alerts
	At   time.Time `json:"timestamp"`
	Data struct {
		Alerts []toldAlert `json:"alerts"` // most urgent first
	} `json:"data"`
}

type toldAlert struct {
	Alert
	Title string `json:"title"`
	Page  string `json:"page"`
}

func (w *webhook) send(ctx context.Context, m *message.Message) error {
	list, at, err := w.r.present(ctx, m, &w.Wanted)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errNothing
	}
	book, err := w.r.c.Book(ctx)
	if err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	out := told{Type: "traga.alerts", At: at}
	for i := range list {
		a := &list[i].Alert
		out.Data.Alerts = append(out.Data.Alerts, toldAlert{Alert: *a, Title: title(book, a, "en", at), Page: w.r.c.Settings.link(a)})
	}
	body, err := json.Marshal(out)
	if err != nil {
		return err
	}
	stamp := strconv.FormatInt(w.r.c.Clock().Unix(), 10)
	mac := hmac.New(sha256.New, w.key)
	fmt.Fprintf(mac, "%s.%s.%s", m.UUID, stamp, body)
	return w.client.post(ctx, http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {m.UUID}, "Webhook-Timestamp": {stamp},
		"Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}, body)
}
