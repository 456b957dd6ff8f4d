package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol"
	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
	"traga.internal/projections/timeline"
)

// caseView is one case in words.
type caseView struct {
	timeline.Summary
	Institution string // that opened it, or that the person is in
	NextTitle   string
	Owed        []dutyRow // undone: overdue, due soon, missed, pending
	Settled     []dutyRow
	Failing     []safeguardRow
	Waiting     []safeguardRow // open
	Holding     []safeguardRow
	Unjudged    []safeguardRow // nothing to judge
	Unknown     []safeguardRow // that this reader may not know
	Picture     *drawing
	Shares      []shareRow
	Known       knowledge
	Order       timeline.Order
	Months      []month
	Entries     int
}

// dutyRow is one duty in words.
type dutyRow struct {
	timeline.Obligation
	Title  string
	About  string
	Holder string
	Steps  []timeline.Step
	Source string
}

// safeguardRow is one verdict with links to what shows it.
type safeguardRow struct {
	safeguards.Verdict
	Sentence string
	Links    []entryLink
}

// entryLink points to an entry of the case.
type entryLink struct {
	ID     uuid.UUID
	Number uint64
	At     time.Time
}

// knowledge is what each institution knows, by category.
type knowledge struct {
	Categories []events.Category
	Rows       []knowledgeRow
}

type knowledgeRow struct {
	Name  string
	Since []*time.Time // by category; nil where it does not know
}

// month is the part of the timeline of one month.
type month struct {
	Title   string
	Entries []entryRow
}

// entryRow is one entry of the timeline in words.
type entryRow struct {
	timeline.Entry
	Sentence string
	Failing  []string
	Own      bool // recorded by traga itself
}

// read reads the case that the address names for the reader, as known then; an entry of it where one is named.
func (s *site) read(ctx context.Context, p *page, entry uuid.UUID) (*timeline.Case, names, error) {
	look, err := p.look(ctx, "case")
	if err != nil {
		return nil, nil, err
	}
	var c *timeline.Case
	if entry == uuid.Nil {
		c, err = s.desk.Case(ctx, look)
	} else {
		c, err = s.desk.Entry(ctx, look, entry)
	}
	if err != nil {
		return nil, nil, err
	}
	p.sight = c.Sight()
	p.Clock = c.Clock()
	if err := c.ReadTraining(ctx); err != nil {
		return nil, nil, err
	}
	known, err := s.names(ctx, p.asOf)
	return c, known, err
}

func (s *site) oneCase(ctx context.Context, p *page) error {
	c, known, err := s.read(ctx, p, uuid.Nil)
	if err != nil {
		return err
	}
	order, err := timeline.ParseOrder(p.query("order"))
	if err != nil {
		order = timeline.Occurred
	}
	v := &caseView{Summary: c.Show(), Order: order}
	p.readDuties(v, c, known)
	verdicts, err := c.Safeguards(ctx)
	if err != nil {
		return err
	}
	p.readSafeguards(v, c, verdicts, known)
	v.Picture = p.draw(c.Lanes(verdicts), known)
	v.Shares = p.shareRows(c.Shares(), v.Picture, known)
	v.Known = p.readKnowledge(c, known)
	p.readTimeline(v, c, verdicts, known)
	if d, ok := c.History().Entries()[0].Now.(*events.CaseOpened); ok {
		v.Institution = known.of(d.Institution, p.Language())
	}
	p.show("case", p.T("case.title", c.Number()), "cases", v)
	if !p.Past() {
		p.Live = "/v1/stream?case=" + c.Number()
	}
	return nil
}

// urgency is the order in which duties are shown: what is undone first.
var urgency = []protocol.State{protocol.Overdue, protocol.DueSoon, protocol.Missed, protocol.Pending,
	protocol.MetLate, protocol.Met, protocol.Waived, protocol.Cancelled}

