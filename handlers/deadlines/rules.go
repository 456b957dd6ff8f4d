package deadlines

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
)

// Rules gives the rules and calendars as they are on record now.
type Rules func(ctx context.Context) (*protocol.Book, error)

// Shipped are the rules that come with traga, whatever was published.
func Shipped(book *protocol.Book) Rules {
	return func(context.Context) (*protocol.Book, error) { return book, nil }
}

// Published follows what is published in a store: protocol versions, decreed days, and institutions registered
// with their subdivision. Each call reads what is new; while the store is away, it gives what was last known. It is safe
// for concurrent use.
func Published(store events.Store, shipped *protocol.Book) Rules {
	var (
		mu   sync.Mutex
		book = shipped
		next = map[string]uint64{} // the revision to read on from, by stream
		read bool                  // all of it, once
	)
	return func(ctx context.Context) (*protocol.Book, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, j := range events.Jurisdictions() {
			for _, stream := range []string{events.ProtocolStream(j), events.DirectoryStream(j)} {
				for r, err := range store.ReadStream(ctx, stream, next[stream]) {
					if errors.Is(err, events.ErrUnavailable) && read {
						return book, nil
					}
					if err != nil {
						return nil, fmt.Errorf("read the published rules: %w", err)
					}
					e, err := events.Decode(&r)
					if err != nil {
						return nil, fmt.Errorf("read the published rules: %w", err)
					}
					changed, err := book.With(e)
					if err != nil {
						return nil, fmt.Errorf("read the published rules: %w", err)
					}
					book, next[stream] = changed, r.Revision+1
				}
			}
		}
		read = true
		return book, nil
	}
}
