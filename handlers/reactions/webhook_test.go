package reactions_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"traga.internal/handlers/reactions"
	"traga.internal/projections/obligations"
)

// hook is a receiver of webhooks. It checks each signature with the specification's own library.
type hook struct {
	*httptest.Server
	section string

	mu     sync.Mutex
	status int // what it answers
	ids    []string
	bodies []string // of what it took
}

func newHook(t *testing.T) *hook {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of the two of them"))
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	h := &hook{status: http.StatusNoContent}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if got := r.Header.Get("Authorization"); got != "Bearer who we are" {
			t.Errorf("the token is %q", got)
		}
		if err := verifier.Verify(body, r.Header); err != nil {
			t.Error(err)
		}
		if strings.Contains(string(body), secretCase) {
			t.Errorf("the case's number is told: %s", body)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.status < 300 {
			h.ids, h.bodies = append(h.ids, r.Header.Get("Webhook-Id")), append(h.bodies, string(body))
		}
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	h.section = "page: https://traga.example.org/\nwebhooks:\n  - {name: hook, url: \"" + h.URL + "/in\", token-file: " + file(t, "who we are\n") + ", secret-file: " + file(t, secret) + "}\n"
	return h
}

func (h *hook) answer(status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status = status
}

func (h *hook) taken() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bodies)
}

// last are the alerts of the last message that it took.
func (h *hook) last(t *testing.T) (alerts []struct{ ID, State, Rule, DutyHolder, Due, Page, Title string }) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var m struct {
		Data struct{ Alerts json.RawMessage }
	}
	if err := json.Unmarshal([]byte(h.bodies[len(h.bodies)-1]), &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m.Data.Alerts, &alerts); err != nil {
		t.Fatal(err)
	}
	return alerts
}

// An alert is told once, changes once, and ends once, whatever is restarted in between.
func TestAWebhookIsToldEachChangeOnce(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	w.stand(overdue("notify-csw", 0))
	stop := w.start(h.section)
	eventually(t, "the alert is told", func() bool { return h.taken() == 1 })
	one := h.last(t)[0]
	if one.State != "overdue" || one.Due != "2026-03-02" || one.Title == "" ||
		one.ID != obligations.AlertID(secretCase, "notify-csw").String() || one.Page != "https://traga.example.org/alerts/"+one.ID {
		t.Errorf("told: %+v", one)
	}
	stop()
	stop = w.start(h.section) // the read model is as new: what stands is what was told
	w.stand(overdue("notify-csw", 1))
	eventually(t, "the escalation is told", func() bool { return h.taken() == 2 })
	stop()
	w.stand()
	w.start(h.section)
	eventually(t, "the end is told", func() bool { return h.taken() == 3 })
	if end := h.last(t)[0]; end.State != "resolved" || end.ID != one.ID {
		t.Errorf("at the end: %+v", end)
	}
	if slices.Sort(h.ids); len(slices.Compact(h.ids)) != 3 {
		t.Errorf("ids: %v", h.ids)
	}
}

// A receiver that is away is tried again until it is back; each attempt is on record. What it could not be told in time
// and is not true any more is not told.
func TestAPeerThatIsAwayIsToldLaterWhatIsStillTrue(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	h.answer(http.StatusServiceUnavailable)
	w.stand(overdue("notify-csw", 0), overdue("notify-police", 0))
	w.start(h.section)
	eventually(t, "three attempts failed", func() bool { return w.count("webhook", "failed") >= 3 })
	w.stand(overdue("notify-police", 0)) // one was done meanwhile
	eventually(t, "that is noticed", func() bool {
		return ask(w, func(j *reactions.Journal) (int, error) { return reactions.Standing(t.Context(), j) }) == 1
	})
	failed := w.count("webhook", "failed")
	eventually(t, "no attempt is under way that began before", func() bool { return w.count("webhook", "failed") >= failed+2 })
	h.answer(http.StatusOK)
	eventually(t, "both notices are told", func() bool { return h.taken() == 2 })
	if first := strings.Count(h.bodies[0], `"state"`); first != 1 || !strings.Contains(h.bodies[1], "resolved") {
		t.Errorf("told: %s", h.bodies)
	}
	eventually(t, "every attempt has its end on record", func() bool {
		return !slices.ContainsFunc(w.attempts(), func(a reactions.Attempt) bool { return a.Ended == nil })
	})
	failed = 0
	for _, a := range w.attempts() {
		if a.Outcome == "failed" && a.Detail == "the peer answered 503 Service Unavailable" {
			failed++
		}
	}
	if failed < 3 || len(w.parked()) > 0 {
		t.Errorf("%d failed attempts are on record; parked: %v", failed, w.parked())
	}
}

