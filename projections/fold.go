package projections

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"traga.internal/aggregates/history"
	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Streams that the projections read.
const (
	casePrefix      = "case-"
	protocolPrefix  = "protocol-"
	directoryPrefix = "directory-"
	accessPrefix    = "access-"
)

// isOfCase reports whether an event is folded into a case. One that says who looked at a case is not.
func isOfCase(e *events.Event) bool { return strings.HasPrefix(e.Stream, casePrefix) }

// concernsRules reports whether an event can change which rules or which calendar apply.
func concernsRules(e *events.Event) bool {
	switch e.Data.(type) {
	case *events.ProtocolPublished, *events.NonWorkingDayDecreed, *events.InstitutionRegistered:
		return true
	}
	return false
}

// folder folds the cases of a group of projections, once for all of them. It keeps cases in memory up to a
// number of events; one that was dropped is folded again from its stream when its next event comes. It holds no
// more than the log does, so throwing a folder away is always right.
type folder struct {
	store events.Store
	book  *protocol.Book
	// shards fold different cases at the same time.
	shards []*shard
	// cases are the streams of all cases so far by jurisdiction, in the order of their first events; nil until
	// known. An event of the rules needs them.
	cases map[events.Jurisdiction][]string
	at    events.Position
	ready bool
}

type shard struct {
	folder *folder
	byName map[string]*list.Element // of *folded
	recent list.List                // most recently used first
	weight int                      // events held
	budget int
	// now and changed are the step at hand.
	now     Step
	changed []protocol.Obligation
}

type folded struct {
	stream string
	c      *Case
}

func newFolder(store events.Store, book *protocol.Book, at events.Position, shards, budget int) *folder {
	f := &folder{store: store, book: book, at: at}
	for range shards {
		f.shards = append(f.shards, &shard{folder: f, byName: make(map[string]*list.Element), budget: max(1, budget/shards)})
	}
	return f
}

// prepare brings the book to the folder's position.
func (f *folder) prepare(ctx context.Context) error {
	if f.ready {
		return nil
	}
	if f.at == events.Start {
		f.cases = make(map[events.Jurisdiction][]string)
	} else {
		book, err := bookAt(ctx, f.store, f.book, events.AsOf{Position: f.at}, true)
		if err != nil {
			return err
		}
		f.book = book
	}
	f.ready = true
	return nil
}

