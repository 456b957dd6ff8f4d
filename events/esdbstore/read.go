package esdbstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"traga.internal/events"
)

const (
	// pageEvents is how many events are asked for at once, so that each call has its deadline.
	pageEvents = 1024
	// pageScan bounds how many events of others one page of the log skips.
	pageScan = 4 * pageEvents
)

func isEnd(err error) bool { return errors.Is(err, io.EOF) }

// ReadStream implements events.Store. No call is open while the caller looks at an event. It fails with
// events.ErrDamaged when events are missing or someone else wrote to the stream.
func (s *Store) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[events.Recorded, error] {
	return func(yield func(events.Recorded, error) bool) {
		err := s.readStream(ctx, stream, from, func(r events.Recorded, _ link) bool { return yield(r, nil) })
		if err != nil {
			yield(events.Recorded{}, named("read stream", err))
		}
	}
}

func (s *Store) readStream(ctx context.Context, stream string, from uint64, yield func(events.Recorded, link) bool) error {
	if err := s.usable(ctx); err != nil || from > math.MaxInt64 {
		return err
	}
	for next := from; ; {
		list, is, err := retried(ctx, s, "read stream", callPatience, func(ctx context.Context, at *session) ([]*esdb.RecordedEvent, error) {
			return page(at.client.ReadStream(ctx, s.prefix+stream, esdb.ReadStreamOptions{From: esdb.Revision(next)}, pageEvents))
		})
		if err != nil && is == missing {
			if next > from {
				return damaged(errLost)
			}
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.EventNumber != next {
				return damaged(fmt.Errorf("revision %d of a stream is missing", next))
			}
			r, l, ours := s.recorded(e)
			if !ours {
				return damaged(errStranger)
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if !yield(r, l) {
				return nil
			}
			next++
		}
		if len(list) < pageEvents {
			return nil
		}
	}
}

// ReadAll implements events.Store. A page holds at most 1024 events, whatever the limit; others' events between them
// are passed over. It fails with events.ErrDamaged when no event stands at the position that it is to go on after, or
// someone else wrote to a stream of traga's. A position beyond the end of the log gives an empty page.
func (s *Store) ReadAll(ctx context.Context, after events.Position, limit int, filter events.Filter) (events.Page, error) {
	p, err := s.readAll(ctx, after, limit, filter, nil)
	return p, named("read log", err)
}

// readAll reads a page, and hands each of traga's events with its place in the ledger to see, if that is not nil.
func (s *Store) readAll(ctx context.Context, after events.Position, limit int, filter events.Filter, see func(*events.Recorded, link) error) (events.Page, error) {
	if limit < 1 {
		return events.Page{}, fmt.Errorf("a page of %d events makes no sense", limit)
	}
	if err := s.usable(ctx); err != nil {
		return events.Page{}, err
	}
	limit = min(limit, pageEvents)
	p := events.Page{Scanned: after}
	if after == events.MaxPosition {
		return p, s.reachable(ctx)
	}
	for scanned := 0; scanned < pageScan; {
		from, ask := esdb.AllPosition(esdb.Start{}), limit-len(p.Events)+1
		if p.Scanned != events.Start { // inclusive: the event there comes again
			from, ask = esdb.Position{Commit: p.Scanned.Commit, Prepare: p.Scanned.Prepare}, ask+1
		}
		list, is, err := retried(ctx, s, "read log", callPatience, func(ctx context.Context, at *session) ([]*esdb.RecordedEvent, error) {
			return page(at.client.ReadAll(ctx, esdb.ReadAllOptions{From: from}, uint64(ask)))
		})
		if err != nil && is == nowhere {
			return events.Page{}, damaged(fmt.Errorf("no event stands at position %s: the log is another one, or has lost its end", p.Scanned))
		}
		if err != nil {
			return events.Page{}, err
		}
		for _, e := range list {
			position := positionOf(e)
			if !position.After(p.Scanned) {
				continue // a position never goes back, whatever a server says
			}
			if len(p.Events) == limit || scanned >= pageScan {
				p.More = true
				return p, nil
			}
			scanned++
			r, l, ours := s.recorded(e)
			if !ours && s.isOwn(e.StreamID) && !strings.HasPrefix(e.EventType, "$") {
				return events.Page{}, damaged(errStranger)
			}
			p.Scanned, p.ScannedID = position, e.EventID
			if !ours {
				continue
			}
			if see != nil {
				if err := see(&r, l); err != nil {
					return events.Page{}, err
				}
			}
			if filter.Passes(r.Stream, r.Type) {
				p.Events = append(p.Events, r)
			}
		}
		if len(list) < ask {
			return p, nil
		}
	}
	p.More = true // or not: the next page tells
	return p, nil
}

// Originals yields the log's events in order, after a position. A yielded error is terminal.
func (s *Store) Originals(ctx context.Context, after events.Position) iter.Seq2[events.Original, error] {
	return func(yield func(events.Original, error) bool) {
		for more := true; more; {
			var list []events.Original
			p, err := s.readAll(ctx, after, pageEvents, events.Filter{}, func(r *events.Recorded, l link) error {
				list = append(list, events.Original{Recorded: *r, Tag: l.tag})
				return nil
			})
			if err != nil {
				yield(events.Original{}, named("read log", err))
				return
			}
			for i := range list {
				if !yield(list[i], nil) {
					return
				}
			}
			after, more = p.Scanned, p.More
		}
	}
}

// reachable fails as a read would.
func (s *Store) reachable(ctx context.Context) error {
	_, err := s.Head(ctx)
	return err
}

// families begin the names of traga's streams. Others' events in such a stream are not passed over.
var families = []string{"case-", "access-", "directory-", "protocol-"}

func (s *Store) isOwn(stream string) bool {
	name, ok := strings.CutPrefix(stream, s.prefix)
	if !ok {
		return false
	}
	for _, f := range families {
		if strings.HasPrefix(name, f) {
			return true
		}
	}
	return name == events.StoreStream
}
