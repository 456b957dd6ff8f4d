package consult_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/events/sqlitestore"
	"traga.internal/handlers/auth"
	"traga.internal/handlers/consult"
	"traga.internal/handlers/record"
	"traga.internal/projections/timeline"
)

var (
	prison = events.Actor{Officer: "a.petrova", Role: events.PrisonTreatment, Institution: "mk-prison-idrizovo"}
	social = events.Actor{Officer: "l.dimova", Role: events.CSW, Institution: "mk-csw-skopje"}
)

const number = "MK-2026-0001"

// tell appends what actors say, one a minute.
func tell(tb testing.TB, store events.Store, said ...any) {
	tb.Helper()
	var proposed []events.Proposed
	by := prison
	for i, data := range said {
		if a, ok := data.(events.Actor); ok {
			by = a
			continue
		}
		e := &events.Event{ID: events.DeriveID(number, fmt.Sprint(i)), Case: number, OccurredAt: time.Date(2026, 1, 12, 9, i, 0, 0, time.UTC), Actor: by, Purpose: "supervision",
			LegalBasis: "execution-law", Data: data}
		e.Type = fmt.Sprintf("%T", data)[len("*events."):]
		p, err := events.Encode(e)
		if err != nil {
			tb.Fatal(err)
		}
		proposed = append(proposed, p)
	}
	for len(proposed) > 0 {
		n := min(100, len(proposed))
		if _, err := store.Append(context.Background(), events.CaseStream(number), events.Any, proposed[:n]...); err != nil {
			tb.Fatal(err)
		}
		proposed = proposed[n:]
	}
}

// longCase is a case of 500 events, of which a centre for social work may see some and may not see others.
func longCase() []any {
	said := []any{prison, &events.CaseOpened{Subject: "s-1", Name: "A Name", DateOfBirth: events.DateOf(1990, 1, 1), Sex: "male", Reason: "convicted", Institution: prison.Institution, AdmittedOn: events.DateOf(2026, 1, 12)}}
	for i := len(said); i < 501; i++ {
		id := events.ID(fmt.Sprint("x-", i))
		switch i % 5 {
		case 0:
			said = append(said, &events.NotificationSent{Notification: id, Subject: "planned-release", Recipient: social.Party(), Categories: []events.Category{events.Identity}, Channel: "letter"})
		case 1:
			said = append(said, &events.InformationDisclosed{Disclosure: id, Recipient: social.Party(), Categories: []events.Category{events.Identity, events.Risk}, Justification: "planning", Summary: "a summary of it"})
		case 2:
			said = append(said, &events.AssessmentCompleted{Assessment: id, Kind: "risk", Tool: "VERA-2R", ToolVersion: "2", Assessor: "x", Level: "high", Indicators: []string{"a"}, Facts: []string{"b", "c"}, Opinions: []string{"d"}})
		case 3:
			said = append(said, &events.NeedsMapDrafted{NeedsMap: id, Version: 1, Needs: []events.Need{{Domain: events.Health, Level: "high", Note: "n"}, {Domain: events.Housing, Level: "some", Note: "n"}}})
		case 4:
			said = append(said, &events.TreatmentPlanReviewed{Plan: "tp-1", Outcome: "kept", Participated: true, ReviewBy: events.DateOf(2026, 6, 1)})
		}
	}
	return said
}

// BenchmarkRead500 is the cost of reading a case of 500 events for an officer: authorised, masked (each entry's data as they may
// see it) and committed to the access log, against the bare fold that shows everything. Both are folded only, or also asked
// where the case stands and for its timeline. The metric ratio is the one by the other, within one run.
func BenchmarkRead500(b *testing.B) {
	ctx := auth.WithIdentity(context.Background(), auth.Identity{Actor: social})
	store, err := sqlitestore.Open(ctx, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	tell(b, store, longCase()...)
	shipped := protocol.NewBook()
	book := func(context.Context) (*protocol.Book, error) { return shipped, nil }
	desk := consult.New(consult.Config{Store: store, Book: book, Recorder: record.New(store, shipped), Clock: time.Now})
	for name, answers := range map[string]func(*timeline.Case){"folded": func(*timeline.Case) {}, "answered": func(c *timeline.Case) {
		c.Show()
		c.Timeline("en", timeline.Occurred)
	}} {
		bare := func() {
			c, err := timeline.Read(ctx, store, shipped, number, events.AsOf{}, time.Now())
			if err != nil {
				b.Fatal(err)
			}
			answers(c)
		}
		looked := func() {
			c, err := desk.Case(ctx, consult.Look{Case: number, View: "timeline"})
			if err != nil {
				b.Fatal(err)
			}
			answers(c)
			for _, e := range c.History().Entries() {
				c.Shown(e.Event)
			}
		}
		b.Run(name, func(b *testing.B) {
			var spent [2]time.Duration
			for b.Loop() { // one after the other, so that both meet the same machine
				for i, read := range []func(){bare, looked} {
					began := time.Now()
					read()
					spent[i] += time.Since(began)
				}
			}
			b.ReportMetric(float64(spent[0].Microseconds())/float64(b.N), "bare-µs/op")
			b.ReportMetric(float64(spent[1].Microseconds())/float64(b.N), "looked-µs/op")
			b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "ratio")
		})
	}
}