// bookAt applies what was published, decreed and (with the directory) registered, as known at asOf, to the shipped
// book: in the order of the log.
func bookAt(ctx context.Context, log streamReader, book *protocol.Book, asOf events.AsOf, directory bool) (*protocol.Book, error) {
	var all []*events.Event
	for _, j := range events.Jurisdictions() {
		streams := []string{events.ProtocolStream(j)}
		if directory {
			streams = append(streams, events.DirectoryStream(j))
		}
		for _, stream := range streams {
			for r, err := range log.ReadStream(ctx, stream, 0) {
				if err != nil {
					return nil, &troubleError{fmt.Errorf("read the rules of %s: %w", j, err)}
				}
				if !asOf.Includes(r.RecordedAt, r.Position) {
					break
				}
				e, err := events.Decode(&r)
				if err != nil {
					return nil, err
				}
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b *events.Event) int { return a.Position.Compare(b.Position) })
	for _, e := range all {
		var err error
		if book, err = book.With(e); err != nil {
			return nil, fmt.Errorf("apply event %s to the rules: %w", e.ID, err)
		}
	}
	return book, nil
}

// shardOf chooses by the last digits of a stream's name, which is random by construction.
func (f *folder) shardOf(stream string) int {
	if stream == "" {
		return 0
	}
	return int(stream[len(stream)-1]) % len(f.shards)
}

// page folds a page and hands every step to collect, which is called at the same time for different shards, and
// per shard in the order of the log.
func (f *folder) page(ctx context.Context, page []*events.Event, collect func(shard int, s *Step)) error {
	if err := f.prepare(ctx); err != nil {
		return err
	}
	for len(page) > 0 {
		// Events of the rules change every case: what lies before them is folded first.
		n := slices.IndexFunc(page, concernsRules)
		if n < 0 {
			n = len(page)
		}
		if err := f.cut(ctx, page[:n], collect); err != nil {
			return err
		}
		if n < len(page) {
			if err := guard(func() error { return f.newRules(ctx, page[n], collect) }); err != nil {
				return err
			}
			n++
		}
		page = page[n:]
	}
	return nil
}

// cut folds events of cases.
func (f *folder) cut(ctx context.Context, page []*events.Event, collect func(shard int, s *Step)) error {
	if f.cases != nil {
		for _, e := range page {
			if e.Revision == 0 && isOfCase(e) {
				f.cases[e.Jurisdiction] = append(f.cases[e.Jurisdiction], e.Stream)
			}
		}
	}
	errs := make(chan error, len(f.shards))
	for i := range f.shards {
		work := func() error {
			for _, e := range page {
				if f.shardOf(e.Stream) != i {
					continue
				}
				if err := f.shards[i].step(ctx, e, func(s *Step) { collect(i, s) }); err != nil {
					return err
				}
			}
			f.shards[i].trim()
			return nil
		}
		if len(page) < 64 { // not worth a goroutine
			errs <- guard(work)
			continue
		}
		go func() { errs <- guard(work) }()
	}
	var err error
	for range f.shards {
		err = errors.Join(err, <-errs)
	}
	return err
}

func (s *shard) step(ctx context.Context, e *events.Event, collect func(*Step)) error {
	if !isOfCase(e) {
		collect(&Step{Event: e})
		return nil
	}
	c, err := s.load(ctx, e.Stream, e.Revision)
	if err != nil {
		return err
	}
	if c == nil {
		c = newCase(e, s.folder.book)
		s.keep(e.Stream, c)
	}
	s.weight++
	entries := c.evolve(e)
	s.changed = c.Tracker.AppendChanged(s.changed[:0])
	s.now = Step{Event: e, Case: c, Entries: entries, Obligations: s.changed, Added: c.Tracker.Added()}
	collect(&s.now)
	return nil
}

func newCase(first *events.Event, book *protocol.Book) *Case {
	h := new(history.History)
	return &Case{ID: int64(first.Position.Commit), Number: first.Case, Jurisdiction: first.Jurisdiction, History: h, Tracker: protocol.Over(book, h)}
}

func (c *Case) evolve(e *events.Event) []*history.Entry {
	entries := c.History.Evolve(e)
	c.Tracker.Follow(entries)
	c.Last = e
	if IsLandmark(e) {
		c.Landmarks = append(c.Landmarks, entries[0])
	}
	return entries
}

// IsLandmark reports whether an event is one of the few that say where a case stands; see Case.Landmarks.
func IsLandmark(e *events.Event) bool {
	switch e.Data.(type) {
	case *events.CaseOpened, *events.SpecificGroupRecorded, *events.TreatmentPlanAdopted, *events.PreReleasePlanningOpened,
		*events.PersonReleased, *events.PostPenalPlanAdopted, *events.CaseClosed, *events.CaseReopened:
		return true
	}
	return false
}

func (s *shard) keep(stream string, c *Case) {
	s.byName[stream] = s.recent.PushFront(&folded{stream, c})
}

// trim drops the cases that were not used for longest, until the budget holds.
func (s *shard) trim() {
	for s.weight > s.budget && s.recent.Len() > 1 {
		last := s.recent.Back()
		f := s.recent.Remove(last).(*folded)
		delete(s.byName, f.stream)
		s.weight -= f.c.History.Len()
	}
}

// load returns the case before the event of that revision, from memory or folded from its stream; nil if that is
// its first event.
func (s *shard) load(ctx context.Context, stream string, revision uint64) (*Case, error) {
	if el, ok := s.byName[stream]; ok {
		s.recent.MoveToFront(el)
		c := el.Value.(*folded).c
		if c.Last.Revision+1 != revision {
			return nil, &troubleError{fmt.Errorf("the log gave event %d of a case after event %d", revision, c.Last.Revision)}
		}
		return c, nil
	}
	if revision == 0 {
		return nil, nil
	}
	c, err := s.folder.refold(ctx, stream, s.folder.book, func(r *events.Recorded) bool { return r.Revision < revision })
	if err != nil {
		return nil, err
	}
	if c == nil || c.Last.Revision+1 != revision {
		return nil, &troubleError{fmt.Errorf("the log lacks events of a case before its event %d", revision)}
	}
	s.keep(stream, c)
	s.weight += c.History.Len()
	return c, nil
}

// refold folds a stream's events from the first on, as long as they are wanted.
func (f *folder) refold(ctx context.Context, stream string, book *protocol.Book, want func(*events.Recorded) bool) (*Case, error) {
	var c *Case
	for r, err := range f.store.ReadStream(ctx, stream, 0) {
		if err != nil {
			return nil, &troubleError{fmt.Errorf("read a case again: %w", err)}
		}
		if !want(&r) {
			break
		}
		e, err := events.Decode(&r)
		if err != nil {
			return nil, err
		}
		if c == nil {
			c = newCase(e, book)
		}
		c.evolve(e)
	}
	return c, nil
}

// newRules applies an event of the rules or the calendar: every case that it can concern is folded again with
// the new book, and what changed in its obligations is known from this event on.
func (f *folder) newRules(ctx context.Context, e *events.Event, collect func(shard int, s *Step)) error {
	collect(0, &Step{Event: e})
	book, err := f.book.With(e)
	if err != nil {
		return fmt.Errorf("apply event %s to the rules: %w", e.ID, err)
	}
	if book == f.book {
		return nil // it says nothing new
	}
	streams, err := f.casesOf(ctx, e)
	if err != nil {
		return err
	}
	before := func(r *events.Recorded) bool { return e.Position.After(r.Position) }
	for _, stream := range streams {
		i := f.shardOf(stream)
		s := f.shards[i]
		var old, next *Case
		if el, ok := s.byName[stream]; ok {
			old = el.Value.(*folded).c
			next = newCase(old.History.Entries()[0].Event, book)
			for _, entry := range old.History.Entries() {
				next.evolve(entry.Event)
			}
			el.Value.(*folded).c = next
		} else {
			if old, err = f.refold(ctx, stream, f.book, before); err != nil {
				return err
			}
			if next, err = f.refold(ctx, stream, book, before); err != nil {
				return err
			}
		}
		if old == nil || next == nil {
			continue
		}
		if changed, gone := difference(old.Tracker.Obligations(), next.Tracker.Obligations()); len(changed)+len(gone) > 0 {
			collect(i, &Step{Event: e, Case: next, Obligations: changed, Refolded: true, Gone: gone})
		}
	}
	f.book = book
	return nil
}

// difference says which obligations are new or other in next, and which are no more.
func difference(old, next []protocol.Obligation) (changed []protocol.Obligation, gone []string) {
	byID := make(map[string]*protocol.Obligation, len(old))
	for i := range old {
		byID[old[i].ID] = &old[i]
	}
	for i := range next {
		if was := byID[next[i].ID]; was == nil || !reflect.DeepEqual(*was, next[i]) {
			changed = append(changed, next[i])
		}
		delete(byID, next[i].ID)
	}
	for i := range old {
		if byID[old[i].ID] != nil {
			gone = append(gone, old[i].ID)
		}
	}
	return changed, gone
}

// casesOf are the streams of the cases of an event's jurisdiction, or of all where it names none. A folder that
// began in the middle of the log looks through it the first time.
func (f *folder) casesOf(ctx context.Context, e *events.Event) ([]string, error) {
	if f.cases == nil {
		cases := make(map[events.Jurisdiction][]string)
		filter := events.Filter{StreamPrefixes: []string{casePrefix}}
		for after, more := events.Start, true; more; {
			page, err := f.store.ReadAll(ctx, after, readLimit, filter)
			if err != nil {
				return nil, &troubleError{fmt.Errorf("look for the cases: %w", err)}
			}
			for i := range page.Events {
				r := &page.Events[i]
				if !e.Position.After(r.Position) {
					page.More = false
					break
				}
				if r.Revision > 0 {
					continue
				}
				first, err := events.Decode(r)
				if err != nil {
					return nil, err
				}
				cases[first.Jurisdiction] = append(cases[first.Jurisdiction], r.Stream)
			}
			after, more = page.Scanned, page.More
		}
		f.cases = cases
	}
	if e.Jurisdiction != "" {
		return f.cases[e.Jurisdiction], nil
	}
	var all []string
	for _, j := range events.Jurisdictions() {
		all = append(all, f.cases[j]...)
	}
	return all, nil
}