// What a receiver refuses for good is parked at once, and does not hold up what follows. A replay tells what is true then.
func TestWhatIsRefusedIsParkedAndReplayed(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	h.answer(http.StatusBadRequest)
	w.stand(overdue("notify-csw", 0))
	w.start(h.section)
	eventually(t, "it is parked", func() bool { return len(w.parked()) == 1 })
	p := w.parked()[0]
	if p.Reaction != "hook" || p.Reason != "the peer answered 400 Bad Request" || w.count("webhook", "parked") != 1 {
		t.Errorf("parked: %+v", p)
	}
	h.answer(http.StatusOK)
	w.stand(overdue("notify-csw", 0), overdue("notify-police", 0))
	eventually(t, "the next is told", func() bool { return h.taken() == 1 })
	h.answer(http.StatusGone)
	w.replay(p.Number)
	eventually(t, "the replay failed", func() bool {
		l := w.parked()
		return len(l) == 1 && l[0].Reason == "the peer answered 410 Gone" && !l[0].Replay
	})
	h.answer(http.StatusOK)
	w.replay(p.Number)
	eventually(t, "the replay is told", func() bool { return h.taken() == 2 && len(w.parked()) == 0 })
	if a := h.last(t); len(a) != 1 || a[0].ID != obligations.AlertID(secretCase, "notify-csw").String() {
		t.Errorf("replayed: %+v", a)
	}
}

// After a day a notice is not news any more: it is parked after one more attempt.
func TestWhatIsTooOldIsParked(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	h.answer(http.StatusBadGateway)
	w.stand(overdue("notify-csw", 0))
	w.start("retry: {first: 2ms, longest: 5ms, give-up: 1ns}\n" + h.section)
	eventually(t, "it is parked", func() bool { return len(w.parked()) == 1 })
}

// Each receiver gets what it wants; what it does not get any more is over for it. A new one is told what stands.
func TestAReceiverGetsWhatItWants(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	wanted := strings.Replace(h.section, "secret-file", "institutions: [mk-csw-skopje], secret-file", 1)
	stop := w.start(wanted)
	w.stand(overdue("a", 0))
	mine := overdue("b", 0)
	csw := mine
	holder := *mine.DutyHolder
	holder = "mk-csw-skopje"
	csw.DutyHolder = &holder
	w.stand(overdue("a", 0), csw)
	eventually(t, "its own is told", func() bool { return h.taken() == 1 })
	if a := h.last(t); len(a) != 1 || a[0].DutyHolder != "mk-csw-skopje" {
		t.Errorf("told: %+v", a)
	}
	w.stand(overdue("a", 0), mine) // it is the prison's now
	eventually(t, "it is over for it", func() bool { return h.taken() == 2 })
	if a := h.last(t); len(a) != 1 || a[0].State != "resolved" || a[0].DutyHolder != "mk-csw-skopje" {
		t.Errorf("told: %+v", a)
	}
	stop()
	w.start(strings.Replace(h.section, "name: hook", "name: newcomer", 1))
	eventually(t, "the newcomer is told", func() bool { return h.taken() == 3 })
	if a := h.last(t); len(a) != 2 || a[0].State != "overdue" || a[1].State != "overdue" {
		t.Errorf("told: %+v", a)
	}
}
