package reactions

import (
	"context"
	"time"

	"traga.internal/events"
)

// The topics of the journal, each followed by a Subscriber of its own.
const (
	noticeTopic = "notices"
	replayTopic = "replays"
)

// noticeLog is the journal's notices as a log for one reaction.
type noticeLog struct {
	journal  *Journal
	reaction string
}

func (l noticeLog) ReadAll(ctx context.Context, after events.Position, limit int, _ events.Filter) (events.Page, error) {
	return l.journal.page(ctx, after, limit, "SELECT n, id, at, body FROM notices WHERE n > ? AND reaction IN ('', ?) ORDER BY n LIMIT ?", l.reaction)
}

// Changed tells of the next notice, whatever the position: one that is there already is found by reading first.
func (l noticeLog) Changed(events.Position) <-chan struct{} {
	l.journal.mu.Lock()
	defer l.journal.mu.Unlock()
	return l.journal.notices
}

// replayLog are the requests to send again what a reaction has parked, as a log.
type replayLog struct {
	journal  *Journal
	reaction string
	poll     *time.Duration
}

func (l replayLog) ReadAll(ctx context.Context, after events.Position, limit int, _ events.Filter) (events.Page, error) {
	return l.journal.page(ctx, after, limit, "SELECT r.n, p.message, p.made, p.payload, p.n FROM replays r JOIN parked p ON p.n = r.parked WHERE r.n > ? AND p.reaction = ? AND p.done IS NULL ORDER BY r.n LIMIT ?", l.reaction)
}

// Changed looks again after a while: another process asks for replays.
func (l replayLog) Changed(events.Position) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(*l.poll, func() { close(c) })
	return c
}

// page reads rows of number, id, instant and body of a topic of the journal; a fifth column is kept in Revision.
func (j *Journal) page(ctx context.Context, after events.Position, limit int, query, reaction string) (events.Page, error) {
	page := events.Page{Scanned: after}
	rows, err := j.db.QueryContext(ctx, query, int64(after.Commit), reaction, limit)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return page, err
	}
	for rows.Next() {
		var e events.Recorded
		var n, at, parked int64
		var body []byte
		into := []any{&n, &e.ID, &at, &body, &parked}
		if err := rows.Scan(into[:len(columns)]...); err != nil {
			return page, err
		}
		e.Position, e.Revision, e.RecordedAt, e.Data = events.At(uint64(n)), uint64(parked), time.UnixMicro(at).UTC(), body
		page.Events, page.Scanned = append(page.Events, e), e.Position
	}
	page.More = len(page.Events) == limit
	return page, rows.Err()
}
