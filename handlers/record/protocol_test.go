package record_test

import (
	"errors"
	"testing"
	"time"

	"traga.internal/aggregates/casefile"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/memstore"
	"traga.internal/handlers/record"
)

// A version of the rules that nobody could evaluate must never get into the log.
func TestRulesThatCannotBeReadAreNotPublished(t *testing.T) {
	clock := func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	store := memstore.New(clock)
	r := record.New(store, protocol.NewBook(), record.WithClock(clock))
	good := protocol.NewBook().InForce("MK", events.DateOf(2026, 3, 2))
	for name, c := range map[string]struct {
		data events.ProtocolPublished
		ok   bool
	}{
		"as shipped":       {events.ProtocolPublished{Version: "mk-2", EffectiveFrom: events.DateOf(2026, 4, 1), Rules: good.JSON, Digest: good.Digest}, true},
		"another's digest": {events.ProtocolPublished{Version: "mk-3", EffectiveFrom: events.DateOf(2026, 4, 1), Rules: good.JSON, Digest: "sha256:00"}, false},
		"no rules":         {events.ProtocolPublished{Version: "mk-4", EffectiveFrom: events.DateOf(2026, 4, 1), Rules: []byte(`{"protocol":"x"}`)}, false},
	} {
		before, _ := store.Head(t.Context())
		_, err := r.Record(t.Context(), &record.Action{Jurisdiction: "MK", Type: "ProtocolPublished", Data: &c.data,
			Actor: events.Actor{Officer: "v.t", Role: events.Directorate, Institution: "mk-des"}}, record.AnyRevision)
		after, _ := store.Head(t.Context())
		if c.ok != (err == nil) || c.ok == (before == after) {
			t.Errorf("%s: %v, head %v → %v", name, err, before, after)
		}
		var refusal *casefile.Refusal
		if !c.ok && (!errors.As(err, &refusal) || refusal.Because[0] != casefile.Invalid || refusal.Field != "data.rules") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
