package timeline

import (
	"context"
	"fmt"

	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

// Safeguards says of every safeguard whether it holds in the case at the asked instant (`safeguard check`), in the
// order HR01 to HR29. Beside the case it reads who looked at it and who was trained in what, as known at the same
// instant; it is the one answer that goes to the store again.
func (c *Case) Safeguards(ctx context.Context) ([]safeguards.Verdict, error) {
	access, err := readStream(ctx, c.log, events.AccessStream(c.number), c.asOf, nil)
	if err != nil {
		return nil, fmt.Errorf("read who looked at the case: %w", err)
	}
	if err := c.readDirectory(ctx); err != nil {
		return nil, err
	}
	judge := safeguards.NewJudge(c.book)
	for _, entry := range c.history.Entries() {
		judge.Evolve(entry.Event)
	}
	return judge.Verdicts(c.clock, safeguards.Evidence{Obligations: c.tracker().Obligations(), Access: access, Directory: c.known}), nil
}
