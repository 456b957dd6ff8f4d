package timeline

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"traga.internal/aggregates/protocol/safeguards"
	"traga.internal/events"
)

// Safeguards says of every safeguard whether it holds in the case at the asked instant (`safeguard check`), in the
// order HR01 to HR29. Beside the case it reads who looked at it and who was trained in what, as known at the same
// instant; it is the one answer that goes to the store again.
func (c *Case) Safeguards(ctx context.Context) ([]safeguards.Verdict, error) {
	looks, err := readStream(ctx, c.log, events.AccessStream(c.number), c.asOf, nil)
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
	verdicts := judge.Verdicts(c.clock, safeguards.Evidence{Obligations: c.tracker().Obligations(), Access: looks, Directory: c.known})
	if c.sight != nil {
		for i := range verdicts {
			MaskVerdict(&verdicts[i], c.sight.KnowsOfMonitoring(), c.sight.Log)
		}
	}
	return verdicts, nil
}

// MaskVerdict hides what the reader may not see of a verdict. Who may not know of contacts with the monitor is told
// nothing by HR24, whatever it says; and who may not read who looked is told by HR02 whether it holds, but not by whom.
func MaskVerdict(v *safeguards.Verdict, knowsOfMonitoring, readsLog bool) {
	switch {
	case v.Safeguard == "HR24" && !knowsOfMonitoring:
		v.Verdict, v.Events = safeguards.Hidden, []uuid.UUID{}
		v.Explanation = "Whether the person spoke with the monitor is confidential. Ask the ombudsman."
	case v.Safeguard == "HR02" && !readsLog:
		v.Events = []uuid.UUID{}
		v.Explanation = "Who looked at the case is told to the ombudsman, the data protection authority and the court."
	}
}
