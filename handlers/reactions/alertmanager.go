package reactions

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// alertmanager tells a Prometheus Alertmanager what stands, over its API v2
// (github.com/prometheus/alertmanager, api/v2/openapi.yaml).
type alertmanager struct {
	*Alertmanager
	r      *Reactions
	client *client
	mu     sync.Mutex // one post at a time: a refresh must not overtake that an alert is over
}

// standsFor is for how long the Alertmanager believes an alert that it is not told of again. It is told every five
// minutes; a day is what an outage of traga may last until the Alertmanager takes a duty for done that is not.
const standsFor = 24 * time.Hour

func newAlertmanager(r *Reactions, a *Alertmanager) (*alertmanager, error) {
	c, err := newClient(&a.Peer, "/api/v2/alerts")
	if err != nil {
		return nil, fmt.Errorf("alertmanager %s: %w", a.Name, err)
	}
	return &alertmanager{Alertmanager: a, r: r, client: c}, nil
}

// posted is an alert in the Alertmanager's form.
type posted struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// labels identify an alert there: one that reads otherwise is another alert.
func labels(a *Alert) map[string]string {
	l := map[string]string{"alertname": "TragaDutyOverdue", "jurisdiction": string(a.Jurisdiction), "rule": a.Rule, "duty": string(a.Duty),
		"severity": string(a.Severity), "escalation": strconv.Itoa(a.Escalation), "alert": a.ID.String()}
	if a.State == DueSoon {
		l["alertname"] = "TragaDutyDueSoon"
	}
	if a.DutyHolder != "" {
		l["dutyHolder"] = string(a.DutyHolder)
	}
	return l
}

func (am *alertmanager) post(book *protocol.Book, a *Alert, starts, ends time.Time) posted {
	page := am.r.c.Settings.link(a)
	return posted{Labels: labels(a), StartsAt: starts, EndsAt: ends, GeneratorURL: page,
		Annotations: map[string]string{"summary": title(book, a, "en", starts), "due": a.Due, "page": page}}
}

// send tells what changed. What an alert read like before is over in any case; how it reads now is told if it still does.
func (am *alertmanager) send(ctx context.Context, m *message.Message) error {
	var n notice
	if err := json.Unmarshal(m.Payload, &n); err != nil {
		return fmt.Errorf("read a notice: %w", err)
	}
	am.mu.Lock()
	defer am.mu.Unlock()
	standing, err := am.r.c.Journal.standing(ctx)
	if err != nil {
		return fmt.Errorf("read what stands: %w", err)
	}
	book, err := am.r.c.Book(ctx)
	if err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	now := am.r.c.Clock()
	list := []posted{}
	for _, c := range n.Changes {
		is, stands := standing[c.Alert.ID]
		if c.Was != nil && am.takes(c.Was) && !(stands && sameLabels(&is, c.Was)) {
			list = append(list, am.post(book, c.Was, c.Was.Since, n.At))
		}
		if stands && is == c.Alert && am.takes(&is) {
			list = append(list, am.post(book, &is, is.Since, now.Add(standsFor)))
		}
	}
	return am.tell(ctx, list)
}

func sameLabels(a, b *Alert) bool {
	return (a.State == DueSoon) == (b.State == DueSoon) && a.Jurisdiction == b.Jurisdiction && a.Rule == b.Rule && a.Duty == b.Duty &&
		a.DutyHolder == b.DutyHolder && a.Severity == b.Severity && a.Escalation == b.Escalation
}

// refresh tells all that stands again: an Alertmanager that was restarted has forgotten it. While there is something new
// to tell, it waits.
func (am *alertmanager) refresh(ctx context.Context) error {
	am.mu.Lock()
	defer am.mu.Unlock()
	pending, err := am.r.c.Journal.pending(ctx, am.Name)
	if err != nil || pending {
		return err
	}
	standing, err := am.r.c.Journal.standing(ctx)
	if err != nil {
		return err
	}
	book, err := am.r.c.Book(ctx)
	if err != nil {
		return err
	}
	list := []posted{}
	ends := am.r.c.Clock().Add(standsFor)
	for _, a := range standing {
		if am.takes(&a) {
			list = append(list, am.post(book, &a, a.Since, ends))
		}
	}
	if len(list) == 0 {
		return nil
	}
	n, err := am.r.c.Journal.begin(ctx, am.Name, channelAlertmanager, "refresh")
	if err != nil {
		return err
	}
	outcome, detail, failed := "refreshed", strconv.Itoa(len(list))+" alerts", am.tell(ctx, list)
	if failed != nil {
		outcome, detail = "failed", failed.Error()
	}
	am.r.observe(channelAlertmanager, outcome)
	if err := am.r.c.Journal.end(context.WithoutCancel(ctx), n, outcome, detail); err != nil {
		return err
	}
	return failed
}

func (am *alertmanager) tell(ctx context.Context, list []posted) error {
	if len(list) == 0 {
		return errNothing
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return am.client.post(ctx, http.Header{"Content-Type": {"application/json"}}, body)
}

// link is the page of an alert; its address holds the opaque id only.
func (s *Settings) link(a *Alert) string { return s.Page + "/alerts/" + a.ID.String() }

// title is a rule's title in a language; the English one where there is none, and its id where the rules have no such rule.
func title(book *protocol.Book, a *Alert, language string, at time.Time) string {
	for _, r := range book.Rules(a.Jurisdiction, events.DateIn(at, book.Zone(a.Jurisdiction))) {
		if r.ID != a.Rule {
			continue
		}
		base, _, _ := strings.Cut(language, "-")
		return cmp.Or(r.Titles[language], r.Titles[base], r.Titles["en"])
	}
	return a.Rule
}