func (p *page) readDuties(v *caseView, c *timeline.Case, known names) {
	rows := make([]dutyRow, 0, 32)
	for _, o := range c.Obligations() {
		row := dutyRow{Obligation: o, Title: p.ruleTitle(c.Jurisdiction(), o.Rule), About: p.about(o.Obligation, known), Holder: p.Role(o.Duty)}
		if o.DutyHolder != nil {
			row.Holder = known.of(*o.DutyHolder, p.Language())
		}
		if x, ok := c.Explain(o.Obligation); ok {
			row.Steps, row.Source = x.Steps, x.Source
			for i := range row.Steps {
				row.Steps[i].Text = p.sentence(row.Steps[i].Text, c.Jurisdiction(), known)
			}
		}
		rows = append(rows, row)
		if v.NextDue != nil && v.NextDue.Obligation == o.Obligation {
			v.NextTitle = row.Title
		}
	}
	slices.SortStableFunc(rows, func(a, b dutyRow) int {
		if n := slices.Index(urgency, a.State) - slices.Index(urgency, b.State); n != 0 {
			return n
		}
		if n := slices.Index(severities, a.Severity) - slices.Index(severities, b.Severity); n != 0 && a.State == protocol.Overdue {
			return n
		}
		return strings.Compare(a.Due, b.Due)
	})
	owed := slices.IndexFunc(rows, func(r dutyRow) bool { return slices.Index(urgency, r.State) > slices.Index(urgency, protocol.Pending) })
	if owed < 0 {
		owed = len(rows)
	}
	v.Owed, v.Settled = rows[:owed], rows[owed:]
}

var severities = []protocol.Severity{protocol.Critical, protocol.High, protocol.Medium}

func (p *page) readSafeguards(v *caseView, c *timeline.Case, verdicts []safeguards.Verdict, known names) {
	for _, verdict := range verdicts {
		row := safeguardRow{Verdict: verdict, Sentence: p.sentence(verdict.Explanation, c.Jurisdiction(), known)}
		for _, id := range verdict.Events {
			if e := c.History().Find(id); e != nil {
				row.Links = append(row.Links, entryLink{id, e.Revision, e.OccurredAt})
			}
		}
		switch verdict.Verdict {
		case safeguards.Fail:
			v.Failing = append(v.Failing, row)
		case safeguards.Open:
			v.Waiting = append(v.Waiting, row)
		case safeguards.Pass:
			v.Holding = append(v.Holding, row)
		case safeguards.Hidden:
			v.Unknown = append(v.Unknown, row)
		default:
			v.Unjudged = append(v.Unjudged, row)
		}
	}
	slices.SortStableFunc(v.Failing, func(a, b safeguardRow) int {
		return slices.Index(severities, a.Severity) - slices.Index(severities, b.Severity)
	})
}

func (p *page) readKnowledge(c *timeline.Case, known names) knowledge {
	var k knowledge
	who := c.Institutions()
	all := make([][]timeline.Knowledge, len(who))
	for i, institution := range who {
		all[i] = c.Knows(institution)
	}
	for _, category := range events.Categories() {
		if slices.ContainsFunc(all, func(row []timeline.Knowledge) bool {
			return slices.ContainsFunc(row, func(k timeline.Knowledge) bool { return k.Category == category })
		}) {
			k.Categories = append(k.Categories, category)
		}
	}
	for i, institution := range who {
		if len(all[i]) == 0 {
			continue // it only told
		}
		row := knowledgeRow{Name: known.of(institution, p.Language()), Since: make([]*time.Time, len(k.Categories))}
		for _, item := range all[i] {
			row.Since[slices.Index(k.Categories, item.Category)] = &item.Since
		}
		k.Rows = append(k.Rows, row)
	}
	return k
}

func (p *page) readTimeline(v *caseView, c *timeline.Case, verdicts []safeguards.Verdict, known names) {
	failing := failingBy(verdicts)
	for _, e := range c.Timeline(p.Language(), v.Order) {
		row := entryRow{Entry: e, Sentence: p.sentence(e.Summary, c.Jurisdiction(), known), Failing: failing[e.ID], Own: e.Actor.Role == events.System}
		at := e.OccurredAt
		if v.Order == timeline.Recorded {
			at = e.RecordedAt
		}
		year, m, _ := at.In(p.zone).Date()
		title := p.T("month.title", p.T("month.long."+text(int(m))), year)
		if n := len(v.Months); n == 0 || v.Months[n-1].Title != title {
			v.Months = append(v.Months, month{Title: title})
		}
		last := &v.Months[len(v.Months)-1]
		last.Entries = append(last.Entries, row)
		v.Entries++
	}
}

// failingBy is which safeguards fail and name an entry as showing it.
func failingBy(verdicts []safeguards.Verdict) map[uuid.UUID][]string {
	by := map[uuid.UUID][]string{}
	for _, v := range verdicts {
		if v.Verdict == safeguards.Fail {
			for _, id := range v.Events {
				by[id] = append(by[id], v.Safeguard)
			}
		}
	}
	return by
}
